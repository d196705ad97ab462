//! One task per container: takes requests and reports, lets the machine decide, carries the actions out.
//!
//! ```text
//! mailbox ───┐
//! reports ───┼──▶ Event ──▶ Machine::step ──▶ [Action] ──▶ perform ──▶ perhaps another Event
//! timers  ───┘
//! ```
//! Nobody else touches the container's record, its supervisor, its cgroup or its files.

mod birth;
mod effects;
mod found;
mod health;
mod log;
mod naming;
mod networking;
mod publishing;
mod reports;
mod update;

use crate::Error;
use crate::context::{Context, now};
use crate::log_shipper::Shipper;
use crate::machine::{Action, Event, Exit, Machine, Outcome, Phase, Timer, Token};
use crate::options::WaitCondition;
use crate::record::Record;
use crate::shared::{Ask, Message, Published, Shared};
use crate::spec::{Config, HostConfig};
use crate::timeline::{Begun, Timeline};
use crate::view::{ContainerView, StateView, Status, WaitResult};
use launch::ShimSender;
use network::EndpointView;
use refs::{ContainerId, Timestamp};
use shimwire::Report;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use health::{Awaited, HealthWatch};

pub(crate) use birth::check_source;
pub(crate) use found::{Adopted, adopt, end};

/// A container's actor.
#[derive(Debug)]
pub(crate) struct Actor {
    context: Arc<Context>,
    shared: Arc<Shared>,
    mailbox: mpsc::Receiver<Message>,
    record: Record,
    /// The record's unchanging parts, shared with the views.
    fixed: Fixed,
    machine: Machine,
    shim: Option<ShimSender>,
    reports: Option<mpsc::Receiver<Report>>,
    /// The supervisor of the last run: acknowledged, and perhaps not gone yet.
    departing: Option<mpsc::Receiver<Report>>,
    replies: HashMap<Token, Waiting>,
    /// Volumes that are marked for removal together with the record.
    doomed: Vec<volume::Record>,
    last_token: u64,
    waiters: Vec<(WaitCondition, oneshot::Sender<WaitResult>)>,
    timers: HashMap<Timer, Instant>,
    persisting: Option<JoinHandle<Result<(), store::Error>>>,
    health: HealthWatch,
    /// Sends the log elsewhere.
    shipper: Option<Shipper>,
    endpoints: Vec<EndpointView>,
    /// What is published at it.
    ports: Vec<network::Published>,
    /// The supervisor's numbers of the resolver's sockets, from an earlier engine.
    kept: Vec<i32>,
    timeline: Timeline,
    /// When the container was let go, until it says that it runs.
    released: Option<Begun>,
}

/// What of a record hardly ever changes.
#[derive(Debug, Clone)]
struct Fixed {
    config: Arc<Config>,
    host: Arc<HostConfig>,
}

/// Who waits for the outcome of a request.
#[derive(Debug)]
struct Waiting {
    ask: Ask,
    name: String,
    reply: oneshot::Sender<Result<(), Error>>,
}

enum Input {
    Message(Message),
    Report(Report),
    ShimGone,
    Timer(Timer),
    Health(Awaited),
    Abandoned,
}

/// Starts a container's actor, adds the container to the index, and returns what others reach it by. `adopted` is what an
/// engine that starts found.
pub(crate) fn spawn(
    context: &Arc<Context>,
    record: Record,
    rootfs: snapshot::Rootfs,
    adopted: Option<Adopted>,
) -> Result<Arc<Shared>, Error> {
    let id = ContainerId::parse(&record.id)?;
    let (tx, mailbox) = mpsc::channel(crate::shared::MAILBOX);
    let machine = Machine::new(record.policy(), record.run.clone());
    let directory = context.directory(&id);
    let endpoints = if adopted.is_some() { context.parts.network.endpoints(&id) } else { Vec::new() };
    let ports = context.parts.network.published(&id);
    let fixed = Fixed { config: Arc::new(record.config.clone()), host: Arc::new(record.host.clone()) };
    let health = HealthWatch::new(&record);
    let (exec_ids, health_view) = (Vec::new(), health.shown());
    let live = Live { endpoints: endpoints.clone(), ports: ports.clone(), exec_ids, health: health_view };
    let view = Arc::new(view(context, &record, &fixed, &machine, &rootfs, live)?);
    let shared = Arc::new(Shared {
        id,
        published: tokio::sync::watch::Sender::new(Published { view, is_active: false }),
        mailbox: tx,
        attachments: Arc::default(),
        execs: crate::execs::Execs::default(),
        cgroup_path: crate::oci_spec::cgroup_path(&record.host, &context.settings.cgroup_parent, &record.id),
        rootfs,
        directory,
    });
    let mut actor = Actor {
        context: Arc::clone(context),
        shared: Arc::clone(&shared),
        mailbox,
        record,
        fixed,
        machine,
        shim: None,
        reports: None,
        departing: None,
        replies: HashMap::new(),
        doomed: Vec::new(),
        last_token: 0,
        waiters: Vec::new(),
        timers: HashMap::new(),
        persisting: None,
        health,
        shipper: None,
        endpoints,
        ports,
        kept: Vec::new(),
        timeline: Timeline::default(),
        released: None,
    };
    // What was found is visible from the first moment; what follows from it is done by the task.
    let first = match adopted {
        Some(adopted) => {
            let found = actor.take_over(adopted);
            let first = actor.machine.step(now(), Event::Found(found));
            actor.find_health();
            // Whoever sees that it runs may exec and attach, also while the task still finishes what was begun before.
            if let Some(shim) = actor.shim.as_ref().filter(|_| first.contains(&Action::GoLive)) {
                shared.attachments.found_live(shim);
            }
            first
        }
        None => Vec::new(),
    };
    actor.publish_view();
    // Before the actor begins: it may end at once.
    context.index_mut().insert(Arc::clone(&shared));
    tokio::spawn(actor.run(first));
    Ok(shared)
}

