//! Making, opening, renaming and removing by directory descriptor and name.

use super::status::Moment;
use crate::error::{Call, Errno, Result};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags, ResolveFlags, Timespec, Timestamps};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// What [`make_node_at`] makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    /// A named pipe.
    Fifo,
    /// A character device; 0:0 is overlayfs' whiteout, which needs no privilege.
    Character {
        /// The driver.
        major: u32,
        /// The device.
        minor: u32,
    },
    /// A block device.
    Block {
        /// The driver.
        major: u32,
        /// The device.
        minor: u32,
    },
}

/// Opens a directory of ours by path, for use as a root.
///
/// # Errors
/// No such directory, or no permission.
///
/// # Source
/// `man 2 open`.
pub fn open_directory(path: &Path) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Call("open").retry(
        || rustix::fs::open(path, flags, Mode::empty()),
        || format!("{path:?}, O_RDONLY|O_DIRECTORY|O_CLOEXEC"),
    )
}

/// Opens a path as if `root` were the root directory: neither `..` nor absolute or magic links lead out of it.
///
/// # Errors
/// What open fails with; `EAGAIN` is retried.
///
/// # Source
/// `man 2 openat2` (since 5.6), `RESOLVE_IN_ROOT`.
pub fn open_in_root(root: BorrowedFd<'_>, path: &Path, flags: OFlags) -> Result<OwnedFd> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let open = || loop {
        // EAGAIN: something was renamed while `..` was resolved.
        match rustix::fs::openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
            Err(Errno::AGAIN) => {}
            result => return result,
        }
    };
    Call("openat2").retry(open, || {
        format!("{}, {path:?}, {{{flags:?}, RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS}}", root.as_raw_fd())
    })
}

/// Opens an existing file that is no symbolic link.
///
/// # Errors
/// What open fails with; `ELOOP` for a symbolic link.
///
/// # Source
/// `man 2 openat`.
pub fn open_at(directory: BorrowedFd<'_>, name: &Path, flags: OFlags) -> Result<OwnedFd> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Call("openat").retry(
        || rustix::fs::openat(directory, name, flags, Mode::empty()),
        || format!("{}, {name:?}, {flags:?}", directory.as_raw_fd()),
    )
}

/// Opens a directory in a directory, to read it or as a root.
///
/// # Errors
/// What open fails with; `ENOTDIR` for what is no directory.
///
/// # Source
/// `man 2 openat`.
pub fn open_subdirectory_at(directory: BorrowedFd<'_>, name: &Path) -> Result<OwnedFd> {
    open_at(directory, name, OFlags::RDONLY | OFlags::DIRECTORY)
}

/// Creates a file, opened for writing, that was not there.
///
/// # Errors
/// What open fails with; `EEXIST` if the name is taken, by whatever.
///
/// # Source
/// `man 2 openat`, `O_EXCL`.
pub fn create_at(directory: BorrowedFd<'_>, name: &Path, mode: u32) -> Result<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Call("openat").retry(
        || rustix::fs::openat(directory, name, flags, Mode::from_raw_mode(mode)),
        || format!("{}, {name:?}, {flags:?}, {mode:#o}", directory.as_raw_fd()),
    )
}

/// Makes a directory; the process' umask applies.
///
/// # Errors
/// What mkdir fails with.
///
/// # Source
/// `man 2 mkdirat`.
pub fn make_directory_at(directory: BorrowedFd<'_>, name: &Path, mode: u32) -> Result<()> {
    Call("mkdirat").result(rustix::fs::mkdirat(directory, name, Mode::from_raw_mode(mode)), || {
        format!("{}, {name:?}, {mode:#o}", directory.as_raw_fd())
    })
}

