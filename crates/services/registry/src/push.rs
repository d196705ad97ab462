//! An image on its way to a registry: what is there already is not sent, what another repository has is mounted.
//!
//! ```text
//! per layer, several at once:  HEAD ─▶ there: "Layer already exists"
//!                               └─▶ POST ?mount&from ─▶ 201: "Mounted from …"
//!                                             └─▶ 202 ─▶ PATCH chunk by chunk ─▶ PUT ?digest: "Pushed"
//! then the configuration, and last the manifest: what a tag names is whole.
//! ```
//! A chunk that fails is sent again from where the registry says that it stands.
//!
//! # Source
//! OCI distribution-spec v1.1 "Pushing"; `moby distribution/push_v2.go` for the texts.

mod upload;

use crate::endpoint::{Endpoint, Role};
use crate::error::Error;
use crate::session::Session;
use crate::{Credentials, PullRequest, Registry};
use futures_util::future::try_join_all;
use image::{Image, Outgoing};
use oci::image::{Descriptor, media_type};
use refs::{Digest, Reference};
use std::collections::{BTreeSet, HashMap};
use tokio::sync::{Semaphore, mpsc};

/// Layers that are sent at once.
const MAX_UPLOADS: usize = 5;

/// Repositories that a layer is tried to be mounted from.
const MAX_SOURCES: usize = 3;

/// What is to be pushed.
#[derive(Clone, Debug)]
pub struct PushRequest {
    /// The image's name, with a tag.
    pub reference: Reference,
    /// Who we are to the reference's registry.
    pub credentials: Option<Credentials>,
}

/// One step of a push, for the eyes of the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushProgress {
    /// A layer moves on.
    Layer {
        /// The layer.
        diff_id: Digest,
        /// Where it is.
        state: LayerPush,
    },
    /// The tag is there.
    Done {
        /// The tag.
        tag: String,
        /// The digest of the manifest.
        digest: Digest,
        /// The manifest's bytes.
        size_bytes: u64,
    },
}

/// Where a layer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayerPush {
    /// `Preparing`
    Preparing,
    /// `Waiting`: for other layers.
    Waiting,
    /// `Layer already exists`
    Exists,
    /// `Mounted from library/busybox`
    Mounted(String),
    /// `Pushing`
    Pushing {
        /// Bytes that are there.
        current: u64,
        /// Bytes in all.
        total: u64,
    },
    /// `Pushed`
    Pushed,
}

/// A layer with what is needed to send it.
struct Layer<'a> {
    descriptor: &'a Descriptor,
    diff_id: &'a Digest,
    /// Repositories of the registry that may have it.
    sources: Vec<String>,
}

impl Registry {
    /// Pushes an image and notes the digest that the registry knows it by.
    ///
    /// # Errors
    /// `NotFound` if there is no such image; `Forbidden` in the registry's words if it does not let us; `Unavailable` if it
    /// does not answer or limits us.
    pub async fn push(
        &self,
        request: &PushRequest,
        progress: mpsc::Sender<PushProgress>,
    ) -> Result<Digest, Error> {
        let reference = request.reference.clone().with_default_tag();
        let (images, name) = (self.shared.images.clone(), reference.clone());
        let found = self.shared.disk.run(move || find(&images, &name)).await?;
        let (image, outgoing, sources, lease) = found;
        let as_pull = PullRequest {
            reference: reference.clone(),
            platform: None,
            credentials: request.credentials.clone(),
        };
        // A mirror is a copy: what is pushed goes to the registry itself.
        let endpoints: Vec<Endpoint> = self.shared.endpoints.of(reference.domain())?;
        let endpoints = endpoints.into_iter().filter(|endpoint| endpoint.role == Role::Home).collect();
        let (image, outgoing, sources, progress) = (&image, &outgoing, &sources, &progress);
        self.first_of(endpoints, &as_pull, |session| async move {
            self.push_to(&session, image, outgoing, sources, progress).await
        })
        .await?;
        let (images, id) = (self.shared.images.clone(), image.id.clone());
        let known_as = reference.clone().without_tag().with_digest(outgoing.digest.clone());
        self.shared.disk.run(move || images.note_digest(&id, &known_as)).await?;
        drop(lease);
        let tag = reference.tag().unwrap_or_default().to_owned();
        let (digest, size_bytes) = (outgoing.digest.clone(), outgoing.bytes.len() as u64);
        tell(progress, PushProgress::Done { tag, digest, size_bytes }).await;
        Ok(outgoing.digest.clone())
    }

