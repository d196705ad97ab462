//! Bringing bytes to the disk, locks, holes.

use crate::error::{Call, Errno, Result};
use rustix::fs::{FallocateFlags, FlockOperation};
use std::os::fd::{AsFd, AsRawFd};

/// Brings a file's bytes, and what is needed to find them, to the disk.
///
/// # Errors
/// What fdatasync fails with. After an error the bytes must be taken for lost.
///
/// # Source
/// `man 2 fdatasync`.
pub fn sync_data(file: impl AsFd) -> Result<()> {
    let file = file.as_fd();
    Call("fdatasync").retry(|| rustix::fs::fdatasync(file), || file.as_raw_fd().to_string())
}

/// Brings a file or a directory to the disk: for a directory, the names in it.
///
/// # Errors
/// What fsync fails with. After an error the bytes must be taken for lost.
///
/// # Source
/// `man 2 fsync`.
pub fn sync(file: impl AsFd) -> Result<()> {
    let file = file.as_fd();
    Call("fsync").retry(|| rustix::fs::fsync(file), || file.as_raw_fd().to_string())
}

/// Brings all that was written to the file system of `file` to the disk.
///
/// # Errors
/// What syncfs fails with; write errors are reported since 5.8.
///
/// # Source
/// `man 2 syncfs`.
pub fn sync_file_system(file: impl AsFd) -> Result<()> {
    let file = file.as_fd();
    Call("syncfs").retry(|| rustix::fs::syncfs(file), || file.as_raw_fd().to_string())
}

/// Begins to bring a stretch of a file to the disk, without waiting until it is there: a later [`sync_data`] has less to do.
///
/// # Errors
/// What sync_file_range fails with; nothing is lost by ignoring it.
///
/// # Source
/// `man 2 sync_file_range`.
pub fn start_writeback(file: impl AsFd, offset_bytes: u64, length_bytes: u64) -> Result<()> {
    let file = file.as_fd().as_raw_fd();
    let (offset, length) = (offset_bytes.cast_signed(), length_bytes.cast_signed());
    // SAFETY: the descriptor is borrowed for the whole call, which takes numbers only.
    let returned = unsafe { libc::sync_file_range(file, offset, length, libc::SYNC_FILE_RANGE_WRITE) };
    Call("sync_file_range").check(returned, || format!("{file}, {offset}, {length}, WRITE")).map(drop)
}

/// How a file is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// Together with others that lock so.
    Shared,
    /// Alone.
    Exclusive,
}

/// Locks an open file, waiting until that is possible. The lock ends with the descriptor's last copy.
///
/// # Errors
/// What flock fails with.
///
/// # Source
/// `man 2 flock`.
pub fn lock(file: impl AsFd, lock: Lock) -> Result<()> {
    let file = file.as_fd();
    let operation = match lock {
        Lock::Shared => FlockOperation::LockShared,
        Lock::Exclusive => FlockOperation::LockExclusive,
    };
    Call("flock").retry(|| rustix::fs::flock(file, operation), || format!("{}, {lock:?}", file.as_raw_fd()))
}

/// Locks an open file if nobody else has; returns whether it did.
///
/// # Errors
/// What flock fails with, but for `EWOULDBLOCK`.
///
/// # Source
/// `man 2 flock`, `LOCK_NB`.
pub fn try_lock(file: impl AsFd, lock: Lock) -> Result<bool> {
    let file = file.as_fd();
    let operation = match lock {
        Lock::Shared => FlockOperation::NonBlockingLockShared,
        Lock::Exclusive => FlockOperation::NonBlockingLockExclusive,
    };
    match rustix::fs::flock(file, operation) {
        Err(Errno::WOULDBLOCK) => Ok(false),
        result => {
            Call("flock").result(result, || format!("{}, {lock:?}|LOCK_NB", file.as_raw_fd())).map(|()| true)
        }
    }
}

/// Gives the space of a stretch of a file back; it reads as zeros.
///
/// # Errors
/// What fallocate fails with; `EOPNOTSUPP` where the file system cannot do it.
///
/// # Source
/// `man 2 fallocate`, `FALLOC_FL_PUNCH_HOLE`.
pub fn punch_hole(file: impl AsFd, offset_bytes: u64, length_bytes: u64) -> Result<()> {
    let file = file.as_fd();
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    Call("fallocate").retry(
        || rustix::fs::fallocate(file, flags, offset_bytes, length_bytes),
        || format!("{}, PUNCH_HOLE|KEEP_SIZE, {offset_bytes}, {length_bytes}", file.as_raw_fd()),
    )
}
