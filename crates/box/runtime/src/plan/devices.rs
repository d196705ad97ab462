//! Device files and the links beside them.

use super::mounts::{Bind, Item, SourceLink};
use super::text::{clean, path_text};
use crate::Error;
use oci::runtime::{DeviceType, Linux, Mount};
use std::path::{Path, PathBuf};
use sys::child::{Device, Links, Op, Procfs};
use sys::mount::Depth;

const CHARACTER: u32 = 0o020_000;
const BLOCK: u32 = 0o060_000;
const FIFO: u32 = 0o010_000;

/// The devices that every container has.
///
/// # Source
/// OCI runtime-spec v1.3 config-linux.md#default-devices
const DEFAULT: [(&str, u32, u32); 6] = [
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/random", 1, 8),
    ("/dev/urandom", 1, 9),
    ("/dev/tty", 5, 0),
];

const LINKS: [(&str, &str); 6] = [
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
    ("/dev/core", "/proc/kcore"),
    ("/dev/ptmx", "pts/ptmx"),
];

/// How device files come into the container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// They are made.
    Made,
    /// The host's are mounted: in a user namespace none can be made.
    Bound,
}

pub(crate) fn plan(linux: &Linux, mounts: &[Mount], way: Way, items: &mut Vec<Item>) -> Result<(), Error> {
    if mounts
        .iter()
        .any(|mount| clean(&mount.destination) == Path::new("/dev") && super::mounts::is_bind(mount))
    {
        return Ok(()); // The container gets somebody else's /dev, with what is in it.
    }
    let mut named = Vec::new();
    for (index, device) in linux.devices.iter().enumerate() {
        let field = format!("linux.devices[{index}]");
        let path = clean(&device.path);
        if path == Path::new("/dev/ptmx") {
            continue; // The one of the container's own devpts stands there.
        }
        let kind = match device.kind {
            DeviceType::Char | DeviceType::Unbuffered => CHARACTER,
            DeviceType::Block => BLOCK,
            DeviceType::Fifo => FIFO,
        };
        let number = |what: &str, number: i64| {
            u32::try_from(number).map_err(|_| {
                Error::invalid(format!("{field}.{what}"), format!("{number} is no device number"))
            })
        };
        let (major, minor) = if kind == FIFO {
            (0, 0)
        } else {
            (number("major", device.major)?, number("minor", device.minor)?)
        };
        let number = device_number(major, minor);
        if way == Way::Bound && kind != FIFO {
            items.push(Item::Bind(bound(&path, kind, number)));
            named.push(path);
            continue;
        }
        items.push(Item::Op(Op::Device(Device {
            path: path_text(&field, &path)?,
            mode: kind | (device.file_mode.unwrap_or(0o666) & 0o7777),
            number,
            uid: device.uid.unwrap_or(0),
            gid: device.gid.unwrap_or(0),
        })));
        named.push(path);
    }
    for (path, major, minor) in DEFAULT {
        if !named.contains(&PathBuf::from(path)) {
            if way == Way::Bound {
                items.push(Item::Bind(bound(Path::new(path), CHARACTER, device_number(major, minor))));
                continue;
            }
            let mode = CHARACTER | 0o666;
            let path = path_text("linux.devices", Path::new(path))?;
            items.push(Item::Op(Op::Device(Device {
                path,
                mode,
                number: device_number(major, minor),
                uid: 0,
                gid: 0,
            })));
        }
    }
    for (path, target) in LINKS {
        let target = path_text("linux.devices", Path::new(target))?;
        items.push(Item::Op(Op::Symlink { target, path: path_text("linux.devices", Path::new(path))? }));
    }
    Ok(())
}

/// Returns a mount of the host's device file.
fn bound(path: &Path, kind: u32, number: u64) -> Bind {
    Bind {
        source: path.into(),
        target: path.into(),
        depth: Depth::Single,
        attributes: vec![(
            Depth::Single,
            sys::mount::MountAttr { propagation: sys::mount::PRIVATE, ..sys::mount::MountAttr::default() },
        )],
        procfs: Procfs::Refused,
        source_link: SourceLink::Followed,
        links: Links::Followed,
        id_map: None,
        device: Some((kind, number)),
    }
}

/// Returns a device number as the kernel packs it.
const fn device_number(major: u32, minor: u32) -> u64 {
    let (major, minor) = (major as u64, minor as u64);
    ((major & 0xffff_f000) << 32) | ((major & 0xfff) << 8) | ((minor & 0xffff_ff00) << 12) | (minor & 0xff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_number_is_that_of_libc() {
        for (major, minor, want) in
            [(1, 3, 0x103), (10, 229, 0xae5), (259, 1, 0x10301), (8, 4096, 0x0100_0800)]
        {
            assert_eq!(device_number(major, minor), want, "{major}:{minor}");
        }
    }
}
