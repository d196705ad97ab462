//! Writing a program's output without ever standing in the way of anything else.
//!
//! The command line has one thread: if it slept in write(2) because nobody reads our standard output (a pager, ctrl-s), signals
//! would not be passed on and the terminal would not be resized meanwhile. So a pipe or terminal is asked first whether there
//! is room. Files never block.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A pipe that is ready takes at least so many bytes at once.
const PIPE_BUF: usize = 4096;

/// Standard output or standard error.
#[derive(Debug)]
pub(crate) enum Output {
    /// Something that can be waited for.
    Waited(AsyncFd<OwnedFd>),
    /// A file, or /dev/null.
    Direct(OwnedFd),
}

impl Output {
    /// Returns standard output.
    pub(crate) fn stdout() -> io::Result<Self> {
        Self::of(io::stdout().as_fd().try_clone_to_owned()?)
    }

    /// Returns standard error.
    pub(crate) fn stderr() -> io::Result<Self> {
        Self::of(io::stderr().as_fd().try_clone_to_owned()?)
    }

    fn of(fd: OwnedFd) -> io::Result<Self> {
        #[expect(deprecated, reason = "the replacement is unsafe; an OwnedFd keeps what it demands")]
        let registered = AsyncFd::try_with_interest(fd, Interest::WRITABLE);
        match registered {
            Ok(fd) => Ok(Self::Waited(fd)),
            // Files cannot be waited for: epoll refuses them.
            Err(refused) => Ok(Self::Direct(refused.into_parts().0)),
        }
    }

    /// Writes all bytes.
    pub(crate) async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = match self {
                Self::Direct(fd) => rustix::io::write(fd, bytes),
                Self::Waited(fd) => {
                    wait_for_room(fd).await?;
                    rustix::io::write(fd.get_ref(), &bytes[..bytes.len().min(PIPE_BUF)])
                }
            };
            match written {
                Ok(count) => bytes = &bytes[count..],
                Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
                Err(failed) => return Err(failed.into()),
            }
        }
        Ok(())
    }
}

async fn wait_for_room(fd: &AsyncFd<OwnedFd>) -> io::Result<()> {
    loop {
        if has_room(fd.get_ref())? {
            return Ok(());
        }
        let mut guard = fd.writable().await?;
        // The readiness may be an old one, because the descriptor is not in non-blocking mode: ask again.
        if has_room(fd.get_ref())? {
            return Ok(());
        }
        guard.clear_ready();
    }
}

fn has_room(fd: &OwnedFd) -> io::Result<bool> {
    let mut fds = [PollFd::new(fd, PollFlags::OUT)];
    match poll(&mut fds, Some(&Timespec::default())) {
        // Errors show when writing.
        Ok(_) => Ok(fds[0].revents().intersects(PollFlags::OUT | PollFlags::ERR | PollFlags::HUP)),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(failed) => Err(failed.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::time::Duration;

    fn block_on<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime").block_on(future)
    }

    #[test]
    fn full_pipe_does_not_stop_the_thread() {
        block_on(async {
            let (mut reader, writer) = io::pipe().expect("pipe");
            let output = Output::of(OwnedFd::from(writer)).expect("output");
            let data = vec![7u8; 1 << 20];
            let mut writing = std::pin::pin!(output.write(&data));
            // The pipe holds 64 KiB: the write cannot end, and other work goes on.
            let unfinished = tokio::time::timeout(Duration::from_millis(20), &mut writing).await;
            assert!(unfinished.is_err(), "nobody has read yet");
            let reading = std::thread::spawn(move || {
                let mut read = vec![0u8; 1 << 20];
                reader.read_exact(&mut read).map(|()| read)
            });
            writing.await.expect("written");
            assert_eq!(reading.join().expect("thread").expect("read"), vec![7u8; 1 << 20]);
        });
    }

    #[test]
    fn closed_pipe_is_an_error() {
        block_on(async {
            let (reader, writer) = io::pipe().expect("pipe");
            drop(reader);
            let output = Output::of(OwnedFd::from(writer)).expect("output");
            let failed = output.write(b"x").await.expect_err("nobody reads");
            assert_eq!(failed.kind(), io::ErrorKind::BrokenPipe);
        });
    }

    #[test]
    fn file_is_written_directly() {
        block_on(async {
            let path = std::env::temp_dir().join(format!("naru-cli-output-{}", std::process::id()));
            let file = std::fs::File::create(&path).expect("create");
            let output = Output::of(OwnedFd::from(file)).expect("output");
            assert!(matches!(output, Output::Direct(_)));
            output.write(b"text").await.expect("written");
            assert_eq!(std::fs::read(&path).expect("read"), b"text");
            std::fs::remove_file(&path).expect("remove");
        });
    }
}
