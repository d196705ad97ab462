//! From a plan to a process that waits before execve, and on.

mod cgroups;
mod copy_up;
mod events;
mod ids;
mod net_devices;
mod outcome;

pub(crate) use ids::{Caller, groups_of};

pub(crate) use outcome::explain;

use crate::error::While as _;
use crate::plan::{Bind, Item, Keyring, Lifetime, Plan, SourceLink};
use crate::step::{Step, of_child, timed};
use crate::{Error, passwd};
use cgroup::{Cgroup, Cgroups, Mode};
use events::Events;
use ids::User;
use std::ffi::CString;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use sys::child::{
    AttachPath, Child, Console, Event, Hook, Leaf, Links, NewMount, Op, Options, Procfs, Program, Target,
    Terminal,
};
use sys::mount::{Depth, MountAttr, SLAVE};
use sys::ns::Types;
use sys::path::Root;
use sys::process::Signal;

/// The process is in its cgroup and may go on.
pub(crate) const IN_CGROUP: u8 = 1;
/// The process is in a user namespace: what has to be done from outside comes now.
const OUTSIDE: u8 = 4;
/// The hooks of the runtime's namespaces come now.
const HOOKS: u8 = 5;
/// The process is in its network namespace, and waits for devices.
const NET_DEVICES: u8 = 6;
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
    let caller = Caller::present()?;
    let cgroups = Cgroups::detect()?;
    let cgroup = match &plan.cgroup_path {
        Some(path) => Some(timed(record, "create cgroup", path.clone(), Error::number, || {
            Ok(Cgroup::create(&cgroups, path, &plan.resources)?)
        })?),
        None => None,
    };
    let guard = Guard(cgroup.clone());
    let names = Names { program: plan.process.program.clone(), cwd: plan.process.cwd.clone() };
    let mode = cgroups.mode();

    let user = User::plan(&plan, caller)?;
    let namespaces = plan.namespaces.new;
    let mut events = Events::plan(&plan, &user)?;
    let mut joins = Joins::open(&plan, &user)?;
    let scene = Scene { cgroup: cgroup.as_ref(), mode, user: &user };
    let program = program(plan, stdio, &scene, &mut joins, &mut events, record)?;
    let directory = cgroup.as_ref().map(Cgroup::v2_dir_fd).transpose()?.flatten();
    let first: Vec<_> = joins.first.iter().map(|(fd, types)| (fd.as_fd(), *types)).collect();
    let options = Options {
        namespaces,
        pid_namespace: joins.pid.as_ref().map(OwnedFd::as_fd),
        cgroup: directory.as_ref().map(OwnedFd::as_fd),
        joined_first: &first,
        inspectable: user.is_inspectable(),
    };
    let mut child = timed(record, "clone3", namespaces.to_string(), Error::number, || {
        sys::child::spawn(program, &options).to("clone the container's first process")
    })?;
    if let Some(cgroup) = cgroup.as_ref().filter(|_| mode != Mode::V2) {
        let pid = child.pid().unsigned_abs();
        let joined =
            timed(record, "join cgroup", pid.to_string(), Error::number, || Ok(cgroup.join_v1(pid)?));
        if let Err(error) = joined {
            return Err(sooner(&mut child, &names, record).unwrap_or(error));
        }
    }
    let terminal = follow(&mut child, &names, record, &mut events)?;
    events.created(child.pid())?;
    Ok(Created { child, cgroup: guard, terminal, names })
}

/// Namespaces that are joined, opened.
#[derive(Default)]
struct Joins {
    /// The pid namespace to be born in.
    pid: Option<OwnedFd>,
    /// Before the others are made, by a process in between.
    first: Vec<(OwnedFd, Types)>,
    /// By the process itself.
    itself: Vec<(OwnedFd, Types)>,
}

