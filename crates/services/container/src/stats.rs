//! Samples of a container's resource use.

use crate::Error;
use crate::context::{Context, now};
use crate::options::StatsMode;
use crate::shared::Shared;
use crate::view::{InterfaceCounters, StatsSample, Usage};
use cgroup::Cgroup;
use futures_util::Stream;
use refs::Timestamp;
use std::collections::BTreeMap;
use std::fs;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};
use std::time::Duration;
use tokio::sync::mpsc;

/// The time between two samples.
const PERIOD: Duration = Duration::from_secs(1);

/// Nanoseconds per tick of /proc/stat.
const TICK_NS: u64 = 10_000_000;

/// Samples as they are taken.
#[derive(Debug)]
pub struct StatsStream {
    samples: mpsc::Receiver<StatsSample>,
}

impl Stream for StatsStream {
    type Item = StatsSample;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<Option<StatsSample>> {
        self.samples.poll_recv(context)
    }
}

/// Begins to sample.
pub(crate) fn open(context: &Arc<Context>, shared: Arc<Shared>, mode: StatsMode) -> StatsStream {
    let (tx, samples) = mpsc::channel(1);
    tokio::spawn(run(Arc::clone(context), shared, mode, tx));
    StatsStream { samples }
}

async fn run(context: Arc<Context>, shared: Arc<Shared>, mode: StatsMode, tx: mpsc::Sender<StatsSample>) {
    let mut previous = None;
    if mode == StatsMode::Pair {
        previous = take(&context, &shared).await;
        if previous.is_some() {
            tokio::time::sleep(PERIOD).await;
        }
    }
    let mut ticks = tokio::time::interval(PERIOD);
    loop {
        ticks.tick().await;
        let current = take(&context, &shared).await;
        let view = shared.view();
        let sample = StatsSample {
            id: view.id.clone(),
            name: view.name.clone(),
            previous: std::mem::replace(&mut previous, current.clone()).filter(|_| current.is_some()),
            current,
        };
        if tx.send(sample).await.is_err() || mode != StatsMode::Stream || shared.mailbox.is_closed() {
            return;
        }
    }
}

/// Takes a sample; none while the container does not run.
async fn take(context: &Context, shared: &Shared) -> Option<Usage> {
    let view = shared.view();
    let pid = view.state.pid;
    if pid == 0 {
        return None;
    }
    let group = Cgroup::open(&context.parts.cgroups, &shared.cgroup_path);
    let cpus = u32::try_from(context.facts.cpus.len()).unwrap_or(u32::MAX);
    let with_network = !view.endpoints.is_empty();
    let sample = move || -> Result<Usage, Error> {
        Ok(Usage {
            read_at: Timestamp(now()),
            cgroup: group?.stats()?,
            system_cpu_ns: system_cpu_ns(
                &fs::read_to_string("/proc/stat").map_err(Error::file("read", "/proc/stat"))?,
            ),
            online_cpus: cpus,
            host_memory_bytes: host_memory_bytes(),
            interfaces: if with_network { interfaces(pid) } else { BTreeMap::new() },
        })
    };
    match context.parts.disk.run(sample).await {
        Ok(usage) => Some(usage),
        Err(error) => {
            // It may have ended just now.
            tracing::debug!(container = %shared.id, error = %error::chain(&error), "no sample");
            None
        }
    }
}

/// Adds up the first seven columns, as Docker does.
fn system_cpu_ns(stat: &str) -> u64 {
    let ticks = stat.lines().find_map(|line| line.strip_prefix("cpu ")).unwrap_or_default();
    let numbers = ticks.split_whitespace().take(7).filter_map(|text| text.parse::<u64>().ok());
    numbers.sum::<u64>().saturating_mul(TICK_NS)
}

fn host_memory_bytes() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    text.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok()).unwrap_or(0) * 1024
}

fn interfaces(pid: i32) -> BTreeMap<String, InterfaceCounters> {
    parse_interfaces(&fs::read_to_string(format!("/proc/{pid}/net/dev")).unwrap_or_default())
}

fn parse_interfaces(text: &str) -> BTreeMap<String, InterfaceCounters> {
    let line = |line: &str| {
        let (name, numbers) = line.split_once(':')?;
        let numbers: Vec<u64> = numbers.split_whitespace().map_while(|text| text.parse().ok()).collect();
        let &[
            rx_bytes,
            rx_packets,
            rx_errors,
            rx_dropped,
            _,
            _,
            _,
            _,
            tx_bytes,
            tx_packets,
            tx_errors,
            tx_dropped,
            ..,
        ] = &numbers[..]
        else {
            return None;
        };
        let counters = InterfaceCounters {
            rx_bytes,
            rx_packets,
            rx_errors,
            rx_dropped,
            tx_bytes,
            tx_packets,
            tx_errors,
            tx_dropped,
        };
        Some((name.trim().to_owned(), counters))
    };
    text.lines().filter_map(line).filter(|(name, _)| name != "lo").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_are_read_without_the_loopback() {
        let text = "Inter-|   Receive                                                |  Transmit\n face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n    lo:    1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n  eth0:  100 2 3 4 0 0 0 0 200 5 6 7 0 0 0 0\n";
        let expected = InterfaceCounters {
            rx_bytes: 100,
            rx_packets: 2,
            rx_errors: 3,
            rx_dropped: 4,
            tx_bytes: 200,
            tx_packets: 5,
            tx_errors: 6,
            tx_dropped: 7,
        };
        assert_eq!(parse_interfaces(text), [("eth0".to_owned(), expected)].into());
    }

    #[test]
    fn cpu_time_of_the_host_is_added_up() {
        assert_eq!(system_cpu_ns("cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 1\n"), 28 * TICK_NS);
    }
}
