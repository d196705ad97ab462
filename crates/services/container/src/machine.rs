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
mod vocabulary;

use crate::spec::RestartPolicy;
use std::time::Duration;

pub(crate) use vocabulary::{
    Action, Event, Exit, Fact, Found, Intent, Outcome, Phase, Policy, Refusal, Run, StartFailure, Timer,
    Token,
};

#[cfg(test)]
use exit::should_restart;

/// Nanoseconds since 1970-01-01 UTC.
pub(crate) type Nanos = i64;

/// How long the machine waits for the end after SIGKILL before it gives up on a request.
const KILL_PATIENCE: Duration = Duration::from_secs(10);

/// The kernel's number of SIGKILL.
const SIGKILL: i32 = 9;

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
    /// The stop in progress is the policy's, for the sake of health: a start follows.
    curing: bool,
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
            curing: false,
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
            Event::Unhealthy => self.unhealthy(),
            Event::PolicyChanged { restart } => {
                // A start that is waited for already still comes, as in Docker.
                self.policy.restart = restart;
                Vec::new()
            }
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
        (self.stopping, self.curing) = (false, false);
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
        self.run.user_stopped = true;
        let mut actions = vec![Action::Persist];
        actions.extend(self.ask_to_end(signal, timeout));
        actions
    }

    /// What `on-unhealthy` wants: an end, after which the policy starts it again.
    fn unhealthy(&mut self) -> Vec<Action> {
        let RestartPolicy::OnUnhealthy { retries } = self.policy.restart else { return Vec::new() };
        let is_spent = retries != 0 && self.run.restart_count >= retries;
        if self.phase != Phase::Running || self.stopping || is_spent {
            return Vec::new();
        }
        self.curing = true;
        self.ask_to_end(self.policy.stop_signal, self.policy.stop_timeout)
    }

    fn ask_to_end(&mut self, signal: i32, timeout: Option<Duration>) -> Vec<Action> {
        self.stopping = true;
        let mut actions = Vec::new();
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
        (self.stopping, self.curing) = (false, false);
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
