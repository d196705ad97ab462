//! Which address a container gets. Pure.

use crate::Subnet;
use crate::subnet::{address_of, number};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Why an address that was asked for is not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// It is not in the subnet.
    Outside,
    /// The gateway, an auxiliary address or a container has it.
    Taken,
}

/// The addresses of one subnet.
///
/// Next-fit: the search goes on behind the address that was given last, so that a freed address rests as long as
/// possible. Its old owner may still answer for a moment, and neighbours have it in their caches.
#[derive(Clone, Debug)]
pub(crate) struct Addresses {
    subnet: Subnet,
    /// The part that addresses are given from, unless one is asked for.
    range: Subnet,
    gateway: IpAddr,
    taken: BTreeSet<IpAddr>,
    last: Option<IpAddr>,
}

impl Addresses {
    /// Returns the addresses of a subnet, of which the gateway's and the reserved ones are taken.
    pub(crate) fn new(
        subnet: Subnet,
        range: Option<Subnet>,
        gateway: IpAddr,
        reserved: impl IntoIterator<Item = IpAddr>,
    ) -> Self {
        let taken = reserved.into_iter().chain([gateway]).collect();
        Self { subnet, range: range.unwrap_or(subnet), gateway, taken, last: None }
    }

    /// Takes the next free address; none if all are taken.
    pub(crate) fn take(&mut self) -> Option<IpAddr> {
        let (first, bits) = number(self.range.address);
        let end = number(self.range.last()).0;
        let after_last = self.last.map_or(first, |last| number(last).0.saturating_add(1)).clamp(first, end);
        // The taken ones are few: among one more than there are, one is free or none is.
        let tries = self.taken.len() + 3;
        let behind = (after_last..=end).take(tries);
        let before = (first..after_last).take(tries);
        let found = behind.chain(before).map(|n| address_of(n, bits)).find(|free| self.is_free(*free))?;
        self.last = Some(found);
        self.taken.insert(found);
        Some(found)
    }

    /// Takes a given address.
    pub(crate) fn claim(&mut self, address: IpAddr) -> Result<(), Denied> {
        if !self.subnet.contains(address) {
            return Err(Denied::Outside);
        }
        if !self.is_free(address) {
            return Err(Denied::Taken);
        }
        self.taken.insert(address);
        Ok(())
    }

    /// Takes the address of a container that runs already.
    pub(crate) fn adopt(&mut self, address: IpAddr) {
        if self.claim(address).is_ok() && self.range.contains(address) {
            self.last = self.last.max(Some(address));
        }
    }

    /// Gives an address back.
    pub(crate) fn release(&mut self, address: IpAddr) {
        if address != self.gateway {
            self.taken.remove(&address);
        }
    }

    /// Returns the subnet.
    pub(crate) fn subnet(&self) -> Subnet {
        self.subnet
    }

    fn is_free(&self, address: IpAddr) -> bool {
        let broadcast = address.is_ipv4() && address == self.subnet.last();
        address != self.subnet.address && !broadcast && !self.taken.contains(&address)
    }
}

/// Returns the gateway for a subnet for which none was given: the first address of the range.
pub(crate) fn first_gateway(subnet: Subnet, range: Option<Subnet>) -> IpAddr {
    match range {
        Some(range) if range.address != subnet.address => range.address,
        _ => subnet.first_host(),
    }
}

/// Returns the hardware address for an IPv4 address, as Docker did before version 28; else a random one.
///
/// COMPAT: Docker 28 takes a random one and announces it; with this one no cache of a neighbour is ever wrong.
pub(crate) fn mac(address: Option<IpAddr>, random: [u8; 5]) -> [u8; 6] {
    match address {
        Some(IpAddr::V4(v4)) => {
            let [a, b, c, d] = v4.octets();
            [0x02, 0x42, a, b, c, d]
        }
        // 02: of nobody's making, for one device.
        Some(IpAddr::V6(_)) | None => [0x02, random[0], random[1], random[2], random[3], random[4]],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(subnet: &str) -> Addresses {
        let subnet: Subnet = subnet.parse().expect("valid");
        Addresses::new(subnet, None, subnet.first_host(), [])
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("valid")
    }

    #[test]
    fn first_address_is_behind_the_gateway() {
        assert_eq!(addresses("172.17.0.0/16").take(), Some(ip("172.17.0.2")));
        assert_eq!(addresses("fd00::/64").take(), Some(ip("fd00::2")));
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
        assert_eq!(addresses.claim(ip("10.0.0.3")), Ok(()));
        assert_eq!(addresses.claim(ip("10.0.0.3")), Err(Denied::Taken));
        assert_eq!(addresses.claim(ip("10.0.0.1")), Err(Denied::Taken), "the gateway's");
        assert_eq!(addresses.claim(ip("10.0.0.7")), Err(Denied::Taken), "the broadcast address");
        assert_eq!(addresses.claim(ip("10.0.1.3")), Err(Denied::Outside), "another subnet's");
        let given: Vec<_> = std::iter::from_fn(|| addresses.take()).collect();
        assert_eq!(given, ["10.0.0.2", "10.0.0.4", "10.0.0.5", "10.0.0.6"].map(ip));
    }

    #[test]
    fn adopted_address_is_where_the_search_goes_on() {
        let mut addresses = addresses("10.0.0.0/29");
        addresses.adopt(ip("10.0.0.4"));
        addresses.adopt(ip("10.9.0.4"));
        assert_eq!(addresses.take(), Some(ip("10.0.0.5")));
    }

    #[test]
    fn range_is_given_out_and_the_rest_on_request_only() {
        let subnet: Subnet = "10.0.0.0/24".parse().expect("valid");
        let range: Subnet = "10.0.0.128/30".parse().expect("valid");
        let gateway = first_gateway(subnet, Some(range));
        assert_eq!(gateway, ip("10.0.0.128"));
        let mut addresses = Addresses::new(subnet, Some(range), gateway, [ip("10.0.0.130")]);
        let given: Vec<_> = std::iter::from_fn(|| addresses.take()).collect();
        assert_eq!(given, ["10.0.0.129", "10.0.0.131"].map(ip));
        assert_eq!(addresses.claim(ip("10.0.0.20")), Ok(()));
        assert_eq!(addresses.claim(ip("10.0.0.130")), Err(Denied::Taken), "auxiliary");
    }

    #[test]
    fn mac_follows_the_ipv4_address() {
        assert_eq!(mac(Some(ip("172.17.0.2")), [9; 5]), [0x02, 0x42, 172, 17, 0, 2]);
        assert_eq!(mac(Some(ip("fd00::2")), [9; 5]), [0x02, 9, 9, 9, 9, 9]);
    }
}
