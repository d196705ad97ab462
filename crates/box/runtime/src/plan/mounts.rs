//! Mounts: what the child makes itself, and what has to be opened before.

use super::mapping::Maps;
use super::options::{Options, parameter, parse};
use super::text::{c_text, clean, path_text};
use crate::Error;
use oci::runtime::Mount;
use std::ffi::CString;
use std::path::{Path, PathBuf};
use sys::child::{Leaf, Links, NewMount, Op, Procfs, Target};
use sys::mount::{Depth, MountAttr, Parameter, RDONLY, SLAVE};

/// One thing below the root.
#[derive(Debug)]
pub(crate) enum Item {
    /// The child makes it.
    Op(Op),
    /// A bind mount, whose source is opened before the clone.
    Bind(Bind),
    /// The cgroup file system: what that is depends on the machine.
    Cgroup(CgroupMount),
    /// A tmpfs that begins with what the image has at its place.
    CopyUp(NewMount),
}

/// A bind mount.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Bind {
    pub(crate) source: PathBuf,
    pub(crate) target: PathBuf,
    pub(crate) depth: Depth,
    /// Attributes, in this order.
    pub(crate) attributes: Vec<(Depth, MountAttr)>,
    pub(crate) procfs: Procfs,
    /// Whether a symbolic link at the end of the source is followed, mounted itself, or made again.
    pub(crate) source_link: SourceLink,
    /// Whether a symbolic link at the place is followed.
    pub(crate) links: Links,
    /// How ids are mapped.
    pub(crate) id_map: Option<IdMap>,
    /// The device that the source must be: its type, and its number.
    pub(crate) device: Option<(u32, u64)>,
}

/// What becomes of a source that is a symbolic link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SourceLink {
    Followed,
    Mounted,
    Copied,
}

/// How ids of a bind mount are mapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IdMap {
    pub(crate) depth: Depth,
    /// None for the container's own mapping.
    pub(crate) maps: Option<Maps>,
}

/// The cgroup file system.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CgroupMount {
    pub(crate) target: PathBuf,
    /// The v2 tree was asked for by its type `cgroup2`, whatever else the machine has.
    pub(crate) unified: bool,
    pub(crate) attributes: u64,
}

/// Files of /proc that may be mounted over, as in runc.
const PROC_FILES: [&str; 10] = [
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/slabinfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/sys/crypto/fips_enabled",
    "/proc/sys/kernel/ns_last_pid",
    "/proc/uptime",
];

pub(crate) fn is_bind(mount: &Mount) -> bool {
    matches!(mount.fs_type.as_str(), "bind" | "none" | "")
        || mount.options.iter().any(|option| option == "bind" || option == "rbind")
}

/// Plans one mount. What has to be done when everything is in place goes to `late`.
pub(crate) fn plan(mount: &Mount, bundle: &Path, field: &str, late: &mut Vec<Op>) -> Result<Item, Error> {
    let options = parse(field, &mount.options)?;
    if !mount.destination.has_root() && mount.destination.as_os_str().is_empty() {
        return Err(Error::invalid(format!("{field}.destination"), "is missing"));
    }
    let target = clean(&mount.destination);
    if target == Path::new("/") {
        return Err(Error::invalid(format!("{field}.destination"), "is the root"));
    }
    let mapped =
        options.id_mapped.is_some() || !mount.uid_mappings.is_empty() || !mount.gid_mappings.is_empty();
    if options.remount {
        return remount(&target, options, field).map(Item::Op);
    }
    check_proc(mount, &target, field)?;
    if mapped && !is_bind(mount) {
        return Err(Error::invalid(format!("{field}.uidMappings"), "only bind mounts can have mapped ids"));
    }
    if options.copy_up && mount.fs_type != "tmpfs" {
        return Err(Error::invalid(format!("{field}.options"), "tmpcopyup is for a tmpfs only"));
    }
    if is_bind(mount) {
        return bind(mount, bundle, target, options, field).map(Item::Bind);
    }
    if mount.fs_type == "cgroup" {
        if !options.data.is_empty() {
            return Err(Error::invalid(field, "unknown option of a cgroup mount"));
        }
        return Ok(cgroup(target, &options, false));
    }
    // With options of its own it is a file system like any other: whoever names them decides.
    if mount.fs_type == "cgroup2" && options.data.is_empty() {
        return Ok(cgroup(target, &options, true));
    }
    let copy_up = options.copy_up;
    let new = file_system(mount, &target, options, field, late)?;
    Ok(if copy_up { Item::CopyUp(new) } else { Item::Op(Op::Mount(new)) })
}

