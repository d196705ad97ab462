//! Images.

use crate::go::Empty;
use crate::inspect::GraphDriver;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A row of `GET /images/json`.
///
/// # Source
/// Engine API v1.51 `ImageSummary`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ImageSummary {
    /// Containers that use it; -1 if not counted.
    pub containers: i64,
    /// Seconds since 1970.
    pub created: i64,
    /// The image's id.
    pub id: String,
    /// Labels.
    pub labels: Option<BTreeMap<String, String>>,
    /// The parent image's id, for images built here.
    pub parent_id: String,
    /// `busybox@sha256:…`.
    pub repo_digests: Vec<String>,
    /// `busybox:latest`.
    pub repo_tags: Vec<String>,
    /// Bytes shared with other images; -1 if not counted.
    pub shared_size: i64,
    /// Bytes of all its layers.
    pub size: i64,
}

/// The answer to `GET /images/{name}/json`.
///
/// # Source
/// Engine API v1.51 `ImageInspect`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ImageInspect {
    /// The image's id.
    pub id: String,
    /// `busybox:latest`.
    pub repo_tags: Vec<String>,
    /// `busybox@sha256:…`.
    pub repo_digests: Vec<String>,
    /// The parent image's id, for images built here.
    #[serde(default)]
    pub parent: String,
    /// The comment.
    #[serde(default)]
    pub comment: String,
    /// When it was made.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub created: String,
    /// The engine that made it.
    #[serde(default)]
    pub docker_version: String,
    /// The author.
    #[serde(default)]
    pub author: String,
    /// `amd64`, …
    pub architecture: String,
    /// `v7`, …
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub variant: String,
    /// `linux`.
    pub os: String,
    /// Windows.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub os_version: String,
    /// Bytes of all its layers.
    pub size: i64,
    /// Where its layers lie.
    pub graph_driver: GraphDriver,
    /// Its layers.
    #[serde(rename = "RootFS")]
    pub root_fs: RootFs,
    /// Facts that are not part of the image.
    pub metadata: ImageMetadata,
    /// How it runs.
    pub config: Option<ImageConfig>,
}

/// See [`ImageInspect::root_fs`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RootFs {
    /// `layers`.
    #[serde(rename = "Type")]
    pub kind: String,
    /// Diff IDs from the bottom layer to the top one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<String>,
}

/// See [`ImageInspect::metadata`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ImageMetadata {
    /// When it was tagged last.
    pub last_tag_time: String,
}

/// How an image runs.
///
/// # Source
/// Engine API v1.51 `ImageConfig`; members in the order in which moby 28 writes them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ImageConfig {
    /// The command is already escaped (Windows).
    #[serde(skip_serializing_if = "crate::go::is_default")]
    pub args_escaped: bool,
    /// The command.
    pub cmd: Option<Vec<String>>,
    /// The entrypoint.
    pub entrypoint: Option<Vec<String>>,
    /// `NAME=value`.
    pub env: Option<Vec<String>>,
    /// Declared ports.
    #[serde(skip_serializing_if = "crate::go::is_empty_map")]
    pub exposed_ports: Option<BTreeMap<String, Empty>>,
    /// The health check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<crate::container::HealthConfig>,
    /// Labels.
    pub labels: Option<BTreeMap<String, String>>,
    /// ONBUILD triggers.
    pub on_build: Option<Vec<String>>,
    /// The shell of shell-form instructions.
    #[serde(skip_serializing_if = "crate::go::is_empty_list")]
    pub shell: Option<Vec<String>>,
    /// The signal of `stop`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stop_signal: String,
    /// `user[:group]`.
    pub user: String,
    /// Declared volumes.
    pub volumes: Option<BTreeMap<String, Empty>>,
    /// Working directory.
    pub working_dir: String,
}

/// A row of `GET /images/{name}/history`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ImageHistory {
    /// The comment.
    pub comment: String,
    /// Seconds since 1970.
    pub created: i64,
    /// The instruction.
    pub created_by: String,
    /// The image's id in the first row, `<missing>` in the others.
    pub id: String,
    /// Bytes of the layer.
    pub size: i64,
    /// The image's tags in the first row.
    pub tags: Option<Vec<String>>,
}

/// A row of the answer to `DELETE /images/{name}`: one of the two.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ImageRemoved {
    /// A reference that is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub untagged: Option<String>,
    /// An image or a layer that is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted: Option<String>,
}

/// The answer to `POST /images/prune`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ImagesPruned {
    /// What is gone.
    pub images_deleted: Option<Vec<ImageRemoved>>,
    /// Bytes.
    pub space_reclaimed: u64,
}

/// One part of an image in the answer to `GET /images/{name}/verify`, an extension of ours.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ImageFinding {
    /// The digest of a blob, or the diff ID of a layer.
    pub digest: String,
    /// `blob`, `layer (file)`, `layer (directory)`.
    pub part: String,
    /// What is wrong; empty if all is well.
    pub flaw: String,
}
