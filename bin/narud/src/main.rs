//! `narud`: the engine.

#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    daemon::main(std::env::args_os().skip(1))
}
