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
    #[error("invalid subnet {0:?}: want a network such as 172.17.0.0/16")]
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
    #[error("no available {family} addresses on this network's address pools: {network} ({subnet})")]
    NoAddress {
        /// `IPv4` or `IPv6`.
        family: &'static str,
        /// The network.
        network: String,
        /// Its subnet.
        subnet: String,
    },
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
    /// The resolver's sockets could not be made in a container.
    #[error("cannot set up the container's name resolution")]
    Resolver(#[source] sys::Error),
    /// The container has no address.
    #[error("cannot publish ports of a container without an address")]
    NoAddressToPublish,
    /// A request without a name.
    #[error("invalid name: name is empty")]
    EmptyName,
    /// The name of a network that is always there.
    #[error("operation is not permitted on predefined {0} network ")]
    Predefined(String),
    /// The name is taken.
    #[error("network with name {0} already exists")]
    Exists(String),
    /// No such driver.
    #[error("plugin \"{0}\" not found")]
    NoPlugin(String),
    /// A driver of which there is one network only.
    #[error("only one instance of \"{0}\" network is allowed")]
    OnlyOne(String),
    /// An overlay network.
    #[error(
        "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node to swarm and try again."
    )]
    NotInSwarm,
    /// A network of a swarm.
    #[error("cannot create a swarm scoped network when swarm is not active")]
    SwarmScope,
    /// A routing mesh.
    #[error("Ingress network can only be global scope network")]
    Ingress,
    /// Neither IPv4 nor IPv6.
    #[error("IPv4 or IPv6 must be enabled")]
    NoFamily,
    /// The subnets make no sense.
    #[error("invalid network config:\n{}", .0.join("\n"))]
    Config(Vec<String>),
    /// The subnet is one of another network's.
    #[error("invalid pool request: Pool overlaps with other one on this address space")]
    Overlap,
    /// A driver's option that cannot be read.
    #[error("{0}")]
    InvalidOption(String),
    /// A driver's option that is not there yet.
    #[error("the network option {0} is not supported by this version of naru")]
    UnsupportedOption(String),
    /// A pattern that does not exist.
    #[error("configuration network \"{0}\" does not exist")]
    NoPattern(String),
    /// A pattern with something else beside.
    #[error(
        "user specified configurations are not supported if the network depends on a configuration network"
    )]
    PatternConflict,
    /// A pattern cannot be joined.
    #[error("cannot attach to configuration-only network {0}")]
    Pattern(String),
    /// A pattern that others depend on.
    #[error("error while removing network: configuration network \"{0}\" is in use")]
    PatternInUse(String),
    /// A network that is always there.
    #[error("{0} is a pre-defined network and cannot be removed")]
    NotRemovable(String),
    /// A network with running containers.
    #[error("error while removing network: network {network} has active endpoints ({})", .endpoints.join(", "))]
    InUse {
        /// The network.
        network: String,
        /// `name:"web" id:"0123456789ab"` of each endpoint.
        endpoints: Vec<String>,
    },
    /// Another network's bridge has the name.
    #[error(
        "cannot create network: conflicts with network {network}: networks have same bridge name {name:?}"
    )]
    SameBridge {
        /// The other network.
        network: String,
        /// The device.
        name: String,
    },
    /// Another network has the parent device.
    #[error("network {network} is already using parent interface {parent}")]
    SameParent {
        /// The other network.
        network: String,
        /// The device.
        parent: String,
    },
    /// The parent device is not there and is none that can be made.
    #[error("parent interface {0} does not exist")]
    NoParent(String),
    /// Not a hardware address.
    #[error("invalid MAC address {0}")]
    Mac(String),
    /// Another container has the hardware address.
    #[error("MAC address {mac} is already in use on network {network} by container {container}")]
    MacTaken {
        /// The address.
        mac: String,
        /// The network.
        network: String,
        /// Who has it.
        container: String,
    },
    /// Not a setting of one device.
    #[error(
        "invalid endpoint sysctl {0:?}: want net.ipv4.conf.IFNAME.NAME=VALUE, with ipv4, ipv6 or mpls, conf or neigh"
    )]
    EndpointSysctl(String),
    /// The settings of an endpoint do not fit the network.
    #[error("invalid endpoint settings:\n{}", .0.join("\n"))]
    Endpoint(Vec<String>),
    /// The address is taken.
    #[error("Address already in use")]
    AddressTaken,
    /// The container is in the network already.
    #[error("endpoint with name {container} already exists in network {network}")]
    Attached {
        /// The container's name.
        container: String,
        /// The network.
        network: String,
    },
    /// The container is not in the network.
    #[error("container {container} is not connected to network {network}")]
    NotAttached {
        /// The container's full id.
        container: String,
        /// The network.
        network: String,
    },
    /// A kernel setting could not be read or written.
    #[error("cannot set {} to {value}", .path.display())]
    Sysctl {
        /// The file below /proc/sys.
        path: PathBuf,
        /// What was to be written.
        value: String,
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
    /// A descriptor could not be duplicated.
    #[error("cannot keep a container's network namespace")]
    Descriptor(#[source] io::Error),
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
            // As Docker answers it: status 500, exit code 125.
            Self::PortTaken { .. } | Self::PortsExhausted { .. } | Self::PortBind { .. } => Kind::Internal,
            Self::ProtocolUnsupported { .. } => Kind::Unavailable,
            Self::Subnet(_)
            | Self::BridgeName(_)
            | Self::Ambiguous(_)
            | Self::Protocol(_)
            | Self::NoAddressToPublish
            | Self::EmptyName
            | Self::NoFamily
            | Self::Config(_)
            | Self::InvalidOption(_)
            | Self::PatternConflict
            | Self::NoParent(_)
            | Self::Mac(_)
            | Self::EndpointSysctl(_)
            | Self::Endpoint(_) => Kind::InvalidArgument,
            Self::NotFound(_) | Self::NoPlugin(_) | Self::NoPattern(_) => Kind::NotFound,
            Self::NameTaken { .. } | Self::Exists(_) => Kind::AlreadyExists,
            Self::Predefined(_)
            | Self::OnlyOne(_)
            | Self::NotInSwarm
            | Self::SwarmScope
            | Self::Ingress
            | Self::Overlap
            | Self::Pattern(_)
            | Self::PatternInUse(_)
            | Self::NotRemovable(_)
            | Self::InUse { .. }
            | Self::SameBridge { .. }
            | Self::SameParent { .. }
            | Self::MacTaken { .. }
            | Self::AddressTaken
            | Self::Attached { .. } => Kind::Forbidden,
            Self::UnsupportedOption(_) => Kind::Unimplemented,
            Self::NotAttached { .. } | Self::Resolver(_) => Kind::Internal,
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
            Self::Descriptor(_) => Kind::Exhausted,
            Self::Store(source) => source.kind(),
            Self::Record { .. } => Kind::DataLoss,
            Self::Closed => Kind::Unavailable,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NameTaken { .. } => Some("choose another name for the bridge with `--bridge`".into()),
            Self::NoSubnet => Some(
                "give a subnet with `--subnet`, or more address pools in daemon.json (default-address-pools)"
                    .into(),
            ),
            Self::InUse { .. } => Some("stop these containers, or disconnect them first".into()),
            Self::Overlap => Some("choose another subnet; `naru network inspect` shows those in use".into()),
            Self::NoAddress { .. } => {
                Some("remove containers, or take a network with a larger subnet".into())
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
