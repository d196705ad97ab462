//! `--publish` and `--expose`: from words to exposed ports and port bindings. Pure.
//!
//! # Source
//! docker/go-connections `nat.ParsePortSpec`; docker/cli `convertToStandardNotation`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use wire::host_config::PortBinding;

/// Port bindings by port of the container, `80/tcp`.
pub(crate) type Bindings = BTreeMap<String, Option<Vec<PortBinding>>>;

/// Reads all `-p` values.
pub(crate) fn published(values: &[&str]) -> Result<Bindings, String> {
    let mut bindings = Bindings::new();
    for value in values {
        for (port, binding) in parse(&standard(value)?)? {
            bindings.entry(port).or_default().get_or_insert_default().push(binding);
        }
    }
    Ok(bindings)
}

/// Returns `published:target/protocol` for `target=…,published=…`.
fn standard(value: &str) -> Result<String, String> {
    if !value.contains('=') {
        return Ok(value.to_owned());
    }
    let mut fields = BTreeMap::from([("protocol", "tcp")]);
    for field in value.split(',') {
        match field.split_once('=') {
            Some((key, text)) if !key.is_empty() => drop(fields.insert(key, text)),
            _ => {
                return Err(format!("invalid publish opts format (should be name=value but got '{field}')"));
            }
        }
    }
    let field = |name: &str| fields.get(name).copied().unwrap_or_default();
    Ok(format!("{}:{}/{}", field("published"), field("target"), field("protocol")))
}

/// Reads `[[address:]host port:]container port[/protocol]`; ports may be ranges.
fn parse(value: &str) -> Result<Vec<(String, PortBinding)>, String> {
    let (address, host, container) = split(value);
    let (container, protocol) = match container.split_once('/') {
        Some((port, "")) => (port, "tcp"),
        Some((port, protocol)) => (port, protocol),
        None => (container, "tcp"),
    };
    if container.is_empty() {
        return Err(format!("no port specified: {value}<empty>"));
    }
    let address = bare(&address)?;
    let inside = range(container).ok_or_else(|| format!("invalid containerPort: {container}"))?;
    let outside = match host {
        "" => None,
        text => Some(range(text).ok_or_else(|| format!("invalid hostPort: {text}"))?),
    };
    let protocol = protocol.to_ascii_lowercase();
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err(format!("invalid proto: {protocol}"));
    }
    let is_single = inside.0 == inside.1;
    if let Some(outside) = outside
        && !is_single
        && inside.1 - inside.0 != outside.1 - outside.0
    {
        return Err(format!("invalid ranges specified for container and host Ports: {container} and {host}"));
    }
    let host_port = |offset: u16| match outside {
        None => String::new(),
        Some((first, last)) if is_single && first != last => format!("{first}-{last}"),
        Some((first, _)) => (first + offset).to_string(),
    };
    let bound = (inside.0..=inside.1).map(|port| {
        let binding = PortBinding { host_ip: address.to_owned(), host_port: host_port(port - inside.0) };
        (format!("{port}/{protocol}"), binding)
    });
    Ok(bound.collect())
}

/// Splits at the last two colons: an IPv6 address has its own.
fn split(value: &str) -> (String, &str, &str) {
    let mut parts = value.rsplitn(3, ':');
    let (container, host, address) = (parts.next(), parts.next(), parts.next());
    (address.unwrap_or_default().to_owned(), host.unwrap_or_default(), container.unwrap_or_default())
}

/// Returns an address without its brackets.
fn bare(address: &str) -> Result<&str, String> {
    let inner = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
    if inner.is_empty() || inner.parse::<IpAddr>().is_ok() {
        return Ok(inner);
    }
    Err(format!("invalid IP address: {address}"))
}

fn range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let range = (first.parse().ok()?, last.parse().ok()?);
    (range.0 <= range.1).then_some(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Vec<String> {
        let bindings = published(values).expect("valid");
        let shown = |(port, list): (&String, &Option<Vec<PortBinding>>)| {
            let list = list.iter().flatten().map(|at| format!("{}|{}", at.host_ip, at.host_port));
            format!("{port} {}", list.collect::<Vec<_>>().join(" "))
        };
        bindings.iter().map(shown).collect()
    }

    #[test]
    fn every_form_of_docker_is_read() {
        let cases: [(&[&str], &[&str]); 11] = [
            (&["80"], &["80/tcp |"]),
            (&["8080:80"], &["80/tcp |8080"]),
            (&["127.0.0.1:8080:80/udp"], &["80/udp 127.0.0.1|8080"]),
            (&["127.0.0.1::80"], &["80/tcp 127.0.0.1|"]),
            (&["[::1]:8080:80", "9090:80"], &["80/tcp ::1|8080 |9090"]),
            (&["::1:8080:80"], &["80/tcp ::1|8080"]),
            (&["4000-4001:40-41/SCTP"], &["40/sctp |4000", "41/sctp |4001"]),
            (&["7000-7002:70"], &["70/tcp |7000-7002"]),
            (&["70-71"], &["70/tcp |", "71/tcp |"]),
            (&["target=80,published=8080,protocol=udp,mode=host"], &["80/udp |8080"]),
            (&["target=80"], &["80/tcp |"]),
        ];
        for (values, expected) in cases {
            assert_eq!(read(values), expected, "{values:?}");
        }
    }

    #[test]
    fn mistakes_have_dockers_texts() {
        for (value, expected) in [
            ("8080:", "no port specified: 8080:<empty>"),
            ("x", "invalid containerPort: x"),
            ("x:80", "invalid hostPort: x"),
            ("70000:80", "invalid hostPort: 70000"),
            ("300.0.0.1:80:80", "invalid IP address: 300.0.0.1"),
            ("80/foo", "invalid proto: foo"),
            ("1-3:4-5", "invalid ranges specified for container and host Ports: 4-5 and 1-3"),
            ("target=80,x", "invalid publish opts format (should be name=value but got 'x')"),
        ] {
            assert_eq!(published(&[value]), Err(expected.to_owned()), "{value}");
        }
    }
}
