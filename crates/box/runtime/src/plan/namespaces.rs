//! Which namespaces are made and which are joined.

use super::mapping::Maps;
use super::text::c_text;
use crate::Error;
use oci::runtime::{Linux, NamespaceType};
use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use sys::ns::Types;

/// Which namespaces are made and which are joined.
#[derive(Debug, Default)]
pub(crate) struct Namespaces {
    /// Made by the clone.
    pub(crate) new: Types,
    /// Whether a cgroup namespace is made, once the process is in its cgroup.
    pub(crate) new_cgroup: bool,
    /// The clock offsets of a new time namespace.
    pub(crate) time_offsets: Option<CString>,
    /// Joined, by the paths of their files.
    pub(crate) joined: Vec<(Types, PathBuf)>,
    /// Joined, given as a descriptor.
    pub(crate) network: Option<OwnedFd>,
    /// The ids of a new user namespace.
    pub(crate) maps: Option<Maps>,
    /// All of them.
    named: Types,
}

impl Namespaces {
    /// Returns whether the container has a namespace of this type that is not the runtime's own.
    pub(crate) fn has(&self, types: Types) -> bool {
        self.named.contains(types)
    }

    /// Returns whether the container has a user namespace that is not the runtime's own.
    pub(crate) fn own_user(&self) -> bool {
        self.has(Types::USER)
    }

    /// Returns whether the mount namespace is a new one.
    pub(crate) fn new_mount(&self) -> bool {
        self.new.contains(Types::MOUNT)
    }

    /// Returns whether the network namespace is a new, empty one.
    pub(crate) fn new_network(&self) -> bool {
        self.new.contains(Types::NETWORK)
    }

    /// Returns whether the container has an own cgroup namespace.
    pub(crate) fn own_cgroup(&self) -> bool {
        self.has(Types::CGROUP)
    }
}

pub(crate) fn types(kind: NamespaceType) -> Types {
    match kind {
        NamespaceType::Pid => Types::PID,
        NamespaceType::Network => Types::NETWORK,
        NamespaceType::Mount => Types::MOUNT,
        NamespaceType::Ipc => Types::IPC,
        NamespaceType::Uts => Types::UTS,
        NamespaceType::User => Types::USER,
        NamespaceType::Cgroup => Types::CGROUP,
        NamespaceType::Time => Types::TIME,
    }
}

pub(crate) fn plan(linux: &Linux, network: Option<OwnedFd>) -> Result<Namespaces, Error> {
    let mut this = Namespaces::default();
    for (index, namespace) in linux.namespaces.iter().enumerate() {
        let field = format!("linux.namespaces[{index}]");
        let kind = types(namespace.kind);
        if this.named.contains(kind) {
            return Err(Error::invalid(
                field,
                format!("a second namespace of type {}", namespace.kind.name()),
            ));
        }
        this.named = this.named.union(kind);
        match (namespace.kind, &namespace.path) {
            (_, Some(path)) if !path.is_absolute() => {
                let reason = format!("{:?} is not absolute", path.display().to_string());
                return Err(Error::invalid(format!("{field}.path"), reason));
            }
            (_, Some(path)) => this.joined.push((kind, path.clone())),
            (NamespaceType::Cgroup, None) => this.new_cgroup = true,
            (NamespaceType::Time, None) if !linux.time_offsets.is_empty() => {
                this.time_offsets = Some(offsets(linux)?);
            }
            (NamespaceType::Network, None) if network.is_some() => {}
            (_, None) => this.new = this.new.union(kind),
        }
    }
    this.maps = maps(linux, &this)?;
    if !linux.time_offsets.is_empty() && this.time_offsets.is_none() {
        return Err(Error::invalid("linux.timeOffsets", "needs a new time namespace in linux.namespaces"));
    }
    if network.is_some() {
        this.named = this.named.union(Types::NETWORK);
        this.joined.retain(|(kind, _)| *kind != Types::NETWORK);
        this.network = network;
    }
    Ok(this)
}

fn maps(linux: &Linux, namespaces: &Namespaces) -> Result<Option<Maps>, Error> {
    if namespaces.new.contains(Types::USER) {
        return Maps::plan("linux.", &linux.uid_mappings, &linux.gid_mappings).map(Some);
    }
    for (field, list) in
        [("linux.uidMappings", &linux.uid_mappings), ("linux.gidMappings", &linux.gid_mappings)]
    {
        if !list.is_empty() {
            return Err(Error::invalid(field, "needs a new user namespace in linux.namespaces"));
        }
    }
    Ok(None)
}

fn offsets(linux: &Linux) -> Result<CString, Error> {
    let mut text = String::new();
    for (clock, offset) in &linux.time_offsets {
        if clock != "monotonic" && clock != "boottime" {
            return Err(Error::invalid("linux.timeOffsets", format!("{clock:?} is no clock with an offset")));
        }
        text.push_str(&format!("{clock} {} {}\n", offset.secs, offset.nanosecs));
    }
    c_text("linux.timeOffsets", &text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use oci::runtime::Namespace;

    fn linux(list: &[(NamespaceType, Option<&str>)]) -> Linux {
        let namespace = |(kind, path): &(NamespaceType, Option<&str>)| Namespace {
            kind: *kind,
            path: path.map(PathBuf::from),
        };
        Linux { namespaces: list.iter().map(namespace).collect(), ..Linux::default() }
    }

    #[test]
    fn namespaces_without_a_path_are_made_and_those_with_one_joined() {
        let spec = linux(&[
            (NamespaceType::Mount, None),
            (NamespaceType::Pid, None),
            (NamespaceType::Cgroup, None),
            (NamespaceType::Ipc, Some("/proc/1/ns/ipc")),
        ]);
        let plan = plan(&spec, None).expect("a fine list");
        assert_eq!(plan.new, Types::MOUNT.union(Types::PID));
        assert_eq!(plan.joined, [(Types::IPC, PathBuf::from("/proc/1/ns/ipc"))]);
        assert!(plan.new_cgroup && plan.has(Types::IPC) && !plan.has(Types::UTS));
    }

    #[test]
    fn wrong_lists_are_refused_by_field() {
        use NamespaceType::{Mount, Pid, User};
        for (list, want) in [
            (
                &[(Mount, None), (Pid, None), (Pid, None)][..],
                "linux.namespaces[2]: a second namespace of type pid",
            ),
            (&[(Mount, None), (User, None)][..], "linux.uidMappings: is missing"),
            (&[(Mount, Some("x"))][..], "linux.namespaces[0].path: \"x\" is not absolute"),
        ] {
            assert_eq!(plan(&linux(list), None).map(drop).map_err(|e| e.to_string()), Err(want.into()));
        }
    }
}
