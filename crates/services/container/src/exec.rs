//! Further processes in running containers.

use crate::Error;
use crate::context::{Context, now};
use crate::error::Request as Asked;
use crate::execs::{ExecState, StoredExec};
use crate::happenings;
use crate::oci_spec::{self, ExecInput};
use crate::options::{ExecSpec, ExecStartOptions};
use crate::shared::Shared;
use crate::spec::NetworkMode;
use crate::view::ContainerView;
use refs::ExecId;
use shimwire::{Attach, Exec, Request};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// An exec that was permitted to start and whose client has not handed over its socket yet. Dropping it gives up.
#[derive(Debug)]
pub struct ExecStarting {
    /// Whether it has a terminal: the stream is raw then.
    pub tty: bool,
    starting: Starting,
}

#[derive(Debug)]
struct Starting {
    context: Arc<Context>,
    shared: Arc<Shared>,
    id: ExecId,
    spec: ExecSpec,
    is_sent: bool,
}

/// Adds an exec to a running container.
///
/// # Errors
/// Conflict if the container does not run or is paused; InvalidArgument for a wrong specification.
pub(crate) async fn create(
    context: &Arc<Context>,
    shared: &Arc<Shared>,
    name: &str,
    id: ExecId,
    spec: ExecSpec,
) -> Result<(), Error> {
    let view = shared.check_running(Asked::Exec, name)?;
    if spec.cmd.is_empty() {
        return Err(Error::invalid("No exec command specified"));
    }
    if let Some(entry) = spec.env.iter().find(|entry| entry.is_empty() || entry.starts_with('=')) {
        return Err(Error::invalid(format!("invalid environment variable: {entry}")));
    }
    if !spec.working_dir.is_empty() && !spec.working_dir.starts_with('/') {
        return Err(Error::invalid(format!("Cwd must be an absolute path: {:?}", spec.working_dir)));
    }
    // An unknown user is told at once, as by Docker.
    identity(context, shared, &spec).await?;
    happenings::publish(context, &view, &action("exec_create", &spec), [("execID", id.to_string())]);
    let old = shared.execs.forget_old(now());
    shared.execs.insert(id.clone(), spec, ExecState::Created);
    let mut index = context.index_mut();
    for exec in old {
        index.remove_exec(&exec);
    }
    index.insert_exec(id, shared.id.clone());
    Ok(())
}

/// Begins an exec. Without a client it runs when this returns, and there is nothing to hand over.
///
/// # Errors
/// NotFound; Conflict if it was started before or the container does not run; for a detached one the kinds of a command
/// that cannot be executed.
pub(crate) async fn start(
    context: &Arc<Context>,
    shared: &Arc<Shared>,
    id: ExecId,
    options: ExecStartOptions,
) -> Result<Option<ExecStarting>, Error> {
    let view = shared.check_running(Asked::Exec, &shared.view().name)?;
    let mut spec = shared.execs.begin(&id)?;
    spec.console_size = options.console_size.or(spec.console_size);
    happenings::publish(context, &view, &action("exec_start", &spec), [("execID", id.to_string())]);
    let tty = spec.tty;
    let mut starting =
        Starting { context: Arc::clone(context), shared: Arc::clone(shared), id, spec, is_sent: false };
    if !options.detach {
        return Ok(Some(ExecStarting { tty, starting }));
    }
    starting.send(None).await?;
    starting.outcome().await?;
    Ok(None)
}

impl ExecStarting {
    /// Hands the client's socket over, with the bytes that it has sent already, and starts the process. A program that
    /// cannot be executed is told in the stream; its exit code is set before the connection ends.
    ///
    /// # Errors
    /// Internal if the supervisor cannot be reached.
    pub async fn connect(mut self, socket: OwnedFd, early: Vec<u8>) -> Result<(), Error> {
        let spec = &self.starting.spec;
        let attach = Attach {
            stdin: spec.attach_stdin,
            stdout: spec.attach_stdout,
            stderr: spec.attach_stderr && !spec.tty,
            detach_keys: if spec.tty { spec.detach_keys.clone() } else { Vec::new() },
            early_input: early,
            multiplexed: !spec.tty,
        };
        let client = (attach, socket);
        if let Err(error) = self.starting.send(Some(&client)).await {
            // Nobody else tells the client.
            let text = format!("{}\r\n", error::chain(&error));
            let _ = sys::socket::send(client.1.as_fd(), &frame(&text, self.tty)); // It may be gone.
            return Err(error);
        }
        // The supervisor tells the client why it failed.
        let _ = self.starting.outcome().await;
        Ok(())
    }
}

