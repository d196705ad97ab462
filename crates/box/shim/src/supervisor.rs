//! The event loop: carries out what the machine decides, and serves the streams.

use crate::birth::{self, Life};
use crate::control::{Control, Received};
use crate::execs::Execs;
use crate::machine::{Action, Event, Machine};
use crate::output::Output;
use crate::ports::Ports;
use crate::task::Task;
use crate::token::Token;
use crate::{Error, record};
use cgroup::{OomWatch, Readiness};
use shimwire::{Hello, Report, Request, Step};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Instant, SystemTime};
use sys::epoll::{self, Epoll, Interest};
use sys::tty::Size;

/// One read takes at most this much; small, because the memory stays.
const SCRATCH_BYTES: usize = 16 * 1024;

/// The container's task; execs have higher numbers.
pub(crate) const MAIN: u32 = 0;

/// The supervisor of one container.
pub(crate) struct Supervisor {
    epoll: Rc<Epoll>,
    control: Control,
    machine: Machine,
    container: Option<Container>,
    execs: Execs,
    ports: Ports,
    kept: Vec<OwnedFd>,
    next_client: u32,
    scratch: Vec<u8>,
    /// Much was done once: memory can be given back when the loop is back at its beginning.
    bloated: bool,
    quitting: bool,
}

/// What exists as soon as the container is created.
pub(crate) struct Container {
    pub(crate) life: Life,
    pub(crate) task: Task,
    pub(crate) output: Output,
    pub(crate) oom: Option<OomWatch>,
    pub(crate) directory: PathBuf,
    pub(crate) run_directory: PathBuf,
    pub(crate) steps: Vec<Step>,
}

/// The present time in both forms: for deadlines, and for what people read.
#[derive(Clone, Copy)]
pub(crate) struct Now {
    pub(crate) instant: Instant,
    pub(crate) ns: i64,
}

impl Now {
    pub(crate) fn read() -> Self {
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { instant: Instant::now(), ns: i64::try_from(since_1970.as_nanos()).unwrap_or(i64::MAX) }
    }
}

impl Supervisor {
    /// Begins with the engine's socket.
    pub(crate) fn new(engine: OwnedFd) -> Result<Self, Error> {
        let epoll = Rc::new(Epoll::new()?);
        let mut supervisor = Self {
            control: Control::new(&epoll, engine)?,
            execs: Execs::new(&epoll),
            ports: Ports::default(),
            kept: Vec::new(),
            epoll,
            machine: Machine::new(),
            container: None,
            next_client: 0,
            scratch: Vec::new(),
            bloated: false,
            quitting: false,
        };
        supervisor.greet();
        Ok(supervisor)
    }

    /// Serves until the container has ended and nobody needs the supervisor any more.
    pub(crate) fn run(&mut self) -> Result<(), Error> {
        let mut events = Vec::new();
        while !self.quitting || self.control.is_waiting() {
            self.settle()?;
            if self.quitting && !self.control.is_waiting() {
                break;
            }
            if std::mem::take(&mut self.bloated) {
                sys::itself::shrink();
            }
            let timeout = self.deadline().map(|deadline| deadline.saturating_duration_since(Instant::now()));
            self.epoll.wait(&mut events, timeout)?;
            for event in events.drain(..) {
                self.handle(event)?;
            }
        }
        self.control.close_listener();
        Ok(())
    }

    /// Its own frame on the stack, and a large one: not to be kept while the loop waits.
    #[inline(never)]
    fn handle(&mut self, event: epoll::Event) -> Result<(), Error> {
        let Some(token) = Token::of(event.token) else { return Ok(()) };
        match token {
            Token::Listener => match self.control.accept() {
                Ok(true) => self.greet(),
                Ok(false) => {}
                Err(error) => crate::complain(&error, "an engine could not connect"),
            },
            Token::Engine => self.serve_engine(event)?,
            Token::OutOfMemory => self.note_oom(),
            Token::Process(key) => self.reap(key)?,
            Token::Input(key) => {
                if let Some(task) = self.task(key) {
                    task.feed();
                }
            }
            Token::Output(key) | Token::Error(key) | Token::Terminal(key) => self.pump(key, token, event),
            Token::Client(key, id) => self.hear(key, id, event),
        }
        Ok(())
    }

    fn serve_engine(&mut self, event: epoll::Event) -> Result<(), Error> {
        if event.writable {
            self.control.flush();
        }
        if event.readable || event.hung_up {
            match self.control.receive() {
                Received::Nothing => {}
                Received::Request(request, fds) => self.request(*request, fds)?,
                Received::Lost => self.step(Event::EngineLost)?,
            }
        }
        Ok(())
    }

