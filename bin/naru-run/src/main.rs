//! The program beside every container: `naru-run shim` is its supervisor.
//!
//! Started by the engine from a sealed memfd, with the control socket at descriptor 3. People need not call it.

#![forbid(unsafe_code)]

use std::env;
use std::process::ExitCode;

const NOT_THERE: &str = "naru-run: the runc-compatible command line (create, start, run, …) is not built yet; \
                         it comes with its own release.\nnaru-run shim is started by narud; use the naru command.";

fn main() -> ExitCode {
    match env::args_os().nth(1).as_deref().and_then(|argument| argument.to_str()) {
        Some("shim") => match shim::run() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("naru-run: {}", error::chain(&error));
                ExitCode::FAILURE
            }
        },
        Some("--version" | "-v") => {
            println!("naru-run version {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("{NOT_THERE}");
            ExitCode::from(error::Kind::Unimplemented.exit_code())
        }
    }
}
