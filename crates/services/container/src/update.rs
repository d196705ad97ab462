//! Changing the limits and the restart policy of a container. Pure; the actor carries it out.
//!
//! # Source
//! moby daemon/update_linux.go and container/container_unix.go `UpdateContainer` (behaviour of Docker 28.5.2).

use crate::create::{self, Purpose};
use crate::facts::HostFacts;
use crate::options::Update;
use crate::spec::{HostConfig, Resources, RestartPolicy};
use crate::{Error, ports, spec};
use refs::ContainerId;

/// What a container is to be like after an update.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    /// The host configuration.
    pub(crate) host: HostConfig,
    /// What cannot be done on this host.
    pub(crate) warnings: Vec<String>,
}

/// Returns what a container becomes.
///
/// # Errors
/// InvalidArgument and Conflict with Docker's texts.
pub(crate) fn plan(
    id: &ContainerId,
    present: &HostConfig,
    update: &Update,
    facts: &HostFacts,
) -> Result<Plan, Error> {
    let mut wanted = update.resources.clone();
    let warnings = create::check_limits(&mut wanted, facts, Purpose::Update)?;
    let conflict = |why: &'static str| Error::Update { id: id.clone(), why: why.to_owned() };
    check_conflicts(&present.resources, &wanted).map_err(conflict)?;
    let mut host = present.clone();
    if let Some(restart) = update.restart {
        if present.auto_remove && restart != RestartPolicy::No {
            return Err(conflict(
                "Restart policy cannot be updated because AutoRemove is enabled for the container",
            ));
        }
        host.restart = restart;
    }
    merge(&mut host.resources, wanted);
    ports::change(&mut host, &update.publish_add, &update.publish_remove)?;
    Ok(Plan { host, warnings })
}

fn check_conflicts(present: &Resources, wanted: &Resources) -> Result<(), &'static str> {
    if wanted.cpu_period_us > 0 && present.nano_cpus > 0 {
        return Err("Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set");
    }
    if wanted.cpu_quota_us > 0 && present.nano_cpus > 0 {
        return Err("Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set");
    }
    if wanted.nano_cpus > 0 && present.cpu_period_us > 0 {
        return Err("Conflicting options: NanoCPUs cannot be updated as CPU Period has already been set");
    }
    if wanted.nano_cpus > 0 && present.cpu_quota_us > 0 {
        return Err("Conflicting options: NanoCPUs cannot be updated as CPU Quota has already been set");
    }
    if wanted.memory_bytes > present.memory_swap_bytes
        && wanted.memory_bytes != 0
        && wanted.memory_swap_bytes == 0
    {
        return Err(
            "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time",
        );
    }
    Ok(())
}

/// What is not given stays. Zero cannot be given: clients send it for all that they do not mean.
fn merge(present: &mut Resources, wanted: spec::Resources) {
    let numbers = [
        (&mut present.memory_bytes, wanted.memory_bytes),
        (&mut present.memory_swap_bytes, wanted.memory_swap_bytes),
        (&mut present.memory_reservation_bytes, wanted.memory_reservation_bytes),
        (&mut present.nano_cpus, wanted.nano_cpus),
        (&mut present.cpu_shares, wanted.cpu_shares),
        (&mut present.cpu_period_us, wanted.cpu_period_us),
        (&mut present.cpu_quota_us, wanted.cpu_quota_us),
    ];
    for (field, value) in numbers {
        if value != 0 {
            *field = value;
        }
    }
    for (field, value) in
        [(&mut present.cpuset_cpus, wanted.cpuset_cpus), (&mut present.cpuset_mems, wanted.cpuset_mems)]
    {
        if !value.is_empty() {
            *field = value;
        }
    }
    if wanted.blkio_weight != 0 {
        present.blkio_weight = wanted.blkio_weight;
    }
    // Docker shows a limit that was taken away as 0, one that never was as null.
    present.pids_limit = wanted.pids_limit.map(|limit| limit.max(0)).or(present.pids_limit);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::testing::host_config;

    fn id() -> ContainerId {
        ContainerId::generate([7; 32])
    }

    fn planned(present: Resources, wanted: Resources) -> Result<Resources, String> {
        let host = HostConfig { resources: present, ..host_config() };
        let update = Update { resources: wanted, ..Update::default() };
        plan(&id(), &host, &update, &crate::facts::example())
            .map(|plan| plan.host.resources)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_not_given_stays() {
        let present =
            Resources { memory_bytes: 64 << 20, memory_swap_bytes: 128 << 20, ..Resources::default() };
        let wanted = Resources { cpu_shares: 512, pids_limit: Some(-1), ..Resources::default() };
        let got = planned(present.clone(), wanted).unwrap();
        assert_eq!(got, Resources { cpu_shares: 512, pids_limit: Some(0), ..present.clone() });
        assert_eq!(planned(present.clone(), Resources::default()).unwrap(), present);
    }

    #[test]
    fn conflicts_have_dockers_texts() {
        let nano = Resources { nano_cpus: 500_000_000, ..Resources::default() };
        let quota = Resources { cpu_quota_us: 20_000, ..Resources::default() };
        let memory = Resources { memory_bytes: 64 << 20, ..Resources::default() };
        let cases = [
            (nano.clone(), quota.clone(), "CPU Quota cannot be updated as NanoCPUs has already been set"),
            (quota, nano, "NanoCPUs cannot be updated as CPU Quota has already been set"),
            (Resources::default(), memory, "update the memoryswap at the same time"),
        ];
        for (present, wanted, expected) in cases {
            let text = planned(present, wanted).unwrap_err();
            assert!(text.starts_with(&format!("Cannot update container {}: ", id())), "{text}");
            assert!(text.ends_with(expected), "{text}");
        }
        let small = Resources { memory_bytes: 1000, ..Resources::default() };
        assert_eq!(
            planned(Resources::default(), small),
            Err("Minimum memory limit allowed is 6MB".to_owned())
        );
        // Unlike at creation, swap alone may be given: the memory limit may be set already.
        let swap = Resources { memory_swap_bytes: 64 << 20, ..Resources::default() };
        assert!(planned(Resources::default(), swap).is_ok());
    }

    #[test]
    fn container_that_removes_itself_takes_no_restart_policy() {
        let host = HostConfig { auto_remove: true, ..host_config() };
        let update = |restart| Update { restart: Some(restart), ..Update::default() };
        let facts = crate::facts::example();
        let refused = plan(&id(), &host, &update(RestartPolicy::Always), &facts).unwrap_err();
        assert!(refused.to_string().contains("because AutoRemove is enabled"), "{refused}");
        assert!(plan(&id(), &host, &update(RestartPolicy::No), &facts).is_ok());
    }
}
