//! What others see of networks and endpoints.

use crate::Subnet;
use refs::{ContainerId, EndpointId, NetworkId, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// An address of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceAddress {
    /// The address.
    pub address: IpAddr,
    /// The length of the network's part.
    pub prefix_len: u8,
    /// The way out: the bridge's address. None on internal networks.
    pub gateway: Option<IpAddr>,
}

/// A container's place in a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointView {
    /// The network.
    pub network_id: NetworkId,
    /// The network's name.
    pub network_name: String,
    /// The network's driver.
    pub driver: String,
    /// The endpoint: the same each time that the container is attached to the network.
    pub endpoint_id: EndpointId,
    /// The device's name inside, `eth0`.
    pub interface: String,
    /// The hardware address, `02:42:ac:11:00:02`.
    pub mac: String,
    /// The IPv4 address.
    pub ipv4: Option<InterfaceAddress>,
    /// The IPv6 address.
    pub ipv6: Option<InterfaceAddress>,
    /// The names in the network: of user-defined networks the container's, its aliases, its short id.
    pub dns_names: Vec<String>,
    /// The bridge device; none for drivers without.
    pub bridge: Option<String>,
    /// Whether it has the container's IPv4 default route.
    pub is_gateway: bool,
    /// Whether it has the container's IPv6 default route.
    pub is_gateway_v6: bool,
}

/// A subnet of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolView {
    /// The subnet.
    pub subnet: Subnet,
    /// The part that addresses are given from.
    pub range: Option<Subnet>,
    /// The gateway, if inspect shows it.
    pub gateway: Option<IpAddr>,
    /// Addresses that others than containers have.
    pub auxiliary: BTreeMap<String, IpAddr>,
}

/// A network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkView {
    /// Its id.
    pub id: NetworkId,
    /// Its name.
    pub name: String,
    /// Its driver: `bridge`, `macvlan`, `ipvlan`, `host` or `null`.
    pub driver: String,
    /// When it was made.
    pub created: Timestamp,
    /// Whether it was there from the beginning.
    pub is_predefined: bool,
    /// It has IPv4.
    pub ipv4: bool,
    /// It has IPv6.
    pub ipv6: bool,
    /// Nothing gets out.
    pub internal: bool,
    /// Shown only.
    pub attachable: bool,
    /// The driver of addresses.
    pub ipam_driver: String,
    /// Its options.
    pub ipam_options: Option<BTreeMap<String, String>>,
    /// Its subnets; none for networks without, and for a default bridge that was never used.
    pub pools: Vec<PoolView>,
    /// The driver's options, under Docker's names.
    pub options: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// It is a pattern for others only.
    pub config_only: bool,
    /// The pattern that it was made from; empty for none.
    pub config_from: String,
    /// The running containers in it; of `none` and `host` none are known here.
    pub containers: BTreeMap<ContainerId, EndpointView>,
}

/// The names that a container finds in one of its user-defined networks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkNames {
    /// The network's name.
    pub network: String,
    /// Whether it has no way out.
    pub internal: bool,
    /// What the container itself calls others in it: `container:name`.
    pub links: Vec<String>,
    /// The containers in it.
    pub endpoints: Vec<NamedEndpoint>,
}

/// A container with its names in a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedEndpoint {
    /// The container.
    pub container: ContainerId,
    /// Its name, its aliases, its short id.
    pub names: Vec<String>,
    /// Its IPv4 address.
    pub ipv4: Option<IpAddr>,
    /// Its IPv6 address.
    pub ipv6: Option<IpAddr>,
}
