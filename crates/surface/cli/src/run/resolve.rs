//! The create request that a command line stands for.

use std::collections::BTreeMap;

use wire::container::{Config, ContainerCreate, HealthConfig, NetworkingConfig};
use wire::go::{Empty, Set};
use wire::host_config::{HostConfig, LogConfig, Ulimit};
use wire::network::{EndpointIpamConfig, EndpointSettings};

use super::{Surroundings, check, mounts, options, ports};
use crate::flags::{Matches, parse_int};

/// Returns the create request that the flags of `run` or `create` stand for; the arguments are image and command.
///
/// # Source
/// docker/cli `cli/command/container/opts.go`; compared with requests of the real command line in `tests/golden/create.json`.
pub(crate) fn resolve(flags: &Matches, around: &Surroundings<'_>) -> Result<ContainerCreate, String> {
    let restart = options::restart(flags.last("restart").unwrap_or("no"))?;
    if flags.on("rm") && !matches!(restart.name.as_str(), "no" | "") {
        return Err("conflicting options: cannot specify both --restart and --rm".to_owned());
    }
    let config = config(flags, around)?;
    let (network_mode, networking_config) = network(flags)?;
    let security = options::security(&flags.all("security-opt"), around)?;
    let (cap_add, cap_drop) = options::capabilities(&flags.all("cap-add"), &flags.all("cap-drop"));
    let paths = security.unconfined_paths.then(Vec::new);
    let volumes = each(flags, "volume", |text| mounts::parse_volume(text, &around.directory))?;
    // A path alone is an anonymous volume, which belongs to the configuration.
    let binds = volumes.into_iter().filter(|text| text.contains(':')).collect();
    let long_mounts = each(flags, "mount", |text| mounts::parse_mount(text, &around.directory))?;
    let host = HostConfig {
        binds: some(binds),
        container_id_file: flags.text("cidfile").to_owned(),
        log_config: log(flags)?,
        network_mode,
        port_bindings: Some(ports::published(&flags.all("publish"))?),
        publish_all_ports: flags.on("publish-all"),
        restart_policy: restart,
        auto_remove: flags.on("rm"),
        console_size: around.terminal.map_or([0, 0], |size| [size.rows.into(), size.columns.into()]),
        annotations: Some(options::map(&flags.all("annotation"))),
        cap_add: some(cap_add),
        cap_drop: some(cap_drop),
        cgroupns_mode: one_of(flags, "cgroupns", &["", "host", "private"], "CGROUP")?,
        dns: Some(each(flags, "dns", check::parse_dns)?),
        dns_options: Some(owned(&flags.all("dns-option"))),
        dns_search: Some(owned(&flags.all("dns-search"))),
        links: some(owned(&flags.all("link"))),
        extra_hosts: some(each(flags, "add-host", check::parse_extra_host)?),
        group_add: some(owned(&flags.all("group-add"))),
        ipc_mode: flags.text("ipc").to_owned(),
        oom_score_adj: flags.int("oom-score-adj").unwrap_or(0),
        pid_mode: pid(flags)?,
        privileged: flags.on("privileged"),
        readonly_rootfs: flags.on("read-only"),
        security_opt: some(security.options),
        tmpfs: Some(tmpfs(flags)),
        volume_driver: flags.text("volume-driver").to_owned(),
        volumes_from: some(owned(&flags.all("volumes-from"))),
        uts_mode: one_of(flags, "uts", &["", "host"], "UTS")?,
        shm_size: bytes(flags, "shm-size")?,
        sysctls: Some(options::map(&flags.all("sysctl"))),
        mounts: some(long_mounts),
        masked_paths: paths.clone(),
        readonly_paths: paths,
        init: flags.given("init").then(|| flags.on("init")),
        ..resources(flags)?
    };
    Ok(ContainerCreate { config, host_config: Some(host), networking_config: Some(networking_config) })
}

