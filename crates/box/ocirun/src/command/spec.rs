//! `spec`: a configuration to begin with.

use super::{Call, Command};
use crate::Error;
use crate::flags::{Order, switch, text};
use crate::global::Global;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

pub(super) const SPEC: Command = Command {
    name: "spec",
    arguments: "",
    help: "write a configuration to begin with into config.json",
    flags: &[
        text(&["bundle", "b"], "DIR", "the bundle's directory (the current one)"),
        switch(&["rootless"], "for a container of a user who is not root"),
    ],
    order: Order::Anywhere,
    failure_code: 1,
    run: spec,
};

const TEMPLATE: &str = include_str!("spec.json");

fn spec(_: &Global, call: Call) -> Result<u8, Error> {
    let mut text = TEMPLATE.to_owned();
    if call.given.is_on("rootless") {
        let ids = (sys::process::effective_uid(), sys::process::effective_gid());
        text = rootless(ids)?;
    }
    let path = Path::new(call.given.text("bundle").unwrap_or(".")).join("config.json");
    let file = File::options().write(true).create_new(true).open(&path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    match written {
        Ok(()) => Ok(0),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Err(Error::Status(format!("File {} exists. Remove it first", path.display())))
        }
        Err(error) => Err(Error::file("write", path)(error)),
    }
}

/// Returns the template for a user: one id in a user namespace, the host's network, no mounts that need root.
fn rootless((uid, gid): (u32, u32)) -> Result<String, Error> {
    let wrong =
        |error: serde_json::Error| Error::Content { path: "spec.json".into(), text: error.to_string() };
    let mut spec: Value = serde_json::from_str(TEMPLATE).map_err(wrong)?;
    let linux = &mut spec["linux"];
    linux["uidMappings"] = json!([{ "containerID": 0, "hostID": uid, "size": 1 }]);
    linux["gidMappings"] = json!([{ "containerID": 0, "hostID": gid, "size": 1 }]);
    if let Some(fields) = linux.as_object_mut() {
        fields.remove("resources");
    }
    if let Some(namespaces) = linux["namespaces"].as_array_mut() {
        namespaces.retain(|namespace| namespace["type"] != "network");
        namespaces.push(json!({ "type": "user" }));
    }
    if let Some(mounts) = spec["mounts"].as_array_mut() {
        mounts.retain(|mount| mount["destination"] != "/sys/fs/cgroup");
        for mount in mounts.iter_mut() {
            if mount["destination"] == "/sys" {
                *mount = json!({ "destination": "/sys", "type": "none", "source": "/sys",
                                 "options": ["rbind", "nosuid", "noexec", "nodev", "ro"] });
            }
            if let Some(options) = mount.get_mut("options").and_then(Value::as_array_mut) {
                options.retain(|option| option != "gid=5");
            }
        }
    }
    serde_json::to_string_pretty(&spec).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_templates_are_specifications() {
        let spec: oci::runtime::Spec = serde_json::from_str(TEMPLATE).expect("a specification");
        assert_eq!(spec.oci_version, oci::runtime::VERSION);
        let text = rootless((1000, 1001)).expect("fine");
        let spec: oci::runtime::Spec = serde_json::from_str(&text).expect("a specification");
        let linux = spec.linux.expect("some");
        assert_eq!((linux.uid_mappings[0].host_id, linux.gid_mappings[0].host_id), (1000, 1001));
        assert!(linux.resources.is_none() && !text.contains("gid=5") && !text.contains("\"network\""));
    }
}
