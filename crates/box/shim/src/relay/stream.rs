//! Relayed connections.

use super::Token;
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use sys::epoll::{Epoll, Event, Interest};

/// Which end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Who connected to the host.
    Client,
    /// The container.
    Server,
}

/// All connections.
#[derive(Debug, Default)]
pub(super) struct Streams(HashMap<u32, Stream>);

#[derive(Debug)]
struct Stream {
    client: End,
    server: End,
    /// The container has not answered yet.
    connecting: bool,
}

/// One end: its socket, and what waits to be written to it.
#[derive(Debug)]
struct End {
    socket: OwnedFd,
    interest: Interest,
    /// What the other end sent and this one has not taken.
    waiting: Vec<u8>,
    /// How much of it was taken.
    taken: usize,
    /// Nothing more comes from this end.
    ended: bool,
    /// This end was told that nothing more comes.
    told: bool,
}

impl End {
    fn new(socket: OwnedFd) -> Self {
        sys::inet::tune(&socket);
        Self { socket, interest: Interest::NONE, waiting: Vec::new(), taken: 0, ended: false, told: false }
    }

    fn has_waiting(&self) -> bool {
        self.taken < self.waiting.len()
    }

    /// Writes what waits.
    fn flush(&mut self) -> sys::Result<()> {
        while self.has_waiting() {
            match sys::socket::send(&self.socket, &self.waiting[self.taken..])? {
                Some(count) => self.taken += count,
                None => return Ok(()),
            }
        }
        (self.waiting, self.taken) = (Vec::new(), 0);
        Ok(())
    }

    /// Writes bytes, and keeps those that there is no room for.
    fn write(&mut self, bytes: &[u8]) -> sys::Result<()> {
        let sent = if self.has_waiting() { None } else { sys::socket::send(&self.socket, bytes)? };
        self.waiting.extend_from_slice(&bytes[sent.unwrap_or(0)..]);
        Ok(())
    }
}

impl Stream {
    fn ends(&mut self, side: Side) -> (&mut End, &mut End) {
        match side {
            Side::Client => (&mut self.client, &mut self.server),
            Side::Server => (&mut self.server, &mut self.client),
        }
    }

    /// Does what an event of one end asks for.
    fn serve(&mut self, side: Side, event: Event, buffer: &mut [u8]) -> sys::Result<()> {
        if self.connecting {
            if side == Side::Server {
                sys::inet::connected(&self.server.socket)?;
                self.connecting = !event.writable;
            }
            return Ok(());
        }
        let (end, other) = self.ends(side);
        end.flush()?;
        if (event.readable || event.hung_up) && !end.ended && !other.has_waiting() {
            match sys::socket::receive(&end.socket, buffer)? {
                Some(0) => end.ended = true,
                Some(count) => other.write(&buffer[..count])?,
                None => {}
            }
        }
        tell(&self.client, &mut self.server);
        tell(&self.server, &mut self.client);
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.client.told && self.server.told
    }

    fn rewatch(&mut self, epoll: &Epoll, id: u32) -> sys::Result<()> {
        let connecting = self.connecting;
        for (side, token) in [(Side::Client, Token::Client(id)), (Side::Server, Token::Server(id))] {
            let (end, other) = self.ends(side);
            let interest = match (connecting, side) {
                (true, Side::Client) => Interest::NONE,
                (true, Side::Server) => Interest::WRITE,
                (false, _) => Interest {
                    read: !end.ended && !other.has_waiting(),
                    write: end.has_waiting(),
                    priority: false,
                },
            };
            if interest != end.interest {
                epoll.modify(&end.socket, token.number(), interest)?;
                end.interest = interest;
            }
        }
        Ok(())
    }
}

/// Tells an end that nothing more comes, once it has taken all that came.
fn tell(from: &End, to: &mut End) {
    if from.ended && !to.told && !to.has_waiting() {
        sys::inet::finish(&to.socket);
        to.told = true;
    }
}

impl Streams {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn contains(&self, id: u32) -> bool {
        self.0.contains_key(&id)
    }

    /// Takes a connection on; one that cannot be watched is closed.
    pub(super) fn add(&mut self, epoll: &Epoll, id: u32, client: OwnedFd, server: OwnedFd) {
        let mut stream = Stream { client: End::new(client), server: End::new(server), connecting: true };
        let watched = epoll
            .add(&stream.client.socket, Token::Client(id).number(), Interest::NONE)
            .and_then(|()| epoll.add(&stream.server.socket, Token::Server(id).number(), Interest::NONE))
            .and_then(|()| stream.rewatch(epoll, id));
        if watched.is_ok() {
            self.0.insert(id, stream);
        }
    }

    /// Serves an event; a connection that failed or is over is closed.
    pub(super) fn serve(&mut self, epoll: &Epoll, id: u32, side: Side, event: Event, buffer: &mut [u8]) {
        let Some(stream) = self.0.get_mut(&id) else { return }; // Closed by an event just before.
        let gone = event.hung_up && !event.readable && !event.writable;
        let served = stream.serve(side, event, buffer).and_then(|()| stream.rewatch(epoll, id));
        if served.is_err() || stream.is_over() || gone {
            self.0.remove(&id);
        }
    }
}
