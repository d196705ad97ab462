//! What follows an end: restart, rest or removal; and what an engine that starts makes of what it finds.

use super::{
    Action, Cause, Event, Exit, Fact, Found, Intent, Machine, Nanos, Outcome, Phase, Run, StartFailure,
    Timer, reply,
};
use crate::spec::RestartPolicy;
use std::time::Duration;

/// The policy's first pause.
const FIRST_DELAY: Duration = Duration::from_millis(100);

/// The policy's longest pause.
const LONGEST_DELAY: Duration = Duration::from_secs(60);

/// A run of this length is a success in the policy's eyes: the pauses begin anew.
const GOOD_RUN: Duration = Duration::from_secs(10);

/// The exit code of a container that was killed with its supervisor.
const LOST_CODE: i32 = 137;

/// Says what happened to a container whose supervisor is gone.
const LOST_TEXT: &str = "the container's supervisor ended unexpectedly, and the container was killed with it";

/// Returns whether the policy wants another start after an end.
///
/// # Source
/// moby daemon/internal/restartmanager (behaviour of Docker 28).
pub(super) fn should_restart(policy: RestartPolicy, run: &Run) -> bool {
    if run.user_stopped {
        return false;
    }
    match policy {
        RestartPolicy::No => false,
        RestartPolicy::Always | RestartPolicy::UnlessStopped => true,
        RestartPolicy::OnFailure { retries } | RestartPolicy::OnUnhealthy { retries } => {
            run.exit_code != 0 && (retries == 0 || run.restart_count < retries)
        }
    }
}

/// Returns the whole seconds between two times, 0 if one is not known.
fn execution_seconds(run: &Run) -> i64 {
    match (run.started_at, run.finished_at) {
        (Some(started), Some(finished)) => finished.saturating_sub(started).max(0) / 1_000_000_000,
        _ => 0,
    }
}

impl Machine {
    /// An end, after which `first` is to be done before all else.
    pub(super) fn exited(&mut self, exit: Exit, first: Vec<Action>) -> Vec<Action> {
        if matches!(self.phase, Phase::Idle | Phase::Restarting | Phase::Removing | Phase::Gone) {
            return vec![Action::Acknowledge];
        }
        self.run.pid = None;
        self.run.exit_code = exit.code;
        self.run.oom_killed = exit.out_of_memory;
        self.run.started_at = exit.started_at.or(self.run.started_at);
        self.run.finished_at = Some(exit.finished_at);
        self.run.intent = Intent::Rest;
        self.stopping = false;
        let cured = std::mem::take(&mut self.curing) && !self.run.user_stopped;

        let mut actions = first;
        actions.extend([Timer::StopPatience, Timer::KillPatience].map(|timer| Action::Disarm { timer }));
        let next = self.next(cured);
        let delay = match next {
            Next::RestartByPolicy => {
                self.run.restart_count = self.run.restart_count.saturating_add(1);
                self.run.intent = Intent::Restart;
                self.phase = Phase::Restarting;
                Some(self.next_delay())
            }
            Next::RestartByUser | Next::Rest => {
                self.phase = Phase::Idle;
                None
            }
            Next::Remove => {
                self.phase = Phase::Removing;
                None
            }
        };
        let removed = self.phase == Phase::Removing;
        if !removed {
            actions.extend([Action::Persist, Action::Acknowledge]);
        }
        actions.push(Action::DetachNetwork);
        actions
            .push(Action::Publish(Fact::Die { exit_code: exit.code, seconds: execution_seconds(&self.run) }));
        if !(self.stoppers.is_empty() && self.restarters.is_empty()) {
            actions.push(Action::Publish(Fact::Stop));
        }
        for token in self.stoppers.drain(..).chain(self.killers.drain(..)) {
            actions.push(reply(token, Outcome::Done));
        }
        actions.push(Action::WakeExit);
        match (next, delay) {
            (Next::RestartByPolicy, Some(after)) => {
                actions.push(Action::Arm { timer: Timer::RestartDelay, after })
            }
            (Next::RestartByUser, _) => actions.extend(self.begin(None, Cause::UserRestart)),
            (Next::Remove, _) => actions.extend([Action::DropClients, Action::Forget]),
            (Next::RestartByPolicy, None) | (Next::Rest, _) => {}
        }
        actions
    }

