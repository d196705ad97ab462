//! The child's side: carries the ops out.
//!
//! Everything here and in `mounts`, `terminal`, `identity`, `execute` runs between clone and execve: no allocation, no
//! locks, no formatting, no panic.

use super::shared::{Fault, Named as _, Reason, Shared};
use super::spawn::{await_parent, close_all_but, tell_parent};
use super::{Op, Program, execute, identity, mounts, release, terminal};
use crate::process::pointers;
use crate::raw;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::ffi::CStr;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd, RawFd};

pub(super) type Done = Result<(), Fault>;

/// All that the child needs, made before it exists.
pub(super) struct Task<'a> {
    pub(super) program: &'a Program,
    keep: &'a [RawFd],
    pub(super) socket: &'a OwnedFd,
    pub(super) shared: &'a Shared,
    pub(super) argv: Vec<*mut libc::c_char>,
    pub(super) envp: Vec<*mut libc::c_char>,
    /// Those of the hooks, in their order.
    pub(super) hooks: Vec<Pointers>,
    /// Whether others of the same user may look at the child (to map its ids) until it says otherwise.
    pub(super) inspectable: bool,
}

/// Arguments and environment as execve takes them.
pub(super) type Pointers = (Vec<*mut libc::c_char>, Vec<*mut libc::c_char>);

/// What the ops hand on to each other.
pub(super) struct Place<'a> {
    pub(super) task: &'a Task<'a>,
    /// The root of all paths.
    pub(super) root: Option<OwnedFd>,
    /// The host's /dev/null, checked.
    pub(super) null: Option<OwnedFd>,
    /// An empty directory, attached somewhere.
    pub(super) empty: Option<OwnedFd>,
    /// The root of the new devpts.
    pub(super) terminals: Option<OwnedFd>,
    /// A procfs that is nowhere attached, so that nobody can have mounted anything in it.
    pub(super) procfs: Option<OwnedFd>,
    /// The terminal's master, until the parent has it.
    pub(super) master: Option<OwnedFd>,
    /// A working directory that root may not enter: the user may.
    pub(super) later: Option<&'a CStr>,
    /// The candidate that is the program.
    pub(super) found: usize,
    /// How many hooks have run.
    pub(super) next_hook: usize,
}

impl<'a> Task<'a> {
    pub(super) fn new(
        program: &'a Program,
        keep: &'a [RawFd],
        socket: &'a OwnedFd,
        shared: &'a Shared,
        inspectable: bool,
    ) -> Self {
        let (argv, envp) = (pointers(&program.exec.args), pointers(&program.exec.env));
        let of_hook = |op: &Op| match op {
            Op::Hook(hook) => Some((pointers(&hook.args), pointers(&hook.env))),
            _ => None,
        };
        let hooks = program.ops.iter().filter_map(of_hook).collect();
        Self { program, keep, socket, shared, argv, envp, hooks, inspectable }
    }
}

/// Ends the process if something unwinds after all: the copy of the parent's stack must not go on.
struct NoUnwinding;

impl Drop for NoUnwinding {
    fn drop(&mut self) {
        end();
    }
}

/// Carries the program out. Never returns.
pub(super) fn run(task: &Task<'_>) -> ! {
    let _guard = NoUnwinding;
    if let Err(fault) = prologue(task) {
        task.shared.fail(task.program.ops.len(), fault);
        end();
    }
    carry_on(task)
}

/// Carries the ops out in a process that is rid of what it had from the parent. Never returns.
pub(super) fn carry_on(task: &Task<'_>) -> ! {
    let _guard = NoUnwinding;
    let mut place = Place {
        task,
        root: None,
        null: None,
        empty: None,
        terminals: None,
        procfs: None,
        master: None,
        later: None,
        found: 0,
        next_hook: 0,
    };
    let ops = &task.program.ops;
    for (index, op) in ops.iter().enumerate() {
        let start = now();
        let done = place.carry_out(op);
        let errno = done.as_ref().err().map_or(0, |fault| fault.errno.raw_os_error());
        task.shared.record(index, start, now(), errno);
        if let Err(fault) = done {
            task.shared.fail(index, fault);
            end();
        }
    }
    let start = now();
    task.shared.record(ops.len(), start, start, 0);
    task.shared.executing();
    let fault = execute::execute(&place);
    task.shared.fail(ops.len(), fault);
    // Told already: a filter may kill for the calls of the look.
    if let Some(finding) = place.program().and_then(|path| super::diagnose::look(path, fault.errno)) {
        task.shared.refine(&finding);
    }
    end()
}

