//! Carrying out the machine's actions.

use super::Actor;
use crate::Error;
use crate::context::now;
use crate::machine::{Action, Event, Fact, StartFailure, Token};
use crate::options::WaitCondition;
use crate::record::{self, Durability};
use crate::spec::{IpcMode, RestartPolicy};
use crate::timeline::Begun;
use crate::view::WaitResult;
use cgroup::Cgroup;
use events::Type;
use shimwire::Request;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::sync::Arc;
use tokio::time::Instant;

impl Actor {
    /// Carries out an action and returns what came of it, if the machine has to know.
    pub(super) async fn perform(&mut self, action: Action) -> Option<Event> {
        if !matches!(action, Action::Persist | Action::Launch)
            && let Err(error) = self.settle().await
        {
            if action == Action::Release {
                return self.fail_release(error).await;
            }
            tracing::error!(container = %self.shared.id, error = %error::chain(&error), "record was not written");
        }
        if matches!(action, Action::Reply { .. } | Action::WakeExit | Action::WakeRemoved) {
            // Whoever hears of it now must find it in the history, whatever happens to the engine next.
            self.context.parts.events.flush().await;
        }
        match action {
            Action::Persist => self.persist().await,
            Action::Launch => return Some(self.launch().await),
            Action::Release => return self.release().await,
            Action::GoLive => self.go_live().await,
            Action::Signal { signal } => return self.signal(signal).await,
            Action::Freeze { token } => return Some(self.freeze(token, true).await),
            Action::Thaw { token } => return self.thaw(token).await,
            Action::Acknowledge => self.acknowledge().await,
            Action::Sweep => self.sweep().await,
            Action::DropClients => self.shared.attachments.drop_held(),
            Action::DetachNetwork => self.detach_network().await,
            Action::Publish(fact) => self.publish_fact(&fact),
            Action::Reply { token, outcome } => self.answer(token, outcome),
            Action::WakeExit => self.wake(false),
            Action::WakeRemoved => self.wake(true),
            Action::Arm { timer, after } => {
                self.timers.insert(timer, Instant::now() + after);
            }
            Action::Disarm { timer } => {
                self.timers.remove(&timer);
            }
            Action::Forget => return Some(self.forget().await),
            Action::RemoveFiles => self.remove_files().await,
        }
        None
    }

    /// Begins to write the record. Later actions wait for it in [`Self::settle`].
    pub(super) async fn persist(&mut self) {
        if let Err(error) = self.settle().await {
            tracing::error!(container = %self.shared.id, error = %error::chain(&error), "record was not written");
        }
        self.record.run = self.machine.run.clone();
        self.record.health = self.health.shown();
        // Without a restart policy nothing is lost with the intent: after a power cut nobody would start it anyway.
        let durability = match self.record.host.restart {
            RestartPolicy::No => Durability::Relaxed,
            RestartPolicy::Always
            | RestartPolicy::UnlessStopped
            | RestartPolicy::OnFailure { .. }
            | RestartPolicy::OnUnhealthy { .. } => self.record.durability(),
        };
        self.persisting = Some(self.write(durability));
    }

    pub(super) fn write(&self, durability: Durability) -> tokio::task::JoinHandle<Result<(), store::Error>> {
        let (context, id, json) = (Arc::clone(&self.context), self.record.id.clone(), self.record.to_json());
        tokio::spawn(async move {
            let shared = Arc::clone(&context);
            let write = move || record::put(&shared.parts.store, &id, &json, durability);
            context.parts.disk.run(write).await
        })
    }

    /// Waits until the record is written.
    pub(super) async fn settle(&mut self) -> Result<(), Error> {
        match self.persisting.take() {
            Some(task) => Ok(task.await.map_err(|error| Error::Failed { message: error.to_string() })??),
            None => Ok(()),
        }
    }

    /// Gives the container another name, which is reserved for it.
    pub(super) async fn rename(&mut self, name: String) -> Result<(), Error> {
        self.settle().await?;
        let old = std::mem::replace(&mut self.record.name, name);
        self.record.run = self.machine.run.clone();
        let written = self.write(self.record.durability()).await;
        if let Err(error) = written.map_err(|error| Error::Failed { message: error.to_string() })? {
            self.record.name = old;
            return Err(error.into());
        }
        self.context.parts.network.rename(&self.shared.id, &self.record.name);
        self.publish_view();
        self.publish_container("rename", [("oldName", format!("/{old}"))]);
        Ok(())
    }

