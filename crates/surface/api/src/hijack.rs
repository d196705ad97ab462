//! Connections that stop being HTTP: attach and exec.
//!
//! With an upgrade, the client's socket itself is handed over, so that the stream outlives this engine; one with TLS is relayed.
//! Without an upgrade (curl, and
//! clients from before 2014) the bytes are relayed through a socket pair as a chunked body.

use crate::error::Error;
use crate::respond::{Body, Reply, stream};
use bytes::Bytes;
use futures_util::stream as streams;
use http::header::{CONNECTION, CONTENT_TYPE, HeaderValue, UPGRADE};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::ext::ReasonPhrase;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use std::future::Future;
use std::os::fd::OwnedFd;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::OwnedReadHalf;
use wire::version::ApiVersion;

/// The size of a relayed piece.
const PIECE_BYTES: usize = 32 * 1024;

/// Since this version the media type tells framed streams from raw ones.
const MULTIPLEXED_SINCE: ApiVersion = ApiVersion::new(1, 42);

/// The client's end of a stream, before the answer is sent.
pub(crate) enum Hijack {
    /// The client asked for an upgrade.
    Upgrade(OnUpgrade),
    /// It did not; the body, if it is not read yet, is its input.
    Relay(Option<Box<Incoming>>),
}

impl Hijack {
    /// Takes over a request whose body was not read and has nothing but input in it.
    pub(crate) fn with_input(mut request: Request<Incoming>) -> Self {
        match Self::before_body(&mut request) {
            Self::Relay(_) => Self::Relay(Some(Box::new(request.into_body()))),
            upgrade @ Self::Upgrade(_) => upgrade,
        }
    }

    /// Takes over a request whose body is yet to be read, and is no input.
    pub(crate) fn before_body(request: &mut Request<Incoming>) -> Self {
        if wants_upgrade(request.headers()) {
            Self::Upgrade(hyper::upgrade::on(request))
        } else {
            Self::Relay(None)
        }
    }

    /// Answers the request and gives the client's socket, with the bytes that it has already sent, to `connect`.
    ///
    /// # Errors
    /// No socket pair can be made.
    pub(crate) fn answer<F>(
        self,
        content_type: &'static str,
        connect: impl FnOnce(OwnedFd, Vec<u8>) -> F + Send + 'static,
    ) -> Reply
    where
        F: Future<Output = ()> + Send,
    {
        match self {
            Self::Upgrade(upgrade) => {
                tokio::spawn(async move {
                    match hand_over(upgrade).await {
                        Ok((fd, early)) => connect(fd, early).await,
                        Err(error) => tracing::debug!(error = error::chain(&error), "an upgrade failed"),
                    }
                });
                Ok(upgraded(content_type))
            }
            Self::Relay(body) => {
                let (ours, theirs) = std::os::unix::net::UnixStream::pair().map_err(Error::HandOver)?;
                ours.set_nonblocking(true).map_err(Error::HandOver)?;
                let ours = UnixStream::from_std(ours).map_err(Error::HandOver)?;
                tokio::spawn(async move { connect(theirs.into(), Vec::new()).await });
                Ok(relay(ours, body.map(|body| *body)))
            }
        }
    }
}

/// Returns the media type of an attached stream.
///
/// # Source
/// moby `daemon/server/router/container/container_routes.go`, `postContainersAttach`.
pub(crate) fn content_type(upgraded: bool, tty: bool, version: ApiVersion) -> &'static str {
    if upgraded && !tty && version >= MULTIPLEXED_SINCE {
        wire::frame::MULTIPLEXED_STREAM
    } else {
        wire::frame::RAW_STREAM
    }
}

/// Tells whether the client asks for an upgrade of any kind; Docker looks at the one header only.
pub(crate) fn wants_upgrade(headers: &HeaderMap) -> bool {
    headers.contains_key(UPGRADE)
}

async fn hand_over(upgrade: OnUpgrade) -> Result<(OwnedFd, Vec<u8>), Error> {
    let upgraded: Upgraded = upgrade.await.map_err(Error::Read)?;
    let parts = match upgraded.downcast::<TokioIo<UnixStream>>() {
        Ok(parts) => parts,
        // TLS has its state in this process: what belongs to it is relayed.
        Err(upgraded) => return Ok((relayed(upgraded).map_err(Error::HandOver)?, Vec::new())),
    };
    let socket = parts.io.into_inner().into_std().map_err(Error::HandOver)?;
    Ok((socket.into(), parts.read_buf.to_vec()))
}

/// Returns a socket that stands for the connection, as long as this engine lives.
fn relayed(upgraded: Upgraded) -> std::io::Result<OwnedFd> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let mut ours = UnixStream::from_std(ours)?;
    tokio::spawn(async move {
        let mut client = TokioIo::new(upgraded);
        // Each side may end first; the ends of streams are passed on.
        if let Err(error) = tokio::io::copy_bidirectional(&mut client, &mut ours).await {
            tracing::debug!(%error, "a relayed stream broke");
        }
    });
    Ok(theirs.into())
}

