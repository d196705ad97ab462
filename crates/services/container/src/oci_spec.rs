//! From a container's record to its OCI runtime specification. Pure.
//!
//! The values are Docker's (see the golden files in `testdata/`, compared with what Docker 28.5 writes).

mod capabilities;
mod exec;
mod mounts;
mod resources;
#[cfg(test)]
mod tests;

use crate::facts::{HostDevice, HostFacts};
use crate::spec::{CgroupNamespace, Config, HostConfig, IpcMode, NamespaceMode, NetworkMode, Ulimit};
use crate::user::Identity;
use oci::runtime::{
    Capabilities, ConsoleSize, Linux, Namespace, NamespaceType, Process, Rlimit, Root, Spec, User,
};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub(crate) use capabilities::{bounding, check as check_capabilities};
pub use mounts::{MASKED_PATHS, READONLY_PATHS};

pub(crate) use exec::{ExecInput, build as build_exec};
pub(crate) use resources::{changed as changed_limits, parse_rule};

/// Where the container sees our init.
const INIT_TARGET: &str = "/sbin/docker-init";

/// Tells the runtime that the program, our init, waits for signals: none that comes before it is ready must be lost.
const AWAITS_SIGNALS: &str = "naru.awaits-signals";

/// Where the built-in image's program finds its birth record.
const BIRTH_TARGET: &str = "/naru/birth.jsonl";

/// The search path of an image that names none.
const DEFAULT_PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// All that a specification is made of.
#[derive(Debug)]
pub(crate) struct Input<'a> {
    /// The container's full id.
    pub(crate) id: &'a str,
    /// What runs, merged with the image's configuration.
    pub(crate) config: &'a Config,
    /// How the host runs it.
    pub(crate) host: &'a HostConfig,
    /// Program and arguments.
    pub(crate) command: &'a [String],
    /// Who the program is.
    pub(crate) identity: &'a Identity,
    /// What the host can do.
    pub(crate) facts: &'a HostFacts,
    /// Host devices: those that were asked for, or all for a privileged container.
    pub(crate) devices: &'a [HostDevice],
    /// Default limits per process.
    pub(crate) ulimits: &'a [Ulimit],
    /// The cgroup above the container's own.
    pub(crate) cgroup_parent: &'a str,
    /// The program for `--init` on the host.
    pub(crate) init_program: &'a Path,
    /// The name that the container has for itself.
    pub(crate) hostname: &'a str,
    /// Files that are bound over /etc/hosts, /etc/hostname and /etc/resolv.conf.
    pub(crate) etc: EtcFiles<'a>,
    /// The birth record, for the built-in image's program to read.
    pub(crate) birth: Option<&'a Path>,
    /// What is bound at /dev/shm, if it is not an own tmpfs.
    pub(crate) shm: Option<&'a Path>,
    /// Namespaces of others.
    pub(crate) joined: Joined,
}

/// Files that are bound over those of the image.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EtcFiles<'a> {
    pub(crate) hosts: &'a Path,
    pub(crate) hostname: &'a Path,
    pub(crate) resolv_conf: &'a Path,
}

/// Namespace files of other containers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Joined {
    pub(crate) pid: Option<PathBuf>,
    pub(crate) ipc: Option<PathBuf>,
}

/// Returns the specification, without seccomp: that travels compiled.
pub(crate) fn build(input: &Input<'_>) -> Spec {
    let Input { config, host, .. } = input;
    Spec {
        oci_version: oci::runtime::VERSION.to_owned(),
        process: Some(process(input)),
        root: Some(Root { path: PathBuf::from("rootfs"), readonly: host.read_only }),
        hostname: if host.uts_host { String::new() } else { input.hostname.to_owned() },
        domainname: if host.uts_host { String::new() } else { config.domainname.clone() },
        mounts: mounts::build(input),
        hooks: None,
        annotations: annotations(host),
        linux: Some(linux(input)),
    }
}

