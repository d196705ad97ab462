//! Making processes through the runtime: the container's first one, and execs.

use crate::control::Control;
use crate::machine::Ended;
use crate::output::Output;
use crate::supervisor::{Container, MAIN, Now, watch_oom};
use crate::task::{Streams, Task};
use crate::{Error, record};
use cgroup::Cgroup;
use error::Fault as _;
use oci::runtime::{NamespaceType, Spec};
use runtime::{Created, Inputs, Lifetime, Running, Stdio, Target};
use shimwire::{Create, Exec, Failed, Rootfs, Step, Timestamp};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Instant;
use sys::epoll::Epoll;
use sys::process::Signal;

/// The container as the runtime sees it.
#[derive(Debug)]
pub(crate) struct Life {
    stage: Stage,
    /// Other processes can outlive the first one: it is no process 1 of its own.
    shares_processes: bool,
}

#[derive(Debug)]
enum Stage {
    Created(Created),
    Running(Running),
    Over,
}

impl Life {
    /// Lets a created container run; none if it is not at the barrier.
    pub(crate) fn start(&mut self, steps: &mut Vec<Step>) -> Option<Result<(), Failed>> {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Created(created) => match created.start(&mut |step| steps.push(step_of(step))) {
                Ok(running) => {
                    self.stage = Stage::Running(running);
                    Some(Ok(()))
                }
                Err(error) => Some(Err(failed(&error.into()))),
            },
            other => {
                self.stage = other;
                None
            }
        }
    }

    /// Kills what the first process left behind.
    pub(crate) fn end(&mut self) {
        if let (true, Some(cgroup)) = (self.shares_processes, self.cgroup())
            && let Err(error) = cgroup.kill()
        {
            crate::complain(&error, "processes of the container may be left");
        }
    }

    /// Removes the cgroup of a container that has ended.
    pub(crate) fn clean_up(&mut self) {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Running(Running { cgroup: Some(cgroup), .. }) => {
                if let Err(error) = cgroup.remove() {
                    crate::complain(&error, "the container's cgroup is left");
                }
            }
            Stage::Created(created) => drop(created), // Removes its cgroup itself.
            Stage::Running(_) | Stage::Over => {}
        }
    }

    /// Returns how many processes the kernel has killed for want of memory.
    pub(crate) fn oom_kills(&self) -> Result<u64, Error> {
        Ok(self.cgroup().map_or(Ok(0), Cgroup::oom_kill_count)?)
    }

    fn cgroup(&self) -> Option<&Cgroup> {
        match &self.stage {
            Stage::Created(created) => created.cgroup(),
            Stage::Running(running) => running.cgroup.as_ref(),
            Stage::Over => None,
        }
    }
}

/// Makes the container up to the barrier, and attaches the clients that wait for it.
pub(crate) fn create(
    epoll: &Rc<Epoll>,
    create: Create,
    fds: std::vec::IntoIter<OwnedFd>,
    control: &mut Control,
    next_client: &mut u32,
) -> Result<Container, Failed> {
    let mut steps = Vec::new();
    let result = try_create(epoll, &create, fds, control, next_client, &mut steps);
    if result.is_err() {
        record::append_birth(&create.directory, &steps);
    }
    let mut container = result.map_err(|error| failed(&error))?;
    let now = Now::read();
    let args = format!("pid={}", container.task.pid);
    steps.push(Step { t_ns: now.ns, dur_ns: 0, who: "shim".into(), step: "created".into(), args, errno: 0 });
    // Before the program runs: it may want to read how it was born.
    record::append_birth(&create.directory, &steps);
    container.steps = Vec::new();
    Ok(container)
}

