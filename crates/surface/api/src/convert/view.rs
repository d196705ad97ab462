//! The container service's [`HostConfig`] and [`Config`] → wire.

use super::host::RUNTIME;
use container::spec::{
    CgroupNamespace, Config, Healthcheck, HostConfig, IpcMode, Mount, NamespaceMode, NetworkMode,
    PortBinding, RestartPolicy,
};
use wire::container as wired;
use wire::host_config as wired_host;

/// Returns the network mode as Docker writes it.
pub(crate) fn network_mode(mode: &NetworkMode) -> String {
    match mode {
        NetworkMode::Bridge => "bridge".to_owned(),
        NetworkMode::Host => "host".to_owned(),
        NetworkMode::None => "none".to_owned(),
        NetworkMode::Network(name) => name.clone(),
        NetworkMode::Container(name) => format!("container:{name}"),
    }
}

/// Returns what runs.
pub(crate) fn config(config: &Config) -> wired::Config {
    let set = |list: &[String]| list.iter().map(|name| (name.clone(), wire::go::Empty {})).collect();
    wired::Config {
        hostname: config.hostname.clone(),
        domainname: config.domainname.clone(),
        user: config.user.clone(),
        attach_stdin: config.attach_stdin,
        attach_stdout: config.attach_stdout,
        attach_stderr: config.attach_stderr,
        exposed_ports: Some(set(&config.exposed_ports)),
        tty: config.tty,
        open_stdin: config.open_stdin,
        stdin_once: config.stdin_once,
        env: Some(config.env.clone()),
        cmd: config.cmd.clone(),
        healthcheck: config.health.as_ref().map(health),
        args_escaped: false,
        image: config.image.clone(),
        volumes: (!config.volumes.is_empty()).then(|| set(&config.volumes)),
        working_dir: config.working_dir.clone(),
        entrypoint: config.entrypoint.clone(),
        network_disabled: false,
        mac_address: String::new(),
        on_build: config.on_build.clone(),
        labels: Some(config.labels.clone()),
        stop_signal: config.stop_signal.clone(),
        stop_timeout: config.stop_timeout,
        shell: config.shell.clone(),
    }
}

fn health(check: &Healthcheck) -> wired::HealthConfig {
    wired::HealthConfig {
        test: some(check.test.clone()),
        interval: check.interval_ns,
        timeout: check.timeout_ns,
        start_period: check.start_period_ns,
        start_interval: check.start_interval_ns,
        retries: check.retries,
    }
}

/// What a host configuration leaves to the engine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Defaults {
    /// The cgroup namespace: private on v2, the host's on v1.
    pub(crate) cgroupns: CgroupNamespace,
    /// Masked paths of containers without privileges.
    pub(crate) masked_paths: &'static [&'static str],
    /// Read-only paths of containers without privileges.
    pub(crate) readonly_paths: &'static [&'static str],
}

/// Returns how the host runs a container.
pub(crate) fn host_config(host: &HostConfig, defaults: &Defaults) -> wired_host::HostConfig {
    let resources = &host.resources;
    let paths = |given: &Option<Vec<String>>, default: &[&str]| match given {
        Some(paths) => Some(paths.clone()),
        None if host.privileged => None,
        None => Some(default.iter().map(|path| (*path).to_owned()).collect()),
    };
    wired_host::HostConfig {
        binds: some(host.mounts.iter().filter_map(bind).collect()),
        container_id_file: host.container_id_file.clone(),
        log_config: wired_host::LogConfig {
            driver: host.log.driver.clone(),
            config: Some(host.log.options.clone()),
        },
        network_mode: network_mode(&host.network),
        port_bindings: Some(host.port_bindings.iter().map(port_binding).collect()),
        publish_all_ports: host.publish_all_ports,
        restart_policy: restart_policy(host.restart),
        auto_remove: host.auto_remove,
        console_size: [host.console_size.0.into(), host.console_size.1.into()],
        annotations: Some(host.annotations.clone()),
        cap_add: some(host.cap_add.clone()),
        cap_drop: some(host.cap_drop.clone()),
        cgroupns_mode: match host.cgroupns.unwrap_or(defaults.cgroupns) {
            CgroupNamespace::Private => "private".to_owned(),
            CgroupNamespace::Host => "host".to_owned(),
        },
        dns: some(host.dns.iter().map(ToString::to_string).collect()),
        dns_options: some(host.dns_options.clone()),
        dns_search: some(host.dns_search.clone()),
        extra_hosts: some(host.extra_hosts.clone()),
        group_add: some(host.group_add.clone()),
        ipc_mode: ipc_mode(&host.ipc),
        oom_score_adj: host.oom_score_adj,
        pid_mode: pid_mode(&host.pid),
        privileged: host.privileged,
        readonly_rootfs: host.read_only,
        security_opt: some(host.security_opt.clone()),
        tmpfs: Some(host.mounts.iter().filter_map(tmpfs).collect()),
        uts_mode: if host.uts_host { "host".to_owned() } else { String::new() },
        shm_size: host.shm_size_bytes,
        sysctls: Some(host.sysctls.clone()),
        runtime: RUNTIME.to_owned(),
        cpu_shares: resources.cpu_shares,
        memory: resources.memory_bytes,
        nano_cpus: resources.nano_cpus,
        cgroup_parent: host.cgroup_parent.clone(),
        blkio_weight: resources.blkio_weight,
        cpu_period: resources.cpu_period_us,
        cpu_quota: resources.cpu_quota_us,
        cpuset_cpus: resources.cpuset_cpus.clone(),
        cpuset_mems: resources.cpuset_mems.clone(),
        devices: Some(host.devices.iter().map(device).collect()),
        device_cgroup_rules: some(resources.device_cgroup_rules.clone()),
        memory_reservation: resources.memory_reservation_bytes,
        memory_swap: resources.memory_swap_bytes,
        memory_swappiness: resources.memory_swappiness,
        oom_kill_disable: Some(resources.oom_kill_disable.unwrap_or_default()),
        pids_limit: resources.pids_limit,
        ulimits: Some(host.ulimits.iter().map(ulimit).collect()),
        mounts: some(host.mounts.iter().filter_map(long_form).collect()),
        masked_paths: paths(&host.masked_paths, defaults.masked_paths),
        readonly_paths: paths(&host.readonly_paths, defaults.readonly_paths),
        init: host.init.then_some(true),
        ..Default::default()
    }
}

