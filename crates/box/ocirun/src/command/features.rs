//! `features`: what this runtime can do.

use super::{Call, Command, Form, print_json};
use crate::Error;
use crate::flags::Order;
use crate::global::Global;
use runtime::known;
use serde_json::{Value, json};

pub(super) const FEATURES: Command = Command {
    name: "features",
    arguments: "",
    help: "print what this runtime can do as JSON",
    flags: &[],
    order: Order::Anywhere,
    failure_code: 1,
    run: features,
};

/// Prints what the specification's features.md describes, from the tables that the planner is tested against.
fn features(_: &Global, call: Call) -> Result<u8, Error> {
    if let Some(more) = call.given.args.first() {
        return Err(Error::usage(format!("no arguments are expected: {more:?}")));
    }
    print_json(&document(), Form::Indented);
    Ok(0)
}

fn document() -> Value {
    let names = |table: &[(&'static str, u32)]| table.iter().map(|(name, _)| *name).collect::<Vec<_>>();
    let capabilities: Vec<_> = sys::cred::known().collect();
    json!({
        "ociVersionMin": "1.0.0",
        "ociVersionMax": oci::runtime::VERSION,
        "hooks": known::HOOKS,
        "mountOptions": &known::MOUNT_OPTIONS[..],
        "linux": {
            "namespaces": known::NAMESPACES,
            "capabilities": capabilities,
            "cgroup": { "v1": true, "v2": true, "systemd": false, "systemdUser": false, "rdma": true },
            "seccomp": {
                "enabled": true,
                "actions": &::seccomp::ACTIONS[..],
                "operators": &::seccomp::OPERATORS[..],
                "archs": &::seccomp::ARCHITECTURES[..],
                "knownFlags": names(&::seccomp::FLAGS),
                "supportedFlags": names(&::seccomp::FLAGS)
            },
            "apparmor": { "enabled": true },
            "selinux": { "enabled": true },
            "intelRdt": { "enabled": false },
            "memoryPolicy": {
                "modes": names(&known::MEMORY_POLICY_MODES),
                "flags": names(&known::MEMORY_POLICY_FLAGS)
            },
            "mountExtensions": { "idmap": { "enabled": true } },
            "netDevices": { "enabled": true }
        },
        "annotations": { "run.naru.version": env!("CARGO_PKG_VERSION") }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_named_capability_and_filter_is_taken() {
        let document = document();
        let list =
            |pointer: &str| document.pointer(pointer).and_then(Value::as_array).cloned().expect(pointer);
        let capabilities = list("/linux/capabilities");
        assert!(capabilities.len() >= 41, "{capabilities:?}");
        for name in capabilities {
            assert!(sys::cred::Capabilities::named(name.as_str().expect("text")).is_some(), "{name}");
        }
        for action in list("/linux/seccomp/actions") {
            serde_json::from_value::<oci::runtime::Action>(action.clone()).expect("an action");
        }
        for operator in list("/linux/seccomp/operators") {
            serde_json::from_value::<oci::runtime::Operator>(operator.clone()).expect("an operator");
        }
        for namespace in list("/linux/namespaces") {
            serde_json::from_value::<oci::runtime::NamespaceType>(namespace.clone()).expect("a namespace");
        }
    }
}
