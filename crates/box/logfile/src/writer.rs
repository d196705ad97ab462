//! Writing: split, encode, append, rotate.

use crate::split::{Piece, Splitter};
use crate::{Error, Stream, json, rotate};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::mem;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Encoded records are written when there are this many bytes of them, and at the end of every chunk.
const BATCH_BYTES: usize = 16 * 1024;

/// How a log is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// A file that has reached this size is followed by a new one; 0 for never.
    pub max_size_bytes: u64,
    /// How many files are kept, the current one included; 0 counts as 1.
    pub max_files: u32,
    /// Attributes that every record carries.
    pub attrs: BTreeMap<String, String>,
}

/// A log that is written to.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    max_size_bytes: u64,
    max_files: u32,
    attrs: Vec<u8>,
    file: Option<File>,
    size_bytes: u64,
    batch: Vec<u8>,
    stdout: Splitter,
    stderr: Splitter,
}

impl Writer {
    /// Opens the log at `path` for appending, and creates it with mode 0640 if it is not there.
    ///
    /// A file that ends within a record (its writer was killed) gets a line end, so that nothing is glued to the rest.
    ///
    /// # Errors
    /// NotFound for a missing directory, Exhausted for a full disk, else Internal.
    pub fn open(path: &Path, options: Options) -> Result<Self, Error> {
        let failed = |source| Error { what: "open", path: path.to_owned(), source };
        let (file, size_bytes) = open(path).and_then(heal).map_err(failed)?;
        Ok(Self {
            path: path.to_owned(),
            max_size_bytes: options.max_size_bytes,
            max_files: options.max_files,
            attrs: json::attributes(&options.attrs),
            file: Some(file),
            size_bytes,
            batch: Vec::new(),
            stdout: Splitter::default(),
            stderr: Splitter::default(),
        })
    }

    /// Takes the next bytes of a stream, read at `now` (nanoseconds since 1970). Complete lines are in the file when
    /// this returns.
    ///
    /// # Errors
    /// Exhausted for a full disk, else Internal. Lines that could not be written are lost, the file stays well-formed,
    /// and later calls try again.
    pub fn write(&mut self, stream: Stream, chunk: &[u8], now: i64) -> Result<(), Error> {
        let mut splitter = self.take_splitter(stream);
        let mut result = Ok(());
        splitter.feed(chunk, now, &mut |piece| {
            let written = self.append(stream, &piece);
            if result.is_ok() {
                result = written;
            }
        });
        *self.splitter(stream) = splitter;
        result.and(self.flush())
    }

    /// Writes what is left of a stream that ended.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn finish(&mut self, stream: Stream, now: i64) -> Result<(), Error> {
        let mut splitter = self.take_splitter(stream);
        let mut result = Ok(());
        splitter.finish(now, &mut |piece| result = self.append(stream, &piece));
        result.and(self.flush())
    }

    fn splitter(&mut self, stream: Stream) -> &mut Splitter {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }

    fn take_splitter(&mut self, stream: Stream) -> Splitter {
        mem::take(self.splitter(stream))
    }

    fn append(&mut self, stream: Stream, piece: &Piece<'_>) -> Result<(), Error> {
        let mut result = Ok(());
        let size_bytes = self.size_bytes + self.batch.len() as u64;
        if self.max_size_bytes > 0 && size_bytes >= self.max_size_bytes {
            result = self.flush().and_then(|()| self.rotate());
        }
        json::record(&mut self.batch, stream, (piece.bytes, piece.complete), &self.attrs, piece.t_ns);
        if self.batch.len() >= BATCH_BYTES {
            result = result.and(self.flush());
        }
        result
    }

    fn flush(&mut self) -> Result<(), Error> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let batch = mem::take(&mut self.batch);
        let result = self.write_out(&batch);
        if batch.capacity() <= 2 * BATCH_BYTES {
            self.batch = batch;
            self.batch.clear();
        }
        result
    }

    fn write_out(&mut self, batch: &[u8]) -> Result<(), Error> {
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let (file, size_bytes) =
                    open(&self.path).and_then(heal).map_err(|e| self.failed("open", e))?;
                self.size_bytes = size_bytes;
                self.file.insert(file)
            }
        };
        if let Err(source) = file.write_all(batch) {
            // A half-written record would spoil the next one. If even this fails, opening anew heals it.
            if file.set_len(self.size_bytes).is_err() {
                self.file = None;
            }
            return Err(self.failed("write", source));
        }
        self.size_bytes += batch.len() as u64;
        Ok(())
    }

    fn rotate(&mut self) -> Result<(), Error> {
        rotate::shift(&self.path, self.max_files).map_err(|source| self.failed("rotate", source))?;
        self.file = None;
        let (file, size_bytes) = open(&self.path).and_then(heal).map_err(|e| self.failed("rotate", e))?;
        (self.file, self.size_bytes) = (Some(file), size_bytes);
        Ok(())
    }

    fn failed(&self, what: &'static str, source: io::Error) -> Error {
        Error { what, path: self.path.clone(), source }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).mode(0o640).open(path)
}

/// Ends a record that was cut off; returns the file and its size.
fn heal(mut file: File) -> io::Result<(File, u64)> {
    let mut size_bytes = file.metadata()?.len();
    if size_bytes > 0 {
        let mut last = [0];
        file.seek(SeekFrom::Start(size_bytes - 1))?;
        file.read_exact(&mut last)?;
        if last != [b'\n'] {
            file.write_all(b"\n")?;
            size_bytes += 1;
        }
    }
    Ok((file, size_bytes))
}
