//! Further processes in the container.

use crate::birth;
use crate::control::Control;
use crate::outbox::{Layout, Outbox};
use crate::supervisor::{Container, Now};
use crate::task::Task;
use logfile::Stream;
use shimwire::{Attach, Exec, Failed, Report, RunningExec};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::{Duration, Instant};
use sys::epoll::Epoll;

/// How long the end of an exec is kept from its clients while the engine has not stored the exit code: clients ask for it
/// as soon as their connection ends.
const UNACKED: Duration = Duration::from_secs(1);

/// All execs whose end the engine does not know for sure yet.
#[derive(Debug)]
pub(crate) struct Execs {
    epoll: Rc<Epoll>,
    running: Vec<Running>,
    failed: Vec<Refused>,
    last_key: u32,
}

#[derive(Debug)]
struct Running {
    exec: String,
    task: Task,
    stage: Stage,
}

/// How far the end of an exec has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It runs, or its output is still read.
    Running,
    /// The exit was reported; clients are kept until it is stored, but not longer than this.
    Reported(Instant),
    /// The exit was reported and is not stored yet; the clients may go.
    Released,
    /// The engine has stored the exit.
    Acknowledged,
}

/// The client of an exec that could not be started; it has been told why.
#[derive(Debug)]
struct Refused {
    exec: String,
    _client: Option<OwnedFd>,
    until: Instant,
}

impl Execs {
    pub(crate) fn new(epoll: &Rc<Epoll>) -> Self {
        Self { epoll: Rc::clone(epoll), running: Vec::new(), failed: Vec::new(), last_key: 0 }
    }

    /// Starts a process in the container and reports it.
    pub(crate) fn start(
        &mut self,
        request: Exec,
        container: &mut Container,
        (next_client, mut fds): (&mut u32, std::vec::IntoIter<OwnedFd>),
        control: &mut Control,
        now: Now,
    ) {
        let socket = request.attach.as_ref().and_then(|_| fds.next());
        let seccomp = if request.seccomp { fds.next() } else { None };
        self.last_key = self.last_key % 0xff_ffff + 1;
        match birth::exec(&self.epoll, self.last_key, &request, seccomp, container) {
            Ok(mut task) => {
                control.report(&Report::ExecStarted { exec: request.exec.clone(), pid: task.pid });
                if let (Some(socket), Some(attach)) = (socket, &request.attach) {
                    let id = birth::next(next_client);
                    if task.attach(id, socket, attach, now.instant) {
                        control.report(&Report::Detached { exec: Some(request.exec.clone()) });
                    }
                }
                self.running.push(Running { exec: request.exec, task, stage: Stage::Running });
            }
            Err(failed) => {
                if let (Some(socket), Some(attach)) = (&socket, &request.attach) {
                    tell(socket, attach, &failed);
                }
                control.report(&Report::ExecFailed { exec: request.exec.clone(), failed });
                let until = now.instant + UNACKED;
                self.failed.push(Refused { exec: request.exec, _client: socket, until });
            }
        }
    }

    /// Notes that the engine has stored an exec's end.
    pub(crate) fn acknowledge(&mut self, exec: &str, now: Instant) {
        self.failed.retain(|refused| refused.exec != exec);
        for running in &mut self.running {
            if running.exec == exec && running.stage != Stage::Running {
                running.stage = Stage::Acknowledged;
                running.task.release_clients(now);
            }
        }
    }

    /// Reports the ends that no engine has acknowledged, to a new one.
    pub(crate) fn report_again(&self, control: &mut Control) {
        for running in &self.running {
            match running.stage {
                Stage::Reported(_) | Stage::Released => report_exit(running, control),
                Stage::Running | Stage::Acknowledged => {}
            }
        }
    }

    /// Reports ends, releases clients, forgets what is over.
    pub(crate) fn settle(&mut self, control: &mut Control, now: Now) {
        let connected = control.is_connected();
        for running in &mut self.running {
            running.task.give_up(None, now.instant, now.ns);
            running.task.flush(now.instant);
            if running.stage == Stage::Running && running.task.is_drained() {
                running.stage = Stage::Reported(now.instant + UNACKED);
                report_exit(running, control);
            }
            if let Stage::Reported(until) = running.stage
                && (!connected || now.instant >= until)
            {
                running.stage = Stage::Released;
                running.task.release_clients(now.instant);
            }
        }
        self.running.retain(|running| running.stage != Stage::Acknowledged || !running.task.is_unattended());
        self.failed.retain(|refused| connected && now.instant < refused.until);
    }

    /// Returns the task with this number.
    pub(crate) fn task(&mut self, key: u32) -> Option<&mut Task> {
        self.running.iter_mut().map(|running| &mut running.task).find(|task| task.key() == key)
    }

    /// Returns the id of the exec with this number.
    pub(crate) fn name(&self, key: u32) -> Option<&str> {
        self.running.iter().find(|running| running.task.key() == key).map(|running| &*running.exec)
    }

    /// Returns the task of the exec with this id.
    pub(crate) fn named(&mut self, exec: &str) -> Option<&mut Task> {
        self.running.iter_mut().find(|running| running.exec == exec).map(|running| &mut running.task)
    }

    /// Returns the execs that run.
    pub(crate) fn running(&self) -> Vec<RunningExec> {
        let running = self.running.iter().filter(|running| running.stage == Stage::Running);
        running.map(|running| RunningExec { exec: running.exec.clone(), pid: running.task.pid }).collect()
    }

    /// Returns whether all have ended and their output was read.
    pub(crate) fn are_drained(&self) -> bool {
        self.running.iter().all(|running| running.task.is_drained())
    }

    /// Returns whether no client is attached to any.
    pub(crate) fn are_unattended(&self) -> bool {
        self.failed.is_empty() && self.running.iter().all(|running| running.task.is_unattended())
    }

    /// Returns when something has to be done even if nothing happens.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let kept = |running: &Running| {
            let release = match running.stage {
                Stage::Reported(until) => Some(until),
                Stage::Running | Stage::Released | Stage::Acknowledged => None,
            };
            release.into_iter().chain(running.task.deadline())
        };
        self.running.iter().flat_map(kept).chain(self.failed.iter().map(|refused| refused.until)).min()
    }

    /// Tells the event loop what matters now.
    pub(crate) fn rewatch(&mut self) -> sys::Result<()> {
        self.running.iter_mut().try_for_each(|running| running.task.rewatch())
    }
}

fn report_exit(running: &Running, control: &mut Control) {
    if let Some(ended) = running.task.ended {
        control.report(&Report::ExecExited { exec: running.exec.clone(), code: ended.code });
    }
}

/// Tells a client why its process did not start, in the words that Docker puts into the stream.
///
/// # Source
/// Docker 28.5.2, `docker exec c nosuch`.
fn tell(socket: &OwnedFd, attach: &Attach, failed: &Failed) {
    let layout = if attach.multiplexed { Layout::Multiplexed } else { Layout::Raw };
    let mut outbox = Outbox::new(layout);
    let text = format!(
        "OCI runtime exec failed: exec failed: unable to start container process: {}\r\n",
        failed.message
    );
    outbox.push(Stream::Stdout, text.as_bytes());
    // A fresh connection takes these few bytes, unless nobody is there any more.
    let _ = sys::socket::send(socket, outbox.front());
}
