//! The answer to `GET /containers/json`.

use crate::inspect::MountPoint;
use crate::network::EndpointSettings;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A row of the list.
///
/// # Source
/// Engine API v1.51 `ContainerSummary`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ContainerSummary {
    /// The full id.
    pub id: String,
    /// Names with a leading slash.
    pub names: Vec<String>,
    /// The image as the user named it, or its id if that name means another image by now.
    pub image: String,
    /// The image's id.
    #[serde(rename = "ImageID")]
    pub image_id: String,
    /// The command line, quoted where a shell needs it.
    pub command: String,
    /// Seconds since 1970.
    pub created: i64,
    /// Ports.
    pub ports: Vec<Port>,
    /// Bytes of its writable layer; only with `size=1`, absent if none.
    #[serde(default, skip_serializing_if = "crate::go::is_default")]
    pub size_rw: i64,
    /// Bytes of its root file system; only with `size=1`.
    #[serde(default, skip_serializing_if = "crate::go::is_default")]
    pub size_root_fs: i64,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// `running`, …
    pub state: String,
    /// `Up 5 minutes`.
    pub status: String,
    /// A part of the host configuration.
    pub host_config: SummaryHostConfig,
    /// Its networks.
    pub network_settings: SummaryNetworkSettings,
    /// What is mounted.
    pub mounts: Vec<MountPoint>,
}

/// A port of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Port {
    /// The host's address, if published.
    #[serde(rename = "IP", default, skip_serializing_if = "String::is_empty")]
    pub ip: String,
    /// In the container.
    pub private_port: u16,
    /// On the host, if published.
    #[serde(default, skip_serializing_if = "crate::go::is_default")]
    pub public_port: u16,
    /// `tcp`, `udp`, `sctp`.
    #[serde(rename = "Type")]
    pub protocol: String,
}

/// See [`ContainerSummary::host_config`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SummaryHostConfig {
    /// The network mode.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub network_mode: String,
    /// Annotations.
    #[serde(default, skip_serializing_if = "crate::go::is_empty_map")]
    pub annotations: Option<BTreeMap<String, String>>,
}

/// See [`ContainerSummary::network_settings`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SummaryNetworkSettings {
    /// Endpoints by network name.
    pub networks: BTreeMap<String, EndpointSettings>,
}
