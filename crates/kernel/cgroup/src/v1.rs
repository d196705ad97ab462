//! Limits on v1 and hybrid machines.

use crate::apply::{self, asked, missing};
use crate::{Cgroup, Error, device, file};
use oci::runtime::{BlockIo, Cpu, Memory, Network, Resources};
use std::path::{Path, PathBuf};

impl Cgroup {
    pub(crate) fn apply_v1(&self, resources: &Resources) -> Result<(), Error> {
        if !resources.unified.is_empty() {
            return Err(Error::NotSupported { option: apply::UNIFIED, needs: "cgroup v2".into() });
        }
        if let Some(cpu) = &resources.cpu {
            self.cpuset(cpu)?;
            self.cpu(cpu)?;
        }
        if let Some(memory) = &resources.memory {
            self.memory(memory)?;
        }
        if let Some(limit) = resources.pids.as_ref().and_then(|pids| asked(pids.limit)) {
            let limit = crate::convert::or_max(limit);
            file::write(&self.file(apply::PIDS, "pids", "pids.max")?, &limit)?;
        }
        if let Some(block) = &resources.block_io {
            self.block(block)?;
        }
        for page in &resources.hugepage_limits {
            let name = format!("hugetlb.{}.limit_in_bytes", apply::page_size(&page.page_size)?);
            file::write(&self.file(apply::HUGE_PAGES, "hugetlb", &name)?, &page.limit.to_string())?;
        }
        if let Some(network) = &resources.network {
            self.network(network)?;
        }
        for (device, limit) in &resources.rdma {
            let line = rdma_line(device, limit.hca_handles, limit.hca_objects);
            file::write(&self.file(apply::RDMA, "rdma", "rdma.max")?, &line)?;
        }
        self.devices(&resources.devices)
    }

    /// Returns the path of a controller's file.
    fn file(&self, option: &'static str, controller: &str, name: &str) -> Result<PathBuf, Error> {
        self.controller(controller)
            .map(|directory| directory.join(name))
            .ok_or_else(|| missing(option, controller))
    }

    /// Like [`file`](Self::file), for files that not every kernel has.
    fn optional_file(&self, option: &'static str, controller: &str, name: &str) -> Result<PathBuf, Error> {
        let path = self.file(option, controller, name)?;
        if path.exists() { Ok(path) } else { Err(Error::NotSupported { option, needs: name.to_owned() }) }
    }

