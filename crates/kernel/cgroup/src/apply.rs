//! Setting limits: what is common to v1 and v2.

use crate::device::{Access, DeviceKind, DeviceRule};
use crate::{Cgroup, Error, Mode};
use oci::runtime::{BlockIo, Memory, Resources, ThrottleDevice};

impl Cgroup {
    /// Changes the limits of a group that may be running. What `resources` leaves out stays as it is.
    ///
    /// Values are OCI's, in v1's terms; on v2 they are converted as runc does.
    ///
    /// # Errors
    /// InvalidArgument for a limit without a controller on this machine, or a value out of range; Unimplemented for
    /// what the kernel no longer has (kernel memory). Limits that were set before the failing one stay set.
    pub fn apply(&self, resources: &Resources) -> Result<(), Error> {
        self.apply_all(resources)
    }

    pub(crate) fn apply_all(&self, resources: &Resources) -> Result<(), Error> {
        if resources.memory.as_ref().is_some_and(|memory| memory.kernel.is_some_and(|limit| limit > 0)) {
            return Err(Error::NotImplemented("linux.resources.memory.kernel (--kernel-memory)"));
        }
        match self.mode {
            Mode::V1 | Mode::Hybrid => self.apply_v1(resources),
            Mode::V2 => self.apply_v2(resources),
        }
    }
}

/// Returns the error for a limit whose controller is missing.
pub(crate) fn missing(option: &'static str, controller: &str) -> Error {
    Error::NotSupported { option, needs: format!("the {controller} cgroup controller") }
}

/// Checks the size of huge pages, which becomes a part of a file's name.
pub(crate) fn page_size(text: &str) -> Result<&str, Error> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    match text.get(digits..) {
        Some("KB" | "MB" | "GB") if digits > 0 => Ok(text),
        _ => Err(Error::Value { option: HUGE_PAGES, text: format!("{text:?} is no size like 2MB") }),
    }
}

/// Converts device rules.
pub(crate) fn device_rules(rules: &[oci::runtime::DeviceRule]) -> Result<Vec<DeviceRule>, Error> {
    const OPTION: &str = "linux.resources.devices (--device-cgroup-rule)";
    let refuse = |text: String| Error::Value { option: OPTION, text };
    let number = |value: Option<i64>| match value {
        None | Some(-1) => Ok(None), // -1 is what runc's and Docker's specifications have for "all".
        Some(value) => u32::try_from(value)
            .map(Some)
            .map_err(|_| refuse(format!("device number {value} is out of range"))),
    };
    let convert = |rule: &oci::runtime::DeviceRule| {
        let kind = match rule.kind.as_deref() {
            None | Some("" | "a") => DeviceKind::All,
            Some("c" | "u") => DeviceKind::Char,
            Some("b") => DeviceKind::Block,
            Some(other) => return Err(refuse(format!("unknown device type {other:?}"))),
        };
        let letters = rule.access.as_deref().unwrap_or_default();
        let access = Access::parse(letters).ok_or_else(|| refuse(format!("unknown access {letters:?}")))?;
        Ok(DeviceRule {
            allow: rule.allow,
            kind,
            major: number(rule.major)?,
            minor: number(rule.minor)?,
            access,
        })
    };
    rules.iter().map(convert).collect()
}

/// Returns whether a limit is asked for: 0 and none are not.
pub(crate) fn asked(value: Option<i64>) -> Option<i64> {
    value.filter(|value| *value != 0)
}

/// Returns memory and memory-plus-swap limits; memory without limit frees swap too, else the kernel refuses it.
pub(crate) fn memory_and_swap(memory: &Memory) -> (Option<i64>, Option<i64>) {
    let (limit, swap) = (asked(memory.limit), asked(memory.swap));
    match (limit, swap) {
        (Some(..=-1), None) => (limit, Some(-1)),
        _ => (limit, swap),
    }
}

