//! The options of a mount.

use crate::Error;
use std::ffi::CString;
use sys::mount::{
    ATIME, Depth, MountAttr, NOATIME, NODEV, NODIRATIME, NOEXEC, NOSUID, NOSYMFOLLOW, PRIVATE, Parameter,
    RDONLY, RELATIME, SHARED, SLAVE, STRICTATIME, UNBINDABLE,
};

/// The options of a mount, sorted by what they act on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// Attributes of the one mount.
    pub(crate) single: MountAttr,
    /// Attributes of it and all below.
    pub(crate) recursive: MountAttr,
    /// How mount events pass, and how far that is said for.
    pub(crate) propagation: Option<(u64, Depth)>,
    /// Whether it is a bind mount, and how deep.
    pub(crate) bind: Option<Depth>,
    /// What the file system itself takes.
    pub(crate) data: Vec<Parameter>,
    /// What every file system takes: not a bind mount's business, as with mount(2).
    pub(crate) general: Vec<Parameter>,
    /// Whether ids are mapped, and how deep.
    pub(crate) id_mapped: Option<Depth>,
    /// Whether something that is mounted already is changed.
    pub(crate) remount: bool,
    /// Whether what the image has at the place is copied into a tmpfs.
    pub(crate) copy_up: bool,
    /// Whether a source that is a symbolic link is made again instead of mounted.
    pub(crate) copy_symlink: bool,
    /// Whether a source that is a symbolic link is mounted itself.
    pub(crate) source_not_followed: bool,
    /// Whether a symbolic link at the place is mounted over itself.
    pub(crate) target_not_followed: bool,
}

enum Change {
    Set(u64),
    Clear(u64),
    AccessTime(u64),
}

/// Returns what an option says about attributes.
fn attribute(option: &str) -> Option<Change> {
    use Change::{AccessTime, Clear, Set};
    Some(match option {
        "ro" => Set(RDONLY),
        "rw" => Clear(RDONLY),
        "nosuid" => Set(NOSUID),
        "suid" => Clear(NOSUID),
        "nodev" => Set(NODEV),
        "dev" => Clear(NODEV),
        "noexec" => Set(NOEXEC),
        "exec" => Clear(NOEXEC),
        "nodiratime" => Set(NODIRATIME),
        "diratime" => Clear(NODIRATIME),
        "nosymfollow" => Set(NOSYMFOLLOW),
        "symfollow" => Clear(NOSYMFOLLOW),
        "noatime" => AccessTime(NOATIME),
        "strictatime" => AccessTime(STRICTATIME),
        // Not to have one of them is to have the kernel's default, which is relatime.
        "relatime" | "atime" | "norelatime" | "nostrictatime" => AccessTime(RELATIME),
        _ => return None,
    })
}

fn apply(attr: &mut MountAttr, change: &Change) {
    match *change {
        Change::Set(flag) => {
            attr.set |= flag;
            attr.clear &= !flag;
        }
        Change::Clear(flag) => {
            attr.clear |= flag;
            attr.set &= !flag;
        }
        Change::AccessTime(value) => {
            attr.set = (attr.set & !ATIME) | value;
            attr.clear |= ATIME;
        }
    }
}

fn propagation(option: &str) -> Option<(u64, Depth)> {
    Some(match option {
        "private" => (PRIVATE, Depth::Single),
        "rprivate" => (PRIVATE, Depth::Recursive),
        "shared" => (SHARED, Depth::Single),
        "rshared" => (SHARED, Depth::Recursive),
        "slave" => (SLAVE, Depth::Single),
        "rslave" => (SLAVE, Depth::Recursive),
        "unbindable" => (UNBINDABLE, Depth::Single),
        "runbindable" => (UNBINDABLE, Depth::Recursive),
        _ => return None,
    })
}

/// Options that every file system takes, as fsconfig names them.
const GENERAL: [&str; 7] = ["async", "dirsync", "lazytime", "mand", "nolazytime", "nomand", "sync"];

