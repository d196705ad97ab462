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
    /// A TCP address, without TLS.
    Tcp(SocketAddr),
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
        match text.split_once("://") {
            Some((scheme, _)) => {
                Err(invalid(&format!("{scheme}:// is not supported; use unix:// or tcp://")))
            }
            None => Err(invalid("use unix:///path/to/socket or tcp://address:port")),
        }
    }
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
        ];
        for (text, shown) in cases {
            assert_eq!(Endpoint::parse(text).map(|e| e.to_string()).ok().as_deref(), Some(shown), "{text}");
        }
    }

    #[test]
    fn endpoint_refuses_what_it_cannot_reach() {
        for text in
            ["foo://x", "ssh://host", "unix://relative", "tcp://example.com:1", "tcp://1.2.3.4:99999", ""]
        {
            let error = Endpoint::parse(text).expect_err(text);
            assert!(matches!(error, Error::Host { .. }), "{text}: {error:?}");
        }
    }
}
