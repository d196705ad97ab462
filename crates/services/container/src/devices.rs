//! Looks at device files of the host.

use crate::Error;
use crate::facts::HostDevice;
use crate::spec::Device;
use oci::runtime::DeviceType;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

/// Directories of /dev that no privileged container gets: they are made anew in each.
const OWN_DIRECTORIES: [&str; 6] = ["pts", "shm", "fd", "mqueue", ".lxc", ".udev"];

/// Returns the devices that a request names. A directory stands for all devices below it.
///
/// # Errors
/// InvalidArgument with Docker's text for a path that is no device.
pub(crate) fn find(requested: &[Device]) -> Result<Vec<HostDevice>, Error> {
    let mut found = Vec::new();
    for device in requested {
        let failed = |reason: &str| {
            let path = device.host_path.display();
            Error::invalid(format!(
                "error gathering device information while adding custom device \"{path}\": {reason}"
            ))
        };
        // The user may name a link, like /dev/disk/by-id/….
        let real = fs::canonicalize(&device.host_path).map_err(|error| failed(&reason(&error)))?;
        let metadata = fs::metadata(&real).map_err(|error| failed(&reason(&error)))?;
        if metadata.is_dir() {
            let before = found.len();
            walk(&real, &device.container_path, &device.permissions, &mut found)
                .map_err(|error| failed(&reason(&error)))?;
            if found.len() == before {
                return Err(failed("no devices found"));
            }
        } else {
            let one = describe(&metadata, &device.container_path, &device.permissions);
            found.push(one.ok_or_else(|| failed("not a device node"))?);
        }
    }
    Ok(found)
}

/// Returns all devices of the host, for a privileged container.
///
/// # Errors
/// Internal if /dev cannot be read.
pub(crate) fn all() -> Result<Vec<HostDevice>, Error> {
    let mut found = Vec::new();
    walk(Path::new("/dev"), Path::new("/dev"), "rwm", &mut found).map_err(Error::file("list", "/dev"))?;
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn walk(directory: &Path, target: &Path, permissions: &str, found: &mut Vec<HostDevice>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let metadata = match entry.metadata() {
            Ok(metadata) => metadata,
            // Devices come and go.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if metadata.is_dir() {
            if !OWN_DIRECTORIES.iter().any(|own| name == *own) {
                walk(&entry.path(), &target.join(&name), permissions, found)?;
            }
        } else if name != "console" && name != "ptmx" {
            found.extend(describe(&metadata, &target.join(&name), permissions));
        }
    }
    Ok(())
}

fn describe(metadata: &fs::Metadata, path: &Path, permissions: &str) -> Option<HostDevice> {
    let file_type = metadata.file_type();
    let kind = if file_type.is_char_device() {
        DeviceType::Char
    } else if file_type.is_block_device() {
        DeviceType::Block
    } else {
        return None;
    };
    let (major, minor) = numbers(metadata.rdev());
    Some(HostDevice {
        path: path.to_owned(),
        kind,
        major,
        minor,
        mode: metadata.mode() & 0o7777,
        uid: metadata.uid(),
        gid: metadata.gid(),
        permissions: permissions.to_owned(),
    })
}

/// Splits a device number.
///
/// # Source
/// glibc sysdeps/unix/sysv/linux/makedev: 12 + 20 bits of major, 8 + 24 bits of minor.
fn numbers(device: u64) -> (i64, i64) {
    let major = ((device >> 32) & 0xffff_f000) | ((device >> 8) & 0xfff);
    let minor = ((device >> 12) & 0xffff_ff00) | (device & 0xff);
    (major.cast_signed(), minor.cast_signed())
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(host: &str, container: &str) -> Device {
        Device { host_path: host.into(), container_path: container.into(), permissions: "rw".into() }
    }

    #[test]
    fn device_is_found_by_its_file() {
        let found = find(&[device("/dev/null", "/dev/nothing")]).unwrap();
        let [one] = &found[..] else { panic!("{found:?}") };
        assert_eq!(
            (one.path.as_path(), one.kind, one.major, one.minor),
            (Path::new("/dev/nothing"), DeviceType::Char, 1, 3)
        );
        assert_eq!(one.permissions, "rw");
    }

    #[test]
    fn paths_that_are_no_devices_are_refused_with_dockers_text() {
        for (path, reason) in
            [("/dev/nope", "no such file or directory"), ("/etc/passwd", "not a device node")]
        {
            let error = find(&[device(path, "/dev/x")]).unwrap_err();
            let expected =
                format!("error gathering device information while adding custom device \"{path}\": {reason}");
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn privileged_container_gets_no_console_and_no_terminals() {
        let all = all().unwrap();
        assert!(all.iter().any(|device| device.path == Path::new("/dev/null")));
        assert!(
            !all.iter().any(|device| device.path.starts_with("/dev/pts") || device.path.ends_with("console"))
        );
    }

    #[test]
    fn numbers_are_split_like_glibc_does() {
        assert_eq!(numbers(0x103), (1, 3));
        assert_eq!(numbers(0xfe00), (254, 0));
        assert_eq!(numbers(0x0000_1000_0010_0501), (0x1005, 0x101));
    }
}
