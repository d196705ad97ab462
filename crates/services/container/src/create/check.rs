//! Checks of a create request that need no more than the host's facts.

use super::limits;
use crate::Error;
use crate::etc_files::split_extra_host;
use crate::facts::HostFacts;
use crate::oci_spec;
use crate::ports;
use crate::spec::{Config, HostConfig, Mount, NamespaceMode, NetworkMode, RestartPolicy};
use refs::Signal;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;

/// Checks a request, completes its defaults, and returns warnings.
///
/// # Errors
/// InvalidArgument with Docker's texts; Unimplemented for what is not there yet.
pub(crate) fn check(config: &Config, host: &mut HostConfig, facts: &HostFacts) -> Result<Vec<String>, Error> {
    check_config(config)?;
    check_host(config, host)?;
    oci_spec::check_capabilities(host)?;
    check_mounts(host)?;
    check_ports(config, host)?;
    let mut warnings = limits::check(&mut host.resources, facts, limits::Purpose::Create)?;
    warnings.extend(oci_spec::warnings(host, facts));
    if host.network == NetworkMode::Host && publishes(host) {
        warnings.push("Published ports are discarded when using host network mode".to_owned());
    }
    Ok(warnings)
}

fn check_config(config: &Config) -> Result<(), Error> {
    if !config.working_dir.is_empty() && !config.working_dir.starts_with('/') {
        return Err(Error::invalid(format!(
            "the working directory '{}' is invalid, it needs to be an absolute path",
            config.working_dir
        )));
    }
    if let Some(entry) = config.env.iter().find(|entry| entry.is_empty() || entry.starts_with('=')) {
        return Err(Error::invalid(format!("invalid environment variable: {entry}")));
    }
    crate::health::check(config.health.as_ref())?;
    stop_signal(config)?;
    if config.stop_timeout.is_some_and(|seconds| seconds < -1) {
        return Err(Error::invalid("stop timeout must be -1 or more seconds"));
    }
    Ok(())
}

/// Returns the signal of `stop`.
///
/// # Errors
/// InvalidArgument with Docker's text.
pub(crate) fn stop_signal(config: &Config) -> Result<Signal, Error> {
    match config.stop_signal.as_str() {
        "" => Ok(Signal::TERM),
        text => Signal::parse(text).map_err(|_| Error::invalid(format!("invalid signal: {text}"))),
    }
}

fn check_host(config: &Config, host: &HostConfig) -> Result<(), Error> {
    if host.auto_remove && host.restart != RestartPolicy::No {
        return Err(Error::invalid("can't create 'AutoRemove' container with restart policy"));
    }
    if host.uts_host && !config.hostname.is_empty() {
        return Err(Error::invalid("conflicting options: hostname and the UTS mode"));
    }
    if matches!(host.network, NetworkMode::Container(_)) && !config.hostname.is_empty() {
        return Err(Error::invalid("conflicting options: hostname and the network mode"));
    }
    if matches!(host.network, NetworkMode::Container(_))
        && !(host.dns.is_empty() && host.extra_hosts.is_empty())
    {
        let what = if host.dns.is_empty() { "custom host-to-IP mapping" } else { "dns" };
        return Err(Error::invalid(format!("conflicting options: {what} and the network mode")));
    }
    if !(-1000..=1000).contains(&host.oom_score_adj) {
        return Err(Error::invalid(format!(
            "Invalid value {}, range for oom score adj is [-1000, 1000]",
            host.oom_score_adj
        )));
    }
    if host.shm_size_bytes < 0 {
        return Err(Error::invalid("SHM size can not be less than 0"));
    }
    for entry in &host.extra_hosts {
        let Some((_, address)) = split_extra_host(entry) else {
            return Err(Error::invalid(format!("bad format for add-host: \"{entry}\"")));
        };
        if address != "host-gateway" && address.parse::<IpAddr>().is_err() {
            return Err(Error::invalid(format!("invalid IP address in add-host: \"{address}\"")));
        }
    }
    for ulimit in &host.ulimits {
        if !refs::ULIMITS.contains(&ulimit.name.as_str()) {
            return Err(Error::invalid(format!("invalid ulimit type: {}", ulimit.name)));
        }
        if ulimit.hard != -1 && (ulimit.soft == -1 || ulimit.soft > ulimit.hard) {
            return Err(Error::invalid(format!(
                "ulimit soft limit must be less than or equal to hard limit: {} > {}",
                ulimit.soft, ulimit.hard
            )));
        }
    }
    check_sysctls(host)
}

