//! Extended attributes.

use crate::error::{Call, Errno, Result};
use rustix::fs::XattrFlags;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// The kernel's limit for one value, and for a list of names.
///
/// # Source
/// `linux/limits.h`, `XATTR_SIZE_MAX`.
const MAX_BYTES: usize = 65536;

/// Sets an attribute of an open file.
///
/// # Errors
/// What setxattr fails with.
///
/// # Source
/// `man 2 fsetxattr`.
pub fn set_xattr(file: impl AsFd, name: &OsStr, value: &[u8]) -> Result<()> {
    let file = file.as_fd();
    Call("fsetxattr").result(rustix::fs::fsetxattr(file, name, value, XattrFlags::empty()), || {
        format!("{}, {name:?}, {} bytes", file.as_raw_fd(), value.len())
    })
}

/// Sets an attribute of a name, itself if it is a symbolic link. The directory may be open as a path only; an empty
/// name means the directory itself.
///
/// # Errors
/// What setxattr fails with.
///
/// # Source
/// `man 2 lsetxattr`. The directory is reached through `/proc/self/fd`, which must be mounted (setxattrat is of 6.13).
pub fn set_xattr_at(directory: BorrowedFd<'_>, name: &Path, attribute: &OsStr, value: &[u8]) -> Result<()> {
    let path = through_proc(directory, name);
    let result = if name.as_os_str().is_empty() {
        rustix::fs::setxattr(&path, attribute, value, XattrFlags::empty())
    } else {
        rustix::fs::lsetxattr(&path, attribute, value, XattrFlags::empty())
    };
    Call("lsetxattr").result(result, || format!("{path:?}, {attribute:?}, {} bytes", value.len()))
}

/// Reads an attribute of an open file; none if it has none.
///
/// # Errors
/// What getxattr fails with, but for `ENODATA`.
///
/// # Source
/// `man 2 fgetxattr`.
pub fn get_xattr(file: impl AsFd, name: &OsStr) -> Result<Option<Vec<u8>>> {
    let file = file.as_fd();
    let mut value = vec![0; MAX_BYTES];
    let read = rustix::fs::fgetxattr(file, name, &mut value[..]);
    present(read, value, || Call("fgetxattr"), || format!("{}, {name:?}", file.as_raw_fd()))
}

/// Reads an attribute of a name, itself if it is a symbolic link; none if it has none.
///
/// # Errors
/// What getxattr fails with, but for `ENODATA`.
///
/// # Source
/// `man 2 lgetxattr`.
pub fn get_xattr_at(directory: BorrowedFd<'_>, name: &Path, attribute: &OsStr) -> Result<Option<Vec<u8>>> {
    let path = through_proc(directory, name);
    let mut value = vec![0; MAX_BYTES];
    let read = rustix::fs::lgetxattr(&path, attribute, &mut value[..]);
    present(read, value, || Call("lgetxattr"), || format!("{path:?}, {attribute:?}"))
}

/// Reads the names of the attributes of a name, itself if it is a symbolic link; none where there are no attributes.
///
/// # Errors
/// What listxattr fails with, but for `EOPNOTSUPP`.
///
/// # Source
/// `man 2 llistxattr`.
pub fn list_xattrs_at(directory: BorrowedFd<'_>, name: &Path) -> Result<Vec<OsString>> {
    let path = through_proc(directory, name);
    let mut names = vec![0; MAX_BYTES];
    let length = match rustix::fs::llistxattr(&path, &mut names[..]) {
        Err(Errno::OPNOTSUPP) => 0,
        result => Call("llistxattr").result(result, || format!("{path:?}"))?,
    };
    names.truncate(length);
    let names = names.split(|&byte| byte == 0).filter(|name| !name.is_empty());
    Ok(names.map(|name| OsStr::from_bytes(name).to_owned()).collect())
}

/// Removes an attribute of an open file.
///
/// # Errors
/// What removexattr fails with; `ENODATA` if it had none.
///
/// # Source
/// `man 2 fremovexattr`.
pub fn remove_xattr(file: impl AsFd, name: &OsStr) -> Result<()> {
    let file = file.as_fd();
    Call("fremovexattr")
        .result(rustix::fs::fremovexattr(file, name), || format!("{}, {name:?}", file.as_raw_fd()))
}

fn present(
    read: rustix::io::Result<usize>,
    mut value: Vec<u8>,
    call: impl FnOnce() -> Call,
    args: impl FnOnce() -> String,
) -> Result<Option<Vec<u8>>> {
    match read {
        Err(Errno::NODATA) => Ok(None),
        read => {
            value.truncate(call().result(read, args)?);
            Ok(Some(value))
        }
    }
}

fn through_proc(directory: BorrowedFd<'_>, name: &Path) -> PathBuf {
    let mut path = OsString::from(format!("/proc/self/fd/{}", directory.as_raw_fd()));
    if !name.as_os_str().is_empty() {
        path.push("/");
        path.push(OsString::from_vec(name.as_os_str().as_bytes().to_vec()));
    }
    PathBuf::from(path)
}
