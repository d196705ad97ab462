//! Which limits this machine can enforce.

use crate::{Cgroups, Mode, file};
use std::path::Path;

/// Which limits can be enforced; what `docker info` reports, and what decides whether a limit is taken, warned
/// about, or refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Whether the machine has one v2 tree.
    pub v2: bool,
    /// Memory.
    pub memory: bool,
    /// Memory and swap together.
    pub swap: bool,
    /// The soft memory limit.
    pub memory_reservation: bool,
    /// Switching the OOM killer off; v1 only.
    pub oom_kill_disable: bool,
    /// Swappiness; v1 only.
    pub swappiness: bool,
    /// TCP buffer memory; v1 only.
    pub kernel_memory_tcp: bool,
    /// Relative CPU weight.
    pub cpu_shares: bool,
    /// CPU period and quota.
    pub cpu_cfs: bool,
    /// Real-time CPU budget; v1 only.
    pub cpu_realtime: bool,
    /// Pinning to CPUs and memory nodes.
    pub cpuset: bool,
    /// The number of processes.
    pub pids: bool,
    /// Relative block IO weight.
    pub block_weight: bool,
    /// Block IO rates.
    pub block_throttle: bool,
    /// Huge pages.
    pub huge_pages: bool,
    /// Devices.
    pub devices: bool,
    /// Pausing.
    pub freezer: bool,
}

impl Cgroups {
    /// Finds out which limits this machine can enforce.
    pub fn limits(&self) -> Limits {
        match self.mode {
            Mode::V1 | Mode::Hybrid => self.limits_v1(),
            Mode::V2 => self.limits_v2(),
        }
    }

    fn limits_v1(&self) -> Limits {
        let has = |controller, name| self.v1_root(controller).is_some_and(|root| root.join(name).exists());
        Limits {
            v2: false,
            memory: self.v1_root("memory").is_some(),
            swap: has("memory", "memory.memsw.limit_in_bytes"),
            memory_reservation: has("memory", "memory.soft_limit_in_bytes"),
            oom_kill_disable: has("memory", "memory.oom_control"),
            swappiness: has("memory", "memory.swappiness"),
            kernel_memory_tcp: has("memory", "memory.kmem.tcp.limit_in_bytes"),
            // The cpu files exist only below the root.
            cpu_shares: self.v1_root("cpu").is_some(),
            cpu_cfs: self.v1_root("cpu").is_some()
                && Path::new("/proc/sys/kernel/sched_cfs_bandwidth_slice_us").exists(),
            cpu_realtime: has("cpu", "cpu.rt_runtime_us"),
            cpuset: self.v1_root("cpuset").is_some(),
            pids: self.v1_root("pids").is_some(),
            block_weight: has("blkio", "blkio.weight") || has("blkio", "blkio.bfq.weight"),
            block_throttle: has("blkio", "blkio.throttle.read_bps_device"),
            huge_pages: self.v1_root("hugetlb").is_some(),
            devices: self.v1_root("devices").is_some(),
            freezer: self.v1_root("freezer").is_some() || self.unified.is_some(),
        }
    }

    fn limits_v2(&self) -> Limits {
        let has = |controller: &str| self.controllers.iter().any(|known| known == controller);
        let has_file =
            |controller: &str, name: &str| has(controller) && self.file_in_some_group(name).unwrap_or(true);
        Limits {
            v2: true,
            memory: has("memory"),
            swap: has_file("memory", "memory.swap.max"),
            memory_reservation: has("memory"),
            oom_kill_disable: false,
            swappiness: false,
            kernel_memory_tcp: false,
            cpu_shares: has("cpu"),
            cpu_cfs: has_file("cpu", "cpu.max"),
            cpu_realtime: false,
            cpuset: has("cpuset"),
            pids: has("pids"),
            block_weight: has_file("io", "io.weight") || has_file("io", "io.bfq.weight"),
            block_throttle: has_file("io", "io.max"),
            huge_pages: has("hugetlb"),
            devices: true,
            freezer: true,
        }
    }

    /// Returns whether a group one level below the root has a file that the root itself never has; none if no group
    /// can tell, because there is none yet or its controllers are off.
    fn file_in_some_group(&self, name: &str) -> Option<bool> {
        let root = self.unified.as_deref()?;
        let controller = name.split('.').next()?;
        let enabled = file::read(&root.join("cgroup.subtree_control")).ok()?;
        if !enabled.split(' ').any(|known| known == controller) {
            return None;
        }
        let group = crate::group::children(root).into_iter().next()?;
        Some(group.join(name).exists())
    }
}

impl Limits {
    /// Returns the warnings of `docker info`, in its order and wording.
    ///
    /// # Source
    /// moby `daemon/info_unix.go` (v28.5).
    pub fn warnings(&self) -> Vec<&'static str> {
        let v1 = !self.v2;
        let throttle = !self.block_throttle;
        let rows = [
            (!self.memory, "WARNING: No memory limit support"),
            (!self.swap, "WARNING: No swap limit support"),
            (!self.kernel_memory_tcp && v1, "WARNING: No kernel memory TCP limit support"),
            (!self.oom_kill_disable && v1, "WARNING: No oom kill disable support"),
            (!self.cpu_cfs, "WARNING: No cpu cfs quota support"),
            (!self.cpu_cfs, "WARNING: No cpu cfs period support"),
            (!self.cpu_shares, "WARNING: No cpu shares support"),
            (!self.cpuset, "WARNING: No cpuset support"),
            (!self.block_weight && self.v2, "WARNING: No io.weight support"),
            (!self.block_weight && self.v2, "WARNING: No io.weight (per device) support"),
            (throttle && self.v2, "WARNING: No io.max (rbps) support"),
            (throttle && v1, "WARNING: No blkio throttle.read_bps_device support"),
            (throttle && self.v2, "WARNING: No io.max (wbps) support"),
            (throttle && v1, "WARNING: No blkio throttle.write_bps_device support"),
            (throttle && self.v2, "WARNING: No io.max (riops) support"),
            (throttle && v1, "WARNING: No blkio throttle.read_iops_device support"),
            (throttle && self.v2, "WARNING: No io.max (wiops) support"),
            (throttle && v1, "WARNING: No blkio throttle.write_iops_device support"),
        ];
        rows.into_iter().filter_map(|(missing, text)| missing.then_some(text)).collect()
    }
}
