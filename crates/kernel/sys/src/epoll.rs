//! The pieces of an event loop: epoll and eventfd.

use crate::{Call, Errno, Result};
use rustix::event::{EventfdFlags, epoll};
use rustix::time::Timespec;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// How many events one wait returns at most.
const BATCH: usize = 32;

/// What a descriptor is watched for. Hang-ups and errors are always reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    /// It can be read (EPOLLIN).
    pub read: bool,
    /// It can be written (EPOLLOUT).
    pub write: bool,
    /// It has an exceptional condition (EPOLLPRI).
    pub priority: bool,
}

impl Interest {
    /// Nothing but hang-ups and errors.
    pub const NONE: Self = Self { read: false, write: false, priority: false };
    /// Reading only.
    pub const READ: Self = Self { read: true, ..Self::NONE };
    /// Writing only.
    pub const WRITE: Self = Self { write: true, ..Self::NONE };
    /// Exceptional conditions only.
    pub const PRIORITY: Self = Self { priority: true, ..Self::NONE };

    fn flags(self) -> epoll::EventFlags {
        let mut flags = epoll::EventFlags::empty();
        flags.set(epoll::EventFlags::IN, self.read);
        flags.set(epoll::EventFlags::OUT, self.write);
        flags.set(epoll::EventFlags::PRI, self.priority);
        flags
    }
}

/// What happened to a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The number that it was added with.
    pub token: u64,
    /// It can be read.
    pub readable: bool,
    /// It can be written.
    pub writable: bool,
    /// It has an exceptional condition.
    pub priority: bool,
    /// The other end is gone, or there is an error (EPOLLHUP, EPOLLERR).
    pub hung_up: bool,
}

/// An epoll instance; level-triggered.
#[derive(Debug)]
pub struct Epoll {
    fd: OwnedFd,
}

impl Epoll {
    /// Makes an instance.
    ///
    /// # Errors
    /// EMFILE, ENFILE, ENOMEM.
    ///
    /// # Source
    /// man 2 epoll_create1 (since 2.6.27).
    pub fn new() -> Result<Self> {
        let fd = Call("epoll_create1")
            .result(epoll::create(epoll::CreateFlags::CLOEXEC), || "EPOLL_CLOEXEC".into())?;
        Ok(Self { fd })
    }

    /// Begins to watch a descriptor.
    ///
    /// # Errors
    /// EEXIST if it is watched already; EPERM for a regular file.
    pub fn add(&self, fd: impl AsFd, token: u64, interest: Interest) -> Result<()> {
        let result = epoll::add(&self.fd, fd.as_fd(), epoll::EventData::new_u64(token), interest.flags());
        Call("epoll_ctl").result(result, || self.args("EPOLL_CTL_ADD", fd.as_fd()))
    }

    /// Changes what a descriptor is watched for.
    ///
    /// # Errors
    /// ENOENT if it is not watched.
    pub fn modify(&self, fd: impl AsFd, token: u64, interest: Interest) -> Result<()> {
        let result = epoll::modify(&self.fd, fd.as_fd(), epoll::EventData::new_u64(token), interest.flags());
        Call("epoll_ctl").result(result, || self.args("EPOLL_CTL_MOD", fd.as_fd()))
    }

    /// Ends watching a descriptor. Needed before closing it if a duplicate stays open elsewhere.
    ///
    /// # Errors
    /// ENOENT if it is not watched.
    pub fn remove(&self, fd: impl AsFd) -> Result<()> {
        Call("epoll_ctl")
            .result(epoll::delete(&self.fd, fd.as_fd()), || self.args("EPOLL_CTL_DEL", fd.as_fd()))
    }