/// Makes a pipe or a device; the process' umask applies.
///
/// # Errors
/// What mknod fails with; `EPERM` for devices without `CAP_MKNOD`.
///
/// # Source
/// `man 2 mknodat`; whiteouts without privilege since 5.8.
pub fn make_node_at(directory: BorrowedFd<'_>, name: &Path, node: Node, mode: u32) -> Result<()> {
    let (kind, device) = match node {
        Node::Fifo => (FileType::Fifo, 0),
        Node::Character { major, minor } => (FileType::CharacterDevice, rustix::fs::makedev(major, minor)),
        Node::Block { major, minor } => (FileType::BlockDevice, rustix::fs::makedev(major, minor)),
    };
    Call("mknodat")
        .result(rustix::fs::mknodat(directory, name, kind, Mode::from_raw_mode(mode), device), || {
            format!("{}, {name:?}, {node:?}, {mode:#o}", directory.as_raw_fd())
        })
}

/// Makes a symbolic link.
///
/// # Errors
/// What symlink fails with.
///
/// # Source
/// `man 2 symlinkat`.
pub fn symlink_at(target: &Path, directory: BorrowedFd<'_>, name: &Path) -> Result<()> {
    Call("symlinkat").result(rustix::fs::symlinkat(target, directory, name), || {
        format!("{target:?}, {}, {name:?}", directory.as_raw_fd())
    })
}

/// Gives a file another name; a symbolic link itself gets it, not its target.
///
/// # Errors
/// What link fails with.
///
/// # Source
/// `man 2 linkat`.
pub fn link_at(from: BorrowedFd<'_>, from_name: &Path, to: BorrowedFd<'_>, to_name: &Path) -> Result<()> {
    Call("linkat").result(rustix::fs::linkat(from, from_name, to, to_name, AtFlags::empty()), || {
        format!("{}, {from_name:?}, {}, {to_name:?}, 0", from.as_raw_fd(), to.as_raw_fd())
    })
}

/// Removes a name that is no directory.
///
/// # Errors
/// What unlink fails with.
///
/// # Source
/// `man 2 unlinkat`.
pub fn unlink_at(directory: BorrowedFd<'_>, name: &Path) -> Result<()> {
    Call("unlinkat").result(rustix::fs::unlinkat(directory, name, AtFlags::empty()), || {
        format!("{}, {name:?}, 0", directory.as_raw_fd())
    })
}

/// Removes an empty directory.
///
/// # Errors
/// What rmdir fails with.
///
/// # Source
/// `man 2 unlinkat`, `AT_REMOVEDIR`.
pub fn unlink_directory_at(directory: BorrowedFd<'_>, name: &Path) -> Result<()> {
    Call("unlinkat").result(rustix::fs::unlinkat(directory, name, AtFlags::REMOVEDIR), || {
        format!("{}, {name:?}, AT_REMOVEDIR", directory.as_raw_fd())
    })
}

/// Renames, replacing what can be replaced.
///
/// # Errors
/// What rename fails with.
///
/// # Source
/// `man 2 renameat`.
pub fn rename_at(from: BorrowedFd<'_>, from_name: &Path, to: BorrowedFd<'_>, to_name: &Path) -> Result<()> {
    Call("renameat").result(rustix::fs::renameat(from, from_name, to, to_name), || {
        format!("{}, {from_name:?}, {}, {to_name:?}", from.as_raw_fd(), to.as_raw_fd())
    })
}

/// Renames, and fails with `EEXIST` if the new name is taken.
///
/// # Errors
/// What rename fails with.
///
/// # Source
/// `man 2 renameat2` (since 3.15).
pub fn rename_noreplace_at(
    from: BorrowedFd<'_>,
    from_name: &Path,
    to: BorrowedFd<'_>,
    to_name: &Path,
) -> Result<()> {
    Call("renameat2")
        .result(rustix::fs::renameat_with(from, from_name, to, to_name, RenameFlags::NOREPLACE), || {
            format!("{}, {from_name:?}, {}, {to_name:?}, RENAME_NOREPLACE", from.as_raw_fd(), to.as_raw_fd())
        })
}

/// Sets the owner of an open file.
///
/// # Errors
/// What chown fails with.
///
/// # Source
/// `man 2 fchown`.
pub fn change_owner(file: impl AsFd, uid: u32, gid: u32) -> Result<()> {
    let file = file.as_fd();
    let (owner, group) = (rustix::fs::Uid::from_raw(uid), rustix::fs::Gid::from_raw(gid));
    Call("fchown").result(rustix::fs::fchown(file, Some(owner), Some(group)), || {
        format!("{}, {uid}, {gid}", file.as_raw_fd())
    })
}

