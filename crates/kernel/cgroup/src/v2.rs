//! Limits on pure v2.

use crate::apply::{self, asked};
use crate::v1::{check_usage, rdma_line, set};
use crate::{Cgroup, Error, convert, device, file};
use oci::runtime::{BlockIo, Cpu, Memory, Network, Resources};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

impl Cgroup {
    pub(crate) fn apply_v2(&self, resources: &Resources) -> Result<(), Error> {
        let Some(directory) = self.v2.as_deref() else { return Ok(()) }; // There always is one in this mode.
        if let Some(cpu) = &resources.cpu {
            set_cpu(directory, cpu)?;
        }
        if let Some(memory) = &resources.memory {
            set_memory(directory, memory)?;
        }
        if let Some(limit) = resources.pids.as_ref().and_then(|pids| asked(pids.limit)) {
            set(&existing(directory, apply::PIDS, "pids.max")?, &convert::or_max(limit), apply::PIDS)?;
        }
        if let Some(block) = &resources.block_io {
            set_block(directory, block)?;
        }
        for page in &resources.hugepage_limits {
            let name = format!("hugetlb.{}.max", apply::page_size(&page.page_size)?);
            set(&existing(directory, apply::HUGE_PAGES, &name)?, &page.limit.to_string(), apply::HUGE_PAGES)?;
        }
        if let Some(network) = &resources.network {
            refuse_network(network)?;
        }
        for (device, limit) in &resources.rdma {
            let line = rdma_line(device, limit.hca_handles, limit.hca_objects);
            set(&existing(directory, apply::RDMA, "rdma.max")?, &line, apply::RDMA)?;
        }
        for (name, value) in &resources.unified {
            set(&unified_file(directory, name)?, value, apply::UNIFIED)?;
        }
        set_devices(directory, &resources.devices)
    }
}

/// Returns the path of a file, or names the option that needs it.
fn existing(directory: &Path, option: &'static str, name: &str) -> Result<PathBuf, Error> {
    let path = directory.join(name);
    if path.exists() {
        Ok(path)
    } else {
        Err(Error::NotSupported { option, needs: format!("{name} of cgroup v2") })
    }
}

fn only_v1<T>(option: &'static str) -> Result<T, Error> {
    Err(Error::NotSupported { option, needs: "cgroup v1".into() })
}

fn set_cpu(directory: &Path, cpu: &Cpu) -> Result<(), Error> {
    if asked(cpu.realtime_runtime).is_some() || cpu.realtime_period.is_some_and(|period| period != 0) {
        return only_v1(apply::REALTIME);
    }
    if let Some(idle) = cpu.idle {
        set(&existing(directory, apply::IDLE, "cpu.idle")?, &idle.to_string(), apply::IDLE)?;
    }
    if let Some(weight) = cpu.shares.and_then(convert::cpu_weight) {
        set(&existing(directory, apply::SHARES, "cpu.weight")?, &weight.to_string(), apply::SHARES)?;
    }
    let (quota, period) = (asked(cpu.quota), cpu.period.filter(|period| *period != 0));
    if quota.is_some() || period.is_some() {
        let path = existing(directory, apply::QUOTA, "cpu.max")?;
        let line = cpu_max(&file::read(&path)?, quota, period);
        set(&path, &line, apply::QUOTA)?;
    }
    if let Some(burst) = cpu.burst {
        set(&existing(directory, apply::BURST, "cpu.max.burst")?, &burst.to_string(), apply::BURST)?;
    }
    let rows = [(&cpu.cpus, apply::CPUS, "cpuset.cpus"), (&cpu.mems, apply::MEMS, "cpuset.mems")];
    for (value, option, name) in rows {
        if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
            set_cpuset(directory, option, name, value)?;
        }
    }
    Ok(())
}

/// v2 accepts any list and then runs on what the parent has; Docker's users expect a refusal instead.
fn set_cpuset(directory: &Path, option: &'static str, name: &str, value: &str) -> Result<(), Error> {
    set(&existing(directory, option, name)?, value, option)?;
    let wanted = file::read(&directory.join(name))?;
    let effective = file::read(&directory.join(format!("{name}.effective")))?;
    if wanted == effective {
        return Ok(());
    }
    let text = format!("{value:?} is not within what the parent cgroup has ({effective})");
    Err(Error::Value { option, text })
}

/// Returns the line of `cpu.max`: what is not given stays.
fn cpu_max(present: &str, quota: Option<i64>, period: Option<u64>) -> String {
    let (old_quota, old_period) = present.split_once(' ').unwrap_or(("max", "100000"));
    let quota = quota.map_or_else(|| old_quota.to_owned(), convert::or_max);
    let period = period.map_or_else(|| old_period.to_owned(), |period| period.to_string());
    format!("{quota} {period}")
}

