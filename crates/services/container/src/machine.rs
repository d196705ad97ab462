//! The life of a container as a pure machine: what has happened goes in, what is to be done comes out.
//!
//! ```text
//!              Start                Started                  Freeze
//!  Created ───────────▶ Starting ───────────▶ Running ◀──────────────▶ Paused
//!     ▲                    │                     │  Exited, ShimLost     │
//!     └── StartFailed ─────┤                     ▼                       │
//!                          │◀── timer ── Restarting ◀── policy ──────────┤
//!                          └──────────▶ Exited ◀──────────────────────────┘
//!                                          │
//!        any state ── Remove, --rm ──▶ Removing ──▶ Gone
//! ```
//! The actor carries the actions out in their order and feeds what comes of them back. An engine that starts feeds
//! [`Event::Found`] with what it found on disk: there is no other way of recovery.
//! Time is a parameter: nanoseconds since 1970.

mod exit;
#[cfg(test)]
mod tests;

use crate::spec::RestartPolicy;
use serde::{Deserialize, Serialize};
use std::time::Duration;

#[cfg(test)]
use exit::should_restart;

/// Nanoseconds since 1970-01-01 UTC.
pub(crate) type Nanos = i64;

/// How long the machine waits for the end after SIGKILL before it gives up on a request.
const KILL_PATIENCE: Duration = Duration::from_secs(10);

/// The kernel's number of SIGKILL.
const SIGKILL: i32 = 9;

/// Stands for somebody who waits for the outcome of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Token(pub(crate) u64);

/// Where a container stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It does not run: never did, or ended.
    Idle,
    /// From the request until the program is executed, or cannot be.
    Starting,
    /// The program runs.
    Running,
    /// The program is frozen.
    Paused,
    /// It ended and is started again when the timer fires.
    Restarting,
    /// It is being removed.
    Removing,
    /// It is no more.
    Gone,
}

/// What lies on disk of a container's life.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Run {
    /// What the engine meant it to do when this was written.
    pub(crate) intent: Intent,
    /// The first process; none unless it runs.
    pub(crate) pid: Option<i32>,
    /// The last exit code.
    pub(crate) exit_code: i32,
    /// Why the last start failed, or how the container was lost.
    pub(crate) error: String,
    /// The kernel killed a process of the last run for want of memory.
    pub(crate) oom_killed: bool,
    /// When it started last.
    pub(crate) started_at: Option<Nanos>,
    /// When it ended last.
    pub(crate) finished_at: Option<Nanos>,
    /// Restarts by the policy since the user started it.
    pub(crate) restart_count: u32,
    /// The user stopped or killed it: the policy rests.
    pub(crate) user_stopped: bool,
}

/// What the engine means a container to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Intent {
    /// Nothing.
    #[default]
    Rest,
    /// To run.
    Run,
    /// To be started again by the policy.
    Restart,
}

/// What governs a life, fixed at creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Policy {
    /// What happens when it ends.
    pub(crate) restart: RestartPolicy,
    /// It is removed when it ends.
    pub(crate) auto_remove: bool,
    /// The number of its stop signal.
    pub(crate) stop_signal: i32,
}

/// What has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// The user wants it to run.
    Start { token: Token },
    /// The user wants it to end; `timeout` none for patience without end.
    Stop { token: Token, signal: i32, timeout: Option<Duration> },
    /// The user wants it to end and to run again.
    Restart { token: Token, signal: i32, timeout: Option<Duration> },
    /// The user sends a signal.
    Kill { token: Token, signal: i32 },
    /// The user wants it frozen.
    Pause { token: Token },
    /// The user wants it to go on.
    Unpause { token: Token },
    /// The user wants it removed.
    Remove { token: Token, force: bool },
    /// It stands at the barrier.
    Launched { pid: i32 },
    /// The program was executed.
    Started { at: Nanos },
    /// It could not be started; nothing is left of the try.
    StartFailed(StartFailure),
    /// It ended.
    Exited(Exit),
    /// Its supervisor is gone without an exit record, and the container with it.
    ShimLost,
    /// The kernel killed a process of it for want of memory.
    OutOfMemory,
    /// A freeze or thaw ended.
    FreezeEnded { token: Token, frozen: bool, error: Option<String> },
    /// A signal could not be sent.
    SignalFailed { message: String },
    /// A timer fired.
    Deadline(Timer),
    /// The record is gone from the disk.
    Forgotten,
    /// The record could not be removed.
    ForgetFailed { message: String },
    /// The engine has started and found this.
    Found(Found),
}

