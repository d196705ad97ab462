//! A create request → the container service's [`CreateSpec`]. Pure.
//!
//! Every member that is set to something else than its default is either carried over or refused by name.

use super::{host, mounts, network};
use crate::error::{Error, invalid, unsupported};
use ::network::EndpointSpec;
use container::options::Update;
use container::spec::{Config, CreateSpec, Healthcheck, Mount, NetworkMode, Resources};
use refs::Platform;
use std::collections::BTreeMap;
use wire::container::{Config as WireConfig, ContainerCreate, ContainerUpdate, HealthConfig};
use wire::network::EndpointSettings;

/// Reads a create request. `name` and `platform` come from the query.
pub(crate) fn create_spec(
    name: Option<&str>,
    platform: Option<&str>,
    body: ContainerCreate,
) -> Result<CreateSpec, Error> {
    if body.config == WireConfig::default() {
        return Err(invalid(wire::text::EMPTY_CONFIG));
    }
    let platform = platform
        .map(|text| Platform::parse(text, &Platform::host()).map_err(|error| invalid(error.to_string())))
        .transpose()?;
    let given = body.networking_config.and_then(|networking| networking.endpoints_config).unwrap_or_default();
    let mac = body.config.mac_address.clone();
    let config = config(body.config)?;
    let host = body.host_config.unwrap_or_default();
    let links = host.links.clone().unwrap_or_default();
    let host = host::host_config(host)?;
    check_volumes(&config.volumes, &host.mounts)?;
    let endpoints = endpoints(&host.network, given, &mac, links)?;
    let name = name.map(|name| name.trim_start_matches('/').to_owned());
    Ok(CreateSpec { name, config, host, endpoints, platform })
}

fn config(wire: WireConfig) -> Result<Config, Error> {
    if wire.image.is_empty() {
        return Err(invalid(wire::text::NO_COMMAND));
    }
    if wire.network_disabled {
        return Err(Error::UnsupportedField {
            field: "NetworkDisabled".into(),
            hint: Some("use the network mode none"),
        });
    }
    if wire.args_escaped {
        return Err(unsupported("ArgsEscaped"));
    }
    let exposed_ports: Vec<String> = wire.exposed_ports.unwrap_or_default().into_keys().collect();
    for port in &exposed_ports {
        check_port(port)?;
    }
    Ok(Config {
        image: wire.image,
        cmd: wire.cmd,
        entrypoint: wire.entrypoint,
        env: wire.env.unwrap_or_default(),
        working_dir: wire.working_dir,
        user: wire.user,
        hostname: wire.hostname,
        domainname: wire.domainname,
        tty: wire.tty,
        open_stdin: wire.open_stdin,
        stdin_once: wire.stdin_once,
        attach_stdin: wire.attach_stdin,
        attach_stdout: wire.attach_stdout,
        attach_stderr: wire.attach_stderr,
        labels: wire.labels.unwrap_or_default(),
        stop_signal: wire.stop_signal,
        stop_timeout: wire.stop_timeout,
        exposed_ports,
        volumes: wire.volumes.unwrap_or_default().into_keys().collect(),
        shell: wire.shell,
        on_build: wire.on_build,
        health: wire.healthcheck.map(health).transpose()?,
    })
}

/// Reads an update request.
pub(crate) fn update(wire: &ContainerUpdate) -> Result<Update, Error> {
    if wire.cpu_realtime_period != 0 {
        return Err(unsupported("CpuRealtimePeriod"));
    }
    if wire.cpu_realtime_runtime != 0 {
        return Err(unsupported("CpuRealtimeRuntime"));
    }
    let policy = wire.restart_policy.as_ref().filter(|policy| !policy.name.is_empty());
    Ok(Update {
        resources: Resources {
            memory_bytes: wire.memory,
            memory_swap_bytes: wire.memory_swap,
            memory_reservation_bytes: wire.memory_reservation,
            nano_cpus: wire.nano_cpus,
            cpu_shares: wire.cpu_shares,
            cpu_period_us: wire.cpu_period,
            cpu_quota_us: wire.cpu_quota,
            cpuset_cpus: wire.cpuset_cpus.clone(),
            cpuset_mems: wire.cpuset_mems.clone(),
            pids_limit: wire.pids_limit,
            blkio_weight: wire.blkio_weight,
            ..Resources::default()
        },
        restart: policy.map(host::restart_policy).transpose()?,
        publish_add: host::port_bindings(wire.publish_add.as_ref()),
        publish_remove: host::port_bindings(wire.publish_remove.as_ref()),
    })
}

/// Nanoseconds below which Docker takes no time of a health check.
const SHORTEST: i64 = 1_000_000;

