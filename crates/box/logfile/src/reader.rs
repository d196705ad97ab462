//! Reading: the last N records, a span of time, and following across rotation.

use crate::{Error, Stream, rotate, tail, time};
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

const BLOCK_BYTES: usize = 64 * 1024;

/// Which records are wanted. First `tail` counts from the end of the log, then the times cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Only the last so many records; none for all.
    pub tail: Option<u64>,
    /// Only records of this time (nanoseconds since 1970) or later.
    pub since: Option<i64>,
    /// Only records of this time or earlier; reading ends at the first later one.
    pub until: Option<i64>,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which output it comes from.
    pub stream: Stream,
    /// When it was read from the program: nanoseconds since 1970.
    pub t_ns: i64,
    /// The text; ends in `\n` unless it is a piece of a longer line.
    pub line: String,
    /// The attributes that the log was written with.
    pub attrs: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow, default)]
    log: Cow<'a, str>,
    #[serde(borrow)]
    stream: Cow<'a, str>,
    #[serde(default)]
    attrs: BTreeMap<String, String>,
    #[serde(borrow)]
    time: Cow<'a, str>,
}

/// A log that is read, while it may be written and rotated by another process.
///
/// [`next`](Self::next) answers `None` at the present end. A follower then waits until something changes in the
/// directory of [`path`](Self::path) (inotify) or some time has passed, and calls again.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    max_files: u32,
    query: Query,
    /// Files that come after the current one, the oldest first.
    later: VecDeque<Part>,
    current: Option<Part>,
    buffer: Vec<u8>,
    /// Where in `buffer` the next record begins.
    start: usize,
    /// Up to where `buffer` was searched for a line end.
    searched: usize,
    done: bool,
    malformed: u64,
    unpack: Option<Unpack>,
}

/// Makes the content of a compressed file readable: a file that holds it.
pub type Unpack = fn(&Path) -> io::Result<File>;

#[derive(Debug)]
struct Part {
    file: File,
    identity: (u64, u64),
    position: u64,
}

impl Reader {
    /// Opens the log at `path` with up to `max_files` files. A log that is not there is an empty one: the container has
    /// not been started yet.
    ///
    /// # Errors
    /// Internal if a file cannot be opened or read.
    pub fn open(path: &Path, max_files: u32, query: Query) -> Result<Self, Error> {
        Self::open_with(path, max_files, query, None)
    }

