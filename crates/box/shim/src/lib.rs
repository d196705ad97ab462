//! The supervisor of one container: makes it, serves its streams, keeps its end.
//!
//! ```text
//!  engine ── ctl (seqpacket, fd 3) ──┐            ┌── pidfd of the first process, of each exec
//!  next engine ── ctl.sock ──────────┤            ├── pipes or terminal of each
//!                                    ▼            ▼
//!                              ┌──────── epoll ─────────┐
//!                              │ machine (pure): what   │──▶ logfile      (json-file)
//!                              │ the events mean        │──▶ exit.json    (before anyone is told)
//!                              └──────── tasks ─────────┘──▶ birth.jsonl
//!                                    ▲   │
//!            client sockets, handed ─┘   └─ framed output; input, detach keys, half-close
//!            over by the engine
//! ```
//! The supervisor stays when the engine goes. Clients are served by it, so that they stay as well.
//!
//! **Slow clients.** Output for a client waits in its outbox. While one outbox holds 1 MiB the program's output is not read,
//! as with any pipe whose reader is slow; a client that takes nothing for five seconds in that state is dropped. So a
//! client loses nothing as long as it reads at all, and one that does not read holds the container up for five seconds once.
//!
//! **The end.** When the first process has ended, what is left in its pipes is read (for at most two seconds if others hold
//! them open), the exit record is written and synced, and only then the engine is told. The supervisor goes when the
//! engine has acknowledged and the last client has taken its output (one that takes nothing is dropped after ten minutes).
//! From the acknowledgement on it touches nothing in the run directory: the container may be started again meanwhile.
//!
//! **Published ports.** The supervisor holds the host's sockets of its container's ports, from before the program runs until
//! it has ended: they stay reserved, and connections that are relayed go on, while no engine is there.
//!
//! One thread, and one more if ports are published; no async; memory is given back to the kernel once the container runs.

#![forbid(unsafe_code)]

mod machine;
mod supervisor;

mod birth;
mod execs;
mod task;

mod ports;
mod relay;

mod client;
mod control;
mod keys;
mod outbox;
mod output;
mod record;
mod token;
mod watched;

mod error;

pub use error::Error;

use std::error::Error as StdError;
use supervisor::Supervisor;

/// SIGHUP, SIGINT and SIGTERM: the supervisor ends with its container and not before. Asking the container to stop is the
/// engine's task, also when the machine shuts down.
const IGNORED_SIGNALS: [i32; 3] = [1, 2, 15];

/// Serves one container, from the request at descriptor [`shimwire::CONTROL_FD`] to its end.
///
/// # Errors
/// Internal if the descriptor is no socket, or the kernel refuses the event loop; the container is killed with the
/// supervisor then.
pub fn run() -> Result<(), Error> {
    let engine = sys::socket::inherited(shimwire::CONTROL_FD)?;
    let _ = sys::process::new_session(); // It fails only for a leader of a session: then it is one already.
    sys::process::set_name("naru-shim")?;
    for signal in IGNORED_SIGNALS {
        sys::itself::ignore_signal(signal)?;
    }
    let _ = std::env::set_current_dir("/"); // So that no file system stays busy; "/" can always be entered.
    Supervisor::new(engine)?.run()
}

/// Tells the engine's log, through standard error, what went wrong without stopping anything.
fn complain(error: &dyn StdError, consequence: &str) {
    eprintln!("naru-run: {consequence}: {}", ::error::chain(error));
}
