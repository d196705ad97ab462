//! A connection to an endpoint.

use crate::address::Address;
use crate::target::Form;
use crate::{Message, Origin, Target, fluentd, gelf, journald, syslog};
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpStream, UdpSocket, UnixDatagram, UnixStream};
use tokio::time::timeout;

/// How long a connection may take.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// A connection to an endpoint. After an error it is useless: connect anew.
#[derive(Debug)]
pub struct Sink {
    form: Form,
    socket: Socket,
    /// Makes ids of messages that nobody can guess.
    ids: RandomState,
    sent: u64,
}

#[derive(Debug)]
enum Socket {
    Udp(UdpSocket),
    Tcp(TcpStream),
    Unix(UnixStream),
    Datagram(UnixDatagram),
}

impl Target {
    /// Makes sure that the endpoint is there, if a container must not start without it.
    ///
    /// # Errors
    /// Docker's text.
    pub async fn probe(&self) -> Result<(), String> {
        if !self.is_required {
            return Ok(());
        }
        match Sink::connect(self).await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.refusal(&error)),
        }
    }

    fn refusal(&self, error: &io::Error) -> String {
        let why = match error.kind() {
            io::ErrorKind::ConnectionRefused => "connect: connection refused".to_owned(),
            io::ErrorKind::NotFound => "connect: no such file or directory".to_owned(),
            io::ErrorKind::TimedOut => "i/o timeout".to_owned(),
            _ => format!("connect: {error}"),
        };
        let dial = match &self.address {
            Address::Udp(address) => format!("dial udp {address}: {why}"),
            Address::Tcp(address) => format!("dial tcp {address}: {why}"),
            Address::Unix(path) => format!("dial unix {}: {why}", path.display()),
            Address::Datagram(path) => format!("dial unixgram {}: {why}", path.display()),
        };
        match (self.form, &self.address) {
            (Form::Journald, _) => "journald is not enabled on this host".to_owned(),
            (Form::Gelf(_), Address::Tcp(address)) => {
                format!("gelf: cannot connect to GELF endpoint: {address} {dial}")
            }
            (Form::Syslog { .. }, Address::Datagram(path)) if path.as_os_str() == "/dev/log" => {
                "Unix syslog delivery error".to_owned()
            }
            _ => dial,
        }
    }
}

impl Sink {
    /// Connects.
    ///
    /// # Errors
    /// Those of the socket; TimedOut for an endpoint that does not answer.
    pub async fn connect(target: &Target) -> io::Result<Self> {
        let connecting = async {
            Ok::<_, io::Error>(match &target.address {
                Address::Udp(address) => {
                    let socket = UdpSocket::bind(any(address)).await?;
                    socket.connect(address).await?;
                    Socket::Udp(socket)
                }
                Address::Tcp(address) => Socket::Tcp(TcpStream::connect(address).await?),
                Address::Unix(path) => Socket::Unix(UnixStream::connect(path).await?),
                Address::Datagram(path) => {
                    let socket = UnixDatagram::unbound()?;
                    socket.connect(path)?;
                    Socket::Datagram(socket)
                }
            })
        };
        let socket = timeout(CONNECT_PATIENCE, connecting).await.map_err(|_| io::ErrorKind::TimedOut)??;
        Ok(Self { form: target.form, socket, ids: RandomState::new(), sent: 0 })
    }

    /// Sends one line. It may wait for as long as the endpoint wants; giving up in between breaks the connection.
    ///
    /// # Errors
    /// Those of the socket.
    pub async fn send(&mut self, origin: &Origin, message: &Message<'_>) -> io::Result<()> {
        self.sent = self.sent.wrapping_add(1);
        match self.form {
            Form::Syslog { format, facility } => {
                let line = syslog::line(format, facility, std::process::id(), origin, message);
                self.write(line.as_bytes()).await
            }
            Form::Fluentd { sub_second } => self.write(&fluentd::message(origin, sub_second, message)).await,
            Form::Journald => self.write(&journald::datagram(origin, message)).await,
            // Empty lines are no messages, says the format.
            Form::Gelf(_) if message.line.is_empty() => Ok(()),
            Form::Gelf(packing) => {
                let mut json = gelf::json(origin, message);
                if matches!(self.socket, Socket::Tcp(_)) {
                    json.push(0);
                    return self.write(&json).await;
                }
                let id = self.ids.hash_one(self.sent);
                for datagram in gelf::datagrams(packing, &json, id).unwrap_or_default() {
                    self.write(&datagram).await?;
                }
                Ok(())
            }
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.socket {
            Socket::Tcp(stream) => stream.write_all(bytes).await,
            Socket::Unix(stream) => stream.write_all(bytes).await,
            Socket::Datagram(socket) => socket.send(bytes).await.map(drop),
            Socket::Udp(socket) => match socket.send(bytes).await {
                // Nobody listens: that is told of an earlier datagram, and with UDP it is not our business.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
                other => other.map(drop),
            },
        }
    }
}

fn any(peer: &SocketAddr) -> SocketAddr {
    match peer {
        SocketAddr::V4(_) => (IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0).into(),
        SocketAddr::V6(_) => (IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0).into(),
    }
}
