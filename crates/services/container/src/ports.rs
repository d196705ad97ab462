//! From port bindings as users write them to what the network service publishes. Pure.

use crate::Error;
use crate::spec::{Config, HostConfig, NetworkMode, PortBinding};
use network::{PortRequest, Protocol, Published};
use shimwire::{HostPort, PublishedPort, Transport};
use std::collections::{BTreeMap, BTreeSet};
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

/// Changes which ports are published: gives up first, so that a port of the host can change its owner in one go.
///
/// # Errors
/// InvalidArgument for what is no port, and for a port that is to be given up and is not published; Conflict with the
/// network of another container.
pub(crate) fn change(
    host: &mut HostConfig,
    add: &BTreeMap<String, Vec<PortBinding>>,
    remove: &BTreeMap<String, Vec<PortBinding>>,
) -> Result<(), Error> {
    if add.is_empty() && remove.is_empty() {
        return Ok(());
    }
    if matches!(host.network, NetworkMode::Container(_)) {
        return Err(Error::invalid(
            "conflicting options: port publishing and the container type network mode",
        ));
    }
    let mut bindings = by_port(&host.port_bindings)?;
    for (port, unwanted) in by_port(remove)? {
        let missing = |at: &str| {
            Error::invalid(format!("port {}/{} of the container is not published{at}", port.0, port.1))
        };
        let present = bindings.get_mut(&port).filter(|list| !list.is_empty()).ok_or_else(|| missing(""))?;
        if unwanted.is_empty() {
            present.clear();
        }
        for binding in unwanted {
            let at = present.iter().position(|known| *known == binding);
            let at = at.ok_or_else(|| missing(&format!(" at {}:{}", binding.host_ip, binding.host_port)))?;
            present.remove(at);
        }
    }
    for (port, wanted) in by_port(add)? {
        bindings.entry(port).or_default().extend(wanted);
    }
    bindings.retain(|_, list| !list.is_empty());
    let key = |(port, protocol): ContainerPort| format!("{port}/{protocol}");
    host.port_bindings = bindings.into_iter().map(|(port, list)| (key(port), list)).collect();
    requests(&Config::default(), host).map(drop)
}

/// Returns bindings by single ports, whatever the form of the keys.
fn by_port(
    bindings: &BTreeMap<String, Vec<PortBinding>>,
) -> Result<BTreeMap<ContainerPort, Vec<PortBinding>>, Error> {
    let mut ports: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (key, list) in bindings {
        for port in expand(key)? {
            ports.entry(port).or_default().extend(list.iter().cloned());
        }
    }
    Ok(ports)
}

/// Returns which requests nothing published answers to, and what is published without a request.
pub(crate) fn difference(
    wanted: &[PortRequest],
    published: &[Published],
) -> (Vec<PortRequest>, Vec<Published>) {
    let mut left = published.to_vec();
    let mut missing = Vec::new();
    // Those of one address first: they leave the others to those of all addresses.
    let mut order: Vec<_> = wanted.iter().enumerate().collect();
    order.sort_by_key(|(_, request)| request.host_ip.is_none());
    for (place, request) in order {
        let answers = |port: &Published| {
            port.protocol == request.protocol
                && port.container.port() == request.container_port
                && request.host_ip.is_none_or(|ip| port.host.ip() == ip)
                && request.host_ports.is_none_or(|(first, last)| (first..=last).contains(&port.host.port()))
        };
        match left.iter().find(|port| answers(port)).map(|port| port.host.port()) {
            // Both families have the same port.
            Some(number) => left.retain(|port| !(answers(port) && port.host.port() == number)),
            None => missing.push((place, *request)),
        }
    }
    missing.sort_by_key(|(place, _)| *place);
    (missing.into_iter().map(|(_, request)| request).collect(), left)
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
    fn change_gives_up_and_adds() {
        let mut host = host_config();
        let map = |list: &[(&str, &[(&str, &str)])]| -> BTreeMap<String, Vec<PortBinding>> {
            let bindings = |all: &[(&str, &str)]| all.iter().map(|(ip, port)| binding(ip, port)).collect();
            list.iter().map(|(key, all)| ((*key).to_owned(), bindings(all))).collect()
        };
        host.port_bindings = map(&[("80", &[("", "8080"), ("::1", "81")]), ("53/udp", &[("", "53")])]);
        change(&mut host, &map(&[("443/tcp", &[("", "8080")])]), &map(&[("80/tcp", &[("", "8080")])]))
            .expect("valid");
        let expected =
            map(&[("443/tcp", &[("", "8080")]), ("53/udp", &[("", "53")]), ("80/tcp", &[("::1", "81")])]);
        assert_eq!(host.port_bindings, expected);
        change(&mut host, &BTreeMap::new(), &map(&[("53/udp", &[]), ("80", &[])])).expect("valid");
        assert_eq!(host.port_bindings, map(&[("443/tcp", &[("", "8080")])]));
        let error = change(&mut host, &BTreeMap::new(), &map(&[("80", &[])])).expect_err("not published");
        assert_eq!(error.to_string(), "port 80/tcp of the container is not published");
        let error =
            change(&mut host, &BTreeMap::new(), &map(&[("443", &[("", "1")])])).expect_err("elsewhere");
        assert_eq!(error.to_string(), "port 443/tcp of the container is not published at :1");
        change(&mut host, &map(&[("x", &[("", "1")])]), &BTreeMap::new()).expect_err("no port");
    }

    #[test]
    fn difference_leaves_alone_what_is_as_wanted() {
        let published = |host: &str, port| Published {
            protocol: Protocol::Tcp,
            host: host.parse().expect("valid"),
            container: std::net::SocketAddr::new([10, 0, 0, 2].into(), port),
        };
        let request = |ip: Option<&str>, ports, container_port| PortRequest {
            container_port,
            protocol: Protocol::Tcp,
            host_ip: ip.map(|ip| ip.parse().expect("valid")),
            host_ports: ports,
        };
        let all = [
            published("0.0.0.0:8080", 80),
            published("[::]:8080", 80),
            published("127.0.0.1:81", 80),
            published("0.0.0.0:40000", 90),
        ];
        let as_wanted = [
            request(None, Some((8000, 9000)), 80),
            request(Some("127.0.0.1"), None, 80),
            request(None, None, 90),
        ];
        assert_eq!(difference(&as_wanted, &all), (vec![], vec![]));
        let other = [request(None, Some((9090, 9090)), 80), as_wanted[2]];
        assert_eq!(difference(&other, &all), (vec![other[0]], all[..3].to_vec()));
        assert_eq!(difference(&[], &all[3..]), (vec![], all[3..].to_vec()));
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