    fn cpuset(&self, cpu: &Cpu) -> Result<(), Error> {
        let rows = [(&cpu.cpus, apply::CPUS, "cpuset.cpus"), (&cpu.mems, apply::MEMS, "cpuset.mems")];
        for (value, option, name) in rows {
            if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
                set(&self.file(option, "cpuset", name)?, value, option)?;
            }
        }
        Ok(())
    }

    fn cpu(&self, cpu: &Cpu) -> Result<(), Error> {
        if let Some(shares) = cpu.shares.filter(|shares| *shares != 0) {
            set(&self.file(apply::SHARES, "cpu", "cpu.shares")?, &shares.to_string(), apply::SHARES)?;
        }
        if let Some(period) = cpu.realtime_period.filter(|period| *period != 0) {
            let path = self.optional_file(apply::REALTIME, "cpu", "cpu.rt_period_us")?;
            set(&path, &period.to_string(), apply::REALTIME)?;
        }
        if let Some(runtime) = asked(cpu.realtime_runtime) {
            let path = self.optional_file(apply::REALTIME, "cpu", "cpu.rt_runtime_us")?;
            set(&path, &runtime.to_string(), apply::REALTIME)?;
        }
        if let Some(idle) = cpu.idle {
            set(&self.optional_file(apply::IDLE, "cpu", "cpu.idle")?, &idle.to_string(), apply::IDLE)?;
        }
        self.bandwidth(cpu)
    }

    /// Sets period, quota and burst. The kernel checks each write against the others' old values (a quota must not
    /// shrink below the burst, …), so what is refused first is tried again after the rest.
    fn bandwidth(&self, cpu: &Cpu) -> Result<(), Error> {
        let period = cpu.period.filter(|period| *period != 0).map(|value| value.to_string());
        let quota = asked(cpu.quota).map(|value| value.to_string());
        let burst = cpu.burst.map(|value| value.to_string());
        let rows = [
            (period, apply::PERIOD, "cpu.cfs_period_us"),
            (quota, apply::QUOTA, "cpu.cfs_quota_us"),
            (burst, apply::BURST, "cpu.cfs_burst_us"),
        ];
        let mut again = Vec::new();
        for (value, option, name) in rows {
            if let Some(value) = value {
                let path = self.optional_file(option, "cpu", name)?;
                if set(&path, &value, option).is_err() {
                    again.push((path, value, option));
                }
            }
        }
        again.iter().try_for_each(|(path, value, option)| set(path, value, option))
    }

    fn memory(&self, memory: &Memory) -> Result<(), Error> {
        let (limit, swap) = apply::memory_and_swap(memory);
        self.memory_limits(memory, limit, swap)?;
        if let Some(reservation) = asked(memory.reservation) {
            let path = self.file(apply::RESERVATION, "memory", "memory.soft_limit_in_bytes")?;
            set(&path, &reservation.to_string(), apply::RESERVATION)?;
        }
        if let Some(limit) = asked(memory.kernel_tcp) {
            let path = self.optional_file(apply::KERNEL_TCP, "memory", "memory.kmem.tcp.limit_in_bytes")?;
            set(&path, &limit.to_string(), apply::KERNEL_TCP)?;
        }
        if memory.disable_oom_killer == Some(true) {
            file::write(&self.file(apply::OOM_KILLER, "memory", "memory.oom_control")?, "1")?;
        }
        // The greatest number is how "not set" appears in specifications made from a signed -1.
        if let Some(swappiness) = memory.swappiness.filter(|value| *value != u64::MAX) {
            let path = self.optional_file(apply::SWAPPINESS, "memory", "memory.swappiness")?;
            set(&path, &swappiness.to_string(), apply::SWAPPINESS)?;
        }
        Ok(())
    }

    fn memory_limits(&self, memory: &Memory, limit: Option<i64>, swap: Option<i64>) -> Result<(), Error> {
        let Some(new) = limit.or(swap) else { return Ok(()) };
        let option = if limit.is_some() { apply::MEMORY } else { apply::SWAP };
        let directory = self.controller("memory").ok_or_else(|| missing(option, "memory"))?;
        let limit_file = directory.join("memory.limit_in_bytes");
        let swap_file = directory.join("memory.memsw.limit_in_bytes");
        if let (Some(limit @ 1..), Some(true)) = (limit, memory.check_before_update) {
            check_usage(&directory.join("memory.usage_in_bytes"), limit)?;
        }
        let mut writes: Vec<(&Path, i64, &'static str)> = Vec::new();
        writes.extend(limit.map(|value| (limit_file.as_path(), value, apply::MEMORY)));
        if let Some(value) = swap {
            match (swap_file.exists(), value) {
                (true, _) => writes.push((&swap_file, value, apply::SWAP)),
                (false, ..=-1) => {} // Unlimited is what it is without accounting.
                (false, _) => {
                    let needs = "swap accounting (boot with swapaccount=1)".to_owned();
                    return Err(Error::NotSupported { option: apply::SWAP, needs });
                }
            }
        }
        // memory must never exceed memory+swap: when growing beyond the old sum, the sum goes first.
        if writes.len() == 2
            && (new < 0
                || u64::try_from(new)
                    .is_ok_and(|new| file::read_number(&swap_file).is_ok_and(|old| new > old)))
        {
            writes.reverse();
        }
        writes.iter().try_for_each(|(path, value, option)| set(path, &value.to_string(), option))
    }

    fn block(&self, block: &BlockIo) -> Result<(), Error> {
        if let Some(weight) = block.leaf_weight.filter(|weight| *weight != 0) {
            // CFQ's, and gone with it (Linux 5.0).
            let path = self.optional_file(apply::LEAF_WEIGHT, "blkio", "blkio.leaf_weight")?;
            set(&path, &weight.to_string(), apply::LEAF_WEIGHT)?;
        }
        if let Some(weight) = block.weight.filter(|weight| *weight != 0) {
            let path = self.weight_file(apply::WEIGHT, "weight")?;
            set(&path, &weight.to_string(), apply::WEIGHT)?;
        }
        for device in &block.weight_device {
            if let Some(weight) = device.leaf_weight.filter(|weight| *weight != 0) {
                let path = self.optional_file(apply::LEAF_WEIGHT, "blkio", "blkio.leaf_weight_device")?;
                set(&path, &format!("{}:{} {weight}", device.major, device.minor), apply::LEAF_WEIGHT)?;
            }
            let Some(weight) = device.weight else { continue };
            let path = self.weight_file(apply::WEIGHT_DEVICE, "weight_device")?;
            set(&path, &format!("{}:{} {weight}", device.major, device.minor), apply::WEIGHT_DEVICE)?;
        }
        for (devices, name, _) in apply::throttles(block) {
            for device in devices {
                let path = self.optional_file(apply::THROTTLE, "blkio", name)?;
                set(&path, &format!("{}:{} {}", device.major, device.minor, device.rate), apply::THROTTLE)?;
            }
        }
        Ok(())
    }

    /// Returns CFQ's file or, since Linux 5.0, BFQ's.
    fn weight_file(&self, option: &'static str, name: &str) -> Result<PathBuf, Error> {
        let old = self.file(option, "blkio", &format!("blkio.{name}"))?;
        if old.exists() { Ok(old) } else { self.optional_file(option, "blkio", &format!("blkio.bfq.{name}")) }
    }

    fn network(&self, network: &Network) -> Result<(), Error> {
        if let Some(class) = network.class_id.filter(|class| *class != 0) {
            file::write(&self.file(apply::CLASS, "net_cls", "net_cls.classid")?, &class.to_string())?;
        }
        for interface in &network.priorities {
            let path = self.file(apply::PRIORITIES, "net_prio", "net_prio.ifpriomap")?;
            set(&path, &format!("{} {}", interface.name, interface.priority), apply::PRIORITIES)?;
        }
        Ok(())
    }

    fn devices(&self, rules: &[oci::runtime::DeviceRule]) -> Result<(), Error> {
        if rules.is_empty() {
            return Ok(());
        }
        let directory = self.controller("devices").ok_or_else(|| missing(apply::DEVICES, "devices"))?;
        let (allow, deny) = (directory.join("devices.allow"), directory.join("devices.deny"));
        let rules = device::v1_rules(&apply::device_rules(rules)?);
        rules
            .iter()
            .try_for_each(|rule| file::write(if rule.allow { &allow } else { &deny }, &rule.v1_line()))
    }
}