fn try_create(
    epoll: &Rc<Epoll>,
    create: &Create,
    mut fds: std::vec::IntoIter<OwnedFd>,
    control: &mut Control,
    next_client: &mut u32,
    steps: &mut Vec<Step>,
) -> Result<Container, Error> {
    let network_namespace = announced(create.network_namespace, &mut fds, "a network namespace")?;
    let seccomp = announced(create.seccomp, &mut fds, "a seccomp program")?.map(read_all).transpose()?;
    let (spec, _sources) = with_sources(create, &mut fds)?; // open until the mounts are made
    let output = Output::open(&create.log)?;
    control.listen(&create.run_directory)?;
    let rootfs = rootfs(&create.rootfs);
    let inputs = Inputs {
        id: create.id.clone(),
        rootfs,
        network_namespace,
        seccomp,
        lifetime: Lifetime::OfParent,
        preserved: Vec::new(),
        start: None,
        keyring: runtime::Keyring::New,
    };
    let plan = runtime::plan(&spec, &create.directory, inputs)?;
    let terminal = create.spec.process.as_ref().is_some_and(|process| process.terminal);
    let (stdio, ends) = stdio(terminal, create.open_stdin)?;
    let mut created = runtime::spawn(plan, stdio, &mut |step| steps.push(step_of(step)))?;
    let streams = streams(ends, created.take_terminal(), create.open_stdin)?;
    let process = (created.pid(), duplicate(created.pidfd())?);
    let oom = match created.cgroup() {
        Some(cgroup) => cgroup.watch_oom()?,
        None => None,
    };
    if let Some(oom) = &oom {
        watch_oom(epoll, oom)?;
    }
    let mut task = Task::new(epoll, MAIN, process, streams, create.stdin_once)?;
    for (attach, socket) in create.attach.iter().zip(fds) {
        task.attach(next(next_client), socket, attach, Instant::now());
    }
    Ok(Container {
        life: Life { stage: Stage::Created(created), shares_processes: shares_processes(&create.spec) },
        task,
        output,
        oom,
        directory: create.directory.clone(),
        run_directory: create.run_directory.clone(),
        steps: Vec::new(),
    })
}

/// Returns the specification with the sources that came as descriptors, and these.
fn with_sources(
    create: &Create,
    fds: &mut std::vec::IntoIter<OwnedFd>,
) -> Result<(Spec, Vec<OwnedFd>), Error> {
    let mut spec = create.spec.clone();
    let mut open = Vec::new();
    for target in &create.sources {
        let source = fds.next().ok_or(Error::MissingDescriptor { what: "the source of a mount" })?;
        for mount in spec.mounts.iter_mut().filter(|mount| mount.destination == *target) {
            mount.source = Some(PathBuf::from(format!("/proc/self/fd/{}", source.as_raw_fd())));
        }
        open.push(source);
    }
    Ok((spec, open))
}

/// Starts a further process in the container.
pub(crate) fn exec(
    epoll: &Rc<Epoll>,
    key: u32,
    request: &Exec,
    seccomp: Option<OwnedFd>,
    container: &Container,
) -> Result<Task, Failed> {
    try_exec(epoll, key, request, seccomp, container).map_err(|error| failed(&error))
}

fn try_exec(
    epoll: &Rc<Epoll>,
    key: u32,
    request: &Exec,
    seccomp: Option<OwnedFd>,
    container: &Container,
) -> Result<Task, Error> {
    let Stage::Running(running) = &container.life.stage else { return Err(Error::NotRunning) };
    if request.seccomp && seccomp.is_none() {
        return Err(Error::MissingDescriptor { what: "a seccomp program" });
    }
    let program = seccomp.map(read_all).transpose()?;
    let filter = program.map(|program| runtime::Filter { program, ..runtime::Filter::default() });
    let (stdio, ends) = stdio(request.process.terminal, request.open_stdin)?;
    let Some(cgroup) = &running.cgroup else { return Err(Error::NotRunning) };
    let target = Target { pid: running.pid, pidfd: running.pidfd.as_fd(), cgroup };
    let mut created =
        runtime::exec(&target, &request.process, filter, stdio, runtime::Options::supervised(), &mut |_| {})?;
    let streams = streams(ends, created.take_terminal(), request.open_stdin)?;
    let Running { pid, pidfd, .. } = created.start(&mut |_| {})?;
    Ok(Task::new(epoll, key, (pid, pidfd), streams, true)?)
}

/// Sends a signal to a task's process.
pub(crate) fn signal(task: &Task, number: i32) -> sys::Result<()> {
    match Signal::new(number) {
        Some(signal) => sys::process::send(task.pidfd(), signal),
        None => Ok(()), // The engine takes numbers from people and checks them.
    }
}

