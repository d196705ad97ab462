//! What goes into the machine and what comes out of it.

use super::Nanos;
use crate::spec::RestartPolicy;
use serde::{Deserialize, Serialize};
use std::time::Duration;

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

/// What governs a life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Policy {
    /// What happens when it ends.
    pub(crate) restart: RestartPolicy,
    /// It is removed when it ends.
    pub(crate) auto_remove: bool,
    /// The number of its stop signal.
    pub(crate) stop_signal: i32,
    /// How long that signal has before SIGKILL; none for ever.
    pub(crate) stop_timeout: Option<Duration>,
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
    /// Its health check says that it does not do its work.
    Unhealthy,
    /// The user wants another restart policy.
    PolicyChanged { restart: RestartPolicy },
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