/// Writes a value that comes from the user: EINVAL and ERANGE are the value's fault, not ours.
pub(crate) fn set(path: &Path, value: &str, option: &'static str) -> Result<(), Error> {
    const EBUSY: i32 = 16;
    const EINVAL: i32 = 22;
    const ERANGE: i32 = 34;
    const EACCES: i32 = 13;
    let text = match file::write_raw(path, value) {
        Ok(()) => return Ok(()),
        Err(error) => match error.raw_os_error() {
            Some(EINVAL | ERANGE) => format!("the kernel does not accept {value:?}"),
            Some(EACCES) if option == apply::CPUS || option == apply::MEMS => {
                format!("{value:?} is not within what the parent cgroup has")
            }
            Some(EBUSY) if option == apply::MEMORY => {
                format!("more than {value} bytes are in use and cannot be freed")
            }
            _ => return Err(file::failed("write", path, Some(value), error)),
        },
    };
    Err(Error::Value { option, text })
}

/// Refuses a limit below the present use.
pub(crate) fn check_usage(path: &Path, limit: i64) -> Result<(), Error> {
    let usage = file::read_number(path)?;
    match u64::try_from(limit) {
        Ok(limit) if limit < usage => {
            let text = format!("{limit} bytes are less than the {usage} bytes in use");
            Err(Error::Value { option: apply::MEMORY, text })
        }
        _ => Ok(()),
    }
}

/// Returns a line of `rdma.max`, which v1 and v2 share.
pub(crate) fn rdma_line(device: &str, handles: Option<u32>, objects: Option<u32>) -> String {
    let part =
        |name: &str, value: Option<u32>| value.map(|value| format!(" {name}={value}")).unwrap_or_default();
    format!("{device}{}{}", part("hca_handle", handles), part("hca_object", objects))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rdma_line_has_only_what_is_set() {
        assert_eq!(rdma_line("mlx5_1", Some(3), None), "mlx5_1 hca_handle=3");
        assert_eq!(rdma_line("mlx5_1", Some(3), Some(9)), "mlx5_1 hca_handle=3 hca_object=9");
    }
}
