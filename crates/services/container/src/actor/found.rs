//! What an engine that starts finds of a container, and how its actor takes over.

use super::{Actor, exit_of};
use crate::Error;
use crate::context::{Context, now};
use crate::execs::{ExecState, StoredExec};
use crate::machine::Found;
use cgroup::Cgroup;
use launch::{Remains, Shim};
use refs::ContainerId;
use shimwire::{Hello, PublishedPort, Request, State};
use std::time::Duration;

/// How long a supervisor may take to end once it was killed.
const KILL_PATIENCE: Duration = Duration::from_secs(5);

/// The kernel's number of SIGKILL.
const SIGKILL: i32 = 9;

/// What an engine that starts found of a container.
#[derive(Debug)]
pub(crate) struct Adopted {
    pub(crate) found: Found,
    /// The supervisor, if it lives.
    pub(crate) shim: Option<(Shim, Box<Hello>)>,
    /// The published ports that it holds.
    pub(crate) ports: Vec<PublishedPort>,
}

/// Connects to a container's supervisor, or reads what it left.
///
/// # Errors
/// Those of a supervisor that lives and speaks another version: its container must not be touched.
pub(crate) async fn adopt(context: &Context, id: &ContainerId, cgroup_path: &str) -> Result<Adopted, Error> {
    let remains = match context.parts.launcher.adopt(id).await {
        Ok(remains) => remains,
        Err(error @ launch::Error::ExitRecord { .. }) => {
            tracing::error!(container = %id, error = %error::chain(&error), "exit code is lost");
            Remains::Nothing
        }
        Err(error) => return Err(error.into()),
    };
    let (shim, hello, ports) = match remains {
        Remains::Nothing => return Ok(Adopted { found: Found::Nothing, shim: None, ports: Vec::new() }),
        Remains::Exited(record) => {
            return Ok(Adopted { found: Found::Ended(exit_of(record)), shim: None, ports: Vec::new() });
        }
        Remains::Connected(shim, hello, ports) => (shim, hello, ports),
    };
    let found = match (hello.state, &hello.exit, hello.pid) {
        (_, Some(exit), _) => Found::Ended(exit_of(exit.clone())),
        (State::Running, None, Some(pid)) => {
            let group = Cgroup::open(&context.parts.cgroups, cgroup_path)?;
            // A group that cannot tell is not frozen: unpause would only say so.
            let frozen = context.parts.disk.run(move || group.frozen().unwrap_or(false)).await;
            Found::Running { pid, started_at: hello.started_at.unwrap_or_else(now), frozen }
        }
        (State::Empty | State::Created | State::Running | State::Exited, None, _) => {
            end(&shim).await?;
            return Ok(Adopted { found: Found::Unreleased, shim: None, ports: Vec::new() });
        }
    };
    Ok(Adopted { found, shim: Some((shim, hello)), ports })
}

/// Kills a supervisor, and what it has made with it.
///
/// # Errors
/// Internal if it does not end.
pub(crate) async fn end(shim: &Shim) -> Result<(), Error> {
    shim.sender.kill()?;
    match tokio::time::timeout(KILL_PATIENCE, shim.sender.ended()).await {
        Ok(ended) => Ok(ended?),
        Err(_) => {
            Err(Error::Failed { message: format!("supervisor {} cannot be killed", shim.sender.pid()) })
        }
    }
}

impl Actor {
    /// Takes over the supervisor and the execs that an earlier engine started.
    pub(super) fn take_over(&mut self, adopted: Adopted) -> Found {
        let Adopted { found, shim, .. } = adopted;
        let Some((Shim { sender, reports }, hello)) = shim else { return found };
        let run_directory = self.context.parts.launcher.run_directory(&self.shared.id);
        for (id, stored) in StoredExec::read_all(&run_directory) {
            let running = hello.execs.iter().find(|running| running.exec == id.as_str());
            // One that is not in the list has ended, and its end is reported next.
            let state =
                running.map_or(ExecState::Starting, |running| ExecState::Running { pid: running.pid });
            self.shared.execs.insert(id.clone(), stored.into_spec(), state);
            self.context.index_mut().insert_exec(id, self.shared.id.clone());
        }
        self.kept = hello.kept;
        (self.shim, self.reports) = (Some(sender), Some(reports));
        found
    }

    /// Ends health probes that an earlier engine began: nobody waits for them any more.
    pub(super) async fn end_old_probes(&mut self) {
        let Some(shim) = self.shim.as_ref().filter(|shim| shim.signals_execs()) else { return };
        for id in self.shared.execs.running() {
            if self.shared.execs.get(&id).is_some_and(|(spec, _)| spec.is_probe) {
                let request = Request::KillExec { exec: id.to_string(), signal: SIGKILL };
                // A supervisor that is gone took its execs with it.
                let _ = shim.send(&request, &[]).await;
            }
        }
    }
}