/// Plans the change of what is mounted already: of the mount alone if it is a bind mount, else of its file system too.
fn remount(target: &Path, options: Options, field: &str) -> Result<Op, Error> {
    let mut parameters = options.data;
    parameters.extend(options.general);
    if options.bind.is_some() {
        parameters.clear();
    }
    let (mut attr, depth) = match options.recursive == MountAttr::default() {
        true => (options.single, Depth::Single),
        false => (options.recursive, Depth::Recursive),
    };
    if depth == Depth::Recursive && options.single != MountAttr::default() {
        return Err(Error::invalid(
            format!("{field}.options"),
            "remount takes recursive or plain options, not both",
        ));
    }
    if let Some((propagation, reach)) = options.propagation {
        if reach != depth && attr != MountAttr::default() {
            return Err(Error::invalid(
                format!("{field}.options"),
                "propagation and options reach differently far",
            ));
        }
        attr.propagation = propagation;
        return Ok(Op::Remount {
            path: path_text(&format!("{field}.destination"), target)?,
            attr,
            depth: reach,
            parameters,
        });
    }
    Ok(Op::Remount { path: path_text(&format!("{field}.destination"), target)?, attr, depth, parameters })
}

fn cgroup(target: PathBuf, options: &Options, unified: bool) -> Item {
    Item::Cgroup(CgroupMount { target, unified, attributes: options.single.set | options.recursive.set })
}

/// Keeps mounts away from /proc (CVE-2019-16884, CVE-2019-19921).
fn check_proc(mount: &Mount, target: &Path, field: &str) -> Result<(), Error> {
    let allowed = PROC_FILES.iter().any(|file| Path::new(file) == target);
    if target.starts_with("/proc") && target != Path::new("/proc") && !allowed {
        let reason = format!("{:?} cannot be mounted because it is inside /proc", target.display());
        return Err(Error::invalid(format!("{field}.destination"), reason));
    }
    // A bind of a procfs is checked when its source is open.
    if target == Path::new("/proc") && mount.fs_type != "proc" && !is_bind(mount) {
        return Err(Error::invalid(format!("{field}.destination"), "/proc takes a mount of type proc only"));
    }
    Ok(())
}

fn procfs(target: &Path) -> Procfs {
    let allowed = target == Path::new("/proc") || PROC_FILES.iter().any(|file| Path::new(file) == target);
    if allowed { Procfs::Permitted } else { Procfs::Refused }
}

fn bind(mount: &Mount, bundle: &Path, target: PathBuf, options: Options, field: &str) -> Result<Bind, Error> {
    let Some(source) = &mount.source else {
        return Err(Error::invalid(format!("{field}.source"), "is missing"));
    };
    if let Some(unknown) = options.data.first() {
        return Err(Error::invalid(
            format!("{field}.options"),
            format!("{unknown} is no option of a bind mount"),
        ));
    }
    // Slave by default: what is mounted inside must not show on the host.
    let (propagation, reach) = options.propagation.unwrap_or((SLAVE, Depth::Recursive));
    let mut attributes = vec![(reach, MountAttr { propagation, ..MountAttr::default() })];
    for (depth, attr) in [(Depth::Recursive, options.recursive), (Depth::Single, options.single)] {
        if attr != MountAttr::default() {
            attributes.push((depth, attr));
        }
    }
    let depth = options.bind.unwrap_or(Depth::Recursive);
    let procfs = procfs(&target);
    let maps = match (mount.uid_mappings.is_empty(), mount.gid_mappings.is_empty()) {
        (true, true) => None,
        _ => Some(Maps::plan(&format!("{field}."), &mount.uid_mappings, &mount.gid_mappings)?),
    };
    let mapped = options.id_mapped.or(maps.as_ref().map(|_| Depth::Single));
    Ok(Bind {
        source: bundle.join(source),
        target,
        depth,
        attributes,
        procfs,
        source_link: match (options.copy_symlink, options.source_not_followed) {
            (true, _) => SourceLink::Copied,
            (false, true) => SourceLink::Mounted,
            (false, false) => SourceLink::Followed,
        },
        links: if options.target_not_followed { Links::NotLast } else { Links::Followed },
        id_map: mapped.map(|depth| IdMap { depth, maps }),
        device: None,
    })
}

