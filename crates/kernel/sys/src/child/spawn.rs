//! The parent's side.

use super::shared::{Reason, Record, Shared, State};
use super::{Op, Program, ahead, label, run};
use crate::ns::Types;
use crate::process::{self, Exit, Signal};
use crate::{Call, Errno, Error, Result, ns, raw};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, SocketFlags, SocketType,
    recvmsg, send, socketpair,
};
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};

/// Where the child is born.
#[derive(Debug, Default)]
pub struct Options<'a> {
    /// New namespaces. The cgroup namespace is not among them: its root is where the *parent* is (use
    /// [`Op::Unshare`]), nor are time namespaces with offsets.
    pub namespaces: Types,
    /// A pid namespace to be born in.
    pub pid_namespace: Option<BorrowedFd<'a>>,
    /// A cgroup v2 directory to be born in (Linux 5.7).
    pub cgroup: Option<BorrowedFd<'a>>,
    /// Namespaces that are joined before the others are made, in this order: they own the new ones, or cannot be
    /// joined from a new user namespace. Costs a further process, which ends at once.
    pub joined_first: &'a [(BorrowedFd<'a>, Types)],
    /// Whether others of the same user may look at the child until [`Op::RefuseInspection`]: an unprivileged caller
    /// can map its ids only then.
    pub inspectable: bool,
}

/// A child on its way to execve. Dropping it kills and reaps it, unless [`Child::into_parts`] took it.
#[derive(Debug)]
pub struct Child {
    pid: i32,
    pidfd: Option<OwnedFd>,
    socket: OwnedFd,
    shared: Shared,
    labels: Vec<(&'static str, String)>,
    taken: usize,
    reaped: bool,
}

/// What the child has reached.
#[derive(Debug)]
pub enum Event {
    /// It waits at [`Op::Pause`].
    Paused {
        /// The op's number.
        reason: u8,
        /// The master of its terminal, the first time after it made one.
        master: Option<OwnedFd>,
    },
    /// The program was executed.
    Executed,
    /// It gave up, ended, and was reaped.
    Failed(Failure),
    /// It was killed before it could execute the program, and was reaped.
    Died(Exit),
}

/// Why a child gave up.
#[derive(Debug)]
pub struct Failure {
    /// What kind of failure it was.
    pub reason: Reason,
    /// What it was about to do: `mount`, `execve`, ….
    pub step: String,
    /// With what.
    pub args: String,
    /// The system call that failed, and the kernel's own explanation, if there is one, as its arguments.
    pub source: Error,
}

/// Clones, and has the child carry out the program.
///
/// The program's descriptors are closed in the parent when this returns.
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN, EAGAIN and ENOSPC at the limits of processes and namespaces, EBUSY if the cgroup has
/// inner processes.
pub fn spawn(mut program: Program, options: &Options<'_>) -> Result<Child> {
    for op in &mut program.ops {
        raise_low_fds(op)?;
    }
    let flags = SocketFlags::CLOEXEC;
    let pair = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None);
    let (parent, child) = Call("socketpair").result(pair, || "AF_UNIX, SOCK_SEQPACKET".into())?;
    let child = above_stdio(child)?;
    let outlives = program.ops.iter().any(|op| matches!(op, Op::Await(_)));
    let slots = program.ops.len() + 2;
    let shared = if outlives { Shared::in_file(slots)? } else { Shared::new(slots)? };
    let mut keep = descriptors(&program, child.as_raw_fd(), options);
    if let Some(file) = shared.file() {
        keep.push(file.as_raw_fd());
        keep.sort_unstable();
    }
    let task = run::Task::new(&program, &keep, &child, &shared, options.inspectable);

    let own = match options.pid_namespace {
        Some(namespace) => {
            let own = ns::own(Types::PID)?;
            ns::join(namespace, Types::PID)?;
            Some(own)
        }
        None => None,
    };
    let cloned = if options.joined_first.is_empty() {
        clone(&task, options)
    } else {
        ahead::clone(&task, options, parent.as_fd())
    };
    if let Some(own) = own
        && let Err(error) = ns::join(&own, Types::PID)
    {
        // All later children would be born in there: better none than that. The child is killed when it is dropped.
        cloned.map(|(pid, pidfd)| drop(Child::new(pid, pidfd, parent, shared, Vec::new())))?;
        return Err(error);
    }
    let (pid, pidfd) = cloned?;
    drop(child);
    let labels = program.ops.iter().map(label::label).chain([label::exec(&program.exec)]).collect();
    Ok(Child::new(pid, pidfd, parent, shared, labels))
}

impl Child {
    fn new(
        pid: i32,
        pidfd: OwnedFd,
        socket: OwnedFd,
        shared: Shared,
        labels: Vec<(&'static str, String)>,
    ) -> Self {
        Self { pid, pidfd: Some(pidfd), socket, shared, labels, taken: 0, reaped: false }
    }

    /// Returns the process id, as the caller's pid namespace sees it.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Returns the pidfd.
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_ref().expect("only into_parts and drop take it, and both consume the value").as_fd()
    }

