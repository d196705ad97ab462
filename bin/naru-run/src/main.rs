//! The program beside every container: `naru-run shim` is its supervisor, everything else an OCI runtime's command line.
//!
//! The supervisor is started by the engine from a sealed memfd, with the control socket at descriptor 3. As `naru-runc`, or
//! with any other argument, it is a drop-in for runc.

#![forbid(unsafe_code)]

use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = env::args_os().skip(1).peekable();
    if args.peek().is_some_and(|argument| argument == "shim") {
        return match shim::run() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("naru-run: {}", error::chain(&error));
                ExitCode::FAILURE
            }
        };
    }
    ocirun::main(args)
}
