//! One hundred containers, ten at a time.

use super::peers::Peer;
use super::table::time;
use std::sync::Mutex;

const COUNT: usize = 100;
const AT_ONCE: usize = 10;

/// Starts and removes many containers.
pub(crate) fn run(peers: &[Peer]) {
    println!("\n## {COUNT} containers, {AT_ONCE} at a time (seconds)");
    for peer in peers {
        let ids = Mutex::new(Vec::new());
        let started = time(|| {
            in_parallel(COUNT, |_| {
                let id = peer.ok(&["run", "-d", "busybox", "sleep", "10000"]);
                ids.lock().expect("no thread panics while it holds this").push(id);
            });
        });
        let ids = ids.into_inner().expect("no thread panics while it holds this");
        let removed = time(|| in_parallel(COUNT, |index| peer.remove(&ids[index])));
        println!(
            "{:<8} start {:>7.2}   rm -f {:>7.2}",
            peer.name,
            started.as_secs_f64(),
            removed.as_secs_f64()
        );
    }
}

fn in_parallel(count: usize, work: impl Fn(usize) + Sync) {
    let next = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if index >= count {
                        return;
                    }
                    work(index);
                }
            });
        }
    });
}