    /// Waits for what comes next.
    ///
    /// # Errors
    /// Those of recvmsg and waitid; none is expected.
    pub fn event(&mut self) -> Result<Event> {
        let mut byte = [0];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let received = loop {
            let parts = &mut [IoSliceMut::new(&mut byte)];
            match recvmsg(&self.socket, parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
                Err(Errno::INTR) => {}
                Err(Errno::CONNRESET) => break 0, // It ended without reading our byte.
                other => break Call("recvmsg").result(other, || "child".into())?.bytes,
            }
        };
        if received == 1 {
            let master = ancillary.drain().find_map(|message| match message {
                RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
                _ => None,
            });
            return Ok(Event::Paused { reason: byte[0], master });
        }
        match self.shared.state() {
            State::Executing => Ok(Event::Executed),
            State::Failed => {
                self.reap()?;
                Ok(Event::Failed(self.failure()))
            }
            State::Preparing => Ok(Event::Died(self.reap()?)),
        }
    }

    fn failure(&self) -> Failure {
        failure(&self.shared, |op| {
            self.labels.get(op).map(|(step, args)| ((*step).to_owned(), args.clone())).unwrap_or_default()
        })
    }

    /// Returns the names of the ops that come after [`Op::Await`], for [`super::release`]; none without one.
    pub fn labels(&self) -> super::Labels {
        let from =
            self.labels.iter().position(|(step, _)| *step == label::AWAIT).unwrap_or(self.labels.len());
        let named = |(step, args): &(&'static str, String)| ((*step).to_owned(), args.clone());
        super::Labels { from, names: self.labels.iter().skip(from).map(named).collect() }
    }

    /// Lets a child go on that will wait at [`Op::Await`], and leaves it alone: it lives on without its parent.
    ///
    /// # Errors
    /// EPIPE if it ended.
    pub fn detach(self) -> Result<(i32, OwnedFd)> {
        self.resume()?;
        Ok(self.into_parts())
    }

    /// Lets a child go on that waits at [`Op::Pause`].
    ///
    /// # Errors
    /// EPIPE if it ended; [`Child::event`] then says how.
    pub fn resume(&self) -> Result<()> {
        Call("send").retry(|| send(&self.socket, &[0], SendFlags::NOSIGNAL), || "child".into()).map(drop)
    }

    /// Returns what the child has done since the last call, with each op's name and arguments.
    pub fn records(&mut self) -> Vec<(Record, &'static str, String)> {
        let records = self.shared.records(self.taken);
        self.taken += records.len();
        let named = |record: Record| {
            let (step, args) = self.labels.get(record.op).cloned().unwrap_or_default();
            (record, step, args)
        };
        records.into_iter().map(named).collect()
    }

    /// Returns process id and pidfd of a child that has executed its program: it is the caller's to wait for.
    pub fn into_parts(mut self) -> (i32, OwnedFd) {
        self.reaped = true;
        (self.pid, self.pidfd.take().expect("only into_parts and drop take it, and both consume the value"))
    }

    /// Does to the child what the parent's end would do.
    #[cfg(test)]
    pub(super) fn hang_up(&self) {
        rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Both).expect("it is open");
    }

    fn reap(&mut self) -> Result<Exit> {
        let exit = process::wait(self.pidfd())?;
        self.reaped = true;
        Ok(exit)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.reaped {
            return;
        }
        let _ = process::send(self.pidfd(), Signal::KILL); // It may have ended just now.
        let _ = process::wait(self.pidfd()); // Nobody else reaps it; if so, there is nothing left to do.
    }
}

/// Reads from the shared page what failed.
pub(super) fn failure(shared: &Shared, label: impl FnOnce(usize) -> (String, String)) -> Failure {
    let (op, errno, reason, call, note) = shared.failure();
    let (step, args) = label(op);
    let known = label::CALLS.iter().find(|known| **known == call).copied().unwrap_or("call");
    let source = Error { call: known, args: note, errno: Errno::from_raw_os_error(errno) };
    Failure { reason, step, args, source }
}

fn clone(task: &run::Task<'_>, options: &Options<'_>) -> Result<(i32, OwnedFd)> {
    clone_with(options.namespaces, options, || run::run(task))
}

