//! The requests, in order. Later steps stand on what earlier ones made.

use super::record::IMAGE;
use serde_json::{Value, json};

/// One request.
#[derive(Debug)]
pub(super) struct Step {
    /// Its name, unique.
    pub(super) name: &'static str,
    pub(super) method: &'static str,
    /// The path behind the version; `{NAME}` is replaced by what an earlier step kept.
    pub(super) path: &'static str,
    pub(super) body: Option<String>,
    /// Whether `/v1.51` is put in front.
    pub(super) versioned: bool,
    /// Keeps a member of the answer under a name.
    pub(super) keep: Option<(&'static str, &'static str)>,
}

fn get(name: &'static str, path: &'static str) -> Step {
    Step { name, method: "GET", path, body: None, versioned: true, keep: None }
}

fn post(name: &'static str, path: &'static str) -> Step {
    Step { method: "POST", ..get(name, path) }
}

fn delete(name: &'static str, path: &'static str) -> Step {
    Step { method: "DELETE", ..get(name, path) }
}

fn send(name: &'static str, path: &'static str, body: Value) -> Step {
    Step { body: Some(body.to_string()), ..post(name, path) }
}

/// Returns all steps.
pub(super) fn steps() -> Vec<Step> {
    [system(), images(), creation(), views(), life(), execs(), networks(), volumes(), ends()]
        .into_iter()
        .flatten()
        .collect()
}

fn system() -> Vec<Step> {
    vec![
        get("ping", "/_ping"),
        Step { method: "HEAD", ..get("ping_head", "/_ping") },
        Step { versioned: false, ..get("ping_unversioned", "/_ping") },
        get("version", "/version"),
        Step { versioned: false, ..get("version_too_old", "/v1.23/version") },
        Step { versioned: false, ..get("version_too_new", "/v1.99/version") },
        Step { versioned: false, ..get("version_malformed", "/v1/version") },
        get("info", "/info"),
        get("unknown_path", "/nosuch"),
        post("wrong_method", "/version"),
        get("swarm_inspect", "/swarm"),
        get("services", "/services"),
        get("nodes", "/nodes"),
        get("secrets", "/secrets"),
        get("configs", "/configs"),
        get("tasks", "/tasks"),
        get("plugins", "/plugins"),
        get("plugin_missing", "/plugins/nosuch/json"),
        get("events_filter_malformed", "/events?filters=x&since=1&until=2"),
        get("events_none", "/events?since=1&until=2"),
    ]
}

fn images() -> Vec<Step> {
    vec![
        get("image_inspect", "/images/naru-golden:1/json"),
        get("image_inspect_missing", "/images/nosuch-golden/json"),
        get("image_inspect_malformed", "/images/UPPER/json"),
        get("image_list", "/images/json?filters={\"reference\":{\"naru-golden:1\":true}}"),
        get(
            "image_list_shared_size",
            "/images/json?shared-size=1&filters={\"reference\":{\"naru-golden:1\":true}}",
        ),
        get("image_list_none", "/images/json?filters={\"reference\":{\"nosuch-golden\":true}}"),
        get("image_list_filter_unknown", "/images/json?filters={\"nosuch\":{\"x\":true}}"),
        get("image_list_filter_malformed", "/images/json?filters=x"),
        get("image_history", "/images/naru-golden:1/history"),
        get("image_history_missing", "/images/nosuch-golden/history"),
        post("image_tag", "/images/naru-golden:1/tag?repo=naru-golden&tag=2"),
        post("image_tag_missing", "/images/nosuch-golden/tag?repo=naru-golden&tag=2"),
        post("image_tag_malformed", "/images/naru-golden:1/tag?repo=UPPER&tag=2"),
        delete("image_untag", "/images/naru-golden:2"),
        delete("image_remove_missing", "/images/nosuch-golden"),
        delete("image_remove_malformed", "/images/UPPER"),
        get("image_save_missing", "/images/nosuch-golden/get"),
        post("image_push_missing", "/images/127.0.0.1:9/nosuch-golden/push"),
        post("image_prune_filter_unknown", "/images/prune?filters={\"nosuch\":{\"x\":true}}"),
    ]
}

fn base() -> Value {
    json!({"Image": IMAGE, "Cmd": ["sleep", "1000"], "Labels": {"naru-golden": "yes"},
        "StopSignal": "SIGKILL", "HostConfig": {"NetworkMode": "bridge"}})
}

