//! Accepting connections, speaking HTTP and TLS, and finding the handler.

use crate::answer::{self, Body, Reply};
use crate::collect::collect;
use crate::error::{Code, Error, Refusal};
use crate::listings::{self, Page};
use crate::manifest::MAX_BYTES;
use crate::metrics::Metrics;
use crate::receive::{self, Wishes};
use crate::route::{Route, Target, route};
use crate::server::{Server, Settings, Tls};
use crate::{blobs, manifests};
use futures_util::FutureExt;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// Connections at once; further ones wait.
const MAX_CONNECTIONS: usize = 1024;

/// How long a client may take for its TLS handshake, and for the headers of a request.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long accepting pauses after a failure such as "too many open files".
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves a registry until `shutdown` resolves. What is under way then is cut off: uploads go on where they were.
///
/// # Errors
/// Settings, certificates and files that cannot be read or are wrong.
pub async fn serve(
    listener: TcpListener,
    settings: Settings,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    let acceptor = settings.tls.as_ref().map(acceptor).transpose()?;
    let server =
        tokio::task::spawn_blocking(move || Server::open(settings)).await.expect("opening does not panic")?;
    let server = Arc::new(server);
    let mut tasks = JoinSet::new();
    for delivery in server.notifier.deliveries() {
        tasks.spawn(delivery);
    }
    tasks.spawn(collect_now_and_then(Arc::clone(&server)));
    tokio::select! {
        () = shutdown => {}
        () = accept(listener, acceptor, server) => {}
    }
    Ok(())
}

/// Reads certificate and key.
fn acceptor(tls: &Tls) -> Result<TlsAcceptor, Error> {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let _ = rustls::crypto::ring::default_provider().install_default(); // an error means that it is there already
    let wrong = |path: &std::path::Path, error: &dyn std::fmt::Display| {
        Error::Setting(format!("{}: {error}", path.display()))
    };
    let chain = CertificateDer::pem_file_iter(&tls.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(&tls.certificate, &error))?;
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(|error| wrong(&tls.key, &error))?;
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| wrong(&tls.certificate, &error))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn collect_now_and_then(server: Arc<Server>) {
    loop {
        tokio::time::sleep(server.settings.collect_every).await;
        let this = Arc::clone(&server);
        match server.disk.run(move || collect(&this)).await {
            Ok(0) => {}
            Ok(freed) => tracing::info!(freed_bytes = freed, "unused blobs were collected"),
            Err(error) => tracing::error!(error = ::error::chain(&error), "the collection failed"),
        }
    }
}

