//! Accepting connections and speaking HTTP on them.

use crate::dispatch::dispatch;
use crate::events::Listeners;
use crate::{Server, State};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// How long requests may go on after the shutdown was asked for.
const GRACE: Duration = Duration::from_secs(2);

/// How long accepting pauses after a failure such as "too many open files".
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long the head of a request may take to come, the pause before it included.
const HEAD_PATIENCE: Duration = Duration::from_secs(120);

/// How long a client may take to show its certificate.
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(10);

/// Connections of one listener; further clients wait until one of them goes. Those that were handed over do not count.
const MAX_CONNECTIONS: usize = 4096;

/// Where clients come from.
#[derive(Debug)]
pub enum Listener {
    /// A unix socket: whoever may open it may do everything.
    Unix(UnixListener),
    /// TCP: whoever has a certificate of the operator's authority may do everything, all others nothing.
    Tls(TcpListener, Arc<rustls::ServerConfig>),
}

enum Accepted {
    Unix(UnixStream),
    Tls(TcpStream, Arc<rustls::ServerConfig>),
}

impl Listener {
    async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Unix(listener) => Ok(Accepted::Unix(listener.accept().await?.0)),
            Self::Tls(listener, config) => Ok(Accepted::Tls(listener.accept().await?.0, Arc::clone(config))),
        }
    }
}

/// Serves the API on these sockets until `shutdown` resolves; then answers what is under way, for two seconds at most.
///
/// Connections that were handed over to a supervisor are not concerned: they go on.
pub async fn serve(listeners: Vec<Listener>, state: State, shutdown: impl Future<Output = ()>) {
    let server = Arc::new(Server { state, listeners: Listeners::default() });
    let (stop, stopping) = watch::channel(false);
    let mut acceptors = JoinSet::new();
    for listener in listeners {
        acceptors.spawn(accept(listener, Arc::clone(&server), stopping.clone()));
    }
    drop(stopping);
    shutdown.await;
    let _ = stop.send(true); // no receiver: nothing to stop
    if tokio::time::timeout(GRACE, async { while acceptors.join_next().await.is_some() {} }).await.is_err() {
        tracing::info!("requests are cut off by the shutdown");
    }
}

async fn accept(listener: Listener, server: Arc<Server>, mut stopping: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        let has_room = connections.len() < MAX_CONNECTIONS;
        tokio::select! {
            _ = stopping.changed() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if has_room => match accepted {
                Ok(accepted) => {
                    connections.spawn(connection(accepted, Arc::clone(&server), stopping.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn connection(accepted: Accepted, server: Arc<Server>, stopping: watch::Receiver<bool>) {
    match accepted {
        Accepted::Unix(stream) => speak(stream, server, stopping).await,
        Accepted::Tls(stream, config) => {
            let _ = stream.set_nodelay(true); // it only makes keystrokes slower
            let handshake = TlsAcceptor::from(config).accept(stream);
            match tokio::time::timeout(HANDSHAKE_PATIENCE, handshake).await {
                Ok(Ok(stream)) => speak(stream, server, stopping).await,
                Ok(Err(error)) => tracing::debug!(%error, "a client was turned away"),
                Err(_) => tracing::debug!("a client took too long to show its certificate"),
            }
        }
    }
}

async fn speak<S>(stream: S, server: Arc<Server>, mut stopping: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| {
        let server = Arc::clone(&server);
        async move { Ok::<_, Infallible>(dispatch(&server, request).await) }
    });
    let connection = http1::Builder::new()
        .title_case_headers(true)
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        _ = stopping.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(error = error::chain(&error), "a connection broke");
    }
}
