//! What Docker sends survives our types byte for byte: names, order, null against absent against empty.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs;
use std::path::Path;

fn golden(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn round_trip<T: DeserializeOwned + Serialize>(name: &str) {
    let text = golden(name);
    let value: T = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(serde_json::to_string(&value).unwrap(), text.trim_end(), "{name}");
}

#[test]
fn container_answers_survive() {
    round_trip::<wire::container::Created>("container-created.json");
    round_trip::<wire::container::Created>("container-created-warning.json");
    round_trip::<wire::inspect::ContainerInspect>("container-inspect-created.json");
    round_trip::<wire::inspect::ContainerInspect>("container-inspect-running.json");
    round_trip::<Vec<wire::list::ContainerSummary>>("container-list.json");
    round_trip::<wire::container::ContainersPruned>("container-prune.json");
    round_trip::<wire::stats::Stats>("stats-running.json");
    round_trip::<wire::stats::Stats>("stats-created.json");
}

#[test]
fn exec_answers_survive() {
    round_trip::<wire::exec::ExecCreate>("exec-create.request.json");
    round_trip::<wire::exec::ExecInspect>("exec-inspect-created.json");
    round_trip::<wire::exec::ExecInspect>("exec-inspect-exited.json");
}

#[test]
fn image_answers_survive() {
    round_trip::<Vec<wire::image::ImageSummary>>("image-list.json");
    round_trip::<wire::image::ImageInspect>("image-inspect.json");
    round_trip::<Vec<wire::image::ImageHistory>>("image-history.json");
    round_trip::<Vec<wire::image::ImageRemoved>>("image-remove.json");
    round_trip::<wire::image::ImagesPruned>("image-prune.json");
}

#[test]
fn network_and_volume_answers_survive() {
    round_trip::<Vec<wire::network::Network>>("network-list.json");
    round_trip::<wire::network::Network>("network-inspect.json");
    round_trip::<wire::volume::VolumeList>("volume-list.json");
}

#[test]
fn system_answers_survive() {
    round_trip::<wire::system::Version>("version.json");
    round_trip::<wire::system::Info>("info.json");
    round_trip::<wire::system::DiskUsage>("system-df.json");
}

#[test]
fn create_requests_survive() {
    for name in ["container-create-minimal.request.json", "container-create-full.request.json"] {
        let text = golden(name);
        let value = wire::container::ContainerCreate::parse(text.as_bytes()).unwrap();
        assert_eq!(serde_json::to_string(&value).unwrap(), text.trim_end(), "{name}");
    }
}

#[test]
fn create_request_of_docker_py_with_nulls_is_read() {
    let body = br#"{"Hostname":null,"Domainname":null,"ExposedPorts":null,"User":null,"Tty":false,"OpenStdin":false,
        "StdinOnce":false,"AttachStdin":false,"AttachStdout":false,"AttachStderr":false,"Env":null,"Cmd":["true"],
        "Image":"busybox","Volumes":null,"NetworkDisabled":false,"Entrypoint":null,"WorkingDir":null,
        "HostConfig":{"NetworkMode":"default"},"NetworkingConfig":null,"MacAddress":null,"Labels":null,
        "StopSignal":null,"Healthcheck":null,"StopTimeout":null,"Runtime":null}"#;
    let value = wire::container::ContainerCreate::parse(body).unwrap();
    assert_eq!(value.config.image, "busybox");
    assert_eq!(value.config.cmd, Some(vec!["true".to_owned()]));
    assert_eq!(value.config.hostname, "");
    assert_eq!(value.host_config.unwrap().network_mode, "default");
}

#[test]
fn event_lines_survive() {
    for line in golden("events.jsonl").lines() {
        let event: wire::event::EventMessage = serde_json::from_str(line).unwrap();
        assert_eq!(serde_json::to_string(&event).unwrap(), line);
    }
}

#[test]
fn progress_lines_survive_with_html_escapes() {
    let text = golden("pull.jsonl");
    let mut written = Vec::new();
    for line in text.lines() {
        let line: wire::progress::Line = serde_json::from_str(line).unwrap();
        written.extend(line.encode());
    }
    assert_eq!(String::from_utf8(written).unwrap(), text);
}
