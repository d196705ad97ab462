//! `start`: the created process executes its program.

use super::{Call, Command};
use crate::flags::Order;
use crate::global::Global;
use crate::store::{START as SOCKET, Status};
use crate::{Error, hooks};
use std::fs;

pub(super) const START: Command = Command {
    name: "start",
    arguments: "ID",
    help: "execute the program of a created container",
    flags: &[],
    order: Order::Anywhere,
    failure_code: 1,
    run: start,
};

fn start(global: &Global, call: Call) -> Result<u8, Error> {
    let container = global.store.open(call.id()?)?;
    match container.status() {
        Status::Created => {}
        Status::Stopped => return Err(Error::Status("cannot start a container that has stopped".into())),
        Status::Running | Status::Paused => {
            return Err(Error::Status("cannot start an already running container".into()));
        }
        Status::Creating => {
            return Err(Error::Status("cannot start a container in the creating state".into()));
        }
    }
    let socket = container.place.path(SOCKET);
    let started = runtime::start(&socket, &container.record.waiting.clone().into());
    // Whatever came of it: nobody waits there any more.
    let _ = fs::remove_file(&socket);
    started.map_err(Error::Process)?;
    hooks::after_start(&container.place, &container.record).inspect_err(|_| {
        let _ = super::delete::end(&container.record); // The hook's error is the one to report.
    })?;
    Ok(0)
}
