//! `naru update`.

use wire::container::ContainerUpdate;
use wire::host_config::PortBinding;

use crate::command::{Arity, Command, Completes, Run};
use crate::context::{Context, line, warn};
use crate::failure::{Failure, Outcome};
use crate::flags::{Flag, Matches, Missing, int, parse_int};
use crate::run::{check, ports, restart};

const REALTIME: &str = "real-time scheduling limits do not exist yet";

/// `naru update`.
pub(crate) const UPDATE: Command = Command {
    also: &["container update", "update"],
    flags: &[
        Flag::one(
            "blkio-weight",
            "uint16",
            "Block IO (relative weight), between 10 and 1000, or 0 to disable (default 0)",
        )
        .check(check::weight),
        Flag::one("cpu-period", "int", "Limit CPU CFS (Completely Fair Scheduler) period").check(int),
        Flag::one("cpu-quota", "int", "Limit CPU CFS (Completely Fair Scheduler) quota").check(int),
        Flag::one("cpu-shares", "int", "CPU shares (relative weight)").short('c').check(int),
        Flag::one("cpus", "decimal", "Number of CPUs").check(check::cpus),
        Flag::one("cpuset-cpus", "string", "CPUs in which to allow execution (0-3, 0,1)"),
        Flag::one("cpuset-mems", "string", "MEMs in which to allow execution (0-3, 0,1)"),
        Flag::one("memory", "bytes", "Memory limit").short('m').check(check::bytes),
        Flag::one("memory-reservation", "bytes", "Memory soft limit").check(check::bytes),
        Flag::one(
            "memory-swap",
            "bytes",
            "Swap limit equal to memory plus swap: -1 to enable unlimited swap",
        )
        .check(check::swap),
        Flag::one("pids-limit", "int", "Tune container pids limit (set -1 for unlimited)").check(int),
        Flag::many("publish-add", "list", "Publish a further port of the container (like run -p)"),
        Flag::many("publish-rm", "list", "Give a published port up: [[ip:]host-port:]port[/protocol]"),
        Flag::one("restart", "string", "Restart policy to apply when a container exits"),
    ],
    missing: &[
        Missing::new("cpu-rt-period", REALTIME),
        Missing::new("cpu-rt-runtime", REALTIME),
        Missing::new("kernel-memory", "the kernel does not have this limit any more"),
    ],
    completes: Completes::Containers,
    ..Command::new(
        "[OPTIONS] CONTAINER [CONTAINER...]",
        "Update configuration of one or more containers",
        Arity::AtLeast(1),
        update,
    )
};

fn update<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(work(context, flags))
}

async fn work(context: &Context, flags: &Matches) -> Outcome {
    if !UPDATE.flags.iter().any(|flag| flags.given(flag.name)) {
        return Err(Failure::new("you must provide one or more flags when using this command"));
    }
    let body = request(flags).map_err(Failure::new)?;
    let client = context.engine().await?;
    let (mut warnings, mut failures) = (Vec::new(), Vec::new());
    for name in &flags.args {
        match client.update(name, &body).await {
            Ok(updated) => {
                line(name)?;
                warnings.extend(updated.warnings.unwrap_or_default());
            }
            Err(error) => failures.push(Failure::from(error)),
        }
    }
    warnings.iter().for_each(|warning| warn(warning));
    Failure::all(failures)
}

/// Returns the request that the flags stand for.
fn request(flags: &Matches) -> Result<ContainerUpdate, String> {
    let int = |name: &str| flags.int(name).unwrap_or(0);
    let bytes = |name: &str| flags.last(name).map_or(Ok(0), check::parse_bytes);
    let weight = flags.last("blkio-weight").and_then(|text| parse_int(text).ok()).unwrap_or(0);
    Ok(ContainerUpdate {
        blkio_weight: u16::try_from(weight).unwrap_or(0),
        cpu_period: int("cpu-period"),
        cpu_quota: int("cpu-quota"),
        cpu_shares: int("cpu-shares"),
        nano_cpus: flags.last("cpus").map_or(Ok(0), check::parse_cpus)?,
        cpuset_cpus: flags.text("cpuset-cpus").to_owned(),
        cpuset_mems: flags.text("cpuset-mems").to_owned(),
        memory: bytes("memory")?,
        memory_reservation: bytes("memory-reservation")?,
        memory_swap: flags.last("memory-swap").map_or(Ok(0), check::parse_swap)?,
        pids_limit: flags.int("pids-limit"),
        publish_add: published(flags, "publish-add")?,
        publish_remove: published(flags, "publish-rm")?.map(anywhere),
        restart_policy: flags.last("restart").map(restart).transpose()?,
        ..ContainerUpdate::default()
    })
}

/// Reads ports in the form of `run -p`; none without the flag.
fn published(flags: &Matches, name: &'static str) -> Result<Option<ports::Bindings>, String> {
    let bindings = ports::published(&flags.all(name))?;
    Ok((!bindings.is_empty()).then_some(bindings))
}

/// A port of the container alone stands for wherever it is published.
fn anywhere(bindings: ports::Bindings) -> ports::Bindings {
    let given = |list: Vec<PortBinding>| -> Vec<PortBinding> {
        list.into_iter().filter(|binding| *binding != PortBinding::default()).collect()
    };
    bindings.into_iter().map(|(port, list)| (port, list.map(given))).collect()
}
