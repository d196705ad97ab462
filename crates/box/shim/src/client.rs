//! One attached client.

use crate::keys::Keys;
use crate::outbox::{Layout, Outbox};
use crate::token::Token;
use crate::watched::Watched;
use logfile::Stream;
use shimwire::Attach;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::{Duration, Instant};
use sys::epoll::{Epoll, Interest};

/// How long a client whose outbox is full may take nothing, before it is dropped. While it takes some, however slowly, the
/// program waits for it, as it would for the reader of a pipe.
const STALLED: Duration = Duration::from_secs(5);

/// How long a client may take nothing of what waits for it after the end; the program is not affected any more.
const LINGERING: Duration = Duration::from_secs(600);

/// A client's socket and what belongs to it.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) id: u32,
    socket: Watched,
    stdout: bool,
    stderr: bool,
    /// Input is still expected from it.
    listening: bool,
    keys: Keys,
    outbox: Outbox,
    /// It is closed as soon as the outbox is empty.
    leaving: bool,
    /// Since when it has taken nothing although something waits.
    idle_since: Option<Instant>,
}

/// What a client said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Nothing at present.
    Nothing,
    /// Input for the program.
    Input(Vec<u8>),
    /// Input, then the detach keys.
    Detached(Vec<u8>),
    /// The last input: the client closed its side.
    End(Vec<u8>),
}

impl Client {
    pub(crate) fn new(epoll: &Rc<Epoll>, socket: OwnedFd, token: (u32, u32), attach: &Attach) -> Self {
        let (task, id) = token;
        let layout = if attach.multiplexed { Layout::Multiplexed } else { Layout::Raw };
        Self {
            id,
            socket: Watched::new(epoll, socket, Token::Client(task, id)),
            stdout: attach.stdout,
            stderr: attach.stderr,
            listening: attach.stdin,
            keys: Keys::new(attach.detach_keys.clone()),
            outbox: Outbox::new(layout),
            leaving: false,
            idle_since: None,
        }
    }

    /// Returns whether input is expected from it.
    pub(crate) fn is_listening(&self) -> bool {
        self.listening && !self.leaving
    }

    /// Expects no more input.
    pub(crate) fn stop_listening(&mut self) {
        self.listening = false;
    }

    /// Takes input that the client sent before its socket was handed over.
    pub(crate) fn early(&mut self, input: &[u8]) -> Heard {
        if !self.is_listening() || input.is_empty() {
            return Heard::Nothing;
        }
        let scanned = self.keys.scan(input);
        if scanned.detached { Heard::Detached(scanned.forward) } else { Heard::Input(scanned.forward) }
    }

    /// Reads what the client sends.
    pub(crate) fn hear(&mut self, scratch: &mut [u8]) -> Heard {
        if !self.is_listening() {
            return Heard::Nothing;
        }
        match sys::socket::receive(&self.socket, scratch) {
            Ok(None) => Heard::Nothing,
            Ok(Some(count)) if count > 0 => self.early(&scratch[..count]),
            // A broken connection ends the input as a closed one does.
            Ok(Some(_)) | Err(_) => {
                self.listening = false;
                Heard::End(self.keys.finish().to_vec())
            }
        }
    }

    /// Queues output for the client, if it wants this stream.
    pub(crate) fn tell(&mut self, stream: Stream, bytes: &[u8]) {
        let wanted = match stream {
            Stream::Stdout => self.stdout,
            Stream::Stderr => self.stderr,
        };
        if wanted && !self.leaving {
            self.outbox.push(stream, bytes);
        }
    }

    /// Sends what waits, as far as the client takes it; false if the client has to be dropped.
    pub(crate) fn flush(&mut self, now: Instant) -> bool {
        while !self.outbox.is_empty() {
            match sys::socket::send(&self.socket, self.outbox.front()) {
                Ok(Some(count)) => {
                    self.outbox.sent(count);
                    self.idle_since = None;
                }
                Ok(None) => {
                    self.idle_since.get_or_insert(now);
                    return self.deadline().is_none_or(|deadline| now < deadline);
                }
                Err(_) => return false, // The client is gone: nothing is lost that anyone could miss.
            }
        }
        !self.leaving
    }

    /// Closes the client as soon as it has taken all output.
    pub(crate) fn leave(&mut self) {
        self.leaving = true;
    }

    /// Returns whether reading output has to wait for this client.
    pub(crate) fn is_full(&self) -> bool {
        self.outbox.is_full() && !self.leaving
    }

    /// Returns when the client has to be dropped if it goes on taking nothing.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let limit = match (self.leaving, self.outbox.is_full()) {
            (true, _) => LINGERING,
            (false, true) => STALLED,
            (false, false) => return None,
        };
        Some(self.idle_since? + limit)
    }

    /// Tells the event loop what matters now.
    pub(crate) fn rewatch(&mut self, room: bool) -> sys::Result<()> {
        let read = self.is_listening() && room;
        let write = !self.outbox.is_empty();
        self.socket.watch(Some(Interest { read, write, priority: false }))
    }
}