fn upgraded(content_type: &'static str) -> Response<Body> {
    let mut response = crate::respond::empty(StatusCode::SWITCHING_PROTOCOLS);
    response.extensions_mut().insert(ReasonPhrase::from_static(b"UPGRADED"));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("tcp"));
    response
}

fn relay(socket: UnixStream, input: Option<Incoming>) -> Response<Body> {
    let (output, mut to_program) = socket.into_split();
    // Ends with the client's input, or when the program's side is closed.
    tokio::spawn(async move {
        let mut input = input;
        while let Some(body) = &mut input
            && let Some(Ok(frame)) = body.frame().await
        {
            let Ok(data) = frame.into_data() else { continue };
            if to_program.write_all(&data).await.is_err() {
                return;
            }
        }
        let _ = to_program.shutdown().await; // the other side may be gone already
    });
    stream(wire::frame::RAW_STREAM, streams::unfold(output, read_piece))
}

async fn read_piece(mut from: OwnedReadHalf) -> Option<(Bytes, OwnedReadHalf)> {
    let mut piece = Vec::with_capacity(PIECE_BYTES);
    match from.read_buf(&mut piece).await {
        Ok(0) | Err(_) => None,
        Ok(_) => Some((piece.into(), from)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::server::conn::http1;
    use hyper::service::service_fn;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream as StdStream;

    /// Serves one connection whose requests are all hijacked by a program that writes the early bytes and what follows back in
    /// upper case, until the end of its input, and `bye` at the end.
    async fn serve_echo(server: StdStream) {
        server.set_nonblocking(true).unwrap();
        let io = TokioIo::new(UnixStream::from_std(server).unwrap());
        let service = service_fn(|request: Request<Incoming>| async move {
            let answer =
                Hijack::with_input(request).answer(wire::frame::MULTIPLEXED_STREAM, |fd, early| async move {
                    let echo = move || {
                        let mut socket = StdStream::from(fd);
                        socket.set_nonblocking(false).unwrap();
                        let mut input = early;
                        socket.read_to_end(&mut input).unwrap();
                        input.make_ascii_uppercase();
                        socket.write_all(&input).unwrap();
                        socket.write_all(b"bye").unwrap();
                    };
                    tokio::task::spawn_blocking(echo).await.unwrap();
                });
            Ok::<_, std::convert::Infallible>(answer.unwrap())
        });
        http1::Builder::new()
            .title_case_headers(true)
            .serve_connection(io, service)
            .with_upgrades()
            .await
            .unwrap();
    }

    async fn exchange(request: &'static str) -> String {
        let (mut client, server) = StdStream::pair().unwrap();
        let talk = tokio::task::spawn_blocking(move || {
            client.write_all(request.as_bytes()).unwrap();
            let mut answer = vec![0; 4096];
            let count = client.read(&mut answer).unwrap();
            answer.truncate(count);
            client.write_all(b" more").unwrap();
            client.shutdown(std::net::Shutdown::Write).unwrap();
            client.read_to_end(&mut answer).unwrap();
            String::from_utf8(answer).unwrap()
        });
        serve_echo(server).await;
        talk.await.unwrap()
    }

    #[tokio::test]
    async fn upgrade_answers_as_docker_and_hands_early_bytes_over() {
        let answer = exchange(
            "POST /containers/x/attach?stream=1 HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nearly",
        )
        .await;
        let (head, stream) = answer.split_once("\r\n\r\n").unwrap();
        let mut lines: Vec<&str> = head.split("\r\n").filter(|line| !line.starts_with("Date: ")).collect();
        assert_eq!(lines.remove(0), "HTTP/1.1 101 UPGRADED");
        lines.sort_unstable();
        assert_eq!(
            lines,
            [
                "Connection: Upgrade",
                "Content-Type: application/vnd.docker.multiplexed-stream",
                "Upgrade: tcp"
            ]
        );
        assert_eq!(stream, "EARLY MOREbye");
    }

    #[tokio::test]
    async fn without_upgrade_the_body_is_input_and_the_answer_is_chunked() {
        let (mut client, server) = StdStream::pair().unwrap();
        let talk = tokio::task::spawn_blocking(move || {
            client
                .write_all(b"POST /containers/x/attach HTTP/1.1\r\nHost: d\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody")
                .unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).unwrap();
            answer
        });
        serve_echo(server).await;
        let answer = talk.await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("Content-Type: application/vnd.docker.raw-stream\r\n"), "{answer}");
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        let text: String = body.split("\r\n").skip(1).step_by(2).collect();
        assert_eq!(text, "BODYbye");
    }

    #[test]
    fn media_type_is_multiplexed_only_for_new_upgraded_streams_without_terminal() {
        let (old, new) = (ApiVersion::new(1, 41), ApiVersion::new(1, 42));
        assert_eq!(content_type(true, false, new), wire::frame::MULTIPLEXED_STREAM);
        for (upgraded, tty, version) in [(false, false, new), (true, true, new), (true, false, old)] {
            assert_eq!(content_type(upgraded, tty, version), wire::frame::RAW_STREAM);
        }
    }
}
