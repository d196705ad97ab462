//! The program that Naru puts into containers: no dependencies, two personalities.
//!
//! - `naru-init -- COMMAND…` is process 1 for `--init`: it runs the command, forwards signals to it, collects orphans and
//!   ends as the command ends.
//! - `hello` (by that name, or as the first argument) is the built-in image's program: it prints what is true from inside.

mod hello;
mod init;

mod birth;
mod facts;
mod signal;

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

const USAGE: &str =
    "usage: naru-init -- COMMAND [ARGUMENT…]\n       naru-init hello\n       naru-init --version";

fn main() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().collect();
    let called = arguments.first().map(Path::new).and_then(Path::file_name);
    if called.is_some_and(|name| name == "hello") {
        return hello::run();
    }
    match arguments.get(1).and_then(|argument| argument.to_str()) {
        Some("--") if arguments.len() > 2 => init::run(&arguments[2..]),
        Some("hello") => hello::run(),
        Some("--version") => {
            println!("naru-init {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(125)
        }
    }
}
