//! Pipes, and reading and writing without blocking.

use crate::{Call, Errno, Result};
use rustix::fs::OFlags;
use rustix::pipe::PipeFlags;
use std::os::fd::{AsFd, OwnedFd};

/// Makes a pipe: the reading end, the writing end.
///
/// # Errors
/// EMFILE, ENFILE.
///
/// # Source
/// man 2 pipe2 (since 2.6.27).
pub fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    Call("pipe2").result(rustix::pipe::pipe_with(PipeFlags::CLOEXEC), || "O_CLOEXEC".into())
}

/// Makes reading and writing return EAGAIN rather than wait. It holds for all duplicates of the descriptor.
///
/// # Errors
/// None for an open descriptor.
pub fn set_nonblocking(fd: impl AsFd) -> Result<()> {
    let call = Call("fcntl");
    let args = || format!("{:?}, F_SETFL, O_NONBLOCK", fd.as_fd());
    let flags = call.result(rustix::fs::fcntl_getfl(&fd), args)?;
    call.result(rustix::fs::fcntl_setfl(&fd, flags | OFlags::NONBLOCK), args)
}

/// Reads what is there; none if that would block.
///
/// # Errors
/// EIO from a terminal whose other side is closed.
pub fn read(fd: impl AsFd, buffer: &mut [u8]) -> Result<Option<usize>> {
    let length = buffer.len();
    pending(
        Call("read")
            .retry(|| rustix::io::read(&fd, &mut *buffer), || format!("{:?}, …, {length}", fd.as_fd())),
    )
}

/// Writes as much as is accepted; none if that would block.
///
/// # Errors
/// EPIPE if nobody reads any more (SIGPIPE must be ignored, as Rust's runtime does).
pub fn write(fd: impl AsFd, bytes: &[u8]) -> Result<Option<usize>> {
    let length = bytes.len();
    pending(
        Call("write").retry(|| rustix::io::write(&fd, bytes), || format!("{:?}, …, {length}", fd.as_fd())),
    )
}

/// Turns EAGAIN into none.
pub(crate) fn pending<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is(Errno::AGAIN) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_of_an_empty_pipe_is_none_and_of_a_closed_one_zero() {
        let (reader, writer) = pipe().expect("pipe");
        set_nonblocking(&reader).expect("fcntl");
        let mut buffer = [0; 8];
        assert_eq!(read(&reader, &mut buffer), Ok(None));
        assert_eq!(write(&writer, b"abc"), Ok(Some(3)));
        drop(writer);
        assert_eq!((read(&reader, &mut buffer), &buffer[..3]), (Ok(Some(3)), &b"abc"[..]));
        assert_eq!(read(&reader, &mut buffer), Ok(Some(0)));
    }
}
