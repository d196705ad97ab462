//! Subnets of IPv4 and IPv6, and choosing a free one.

use crate::Error;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subnet {
    /// The network's address: no host bits.
    pub address: IpAddr,
    /// The length of the network's part, 0 to 32 or 128.
    pub prefix_len: u8,
}

impl Subnet {
    /// Returns the network that an address with a prefix length is in.
    pub fn containing(address: IpAddr, prefix_len: u8) -> Self {
        let (number, bits) = number(address);
        Self { address: address_of(number & mask(prefix_len, bits), bits), prefix_len }
    }

    /// Returns whether an address is in it.
    pub fn contains(self, address: IpAddr) -> bool {
        self.is_ipv4() == address.is_ipv4() && Self::containing(address, self.prefix_len) == self
    }

    /// Returns whether both have an address in common.
    pub fn overlaps(self, other: Self) -> bool {
        let shorter = self.prefix_len.min(other.prefix_len);
        self.is_ipv4() == other.is_ipv4()
            && Self::containing(self.address, shorter) == Self::containing(other.address, shorter)
    }

    /// Returns whether all of the other one is in it.
    pub fn covers(self, other: Self) -> bool {
        self.prefix_len <= other.prefix_len && self.contains(other.address)
    }

    /// Returns whether it is of IPv4.
    pub fn is_ipv4(self) -> bool {
        self.address.is_ipv4()
    }

    /// Returns the first host address: the gateway.
    pub fn first_host(self) -> IpAddr {
        let (number, bits) = number(self.address);
        address_of(number.saturating_add(1), bits)
    }

    /// Returns the last address: of IPv4 the broadcast address.
    pub(crate) fn last(self) -> IpAddr {
        let (number, bits) = number(self.address);
        address_of(number | !mask(self.prefix_len, bits) & mask_all(bits), bits)
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix_len)
    }
}

impl FromStr for Subnet {
    type Err = Error;

    /// Reads `172.17.0.0/16` or `fd00::/64`, with at least two hosts beside the two addresses that no host can have.
    fn from_str(text: &str) -> Result<Self, Error> {
        let (address, prefix_len) = parse_cidr(text).ok_or_else(|| Error::Subnet(text.to_owned()))?;
        let subnet = Self::containing(address, prefix_len);
        let longest = if subnet.is_ipv4() { 30 } else { 126 };
        let valid = subnet.address == address && (1..=longest).contains(&prefix_len);
        if valid { Ok(subnet) } else { Err(Error::Subnet(text.to_owned())) }
    }
}

/// Reads an address with a prefix length, which may have host bits.
pub(crate) fn parse_cidr(text: &str) -> Option<(IpAddr, u8)> {
    let (address, prefix_len) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let prefix_len: u8 = prefix_len.parse().ok()?;
    (prefix_len <= if address.is_ipv4() { 32 } else { 128 }).then_some((address, prefix_len))
}

/// Returns an address as a number, and how many bits it has.
pub(crate) fn number(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(v4) => (u32::from(v4).into(), 32),
        IpAddr::V6(v6) => (v6.into(), 128),
    }
}

/// Returns the address of a number.
pub(crate) fn address_of(number: u128, bits: u8) -> IpAddr {
    match bits {
        32 => Ipv4Addr::from(u32::try_from(number).unwrap_or(u32::MAX)).into(),
        _ => Ipv6Addr::from(number).into(),
    }
}

fn mask_all(bits: u8) -> u128 {
    u128::MAX.checked_shr(128 - u32::from(bits)).unwrap_or(0)
}

fn mask(prefix_len: u8, bits: u8) -> u128 {
    let host_bits = u32::from(bits.saturating_sub(prefix_len));
    u128::MAX.checked_shl(host_bits).unwrap_or(0) & mask_all(bits)
}

/// Returns the first subnet of the pools that overlaps none of those in use.
pub(crate) fn choose(pools: &[(Subnet, u8)], used: &[Subnet]) -> Option<Subnet> {
    pools.iter().find_map(|&(range, size)| {
        let (base, bits) = number(range.address);
        let end = number(range.last()).0;
        let step = 1u128.checked_shl(u32::from(bits.saturating_sub(size))).unwrap_or(0);
        let mut candidate = base;
        while candidate <= end && step > 0 {
            let subnet = Subnet { address: address_of(candidate, bits), prefix_len: size };
            match used.iter().find(|other| subnet.overlaps(**other)) {
                None => return Some(subnet),
                // What is in the way may be larger than one candidate: the next one lies behind it.
                Some(other) => {
                    candidate = candidate.max(number(other.last()).0 & !(step - 1)).checked_add(step)?
                }
            }
        }
        None
    })
}

/// Returns the pool of local IPv6 addresses that belongs to an engine: the same for ever, and hardly another one's.
///
/// # Source
/// RFC 4193: `fd`, 40 random bits, 16 bits for subnets.
pub(crate) fn local_pool(seed: &[u8]) -> (Subnet, u8) {
    let mut octets = [0; 16];
    octets[0] = 0xfd;
    for (octet, seed) in octets[1..6].iter_mut().zip(seed) {
        *octet = *seed;
    }
    (Subnet { address: Ipv6Addr::from(octets).into(), prefix_len: 48 }, 64)
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
        for text in [
            "172.17.0.1/16",
            "10.0.0.0/31",
            "10.0.0.0/33",
            "0.0.0.0/0",
            "10.0.0.0",
            "x/8",
            "::/0",
            "fd00::1/64",
        ] {
            assert!(matches!(text.parse::<Subnet>(), Err(Error::Subnet(_))), "{text}");
        }
        assert_eq!(subnet("172.17.0.0/16").to_string(), "172.17.0.0/16");
        assert_eq!(subnet("fd00:1::/64").to_string(), "fd00:1::/64");
    }

    #[test]
    fn overlaps_is_symmetric() {
        let cases = [
            ("10.0.0.0/8", "10.9.0.0/16", true),
            ("10.0.0.0/16", "10.1.0.0/16", false),
            ("192.168.0.0/20", "192.168.15.0/24", true),
            ("192.168.0.0/20", "192.168.16.0/24", false),
            ("fd00::/48", "fd00:0:0:1::/64", true),
            ("fd00::/48", "10.0.0.0/8", false),
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
    fn first_and_last_address_are_of_the_subnet() {
        let ends = |text: &str| (subnet(text).first_host().to_string(), subnet(text).last().to_string());
        assert_eq!(ends("10.0.0.0/29"), ("10.0.0.1".into(), "10.0.0.7".into()));
        assert_eq!(ends("fd00::/126"), ("fd00::1".into(), "fd00::3".into()));
        assert_eq!(ends("128.0.0.0/1"), ("128.0.0.1".into(), "255.255.255.255".into()));
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

    #[test]
    fn local_pool_gives_one_subnet_after_the_other() {
        let pool = local_pool(&[0x3a, 0x99, 0xab, 0x5f, 0xe5, 7]);
        assert_eq!(pool.0.to_string(), "fd3a:99ab:5fe5::/48");
        let first = choose(&[pool], &[]).expect("free");
        assert_eq!(first.to_string(), "fd3a:99ab:5fe5::/64");
        assert_eq!(choose(&[pool], &[first]).expect("free").to_string(), "fd3a:99ab:5fe5:1::/64");
    }
}
