//! Files that exist only in memory, sealed against any change.

use crate::{Call, Errno, Result};
use rustix::fs::{MemfdFlags, SealFlags};
use std::fs::File;
use std::io::Write as _;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};

/// Returns a file of these bytes that nobody can change any more; it may be executed.
///
/// `name` is what /proc shows. The descriptor's position is at the end: readers use `pread` or `mmap`.
///
/// # Errors
/// ENOMEM, EMFILE.
///
/// # Source
/// man 2 memfd_create (since 3.17; MFD_EXEC since 6.3, left out on older kernels), F_ADD_SEALS in man 2 fcntl.
pub fn sealed(name: &str, bytes: &[u8]) -> Result<OwnedFd> {
    let base = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let create = |flags| rustix::fs::memfd_create(name, flags);
    let made = match create(base | MemfdFlags::EXEC) {
        Err(Errno::INVAL) => create(base),
        made => made,
    };
    let fd =
        Call("memfd_create").result(made, || format!("{name:?}, MFD_CLOEXEC|MFD_ALLOW_SEALING|MFD_EXEC"))?;
    let mut file = File::from(fd);
    if let Err(error) = file.write_all(bytes) {
        let errno = Errno::from_io_error(&error).unwrap_or(Errno::IO);
        return Err(Call("write").failed(errno, || format!("{name:?}, …, {}", bytes.len())));
    }
    let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    Call("fcntl").result(rustix::fs::fcntl_add_seals(&file, seals), || format!("{name:?}, F_ADD_SEALS"))?;
    Ok(OwnedFd::from(file))
}

/// Returns an empty file that [`fill`] fills: for who gets its descriptor before the content is known.
///
/// # Errors
/// ENOMEM, EMFILE.
pub fn empty(name: &str) -> Result<OwnedFd> {
    let made = rustix::fs::memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING);
    Call("memfd_create").result(made, || format!("{name:?}, MFD_CLOEXEC|MFD_ALLOW_SEALING"))
}

/// Fills an [`empty`] file, whose content nobody can change any more then. The position is at the beginning.
///
/// # Errors
/// ENOMEM; EPERM if it was filled before.
pub fn fill(file: impl AsFd, bytes: &[u8]) -> Result<()> {
    let file = file.as_fd();
    let args = || format!("{}, …, {}", file.as_raw_fd(), bytes.len());
    let mut written = 0;
    while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
        written += Call("pwrite").retry(|| rustix::io::pwrite(file, rest, written as u64), args)?;
    }
    let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    Call("fcntl").result(rustix::fs::fcntl_add_seals(file, seals), || "F_ADD_SEALS".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt as _;

    #[test]
    fn sealed_file_keeps_its_bytes() {
        let file = File::from(sealed("naru-test", b"bytes").unwrap());
        let mut buffer = [0; 5];
        file.read_exact_at(&mut buffer, 0).unwrap();
        assert_eq!(&buffer, b"bytes");
        assert!(file.write_at(b"x", 0).is_err());
        assert!(file.set_len(0).is_err());
    }
}