/// What an engine that starts finds of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// Neither supervisor nor exit record.
    Nothing,
    /// It stood at the barrier when the engine ended; it was undone.
    Unreleased,
    /// It runs.
    Running { pid: i32, started_at: Nanos, frozen: bool },
    /// It ended meanwhile.
    Ended(Exit),
}

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exit {
    /// The exit code, 128 + signal for a killed program.
    pub(crate) code: i32,
    /// The kernel killed a process of it for want of memory.
    pub(crate) out_of_memory: bool,
    /// When it started, if the supervisor knows.
    pub(crate) started_at: Option<Nanos>,
    /// When it ended.
    pub(crate) finished_at: Nanos,
}

/// Why a container could not be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StartFailure {
    /// The kind, which decides the exit code.
    pub(crate) kind: error::Kind,
    /// The text for the user.
    pub(crate) message: String,
    /// What the user can do.
    pub(crate) hint: Option<String>,
}

/// A timer; there is at most one of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Timer {
    /// The stop signal had its time: SIGKILL follows.
    StopPatience,
    /// SIGKILL had its time: whoever waits is told.
    KillPatience,
    /// The policy's pause is over.
    RestartDelay,
}

/// What is to be done. Carried out in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// Writes the record. Actions behind it wait until it is on disk, except `Launch`, which a later engine undoes.
    Persist,
    /// Prepares root file system, network and files, and has a supervisor make the container up to the barrier.
    Launch,
    /// Lets the container run.
    Release,
    /// Hands over waiting clients, and further ones as they come.
    GoLive,
    /// Sends a signal to the first process.
    Signal { signal: i32 },
    /// Freezes the cgroup.
    Freeze { token: Token },
    /// Thaws the cgroup; the token is none if nobody waits.
    Thaw { token: Option<Token> },
    /// Tells the supervisor that the end is stored, and forgets it.
    Acknowledge,
    /// Kills what is left in the cgroup and removes it.
    Sweep,
    /// Closes the connections of clients that wait for a start.
    DropClients,
    /// Gives the address back.
    DetachNetwork,
    /// Makes something known.
    Publish(Fact),
    /// Answers a request.
    Reply { token: Token, outcome: Outcome },
    /// Answers those who wait for an end.
    WakeExit,
    /// Answers those who wait for the removal.
    WakeRemoved,
    /// Sets a timer.
    Arm { timer: Timer, after: Duration },
    /// Clears a timer.
    Disarm { timer: Timer },
    /// Removes the record.
    Forget,
    /// Removes root file system, run directory and data directory.
    RemoveFiles,
}

impl Action {
    /// Returns the name by which `NARU_CRASH_AFTER` means it.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Persist => "Persist",
            Self::Launch => "Launch",
            Self::Release => "Release",
            Self::GoLive => "GoLive",
            Self::Signal { .. } => "Signal",
            Self::Freeze { .. } => "Freeze",
            Self::Thaw { .. } => "Thaw",
            Self::Acknowledge => "Acknowledge",
            Self::Sweep => "Sweep",
            Self::DropClients => "DropClients",
            Self::DetachNetwork => "DetachNetwork",
            Self::Publish(_) => "Publish",
            Self::Reply { .. } => "Reply",
            Self::WakeExit => "WakeExit",
            Self::WakeRemoved => "WakeRemoved",
            Self::Arm { .. } => "Arm",
            Self::Disarm { .. } => "Disarm",
            Self::Forget => "Forget",
            Self::RemoveFiles => "RemoveFiles",
        }
    }
}