/// Returns the base with one member replaced, by its JSON pointer.
fn with(path: &str, value: Value) -> Value {
    let mut body = base();
    let (above, name) = path.rsplit_once('/').expect("a pointer");
    body.pointer_mut(above).expect("an object")[name] = value;
    body
}

fn full_host_config() -> Value {
    json!({
        "Memory": 67_108_864, "MemoryReservation": 33_554_432, "CpuShares": 512, "NanoCpus": 500_000_000,
        "CpusetCpus": "0", "PidsLimit": 100, "Binds": ["/tmp:/mnt:ro"], "Tmpfs": {"/run": "size=1m"},
        "Mounts": [{"Type": "tmpfs", "Target": "/scratch", "TmpfsOptions": {"SizeBytes": 1_048_576}}],
        "ReadonlyRootfs": true, "CapAdd": ["NET_ADMIN"], "CapDrop": ["MKNOD"], "Dns": ["192.0.2.1"],
        "DnsSearch": ["example.org"], "DnsOptions": ["ndots:2"], "ExtraHosts": ["a:192.0.2.2"],
        "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2}, "Init": true, "IpcMode": "private",
        "NetworkMode": "none", "SecurityOpt": ["no-new-privileges"], "ShmSize": 1_048_576,
        "Sysctls": {"net.ipv4.ip_forward": "0"}, "Ulimits": [{"Name": "nofile", "Soft": 100, "Hard": 200}],
        "OomScoreAdj": 100, "GroupAdd": ["5"], "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m"}},
        "Devices": [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/x", "CgroupPermissions": "r"}]
    })
}

fn creation() -> Vec<Step> {
    let refused = [
        ("create_image_missing", "/Image", json!("nosuch-golden")),
        ("create_image_malformed", "/Image", json!("UPPER")),
        ("create_no_command", "/Cmd", json!([])),
        ("create_memory_too_small", "/HostConfig/Memory", json!(1024)),
        ("create_memory_type", "/HostConfig/Memory", json!("1g")),
        ("create_cpus_too_many", "/HostConfig/NanoCpus", json!(1_000_000_000_000_i64)),
        ("create_cpuset_malformed", "/HostConfig/CpusetCpus", json!("a")),
        ("create_swap_alone", "/HostConfig/MemorySwap", json!(67_108_864)),
        ("create_shm_negative", "/HostConfig/ShmSize", json!(-1)),
        ("create_restart_unknown", "/HostConfig/RestartPolicy", json!({"Name": "nosuch"})),
        (
            "create_restart_retries",
            "/HostConfig/RestartPolicy",
            json!({"Name": "always", "MaximumRetryCount": 3}),
        ),
        (
            "create_restart_and_remove",
            "/HostConfig",
            json!({"AutoRemove": true, "RestartPolicy": {"Name": "always"}}),
        ),
        ("create_bind_relative", "/HostConfig/Binds", json!(["/tmp:relative"])),
        ("create_bind_root", "/HostConfig/Binds", json!(["/tmp:/"])),
        ("create_bind_twice", "/HostConfig/Binds", json!(["/tmp:/a", "/tmp:/a"])),
        ("create_bind_mode", "/HostConfig/Binds", json!(["/tmp:/a:nosuch"])),
        (
            "create_mount_missing",
            "/HostConfig/Mounts",
            json!([{"Type": "bind", "Source": "/nosuch-golden", "Target": "/a"}]),
        ),
        ("create_mount_type", "/HostConfig/Mounts", json!([{"Type": "nosuch", "Target": "/a"}])),
        ("create_mount_no_target", "/HostConfig/Mounts", json!([{"Type": "tmpfs"}])),
        ("create_cap_unknown", "/HostConfig/CapAdd", json!(["NOSUCH"])),
        ("create_ipc_unknown", "/HostConfig/IpcMode", json!("nosuch")),
        ("create_pid_unknown", "/HostConfig/PidMode", json!("nosuch")),
        ("create_uts_unknown", "/HostConfig/UTSMode", json!("nosuch")),
        ("create_cgroupns_unknown", "/HostConfig/CgroupnsMode", json!("nosuch")),
        ("create_network_container_missing", "/HostConfig/NetworkMode", json!("container:nosuch-golden")),
        ("create_port_malformed", "/HostConfig/PortBindings", json!({"80/nosuch": [{}]})),
        ("create_log_driver_unknown", "/HostConfig/LogConfig", json!({"Type": "nosuch"})),
        (
            "create_log_option_unknown",
            "/HostConfig/LogConfig",
            json!({"Type": "json-file", "Config": {"nosuch": "x"}}),
        ),
        ("create_runtime_unknown", "/HostConfig/Runtime", json!("nosuch")),
        ("create_security_option_unknown", "/HostConfig/SecurityOpt", json!(["nosuch"])),
        ("create_oom_score", "/HostConfig/OomScoreAdj", json!(2000)),
        ("create_sysctl_malformed", "/HostConfig/Sysctls", json!({"kernel.shmmax": "1"})),
        ("create_device_missing", "/HostConfig/Devices", json!([{"PathOnHost": "/dev/nosuch-golden"}])),
        ("create_stop_signal_unknown", "/StopSignal", json!("SIGNOSUCH")),
        ("create_workdir_relative", "/WorkingDir", json!("relative")),
        ("create_health_short", "/Healthcheck", json!({"Test": ["CMD", "true"], "Interval": 1})),
        ("create_environment_malformed", "/Env", json!(["=x"])),
        ("create_hostname_malformed", "/Hostname", json!("under_score!")),
    ];
    let mut steps = vec![
        send("create", "/containers/create?name=golden-a", base()),
        send("create_name_taken", "/containers/create?name=golden-a", base()),
        send("create_name_malformed", "/containers/create?name=-x", base()),
        post("create_without_body", "/containers/create?name=golden-b"),
        Step { body: Some("{".into()), ..post("create_body_malformed", "/containers/create?name=golden-b") },
        Step {
            body: Some("{} x".into()),
            ..post("create_body_trailing", "/containers/create?name=golden-b")
        },
        send("create_empty", "/containers/create?name=golden-b", json!({})),
        send(
            "create_full",
            "/containers/create?name=golden-c",
            json!({
                "Image": IMAGE, "Cmd": ["sleep", "1000"], "Entrypoint": ["env"], "Env": ["A=b", "C"], "Hostname": "host",
                "Domainname": "example.org", "User": "1:2", "WorkingDir": "/srv", "Tty": true, "OpenStdin": true,
                "StdinOnce": true, "AttachStdout": true, "Labels": {"naru-golden": "yes", "b": ""}, "StopTimeout": 3,
                "StopSignal": "9", "ExposedPorts": {"80/tcp": {}, "53/udp": {}},
                "HostConfig": full_host_config()
            }),
        ),
    ];
    steps.extend(
        refused
            .into_iter()
            .map(|(name, path, value)| send(name, "/containers/create?name=golden-b", with(path, value))),
    );
    steps
}

