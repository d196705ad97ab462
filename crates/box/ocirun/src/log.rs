//! Where errors and warnings go: a file of the caller's, and standard error.
//!
//! A line of the file is text, or JSON with `level`, `msg` and `time`: containerd and podman show the last error of it.

use crate::Error;
use refs::Timestamp;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// How grave a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Debug,
    Warning,
    Error,
}

impl Level {
    const fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Json,
}

/// Where lines go.
#[derive(Debug)]
pub(crate) struct Log {
    file: Option<File>,
    format: Format,
    debug: bool,
}

impl Log {
    /// Opens the file that the caller names.
    ///
    /// # Errors
    /// InvalidArgument for an unknown format; Internal if the file cannot be opened.
    pub(crate) fn open(path: Option<&str>, format: Option<&str>, debug: bool) -> Result<Self, Error> {
        let format = match format.unwrap_or("text") {
            "text" => Format::Text,
            "json" => Format::Json,
            other => return Err(Error::usage(format!("invalid log-format: {other:?}: text or json"))),
        };
        let path = path.filter(|path| !path.is_empty());
        // crun's callers may say which kind of log it is.
        let path = path.map(|path| Path::new(path.strip_prefix("file:").unwrap_or(path)));
        let open = |path: &Path| {
            File::options().create(true).append(true).open(path).map_err(Error::file("open the log", path))
        };
        Ok(Self { file: path.map(open).transpose()?, format, debug })
    }

    /// Returns the log of a command line whose log could not be opened.
    pub(crate) fn standard() -> Self {
        Self { file: None, format: Format::Text, debug: false }
    }

    /// Writes an error to the file and to standard error, where people look.
    pub(crate) fn error(&self, text: &str) {
        self.write(Level::Error, text);
        if self.file.is_some() || self.format == Format::Text {
            eprintln!("{text}");
        }
    }

    /// Writes a warning.
    pub(crate) fn warn(&self, text: &str) {
        self.write(Level::Warning, text);
    }

    /// Writes what only `--debug` wants to know.
    pub(crate) fn debug(&self, text: &str) {
        if self.debug {
            self.write(Level::Debug, text);
        }
    }

    fn write(&self, level: Level, text: &str) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX));
        let line = line(self.format, level, text, now);
        match &self.file {
            // One write per line, so that lines of several processes do not mix. A full disk must not fail a command.
            Some(file) => drop((&*file).write_all(line.as_bytes())),
            None if self.format == Format::Json || level == Level::Debug => eprint!("{line}"),
            None if level == Level::Warning => eprintln!("warning: {text}"),
            None => {}
        }
    }
}

fn line(format: Format, level: Level, text: &str, now: Timestamp) -> String {
    let level = level.name();
    match format {
        Format::Json => {
            let text = serde_json::Value::from(text);
            format!("{{\"level\":\"{level}\",\"msg\":{text},\"time\":\"{}\"}}\n", now.rfc3339())
        }
        Format::Text => format!("time=\"{}\" level={level} msg={text:?}\n", now.rfc3339()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_logrus_lines() {
        let now = Timestamp(1_000_000_000);
        assert_eq!(
            line(Format::Json, Level::Error, "a \"b\"\nc", now),
            "{\"level\":\"error\",\"msg\":\"a \\\"b\\\"\\nc\",\"time\":\"1970-01-01T00:00:01Z\"}\n"
        );
        assert_eq!(
            line(Format::Text, Level::Warning, "a \"b\"", now),
            "time=\"1970-01-01T00:00:01Z\" level=warning msg=\"a \\\"b\\\"\"\n"
        );
    }
}
