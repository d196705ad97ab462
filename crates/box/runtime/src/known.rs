//! What this runtime knows, by the specification's names: for `features`.
//!
//! A test holds each name against the planner, so that nobody is promised what would be refused.

/// The mount options that are not left to the file system.
///
/// # Source
/// OCI runtime-spec v1.3 config.md#linux-mount-options; `copy-symlink`, `src-nofollow`, `dest-nofollow` are crun's.
pub const MOUNT_OPTIONS: [&str; 64] = [
    "async",
    "atime",
    "bind",
    "copy-symlink",
    "defaults",
    "dest-nofollow",
    "dev",
    "diratime",
    "dirsync",
    "exec",
    "idmap",
    "lazytime",
    "loud",
    "mand",
    "noatime",
    "nodev",
    "nodiratime",
    "noexec",
    "noiversion",
    "nolazytime",
    "nomand",
    "norelatime",
    "nostrictatime",
    "nosuid",
    "nosymfollow",
    "private",
    "ratime",
    "rbind",
    "rdev",
    "rdiratime",
    "relatime",
    "remount",
    "rexec",
    "ridmap",
    "rnoatime",
    "rnodev",
    "rnodiratime",
    "rnoexec",
    "rnorelatime",
    "rnostrictatime",
    "rnosuid",
    "rnosymfollow",
    "ro",
    "rprivate",
    "rrelatime",
    "rro",
    "rrw",
    "rshared",
    "rslave",
    "rstrictatime",
    "rsuid",
    "rsymfollow",
    "runbindable",
    "rw",
    "shared",
    "silent",
    "slave",
    "src-nofollow",
    "strictatime",
    "suid",
    "symfollow",
    "sync",
    "tmpcopyup",
    "unbindable",
];

/// The namespaces.
pub const NAMESPACES: [&str; 8] = ["cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"];

/// The hooks, in the order in which they run.
pub const HOOKS: [&str; 6] =
    ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];

/// Modes of `linux.memoryPolicy` with their numbers.
pub const MEMORY_POLICY_MODES: [(&str, u32); 7] = [
    ("MPOL_DEFAULT", 0),
    ("MPOL_PREFERRED", 1),
    ("MPOL_BIND", 2),
    ("MPOL_INTERLEAVE", 3),
    ("MPOL_LOCAL", 4),
    ("MPOL_PREFERRED_MANY", 5),
    ("MPOL_WEIGHTED_INTERLEAVE", 6),
];

/// Flags of `linux.memoryPolicy` with their numbers.
pub const MEMORY_POLICY_FLAGS: [(&str, u32); 3] = [
    ("MPOL_F_NUMA_BALANCING", 1 << 13),
    ("MPOL_F_RELATIVE_NODES", 1 << 14),
    ("MPOL_F_STATIC_NODES", 1 << 15),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_known_to_the_planner() {
        for option in MOUNT_OPTIONS {
            let options = crate::plan::mount_options(&[option.to_owned()]).expect(option);
            assert!(options.data.is_empty(), "{option} would be left to the file system");
        }
        for name in NAMESPACES {
            let kind: Result<oci::runtime::NamespaceType, _> = serde_json::from_str(&format!("{name:?}"));
            assert_eq!(kind.expect(name).name(), name);
        }
        let hooks: serde_json::Map<_, _> =
            HOOKS.iter().map(|name| ((*name).to_owned(), serde_json::json!([{"path": "/x"}]))).collect();
        let hooks: oci::runtime::Hooks = serde_json::from_value(hooks.clone().into()).expect("hooks");
        assert_eq!(
            serde_json::to_value(&hooks).expect("JSON").as_object().map(serde_json::Map::len),
            Some(6)
        );
    }

    #[test]
    fn names_are_sorted() {
        assert!(MOUNT_OPTIONS.is_sorted() && NAMESPACES.is_sorted());
    }
}
