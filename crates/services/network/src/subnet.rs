//! IPv4 subnets, and choosing a free one.

use crate::Error;
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// An IPv4 network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subnet {
    /// The network's address: no host bits.
    pub address: Ipv4Addr,
    /// The length of the network's part, 0 to 32.
    pub prefix_len: u8,
}

impl Subnet {
    /// Returns the network that an address with a prefix length is in.
    pub fn containing(address: Ipv4Addr, prefix_len: u8) -> Self {
        Self { address: Ipv4Addr::from(u32::from(address) & mask(prefix_len)), prefix_len }
    }

    /// Returns whether an address is in it.
    pub fn contains(self, address: Ipv4Addr) -> bool {
        Self::containing(address, self.prefix_len) == self
    }

    /// Returns whether both have an address in common.
    pub fn overlaps(self, other: Self) -> bool {
        let shorter = self.prefix_len.min(other.prefix_len);
        Self::containing(self.address, shorter) == Self::containing(other.address, shorter)
    }

    /// Returns the first host address: the gateway.
    pub fn first_host(self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.address).saturating_add(1))
    }

    /// Returns the last address: the broadcast address.
    pub(crate) fn last(self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.address) | !mask(self.prefix_len))
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix_len)
    }
}

impl FromStr for Subnet {
    type Err = Error;

    /// Reads `172.17.0.0/16`. The prefix is at most 30: two hosts and the two addresses that no host can have.
    fn from_str(text: &str) -> Result<Self, Error> {
        let parse = || {
            let (address, prefix_len) = text.split_once('/')?;
            let subnet = Self { address: address.parse().ok()?, prefix_len: prefix_len.parse().ok()? };
            let valid = (1..=30).contains(&subnet.prefix_len) && subnet.contains(subnet.address);
            (valid && Self::containing(subnet.address, subnet.prefix_len) == subnet).then_some(subnet)
        };
        parse().ok_or_else(|| Error::Subnet(text.to_owned()))
    }
}

fn mask(prefix_len: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix_len.min(32))).unwrap_or(0)
}

/// Returns the first subnet of the pools that overlaps none of those in use.
pub(crate) fn choose(pools: &[(Subnet, u8)], used: &[Subnet]) -> Option<Subnet> {
    let free = |candidate: &Subnet| used.iter().all(|other| !candidate.overlaps(*other));
    pools.iter().find_map(|&(range, size)| {
        let count = 1u64.checked_shl(u32::from(size.saturating_sub(range.prefix_len))).unwrap_or(0);
        let step = 1u64 << (32 - u32::from(size.min(32)));
        let base = u64::from(u32::from(range.address));
        let candidates = (0..count).filter_map(move |n| u32::try_from(base + n * step).ok());
        candidates.map(|address| Subnet { address: address.into(), prefix_len: size }).find(free)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NetworkConfig;

    fn subnet(text: &str) -> Subnet {
        text.parse().expect("a valid subnet")
    }

    #[test]
    fn subnet_with_host_bits_or_without_hosts_is_refused() {
        for text in ["172.17.0.1/16", "10.0.0.0/31", "10.0.0.0/33", "0.0.0.0/0", "10.0.0.0", "x/8", "::/64"] {
            assert!(matches!(text.parse::<Subnet>(), Err(Error::Subnet(_))), "{text}");
        }
        assert_eq!(subnet("172.17.0.0/16").to_string(), "172.17.0.0/16");
    }

    #[test]
    fn overlaps_is_symmetric() {
        let cases = [
            ("10.0.0.0/8", "10.9.0.0/16", true),
            ("10.0.0.0/16", "10.1.0.0/16", false),
            ("192.168.0.0/20", "192.168.15.0/24", true),
            ("192.168.0.0/20", "192.168.16.0/24", false),
        ];
        for (a, b, want) in cases {
            assert_eq!(
                (subnet(a).overlaps(subnet(b)), subnet(b).overlaps(subnet(a))),
                (want, want),
                "{a} {b}"
            );
        }
    }

    #[test]
    fn choose_skips_what_the_host_uses() {
        let pools = NetworkConfig::default().default_pools;
        assert_eq!(choose(&pools, &[]), Some(subnet("172.17.0.0/16")));
        assert_eq!(choose(&pools, &[subnet("172.16.0.0/14")]), Some(subnet("172.20.0.0/16")));
        let used = [subnet("172.16.0.0/12"), subnet("192.168.0.0/24")];
        assert_eq!(choose(&pools, &used), Some(subnet("192.168.16.0/20")));
        assert_eq!(choose(&pools, &[subnet("128.0.0.0/1")]), None);
    }
}
