//! The thread that puts events on disk.

use crate::error::Error;
use crate::history::file_name;
use crate::{Limits, Memory, lock, record};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

/// Events that wait for the disk; beyond that the oldest are dropped from the history, not from memory.
const MAX_BEHIND: u64 = 20_000;

#[derive(Debug)]
pub(crate) struct Writer {
    signal: Arc<Signal>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Signal {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    work: bool,
    stop: bool,
}

impl Writer {
    pub(crate) fn start(path: &Path, limits: Limits, memory: Arc<Mutex<Memory>>) -> Result<Self, Error> {
        let failed = |source| Error::Open { path: path.into(), source };
        let file = open(path).map_err(failed)?;
        let mut log = Log { path: path.into(), limits, file, is_failing: false };
        let signal = Arc::new(Signal::default());
        let for_thread = Arc::clone(&signal);
        let thread = std::thread::Builder::new()
            .name("events".into())
            .spawn(move || run(&mut log, &memory, &for_thread))
            .map_err(failed)?;
        Ok(Self { signal, thread: Some(thread) })
    }

    pub(crate) fn wake(&self) {
        let mut state = self.signal.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.work = true;
        self.signal.changed.notify_all();
    }

    /// Waits until all that is in memory now is on disk.
    pub(crate) fn flush(&self, memory: &Mutex<Memory>) {
        let wanted = lock(memory).next();
        self.wake();
        let mut state = self.signal.state.lock().unwrap_or_else(PoisonError::into_inner);
        while lock(memory).written < wanted && !state.stop {
            state = self.signal.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        {
            let mut state = self.signal.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.stop = true;
            self.signal.changed.notify_all();
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // a panic there was reported when it happened
        }
    }
}

fn run(log: &mut Log, memory: &Mutex<Memory>, signal: &Signal) {
    loop {
        let stop = {
            let mut state = signal.state.lock().unwrap_or_else(PoisonError::into_inner);
            while !state.work && !state.stop {
                state = signal.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            state.work = false;
            state.stop
        };
        log.write_pending(memory);
        // Under the lock, so that `flush` cannot miss it between its check and its wait.
        drop(signal.state.lock().unwrap_or_else(PoisonError::into_inner));
        signal.changed.notify_all();
        if stop {
            return;
        }
    }
}

struct Log {
    path: PathBuf,
    limits: Limits,
    file: File,
    is_failing: bool,
}

impl Log {
    fn write_pending(&mut self, memory: &Mutex<Memory>) {
        let (from, events) = {
            let mut memory = lock(memory);
            memory.written = memory.written.max(memory.next().saturating_sub(MAX_BEHIND));
            let from = memory.written;
            (from, memory.from(from).cloned().collect::<Vec<_>>())
        };
        let lines: Vec<u8> =
            events.iter().zip(from..).flat_map(|(event, number)| record::encode(number, event)).collect();
        match self.append(&lines) {
            Ok(()) => self.is_failing = false,
            Err(error) if !self.is_failing => {
                self.is_failing = true;
                tracing::warn!(path = %self.path.display(), %error, "cannot write the event log");
            }
            Err(_) => {} // reported once until it works again
        }
        let mut memory = lock(memory);
        memory.written = from + events.len() as u64;
        memory.trim(self.limits.memory);
    }

    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let size = self.file.metadata()?.len();
        if size > 0 && size + lines.len() as u64 > self.limits.file_bytes {
            self.rotate()?;
        }
        self.file.write_all(lines)
    }

    fn rotate(&mut self) -> io::Result<()> {
        let last = self.limits.files.max(1) - 1;
        for age in (0..last).rev() {
            match fs::rename(file_name(&self.path, age), file_name(&self.path, age + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        if last == 0 {
            fs::remove_file(&self.path)?;
        }
        self.file = open(&self.path)?;
        Ok(())
    }
}

/// Opens the current file for appending. A line that was torn by a crash is closed, so that the next one stands alone.
fn open(path: &Path) -> io::Result<File> {
    let mut file = OpenOptions::new().create(true).read(true).append(true).mode(0o600).open(path)?;
    if file.metadata()?.len() > 0 {
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
        }
    }
    Ok(file)
}
