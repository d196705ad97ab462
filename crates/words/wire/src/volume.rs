//! Volumes.

use crate::go::{self, null};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A volume.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Volume {
    /// When it was made.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub created_at: String,
    /// The driver.
    pub driver: String,
    /// Labels.
    pub labels: Option<BTreeMap<String, String>>,
    /// Where it lies on the host.
    pub mountpoint: String,
    /// The name.
    pub name: String,
    /// Options of the driver.
    pub options: Option<BTreeMap<String, String>>,
    /// `local` or `global`.
    pub scope: String,
    /// What it takes, and who has it; only in `/system/df`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage_data: Option<VolumeUsage>,
}

/// What a volume takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct VolumeUsage {
    /// Containers that have it; -1 for unknown.
    pub ref_count: i64,
    /// Bytes; -1 for unknown.
    pub size: i64,
}

/// The body of `POST /volumes/create`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct VolumeCreate {
    /// For cluster volumes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_volume_spec: Option<serde_json::Value>,
    /// The driver; empty for `local`.
    #[serde(deserialize_with = "null", skip_serializing_if = "go::is_default")]
    pub driver: String,
    /// Options of the driver.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver_opts: Option<BTreeMap<String, String>>,
    /// Labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    /// The name; empty for an anonymous one.
    #[serde(deserialize_with = "null", skip_serializing_if = "go::is_default")]
    pub name: String,
}

/// The answer to `GET /volumes`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct VolumeList {
    /// The volumes.
    #[serde(deserialize_with = "null")]
    pub volumes: Vec<Volume>,
    /// What went wrong with drivers.
    pub warnings: Option<Vec<String>>,
}

/// The answer to `POST /volumes/prune`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct VolumesPruned {
    /// Names.
    #[serde(deserialize_with = "null")]
    pub volumes_deleted: Vec<String>,
    /// Bytes.
    pub space_reclaimed: u64,
}

/// Options of a mount of a volume.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct VolumeOptions {
    /// The image's content is not copied into it.
    #[serde(deserialize_with = "null", skip_serializing_if = "go::is_default")]
    pub no_copy: bool,
    /// Labels, if it is made.
    #[serde(skip_serializing_if = "go::is_empty_map")]
    pub labels: Option<BTreeMap<String, String>>,
    /// What of it is mounted.
    #[serde(deserialize_with = "null", skip_serializing_if = "go::is_default")]
    pub subpath: String,
    /// The driver, if it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver_config: Option<VolumeDriver>,
}

/// The driver of a volume that is made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct VolumeDriver {
    /// Its name; empty for `local`.
    #[serde(deserialize_with = "null", skip_serializing_if = "go::is_default")]
    pub name: String,
    /// Its options.
    #[serde(skip_serializing_if = "go::is_empty_map")]
    pub options: Option<BTreeMap<String, String>>,
}
