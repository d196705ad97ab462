//! From a plan to a process that waits before execve, and on.

mod cgroups;
mod outcome;

pub(crate) use outcome::explain;

use crate::error::While as _;
use crate::plan::{Bind, Item, Lifetime, Plan};
use crate::step::{Step, of_child, timed};
use crate::{Error, passwd};
use cgroup::{Cgroup, Cgroups, Mode};
use std::ffi::CString;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use sys::child::{Child, Console, Event, Leaf, Links, Op, Options, Procfs, Program, Target, Terminal};
use sys::mount::{Depth, SLAVE};
use sys::ns::Types;
use sys::path::Root;
use sys::process::Signal;

/// The process is in its cgroup and may go on.
const IN_CGROUP: u8 = 1;
/// Everything is done but the last privileges and execve.
const BARRIER: u8 = 2;

/// A process's standard streams.
#[derive(Debug)]
pub enum Stdio {
    /// Three descriptors.
    Streams {
        /// Standard input.
        stdin: OwnedFd,
        /// Standard output.
        stdout: OwnedFd,
        /// Standard error.
        stderr: OwnedFd,
    },
    /// A terminal of the container, whose master the caller gets.
    Terminal,
}

/// A process that stands at the barrier. Dropping it kills and reaps it and removes its cgroup.
#[derive(Debug)]
pub struct Created {
    // In this order: the process has to be gone before its cgroup can be removed.
    child: Child,
    cgroup: Guard,
    terminal: Option<OwnedFd>,
    names: Names,
}

/// A process that has executed its program.
#[derive(Debug)]
pub struct Running {
    /// Its process id.
    pub pid: i32,
    /// Its pidfd; the caller has to wait for it.
    pub pidfd: OwnedFd,
    /// The cgroup, to be removed in the end; none for a further process of a container.
    pub cgroup: Option<Cgroup>,
    /// The master of its terminal, unless [`Created::take_terminal`] has taken it.
    pub terminal: Option<OwnedFd>,
}

/// What texts of errors need.
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) program: String,
    pub(crate) cwd: CString,
}

/// A cgroup that is removed unless it is taken.
#[derive(Debug)]
pub(crate) struct Guard(Option<Cgroup>);

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(cgroup) = &self.0 {
            let _ = cgroup.remove(); // The error that led here is the one to report.
        }
    }
}

/// Makes a container up to the barrier.
///
/// Each step goes to `record`, also those of one that fails.
///
/// # Errors
/// Those of the plan's steps. Nothing is left behind.
pub fn spawn(plan: Plan, stdio: Stdio, record: &mut dyn FnMut(Step)) -> Result<Created, Error> {
    check_stdio(&stdio, plan.process.terminal)?;
    let cgroups = Cgroups::detect()?;
    let path = plan.cgroup_path.clone();
    let cgroup = timed(record, "create cgroup", path, Error::number, || {
        Ok(Cgroup::create(&cgroups, &plan.cgroup_path, &plan.resources)?)
    })?;
    let guard = Guard(Some(cgroup.clone()));
    let names = Names { program: plan.process.program.clone(), cwd: plan.process.cwd.clone() };
    let mode = cgroups.mode();
    let joins_v1 = mode != Mode::V2;

    let pid_namespace = pid_namespace(&plan)?;
    let namespaces = plan.namespaces.new;
    let program = program(plan, stdio, &cgroup, mode, record)?;
    let directory = cgroup.v2_dir_fd()?;
    let options = Options {
        namespaces,
        pid_namespace: pid_namespace.as_ref().map(OwnedFd::as_fd),
        cgroup: directory.as_ref().map(OwnedFd::as_fd),
    };
    let mut child = timed(record, "clone3", namespaces.to_string(), Error::number, || {
        sys::child::spawn(program, &options).to("clone the container's first process")
    })?;
    if joins_v1 {
        let pid = child.pid().unsigned_abs();
        let joined =
            timed(record, "join cgroup", pid.to_string(), Error::number, || Ok(cgroup.join_v1(pid)?));
        if let Err(error) = joined {
            return Err(sooner(&mut child, &names, record).unwrap_or(error));
        }
    }
    let terminal = to_barrier(&mut child, &names, record)?;
    Ok(Created { child, cgroup: guard, terminal, names })
}

/// Returns the child's own error if it gave up: then it is no wonder that it could not be moved.
fn sooner(child: &mut Child, names: &Names, record: &mut dyn FnMut(Step)) -> Option<Error> {
    // Only one that ended leaves its cgroup, so there is nothing to wait for in vain.
    if sys::process::send(child.pidfd(), Signal::KILL).is_ok() {
        return to_barrier(child, names, record).err().filter(|error| !matches!(error, Error::Killed(_)));
    }
    to_barrier(child, names, record).err()
}