/// Sets the owner of a name, itself if it is a symbolic link.
///
/// # Errors
/// What chown fails with.
///
/// # Source
/// `man 2 fchownat`, `AT_SYMLINK_NOFOLLOW`.
pub fn change_owner_at(directory: BorrowedFd<'_>, name: &Path, uid: u32, gid: u32) -> Result<()> {
    let (owner, group) = (rustix::fs::Uid::from_raw(uid), rustix::fs::Gid::from_raw(gid));
    Call("fchownat").result(
        rustix::fs::chownat(directory, name, Some(owner), Some(group), AtFlags::SYMLINK_NOFOLLOW),
        || format!("{}, {name:?}, {uid}, {gid}, AT_SYMLINK_NOFOLLOW", directory.as_raw_fd()),
    )
}

/// Sets the permissions of an open file.
///
/// # Errors
/// What chmod fails with.
///
/// # Source
/// `man 2 fchmod`.
pub fn change_mode(file: impl AsFd, mode: u32) -> Result<()> {
    let file = file.as_fd();
    Call("fchmod").retry(
        || rustix::fs::fchmod(file, Mode::from_raw_mode(mode)),
        || format!("{}, {mode:#o}", file.as_raw_fd()),
    )
}

/// Sets the permissions of a name that the caller knows to be no symbolic link (such a link would be followed).
///
/// # Errors
/// What chmod fails with.
///
/// # Source
/// `man 2 fchmodat`.
pub fn change_mode_at(directory: BorrowedFd<'_>, name: &Path, mode: u32) -> Result<()> {
    Call("fchmodat")
        .result(rustix::fs::chmodat(directory, name, Mode::from_raw_mode(mode), AtFlags::empty()), || {
            format!("{}, {name:?}, {mode:#o}", directory.as_raw_fd())
        })
}

/// Sets the times of an open file.
///
/// # Errors
/// What utimensat fails with.
///
/// # Source
/// `man 3 futimens`.
pub fn set_times(file: impl AsFd, accessed: Moment, modified: Moment) -> Result<()> {
    let file = file.as_fd();
    Call("utimensat").result(rustix::fs::futimens(file, &timestamps(accessed, modified)), || {
        format!("{}, NULL, [{accessed:?}, {modified:?}], 0", file.as_raw_fd())
    })
}

/// Sets the times of a name, itself if it is a symbolic link.
///
/// # Errors
/// What utimensat fails with.
///
/// # Source
/// `man 2 utimensat`, `AT_SYMLINK_NOFOLLOW`.
pub fn set_times_at(
    directory: BorrowedFd<'_>,
    name: &Path,
    accessed: Moment,
    modified: Moment,
) -> Result<()> {
    let times = timestamps(accessed, modified);
    Call("utimensat")
        .result(rustix::fs::utimensat(directory, name, &times, AtFlags::SYMLINK_NOFOLLOW), || {
            format!("{}, {name:?}, [{accessed:?}, {modified:?}], AT_SYMLINK_NOFOLLOW", directory.as_raw_fd())
        })
}

fn timestamps(accessed: Moment, modified: Moment) -> Timestamps {
    let timespec = |moment: Moment| Timespec { tv_sec: moment.seconds, tv_nsec: moment.nanoseconds.into() };
    Timestamps { last_access: timespec(accessed), last_modification: timespec(modified) }
}

/// Sets the length of an open file; what is new reads as zeros and takes no space.
///
/// # Errors
/// What ftruncate fails with; `EFBIG` for more than the file system can hold.
///
/// # Source
/// `man 2 ftruncate`.
pub fn set_length(file: impl AsFd, length_bytes: u64) -> Result<()> {
    let file = file.as_fd();
    Call("ftruncate").retry(
        || rustix::fs::ftruncate(file, length_bytes),
        || format!("{}, {length_bytes}", file.as_raw_fd()),
    )
}