/// What is made known as an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fact {
    /// It started.
    Start,
    /// The user restarted it.
    Restart,
    /// A signal was sent.
    Kill { signal: i32 },
    /// It ended.
    Die { exit_code: i32, seconds: i64 },
    /// The user stopped it.
    Stop,
    /// It was frozen.
    Pause,
    /// It goes on.
    Unpause,
    /// The kernel killed a process of it for want of memory.
    Oom,
    /// It was removed.
    Destroy,
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Well.
    Done,
    /// There was nothing to do.
    NotModified,
    /// It cannot be done now.
    Refused(Refusal),
    /// The start failed.
    StartFailed(StartFailure),
    /// Something else failed.
    Failed { message: String },
}

/// Why a request cannot be carried out now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Start of a paused container.
    StartPaused,
    /// The request needs a running container.
    NotRunning,
    /// Pause of a paused one.
    AlreadyPaused,
    /// Unpause of one that is not paused.
    NotPaused,
    /// The request does not fit one that waits for its restart.
    Restarting,
    /// Removal of a running one without force.
    RemoveRunning,
    /// Removal of a paused one without force.
    RemovePaused,
    /// Removal of a restarting one without force.
    RemoveRestarting,
    /// Removal goes on already.
    Removing,
}

/// The machine of one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Machine {
    /// Where it stands.
    pub(crate) phase: Phase,
    /// What the record keeps.
    pub(crate) run: Run,
    policy: Policy,
    /// Who waits for the start that goes on.
    starter: Option<Token>,
    /// Whether that start is the second half of the user's restart.
    restarting_by_user: bool,
    /// Who waits for the end.
    stoppers: Vec<Token>,
    /// Who waits for the end and the new start.
    restarters: Vec<Token>,
    /// Who waits for the end that a SIGKILL brings.
    killers: Vec<Token>,
    /// Who waits for the end and the removal.
    removers: Vec<Token>,
    /// Nobody's stop is in progress while this is false.
    stopping: bool,
    /// The policy's last pause.
    delay: Duration,
}

impl Machine {
    /// Returns the machine of a container whose record says `run`.
    pub(crate) fn new(policy: Policy, run: Run) -> Self {
        Self {
            phase: Phase::Idle,
            run,
            policy,
            starter: None,
            restarting_by_user: false,
            stoppers: Vec::new(),
            restarters: Vec::new(),
            killers: Vec::new(),
            removers: Vec::new(),
            stopping: false,
            delay: Duration::ZERO,
        }
    }

    /// Takes note of an event and returns what is to be done about it.
    pub(crate) fn step(&mut self, now: Nanos, event: Event) -> Vec<Action> {
        match event {
            Event::Start { token } => self.start(token),
            Event::Stop { token, signal, timeout } => self.stop(token, signal, timeout),
            Event::Restart { token, signal, timeout } => self.restart(token, signal, timeout),
            Event::Kill { token, signal } => self.kill(token, signal),
            Event::Pause { token } => self.pause(token),
            Event::Unpause { token } => self.unpause(token),
            Event::Remove { token, force } => self.remove(token, force),
            Event::Launched { pid } => {
                self.run.pid = Some(pid);
                vec![Action::Release]
            }
            Event::Started { at } => self.started(at),
            Event::StartFailed(failure) => self.start_failed(failure),
            Event::Exited(exit) => self.exited(exit, Vec::new()),
            Event::ShimLost => self.shim_lost(now),
            Event::OutOfMemory => vec![Action::Publish(Fact::Oom)],
            Event::FreezeEnded { token, frozen, error } => self.freeze_ended(token, frozen, error),
            Event::SignalFailed { message } => self.signal_failed(&message),
            Event::Deadline(timer) => self.deadline(timer),
            Event::Forgotten => self.forgotten(),
            Event::ForgetFailed { message } => self.forget_failed(&message),
            Event::Found(found) => self.found(now, found),
        }
    }

