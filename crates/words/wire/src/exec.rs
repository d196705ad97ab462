//! Further processes in running containers.

use crate::go::{null, words};
use serde::{Deserialize, Serialize};

/// The body of `POST /containers/{id}/exec`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ExecCreate {
    /// `user[:group]`.
    #[serde(deserialize_with = "null")]
    pub user: String,
    /// All capabilities.
    #[serde(deserialize_with = "null")]
    pub privileged: bool,
    /// A terminal is allocated.
    #[serde(deserialize_with = "null")]
    pub tty: bool,
    /// Rows and columns of the terminal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub console_size: Option<[u32; 2]>,
    /// Standard input is open.
    #[serde(deserialize_with = "null")]
    pub attach_stdin: bool,
    /// Standard error is passed on.
    #[serde(deserialize_with = "null")]
    pub attach_stderr: bool,
    /// Standard output is passed on.
    #[serde(deserialize_with = "null")]
    pub attach_stdout: bool,
    /// Only the client's business; kept for symmetry with Docker.
    #[serde(deserialize_with = "null")]
    pub detach: bool,
    /// The key sequence that detaches; empty for the default.
    #[serde(deserialize_with = "null")]
    pub detach_keys: String,
    /// `NAME=value`.
    pub env: Option<Vec<String>>,
    /// Working directory; empty for the container's.
    #[serde(deserialize_with = "null")]
    pub working_dir: String,
    /// The command.
    #[serde(deserialize_with = "words")]
    pub cmd: Option<Vec<String>>,
}

/// The body of `POST /exec/{id}/start`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ExecStart {
    /// Do not attach.
    #[serde(deserialize_with = "null")]
    pub detach: bool,
    /// As in the create request.
    #[serde(deserialize_with = "null")]
    pub tty: bool,
    /// Rows and columns of the terminal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub console_size: Option<[u32; 2]>,
}

/// The answer to `GET /exec/{id}/json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ExecInspect {
    /// The full id.
    #[serde(rename = "ID")]
    pub id: String,
    /// It runs.
    pub running: bool,
    /// The exit code; null before the end.
    pub exit_code: Option<i64>,
    /// The process.
    pub process_config: ExecProcess,
    /// Standard input is open.
    pub open_stdin: bool,
    /// Standard error is passed on.
    pub open_stderr: bool,
    /// Standard output is passed on.
    pub open_stdout: bool,
    /// Docker's book-keeping; always false.
    pub can_remove: bool,
    /// The container's full id.
    #[serde(rename = "ContainerID")]
    pub container_id: String,
    /// The key sequence as bytes in a string.
    pub detach_keys: String,
    /// The process id on the host; 0 if it never ran.
    pub pid: i64,
}

/// See [`ExecInspect::process_config`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecProcess {
    /// It has a terminal.
    pub tty: bool,
    /// The program.
    pub entrypoint: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// All capabilities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privileged: Option<bool>,
    /// `user[:group]`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user: String,
}