    fn request(&mut self, request: Request, fds: Vec<OwnedFd>) -> Result<(), Error> {
        let mut fds = fds.into_iter();
        match request {
            Request::Create(create) => {
                if self.container.is_some() {
                    return Ok(()); // A supervisor has one container; its engine knows.
                }
                let id = create.id.clone();
                match birth::create(&self.epoll, *create, fds, &mut self.control, &mut self.next_client) {
                    Ok(container) => {
                        let pid = container.task.pid;
                        self.container = Some(container);
                        self.scratch = vec![0; SCRATCH_BYTES];
                        self.step(Event::Created { id, pid })
                    }
                    Err(failed) => self.step(Event::Failed(failed)),
                }
            }
            Request::Start => self.start(),
            Request::Kill { signal } => {
                if let Some(container) = &self.container {
                    // It may have ended just now.
                    let _ = birth::signal(&container.task, signal);
                }
                Ok(())
            }
            Request::Exec(mut exec) => {
                let Some(container) = &mut self.container else { return Ok(()) };
                keep_open_files(&mut exec.process, self.ports.original_open_files());
                let client = (&mut self.next_client, fds);
                self.execs.start(*exec, container, client, &mut self.control, Now::read());
                self.bloated = true;
                Ok(())
            }
            Request::KillExec { exec, signal } => {
                if let Some(task) = self.execs.named(&exec) {
                    // It may have ended just now.
                    let _ = birth::signal(task, signal);
                }
                Ok(())
            }
            Request::Resize { exec, rows, columns } => {
                if let Some(task) = self.named_task(exec.as_deref()) {
                    task.resize(Size { rows, columns });
                }
                Ok(())
            }
            Request::Attach { exec, attach } => {
                let id = birth::next(&mut self.next_client);
                let (Some(socket), Some(task)) = (fds.next(), self.named_task(exec.as_deref())) else {
                    return Ok(()); // Closing the socket tells the client that there is nothing to attach to.
                };
                if task.attach(id, socket, &attach, Instant::now()) {
                    self.control.report(&Report::Detached { exec });
                }
                Ok(())
            }
            Request::Keep => {
                self.kept = fds.collect();
                Ok(())
            }
            Request::Ports { close, open } => {
                // Without its relay a port can still be reached by all that the packet filter sends to the container.
                if let Err(error) = self.ports.change(&close, open, fds) {
                    crate::complain(&error, "published ports are not relayed");
                }
                Ok(())
            }
            Request::Ack { exec: None } => self.step(Event::Acked),
            Request::Ack { exec: Some(exec) } => {
                self.execs.acknowledge(&exec, Instant::now());
                Ok(())
            }
        }
    }

    fn start(&mut self) -> Result<(), Error> {
        let Some(container) = &mut self.container else { return Ok(()) };
        if container.task.ended.is_some() {
            return Ok(()); // Killed at the barrier: its exit is about to be reported.
        }
        match container.life.start(&mut container.steps) {
            None => Ok(()), // Started before.
            Some(Ok(())) => {
                record::append_birth(&container.directory, &std::mem::take(&mut container.steps));
                self.bloated = true;
                self.step(Event::Started { at: Now::read().ns })
            }
            Some(Err(failed)) => {
                record::append_birth(&container.directory, &std::mem::take(&mut container.steps));
                self.container = None;
                self.step(Event::Failed(failed))
            }
        }
    }

    /// Lets the machine decide, and does what it says.
    fn step(&mut self, event: Event) -> Result<(), Error> {
        for action in self.machine.step(event) {
            match action {
                Action::Report(report) => self.control.report(&report),
                Action::Drain => {
                    if let Some(container) = &mut self.container {
                        container.life.end();
                    }
                }
                Action::Persist(exit) => {
                    self.kept = Vec::new();
                    self.ports.close_all(); // Before anyone is told: the next start may want them.
                    if let Some(container) = &mut self.container {
                        container.oom = None;
                        container.life.clean_up();
                        record::write_exit(&container.run_directory, &exit)?;
                    }
                }
                Action::ReleaseClients => {
                    if let Some(container) = &mut self.container {
                        container.task.release_clients(Instant::now());
                    }
                }
                Action::Forget => {
                    if let Some(container) = &self.container {
                        record::remove_exit(&container.run_directory);
                    }
                    // From now on the directory may belong to the container's next life.
                    self.control.close_listener();
                }
                Action::Quit => self.quitting = true,
            }
        }
        Ok(())
    }

    /// Tells a new engine how things stand.
    fn greet(&mut self) {
        let machine = &self.machine;
        let hello = Hello {
            version: shimwire::VERSION,
            id: machine.id.clone(),
            shim_pid: i32::try_from(std::process::id()).expect("process ids fit into i32"),
            pid: machine.pid,
            state: machine.state,
            started_at: machine.started_at,
            exit: machine.exit.clone(),
            execs: self.execs.running(),
            out_of_memory: machine.out_of_memory,
            ports: self.ports.len(),
            kept: self.kept.iter().map(AsRawFd::as_raw_fd).collect(),
        };
        self.control.report(&Report::Hello(hello));
        for report in self.ports.reports() {
            self.control.report(&report);
        }
        self.execs.report_again(&mut self.control);
    }