impl Joins {
    /// Opens the namespaces. With a user namespace all the others are joined before: with the caller's rights if it has
    /// any, else with those in the user namespace.
    fn open(plan: &Plan, user: &User) -> Result<Self, Error> {
        let mut this = Self::default();
        let mut own_user = None;
        for (types, path) in &plan.namespaces.joined {
            let fd = open_namespace(path, *types)?;
            match *types {
                Types::USER => own_user = Some((fd, *types)),
                Types::PID if user.caller == Caller::Privileged => this.pid = Some(fd),
                _ if plan.namespaces.own_user() => this.first.push((fd, *types)),
                _ => this.itself.push((fd, *types)),
            }
        }
        match (own_user, user.caller) {
            (Some(own), Caller::Privileged) => this.first.push(own),
            (Some(own), Caller::Plain) => this.first.insert(0, own),
            (None, _) => {}
        }
        Ok(this)
    }
}

/// Where a container's program is carried out.
struct Scene<'a> {
    cgroup: Option<&'a Cgroup>,
    mode: Mode,
    user: &'a User,
}

/// Returns the child's own error if it gave up: then it is no wonder that it could not be moved.
fn sooner(child: &mut Child, names: &Names, record: &mut dyn FnMut(Step)) -> Option<Error> {
    // Only one that ended leaves its cgroup, so there is nothing to wait for in vain.
    if sys::process::send(child.pidfd(), Signal::KILL).is_ok() {
        return to_barrier(child, names, record).err().filter(|error| !matches!(error, Error::Killed(_)));
    }
    to_barrier(child, names, record).err()
}

/// Follows a further process to the barrier. Returns its terminal.
pub(crate) fn to_barrier(
    child: &mut Child,
    names: &Names,
    record: &mut dyn FnMut(Step),
) -> Result<Option<OwnedFd>, Error> {
    follow(child, names, record, &mut Events::default())
}