/// Ends the process without any clean-up of the parent's copy. A filter may refuse the call: then by a fault.
pub(super) fn end() -> ! {
    // SAFETY: exit_group ends this process, which is the child.
    unsafe { libc::syscall(libc::SYS_exit_group, 1) };
    std::process::abort()
}

/// Rids the child of what it has from the parent.
pub(super) fn prologue(task: &Task<'_>) -> Done {
    if !task.inspectable {
        raw::prctl(libc::PR_SET_DUMPABLE, 0, 0).call("prctl")?;
    }
    default_signals();
    close_all_but(task.keep).call("close_range")?;
    rustix::process::umask(Mode::empty());
    Ok(())
}

/// Sets all signals to their defaults and blocks none.
fn default_signals() {
    // The kernel's sigaction: handler, flags, restorer, mask; zeros are SIG_DFL.
    let default = [0u64; 4];
    for signal in 1..=64 {
        // SAFETY: rt_sigaction reads the live local, which is as large as the kernel's struct; the raw call reaches the
        // signals that libc keeps for itself too. KILL and STOP refuse, which changes nothing.
        unsafe {
            libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), std::ptr::null_mut::<u64>(), 8)
        };
    }
    // SAFETY: an all-zero set is valid and empty; only this thread's mask changes.
    unsafe {
        let none: libc::sigset_t = std::mem::zeroed();
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

/// Blocks all signals. The kernel keeps blocked ones even for a process 1 that has no handler yet.
fn block_signals() {
    // SAFETY: sigfillset initialises the live local before it is read; only this thread's mask changes.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, std::ptr::null_mut());
    }
}

/// Returns nanoseconds since 1970.
fn now() -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: clock_gettime writes to the live local. Not rustix's: that looks for the vDSO at its first use, which may
    // open files and panic.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut time) };
    time.tv_sec.wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec)
}