/// Views of containers: created (`golden-a`, `golden-c`).
fn views() -> Vec<Step> {
    vec![
        get("inspect_created", "/containers/golden-a/json"),
        get("inspect_created_size", "/containers/golden-a/json?size=1"),
        get("inspect_full", "/containers/golden-c/json"),
        get("inspect_missing", "/containers/nosuch-golden/json"),
        get("list_created", "/containers/json?all=1&filters={\"label\":[\"naru-golden\"]}"),
        get("list_running_none", "/containers/json?filters={\"label\":[\"naru-golden\"]}"),
        get("list_filter_unknown", "/containers/json?filters={\"nosuch\":[\"x\"]}"),
        get("list_filter_malformed", "/containers/json?filters=x"),
        get("list_status_malformed", "/containers/json?filters={\"status\":[\"nosuch\"]}"),
        get("list_limit_malformed", "/containers/json?limit=x"),
        get("logs_created", "/containers/golden-a/logs?stdout=1"),
        get("logs_no_stream", "/containers/golden-a/logs"),
        get("logs_missing", "/containers/nosuch-golden/logs?stdout=1"),
        get("logs_tail_malformed", "/containers/golden-a/logs?stdout=1&since=x"),
        get("top_created", "/containers/golden-a/top"),
        get("stats_created", "/containers/golden-a/stats?stream=0&one-shot=1"),
        get("changes_created", "/containers/golden-a/changes"),
        get("archive_missing_path", "/containers/golden-a/archive?path=/nosuch"),
        get("archive_no_path", "/containers/golden-a/archive"),
        Step { method: "HEAD", ..get("archive_stat", "/containers/golden-a/archive?path=/etc/passwd") },
        post("kill_created", "/containers/golden-a/kill"),
        post("pause_created", "/containers/golden-a/pause"),
        post("unpause_created", "/containers/golden-a/unpause"),
        post("stop_created", "/containers/golden-a/stop"),
        post("resize_created", "/containers/golden-a/resize?h=1&w=1"),
        send("exec_create_not_running", "/containers/golden-a/exec", json!({"Cmd": ["true"]})),
        post("attach_missing", "/containers/nosuch-golden/attach?stream=1"),
    ]
}

