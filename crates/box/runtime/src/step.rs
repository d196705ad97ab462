//! The birth record: what was done, when, and how long it took.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// One step of a container's birth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// When it began: nanoseconds since 1970-01-01 UTC.
    pub t_ns: i64,
    /// How long it took in nanoseconds.
    pub dur_ns: u64,
    /// Who did it.
    pub who: Who,
    /// What was done, in the field's words.
    pub step: String,
    /// What it was done with.
    pub args: String,
    /// The error number, 0 for success, -1 for a failure without one.
    pub errno: i32,
}

/// Who did a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// The caller: the supervisor.
    Shim,
    /// The container's own process before execve.
    Init,
}

impl Who {
    /// Returns the name in a birth record.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Shim => "shim",
            Self::Init => "init",
        }
    }
}

/// Does something and records it.
pub(crate) fn timed<T>(
    record: &mut dyn FnMut(Step),
    step: &str,
    args: String,
    errno: impl FnOnce(&crate::Error) -> i32,
    work: impl FnOnce() -> Result<T, crate::Error>,
) -> Result<T, crate::Error> {
    let t_ns = now_ns();
    let start = Instant::now();
    let result = work();
    let dur_ns = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let errno = result.as_ref().err().map_or(0, errno);
    record(Step { t_ns, dur_ns, who: Who::Shim, step: step.to_owned(), args, errno });
    result
}

fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// Hands on what the child has recorded.
pub(crate) fn of_child(child: &mut sys::child::Child, record: &mut dyn FnMut(Step)) {
    for (done, step, args) in child.records() {
        record(Step {
            t_ns: done.start_ns,
            dur_ns: done.duration_ns,
            who: Who::Init,
            step: step.to_owned(),
            args,
            errno: done.errno,
        });
    }
}
