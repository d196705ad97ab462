//! Where a container's output is logged.

use crate::Error;
use logfile::{Options, Stream, Writer};
use shimwire::Log;

/// The log of the container, or none.
#[derive(Debug)]
pub(crate) struct Output {
    writer: Option<Writer>,
    /// Writing failed the last time; said once, not for every line.
    failing: bool,
}

impl Output {
    /// Opens the log.
    pub(crate) fn open(log: &Log) -> Result<Self, Error> {
        let writer = match log {
            Log::None => None,
            Log::JsonFile { compress: true, .. } => return Err(Error::CompressedLog),
            Log::JsonFile { path, max_size_bytes, max_files, compress: false, attrs } => {
                let options =
                    Options { max_size_bytes: *max_size_bytes, max_files: *max_files, attrs: attrs.clone() };
                Some(Writer::open(path, options)?)
            }
        };
        Ok(Self { writer, failing: false })
    }

    /// Logs output. A full disk loses lines; it never stops the container.
    pub(crate) fn write(&mut self, stream: Stream, bytes: &[u8], now: i64) {
        if let Some(writer) = &mut self.writer {
            match writer.write(stream, bytes, now) {
                Ok(()) => self.failing = false,
                Err(error) => self.complain(&error),
            }
        }
    }

    /// Logs what is left of a stream that ended.
    pub(crate) fn finish(&mut self, stream: Stream, now: i64) {
        if let Some(writer) = &mut self.writer
            && let Err(error) = writer.finish(stream, now)
        {
            self.complain(&error);
        }
    }

    fn complain(&mut self, error: &logfile::Error) {
        if !self.failing {
            self.failing = true;
            crate::complain(error, "output of the container is lost until it can be written again");
        }
    }
}
