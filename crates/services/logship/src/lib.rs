//! Log lines on their way to an endpoint: journald, syslog, fluentd, GELF.
//!
//! ```text
//! options ── Target::parse ──▶ Target ── Sink::connect ──▶ Sink ── send(Message) ──▶ the endpoint
//! ```
//! The forms (`syslog`, `gelf`, `fluentd`, `journald`) are pure; `sink` has the sockets. Not for where lines come from, nor for
//! what happens while an endpoint is dead: the container's shipper waits and tries again.
//!
//! # Source
//! moby daemon/logger/{journald,syslog,fluentd,gelf} and their libraries (behaviour of Docker 28.5.2).

#![forbid(unsafe_code)]

mod address;
mod error;
mod sink;
mod target;

mod fluentd;
mod gelf;
mod journald;
mod syslog;

pub use error::Error;
pub use sink::Sink;
pub use target::Target;

use std::collections::BTreeMap;

/// One line, or a piece of a long one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// It comes from standard error.
    pub is_error: bool,
    /// When it was read from the program: nanoseconds since 1970.
    pub t_ns: i64,
    /// The text without its line end.
    pub line: &'a str,
    /// More of the same line follows.
    pub is_partial: bool,
}

/// Where lines come from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The host's name.
    pub host: String,
    /// The tag, as its template says.
    pub tag: String,
    /// The container's full id.
    pub container_id: String,
    /// Its name without a slash.
    pub container_name: String,
    /// The image's id.
    pub image_id: String,
    /// The image as the user named it.
    pub image_name: String,
    /// The command line.
    pub command: String,
    /// When the container was created, RFC 3339.
    pub created: String,
    /// Labels and variables that were asked for.
    pub attrs: BTreeMap<String, String>,
}

#[cfg(test)]
pub(crate) fn example() -> Origin {
    Origin {
        host: "box".into(),
        tag: "web/1".into(),
        container_id: "a".repeat(64),
        container_name: "web".into(),
        image_id: "sha256:bb".into(),
        image_name: "busybox".into(),
        command: "sh -c x".into(),
        created: "2026-11-20T22:14:55.5Z".into(),
        attrs: [("tier".to_owned(), "a".to_owned())].into(),
    }
}
