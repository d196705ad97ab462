//! A container's configuration → that of an image made from it.

use container::spec::Config;
use oci::image::{ContainerConfig, Empty, Healthcheck};
use std::collections::BTreeMap;
use wire::container::Config as WireConfig;

/// Returns the configuration of a container as an image has it.
pub(crate) fn of_container(config: &Config) -> ContainerConfig {
    ContainerConfig {
        hostname: config.hostname.clone(),
        domainname: config.domainname.clone(),
        user: config.user.clone(),
        exposed_ports: set(&config.exposed_ports),
        env: Some(config.env.clone()),
        entrypoint: config.entrypoint.clone(),
        cmd: config.cmd.clone(),
        healthcheck: config.health.as_ref().map(|check| Healthcheck {
            test: check.test.clone(),
            interval: check.interval_ns,
            timeout: check.timeout_ns,
            start_period: check.start_period_ns,
            start_interval: check.start_interval_ns,
            retries: check.retries,
        }),
        args_escaped: false,
        volumes: set(&config.volumes),
        working_dir: config.working_dir.clone(),
        on_build: config.on_build.clone(),
        labels: Some(config.labels.clone()),
        stop_signal: config.stop_signal.clone(),
        stop_timeout: config.stop_timeout,
        shell: config.shell.clone(),
    }
}

fn set(names: &[String]) -> Option<BTreeMap<String, Empty>> {
    (!names.is_empty()).then(|| names.iter().map(|name| (name.clone(), Empty {})).collect())
}

/// Returns the configuration that a request gives.
pub(crate) fn of_wire(config: WireConfig) -> ContainerConfig {
    let set = |names: BTreeMap<String, _>| names.into_keys().map(|name| (name, Empty {})).collect();
    ContainerConfig {
        hostname: config.hostname,
        domainname: config.domainname,
        user: config.user,
        exposed_ports: config.exposed_ports.map(set),
        env: config.env,
        entrypoint: config.entrypoint,
        cmd: config.cmd,
        healthcheck: config.healthcheck.map(|check| Healthcheck {
            test: check.test.unwrap_or_default(),
            interval: check.interval,
            timeout: check.timeout,
            start_period: check.start_period,
            start_interval: check.start_interval,
            retries: check.retries,
        }),
        args_escaped: config.args_escaped,
        volumes: config.volumes.map(set),
        working_dir: config.working_dir,
        on_build: config.on_build,
        labels: config.labels,
        stop_signal: config.stop_signal,
        stop_timeout: config.stop_timeout,
        shell: config.shell,
    }
}

/// Takes from the container what the new configuration leaves open.
///
/// # Source
/// `moby daemon/commit.go`, `merge`.
pub(crate) fn fill(config: &mut ContainerConfig, own: &ContainerConfig) {
    let text = |value: &mut String, from: &str| {
        if value.is_empty() {
            from.clone_into(value);
        }
    };
    text(&mut config.user, &own.user);
    text(&mut config.working_dir, &own.working_dir);
    text(&mut config.stop_signal, &own.stop_signal);
    if config.entrypoint.as_ref().is_none_or(Vec::is_empty) {
        if config.cmd.as_ref().is_none_or(Vec::is_empty) {
            config.cmd.clone_from(&own.cmd);
        }
        config.entrypoint.clone_from(&own.entrypoint);
    }
    let name_of = |entry: &str| entry.split('=').next().unwrap_or_default().to_owned();
    let mut env = config.env.take().unwrap_or_default();
    let known: Vec<String> = env.iter().map(|entry| name_of(entry)).collect();
    env.extend(own.env.iter().flatten().filter(|entry| !known.contains(&name_of(entry))).cloned());
    config.env = Some(env);
    union(&mut config.labels, &own.labels);
    union(&mut config.exposed_ports, &own.exposed_ports);
    union(&mut config.volumes, &own.volumes);
    if config.healthcheck.is_none() {
        config.healthcheck.clone_from(&own.healthcheck);
    }
    if config.shell.is_none() {
        config.shell.clone_from(&own.shell);
    }
}

fn union<V: Clone>(map: &mut Option<BTreeMap<String, V>>, own: &Option<BTreeMap<String, V>>) {
    let Some(own) = own.as_ref().filter(|own| !own.is_empty()) else { return };
    let map = map.get_or_insert_default();
    for (name, value) in own {
        map.entry(name.clone()).or_insert_with(|| value.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Option<Vec<String>> {
        Some(text.split(' ').map(str::to_owned).collect())
    }

    #[test]
    fn request_goes_before_the_container() {
        let own = ContainerConfig {
            cmd: words("sh"),
            env: words("A=1 B=1"),
            user: "u".into(),
            ..ContainerConfig::default()
        };
        let mut config = ContainerConfig { env: words("A=2"), ..ContainerConfig::default() };
        fill(&mut config, &own);
        assert_eq!((config.cmd, config.env, config.user.as_str()), (words("sh"), words("A=2 B=1"), "u"));

        let mut config = ContainerConfig { entrypoint: words("x"), ..ContainerConfig::default() };
        fill(&mut config, &own);
        assert_eq!((config.cmd, config.entrypoint), (None, words("x")));
    }
}
