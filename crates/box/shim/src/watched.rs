//! A descriptor that the event loop knows.

use crate::token::Token;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use sys::epoll::{Epoll, Interest};

/// A descriptor and what it is watched for at present.
///
/// It leaves the event loop before it is closed: another process may hold a duplicate, and epoll would go on reporting it.
#[derive(Debug)]
pub(crate) struct Watched {
    epoll: Rc<Epoll>,
    fd: OwnedFd,
    token: Token,
    interest: Option<Interest>,
}

impl Watched {
    /// Not watched yet.
    pub(crate) fn new(epoll: &Rc<Epoll>, fd: OwnedFd, token: Token) -> Self {
        Self { epoll: Rc::clone(epoll), fd, token, interest: None }
    }

    /// Watches for `interest` from now on; none for not at all, not even for hang-ups.
    pub(crate) fn watch(&mut self, interest: Option<Interest>) -> sys::Result<()> {
        match (self.interest, interest) {
            (before, after) if before == after => return Ok(()),
            (None, Some(interest)) => self.epoll.add(&self.fd, self.token.number(), interest)?,
            (Some(_), Some(interest)) => self.epoll.modify(&self.fd, self.token.number(), interest)?,
            (_, None) => self.epoll.remove(&self.fd)?,
        }
        self.interest = interest;
        Ok(())
    }
}

impl AsFd for Watched {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.watch(None); // It can only fail if it is not watched.
    }
}
