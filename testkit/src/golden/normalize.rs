//! Replaces what depends on the machine, the time or chance by its kind.

use serde_json::Value;

/// Members whose values depend on the machine or the engine's set-up: only their type is compared.
const MACHINE: &[&str] = &[
    "ID",
    "Pid",
    "PidsLimit",
    "Size",
    "SizeRw",
    "SizeRootFs",
    "SharedSize",
    "VirtualSize",
    "NCPU",
    "MemTotal",
    "Name",
    "KernelVersion",
    "OperatingSystem",
    "OSVersion",
    "DockerRootDir",
    "NGoroutines",
    "NFd",
    "NEventsListener",
    "Containers",
    "ContainersRunning",
    "ContainersPaused",
    "ContainersStopped",
    "Images",
    "ServerVersion",
    "InitBinary",
    "GitCommit",
    "GoVersion",
    "BuildTime",
    "Version",
    "Driver",
    "DefaultRuntime",
    "Labels_",
    "CgroupDriver",
    "CgroupVersion",
    "Arch",
    "LayersSize",
    "SandboxKey",
    "time",
    "timeNano",
    "SystemTime",
    "Created_",
    "Runtime",
    "ImageManifestDescriptor",
];

/// Members whose whole content depends on the machine: objects and lists below them are not looked into.
const OPAQUE: &[&str] = &[
    "DriverStatus",
    "Runtimes",
    "Plugins",
    "RegistryConfig",
    "ContainerdCommit",
    "RuncCommit",
    "InitCommit",
    "Components",
    "Containerd",
    "CDISpecDirs",
    "DefaultAddressPools",
    "SecurityOptions",
    "Warnings_",
    "GraphDriver",
    "cpu_stats",
    "precpu_stats",
    "memory_stats",
    "blkio_stats",
    "pids_stats",
    "networks",
    "FirewallBackend",
    "DiscoveredDevices",
];

/// Returns the value with everything replaced that may differ between two runs. `key` is the member that holds it.
pub(super) fn normalize(key: &str, value: Value) -> Value {
    if OPAQUE.contains(&key) {
        return Value::String(format!("<{}>", kind(&value)));
    }
    match value {
        Value::Object(members) => Value::Object(
            members.into_iter().map(|(name, value)| (text(&name), normalize(&name, value))).collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(|item| normalize("", item)).collect()),
        Value::String(string) if MACHINE.contains(&key) && !string.is_empty() => {
            Value::String(named(key, &string))
        }
        Value::String(string) => Value::String(text(&string)),
        Value::Number(number) if MACHINE.contains(&key) => {
            Value::String(if number.as_f64() == Some(0.0) { "<zero>".into() } else { "<number>".into() })
        }
        // Seconds since 1970, as in the lists of containers and images.
        Value::Number(number) if key == "Created" => {
            Value::String(if number.as_f64() > Some(1e9) { "<seconds>".into() } else { number.to_string() })
        }
        other => other,
    }
}

/// The names that the steps give are kept; all others are the machine's.
fn named(key: &str, string: &str) -> String {
    let ours = string.trim_start_matches('/').starts_with("golden")
        || ["bridge", "host", "none", "local"].contains(&string);
    if ours || (key == "Driver" && string == "null") { string.to_owned() } else { "<text>".into() }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}

/// Replaces ids, times, addresses and paths inside a text.
fn text(string: &str) -> String {
    if is_time(string) {
        return if string.starts_with("0001-01-01T00:00:00") { string.to_owned() } else { "<time>".into() };
    }
    if let Some((_, volume)) = string.split_once("/volumes/").filter(|_| string.starts_with('/')) {
        return format!("<data root>/volumes/{volume}");
    }
    let mut out = String::with_capacity(string.len());
    let mut word = String::new();
    for c in string.chars() {
        if c.is_ascii_alphanumeric() || "._:/-".contains(c) {
            word.push(c);
            continue;
        }
        out.push_str(&word_kind(&word));
        word.clear();
        out.push(c);
    }
    out.push_str(&word_kind(&word));
    out
}

fn word_kind(word: &str) -> String {
    let (prefix, bare) = word.split_at(word.strip_prefix("sha256:").map_or(0, |_| "sha256:".len()));
    if is_hex(bare, 64) || is_hex(bare, 12) {
        return format!("{prefix}<id>");
    }
    if is_mac(word) {
        return "<mac>".into();
    }
    let (address, rest) = word.split_once('/').map_or((word, ""), |(address, rest)| (address, rest));
    let private = ["10.", "172.", "192.168."].iter().any(|net| address.starts_with(net));
    if private && address.split('.').count() == 4 && address.split('.').all(|part| part.parse::<u8>().is_ok())
    {
        return if rest.is_empty() { "<address>".into() } else { "<subnet>".into() };
    }
    if word.starts_with('/') && word.matches('/').count() > 2 && word.split('/').any(|part| is_hex(part, 64))
    {
        return "<path>".into();
    }
    word.to_owned()
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase())
}

fn is_mac(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    parts.len() == 6 && parts.iter().all(|part| is_hex(part, 2))
}

fn is_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 20
        && bytes[4] == b'-'
        && bytes[10] == b'T'
        && (text.ends_with('Z') || text.contains('+'))
        && bytes[..4].iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_depends_on_the_machine_is_replaced_by_its_kind() {
        let id = "0123456789ab".repeat(5) + "0123";
        for (text, expected) in [
            (format!("container {id} is not running"), "container <id> is not running"),
            (format!("sha256:{id}"), "sha256:<id>"),
            ("2026-01-02T03:04:05.6Z".into(), "<time>"),
            ("0001-01-01T00:00:00Z".into(), "0001-01-01T00:00:00Z"),
            ("172.17.0.2".into(), "<address>"),
            ("172.17.0.0/16".into(), "<subnet>"),
            ("02:42:ac:11:00:02".into(), "<mac>"),
            (format!("/var/lib/x/containers/{id}/hostname"), "<path>"),
            ("/var/lib/x/volumes/data/_data".into(), "<data root>/volumes/data/_data"),
            ("plain text, 1.51".into(), "plain text, 1.51"),
        ] {
            assert_eq!(normalize("", json!(text)), json!(expected));
        }
    }

    #[test]
    fn members_of_the_machine_keep_their_type_only() {
        let value = json!({"NCPU": 2, "Pid": 0, "Name": "/golden-a", "KernelVersion": "6.1", "Runtimes": {"runc": {}}});
        let expected = json!({"NCPU": "<number>", "Pid": "<zero>", "Name": "/golden-a", "KernelVersion": "<text>",
            "Runtimes": "<object>"});
        assert_eq!(normalize("", value), expected);
    }
}
