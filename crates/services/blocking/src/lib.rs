//! Bounded pools for blocking work, one per class, so that a slow disk cannot starve the API.
//!
//! The layers below `services` are synchronous; this is the one bridge to them.

#![forbid(unsafe_code)]

use std::sync::Arc;
use tokio::sync::Semaphore;

/// One class of blocking work with its own limit of concurrent jobs.
#[derive(Clone, Debug)]
pub struct Blocking {
    permits: Arc<Semaphore>,
}

impl Blocking {
    /// Returns a pool that runs at most `limit` jobs at once; further ones wait in order.
    pub fn new(limit: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(limit)) }
    }

    /// Runs `job` on a thread where blocking is allowed and returns its result.
    ///
    /// A job that has begun runs to its end even if the caller stops waiting.
    ///
    /// # Panics
    /// Passes on a panic of `job`.
    pub async fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let permit = Arc::clone(&self.permits).acquire_owned().await.expect("the semaphore is never closed");
        let result = tokio::task::spawn_blocking(move || {
            let _permit = permit; // held until the job ends
            job()
        })
        .await;
        match result {
            Ok(value) => value,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}