fn annotations(host: &HostConfig) -> BTreeMap<String, String> {
    let mut annotations = host.annotations.clone();
    annotations.remove(AWAITS_SIGNALS);
    if host.init {
        annotations.insert(AWAITS_SIGNALS.to_owned(), "true".to_owned());
    }
    annotations
}

fn process(input: &Input<'_>) -> Process {
    let Input { config, host, identity, .. } = input;
    let mut args = Vec::with_capacity(input.command.len() + 2);
    if host.init {
        args.extend([INIT_TARGET.to_owned(), "--".to_owned()]);
    }
    args.extend_from_slice(input.command);
    let (rows, columns) = host.console_size;
    let has_size = config.tty && rows > 0 && columns > 0;
    Process {
        terminal: config.tty,
        console_size: has_size.then_some(ConsoleSize { height: rows, width: columns }),
        user: User {
            uid: identity.uid,
            gid: identity.gid,
            umask: None,
            additional_gids: identity.groups.clone(),
        },
        args,
        env: environment(config, input.hostname, &identity.home),
        cwd: if config.working_dir.is_empty() { "/".to_owned() } else { config.working_dir.clone() },
        capabilities: Some(capability_sets(bounding(host, input.facts.capabilities))),
        rlimits: rlimits_of(host, input.ulimits, input.facts),
        no_new_privileges: host.no_new_privileges,
        oom_score_adj: Some(oom_score_adj(host.oom_score_adj, input.facts)),
        ..Process::default()
    }
}

/// Returns Docker's three sets: inheritable and ambient stay empty (CVE-2022-24769).
pub(crate) fn capability_sets(names: Vec<String>) -> Capabilities {
    Capabilities {
        bounding: names.clone(),
        effective: names.clone(),
        permitted: names,
        inheritable: Vec::new(),
        ambient: Vec::new(),
    }
}

/// Returns the environment: ours, overridden by the image's and the user's.
pub(crate) fn environment(config: &Config, hostname: &str, home: &str) -> Vec<String> {
    let mut base = vec![DEFAULT_PATH.to_owned(), format!("HOSTNAME={hostname}")];
    if config.tty {
        base.push("TERM=xterm".to_owned());
    }
    let mut env = refs::env::merge(&base, &config.env);
    if !env.iter().any(|entry| entry.starts_with("HOME=")) {
        env.push(format!("HOME={home}"));
    }
    env
}

fn oom_score_adj(asked: i64, facts: &HostFacts) -> i32 {
    let lowest = if facts.may_raise() { -1000 } else { facts.oom_score_adj };
    i32::try_from(asked.clamp(lowest, 1000)).expect("the value is within -1000 to 1000")
}

fn rlimits_of(host: &HostConfig, defaults: &[Ulimit], facts: &HostFacts) -> Vec<Rlimit> {
    let mut chosen: BTreeMap<&str, &Ulimit> =
        defaults.iter().map(|ulimit| (ulimit.name.as_str(), ulimit)).collect();
    chosen.extend(host.ulimits.iter().map(|ulimit| (ulimit.name.as_str(), ulimit)));
    chosen.into_values().map(|ulimit| rlimit(ulimit, facts)).collect()
}

/// Returns the limit, lowered to what the host permits the engine to give.
fn rlimit(ulimit: &Ulimit, facts: &HostFacts) -> Rlimit {
    let kind = format!("RLIMIT_{}", ulimit.name.to_ascii_uppercase());
    let highest = match facts.rlimits.get(kind.as_str()) {
        Some(hard) if !facts.may_raise() => *hard,
        _ => u64::MAX,
    };
    // -1 is infinity, as for Docker.
    let value = |number: i64| u64::try_from(number).unwrap_or(u64::MAX).min(highest);
    Rlimit { kind, soft: value(ulimit.soft), hard: value(ulimit.hard) }
}