    /// As [`open`](Self::open); `unpack` is needed for files that were compressed, which are else passed over.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(
        path: &Path,
        max_files: u32,
        query: Query,
        unpack: Option<Unpack>,
    ) -> Result<Self, Error> {
        let mut reader = Self {
            path: path.to_owned(),
            max_files,
            query,
            later: VecDeque::new(),
            current: None,
            buffer: Vec::new(),
            start: 0,
            searched: 0,
            done: false,
            malformed: 0,
            unpack,
        };
        reader.open_parts().map_err(|source| reader.failed(source))?;
        Ok(reader)
    }

    /// Returns the file that is written to; its directory is what a follower watches.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns how many records were passed over because they are no JSON of ours (cut off by a crash).
    pub fn malformed(&self) -> u64 {
        self.malformed
    }

    /// Returns whether no further record can be wanted: one later than `until` was met.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Returns the next record that is wanted; none if there is no more at present.
    ///
    /// # Errors
    /// Internal if a file cannot be read.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator would end at the first None; a log goes on"
    )]
    pub fn next(&mut self) -> Result<Option<Entry>, Error> {
        while !self.done {
            let Some(line) = self.next_line().map_err(|source| self.failed(source))? else { return Ok(None) };
            let Some(entry) = parse(&self.buffer[line]) else {
                self.malformed += 1;
                continue;
            };
            if self.query.since.is_some_and(|since| entry.t_ns < since) {
                continue;
            }
            if self.query.until.is_some_and(|until| entry.t_ns > until) {
                self.done = true;
                break;
            }
            return Ok(Some(entry));
        }
        Ok(None)
    }

    /// Opens all files, so that a rotation in between neither hides nor doubles one, and finds the beginning.
    fn open_parts(&mut self) -> io::Result<()> {
        let mut wanted = self.query.tail;
        for path in rotate::files(&self.path, self.max_files) {
            let part = match (Part::open(&path)?, self.unpack) {
                (None, Some(unpack)) => Part::unpacked(&path, unpack)?,
                (part, _) => part,
            };
            let Some(mut part) = part else { continue };
            if self.later.iter().any(|newer| newer.identity == part.identity) {
                continue;
            }
            if let Some(wanted) = &mut wanted {
                let (position, found) = tail::seek(&part.file, *wanted)?;
                part.position = position;
                *wanted -= found;
            }
            self.later.push_front(part);
            if wanted == Some(0) {
                break;
            }
        }
        Ok(())
    }

    /// Returns the place of the next whole line in the buffer.
    fn next_line(&mut self) -> io::Result<Option<std::ops::Range<usize>>> {
        loop {
            if let Some(length) = self.buffer[self.searched..].iter().position(|&byte| byte == b'\n') {
                let line = self.start..self.searched + length;
                self.start = line.end + 1;
                self.searched = self.start;
                return Ok(Some(line));
            }
            self.searched = self.buffer.len();
            if self.fill()? {
                continue;
            }
            if !self.advance()? {
                return Ok(None);
            }
        }
    }

    /// Reads more of the current file; false at its present end.
    fn fill(&mut self) -> io::Result<bool> {
        let Some(part) = &mut self.current else { return Ok(false) };
        if part.file.metadata()?.len() < part.position {
            part.position = 0; // Emptied by someone.
            self.buffer.clear();
            (self.start, self.searched) = (0, 0);
        }
        self.buffer.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        let before = self.buffer.len();
        part.file.seek(SeekFrom::Start(part.position))?;
        let read = part.file.by_ref().take(BLOCK_BYTES as u64).read_to_end(&mut self.buffer)?;
        part.position += read as u64;
        Ok(self.buffer.len() > before)
    }

    /// Goes on to the next file, if the current one is no longer written to; false if there is none.
    fn advance(&mut self) -> io::Result<bool> {
        if self.later.is_empty() {
            self.find_newer()?;
        }
        let Some(next) = self.later.pop_front() else { return Ok(false) };
        // Between the last read and the rotation something may have been added.
        if self.current.is_some() && self.fill()? {
            self.later.push_front(next);
            return Ok(true);
        }
        self.buffer.clear();
        (self.start, self.searched) = (0, 0);
        self.current = Some(next);
        Ok(true)
    }

    /// Looks for files that came into being after the current one was opened.
    fn find_newer(&mut self) -> io::Result<()> {
        let current = self.current.as_ref().map(|part| part.identity);
        for path in rotate::files(&self.path, self.max_files) {
            let Some(part) = Part::open(&path)? else {
                // Only what was rotated a while ago is compressed: that was read.
                if rotate::compressed(&path).exists() { break } else { continue }
            };
            if Some(part.identity) == current {
                break;
            }
            if self.later.iter().all(|newer| newer.identity != part.identity) {
                self.later.push_front(part);
            }
        }
        Ok(())
    }

    fn failed(&self, source: io::Error) -> Error {
        Error { what: "read", path: self.path.clone(), source }
    }
}

impl Part {
    fn open(path: &Path) -> io::Result<Option<Self>> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let metadata = file.metadata()?;
        Ok(Some(Self { identity: (metadata.dev(), metadata.ino()), file, position: 0 }))
    }

    fn unpacked(path: &Path, unpack: Unpack) -> io::Result<Option<Self>> {
        let packed = rotate::compressed(path);
        let Some(part) = Self::open(&packed)? else { return Ok(None) };
        match unpack(&packed) {
            Ok(file) => Ok(Some(Self { file, ..part })),
            // Rotated away meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn parse(line: &[u8]) -> Option<Entry> {
    let record: Record<'_> = serde_json::from_slice(line).ok()?;
    let stream = match &*record.stream {
        "stdout" => Stream::Stdout,
        "stderr" => Stream::Stderr,
        _ => return None,
    };
    let t_ns = time::parse(&record.time)?;
    Some(Entry { stream, t_ns, line: record.log.into_owned(), attrs: record.attrs })
}
