//! Limits of the cgroup, and devices.

use crate::facts::{HostDevice, HostFacts};
use crate::spec::{HostConfig, Resources as Wanted};
use oci::runtime::{BlockIo, Cpu, Device, DeviceRule, DeviceType, Memory, Pids, Resources};

/// The CFS period that `--cpus` is expressed in.
const PERIOD_US: i64 = 100_000;

/// Character devices that each container may use: zero, null, full, random, urandom, tty, console, ptmx, terminals.
///
/// # Source
/// Docker 28.5 with runc 1.3: `devices.list` of a plain container.
const PERMITTED: [(i64, Option<i64>); 9] = [
    (1, Some(5)),
    (1, Some(3)),
    (1, Some(7)),
    (1, Some(8)),
    (1, Some(9)),
    (5, Some(0)),
    (5, Some(1)),
    (5, Some(2)),
    (136, None),
];

/// Returns the limits. What the host cannot enforce was warned about at create and is left out.
pub(super) fn build(host: &HostConfig, devices: &[HostDevice], facts: &HostFacts) -> Resources {
    let wanted = &host.resources;
    Resources {
        devices: device_rules(host, devices),
        memory: memory(wanted, facts),
        cpu: cpu(wanted),
        pids: wanted.pids_limit.filter(|limit| *limit > 0).map(|limit| Pids { limit: Some(limit) }),
        block_io: (wanted.blkio_weight > 0 && facts.limits.block_weight)
            .then(|| BlockIo { weight: Some(wanted.blkio_weight), ..BlockIo::default() }),
        ..Resources::default()
    }
}

/// Returns the limits of a container that runs, after a change: devices stay as they are.
pub(crate) fn changed(host: &HostConfig, facts: &HostFacts) -> Resources {
    // A limit that was taken away is 0 in the record.
    let pids =
        host.resources.pids_limit.map(|limit| Pids { limit: Some(if limit > 0 { limit } else { -1 }) });
    Resources { devices: Vec::new(), pids, ..build(host, &[], facts) }
}

fn memory(wanted: &Wanted, facts: &HostFacts) -> Option<Memory> {
    let nonzero = |value: i64| (value != 0).then_some(value);
    let memory = Memory {
        limit: nonzero(wanted.memory_bytes),
        reservation: nonzero(wanted.memory_reservation_bytes),
        swap: nonzero(wanted.memory_swap_bytes).filter(|_| facts.limits.swap),
        swappiness: wanted
            .memory_swappiness
            .filter(|_| facts.limits.swappiness)
            .and_then(|value| u64::try_from(value).ok()),
        disable_oom_killer: wanted.oom_kill_disable.filter(|_| facts.limits.oom_kill_disable),
        ..Memory::default()
    };
    (memory != Memory::default()).then_some(memory)
}

fn cpu(wanted: &Wanted) -> Option<Cpu> {
    let text = |value: &String| (!value.is_empty()).then(|| value.clone());
    let positive = |value: i64| u64::try_from(value).ok().filter(|value| *value > 0);
    let mut cpu = Cpu {
        shares: positive(wanted.cpu_shares),
        quota: (wanted.cpu_quota_us != 0).then_some(wanted.cpu_quota_us),
        period: positive(wanted.cpu_period_us),
        cpus: text(&wanted.cpuset_cpus),
        mems: text(&wanted.cpuset_mems),
        ..Cpu::default()
    };
    if wanted.nano_cpus > 0 {
        cpu.period = positive(PERIOD_US);
        cpu.quota = Some(wanted.nano_cpus.saturating_mul(PERIOD_US) / 1_000_000_000);
    }
    (cpu != Cpu::default()).then_some(cpu)
}

fn device_rules(host: &HostConfig, devices: &[HostDevice]) -> Vec<DeviceRule> {
    if host.privileged {
        return vec![DeviceRule { allow: true, access: Some("rwm".to_owned()), ..DeviceRule::default() }];
    }
    let rule = |allow, kind: &str, major, minor, access: &str| DeviceRule {
        allow,
        kind: Some(kind.to_owned()),
        major,
        minor,
        access: Some(access.to_owned()),
    };
    let mut rules =
        vec![DeviceRule { allow: false, access: Some("rwm".to_owned()), ..DeviceRule::default() }];
    // Docker's own list has neither mknod, nor full, nor terminals: its runtime adds them to every list.
    for kind in ["c", "b"] {
        rules.push(rule(true, kind, None, None, "m"));
    }
    for (major, minor) in PERMITTED {
        rules.push(rule(true, "c", Some(major), minor, "rwm"));
    }
    // /dev/fuse needs a word of its own: it is denied unless it was asked for.
    rules.push(rule(false, "c", Some(10), Some(229), "rwm"));
    for device in devices {
        let kind = match device.kind {
            DeviceType::Block => "b",
            DeviceType::Char | DeviceType::Unbuffered | DeviceType::Fifo => "c",
        };
        rules.push(rule(true, kind, Some(device.major), Some(device.minor), &device.permissions));
    }
    rules.extend(host.resources.device_cgroup_rules.iter().filter_map(|text| parse_rule(text)));
    rules
}

/// Reads `c 1:3 rwm`, `a *:* rwm`, `b 8:* r`; none if it is something else.
pub(crate) fn parse_rule(text: &str) -> Option<DeviceRule> {
    let mut words = text.split(' ');
    let (kind, numbers, access) = (words.next()?, words.next()?, words.next()?);
    let known_access =
        !access.is_empty() && access.len() <= 3 && access.bytes().all(|byte| b"rwm".contains(&byte));
    if words.next().is_some() || !["a", "b", "c"].contains(&kind) || !known_access {
        return None;
    }
    let number = |text: &str| match text {
        "*" => Some(None),
        digits => digits.parse::<i64>().ok().filter(|value| *value >= 0).map(Some),
    };
    let (major, minor) = numbers.split_once(':')?;
    Some(DeviceRule {
        allow: true,
        kind: Some(kind.to_owned()),
        major: number(major)?,
        minor: number(minor)?,
        access: Some(access.to_owned()),
    })
}

/// Returns the device file that is made in the container.
pub(super) fn device(device: &HostDevice) -> Device {
    Device {
        path: device.path.clone(),
        kind: device.kind,
        major: device.major,
        minor: device.minor,
        file_mode: Some(device.mode),
        uid: Some(device.uid),
        gid: Some(device.gid),
    }
}
