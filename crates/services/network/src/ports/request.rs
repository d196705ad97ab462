//! What is asked for and what came of it.

use crate::Error;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::str::FromStr;

/// A transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        })
    }
}

impl FromStr for Protocol {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.to_ascii_lowercase().as_str() {
            "tcp" => Ok(Self::Tcp),
            "udp" => Ok(Self::Udp),
            "sctp" => Ok(Self::Sctp),
            _ => Err(Error::Protocol(text.to_owned())),
        }
    }
}

impl From<Protocol> for sys::inet::Transport {
    fn from(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Tcp => Self::Tcp,
            Protocol::Udp => Self::Udp,
            Protocol::Sctp => Self::Sctp,
        }
    }
}

/// A port of a container that is to be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRequest {
    /// The port in the container.
    pub container_port: u16,
    /// Its protocol.
    pub protocol: Protocol,
    /// The host's address; none for the engine's default, which is all addresses of both families.
    pub host_ip: Option<IpAddr>,
    /// The first and the last port of the host that will do; none for any.
    pub host_ports: Option<(u16, u16)>,
}

/// A published port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// The protocol.
    pub protocol: Protocol,
    /// The host's address (0.0.0.0 or [::] for all of the family) and port.
    pub host: SocketAddr,
    /// The container's address and port. Its family is the other one if the container has no address of the host's.
    pub container: SocketAddr,
}

/// A published port with the host's socket that reserves it: the port is free for others when the socket is closed.
#[derive(Debug)]
pub struct Reserved {
    /// The port.
    pub port: Published,
    /// The socket, listening if the protocol has connections.
    pub socket: OwnedFd,
}