fn port_binding(
    (port, bindings): (&String, &Vec<PortBinding>),
) -> (String, Option<Vec<wired_host::PortBinding>>) {
    let binding = |binding: &PortBinding| wired_host::PortBinding {
        host_ip: binding.host_ip.clone(),
        host_port: binding.host_port.clone(),
    };
    (port.clone(), Some(bindings.iter().map(binding).collect()))
}

/// Returns none for an empty list: Docker writes `null`.
fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

fn restart_policy(policy: RestartPolicy) -> wired_host::RestartPolicy {
    let (name, retries) = match policy {
        RestartPolicy::No => ("no", 0),
        RestartPolicy::Always => ("always", 0),
        RestartPolicy::UnlessStopped => ("unless-stopped", 0),
        RestartPolicy::OnFailure { retries } => ("on-failure", retries),
        RestartPolicy::OnUnhealthy { retries } => ("on-unhealthy", retries),
    };
    wired_host::RestartPolicy { name: name.to_owned(), maximum_retry_count: retries.into() }
}

fn pid_mode(mode: &NamespaceMode) -> String {
    match mode {
        NamespaceMode::Private => String::new(),
        NamespaceMode::Host => "host".to_owned(),
        NamespaceMode::Container(name) => format!("container:{name}"),
    }
}

fn ipc_mode(mode: &IpcMode) -> String {
    match mode {
        IpcMode::Private => "private".to_owned(),
        IpcMode::Shareable => "shareable".to_owned(),
        IpcMode::None => "none".to_owned(),
        IpcMode::Host => "host".to_owned(),
        IpcMode::Container(name) => format!("container:{name}"),
    }
}

fn device(device: &container::spec::Device) -> wired_host::DeviceMapping {
    wired_host::DeviceMapping {
        path_on_host: device.host_path.to_string_lossy().into_owned(),
        path_in_container: device.container_path.to_string_lossy().into_owned(),
        cgroup_permissions: device.permissions.clone(),
    }
}

fn ulimit(limit: &container::spec::Ulimit) -> wired_host::Ulimit {
    wired_host::Ulimit { name: limit.name.clone(), hard: limit.hard, soft: limit.soft }
}

fn bind(mount: &Mount) -> Option<String> {
    let Mount::Bind { source, target, from_volume_flag: true, mode, .. } = mount else { return None };
    let mode = if mode.is_empty() { String::new() } else { format!(":{mode}") };
    Some(format!("{}:{}{mode}", source.display(), target.display()))
}

fn tmpfs(mount: &Mount) -> Option<(String, String)> {
    let Mount::Tmpfs { target, options, from_tmpfs_flag: true } = mount else { return None };
    Some((target.to_string_lossy().into_owned(), options.clone()))
}

