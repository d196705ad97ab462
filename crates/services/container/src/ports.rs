//! From port bindings as users write them to what the network service publishes. Pure.

use crate::Error;
use crate::spec::{Config, HostConfig, PortBinding};
use network::{PortRequest, Protocol, Published};
use shimwire::{HostPort, PublishedPort, Transport};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// A port of a container.
pub(crate) type ContainerPort = (u16, Protocol);

/// Returns what is published when a container starts, in the order of the container's ports.
///
/// # Errors
/// InvalidArgument with Docker's texts.
pub(crate) fn requests(config: &Config, host: &HostConfig) -> Result<Vec<PortRequest>, Error> {
    let mut requests = Vec::new();
    let mut bound = BTreeSet::new();
    for (port, bindings) in &host.port_bindings {
        for (container_port, protocol) in expand(port)? {
            for binding in bindings {
                bound.insert((container_port, protocol));
                requests.push(request(container_port, protocol, binding)?);
            }
        }
    }
    if host.publish_all_ports {
        for port in exposed(config, host)?.difference(&bound) {
            requests.push(request(port.0, port.1, &PortBinding::default())?);
        }
    }
    requests.sort_by_key(|request| (request.container_port, request.protocol));
    Ok(requests)
}

/// Returns the ports that a container exposes: declared, or bound.
///
/// # Errors
/// InvalidArgument for what is no port.
pub(crate) fn exposed(config: &Config, host: &HostConfig) -> Result<BTreeSet<ContainerPort>, Error> {
    let mut ports = BTreeSet::new();
    for port in config.exposed_ports.iter().chain(host.port_bindings.keys()) {
        ports.extend(expand(port)?);
    }
    Ok(ports)
}

/// Reads `80`, `80/udp`, `80-90/tcp`.
pub(crate) fn expand(text: &str) -> Result<Vec<ContainerPort>, Error> {
    let wrong = || Error::invalid(format!("invalid port specification: {text:?}"));
    let (range, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol: Protocol = protocol.parse()?;
    let (first, last) = range_of(range).filter(|(first, _)| *first > 0).ok_or_else(wrong)?;
    Ok((first..=last).map(|port| (port, protocol)).collect())
}

/// Reads `80` and `80-90`.
fn range_of(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let range = (first.parse().ok()?, last.parse().ok()?);
    (range.0 <= range.1).then_some(range)
}

/// Reads one binding.
pub(crate) fn request(
    container_port: u16,
    protocol: Protocol,
    binding: &PortBinding,
) -> Result<PortRequest, Error> {
    let host_ip = match binding.host_ip.trim_start_matches('[').trim_end_matches(']') {
        "" => None,
        text => Some(text.parse::<IpAddr>().map_err(|_| {
            Error::invalid(format!("invalid IP address in port mapping: {}", binding.host_ip))
        })?),
    };
    let host_ports =
        match binding.host_port.as_str() {
            "" | "0" => None,
            text => Some(range_of(text).filter(|(first, _)| *first > 0).ok_or_else(|| {
                Error::invalid(format!("invalid port specification: {:?}", binding.host_port))
            })?),
        };
    Ok(PortRequest { container_port, protocol, host_ip, host_ports })
}

/// Returns the supervisor's form of a published port.
pub(crate) fn to_shim(port: &Published) -> PublishedPort {
    PublishedPort { at: at(port), to: port.container, socket: true }
}

/// Returns the supervisor's name of a published port.
pub(crate) fn at(port: &Published) -> HostPort {
    let protocol = match port.protocol {
        Protocol::Tcp => Transport::Tcp,
        Protocol::Udp => Transport::Udp,
        Protocol::Sctp => Transport::Sctp,
    };
    HostPort { protocol, host: port.host }
}

/// Returns the network's form of a port that a supervisor holds.
pub(crate) fn from_shim(port: &PublishedPort) -> Published {
    let protocol = match port.at.protocol {
        Transport::Tcp => Protocol::Tcp,
        Transport::Udp => Protocol::Udp,
        Transport::Sctp => Protocol::Sctp,
    };
    Published { protocol, host: port.at.host, container: port.to }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::testing::host_config;

    fn binding(host_ip: &str, host_port: &str) -> PortBinding {
        PortBinding { host_ip: host_ip.into(), host_port: host_port.into() }
    }

    fn shown(config: &Config, host: &HostConfig) -> Vec<String> {
        let show = |request: PortRequest| {
            let ip = request.host_ip.map_or_else(|| "*".to_owned(), |ip| ip.to_string());
            let ports = request.host_ports.map_or_else(|| "any".to_owned(), |(a, b)| format!("{a}-{b}"));
            format!("{ip} {ports} -> {}/{}", request.container_port, request.protocol)
        };
        requests(config, host).expect("valid").into_iter().map(show).collect()
    }

    #[test]
    fn bindings_become_requests_in_the_order_of_the_containers_ports() {
        let mut host = host_config();
        host.port_bindings = [
            ("80/tcp".to_owned(), vec![binding("", "8080"), binding("::1", "8081")]),
            ("53/UDP".to_owned(), vec![binding("127.0.0.1", "")]),
            ("9".to_owned(), vec![binding("[::]", "7000-7002")]),
            ("10-11/sctp".to_owned(), vec![binding("", "0")]),
        ]
        .into();
        let expected = [
            ":: 7000-7002 -> 9/tcp",
            "* any -> 10/sctp",
            "* any -> 11/sctp",
            "127.0.0.1 any -> 53/udp",
            "* 8080-8080 -> 80/tcp",
            "::1 8081-8081 -> 80/tcp",
        ];
        assert_eq!(shown(&Config::default(), &host), expected);
    }

    #[test]
    fn all_exposed_ports_are_published_that_are_not_bound() {
        let mut host = host_config();
        host.publish_all_ports = true;
        host.port_bindings = [("80/tcp".to_owned(), vec![binding("", "8080")])].into();
        let config = Config {
            exposed_ports: vec!["80/tcp".into(), "443/tcp".into(), "53/udp".into()],
            ..Config::default()
        };
        assert_eq!(shown(&config, &host), ["* any -> 53/udp", "* 8080-8080 -> 80/tcp", "* any -> 443/tcp"]);
    }

    #[test]
    fn what_is_no_port_is_refused() {
        let mut host = host_config();
        for (port, at) in [
            ("80/xyz", binding("", "1")),
            ("x", binding("", "1")),
            ("0", binding("", "1")),
            ("80", binding("", "70000")),
            ("80", binding("", "5-4")),
            ("80", binding("300.0.0.1", "1")),
        ] {
            host.port_bindings = [(port.to_owned(), vec![at.clone()])].into();
            assert!(requests(&Config::default(), &host).is_err(), "{port} {at:?}");
        }
    }
}