    async fn release(&mut self) -> Option<Event> {
        let Some(shim) = &self.shim else { return Some(Event::ShimLost) };
        self.released = Some(Begun::now());
        match shim.send(&Request::Start, &[]).await {
            Ok(()) => None,
            // The end of the connection follows as a report.
            Err(launch::Error::Lost) => None,
            Err(error) => self.fail_release(error.into()).await,
        }
    }

    async fn fail_release(&mut self, error: Error) -> Option<Event> {
        self.drop_shim().await;
        self.sweep().await;
        Some(Event::StartFailed(StartFailure::from(error)))
    }

    async fn go_live(&mut self) {
        if let Some(shim) = &self.shim {
            self.shared.attachments.go_live(shim).await;
        }
        self.ship_log().await;
        let Some(released) = self.released.take() else { return }; // taken over: its birth was another engine's
        self.timeline.end(released, "release", "");
        let (timeline, directory) = (self.timeline.clone(), self.shared.directory.clone());
        let disk = self.context.parts.disk.clone();
        let id = self.shared.id.clone();
        // Nobody waits for the birth record.
        tokio::spawn(async move {
            if let Err(error) = disk.run(move || timeline.write(&directory)).await {
                tracing::warn!(container = %id, error = %error::chain(&error), "birth record was not written");
            }
        });
    }

    async fn signal(&mut self, signal: i32) -> Option<Event> {
        let shim = self.shim.as_ref()?;
        match shim.send(&Request::Kill { signal }, &[]).await {
            // A supervisor that is gone took its container with it: that is reported on its own.
            Ok(()) | Err(launch::Error::Lost) => None,
            Err(error) => Some(Event::SignalFailed { message: error::chain(&error) }),
        }
    }

    async fn freeze(&mut self, token: Token, frozen: bool) -> Event {
        let group = Cgroup::open(&self.context.parts.cgroups, &self.shared.cgroup_path);
        let done = match group {
            Ok(group) => {
                self.context.parts.disk.run(move || if frozen { group.freeze() } else { group.thaw() }).await
            }
            Err(error) => Err(error),
        };
        Event::FreezeEnded { token, frozen, error: done.err().map(|error| error::chain(&error)) }
    }

    async fn thaw(&mut self, token: Option<Token>) -> Option<Event> {
        match token {
            Some(token) => Some(self.freeze(token, false).await),
            None => {
                if let Event::FreezeEnded { error: Some(error), .. } = self.freeze(Token(0), false).await {
                    tracing::warn!(container = %self.shared.id, error, "container could not be thawed to receive a signal");
                }
                None
            }
        }
    }

    async fn acknowledge(&mut self) {
        self.shared.attachments.end_live();
        match self.shim.take() {
            Some(shim) => {
                // One that is gone needs no acknowledgement.
                let _ = shim.send(&Request::Ack { exec: None }, &[]).await;
                self.departing = self.reports.take();
            }
            None => self.remove_run_directory(),
        }
    }

    fn remove_run_directory(&self) {
        if let Err(error) = self.context.parts.launcher.remove_run_directory(&self.shared.id) {
            tracing::warn!(container = %self.shared.id, error = %error::chain(&error), "run directory stays");
        }
    }

    /// Closes the connection to a supervisor that has no container, and removes what it made.
    pub(super) async fn drop_shim(&mut self) {
        self.shared.attachments.end_live();
        if let Some(shim) = self.shim.take()
            && let Err(error) = shim.kill()
        {
            tracing::warn!(container = %self.shared.id, error = %error::chain(&error), "supervisor was not ended");
        }
        self.reports = None;
        self.remove_run_directory();
    }

    async fn sweep(&mut self) {
        let group = Cgroup::open(&self.context.parts.cgroups, &self.shared.cgroup_path);
        let sweep = move || {
            let group = group?;
            if !group.exists() {
                return Ok(());
            }
            group.kill()?;
            group.remove()
        };
        if let Err(error) = self.context.parts.disk.run(sweep).await {
            tracing::warn!(container = %self.shared.id, error = %error::chain(&error), "cgroup stays");
        }
    }

