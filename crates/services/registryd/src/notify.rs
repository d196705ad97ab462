//! Webhooks: pushes and deletions are told to others, in the envelope that Docker's registry uses.

use crate::error::Error;
use crate::server::now_s;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;

/// Events that wait for one receiver. What comes on top is dropped, and said so in the log.
const QUEUE: usize = 1000;

/// How often an event is offered to a receiver that does not take it.
const ATTEMPTS: u32 = 5;

/// How long one attempt may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends events to all receivers, each at its own pace.
#[derive(Debug)]
pub(crate) struct Notifier {
    receivers: Vec<mpsc::Sender<Value>>,
    waiting: std::sync::Mutex<Vec<(String, mpsc::Receiver<Value>)>>,
    count: AtomicU64,
}

impl Notifier {
    pub(crate) fn new(addresses: &[String]) -> Result<Self, Error> {
        let mut receivers = Vec::new();
        let mut waiting = Vec::new();
        for address in addresses {
            if !address.starts_with("http://") && !address.starts_with("https://") {
                return Err(Error::Setting(format!(
                    "webhook {address:?}: it must begin with http:// or https://"
                )));
            }
            let (sender, receiver) = mpsc::channel(QUEUE);
            receivers.push(sender);
            waiting.push((address.clone(), receiver));
        }
        Ok(Self { receivers, waiting: std::sync::Mutex::new(waiting), count: AtomicU64::new(0) })
    }

    /// Returns the tasks that deliver; to be spawned once.
    pub(crate) fn deliveries(&self) -> Vec<impl Future<Output = ()> + Send + use<>> {
        let waiting =
            std::mem::take(&mut *self.waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        waiting.into_iter().map(|(address, receiver)| deliver(address, receiver)).collect()
    }

    /// Tells that something was pushed or deleted.
    ///
    /// # Source
    /// distribution `docs/content/about/notifications.md`.
    pub(crate) fn tell(&self, action: &str, repository: &str, target: Value) {
        if self.receivers.is_empty() {
            return;
        }
        let seconds = now_s();
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let mut target = target;
        target["repository"] = repository.into();
        let event = json!({"events": [{
            "id": format!("{seconds}-{number}"),
            "timestamp": timestamp(seconds),
            "action": action,
            "target": target,
        }]});
        for receiver in &self.receivers {
            if receiver.try_send(event.clone()).is_err() {
                tracing::warn!(repository, "a webhook is too slow: an event is dropped");
            }
        }
    }
}

fn timestamp(seconds: u64) -> String {
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| refs::Timestamp::from_unix(seconds, 0))
        .map_or_else(String::new, refs::Timestamp::rfc3339)
}

async fn deliver(address: String, mut events: mpsc::Receiver<Value>) {
    let _ = rustls::crypto::ring::default_provider().install_default(); // an error means that it is there already
    let client = match reqwest::Client::builder().timeout(PATIENCE).build() {
        Ok(client) => client,
        Err(error) => {
            tracing::error!(%error, "webhooks cannot be sent");
            return;
        }
    };
    while let Some(event) = events.recv().await {
        let mut delay = Duration::from_millis(200);
        for attempt in 1..=ATTEMPTS {
            let sent = client
                .post(&address)
                .header("content-type", "application/vnd.docker.distribution.events.v2+json")
                .body(event.to_string())
                .send()
                .await;
            if sent.is_ok_and(|response| response.status().is_success()) {
                break;
            }
            if attempt == ATTEMPTS {
                tracing::warn!(address, "a webhook does not take an event");
            } else {
                tokio::time::sleep(delay).await;
                delay *= 4;
            }
        }
    }
}
