//! The engine's part of a container's birth record.

use crate::Error;
use crate::context::now;
use shimwire::{BIRTH_FILE, Step};
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Steps of a birth, taken down as they end. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Timeline {
    steps: Arc<Mutex<Vec<Step>>>,
}

/// A step that has begun.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Begun {
    t_ns: i64,
    at: Instant,
}

impl Begun {
    /// Begins a step.
    pub(crate) fn now() -> Self {
        Self { t_ns: now(), at: Instant::now() }
    }
}

impl Timeline {
    /// Takes down a step that ends now.
    pub(crate) fn end(&self, begun: Begun, step: &str, args: impl Into<String>) {
        let dur_ns = u64::try_from(begun.at.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let step = Step {
            t_ns: begun.t_ns,
            dur_ns,
            who: "engine".to_owned(),
            step: step.to_owned(),
            args: args.into(),
            errno: 0,
        };
        self.steps.lock().unwrap_or_else(PoisonError::into_inner).push(step);
    }

    /// Appends the steps to the record in a container's directory, and forgets them.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn write(&self, directory: &Path) -> Result<(), Error> {
        let steps = std::mem::take(&mut *self.steps.lock().unwrap_or_else(PoisonError::into_inner));
        let mut lines = Vec::new();
        for step in &steps {
            serde_json::to_writer(&mut lines, step).expect("a step has string keys only");
            lines.push(b'\n');
        }
        let path = directory.join(BIRTH_FILE);
        let mut file =
            File::options().append(true).create(true).open(&path).map_err(Error::file("open", &path))?;
        file.write_all(&lines).map_err(Error::file("write", path))
    }
}

/// Reads the birth record in a container's directory, in the order of time. One that is not there is empty; a line that was
/// cut off by a crash is left out.
///
/// # Errors
/// Those of the file system.
pub(crate) fn read(directory: &Path) -> Result<Vec<Step>, Error> {
    let path = directory.join(BIRTH_FILE);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::file("read", path)(error)),
    };
    let mut steps: Vec<Step> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    steps.sort_by_key(|step| step.t_ns);
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_is_read_in_the_order_of_time_without_broken_lines() {
        let directory = std::env::temp_dir().join(format!("naru-test-timeline-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        assert_eq!(read(&directory).unwrap(), []);
        let timeline = Timeline::default();
        let first = Begun::now();
        timeline.end(Begun { t_ns: first.t_ns + 5, ..first }, "later", "x");
        timeline.end(first, "earlier", "");
        timeline.write(&directory).unwrap();
        let mut file = File::options().append(true).open(directory.join(BIRTH_FILE)).unwrap();
        file.write_all(b"{\"t_ns\":1,").unwrap();
        let names: Vec<String> = read(&directory).unwrap().into_iter().map(|step| step.step).collect();
        assert_eq!(names, ["earlier", "later"]);
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
