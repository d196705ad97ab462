//! The event log and bus: what happened, kept on disk, told to everyone who asks.
//!
//! ```text
//! publish ──▶ memory (newest first of all) ──▶ subscriptions, each at its own pace
//!                   │ a thread of its own
//!                   ▼
//!             events.jsonl, rotated: events.jsonl.1, .2, …
//! ```
//! A subscription has no queue: it remembers the number of the next event that it wants and fetches it from memory, or from
//! disk if it has fallen far behind. Thus a slow reader costs nothing and loses nothing that is still kept.
//! Publishing never waits for the disk. Not for state: after a power cut the last events may be missing.

#![forbid(unsafe_code)]

mod error;
mod event;
mod history;
mod query;
mod record;
mod subscription;
mod writer;

pub use error::Error;
pub use event::{Event, SCOPE, Type};
pub use query::{FILTERS, Query};
pub use subscription::Subscription;

use blocking::Blocking;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use writer::Writer;

/// How much is kept.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Events kept in memory.
    pub memory: usize,
    /// Size in bytes at which a file is rotated.
    pub file_bytes: u64,
    /// Number of files, the current one included.
    pub files: u32,
}

impl Default for Limits {
    /// 1024 events in memory; four files of 8 MiB, which is room for some 100 000.
    fn default() -> Self {
        Self { memory: 1024, file_bytes: 8 << 20, files: 4 }
    }
}

/// A handle on the event log; clones share it. The last one to go writes what is left.
#[derive(Clone, Debug)]
pub struct Events {
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    path: PathBuf,
    limits: Limits,
    blocking: Blocking,
    memory: Arc<Mutex<Memory>>,
    newest: watch::Sender<u64>,
    writer: Writer,
}

/// The newest events. Those that are not yet on disk are always among them.
#[derive(Debug)]
pub(crate) struct Memory {
    /// The number of the first of `events`.
    first: u64,
    events: VecDeque<Arc<Event>>,
    /// The number after the last one on disk.
    written: u64,
}

impl Memory {
    fn next(&self) -> u64 {
        self.first + self.events.len() as u64
    }

    /// The events from number `from` on.
    fn from(&self, from: u64) -> impl Iterator<Item = &Arc<Event>> {
        let skip = usize::try_from(from.saturating_sub(self.first)).unwrap_or(usize::MAX);
        self.events.iter().skip(skip)
    }

    fn trim(&mut self, limit: usize) {
        while self.events.len() > limit && self.first < self.written {
            self.events.pop_front();
            self.first += 1;
        }
    }
}

pub(crate) fn lock(memory: &Mutex<Memory>) -> MutexGuard<'_, Memory> {
    memory.lock().unwrap_or_else(PoisonError::into_inner) // no code that holds it can panic half-way through a change
}

impl Events {
    /// Opens the log at `path` (its directory must exist) and goes on after the last event there.
    ///
    /// # Errors
    /// `Internal` or `Exhausted` if the file cannot be opened.
    pub fn open(path: &Path, limits: Limits, blocking: Blocking) -> Result<Self, Error> {
        let tail = history::read_tail(path, limits.memory)?;
        let first = tail.first_number;
        let memory = Memory { first, written: first + tail.events.len() as u64, events: tail.events.into() };
        let newest = watch::Sender::new(memory.next());
        let memory = Arc::new(Mutex::new(memory));
        let writer = Writer::start(path, limits, Arc::clone(&memory))?;
        Ok(Self { shared: Arc::new(Shared { path: path.into(), limits, blocking, memory, newest, writer }) })
    }

    /// Appends an event and wakes all subscriptions.
    pub fn publish(&self, event: Event) {
        let shared = &self.shared;
        {
            let mut memory = lock(&shared.memory);
            memory.events.push_back(Arc::new(event));
            memory.trim(shared.limits.memory);
            shared.newest.send_replace(memory.next());
        }
        shared.writer.wake();
    }

    /// Returns what `query` asks for: past events first, then those to come. No event in between is missed or told twice.
    pub fn subscribe(&self, query: Query) -> Subscription {
        Subscription::new(Arc::clone(&self.shared), query)
    }

    /// Returns after all events that were published before are on disk; at once if they are.
    pub async fn flush(&self) {
        {
            let memory = lock(&self.shared.memory);
            if memory.written >= memory.next() {
                return;
            }
        }
        let shared = Arc::clone(&self.shared);
        self.shared.blocking.run(move || shared.writer.flush(&shared.memory)).await;
    }
}