fn health(wire: HealthConfig) -> Result<Healthcheck, Error> {
    let times = [
        ("Interval", wire.interval),
        ("Timeout", wire.timeout),
        ("StartPeriod", wire.start_period),
        ("StartInterval", wire.start_interval),
    ];
    if let Some((name, _)) = times.iter().find(|(_, time)| *time != 0 && *time < SHORTEST) {
        return Err(invalid(format!("{name} in Healthcheck cannot be less than 1ms")));
    }
    if wire.retries < 0 {
        return Err(invalid("Retries in Healthcheck cannot be negative"));
    }
    Ok(Healthcheck {
        test: wire.test.unwrap_or_default(),
        interval_ns: wire.interval,
        timeout_ns: wire.timeout,
        start_period_ns: wire.start_period,
        start_interval_ns: wire.start_interval,
        retries: wire.retries,
    })
}

/// Lets pass declared volumes at which something is mounted anyway: docker-py declares the target of each bind.
fn check_volumes(declared: &[String], mounts: &[Mount]) -> Result<(), Error> {
    match declared.iter().find(|path| !mounts::is_target(path, mounts)) {
        Some(path) => Err(Error::UnsupportedField {
            field: format!("Volumes (anonymous volume at {path:?})"),
            hint: Some("mount a directory of the host with -v /path:/path"),
        }),
        None => Ok(()),
    }
}

