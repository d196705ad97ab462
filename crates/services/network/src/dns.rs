//! The embedded resolver of containers on user networks: 127.0.0.11 inside.
//!
//! ```text
//! program ── 127.0.0.11:53 ──▶ nf_tables of the container's namespace ──▶ 127.0.0.11:<port>, sockets of this service
//!                                                                          ├── our names: answered at once
//!                                                                          └── all others: the host's resolvers, raced
//! ```
//! The sockets are made inside the container's namespace by a thread that ends afterwards. The translation, and no socket
//! at port 53, leaves that port to programs that listen at all addresses.
//!
//! **An engine that is away.** The container's supervisor holds duplicates of the sockets: queries wait in them until the
//! next engine, which takes the same sockets over, has answered. So a program waits for it, and is not refused.
//!
//! **Hostile containers.** A query is at most 4 KiB; what is malformed is answered with an error or not at all; a container
//! has at most [`server::FORWARDS`] queries under way and [`server::CONNECTIONS`] connections, and others do not notice.

mod answer;
mod hosts_resolvers;
mod resolvers;
mod server;
mod sockets;
mod upstream;

pub(crate) use resolvers::{Resolvers, sockets};

use std::net::Ipv4Addr;

/// The resolver's address in every container.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);
