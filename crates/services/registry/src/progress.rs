//! What a pull tells while it goes on, and how it ended.

use crate::PullRequest;
use refs::{Digest, Platform, Reference};
use tokio::sync::mpsc;

/// One step of a pull, for the eyes of the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The registry has the image: `Pulling from library/busybox`. Errors before this one are errors of the request; those
    /// after it come while the answer streams.
    Pulling {
        /// The repository's path.
        path: String,
        /// The tag, or the digest.
        tag: String,
    },
    /// A layer moves on.
    Layer {
        /// The compressed blob.
        digest: Digest,
        /// Where it is.
        state: LayerProgress,
    },
    /// The digest of what the reference names: an index or a manifest.
    Digest(Digest),
    /// The image is here.
    Done {
        /// The reference.
        reference: Reference,
        /// Whether anything is new: `Downloaded newer image` or `Image is up to date`.
        outcome: Outcome,
    },
    /// See [`Pulled::warning`]; the last of all.
    Warning(String),
}

/// Where a layer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerProgress {
    /// `Pulling fs layer`
    Begun,
    /// `Waiting`: for other layers.
    Waiting,
    /// `Downloading`
    Downloading {
        /// Bytes that are here.
        current: u64,
        /// Bytes in all.
        total: u64,
    },
    /// `Verifying Checksum`
    Verifying,
    /// `Download complete`
    Downloaded,
    /// `Extracting`
    Extracting {
        /// Compressed bytes that are unpacked.
        current: u64,
        /// Compressed bytes in all.
        total: u64,
    },
    /// `Pull complete`
    Complete,
    /// `Already exists`
    AlreadyExists,
}

/// Whether a pull changed anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The reference names another image than before.
    Newer,
    /// All was here already.
    UpToDate,
}

/// What a pull has brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// The image: the digest of its configuration.
    pub image_id: Digest,
    /// The digest of what the reference names: an index or a manifest.
    pub digest: Digest,
    /// The image's platform.
    pub platform: Platform,
    /// Whether anything is new.
    pub outcome: Outcome,
}

impl Pulled {
    /// Returns Docker's warning if a platform was asked for and the repository's only image is for another one. Docker
    /// prints it after the status.
    pub fn warning(&self, request: &PullRequest) -> Option<String> {
        let wanted = request.platform.as_ref().filter(|wanted| !wanted.accepts(&self.platform))?;
        Some(format!(
            "WARNING: image with reference {} was found but its platform ({}) does not match the specified platform ({wanted})",
            request.reference.familiar(),
            self.platform
        ))
    }
}

/// Where progress goes.
#[derive(Clone, Debug)]
pub(crate) struct Sink {
    sender: mpsc::Sender<Progress>,
}

impl Sink {
    pub(crate) const fn new(sender: mpsc::Sender<Progress>) -> Self {
        Self { sender }
    }

    /// Tells something that must not be missed. Waits for a slow reader; one who is gone does not matter.
    pub(crate) async fn tell(&self, progress: Progress) {
        let _ = self.sender.send(progress).await; // the pull's owner decides whether it goes on without a reader
    }

    pub(crate) async fn layer(&self, digest: &Digest, state: LayerProgress) {
        self.tell(Progress::Layer { digest: digest.clone(), state }).await;
    }

    /// Tells a number that the next one makes old; dropped if the reader is slow.
    pub(crate) fn tick(&self, digest: &Digest, state: LayerProgress) {
        let _ = self.sender.try_send(Progress::Layer { digest: digest.clone(), state }); // see above
    }
}
