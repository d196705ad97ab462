//! Process 1: runs one command, forwards signals, collects orphans.

use crate::signal;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

/// Runs `command` until it ends, and returns as it ended.
pub(crate) fn run(command: &[OsString]) -> ExitCode {
    match supervise(command) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("naru-init: cannot run {:?}: {error}", command[0]);
            ExitCode::from(match error.kind() {
                io::ErrorKind::NotFound => 127,
                _ => 126,
            })
        }
    }
}

fn supervise(command: &[OsString]) -> io::Result<u8> {
    let signals = signal::block_all()?;
    let mut child = Command::new(&command[0]);
    child.args(&command[1..]).process_group(0);
    // SAFETY: `prepare_child` is async-signal-safe and allocates nothing.
    unsafe {
        child.pre_exec(signal::prepare_child);
    }
    let main = child.spawn()?.id();
    loop {
        match signal::wait(&signals)? {
            signal::SIGCHLD => {
                let mut code = None;
                while let Some(ended) = signal::collect() {
                    if ended.pid == main {
                        code = Some(ended.code());
                    }
                }
                if let Some(code) = code {
                    return Ok(code);
                }
            }
            number => signal::send(main, number),
        }
    }
}
