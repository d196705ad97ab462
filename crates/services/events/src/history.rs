//! Reading events back from the files.

use crate::error::Error;
use crate::event::Event;
use crate::record;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const MAX_LINE_BYTES: u64 = 1 << 20;
const TAIL_BYTES: u64 = 512 << 10;

/// Returns the name of the `age`th file: 0 is the current one.
pub(crate) fn file_name(path: &Path, age: u32) -> PathBuf {
    if age == 0 {
        return path.into();
    }
    let mut name: OsString = path.into();
    name.push(format!(".{age}"));
    name.into()
}

/// The newest events on disk.
pub(crate) struct Tail {
    pub(crate) first_number: u64,
    pub(crate) events: Vec<Arc<Event>>,
}

/// Reads the newest events, at most `limit` and only so many as are numbered without a gap.
pub(crate) fn read_tail(path: &Path, limit: usize) -> Result<Tail, Error> {
    for age in [0, 1] {
        let name = file_name(path, age);
        let tail =
            read_file_tail(&name, limit).map_err(|source| Error::Open { path: name.clone(), source })?;
        if let Some(tail) = tail {
            return Ok(tail);
        }
    }
    Ok(Tail { first_number: 0, events: Vec::new() })
}

fn read_file_tail(path: &Path, limit: usize) -> io::Result<Option<Tail>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    let read: Vec<(u64, Event)> = bytes.split(|byte| *byte == b'\n').filter_map(record::decode).collect();
    let Some((last, _)) = read.last() else { return Ok(None) };
    let (last, count) = (*last, read.len());
    let without_gap =
        read.iter().rev().zip((0..=last).rev()).take_while(|((number, _), wanted)| number == wanted).count();
    let kept = without_gap.min(limit).max(1);
    let events: Vec<Arc<Event>> =
        read.into_iter().skip(count - kept).map(|(_, event)| Arc::new(event)).collect();
    Ok(Some(Tail { first_number: last + 1 - events.len() as u64, events }))
}

/// A place in the files, from the oldest one to the newest. Keeps them open, so that rotation does not matter.
#[derive(Debug)]
pub(crate) struct Reader {
    files: Vec<BufReader<File>>,
}

impl Reader {
    /// Opens all files that there are.
    pub(crate) fn open(path: &Path, count: u32) -> Self {
        // Newest first: a rotation in between then shows a file twice rather than not at all; numbers tell.
        let newest_first: Vec<_> =
            (0..count).filter_map(|age| File::open(file_name(path, age)).ok()).collect();
        Self { files: newest_first.into_iter().rev().map(BufReader::new).collect() }
    }

    /// Whether it has come to its end.
    pub(crate) fn is_done(&self) -> bool {
        self.files.is_empty()
    }

    /// Returns the next events with numbers from `from` up to and without `end` that `accepts` wants, at most `limit`;
    /// nothing at the end.
    pub(crate) fn read(
        &mut self,
        from: u64,
        end: u64,
        limit: usize,
        accepts: &dyn Fn(&Event) -> bool,
    ) -> Vec<(u64, Arc<Event>)> {
        let mut found: Vec<(u64, Arc<Event>)> = Vec::new();
        let mut line = Vec::new();
        let mut next = from;
        while let Some(file) = self.files.first_mut() {
            line.clear();
            match file.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => {
                    self.files.remove(0); // an unreadable file is history lost, no reason to stop
                    continue;
                }
                Ok(_) => {}
            }
            let Some((number, event)) = record::decode(&line) else { continue };
            if number < next {
                continue;
            }
            if number >= end {
                self.files.clear();
                break;
            }
            next = number + 1;
            if accepts(&event) {
                found.push((number, Arc::new(event)));
                if found.len() >= limit {
                    break;
                }
            }
        }
        found
    }
}
