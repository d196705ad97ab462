//! The service: what the surface calls. Finds the container and passes the request to its actor.

mod broken;
mod creation;
mod pruning;
mod startup;

pub(crate) use broken::Broken;
pub(crate) use creation::random;

use crate::attach::{self, Attaching};
use crate::context::Context;
use crate::error::Request;
use crate::exec::{self, ExecStarting};
use crate::list::{self, Lookup};
use crate::logs::{self, Logs};
use crate::machine::Refusal;
use crate::options::{
    AttachOptions, ExecSpec, ExecStartOptions, ListOptions, LogOptions, RemoveOptions, StatsMode,
    StopOptions, Update, WaitCondition,
};
use crate::shared::{Ask, Message, Shared};
use crate::spec::{Config, CreateSpec};
use crate::stats::{self, StatsStream};
use crate::view::{ContainerView, Counts, Created, ExecView, Sizes, Status, Top, WaitResult};
use crate::{Error, Parts, Settings, happenings, timeline, top};
use cgroup::Cgroup;
use network::EndpointSpec;
use refs::{ExecId, Signal, Timestamp};
use shimwire::{Request as ShimRequest, Step};
use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Seconds between the stop signal and SIGKILL, unless the container or the request says otherwise.
const STOP_TIMEOUT_S: i64 = 10;

/// How long a resize waits for an exec that is being started.
const RESIZE_PATIENCE: Duration = Duration::from_secs(10);

/// The outcome of a wait that was set up.
pub type Waiting = Pin<Box<dyn Future<Output = WaitResult> + Send>>;

/// All containers of the engine. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Service {
    context: Arc<Context>,
}

impl Service {
    /// Opens the service: reads the records, takes over what runs, starts what the restart policies want, removes what
    /// belongs to nobody.
    ///
    /// # Errors
    /// DataLoss for records that cannot be read; Internal for supervisors that cannot be understood.
    pub async fn open(settings: Settings, parts: Parts) -> Result<Self, Error> {
        let context = Arc::new(Context::new(settings, parts)?);
        startup::open(&context).await?;
        crate::log_files::keep_compressing(&context);
        Ok(Self { context })
    }

    /// Ends the actors, once what they have begun is on disk. The containers go on.
    pub async fn shutdown(&self) {
        for shared in self.all() {
            let (done, left) = oneshot::channel();
            if shared.mailbox.send(Message::Leave { done }).await.is_ok() {
                let _ = left.await; // Its container may have been removed meanwhile.
            }
        }
    }

    /// Creates a container.
    ///
    /// # Errors
    /// InvalidArgument, NotFound (image) and AlreadyExists (name) with Docker's texts; Unimplemented by name.
    pub async fn create(&self, spec: CreateSpec) -> Result<Created, Error> {
        // A task of its own: a client that goes away must not leave a container half made.
        let context = Arc::clone(&self.context);
        finish(tokio::spawn(async move { creation::create(&context, spec).await })).await
    }

    /// Starts a container, and returns when its program was executed.
    ///
    /// # Errors
    /// NotModified if it runs; Conflict if it is paused; CommandNotFound and CommandNotExecutable for its program.
    pub async fn start(&self, name: &str) -> Result<(), Error> {
        self.find(name)?.ask(Ask::Start, name).await
    }

    /// Stops a container, and returns when it has ended.
    ///
    /// # Errors
    /// NotModified if it does not run; InvalidArgument for an unknown signal.
    pub async fn stop(&self, name: &str, options: StopOptions) -> Result<(), Error> {
        let shared = self.find(name)?;
        let (signal, timeout) = stop_terms(&shared.view(), &options)?;
        shared.ask(Ask::Stop { signal, timeout }, name).await
    }

    /// Stops a container if it runs, and starts it.
    ///
    /// # Errors
    /// As [`Self::stop`] and [`Self::start`].
    pub async fn restart(&self, name: &str, options: StopOptions) -> Result<(), Error> {
        let shared = self.find(name)?;
        let (signal, timeout) = stop_terms(&shared.view(), &options)?;
        shared.ask(Ask::Restart { signal, timeout }, name).await
    }