/// Follows a child to the barrier. Returns its terminal.
pub(crate) fn to_barrier(
    child: &mut Child,
    names: &Names,
    record: &mut dyn FnMut(Step),
) -> Result<Option<OwnedFd>, Error> {
    let mut terminal = None;
    let outcome = loop {
        match child.event().to("hear from the container's first process")? {
            Event::Paused { reason, master } => {
                terminal = terminal.or(master);
                if reason == BARRIER {
                    break Ok(terminal);
                }
                // If it ended meanwhile, the next event says how.
                let _ = child.resume();
            }
            Event::Failed(failure) => break Err(explain(failure, names)),
            Event::Died(exit) => break Err(Error::Killed(exit.signal.unwrap_or(0))),
            Event::Executed => break Err(Error::invalid("process", "has no barrier")),
        }
    };
    of_child(child, record);
    outcome
}

impl Created {
    /// Assembles one from its parts: for further processes, which have no cgroup of their own.
    pub(crate) fn further(child: Child, terminal: Option<OwnedFd>, names: Names) -> Self {
        Self { child, cgroup: Guard(None), terminal, names }
    }

    /// Returns the process id.
    pub fn pid(&self) -> i32 {
        self.child.pid()
    }

    /// Returns the pidfd.
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.child.pidfd()
    }

    /// Returns the cgroup; none for a further process of a container.
    pub fn cgroup(&self) -> Option<&Cgroup> {
        self.cgroup.0.as_ref()
    }

    /// Takes the master of the terminal.
    pub fn take_terminal(&mut self) -> Option<OwnedFd> {
        self.terminal.take()
    }

    /// Lets the process execute its program; returns when it has.
    ///
    /// # Errors
    /// CommandNotFound, CommandNotExecutable if it cannot be executed; those of the seccomp filter and the capabilities.
    /// Nothing is left behind.
    pub fn start(self, record: &mut dyn FnMut(Step)) -> Result<Running, Error> {
        let Self { mut child, mut cgroup, terminal, names } = self;
        let _ = child.resume(); // If it ended meanwhile, the event says how.
        let event = child.event().to("hear from the container's first process")?;
        of_child(&mut child, record);
        match event {
            Event::Executed => {
                let (pid, pidfd) = child.into_parts();
                Ok(Running { pid, pidfd, cgroup: cgroup.0.take(), terminal })
            }
            Event::Failed(failure) => Err(explain(failure, &names)),
            Event::Died(exit) => Err(Error::Killed(exit.signal.unwrap_or(0))),
            Event::Paused { .. } => Err(Error::invalid("process", "waits a second time")),
        }
    }
}

/// Kills all processes of a container, waits for their end, and removes the cgroup.
///
/// # Errors
/// Internal if they do not end.
pub fn kill_all(cgroup: &Cgroup) -> Result<(), Error> {
    cgroup.kill()?;
    Ok(cgroup.remove()?)
}

pub(crate) fn check_stdio(stdio: &Stdio, terminal: bool) -> Result<(), Error> {
    match (stdio, terminal) {
        (Stdio::Terminal, true) | (Stdio::Streams { .. }, false) => Ok(()),
        (Stdio::Terminal, false) => {
            Err(Error::invalid("process.terminal", "is not set, but a terminal was asked for"))
        }
        (Stdio::Streams { .. }, true) => {
            Err(Error::invalid("process.terminal", "is set, but streams were given"))
        }
    }
}

fn pid_namespace(plan: &Plan) -> Result<Option<OwnedFd>, Error> {
    let joined = plan.namespaces.joined.iter().find(|(types, _)| *types == Types::PID);
    joined.map(|(types, path)| open_namespace(path, *types)).transpose()
}

fn open_namespace(path: &Path, types: Types) -> Result<OwnedFd, Error> {
    sys::ns::open(path, types).to(&format!("open the {types} namespace {}", path.display()))
}

