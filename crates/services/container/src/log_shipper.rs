//! Sends a container's log to its endpoint.
//!
//! ```text
//! program ──▶ supervisor ──▶ file ──▶ shipper ──▶ endpoint
//!                              └────▶ naru logs
//! ```
//! The file is the buffer: neither the program nor its supervisor ever waits for an endpoint, and what it did not take while
//! it was dead, or while no engine ran, is sent later, as long as rotation has not taken it away. How far it came lies beside
//! the log. After a crash of the engine a few lines may come twice; none is lost.
// COMPAT: Docker's mode blocking holds the program up instead, and loses what an engine that ends had not sent.

use crate::context::{Context, now};
use crate::create::LogPlan;
use crate::log_files;
use crate::logs::Watch;
use crate::shared::Shared;
use logfile::{Entry, Query, Reader, Stream};
use logship::{Message, Origin, Sink, Target};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// So many entries are read at once.
const BATCH: usize = 256;

/// Between two tries to reach an endpoint.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// For so long after the container's end its endpoint is tried.
const AFTERLIFE_NS: i64 = 60_000_000_000;

/// An endpoint that takes nothing for so long counts as dead.
const SEND_PATIENCE: Duration = Duration::from_secs(30);

/// How long the removal of a container waits for its endpoint.
const DRAIN_PATIENCE: Duration = Duration::from_secs(5);

/// File name in the container's directory.
const FILE: &str = "log-shipped.json";

/// A shipper at work.
#[derive(Debug)]
pub(crate) struct Shipper {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// Up to where lines were sent: the time of the last one, and how many of that time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Cursor {
    t_ns: i64,
    count: u64,
}

impl Cursor {
    fn pass(&mut self, t_ns: i64) {
        if t_ns == self.t_ns {
            self.count += 1;
        } else {
            *self = Self { t_ns, count: 1 };
        }
    }
}

struct Job {
    context: Arc<Context>,
    shared: Arc<Shared>,
    target: Target,
    origin: Origin,
    path: PathBuf,
    max_files: u32,
    buffer_bytes: Option<u64>,
    cursor: Mutex<Cursor>,
}

impl Shipper {
    /// Begins to send, from where the last one came to; none for a log that is not sent anywhere.
    pub(crate) fn begin(
        context: &Arc<Context>,
        shared: &Arc<Shared>,
        plan: &LogPlan,
        origin: Origin,
    ) -> Option<Self> {
        let (target, file) = (plan.target.clone()?, plan.file.as_ref()?);
        let job = Job {
            context: Arc::clone(context),
            shared: Arc::clone(shared),
            target,
            origin,
            path: file.path.clone(),
            max_files: file.max_files,
            buffer_bytes: plan.buffer_bytes,
            cursor: Mutex::default(),
        };
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            tokio::select! {
                () = job.ship() => {}
                _ = stopped => {}
            }
            job.save().await;
        });
        Some(Self { stop, task })
    }

    /// Lets it send what is written, unless the endpoint takes too long.
    pub(crate) async fn drain(mut self) {
        let Ok(_) = tokio::time::timeout(DRAIN_PATIENCE, &mut self.task).await else {
            return self.end().await;
        };
    }

    /// Stops sending, and returns when it is written down how far it came.
    pub(crate) async fn end(self) {
        drop(self.stop);
        let _ = self.task.await; // It only fails by a panic, which was said.
    }
}