fn config(flags: &Matches, around: &Surroundings<'_>) -> Result<Config, String> {
    let attached = flags.all("attach");
    let attach = |name: &str| attached.iter().any(|stream| stream.eq_ignore_ascii_case(name));
    let detached = flags.on("detach");
    let open_stdin = flags.on("interactive");
    let attach_stdin = !detached && (attach("stdin") || open_stdin);
    let env = options::with_proxies(options::environment(flags, around)?, around);
    let mut exposed = Set::new();
    let published = ports::published(&flags.all("publish"))?;
    exposed.extend(published.into_keys().map(|port| (port, Empty {})));
    for text in flags.all("expose") {
        exposed.extend(options::exposed(text)?.into_iter().map(|port| (port, Empty {})));
    }
    Ok(Config {
        hostname: flags.text("hostname").to_owned(),
        domainname: flags.text("domainname").to_owned(),
        user: flags.text("user").to_owned(),
        attach_stdin,
        attach_stdout: !detached && (attached.is_empty() || attach("stdout")),
        attach_stderr: !detached && (attached.is_empty() || attach("stderr")),
        exposed_ports: Some(exposed),
        tty: flags.on("tty"),
        open_stdin,
        stdin_once: open_stdin && attach_stdin,
        env: some(env),
        cmd: some(flags.args[1..].to_vec()),
        healthcheck: health(flags)?,
        image: flags.first().to_owned(),
        volumes: Some(
            flags
                .all("volume")
                .iter()
                .filter(|text| !text.contains(':'))
                .map(|text| ((*text).to_owned(), Empty {}))
                .collect(),
        ),
        working_dir: flags.text("workdir").to_owned(),
        // `--entrypoint ""` takes the image's entrypoint away.
        entrypoint: flags.last("entrypoint").map(|word| vec![word.to_owned()]),
        labels: Some(options::labels(flags, around)?),
        stop_signal: flags.text("stop-signal").to_owned(),
        stop_timeout: flags.int("stop-timeout"),
        ..Config::default()
    })
}

/// Returns the health check that the flags stand for.
fn health(flags: &Matches) -> Result<Option<HealthConfig>, String> {
    const TIMES: [&str; 4] =
        ["health-interval", "health-timeout", "health-start-period", "health-start-interval"];
    let (command, http) = (flags.text("health-cmd"), flags.text("health-http"));
    let given = !(command.is_empty() && http.is_empty())
        || TIMES.iter().chain(&["health-retries"]).any(|name| flags.given(name));
    if flags.on("no-healthcheck") {
        let test = Some(vec!["NONE".to_owned()]);
        let conflict = "--no-healthcheck conflicts with --health-* options".to_owned();
        return if given {
            Err(conflict)
        } else {
            Ok(Some(HealthConfig { test, ..HealthConfig::default() }))
        };
    }
    if !given {
        return Ok(None);
    }
    let time = |name: &str| match flags.last(name).map_or(Ok(0), refs::parse_duration) {
        Ok(nanos) if nanos < 0 => Err(format!("--{name} cannot be negative")),
        Ok(nanos) => Ok(nanos),
        Err(why) => Err(why.to_string()),
    };
    let retries = flags.int("health-retries").unwrap_or(0);
    if retries < 0 {
        return Err("--health-retries cannot be negative".to_owned());
    }
    let test = match (command, http) {
        ("", "") => None,
        (line, "") => Some(vec!["CMD-SHELL".to_owned(), line.to_owned()]),
        ("", url) => Some(vec!["HTTP".to_owned(), url.to_owned()]),
        _ => return Err("--health-cmd and --health-http are two checks; give one".to_owned()),
    };
    Ok(Some(HealthConfig {
        test,
        interval: time("health-interval")?,
        timeout: time("health-timeout")?,
        start_period: time("health-start-period")?,
        start_interval: time("health-start-interval")?,
        retries,
    }))
}

