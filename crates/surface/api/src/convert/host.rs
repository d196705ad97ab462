//! `HostConfig` of a create request → the container service's [`HostConfig`]. Pure.
//!
//! What is read here is syntax: words, addresses, modes. Whether values make sense together, and on this host, is the service's
//! to check.

use super::mounts;
use crate::error::{Error, invalid, unsupported};
use container::spec::{
    CgroupNamespace, Device, HostConfig, IpcMode, LogConfig, NamespaceMode, NetworkMode, PortBinding,
    Resources, RestartPolicy, Seccomp, Ulimit,
};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use wire::host_config as wired;

/// The name of the one OCI runtime that there is.
pub(crate) const RUNTIME: &str = "naru-run";

pub(crate) fn host_config(wire: wired::HostConfig) -> Result<HostConfig, Error> {
    refuse_unsupported(&wire)?;
    let security_opt = wire.security_opt.clone().unwrap_or_default();
    let security = security(&security_opt)?;
    let mounts = mounts::mounts(
        wire.binds.as_deref().unwrap_or_default(),
        wire.mounts.as_deref().unwrap_or_default(),
        wire.tmpfs.as_ref(),
    )?;
    Ok(HostConfig {
        auto_remove: wire.auto_remove,
        restart: restart_policy(&wire.restart_policy)?,
        mounts,
        read_only: wire.readonly_rootfs,
        init: wire.init.unwrap_or_default(),
        privileged: wire.privileged,
        cap_add: wire.cap_add.clone().unwrap_or_default(),
        cap_drop: wire.cap_drop.clone().unwrap_or_default(),
        security_opt,
        no_new_privileges: security.no_new_privileges,
        seccomp: security.seccomp,
        devices: devices(wire.devices.as_deref().unwrap_or_default())?,
        group_add: wire.group_add.clone().unwrap_or_default(),
        ulimits: wire
            .ulimits
            .iter()
            .flatten()
            .map(|limit| Ulimit { name: limit.name.clone(), soft: limit.soft, hard: limit.hard })
            .collect(),
        sysctls: wire.sysctls.clone().unwrap_or_default(),
        shm_size_bytes: wire.shm_size,
        oom_score_adj: wire.oom_score_adj,
        pid: pid_mode(&wire.pid_mode)?,
        ipc: ipc_mode(&wire.ipc_mode)?,
        uts_host: uts_host(&wire.uts_mode)?,
        cgroupns: cgroupns(&wire.cgroupns_mode)?,
        cgroup_parent: wire.cgroup_parent.clone(),
        network: network_mode(&wire.network_mode)?,
        port_bindings: port_bindings(wire.port_bindings.as_ref()),
        publish_all_ports: wire.publish_all_ports,
        extra_hosts: wire.extra_hosts.clone().unwrap_or_default(),
        dns: addresses(wire.dns.as_deref().unwrap_or_default())?,
        dns_search: wire.dns_search.clone().unwrap_or_default(),
        dns_options: wire.dns_options.clone().unwrap_or_default(),
        log: LogConfig {
            driver: wire.log_config.driver.clone(),
            options: wire.log_config.config.clone().unwrap_or_default(),
        },
        masked_paths: wire.masked_paths.clone(),
        readonly_paths: wire.readonly_paths.clone(),
        console_size: console_size(wire.console_size)?,
        container_id_file: wire.container_id_file.clone(),
        annotations: wire.annotations.clone().unwrap_or_default(),
        resources: resources(wire),
    })
}

fn refuse_unsupported(wire: &wired::HostConfig) -> Result<(), Error> {
    fn any<T>(list: &Option<Vec<T>>) -> bool {
        list.as_ref().is_some_and(|list| !list.is_empty())
    }
    let given = [
        (!wire.volume_driver.is_empty(), "VolumeDriver"),
        (any(&wire.volumes_from), "VolumesFrom"),
        (!wire.cgroup.is_empty(), "Cgroup"),
        // Links of the default bridge are lines in /etc/hosts; those of other networks are names that are resolved.
        (any(&wire.links) && matches!(wire.network_mode.as_str(), "" | "default" | "bridge"), "Links"),
        (wire.storage_opt.as_ref().is_some_and(|options| !options.is_empty()), "StorageOpt"),
        (!matches!(wire.userns_mode.as_str(), "" | "host"), "UsernsMode"),
        (!matches!(wire.isolation.as_str(), "" | "default"), "Isolation"),
        (any(&wire.blkio_weight_device), "BlkioWeightDevice"),
        (any(&wire.blkio_device_read_bps), "BlkioDeviceReadBps"),
        (any(&wire.blkio_device_write_bps), "BlkioDeviceWriteBps"),
        (any(&wire.blkio_device_read_iops), "BlkioDeviceReadIOps"),
        (any(&wire.blkio_device_write_iops), "BlkioDeviceWriteIOps"),
        (wire.cpu_realtime_period != 0, "CpuRealtimePeriod"),
        (wire.cpu_realtime_runtime != 0, "CpuRealtimeRuntime"),
        (any(&wire.device_requests), "DeviceRequests"),
        (wire.kernel_memory != 0, "KernelMemory"),
        (wire.kernel_memory_tcp != 0, "KernelMemoryTCP"),
        (wire.cpu_count != 0, "CpuCount"),
        (wire.cpu_percent != 0, "CpuPercent"),
        (wire.io_maximum_iops != 0, "IOMaximumIOps"),
        (wire.io_maximum_bandwidth != 0, "IOMaximumBandwidth"),
    ];
    if let Some((_, name)) = given.iter().find(|(given, _)| *given) {
        return Err(unsupported(format!("HostConfig.{name}")));
    }
    if !matches!(wire.runtime.as_str(), "" | RUNTIME) {
        return Err(invalid(format!("unknown or invalid runtime name: {}", wire.runtime)));
    }
    Ok(())
}

