//! Accepting connections and speaking HTTP on them.

use crate::dispatch::dispatch;
use crate::events::Listeners;
use crate::{Server, State};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How long requests may go on after the shutdown was asked for.
const GRACE: Duration = Duration::from_secs(2);

/// How long accepting pauses after a failure such as "too many open files".
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves the API on these sockets until `shutdown` resolves; then answers what is under way, for two seconds at most.
///
/// Connections that were handed over to a supervisor are not concerned: they go on.
pub async fn serve(listeners: Vec<UnixListener>, state: State, shutdown: impl Future<Output = ()>) {
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

async fn accept(listener: UnixListener, server: Arc<Server>, mut stopping: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = stopping.changed() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, Arc::clone(&server), stopping.clone()));
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

async fn connection(stream: UnixStream, server: Arc<Server>, mut stopping: watch::Receiver<bool>) {
    let service = service_fn(move |request| {
        let server = Arc::clone(&server);
        async move { Ok::<_, Infallible>(dispatch(&server, request).await) }
    });
    let connection = http1::Builder::new()
        .title_case_headers(true)
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