async fn accept(listener: TcpListener, acceptor: Option<TlsAcceptor>, server: Arc<Server>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        while connections.join_next().now_or_never().flatten().is_some() {}
        let place = Arc::clone(&places).acquire_owned().await.expect("the semaphore is never closed");
        match listener.accept().await {
            Ok((stream, _)) => {
                let (acceptor, server) = (acceptor.clone(), Arc::clone(&server));
                connections.spawn(async move {
                    let _place = place;
                    let _ = stream.set_nodelay(true); // only slower without
                    match acceptor {
                        None => connection(stream, server).await,
                        Some(acceptor) => match tokio::time::timeout(PATIENCE, acceptor.accept(stream)).await
                        {
                            Ok(Ok(stream)) => connection(stream, server).await,
                            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
                            Err(_) => tracing::debug!("a TLS handshake took too long"),
                        },
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin + Send, server: Arc<Server>) {
    let service = service_fn(move |request| {
        let server = Arc::clone(&server);
        async move { Ok::<_, Infallible>(dispatch(&server, request).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(error = ::error::chain(&error), "a connection broke");
    }
}

async fn dispatch(server: &Arc<Server>, request: Request<Incoming>) -> Response<Body> {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    Metrics::add(&server.metrics.requests, 1);
    let mut response = match handle(server, request).await {
        Ok(response) if method == Method::HEAD => answer::head_of(response),
        Ok(response) => response,
        Err(refusal) => {
            Metrics::add(&server.metrics.refused, 1);
            tracing::debug!(%method, path, status = refusal.status.as_u16(), reason = refusal.message, "refused");
            let response = answer::refusal(&refusal);
            if method == Method::HEAD { answer::head_of(response) } else { response }
        }
    };
    answer::add(&mut response, &[("docker-distribution-api-version", "registry/2.0".to_owned())]);
    response
}

async fn handle(server: &Arc<Server>, request: Request<Incoming>) -> Reply {
    let path = percent_decode(request.uri().path());
    let found = route(request.method(), &path);
    let target = found.as_ref().map_or(Target::Base, |route| route.target.clone());
    guard(server, &request, target).await?;
    let Route { repository, target } = found?;
    if server.settings.read_only && target.writes() {
        return Err(Refusal::new(Code::Unsupported, "the registry is read-only"));
    }
    let query = Query::parse(request.uri().query().unwrap_or_default());
    let (head, body) = request.into_parts();
    match target {
        Target::Base => Ok(answer::json(&serde_json::json!({}), &[])),
        Target::Metrics if server.settings.metrics => {
            Ok(answer::bytes("text/plain; version=0.0.4", server.metrics.text(), &[]))
        }
        Target::Metrics => {
            Err(Refusal::new(Code::Unsupported, "metrics are off").with_status(StatusCode::NOT_FOUND))
        }
        Target::Catalog => listings::catalog(server, query.page()?).await,
        Target::Tags => listings::tags(server, repository, query.page()?).await,
        Target::Referrers(digest) => {
            listings::referrers(server, repository, digest, query.get("artifactType")).await
        }
        Target::BlobGet(digest) => blobs::get(server, repository, digest, &head.method, &head.headers).await,
        Target::BlobDelete(digest) => blobs::delete(server, repository, digest).await,
        Target::UploadStart => {
            let wishes =
                Wishes { digest: query.get("digest"), mount: query.get("mount"), from: query.get("from") };
            receive::start(server, repository, wishes, body).await
        }
        Target::UploadAppend(id) => receive::append(server, repository, id, &head.headers, body).await,
        Target::UploadFinish(id) => {
            receive::complete(server, repository, id, query.get("digest").as_deref(), &head.headers, body)
                .await
        }
        Target::UploadStatus(id) => receive::status(server, repository, id).await,
        Target::UploadCancel(id) => receive::cancel(server, repository, id).await,
        Target::ManifestGet(reference) => manifests::get(server, repository, reference).await,
        Target::ManifestDelete(reference) => manifests::delete(server, repository, reference).await,
        Target::ManifestPut(reference) => {
            let bytes = Limited::new(body, MAX_BYTES).collect().await.map_err(|_| {
                Refusal::new(Code::SizeInvalid, format!("a manifest has at most {MAX_BYTES} bytes"))
            })?;
            let bytes = bytes.to_bytes().to_vec();
            manifests::put(server, repository, reference, query.all("tag"), &head.headers, bytes).await
        }
    }
}

async fn guard(server: &Arc<Server>, request: &Request<Incoming>, target: Target) -> Result<(), Refusal> {
    if server.users.is_none() {
        return Ok(());
    }
    let (this, headers) = (Arc::clone(server), request.headers().clone());
    let check = move || match &this.users {
        Some(users) => users.check(&headers, &target, this.settings.anonymous_pull),
        None => Ok(()),
    };
    server.disk.run(check).await
}

/// The parameters of a request, decoded.
struct Query(Vec<(String, String)>);

impl Query {
    fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| {
                    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (percent_decode(name), percent_decode(&value.replace('+', " ")))
                })
                .collect(),
        )
    }

    fn get(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value.clone())
    }

    fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(found, _)| found == name).map(|(_, value)| value.clone()).collect()
    }

    fn page(&self) -> Result<Page, Refusal> {
        Page::of(self.get("n").as_deref(), self.get("last").as_deref())
    }
}

/// Decodes `%XX`; what is no UTF-8 then stays as it was, and names nothing.
fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let digits = bytes.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| *byte == b'%') {
            Some(decoded) => {
                out.push(decoded);
                at += 3;
            }
            None => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_decoded() {
        let query = Query::parse("digest=sha256%3Aab&tag=a&tag=b&x");
        assert_eq!(query.get("digest").as_deref(), Some("sha256:ab"));
        assert_eq!(query.all("tag"), ["a", "b"]);
        assert_eq!(query.get("x").as_deref(), Some(""));
        assert_eq!(percent_decode("%zz%"), "%zz%");
    }
}
