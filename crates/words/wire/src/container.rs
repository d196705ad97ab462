//! Creating and changing containers.

use crate::go::{self, Set, null, null_values, words};
use crate::host_config::{HostConfig, PortBinding, RestartPolicy};
use crate::network::EndpointSettings;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The body of `POST /containers/create`: a [`Config`] with two more members. Read with [`ContainerCreate::parse`].
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ContainerCreate {
    /// What runs.
    #[serde(flatten)]
    pub config: Config,
    /// How the host runs it.
    #[serde(rename = "HostConfig")]
    pub host_config: Option<HostConfig>,
    /// The networks it is connected to.
    #[serde(rename = "NetworkingConfig")]
    pub networking_config: Option<NetworkingConfig>,
}

impl ContainerCreate {
    /// Reads the body.
    ///
    /// The text is read twice, because serde's `flatten` would lose the position and the field in errors.
    ///
    /// # Errors
    /// JSON of another shape.
    pub fn parse(body: &[u8]) -> serde_json::Result<Self> {
        #[derive(Default, Deserialize)]
        #[serde(default, rename_all = "PascalCase")]
        struct Rest {
            host_config: Option<HostConfig>,
            networking_config: Option<NetworkingConfig>,
        }
        let config: Option<Config> = serde_json::from_slice(body)?;
        let rest: Option<Rest> = serde_json::from_slice(body)?;
        let rest = rest.unwrap_or_default();
        Ok(Self {
            config: config.unwrap_or_default(),
            host_config: rest.host_config,
            networking_config: rest.networking_config,
        })
    }
}

/// What runs.
///
/// # Source
/// Engine API v1.51 `ContainerConfig`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Config {
    /// Host name.
    #[serde(deserialize_with = "null")]
    pub hostname: String,
    /// NIS domain name.
    #[serde(deserialize_with = "null")]
    pub domainname: String,
    /// `user[:group]`.
    #[serde(deserialize_with = "null")]
    pub user: String,
    /// Whether the creating client attaches to standard input.
    #[serde(deserialize_with = "null")]
    pub attach_stdin: bool,
    /// Whether the creating client attaches to standard output.
    #[serde(deserialize_with = "null")]
    pub attach_stdout: bool,
    /// Whether the creating client attaches to standard error.
    #[serde(deserialize_with = "null")]
    pub attach_stderr: bool,
    /// Declared ports, `80/tcp`.
    #[serde(skip_serializing_if = "go::is_empty_map")]
    pub exposed_ports: Option<Set>,
    /// A terminal is allocated.
    #[serde(deserialize_with = "null")]
    pub tty: bool,
    /// Standard input is kept open.
    #[serde(deserialize_with = "null")]
    pub open_stdin: bool,
    /// Standard input closes when the first attached client leaves.
    #[serde(deserialize_with = "null")]
    pub stdin_once: bool,
    /// `NAME=value`.
    pub env: Option<Vec<String>>,
    /// The command.
    #[serde(deserialize_with = "words")]
    pub cmd: Option<Vec<String>>,
    /// The health check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<HealthConfig>,
    /// The command is already escaped (Windows).
    #[serde(deserialize_with = "null", skip_serializing_if = "go::is_default")]
    pub args_escaped: bool,
    /// The image as the user named it.
    #[serde(deserialize_with = "null")]
    pub image: String,
    /// Declared volumes.
    pub volumes: Option<Set>,
    /// Working directory.
    #[serde(deserialize_with = "null")]
    pub working_dir: String,
    /// The entrypoint.
    #[serde(deserialize_with = "words")]
    pub entrypoint: Option<Vec<String>>,
    /// No network at all.
    #[serde(deserialize_with = "null", skip_serializing_if = "go::is_default")]
    pub network_disabled: bool,
    /// Hardware address.
    #[serde(deserialize_with = "null", skip_serializing_if = "go::is_default")]
    pub mac_address: String,
    /// ONBUILD triggers.
    pub on_build: Option<Vec<String>>,
    /// Labels.
    #[serde(deserialize_with = "null_values")]
    pub labels: Option<BTreeMap<String, String>>,
    /// The signal of `stop`.
    #[serde(deserialize_with = "null", skip_serializing_if = "go::is_default")]
    pub stop_signal: String,
    /// Seconds that `stop` waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_timeout: Option<i64>,
    /// The shell of shell-form instructions.
    #[serde(deserialize_with = "words", skip_serializing_if = "go::is_empty_list")]
    pub shell: Option<Vec<String>>,
}

