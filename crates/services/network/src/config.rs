//! What the operator can choose.

use crate::Subnet;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

/// The settings of the default bridge, and what holds for all networks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkConfig {
    /// The name of the bridge device, at most 15 bytes.
    pub bridge_name: String,
    /// The bridge's subnet and own address (daemon.json's `bip`); none takes the first free one of the pools.
    pub subnet: Option<(Subnet, IpAddr)>,
    /// The part of the bridge's subnet that addresses are given from.
    pub fixed_cidr: Option<Subnet>,
    /// Whether the default bridge has IPv6.
    pub ipv6: bool,
    /// The bridge's IPv6 subnet; none takes one of the pools.
    pub fixed_cidr_v6: Option<Subnet>,
    /// Where subnets are taken from: a range, and the prefix length of the subnets in it. For IPv6 there is one of the
    /// engine's own if there is none here.
    pub default_pools: Vec<(Subnet, u8)>,
    /// The options that networks of a driver have unless they are given.
    pub default_options: BTreeMap<String, BTreeMap<String, String>>,
    /// The greatest packet in bytes.
    pub mtu: u32,
    /// Whether forwarding is switched on in the kernel.
    pub ip_forward: bool,
    /// Whether containers of the default bridge reach the outside with the host's address.
    pub ip_masq: bool,
    /// Whether containers of the default bridge reach each other.
    pub icc: bool,
    /// The host's address at which ports are published that name none; none for all addresses.
    pub publish_address: Option<IpAddr>,
    /// How many network namespaces are kept prepared.
    pub prepared: usize,
}

impl Default for NetworkConfig {
    /// Returns Docker's defaults, with a bridge of our own.
    fn default() -> Self {
        let range =
            |address: [u8; 4], prefix_len| Subnet { address: Ipv4Addr::from(address).into(), prefix_len };
        let mut default_pools: Vec<_> =
            (17..=31).map(|second| (range([172, second, 0, 0], 16), 16)).collect();
        default_pools.push((range([192, 168, 0, 0], 16), 20));
        Self {
            bridge_name: "naru0".into(),
            subnet: None,
            fixed_cidr: None,
            ipv6: false,
            fixed_cidr_v6: None,
            default_pools,
            default_options: BTreeMap::new(),
            mtu: 1500,
            ip_forward: true,
            ip_masq: true,
            icc: true,
            publish_address: None,
            prepared: 4,
        }
    }
}