    fn next(&self, cured: bool) -> Next {
        if !self.removers.is_empty() {
            Next::Remove
        } else if !self.restarters.is_empty() {
            Next::RestartByUser
        } else if cured || should_restart(self.policy.restart, &self.run) {
            Next::RestartByPolicy
        } else if self.policy.auto_remove {
            Next::Remove
        } else {
            Next::Rest
        }
    }

    fn next_delay(&mut self) -> Duration {
        let ran = match (self.run.started_at, self.run.finished_at) {
            (Some(started), Some(finished)) => {
                Duration::from_nanos(u64::try_from(finished.saturating_sub(started)).unwrap_or(0))
            }
            _ => Duration::ZERO,
        };
        self.delay = if ran >= GOOD_RUN || self.delay.is_zero() {
            FIRST_DELAY
        } else {
            (self.delay * 2).min(LONGEST_DELAY)
        };
        self.delay
    }

    pub(super) fn shim_lost(&mut self, now: Nanos) -> Vec<Action> {
        match self.phase {
            Phase::Starting => {
                let mut actions = vec![Action::Sweep];
                let message = LOST_TEXT.to_owned();
                actions.extend(self.start_failed(StartFailure {
                    kind: error::Kind::Internal,
                    message,
                    hint: None,
                }));
                actions
            }
            Phase::Running | Phase::Paused => {
                self.run.error = LOST_TEXT.to_owned();
                let exit = Exit { code: LOST_CODE, out_of_memory: false, started_at: None, finished_at: now };
                self.exited(exit, vec![Action::Sweep])
            }
            Phase::Idle | Phase::Restarting | Phase::Removing | Phase::Gone => Vec::new(),
        }
    }

    pub(super) fn found(&mut self, now: Nanos, found: Found) -> Vec<Action> {
        match found {
            Found::Running { pid, started_at, frozen } => {
                self.phase = if frozen { Phase::Paused } else { Phase::Running };
                let before = self.run.clone();
                self.run.intent = Intent::Run;
                self.run.pid = Some(pid);
                self.run.started_at = Some(started_at);
                let mut actions = vec![Action::GoLive];
                actions.extend((before != self.run).then_some(Action::Persist));
                actions
            }
            Found::Ended(exit) => {
                self.phase = Phase::Running;
                self.exited(exit, Vec::new())
            }
            Found::Unreleased => {
                self.run.pid = None;
                self.resume(vec![Action::Sweep, Action::DetachNetwork])
            }
            Found::Nothing if self.run.intent == Intent::Run => {
                self.phase = Phase::Running;
                // The last engine may have answered the start and died before it wrote the time down.
                self.run.started_at.get_or_insert(now);
                self.step(now, Event::ShimLost)
            }
            Found::Nothing => self.resume(Vec::new()),
        }
    }

    /// Does what the policy wants of a container that does not run when the engine starts.
    fn resume(&mut self, mut actions: Vec<Action>) -> Vec<Action> {
        let has_run = self.run.started_at.is_some();
        let wanted = match self.policy.restart {
            RestartPolicy::No => false,
            RestartPolicy::Always => has_run,
            RestartPolicy::UnlessStopped => has_run && !self.run.user_stopped,
            RestartPolicy::OnFailure { .. } | RestartPolicy::OnUnhealthy { .. } => {
                self.run.intent == Intent::Restart
            }
        };
        if wanted {
            actions.extend(self.begin(None, Cause::Policy));
        } else if self.policy.auto_remove && (has_run || self.run.intent != Intent::Rest) {
            self.phase = Phase::Removing;
            actions.push(Action::Forget);
        } else if self.run.intent != Intent::Rest {
            self.run.intent = Intent::Rest;
            actions.push(Action::Persist);
        }
        actions
    }
}

/// What follows an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Rest,
    RestartByUser,
    RestartByPolicy,
    Remove,
}