fn file_system(
    mount: &Mount,
    target: &Path,
    options: Options,
    field: &str,
    late: &mut Vec<Op>,
) -> Result<NewMount, Error> {
    let mut parameters = Vec::new();
    if let Some(source) = mount.source.as_ref().and_then(|source| source.to_str()).filter(|s| !s.is_empty()) {
        parameters.push(Parameter {
            key: c"source".into(),
            value: Some(c_text(&format!("{field}.source"), source)?),
        });
    }
    parameters.extend(options.data);
    parameters.extend(options.general);
    let mut attributes = options.single.set | options.recursive.set;
    let path: CString = path_text(&format!("{field}.destination"), target)?;
    if mount.fs_type == "tmpfs" && attributes & RDONLY != 0 {
        // Other mounts and devices may have to be made in it.
        attributes &= !RDONLY;
        let attr = MountAttr { set: RDONLY, ..MountAttr::default() };
        late.push(Op::Attributes { path: path.clone(), attr, depth: Depth::Single });
    }
    let strict = matches!(mount.fs_type.as_str(), "proc" | "sysfs");
    Ok(NewMount {
        fs_type: c_text(&format!("{field}.type"), &mount.fs_type)?,
        parameters,
        attributes,
        propagation: options.propagation.map_or(0, |(propagation, _)| propagation),
        target: Target {
            path,
            leaf: Leaf::Directory,
            links: match (strict, options.target_not_followed) {
                (true, _) => Links::Refused,
                (false, true) => Links::NotLast,
                (false, false) => Links::Followed,
            },
            procfs: procfs(target),
        },
    })
}

/// Adds the option that labels a file system (SELinux), where that is possible.
pub(crate) fn label(item: &mut Item, option: &str) -> Result<(), Error> {
    let new = match item {
        Item::Op(Op::Mount(new)) | Item::CopyUp(new) => new,
        Item::Op(_) | Item::Bind(_) | Item::Cgroup(_) => return Ok(()),
    };
    if !matches!(new.fs_type.to_bytes(), b"proc" | b"sysfs" | b"cgroup2") {
        new.parameters.push(parameter("linux.mountLabel", option)?);
    }
    Ok(())
}

/// Returns a tmpfs, as v1's cgroup directory is one.
pub(crate) fn cgroup_directory(mount: &CgroupMount) -> Result<Op, Error> {
    let field = "mounts";
    Ok(Op::Mount(NewMount {
        fs_type: c"tmpfs".into(),
        parameters: vec![parameter(field, "source=cgroup")?, parameter(field, "mode=755")?],
        attributes: mount.attributes & !RDONLY,
        propagation: 0,
        target: Target {
            path: path_text(field, &mount.target)?,
            leaf: Leaf::Directory,
            links: Links::Refused,
            procfs: Procfs::Refused,
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sys::mount::NOSUID;

    fn mount(destination: &str, fs_type: &str, options: &[&str]) -> Mount {
        Mount {
            destination: destination.into(),
            fs_type: fs_type.into(),
            source: Some("src".into()),
            options: options.iter().map(|option| (*option).to_owned()).collect(),
            ..Mount::default()
        }
    }

    fn planned(mount: &Mount) -> Result<(Item, Vec<Op>), Error> {
        let mut late = Vec::new();
        let item = plan(mount, Path::new("/b"), "mounts[0]", &mut late)?;
        Ok((item, late))
    }

    #[test]
    fn bind_mount_begins_at_the_bundle_and_is_a_slave_by_default() {
        let (item, _) = planned(&mount("/a/../d", "bind", &["rbind", "ro", "rnosuid"])).expect("fine");
        let Item::Bind(bind) = item else { panic!("{item:?}") };
        let slave = MountAttr { propagation: SLAVE, ..MountAttr::default() };
        let nosuid = MountAttr { set: NOSUID, ..MountAttr::default() };
        let read_only = MountAttr { set: RDONLY, ..MountAttr::default() };
        assert_eq!(
            bind,
            Bind {
                source: "/b/src".into(),
                target: "/d".into(),
                depth: Depth::Recursive,
                attributes: vec![
                    (Depth::Recursive, slave),
                    (Depth::Recursive, nosuid),
                    (Depth::Single, read_only)
                ],
                procfs: Procfs::Refused,
                source_link: SourceLink::Followed,
                links: Links::Followed,
                id_map: None,
                device: None,
            }
        );
    }

    #[test]
    fn read_only_tmpfs_becomes_so_when_everything_is_in_it() {
        let (item, late) = planned(&mount("/dev", "tmpfs", &["ro", "nosuid"])).expect("fine");
        let Item::Op(Op::Mount(new)) = item else { panic!("{item:?}") };
        assert_eq!(new.attributes, NOSUID);
        assert!(
            matches!(late.as_slice(), [Op::Attributes { path, .. }] if path.as_c_str() == c"/dev"),
            "{late:?}"
        );
    }

    #[test]
    fn mounts_over_proc_are_refused() {
        for (destination, fs_type) in
            [("/proc/self/attr", "bind"), ("/x/../proc/sys", "tmpfs"), ("/proc", "tmpfs"), ("/", "tmpfs")]
        {
            assert!(
                matches!(planned(&mount(destination, fs_type, &[])), Err(Error::Invalid { .. })),
                "{destination}"
            );
        }
        assert!(planned(&mount("/proc/meminfo", "bind", &[])).is_ok());
        assert!(planned(&mount("/proc", "proc", &[])).is_ok());
    }
}
