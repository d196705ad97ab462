//! The resolver's sockets inside a container's namespace, and the translation that leads to them.

use super::ADDRESS;
use crate::Error;
use netlink::Socket;
use netlink::nft::map::{self, Element, Set, SetKind, Table};
use netlink::nft::{Chain, Expression, Family, Hook};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use sys::inet::{Transport, local_address, reserve};
use sys::ns::{self, Types};

/// The port at which programs ask.
const PORT: u16 = 53;

/// The resolver's sockets in one container.
#[derive(Debug)]
pub(crate) struct Sockets {
    /// Queries by datagram.
    pub(super) udp: OwnedFd,
    /// Queries by stream.
    pub(super) tcp: OwnedFd,
}

/// Makes the sockets in a namespace, on a thread that ends afterwards.
pub(super) fn make(namespace: OwnedFd) -> Result<Sockets, Error> {
    let inside = move || {
        ns::join(&namespace, Types::NETWORK).map_err(|source| Error::Namespace { what: "enter", source })?;
        furnish()
    };
    std::thread::spawn(inside).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Makes the sockets in the calling thread's namespace.
fn furnish() -> Result<Sockets, Error> {
    let any_port = SocketAddr::new(ADDRESS.into(), 0);
    let reserve = |transport| reserve(transport, any_port).map_err(Error::Resolver);
    let sockets = Sockets { udp: reserve(Transport::Udp)?, tcp: reserve(Transport::Tcp)? };
    let refused =
        |source| Error::Netlink { what: "lead the container's name queries to the resolver", source };
    let address = |socket| local_address(socket).map_err(Error::Resolver);
    let table = table(address(&sockets.udp)?, address(&sockets.tcp)?);
    let netfilter = Socket::netfilter().map_err(refused)?;
    map::replace(&netfilter, &table).map_err(refused)?;
    Ok(sockets)
}

fn table(udp: SocketAddr, tcp: SocketAddr) -> Table {
    let at = SocketAddr::new(ADDRESS.into(), PORT);
    let element = |transport: Transport, to| Element::address_port(transport.number(), at, to);
    let elements = vec![element(Transport::Udp, udp), element(Transport::Tcp, tcp)];
    let rule = vec![Expression::TranslateByAddress("queries".to_owned())];
    Table {
        family: Family::Ip,
        name: "naru-dns".to_owned(),
        sets: vec![Set { name: "queries".to_owned(), kind: SetKind::AddressPort, elements }],
        chains: vec![Chain { name: "output".to_owned(), hook: Hook::OutputNat, rules: vec![rule] }],
    }
}