fn life() -> Vec<Step> {
    vec![
        post("start", "/containers/golden-a/start"),
        post("start_again", "/containers/golden-a/start"),
        post("start_missing", "/containers/nosuch-golden/start"),
        get("inspect_running", "/containers/golden-a/json"),
        get("list_running", "/containers/json?filters={\"label\":[\"naru-golden\"]}"),
        get("list_running_size", "/containers/json?size=1&filters={\"label\":[\"naru-golden\"]}"),
        get("stats_running", "/containers/golden-a/stats?stream=0&one-shot=1"),
        delete("remove_running", "/containers/golden-a"),
        delete("remove_missing", "/containers/nosuch-golden"),
        post("pause", "/containers/golden-a/pause"),
        post("pause_again", "/containers/golden-a/pause"),
        get("inspect_paused", "/containers/golden-a/json"),
        send("exec_create_paused", "/containers/golden-a/exec", json!({"Cmd": ["true"]})),
        post("unpause", "/containers/golden-a/unpause"),
        post("unpause_again", "/containers/golden-a/unpause"),
        post("rename_missing", "/containers/nosuch-golden/rename?name=golden-d"),
        post("rename_same", "/containers/golden-a/rename?name=golden-a"),
        post("rename_taken", "/containers/golden-a/rename?name=golden-c"),
        post("rename_empty", "/containers/golden-a/rename?name="),
        post("rename", "/containers/golden-a/rename?name=golden-renamed"),
        post("rename_back", "/containers/golden-renamed/rename?name=golden-a"),
        post("kill_signal_unknown", "/containers/golden-a/kill?signal=NOSUCH"),
        post("kill_signal_harmless", "/containers/golden-a/kill?signal=CONT"),
        post("kill_missing", "/containers/nosuch-golden/kill"),
        post("resize_malformed", "/containers/golden-a/resize?h=x&w=1"),
        send("update", "/containers/golden-a/update", json!({"CpuShares": 256})),
        send("update_memory_too_small", "/containers/golden-a/update", json!({"Memory": 1024})),
        send("update_missing", "/containers/nosuch-golden/update", json!({"CpuShares": 256})),
        post("wait_condition_unknown", "/containers/golden-a/wait?condition=nosuch"),
        post("wait_missing", "/containers/nosuch-golden/wait"),
        post("commit_missing", "/commit?container=nosuch-golden"),
    ]
}

fn execs() -> Vec<Step> {
    vec![
        Step {
            keep: Some(("exec", "Id")),
            ..send("exec_create", "/containers/golden-a/exec", json!({"Cmd": ["true"], "AttachStdout": true}))
        },
        send("exec_create_empty", "/containers/golden-a/exec", json!({})),
        send("exec_create_missing", "/containers/nosuch-golden/exec", json!({"Cmd": ["true"]})),
        get("exec_inspect_created", "/exec/{exec}/json"),
        get("exec_inspect_missing", "/exec/nosuch/json"),
        post("exec_resize_created", "/exec/{exec}/resize?h=1&w=1"),
        send("exec_start_detached", "/exec/{exec}/start", json!({"Detach": true})),
        send("exec_start_missing", "/exec/nosuch/start", json!({"Detach": true})),
    ]
}