/// Reaps a task's process if it has ended.
pub(crate) fn wait(task: &Task, now: Timestamp) -> sys::Result<Option<Ended>> {
    let exit = sys::process::try_wait(task.pidfd())?;
    Ok(exit.map(|exit| Ended { code: exit.code, signal: exit.signal, at: now }))
}

/// Counts.
pub(crate) fn next(counter: &mut u32) -> u32 {
    *counter = counter.wrapping_add(1);
    *counter
}

/// Our ends of a process's pipes.
struct Ends {
    input: Option<OwnedFd>,
    output: OwnedFd,
    error: OwnedFd,
}

/// Makes the program's ends of its streams, and ours; none of ours yet for a terminal.
fn stdio(terminal: bool, open_stdin: bool) -> Result<(Stdio, Option<Ends>), Error> {
    if terminal {
        return Ok((Stdio::Terminal, None));
    }
    let (stdin, input) = match open_stdin {
        true => {
            let (stdin, input) = sys::pipe::pipe()?;
            sys::pipe::set_nonblocking(&input)?;
            (stdin, Some(input))
        }
        false => {
            let path = PathBuf::from("/dev/null");
            let null = File::open(&path).map_err(|source| Error::File { what: "open", path, source })?;
            (null.into(), None)
        }
    };
    let (output, stdout) = sys::pipe::pipe()?;
    let (error, stderr) = sys::pipe::pipe()?;
    sys::pipe::set_nonblocking(&output)?;
    sys::pipe::set_nonblocking(&error)?;
    Ok((Stdio::Streams { stdin, stdout, stderr }, Some(Ends { input, output, error })))
}

fn streams(ends: Option<Ends>, master: Option<OwnedFd>, typing: bool) -> Result<Streams, Error> {
    match (ends, master) {
        (Some(Ends { input, output, error }), _) => Ok(Streams::Pipes { input, output, error }),
        (None, Some(master)) => {
            sys::pipe::set_nonblocking(&master)?;
            let peer = sys::tty::open_peer(&master)?;
            Ok(Streams::Terminal { master, peer, input: typing })
        }
        (None, None) => Err(Error::MissingDescriptor { what: "a terminal" }),
    }
}

fn duplicate(fd: BorrowedFd<'_>) -> Result<OwnedFd, Error> {
    fd.try_clone_to_owned().map_err(|source| Error::File { what: "duplicate", path: "pidfd".into(), source })
}

fn announced(
    announced: bool,
    fds: &mut std::vec::IntoIter<OwnedFd>,
    what: &'static str,
) -> Result<Option<OwnedFd>, Error> {
    if !announced {
        return Ok(None);
    }
    fds.next().map(Some).ok_or(Error::MissingDescriptor { what })
}

/// Reads a memory file from its beginning, wherever its offset is: others may share it.
fn read_all(fd: OwnedFd) -> Result<Vec<u8>, Error> {
    let file = File::from(fd);
    let read = || -> io::Result<Vec<u8>> {
        let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    };
    read().map_err(|source| Error::File { what: "read", path: "seccomp program".into(), source })
}

fn shares_processes(spec: &Spec) -> bool {
    let own = |namespace: &&oci::runtime::Namespace| {
        namespace.kind == NamespaceType::Pid && namespace.path.is_none()
    };
    spec.linux.as_ref().and_then(|linux| linux.namespaces.iter().find(own)).is_none()
}

fn rootfs(rootfs: &Rootfs) -> runtime::Rootfs {
    match rootfs.clone() {
        Rootfs::Directory { path } => runtime::Rootfs::Directory(path),
        Rootfs::Overlay { lower, upper, work } => runtime::Rootfs::Overlay { lower, upper, work },
    }
}

fn step_of(step: runtime::Step) -> Step {
    Step {
        t_ns: step.t_ns,
        dur_ns: step.dur_ns,
        who: step.who.name().to_owned(),
        step: step.step,
        args: step.args,
        errno: step.errno,
    }
}

fn failed(error: &Error) -> Failed {
    Failed { code: error.kind().code().to_owned(), message: error::chain(error) }
}
