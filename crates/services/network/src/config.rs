//! What the operator can choose.

use crate::Subnet;
use std::net::{IpAddr, Ipv4Addr};

/// The settings of the default bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkConfig {
    /// The name of the bridge device, at most 15 bytes.
    pub bridge_name: String,
    /// The bridge's subnet (daemon.json's `bip` without the host part); none takes the first free one of the pools.
    pub subnet: Option<Subnet>,
    /// Where subnets are taken from: a range, and the prefix length of the subnets in it.
    pub default_pools: Vec<(Subnet, u8)>,
    /// The greatest packet in bytes.
    pub mtu: u32,
    /// Whether forwarding is switched on in the kernel.
    pub ip_forward: bool,
    /// Whether containers reach the outside with the host's address.
    pub ip_masq: bool,
    /// The host's address at which ports are published that name none; none for all addresses.
    pub publish_address: Option<IpAddr>,
    /// How many network namespaces are kept prepared.
    pub prepared: usize,
}

impl Default for NetworkConfig {
    /// Returns Docker's defaults, with a bridge of our own.
    fn default() -> Self {
        let range = |address: [u8; 4], prefix_len| Subnet { address: Ipv4Addr::from(address), prefix_len };
        let mut default_pools: Vec<_> =
            (17..=31).map(|second| (range([172, second, 0, 0], 16), 16)).collect();
        default_pools.push((range([192, 168, 0, 0], 16), 20));
        Self {
            bridge_name: "naru0".into(),
            subnet: None,
            default_pools,
            mtu: 1500,
            ip_forward: true,
            ip_masq: true,
            publish_address: None,
            prepared: 4,
        }
    }
}
