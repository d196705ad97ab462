//! Finding and ending the processes of one test environment.

use std::path::Path;
use std::process::Command;

/// Sends SIGKILL to a process.
pub(crate) fn kill(pid: u32) {
    let _ = Command::new("kill").args(["-9", &pid.to_string()]).output(); // it may be gone already
}

/// Returns the processes whose command line or environment names `mark`, without this one.
pub(crate) fn marked(mark: &str) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_string_lossy().parse().ok())
        .filter(|pid| *pid != std::process::id())
        .filter(|pid| {
            ["cmdline", "environ"].iter().any(|file| {
                std::fs::read(format!("/proc/{pid}/{file}"))
                    .is_ok_and(|text| String::from_utf8_lossy(&text).contains(mark))
            })
        })
        .collect()
}

/// Kills everything in the cgroups below `name` in every hierarchy and removes them.
pub(crate) fn remove_cgroups(name: &str) {
    let base = Path::new("/sys/fs/cgroup");
    let mut roots = vec![base.to_owned()];
    roots.extend(std::fs::read_dir(base).into_iter().flatten().flatten().map(|entry| entry.path()));
    let trees: Vec<_> = roots.iter().map(|root| root.join(name)).filter(|tree| tree.is_dir()).collect();
    for tree in &trees {
        visit(tree, &mut |folder| {
            for pid in pids(folder) {
                kill(pid);
            }
        });
    }
    for _ in 0..100 {
        for tree in &trees {
            visit(tree, &mut |folder| {
                let _ = std::fs::remove_dir(folder); // busy until its processes are reaped: tried again
            });
        }
        if trees.iter().all(|tree| !tree.exists()) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

/// Unmounts what an engine that was killed has left mounted below a folder.
pub(crate) fn unmount_below(folder: &Path) {
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    for target in table.lines().rev().filter_map(|line| line.split(' ').nth(4)) {
        if Path::new(target).starts_with(folder) {
            let _ = Command::new("umount").args(["-l", target]).output(); // the folder's removal tells if it failed
        }
    }
}

/// Returns the processes of one cgroup.
pub(crate) fn pids(folder: &Path) -> Vec<u32> {
    std::fs::read_to_string(folder.join("cgroup.procs"))
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.parse().ok())
        .collect()
}

fn visit(folder: &Path, action: &mut impl FnMut(&Path)) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            visit(&entry.path(), action);
        }
    }
    action(folder);
}
