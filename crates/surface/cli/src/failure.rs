//! How a command fails: what is said on stderr, and the exit code.

use error::Fault;
use std::io;

/// How a command fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) code: u8,
    /// What is said, without a newline at the end; empty for nothing.
    pub(crate) text: String,
    /// What the user can do.
    pub(crate) hint: Option<String>,
    /// Lines that follow the hint: where to read more.
    pub(crate) more: String,
    /// The engine said that the object does not exist.
    pub(crate) not_found: bool,
}

/// What a command returns.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// The exit code when the engine or the command line is at fault, for commands that otherwise pass on a program's code.
pub(crate) const ENGINE: u8 = 125;

impl Failure {
    /// Exits with 1 and a text.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { code: 1, text: text.into(), hint: None, more: String::new(), not_found: false }
    }

    /// Exits with a program's code and says nothing.
    pub(crate) fn status(code: i64) -> Self {
        // An exit code is one byte; a code that is not must not become success.
        let code = u8::try_from(code).unwrap_or(u8::MAX);
        Self { code, ..Self::new("") }
    }

    pub(crate) fn with_code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Makes it the failure of `naru run` or `naru create`: named, with a pointer to the help.
    pub(crate) fn of_command(mut self, command: &str) -> Self {
        if self.text.is_empty() {
            return self;
        }
        self.text = format!("naru: {}", self.text);
        self.more = format!("\nRun 'naru {command} --help' for more information");
        self
    }

    /// Returns one failure for several: every text on its own line.
    pub(crate) fn all(failures: Vec<Self>) -> Outcome {
        let mut failures = failures.into_iter();
        let Some(first) = failures.next() else { return Ok(()) };
        Err(failures.fold(first, |mut all, next| {
            if !next.text.is_empty() {
                all.text.push('\n');
                all.text.push_str(&next.text);
            }
            all.hint = all.hint.or(next.hint);
            all
        }))
    }

    /// Returns what stderr shows; empty for nothing.
    pub(crate) fn shown(&self) -> String {
        let mut out = self.text.clone();
        if let Some(hint) = &self.hint {
            out.push_str("\nhint: ");
            out.push_str(hint);
        }
        if !self.more.is_empty() {
            out.push('\n');
            out.push_str(&self.more);
        }
        out
    }
}

impl From<client::Error> for Failure {
    fn from(failed: client::Error) -> Self {
        let not_found = failed.is_not_found();
        let mut failure = Self { not_found, ..Self::new(error::chain(&failed)) };
        failure.hint = failed.hint();
        failure
    }
}

/// Writing to stdout failed.
impl From<io::Error> for Failure {
    fn from(failed: io::Error) -> Self {
        match failed.kind() {
            // `naru logs x | head`: the reader has enough. The code is a shell's for SIGPIPE.
            io::ErrorKind::BrokenPipe => Self::status(141),
            _ => Self::new(format!("cannot write to standard output: {failed}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_joined_line_by_line() {
        let joined = Failure::all(vec![Failure::new("a"), Failure::new("b").with_hint("c")]);
        assert_eq!(joined.map_err(|f| f.shown()), Err("a\nb\nhint: c".to_owned()));
        assert_eq!(Failure::all(Vec::new()), Ok(()));
    }

    #[test]
    fn failure_of_run_is_named_and_points_to_the_help() {
        let shown = Failure::new("Error response from daemon: x").with_hint("y").of_command("run").shown();
        let expected =
            "naru: Error response from daemon: x\nhint: y\n\nRun 'naru run --help' for more information";
        assert_eq!(shown, expected);
    }

    #[test]
    fn odd_exit_codes_never_become_success() {
        assert_eq!(
            [Failure::status(256).code, Failure::status(-1).code, Failure::status(3).code],
            [255, 255, 3]
        );
    }

    #[test]
    fn closed_pipe_is_silent() {
        let failure = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!((failure.code, failure.shown()), (141, String::new()));
    }
}