impl<'a> Place<'a> {
    /// Returns the path of what is executed.
    fn program(&self) -> Option<&'a CStr> {
        self.task.program.exec.candidates.get(self.found).map(|candidate| candidate.path.as_c_str())
    }

    /// Returns the root; an op list that has none fails with EBADF.
    pub(super) fn root(&self) -> Result<std::os::fd::BorrowedFd<'_>, Fault> {
        self.root.as_ref().map(OwnedFd::as_fd).ok_or(Errno::BADF).call("root")
    }

    fn carry_out(&mut self, op: &'a Op) -> Done {
        match op {
            Op::Pause(reason) => self.pause(*reason),
            Op::Await(listener) => release::await_release(listener, self.task.shared),
            Op::Inherit(fds) => fds.iter().try_for_each(terminal::keep),
            Op::Join { fd, types } => raw::setns(fd.as_fd(), types.0 as i32).call("setns"),
            Op::BecomeRoot { uid, gid, groups } => identity::become_root(*uid, *gid, *groups),
            Op::RefuseInspection => raw::prctl(libc::PR_SET_DUMPABLE, 0, 0).call("prctl").map(drop),
            Op::Hook(hook) => self.hook(hook),
            Op::Unshare(types) => raw::unshare(types.0 as i32).call("unshare"),
            Op::TimeOffsets(text) => identity::time_offsets(text),
            Op::OomScoreAdj { value, text } => identity::oom_score_adj(*value, text),
            Op::NewKeyring => identity::new_keyring(),
            Op::LoopbackUp => identity::loopback_up(),
            Op::Hostname(name) => rustix::system::sethostname(name.to_bytes()).call("sethostname"),
            Op::Domainname(name) => identity::set_domainname(name),
            Op::Propagate(propagation) => mounts::propagate(*propagation),
            Op::EnterRoot(tree) => self.enter_root(tree),
            Op::EnterPath(path) => self.enter_path(path),
            Op::EnterDirectory(path) => self.enter_directory(path),
            Op::UseRoot => self.use_root(),
            Op::Mount(mount) => self.mount(mount),
            Op::Attach { tree, target } => self.attach(tree.as_fd(), target),
            Op::AttachPath(bind) => self.attach_path(bind),
            Op::Remount { path, attr, depth, parameters } => self.remount(path, attr, *depth, parameters),
            Op::Directory(path) => self.directory(path),
            Op::Device(device) => self.device(device),
            Op::Symlink { target, path } => self.symlink(target, path),
            Op::ReadOnly(path) => self.read_only(path),
            Op::Mask(path) => self.mask(path),
            Op::Attributes { path, attr, depth } => self.attributes(path, attr, *depth),
            Op::Sysctl { path, value } => self.sysctl(path, value),
            Op::Pivot => self.pivot(),
            Op::Chroot => self.change_root(),
            Op::Terminal(terminal) => self.terminal(terminal),
            Op::Stdio { fds, owner } => terminal::stdio(fds, *owner),
            Op::ChangeDirectory(path) => self.change_directory(path),
            Op::Limit(limit, limits) => crate::process::set_limits_raw(*limit, *limits).call("prlimit"),
            Op::BlockSignals => {
                block_signals();
                Ok(())
            }
            Op::Personality(domain) => identity::personality(*domain),
            Op::Scheduler(scheduler) => identity::schedule(scheduler),
            Op::IoPriority(priority) => identity::io_priority(*priority),
            Op::Affinity(cpus) => identity::affinity(cpus),
            Op::MemoryPolicy { mode, nodes } => identity::memory_policy(*mode, nodes),
            Op::Label { files, value } => self.label(files, value),
            Op::Umask(mask) => {
                rustix::process::umask(Mode::from_raw_mode(*mask));
                Ok(())
            }
            Op::Bounding(keep) => crate::cred::limit_bounding(*keep).call("prctl"),
            Op::Identity { uid, gid, groups, keep } => self.identity(*uid, *gid, groups.as_deref(), *keep),
            Op::RaiseCapabilities => crate::cred::raise_effective().call("capset"),
            Op::Capabilities { effective, permitted, inheritable, ambient } => {
                crate::cred::set(*effective, *permitted, *inheritable).call("capset")?;
                crate::cred::set_ambient(*ambient).call("prctl")
            }
            Op::NoNewPrivileges => raw::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0).call("prctl").map(drop),
            Op::DieWithParent(signal) => {
                raw::prctl(libc::PR_SET_PDEATHSIG, signal.number() as usize, 0).call("prctl").map(drop)
            }
            Op::Seccomp(filter) => self.filter(filter),
            Op::Find => {
                self.found = execute::find(&self.task.program.exec)?;
                Ok(())
            }
        }
    }

    fn pause(&mut self, reason: u8) -> Done {
        let socket = self.task.socket.as_fd();
        let master = self.master.take();
        tell_parent(socket, reason, master.as_ref().map(OwnedFd::as_fd)).call("sendmsg")?;
        drop(master);
        match await_parent(socket).call("read")? {
            true => Ok(()),
            false => Err(Fault { reason: Reason::Orphaned, call: "read", errno: Errno::PIPE }),
        }
    }

    /// Installs a filter, and hands its descriptor to the parent if there is one.
    fn filter(&mut self, filter: &super::Filter) -> Done {
        let listener = identity::seccomp(filter)?;
        let (Some(listener), Some(reason)) = (listener, filter.listener) else { return Ok(()) };
        let socket = self.task.socket.as_fd();
        tell_parent(socket, reason, Some(listener.as_fd())).call("sendmsg")?;
        drop(listener);
        match await_parent(socket).call("read")? {
            true => Ok(()),
            false => Err(Fault { reason: Reason::Orphaned, call: "read", errno: Errno::PIPE }),
        }
    }

    /// Writes to a file of a procfs that nobody else can have touched.
    fn sysctl(&mut self, path: &CStr, value: &CStr) -> Done {
        let file = mounts::open_strictly(self.own_procfs()?, path, OFlags::WRONLY).call("openat2")?;
        identity::write_all(&file, value.to_bytes())
    }

    /// Returns the root of a procfs that nobody else can have touched.
    pub(super) fn own_procfs(&mut self) -> Result<std::os::fd::BorrowedFd<'_>, Fault> {
        if self.procfs.is_none() {
            let context = mounts::open_file_system(c"proc")?;
            rustix::mount::fsconfig_create(&context).call("fsconfig")?;
            self.procfs = Some(mounts::detached(&context, 0)?);
        }
        self.procfs.as_ref().map(OwnedFd::as_fd).ok_or(Errno::BADF).call("procfs")
    }
}

/// Returns the number of a descriptor, for calls that take numbers.
pub(super) fn number(fd: &OwnedFd) -> RawFd {
    fd.as_raw_fd()
}
