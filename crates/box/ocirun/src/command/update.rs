//! `update`: other limits for a container that runs.

use super::{Call, Command};
use crate::flags::{Given, Order, text};
use crate::global::Global;
use crate::store::Status;
use crate::{Error, bundle};
use oci::runtime::Resources;
use std::io::Read as _;
use std::path::Path;

pub(super) const UPDATE: Command = Command {
    name: "update",
    arguments: "ID",
    help: "change the limits of a container",
    flags: &[
        text(&["resources", "r"], "FILE", "the limits as linux.resources has them; - is standard input"),
        text(&["blkio-weight"], "N", "relative weight of block IO, 10 to 1000"),
        text(&["cpu-period"], "MICROSECONDS", "period of the CPU quota"),
        text(&["cpu-quota"], "MICROSECONDS", "CPU time in a period; -1 for no limit"),
        text(&["cpu-burst"], "MICROSECONDS", "unused CPU time that may be saved up"),
        text(&["cpu-share"], "N", "relative CPU weight"),
        text(&["cpu-rt-period"], "MICROSECONDS", "period of the real-time budget"),
        text(&["cpu-rt-runtime"], "MICROSECONDS", "real-time budget in a period"),
        text(&["cpuset-cpus"], "LIST", "CPUs, 0-3,7"),
        text(&["cpuset-mems"], "LIST", "memory nodes"),
        text(&["cpu-idle"], "0|1", "whether it only runs when nothing else does"),
        text(&["kernel-memory"], "BYTES", "refused by newer kernels"),
        text(&["kernel-memory-tcp"], "BYTES", "memory for TCP buffers"),
        text(&["memory"], "BYTES", "memory; -1 for no limit"),
        text(&["memory-reservation"], "BYTES", "soft limit of memory"),
        text(&["memory-swap"], "BYTES", "memory and swap together; -1 for no limit"),
        text(&["pids-limit"], "N", "number of processes; -1 for no limit"),
    ],
    order: Order::Anywhere,
    failure_code: 1,
    run: update,
};

fn update(global: &Global, call: Call) -> Result<u8, Error> {
    let container = global.store.open(call.id()?)?;
    if matches!(container.status(), Status::Stopped | Status::Creating) {
        return Err(Error::NotRunning);
    }
    let resources = match call.given.text("resources") {
        Some(file) => read(file)?,
        None => of_flags(&call.given)?,
    };
    container.record.cgroup()?.apply(&resources)?;
    Ok(0)
}

fn read(file: &str) -> Result<Resources, Error> {
    let path = Path::new(file);
    if file != "-" {
        return bundle::parse(path, &bundle::bounded(path)?);
    }
    let mut text = Vec::new();
    std::io::stdin().take(1 << 20).read_to_end(&mut text).map_err(Error::file("read", "standard input"))?;
    bundle::parse(Path::new("standard input"), &text)
}

fn of_flags(given: &Given) -> Result<Resources, Error> {
    let bytes = |name: &str| -> Result<Option<i64>, Error> {
        let parse = |text: &str| match text {
            "-1" => Ok(-1),
            text => refs::ByteSize::parse_ram(text)
                .ok()
                .and_then(|size| i64::try_from(size.0).ok())
                .ok_or_else(|| Error::usage(format!("invalid value for {name}: {text:?} is no size"))),
        };
        given.text(name).map(parse).transpose()
    };
    let owned = |name: &str| given.text(name).map(str::to_owned);
    let mut resources = Resources::default();
    let cpu = resources.cpu.get_or_insert_default();
    cpu.period = given.number("cpu-period")?;
    cpu.quota = given.number("cpu-quota")?;
    cpu.burst = given.number("cpu-burst")?;
    cpu.shares = given.number("cpu-share")?;
    cpu.realtime_period = given.number("cpu-rt-period")?;
    cpu.realtime_runtime = given.number("cpu-rt-runtime")?;
    cpu.idle = given.number("cpu-idle")?;
    cpu.cpus = owned("cpuset-cpus");
    cpu.mems = owned("cpuset-mems");
    let memory = resources.memory.get_or_insert_default();
    memory.limit = bytes("memory")?;
    memory.reservation = bytes("memory-reservation")?;
    memory.swap = bytes("memory-swap")?;
    memory.kernel = bytes("kernel-memory")?;
    memory.kernel_tcp = bytes("kernel-memory-tcp")?;
    if let Some(limit) = given.number("pids-limit")? {
        resources.pids.get_or_insert_default().limit = Some(limit);
    }
    if let Some(weight) = given.number("blkio-weight")? {
        resources.block_io.get_or_insert_default().weight = Some(weight);
    }
    Ok(resources)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags;

    #[test]
    fn flags_become_resources() {
        let line = "--memory 64m --memory-swap -1 --pids-limit 7 --cpu-share 512 --cpuset-cpus 0 x";
        let args: Vec<_> = line.split(' ').map(str::to_owned).collect();
        let given = flags::parse(UPDATE.flags, UPDATE.order, &args).expect("fine");
        let resources = of_flags(&given).expect("fine");
        let (memory, cpu) = (resources.memory.expect("some"), resources.cpu.expect("some"));
        assert_eq!((memory.limit, memory.swap), (Some(64 << 20), Some(-1)));
        assert_eq!((cpu.shares, cpu.cpus.as_deref(), cpu.quota), (Some(512), Some("0"), None));
        assert_eq!(resources.pids.expect("some").limit, Some(7));
    }
}