fn publishes(host: &HostConfig) -> bool {
    host.port_bindings.values().any(|bindings| !bindings.is_empty())
}

fn check_ports(config: &Config, host: &HostConfig) -> Result<(), Error> {
    if matches!(host.network, NetworkMode::Container(_)) {
        let what = if publishes(host) || host.publish_all_ports {
            "port publishing"
        } else if !config.exposed_ports.is_empty() {
            "port exposing"
        } else {
            return Ok(());
        };
        return Err(Error::invalid(format!(
            "conflicting options: {what} and the container type network mode"
        )));
    }
    ports::requests(config, host).map(drop)
}

fn check_sysctls(host: &HostConfig) -> Result<(), Error> {
    const IPC: [&str; 8] = [
        "kernel.msgmax",
        "kernel.msgmnb",
        "kernel.msgmni",
        "kernel.sem",
        "kernel.shmall",
        "kernel.shmmax",
        "kernel.shmmni",
        "kernel.shm_rmid_forced",
    ];
    for name in host.sysctls.keys() {
        let allowed = if name.starts_with("net.") {
            if host.network == NetworkMode::Host {
                return Err(Error::invalid(format!(
                    "sysctl \"{name}\" not allowed in host network namespace"
                )));
            }
            true
        } else if IPC.contains(&name.as_str()) || name.starts_with("fs.mqueue.") {
            if matches!(host.ipc, crate::spec::IpcMode::Host) {
                return Err(Error::invalid(format!(
                    "sysctl \"{name}\" is not allowed in the hosts ipc namespace"
                )));
            }
            true
        } else {
            name == "kernel.domainname"
        };
        if !allowed || name.contains("..") {
            return Err(Error::invalid(format!("sysctl \"{name}\" is not in a separate kernel namespace")));
        }
    }
    Ok(())
}

fn check_mounts(host: &HostConfig) -> Result<(), Error> {
    let mut targets: BTreeSet<&Path> = BTreeSet::new();
    for mount in &host.mounts {
        let target = mount.target();
        if !target.is_absolute() {
            return Err(Error::invalid(format!(
                "invalid mount path: '{}' mount path must be absolute",
                target.display()
            )));
        }
        if target.parent().is_none() {
            return Err(Error::invalid("invalid specification: destination can't be '/'"));
        }
        if target.components().any(|part| part == std::path::Component::ParentDir) {
            return Err(Error::invalid(format!("invalid mount path: '{}' has '..'", target.display())));
        }
        // A mount over /proc would make writes to it miss (CVE-2019-16884).
        if target.starts_with("/proc") {
            return Err(Error::invalid(format!(
                "\"{}\" cannot be mounted because it is inside /proc",
                target.display()
            )));
        }
        if !targets.insert(target) {
            return Err(Error::invalid(format!("Duplicate mount point: {}", target.display())));
        }
        if let Mount::Bind { source, propagation, .. } = mount {
            check_bind(source, propagation)?;
        }
    }
    Ok(())
}

fn check_bind(source: &Path, propagation: &str) -> Result<(), Error> {
    if !source.is_absolute() {
        return Err(Error::invalid(format!(
            "invalid mount path: '{}' mount path must be absolute",
            source.display()
        )));
    }
    match propagation {
        "" | "private" | "rprivate" | "shared" | "rshared" | "slave" | "rslave" => Ok(()),
        other => Err(Error::invalid(format!("invalid propagation mode: {other}"))),
    }
}

