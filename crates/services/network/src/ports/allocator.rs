//! Which port of the host is given. Pure, but for the try whether another program has it, which is a parameter.

use super::Protocol;
use refs::ContainerId;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// The ports of the host that containers have.
#[derive(Debug, Default)]
pub(super) struct Allocator {
    taken: BTreeMap<(Protocol, u16), Vec<(IpAddr, ContainerId)>>,
    /// Where the search in a range goes on: behind what was given last, so that a freed port rests as long as possible.
    last: BTreeMap<(Protocol, u16, u16), u16>,
}

/// Why no port was given.
#[derive(Debug)]
pub(super) enum Failure {
    /// Another container has it.
    Taken { host: SocketAddr, owner: ContainerId },
    /// All ports of the range are taken, by containers or by other programs.
    AllTaken { first: u16, last: u16 },
    /// The host refused it.
    Refused { host: SocketAddr, source: sys::Error },
}

impl Allocator {
    /// Takes the same port at all addresses: the only one of the range, or the next one that is free. `bind` tries whether
    /// the host has it.
    pub(super) fn allocate<T>(
        &mut self,
        owner: &ContainerId,
        protocol: Protocol,
        hosts: &[IpAddr],
        (first, last): (u16, u16),
        mut bind: impl FnMut(&[SocketAddr]) -> Result<Vec<(SocketAddr, T)>, (SocketAddr, sys::Error)>,
    ) -> Result<Vec<(SocketAddr, T)>, Failure> {
        let is_fixed = first == last;
        for port in self.candidates(protocol, first, last) {
            let addresses: Vec<SocketAddr> = hosts.iter().map(|host| SocketAddr::new(*host, port)).collect();
            let conflict =
                addresses.iter().find_map(|host| Some((*host, self.owner(protocol, *host)?.clone())));
            if let Some((host, owner)) = conflict {
                match is_fixed {
                    true => return Err(Failure::Taken { host, owner }),
                    false => continue,
                }
            }
            match bind(&addresses) {
                Ok(bound) => {
                    self.last.insert((protocol, first, last), port);
                    for (host, _) in &bound {
                        self.claim(owner, protocol, *host);
                    }
                    return Ok(bound);
                }
                Err((_, error)) if !is_fixed && error.is(sys::Errno::ADDRINUSE) => {}
                Err((host, source)) => return Err(Failure::Refused { host, source }),
            }
        }
        Err(Failure::AllTaken { first, last })
    }

    /// Notes a port as a container's.
    pub(super) fn claim(&mut self, owner: &ContainerId, protocol: Protocol, host: SocketAddr) {
        self.taken.entry((protocol, host.port())).or_default().push((host.ip(), owner.clone()));
    }

    /// Gives a port back.
    pub(super) fn release(&mut self, protocol: Protocol, host: SocketAddr) {
        if let Some(list) = self.taken.get_mut(&(protocol, host.port())) {
            list.retain(|(address, _)| *address != host.ip());
            if list.is_empty() {
                self.taken.remove(&(protocol, host.port()));
            }
        }
    }

    /// Returns who has a port at an address, or at all addresses of its family.
    fn owner(&self, protocol: Protocol, host: SocketAddr) -> Option<&ContainerId> {
        let overlaps = |address: IpAddr| {
            let same_family = address.is_ipv4() == host.is_ipv4();
            same_family && (address == host.ip() || address.is_unspecified() || host.ip().is_unspecified())
        };
        let list = self.taken.get(&(protocol, host.port()))?;
        list.iter().find(|(address, _)| overlaps(*address)).map(|(_, owner)| owner)
    }

    fn candidates(&self, protocol: Protocol, first: u16, last: u16) -> impl Iterator<Item = u16> + use<> {
        let start = match self.last.get(&(protocol, first, last)) {
            Some(given) if *given < last => given + 1,
            _ => first,
        };
        (start..=last).chain(first..start)
    }
}
