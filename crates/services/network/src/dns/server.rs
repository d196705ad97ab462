//! Serving one container.

use super::answer::{self, Carrier, Verdict, Zone, decide};
use super::sockets::Sockets;
use super::upstream;
use hickory_proto::op::ResponseCode;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

/// Queries of one container that others are being asked about.
pub(super) const FORWARDS: usize = 256;

/// Connections of one container.
pub(super) const CONNECTIONS: usize = 32;

/// How long a connection may be silent.
const SILENCE: Duration = Duration::from_secs(10);

/// The largest query.
const MAX_QUERY_BYTES: usize = 4096;

/// What a container's names are: asked anew for each query.
pub(super) type Names = Arc<dyn Fn() -> Vec<Zone> + Send + Sync>;

/// Whom to ask about names that are not ours: asked anew for each such query. Nobody, for a container without a way out.
pub(super) type Upstream = Arc<dyn Fn() -> Vec<IpAddr> + Send + Sync>;

/// The tasks that serve one container; they end when this is dropped.
#[derive(Debug)]
pub(super) struct Server(JoinHandle<()>);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Shared {
    names: Names,
    upstream: Upstream,
    turn: AtomicUsize,
    forwards: Semaphore,
}

impl Server {
    /// Starts to serve the sockets, which are non-blocking.
    pub(super) fn start(sockets: Sockets, names: Names, upstream: Upstream) -> io::Result<Self> {
        let udp = UdpSocket::from_std(sockets.udp.into())?;
        let tcp = TcpListener::from_std(sockets.tcp.into())?;
        let shared =
            Shared { names, upstream, turn: AtomicUsize::new(0), forwards: Semaphore::new(FORWARDS) };
        let shared = Arc::new(shared);
        let work = async move {
            tokio::join!(serve_datagrams(Arc::new(udp), Arc::clone(&shared)), serve_streams(tcp, shared));
        };
        Ok(Self(tokio::spawn(work)))
    }
}

async fn serve_datagrams(socket: Arc<UdpSocket>, shared: Arc<Shared>) {
    let mut buffer = vec![0; MAX_QUERY_BYTES];
    let mut forwarding = JoinSet::new();
    loop {
        while forwarding.try_join_next().is_some() {} // Those that are done leave the set.
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else {
            continue; // An answer that nobody took; the next query is another's.
        };
        let query = &buffer[..length];
        match shared.decide(query, Carrier::Udp) {
            Verdict::Reply(reply) => send(&socket, &reply, from).await,
            Verdict::Ignore => {}
            Verdict::Forward => {
                let (socket, shared, query) = (Arc::clone(&socket), Arc::clone(&shared), query.to_vec());
                if shared.forwards.available_permits() == 0 {
                    if let Some(reply) = answer::failure(&query, ResponseCode::ServFail) {
                        send(&socket, &reply, from).await;
                    }
                    continue;
                }
                forwarding.spawn(async move {
                    if let Some(reply) = shared.forward(&query, Carrier::Udp).await {
                        send(&socket, &reply, from).await;
                    }
                });
            }
        }
    }
}

async fn send(socket: &UdpSocket, reply: &[u8], to: SocketAddr) {
    let _ = socket.send_to(reply, to).await; // Lost, as datagrams may be: the program asks again.
}

async fn serve_streams(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        if connections.len() >= CONNECTIONS {
            connections.join_next().await;
        }
        match listener.accept().await {
            Ok((stream, _)) => drop(connections.spawn(serve_stream(stream, Arc::clone(&shared)))),
            // Out of descriptors: some are free in a moment.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
        while connections.try_join_next().is_some() {} // Those that are done leave the set.
    }
}

/// Answers the queries of a connection, one after the other, until it ends, falls silent, or sends too much.
async fn serve_stream(mut stream: TcpStream, shared: Arc<Shared>) {
    loop {
        let Ok(Ok(length)) = timeout(SILENCE, stream.read_u16()).await else { return };
        if usize::from(length) > MAX_QUERY_BYTES {
            return;
        }
        let mut query = vec![0; usize::from(length)];
        let Ok(Ok(_)) = timeout(SILENCE, stream.read_exact(&mut query)).await else { return };
        let reply = match shared.decide(&query, Carrier::Tcp) {
            Verdict::Reply(reply) => Some(reply),
            Verdict::Ignore => None,
            Verdict::Forward => shared.forward(&query, Carrier::Tcp).await,
        };
        let Some(reply) = reply else { return };
        let Ok(length) = u16::try_from(reply.len()) else { return };
        let mut message = length.to_be_bytes().to_vec();
        message.extend(reply);
        let Ok(Ok(())) = timeout(SILENCE, stream.write_all(&message)).await else { return };
    }
}

impl Shared {
    fn decide(&self, query: &[u8], carrier: Carrier) -> Verdict {
        decide(query, carrier, &(self.names)(), self.turn.fetch_add(1, Ordering::Relaxed))
    }

    /// Asks others, and fails on their behalf.
    async fn forward(&self, query: &[u8], carrier: Carrier) -> Option<Vec<u8>> {
        let Ok(_permit) = self.forwards.acquire().await else { return None };
        let servers: Vec<_> =
            (self.upstream)().into_iter().map(|server| SocketAddr::new(server, 53)).collect();
        match upstream::ask(query, &servers, carrier).await {
            Some(reply) => Some(reply),
            None => answer::failure(query, ResponseCode::ServFail),
        }
    }
}
