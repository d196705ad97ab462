//! One command after the other: run, create, start, exec, stop, rm.

use super::peers::Peer;
use super::table::{Samples, print_line, time};
use std::time::Duration;
use testkit::TestEnv;

const WARM_UP: usize = 3;
const ROUNDS: usize = 20;

/// Measures whole client commands, the engines in turn.
pub(crate) fn run(peers: &[Peer]) {
    println!("\n## whole client commands, median [minimum] of {ROUNDS}");
    alternate(peers, "run --rm, bridge", |peer| time(|| drop(peer.ok(&["run", "--rm", "busybox", "true"]))));
    alternate(peers, "run --rm, no network", |peer| {
        time(|| drop(peer.ok(&["run", "--rm", "--network", "none", "busybox", "true"])))
    });
    alternate(peers, "create", |peer| {
        let mut id = String::new();
        let took = time(|| id = peer.ok(&["create", "busybox", "true"]));
        let _ = peer.ok(&["rm", &id]);
        took
    });
    alternate(peers, "start", |peer| {
        let id = peer.ok(&["create", "busybox", "sleep", "1000"]);
        let took = time(|| drop(peer.ok(&["start", &id])));
        peer.remove(&id);
        took
    });
    let running: Vec<String> =
        peers.iter().map(|peer| peer.ok(&["run", "-d", "busybox", "sleep", "10000"])).collect();
    alternate_indexed(peers, "exec true", |index, peer| {
        time(|| drop(peer.ok(&["exec", &running[index], "true"])))
    });
    alternate_indexed(peers, "ps", |_, peer| time(|| drop(peer.ok(&["ps"]))));
    for (peer, id) in peers.iter().zip(&running) {
        peer.remove(id);
    }
    alternate(peers, "stop (handler)", |peer| {
        let script = "trap 'exit 0' TERM; while :; do sleep 0.02; done";
        let id = peer.ok(&["run", "-d", "busybox", "sh", "-c", script]);
        std::thread::sleep(Duration::from_millis(50)); // until the handler is set
        let took = time(|| drop(peer.ok(&["stop", &id])));
        peer.remove(&id);
        took
    });
    alternate(peers, "kill", |peer| {
        let id = peer.ok(&["run", "-d", "busybox", "sleep", "1000"]);
        let took = time(|| drop(peer.ok(&["kill", &id])));
        peer.remove(&id);
        took
    });
    alternate(peers, "rm", |peer| {
        let id = peer.ok(&["create", "busybox", "true"]);
        time(|| drop(peer.ok(&["rm", &id])))
    });
    alternate(peers, "rm -f (running)", |peer| {
        let id = peer.ok(&["run", "-d", "busybox", "sleep", "1000"]);
        time(|| peer.remove(&id))
    });
}

fn alternate(peers: &[Peer], what: &str, mut once: impl FnMut(&Peer) -> Duration) {
    alternate_indexed(peers, what, |_, peer| once(peer));
}

fn alternate_indexed(peers: &[Peer], what: &str, mut once: impl FnMut(usize, &Peer) -> Duration) {
    let mut samples: Vec<Vec<Duration>> = peers.iter().map(|_| Vec::new()).collect();
    for round in 0..WARM_UP + ROUNDS {
        for (index, peer) in peers.iter().enumerate() {
            let took = once(index, peer);
            if round >= WARM_UP {
                samples[index].push(took);
            }
        }
    }
    let columns: Vec<_> =
        peers.iter().zip(samples).map(|(peer, samples)| (peer.name, Samples::new(samples))).collect();
    print_line(what, &columns);
}

/// Reads the birth records: from the start request to execve, and the longest steps.
pub(crate) fn birth(env: &TestEnv) {
    for network in ["bridge", "none"] {
        let mut totals = Vec::new();
        let mut last = Vec::new();
        for _ in 0..WARM_UP + ROUNDS {
            let id = env.naru(&["run", "-d", "--network", network, "busybox", "sleep", "1000"]).ok();
            let text = env.naru(&["explain", "--format", "json", &id]).ok();
            let _ = env.naru(&["rm", "-f", &id]).ok();
            let steps: Vec<serde_json::Value> =
                text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
            let at = |step: Option<&serde_json::Value>| step.and_then(|step| step["t_ns"].as_i64());
            let executed = at(steps.iter().find(|step| step["step"] == "execve"));
            let (Some(begun), Some(executed)) = (at(steps.first()), executed) else { continue };
            totals.push(Duration::from_nanos(u64::try_from(executed - begun).unwrap_or(0)));
            last = steps;
        }
        let count = totals.len().saturating_sub(WARM_UP);
        let samples = Samples::new(totals.into_iter().skip(WARM_UP).collect());
        println!(
            "\n## from the start request to execve, network {network}: {:.2} [{:.2}] ms of {count}",
            samples.median_ms(),
            samples.min_ms()
        );
        last.sort_by_key(|step| std::cmp::Reverse(step["dur_ns"].as_u64()));
        for step in last.iter().take(14) {
            let took_ms = step["dur_ns"].as_u64().unwrap_or(0) as f64 / 1e6;
            println!(
                "  {took_ms:>8.3} ms  {:<7} {}",
                step["who"].as_str().unwrap_or(""),
                step["step"].as_str().unwrap_or("")
            );
        }
    }
}