/// Returns a configuration that has nothing but limits.
fn resources(flags: &Matches) -> Result<HostConfig, String> {
    let int = |name: &str| flags.int(name).unwrap_or(0);
    let swappiness = flags.int("memory-swappiness").unwrap_or(-1);
    if !(-1..=100).contains(&swappiness) {
        return Err(format!("invalid value: {swappiness}. Valid memory swappiness range is 0-100"));
    }
    Ok(HostConfig {
        cpu_shares: int("cpu-shares"),
        memory: bytes(flags, "memory")?,
        nano_cpus: flags.last("cpus").map_or(Ok(0), check::parse_cpus)?,
        cgroup_parent: flags.text("cgroup-parent").to_owned(),
        blkio_weight: weight(flags),
        blkio_weight_device: Some(Vec::new()),
        blkio_device_read_bps: Some(Vec::new()),
        blkio_device_write_bps: Some(Vec::new()),
        blkio_device_read_iops: Some(Vec::new()),
        blkio_device_write_iops: Some(Vec::new()),
        cpu_period: int("cpu-period"),
        cpu_quota: int("cpu-quota"),
        cpuset_cpus: flags.text("cpuset-cpus").to_owned(),
        cpuset_mems: flags.text("cpuset-mems").to_owned(),
        devices: Some(each(flags, "device", mounts::parse_device)?),
        device_cgroup_rules: some(owned(&flags.all("device-cgroup-rule"))),
        memory_reservation: bytes(flags, "memory-reservation")?,
        memory_swap: flags.last("memory-swap").map_or(Ok(0), check::parse_swap)?,
        memory_swappiness: Some(swappiness),
        oom_kill_disable: Some(flags.on("oom-kill-disable")),
        pids_limit: Some(int("pids-limit")),
        ulimits: Some(ulimits(flags)?),
        ..HostConfig::default()
    })
}

/// The last limit of a name counts.
fn ulimits(flags: &Matches) -> Result<Vec<Ulimit>, String> {
    let mut by_name = BTreeMap::new();
    for text in flags.all("ulimit") {
        let ulimit = check::parse_ulimit(text)?;
        by_name.insert(ulimit.name.clone(), ulimit);
    }
    Ok(by_name.into_values().collect())
}

fn weight(flags: &Matches) -> u16 {
    flags
        .last("blkio-weight")
        .and_then(|text| parse_int(text).ok())
        .and_then(|n| u16::try_from(n).ok())
        .unwrap_or(0)
}

fn bytes(flags: &Matches, name: &str) -> Result<i64, String> {
    flags.last(name).map_or(Ok(0), check::parse_bytes)
}

fn tmpfs(flags: &Matches) -> BTreeMap<String, String> {
    let split = |text: &str| {
        let (path, options) = text.split_once(':').unwrap_or((text, ""));
        (path.to_owned(), options.to_owned())
    };
    flags.all("tmpfs").into_iter().map(split).collect()
}

fn log(flags: &Matches) -> Result<LogConfig, String> {
    let (driver, given) = (flags.text("log-driver"), flags.all("log-opt"));
    if driver == "none" && !given.is_empty() {
        return Err(format!("invalid logging opts for driver {driver}"));
    }
    Ok(LogConfig { driver: driver.to_owned(), config: Some(options::map(&given)) })
}

fn pid(flags: &Matches) -> Result<String, String> {
    let mode = flags.text("pid");
    match mode.strip_prefix("container:") {
        Some("") => {}
        Some(_) => return Ok(mode.to_owned()),
        None if matches!(mode, "" | "host") => return Ok(mode.to_owned()),
        None => {}
    }
    Err("--pid: invalid PID mode".to_owned())
}

fn one_of(flags: &Matches, name: &str, valid: &[&str], what: &str) -> Result<String, String> {
    let value = flags.text(name);
    match valid.contains(&value) {
        true => Ok(value.to_owned()),
        false => Err(format!("--{name}: invalid {what} mode")),
    }
}

/// Returns the network mode, and the places in networks.
///
/// # Source
/// docker/cli `cli/command/container/opts.go`, `parseNetworkOpts`.
fn network(flags: &Matches) -> Result<(String, NetworkingConfig), String> {
    let own = own_endpoint(flags);
    let given = flags.all("network");
    let mut endpoints = BTreeMap::new();
    let Some((first, others)) = given.split_first() else {
        endpoints.insert("default".to_owned(), Some(own));
        return Ok(("default".to_owned(), NetworkingConfig { endpoints_config: Some(endpoints) }));
    };
    let (mode, settings) = endpoint(first)?;
    let settings = merged(settings, own)?;
    if settings != EndpointSettings::default() || !others.is_empty() {
        endpoints.insert(mode.clone(), Some(settings));
    }
    for other in others {
        let (name, settings) = endpoint(other)?;
        if endpoints.insert(name.clone(), Some(settings)).is_some() {
            return Err(format!("network {name:?} is specified multiple times"));
        }
    }
    Ok((mode, NetworkingConfig { endpoints_config: Some(endpoints) }))
}

