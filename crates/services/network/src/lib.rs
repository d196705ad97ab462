//! Networks: the default bridge, `host` and `none`; attaching containers to them.
//!
//! ```text
//! attach:  prepared namespace ── one message: veth, its peer in the namespace, bridge port, up
//!                             └─ one message batch inside: address, up, default route
//! detach:  forget the address; the namespace dies with its last process and takes the veth along
//! ```
//! Everything is made in the network namespace in which the engine runs, by netlink alone: nothing executes `ip`, `nft` or
//! `iptables`. The bridge, its address and the packet filter are made on first use.
//!
//! What is attached is not stored: the links and the namespaces of the running containers are the truth, and
//! [`Network::reconcile`] reads it back after a restart of the engine. Only the networks themselves are records.
//!
//! Not here: user-defined networks, DNS. `--network host` and `container:` need no attachment.

#![forbid(unsafe_code)]

mod service;

mod config;
mod view;

mod ipam;
mod subnet;

mod bridge;
mod coexist;
mod endpoint;
mod firewall;
mod ports;
mod sandbox;

mod reaper;
mod reconcile;
mod watch;

mod record;

mod error;

pub use config::NetworkConfig;
pub use error::Error;
pub use ports::{Holder, PortRequest, Protocol, Published, Reserved};
pub use service::{Namespace, Network};
pub use subnet::Subnet;
pub use view::{Counters, EndpointView, NetworkView};
