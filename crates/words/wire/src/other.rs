//! Answers of resources that have nothing in them yet.

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
