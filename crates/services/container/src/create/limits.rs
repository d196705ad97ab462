//! Checks of the limits that a create request asks for.

use crate::Error;
use crate::facts::{HostFacts, format_list, parse_list};
use crate::oci_spec;
use crate::spec::Resources;
use std::collections::BTreeSet;

/// The smallest memory limit that a container can start with.
const MIN_MEMORY_BYTES: i64 = 6 << 20;

/// What limits are checked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A new container: defaults are completed.
    Create,
    /// A change: what is not given stays as it is.
    Update,
}

/// Checks the limits, completes their defaults, and takes out with a warning what this host cannot enforce.
///
/// # Errors
/// InvalidArgument with Docker's texts.
pub(crate) fn check(
    wanted: &mut Resources,
    facts: &HostFacts,
    purpose: Purpose,
) -> Result<Vec<String>, Error> {
    let mut warnings = Vec::new();
    if purpose == Purpose::Create
        && wanted.memory_bytes > 0
        && facts.limits.memory
        && wanted.memory_swap_bytes == 0
    {
        wanted.memory_swap_bytes = wanted.memory_bytes.saturating_mul(2);
    }
    check_memory(wanted, facts, &mut warnings)?;
    if purpose == Purpose::Create && wanted.memory_bytes == 0 && wanted.memory_swap_bytes > 0 {
        return Err(Error::invalid(
            "You should always set the Memory limit when using Memoryswap limit, see usage",
        ));
    }
    check_cpu(wanted, facts, &mut warnings)?;
    check_other(wanted, facts, &mut warnings)?;
    Ok(warnings)
}

fn check_memory(wanted: &mut Resources, facts: &HostFacts, warnings: &mut Vec<String>) -> Result<(), Error> {
    if wanted.memory_bytes != 0 && wanted.memory_bytes < MIN_MEMORY_BYTES {
        return Err(Error::invalid("Minimum memory limit allowed is 6MB"));
    }
    if wanted.memory_bytes > 0 && !facts.limits.memory {
        discard(warnings, "memory limit capabilities", "Limitation");
        wanted.memory_bytes = 0;
        wanted.memory_swap_bytes = -1;
    }
    if wanted.memory_bytes > 0 && !matches!(wanted.memory_swap_bytes, -1 | 0) && !facts.limits.swap {
        warnings.push(
            "Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap."
                .to_owned(),
        );
        wanted.memory_swap_bytes = -1;
    }
    if wanted.memory_bytes > 0
        && wanted.memory_swap_bytes > 0
        && wanted.memory_swap_bytes < wanted.memory_bytes
    {
        return Err(Error::invalid("Minimum memoryswap limit should be larger than memory limit, see usage"));
    }
    if wanted.memory_swappiness == Some(-1) {
        wanted.memory_swappiness = None;
    }
    if let Some(swappiness) = wanted.memory_swappiness {
        if !(0..=100).contains(&swappiness) {
            return Err(Error::invalid(format!(
                "Invalid value: {swappiness}, valid memory swappiness range is 0-100"
            )));
        }
        if !facts.limits.swappiness {
            discard(warnings, "memory swappiness capabilities", "Memory swappiness");
            wanted.memory_swappiness = None;
        }
    }
    if wanted.memory_reservation_bytes > 0 && !facts.limits.memory_reservation {
        discard(warnings, "memory soft limit capabilities", "Limitation");
        wanted.memory_reservation_bytes = 0;
    }
    if wanted.memory_reservation_bytes != 0 && wanted.memory_reservation_bytes < MIN_MEMORY_BYTES {
        return Err(Error::invalid("Minimum memory reservation allowed is 6MB"));
    }
    if wanted.memory_bytes > 0 && wanted.memory_bytes < wanted.memory_reservation_bytes {
        return Err(Error::invalid(
            "Minimum memory limit can not be less than memory reservation limit, see usage",
        ));
    }
    if wanted.oom_kill_disable.is_some() && !facts.limits.oom_kill_disable {
        if wanted.oom_kill_disable == Some(true) {
            discard(warnings, "OomKillDisable", "OomKillDisable");
        }
        wanted.oom_kill_disable = None;
    }
    if wanted.oom_kill_disable == Some(true) && wanted.memory_bytes == 0 {
        warnings.push("OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.".to_owned());
    }
    Ok(())
}

