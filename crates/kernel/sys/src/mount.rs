//! Mounts through descriptors: fsopen, open_tree, move_mount, mount_setattr (Linux 5.2 to 5.12), and pivot_root.
//!
//! A mount made here is *detached*: it is nowhere in the mount table until [`move_mount`] attaches it, and vanishes with
//! its last descriptor otherwise.
//!
//! # Source
//! man 2 fsopen, fsconfig, fsmount, open_tree, move_mount, mount_setattr, umount2.

use crate::{Call, Result, raw};
use rustix::fs::CWD;
use rustix::mount as rx;
use std::ffi::CString;
use std::fmt::Display;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

pub use rustix::mount::{MountAttrFlags, UnmountFlags};

/// Not writable.
pub const RDONLY: u64 = 0x1;
/// Set-user-ID bits have no effect.
pub const NOSUID: u64 = 0x2;
/// Device files cannot be opened.
pub const NODEV: u64 = 0x4;
/// Programs cannot be executed.
pub const NOEXEC: u64 = 0x8;
/// The field of access time settings: always cleared before one is set.
pub const ATIME: u64 = 0x70;
/// Access times are updated if older than the modification (0 in the field).
pub const RELATIME: u64 = 0x0;
/// Access times are not updated.
pub const NOATIME: u64 = 0x10;
/// Access times are always updated.
pub const STRICTATIME: u64 = 0x20;
/// Access times of directories are not updated.
pub const NODIRATIME: u64 = 0x80;
/// Ids are mapped through a user namespace.
pub const IDMAP: u64 = 0x0010_0000;
/// Symbolic links are not followed.
pub const NOSYMFOLLOW: u64 = 0x0020_0000;

/// Mount events pass in both directions.
pub const SHARED: u64 = libc::MS_SHARED;
/// Mount events pass neither in nor out.
pub const PRIVATE: u64 = libc::MS_PRIVATE;
/// Mount events come in and do not go out.
pub const SLAVE: u64 = libc::MS_SLAVE;
/// Private, and cannot be bind-mounted.
pub const UNBINDABLE: u64 = libc::MS_UNBINDABLE;

/// The argument of mount_setattr.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MountAttr {
    /// Attributes to set.
    pub set: u64,
    /// Attributes to clear first.
    pub clear: u64,
    /// [`SHARED`], [`PRIVATE`], [`SLAVE`], [`UNBINDABLE`], or 0 to leave it.
    pub propagation: u64,
    /// The user namespace of [`IDMAP`].
    pub userns_fd: u64,
}

/// How far an operation on a mount reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The one mount.
    Single,
    /// It and all mounts below it.
    Recursive,
}

/// Begins a new file system of a type; the parameters follow with `fsconfig_*`.
///
/// # Errors
/// ENODEV if the kernel does not know the type, EPERM without CAP_SYS_ADMIN.
pub fn fsopen(fs_type: &str) -> Result<OwnedFd> {
    Call("fsopen").result(rx::fsopen(fs_type, rx::FsOpenFlags::FSOPEN_CLOEXEC), || format!("{fs_type:?}"))
}

/// Sets a parameter without a value.
///
/// # Errors
/// EINVAL if the file system does not know it.
pub fn fsconfig_flag(context: &OwnedFd, key: &str) -> Result<()> {
    explain(
        context,
        Call("fsconfig").result(rx::fsconfig_set_flag(context, key), || format!("SET_FLAG, {key:?}")),
    )
}

/// Sets a parameter to a text of at most 255 bytes.
///
/// # Errors
/// EINVAL if the file system does not know it, or does not like the value.
pub fn fsconfig_string(context: &OwnedFd, key: &str, value: &str) -> Result<()> {
    let done = rx::fsconfig_set_string(context, key, value);
    explain(context, Call("fsconfig").result(done, || format!("SET_STRING, {key:?}, {value:?}")))
}

