//! What a finished program said.

use std::process::Output;

/// A finished program: its exit code and its output.
#[derive(Debug, Clone)]
#[must_use]
pub struct Ran {
    /// The command line, for messages.
    pub command: String,
    /// The exit code, 128 + signal if it was killed.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Ran {
    pub fn new(command: String, output: &Output) -> Self {
        use std::os::unix::process::ExitStatusExt;
        let code = output.status.code().or_else(|| output.status.signal().map(|signal| 128 + signal));
        Self {
            command,
            code: code.unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Returns standard output without the white space around it, after checking that the program succeeded.
    ///
    /// # Panics
    /// When it did not exit with 0.
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}\nstdout: {}\nstderr: {}", self.command, self.stdout, self.stderr);
        self.stdout.trim().to_owned()
    }

    /// Checks the exit code and returns standard error without the white space around it.
    ///
    /// # Panics
    /// When the code is another.
    pub fn fails_with(self, code: i32) -> String {
        assert_eq!(self.code, code, "{}\nstdout: {}\nstderr: {}", self.command, self.stdout, self.stderr);
        self.stderr.trim().to_owned()
    }
}