    /// Sends a signal, SIGKILL by default, and after SIGKILL waits for the end.
    ///
    /// # Errors
    /// Conflict if it does not run; InvalidArgument for an unknown signal.
    pub async fn kill(&self, name: &str, signal: Option<&str>) -> Result<(), Error> {
        let shared = self
            .find(name)
            .map_err(|source| Error::Kill { name: name.to_owned(), source: Box::new(source) })?;
        let signal = match signal {
            None | Some("") => Signal::KILL,
            Some(text) => Signal::parse(text).map_err(|_| {
                Error::invalid(format!("cannot kill container: {name}: invalid signal: {text}"))
            })?,
        };
        shared.ask(Ask::Kill { signal: signal.number() }, name).await
    }

    /// Freezes a container.
    ///
    /// # Errors
    /// Conflict if it does not run or is paused.
    pub async fn pause(&self, name: &str) -> Result<(), Error> {
        self.find(name)?.ask(Ask::Pause, name).await
    }

    /// Lets a frozen container go on.
    ///
    /// # Errors
    /// Internal, as with Docker, if it is not paused.
    pub async fn unpause(&self, name: &str) -> Result<(), Error> {
        self.find(name)?.ask(Ask::Unpause, name).await
    }

    /// Gives a container another name.
    ///
    /// # Errors
    /// InvalidArgument for a bad name or the present one; AlreadyExists if it is taken.
    pub async fn rename(&self, name: &str, new_name: &str) -> Result<(), Error> {
        let shared = self.find(name)?;
        let wrong = |source: Error| Error::Rename(Box::new(source));
        if new_name.is_empty() {
            return Err(Error::invalid("Neither old nor new names may be empty"));
        }
        let new_name = match refs::name::validate(new_name) {
            Ok(bare) => bare.to_owned(),
            Err(_) => {
                let slashed = format!("/{}", new_name.strip_prefix('/').unwrap_or(new_name));
                return Err(wrong(refs::Error::ContainerName { name: slashed }.into()));
            }
        };
        let old_name = shared.view().name.clone();
        if old_name == new_name {
            return Err(Error::invalid("Renaming a container with the same name as its current name"));
        }
        self.context.index_mut().reserve(&new_name, &shared.id).map_err(wrong)?;
        let (context, name) = (Arc::clone(&self.context), name.to_owned());
        // A task of its own: whoever goes away must not leave a name that is reserved for nobody.
        finish(tokio::spawn(async move {
            let (reply, outcome) = oneshot::channel();
            let sent = shared.send(Message::Rename { name: new_name.clone(), reply }, &name).await;
            let renamed = match sent {
                Ok(()) => outcome.await.unwrap_or_else(|_| Err(Error::Gone { name })),
                Err(error) => Err(error),
            };
            let unused = if renamed.is_ok() { &old_name } else { &new_name };
            context.index_mut().release(unused, &shared.id);
            renamed
        }))
        .await
    }

    /// Connects a container to a network, at once if it runs.
    ///
    /// # Errors
    /// NotFound; InvalidArgument and Forbidden with Docker's texts; those of the network.
    pub async fn connect(&self, name: &str, network: &str, spec: EndpointSpec) -> Result<(), Error> {
        let canonical = self.context.parts.network.inspect(network)?.name;
        let shared = self.find(name)?;
        if !matches!(canonical.as_str(), "host" | "none") {
            self.context.parts.network.check(network, &spec)?;
        }
        let (reply, outcome) = oneshot::channel();
        shared.send(Message::Connect { network: canonical, spec: Box::new(spec), reply }, name).await?;
        outcome.await.unwrap_or_else(|_| Err(Error::Gone { name: name.to_owned() }))
    }

    /// Disconnects a container from a network, at once if it runs.
    ///
    /// # Errors
    /// NotFound; Internal, as with Docker, if it is not in the network.
    pub async fn disconnect(&self, name: &str, network: &str) -> Result<(), Error> {
        let shared = self.find(name)?;
        // A network that is gone can still be taken out of a container that rests.
        let canonical = match self.context.parts.network.inspect(network) {
            Ok(view) => view.name,
            Err(error) if !shared.view().networks.contains_key(network) => return Err(error.into()),
            Err(_) => network.to_owned(),
        };
        let (reply, outcome) = oneshot::channel();
        shared.send(Message::Disconnect { network: canonical, reply }, name).await?;
        outcome.await.unwrap_or_else(|_| Err(Error::Gone { name: name.to_owned() }))
    }

