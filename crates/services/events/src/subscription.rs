//! Reading events: those of the past from disk and memory, then those to come.

use crate::event::Event;
use crate::history::Reader;
use crate::query::Query;
use crate::{Shared, lock};
use refs::Timestamp;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::sync::watch;

const BATCH: usize = 512;

/// The events that a query asks for, one after the other.
#[derive(Debug)]
pub struct Subscription {
    shared: Arc<Shared>,
    query: Arc<Query>,
    newest: watch::Receiver<u64>,
    /// The number of the next event to look at.
    next: u64,
    /// Events that were found and not yet given out.
    ready: VecDeque<Arc<Event>>,
    /// Where on disk, while events older than those in memory are wanted.
    disk: Option<Reader>,
}

impl Subscription {
    pub(crate) fn new(shared: Arc<Shared>, query: Query) -> Self {
        let newest = shared.newest.subscribe();
        let next = match query.past() {
            None => lock(&shared.memory).next(),
            Some(since) => {
                let memory = lock(&shared.memory);
                // Whatever is in memory is younger than all on disk: often the disk need not be asked.
                match memory.events.front() {
                    Some(oldest) if oldest.time < since => memory.first,
                    _ => 0,
                }
            }
        };
        Self { shared, query: Arc::new(query), newest, next, ready: VecDeque::new(), disk: None }
    }

    /// Returns the next event; none once the query's end is reached.
    ///
    /// May be dropped and called again: no event is lost.
    pub async fn next(&mut self) -> Option<Arc<Event>> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.next < lock(&self.shared.memory).first {
                self.read_disk().await;
                continue;
            }
            self.disk = None;
            if self.read_memory() {
                continue;
            }
            if !self.wait().await {
                return None;
            }
        }
    }

    async fn read_disk(&mut self) {
        let (from, end) = (self.next, lock(&self.shared.memory).first);
        let is_fresh = self.disk.is_none();
        let (query, shared, reader) = (Arc::clone(&self.query), Arc::clone(&self.shared), self.disk.take());
        let (reader, found) = self
            .shared
            .blocking
            .run(move || {
                let mut reader = reader.unwrap_or_else(|| Reader::open(&shared.path, shared.limits.files));
                let found = reader.read(from, end, BATCH, &|event| query.accepts(event));
                (reader, found)
            })
            .await;
        match found.last() {
            Some((number, _)) => self.next = number + 1,
            None if is_fresh => self.next = end, // the rest is in memory
            None => {} // it was opened before what is wanted now was written: once more
        }
        // A reader that came to its end knows nothing of what was written since.
        self.disk = if reader.is_done() { None } else { Some(reader) };
        self.ready.extend(found.into_iter().map(|(_, event)| event));
    }

    /// Takes what is in memory; returns whether there was anything new.
    fn read_memory(&mut self) -> bool {
        self.newest.mark_unchanged();
        let memory = lock(&self.shared.memory);
        if self.next < memory.first {
            return true; // fell behind since the check
        }
        let before = self.next;
        for event in memory.from(self.next).take(BATCH) {
            self.next += 1;
            if self.query.accepts(event) {
                self.ready.push_back(Arc::clone(event));
            }
        }
        self.next > before
    }

    /// Waits for news; returns false at the query's end.
    async fn wait(&mut self) -> bool {
        let Some(until) = self.query.until() else {
            return self.newest.changed().await.is_ok();
        };
        let left = Timestamp::from(SystemTime::now()).until(until);
        if left.is_zero() {
            return false;
        }
        match tokio::time::timeout(left, self.newest.changed()).await {
            Ok(changed) => changed.is_ok(),
            Err(_) => self.newest.has_changed().unwrap_or(false), // if so look once more, then end
        }
    }
}
