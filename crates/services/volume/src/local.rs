//! Options of the local driver. Pure.
//!
//! # Source
//! Behaviour of Docker 28.5.2; `uid`, `gid` and `mode` are ours.

use crate::Error;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What the options ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Local {
    /// What is mounted at the volume's place.
    pub(crate) mount: Option<Mount>,
    /// The owner of the volume's root.
    pub(crate) uid: Option<u32>,
    /// Its group.
    pub(crate) gid: Option<u32>,
    /// Its permissions.
    pub(crate) mode: Option<u32>,
}

/// Something to be mounted, as mount(8) would be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount {
    pub(crate) device: String,
    pub(crate) fs_type: String,
    /// The option `o` as it was given.
    pub(crate) text: String,
    pub(crate) kind: Kind,
    /// Attributes of the mount ([`sys::mount::RDONLY`], …).
    pub(crate) attributes: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A directory of the host; with the mounts below it?
    Bind { source: PathBuf, recursive: bool },
    /// A file system with its own parameters.
    FileSystem { parameters: Vec<(String, Option<String>)> },
}

const KNOWN: [&str; 7] = ["type", "o", "device", "size", "uid", "gid", "mode"];

/// Which options need which others.
const NEEDS: [(&str, &[&str]); 3] =
    [("device", &["type"]), ("type", &["device"]), ("o", &["device", "type"])];

/// Reads the options of a volume.
///
/// # Errors
/// InvalidArgument with Docker's texts.
pub(crate) fn parse(name: &str, options: Option<&BTreeMap<String, String>>) -> Result<Local, Error> {
    let empty = BTreeMap::new();
    let options = options.unwrap_or(&empty);
    if let Some(unknown) = options.keys().find(|key| !KNOWN.contains(&key.as_str())) {
        return Err(Error::invalid(name, format!("invalid option: {unknown:?}")));
    }
    let get = |key: &str| options.get(key).map(String::as_str).filter(|value| !value.is_empty());
    for (key, needed) in NEEDS {
        if let Some(missing) = needed.iter().find(|needed| get(key).is_some() && get(needed).is_none()) {
            return Err(Error::invalid(name, format!("missing required option: {missing:?}")));
        }
    }
    if get("size").is_some() {
        return Err(Error::invalid(name, "quota size requested but no quota support"));
    }
    let number = |key: &str, radix: u32, max: u32| match get(key) {
        None => Ok(None),
        Some(text) => match u32::from_str_radix(text, radix) {
            Ok(number) if number <= max => Ok(Some(number)),
            _ => Err(Error::invalid(name, format!("invalid value {text:?} for option {key:?}"))),
        },
    };
    let mount = match (get("device"), get("type")) {
        (Some(device), Some(fs_type)) => Some(mount(name, device, fs_type, get("o").unwrap_or_default())?),
        _ => None,
    };
    Ok(Local {
        mount,
        uid: number("uid", 10, u32::MAX - 1)?,
        gid: number("gid", 10, u32::MAX - 1)?,
        mode: number("mode", 8, 0o7777)?,
    })
}

fn mount(name: &str, device: &str, fs_type: &str, text: &str) -> Result<Mount, Error> {
    use sys::mount::{NOATIME, NODEV, NODIRATIME, NOEXEC, NOSUID, RDONLY};
    let (mut attributes, mut bind, mut parameters) = (0, None, Vec::new());
    for word in text.split(',').filter(|word| !word.is_empty()) {
        match word {
            "bind" => bind = Some(bind.unwrap_or(false)),
            "rbind" => bind = Some(true),
            "ro" => attributes |= RDONLY,
            "rw" => attributes &= !RDONLY,
            "nosuid" => attributes |= NOSUID,
            "nodev" => attributes |= NODEV,
            "noexec" => attributes |= NOEXEC,
            "noatime" => attributes |= NOATIME,
            "nodiratime" => attributes |= NODIRATIME,
            "suid" | "dev" | "exec" | "relatime" | "defaults" | "async" => {} // what holds anyway
            _ => parameters.push(match word.split_once('=') {
                Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
                None => (word.to_owned(), None),
            }),
        }
    }
    let kind = match bind {
        Some(recursive) => {
            if !device.starts_with('/') {
                return Err(Error::invalid(
                    name,
                    format!("the device of a bind must be an absolute path: {device:?}"),
                ));
            }
            if let Some((key, _)) = parameters.first() {
                return Err(Error::invalid(name, format!("{key:?} is no option of a bind mount")));
            }
            Kind::Bind { source: PathBuf::from(device), recursive }
        }
        None => Kind::FileSystem { parameters },
    };
    Ok(Mount {
        device: device.to_owned(),
        fs_type: fs_type.to_owned(),
        text: text.to_owned(),
        kind,
        attributes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(options: &[(&str, &str)]) -> Result<Local, String> {
        let options = options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        parse("v1", Some(&options)).map_err(|error| error.to_string())
    }

    #[test]
    fn wrong_options_have_dockers_texts() {
        let cases: [(&[(&str, &str)], &str); 6] = [
            (&[("foo", "bar")], "create v1: invalid option: \"foo\""),
            (&[("o", "bar")], "create v1: missing required option: \"device\""),
            (&[("type", "tmpfs")], "create v1: missing required option: \"device\""),
            (&[("device", "tmpfs")], "create v1: missing required option: \"type\""),
            (&[("size", "1G")], "create v1: quota size requested but no quota support"),
            (&[("mode", "99")], "create v1: invalid value \"99\" for option \"mode\""),
        ];
        for (options, why) in cases {
            assert_eq!(of(options), Err(why.to_owned()), "{options:?}");
        }
    }

    #[test]
    fn mount_options_are_told_apart() {
        let local = of(&[("type", "tmpfs"), ("device", "tmpfs"), ("o", "size=1m,ro,nosuid")]).unwrap();
        let mount = local.mount.unwrap();
        assert_eq!(mount.attributes, sys::mount::RDONLY | sys::mount::NOSUID);
        assert_eq!(mount.kind, Kind::FileSystem { parameters: vec![("size".into(), Some("1m".into()))] });
        let local = of(&[("type", "none"), ("device", "/srv"), ("o", "bind")]).unwrap();
        assert_eq!(local.mount.unwrap().kind, Kind::Bind { source: "/srv".into(), recursive: false });
        assert!(of(&[("type", "none"), ("device", "srv"), ("o", "bind")]).is_err());
        let owned = of(&[("uid", "1000"), ("gid", "100"), ("mode", "0750")]).unwrap();
        assert_eq!((owned.uid, owned.gid, owned.mode), (Some(1000), Some(100), Some(0o750)));
    }
}