fn discard(warnings: &mut Vec<String>, what: &str, consequence: &str) {
    warnings.push(format!(
        "Your kernel does not support {what} or the cgroup is not mounted. {consequence} discarded."
    ));
}

fn check_cpu(wanted: &mut Resources, facts: &HostFacts, warnings: &mut Vec<String>) -> Result<(), Error> {
    if wanted.nano_cpus > 0 && wanted.cpu_period_us > 0 {
        return Err(Error::invalid("Conflicting options: Nano CPUs and CPU Period cannot both be set"));
    }
    if wanted.nano_cpus > 0 && wanted.cpu_quota_us > 0 {
        return Err(Error::invalid("Conflicting options: Nano CPUs and CPU Quota cannot both be set"));
    }
    if wanted.nano_cpus > 0 && !facts.limits.cpu_cfs {
        return Err(Error::invalid(
            "NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler or the cgroup is not mounted",
        ));
    }
    let count = facts.cpus.len();
    let highest = i64::try_from(count).unwrap_or(i64::MAX).saturating_mul(1_000_000_000);
    if wanted.nano_cpus < 0 || wanted.nano_cpus > highest {
        return Err(Error::invalid(format!(
            "range of CPUs is from 0.01 to {count}.00, as there are only {count} CPUs available"
        )));
    }
    if wanted.cpu_shares < 0 {
        return Err(Error::invalid(format!(
            "invalid CPU shares ({}): value must be a positive integer",
            wanted.cpu_shares
        )));
    }
    if wanted.cpu_shares > 0 && !facts.limits.cpu_shares {
        discard(warnings, "CPU shares", "Shares");
        wanted.cpu_shares = 0;
    }
    if (wanted.cpu_period_us != 0 || wanted.cpu_quota_us > 0) && !facts.limits.cpu_cfs {
        discard(warnings, "CPU CFS scheduler", "CPU period/quota");
        (wanted.cpu_period_us, wanted.cpu_quota_us) = (0, 0);
    }
    if wanted.cpu_period_us != 0 && !(1000..=1_000_000).contains(&wanted.cpu_period_us) {
        return Err(Error::invalid(
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
        ));
    }
    if wanted.cpu_quota_us > 0 && wanted.cpu_quota_us < 1000 {
        return Err(Error::invalid("CPU cfs quota can not be less than 1ms (i.e. 1000)"));
    }
    let pins = !wanted.cpuset_cpus.is_empty() || !wanted.cpuset_mems.is_empty();
    if pins && !facts.limits.cpuset {
        discard(warnings, "cpuset", "Cpuset");
        wanted.cpuset_cpus.clear();
        wanted.cpuset_mems.clear();
    }
    check_list(&wanted.cpuset_cpus, &facts.cpus, "cpuset cpus", "CPUs")?;
    check_list(&wanted.cpuset_mems, &facts.memory_nodes, "cpuset mems", "memory nodes")
}

fn check_list(text: &str, available: &BTreeSet<u32>, name: &str, things: &str) -> Result<(), Error> {
    if text.is_empty() {
        return Ok(());
    }
    let Some(wanted) = parse_list(text) else {
        return Err(Error::invalid(format!("Invalid value {text} for {name}: invalid format: {text}")));
    };
    if wanted.is_subset(available) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "Requested {things} are not available - requested {text}, available: {}",
        format_list(available)
    )))
}

fn check_other(wanted: &mut Resources, facts: &HostFacts, warnings: &mut Vec<String>) -> Result<(), Error> {
    if wanted.pids_limit.is_some_and(|limit| limit > 0) && !facts.limits.pids {
        discard(warnings, "PIDs limit", "PIDs limit");
        wanted.pids_limit = None;
    }
    if wanted.blkio_weight > 0 && !facts.limits.block_weight {
        warnings.push(
            "Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded."
                .to_owned(),
        );
        wanted.blkio_weight = 0;
    }
    if wanted.blkio_weight > 0 && !(10..=1000).contains(&wanted.blkio_weight) {
        return Err(Error::invalid("Range of blkio weight is from 10 to 1000"));
    }
    match wanted.device_cgroup_rules.iter().find(|rule| oci_spec::parse_rule(rule).is_none()) {
        Some(rule) => Err(Error::invalid(format!("invalid device cgroup rule format: '{rule}'"))),
        None => Ok(()),
    }
}
