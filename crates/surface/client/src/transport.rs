//! Connections to the engine, and the exchange of one request for one answer.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde::de::DeserializeOwned;
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::process::Command;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::request::Request;
use crate::upload;
use crate::{ByteStream, Endpoint, Error, Hijacked, JsonLines, Tls};

/// The API version that is spoken unless the engine says that it is too new for it.
const VERSION: &str = "1.51";

/// A client of one engine. Cheap to clone; clones share the connection that is kept.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    endpoint: Endpoint,
    tls: Option<Tls>,
    version: Mutex<String>,
    idle: Mutex<Option<SendRequest<Full<Bytes>>>>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("endpoint", &self.shared.endpoint).finish_non_exhaustive()
    }
}

impl Client {
    /// Returns a client; nothing is connected yet.
    pub fn new(endpoint: Endpoint) -> Self {
        Self::with_version(endpoint, VERSION)
    }

    /// Returns a client that speaks the given API version (`1.44`).
    pub fn with_version(endpoint: Endpoint, version: &str) -> Self {
        Self::secured(endpoint, Some(version), None)
    }

    /// Returns a client that uses TLS if the endpoint is a TCP address; no version for our own.
    pub fn secured(endpoint: Endpoint, version: Option<&str>, tls: Option<Tls>) -> Self {
        let version = Mutex::new(version.unwrap_or(VERSION).trim_start_matches('v').to_owned());
        Self { shared: Arc::new(Shared { endpoint, tls, version, idle: Mutex::new(None) }) }
    }

    /// Returns where the engine is.
    pub fn endpoint(&self) -> &Endpoint {
        &self.shared.endpoint
    }

    /// Returns the API version that is spoken: after the first answer, the one that the engine accepted.
    pub fn version(&self) -> String {
        self.shared.version.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Connects and keeps the connection for the next request.
    ///
    /// # Errors
    /// [`Error::Connect`] if nobody answers.
    pub async fn connect(&self) -> Result<(), Error> {
        let sender = self.open().await?;
        self.keep(sender);
        Ok(())
    }

    /// Sends a request and reads the whole answer as JSON.
    pub(crate) async fn json<T: DeserializeOwned>(&self, request: Request) -> Result<T, Error> {
        let what = request.what();
        let bytes = self.bytes(request).await?;
        serde_json::from_slice(&bytes).map_err(|source| Error::Answer { what, source })
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn bytes(&self, request: Request) -> Result<Bytes, Error> {
        let what = request.what();
        let (response, sender) = self.exchange(request).await?;
        let bytes = read_all(&what, response).await?;
        self.keep(sender);
        Ok(bytes)
    }

    /// Sends a request whose answer has no body worth reading; "not modified" is success.
    pub(crate) async fn done(&self, request: Request) -> Result<(), Error> {
        self.bytes(request).await.map(|_| ())
    }

    /// Sends a request and returns the answer as it comes.
    pub(crate) async fn stream(&self, request: Request) -> Result<ByteStream, Error> {
        let what = request.what();
        let (response, _) = self.exchange(request).await?;
        Ok(ByteStream::new(what, response.into_body()))
    }

    /// Sends a request and returns the JSON lines of the answer as they come.
    pub(crate) async fn lines<T: DeserializeOwned>(&self, request: Request) -> Result<JsonLines<T>, Error> {
        Ok(JsonLines::new(self.stream(request).await?))
    }

    /// Sends a request that asks for the raw connection.
    pub(crate) async fn hijack(&self, mut request: Request) -> Result<Hijacked, Error> {
        let what = request.what();
        request.headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        request.headers.insert(header::UPGRADE, HeaderValue::from_static("tcp"));
        let (response, _) = self.exchange(request).await?;
        let status = response.status();
        if status != StatusCode::SWITCHING_PROTOCOLS {
            return Err(Error::NotUpgraded { what, status: status.as_u16() });
        }
        let content_type =
            response.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).map(str::to_owned);
        let upgraded = hyper::upgrade::on(response)
            .await
            .map_err(|source| Error::Broken { what: what.clone(), source: Box::new(source) })?;
        Hijacked::new(upgraded, content_type.as_deref())
            .ok_or(Error::NotUpgraded { what, status: status.as_u16() })
    }

    /// Sends a request; error statuses become errors. An engine that does not know our version is asked in its own.
    async fn exchange(
        &self,
        request: Request,
    ) -> Result<(Response<Incoming>, SendRequest<Full<Bytes>>), Error> {
        let mut renegotiated = false;
        loop {
            let (response, sender) = self.send(&request).await?;
            let status = response.status();
            if status.is_success() || status.is_informational() || status == StatusCode::NOT_MODIFIED {
                return Ok((response, sender));
            }
            let error = engine_error(&request.what(), response).await;
            match newest_version(&error) {
                Some(version) if !renegotiated => {
                    *self.shared.version.lock().unwrap_or_else(PoisonError::into_inner) = version;
                    renegotiated = true;
                }
                _ => return Err(error),
            }
        }
    }

    async fn send(&self, request: &Request) -> Result<(Response<Incoming>, SendRequest<Full<Bytes>>), Error> {
        let kept = self.shared.idle.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut sender) = kept
            && sender.ready().await.is_ok()
        {
            match sender.send_request(self.build(request)?).await {
                Ok(response) => return Ok((response, sender)),
                // The engine closed the kept connection before it saw the request.
                Err(error) if error.is_canceled() || error.is_closed() => {}
                Err(source) => return Err(broken(request, source)),
            }
        }
        let mut sender = self.open().await?;
        let response =
            sender.send_request(self.build(request)?).await.map_err(|source| broken(request, source))?;
        Ok((response, sender))
    }