    /// Changes a container's limits and restart policy, at once if it runs; returns what could not be done as asked.
    ///
    /// # Errors
    /// InvalidArgument and Conflict with Docker's texts; Internal for limits that the kernel refuses.
    pub async fn update(&self, name: &str, update: Update) -> Result<Vec<String>, Error> {
        let shared = self.find(name)?;
        let (reply, outcome) = oneshot::channel();
        shared.send(Message::Update { update, reply }, name).await?;
        outcome.await.unwrap_or_else(|_| Err(Error::Gone { name: name.to_owned() }))
    }

    /// Removes a container.
    ///
    /// # Errors
    /// Conflict if it runs and force is not set, or if it is being removed.
    pub async fn remove(&self, name: &str, options: RemoveOptions) -> Result<(), Error> {
        let shared = match self.find(name) {
            Ok(shared) => shared,
            Err(error) => match broken::find(&self.context, name) {
                Some(broken) if options.force => return broken::remove(&self.context, &broken).await,
                Some(Broken { id, reason, .. }) => return Err(Error::Broken { id, reason }),
                None => return Err(error),
            },
        };
        shared.ask(Ask::Remove { force: options.force }, name).await
    }

    /// Sets up a wait: what happens from now on counts.
    ///
    /// # Errors
    /// NotFound.
    pub async fn wait(&self, name: &str, condition: WaitCondition) -> Result<Waiting, Error> {
        let shared = self.find(name)?;
        let (reply, result) = oneshot::channel();
        shared.send(Message::Wait { condition, reply }, name).await?;
        Ok(Box::pin(async move {
            result.await.unwrap_or_else(|_| {
                let exit_code = shared.view().state.exit_code;
                WaitResult { exit_code, error: Some("the engine ended while waiting".to_owned()) }
            })
        }))
    }

    /// Returns how a container stands.
    ///
    /// # Errors
    /// NotFound, or InvalidArgument for an ambiguous prefix.
    #[expect(clippy::unused_async, reason = "all of the service's methods are called alike")]
    pub async fn inspect(&self, name: &str) -> Result<Arc<ContainerView>, Error> {
        Ok(self.find(name)?.view())
    }

    /// Returns containers, the newest first.
    ///
    /// # Errors
    /// InvalidArgument for unknown filters; NotFound for a container that `before` or `since` names.
    pub async fn list(&self, options: ListOptions) -> Result<Vec<Arc<ContainerView>>, Error> {
        list::check(&options.filters)?;
        let named = |key: &str| -> Result<Option<Arc<ContainerView>>, Error> {
            options.filters.get(key).next().map(|name| Ok(self.find(name)?.view())).transpose()
        };
        let lookup = Lookup {
            before: named("before")?,
            since: named("since")?,
            ancestors: self.ancestors(&options).await?,
        };
        list::select(self.all().iter().map(|shared| shared.view()).collect(), &options, &lookup)
    }

    async fn ancestors(&self, options: &ListOptions) -> Result<Option<BTreeSet<refs::Digest>>, Error> {
        let names: Vec<String> = options.filters.get("ancestor").map(str::to_owned).collect();
        if names.is_empty() {
            return Ok(None);
        }
        let images = self.context.parts.images.clone();
        // An unknown image has no containers.
        let find =
            move || names.iter().filter_map(|name| images.resolve(name).ok()).map(|image| image.id).collect();
        Ok(Some(self.context.parts.disk.run(find).await))
    }

    /// Measures a container's root file system.
    ///
    /// # Errors
    /// NotFound; those of the disk.
    pub async fn sizes(&self, name: &str) -> Result<Sizes, Error> {
        let shared = self.find(name)?;
        let context = Arc::clone(&self.context);
        let image = shared.view().image.id.clone();
        let measure = move || -> Result<Sizes, Error> {
            let writable_bytes = context.parts.snapshots.usage(shared.id.as_str())?.size_bytes;
            // An image that was removed by force leaves its layers, but nobody knows their size any more.
            let image_bytes = context.parts.images.get(&image).map_or(0, |image| image.size_bytes);
            Ok(Sizes { writable_bytes, total_bytes: writable_bytes + image_bytes })
        };
        self.context.parts.disk.run(measure).await
    }

