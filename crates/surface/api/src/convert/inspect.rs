//! Containers and execs in full → wire.

use super::network;
use super::ports;
use super::view::{self, Defaults};
use ::network::EndpointSpec;
use container::view::{ContainerView, ExecView, Health, MountView, ProbeResult, Sizes, StateView, Status};
use refs::Timestamp;
use std::collections::BTreeMap;
use std::path::Path;
use wire::exec::{ExecInspect, ExecProcess};
use wire::inspect::{ContainerInspect, ContainerState, GraphDriver, MountPoint, NetworkSettings};
use wire::network::EndpointSettings;

/// Returns a container in full; `sizes` if they were asked for.
pub(crate) fn inspect(view: &ContainerView, sizes: Option<Sizes>, defaults: &Defaults) -> ContainerInspect {
    let path = |path: &Path| path.to_string_lossy().into_owned();
    // Docker shows no paths until the files exist: that is, before the first start.
    let file = |file: &Path| if view.state.started_at.is_some() { path(file) } else { String::new() };
    ContainerInspect {
        id: view.id.as_str().to_owned(),
        created: view.created_at.rfc3339(),
        path: view.path.clone(),
        args: view.args.clone(),
        state: state(&view.state),
        image: view.image.id.as_str().to_owned(),
        resolv_conf_path: file(&view.paths.resolv_conf),
        hostname_path: file(&view.paths.hostname),
        hosts_path: file(&view.paths.hosts),
        log_path: view.paths.log.as_deref().map(file).unwrap_or_default(),
        name: format!("/{}", view.name),
        restart_count: view.restart_count.into(),
        driver: view.driver.clone(),
        platform: "linux".to_owned(),
        mount_label: String::new(),
        process_label: String::new(),
        app_armor_profile: String::new(),
        exec_ids: (!view.exec_ids.is_empty())
            .then(|| view.exec_ids.iter().map(|id| id.as_str().to_owned()).collect()),
        host_config: view::host_config(&view.host, defaults),
        graph_driver: graph_driver(view),
        size_rw: sizes.map(|sizes| bytes(sizes.writable_bytes)),
        size_root_fs: sizes.map(|sizes| bytes(sizes.total_bytes)),
        mounts: view.mounts.iter().map(mount).collect(),
        config: view::config(&view.config),
        network_settings: network_settings(view),
    }
}

/// Returns a size as Docker's signed number.
pub(crate) fn bytes(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

fn state(state: &StateView) -> ContainerState {
    ContainerState {
        status: state.status.as_str().to_owned(),
        running: state.status.is_running(),
        paused: state.status == Status::Paused,
        restarting: state.status == Status::Restarting,
        oom_killed: state.oom_killed,
        dead: false,
        pid: state.pid.into(),
        exit_code: state.exit_code.into(),
        error: state.error.clone(),
        started_at: Timestamp::go_or_zero(state.started_at),
        finished_at: Timestamp::go_or_zero(state.finished_at),
        health: state.health.as_ref().map(health),
    }
}

fn health(health: &Health) -> wire::inspect::Health {
    let result = |result: &ProbeResult| wire::inspect::HealthResult {
        start: Timestamp(result.started_at).rfc3339(),
        end: Timestamp(result.ended_at).rfc3339(),
        exit_code: result.exit_code.into(),
        output: result.output.clone(),
    };
    wire::inspect::Health {
        status: health.status.as_str().to_owned(),
        failing_streak: health.failing_streak.into(),
        log: health.log.iter().map(result).collect(),
    }
}

fn graph_driver(view: &ContainerView) -> GraphDriver {
    let path = |path: &Path| path.to_string_lossy().into_owned();
    let lower: Vec<String> = view.rootfs.lower.iter().map(|lower| path(lower)).collect();
    let data = [
        ("ID", view.id.as_str().to_owned()),
        ("LowerDir", lower.join(":")),
        ("UpperDir", path(&view.rootfs.upper)),
        ("WorkDir", path(&view.rootfs.work)),
    ];
    GraphDriver {
        data: Some(data.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
        name: view.driver.clone(),
    }
}

/// Returns a mount as inspect and list show it.
pub(crate) fn mount(mount: &MountView) -> MountPoint {
    MountPoint {
        kind: mount.kind.to_owned(),
        name: String::new(),
        source: mount.source.clone(),
        destination: mount.destination.clone(),
        driver: String::new(),
        mode: mount.mode.clone(),
        rw: mount.writable,
        propagation: mount.propagation.clone(),
    }
}

fn network_settings(view: &ContainerView) -> NetworkSettings {
    // The members beside `Networks` are those of the default bridge.
    let bridge = networks(view).remove("bridge").unwrap_or_default();
    let ports = if view.endpoints.is_empty() { BTreeMap::new() } else { ports::map(view) };
    NetworkSettings {
        ports: Some(ports),
        endpoint_id: bridge.endpoint_id.clone(),
        gateway: bridge.gateway.clone(),
        ip_address: bridge.ip_address.clone(),
        ip_prefix_len: bridge.ip_prefix_len,
        ipv6_gateway: bridge.ipv6_gateway.clone(),
        global_ipv6_address: bridge.global_ipv6_address.clone(),
        global_ipv6_prefix_len: bridge.global_ipv6_prefix_len,
        mac_address: if bridge.endpoint_id.is_empty() { String::new() } else { bridge.mac_address.clone() },
        networks: networks(view),
        ..Default::default()
    }
}

/// Returns a container's networks by name.
pub(crate) fn networks(view: &ContainerView) -> BTreeMap<String, EndpointSettings> {
    use container::spec::NetworkMode;
    match &view.host.network {
        NetworkMode::Container(_) => BTreeMap::new(),
        mode @ (NetworkMode::Host | NetworkMode::None) => {
            BTreeMap::from([(view::network_mode(mode), EndpointSettings::default())])
        }
        NetworkMode::Bridge | NetworkMode::Network(_) => {
            let live = |name: &str| view.endpoints.iter().find(|endpoint| endpoint.network_name == name);
            let settings = |(name, spec): (&String, &EndpointSpec)| {
                (name.clone(), network::endpoint_settings(spec, live(name)))
            };
            view.networks.iter().map(settings).collect()
        }
    }
}

/// Returns an exec in full.
pub(crate) fn exec(view: &ExecView) -> ExecInspect {
    let (entrypoint, arguments) = view
        .spec
        .cmd
        .split_first()
        .map_or_else(Default::default, |(first, rest)| (first.clone(), rest.to_vec()));
    ExecInspect {
        id: view.id.as_str().to_owned(),
        running: view.running,
        exit_code: view.exit_code.map(i64::from),
        process_config: ExecProcess {
            tty: view.spec.tty,
            entrypoint,
            arguments,
            privileged: Some(view.spec.privileged),
            user: view.spec.user.clone(),
        },
        open_stdin: view.spec.attach_stdin,
        open_stderr: view.spec.attach_stderr,
        open_stdout: view.spec.attach_stdout,
        can_remove: false,
        container_id: view.container_id.as_str().to_owned(),
        detach_keys: if view.spec.detach_keys == container::detach_keys::DEFAULT.as_slice() {
            String::new()
        } else {
            String::from_utf8_lossy(&view.spec.detach_keys).into_owned()
        },
        pid: view.pid.into(),
    }
}