/// Follows a child to the barrier, and does what it waits for on the way. Returns its terminal.
fn follow(
    child: &mut Child,
    names: &Names,
    record: &mut dyn FnMut(Step),
    events: &mut Events,
) -> Result<Option<OwnedFd>, Error> {
    let mut terminal = None;
    let outcome = loop {
        match child.event().to("hear from the container's first process")? {
            Event::Paused { reason, master } => {
                let given = if reason == crate::plan::seccomp::LISTENER {
                    master
                } else {
                    terminal = terminal.or(master);
                    None
                };
                if reason == BARRIER {
                    break Ok(terminal);
                }
                if let Err(error) = events.at(reason, child.pid(), given) {
                    break Err(error);
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

    /// Returns what [`crate::start`] needs besides the socket.
    pub fn waiting(&self) -> Waiting {
        Waiting {
            labels: self.child.labels(),
            program: self.names.program.clone(),
            cwd: self.names.cwd.to_string_lossy().into_owned(),
        }
    }

    /// Lets the process wait at the socket of [`crate::Inputs::start`]; it lives on when the caller ends.
    ///
    /// # Errors
    /// Internal if it ended meanwhile; nothing is left behind.
    pub fn detach(self) -> Result<Running, Error> {
        let Self { child, mut cgroup, terminal, .. } = self;
        let (pid, pidfd) = child.detach().to("let the container's first process wait")?;
        Ok(Running { pid, pidfd, cgroup: cgroup.0.take(), terminal })
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

/// What is needed to explain the failure of a process that waits for its start.
#[derive(Debug, Clone, Default)]
pub struct Waiting {
    /// What it still has before it.
    pub labels: sys::child::Labels,
    /// The program as the user named it.
    pub program: String,
    /// Its working directory.
    pub cwd: String,
}

/// Makes the socket for [`crate::Inputs::start`].
///
/// # Errors
/// EADDRINUSE if the path is taken.
pub fn listen(socket: &Path) -> Result<OwnedFd, Error> {
    sys::socket::listen_messages_waiting(socket).to("make the socket at which the container waits")
}

/// Returns whether a container's process waits at a socket.
pub fn waits(socket: &Path) -> bool {
    sys::child::waits(socket).unwrap_or(false)
}

/// Starts a container whose process waits at a socket (see [`Created::detach`]); returns when it has executed its program.
///
/// # Errors
/// As [`Created::start`]. The process has ended then; its cgroup is the caller's to remove.
pub fn start(socket: &Path, waiting: &Waiting) -> Result<(), Error> {
    let cwd = CString::new(waiting.cwd.as_str()).unwrap_or_default(); // It came from a text without NUL.
    let names = Names { program: waiting.program.clone(), cwd };
    match sys::child::release(socket, &waiting.labels).to("reach the container's first process")? {
        Event::Executed => Ok(()),
        Event::Failed(failure) => Err(explain(failure, &names)),
        Event::Died(exit) => Err(Error::Killed(exit.signal.unwrap_or(0))),
        Event::Paused { .. } => Err(Error::invalid("process", "waits a second time")),
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

fn open_namespace(path: &Path, types: Types) -> Result<OwnedFd, Error> {
    sys::ns::open(path, types).to(&format!("open the {types} namespace {}", path.display()))
}

/// Opens all that the child needs and writes its program.
fn program(
    plan: Plan,
    stdio: Stdio,
    scene: &Scene<'_>,
    joins: &mut Joins,
    events: &mut Events,
    record: &mut dyn FnMut(Step),
) -> Result<Program, Error> {
    let Plan {
        rootfs,
        namespaces,
        items,
        finish,
        inside,
        process,
        seccomp,
        hooks,
        lifetime,
        awaits_signals,
        preserved,
        start,
        keyring,
        ..
    } = plan;
    let user = scene.user;
    let root = timed(record, "mount root", rootfs.label(), Error::number, || {
        rootfs.open(user.caller, namespaces.new_mount())
    })?;

    let mut ops = Vec::with_capacity(items.len() + finish.len() + 48);
    if namespaces.own_user() {
        ops.push(Op::Pause(OUTSIDE));
        ops.extend(user.enter());
    } else {
        ops.extend(process.oom_score_adj.map(oom_score_adj));
    }
    if keyring == Keyring::New {
        ops.push(Op::NewKeyring);
    }
    ops.extend(joins.itself.drain(..).map(|(fd, types)| Op::Join { fd, types }));
    let new_network = namespaces.new_network();
    let own_cgroup = namespaces.own_cgroup();
    // What a new user namespace does not own is the host's to it.
    let new_user = namespaces.maps.is_some();
    let has = |types| if new_user { namespaces.new.contains(types) } else { namespaces.has(types) };
    let shared = Shared { network: !has(Types::NETWORK), ipc: !has(Types::IPC), pid: !has(Types::PID) };
    let shared = namespaces.own_user().then_some(shared);
    let new_mount = namespaces.new_mount();
    let has_user = namespaces.own_user();
    if let Some(fd) = namespaces.network {
        match has_user {
            true => joins.first.insert(0, (fd, Types::NETWORK)),
            false => ops.push(Op::Join { fd, types: Types::NETWORK }),
        }
    }
    if namespaces.new_cgroup {
        if scene.mode != Mode::V2 && scene.cgroup.is_some() {
            ops.push(Op::Pause(IN_CGROUP));
        }
        ops.push(Op::Unshare(Types::CGROUP));
    }
    ops.extend(namespaces.time_offsets.map(Op::TimeOffsets));
    if events.has_net_devices() {
        ops.push(Op::Pause(NET_DEVICES));
    }
    if new_network {
        ops.push(Op::LoopbackUp);
    }

    let mut passwd = None;
    let mut late = Vec::new();
    if new_mount {
        ops.push(Op::Propagate(SLAVE));
    }
    let at_root = ops.len();
    for item in items {
        match item {
            Item::Op(Op::Mount(new)) => ops.push(inherited(shared, new)),
            Item::Op(op) => ops.push(op),
            Item::Bind(bind) => {
                let label = format!("{} -> {}", bind.source.display(), bind.target.display());
                let is_passwd = bind.target == Path::new("/etc/passwd");
                let op = timed(record, "open mount source", label, Error::number, || open_bind(&bind, user))?;
                if is_passwd {
                    passwd = Some(bind.source);
                }
                ops.push(op);
            }
            Item::Cgroup(mount) => {
                let label = mount.target.display().to_string();
                timed(record, "open cgroup mounts", label, Error::number, || {
                    let Scene { cgroup, mode, .. } = *scene;
                    let place =
                        cgroups::Place { cgroup, mode, own_namespace: own_cgroup, caller: user.caller };
                    cgroups::mount(&mount, &place, &mut ops, &mut late)
                })?;
            }
            Item::CopyUp(new) => {
                let label = new.target.path.to_string_lossy().into_owned();
                let copy = || copy_up::mount(new, &root, user.caller);
                ops.push(timed(record, "copy into tmpfs", label, Error::number, copy)?);
            }
        }
    }
    let mut exec_env = Vec::new();
    if process.needs_home {
        exec_env.push(home(&root, passwd, process.uid)?);
    }
    ops.insert(at_root, root.into_op()?);
    if let Stdio::Terminal = stdio {
        ops.push(terminal(&process, Console::Bound));
    }
    ops.extend(late);
    if !hooks.runtime.is_empty() || !hooks.create_container.is_empty() {
        ops.push(Op::Pause(HOOKS));
    }
    for hook in hooks.create_container {
        ops.push(child_hook(hook, events.creating()?));
    }
    ops.extend(finish);
    ops.extend(inside);
    ops.extend(streams(stdio, process.uid));
    let (before, after) = process.ops(seccomp.map(|planned| planned.filter), user.place());
    ops.extend(before);
    if lifetime == Lifetime::OfParent {
        ops.push(Op::DieWithParent(Signal::KILL));
    }
    ops.extend(awaits_signals.then_some(Op::BlockSignals));
    ops.push(Op::Pause(BARRIER));
    ops.extend(start.map(Op::Await));
    for hook in hooks.start_container {
        ops.push(child_hook(hook, events.waiting()?));
    }
    ops.extend(inherit(preserved));
    ops.extend(after);
    let mut exec = process.exec;
    exec.env.extend(exec_env);
    Ok(Program { ops, exec })
}

fn child_hook(hook: crate::plan::hooks::Planned, state: OwnedFd) -> Op {
    let crate::plan::hooks::Planned { path, args, env, timeout_s } = hook;
    Op::Hook(Hook { path, args, env, state, timeout_s })
}

/// Which namespaces a container in a user namespace shares with the runtime.
#[derive(Clone, Copy)]
struct Shared {
    network: bool,
    ipc: bool,
    pid: bool,
}

/// Returns how a file system is mounted: from a user namespace one that shows a namespace of the host cannot be made, so
/// that the host's is mounted again.
fn inherited(shared: Option<Shared>, new: NewMount) -> Op {
    let source = shared.and_then(|shared| match new.fs_type.to_bytes() {
        b"sysfs" if shared.network => Some(c"/sys"),
        b"mqueue" if shared.ipc => Some(c"/dev/mqueue"),
        b"proc" if shared.pid => Some(c"/proc"),
        _ => None,
    });
    let Some(source) = source else { return Op::Mount(new) };
    let attr = MountAttr { set: new.attributes, propagation: SLAVE, ..MountAttr::default() };
    Op::AttachPath(AttachPath {
        source: source.into(),
        links: Links::Followed,
        depth: Depth::Recursive,
        attributes: vec![(Depth::Recursive, attr)],
        target: new.target,
    })
}

pub(crate) fn inherit(preserved: Vec<OwnedFd>) -> Option<Op> {
    (!preserved.is_empty()).then_some(Op::Inherit(preserved))
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
fn home(root: &crate::rootfs::Opened, mounted: Option<PathBuf>, uid: u32) -> Result<CString, Error> {
    let file = match mounted {
        Some(path) => Root::open(Path::new("/")).and_then(|root| root.read(&path)).ok(),
        None => root.look().and_then(|root| root.read(Path::new("etc/passwd"))).ok(),
    };
    home_entry(passwd::home_of(file, uid))
}

pub(crate) fn home_entry(home: String) -> Result<CString, Error> {
    CString::new(format!("HOME={home}"))
        .map_err(|_| Error::invalid("process.env", "HOME has a NUL character"))
}

/// Opens the source of a bind mount as a detached mount with its attributes.
fn open_bind(bind: &Bind, user: &User) -> Result<Op, Error> {
    let failed =
        |source| Error::Source { source_path: bind.source.clone(), target: bind.target.clone(), source };
    let path = crate::plan::path_text("mounts", &bind.target)?;
    if bind.source_link == SourceLink::Copied
        && let Ok(target) = std::fs::read_link(&bind.source)
    {
        return Ok(Op::Symlink { target: crate::plan::path_text("mounts", &target)?, path });
    }
    let no_follow = bind.source_link == SourceLink::Mounted;
    let target = |leaf| Target { path, leaf, links: bind.links, procfs: bind.procfs };
    if user.caller == Caller::Plain {
        if bind.id_map.is_some() {
            return Err(Error::not_supported("mounts", "the right to map the ids of a mount"));
        }
        let source = crate::plan::path_text("mounts", &bind.source)?;
        let links = if no_follow { Links::NotLast } else { Links::Followed };
        let (depth, attributes) = (bind.depth, bind.attributes.clone());
        return Ok(Op::AttachPath(AttachPath {
            source,
            links,
            depth,
            attributes,
            target: target(Leaf::File),
        }));
    }
    let tree = match no_follow {
        true => sys::mount::open_tree_no_follow(&bind.source, bind.depth),
        false => sys::mount::open_tree(&bind.source, bind.depth),
    }
    .map_err(failed)?;
    for (depth, attr) in &bind.attributes {
        sys::mount::mount_setattr(&tree, *depth, attr).map_err(failed)?;
    }
    if let Some((kind, number)) = bind.device {
        let (mode, found) = sys::mount::device_of(&tree).map_err(failed)?;
        if (mode & 0o170_000, found) != (kind, number) {
            return Err(Error::Unsafe {
                step: "mount".into(),
                args: format!("the host's {}", bind.source.display()),
                reason: "it is another device",
            });
        }
    }
    if let Some(id_map) = &bind.id_map {
        let namespace = user.namespace_of(id_map)?;
        let fd = std::os::fd::AsRawFd::as_raw_fd(&namespace) as u64;
        let attr = MountAttr { set: sys::mount::IDMAP, userns_fd: fd, ..MountAttr::default() };
        sys::mount::mount_setattr(&tree, id_map.depth, &attr).map_err(failed)?;
    }
    let leaf = if sys::mount::is_directory(&tree).map_err(failed)? { Leaf::Directory } else { Leaf::File };
    if bind.target == Path::new("/proc") && !sys::mount::is_procfs(&tree).map_err(failed)? {
        return Err(Error::Unsafe {
            step: "mount".into(),
            args: format!("{} at /proc", bind.source.display()),
            reason: "it is not on procfs",
        });
    }
    Ok(Op::Attach { tree, target: target(leaf) })
}

/// Returns a bind mount of a directory whose mount is open already.
pub(crate) fn attach_directory(tree: OwnedFd, path: CString) -> Op {
    let target = Target { path, leaf: Leaf::Directory, links: Links::Followed, procfs: Procfs::Refused };
    Op::Attach { tree, target }
}

/// The depth of binds of cgroup directories.
pub(crate) const SINGLE: Depth = Depth::Single;
