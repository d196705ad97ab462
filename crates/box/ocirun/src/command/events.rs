//! `events`: what a container consumes, and when it runs out of memory.

use super::{Call, Command, Form, print_json};
use crate::Error;
use crate::flags::{Order, switch, text};
use crate::global::Global;
use crate::store::{Record, Status};
use cgroup::{BlockEntry, Cgroup, Readiness, Stats};
use serde_json::{Value, json};
use std::time::Duration;
use sys::epoll::{Epoll, Interest};

pub(super) const EVENTS: Command = Command {
    name: "events",
    arguments: "ID",
    help: "print statistics and out-of-memory events of a container as JSON",
    flags: &[
        switch(&["stats"], "print the statistics once, and no more"),
        text(&["interval"], "DURATION", "time between statistics (5s)"),
    ],
    order: Order::Anywhere,
    failure_code: 1,
    run: events,
};

const PROCESS: u64 = 0;
const MEMORY: u64 = 1;

fn events(global: &Global, call: Call) -> Result<u8, Error> {
    let interval = call.given.text("interval").unwrap_or("5s");
    let interval = refs::parse_duration(interval).map_err(|error| Error::usage(error.to_string()))?;
    let interval = Duration::from_nanos(u64::try_from(interval).unwrap_or(0));
    if interval < Duration::from_millis(1) {
        return Err(Error::usage("duration interval must be greater than 0"));
    }
    let seen = global.store.look(call.id()?)?;
    if matches!(seen.status(), Status::Stopped | Status::Creating) {
        return Err(Error::Status(format!("container with id {} is not running", seen.record.id)));
    }
    let cgroup = seen.record.cgroup()?;
    if call.given.is_on("stats") {
        print(&seen.record, "stats", statistics(&cgroup.stats()?));
        return Ok(0);
    }
    follow(&seen.record, &cgroup, interval)
}

/// Prints until the container's process ends.
fn follow(record: &Record, cgroup: &Cgroup, interval: Duration) -> Result<u8, Error> {
    let what = || Error::sys("wait for events");
    let Some(pidfd) = record.process() else { return Err(Error::NotRunning) };
    let epoll = Epoll::new().map_err(what())?;
    epoll.add(&pidfd, PROCESS, Interest::READ).map_err(what())?;
    let oom = cgroup.watch_oom()?;
    if let Some(oom) = &oom {
        let interest = match oom.readiness() {
            Readiness::Readable => Interest::READ,
            Readiness::Priority => Interest::PRIORITY,
        };
        epoll.add(oom, MEMORY, interest).map_err(what())?;
    }
    let mut kills = cgroup.oom_kill_count()?;
    let mut events = Vec::new();
    loop {
        events.clear();
        epoll.wait(&mut events, Some(interval)).map_err(what())?;
        if events.iter().any(|event| event.token == PROCESS) {
            return Ok(0);
        }
        if events.is_empty() {
            print(record, "stats", statistics(&cgroup.stats()?));
            continue;
        }
        if let Some(oom) = &oom {
            oom.acknowledge()?;
        }
        // v1 wakes just before the kill is counted, and other events wake too.
        let now = cgroup.oom_kill_count()?;
        if now > kills || cgroup.v2_dir_fd()?.is_none() {
            print(record, "oom", Value::Null);
        }
        kills = now;
    }
}

fn print(record: &Record, kind: &str, data: Value) {
    let mut event = json!({ "type": kind, "id": record.id });
    if !data.is_null() {
        event["data"] = data;
    }
    print_json(&event, Form::Line);
}

/// Returns statistics in the form that containerd and Docker read.
///
/// # Source
/// runc `types/events.go`
fn statistics(stats: &Stats) -> Value {
    let Stats { cpu, memory, pids, block } = stats;
    let number = |key: &str| memory.details.get(key).copied().unwrap_or(0);
    let entry = |usage: u64, limit: u64, max: u64, failures: u64| json!({ "limit": limit, "usage": usage, "max": max, "failcnt": failures });
    let mut cpu_usage = json!({ "total": cpu.usage_ns, "kernel": cpu.system_ns, "user": cpu.user_ns });
    if !cpu.per_cpu_ns.is_empty() {
        cpu_usage["percpu"] = json!(cpu.per_cpu_ns);
    }
    let cache = memory.details.get("cache").or_else(|| memory.details.get("file")).copied().unwrap_or(0);
    json!({
        "cpu": {
            "usage": cpu_usage,
            "throttling": {
                "periods": cpu.periods, "throttledPeriods": cpu.throttled_periods, "throttledTime": cpu.throttled_ns
            }
        },
        "cpuset": {},
        "memory": {
            "cache": cache,
            "usage": entry(memory.usage_bytes, memory.limit_bytes, memory.max_usage_bytes, memory.failures),
            "swap": entry(number("swap"), 0, 0, 0),
            "kernel": entry(number("kernel"), 0, 0, 0),
            "kernelTCP": entry(number("sock"), 0, 0, 0),
            "raw": memory.details
        },
        "pids": { "current": pids.current, "limit": pids.limit.unwrap_or(0) },
        "blkio": {
            "ioServiceBytesRecursive": entries(&block.bytes),
            "ioServicedRecursive": entries(&block.operations)
        },
        "hugetlb": {},
        "intel_rdt": {},
        "network_interfaces": null
    })
}

fn entries(list: &[BlockEntry]) -> Vec<Value> {
    let entry = |entry: &BlockEntry| json!({ "major": entry.major, "minor": entry.minor, "op": entry.operation, "value": entry.value });
    list.iter().map(entry).collect()
}