/// Sets a parameter to an open file or directory (overlay's layers: Linux 6.13).
///
/// # Errors
/// EINVAL if the file system does not know it or takes no descriptors.
pub fn fsconfig_fd(context: &OwnedFd, key: &str, value: BorrowedFd<'_>) -> Result<()> {
    let done = rx::fsconfig_set_fd(context, key, value);
    explain(context, Call("fsconfig").result(done, || format!("SET_FD, {key:?}, {}", value.as_raw_fd())))
}

/// Makes the file system's superblock from the parameters.
///
/// # Errors
/// What the file system says; the kernel's own explanation is in the error's arguments, where there is one.
pub fn fsconfig_create(context: &OwnedFd) -> Result<()> {
    explain(context, Call("fsconfig").result(rx::fsconfig_create(context), || "CMD_CREATE".into()))
}

/// Returns a detached mount of the file system, with mount attributes ([`RDONLY`], …).
///
/// # Errors
/// EINVAL if [`fsconfig_create`] did not go before.
pub fn fsmount(context: &OwnedFd, attributes: u64) -> Result<OwnedFd> {
    let flags = MountAttrFlags::from_bits_retain(attributes as u32);
    let done = rx::fsmount(context, rx::FsMountFlags::FSMOUNT_CLOEXEC, flags);
    Call("fsmount").result(done, || format!("{attributes:#x}"))
}

/// Adds the messages that the kernel left in a file system context to an error.
fn explain<T>(context: &OwnedFd, result: Result<T>) -> Result<T> {
    result.map_err(|mut error| {
        let mut buffer = [0; 512];
        while let Ok(length @ 1..) = rustix::io::read(context, &mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..length]);
            error.args.push_str(&format!(" /* {} */", text.trim_start_matches(['e', 'w', 'i', ' ']).trim()));
        }
        error
    })
}

/// Returns a detached copy of the mount at a path (a bind mount).
///
/// # Errors
/// ENOENT, EACCES; EINVAL for an unbindable mount or one of another mount namespace.
pub fn open_tree(path: &Path, depth: Depth) -> Result<OwnedFd> {
    let mut flags = rx::OpenTreeFlags::OPEN_TREE_CLONE | rx::OpenTreeFlags::OPEN_TREE_CLOEXEC;
    if depth == Depth::Recursive {
        flags |= rx::OpenTreeFlags::AT_RECURSIVE;
    }
    Call("open_tree")
        .result(rx::open_tree(CWD, path, flags), || format!("AT_FDCWD, {path:?}, CLONE, {depth:?}"))
}

/// As [`open_tree`], of the symbolic link itself if there is one at the path.
///
/// # Errors
/// As [`open_tree`].
pub fn open_tree_no_follow(path: &Path, depth: Depth) -> Result<OwnedFd> {
    let mut flags = rx::OpenTreeFlags::OPEN_TREE_CLONE
        | rx::OpenTreeFlags::OPEN_TREE_CLOEXEC
        | rx::OpenTreeFlags::AT_SYMLINK_NOFOLLOW;
    if depth == Depth::Recursive {
        flags |= rx::OpenTreeFlags::AT_RECURSIVE;
    }
    Call("open_tree")
        .result(rx::open_tree(CWD, path, flags), || format!("AT_FDCWD, {path:?}, CLONE, NOFOLLOW, {depth:?}"))
}

/// Returns a detached copy of the mount that an open file or directory is on, rooted at it.
///
/// # Errors
/// EINVAL for an unbindable mount or one of another mount namespace.
pub fn open_tree_fd(fd: impl AsFd, depth: Depth) -> Result<OwnedFd> {
    let fd = fd.as_fd();
    Call("open_tree")
        .result(raw::clone_tree(fd, depth), || format!("{}, \"\", CLONE, {depth:?}", fd.as_raw_fd()))
}