/// Checks `80`, `80/tcp`, `8000-8010/udp`.
fn check_port(port: &str) -> Result<(), Error> {
    let (range, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let good = matches!((first.parse::<u16>(), last.parse::<u16>()), (Ok(first), Ok(last)) if first <= last);
    if good && matches!(protocol.to_ascii_lowercase().as_str(), "tcp" | "udp" | "sctp") {
        return Ok(());
    }
    Err(invalid(format!("invalid port specification: {port:?}")))
}

/// Reads the container's places in networks. The container's own hardware address and links are those of its first one.
fn endpoints(
    mode: &NetworkMode,
    given: BTreeMap<String, Option<EndpointSettings>>,
    mac: &str,
    links: Vec<String>,
) -> Result<BTreeMap<String, EndpointSpec>, Error> {
    let mut endpoints = BTreeMap::new();
    for (network, settings) in given {
        let spec = network::endpoint_spec(settings.unwrap_or_default())
            .map_err(|error| invalid(format!("invalid config for network {network}: {error}")))?;
        // The docker CLI names the default bridge so.
        let network = if network == "default" { "bridge".to_owned() } else { network };
        endpoints.insert(network, spec);
    }
    let first = super::view::network_mode(mode);
    if !mac.is_empty() {
        let mac = mac.parse().map_err(|error: ::network::Error| invalid(error.to_string()))?;
        match mode {
            NetworkMode::Container(_) => {
                return Err(invalid("conflicting options: mac-address and the network mode"));
            }
            NetworkMode::Bridge | NetworkMode::Network(_) | NetworkMode::Host | NetworkMode::None => {}
        }
        let spec: &mut EndpointSpec = endpoints.entry(first.clone()).or_default();
        if spec.mac.is_some_and(|known| known != mac) {
            return Err(invalid(
                "the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty",
            ));
        }
        spec.mac = Some(mac);
    }
    if let NetworkMode::Network(_) = mode {
        let spec: &mut EndpointSpec = endpoints.entry(first).or_default();
        spec.links.extend(links.into_iter().filter(|link| !spec.links.contains(link)).collect::<Vec<_>>());
    }
    Ok(endpoints)
}

#[cfg(test)]
mod tests {
    use super::*;
    use container::spec::{IpcMode, NamespaceMode, RestartPolicy, Seccomp};

    fn read(body: &str) -> Result<CreateSpec, Error> {
        create_spec(Some("/x1"), None, ContainerCreate::parse(body.as_bytes()).unwrap())
    }

    fn refusal(body: &str) -> String {
        read(body).unwrap_err().to_string()
    }

    fn host(members: &str) -> String {
        format!(r#"{{"Image":"busybox","HostConfig":{{{members}}}}}"#)
    }

    #[test]
    fn request_of_docker_run_is_read() {
        let body = include_str!("../../../../words/wire/tests/golden/container-create-minimal.request.json");
        let spec = create_spec(None, None, ContainerCreate::parse(body.as_bytes()).unwrap()).unwrap();
        assert_eq!(spec.config.image, "busybox");
        assert_eq!(spec.config.cmd, Some(vec!["echo".to_owned(), "hi".to_owned()]));
        assert!(spec.config.attach_stdout && spec.config.attach_stderr && !spec.config.attach_stdin);
        assert!(spec.host.auto_remove);
        assert_eq!(spec.host.network, NetworkMode::Bridge);
        assert_eq!(spec.host.ipc, IpcMode::Private);
        assert_eq!((spec.host.shm_size_bytes, spec.host.log.driver.as_str()), (0, ""), "left to the engine");
        assert_eq!(spec.host.resources, Default::default());
        assert_eq!(spec.host.restart, RestartPolicy::No);
        assert_eq!(spec.host.masked_paths, None);
    }

    #[test]
    fn request_with_fifty_flags_is_read() {
        let body = include_str!("../../../../words/wire/tests/golden/container-create-full.request.json")
            .replace(r#""UTSMode":"host""#, r#""UTSMode":"""#);
        let spec = create_spec(Some("full"), None, ContainerCreate::parse(body.as_bytes()).unwrap()).unwrap();
        assert_eq!(spec.name.as_deref(), Some("full"));
        assert_eq!(spec.config.entrypoint, Some(vec!["/bin/echo".to_owned()]));
        assert_eq!(spec.config.exposed_ports, ["90/tcp"]);
        assert_eq!(spec.host.pid, NamespaceMode::Host);
        assert_eq!(spec.host.seccomp, Seccomp::Unconfined);
        assert!(spec.host.no_new_privileges && spec.host.privileged && spec.host.read_only && spec.host.init);
        assert_eq!(spec.host.resources.pids_limit, Some(100));
        assert_eq!(spec.host.resources.memory_swappiness, Some(10));
        assert_eq!(spec.host.mounts.len(), 5);
        assert!(
            matches!(&spec.host.mounts[1], Mount::Bind { target, read_only: true, propagation, mode, .. }
            if target.to_str() == Some("/ww") && propagation == "rslave" && mode == "ro,rslave")
        );
        assert!(matches!(&spec.host.mounts[3], Mount::Tmpfs { options, from_tmpfs_flag: false, .. }
            if options == "size=1048576"));
    }

    #[test]
    fn refusals_have_dockers_texts() {
        let cases = [
            ("{}".to_owned(), "config cannot be empty in order to create a container"),
            (r#"{"Cmd":["x"]}"#.to_owned(), "no command specified"),
            (
                host(r#""RestartPolicy":{"Name":"foo"}"#),
                "invalid restart policy: unknown policy 'foo'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'",
            ),
            (
                host(r#""RestartPolicy":{"Name":"always","MaximumRetryCount":3}"#),
                "invalid restart policy: maximum retry count can only be used with 'on-failure'",
            ),
            (
                host(r#""Binds":["a:b"]"#),
                "invalid volume specification: 'a:b': invalid mount config for type \"volume\": invalid mount path: 'b' mount path must be absolute",
            ),
            (host(r#""Binds":["/tmp:/b:foo"]"#), "invalid mode: foo"),
            (
                host(r#""Mounts":[{"Type":"foo","Source":"/nosuch","Target":"/b"}]"#),
                "invalid mount config for type \"foo\": mount type unknown",
            ),
            (
                r#"{"Image":"busybox","Healthcheck":{"Interval":5}}"#.to_owned(),
                "Interval in Healthcheck cannot be less than 1ms",
            ),
            (
                r#"{"Image":"busybox","Healthcheck":{"StartPeriod":-1}}"#.to_owned(),
                "StartPeriod in Healthcheck cannot be less than 1ms",
            ),
            (
                r#"{"Image":"busybox","Healthcheck":{"Retries":-1}}"#.to_owned(),
                "Retries in Healthcheck cannot be negative",
            ),
            (
                host(r#""RestartPolicy":{"Name":"on-unhealthy","MaximumRetryCount":-1}"#),
                "invalid restart policy: maximum retry count cannot be negative",
            ),
            (host(r#""IpcMode":"foo""#), "invalid IPC mode: foo"),
            (host(r#""PidMode":"foo""#), "invalid PID mode: foo"),
            (host(r#""UTSMode":"foo""#), "invalid UTS mode: foo"),
            (host(r#""CgroupnsMode":"foo""#), "invalid cgroup namespace mode: foo"),
            (host(r#""SecurityOpt":["foo"]"#), "invalid --security-opt 1: \"foo\""),
            (host(r#""SecurityOpt":["foo=bar"]"#), "invalid --security-opt 2: \"foo=bar\""),
            (host(r#""Runtime":"foo""#), "unknown or invalid runtime name: foo"),
            (host(r#""Tmpfs":{"a":""}"#), "invalid mount path: 'a' mount path must be absolute"),
        ];
        for (body, expected) in cases {
            assert_eq!(refusal(&body), expected, "{body}");
        }
    }

    #[test]
    fn fields_that_are_not_there_yet_are_refused_by_name() {
        let cases = [
            (host(r#""Links":["a:b"]"#), "HostConfig.Links"),
            (host(r#""VolumesFrom":["a"]"#), "HostConfig.VolumesFrom"),
            (host(r#""StorageOpt":{"size":"1G"}"#), "HostConfig.StorageOpt"),
            (host(r#""DeviceRequests":[{"Count":-1}]"#), "HostConfig.DeviceRequests"),
            (host(r#""CpuRealtimePeriod":1"#), "HostConfig.CpuRealtimePeriod"),
            (host(r#""BlkioDeviceReadBps":[{"Path":"/dev/sda","Rate":1}]"#), "HostConfig.BlkioDeviceReadBps"),
            (host(r#""Binds":["named:/n"]"#), "HostConfig.Binds (named volume \"named\")"),
            (host(r#""Binds":["/n"]"#), "HostConfig.Binds (anonymous volume at \"/n\")"),
            (host(r#""Mounts":[{"Type":"volume","Target":"/b"}]"#), "HostConfig.Mounts (type volume)"),
            (host(r#""SecurityOpt":["apparmor=foo"]"#), "HostConfig.SecurityOpt (apparmor=foo)"),
            (
                r#"{"Image":"busybox","Volumes":{"/t":{},"/u":{}},"HostConfig":{"Binds":["/tmp:/t"]}}"#
                    .to_owned(),
                "Volumes (anonymous volume at \"/u\")",
            ),
        ];
        for (body, field) in cases {
            let error = read(&body).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("{field} is not supported by this version of naru"),
                "{body}"
            );
            assert_eq!(error::Fault::kind(&error), error::Kind::Unimplemented);
        }
    }

    #[test]
    fn port_bindings_are_kept_as_they_were_written() {
        let body = host(
            r#""PortBindings":{"80/tcp":[{"HostIp":"::1","HostPort":"8-9"}],"1":null},"PublishAllPorts":true"#,
        );
        let spec = read(&body).unwrap();
        let binding = container::spec::PortBinding { host_ip: "::1".into(), host_port: "8-9".into() };
        let expected = [("1".to_owned(), vec![]), ("80/tcp".to_owned(), vec![binding])];
        assert_eq!(spec.host.port_bindings, expected.into());
        assert!(spec.host.publish_all_ports);
    }

    #[test]
    fn places_in_networks_are_read() {
        let spec = read(
            r#"{"Image":"busybox","MacAddress":"02:42:00:00:00:09","HostConfig":{"NetworkMode":"app","Links":["db:data"]},
            "NetworkingConfig":{"EndpointsConfig":{"app":{"Aliases":["web"],"IPAMConfig":{"IPv4Address":"10.0.0.9"}},"back":{"GwPriority":7}}}}"#,
        )
        .unwrap();
        assert_eq!(spec.host.network, NetworkMode::Network("app".into()));
        assert_eq!(spec.endpoints.keys().collect::<Vec<_>>(), ["app", "back"]);
        let app = &spec.endpoints["app"];
        assert_eq!(
            (app.aliases.clone(), app.links.clone()),
            (vec!["web".to_owned()], vec!["db:data".to_owned()])
        );
        assert_eq!(app.mac.map(|mac| mac.to_string()).as_deref(), Some("02:42:00:00:00:09"));
        assert_eq!(app.ipv4, Some([10, 0, 0, 9].into()));
        assert_eq!(spec.endpoints["back"].gateway_priority, 7);
        let refused = refusal(
            r#"{"Image":"busybox","NetworkingConfig":{"EndpointsConfig":{"app":{"MacAddress":"zz"}}}}"#,
        );
        assert_eq!(refused, "invalid config for network app: invalid MAC address zz");
    }

    #[test]
    fn defaults_and_switched_off_features_pass() {
        for body in [
            host(r#""SecurityOpt":["apparmor=unconfined","label=disable","no-new-privileges:false"]"#),
            host(r#""UsernsMode":"host","Isolation":"default","OomKillDisable":false,"PidsLimit":-1"#),
            host(r#""PortBindings":{},"Links":[],"Ulimits":null,"MemorySwappiness":-1"#),
            r#"{"Image":"busybox","Healthcheck":{"Test":["NONE"]}}"#.to_owned(),
            r#"{"Image":"busybox","Volumes":{"/t":{}},"HostConfig":{"Binds":["/tmp:/t/"]}}"#.to_owned(),
            r#"{"Image":"busybox","NetworkingConfig":{"EndpointsConfig":{"default":null}}}"#.to_owned(),
        ] {
            let spec = read(&body).unwrap();
            assert_eq!(spec.host.resources.pids_limit, None, "{body}");
            assert_eq!(spec.host.resources.memory_swappiness, None, "{body}");
            assert!(!spec.host.no_new_privileges, "{body}");
        }
    }
}
