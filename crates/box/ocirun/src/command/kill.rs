//! `kill`: a signal for a container.

use super::{Call, Command};
use crate::Error;
use crate::flags::{Order, switch};
use crate::global::Global;
use sys::process::Signal;

pub(super) const KILL: Command = Command {
    name: "kill",
    arguments: "ID [SIGNAL]",
    help: "send a signal (TERM) to a container's process",
    flags: &[switch(&["all", "a"], "to all its processes")],
    order: Order::Anywhere,
    failure_code: 1,
    run: kill,
};

fn kill(global: &Global, call: Call) -> Result<u8, Error> {
    let (id, signal) = match call.given.args.as_slice() {
        [id] => (id, "TERM"),
        [id, signal] => (id, signal.as_str()),
        [] => return Err(Error::usage("container id is missing")),
        [_, _, more, ..] => {
            return Err(Error::usage(format!("container id and signal are expected: {more:?} is too many")));
        }
    };
    let signal = refs::Signal::parse(signal).map_err(|error| Error::usage(error.to_string()))?;
    let Some(signal) = Signal::new(signal.number()) else { return Err(Error::usage("unknown signal")) };
    // Without the lock: who holds it may wait for the very process that has to end.
    let record = global.store.look(id)?.record;
    if call.given.is_on("all") {
        return all(&record, signal);
    }
    let Some(pidfd) = record.process() else { return Err(Error::NotRunning) };
    // Without a pid namespace of its own, nothing ends the other processes when the first one ends.
    if signal == Signal::KILL && record.shares_processes {
        return all(&record, signal);
    }
    match sys::process::send(&pidfd, signal) {
        Ok(()) => Ok(0),
        Err(error) if error.is(sys::Errno::SRCH) => Err(Error::NotRunning),
        Err(error) => Err(Error::sys("signal the container's process")(error)),
    }
}

fn all(record: &crate::store::Record, signal: Signal) -> Result<u8, Error> {
    let cgroup = record.cgroup()?;
    if signal == Signal::KILL {
        cgroup.kill()?;
        return Ok(0);
    }
    for pid in cgroup.pids()? {
        match sys::process::kill(pid, signal) {
            Err(error) if !error.is(sys::Errno::SRCH) => {
                return Err(Error::sys(format!("signal process {pid}"))(error));
            }
            _ => {}
        }
    }
    Ok(0)
}