fn networks() -> Vec<Step> {
    let labels = json!({"naru-golden": "yes"});
    let create =
        json!({"Name": "golden-net", "Labels": labels, "IPAM": {"Config": [{"Subnet": "10.213.0.0/24"}]}});
    let with = |member: &str, value: Value| {
        let mut body = json!({"Name": "golden-other", "Labels": labels});
        body[member] = value;
        body
    };
    vec![
        get("network_bridge", "/networks/bridge"),
        get("network_none", "/networks/none"),
        get("network_host", "/networks/host"),
        get("network_missing", "/networks/nosuch-golden"),
        get("network_list", "/networks?filters={\"name\":[\"none\"]}"),
        get("network_list_filter_unknown", "/networks?filters={\"nosuch\":[\"x\"]}"),
        send("network_create", "/networks/create", create.clone()),
        send("network_create_taken", "/networks/create", create),
        send(
            "network_create_overlap",
            "/networks/create",
            with("IPAM", json!({"Config": [{"Subnet": "10.213.0.0/25"}]})),
        ),
        send("network_create_no_name", "/networks/create", json!({})),
        send("network_create_reserved", "/networks/create", json!({"Name": "host"})),
        send("network_create_driver_unknown", "/networks/create", with("Driver", json!("nosuch"))),
        send(
            "network_create_subnet_malformed",
            "/networks/create",
            with("IPAM", json!({"Config": [{"Subnet": "x"}]})),
        ),
        get("network_inspect", "/networks/golden-net"),
        send(
            "network_connect",
            "/networks/golden-net/connect",
            json!({"Container": "golden-a", "EndpointConfig": {"Aliases": ["web"]}}),
        ),
        send("network_connect_again", "/networks/golden-net/connect", json!({"Container": "golden-a"})),
        send(
            "network_connect_missing",
            "/networks/golden-net/connect",
            json!({"Container": "nosuch-golden"}),
        ),
        send("network_connect_host", "/networks/host/connect", json!({"Container": "golden-a"})),
        get("network_inspect_connected", "/networks/golden-net?verbose=1"),
        get("inspect_connected", "/containers/golden-a/json"),
        delete("network_remove_in_use", "/networks/golden-net"),
        send("network_disconnect", "/networks/golden-net/disconnect", json!({"Container": "golden-a"})),
        send("network_disconnect_again", "/networks/golden-net/disconnect", json!({"Container": "golden-a"})),
        delete("network_remove", "/networks/golden-net"),
        delete("network_remove_missing", "/networks/nosuch-golden"),
        delete("network_remove_predefined", "/networks/bridge"),
        post("network_prune_none", "/networks/prune?filters={\"label\":[\"naru-golden-nosuch\"]}"),
    ]
}

fn volumes() -> Vec<Step> {
    let create = json!({"Name": "golden-volume", "Labels": {"naru-golden": "yes"}});
    vec![
        send("volume_create", "/volumes/create", create.clone()),
        send("volume_create_again", "/volumes/create", create),
        send("volume_create_malformed", "/volumes/create", json!({"Name": "a/b"})),
        send(
            "volume_create_driver_unknown",
            "/volumes/create",
            json!({"Name": "golden-x", "Driver": "nosuch"}),
        ),
        send(
            "volume_create_option_unknown",
            "/volumes/create",
            json!({"Name": "golden-x", "DriverOpts": {"nosuch": "x"}}),
        ),
        get("volume_inspect", "/volumes/golden-volume"),
        get("volume_missing", "/volumes/nosuch-golden"),
        get("volume_list", "/volumes?filters={\"name\":[\"golden-volume\"]}"),
        get("volume_list_filter_unknown", "/volumes?filters={\"nosuch\":[\"x\"]}"),
        send(
            "create_with_volume",
            "/containers/create?name=golden-d",
            json!({"Image": IMAGE, "Labels": {"naru-golden": "yes"}, "HostConfig": {"Binds": ["golden-volume:/data:ro"]}}),
        ),
        get("inspect_with_volume", "/containers/golden-d/json"),
        delete("volume_remove_in_use", "/volumes/golden-volume"),
        delete("volume_remove_missing", "/volumes/nosuch-golden"),
        post("volume_prune_none", "/volumes/prune?filters={\"label\":[\"naru-golden-nosuch\"]}"),
    ]
}

/// The ends of the containers, and what is refused behind them.
fn ends() -> Vec<Step> {
    vec![
        post("restart", "/containers/golden-a/restart?t=0"),
        post("stop", "/containers/golden-a/stop"),
        post("stop_again", "/containers/golden-a/stop"),
        get("inspect_exited", "/containers/golden-a/json"),
        get(
            "list_exited",
            "/containers/json?all=1&filters={\"label\":[\"naru-golden\"],\"name\":[\"golden-a\"]}",
        ),
        post("wait_exited", "/containers/golden-a/wait"),
        post("kill_exited", "/containers/golden-a/kill"),
        post("prune_containers_none", "/containers/prune?filters={\"label\":[\"naru-golden-nosuch\"]}"),
        post("prune_containers_filter_unknown", "/containers/prune?filters={\"nosuch\":[\"x\"]}"),
        delete("remove_anonymous", "/containers/golden-a?v=1"),
        delete("remove_again", "/containers/golden-a"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_bodies_are_built_at_their_place() {
        let all = steps();
        let names: BTreeSet<&str> = all.iter().map(|step| step.name).collect();
        assert_eq!(names.len(), all.len());
        let step = all.iter().find(|step| step.name == "create_memory_too_small").expect("the step");
        let body: Value = serde_json::from_str(step.body.as_deref().expect("a body")).expect("JSON");
        assert_eq!(body["HostConfig"], json!({"NetworkMode": "bridge", "Memory": 1024}));
    }
}