/// Returns what the flags beside `--network` say of the first network.
fn own_endpoint(flags: &Matches) -> EndpointSettings {
    let list = |name: &str| some(owned(&flags.all(name)));
    let addresses = EndpointIpamConfig {
        ipv4_address: flags.text("ip").to_owned(),
        ipv6_address: flags.text("ip6").to_owned(),
        link_local_ips: list("link-local-ip"),
    };
    EndpointSettings {
        ipam_config: (addresses != EndpointIpamConfig::default()).then_some(addresses),
        links: list("link"),
        aliases: list("network-alias"),
        mac_address: flags.text("mac-address").to_owned(),
        ..EndpointSettings::default()
    }
}

/// Puts both together; a value must not be given twice.
fn merged(mut settings: EndpointSettings, own: EndpointSettings) -> Result<EndpointSettings, String> {
    let conflict = |flag: &str, what: &str| {
        Err(format!("conflicting options: cannot specify both --{flag} and per-network {what}"))
    };
    if own.aliases.is_some() && settings.aliases.is_some() {
        return conflict("network-alias", "alias");
    }
    if own.ipam_config.is_some() && settings.ipam_config.is_some() {
        return conflict("ip", "IPv4 address");
    }
    if !own.mac_address.is_empty() && !settings.mac_address.is_empty() {
        return conflict("mac-address", "MAC address");
    }
    settings.aliases = settings.aliases.or(own.aliases);
    settings.ipam_config = settings.ipam_config.or(own.ipam_config);
    settings.links = settings.links.or(own.links);
    if settings.mac_address.is_empty() {
        settings.mac_address = own.mac_address;
    }
    Ok(settings)
}

/// Takes the short form, and `name=x,alias=y,…`.
///
/// # Source
/// docker/cli `opts/network.go`.
fn endpoint(text: &str) -> Result<(String, EndpointSettings), String> {
    let mut settings = EndpointSettings::default();
    if !text.contains('=') {
        return Ok((text.to_owned(), settings));
    }
    let mut name = String::new();
    let mut addresses = EndpointIpamConfig::default();
    for field in text.split(',') {
        let (key, value) = field.split_once('=').ok_or_else(|| format!("invalid field {field}"))?;
        let value = value.trim();
        match key.trim().to_ascii_lowercase().as_str() {
            "name" => value.clone_into(&mut name),
            "alias" => settings.aliases.get_or_insert_default().push(value.to_owned()),
            "ip" => value.clone_into(&mut addresses.ipv4_address),
            "ip6" => value.clone_into(&mut addresses.ipv6_address),
            "link-local-ip" => addresses.link_local_ips.get_or_insert_default().push(value.to_owned()),
            "mac-address" => value.clone_into(&mut settings.mac_address),
            "driver-opt" => {
                let (key, value) =
                    value.split_once('=').ok_or("invalid key value pair format in driver options")?;
                settings.driver_opts.get_or_insert_default().insert(key.to_owned(), value.to_owned());
            }
            "gw-priority" => {
                settings.gw_priority = value.parse().map_err(|_| format!("invalid gw-priority ({value})"))?;
            }
            other => return Err(format!("invalid field key {other}")),
        }
    }
    if name.is_empty() {
        return Err("network name/id is not specified".to_owned());
    }
    settings.ipam_config = (addresses != EndpointIpamConfig::default()).then_some(addresses);
    Ok((name, settings))
}

