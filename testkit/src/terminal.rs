//! A program on a terminal of its own, by way of script(1).

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A program that runs on a pseudo terminal.
#[derive(Debug)]
pub struct Terminal {
    child: Child,
    input: ChildStdin,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    /// Starts a command line of a shell on a terminal of 40 rows and 100 columns.
    ///
    /// # Panics
    /// When script(1) is not there.
    pub fn start(command_line: &str, environment: &[(String, String)]) -> Self {
        let mut child = Command::new("script")
            .args(["--quiet", "--return", "--flush", "--command"])
            .arg(format!("stty rows 40 cols 100; exec {command_line}"))
            .arg("/dev/null")
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .env("TERM", "xterm")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("script runs");
        let input = child.stdin.take().expect("stdin is piped");
        let mut output = child.stdout.take().expect("stdout is piped");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&seen);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count) = output.read(&mut buffer) {
                if count == 0 {
                    break;
                }
                sink.lock().expect("no reader panics").extend_from_slice(&buffer[..count]);
            }
        });
        Self { child, input, seen }
    }

    /// Types bytes.
    pub fn type_text(&mut self, text: &str) {
        self.input.write_all(text.as_bytes()).and_then(|()| self.input.flush()).expect("the program reads");
    }

    /// Returns all that was shown so far.
    pub fn screen(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().expect("no reader panics")).into_owned()
    }

    /// Waits until `text` was shown.
    ///
    /// # Panics
    /// When it is not within twenty seconds.
    pub fn expect(&self, text: &str) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !self.screen().contains(text) {
            assert!(Instant::now() < deadline, "waited for {text:?}, the screen shows {:?}", self.screen());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for the program's end and returns its exit code.
    ///
    /// # Panics
    /// When it does not end within twenty seconds.
    pub fn wait(mut self) -> i32 {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(status) = self.child.try_wait().expect("the child is ours") {
                return status.code().unwrap_or(-1);
            }
            assert!(
                Instant::now() < deadline,
                "the program does not end; the screen shows {:?}",
                self.screen()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended
        let _ = self.child.wait();
    }
}