    /// Waits for events, at most `timeout` (none: for ever), and appends them to `events`.
    ///
    /// A signal ends the wait early, without events and without an error.
    ///
    /// # Errors
    /// Only those of a misused instance.
    ///
    /// # Source
    /// man 2 epoll_wait
    pub fn wait(&self, events: &mut Vec<Event>, timeout: Option<Duration>) -> Result<()> {
        let mut space = [const { MaybeUninit::uninit() }; BATCH];
        let timeout = timeout.map(milliseconds);
        let ready = match epoll::wait(&self.fd, &mut space[..], timeout.as_ref()) {
            Ok((ready, _)) => ready,
            Err(Errno::INTR) => return Ok(()),
            Err(errno) => return Err(Call("epoll_wait").failed(errno, || format!("{:?}", self.fd))),
        };
        events.extend(ready.iter().map(|event| {
            let flags = event.flags;
            Event {
                token: event.data.u64(),
                readable: flags.contains(epoll::EventFlags::IN),
                writable: flags.contains(epoll::EventFlags::OUT),
                priority: flags.contains(epoll::EventFlags::PRI),
                hung_up: flags.intersects(epoll::EventFlags::HUP | epoll::EventFlags::ERR),
            }
        }));
        Ok(())
    }

    fn args(&self, operation: &str, fd: BorrowedFd<'_>) -> String {
        format!("{:?}, {operation}, {fd:?}", self.fd)
    }
}

/// Rounds up to milliseconds: epoll_wait would round down and wake too early, again and again.
fn milliseconds(timeout: Duration) -> Timespec {
    let ms =
        i64::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX).min(i64::from(i32::MAX));
    Timespec { tv_sec: ms / 1000, tv_nsec: ms % 1000 * 1_000_000 }
}

/// Makes an event counter; non-blocking.
///
/// # Errors
/// EMFILE, ENFILE, ENOMEM.
///
/// # Source
/// man 2 eventfd (since 2.6.22).
pub fn eventfd(initial: u32) -> Result<OwnedFd> {
    let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
    Call("eventfd2")
        .result(rustix::event::eventfd(initial, flags), || format!("{initial}, EFD_CLOEXEC|EFD_NONBLOCK"))
}

/// Returns the counter and sets it to 0; 0 if it was 0.
///
/// # Errors
/// EINVAL if it is no eventfd.
pub fn eventfd_read(fd: impl AsFd) -> Result<u64> {
    let mut bytes = [0; 8];
    match Call("read").retry(|| rustix::io::read(&fd, &mut bytes), || format!("{:?}, eventfd", fd.as_fd())) {
        Ok(8) => Ok(u64::from_ne_bytes(bytes)),
        Ok(_) => Err(Call("read").failed(Errno::INVAL, || format!("{:?}, eventfd", fd.as_fd()))),
        Err(error) if error.is(Errno::AGAIN) => Ok(0),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epoll_reports_a_written_eventfd_once_it_is_written() {
        let epoll = Epoll::new().expect("epoll");
        let event = eventfd(0).expect("eventfd");
        epoll.add(&event, 7, Interest::READ).expect("add");
        let mut events = Vec::new();
        epoll.wait(&mut events, Some(Duration::ZERO)).expect("wait");
        assert_eq!(events, []);
        assert_eq!(crate::pipe::write(&event, &3_u64.to_ne_bytes()), Ok(Some(8)));
        epoll.wait(&mut events, None).expect("wait");
        let expected = Event { token: 7, readable: true, writable: false, priority: false, hung_up: false };
        assert_eq!(events, [expected]);
        assert_eq!((eventfd_read(&event), eventfd_read(&event)), (Ok(3), Ok(0)));
    }

    #[test]
    fn timeouts_are_rounded_up() {
        let rounded = |ns| milliseconds(Duration::from_nanos(ns)).tv_nsec;
        assert_eq!(
            (rounded(0), rounded(1), rounded(1_000_000), rounded(1_000_001)),
            (0, 1_000_000, 1_000_000, 2_000_000)
        );
    }

    #[test]
    fn errors_print_like_strace() {
        let epoll = Epoll::new().expect("epoll");
        let event = eventfd(0).expect("eventfd");
        let text = epoll.remove(&event).expect_err("it was not added").to_string();
        assert!(text.starts_with("epoll_ctl(") && text.contains("ENOENT"), "{text}");
    }
}
