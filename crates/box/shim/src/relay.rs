//! The relay of published ports: a thread of its own, so that no peer on the network can hold up the container's streams.
//!
//! ```text
//!  host's socket 0.0.0.0:8080 ──accept──▶ stream ──connect──▶ 172.17.0.2:80
//!  host's socket [::]:53/udp ──datagram─▶ flow (one per sender) ──▶ 172.17.0.2:53
//! ```
//! Most traffic never comes here: the packet filter sends it to the container. What comes is what the packet filter cannot
//! send there: connections of the host's loopback, IPv6 peers of a container without IPv6, and everybody while the host's
//! packet filter is flushed.
//!
//! **Bounds.** At most [`MAX_STREAMS`] connections and [`MAX_FLOWS`] senders of datagrams at once; 64 KiB are buffered in
//! each direction of a connection; one event serves at most [`ROUND`] connections or datagrams.

mod flow;
mod stream;

use flow::Flows;
use shimwire::{HostPort, PublishedPort, Transport};
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use stream::{Side, Streams};
use sys::epoll::{self, Epoll, Interest};

/// Connections at once.
const MAX_STREAMS: usize = 4096;
/// Senders of datagrams at once.
const MAX_FLOWS: usize = 1024;
/// Connections or datagrams that one event serves.
const ROUND: usize = 64;
/// How long nothing is accepted after the process ran out of descriptors.
const PAUSE: Duration = Duration::from_millis(100);
/// How often senders that have fallen silent are looked for.
const SWEEP: Duration = Duration::from_secs(10);
/// What the largest datagram needs; also what one read takes of a stream.
const BUFFER_BYTES: usize = 64 * 1024;
/// The thread's stack; its buffers are on the heap.
const STACK_BYTES: usize = 128 * 1024;

/// The thread's end of the line.
#[derive(Debug)]
pub(crate) struct Relay {
    commands: Option<Sender<Command>>,
    wake: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

enum Command {
    Open(PublishedPort, OwnedFd),
    Close(HostPort),
}

impl Relay {
    /// Starts the thread.
    pub(crate) fn start() -> Result<Self, crate::Error> {
        let wake = Arc::new(epoll::eventfd(0)?);
        let (commands, receiver) = channel();
        let work = Loop::new(Arc::clone(&wake), receiver)?;
        let thread = std::thread::Builder::new().name("naru-relay".into()).stack_size(STACK_BYTES);
        let thread = thread.spawn(move || work.run()).map_err(crate::Error::Thread)?;
        Ok(Self { commands: Some(commands), wake, thread: Some(thread) })
    }

    /// Holds a port's socket and serves it.
    pub(crate) fn open(&self, port: PublishedPort, socket: OwnedFd) {
        self.tell(Command::Open(port, socket));
    }

    /// Closes a port's socket. Connections that were made through it go on.
    pub(crate) fn close(&self, port: HostPort) {
        self.tell(Command::Close(port));
    }

    fn tell(&self, command: Command) {
        if let Some(commands) = &self.commands {
            let _ = commands.send(command); // The thread ends with this only.
            self.wake();
        }
    }

    fn wake(&self) {
        let _ = sys::pipe::write(&*self.wake, &1_u64.to_ne_bytes()); // A full counter wakes as well.
    }
}

impl Drop for Relay {
    /// Closes all sockets and connections, and returns when they are closed: the ports are free then.
    fn drop(&mut self) {
        self.commands = None;
        self.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // It aborts rather than panics.
        }
    }
}

/// What woke the thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Wake,
    Listener(u32),
    Client(u32),
    Server(u32),
    Flow(u32),
}

impl Token {
    fn number(self) -> u64 {
        let (kind, id) = match self {
            Self::Wake => (0, 0),
            Self::Listener(id) => (1, id),
            Self::Client(id) => (2, id),
            Self::Server(id) => (3, id),
            Self::Flow(id) => (4, id),
        };
        kind << 32 | u64::from(id)
    }

    #[expect(clippy::cast_possible_truncation, reason = "the lower half is cut out on purpose")]
    fn of(number: u64) -> Self {
        let id = number as u32;
        match number >> 32 {
            1 => Self::Listener(id),
            2 => Self::Client(id),
            3 => Self::Server(id),
            4 => Self::Flow(id),
            _ => Self::Wake,
        }
    }
}

#[derive(Debug)]
struct Listener {
    port: PublishedPort,
    socket: OwnedFd,
}

struct Loop {
    epoll: Epoll,
    wake: Arc<OwnedFd>,
    commands: Receiver<Command>,
    listeners: HashMap<u32, Listener>,
    streams: Streams,
    flows: Flows,
    next: u32,
    paused_until: Option<Instant>,
    buffer: Vec<u8>,
}

impl Loop {
    fn new(wake: Arc<OwnedFd>, commands: Receiver<Command>) -> Result<Self, crate::Error> {
        let epoll = Epoll::new()?;
        epoll.add(&*wake, Token::Wake.number(), Interest::READ)?;
        Ok(Self {
            epoll,
            wake,
            commands,
            listeners: HashMap::new(),
            streams: Streams::default(),
            flows: Flows::default(),
            next: 0,
            paused_until: None,
            buffer: Vec::new(),
        })
    }

