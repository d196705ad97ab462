//! The client side of the distribution protocol: from a reference to an image that containers can start from.
//!
//! ```text
//! reference ─▶ endpoints (mirrors, registry; https, http) ─▶ manifest ─▶ platform ─▶ configuration
//!                                                                                        │
//!            one task per layer:  HTTP ─┬─▶ ingest (resumable) ─▶ verified blob          ▼
//!                                       └─▶ decoder, tar ─▶ layer, visible if both fit ─▶ registered at once
//! ```
//! A pull that stops anywhere leaves nothing half-visible; the next one goes on at the byte where it stopped. Credentials are
//! sent to the registry that they are for and to the token server that it names, never to a mirror, never along a redirection.
//! Not for storing (`content`, `image`) or unpacking (`layer`).
//!
//! # Source
//! OCI distribution-spec v1.1; distribution `docs/spec/auth`; Docker image manifest version 2, schema 2.

#![forbid(unsafe_code)]

mod answer;
mod challenge;
mod clients;
mod credentials;
mod download;
mod endpoint;
mod error;
mod layers;
mod manifest;
mod progress;
mod pull;
mod push;
mod redact;
mod session;
mod tags;
mod tee;
mod turns;

pub use credentials::Credentials;
pub use error::Error;
pub use progress::{LayerProgress, Outcome, Progress, Pulled};
pub use push::{LayerPush, PushProgress, PushRequest};

use blocking::Blocking;
use clients::Clients;
use endpoint::Endpoints;
use image::Images;
use progress::Sink;
use refs::{Digest, Platform, Reference};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use turns::Turns;

/// How registries are used.
#[derive(Clone, Debug)]
pub struct RegistryConfig {
    /// Mirrors of Docker Hub, `https://host[/path]`; asked in this order before the Hub itself.
    pub mirrors: Vec<String>,
    /// Registries that may be used without TLS or with any certificate: `host`, `host:port`, or a network such as
    /// `10.0.0.0/8`. `localhost` and loopback addresses always may.
    pub insecure: Vec<String>,
    /// Layers that are fetched at once, over all pulls.
    pub max_downloads: usize,
    /// Layers that are unpacked at once, over all pulls.
    pub max_unpacks: usize,
    /// How failed requests are repeated.
    pub retry: Retry,
}

impl Default for RegistryConfig {
    /// No mirrors, only loopback insecure, six downloads, one unpacking per processor (at least two), five retries.
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            mirrors: Vec::new(),
            insecure: Vec::new(),
            max_downloads: 6,
            max_unpacks: processors.max(2),
            retry: Retry::default(),
        }
    }
}

/// How often and how soon a failed request is repeated.
#[derive(Clone, Copy, Debug)]
pub struct Retry {
    /// Repetitions in a row without a single new byte.
    pub attempts: u32,
    /// The wait before the first repetition; it doubles each time.
    pub first_delay: Duration,
    /// The longest wait.
    pub max_delay: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 5, first_delay: Duration::from_millis(500), max_delay: Duration::from_secs(8) }
    }
}

impl Retry {
    fn delay(&self, failures: u32) -> Duration {
        self.first_delay.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1))).min(self.max_delay)
    }
}

/// A client of registries; clones share it.
#[derive(Clone)]
pub struct Registry {
    shared: Arc<Shared>,
}

struct Shared {
    endpoints: Endpoints,
    retry: Retry,
    images: Images,
    disk: Blocking,
    unpack: Blocking,
    clients: Clients,
    downloads: Semaphore,
    unpacking: Arc<Semaphore>,
    /// Who works on which layer, by diff ID. Taken before `blobs`; of an uncompressed layer both are the same digest.
    layers: Turns<Digest>,
    /// Who fetches which blob.
    blobs: Turns<Digest>,
}

/// What is to be pulled.
#[derive(Clone, Debug)]
pub struct PullRequest {
    /// The image; without tag and digest `latest` is meant.
    pub reference: Reference,
    /// The platform that is chosen from an index; none for the host's. A lone image is taken whatever it is for, as Docker does;
    /// [`Pulled::warning`] says so.
    pub platform: Option<Platform>,
    /// Who we are to the reference's registry.
    pub credentials: Option<Credentials>,
}

impl Registry {
    /// Returns a client that keeps what it fetches in `images`. Small jobs on files run in `disk`, unpacking in `unpack`,
    /// which must permit at least `max_unpacks` jobs at once.
    ///
    /// # Errors
    /// `InvalidArgument` for a mirror or insecure registry that is none.
    pub fn new(
        config: &RegistryConfig,
        images: Images,
        disk: Blocking,
        unpack: Blocking,
    ) -> Result<Self, Error> {
        let shared = Shared {
            endpoints: Endpoints::new(&config.mirrors, &config.insecure)?,
            retry: config.retry,
            images,
            disk,
            unpack,
            clients: Clients::default(),
            downloads: Semaphore::new(config.max_downloads.max(1)),
            unpacking: Arc::new(Semaphore::new(config.max_unpacks.max(1))),
            layers: Turns::default(),
            blobs: Turns::default(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Pulls an image and registers it under the reference.
    ///
    /// Dropping the future stops the pull; what has arrived stays for the next one.
    ///
    /// # Errors
    /// `NotFound` with Docker's texts if there is no such image or no access; `Unavailable` if the registry does not answer or
    /// limits us; `DataLoss` if it sends something else than it announced; `Exhausted` if the disk is full.
    pub async fn pull(
        &self,
        request: &PullRequest,
        progress: mpsc::Sender<Progress>,
    ) -> Result<Pulled, Error> {
        self.pull_anywhere(request, &Sink::new(progress)).await
    }

    /// Lists the tags of the reference's repository.
    ///
    /// # Errors
    /// As [`Registry::pull`].
    pub async fn tags(&self, request: &PullRequest) -> Result<Vec<String>, Error> {
        self.tags_anywhere(request).await
    }
}
