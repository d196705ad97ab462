//! System calls that rustix lacks, without allocation: usable between clone and exec.

use crate::child::Links;
use crate::error::last_errno;
use crate::mount::{Depth, MountAttr};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Result;
use rustix::mount::{MoveMountFlags, OpenTreeFlags};
use std::ffi::CStr;
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};

/// Turns a raw return value into a result.
pub(crate) fn check(returned: libc::c_long) -> Result<libc::c_long> {
    if returned == -1 { Err(last_errno()) } else { Ok(returned) }
}

pub(crate) fn clone_tree(fd: BorrowedFd<'_>, depth: Depth) -> Result<OwnedFd> {
    // AT_EMPTY_PATH has no name in rustix's flags of open_tree.
    let empty = OpenTreeFlags::from_bits_retain(libc::AT_EMPTY_PATH as u32);
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | empty;
    if depth == Depth::Recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    rustix::mount::open_tree(fd, c"", flags)
}

/// Returns a detached copy of the mount at a path of the host.
pub(crate) fn open_tree(path: &CStr, depth: Depth, links: Links) -> Result<OwnedFd> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    if depth == Depth::Recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    if links != Links::Followed {
        flags |= OpenTreeFlags::AT_SYMLINK_NOFOLLOW;
    }
    rustix::mount::open_tree(CWD, path, flags)
}

pub(crate) fn move_mount(mount: BorrowedFd<'_>, target: BorrowedFd<'_>) -> Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    rustix::mount::move_mount(mount, c"", target, c"", flags)
}

pub(crate) fn mount_setattr(
    directory: BorrowedFd<'_>,
    path: &CStr,
    depth: Depth,
    attr: &MountAttr,
) -> Result<()> {
    let mut flags = 0;
    if path.is_empty() {
        flags |= libc::AT_EMPTY_PATH;
    }
    if depth == Depth::Recursive {
        flags |= libc::AT_RECURSIVE;
    }
    // SAFETY: mount_setattr(2) reads the path, which ends with NUL, and `size_of` bytes of the attribute, which has the
    // kernel's layout (four u64); both outlive the call.
    let returned = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            directory.as_raw_fd(),
            path.as_ptr(),
            flags,
            std::ptr::from_ref(attr),
            size_of::<MountAttr>(),
        )
    };
    check(returned).map(drop)
}

/// Opens below a root: `..` and absolute links stay inside, magic links are refused.
pub(crate) fn open_in_root(
    root: BorrowedFd<'_>,
    path: &CStr,
    flags: OFlags,
    more: ResolveFlags,
) -> Result<OwnedFd> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS | more;
    let mut tries = 128;
    loop {
        // EAGAIN: a rename elsewhere made the kernel unsure about `..`; man 2 openat2 says to try again. Not for ever:
        // the renaming may be an attack.
        match rustix::fs::openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::AGAIN) if tries > 0 => tries -= 1,
            result => return result,
        }
    }
}

/// Opens a file of the host by absolute path.
pub(crate) fn open_host(path: &CStr, flags: OFlags) -> Result<OwnedFd> {
    rustix::fs::openat(CWD, path, flags | OFlags::CLOEXEC, Mode::empty())
}

pub(crate) fn prctl(option: libc::c_int, arg2: usize, arg3: usize) -> Result<libc::c_int> {
    // SAFETY: the callers pass options whose arguments are numbers, not pointers.
    let returned = unsafe { libc::prctl(option, arg2, arg3, 0usize, 0usize) };
    check(returned.into()).map(|value| value as libc::c_int)
}

/// Moves the calling thread into the namespaces of `flags`, of a namespace descriptor or of a pidfd.
pub(crate) fn setns(fd: BorrowedFd<'_>, flags: libc::c_int) -> Result<()> {
    // SAFETY: setns(2) takes a descriptor and flags; it touches no memory of ours.
    check(unsafe { libc::setns(fd.as_raw_fd(), flags) }.into()).map(drop)
}

/// Leaves the namespaces of `flags`.
pub(crate) fn unshare(flags: libc::c_int) -> Result<()> {
    // SAFETY: the callers pass namespace flags only, none that unshares descriptors or memory.
    check(unsafe { libc::unshare(flags) }.into()).map(drop)
}