    fn start(&mut self, token: Token) -> Vec<Action> {
        match self.phase {
            Phase::Idle => self.begin(Some(token), Cause::User),
            Phase::Restarting => {
                let mut actions = vec![Action::Disarm { timer: Timer::RestartDelay }];
                actions.extend(self.begin(Some(token), Cause::User));
                actions
            }
            Phase::Running | Phase::Starting => vec![reply(token, Outcome::NotModified)],
            Phase::Paused => vec![refuse(token, Refusal::StartPaused)],
            Phase::Removing | Phase::Gone => vec![refuse(token, Refusal::Removing)],
        }
    }

    fn begin(&mut self, starter: Option<Token>, cause: Cause) -> Vec<Action> {
        self.phase = Phase::Starting;
        self.starter = starter;
        self.stopping = false;
        self.restarting_by_user = cause == Cause::UserRestart;
        self.run.intent = Intent::Run;
        self.run.user_stopped = false;
        self.run.error.clear();
        self.run.oom_killed = false;
        if cause != Cause::Policy {
            self.run.restart_count = 0;
            self.delay = Duration::ZERO;
        }
        vec![Action::Persist, Action::Launch]
    }

    fn started(&mut self, at: Nanos) -> Vec<Action> {
        self.phase = Phase::Running;
        self.run.started_at = Some(at);
        self.run.exit_code = 0;
        let mut actions = vec![Action::GoLive, Action::Publish(Fact::Start)];
        if std::mem::take(&mut self.restarting_by_user) {
            actions.push(Action::Publish(Fact::Restart));
        }
        actions.extend(self.starter.take().map(|token| reply(token, Outcome::Done)));
        actions.extend(self.restarters.drain(..).map(|token| reply(token, Outcome::Done)));
        actions.push(Action::Persist);
        actions
    }

    fn start_failed(&mut self, failure: StartFailure) -> Vec<Action> {
        self.phase = Phase::Idle;
        self.restarting_by_user = false;
        self.run.intent = Intent::Rest;
        self.run.pid = None;
        self.run.exit_code = match failure.kind.exit_code() {
            code @ (126 | 127) => i32::from(code),
            _ => 128,
        };
        self.run.error.clone_from(&failure.message);
        let mut actions = vec![Action::DropClients, Action::DetachNetwork];
        let mut answers: Vec<Action> = Vec::new();
        for token in self.starter.take().into_iter().chain(self.restarters.drain(..)) {
            answers.push(reply(token, Outcome::StartFailed(failure.clone())));
        }
        if self.policy.auto_remove || !self.removers.is_empty() {
            self.phase = Phase::Removing;
            actions.push(Action::Forget);
            actions.extend(answers);
        } else {
            actions.push(Action::Persist);
            actions.extend(answers);
        }
        actions
    }

    fn stop(&mut self, token: Token, signal: i32, timeout: Option<Duration>) -> Vec<Action> {
        match self.phase {
            Phase::Running | Phase::Paused | Phase::Starting => {
                self.stoppers.push(token);
                self.begin_stop(signal, timeout)
            }
            Phase::Restarting => {
                let mut actions = self.cancel_restart();
                actions.extend([Action::Publish(Fact::Stop), reply(token, Outcome::Done)]);
                actions
            }
            Phase::Idle => vec![reply(token, Outcome::NotModified)],
            Phase::Removing | Phase::Gone => vec![refuse(token, Refusal::Removing)],
        }
    }

    fn begin_stop(&mut self, signal: i32, timeout: Option<Duration>) -> Vec<Action> {
        self.stopping = true;
        self.run.user_stopped = true;
        let mut actions = vec![Action::Persist];
        if timeout == Some(Duration::ZERO) {
            actions.extend(self.end_by_force());
            return actions;
        }
        actions.extend([Action::Signal { signal }, Action::Publish(Fact::Kill { signal })]);
        actions.extend(self.thaw_for_signal());
        actions.extend(timeout.map(|after| Action::Arm { timer: Timer::StopPatience, after }));
        actions
    }

