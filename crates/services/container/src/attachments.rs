//! Clients that are attached, or wait for their container's start.
//!
//! ```text
//! attach() ── counted ──▶ Attaching ── connect(socket) ──▶ held            (the container does not run)
//!                              │                             │ taken by Launch, or handed over by GoLive
//!                              │                             ▼
//!                              └──── connect(socket) ──▶ the supervisor    (it runs)
//! ```
//! A start waits for those that were announced: no output is lost between a client's attach and its start request.

use launch::ShimSender;
use shimwire::{Attach, Request};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// How long a start waits for a client that has announced itself.
const PATIENCE: Duration = Duration::from_secs(5);

/// A client with its socket.
pub(crate) type Client = (Attach, OwnedFd);

/// The clients of one container.
#[derive(Debug, Default)]
pub(crate) struct Attachments {
    state: Mutex<State>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Announced, and not there yet.
    announced: usize,
    held: Vec<Client>,
    /// The supervisor, while the container runs.
    live: Option<ShimSender>,
}

/// Counts a client as announced until it is dropped.
#[derive(Debug)]
pub(crate) struct Announcement {
    attachments: Arc<Attachments>,
}

impl Attachments {
    /// Announces a client.
    pub(crate) fn announce(this: &Arc<Self>) -> Announcement {
        this.state().announced += 1;
        Announcement { attachments: Arc::clone(this) }
    }

    /// Takes the clients that wait, once all that were announced have come, or have taken too long.
    pub(crate) async fn take(&self) -> Vec<Client> {
        let all = async {
            loop {
                let arrived = self.arrived.notified();
                if self.state().announced == 0 {
                    break;
                }
                arrived.await;
            }
        };
        if tokio::time::timeout(PATIENCE, all).await.is_err() {
            tracing::warn!("a client announced that it would attach and did not come");
        }
        std::mem::take(&mut self.state().held)
    }

    /// Hands over clients that came too late for the launch, and from now on all others.
    pub(crate) async fn go_live(&self, shim: &ShimSender) {
        let late = {
            let mut state = self.state();
            state.live = Some(shim.clone());
            std::mem::take(&mut state.held)
        };
        for (attach, socket) in late {
            hand_over(shim, attach, &socket).await;
        }
    }

    /// The same for a container that was found running, before anybody can know of it and wait.
    pub(crate) fn found_live(&self, shim: &ShimSender) {
        self.state().live = Some(shim.clone());
    }

    /// Returns the supervisor, while the container runs.
    pub(crate) fn live(&self) -> Option<ShimSender> {
        self.state().live.clone()
    }

    /// From now on clients wait for the next start.
    pub(crate) fn end_live(&self) {
        self.state().live = None;
    }

    /// Closes the connections of those who wait.
    pub(crate) fn drop_held(&self) {
        self.state().held.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner) // each change is complete in itself
    }
}

impl Announcement {
    /// The client is here: it waits for the start, or is handed over.
    pub(crate) async fn connect(self, attach: Attach, socket: OwnedFd) {
        let live = {
            let mut state = self.attachments.state();
            match state.live.clone() {
                Some(shim) => shim,
                None => {
                    state.held.push((attach, socket));
                    return;
                }
            }
        };
        hand_over(&live, attach, &socket).await;
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        self.attachments.state().announced -= 1;
        self.attachments.arrived.notify_waiters();
    }
}

async fn hand_over(shim: &ShimSender, attach: Attach, socket: &OwnedFd) {
    let request = Request::Attach { exec: None, attach };
    if let Err(error) = shim.send(&request, &[socket.as_fd()]).await {
        // The container ends just now; closing the socket tells the client.
        tracing::debug!(error = %error::chain(&error), "a client could not be handed over");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client() -> Client {
        let (socket, _) = sys::socket::stream_pair().unwrap();
        let attach = Attach {
            stdin: true,
            stdout: true,
            stderr: true,
            detach_keys: Vec::new(),
            early_input: Vec::new(),
            multiplexed: true,
        };
        (attach, socket)
    }

    #[tokio::test]
    async fn start_waits_for_announced_clients() {
        let attachments = Arc::new(Attachments::default());
        let announcement = Attachments::announce(&attachments);
        let taking = tokio::spawn({
            let attachments = Arc::clone(&attachments);
            async move { attachments.take().await.len() }
        });
        tokio::task::yield_now().await;
        assert!(!taking.is_finished());
        let (attach, socket) = client();
        announcement.connect(attach, socket).await;
        assert_eq!(taking.await.unwrap(), 1);
    }

    #[tokio::test]
    async fn client_that_does_not_come_after_all_is_not_waited_for() {
        let attachments = Arc::new(Attachments::default());
        drop(Attachments::announce(&attachments));
        assert_eq!(attachments.take().await.len(), 0);
    }
}
