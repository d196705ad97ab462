//! The cgroup file system inside the container.
//!
//! ```text
//! v2, own cgroup namespace      a cgroup2 mount, whose root is the container's cgroup
//! v2, the host's                a bind of the host's mount: a new cgroup2 mount made in the first cgroup namespace would
//!                               reset the options of the one tree (nsdelegate, memory_recursiveprot) for the whole host
//! v1 and hybrid                 a tmpfs with, per hierarchy, the container's directory (or, with an own cgroup
//!                               namespace, a mount of the hierarchy) and links for its controllers
//! ```

use super::{Caller, SINGLE, attach_directory};
use crate::Error;
use crate::error::While as _;
use crate::plan::{CgroupMount, cgroup_directory, path_text};
use cgroup::{Cgroup, Mode};
use std::ffi::CString;
use std::fs;
use std::path::{Path, PathBuf};
use sys::child::{AttachPath, Leaf, Links, NewMount, Op, Procfs, Target};
use sys::mount::{Depth, MountAttr, PRIVATE, Parameter, RDONLY, mount_setattr, open_tree};

/// Where the host has its hierarchies.
const HOST: &str = "/sys/fs/cgroup";

/// Where the container is.
pub(super) struct Place<'a> {
    /// None for a container without one.
    pub(super) cgroup: Option<&'a Cgroup>,
    pub(super) mode: Mode,
    pub(super) own_namespace: bool,
    pub(super) caller: Caller,
}

/// Adds what mounts the cgroup file system to `ops`, and what closes it to `late`.
pub(super) fn mount(
    mount: &CgroupMount,
    place: &Place<'_>,
    ops: &mut Vec<Op>,
    late: &mut Vec<Op>,
) -> Result<(), Error> {
    let Place { cgroup, mode, own_namespace, caller } = *place;
    if caller == Caller::Plain && !own_namespace {
        ops.push(visible(Path::new(HOST), mount)?);
        return Ok(());
    }
    if mode == Mode::V2 || mount.unified {
        let host = if mode == Mode::V2 { PathBuf::from(HOST) } else { Path::new(HOST).join("unified") };
        ops.push(if own_namespace || !host.is_dir() {
            hierarchy(&mount.target, "cgroup2", Vec::new(), mount.attributes)?
        } else {
            bind(&host, &mount.target, Depth::Recursive, mount.attributes)?
        });
        return Ok(());
    }
    ops.push(cgroup_directory(mount)?);
    for entry in entries()? {
        let (name, target) = (entry.name.as_str(), mount.target.join(&entry.name));
        match entry.link {
            Some(link) => ops.push(Op::Symlink {
                target: path_text("mounts", &link)?,
                path: path_text("mounts", &target)?,
            }),
            None if own_namespace => ops.push(own(name, &target, mount.attributes)?),
            None => {
                let Some(cgroup) = cgroup else { continue };
                let source = Path::new(HOST).join(name).join(cgroup.path());
                // A hierarchy without the container's directory is one that the engine does not use.
                if source.is_dir() {
                    ops.push(bind(&source, &target, SINGLE, mount.attributes)?);
                }
            }
        }
    }
    if mount.attributes & RDONLY != 0 {
        let attr = MountAttr { set: RDONLY, ..MountAttr::default() };
        late.push(Op::Attributes { path: path_text("mounts", &mount.target)?, attr, depth: Depth::Single });
    }
    Ok(())
}

/// Returns a mount of what the container's process sees itself.
fn visible(source: &Path, mount: &CgroupMount) -> Result<Op, Error> {
    let attr = MountAttr { set: mount.attributes, propagation: PRIVATE, ..MountAttr::default() };
    Ok(Op::AttachPath(AttachPath {
        source: path_text("mounts", source)?,
        links: Links::Followed,
        depth: Depth::Recursive,
        attributes: vec![(Depth::Recursive, attr)],
        target: Target {
            path: path_text("mounts", &mount.target)?,
            leaf: Leaf::Directory,
            links: Links::Followed,
            procfs: Procfs::Refused,
        },
    }))
}

struct Entry {
    name: String,
    link: Option<PathBuf>,
}

/// Returns the hierarchies' directories and the links beside them (`cpu -> cpu,cpuacct`).
fn entries() -> Result<Vec<Entry>, Error> {
    let failed = |error: std::io::Error| Error::invalid("mounts", format!("cannot list {HOST}: {error}"));
    let mut entries = Vec::new();
    for entry in fs::read_dir(HOST).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_symlink() {
            entries.push(Entry { name, link: Some(fs::read_link(entry.path()).map_err(failed)?) });
        } else if kind.is_dir() {
            entries.push(Entry { name, link: None });
        }
    }
    Ok(entries)
}

/// Returns a mount of a v1 hierarchy, seen from the container's cgroup namespace.
fn own(name: &str, target: &Path, attributes: u64) -> Result<Op, Error> {
    let flag = |key: &str| Ok(Parameter { key: text(key)?, value: None });
    let parameters = match name {
        "unified" => return hierarchy(target, "cgroup2", Vec::new(), attributes),
        "systemd" => vec![flag("none")?, Parameter { key: c"name".into(), value: Some(c"systemd".into()) }],
        controllers => controllers.split(',').map(flag).collect::<Result<_, Error>>()?,
    };
    hierarchy(target, "cgroup", parameters, attributes)
}

fn hierarchy(target: &Path, fs_type: &str, parameters: Vec<Parameter>, attributes: u64) -> Result<Op, Error> {
    Ok(Op::Mount(NewMount {
        fs_type: text(fs_type)?,
        parameters,
        attributes,
        propagation: 0,
        target: Target {
            path: path_text("mounts", target)?,
            leaf: Leaf::Directory,
            links: Links::Refused,
            procfs: Procfs::Refused,
        },
    }))
}

fn bind(source: &Path, target: &Path, depth: Depth, attributes: u64) -> Result<Op, Error> {
    let what = format!("open the cgroup directory {}", source.display());
    let tree = open_tree(source, depth).to(&what)?;
    let attr = MountAttr { set: attributes, propagation: PRIVATE, ..MountAttr::default() };
    mount_setattr(&tree, depth, &attr).to(&what)?;
    Ok(attach_directory(tree, path_text("mounts", target)?))
}

fn text(text: &str) -> Result<CString, Error> {
    CString::new(text).map_err(|_| Error::invalid("mounts", "has a NUL character"))
}
