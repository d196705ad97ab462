//! Reading a container's log: past entries, and those to come.

use crate::Error;
use crate::context::Context;
use crate::create::FilePlan;
use crate::log_files;
use crate::options::LogOptions;
use crate::shared::Shared;
use blocking::Blocking;
use bytes::Bytes;
use futures_util::Stream;
use logfile::{Entry, Query, Reader};
use refs::Timestamp;

use std::os::fd::{AsFd as _, OwnedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};
use std::time::Duration;
use sys::fs::{Changes, Watcher};
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;

/// Pieces that may wait for a slow client.
const QUEUE: usize = 16;

/// A piece is sent when it has this size, or when the log's present end is reached.
const PIECE_BYTES: usize = 32 * 1024;

/// How often the log is looked at even if nothing was heard of it.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// A container's log as clients get it: with Docker's eight-byte headers, or raw for a terminal.
#[derive(Debug)]
pub struct Logs {
    pieces: mpsc::Receiver<Bytes>,
}

impl Stream for Logs {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<Option<Bytes>> {
        self.pieces.poll_recv(context)
    }
}

/// Opens a container's log.
///
/// # Errors
/// NoLog for a driver that keeps none; InvalidArgument if no stream is wanted.
pub(crate) async fn open(
    context: &Arc<Context>,
    shared: Arc<Shared>,
    options: LogOptions,
) -> Result<Logs, Error> {
    if !options.stdout && !options.stderr {
        return Err(Error::invalid("Bad parameters: you must choose at least one stream"));
    }
    let reader = reader(context, &shared, &options).await?;
    let (tx, pieces) = mpsc::channel(QUEUE);
    let task = Follower {
        disk: context.parts.disk.clone(),
        tty: shared.view().config.tty || options.raw,
        watch: Watch::new(&shared),
        shared,
        options,
    };
    tokio::spawn(task.run(reader, tx));
    Ok(Logs { pieces })
}

async fn reader(context: &Context, shared: &Shared, options: &LogOptions) -> Result<Reader, Error> {
    let Some(FilePlan { path, max_files, .. }) = log_files::plan_of(shared).filter(|plan| plan.is_readable)
    else {
        return Err(Error::NoLog);
    };
    let query = Query {
        tail: options.tail.map(|count| count as u64),
        since: options.since.map(Timestamp::nanos),
        until: options.until.map(Timestamp::nanos),
    };
    Ok(context
        .parts
        .disk
        .run(move || Reader::open_with(&path, max_files, query, Some(log_files::unpack)))
        .await?)
}

/// Hears of changes in a container's directory.
#[derive(Debug)]
pub(crate) struct Watch {
    watcher: Option<(Watcher, AsyncFd<OwnedFd>)>,
}

impl Watch {
    /// Without inotify (its instances are limited) only the clock is left.
    pub(crate) fn new(shared: &Shared) -> Self {
        let watcher = Watcher::new()
            .ok()
            .filter(|watcher| watcher.watch(&shared.directory, Changes::OfDirectoryAndFiles).is_ok());
        let registered = watcher.and_then(|watcher| {
            let copy = watcher.as_fd().try_clone_to_owned().ok()?;
            Some((watcher, register(copy)?))
        });
        Self { watcher: registered }
    }

    pub(crate) async fn change(&self) {
        let change = async {
            let Some((watcher, ready)) = &self.watcher else { return std::future::pending().await };
            if let Ok(mut guard) = ready.readable().await {
                // What changed does not matter: the log is looked at.
                let _ = watcher.read();
                guard.clear_ready();
            }
        };
        let _ = tokio::time::timeout(LOOK_EVERY, change).await; // The clock is as good as a change.
    }
}

#[expect(
    deprecated,
    reason = "unsound only for types that may close or change their descriptor meanwhile; an OwnedFd does not"
)]
fn register(fd: OwnedFd) -> Option<AsyncFd<OwnedFd>> {
    AsyncFd::new(fd).ok()
}

struct Follower {
    disk: Blocking,
    shared: Arc<Shared>,
    options: LogOptions,
    tty: bool,
    watch: Watch,
}