fn set_memory(directory: &Path, memory: &Memory) -> Result<(), Error> {
    if memory.disable_oom_killer == Some(true) {
        return only_v1(apply::OOM_KILLER);
    }
    if memory.swappiness.is_some_and(|value| value != u64::MAX) {
        return only_v1(apply::SWAPPINESS);
    }
    if asked(memory.kernel_tcp).is_some() {
        return only_v1(apply::KERNEL_TCP);
    }
    let (limit, swap) = apply::memory_and_swap(memory);
    if let (Some(limit @ 1..), Some(true)) = (limit, memory.check_before_update) {
        check_usage(&directory.join("memory.current"), limit)?;
    }
    if let Some(swap) = swap {
        set_swap(directory, swap, limit)?;
    }
    if let Some(limit) = limit {
        set(&existing(directory, apply::MEMORY, "memory.max")?, &convert::or_max(limit), apply::MEMORY)?;
    }
    if let Some(reservation) = asked(memory.reservation) {
        let path = existing(directory, apply::RESERVATION, "memory.low")?;
        set(&path, &convert::or_max(reservation), apply::RESERVATION)?;
    }
    Ok(())
}

fn set_swap(directory: &Path, swap: i64, limit: Option<i64>) -> Result<(), Error> {
    let limit = match limit {
        Some(limit) => limit,
        // An update of swap alone refers to the limit that is set.
        None => i64::try_from(file::read_number(&directory.join("memory.max"))?).unwrap_or(-1),
    };
    let value = convert::swap_max(swap, limit).map_err(|text| Error::Value { option: apply::SWAP, text })?;
    let Some(value) = value else { return Ok(()) };
    let path = directory.join("memory.swap.max");
    if !path.exists() && value == "max" {
        return Ok(()); // Unlimited is what it is without accounting.
    }
    set(&existing(directory, apply::SWAP, "memory.swap.max")?, &value, apply::SWAP)
}

fn set_block(directory: &Path, block: &BlockIo) -> Result<(), Error> {
    if block.leaf_weight.is_some_and(|weight| weight != 0) {
        return only_v1(apply::LEAF_WEIGHT);
    }
    if let Some(weight) = block.weight.filter(|weight| *weight != 0) {
        let bfq = directory.join("io.bfq.weight");
        if bfq.exists() {
            set(&bfq, &weight.to_string(), apply::WEIGHT)?;
        } else {
            let path = existing(directory, apply::WEIGHT, "io.weight")?;
            set(&path, &convert::io_weight(weight).to_string(), apply::WEIGHT)?;
        }
    }
    for device in &block.weight_device {
        if device.leaf_weight.is_some_and(|weight| weight != 0) {
            return only_v1(apply::LEAF_WEIGHT);
        }
        let Some(weight) = device.weight else { continue };
        let path = existing(directory, apply::WEIGHT_DEVICE, "io.bfq.weight")?;
        set(&path, &format!("{}:{} {weight}", device.major, device.minor), apply::WEIGHT_DEVICE)?;
    }
    for (devices, _, key) in apply::throttles(block) {
        for device in devices {
            let path = existing(directory, apply::THROTTLE, "io.max")?;
            set(&path, &format!("{}:{} {key}={}", device.major, device.minor, device.rate), apply::THROTTLE)?;
        }
    }
    Ok(())
}

fn refuse_network(network: &Network) -> Result<(), Error> {
    if network.class_id.is_some_and(|class| class != 0) {
        return only_v1(apply::CLASS);
    }
    if network.priorities.is_empty() { Ok(()) } else { only_v1(apply::PRIORITIES) }
}

/// Returns the path of a file that the specification names itself: it must be a controller's file in this very group.
fn unified_file(directory: &Path, name: &str) -> Result<PathBuf, Error> {
    if name.contains('/') || !name.contains('.') || name.starts_with("cgroup.") || name.starts_with('.') {
        let text = format!("{name:?} is not a controller's file");
        return Err(Error::Value { option: apply::UNIFIED, text });
    }
    existing(directory, apply::UNIFIED, name)
}

fn set_devices(directory: &Path, rules: &[oci::runtime::DeviceRule]) -> Result<(), Error> {
    if rules.is_empty() {
        return Ok(());
    }
    let program = device::program(&apply::device_rules(rules)?);
    let group = file::open(directory)?;
    sys::bpf::load_device_program(&program)
        .and_then(|program| sys::bpf::attach_device_program(group.as_fd(), program.as_fd()))
        .map_err(|source| Error::Sys { what: "attach the device filter to the cgroup", source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_max_keeps_what_is_not_given() {
        let cases = [
            ("max 100000", Some(50_000), None, "50000 100000"),
            ("50000 200000", None, Some(100_000), "50000 100000"),
            ("50000 200000", Some(-1), None, "max 200000"),
        ];
        for (present, quota, period, want) in cases {
            assert_eq!(cpu_max(present, quota, period), want);
        }
    }

    #[test]
    fn unified_files_stay_in_the_group() {
        for name in ["../memory.max", "cgroup.procs", "memory", ".x", "a/b.c"] {
            assert!(matches!(unified_file(Path::new("/"), name), Err(Error::Value { .. })), "{name}");
        }
    }
}
