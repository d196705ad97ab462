//! The lines of progress streams: pull, and later push, load, build.

use serde::{Deserialize, Serialize};

/// One line. Written with [`crate::go::escape_html`], as Docker does.
///
/// # Source
/// moby `pkg/jsonmessage.JSONMessage`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Line {
    /// Output of a build.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stream: String,
    /// What is done, or a sentence.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub status: String,
    /// Numbers; present (though maybe empty) on every line about a layer.
    #[serde(rename = "progressDetail", skip_serializing_if = "Option::is_none")]
    pub progress_detail: Option<Detail>,
    /// A ready-made bar, for very old clients.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub progress: String,
    /// The layer's short digest, or the tag.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// The error that ended the stream.
    #[serde(rename = "errorDetail", skip_serializing_if = "Option::is_none")]
    pub error_detail: Option<ErrorDetail>,
    /// The error's text again.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub error: String,
    /// What programs read: the digest of what was pushed, the id of what was built.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aux: Option<serde_json::Value>,
}

/// How far a layer is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Detail {
    /// Bytes done.
    #[serde(skip_serializing_if = "crate::go::is_default")]
    pub current: i64,
    /// Bytes in all.
    #[serde(skip_serializing_if = "crate::go::is_default")]
    pub total: i64,
}

/// The error that ended a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ErrorDetail {
    /// A program's exit code, in builds.
    #[serde(skip_serializing_if = "crate::go::is_default")]
    pub code: i64,
    /// The text.
    pub message: String,
    /// `error::Kind::code`, an extension of ours.
    #[serde(rename = "kind", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// What the user can do about it, an extension of ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Line {
    /// Returns the line as it is sent: JSON, CR, LF.
    pub fn encode(&self) -> Vec<u8> {
        let json = serde_json::to_string(self).expect("strings and numbers always serialise");
        let mut line = crate::go::escape_html(&json).into_bytes();
        line.extend_from_slice(b"\r\n");
        line
    }
}
