//! Names of resource limits.

/// The resources that can be limited, by the names that Docker gives them.
///
/// # Source
/// docker/go-units `ulimit.go`; man 2 setrlimit.
pub const ULIMITS: [&str; 15] = [
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];