/// Opens all that the child needs and writes its program.
fn program(
    plan: Plan,
    stdio: Stdio,
    cgroup: &Cgroup,
    mode: Mode,
    record: &mut dyn FnMut(Step),
) -> Result<Program, Error> {
    let Plan {
        rootfs, namespaces, items, finish, inside, process, seccomp, lifetime, awaits_signals, ..
    } = plan;
    let root = timed(record, "mount root", rootfs.label(), Error::number, || rootfs.mount())?;

    let mut ops = Vec::with_capacity(items.len() + finish.len() + 48);
    ops.extend(process.oom_score_adj.map(oom_score_adj));
    ops.push(Op::NewKeyring);
    for (types, path) in namespaces.joined.iter().filter(|(types, _)| *types != Types::PID) {
        ops.push(Op::Join { fd: open_namespace(path, *types)?, types: *types });
    }
    let new_network = namespaces.new_network();
    let own_cgroup = namespaces.own_cgroup();
    ops.extend(namespaces.network.map(|fd| Op::Join { fd, types: Types::NETWORK }));
    if namespaces.new_cgroup {
        if mode != Mode::V2 {
            ops.push(Op::Pause(IN_CGROUP));
        }
        ops.push(Op::Unshare(Types::CGROUP));
    }
    ops.extend(namespaces.time_offsets.map(Op::TimeOffsets));
    if new_network {
        ops.push(Op::LoopbackUp);
    }

    let mut passwd = None;
    let mut late = Vec::new();
    ops.push(Op::Propagate(SLAVE));
    let at_root = ops.len();
    for item in items {
        match item {
            Item::Op(op) => ops.push(op),
            Item::Bind(bind) => {
                let label = format!("{} -> {}", bind.source.display(), bind.target.display());
                let is_passwd = bind.target == Path::new("/etc/passwd");
                let op = timed(record, "open mount source", label, Error::number, || open_bind(&bind))?;
                if is_passwd {
                    passwd = Some(bind.source);
                }
                ops.push(op);
            }
            Item::Cgroup(mount) => {
                let label = mount.target.display().to_string();
                timed(record, "open cgroup mounts", label, Error::number, || {
                    let place = cgroups::Place { cgroup, mode, own_namespace: own_cgroup };
                    cgroups::mount(&mount, &place, &mut ops, &mut late)
                })?;
            }
        }
    }
    let mut exec_env = Vec::new();
    if process.needs_home {
        exec_env.push(home(&root, passwd, process.uid)?);
    }
    ops.insert(at_root, Op::EnterRoot(root));
    if let Stdio::Terminal = stdio {
        ops.push(terminal(&process, Console::Bound));
    }
    ops.extend(late);
    ops.extend(finish);
    ops.extend(inside);
    ops.extend(streams(stdio, process.uid));
    let (before, after) = process.ops(seccomp);
    ops.extend(before);
    if lifetime == Lifetime::OfParent {
        ops.push(Op::DieWithParent(Signal::KILL));
    }
    ops.extend(awaits_signals.then_some(Op::BlockSignals));
    ops.push(Op::Pause(BARRIER));
    ops.extend(after);
    let mut exec = process.exec;
    exec.env.extend(exec_env);
    Ok(Program { ops, exec })
}

/// Returns what a process does at the barrier, for further processes.
pub(crate) fn barrier() -> Op {
    Op::Pause(BARRIER)
}

pub(crate) fn oom_score_adj(value: i32) -> Op {
    Op::OomScoreAdj { value, text: CString::new(value.to_string()).expect("digits have no NUL") }
}

pub(crate) fn terminal(process: &crate::plan::Process, console: Console) -> Op {
    let (rows, columns) = process.size;
    Op::Terminal(Terminal { rows, columns, owner: process.uid, console })
}

pub(crate) fn streams(stdio: Stdio, owner: u32) -> Option<Op> {
    match stdio {
        Stdio::Streams { stdin, stdout, stderr } => Some(Op::Stdio { fds: [stdin, stdout, stderr], owner }),
        Stdio::Terminal => None,
    }
}

/// Returns `HOME=…` from the container's /etc/passwd: the one that is mounted there, or the root file system's.
fn home(root: &OwnedFd, mounted: Option<PathBuf>, uid: u32) -> Result<CString, Error> {
    let file = match mounted {
        Some(path) => Root::open(Path::new("/")).and_then(|root| root.read(&path)).ok(),
        None => {
            let root = root.try_clone().map_err(|error| Error::invalid("root", error.to_string()))?;
            Root::from_fd(root).read(Path::new("etc/passwd")).ok()
        }
    };
    home_entry(passwd::home_of(file, uid))
}

pub(crate) fn home_entry(home: String) -> Result<CString, Error> {
    CString::new(format!("HOME={home}"))
        .map_err(|_| Error::invalid("process.env", "HOME has a NUL character"))
}

/// Opens the source of a bind mount as a detached mount with its attributes.
fn open_bind(bind: &Bind) -> Result<Op, Error> {
    let failed =
        |source| Error::Source { source_path: bind.source.clone(), target: bind.target.clone(), source };
    let tree = sys::mount::open_tree(&bind.source, bind.depth).map_err(failed)?;
    for (depth, attr) in &bind.attributes {
        sys::mount::mount_setattr(&tree, *depth, attr).map_err(failed)?;
    }
    let leaf = if sys::mount::is_directory(&tree).map_err(failed)? { Leaf::Directory } else { Leaf::File };
    if bind.target == Path::new("/proc") && !sys::mount::is_procfs(&tree).map_err(failed)? {
        return Err(Error::Unsafe {
            step: "mount".into(),
            args: format!("{} at /proc", bind.source.display()),
            reason: "it is not on procfs",
        });
    }
    let path = crate::plan::path_text("mounts", &bind.target)?;
    Ok(Op::Attach { tree, target: Target { path, leaf, links: Links::Followed, procfs: bind.procfs } })
}

/// Returns a bind mount of a directory whose mount is open already.
pub(crate) fn attach_directory(tree: OwnedFd, path: CString) -> Op {
    let target = Target { path, leaf: Leaf::Directory, links: Links::Followed, procfs: Procfs::Refused };
    Op::Attach { tree, target }
}

/// The depth of binds of cgroup directories.
pub(crate) const SINGLE: Depth = Depth::Single;
