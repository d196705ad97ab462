//! What can go wrong with networks.

use crate::ports::{Holder, Protocol};
use error::{Fault, Kind};
use refs::ContainerId;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// A failure of the network service.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not of the form `172.17.0.0/16`.
    #[error("invalid subnet {0:?}: want an IPv4 network such as 172.17.0.0/16")]
    Subnet(String),
    /// The bridge's name cannot be that of a device.
    #[error("invalid bridge name {0:?}: want 1 to 15 bytes without '/', ':' and blanks")]
    BridgeName(String),
    /// No such network.
    #[error("network {0} not found")]
    NotFound(String),
    /// An id prefix of several networks.
    #[error("network {0} is ambiguous")]
    Ambiguous(String),
    /// A device of another kind has the bridge's name.
    #[error("the device {name} exists and is not a bridge (but {kind})")]
    NameTaken {
        /// The name.
        name: String,
        /// What it is.
        kind: String,
    },
    /// All subnets of the pools overlap with the host's routes.
    #[error("all predefined address pools have been fully subnetted")]
    NoSubnet,
    /// All addresses of the subnet are taken.
    #[error("no available IPv4 addresses on this network's address pools: {network} ({subnet})")]
    NoAddress {
        /// The network.
        network: String,
        /// Its subnet.
        subnet: String,
    },
    /// The container is attached already.
    #[error("container {0} is already attached to a network")]
    Attached(String),
    /// Neither tcp, udp nor sctp.
    #[error("invalid proto: {0}")]
    Protocol(String),
    /// Another container has the port of the host.
    #[error("Bind for {host} failed: port is already allocated")]
    PortTaken {
        /// The host's address and port.
        host: SocketAddr,
        /// Who has it.
        owner: ContainerId,
    },
    /// All ports of a range are taken.
    #[error("all ports are allocated: there is no free {protocol} port from {first} to {last}")]
    PortsExhausted {
        /// The protocol.
        protocol: Protocol,
        /// The first port of the range.
        first: u16,
        /// Its last port.
        last: u16,
    },
    /// The host refused a port.
    #[error("failed to bind host port for {mapping}: {}{holder}", errno_text(source))]
    PortBind {
        /// Address and port of the host, address and port of the container, protocol.
        mapping: String,
        /// Who has it, if somebody has.
        holder: Box<Holder>,
        /// Why; part of the text.
        source: sys::Error,
    },
    /// The kernel lacks the protocol or the address family.
    #[error("cannot publish {host}/{protocol}: this kernel does not have the protocol")]
    ProtocolUnsupported {
        /// The protocol.
        protocol: Protocol,
        /// The host's address and port.
        host: SocketAddr,
        /// Why.
        #[source]
        source: sys::Error,
    },
    /// The container has no address.
    #[error("cannot publish ports of a container without an address")]
    NoAddressToPublish,
    /// A kernel setting could not be read or written.
    #[error("cannot set {} to {value}", .path.display())]
    Sysctl {
        /// The file below /proc/sys.
        path: PathBuf,
        /// What was to be written.
        value: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A network namespace could not be made or entered.
    #[error("cannot {what} a network namespace")]
    Namespace {
        /// `create`, `enter`, …
        what: &'static str,
        /// Why.
        #[source]
        source: sys::Error,
    },
    /// The kernel refused a configuration.
    #[error("cannot {what}")]
    Netlink {
        /// What was to be done, a verb phrase.
        what: &'static str,
        /// Why.
        #[source]
        source: netlink::Error,
    },
    /// The database failed.
    #[error("cannot read or write the networks' records")]
    Store(#[source] store::Error),
    /// A record is of a newer version, or broken.
    #[error("the record of network {key} has version {version}, which this engine cannot read")]
    Record {
        /// The record's key.
        key: String,
        /// Its version.
        version: u32,
        /// Why, if the version is known.
        #[source]
        source: Option<serde_json::Error>,
    },
    /// The service is shutting down.
    #[error("the network service is shutting down")]
    Closed,
}

/// Returns the kernel's reason in Docker's words.
fn errno_text(source: &sys::Error) -> String {
    match source.errno {
        sys::Errno::ADDRINUSE => "address already in use".to_owned(),
        sys::Errno::ADDRNOTAVAIL => "cannot assign requested address".to_owned(),
        sys::Errno::ACCESS => "permission denied".to_owned(),
        _ => source.to_string(),
    }
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Subnet(_) | Self::BridgeName(_) | Self::Ambiguous(_) | Self::Protocol(_) => {
                Kind::InvalidArgument
            }
            // As Docker answers it: status 500, exit code 125.
            Self::PortTaken { .. } | Self::PortsExhausted { .. } | Self::PortBind { .. } => Kind::Internal,
            Self::ProtocolUnsupported { .. } => Kind::Unavailable,
            Self::NoAddressToPublish => Kind::InvalidArgument,
            Self::NotFound(_) => Kind::NotFound,
            Self::NameTaken { .. } => Kind::AlreadyExists,
            Self::Attached(_) => Kind::Conflict,
            Self::NoSubnet | Self::NoAddress { .. } => Kind::Exhausted,
            Self::Sysctl { source, .. } => match source.kind() {
                io::ErrorKind::PermissionDenied => Kind::Forbidden,
                _ => Kind::Internal,
            },
            Self::Namespace { source, .. } => match source.errno {
                sys::Errno::PERM | sys::Errno::ACCESS => Kind::Forbidden,
                sys::Errno::NOSPC | sys::Errno::NOMEM => Kind::Exhausted,
                _ => Kind::Internal,
            },
            Self::Netlink { source, .. } => match source.kind() {
                // That something of ours exists or is missing is no fault of the caller's.
                Kind::AlreadyExists | Kind::NotFound => Kind::Internal,
                kind => kind,
            },
            Self::Store(source) => source.kind(),
            Self::Record { .. } => Kind::DataLoss,
            Self::Closed => Kind::Unavailable,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NameTaken { .. } => Some("choose another name for the bridge with `--bridge`".into()),
            Self::NoSubnet => Some("give the bridge a subnet with `--bip`".into()),
            Self::NoAddress { .. } => {
                Some("remove containers, or give the bridge a larger subnet with `--bip`".into())
            }
            Self::Sysctl { .. } => Some(
                "switch forwarding on yourself (`sysctl net.ipv4.ip_forward=1`), or use `--network none`"
                    .into(),
            ),
            Self::Namespace { source, .. } => match source.errno {
                sys::Errno::NOSPC => Some("raise the limit: `sysctl user.max_net_namespaces`".into()),
                _ => Some("run the engine as root".into()),
            },
            Self::PortTaken { .. } | Self::PortBind { .. } => {
                Some("publish another port of the host with -p, or end who has this one".into())
            }
            Self::Netlink { source, .. } => source.hint(),
            Self::Store(source) => source.hint(),
            _ => None,
        }
    }
}