    async fn push_to(
        &self,
        session: &Session,
        image: &Image,
        outgoing: &Outgoing,
        sources: &HashMap<Digest, BTreeSet<String>>,
        progress: &mpsc::Sender<PushProgress>,
    ) -> Result<(), Error> {
        let mut seen = BTreeSet::new();
        let layers: Vec<Layer<'_>> = outgoing
            .manifest
            .layers
            .iter()
            .zip(&image.layers)
            .rev()
            .filter(|(descriptor, _)| seen.insert(&descriptor.digest))
            .map(|(descriptor, diff_id)| {
                let own = session.reference.path();
                let others = sources.get(diff_id).into_iter().flatten().filter(|path| *path != own);
                Layer { descriptor, diff_id, sources: others.take(MAX_SOURCES).cloned().collect() }
            })
            .collect();
        // An endpoint that cannot be reached is noticed before anything is told.
        let config_is_there = self.is_there(session, &outgoing.manifest.config.digest).await?;
        for layer in &layers {
            told(progress, layer, LayerPush::Preparing).await;
        }
        for layer in layers.iter().skip(MAX_UPLOADS) {
            told(progress, layer, LayerPush::Waiting).await;
        }
        let turns = Semaphore::new(MAX_UPLOADS);
        try_join_all(layers.iter().map(|layer| async {
            let _turn = turns.acquire().await.expect("the semaphore is never closed");
            self.push_layer(session, layer, progress).await
        }))
        .await?;
        if !config_is_there {
            let config = &outgoing.manifest.config;
            self.upload(session, &config.digest, None, &mut |_| {}).await?;
        }
        let kind = outgoing.manifest.media_type.as_deref().unwrap_or(media_type::OCI_MANIFEST);
        let tag = session.reference.tag().unwrap_or(refs::DEFAULT_TAG);
        self.patiently(|| session.put_manifest(tag, kind, &outgoing.bytes, &outgoing.digest)).await
    }

    async fn push_layer(
        &self,
        session: &Session,
        layer: &Layer<'_>,
        progress: &mpsc::Sender<PushProgress>,
    ) -> Result<(), Error> {
        let digest = &layer.descriptor.digest;
        if self.is_there(session, digest).await? {
            told(progress, layer, LayerPush::Exists).await;
            return Ok(());
        }
        let mut begun = None;
        for source in &layer.sources {
            match session.begin_upload(Some((digest, source))).await {
                Ok(None) => {
                    told(progress, layer, LayerPush::Mounted(source.clone())).await;
                    return Ok(());
                }
                Ok(Some(location)) => {
                    begun = Some(location);
                    break;
                }
                // Without access to the other repository the layer is sent.
                Err(Error::PushRefused { .. } | Error::Denied { .. } | Error::Unauthorized { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let total = layer.descriptor.size;
        let mut tick = |current| {
            let state = LayerPush::Pushing { current, total };
            // A number that the next one makes old: dropped if the reader is slow.
            let _ = progress.try_send(PushProgress::Layer { diff_id: layer.diff_id.clone(), state });
        };
        self.upload(session, digest, begun, &mut tick).await?;
        told(progress, layer, LayerPush::Pushed).await;
        Ok(())
    }

    async fn is_there(&self, session: &Session, digest: &Digest) -> Result<bool, Error> {
        self.patiently(|| session.has_blob(digest)).await
    }
}

type Found = (Image, Outgoing, HashMap<Digest, BTreeSet<String>>, image::Lease);

/// Finds the image, and which repositories of the same registry have its layers.
fn find(images: &image::Images, reference: &Reference) -> Result<Found, Error> {
    let lease = images.lease();
    let image = images.resolve(&reference.to_string()).map_err(|error| match error {
        image::Error::NotFound { .. } => Error::NotHere { name: reference.familiar_name() },
        other => other.into(),
    })?;
    let outgoing = images.outgoing(&image)?;
    let mut sources: HashMap<Digest, BTreeSet<String>> = HashMap::new();
    for other in images.list()? {
        for name in &other.digests {
            let Ok(known) = Reference::parse(name) else { continue };
            if known.domain() != reference.domain() {
                continue;
            }
            for layer in other.layers.iter().filter(|layer| image.layers.contains(layer)) {
                sources.entry(layer.clone()).or_default().insert(known.path().to_owned());
            }
        }
    }
    Ok((image, outgoing, sources, lease))
}

async fn told(progress: &mpsc::Sender<PushProgress>, layer: &Layer<'_>, state: LayerPush) {
    tell(progress, PushProgress::Layer { diff_id: layer.diff_id.clone(), state }).await;
}

async fn tell(progress: &mpsc::Sender<PushProgress>, step: PushProgress) {
    let _ = progress.send(step).await; // the push's owner decides whether it goes on without a reader
}