/// Reads the options of a mount.
///
/// # Source
/// OCI runtime-spec v1.3 config.md#linux-mount-options
pub(crate) fn parse(field: &str, options: &[String]) -> Result<Options, Error> {
    let mut this = Options::default();
    for (index, option) in options.iter().enumerate() {
        let field = format!("{field}.options[{index}]");
        if let Some(change) = attribute(option) {
            apply(&mut this.single, &change);
        } else if let Some(change) = option.strip_prefix('r').and_then(attribute) {
            apply(&mut this.recursive, &change);
        } else if let Some(found) = propagation(option) {
            this.propagation = Some(found);
        } else {
            match option.as_str() {
                "bind" => this.bind = Some(this.bind.unwrap_or(Depth::Single)),
                "rbind" => this.bind = Some(Depth::Recursive),
                "defaults" | "silent" | "loud" => {} // What the mount API does anyway.
                "remount" => this.remount = true,
                "idmap" => this.id_mapped = Some(this.id_mapped.unwrap_or(Depth::Single)),
                "ridmap" => this.id_mapped = Some(Depth::Recursive),
                "tmpcopyup" => this.copy_up = true,
                "copy-symlink" => this.copy_symlink = true,
                "src-nofollow" => this.source_not_followed = true,
                "dest-nofollow" => this.target_not_followed = true,
                "noiversion" => {} // What file systems that know `iversion` do without it.
                other if GENERAL.contains(&other) => this.general.push(parameter(&field, other)?),
                other if other == "move" || other.starts_with("idmap=") => {
                    return Err(Error::not_implemented(field, format!("the mount option {other:?}")));
                }
                other => this.data.push(parameter(&field, other)?),
            }
        }
    }
    Ok(this)
}

pub(crate) fn parameter(field: &str, option: &str) -> Result<Parameter, Error> {
    let text = |text: &str| CString::new(text).map_err(|_| Error::invalid(field, "has a NUL character"));
    let (key, value) = match option.split_once('=') {
        Some((key, value)) => (text(key)?, Some(text(value)?)),
        None => (text(option)?, None),
    };
    if key.is_empty() {
        return Err(Error::invalid(field, format!("{option:?} is no mount option")));
    }
    Ok(Parameter { key, value })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(options: &[&str]) -> Options {
        let options: Vec<_> = options.iter().map(|option| (*option).to_owned()).collect();
        parse("m", &options).expect("all are known")
    }

    #[test]
    fn later_options_win() {
        let options = of(&["ro", "rw", "nosuid", "noatime", "relatime"]);
        assert_eq!(
            options.single,
            MountAttr { set: NOSUID, clear: RDONLY | ATIME, propagation: 0, userns_fd: 0 }
        );
    }

    #[test]
    fn options_with_an_r_act_on_the_whole_tree_and_relatime_and_ro_do_not() {
        let options = of(&["rro", "rnosuid", "rnoatime"]);
        assert_eq!(
            options.recursive,
            MountAttr { set: RDONLY | NOSUID | NOATIME, clear: ATIME, ..MountAttr::default() }
        );
        assert_eq!(options.single, MountAttr::default());
        assert_eq!(of(&["relatime", "rw", "ro"]).recursive, MountAttr::default());
    }

    #[test]
    fn the_rest_belongs_to_the_file_system() {
        let options = of(&["size=64m", "newinstance", "rbind", "rslave"]);
        let parameter = |key: &str, value: Option<&str>| Parameter {
            key: CString::new(key).expect("no NUL"),
            value: value.map(|value| CString::new(value).expect("no NUL")),
        };
        assert_eq!(options.data, [parameter("size", Some("64m")), parameter("newinstance", None)]);
        assert_eq!(
            (options.bind, options.propagation),
            (Some(Depth::Recursive), Some((SLAVE, Depth::Recursive)))
        );
    }

    #[test]
    fn what_is_not_there_is_refused_by_name() {
        let refused = parse("mounts[2]", &["ro".into(), "move".into()]).map_err(|e| e.to_string());
        assert_eq!(refused, Err("mounts[2].options[1]: the mount option \"move\" is not implemented".into()));
    }
}