impl Follower {
    async fn run(self, mut reader: Reader, tx: mpsc::Sender<Bytes>) {
        let follows = self.options.follow && self.shared.published.borrow().is_active;
        loop {
            // Asked before reading: what was written before the end is then read for certain.
            let is_active = self.shared.published.borrow().is_active;
            loop {
                let (options, tty) = (self.options.clone(), self.tty);
                let read = move || {
                    let piece = piece(&mut reader, &options, tty);
                    (reader, piece)
                };
                let piece;
                (reader, piece) = self.disk.run(read).await;
                match piece {
                    Ok(piece) if piece.is_empty() => break,
                    Ok(piece) => {
                        if tx.send(piece.into()).await.is_err() {
                            return; // The client is gone.
                        }
                    }
                    Err(error) => {
                        tracing::warn!(container = %self.shared.id, error = %error::chain(&error), "log cannot be read");
                        return;
                    }
                }
            }
            if !follows || !is_active || reader.is_done() || self.is_over() {
                return;
            }
            let mut published = self.shared.published.subscribe();
            published.mark_unchanged();
            tokio::select! {
                () = self.watch.change() => {}
                _ = published.changed() => {}
                () = tx.closed() => return,
            }
        }
    }

    /// Whether `until` has passed.
    fn is_over(&self) -> bool {
        self.options.until.is_some_and(|until| crate::context::now() > until.nanos())
    }
}

/// Reads entries up to the piece's size or the present end.
fn piece(reader: &mut Reader, options: &LogOptions, tty: bool) -> Result<Vec<u8>, logfile::Error> {
    let mut piece = Vec::new();
    while piece.len() < PIECE_BYTES {
        let Some(entry) = reader.next()? else { break };
        let is_wanted = match entry.stream {
            logfile::Stream::Stdout => options.stdout,
            logfile::Stream::Stderr => options.stderr,
        };
        if is_wanted {
            append(&mut piece, &entry, options, tty);
        }
    }
    Ok(piece)
}

/// Appends an entry as Docker sends it.
fn append(piece: &mut Vec<u8>, entry: &Entry, options: &LogOptions, tty: bool) {
    let mut line = String::new();
    if options.timestamps {
        line.push_str(&Timestamp(entry.t_ns).rfc3339_fixed());
        line.push(' ');
    }
    if options.details {
        let details: Vec<String> =
            entry.attrs.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect();
        line.push_str(&details.join(","));
        line.push(' ');
    }
    line.push_str(&entry.line);
    if !tty {
        let stream = match entry.stream {
            logfile::Stream::Stdout => 1,
            logfile::Stream::Stderr => 2,
        };
        let length = u32::try_from(line.len()).unwrap_or(u32::MAX);
        piece.extend_from_slice(&[stream, 0, 0, 0]);
        piece.extend_from_slice(&length.to_be_bytes());
    }
    piece.extend_from_slice(line.as_bytes());
}

/// Escapes as Go's `url.QueryEscape`.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                escaped.push(char::from(byte))
            }
            b' ' => escaped.push('+'),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(stream: logfile::Stream, line: &str) -> Entry {
        Entry {
            stream,
            t_ns: 1_500_000_000,
            line: line.into(),
            attrs: [("a b".to_owned(), "c=d".to_owned())].into(),
        }
    }

    fn framed(options: &LogOptions, tty: bool) -> Vec<u8> {
        let mut piece = Vec::new();
        append(&mut piece, &entry(logfile::Stream::Stderr, "hi\n"), options, tty);
        piece
    }

    #[test]
    fn entries_are_framed_unless_there_is_a_terminal() {
        let options = LogOptions { stdout: true, stderr: true, ..LogOptions::default() };
        assert_eq!(framed(&options, false), b"\x02\0\0\0\0\0\0\x03hi\n");
        assert_eq!(framed(&options, true), b"hi\n");
    }

    #[test]
    fn time_and_details_stand_before_the_line_and_count_in_the_length() {
        let options = LogOptions { timestamps: true, details: true, ..LogOptions::default() };
        let text = "1970-01-01T00:00:01.500000000Z a+b=c%3Dd hi\n";
        assert_eq!(framed(&options, true), text.as_bytes());
        let piece = framed(&options, false);
        assert_eq!(usize::from(piece[7]), text.len());
    }
}
