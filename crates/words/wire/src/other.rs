//! Answers that belong to no one resource.

use serde::{Deserialize, Serialize};

/// The answer to `GET /volumes`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct VolumeList {
    /// The volumes.
    pub volumes: Vec<serde_json::Value>,
    /// What went wrong with drivers.
    pub warnings: Option<Vec<String>>,
}

/// The answer to `POST /networks/prune`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct NetworksPruned {
    /// Names.
    pub networks_deleted: Option<Vec<String>>,
}

/// The answer to a prune request of any kind; members of other kinds are absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Pruned {
    /// Full ids.
    pub containers_deleted: Option<Vec<String>>,
    /// Names.
    pub networks_deleted: Option<Vec<String>>,
    /// Names.
    pub volumes_deleted: Option<Vec<String>>,
    /// References and ids.
    pub images_deleted: Option<Vec<crate::image::ImageRemoved>>,
    /// Bytes.
    pub space_reclaimed: u64,
}
