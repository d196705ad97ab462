//! Networks and a container's endpoints on them.

use crate::go::{null, null_values};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A container's endpoint on a network: settings in a request, facts in an answer.
///
/// # Source
/// Engine API v1.51 `EndpointSettings`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct EndpointSettings {
    /// Addresses that were asked for.
    #[serde(rename = "IPAMConfig")]
    pub ipam_config: Option<EndpointIpamConfig>,
    /// Legacy links.
    pub links: Option<Vec<String>>,
    /// Further names.
    pub aliases: Option<Vec<String>>,
    /// Hardware address.
    #[serde(deserialize_with = "null")]
    pub mac_address: String,
    /// Options of the driver.
    #[serde(deserialize_with = "null_values")]
    pub driver_opts: Option<BTreeMap<String, String>>,
    /// The endpoint with the highest one gives the default route.
    #[serde(deserialize_with = "null")]
    pub gw_priority: i64,
    /// The network's full id.
    #[serde(rename = "NetworkID", deserialize_with = "null")]
    pub network_id: String,
    /// The endpoint's full id.
    #[serde(rename = "EndpointID", deserialize_with = "null")]
    pub endpoint_id: String,
    /// The default route.
    #[serde(deserialize_with = "null")]
    pub gateway: String,
    /// The address.
    #[serde(rename = "IPAddress", deserialize_with = "null")]
    pub ip_address: String,
    /// The address's prefix length.
    #[serde(rename = "IPPrefixLen", deserialize_with = "null")]
    pub ip_prefix_len: i64,
    /// The default route of IPv6.
    #[serde(rename = "IPv6Gateway", deserialize_with = "null")]
    pub ipv6_gateway: String,
    /// The IPv6 address.
    #[serde(rename = "GlobalIPv6Address", deserialize_with = "null")]
    pub global_ipv6_address: String,
    /// The IPv6 address's prefix length.
    #[serde(rename = "GlobalIPv6PrefixLen", deserialize_with = "null")]
    pub global_ipv6_prefix_len: i64,
    /// Names that the network's resolver answers for.
    #[serde(rename = "DNSNames")]
    pub dns_names: Option<Vec<String>>,
}

/// Addresses that were asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EndpointIpamConfig {
    /// IPv4.
    #[serde(rename = "IPv4Address", deserialize_with = "null", skip_serializing_if = "String::is_empty")]
    pub ipv4_address: String,
    /// IPv6.
    #[serde(rename = "IPv6Address", deserialize_with = "null", skip_serializing_if = "String::is_empty")]
    pub ipv6_address: String,
    /// Link-local addresses.
    #[serde(rename = "LinkLocalIPs", skip_serializing_if = "crate::go::is_empty_list")]
    pub link_local_ips: Option<Vec<String>>,
}

/// A network, as `GET /networks` and `GET /networks/{id}` show it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Network {
    /// The name.
    pub name: String,
    /// The full id.
    pub id: String,
    /// When it was made.
    pub created: String,
    /// `local`.
    pub scope: String,
    /// `bridge`, `host`, `null`, …
    pub driver: String,
    /// It has IPv4.
    #[serde(rename = "EnableIPv4")]
    pub enable_ipv4: bool,
    /// It has IPv6.
    #[serde(rename = "EnableIPv6")]
    pub enable_ipv6: bool,
    /// Its addresses.
    #[serde(rename = "IPAM")]
    pub ipam: Ipam,
    /// No way out.
    pub internal: bool,
    /// Swarm.
    pub attachable: bool,
    /// Swarm.
    pub ingress: bool,
    /// Swarm.
    pub config_from: ConfigFrom,
    /// Swarm.
    pub config_only: bool,
    /// Containers by id; filled in by `GET /networks/{id}` only.
    pub containers: BTreeMap<String, NetworkContainer>,
    /// Options of the driver.
    pub options: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// See [`Network::ipam`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Ipam {
    /// `default`.
    #[serde(deserialize_with = "null")]
    pub driver: String,
    /// Its options.
    pub options: Option<BTreeMap<String, String>>,
    /// The subnets.
    pub config: Option<Vec<IpamConfig>>,
}

/// A subnet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct IpamConfig {
    /// `172.17.0.0/16`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub subnet: String,
    /// The part that addresses are taken from.
    #[serde(rename = "IPRange", skip_serializing_if = "String::is_empty")]
    pub ip_range: String,
    /// The bridge's address.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub gateway: String,
    /// Addresses that others than containers have, by name.
    #[serde(deserialize_with = "null", skip_serializing_if = "BTreeMap::is_empty")]
    pub auxiliary_addresses: BTreeMap<String, String>,
}

/// The body of `POST /networks/create`.
///
/// # Source
/// Engine API v1.51 `NetworkCreateRequest`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NetworkCreate {
    /// The name.
    #[serde(deserialize_with = "null")]
    pub name: String,
    /// The driver; empty for `bridge`.
    #[serde(deserialize_with = "null")]
    pub driver: String,
    /// `local`, `swarm`; empty for the driver's.
    #[serde(deserialize_with = "null")]
    pub scope: String,
    /// It has IPv4; none for yes.
    #[serde(rename = "EnableIPv4", skip_serializing_if = "Option::is_none")]
    pub enable_ipv4: Option<bool>,
    /// It has IPv6; none for the engine's default.
    #[serde(rename = "EnableIPv6", skip_serializing_if = "Option::is_none")]
    pub enable_ipv6: Option<bool>,
    /// Its addresses.
    #[serde(rename = "IPAM")]
    pub ipam: Option<Ipam>,
    /// No way out.
    #[serde(deserialize_with = "null")]
    pub internal: bool,
    /// Swarm.
    #[serde(deserialize_with = "null")]
    pub attachable: bool,
    /// Swarm.
    #[serde(deserialize_with = "null")]
    pub ingress: bool,
    /// A pattern for others.
    #[serde(deserialize_with = "null")]
    pub config_only: bool,
    /// The pattern that it is made from.
    pub config_from: Option<ConfigFrom>,
    /// Options of the driver.
    #[serde(deserialize_with = "null_values")]
    pub options: Option<BTreeMap<String, String>>,
    /// Labels.
    #[serde(deserialize_with = "null_values")]
    pub labels: Option<BTreeMap<String, String>>,
}

/// The answer to `POST /networks/create`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NetworkCreated {
    /// The full id.
    pub id: String,
    /// What could not be done as asked.
    pub warning: String,
}

/// The body of `POST /networks/{id}/connect`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NetworkConnect {
    /// The container.
    #[serde(deserialize_with = "null")]
    pub container: String,
    /// Its place.
    pub endpoint_config: Option<EndpointSettings>,
}

/// The body of `POST /networks/{id}/disconnect`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NetworkDisconnect {
    /// The container.
    #[serde(deserialize_with = "null")]
    pub container: String,
    /// Even one that is gone.
    #[serde(deserialize_with = "null")]
    pub force: bool,
}

/// See [`Network::config_from`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ConfigFrom {
    /// The network's name.
    #[serde(deserialize_with = "null")]
    pub network: String,
}

/// A container on a network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct NetworkContainer {
    /// The container's name.
    pub name: String,
    /// The endpoint's full id.
    #[serde(rename = "EndpointID")]
    pub endpoint_id: String,
    /// Hardware address.
    pub mac_address: String,
    /// With prefix length.
    #[serde(rename = "IPv4Address")]
    pub ipv4_address: String,
    /// With prefix length.
    #[serde(rename = "IPv6Address")]
    pub ipv6_address: String,
}