    fn build(&self, request: &Request) -> Result<http::Request<Full<Bytes>>, Error> {
        let mut built = http::Request::builder()
            .method(request.method.clone())
            .uri(request.target(&self.version()))
            .body(Full::new(request.body.clone()))
            .map_err(|source| Error::Broken { what: request.what(), source: Box::new(source) })?;
        let headers = built.headers_mut();
        headers.insert(header::HOST, HeaderValue::from_static("api.naru"));
        headers.insert(
            header::USER_AGENT,
            HeaderValue::from_static(concat!("Naru-Client/", env!("CARGO_PKG_VERSION"), " (linux)")),
        );
        headers.extend(request.headers.clone());
        Ok(built)
    }

    /// Sends a request whose body comes from a reader, on a connection of its own; returns the answer as it comes. The
    /// answer may begin, and be an error, before all was sent.
    pub(crate) async fn upload(
        &self,
        request: Request,
        reader: impl io::Read + Send + 'static,
    ) -> Result<ByteStream, Error> {
        let what = request.what();
        let broken = |source| Error::Broken { what: what.clone(), source: Box::new(source) };
        let mut sender = self.open::<UnsyncBoxBody<Bytes, io::Error>>().await?;
        let built = self.build(&request)?.map(|_| upload::body(reader));
        let response = sender.send_request(built).await.map_err(broken)?;
        if !response.status().is_success() {
            return Err(engine_error(&what, response).await);
        }
        Ok(ByteStream::new(what, response.into_body()))
    }

    async fn open<B>(&self) -> Result<SendRequest<B>, Error>
    where
        B: hyper::body::Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let endpoint = &self.shared.endpoint;
        let socket = Socket::connect(endpoint, self.shared.tls.as_ref())
            .await
            .map_err(|source| Error::Connect { endpoint: endpoint.clone(), source })?;
        let (sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.map_err(|source| {
                Error::Broken { what: "the first exchange".to_owned(), source: Box::new(source) }
            })?;
        // The task ends with the connection: when the sender and the body are gone, or the socket was handed over.
        tokio::spawn(connection.with_upgrades());
        Ok(sender)
    }

    fn keep(&self, sender: SendRequest<Full<Bytes>>) {
        if !sender.is_closed() {
            *self.shared.idle.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        }
    }
}

fn broken(request: &Request, source: hyper::Error) -> Error {
    Error::Broken { what: request.what(), source: Box::new(source) }
}

async fn read_all(what: &str, response: Response<Incoming>) -> Result<Bytes, Error> {
    let collected = response
        .into_body()
        .collect()
        .await
        .map_err(|source| Error::Broken { what: what.to_owned(), source: Box::new(source) })?;
    Ok(collected.to_bytes())
}

#[derive(serde::Deserialize)]
struct ErrorBody {
    message: String,
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    hint: Option<String>,
}

async fn engine_error(what: &str, response: Response<Incoming>) -> Error {
    let status = response.status().as_u16();
    let bytes = match read_all(what, response).await {
        Ok(bytes) => bytes,
        Err(error) => return error,
    };
    match serde_json::from_slice::<ErrorBody>(&bytes) {
        Ok(ErrorBody { message, code, hint }) => Error::Engine { status, message, code, hint },
        Err(_) => {
            let text = String::from_utf8_lossy(&bytes);
            let text = text.trim();
            let message = if text.is_empty() { format!("HTTP status {status}") } else { text.to_owned() };
            Error::Engine { status, message, code: None, hint: None }
        }
    }
}

/// Returns the newest version that the engine knows, if that is what it complains about.
fn newest_version(error: &Error) -> Option<String> {
    let Error::Engine { status: 400, message, .. } = error else { return None };
    let (_, version) = message.split_once("is too new. Maximum supported API version is ")?;
    let version: String = version.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    (!version.is_empty()).then_some(version)
}

/// A connected socket of either kind.
#[derive(Debug)]
pub(crate) enum Socket {
    Unix(UnixStream),
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Socket {
    async fn connect(endpoint: &Endpoint, tls: Option<&Tls>) -> io::Result<Self> {
        match endpoint {
            Endpoint::Ssh { destination, port } => ssh(destination, *port).map(Self::Unix),
            Endpoint::Unix(path) => UnixStream::connect(path).await.map(Self::Unix),
            Endpoint::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                let Some(tls) = tls else { return Ok(Self::Tcp(stream)) };
                let connector = TlsConnector::from(Arc::clone(&tls.config));
                let name = ServerName::IpAddress(address.ip().into());
                Ok(Self::Tls(Box::new(connector.connect(name, stream).await?)))
            }
        }
    }
}

/// Runs `ssh`, which speaks with the engine of the other machine, and returns our end of its standard streams.
fn ssh(destination: &str, port: Option<u16>) -> io::Result<UnixStream> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let mut command = Command::new("ssh");
    command.args(["-o", "ConnectTimeout=30", "-T"]);
    if let Some(port) = port {
        command.args(["-p", &port.to_string()]);
    }
    command.args(["--", destination, "naru", "system", "dial-stdio"]);
    command.stdin(OwnedFd::from(theirs.try_clone()?)).stdout(OwnedFd::from(theirs));
    let mut child = command.spawn()?;
    // It ends with the connection, or says on stderr why there is none.
    tokio::spawn(async move { child.wait().await });
    UnixStream::from_std(ours)
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