pub(super) fn restart_policy(wire: &wired::RestartPolicy) -> Result<RestartPolicy, Error> {
    if wire.maximum_retry_count != 0 {
        let known = matches!(wire.name.as_str(), "" | "no" | "always" | "unless-stopped");
        if known {
            return Err(invalid(
                "invalid restart policy: maximum retry count can only be used with 'on-failure'",
            ));
        }
    }
    match wire.name.as_str() {
        "" | "no" => Ok(RestartPolicy::No),
        "always" => Ok(RestartPolicy::Always),
        "unless-stopped" => Ok(RestartPolicy::UnlessStopped),
        "on-failure" | "on-unhealthy" => match u32::try_from(wire.maximum_retry_count) {
            Ok(retries) if wire.name == "on-failure" => Ok(RestartPolicy::OnFailure { retries }),
            // COMPAT: Docker leaves unhealthy containers alone.
            Ok(retries) => Ok(RestartPolicy::OnUnhealthy { retries }),
            Err(_) => Err(invalid("invalid restart policy: maximum retry count cannot be negative")),
        },
        other => Err(invalid(format!(
            "invalid restart policy: unknown policy '{other}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
        ))),
    }
}

struct Security {
    no_new_privileges: bool,
    seccomp: Seccomp,
}

/// Reads `--security-opt` values: `key`, `key=value`, or the old `key:value`.
///
/// # Source
/// moby `daemon/daemon_unix.go`, `parseSecurityOpt`.
fn security(options: &[String]) -> Result<Security, Error> {
    let mut security = Security { no_new_privileges: false, seccomp: Seccomp::Default };
    for option in options {
        if option == "no-new-privileges" {
            security.no_new_privileges = true;
            continue;
        }
        let Some((key, value)) = option.split_once('=').or_else(|| option.split_once(':')) else {
            return Err(invalid(format!("invalid --security-opt 1: {option:?}")));
        };
        match (key, value) {
            ("no-new-privileges", "true" | "1") => security.no_new_privileges = true,
            ("no-new-privileges", "false" | "0") => security.no_new_privileges = false,
            ("no-new-privileges", _) => {
                return Err(invalid(format!("invalid --security-opt 2: {option:?}")));
            }
            ("seccomp", "unconfined") => security.seccomp = Seccomp::Unconfined,
            ("seccomp", "builtin") => security.seccomp = Seccomp::Default,
            ("seccomp", json) => security.seccomp = Seccomp::Profile { json: json.to_owned() },
            // No profile and no label is what every container has here.
            ("apparmor", "unconfined") | ("label", "disable") => {}
            ("apparmor" | "label" | "writable-cgroups", _) => {
                return Err(unsupported(format!("HostConfig.SecurityOpt ({option})")));
            }
            _ => return Err(invalid(format!("invalid --security-opt 2: {option:?}"))),
        }
    }
    Ok(security)
}

pub(super) fn port_bindings(
    wire: Option<&BTreeMap<String, Option<Vec<wired::PortBinding>>>>,
) -> BTreeMap<String, Vec<PortBinding>> {
    let binding = |binding: &wired::PortBinding| PortBinding {
        host_ip: binding.host_ip.clone(),
        host_port: binding.host_port.clone(),
    };
    wire.into_iter()
        .flatten()
        .map(|(port, bindings)| (port.clone(), bindings.iter().flatten().map(binding).collect()))
        .collect()
}

