//! Memory (PSS) of engines and supervisors with 0, 1, 10 and 50 sleeping containers.

use super::peers::Peer;
use testkit::TestEnv;

/// Prints a line per engine and number of containers.
pub(crate) fn run(env: &TestEnv, peers: &[Peer]) {
    println!("\n## memory, PSS in MiB");
    for peer in peers {
        let mut ids = Vec::new();
        for count in [0, 1, 10, 50] {
            while ids.len() < count {
                ids.push(peer.ok(&["run", "-d", "busybox", "sleep", "10000"]));
            }
            std::thread::sleep(std::time::Duration::from_millis(500));
            let engine = match peer.engine {
                None if peer.name == "naru" => pss_kib(&[env.engine_pid()]),
                None => 0,
                Some(word) => {
                    pss_kib(&find(|line| line.split('\0').next().is_some_and(|arg| arg.ends_with(word))))
                }
            };
            let supervisors = if peer.name == "naru" {
                env.supervisors()
            } else {
                find(|line| line.split('\0').next().is_some_and(|arg| arg.contains(peer.supervisor)))
            };
            let each = pss_kib(&supervisors) as f64 / 1024.0 / supervisors.len().max(1) as f64;
            println!(
                "{:<8} {count:>3} containers: engine {:>7.1}   supervisor {each:>6.3} each ({} of them)",
                peer.name,
                engine as f64 / 1024.0,
                supervisors.len()
            );
        }
        for id in &ids {
            peer.remove(id);
        }
    }
}

fn find(matches: impl Fn(&str) -> bool) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_string_lossy().parse().ok())
        .filter(|pid| {
            std::fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| matches(&line))
        })
        .collect()
}

fn pss_kib(pids: &[u32]) -> u64 {
    pids.iter()
        .filter_map(|pid| std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok())
        .filter_map(|text| {
            text.lines()
                .find_map(|line| line.strip_prefix("Pss:"))
                .and_then(|rest| rest.trim().trim_end_matches(" kB").trim().parse::<u64>().ok())
        })
        .sum()
}