    fn pump(&mut self, key: u32, token: Token, event: epoll::Event) {
        let Some(container) = &mut self.container else { return };
        let now = Now::read();
        if key == MAIN {
            if event.writable {
                container.task.feed();
            }
            if event.readable || event.hung_up {
                container.task.pump(token, Some(&mut container.output), &mut self.scratch, now.ns);
                container.task.flush(now.instant);
            }
        } else if let Some(task) = self.execs.task(key) {
            if event.writable {
                task.feed();
            }
            if event.readable || event.hung_up {
                task.pump(token, None, &mut self.scratch, now.ns);
                task.flush(now.instant);
            }
        }
    }

    fn hear(&mut self, key: u32, id: u32, event: epoll::Event) {
        let mut scratch = std::mem::take(&mut self.scratch);
        let exec = self.execs.name(key).map(str::to_owned);
        let detached = self.task(key).is_some_and(|task| {
            let detached = (event.readable || event.hung_up) && task.hear(id, event.hung_up, &mut scratch);
            task.flush(Instant::now());
            detached
        });
        self.scratch = scratch;
        if detached {
            self.control.report(&Report::Detached { exec });
        }
    }

    fn reap(&mut self, key: u32) -> Result<(), Error> {
        let now = Now::read();
        let Some(task) = self.task(key) else { return Ok(()) };
        let Some(ended) = birth::wait(task, now.ns)? else { return Ok(()) };
        task.end(ended, now.instant);
        if key == MAIN {
            self.note_oom();
            self.step(Event::Died(ended))?;
        }
        Ok(())
    }

    fn note_oom(&mut self) {
        let Some(container) = &self.container else { return };
        let Some(oom) = &container.oom else { return };
        let killed = oom.acknowledge().map_err(Error::from).and_then(|()| container.life.oom_kills());
        let event = match killed {
            Ok(0) => return,
            Ok(_) => Event::OutOfMemory,
            Err(error) => {
                // The group is gone, or will wake us for ever.
                crate::complain(&error, "out-of-memory kills are no longer noticed");
                if let Some(container) = &mut self.container {
                    container.oom = None;
                }
                return;
            }
        };
        for action in self.machine.step(event) {
            if let Action::Report(report) = action {
                self.control.report(&report);
            }
        }
    }

    /// After all events: what follows from the state of the streams, and what the loop has to watch.
    fn settle(&mut self) -> Result<(), Error> {
        let now = Now::read();
        self.execs.settle(&mut self.control, now);
        if let Some(container) = &mut self.container {
            let task = &mut container.task;
            task.give_up(Some(&mut container.output), now.instant, now.ns);
            task.flush(now.instant);
            let execs_over = self.execs.are_drained() || task.is_overdue(now.instant);
            let unattended = task.is_unattended() && self.execs.are_unattended();
            if task.is_drained() && execs_over && self.machine.exit.is_none() {
                self.step(Event::Drained)?;
            }
            if unattended && self.machine.exit.is_some() {
                self.step(Event::Unattended)?;
            }
        }
        if let Some(container) = &mut self.container {
            container.task.rewatch()?;
        }
        self.execs.rewatch()?;
        self.control.rewatch()?;
        Ok(())
    }

    fn deadline(&self) -> Option<Instant> {
        let main = self.container.as_ref().and_then(|container| container.task.deadline());
        main.into_iter().chain(self.execs.deadline()).min()
    }

    fn task(&mut self, key: u32) -> Option<&mut Task> {
        if key == MAIN {
            self.container.as_mut().map(|container| &mut container.task)
        } else {
            self.execs.task(key)
        }
    }

    fn named_task(&mut self, exec: Option<&str>) -> Option<&mut Task> {
        match exec {
            None => self.container.as_mut().map(|container| &mut container.task),
            Some(exec) => self.execs.named(exec),
        }
    }
}

/// Gives an exec the limit of open files that this process had before it raised its own, unless it asks for another one.
fn keep_open_files(process: &mut oci::runtime::Process, original: Option<(u64, u64)>) {
    const KIND: &str = "RLIMIT_NOFILE";
    if let Some((soft, hard)) = original
        && process.rlimits.iter().all(|limit| limit.kind != KIND)
    {
        process.rlimits.push(oci::runtime::Rlimit { kind: KIND.to_owned(), soft, hard });
    }
}

/// Watches the out-of-memory notification.
pub(crate) fn watch_oom(epoll: &Epoll, oom: &OomWatch) -> sys::Result<()> {
    let interest = match oom.readiness() {
        Readiness::Readable => Interest::READ,
        Readiness::Priority => Interest::PRIORITY,
    };
    epoll.add(oom, Token::OutOfMemory.number(), interest)
}