/// Clones, and has the child do what never returns.
pub(super) fn clone_with(
    namespaces: Types,
    options: &Options<'_>,
    child: impl Fn() -> std::convert::Infallible,
) -> Result<(i32, OwnedFd)> {
    let mut pidfd: RawFd = -1;
    let into_cgroup = 0x2_0000_0000;
    let mut flags = u64::from(namespaces.0) | libc::CLONE_PIDFD as u64;
    if options.cgroup.is_some() {
        flags |= into_cgroup;
    }
    // SAFETY: clone_args is a struct of numbers: all-zero is valid.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = flags;
    args.pidfd = &raw mut pidfd as u64;
    args.exit_signal = libc::SIGCHLD as u64;
    args.cgroup = options.cgroup.map_or(0, |cgroup| cgroup.as_raw_fd() as u64);

    let mask = block_signals();
    // SAFETY: without CLONE_VM and with stack 0 this is fork: the child goes on here on a copy of this stack, in a copy
    // of this memory, with this thread alone. It calls `child`, which neither returns, nor unwinds, nor allocates, nor
    // takes locks, so it does not matter what other threads held. `args` and `pidfd` are live locals.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<libc::clone_args>()) };
    if pid == 0 {
        child();
    }
    let pid = Call("clone3").check(pid, || format!("{{flags={flags:#x} /* {namespaces} */}}"));
    restore_signals(&mask);
    let pid = pid?;
    // SAFETY: clone3 succeeded with CLONE_PIDFD, so it wrote a new descriptor (CLOEXEC) that nobody else owns.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok((pid as i32, pidfd))
}

/// Blocks all signals, so that no handler of the parent's runs in the child. Returns what was blocked before.
fn block_signals() -> libc::sigset_t {
    // SAFETY: all-zero sets are valid; the functions fill the live locals and change this thread's mask only.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        before
    }
}

fn restore_signals(mask: &libc::sigset_t) {
    // SAFETY: the set was filled by `block_signals`; only this thread's mask changes.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, mask, std::ptr::null_mut()) };
}

/// Returns all descriptors that the child needs, in ascending order.
fn descriptors(program: &Program, socket: RawFd, options: &Options<'_>) -> Vec<RawFd> {
    let mut keep = vec![socket];
    keep.extend(options.joined_first.iter().map(|(fd, _)| fd.as_raw_fd()).filter(|fd| *fd > 2));
    for op in &program.ops {
        match op {
            Op::Join { fd, .. } | Op::EnterRoot(fd) | Op::Attach { tree: fd, .. } | Op::Await(fd) => {
                keep.push(fd.as_raw_fd())
            }
            Op::Hook(hook) => keep.push(hook.state.as_raw_fd()),
            Op::Inherit(fds) => keep.extend(fds.iter().map(OwnedFd::as_raw_fd)),
            Op::Stdio { fds, .. } => keep.extend(fds.iter().map(OwnedFd::as_raw_fd)),
            _ => {}
        }
    }
    keep.sort_unstable();
    keep.dedup();
    keep
}

/// Moves descriptors out of the way of 0, 1 and 2, which the child replaces.
fn raise_low_fds(op: &mut Op) -> Result<()> {
    match op {
        Op::Join { fd, .. } | Op::EnterRoot(fd) | Op::Attach { tree: fd, .. } | Op::Await(fd) => raise(fd),
        Op::Hook(hook) => raise(&mut hook.state),
        Op::Stdio { fds, .. } => fds.iter_mut().try_for_each(raise),
        _ => Ok(()),
    }
}

fn raise(fd: &mut OwnedFd) -> Result<()> {
    if fd.as_raw_fd() > 2 {
        return Ok(());
    }
    let duplicate = rustix::io::fcntl_dupfd_cloexec(fd.as_fd(), 3);
    *fd = Call("fcntl").result(duplicate, || format!("{}, F_DUPFD_CLOEXEC, 3", fd.as_raw_fd()))?;
    Ok(())
}

fn above_stdio(mut fd: OwnedFd) -> Result<OwnedFd> {
    raise(&mut fd)?;
    Ok(fd)
}

/// Waits in the child for the parent's byte.
pub(super) fn await_parent(socket: BorrowedFd<'_>) -> rustix::io::Result<bool> {
    let mut byte = [0];
    loop {
        match rustix::io::read(socket, &mut byte) {
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
            Ok(count) => return Ok(count == 1),
        }
    }
}

/// Sends the child's byte, with the terminal's master if there is one.
pub(super) fn tell_parent(
    socket: BorrowedFd<'_>,
    reason: u8,
    master: Option<BorrowedFd<'_>>,
) -> rustix::io::Result<()> {
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, sendmsg};
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let fds;
    if let Some(master) = master {
        fds = [master];
        ancillary.push(SendAncillaryMessage::ScmRights(&fds));
    }
    let byte = [reason];
    let parts = [std::io::IoSlice::new(&byte)];
    sendmsg(socket, &parts, &mut ancillary, SendFlags::NOSIGNAL).map(drop)
}

/// Runs raw calls of the child's start.
pub(super) fn close_all_but(keep: &[RawFd]) -> rustix::io::Result<()> {
    let mut from = 3;
    for fd in keep {
        if *fd > from {
            close_range(from, *fd - 1)?;
        }
        from = fd + 1;
    }
    close_range(from, i32::MAX)
}

fn close_range(first: RawFd, last: RawFd) -> rustix::io::Result<()> {
    // SAFETY: in the child, whose descriptors are its own copies; none in the range is used afterwards, as the caller
    // has listed all that are.
    let returned = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    raw::check(returned).map(drop)
}