impl Job {
    async fn ship(&self) {
        let directory = self.shared.directory.clone();
        let cursor = self.context.parts.disk.run(move || read(&directory)).await;
        *self.cursor() = cursor;
        let Some(mut reader) = self.open(cursor).await else { return };
        let watch = Watch::new(&self.shared);
        let mut skip = cursor;
        let mut waiting: VecDeque<Entry> = VecDeque::new();
        let (mut sink, mut pause) = (None, FIRST_PAUSE);
        loop {
            // Asked before reading: what was written before the end is then read for certain.
            let is_active = self.shared.published.borrow().is_active;
            if waiting.is_empty() || (sink.is_none() && self.buffer_bytes.is_some()) {
                let read;
                (reader, read) = self.read(reader).await;
                let Some(entries) = read else { return };
                self.absorb(&mut waiting, entries, &mut skip);
            }
            if waiting.is_empty() {
                if !is_active {
                    return;
                }
                self.save().await;
                let mut published = self.shared.published.subscribe();
                published.mark_unchanged();
                tokio::select! {
                    () = watch.change() => {}
                    _ = published.changed() => {}
                }
                continue;
            }
            match self.send(&mut sink, &mut waiting).await {
                Ok(()) => pause = FIRST_PAUSE,
                Err(error) => {
                    if pause == FIRST_PAUSE {
                        tracing::warn!(container = %self.shared.id, error = %error, "log endpoint takes nothing; it is tried again");
                    }
                    sink = None;
                    if !is_active && self.ended_long_ago() {
                        return;
                    }
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    async fn open(&self, cursor: Cursor) -> Option<Reader> {
        let query = Query { since: (cursor.count > 0).then_some(cursor.t_ns), ..Query::default() };
        let (path, max_files) = (self.path.clone(), self.max_files);
        let open = move || Reader::open_with(&path, max_files, query, Some(log_files::unpack));
        match self.context.parts.disk.run(open).await {
            Ok(reader) => Some(reader),
            Err(error) => {
                tracing::warn!(container = %self.shared.id, error = %error::chain(&error), "log is not sent: it cannot be read");
                None
            }
        }
    }

    async fn read(&self, mut reader: Reader) -> (Reader, Option<Vec<Entry>>) {
        let read = move || {
            let mut entries = Vec::new();
            while entries.len() < BATCH {
                match reader.next() {
                    Ok(Some(entry)) => entries.push(entry),
                    Ok(None) => break,
                    Err(error) => return (reader, Err(error)),
                }
            }
            (reader, Ok(entries))
        };
        let (reader, entries) = self.context.parts.disk.run(read).await;
        match entries {
            Ok(entries) => (reader, Some(entries)),
            Err(error) => {
                tracing::warn!(container = %self.shared.id, error = %error::chain(&error), "log is sent no further: it cannot be read");
                (reader, None)
            }
        }
    }

    /// Takes entries up, but for those that were sent before and those that find no room.
    fn absorb(&self, waiting: &mut VecDeque<Entry>, entries: Vec<Entry>, skip: &mut Cursor) {
        let mut bytes: usize = waiting.iter().map(|entry| entry.line.len()).sum();
        let limit = self.buffer_bytes.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(usize::MAX);
        for entry in entries {
            if skip.count > 0 && entry.t_ns == skip.t_ns {
                skip.count -= 1;
                continue;
            }
            bytes += entry.line.len();
            // As in Docker, one message always finds room.
            if waiting.is_empty() || bytes <= limit {
                waiting.push_back(entry);
            }
        }
    }

    async fn send(&self, sink: &mut Option<Sink>, waiting: &mut VecDeque<Entry>) -> std::io::Result<()> {
        let sink = match sink {
            Some(sink) => sink,
            None => sink.insert(Sink::connect(&self.target).await?),
        };
        while let Some(entry) = waiting.front() {
            let line = entry.line.strip_suffix('\n');
            let message = Message {
                is_error: entry.stream == Stream::Stderr,
                t_ns: entry.t_ns,
                line: line.unwrap_or(&entry.line),
                is_partial: line.is_none(),
            };
            let sent = tokio::time::timeout(SEND_PATIENCE, sink.send(&self.origin, &message)).await;
            sent.map_err(|_| std::io::ErrorKind::TimedOut)??;
            self.cursor().pass(entry.t_ns);
            waiting.pop_front();
        }
        Ok(())
    }

    fn ended_long_ago(&self) -> bool {
        let ended = self.shared.view().state.finished_at;
        ended.is_none_or(|ended| now().saturating_sub(ended.nanos()) > AFTERLIFE_NS)
    }

    fn cursor(&self) -> MutexGuard<'_, Cursor> {
        self.cursor.lock().unwrap_or_else(PoisonError::into_inner) // each change is complete in itself
    }

    async fn save(&self) {
        let (cursor, directory) = (*self.cursor(), self.shared.directory.clone());
        if cursor.count == 0 {
            return;
        }
        if let Err(error) = self.context.parts.disk.run(move || write(&directory, cursor)).await
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(container = %self.shared.id, error = %error, "it is not written down how far the log was sent");
        }
    }
}

/// Nothing, or nonsense: from the beginning.
fn read(directory: &Path) -> Cursor {
    fs::read(directory.join(FILE))
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default()
}

/// Below a temporary name first. Without a sync: after a power cut lines come twice rather than never.
fn write(directory: &Path, cursor: Cursor) -> std::io::Result<()> {
    if read(directory) == cursor {
        return Ok(());
    }
    let temporary = directory.join(format!("{FILE}.new"));
    fs::write(&temporary, serde_json::to_vec(&cursor)?)?;
    fs::rename(temporary, directory.join(FILE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursor_counts_entries_of_one_time() {
        let mut cursor = Cursor::default();
        for t_ns in [5, 5, 7, 7, 7] {
            cursor.pass(t_ns);
        }
        assert_eq!(cursor, Cursor { t_ns: 7, count: 3 });
    }
}