/// A health check; times in nanoseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct HealthConfig {
    /// `["NONE"]`, `["CMD", …]`, `["CMD-SHELL", line]`; empty inherits.
    #[serde(skip_serializing_if = "go::is_empty_list")]
    pub test: Option<Vec<String>>,
    /// Between checks.
    #[serde(deserialize_with = "null", skip_serializing_if = "go::is_default")]
    pub interval: i64,
    /// For one check.
    #[serde(deserialize_with = "null", skip_serializing_if = "go::is_default")]
    pub timeout: i64,
    /// Grace time after the start.
    #[serde(deserialize_with = "null", skip_serializing_if = "go::is_default")]
    pub start_period: i64,
    /// Between checks in the grace time.
    #[serde(deserialize_with = "null", skip_serializing_if = "go::is_default")]
    pub start_interval: i64,
    /// Failures in a row until unhealthy.
    #[serde(deserialize_with = "null", skip_serializing_if = "go::is_default")]
    pub retries: i64,
}

/// The networks that a new container is connected to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct NetworkingConfig {
    /// Settings by network name.
    pub endpoints_config: Option<BTreeMap<String, Option<EndpointSettings>>>,
}

/// The answer to `POST /containers/create`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Created {
    /// The full id.
    pub id: String,
    /// What was not honoured in full.
    pub warnings: Option<Vec<String>>,
}

/// The answer to `POST /containers/{id}/wait`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Waited {
    /// Why there is no exit code, or what went wrong beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<WaitError>,
    /// The exit code.
    pub status_code: i64,
}

/// See [`Waited::error`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct WaitError {
    /// The text.
    pub message: String,
}

/// The answer to `GET /containers/{id}/top`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Top {
    /// One row per process.
    pub processes: Option<Vec<Vec<String>>>,
    /// The columns.
    pub titles: Option<Vec<String>>,
}

/// The body of `POST /containers/{id}/update`. Zeros, null and empty texts leave things as they are.
///
/// # Source
/// Engine API v1.51 `ContainerUpdate`; of its many members Docker takes these.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ContainerUpdate {
    /// Relative weight of block IO.
    #[serde(deserialize_with = "null")]
    pub blkio_weight: u16,
    /// CFS period in microseconds.
    #[serde(deserialize_with = "null")]
    pub cpu_period: i64,
    /// CFS quota in microseconds.
    #[serde(deserialize_with = "null")]
    pub cpu_quota: i64,
    /// Real-time period in microseconds.
    #[serde(deserialize_with = "null")]
    pub cpu_realtime_period: i64,
    /// Real-time runtime in microseconds.
    #[serde(deserialize_with = "null")]
    pub cpu_realtime_runtime: i64,
    /// Relative weight.
    #[serde(deserialize_with = "null")]
    pub cpu_shares: i64,
    /// Billionths of a CPU.
    #[serde(deserialize_with = "null")]
    pub nano_cpus: i64,
    /// CPUs, `0-2,4`.
    #[serde(deserialize_with = "null")]
    pub cpuset_cpus: String,
    /// Memory nodes.
    #[serde(deserialize_with = "null")]
    pub cpuset_mems: String,
    /// Memory in bytes.
    #[serde(deserialize_with = "null")]
    pub memory: i64,
    /// Soft limit in bytes.
    #[serde(deserialize_with = "null")]
    pub memory_reservation: i64,
    /// Memory and swap in bytes, -1 for unlimited swap.
    #[serde(deserialize_with = "null")]
    pub memory_swap: i64,
    /// Number of processes; 0 and -1 for no limit.
    pub pids_limit: Option<i64>,
    /// What happens when the container ends; an empty name leaves it as it is.
    pub restart_policy: Option<RestartPolicy>,
    /// Not Docker's: ports that are published, in the form of `HostConfig.PortBindings`; also of a running container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub publish_add: Option<BTreeMap<String, Option<Vec<PortBinding>>>>,
    /// Not Docker's: published ports that are given up; null or an empty list for wherever a port is published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub publish_remove: Option<BTreeMap<String, Option<Vec<PortBinding>>>>,
}

/// The answer to `POST /containers/{id}/update`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ContainerUpdated {
    /// What could not be done as asked.
    pub warnings: Option<Vec<String>>,
}

/// The answer to `POST /containers/prune`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ContainersPruned {
    /// Full ids.
    pub containers_deleted: Option<Vec<String>>,
    /// Bytes.
    pub space_reclaimed: u64,
}

/// One step of a container's birth: `GET /containers/{id}/birth`, an extension of ours.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BirthStep {
    /// When it began: nanoseconds since 1970-01-01 UTC.
    pub t_ns: i64,
    /// How long it took in nanoseconds.
    pub dur_ns: u64,
    /// `engine`, `shim` or `init`.
    pub who: String,
    /// What was done.
    pub step: String,
    /// What it was done with.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub args: String,
    /// The error number, 0 for success.
    #[serde(default, skip_serializing_if = "go::is_default")]
    pub errno: i32,
}
