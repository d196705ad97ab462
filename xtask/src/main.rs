//! The project's own commands: `cargo xtask demo`, `naru`, `test`, `ci`, `tidy`, `bench`, `dist`.
//!
//! Not for the product: nothing here is shipped.

#![forbid(unsafe_code)]

mod bench;
mod build;
mod oracle_diff;
mod packages;
mod tidy;

use std::process::{Command, ExitCode};

const HELP: &str = "\
usage: cargo xtask COMMAND

  demo [ARGS]   install what is missing, build the release binaries, start the engine on demand and run
                a container: `naru run --rm hello`, or `naru ARGS`
  naru ARGS     build the release binaries and run `naru ARGS`
  test [FILTER] install what the tests need (Debian packages) and pass all of them
  ci            what .ci/run runs: format, clippy, tidy, demo, tests
  tidy          check layers, dependency trees and files
  bench [NAME]  measure side by side with the peers: all, run, memory, many, api, pull
  oracle-diff HOST [--capture] [--all]
                send the same requests to an engine of ours and to the Docker engine at HOST, and show what differs
  dist          build the static release binaries and copy them to target/dist
";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let command = args.next().unwrap_or_default();
    let rest: Vec<String> = args.collect();
    let result = match command.as_str() {
        "demo" => demo(&rest),
        "naru" => build::release().and_then(|bins| naru(&bins, &rest)),
        "test" => test(&rest),
        "ci" => ci(),
        "tidy" => tidy::run(),
        "bench" => build::release().and_then(|bins| bench::run(&bins, &rest)),
        "oracle-diff" => oracle_diff::run(&rest),
        "dist" => build::dist(),
        "" | "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(())
        }
        other => Err(format!("unknown command `{other}`\n\n{HELP}")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            if let Some(code) = message.strip_prefix("exit ").and_then(|code| code.parse::<u8>().ok()) {
                return ExitCode::from(code); // the program that ran has told its own story
            }
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}

fn demo(args: &[String]) -> Result<(), String> {
    packages::ensure_build_tools()?;
    let bins = build::release()?;
    if !args.is_empty() {
        return naru(&bins, args);
    }
    eprintln!("xtask: {} run --rm hello", bins.join("naru").display());
    naru(&bins, &["run".into(), "--rm".into(), "hello".into()])?;
    eprintln!();
    eprintln!("The engine now runs in the background. Go on with:");
    eprintln!("  cargo xtask naru run --rm busybox echo \"Hello World\"");
    eprintln!("  cargo xtask naru explain CONTAINER");
    Ok(())
}

fn naru(bins: &std::path::Path, args: &[String]) -> Result<(), String> {
    let program = bins.join("naru");
    let mut command = if packages::is_root() || std::env::var_os("NARU_HOST").is_some() {
        Command::new(program)
    } else {
        let mut sudo = Command::new("sudo"); // the engine needs root
        sudo.arg(program);
        sudo
    };
    let status = command.args(args).status().map_err(|error| format!("cannot run naru: {error}"))?;
    exit_status(status)
}

fn test(args: &[String]) -> Result<(), String> {
    packages::ensure_test_packages()?;
    let bins = build::release()?;
    cargo_env(&["test", "--workspace", "--all-targets"], args, &bins)
}

fn ci() -> Result<(), String> {
    packages::ensure_build_tools()?;
    cargo(&["fmt", "--all", "--check"])?;
    tidy::run()?;
    cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    test(&[])
}

fn cargo(args: &[&str]) -> Result<(), String> {
    eprintln!("xtask: cargo {}", args.join(" "));
    let status = Command::new(env!("CARGO")).args(args).status().map_err(|error| error.to_string())?;
    if status.success() { Ok(()) } else { Err(format!("cargo {} failed", args[0])) }
}

fn cargo_env(args: &[&str], more: &[String], bins: &std::path::Path) -> Result<(), String> {
    eprintln!("xtask: cargo {} {}", args.join(" "), more.join(" "));
    let status = Command::new(env!("CARGO"))
        .args(args)
        .args(more)
        .env("NARU_BIN_DIR", bins)
        .status()
        .map_err(|error| error.to_string())?;
    if status.success() { Ok(()) } else { Err("tests failed".into()) }
}

fn exit_status(status: std::process::ExitStatus) -> Result<(), String> {
    match status.code() {
        Some(0) => Ok(()),
        Some(code) => Err(format!("exit {code}")),
        None => Err(format!("ended by a signal: {status}")),
    }
}