/// Attaches a detached mount at an open file or directory.
///
/// # Errors
/// ENOTDIR if one of both is a directory and the other is not.
pub fn move_mount(mount: impl AsFd, target: impl AsFd) -> Result<()> {
    let (mount, target) = (mount.as_fd(), target.as_fd());
    Call("move_mount").result(raw::move_mount(mount, target), || {
        format!("{}, \"\", {}, \"\"", mount.as_raw_fd(), target.as_raw_fd())
    })
}

/// Changes the attributes of the mount that a descriptor stands for.
///
/// # Errors
/// EINVAL if the descriptor is not the root of a mount; EPERM for attributes that are locked.
pub fn mount_setattr(mount: impl AsFd, depth: Depth, attr: &MountAttr) -> Result<()> {
    let mount = mount.as_fd();
    Call("mount_setattr").result(raw::mount_setattr(mount, c"", depth, attr), || {
        format!("{}, \"\", {depth:?}, {attr:?}", mount.as_raw_fd())
    })
}

/// Attaches a bind mount of `source` at `target` in the present mount namespace.
///
/// # Errors
/// As [`open_tree`] and [`move_mount`].
pub fn bind(source: &Path, target: &Path, depth: Depth) -> Result<()> {
    let tree = open_tree(source, depth)?;
    let flags = rx::MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    Call("move_mount")
        .result(rx::move_mount(&tree, "", CWD, target, flags), || format!("{source:?}, AT_FDCWD, {target:?}"))
}

/// Detaches the mount at a path at once; it ends when its last user leaves.
///
/// # Errors
/// EINVAL if nothing is mounted there, ENOENT.
pub fn unmount(path: &Path) -> Result<()> {
    let flags = UnmountFlags::DETACH | UnmountFlags::NOFOLLOW;
    Call("umount2").result(rx::unmount(path, flags), || format!("{path:?}, MNT_DETACH|UMOUNT_NOFOLLOW"))
}

/// Changes how mount events pass at `/` and at all mounts below it, in the calling process's mount namespace.
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN.
pub fn set_propagation_of_all(propagation: u64) -> Result<()> {
    let attr = MountAttr { propagation, ..MountAttr::default() };
    Call("mount_setattr").result(raw::mount_setattr(CWD, c"/", Depth::Recursive, &attr), || {
        format!("\"/\", AT_RECURSIVE, {attr:?}")
    })
}

/// Returns whether the root of a mount is a directory.
///
/// # Errors
/// None that is known.
pub fn is_directory(mount: impl AsFd) -> Result<bool> {
    let mount = mount.as_fd();
    let stat = Call("fstat").result(rustix::fs::fstat(mount), || mount.as_raw_fd().to_string())?;
    Ok(rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::Directory)
}

/// Returns the type and permission bits, and the device number, of the root of a mount.
///
/// # Errors
/// None that is known.
pub fn device_of(mount: impl AsFd) -> Result<(u32, u64)> {
    let mount = mount.as_fd();
    let stat = Call("fstat").result(rustix::fs::fstat(mount), || mount.as_raw_fd().to_string())?;
    Ok((stat.st_mode, stat.st_rdev))
}

/// Returns whether a mount is of procfs.
///
/// # Errors
/// None that is known.
pub fn is_procfs(mount: impl AsFd) -> Result<bool> {
    let mount = mount.as_fd();
    let found = Call("fstatfs").result(rustix::fs::fstatfs(mount), || mount.as_raw_fd().to_string())?;
    Ok(found.f_type == rustix::fs::PROC_SUPER_MAGIC)
}

/// One parameter of a file system: `key`, or `key=value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// The name.
    pub key: CString,
    /// The value, if it takes one.
    pub value: Option<CString>,
}

impl Display for Parameter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.key.to_string_lossy())?;
        match &self.value {
            Some(value) => write!(f, "={}", value.to_string_lossy()),
            None => Ok(()),
        }
    }
}
