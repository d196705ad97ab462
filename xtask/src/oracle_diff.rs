//! `cargo xtask oracle-diff`: the same requests to an engine of our own and to a real Docker engine, and what differs.

use crate::build::root;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use testkit::TestEnv;
use testkit::golden::{IMAGE, Record, accepted, differences, play};

/// Where the answers of Docker are kept for the check without Docker.
const GOLDEN: &str = "tests/golden/docker.json";

/// Compares with the Docker engine at `unix://PATH`; with `--capture`, also commits its answers to the golden file.
pub(crate) fn run(args: &[String]) -> Result<(), String> {
    let usage = "usage: cargo xtask oracle-diff unix:///PATH/docker.sock [--capture] [--all]";
    let host = args.iter().find(|arg| !arg.starts_with("--")).ok_or(usage)?;
    let socket = PathBuf::from(host.strip_prefix("unix://").ok_or(usage)?);
    if std::env::var_os("NARU_BIN_DIR").is_none() {
        testkit::use_programs(&crate::build::release()?);
    }
    load_image(host)?;
    let docker = play(&socket);
    if args.iter().any(|arg| arg == "--capture") {
        capture(host, &docker)?;
    }
    let env = TestEnv::with_busybox();
    let _ = env.naru(&["tag", "busybox", IMAGE]).ok();
    let _ = env.naru(&["rmi", "busybox"]).ok();
    let naru = play(&env.socket());
    report(&docker, &naru, args.iter().any(|arg| arg == "--all"))
}

fn report(docker: &Record, naru: &Record, all: bool) -> Result<(), String> {
    let document =
        std::fs::read_to_string(root().join("docs/compat.md")).map_err(|error| error.to_string())?;
    let accepted = accepted(&document);
    let found = differences(docker, naru);
    let new: Vec<_> =
        found.iter().filter(|difference| !accepted.iter().any(|row| row.covers(difference))).collect();
    for difference in if all { found.iter().collect() } else { new.clone() } {
        println!("{difference}");
    }
    println!("{} requests, {} differences, {} of them not accepted", docker.len(), found.len(), new.len());
    if new.is_empty() { Ok(()) } else { Err("the answers differ".into()) }
}

fn load_image(host: &str) -> Result<(), String> {
    let archive = testkit::busybox_docker_archive(IMAGE);
    let output = Command::new("docker")
        .args(["-H", host, "load", "-q", "-i"])
        .arg(&archive)
        .output()
        .map_err(|error| format!("docker: {error}"))?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

fn capture(host: &str, record: &Record) -> Result<(), String> {
    let version = Command::new("docker")
        .args([
            "-H",
            host,
            "version",
            "--format",
            "Docker Engine {{.Server.Version}}, API {{.Server.APIVersion}}",
        ])
        .output()
        .map_err(|error| format!("docker: {error}"))?;
    let answers: Map<String, Value> =
        record.iter().map(|(name, answer)| (name.clone(), answer.to_json())).collect();
    let golden = json!({
        "source": String::from_utf8_lossy(&version.stdout).trim(),
        "command": "cargo xtask oracle-diff HOST --capture",
        "answers": answers,
    });
    let text = serde_json::to_string_pretty(&golden).map_err(|error| error.to_string())?;
    let path: &Path = &root().join(GOLDEN);
    std::fs::create_dir_all(path.parent().expect("it has a folder")).map_err(|error| error.to_string())?;
    std::fs::write(path, text + "\n").map_err(|error| error.to_string())
}