    fn end_by_force(&mut self) -> Vec<Action> {
        let mut actions =
            vec![Action::Signal { signal: SIGKILL }, Action::Publish(Fact::Kill { signal: SIGKILL })];
        actions.extend(self.thaw_for_signal());
        actions.push(Action::Arm { timer: Timer::KillPatience, after: KILL_PATIENCE });
        actions
    }

    /// A frozen program receives no signal: it has to go on.
    fn thaw_for_signal(&mut self) -> Option<Action> {
        (self.phase == Phase::Paused).then_some(Action::Thaw { token: None })
    }

    fn cancel_restart(&mut self) -> Vec<Action> {
        self.phase = Phase::Idle;
        self.run.intent = Intent::Rest;
        self.run.user_stopped = true;
        vec![Action::Disarm { timer: Timer::RestartDelay }, Action::Persist]
    }

    fn restart(&mut self, token: Token, signal: i32, timeout: Option<Duration>) -> Vec<Action> {
        match self.phase {
            Phase::Running | Phase::Paused | Phase::Starting => {
                self.restarters.push(token);
                self.begin_stop(signal, timeout)
            }
            Phase::Restarting => {
                let mut actions = vec![Action::Disarm { timer: Timer::RestartDelay }];
                actions.extend(self.begin(Some(token), Cause::UserRestart));
                actions
            }
            Phase::Idle => self.begin(Some(token), Cause::UserRestart),
            Phase::Removing | Phase::Gone => vec![refuse(token, Refusal::Removing)],
        }
    }

    fn kill(&mut self, token: Token, signal: i32) -> Vec<Action> {
        match self.phase {
            Phase::Running | Phase::Paused | Phase::Starting => self.send(token, signal),
            Phase::Restarting => {
                let mut actions = self.cancel_restart();
                actions.push(reply(token, Outcome::Done));
                actions
            }
            Phase::Idle | Phase::Removing | Phase::Gone => vec![refuse(token, Refusal::NotRunning)],
        }
    }

    fn send(&mut self, token: Token, signal: i32) -> Vec<Action> {
        let mut actions = Vec::new();
        // COMPAT: with Docker any signal makes the policy rest, even SIGHUP; here only one that is meant to end it.
        let ends = signal == SIGKILL || signal == self.policy.stop_signal;
        if ends {
            self.run.user_stopped = true;
            actions.push(Action::Persist);
        }
        actions.extend([Action::Signal { signal }, Action::Publish(Fact::Kill { signal })]);
        if ends {
            actions.extend(self.thaw_for_signal());
        }
        if signal == SIGKILL {
            self.killers.push(token);
            actions.push(Action::Arm { timer: Timer::KillPatience, after: KILL_PATIENCE });
        } else {
            actions.push(reply(token, Outcome::Done));
        }
        actions
    }

    fn signal_failed(&mut self, message: &str) -> Vec<Action> {
        self.give_up(message)
    }

    /// Answers all who wait for an end that does not come.
    fn give_up(&mut self, message: &str) -> Vec<Action> {
        self.stopping = false;
        let waiting = [&mut self.stoppers, &mut self.restarters, &mut self.killers, &mut self.removers];
        let mut actions: Vec<Action> =
            [Timer::StopPatience, Timer::KillPatience].map(|timer| Action::Disarm { timer }).into();
        for token in waiting.into_iter().flat_map(|tokens| tokens.drain(..)) {
            actions.push(reply(token, Outcome::Failed { message: message.to_owned() }));
        }
        actions
    }

    fn pause(&mut self, token: Token) -> Vec<Action> {
        match self.phase {
            Phase::Running => vec![Action::Freeze { token }],
            Phase::Paused => vec![refuse(token, Refusal::AlreadyPaused)],
            Phase::Restarting => vec![refuse(token, Refusal::Restarting)],
            Phase::Idle | Phase::Starting | Phase::Removing | Phase::Gone => {
                vec![refuse(token, Refusal::NotRunning)]
            }
        }
    }