fn each<T>(flags: &Matches, name: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    flags.all(name).into_iter().map(parse).collect()
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::parse;
    use serde_json::{Map, Value};
    use std::path::{Path, PathBuf};

    const GOLDEN: &str = include_str!("../../tests/golden/create.json");

    fn resolved(words: &[String]) -> Result<Value, String> {
        let matches = parse(super::super::flags::CREATE, &[], crate::flags::Order::FlagsFirst, words)
            .map_err(|mistake| format!("{mistake:?}"))?;
        let around = Surroundings {
            variable: &|name| (name == "GOLDEN").then(|| "from outside".to_owned()),
            read: &|path| match path.to_str() {
                Some("env.list") => Ok("# comment\nFROM_FILE=a b\nGOLDEN\nABSENT\n".to_owned()),
                Some("labels.list") => Ok("x=1\ny\n".to_owned()),
                Some("profile.json") => {
                    Ok("{\"defaultAction\": \"SCMP_ACT_ALLOW\",\n \"syscalls\": []}".to_owned())
                }
                _ => Err(std::io::Error::from(std::io::ErrorKind::NotFound)),
            },
            directory: PathBuf::from("/golden/dir"),
            terminal: None,
            proxies: Vec::new(),
        };
        let body = resolve(&matches, &around)?;
        serde_json::to_value(body).map_err(|why| why.to_string())
    }

    /// Collects the values by dotted path, so that a difference is readable.
    fn flatten(value: &Value, path: &str, out: &mut Map<String, Value>) {
        match value {
            Value::Object(members) if !members.is_empty() => {
                for (name, value) in members {
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    flatten(value, &path, out);
                }
            }
            other => {
                out.insert(path.to_owned(), other.clone());
            }
        }
    }

    #[test]
    fn requests_are_those_of_dockers_command_line() {
        let golden: Value = serde_json::from_str(GOLDEN).expect("golden");
        let base = golden["base"].as_object().expect("base").clone();
        let cases = golden["cases"].as_array().expect("cases");
        assert!(cases.len() > 40, "the golden file has shrunk to {} cases", cases.len());
        for case in cases {
            let words: Vec<String> = serde_json::from_value(case["args"].clone()).expect("args");
            let mut expected = base.clone();
            for (path, value) in case["changes"].as_object().expect("changes") {
                match value {
                    Value::String(word) if word == "<absent>" => drop(expected.remove(path)),
                    _ => drop(expected.insert(path.clone(), value.clone())),
                }
            }
            let mut found = Map::new();
            flatten(&resolved(&words).unwrap_or_else(|why| panic!("{words:?}: {why}")), "", &mut found);
            assert_eq!(Value::Object(found), Value::Object(expected), "{words:?}");
        }
    }

    #[test]
    fn mistakes_have_dockers_texts() {
        let cases: &[(&[&str], &str)] = &[
            (&["--rm", "--restart", "always"], "conflicting options: cannot specify both --restart and --rm"),
            (
                &["--no-healthcheck", "--health-cmd", "x"],
                "--no-healthcheck conflicts with --health-* options",
            ),
            (&["--health-retries", "-1"], "--health-retries cannot be negative"),
            (&["--health-interval", "-1s"], "--health-interval cannot be negative"),
            (
                &["--health-cmd", "x", "--health-http", ":80"],
                "--health-cmd and --health-http are two checks; give one",
            ),
            (&["--pid", "foo"], "--pid: invalid PID mode"),
            (&["--pid", "container:"], "--pid: invalid PID mode"),
            (&["--uts", "x"], "--uts: invalid UTS mode"),
            (&["--cgroupns", "x"], "--cgroupns: invalid CGROUP mode"),
            (&["--memory-swappiness", "200"], "invalid value: 200. Valid memory swappiness range is 0-100"),
            (&["--log-driver", "none", "--log-opt", "a=b"], "invalid logging opts for driver none"),
            (&["--security-opt", "foo"], "Invalid --security-opt: \"foo\""),
            (
                &["--security-opt", "seccomp=/nope"],
                "opening seccomp profile (/nope) failed: open /nope: no such file or directory",
            ),
            (&["--env-file", "/nope"], "open /nope: no such file or directory"),
            (&["--label-file", "/nope"], "open /nope: no such file or directory"),
            (&["--device", "x"], "x is not an absolute path"),
            (&["--network", "a", "--network", "name=b,x=y"], "invalid field key x"),
        ];
        for (words, why) in cases {
            let words: Vec<String> =
                words.iter().chain(&["busybox"]).map(|word| (*word).to_owned()).collect();
            assert_eq!(resolved(&words), Err((*why).to_owned()), "{words:?}");
        }
    }

    #[test]
    fn proxies_are_added_where_the_user_was_silent() {
        let around = Surroundings {
            variable: &|_| None,
            read: &|_: &Path| Ok(String::new()),
            directory: PathBuf::from("/"),
            terminal: None,
            proxies: vec![("HTTP_PROXY", "http://p:1".to_owned())],
        };
        let env = options::with_proxies(vec!["http_proxy=".to_owned()], &around);
        assert_eq!(env, ["http_proxy=", "HTTP_PROXY=http://p:1"]);
    }
}
