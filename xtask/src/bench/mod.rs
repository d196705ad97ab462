//! `cargo xtask bench`: Naru beside its peers, in one run, medians with minima and ratios.
//!
//! Peers are optional. `NARU_BENCH_DOCKER_HOST` names the socket of a Docker engine that has `busybox` (the docker CLI is used
//! with it); podman is used if it is installed. Nothing here ever fails for being slow.

mod api;
mod commands;
mod many;
mod memory;
mod peers;
mod pull;
mod table;

use std::path::Path;
use testkit::TestEnv;

/// Runs the named benchmarks, or all.
pub(crate) fn run(programs: &Path, args: &[String]) -> Result<(), String> {
    let wanted = |name: &str| args.is_empty() || args.iter().any(|arg| arg == "all" || arg == name);
    for name in args {
        if !["all", "run", "memory", "many", "api", "birth", "pull"].contains(&name.as_str()) {
            return Err(format!("no benchmark {name:?}: all, run, memory, many, api, birth, pull"));
        }
    }
    testkit::use_programs(programs);
    let env = TestEnv::with_busybox();
    let peers = peers::find(&env);
    println!("# {} CPUs, kernel {}", cpus(), kernel());
    for peer in &peers {
        println!("# {}: {}", peer.name, peer.version);
    }
    if wanted("run") {
        commands::run(&peers);
    }
    if wanted("birth") {
        commands::birth(&env);
    }
    if wanted("many") {
        many::run(&peers);
    }
    if wanted("api") {
        api::run(&peers);
    }
    if wanted("pull") {
        pull::run();
    }
    if wanted("memory") {
        memory::run(&env, &peers);
    }
    Ok(())
}

fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn kernel() -> String {
    std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned()
}