fn long_form(mount: &Mount) -> Option<wired_host::Mount> {
    match mount {
        Mount::Bind { from_volume_flag: true, .. } | Mount::Tmpfs { from_tmpfs_flag: true, .. } => None,
        Mount::Bind { source, target, read_only, propagation, non_recursive, create_source, .. } => {
            let options = wired_host::BindOptions {
                propagation: propagation.clone(),
                non_recursive: *non_recursive,
                create_mountpoint: *create_source,
                ..Default::default()
            };
            Some(wired_host::Mount {
                kind: "bind".to_owned(),
                source: source.to_string_lossy().into_owned(),
                target: target.to_string_lossy().into_owned(),
                read_only: *read_only,
                bind_options: (options != Default::default()).then_some(options),
                ..Default::default()
            })
        }
        Mount::Tmpfs { target, options, .. } => {
            let (read_only, options) = tmpfs_options(options);
            Some(wired_host::Mount {
                kind: "tmpfs".to_owned(),
                target: target.to_string_lossy().into_owned(),
                read_only,
                tmpfs_options: (options != Default::default()).then_some(options),
                ..Default::default()
            })
        }
    }
}

/// Reads back what [`super::mounts`] wrote for the long form.
fn tmpfs_options(text: &str) -> (bool, wired_host::TmpfsOptions) {
    let mut options = wired_host::TmpfsOptions::default();
    let mut further = Vec::new();
    let mut read_only = false;
    for word in text.split(',').filter(|word| !word.is_empty()) {
        match word.split_once('=') {
            None if word == "ro" => read_only = true,
            Some(("size", value)) if options.size_bytes == 0 && value.parse::<i64>().is_ok() => {
                options.size_bytes = value.parse().unwrap_or_default();
            }
            Some(("mode", value)) if options.mode == 0 => {
                options.mode = u32::from_str_radix(value, 8).unwrap_or_default();
            }
            Some((key, value)) => further.push(vec![key.to_owned(), value.to_owned()]),
            None => further.push(vec![word.to_owned()]),
        }
    }
    options.options = some(further);
    (read_only, options)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::container::ContainerCreate;
    use wire::inspect::ContainerInspect;

    const DEFAULTS: Defaults = Defaults {
        cgroupns: CgroupNamespace::Host,
        masked_paths: &["/proc/kcore"],
        readonly_paths: &["/proc/sys"],
    };

    fn spec(body: &str) -> container::spec::CreateSpec {
        super::super::create::create_spec(None, None, ContainerCreate::parse(body.as_bytes()).unwrap())
            .unwrap()
    }

    #[test]
    fn configuration_reads_back_as_docker_shows_it() {
        let spec = spec(include_str!("../../tests/golden/container-create-full.request.json"));
        let docker: ContainerInspect =
            serde_json::from_str(include_str!("../../tests/golden/container-inspect-full.json")).unwrap();
        let mut expected = docker.host_config;
        // COMPAT: the runtime has its own name; options that exist but were not used are null or empty either way; Docker
        // itself adds what privileged implies for SELinux.
        expected.runtime = RUNTIME.to_owned();
        // The service fills in what the request leaves open.
        expected.log_config.driver = String::new();
        expected.security_opt.as_mut().unwrap().retain(|option| option != "label=disable");
        expected.blkio_weight_device = None;
        expected.blkio_device_read_bps = None;
        expected.blkio_device_write_bps = None;
        expected.blkio_device_read_iops = None;
        expected.blkio_device_write_iops = None;
        let ours = host_config(&spec.host, &DEFAULTS);
        assert_eq!(serde_json::to_string(&ours).unwrap(), serde_json::to_string(&expected).unwrap());
        let mut config = config(&spec.config);
        // The image's environment is merged in by the service.
        config
            .env
            .as_mut()
            .unwrap()
            .push("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into());
        assert_eq!(serde_json::to_string(&config).unwrap(), serde_json::to_string(&docker.config).unwrap());
    }

    #[test]
    fn defaults_are_filled_in_unless_privileged_or_given() {
        let plain = host_config(&spec(r#"{"Image":"x"}"#).host, &DEFAULTS);
        assert_eq!(plain.masked_paths, Some(vec!["/proc/kcore".to_owned()]));
        assert_eq!((plain.ipc_mode.as_str(), plain.cgroupns_mode.as_str()), ("private", "host"));
        assert_eq!(plain.oom_kill_disable, Some(false));
        let given = host_config(
            &spec(r#"{"Image":"x","HostConfig":{"MaskedPaths":[],"CgroupnsMode":"private"}}"#).host,
            &DEFAULTS,
        );
        assert_eq!(given.masked_paths, Some(Vec::new()));
        assert_eq!(given.readonly_paths, Some(vec!["/proc/sys".to_owned()]));
        assert_eq!(given.cgroupns_mode, "private");
    }

    #[test]
    fn tmpfs_options_read_back() {
        let (read_only, options) = tmpfs_options("ro,size=1048576,mode=1777,nr_inodes=5,noexec");
        assert!(read_only);
        assert_eq!((options.size_bytes, options.mode), (1_048_576, 0o1777));
        assert_eq!(
            options.options,
            Some(vec![vec!["nr_inodes".to_owned(), "5".to_owned()], vec!["noexec".to_owned()]])
        );
    }
}