/// Returns a text as it goes into a stream: standard output's frame, unless there is a terminal.
fn frame(text: &str, tty: bool) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() + 8);
    if !tty {
        bytes.extend_from_slice(&[1, 0, 0, 0]);
        bytes.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
    }
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

impl Starting {
    async fn send(&mut self, client: Option<&(Attach, OwnedFd)>) -> Result<(), Error> {
        let Some(shim) = self.shared.attachments.live() else {
            return Err(self.shared.refuse(
                crate::machine::Refusal::NotRunning,
                Asked::Exec,
                &self.shared.view().name,
            ));
        };
        let view = self.shared.view();
        let identity = identity(&self.context, &self.shared, &self.spec).await?;
        let facts = &self.context.facts;
        let process = oci_spec::build_exec(&ExecInput {
            spec: &self.spec,
            config: &view.config,
            host: &view.host,
            hostname: &hostname(&self.context, &view),
            identity: &identity,
            facts,
            ulimits: &self.context.settings.ulimits,
        });
        let privileged = view.host.privileged || self.spec.privileged;
        let capabilities =
            process.capabilities.as_ref().map(|sets| sets.bounding.clone()).unwrap_or_default();
        let seccomp =
            self.context.seccomp.get(&view.host.seccomp, privileged, &capabilities, facts.kernel)?;
        let run_directory = self.context.parts.launcher.run_directory(&self.shared.id);
        StoredExec::new(&self.id, &self.spec).write(&run_directory)?;
        let request = Request::Exec(Box::new(Exec {
            exec: self.id.to_string(),
            process,
            seccomp: seccomp.is_some(),
            open_stdin: self.spec.attach_stdin,
            attach: client.map(|(attach, _)| attach.clone()),
        }));
        let mut fds: Vec<BorrowedFd<'_>> = Vec::new();
        fds.extend(client.map(|(_, socket)| socket.as_fd()));
        fds.extend(seccomp.as_ref().map(|program| program.as_fd()));
        self.is_sent = true;
        if let Err(error) = shim.send(&request, &fds).await {
            self.is_sent = false;
            return Err(error.into());
        }
        Ok(())
    }

    /// Waits until it runs, or cannot.
    async fn outcome(&self) -> Result<(), Error> {
        let Some((_, mut state)) = self.shared.execs.get(&self.id) else { return Ok(()) };
        let known = state.wait_for(|state| !matches!(state, ExecState::Created | ExecState::Starting)).await;
        match known.as_deref() {
            Ok(ExecState::Failed { failure, .. }) => Err(failure.clone().into()),
            // Forgotten, or ended already: it ran.
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        if !self.is_sent {
            // It never came to the supervisor; Docker's exit code for that is 126.
            let failure = crate::machine::StartFailure {
                kind: error::Kind::Internal,
                message: "the exec was given up before it started".to_owned(),
                hint: None,
            };
            self.shared.execs.set(&self.id, ExecState::Failed { failure, code: 126 }, now());
        }
    }
}

/// Returns the name that a container has for itself: with another one's network it is that one's.
fn hostname(context: &Context, view: &ContainerView) -> String {
    match &view.host.network {
        NetworkMode::Container(name) => {
            let other = context.index().find(name).map(|other| other.view().config.hostname.clone());
            other.unwrap_or_default() // it may have been removed since
        }
        NetworkMode::Bridge | NetworkMode::Host | NetworkMode::None | NetworkMode::Network(_) => {
            view.config.hostname.clone()
        }
    }
}

async fn identity(
    context: &Arc<Context>,
    shared: &Arc<Shared>,
    spec: &ExecSpec,
) -> Result<crate::user::Identity, Error> {
    let view = shared.view();
    let user = if spec.user.is_empty() { view.config.user.clone() } else { spec.user.clone() };
    let (shared_context, rootfs) = (Arc::clone(context), shared.rootfs.clone());
    let host = Arc::clone(&view.host);
    context.parts.disk.run(move || shared_context.users.identity(&rootfs, &user, &host.group_add)).await
}

/// Returns the action of an event: `exec_start: sh -c true`.
fn action(verb: &str, spec: &ExecSpec) -> String {
    format!("{verb}: {}", spec.cmd.join(" "))
}
