//! `pause` and `resume`.

use super::{Call, Command};
use crate::Error;
use crate::flags::Order;
use crate::global::Global;
use crate::store::Status;

pub(super) const PAUSE: Command = Command {
    name: "pause",
    arguments: "ID",
    help: "freeze all processes of a container",
    flags: &[],
    order: Order::Anywhere,
    failure_code: 1,
    run: pause,
};

pub(super) const RESUME: Command = Command {
    name: "resume",
    arguments: "ID",
    help: "let the processes of a paused container go on",
    flags: &[],
    order: Order::Anywhere,
    failure_code: 1,
    run: resume,
};

fn pause(global: &Global, call: Call) -> Result<u8, Error> {
    let container = global.store.open(call.id()?)?;
    match container.status() {
        Status::Running | Status::Created => container.record.cgroup()?.freeze()?,
        _ => return Err(Error::Status("container not running or created: not running".into())),
    }
    Ok(0)
}

fn resume(global: &Global, call: Call) -> Result<u8, Error> {
    let container = global.store.open(call.id()?)?;
    let cgroup = container.record.cgroup()?;
    // Not by its status: a created container that was paused waits at its socket all the same.
    if container.record.process().is_none() || !cgroup.frozen()? {
        return Err(Error::Status("container not paused".into()));
    }
    cgroup.thaw()?;
    Ok(0)
}
