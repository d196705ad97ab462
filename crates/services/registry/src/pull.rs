//! An image: resolved, fetched, registered.

use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::manifest::{self, Document};
use crate::progress::{LayerProgress, Outcome, Progress, Pulled, Sink};
use crate::session::Session;
use crate::{PullRequest, Registry};
use content::Hasher;
use futures_util::future::try_join_all;
use image::{Image, Registration, choose_platform};
use oci::image::{Descriptor, ImageConfig, Manifest};
use refs::{Digest, Platform, Reference};
use reqwest::header::CONTENT_TYPE;
use std::collections::HashSet;
use std::future::Future;

/// What a reference turned out to be.
struct Resolved {
    /// The digest of what the reference names.
    digest: Digest,
    index: Option<Vec<u8>>,
    manifest: Box<Manifest>,
    manifest_bytes: Vec<u8>,
}

impl Registry {
    /// Asks one endpoint after the other.
    pub(crate) async fn pull_anywhere(&self, request: &PullRequest, sink: &Sink) -> Result<Pulled, Error> {
        let endpoints = self.shared.endpoints.of(request.reference.domain())?;
        self.first_of(
            endpoints,
            request,
            |session| async move { self.pull_from(&session, request, sink).await },
        )
        .await
    }

    /// Does `work` at the first endpoint that can; after a failure there, at the next.
    pub(crate) async fn first_of<T, F: Future<Output = Result<T, Error>>>(
        &self,
        endpoints: Vec<Endpoint>,
        request: &PullRequest,
        work: impl Fn(Session) -> F,
    ) -> Result<T, Error> {
        let mut first_failure: Option<Error> = None;
        let last = endpoints.len() - 1;
        for (number, endpoint) in endpoints.into_iter().enumerate() {
            let session = self.session(endpoint, request)?;
            let host = session.registry();
            let role = session.endpoint.role;
            match work(session).await {
                Ok(result) => return Ok(result),
                Err(error) if number < last && falls_through(&error, role) => {
                    tracing::debug!(registry = host, error = %error::chain(&error), "asking the next endpoint");
                    first_failure.get_or_insert(error);
                }
                // The registry itself cannot be reached: what came before says more, be it what a mirror answered or
                // that TLS was the problem.
                Err(error @ Error::Unreachable { .. }) => return Err(first_failure.unwrap_or(error)),
                Err(error) => return Err(error),
            }
        }
        Err(Error::Malformed { what: "configuration", reason: "it has no endpoint".into() })
    }

    fn session(&self, endpoint: Endpoint, request: &PullRequest) -> Result<Session, Error> {
        let client = self.shared.clients.get(endpoint.certificates)?;
        Ok(Session::new(client, endpoint, request.reference.clone(), request.credentials.clone()))
    }

    async fn pull_from(
        &self,
        session: &Session,
        request: &PullRequest,
        sink: &Sink,
    ) -> Result<Pulled, Error> {
        let reference = &request.reference;
        let platform = request.platform.clone().unwrap_or_else(Platform::host);
        let resolved = self.resolve(session, &platform).await?;
        let tag = match (reference.digest(), reference.tag()) {
            (Some(digest), _) => digest.to_string(),
            (None, tag) => tag.unwrap_or(refs::DEFAULT_TAG).to_owned(),
        };
        sink.tell(Progress::Pulling { path: reference.path().to_owned(), tag }).await;

        // From here on nothing is collected until the image needs it.
        let images = self.shared.images.clone();
        let lease = self.shared.disk.run(move || images.lease()).await;
        let config_bytes = self.config(session, &resolved.manifest.config).await?;
        let config = parse_config(&config_bytes, &resolved.manifest)?;
        let actual = Platform::new(&config.os, &config.architecture, &config.variant);
        if !self.is_here(&resolved.manifest.config.digest).await? {
            self.layers(session, &resolved.manifest.layers, &config.rootfs.diff_ids, sink).await?;
        }
        let (digest, outcome, image) = self.register(request, resolved, config_bytes).await?;
        drop(lease);
        sink.tell(Progress::Digest(digest.clone())).await;
        sink.tell(Progress::Done { reference: reference.clone(), outcome }).await;
        let pulled = Pulled { image_id: image.id.clone(), digest, platform: actual, outcome };
        if let Some(warning) = pulled.warning(request) {
            sink.tell(Progress::Warning(warning)).await;
        }
        Ok(pulled)
    }

    /// From a tag or digest to one manifest.
    async fn resolve(&self, session: &Session, platform: &Platform) -> Result<Resolved, Error> {
        let reference = &session.reference;
        let (name, expected) = match reference.digest() {
            Some(digest) => (digest.to_string(), Some(digest)),
            None => (reference.tag().unwrap_or(refs::DEFAULT_TAG).to_owned(), None),
        };
        let (content_type, bytes) = self.manifest(session, &name, expected).await?;
        let digest = expected.cloned().unwrap_or_else(|| content::digest_of(&bytes));
        let index = match manifest::parse(&content_type, &bytes)? {
            Document::Manifest(manifest) => {
                return Ok(Resolved { digest, index: None, manifest, manifest_bytes: bytes });
            }
            Document::Index(index) => index,
        };
        let chosen = choose_platform(&index, platform).map_err(|error| match error {
            image::Error::NoPlatform { wanted, available } => {
                Error::NoMatchingPlatform { platform: wanted, available }
            }
            other => other.into(),
        })?;
        let (content_type, manifest_bytes) =
            self.manifest(session, chosen.digest.as_str(), Some(&chosen.digest)).await?;
        match manifest::parse(&content_type, &manifest_bytes)? {
            Document::Manifest(manifest) => {
                Ok(Resolved { digest, index: Some(bytes), manifest, manifest_bytes })
            }
            Document::Index(_) => {
                Err(Error::Unsupported { what: "index within an index", media_type: content_type })
            }
        }
    }