    /// Returns a container's processes, as `ps` with these arguments would show them.
    ///
    /// # Errors
    /// Conflict if it does not run; Unimplemented for arguments that are not known.
    pub async fn top(&self, name: &str, ps_args: &str) -> Result<Top, Error> {
        let shared = self.find(name)?;
        let view = shared.view();
        match view.state.status {
            Status::Running | Status::Paused => {}
            Status::Restarting => return Err(shared.refuse(Refusal::Restarting, Request::Other, name)),
            Status::Created | Status::Removing | Status::Exited => {
                return Err(shared.refuse(Refusal::NotRunning, Request::Other, name));
            }
        }
        let group = Cgroup::open(&self.context.parts.cgroups, &shared.cgroup_path)?;
        let ps_args = ps_args.to_owned();
        let read = move || -> Result<Top, Error> { top::top(&group.pids()?, &ps_args) };
        let top = self.context.parts.disk.run(read).await?;
        happenings::publish(&self.context, &view, "top", []);
        Ok(top)
    }

    /// Opens a container's log.
    ///
    /// # Errors
    /// NotFound; NoLog for a container that keeps none; InvalidArgument if no stream is wanted.
    pub async fn logs(&self, name: &str, options: LogOptions) -> Result<Logs, Error> {
        logs::open(&self.context, self.find(name)?, options).await
    }

    /// Sets the size of a container's terminal.
    ///
    /// # Errors
    /// Conflict if it does not run.
    pub async fn resize(&self, name: &str, rows: u16, columns: u16) -> Result<(), Error> {
        let shared = self.find(name)?;
        let Some(shim) = shared.attachments.live() else {
            return Err(shared.refuse(Refusal::NotRunning, Request::Other, name));
        };
        shim.send(&ShimRequest::Resize { exec: None, rows, columns }, &[]).await?;
        let size = [("height", rows.to_string()), ("width", columns.to_string())];
        happenings::publish(&self.context, &shared.view(), "resize", size);
        Ok(())
    }

    /// Begins to sample a container's resource use.
    ///
    /// # Errors
    /// NotFound.
    #[expect(clippy::unused_async, reason = "all of the service's methods are called alike")]
    pub async fn stats(&self, name: &str, mode: StatsMode) -> Result<StatsStream, Error> {
        Ok(stats::open(&self.context, self.find(name)?, mode))
    }

    /// Returns the birth record of a container's last start, in the order of time.
    ///
    /// # Errors
    /// NotFound; those of the disk.
    pub async fn explain(&self, name: &str) -> Result<Vec<Step>, Error> {
        let directory = self.find(name)?.directory.clone();
        self.context.parts.disk.run(move || timeline::read(&directory)).await
    }

    /// Permits a client to attach. Answer its upgrade, then hand its socket over.
    ///
    /// # Errors
    /// Conflict if the container is paused or restarting.
    #[expect(clippy::unused_async, reason = "all of the service's methods are called alike")]
    pub async fn attach(&self, name: &str, options: AttachOptions) -> Result<Attaching, Error> {
        attach::begin(&self.context, &self.find(name)?, name, options)
    }

    /// Prepares a further process in a running container.
    ///
    /// # Errors
    /// Conflict if the container does not run; InvalidArgument for a wrong specification or an unknown user.
    pub async fn exec_create(&self, name: &str, spec: ExecSpec) -> Result<ExecId, Error> {
        let shared = self.find(name)?;
        let id = ExecId::generate(creation::random()?);
        exec::create(&self.context, &shared, name, id.clone(), spec).await?;
        Ok(id)
    }

