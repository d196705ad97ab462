//! The `naru` command line: reads flags, speaks to the engine through REST alone, prints, and owns the exit codes.
//!
//! ```text
//! argv ─ app ─ menus ─ flags::parse ─▶ Matches ─ commands/* ─▶ client ─▶ engine
//!                                          └ run::resolve ─▶ wire::ContainerCreate        [pure, golden]
//! answers ─ format ─▶ stdout        talk, progress, errors ─▶ stderr
//! ```
//!
//! What Docker's command line prints on stdout is printed byte for byte the same way; what is new stands on stderr.

//! # Environment
//!
//! | variable | meaning |
//! |---|---|
//! | `NARU_HOST`, `DOCKER_HOST` | where the engine is (`-H` wins); such an engine is never started |
//! | `NARU_EXEC_ROOT`, `NARU_DATA_ROOT` | run state and data of the engine of this machine, passed on when it is started |
//! | `NARU_DAEMON` | the program `narud`, if it is neither beside this one nor in PATH |
//! | `NARU_AUTOSTART=0` | the engine is never started |
//! | `DOCKER_CONFIG` | the directory of `config.json` |
//! | `DOCKER_API_VERSION` | the API version to speak |
//! | `DOCKER_DEFAULT_PLATFORM` | like `--platform` |
//! | `TZ`, `TERM`, `HOME`, `PATH` | as everywhere |

#![forbid(unsafe_code)]

mod app;
mod command;
mod commands;
mod completion;
mod config;
mod context;
mod credentials;
mod engine;
mod failure;
mod flags;
mod format;
mod help;
mod output;
mod progress;
mod quote;
mod run;
mod signals;
mod stream;
mod suggest;
mod term;

use std::process::ExitCode;

/// Runs the command line of this process and returns its exit code.
pub fn main() -> ExitCode {
    app::main()
}
