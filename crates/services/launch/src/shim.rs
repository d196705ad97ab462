//! The engine's end of the connection to one supervisor.

use crate::Error;
use shimwire::{MAX_MESSAGE_BYTES, Report, Request};
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::Arc;
use sys::process::Signal;
use sys::socket::{receive_message, send_message};
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;

/// Reports that may wait for the container's actor. Beyond that the supervisor's own queue fills.
const QUEUE: usize = 64;

/// A connection to a supervisor.
#[derive(Debug)]
pub struct Shim {
    /// Requests go in here.
    pub sender: ShimSender,
    /// Reports come out here; the end means that the supervisor, or the connection to it, is gone.
    pub reports: mpsc::Receiver<Report>,
}

/// Sends requests to one supervisor.
#[derive(Debug, Clone)]
pub struct ShimSender {
    socket: Arc<AsyncFd<OwnedFd>>,
    process: Arc<Process>,
    /// The protocol that the supervisor speaks.
    pub(crate) version: u32,
}

#[derive(Debug)]
struct Process {
    pid: i32,
    pidfd: OwnedFd,
    child: Child,
}

/// Whether the supervisor is a child of this engine, and has to be reaped by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Child {
    Own,
    Adopted,
}

impl Shim {
    /// Returns a connection, read by a task of its own until it ends.
    pub(crate) fn new(socket: OwnedFd, pid: i32, pidfd: OwnedFd, child: Child) -> Result<Self, Error> {
        let socket = Arc::new(watch(socket)?);
        let process = Arc::new(Process { pid, pidfd, child });
        let (tx, reports) = mpsc::channel(QUEUE);
        tokio::spawn(read(Arc::clone(&socket), Arc::clone(&process), tx));
        // One that was adopted says in its first message which version it speaks.
        Ok(Self { sender: ShimSender { socket, process, version: shimwire::VERSION }, reports })
    }
}

impl ShimSender {
    /// Sends a request with descriptors.
    ///
    /// # Errors
    /// Lost if the supervisor is gone.
    pub async fn send(&self, request: &Request, fds: &[BorrowedFd<'_>]) -> Result<(), Error> {
        let bytes = shimwire::encode(request)?;
        let file;
        let with_file: Vec<BorrowedFd<'_>>;
        let (bytes, fds) = if bytes.len() > MAX_MESSAGE_BYTES {
            file = sys::memfd::sealed("naru-request", &bytes)?;
            with_file = std::iter::once(file.as_fd()).chain(fds.iter().copied()).collect();
            (shimwire::IN_FILE, &with_file[..])
        } else {
            (&bytes[..], fds)
        };
        loop {
            match send_message(self.socket.get_ref(), bytes, fds) {
                Ok(Some(())) => return Ok(()),
                Ok(None) => {
                    let mut guard = self.socket.writable().await.map_err(Error::Watch)?;
                    guard.clear_ready();
                }
                Err(error) if error.is(sys::Errno::PIPE) || error.is(sys::Errno::CONNRESET) => {
                    return Err(Error::Lost);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Returns whether the supervisor knows `KillExec`.
    pub fn signals_execs(&self) -> bool {
        self.version >= 2
    }

    /// Returns whether the supervisor knows `Ports`.
    pub fn holds_ports(&self) -> bool {
        self.version >= 2
    }

    /// Returns whether the supervisor knows `Keep`.
    pub fn keeps_descriptors(&self) -> bool {
        self.version >= 2
    }

    /// Returns the supervisor's process id.
    pub fn pid(&self) -> i32 {
        self.process.pid
    }

    /// Returns a duplicate of a descriptor that the supervisor keeps.
    ///
    /// # Errors
    /// Internal if the kernel does not permit it, or the descriptor is not there.
    pub fn take(&self, number: i32) -> Result<OwnedFd, Error> {
        Ok(sys::process::take_descriptor(self.process.pidfd.as_fd(), number)?)
    }

    /// Kills the supervisor, and with it a container that it made.
    ///
    /// # Errors
    /// Internal if it cannot be signalled; a supervisor that is gone already is none.
    pub fn kill(&self) -> Result<(), Error> {
        match sys::process::send(self.process.pidfd.as_fd(), Signal::KILL) {
            Err(error) if error.is(sys::Errno::SRCH) => Ok(()),
            done => Ok(done?),
        }
    }

    /// Waits until the supervisor's process has ended.
    ///
    /// # Errors
    /// Internal if the process cannot be watched.
    pub async fn ended(&self) -> Result<(), Error> {
        self.process.ended().await
    }
}

impl Process {
    async fn ended(&self) -> Result<(), Error> {
        let copy = self.pidfd.try_clone().map_err(Error::Watch)?;
        let pidfd = watch(copy)?;
        // A pidfd stays readable once its process has ended.
        drop(pidfd.readable().await.map_err(Error::Watch)?);
        Ok(())
    }
}

/// Registers a descriptor with the event loop.
#[expect(
    deprecated,
    reason = "unsound only for types that may close or change their descriptor meanwhile; an OwnedFd does not"
)]
fn watch(fd: OwnedFd) -> Result<AsyncFd<OwnedFd>, Error> {
    AsyncFd::new(fd).map_err(Error::Watch)
}

/// Passes reports on until the connection ends; then reaps the supervisor, if it is a child of this engine.
async fn read(socket: Arc<AsyncFd<OwnedFd>>, process: Arc<Process>, tx: mpsc::Sender<Report>) {
    loop {
        let report = tokio::select! {
            report = next(&socket) => report,
            // Nobody listens any more: a supervisor without a container ends with its connection.
            () = tx.closed() => None,
        };
        let Some(report) = report else { break };
        if tx.send(report).await.is_err() {
            break;
        }
    }
    drop(tx);
    drop(socket);
    if process.child == Child::Own && process.ended().await.is_ok() {
        // It has ended; an error would mean that somebody else reaped it.
        let _ = sys::process::try_wait(process.pidfd.as_fd());
    }
}

async fn next(socket: &AsyncFd<OwnedFd>) -> Option<Report> {
    loop {
        let mut guard = socket.readable().await.ok()?;
        let received = guard.try_io(|fd| match receive_message(fd.get_ref(), MAX_MESSAGE_BYTES) {
            Ok(Some(message)) => Ok(message),
            Ok(None) => Err(io::ErrorKind::WouldBlock.into()),
            Err(error) => Err(error.into()),
        });
        match received {
            Err(_would_block) => {}
            Ok(Err(error)) => {
                tracing::warn!(error = %error, "supervisor's connection broke");
                return None;
            }
            Ok(Ok(message)) if message.bytes.is_empty() => return None,
            Ok(Ok(message)) => match shimwire::decode(&message.bytes) {
                Ok(report) => return Some(report),
                Err(error) => {
                    tracing::warn!(error = %error::chain(&error), "report of a supervisor is not understood")
                }
            },
        }
    }
}