    fn unpause(&mut self, token: Token) -> Vec<Action> {
        match self.phase {
            Phase::Paused => vec![Action::Thaw { token: Some(token) }],
            _ => vec![refuse(token, Refusal::NotPaused)],
        }
    }

    fn freeze_ended(&mut self, token: Token, frozen: bool, error: Option<String>) -> Vec<Action> {
        if let Some(message) = error {
            return vec![reply(token, Outcome::Failed { message })];
        }
        let (phase, fact) =
            if frozen { (Phase::Paused, Fact::Pause) } else { (Phase::Running, Fact::Unpause) };
        self.phase = phase;
        vec![Action::Publish(fact), reply(token, Outcome::Done)]
    }

    fn remove(&mut self, token: Token, force: bool) -> Vec<Action> {
        match (self.phase, force) {
            (Phase::Running | Phase::Starting, false) => vec![refuse(token, Refusal::RemoveRunning)],
            (Phase::Paused, false) => vec![refuse(token, Refusal::RemovePaused)],
            (Phase::Restarting, false) => vec![refuse(token, Refusal::RemoveRestarting)],
            (Phase::Removing | Phase::Gone, _) => vec![refuse(token, Refusal::Removing)],
            (Phase::Running | Phase::Starting | Phase::Paused, true) if self.removers.is_empty() => {
                self.removers.push(token);
                self.end_by_force()
            }
            (Phase::Running | Phase::Starting | Phase::Paused, true) => {
                vec![refuse(token, Refusal::Removing)]
            }
            (Phase::Restarting, true) => {
                self.removers.push(token);
                let mut actions = vec![Action::Disarm { timer: Timer::RestartDelay }];
                actions.extend(self.begin_removal());
                actions
            }
            (Phase::Idle, _) => {
                self.removers.push(token);
                self.begin_removal()
            }
        }
    }

    fn begin_removal(&mut self) -> Vec<Action> {
        self.phase = Phase::Removing;
        vec![Action::DropClients, Action::Forget]
    }

    /// The record is gone: whatever a crash leaves from here on belongs to nobody, and the next engine removes it.
    fn forgotten(&mut self) -> Vec<Action> {
        self.phase = Phase::Gone;
        let mut actions = vec![
            Action::Acknowledge,
            Action::DetachNetwork,
            Action::RemoveFiles,
            Action::Publish(Fact::Destroy),
        ];
        actions.extend(self.removers.drain(..).map(|token| reply(token, Outcome::Done)));
        actions.push(Action::WakeRemoved);
        actions
    }

    fn forget_failed(&mut self, message: &str) -> Vec<Action> {
        self.phase = Phase::Idle;
        self.run.intent = Intent::Rest;
        let mut actions = vec![Action::Persist, Action::Acknowledge, Action::DetachNetwork];
        for token in self.removers.drain(..) {
            actions.push(reply(token, Outcome::Failed { message: message.to_owned() }));
        }
        actions
    }

    fn deadline(&mut self, timer: Timer) -> Vec<Action> {
        match (timer, self.phase) {
            (Timer::StopPatience, Phase::Running | Phase::Paused) if self.stopping => self.end_by_force(),
            (Timer::KillPatience, Phase::Running | Phase::Paused) => {
                self.give_up("tried to kill container, but did not receive an exit event")
            }
            (Timer::RestartDelay, Phase::Restarting) => self.begin(None, Cause::Policy),
            _ => Vec::new(),
        }
    }
}

/// Who wants a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    User,
    UserRestart,
    Policy,
}

fn reply(token: Token, outcome: Outcome) -> Action {
    Action::Reply { token, outcome }
}

fn refuse(token: Token, refusal: Refusal) -> Action {
    reply(token, Outcome::Refused(refusal))
}
