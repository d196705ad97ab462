//! Networks: bridges, macvlan, ipvlan, `host` and `none`; attaching containers to them.
//!
//! ```text
//! create:  record ── bridge ── packet filter
//! attach:  prepared namespace ── one message each: veth, its peer in the namespace, bridge port, up
//!                             └─ one message batch inside: addresses, up, default routes
//! detach:  forget the addresses; the namespace dies with its last process and takes the devices along
//! ```
//! Everything is made in the network namespace in which the engine runs, by netlink alone: nothing executes `ip`, `nft` or
//! `iptables`. The default bridge, its address and the packet filter are made on first use.
//!
//! What is attached is not stored: the links and the namespaces of the running containers are the truth, and
//! [`Network::reconcile`] reads it back after a restart of the engine. Only the networks themselves are records; what a
//! container asks for ([`EndpointSpec`]) lies in the container's record. Devices that are not in a container carry the
//! engine's mark, so that those of networks that are gone are found again.
//!
//! Not here: DNS. `--network host` and `container:` need no attachment.

#![forbid(unsafe_code)]

mod service;

mod config;
mod spec;
mod view;

mod gateway;
mod ipam;
mod options;
mod request;
mod subnet;

mod bridge;
mod coexist;
mod dns;
mod endpoint;
mod firewall;
mod inside;
mod parent;
mod ports;
mod sandbox;

mod reaper;
mod reconcile;
mod watch;

mod record;

mod error;

pub use config::NetworkConfig;
pub use dns::ADDRESS as RESOLVER;
pub use error::Error;
pub use ports::{Holder, PortRequest, Protocol, Published, Reserved};
pub use service::{Attached, Joining, Namespace, Network};
pub use spec::{CreateNetwork, EndpointSpec, Mac, PoolRequest};
pub use subnet::Subnet;
pub use view::{EndpointView, InterfaceAddress, NamedEndpoint, NetworkNames, NetworkView, PoolView};
