//! Which address a container gets. Pure.

use crate::Subnet;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// The addresses of one subnet.
///
/// Next-fit: the search goes on behind the address that was given last, so that a freed address rests as long as
/// possible. Its old owner may still answer for a moment, and neighbours have it in their caches.
#[derive(Clone, Debug)]
pub(crate) struct Addresses {
    subnet: Subnet,
    gateway: Ipv4Addr,
    taken: BTreeSet<Ipv4Addr>,
    last: Ipv4Addr,
}

impl Addresses {
    /// Returns the addresses of a subnet, of which the gateway's is taken.
    pub(crate) fn new(subnet: Subnet, gateway: Ipv4Addr) -> Self {
        Self { subnet, gateway, taken: BTreeSet::new(), last: subnet.address }
    }

    /// Takes the next free address; none if all are taken.
    pub(crate) fn take(&mut self) -> Option<Ipv4Addr> {
        let (first, end) = (u32::from(self.subnet.first_host()), u32::from(self.subnet.last()));
        let after_last = u32::from(self.last).saturating_add(1).clamp(first, end);
        let free = |address: &Ipv4Addr| *address != self.gateway && !self.taken.contains(address);
        let found = (after_last..end).chain(first..after_last).map(Ipv4Addr::from).find(free)?;
        self.last = found;
        self.taken.insert(found);
        Some(found)
    }

    /// Takes a given address (of a container that runs already); false if it is taken or not in the subnet.
    pub(crate) fn claim(&mut self, address: Ipv4Addr) -> bool {
        let valid = self.subnet.contains(address) && address != self.gateway;
        let claimed = valid && self.taken.insert(address);
        if claimed {
            self.last = self.last.max(address);
        }
        claimed
    }

    /// Gives an address back.
    pub(crate) fn release(&mut self, address: Ipv4Addr) {
        self.taken.remove(&address);
    }

    /// Returns the subnet.
    pub(crate) fn subnet(&self) -> Subnet {
        self.subnet
    }

    /// Returns the gateway.
    pub(crate) fn gateway(&self) -> Ipv4Addr {
        self.gateway
    }
}

/// Returns the hardware address for an IPv4 address, as Docker did before version 28.
///
/// COMPAT: Docker 28 takes a random one and announces it; with this one no cache of a neighbour is ever wrong.
pub(crate) fn mac(address: Ipv4Addr) -> [u8; 6] {
    let [a, b, c, d] = address.octets();
    [0x02, 0x42, a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(subnet: &str) -> Addresses {
        let subnet: Subnet = subnet.parse().expect("valid");
        Addresses::new(subnet, subnet.first_host())
    }

    fn ip(text: &str) -> Ipv4Addr {
        text.parse().expect("valid")
    }

    #[test]
    fn first_address_is_behind_the_gateway() {
        assert_eq!(addresses("172.17.0.0/16").take(), Some(ip("172.17.0.2")));
    }

    #[test]
    fn freed_address_rests_until_the_others_were_used() {
        let mut addresses = addresses("10.0.0.0/29"); // .2 to .6
        assert_eq!(addresses.take(), Some(ip("10.0.0.2")));
        addresses.release(ip("10.0.0.2"));
        let next: Vec<_> = (0..5).map_while(|_| addresses.take()).collect();
        assert_eq!(next, ["10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.2"].map(ip));
        assert_eq!(addresses.take(), None);
        addresses.release(ip("10.0.0.4"));
        assert_eq!(addresses.take(), Some(ip("10.0.0.4")));
    }

    #[test]
    fn claimed_addresses_are_not_given_out() {
        let mut addresses = addresses("10.0.0.0/29");
        assert!(addresses.claim(ip("10.0.0.3")));
        assert!(!addresses.claim(ip("10.0.0.3")));
        assert!(!addresses.claim(ip("10.0.0.1")), "the gateway's");
        assert!(!addresses.claim(ip("10.0.1.3")), "another subnet's");
        let given: Vec<_> = std::iter::from_fn(|| addresses.take()).collect();
        assert_eq!(given, ["10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.2"].map(ip));
    }
}
