//! Where an engine listens.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use crate::Error;

/// Where an engine listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// A unix socket.
    Unix(PathBuf),
    /// A TCP address.
    Tcp(SocketAddr),
    /// Another machine, reached by `ssh`: `user@host`, and the port if it is not ssh's.
    Ssh {
        /// `[user@]host`.
        destination: String,
        /// The port.
        port: Option<u16>,
    },
}

/// The port of an engine that listens on TCP without TLS.
const DEFAULT_TCP_PORT: u16 = 2375;

impl Endpoint {
    /// Parses the value of `-H`, `NARU_HOST` or `DOCKER_HOST`.
    ///
    /// `unix:///path`, an absolute path, and `tcp://address[:port]` (an IP address or `localhost`) are understood.
    ///
    /// # Errors
    /// [`Error::Host`] for everything else.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let invalid = |reason: &str| Error::Host { host: text.to_owned(), reason: reason.to_owned() };
        if let Some(path) = text.strip_prefix("unix://") {
            if !path.starts_with('/') {
                return Err(invalid(
                    "a unix socket is named by an absolute path, as in unix:///run/naru/naru.sock",
                ));
            }
            return Ok(Self::Unix(PathBuf::from(path)));
        }
        if text.starts_with('/') {
            return Ok(Self::Unix(PathBuf::from(text)));
        }
        if let Some(address) = text.strip_prefix("tcp://") {
            let address = address.trim_end_matches('/');
            return parse_tcp(address).map(Self::Tcp).ok_or_else(|| {
                invalid("host names are not resolved; use an IP address, as in tcp://127.0.0.1:2375")
            });
        }
        if let Some(rest) = text.strip_prefix("ssh://") {
            return parse_ssh(rest.trim_end_matches('/'))
                .ok_or_else(|| invalid("use ssh://[user@]host[:port]"));
        }
        match text.split_once("://") {
            Some((scheme, _)) => {
                Err(invalid(&format!("{scheme}:// is not supported; use unix://, tcp:// or ssh://")))
            }
            None => Err(invalid("use unix:///path/to/socket or tcp://address:port")),
        }
    }
}

/// No part may look like a flag: ssh would take it for one.
fn parse_ssh(text: &str) -> Option<Endpoint> {
    let (destination, port) = match text.rsplit_once(':') {
        Some((destination, port)) => (destination, Some(port.parse().ok()?)),
        None => (text, None),
    };
    let good = |part: &str| {
        !part.is_empty() && !part.starts_with('-') && part.bytes().all(|b| b.is_ascii_graphic() && b != b'/')
    };
    destination.split('@').all(good).then(|| Endpoint::Ssh { destination: destination.to_owned(), port })
}

fn parse_tcp(address: &str) -> Option<SocketAddr> {
    if let Ok(whole) = address.parse::<SocketAddr>() {
        return Some(whole);
    }
    if let Ok(ip) = address.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        return Some(SocketAddr::new(ip, DEFAULT_TCP_PORT));
    }
    let (host, port) = match address.split_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (address, DEFAULT_TCP_PORT),
    };
    (host == "localhost").then(|| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp://{address}"),
            Self::Ssh { destination, port: Some(port) } => write!(f, "ssh://{destination}:{port}"),
            Self::Ssh { destination, port: None } => write!(f, "ssh://{destination}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoint_parses_the_forms_that_docker_host_takes() {
        let cases = [
            ("unix:///run/x.sock", "unix:///run/x.sock"),
            ("/run/x.sock", "unix:///run/x.sock"),
            ("tcp://127.0.0.1:99", "tcp://127.0.0.1:99"),
            ("tcp://localhost", "tcp://127.0.0.1:2375"),
            ("tcp://[::1]:99", "tcp://[::1]:99"),
            ("tcp://10.0.0.1", "tcp://10.0.0.1:2375"),
            ("tcp://10.0.0.1:80/", "tcp://10.0.0.1:80"),
            ("ssh://me@host:22", "ssh://me@host:22"),
            ("ssh://host/", "ssh://host"),
        ];
        for (text, shown) in cases {
            assert_eq!(Endpoint::parse(text).map(|e| e.to_string()).ok().as_deref(), Some(shown), "{text}");
        }
    }

    #[test]
    fn endpoint_refuses_what_it_cannot_reach() {
        for text in [
            "foo://x",
            "ssh://-oProxyCommand=x",
            "ssh://a@-b",
            "ssh://host/path",
            "unix://relative",
            "tcp://example.com:1",
            "tcp://1.2.3.4:99999",
            "",
        ] {
            let error = Endpoint::parse(text).expect_err(text);
            assert!(matches!(error, Error::Host { .. }), "{text}: {error:?}");
        }
    }
}
