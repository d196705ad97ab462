//! What a file, and what a file system is.

use crate::error::{Call, Errno, Result};
use rustix::fs::{AtFlags, FileType, Stat};
use std::ffi::OsString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// A point in time: seconds since 1970-01-01 UTC, and nanoseconds forward from there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// Seconds, negative before 1970.
    pub seconds: i64,
    /// 0 to 999 999 999.
    pub nanoseconds: u32,
}

/// What kind of file a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link.
    SymbolicLink,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A character device.
    CharacterDevice,
    /// A block device.
    BlockDevice,
    /// What the kernel has no name for.
    Unknown,
}

impl From<FileType> for Kind {
    fn from(kind: FileType) -> Self {
        match kind {
            FileType::RegularFile => Self::Regular,
            FileType::Directory => Self::Directory,
            FileType::Symlink => Self::SymbolicLink,
            FileType::Fifo => Self::Fifo,
            FileType::Socket => Self::Socket,
            FileType::CharacterDevice => Self::CharacterDevice,
            FileType::BlockDevice => Self::BlockDevice,
            FileType::Unknown => Self::Unknown,
        }
    }
}

/// What stat tells of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// What it is.
    pub kind: Kind,
    /// Permission bits, with setuid, setgid and sticky.
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The size in bytes, holes included.
    pub size_bytes: u64,
    /// What it takes on the disk, in bytes.
    pub disk_bytes: u64,
    /// The number of its names.
    pub links: u64,
    /// Which file system it lies on.
    pub device: u64,
    /// Which file it is there.
    pub inode: u64,
    /// Major and minor number of a device node.
    pub node: (u32, u32),
    /// When it was last read.
    pub accessed: Moment,
    /// When its content changed.
    pub modified: Moment,
}

impl From<Stat> for Status {
    fn from(stat: Stat) -> Self {
        let moment = |seconds, nanoseconds: u64| Moment {
            seconds,
            nanoseconds: u32::try_from(nanoseconds).unwrap_or_default(),
        };
        Self {
            kind: FileType::from_raw_mode(stat.st_mode).into(),
            mode: stat.st_mode & 0o7777,
            uid: stat.st_uid,
            gid: stat.st_gid,
            size_bytes: u64::try_from(stat.st_size).unwrap_or_default(),
            disk_bytes: u64::try_from(stat.st_blocks).unwrap_or_default() * 512,
            links: widen(stat.st_nlink),
            device: stat.st_dev,
            inode: stat.st_ino,
            node: (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev)),
            accessed: moment(stat.st_atime, widen(stat.st_atime_nsec)),
            modified: moment(stat.st_mtime, widen(stat.st_mtime_nsec)),
        }
    }
}

/// The kernel's types differ from one processor to another.
fn widen(number: impl Into<u64>) -> u64 {
    number.into()
}

/// Returns what an open file is.
///
/// # Errors
/// What fstat fails with.
///
/// # Source
/// `man 2 fstat`.
pub fn status(file: impl AsFd) -> Result<Status> {
    let file = file.as_fd();
    Call("fstat").result(rustix::fs::fstat(file), || file.as_raw_fd().to_string()).map(Status::from)
}

/// Returns what a name is, itself if it is a symbolic link; none if it is not there.
///
/// # Errors
/// What stat fails with, but for `ENOENT`.
///
/// # Source
/// `man 2 fstatat`, `AT_SYMLINK_NOFOLLOW`.
pub fn status_at(directory: BorrowedFd<'_>, name: &Path) -> Result<Option<Status>> {
    match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => Ok(None),
        result => Call("newfstatat")
            .result(result, || format!("{}, {name:?}, AT_SYMLINK_NOFOLLOW", directory.as_raw_fd()))
            .map(|stat| Some(stat.into())),
    }
}

/// Returns what a symbolic link says.
///
/// # Errors
/// What readlink fails with.
///
/// # Source
/// `man 2 readlinkat`.
pub fn read_link_at(directory: BorrowedFd<'_>, name: &Path) -> Result<PathBuf> {
    Call("readlinkat")
        .result(rustix::fs::readlinkat(directory, name, Vec::new()), || {
            format!("{}, {name:?}", directory.as_raw_fd())
        })
        .map(|target| PathBuf::from(OsString::from_vec(target.into_bytes())))
}

/// What a file system is, and what room it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileSystem {
    /// Its magic number.
    pub magic: u64,
    /// Its size.
    pub total_bytes: u64,
    /// What may still be written without privilege.
    pub available_bytes: u64,
    /// How many files may still be made; `u64::MAX` where there is no such limit.
    pub available_files: u64,
}

impl FileSystem {
    /// Returns the name as mount(8) has it, `0x…` for rare ones.
    ///
    /// # Source
    /// `linux/magic.h`.
    pub fn name(&self) -> String {
        let name = match self.magic {
            0xEF53 => "ext4",
            0x5846_5342 => "xfs",
            0x9123_683E => "btrfs",
            0x0102_1994 => "tmpfs",
            0x794C_7630 => "overlay",
            0xE0F5_E1E2 => "erofs",
            0x6969 => "nfs",
            0x2FC1_2FC1 => "zfs",
            0xF2F5_2010 => "f2fs",
            0x7371_7368 => "squashfs",
            0x6573_5546 => "fuse",
            0x0102_1997 => "9p",
            0xCA45_1A4E => "bcachefs",
            other => return format!("{other:#x}"),
        };
        name.to_owned()
    }
}

/// Returns what the file system at a path is.
///
/// # Errors
/// What statfs fails with.
///
/// # Source
/// `man 2 statfs`.
pub fn file_system(path: &Path) -> Result<FileSystem> {
    let found = Call("statfs").retry(|| rustix::fs::statfs(path), || format!("{path:?}"))?;
    let block_bytes = u64::try_from(found.f_bsize).unwrap_or_default();
    Ok(FileSystem {
        magic: found.f_type as u64 & 0xFFFF_FFFF,
        total_bytes: found.f_blocks.saturating_mul(block_bytes),
        available_bytes: found.f_bavail.saturating_mul(block_bytes),
        // btrfs and others count no files and say 0 of 0.
        available_files: if found.f_files == 0 { u64::MAX } else { found.f_ffree },
    })
}