/// Returns the four lists of rates with what they are called on v1 and v2.
pub(crate) fn throttles(block: &BlockIo) -> [(&[ThrottleDevice], &'static str, &'static str); 4] {
    [
        (&block.throttle_read_bps_device, "blkio.throttle.read_bps_device", "rbps"),
        (&block.throttle_write_bps_device, "blkio.throttle.write_bps_device", "wbps"),
        (&block.throttle_read_iops_device, "blkio.throttle.read_iops_device", "riops"),
        (&block.throttle_write_iops_device, "blkio.throttle.write_iops_device", "wiops"),
    ]
}

pub(crate) const MEMORY: &str = "linux.resources.memory.limit (--memory)";
pub(crate) const SWAP: &str = "linux.resources.memory.swap (--memory-swap)";
pub(crate) const RESERVATION: &str = "linux.resources.memory.reservation (--memory-reservation)";
pub(crate) const SWAPPINESS: &str = "linux.resources.memory.swappiness (--memory-swappiness)";
pub(crate) const OOM_KILLER: &str = "linux.resources.memory.disableOOMKiller (--oom-kill-disable)";
pub(crate) const KERNEL_TCP: &str = "linux.resources.memory.kernelTCP";
pub(crate) const SHARES: &str = "linux.resources.cpu.shares (--cpu-shares)";
pub(crate) const QUOTA: &str = "linux.resources.cpu.quota (--cpus, --cpu-quota)";
pub(crate) const PERIOD: &str = "linux.resources.cpu.period (--cpu-period)";
pub(crate) const BURST: &str = "linux.resources.cpu.burst";
pub(crate) const IDLE: &str = "linux.resources.cpu.idle";
pub(crate) const REALTIME: &str = "linux.resources.cpu.realtimeRuntime (--cpu-rt-runtime)";
pub(crate) const CPUS: &str = "linux.resources.cpu.cpus (--cpuset-cpus)";
pub(crate) const MEMS: &str = "linux.resources.cpu.mems (--cpuset-mems)";
pub(crate) const PIDS: &str = "linux.resources.pids.limit (--pids-limit)";
pub(crate) const WEIGHT: &str = "linux.resources.blockIO.weight (--blkio-weight)";
pub(crate) const WEIGHT_DEVICE: &str = "linux.resources.blockIO.weightDevice (--blkio-weight-device)";
pub(crate) const LEAF_WEIGHT: &str = "linux.resources.blockIO.leafWeight";
pub(crate) const THROTTLE: &str = "linux.resources.blockIO.throttle… (--device-read-bps and the like)";
pub(crate) const HUGE_PAGES: &str = "linux.resources.hugepageLimits";
pub(crate) const CLASS: &str = "linux.resources.network.classID";
pub(crate) const PRIORITIES: &str = "linux.resources.network.priorities";
pub(crate) const RDMA: &str = "linux.resources.rdma";
pub(crate) const UNIFIED: &str = "linux.resources.unified";
pub(crate) const DEVICES: &str = "linux.resources.devices";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_rules_convert_numbers_and_letters() {
        let rule = |kind: &str, major, access: &str| oci::runtime::DeviceRule {
            allow: true,
            kind: Some(kind.into()),
            major,
            minor: None,
            access: Some(access.into()),
        };
        let got = device_rules(&[rule("c", Some(-1), "rm")]).expect("valid");
        let access = Access { read: true, write: false, mknod: true };
        assert_eq!(
            got,
            [DeviceRule { allow: true, kind: DeviceKind::Char, major: None, minor: None, access }]
        );
        for bad in [rule("x", None, "r"), rule("c", Some(1 << 40), "r"), rule("c", None, "rx")] {
            assert!(matches!(device_rules(&[bad]), Err(Error::Value { .. })));
        }
    }

    #[test]
    fn memory_without_limit_frees_swap() {
        let memory = |limit, swap| Memory { limit, swap, ..Memory::default() };
        assert_eq!(memory_and_swap(&memory(Some(-1), None)), (Some(-1), Some(-1)));
        assert_eq!(memory_and_swap(&memory(Some(5), Some(0))), (Some(5), None));
        assert_eq!(memory_and_swap(&memory(None, Some(-1))), (None, Some(-1)));
    }
}