impl Actor {
    async fn run(mut self, first: Vec<Action>) {
        self.end_old_probes().await;
        self.resume_names().await;
        self.finish_update().await;
        self.carry_out(first).await;
        while self.machine.phase != Phase::Gone {
            match self.next().await {
                Input::Message(Message::Leave { done }) => {
                    if let Err(error) = self.settle().await {
                        tracing::error!(container = %self.shared.id, error = %error::chain(&error), "record was not written");
                    }
                    self.end_shipping().await;
                    let _ = done.send(()); // Whoever asked may have stopped waiting.
                    return;
                }
                Input::Message(message) => self.message(message).await,
                Input::Report(report) => self.report(report).await,
                Input::ShimGone => self.shim_gone().await,
                Input::Timer(timer) => {
                    self.timers.remove(&timer);
                    self.handle(Event::Deadline(timer)).await;
                }
                Input::Health(awaited) => self.health_event(awaited).await,
                Input::Abandoned => return,
            }
        }
    }

    async fn next(&mut self) -> Input {
        let nearest = self.timers.iter().min_by_key(|(_, at)| **at).map(|(timer, at)| (*timer, *at));
        let timer = async {
            match nearest {
                Some((timer, at)) => {
                    tokio::time::sleep_until(at).await;
                    timer
                }
                None => std::future::pending().await,
            }
        };
        let report = async {
            match &mut self.reports {
                Some(reports) => reports.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            report = report => report.map_or(Input::ShimGone, Input::Report),
            message = self.mailbox.recv() => message.map_or(Input::Abandoned, Input::Message),
            timer = timer => Input::Timer(timer),
            awaited = self.health.next() => Input::Health(awaited),
        }
    }

    /// Lets the machine decide about an event, and carries out what it says.
    async fn handle(&mut self, event: Event) {
        let actions = self.machine.step(now(), event);
        self.publish_view();
        self.carry_out(actions).await;
    }

    /// Carries out actions, and what the machine says about what came of them, until nothing follows.
    async fn carry_out(&mut self, actions: Vec<Action>) {
        let mut rounds = VecDeque::from([actions]);
        while let Some(actions) = rounds.pop_front() {
            for action in actions {
                let name = action.name();
                let follows = self.perform(action).await;
                self.context.crash.after(name);
                if let Some(event) = follows {
                    rounds.push_back(self.machine.step(now(), event));
                    self.publish_view();
                }
            }
        }
        self.publish_view();
    }

    async fn message(&mut self, message: Message) {
        match message {
            Message::Ask { ask, name, reply } => {
                self.last_token += 1;
                let token = Token(self.last_token);
                self.replies.insert(token, Waiting { ask, name, reply });
                let event = match ask {
                    Ask::Start => Event::Start { token },
                    Ask::Stop { signal, timeout } => Event::Stop { token, signal, timeout },
                    Ask::Restart { signal, timeout } => Event::Restart { token, signal, timeout },
                    Ask::Kill { signal } => Event::Kill { token, signal },
                    Ask::Pause => Event::Pause { token },
                    Ask::Unpause => Event::Unpause { token },
                    Ask::Remove { force, .. } => Event::Remove { token, force },
                };
                self.handle(event).await;
            }
            Message::Wait { condition, reply } => {
                if condition == WaitCondition::NotRunning && self.machine.phase == Phase::Idle {
                    let _ = reply.send(self.wait_result()); // Whoever asked may have stopped waiting.
                } else {
                    self.waiters.retain(|(_, waiter)| !waiter.is_closed());
                    self.waiters.push((condition, reply));
                }
            }
            Message::Rename { name, reply } => {
                let outcome = self.rename(name).await;
                let _ = reply.send(outcome); // Whoever asked may have stopped waiting.
            }
            Message::Update { update, reply } => {
                let outcome = self.update(update).await;
                let _ = reply.send(outcome); // Whoever asked may have stopped waiting.
            }
            Message::Connect { network, spec, reply } => {
                let outcome = self.connect_live(&network, *spec).await;
                let _ = reply.send(outcome); // Whoever asked may have stopped waiting.
            }
            Message::Disconnect { network, reply } => {
                let outcome = self.disconnect_live(&network).await;
                let _ = reply.send(outcome); // Whoever asked may have stopped waiting.
            }
            Message::Leave { done } => drop(done), // handled by the loop
        }
    }

    fn wait_result(&self) -> WaitResult {
        WaitResult { exit_code: self.machine.run.exit_code, error: None }
    }

    fn answer(&mut self, token: Token, outcome: Outcome) {
        let Some(Waiting { ask, name, reply }) = self.replies.remove(&token) else { return };
        let result = match outcome {
            Outcome::Done => Ok(()),
            Outcome::NotModified => Err(Error::NotModified),
            Outcome::Refused(refusal) => Err(self.shared.refuse(refusal, ask.request(), &name)),
            Outcome::StartFailed(failure) => Err(failure.into()),
            Outcome::Failed { message } => Err(Error::Failed { message }),
        };
        let _ = reply.send(result); // Whoever asked may have stopped waiting.
    }

    fn publish_view(&mut self) {
        self.follow_health();
        let live = Live {
            endpoints: self.endpoints.clone(),
            ports: self.ports.clone(),
            exec_ids: self.shared.execs.running(),
            health: self.health.shown(),
        };
        let view = view(&self.context, &self.record, &self.fixed, &self.machine, &self.shared.rootfs, live);
        let is_active = match self.machine.phase {
            Phase::Starting | Phase::Running | Phase::Paused | Phase::Restarting => true,
            Phase::Idle | Phase::Removing | Phase::Gone => false,
        };
        match view {
            Ok(view) => {
                self.shared.published.send_replace(Published { view: Arc::new(view), is_active });
            }
            Err(error) => tracing::error!(error = %error::chain(&error), "container cannot be shown"),
        }
    }
}

/// What a view has that is neither in the record nor in the machine.
struct Live {
    endpoints: Vec<EndpointView>,
    ports: Vec<network::Published>,
    exec_ids: Vec<refs::ExecId>,
    health: Option<crate::view::Health>,
}

/// Returns what callers see of a container.
fn view(
    context: &Context,
    record: &Record,
    fixed: &Fixed,
    machine: &Machine,
    rootfs: &snapshot::Rootfs,
    live: Live,
) -> Result<ContainerView, Error> {
    let id = ContainerId::parse(&record.id)?;
    let directory = context.directory(&id);
    let run = &machine.run;
    Ok(ContainerView {
        name: record.name.clone(),
        created_at: Timestamp(record.created_at),
        image: record.image.clone(),
        config: Arc::clone(&fixed.config),
        host: Arc::clone(&fixed.host),
        path: record.command.first().cloned().unwrap_or_default(),
        args: record.command.iter().skip(1).cloned().collect(),
        state: StateView {
            status: status(machine),
            pid: run.pid.unwrap_or(0),
            exit_code: run.exit_code,
            error: run.error.clone(),
            oom_killed: run.oom_killed,
            started_at: run.started_at.map(Timestamp),
            finished_at: run.finished_at.map(Timestamp),
            health: live.health,
        },
        restart_count: run.restart_count,
        driver: record.driver.clone(),
        rootfs: crate::view::RootfsView::of(rootfs),
        paths: birth::paths(record, &directory),
        mounts: crate::view::mounts(&record.host, &context.settings.data_root.join("volumes")),
        endpoints: live.endpoints,
        networks: record.endpoints(),
        ports: live.ports,
        exec_ids: live.exec_ids,
        id,
    })
}

fn status(machine: &Machine) -> Status {
    let rest = if machine.run.started_at.is_some() { Status::Exited } else { Status::Created };
    match machine.phase {
        Phase::Idle => rest,
        // On the way up again by the policy, Docker still says so.
        Phase::Starting if machine.run.restart_count > 0 => Status::Restarting,
        Phase::Starting => rest,
        Phase::Running => Status::Running,
        Phase::Paused => Status::Paused,
        Phase::Restarting => Status::Restarting,
        Phase::Removing | Phase::Gone => Status::Removing,
    }
}

/// Returns the machine's form of an exit record.
fn exit_of(record: shimwire::ExitRecord) -> Exit {
    Exit {
        code: record.code,
        out_of_memory: record.out_of_memory,
        started_at: record.started_at,
        finished_at: record.finished_at,
    }
}
