//! What of a container is reachable without its actor: the published view, waiting clients, execs, the mailbox.

use crate::Error;
use crate::attachments::Attachments;
use crate::error::{Refused, Request};
use crate::execs::Execs;
use crate::machine::Refusal;
use crate::options::{Update, WaitCondition};
use crate::view::{ContainerView, Status, WaitResult};
use network::EndpointSpec;
use refs::ContainerId;
use snapshot::Rootfs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

/// Requests that may wait in a mailbox.
pub(crate) const MAILBOX: usize = 64;

/// What of a container is reachable without its actor.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) id: ContainerId,
    pub(crate) published: watch::Sender<Published>,
    pub(crate) mailbox: mpsc::Sender<Message>,
    pub(crate) attachments: Arc<Attachments>,
    pub(crate) execs: Execs,
    pub(crate) rootfs: Rootfs,
    pub(crate) directory: PathBuf,
    pub(crate) cgroup_path: String,
}

/// What the actor makes known.
#[derive(Debug, Clone)]
pub(crate) struct Published {
    pub(crate) view: Arc<ContainerView>,
    /// It runs, or is about to: followers of its log stay.
    pub(crate) is_active: bool,
}

/// To the actor.
#[derive(Debug)]
pub(crate) enum Message {
    /// A request to the machine.
    Ask { ask: Ask, name: String, reply: oneshot::Sender<Result<(), Error>> },
    /// Somebody waits.
    Wait { condition: WaitCondition, reply: oneshot::Sender<WaitResult> },
    /// Another name, reserved already.
    Rename { name: String, reply: oneshot::Sender<Result<(), Error>> },
    /// Other limits, another policy; answered with warnings.
    Update { update: Update, reply: oneshot::Sender<Result<Vec<String>, Error>> },
    /// A further network, by its own name.
    Connect { network: String, spec: Box<EndpointSpec>, reply: oneshot::Sender<Result<(), Error>> },
    /// A network less, by its own name.
    Disconnect { network: String, reply: oneshot::Sender<Result<(), Error>> },
    /// The engine ends.
    Leave { done: oneshot::Sender<()> },
}

/// A request to the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    Start,
    Stop { signal: i32, timeout: Option<Duration> },
    Restart { signal: i32, timeout: Option<Duration> },
    Kill { signal: i32 },
    Pause,
    Unpause,
    Remove { force: bool },
}

impl Ask {
    /// Returns what a refusal is about.
    pub(crate) const fn request(self) -> Request {
        match self {
            Self::Start => Request::Start,
            Self::Kill { .. } => Request::Kill,
            Self::Remove { .. } => Request::Remove,
            Self::Stop { .. } | Self::Restart { .. } | Self::Pause | Self::Unpause => Request::Other,
        }
    }
}

impl Shared {
    /// Returns the present view.
    pub(crate) fn view(&self) -> Arc<ContainerView> {
        Arc::clone(&self.published.borrow().view)
    }

    /// Sends a request to the actor and waits for its outcome. `name` is how the user named the container.
    pub(crate) async fn ask(&self, ask: Ask, name: &str) -> Result<(), Error> {
        let (reply, outcome) = oneshot::channel();
        self.send(Message::Ask { ask, name: name.to_owned(), reply }, name).await?;
        outcome.await.unwrap_or_else(|_| Err(Error::Gone { name: name.to_owned() }))
    }

    /// Sends a message to the actor.
    pub(crate) async fn send(&self, message: Message, name: &str) -> Result<(), Error> {
        // An actor that has ended had its container removed.
        self.mailbox.send(message).await.map_err(|_| Error::NoSuchContainer { name: name.to_owned() })
    }

    /// Returns the error of a request that does not fit the state.
    pub(crate) fn refuse(&self, refusal: Refusal, request: Request, name: &str) -> Error {
        Error::Refused { refused: Refused { refusal, request, name: name.to_owned(), id: self.id.clone() } }
    }

    /// Checks that the container runs and is not paused, as attach and exec want it.
    pub(crate) fn check_running(&self, request: Request, name: &str) -> Result<Arc<ContainerView>, Error> {
        let view = self.view();
        let refusal = match view.state.status {
            Status::Running => return Ok(view),
            Status::Paused => Refusal::AlreadyPaused,
            Status::Restarting => Refusal::Restarting,
            Status::Created | Status::Removing | Status::Exited => Refusal::NotRunning,
        };
        Err(self.refuse(refusal, request, name))
    }
}
