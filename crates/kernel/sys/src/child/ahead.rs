//! A child that is born in namespaces which somebody has to join first: a process in between joins them, makes the
//! child as its own parent's, and ends.
//!
//! ```text
//! parent                         in between               child
//!   clone3 ───────────────────▶  setns, setns, …
//!                                clone3(PARENT) ────────▶ waits
//!   ◀── byte, the child's pidfd
//!   ── byte ────────────────────────────────────────────▶ op, op, …
//! ```

use super::run::{Done, Task, carry_on, end, prologue};
use super::shared::{Named as _, State};
use super::spawn::{Options, await_parent, clone_with, tell_parent};
use crate::process::{self, Exit};
use crate::{Call, Errno, Error, Result, raw};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, recvmsg, send};
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};

/// Clones through a process in between. `parent` is the parent's end of the task's socket.
pub(super) fn clone(
    task: &Task<'_>,
    options: &Options<'_>,
    parent: BorrowedFd<'_>,
) -> Result<(i32, OwnedFd)> {
    let between = || -> std::convert::Infallible { join_and_clone(task, options) };
    let (_, between) = clone_with(crate::ns::Types::none(), options, between)?;
    let child = receive(parent);
    let ended = process::wait(&between)?;
    let Some(pidfd) = child? else { return Err(why(task, ended)) };
    let pid = pid_of(&pidfd)?;
    Call("send").retry(|| send(parent, &[0], SendFlags::NOSIGNAL), || "child".into())?;
    Ok((pid, pidfd))
}

fn why(task: &Task<'_>, ended: Exit) -> Error {
    if task.shared.state() != State::Failed {
        return Call("clone3").failed(Errno::SRCH, || format!("the process in between ended: {ended:?}"));
    }
    let (_, errno, _, call, note) = task.shared.failure();
    let known = super::label::CALLS.iter().find(|known| **known == call).copied().unwrap_or("call");
    Error { call: known, args: note, errno: Errno::from_raw_os_error(errno) }
}

/// Receives the child's pidfd; none if the process in between ended without one.
fn receive(socket: BorrowedFd<'_>) -> Result<Option<OwnedFd>> {
    let mut byte = [0];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let parts = &mut [IoSliceMut::new(&mut byte)];
    let receive = || recvmsg(socket, parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC);
    Call("recvmsg").retry(receive, || "child".into())?;
    Ok(ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    }))
}

/// Returns a process's id as this process's /proc shows it.
fn pid_of(pidfd: &OwnedFd) -> Result<i32> {
    let path = format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd());
    let failed = || Call("read").failed(Errno::SRCH, || format!("{path:?}"));
    let text = std::fs::read_to_string(&path).map_err(|_| failed())?;
    let pid = text.lines().find_map(|line| line.strip_prefix("Pid:"));
    pid.and_then(|pid| pid.trim().parse().ok()).filter(|pid| *pid > 0).ok_or_else(failed)
}

/// What the process in between does. Never returns.
fn join_and_clone(task: &Task<'_>, options: &Options<'_>) -> ! {
    if let Err(fault) =
        prologue(task).and_then(|()| join_all(options)).and_then(|()| make_child(task, options))
    {
        task.shared.fail(task.program.ops.len(), fault);
    }
    end()
}

fn join_all(options: &Options<'_>) -> Done {
    for (fd, types) in options.joined_first {
        raw::setns(*fd, types.0 as i32).call("setns")?;
    }
    Ok(())
}

fn make_child(task: &Task<'_>, options: &Options<'_>) -> Done {
    let mut pidfd: RawFd = -1;
    // SAFETY: clone_args is a struct of numbers: all-zero is valid.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    let flags = libc::CLONE_PIDFD | libc::CLONE_PARENT;
    args.flags = flags as u64 | u64::from(options.namespaces.0);
    args.pidfd = &raw mut pidfd as u64;
    // SAFETY: without CLONE_VM and with stack 0 this is fork; the new process carries the ops out and never returns.
    // CLONE_PARENT makes it a child of this process's parent. `args` and `pidfd` are live locals.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<libc::clone_args>()) };
    if raw::check(pid).call("clone3")? == 0 {
        match await_parent(task.socket.as_fd()) {
            Ok(true) => carry_on(task),
            _ => end(), // The parent is gone, or did not get to know this process.
        }
    }
    // SAFETY: clone3 succeeded with CLONE_PIDFD, so it wrote a new descriptor that nobody else owns.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    let told = tell_parent(task.socket.as_fd(), 0, Some(pidfd.as_fd())).call("sendmsg");
    if told.is_err() {
        let _ = rustix::process::pidfd_send_signal(&pidfd, rustix::process::Signal::KILL); // Nobody else knows it.
    }
    told
}
