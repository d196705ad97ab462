//! `/_ping`, `/version`, `/info`.

use crate::host::{Facts, System, go_arch, kernel_version, read_facts};
use crate::respond::{self, Body, Reply};
use crate::{Server, State};
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, HeaderValue, PRAGMA};
use http::{Method, Response};
use refs::Timestamp;
use std::collections::BTreeMap;
use std::time::SystemTime;
use wire::system::{Commit, Component, FirewallBackend, Info, Platform, Plugins, Swarm, Version};
use wire::version::{CURRENT, MINIMUM};

/// The version of the engine.
const ENGINE_VERSION: &str = env!("CARGO_PKG_VERSION");

/// The source commit, if the build was told.
const GIT_COMMIT: Option<&str> = option_env!("NARU_GIT_COMMIT");

/// The time of the build in RFC 3339, if the build was told.
const BUILD_TIME: Option<&str> = option_env!("NARU_BUILD_TIME");

/// The name of the one OCI runtime.
const RUNTIME: &str = crate::convert::host::RUNTIME;

/// Answers that the engine is alive.
pub(crate) fn ping(method: &Method) -> Response<Body> {
    let mut response = crate::dispatch::plain(if method == Method::HEAD { "" } else { "OK" });
    let headers = response.headers_mut();
    if method == Method::HEAD {
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store, must-revalidate"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert("Swarm", HeaderValue::from_static("inactive"));
    // COMPAT: no `Builder-Version` until there is a builder; clients then use the classic build endpoint, which says so.
    response
}

/// `GET /version`.
pub(crate) async fn version(state: &State) -> Reply {
    let kernel = state.disk.run(kernel_version).await;
    respond::ok(&version_of(&kernel))
}

fn version_of(kernel: &str) -> Version {
    let mut details = BTreeMap::from([
        ("ApiVersion", CURRENT.to_string()),
        ("Arch", go_arch().to_owned()),
        ("Experimental", "false".to_owned()),
        ("KernelVersion", kernel.to_owned()),
        ("MinAPIVersion", MINIMUM.to_string()),
        ("Os", "linux".to_owned()),
    ]);
    details.extend(GIT_COMMIT.map(|commit| ("GitCommit", commit.to_owned())));
    details.extend(BUILD_TIME.map(|time| ("BuildTime", time.to_owned())));
    let details = details.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    Version {
        platform: Platform { name: "Naru".to_owned() },
        components: vec![Component {
            name: "Engine".to_owned(),
            version: ENGINE_VERSION.to_owned(),
            details: Some(details),
        }],
        version: ENGINE_VERSION.to_owned(),
        api_version: CURRENT.to_string(),
        min_api_version: MINIMUM.to_string(),
        git_commit: GIT_COMMIT.unwrap_or_default().to_owned(),
        go_version: String::new(),
        os: "linux".to_owned(),
        arch: go_arch().to_owned(),
        kernel_version: kernel.to_owned(),
        experimental: false,
        build_time: BUILD_TIME.unwrap_or_default().to_owned(),
    }
}

/// `GET /info`.
pub(crate) async fn info(server: &Server) -> Reply {
    let state = &server.state;
    let images = state.images.clone();
    let (facts, image_count) =
        state.disk.run(move || (read_facts(), images.list().map(|images| images.len()))).await;
    let counts = state.containers.counts();
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let mut info = info_of(&state.system, &facts, Timestamp::from(SystemTime::now()));
    info.containers_running = number(counts.running);
    info.containers_paused = number(counts.paused);
    info.containers_stopped = number(counts.stopped);
    info.containers = info.containers_running + info.containers_paused + info.containers_stopped;
    info.images = number(image_count?);
    info.n_goroutines = number(tasks);
    info.n_events_listener = number(server.listeners.count());
    respond::ok(&info)
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn info_of(system: &System, facts: &Facts, now: Timestamp) -> Info {
    let limits = &system.limits;
    let words = |list: &[&str]| Some(list.iter().map(|word| (*word).to_owned()).collect());
    let [http_proxy, https_proxy, no_proxy] =
        system.proxies.each_ref().map(|proxy| without_credentials(proxy));
    Info {
        id: system.id.clone(),
        driver: system.driver.clone(),
        driver_status: Some(system.driver_status.clone()),
        plugins: Plugins {
            volume: words(&[]),
            network: words(&["bridge", "host", "null"]),
            authorization: None,
            log: words(&["fluentd", "gelf", "journald", "json-file", "local", "syslog"]),
        },
        memory_limit: limits.memory,
        swap_limit: limits.swap,
        kernel_memory_tcp: limits.kernel_memory_tcp,
        cpu_cfs_period: limits.cpu_cfs,
        cpu_cfs_quota: limits.cpu_cfs,
        cpu_shares: limits.cpu_shares,
        cpu_set: limits.cpuset,
        pids_limit: limits.pids,
        ipv4_forwarding: facts.ipv4_forwarding,
        debug: system.debug,
        n_fd: facts.open_files,
        oom_kill_disable: limits.oom_kill_disable,
        system_time: now.rfc3339(),
        logging_driver: system.log_driver.clone(),
        logging_options: system.log_options.clone(),
        cgroup_driver: "cgroupfs".to_owned(),
        cgroup_version: if limits.v2 { "2" } else { "1" }.to_owned(),
        kernel_version: facts.kernel.clone(),
        operating_system: facts.operating_system.clone(),
        os_version: facts.os_version.clone(),
        os_type: "linux".to_owned(),
        architecture: std::env::consts::ARCH.to_owned(),
        index_server_address: "https://index.docker.io/v1/".to_owned(),
        registry_config: Some(registry_config(system)),
        ncpu: facts.cpus,
        mem_total: facts.memory_bytes,
        docker_root_dir: system.data_root.to_string_lossy().into_owned(),
        http_proxy,
        https_proxy,
        no_proxy,
        name: facts.hostname.clone(),
        labels: Some(system.labels.clone()),
        server_version: ENGINE_VERSION.to_owned(),
        runtimes: Some(BTreeMap::from([(
            RUNTIME.to_owned(),
            wire::system::Runtime { path: RUNTIME.to_owned(), runtime_args: None, status: None },
        )])),
        default_runtime: RUNTIME.to_owned(),
        swarm: Swarm { local_node_state: "inactive".to_owned(), ..Default::default() },
        live_restore_enabled: true,
        init_binary: "naru-init".to_owned(),
        containerd_commit: Commit::default(),
        security_options: Some(security_options(limits.v2, facts.seccomp)),
        firewall_backend: Some(FirewallBackend { driver: "nftables".to_owned(), info: None }),
        cdi_spec_dirs: words(&[]),
        warnings: warnings(limits, facts),
        ..Default::default()
    }
}

/// Returns an address with its user and password made unreadable, as Docker does.
fn without_credentials(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    let end = rest.find('/').unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://xxxxx:xxxxx{}", &rest[at..]),
        None => address.to_owned(),
    }
}

fn security_options(v2: bool, seccomp: bool) -> Vec<String> {
    let mut options = Vec::new();
    if seccomp {
        options.push("name=seccomp,profile=builtin".to_owned());
    }
    if v2 {
        options.push("name=cgroupns".to_owned());
    }
    options
}

/// Returns how registries are reached, in the form of Docker's own configuration.
fn registry_config(system: &System) -> wire::system::RegistryConfig {
    use wire::system::IndexConfig;
    let is_network = |name: &str| name.contains('/');
    let hub = IndexConfig {
        mirrors: system.registry_mirrors.clone(),
        name: "docker.io".to_owned(),
        official: true,
        secure: true,
    };
    let mut index_configs = BTreeMap::from([("docker.io".to_owned(), hub)]);
    for host in system.insecure_registries.iter().filter(|name| !is_network(name)) {
        let index = IndexConfig { mirrors: Vec::new(), name: host.clone(), official: false, secure: false };
        index_configs.insert(host.clone(), index);
    }
    let mut networks: Vec<String> =
        system.insecure_registries.iter().filter(|name| is_network(name)).cloned().collect();
    for loopback in ["::1/128", "127.0.0.0/8"] {
        if !networks.iter().any(|network| network == loopback) {
            networks.push(loopback.to_owned());
        }
    }
    wire::system::RegistryConfig {
        index_configs,
        insecure_registry_cidrs: networks,
        mirrors: Some(system.registry_mirrors.clone()),
    }
}

/// Returns Docker's warnings about what this machine cannot do; none if it can do all.
///
/// # Source
/// moby `daemon/info_unix.go`, `fillPlatformInfo`.
fn warnings(limits: &cgroup::Limits, facts: &Facts) -> Option<Vec<String>> {
    let missing = [
        (limits.memory, "No memory limit support"),
        (limits.swap, "No swap limit support"),
        (limits.v2 || limits.kernel_memory_tcp, "No kernel memory TCP limit support"),
        (limits.v2 || limits.oom_kill_disable, "No oom kill disable support"),
        (limits.cpu_cfs, "No cpu cfs quota support"),
        (limits.cpu_cfs, "No cpu cfs period support"),
        (limits.cpu_shares, "No cpu shares support"),
        (limits.cpuset, "No cpuset support"),
        (limits.pids, "No pids limit support"),
        (facts.ipv4_forwarding, "IPv4 forwarding is disabled"),
    ];
    let warnings: Vec<String> =
        missing.iter().filter(|(there, _)| !there).map(|(_, text)| format!("WARNING: {text}")).collect();
    (!warnings.is_empty()).then_some(warnings)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: cgroup::Limits = cgroup::Limits {
        v2: false,
        memory: true,
        swap: false,
        memory_reservation: true,
        oom_kill_disable: true,
        swappiness: true,
        kernel_memory_tcp: true,
        cpu_shares: true,
        cpu_cfs: true,
        cpu_realtime: true,
        cpuset: true,
        pids: true,
        block_weight: true,
        block_throttle: true,
        huge_pages: true,
        devices: true,
        freezer: true,
    };

    fn system() -> System {
        System {
            id: "id".into(),
            data_root: "/var/lib/naru".into(),
            driver: "overlay".into(),
            driver_status: Vec::new(),
            limits: LIMITS,
            registry_mirrors: vec!["http://127.0.0.1:5000/".into()],
            insecure_registries: vec!["registry:5000".into(), "10.0.0.0/8".into()],
            log_driver: "json-file".into(),
            log_options: BTreeMap::new(),
            labels: Vec::new(),
            debug: false,
            proxies: ["http://user:secret@proxy:3128/".into(), String::new(), "a,b@c".into()],
        }
    }

    /// The names of an object's members, in order.
    fn members(json: &str) -> Vec<String> {
        let map: serde_json::Map<String, serde_json::Value> = serde_json::from_str(json).unwrap();
        map.keys().cloned().collect()
    }

    #[test]
    fn info_has_the_members_of_dockers() {
        let facts = Facts { ipv4_forwarding: true, seccomp: true, ..Default::default() };
        let ours = info_of(&system(), &facts, Timestamp(0));
        let ours_json = serde_json::to_string(&ours).unwrap();
        let mut docker = members(include_str!("../../../words/wire/tests/golden/info.json"));
        docker.retain(|name| name != "Containerd");
        assert_eq!(members(&ours_json), docker);
        assert_eq!(ours.warnings, Some(vec!["WARNING: No swap limit support".to_owned()]));
        assert_eq!(ours.http_proxy, "http://xxxxx:xxxxx@proxy:3128/");
        assert_eq!(ours.no_proxy, "a,b@c");
        let registries = ours.registry_config.unwrap();
        assert!(!registries.index_configs["registry:5000"].secure);
        assert_eq!(registries.insecure_registry_cidrs, ["10.0.0.0/8", "::1/128", "127.0.0.0/8"]);
        assert_eq!(ours.security_options, Some(vec!["name=seccomp,profile=builtin".to_owned()]));
    }

    #[test]
    fn version_has_the_members_of_dockers() {
        let ours = serde_json::to_string(&version_of("6.18.44")).unwrap();
        let mut docker = members(include_str!("../../../words/wire/tests/golden/version.json"));
        // Known only to builds that were told.
        docker.retain(|name| name != "BuildTime" || BUILD_TIME.is_some());
        assert_eq!(members(&ours), docker);
    }
}