fn devices(wire: &[wired::DeviceMapping]) -> Result<Vec<Device>, Error> {
    wire.iter()
        .map(|device| {
            let permissions = match device.cgroup_permissions.as_str() {
                "" => "rwm",
                given if given.chars().all(|c| "rwm".contains(c)) => given,
                given => return Err(invalid(format!("invalid device mode: {given}"))),
            };
            if !device.path_on_host.starts_with('/') {
                return Err(invalid(format!(
                    "invalid device specification: {:?} is not an absolute path",
                    device.path_on_host
                )));
            }
            let inside = match device.path_in_container.as_str() {
                "" => &device.path_on_host,
                _ => &device.path_in_container,
            };
            Ok(Device {
                host_path: PathBuf::from(&device.path_on_host),
                container_path: PathBuf::from(inside),
                permissions: permissions.to_owned(),
            })
        })
        .collect()
}

fn pid_mode(mode: &str) -> Result<NamespaceMode, Error> {
    match mode.split_once(':') {
        None if mode.is_empty() || mode == "private" => Ok(NamespaceMode::Private),
        None if mode == "host" => Ok(NamespaceMode::Host),
        Some(("container", name)) if !name.is_empty() => Ok(NamespaceMode::Container(name.to_owned())),
        _ => Err(invalid(format!("invalid PID mode: {mode}"))),
    }
}

fn ipc_mode(mode: &str) -> Result<IpcMode, Error> {
    match mode.split_once(':') {
        None => match mode {
            "" | "private" => Ok(IpcMode::Private),
            "none" => Ok(IpcMode::None),
            "shareable" => Ok(IpcMode::Shareable),
            "host" => Ok(IpcMode::Host),
            _ => Err(invalid(format!("invalid IPC mode: {mode}"))),
        },
        Some(("container", name)) if !name.is_empty() => Ok(IpcMode::Container(name.to_owned())),
        _ => Err(invalid(format!("invalid IPC mode: {mode}"))),
    }
}

fn uts_host(mode: &str) -> Result<bool, Error> {
    match mode {
        "" => Ok(false),
        "host" => Ok(true),
        _ => Err(invalid(format!("invalid UTS mode: {mode}"))),
    }
}

fn cgroupns(mode: &str) -> Result<Option<CgroupNamespace>, Error> {
    match mode {
        "" => Ok(None),
        "private" => Ok(Some(CgroupNamespace::Private)),
        "host" => Ok(Some(CgroupNamespace::Host)),
        _ => Err(invalid(format!("invalid cgroup namespace mode: {mode}"))),
    }
}

/// Reads the network mode. Whether a network exists is known when the container is started.
fn network_mode(mode: &str) -> Result<NetworkMode, Error> {
    match mode {
        "" | "default" | "bridge" => Ok(NetworkMode::Bridge),
        "host" => Ok(NetworkMode::Host),
        "none" => Ok(NetworkMode::None),
        _ => match mode.split_once(':') {
            Some(("container", "")) => {
                Err(invalid("Invalid network mode: invalid container format container:<name|id>"))
            }
            Some(("container", name)) => Ok(NetworkMode::Container(name.to_owned())),
            _ => Ok(NetworkMode::Network(mode.to_owned())),
        },
    }
}

fn addresses(list: &[String]) -> Result<Vec<IpAddr>, Error> {
    list.iter()
        .map(|text| {
            text.parse().map_err(|_| invalid(format!("IP address is not correctly formatted: {text}")))
        })
        .collect()
}

fn console_size([rows, columns]: [u32; 2]) -> Result<(u16, u16), Error> {
    match (u16::try_from(rows), u16::try_from(columns)) {
        (Ok(rows), Ok(columns)) => Ok((rows, columns)),
        _ => Err(invalid(format!("invalid ConsoleSize: {rows} rows, {columns} columns"))),
    }
}

fn resources(wire: wired::HostConfig) -> Resources {
    Resources {
        memory_bytes: wire.memory,
        memory_swap_bytes: wire.memory_swap,
        memory_reservation_bytes: wire.memory_reservation,
        memory_swappiness: wire.memory_swappiness.filter(|value| *value != -1),
        oom_kill_disable: wire.oom_kill_disable.filter(|off| *off),
        nano_cpus: wire.nano_cpus,
        cpu_shares: wire.cpu_shares,
        cpu_period_us: wire.cpu_period,
        cpu_quota_us: wire.cpu_quota,
        cpuset_cpus: wire.cpuset_cpus,
        cpuset_mems: wire.cpuset_mems,
        pids_limit: wire.pids_limit.filter(|limit| *limit > 0),
        blkio_weight: wire.blkio_weight,
        device_cgroup_rules: wire.device_cgroup_rules.unwrap_or_default(),
    }
}