/// Returns the containers whose namespaces this one joins, as the user named them.
pub(crate) fn joined_names(host: &HostConfig) -> Vec<&str> {
    let mut names = Vec::new();
    if let NamespaceMode::Container(name) = &host.pid {
        names.push(name.as_str());
    }
    if let crate::spec::IpcMode::Container(name) = &host.ipc {
        names.push(name.as_str());
    }
    if let NetworkMode::Container(name) = &host.network {
        names.push(name.as_str());
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts;
    use crate::spec::Ulimit;
    use crate::spec::testing::host_config;

    type Change = fn(&mut Config, &mut HostConfig);

    fn checked(change: Change) -> Result<(HostConfig, Vec<String>), Error> {
        let (mut config, mut host) = (Config::default(), host_config());
        change(&mut config, &mut host);
        let warnings = check(&config, &mut host, &facts::example())?;
        Ok((host, warnings))
    }

    fn tmpfs(target: &str) -> Mount {
        Mount::Tmpfs { target: target.into(), options: String::new(), from_tmpfs_flag: true }
    }

    #[test]
    fn wrong_values_are_refused_with_dockers_texts() {
        let cases: [(Change, &str); 31] = [
            (|_, h| h.resources.memory_bytes = 1000, "Minimum memory limit allowed is 6MB"),
            (
                |_, h| (h.resources.memory_bytes, h.resources.memory_swap_bytes) = (10_000_000, 100),
                "Minimum memoryswap limit should be larger than memory limit, see usage",
            ),
            (
                |_, h| h.resources.memory_swap_bytes = 100,
                "You should always set the Memory limit when using Memoryswap limit, see usage",
            ),
            (
                |_, h| (h.auto_remove, h.restart) = (true, RestartPolicy::Always),
                "can't create 'AutoRemove' container with restart policy",
            ),
            (
                |_, h| h.resources.nano_cpus = 100_000_000_000,
                "range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available",
            ),
            (
                |_, h| (h.resources.nano_cpus, h.resources.cpu_quota_us) = (100_000_000, 1000),
                "Conflicting options: Nano CPUs and CPU Quota cannot both be set",
            ),
            (|_, h| h.resources.cpu_shares = -1, "invalid CPU shares (-1): value must be a positive integer"),
            (
                |_, h| h.resources.cpuset_cpus = "9".into(),
                "Requested CPUs are not available - requested 9, available: 0-1",
            ),
            (
                |_, h| h.resources.cpuset_cpus = "x".into(),
                "Invalid value x for cpuset cpus: invalid format: x",
            ),
            (
                |_, h| h.resources.cpuset_mems = "9".into(),
                "Requested memory nodes are not available - requested 9, available: 0",
            ),
            (|_, h| h.oom_score_adj = 2000, "Invalid value 2000, range for oom score adj is [-1000, 1000]"),
            (|_, h| h.cap_add = vec!["FOO".into()], "invalid CapAdd: unknown capability: \"CAP_FOO\""),
            (|_, h| h.shm_size_bytes = -1, "SHM size can not be less than 0"),
            (|c, _| c.stop_signal = "FOO".into(), "invalid signal: FOO"),
            (
                |c, _| c.working_dir = "x".into(),
                "the working directory 'x' is invalid, it needs to be an absolute path",
            ),
            (|c, _| c.env = vec!["=x".into()], "invalid environment variable: =x"),
            (
                |c, h| (c.hostname, h.uts_host) = ("x".into(), true),
                "conflicting options: hostname and the UTS mode",
            ),
            (
                |c, h| (c.hostname, h.network) = ("x".into(), NetworkMode::Container("y".into())),
                "conflicting options: hostname and the network mode",
            ),
            (
                |_, h| h.resources.cpu_period_us = 10,
                "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
            ),
            (|_, h| h.resources.cpu_quota_us = 10, "CPU cfs quota can not be less than 1ms (i.e. 1000)"),
            (|_, h| h.resources.memory_reservation_bytes = 1000, "Minimum memory reservation allowed is 6MB"),
            (
                |_, h| {
                    (h.resources.memory_reservation_bytes, h.resources.memory_bytes) =
                        (10_000_000, 8_000_000);
                },
                "Minimum memory limit can not be less than memory reservation limit, see usage",
            ),
            (
                |_, h| h.resources.memory_swappiness = Some(200),
                "Invalid value: 200, valid memory swappiness range is 0-100",
            ),
            (|_, h| h.extra_hosts = vec!["x".into()], "bad format for add-host: \"x\""),
            (|_, h| h.extra_hosts = vec!["x:y".into()], "invalid IP address in add-host: \"y\""),
            (|_, h| h.mounts = vec![tmpfs("/x"), tmpfs("/x")], "Duplicate mount point: /x"),
            (|_, h| h.mounts = vec![tmpfs("/")], "invalid specification: destination can't be '/'"),
            (
                |_, h| h.mounts = vec![tmpfs("/proc/x")],
                "\"/proc/x\" cannot be mounted because it is inside /proc",
            ),
            (
                |_, h| h.sysctls = [("kernel.panic".to_owned(), "1".to_owned())].into(),
                "sysctl \"kernel.panic\" is not in a separate kernel namespace",
            ),
            (
                |_, h| {
                    h.network = NetworkMode::Host;
                    h.sysctls = [("net.ipv4.ip_forward".to_owned(), "1".to_owned())].into();
                },
                "sysctl \"net.ipv4.ip_forward\" not allowed in host network namespace",
            ),
            (
                |_, h| h.ulimits = vec![Ulimit { name: "foo".into(), soft: 1, hard: 2 }],
                "invalid ulimit type: foo",
            ),
        ];
        for (change, expected) in cases {
            assert_eq!(checked(change).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn swap_defaults_to_twice_the_memory() {
        let (host, warnings) = checked(|_, h| h.resources.memory_bytes = 10_000_000).unwrap();
        assert_eq!(host.resources.memory_swap_bytes, 20_000_000);
        assert_eq!(warnings, [""; 0]);
    }

    #[test]
    fn limits_that_the_host_lacks_are_discarded_with_a_warning() {
        let (host, warnings) = checked(|_, h| h.resources.blkio_weight = 5).unwrap();
        assert_eq!(host.resources.blkio_weight, 0);
        assert_eq!(
            warnings,
            ["Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded."]
        );
        let mut facts = facts::example();
        facts.limits.swap = false;
        let mut host = host_config();
        host.resources.memory_bytes = 10_000_000;
        let warnings = check(&Config::default(), &mut host, &facts).unwrap();
        assert!(warnings[0].contains("Memory limited without swap"), "{warnings:?}");
        assert_eq!(host.resources.memory_swap_bytes, -1);
    }

    #[test]
    fn what_cap_sys_resource_would_be_needed_for_is_said() {
        let (_, warnings) = checked(|_, h| {
            h.ulimits = vec![Ulimit { name: "nofile".into(), soft: 1024, hard: 50_000 }];
            h.oom_score_adj = -500;
        })
        .unwrap();
        assert_eq!(
            warnings,
            [
                "The engine lacks CAP_SYS_RESOURCE: ulimit nofile is lowered to 20000.",
                "The engine lacks CAP_SYS_RESOURCE: oom-score-adj -500 is raised to 0.",
            ]
        );
    }

    #[test]
    fn sysctls_of_own_namespaces_are_permitted() {
        checked(|_, h| {
            h.sysctls = ["net.core.somaxconn", "kernel.shmmax", "fs.mqueue.msg_max"]
                .map(|name| (name.to_owned(), "1".to_owned()))
                .into();
        })
        .unwrap();
    }
}
