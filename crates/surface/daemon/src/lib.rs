//! The engine's composition root: configuration, wiring, the order of start and stop.
//!
//! Not for policy: each service decides for itself; this crate builds them and hands each the few handles it needs.

#![forbid(unsafe_code)]

mod compose;
pub mod config;
mod error;
mod listen;
mod lock;
mod logging;
mod notify;
mod programs;
mod registry;
mod tls;

pub use error::Error;

use ::error::{Fault, chain};
use config::{Config, Environment, Invocation};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::ExitCode;

/// Threads that run services; blocking work has threads of its own.
const WORKERS: usize = 2;

/// Runs `narud` with these arguments (without the program's name).
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut args = args.into_iter().peekable();
    if args.next_if(|arg| arg == "registry").is_some() {
        return end(registry::run(args));
    }
    let environment = Environment { log_level: std::env::var(config::LOG_ENV).ok() };
    let outcome = config::parse(args, &environment).and_then(|invocation| match invocation {
        Invocation::Print(text) => {
            print!("{text}");
            Ok(())
        }
        Invocation::Validated => {
            println!("configuration OK");
            Ok(())
        }
        Invocation::Serve(config) => serve(&config),
    });
    end(outcome)
}

fn end(outcome: Result<(), Error>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("narud: {}", chain(&error));
            if let Some(hint) = error.hint() {
                eprintln!("hint: {hint}");
            }
            ExitCode::FAILURE
        }
    }
}

fn serve(config: &Config) -> Result<(), Error> {
    if !is_root() {
        return Err(Error::NotRoot);
    }
    logging::start(&config.log_level, config.log_json);
    make_folder(&config.data_root, 0o710)?;
    make_folder(&config.exec_root, 0o711)?;
    let _lock = lock::take(&config.exec_root, &config.pidfile)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build().map_err(
            |source| Error::File { what: "start threads for", path: config.data_root.clone(), source },
        )?;
    let result = runtime.block_on(compose::run(config));
    runtime.shutdown_background();
    let _ = fs::remove_file(&config.pidfile); // a stale one does no harm
    result
}

fn is_root() -> bool {
    fs::read_to_string("/proc/self/status").is_ok_and(|text| {
        text.lines()
            .filter_map(|line| line.strip_prefix("Uid:"))
            .any(|ids| ids.split_whitespace().nth(1) == Some("0"))
    })
}

fn make_folder(path: &Path, mode: u32) -> Result<(), Error> {
    fs::create_dir_all(path)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(mode)))
        .map_err(|source| Error::File { what: "make the folder", path: path.to_owned(), source })
}