    async fn detach_network(&mut self) {
        self.context.parts.network.detach(&self.shared.id).await;
        self.ports = Vec::new();
        for endpoint in std::mem::take(&mut self.endpoints) {
            self.publish_network("disconnect", &endpoint);
        }
        if self.record.host.ipc == IpcMode::Shareable {
            let path = crate::shm::path(&self.shared.directory);
            if let Err(error) = crate::shm::unmount(&path) {
                tracing::warn!(container = %self.shared.id, error = %error::chain(&error), "shared memory stays mounted");
            }
        }
    }

    pub(super) fn publish_network(&self, action: &str, endpoint: &network::EndpointView) {
        let attributes = BTreeMap::from([
            ("container".to_owned(), self.shared.id.to_string()),
            ("name".to_owned(), endpoint.network_name.clone()),
            ("type".to_owned(), endpoint.driver.clone()),
        ]);
        self.context.publish(Type::Network, action, endpoint.network_id.as_str(), attributes);
    }

    fn publish_fact(&self, fact: &Fact) {
        match fact {
            Fact::Start => self.publish_container("start", []),
            Fact::Restart => self.publish_container("restart", []),
            Fact::Kill { signal } => self.publish_container("kill", [("signal", signal.to_string())]),
            Fact::Die { exit_code, seconds } => self.publish_container(
                "die",
                [("exitCode", exit_code.to_string()), ("execDuration", seconds.to_string())],
            ),
            Fact::Stop => self.publish_container("stop", []),
            Fact::Pause => self.publish_container("pause", []),
            Fact::Unpause => self.publish_container("unpause", []),
            Fact::Oom => self.publish_container("oom", []),
            Fact::Destroy => self.publish_container("destroy", []),
        }
    }

    pub(super) fn publish_container<const N: usize>(&self, action: &str, extra: [(&str, String); N]) {
        crate::happenings::publish(&self.context, &self.shared.view(), action, extra);
    }

    fn wake(&mut self, removed: bool) {
        let result = self.wait_result();
        let (woken, waiting) =
            std::mem::take(&mut self.waiters).into_iter().partition(|(condition, _)| match condition {
                WaitCondition::NotRunning | WaitCondition::NextExit => true,
                WaitCondition::Removed => removed,
            });
        self.waiters = waiting;
        let woken: Vec<_> = woken;
        for (_, waiter) in woken {
            let _ = waiter.send(result.clone()); // Whoever asked may have stopped waiting.
        }
    }

    async fn forget(&mut self) -> Event {
        let (context, id, durability) =
            (Arc::clone(&self.context), self.record.id.clone(), self.record.durability());
        let delete = move || record::delete(&context.parts.store, &id, durability);
        match self.context.parts.disk.run(delete).await {
            Ok(()) => {
                self.context.index_mut().remove(&self.shared.id);
                Event::Forgotten
            }
            Err(error) => {
                let message = error::chain(&error);
                for (condition, waiter) in std::mem::take(&mut self.waiters) {
                    match condition {
                        WaitCondition::Removed => {
                            let exit_code = self.machine.run.exit_code;
                            // Whoever asked may have stopped waiting.
                            let _ = waiter.send(WaitResult { exit_code, error: Some(message.clone()) });
                        }
                        WaitCondition::NotRunning | WaitCondition::NextExit => {
                            self.waiters.push((condition, waiter))
                        }
                    }
                }
                Event::ForgetFailed { message }
            }
        }
    }

    async fn remove_files(&mut self) {
        self.drain_log().await;
        let context = Arc::clone(&self.context);
        let (id, directory) = (self.shared.id.clone(), self.shared.directory.clone());
        let remove = move || -> Result<(), Error> {
            context.parts.snapshots.remove(id.as_str())?;
            remove_directory(&directory)
        };
        if let Err(error) = self.context.parts.disk.run(remove).await {
            tracing::warn!(container = %self.shared.id, error = %error::chain(&error), "files stay until the next start of the engine");
        }
        // The end of the supervisor's own clean-up and ours meet here: neither minds that something is gone.
        self.remove_run_directory();
    }

    /// The time, for what becomes of execs.
    pub(super) fn now(&self) -> i64 {
        now()
    }
}

fn remove_directory(directory: &std::path::Path) -> Result<(), Error> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::file("remove", directory)(error)),
        _ => Ok(()),
    }
}