/// Returns what could not be given as it was asked for: texts for the create request's warnings.
pub(crate) fn warnings(host: &HostConfig, facts: &HostFacts) -> Vec<String> {
    let mut warnings = Vec::new();
    for ulimit in &host.ulimits {
        let given = rlimit(ulimit, facts);
        if u64::try_from(ulimit.hard).unwrap_or(u64::MAX) > given.hard {
            warnings.push(format!(
                "The engine lacks CAP_SYS_RESOURCE: ulimit {} is lowered to {}.",
                ulimit.name, given.hard
            ));
        }
    }
    if i64::from(oom_score_adj(host.oom_score_adj, facts)) != host.oom_score_adj {
        warnings.push(format!(
            "The engine lacks CAP_SYS_RESOURCE: oom-score-adj {} is raised to {}.",
            host.oom_score_adj, facts.oom_score_adj
        ));
    }
    warnings.extend(capabilities::warnings(host, facts.capabilities));
    warnings
}

fn linux(input: &Input<'_>) -> Linux {
    let Input { host, facts, .. } = input;
    let mut sysctl = BTreeMap::new();
    if matches!(host.network, NetworkMode::Bridge | NetworkMode::None | NetworkMode::Network(_)) {
        // As Docker does: ping and low ports without capabilities, within the own network namespace.
        sysctl.insert("net.ipv4.ip_unprivileged_port_start".to_owned(), "0".to_owned());
        sysctl.insert("net.ipv4.ping_group_range".to_owned(), "0 2147483647".to_owned());
    }
    sysctl.extend(host.sysctls.clone());
    let (masked_paths, readonly_paths) = if host.privileged {
        (host.masked_paths.clone().unwrap_or_default(), host.readonly_paths.clone().unwrap_or_default())
    } else {
        (
            host.masked_paths.clone().unwrap_or_else(|| mounts::masked_paths(&facts.thermal_throttle)),
            host.readonly_paths.clone().unwrap_or_else(mounts::readonly_paths),
        )
    };
    Linux {
        namespaces: namespaces(input),
        devices: input.devices.iter().map(resources::device).collect(),
        cgroups_path: cgroup_path(host, input.cgroup_parent, input.id),
        resources: Some(resources::build(host, input.devices, facts)),
        sysctl,
        masked_paths,
        readonly_paths,
        ..Linux::default()
    }
}

/// Returns the path of a container's cgroup.
pub(crate) fn cgroup_path(host: &HostConfig, default_parent: &str, id: &str) -> String {
    let parent = if host.cgroup_parent.is_empty() { default_parent } else { &host.cgroup_parent };
    default_cgroup_path(parent, id)
}

/// Returns the cgroup of a container in this parent.
pub(crate) fn default_cgroup_path(parent: &str, id: &str) -> String {
    format!("/{}/{id}", parent.trim_matches('/'))
}

fn namespaces(input: &Input<'_>) -> Vec<Namespace> {
    let Input { host, facts, joined, .. } = input;
    let new = |kind| Some(Namespace { kind, path: None });
    let join = |kind, path: &Option<PathBuf>| Some(Namespace { kind, path: path.clone() });
    let cgroup = match host.cgroupns {
        Some(CgroupNamespace::Private) => true,
        Some(CgroupNamespace::Host) => false,
        None => facts.limits.v2 && !host.privileged,
    };
    [
        new(NamespaceType::Mount),
        match host.network {
            NetworkMode::Host => None,
            // An own or joined one: its descriptor goes to the supervisor beside the specification.
            NetworkMode::Bridge | NetworkMode::None | NetworkMode::Network(_) | NetworkMode::Container(_) => {
                new(NamespaceType::Network)
            }
        },
        if host.uts_host { None } else { new(NamespaceType::Uts) },
        match host.pid {
            NamespaceMode::Private => new(NamespaceType::Pid),
            NamespaceMode::Host => None,
            NamespaceMode::Container(_) => join(NamespaceType::Pid, &joined.pid),
        },
        match host.ipc {
            IpcMode::Private | IpcMode::Shareable | IpcMode::None => new(NamespaceType::Ipc),
            IpcMode::Host => None,
            IpcMode::Container(_) => join(NamespaceType::Ipc, &joined.ipc),
        },
        if cgroup { new(NamespaceType::Cgroup) } else { None },
    ]
    .into_iter()
    .flatten()
    .collect()
}
