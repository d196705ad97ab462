//! Where an endpoint is.

use crate::Error;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// Where an endpoint is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    Udp(SocketAddr),
    Tcp(SocketAddr),
    Unix(PathBuf),
    Datagram(PathBuf),
}

/// Splits `tcp://host:port` into scheme and rest.
pub(crate) fn split(text: &str) -> Option<(&str, &str)> {
    text.split_once("://")
}

/// Reads `host:port`; the port may be missing.
///
/// # Errors
/// InvalidArgument for something else; Unimplemented for a name: nothing here asks a name server.
pub(crate) fn host_and_port(text: &str, default: u16) -> Result<SocketAddr, Error> {
    let bad = || Error::Invalid(format!("invalid endpoint address: {text:?}"));
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
            (host, port.parse().map_err(|_| bad())?)
        }
        _ => (text, default),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if matches!(host, "" | "localhost") {
        return Ok((IpAddr::V4(Ipv4Addr::LOCALHOST), port).into());
    }
    match host.parse::<IpAddr>() {
        Ok(address) => Ok((address, port).into()),
        Err(_) => Err(Error::Unsupported(format!("the log endpoint {host:?}, which is not an IP address,"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_addresses_or_this_host() {
        let read = |text| host_and_port(text, 514).map(|address| address.to_string());
        assert_eq!(read("10.0.0.1:5"), Ok("10.0.0.1:5".to_owned()));
        assert_eq!(read("localhost"), Ok("127.0.0.1:514".to_owned()));
        assert_eq!(read("[::1]:5"), Ok("[::1]:5".to_owned()));
        assert_eq!(read("::1"), Ok("[::1]:514".to_owned()));
        assert!(matches!(read("logs.example:5"), Err(Error::Unsupported(_))));
        assert!(matches!(read("10.0.0.1:x"), Err(Error::Invalid(_))));
    }
}