    async fn manifest(
        &self,
        session: &Session,
        name: &str,
        expected: Option<&Digest>,
    ) -> Result<(String, Vec<u8>), Error> {
        let (content_type, bytes) = self
            .patiently(|| async {
                let response = session.manifest(name, &manifest::ACCEPT).await?;
                let header = response.headers().get(CONTENT_TYPE).and_then(|header| header.to_str().ok());
                let content_type = header.unwrap_or_default().to_owned();
                let bytes = session.read_all(response, "manifest", manifest::MAX_BYTES).await?;
                Ok((content_type, bytes))
            })
            .await?;
        if let Some(expected) = expected {
            verify("manifest", session, expected, &bytes)?;
        }
        Ok((content_type, bytes))
    }

    async fn config(&self, session: &Session, descriptor: &Descriptor) -> Result<Vec<u8>, Error> {
        let (content, digest) = (self.shared.images.content().clone(), descriptor.digest.clone());
        let stored = self.shared.disk.run(move || content.read(&digest, manifest::MAX_BYTES)).await;
        if let Ok(bytes) = stored {
            return Ok(bytes);
        }
        let bytes = self
            .patiently(|| async {
                let response = session.blob(&descriptor.digest, 0).await?;
                session.read_all(response, "configuration", manifest::MAX_BYTES).await
            })
            .await?;
        verify("configuration", session, &descriptor.digest, &bytes)?;
        Ok(bytes)
    }

    /// Repeats a small request as long as it may well succeed. A registry that cannot be reached at all is not asked
    /// again: most often the name is wrong.
    pub(crate) async fn patiently<T, F: Future<Output = Result<T, Error>>>(
        &self,
        request: impl Fn() -> F,
    ) -> Result<T, Error> {
        let mut failures = 0;
        loop {
            let error = match request().await {
                Ok(result) => return Ok(result),
                Err(error) => error,
            };
            failures += 1;
            let is_hopeless = !error.is_transient() || matches!(error, Error::Unreachable { .. });
            if is_hopeless || failures > self.shared.retry.attempts {
                return Err(error);
            }
            tokio::time::sleep(error.retry_after().unwrap_or_else(|| self.shared.retry.delay(failures)))
                .await;
        }
    }

    async fn is_here(&self, id: &Digest) -> Result<bool, Error> {
        let (images, id) = (self.shared.images.clone(), id.clone());
        match self.shared.disk.run(move || images.get(&id)).await {
            Ok(_) => Ok(true),
            Err(image::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn layers(
        &self,
        session: &Session,
        layers: &[Descriptor],
        diff_ids: &[Digest],
        sink: &Sink,
    ) -> Result<(), Error> {
        let mut seen = HashSet::new();
        let wanted: Vec<(&Descriptor, &Digest)> =
            layers.iter().zip(diff_ids).filter(|(_, diff_id)| seen.insert(*diff_id)).collect();
        for (descriptor, _) in &wanted {
            sink.layer(&descriptor.digest, LayerProgress::Begun).await;
        }
        try_join_all(
            wanted.iter().map(|(descriptor, diff_id)| self.layer(session, descriptor, diff_id, sink)),
        )
        .await?;
        Ok(())
    }

    async fn register(
        &self,
        request: &PullRequest,
        resolved: Resolved,
        config: Vec<u8>,
    ) -> Result<(Digest, Outcome, Image), Error> {
        let images = self.shared.images.clone();
        let reference = request.reference.clone();
        self.shared
            .disk
            .run(move || {
                let name = if reference.digest().is_some() {
                    None
                } else {
                    Some(reference.clone().with_default_tag())
                };
                let by_digest: Reference = reference.with_digest(resolved.digest.clone());
                let before = images
                    .resolve(&name.as_ref().unwrap_or(&by_digest).to_string())
                    .ok()
                    .map(|image| image.id);
                let image = images.register(&Registration {
                    config: &config,
                    manifest: Some(&resolved.manifest_bytes),
                    index: resolved.index.as_deref(),
                    tag: name.as_ref(),
                    digest: Some(&by_digest),
                })?;
                let outcome =
                    if before.as_ref() == Some(&image.id) { Outcome::UpToDate } else { Outcome::Newer };
                Ok((resolved.digest, outcome, image))
            })
            .await
    }
}

/// Whether the next endpoint may be asked after this failure.
fn falls_through(error: &Error, role: crate::endpoint::Role) -> bool {
    match role {
        crate::endpoint::Role::Mirror => !error.is_local(),
        // The next one is the same registry without TLS.
        crate::endpoint::Role::Home => matches!(error, Error::Unreachable { .. }),
    }
}

fn verify(what: &'static str, session: &Session, expected: &Digest, bytes: &[u8]) -> Result<(), Error> {
    let mut hasher = Hasher::new(expected.algorithm());
    hasher.update(bytes);
    let found = hasher.finish();
    if found != *expected {
        return Err(Error::WrongDigest {
            what,
            registry: session.registry(),
            expected: expected.clone(),
            found,
        });
    }
    Ok(())
}

fn parse_config(bytes: &[u8], manifest: &Manifest) -> Result<ImageConfig, Error> {
    let malformed = |reason: String| Error::Malformed { what: "configuration", reason };
    let config: ImageConfig = serde_json::from_slice(bytes).map_err(|error| malformed(error.to_string()))?;
    let (layers, diff_ids) = (manifest.layers.len(), config.rootfs.diff_ids.len());
    if layers != diff_ids {
        return Err(malformed(format!("it names {diff_ids} layers, the manifest {layers}")));
    }
    Ok(config)
}