    fn run(mut self) {
        let mut events = Vec::new();
        loop {
            let timeout = self.timeout();
            if let Err(error) = self.epoll.wait(&mut events, timeout) {
                crate::complain(&error, "connections are no longer relayed");
                return;
            }
            for event in events.drain(..) {
                match Token::of(event.token) {
                    Token::Wake => match self.obey() {
                        Ok(()) => {}
                        Err(Left) => return,
                    },
                    Token::Listener(id) => self.admit(id),
                    Token::Client(id) => {
                        self.streams.serve(&self.epoll, id, Side::Client, event, &mut self.buffer)
                    }
                    Token::Server(id) => {
                        self.streams.serve(&self.epoll, id, Side::Server, event, &mut self.buffer)
                    }
                    Token::Flow(id) => self.flows.answer(id, &self.listeners, &mut self.buffer),
                }
            }
            self.resume();
            self.flows.sweep(Instant::now());
        }
    }

    fn timeout(&self) -> Option<Duration> {
        let pause = self.paused_until.map(|until| until.saturating_duration_since(Instant::now()));
        let sweep = (!self.flows.is_empty()).then_some(SWEEP);
        pause.into_iter().chain(sweep).min()
    }

    fn obey(&mut self) -> Result<(), Left> {
        let _ = epoll::eventfd_read(&*self.wake); // It is an eventfd.
        loop {
            match self.commands.try_recv() {
                Ok(Command::Open(port, socket)) => self.listen(port, socket),
                Ok(Command::Close(at)) => self.listeners.retain(|_, listener| listener.port.at != at),
                Err(TryRecvError::Empty) => return Ok(()),
                Err(TryRecvError::Disconnected) => return Err(Left),
            }
        }
    }

    fn listen(&mut self, port: PublishedPort, socket: OwnedFd) {
        if self.buffer.is_empty() {
            self.buffer = vec![0; BUFFER_BYTES];
        }
        let id = self.number();
        // A port without relay is reserved all the same.
        if port.at.protocol != Transport::Sctp
            && let Err(error) = self.epoll.add(&socket, Token::Listener(id).number(), Interest::READ)
        {
            crate::complain(&error, "a published port is not relayed");
        }
        self.listeners.insert(id, Listener { port, socket });
    }

    /// Returns a number that nothing has at present.
    fn number(&mut self) -> u32 {
        loop {
            self.next = self.next.wrapping_add(1);
            let taken = self.listeners.contains_key(&self.next)
                || self.streams.contains(self.next)
                || self.flows.contains(self.next);
            if !taken {
                return self.next;
            }
        }
    }

    fn admit(&mut self, id: u32) {
        match self.listeners.get(&id).map(|listener| listener.port.at.protocol) {
            Some(Transport::Tcp) => self.accept(id),
            Some(Transport::Udp) => self.take_datagrams(id),
            Some(Transport::Sctp) | None => {}
        }
    }

    fn accept(&mut self, id: u32) {
        for _ in 0..ROUND {
            if self.streams.len() >= MAX_STREAMS {
                return self.pause();
            }
            let new = self.number();
            let Some(listener) = self.listeners.get(&id) else { return };
            let client = match sys::inet::accept(&listener.socket) {
                Ok(Some(client)) => client,
                Ok(None) => return,
                Err(error) if error.is(sys::Errno::CONNABORTED) => continue,
                Err(_) => return self.pause(), // Out of descriptors or memory: others will free some.
            };
            // A container that cannot be reached is as good as one that refuses: the client sees the end.
            if let Ok(server) = sys::inet::connect(sys::inet::Transport::Tcp, listener.port.to) {
                self.streams.add(&self.epoll, new, client, server);
            }
        }
    }

    fn take_datagrams(&mut self, id: u32) {
        for _ in 0..ROUND {
            let new = self.number();
            let Some(listener) = self.listeners.get(&id) else { return };
            match sys::inet::receive_from(&listener.socket, &mut self.buffer) {
                Ok(Some((length, path))) => {
                    let datagram = &self.buffer[..length.min(self.buffer.len())];
                    self.flows.forward(&self.epoll, new, (id, path), listener.port.to, datagram);
                }
                Ok(None) => return,
                Err(_) => {} // An answer that could not be delivered; the next datagram is another's.
            }
        }
    }

    /// Accepts nothing for a moment: the backlog waits in the kernel.
    fn pause(&mut self) {
        self.paused_until = Some(Instant::now() + PAUSE);
        self.watch_listeners(Interest::NONE);
    }

    fn resume(&mut self) {
        if self.paused_until.is_some_and(|until| until <= Instant::now()) {
            self.paused_until = None;
            self.watch_listeners(Interest::READ);
        }
    }

    fn watch_listeners(&self, interest: Interest) {
        for (id, listener) in &self.listeners {
            if listener.port.at.protocol == Transport::Tcp {
                // One that is not watched was complained about when it was opened.
                let _ = self.epoll.modify(&listener.socket, Token::Listener(*id).number(), interest);
            }
        }
    }
}

/// The supervisor has closed the line.
struct Left;

#[cfg(test)]
mod tests;