    /// Starts an exec. A detached one runs when this returns; for another, answer the client's upgrade and hand its
    /// socket over.
    ///
    /// # Errors
    /// NotFound; Conflict if it was started before; for a detached one the kinds of a command that cannot be executed.
    pub async fn exec_start(
        &self,
        exec: &str,
        options: ExecStartOptions,
    ) -> Result<Option<ExecStarting>, Error> {
        let (id, shared) = self.context.index().find_exec(exec)?;
        exec::start(&self.context, &shared, id, options).await
    }

    /// Returns how an exec stands.
    ///
    /// # Errors
    /// NotFound.
    #[expect(clippy::unused_async, reason = "all of the service's methods are called alike")]
    pub async fn exec_inspect(&self, exec: &str) -> Result<ExecView, Error> {
        use crate::execs::ExecState;
        let (id, shared) = self.context.index().find_exec(exec)?;
        let known = shared.execs.get(&id).ok_or_else(|| Error::NoSuchExec { id: exec.to_owned() })?;
        let (spec, state) = known;
        let state = state.borrow().clone();
        let pid = match state {
            ExecState::Running { pid } | ExecState::Ended { pid, .. } => pid,
            ExecState::Created | ExecState::Starting | ExecState::Failed { .. } => 0,
        };
        let running = matches!(state, ExecState::Starting | ExecState::Running { .. });
        Ok(ExecView { id, container_id: shared.id.clone(), spec, running, exit_code: state.exit_code(), pid })
    }

    /// Sets the size of an exec's terminal, and waits for one that is being started.
    ///
    /// # Errors
    /// NotFound; Conflict if it does not run.
    pub async fn exec_resize(&self, exec: &str, rows: u16, columns: u16) -> Result<(), Error> {
        use crate::execs::ExecState;
        let (id, shared) = self.context.index().find_exec(exec)?;
        let (_, mut state) =
            shared.execs.get(&id).ok_or_else(|| Error::NoSuchExec { id: exec.to_owned() })?;
        let known = state.wait_for(|state| !matches!(state, ExecState::Created | ExecState::Starting));
        let runs = match tokio::time::timeout(RESIZE_PATIENCE, known).await {
            Ok(Ok(state)) => matches!(*state, ExecState::Running { .. }),
            Ok(Err(_)) | Err(_) => false,
        };
        let Some(shim) = shared.attachments.live().filter(|_| runs) else {
            return Err(Error::ExecNotRunning { id: exec.to_owned() });
        };
        shim.send(&ShimRequest::Resize { exec: Some(id.to_string()), rows, columns }, &[]).await?;
        Ok(())
    }

    /// Returns how many containers there are.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for shared in self.all() {
            match shared.view().state.status {
                Status::Running | Status::Restarting => counts.running += 1,
                Status::Paused => counts.paused += 1,
                Status::Created | Status::Removing | Status::Exited => counts.stopped += 1,
            }
        }
        counts
    }

    fn find(&self, name: &str) -> Result<Arc<Shared>, Error> {
        self.context.index().find(name)
    }

    fn all(&self) -> Vec<Arc<Shared>> {
        self.context.index().all().cloned().collect()
    }
}

/// Waits for a task that goes on even if nobody waits for it.
async fn finish<T>(task: JoinHandle<Result<T, Error>>) -> Result<T, Error> {
    match task.await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => Err(Error::Failed { message: error.to_string() }),
        },
    }
}

/// Returns signal and patience of a stop.
fn stop_terms(view: &ContainerView, options: &StopOptions) -> Result<(i32, Option<Duration>), Error> {
    let signal = match options.signal.as_deref() {
        None | Some("") => crate::create::stop_signal(&view.config)?,
        Some(text) => Signal::parse(text).map_err(|_| Error::invalid(format!("invalid signal: {text}")))?,
    };
    Ok((signal.number(), patience(options.timeout_s, &view.config)))
}

/// Returns how long a stop waits; none for ever.
pub(crate) fn patience(timeout_s: Option<i64>, config: &Config) -> Option<Duration> {
    let seconds = timeout_s.or(config.stop_timeout).unwrap_or(STOP_TIMEOUT_S);
    u64::try_from(seconds).ok().map(Duration::from_secs)
}

/// Returns the present time in the views' form.
fn timestamp() -> Timestamp {
    Timestamp(crate::context::now())
}
