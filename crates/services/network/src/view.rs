//! What others see of networks and endpoints.

use refs::{ContainerId, EndpointId, NetworkId, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

pub use netlink::link::Counters;

/// A container's place in a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointView {
    /// The network.
    pub network_id: NetworkId,
    /// The network's name.
    pub network_name: String,
    /// The endpoint: the same each time that the container is attached to the network.
    pub endpoint_id: EndpointId,
    /// The hardware address, `02:42:ac:11:00:02`.
    pub mac: String,
    /// The address.
    pub address: Ipv4Addr,
    /// The length of the network's part.
    pub prefix_len: u8,
    /// The gateway: the bridge's address.
    pub gateway: Ipv4Addr,
}

/// A network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkView {
    /// Its id.
    pub id: NetworkId,
    /// Its name: `bridge`, `host` or `none`.
    pub name: String,
    /// Its driver: `bridge`, `host` or `null`.
    pub driver: String,
    /// When it was made.
    pub created: Timestamp,
    /// Its subnet and gateway; none for networks without, and for a bridge that was never used.
    pub subnet: Option<(crate::Subnet, Ipv4Addr)>,
    /// The driver's options, under Docker's names.
    pub options: BTreeMap<String, String>,
    /// The running containers in it; of `none` and `host` none are known here.
    pub containers: BTreeMap<ContainerId, EndpointView>,
}

/// Returns a hardware address as text.
pub(crate) fn mac_text(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}
