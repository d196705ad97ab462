//! One process with its streams and its clients: the container's first process, or an exec.

use crate::client::{Client, Heard};
use crate::machine::Ended;
use crate::output::Output;
use crate::token::Token;
use crate::watched::Watched;
use logfile::Stream;
use shimwire::Attach;
use std::collections::VecDeque;
use std::os::fd::{AsFd as _, OwnedFd};
use std::rc::Rc;
use std::time::{Duration, Instant};
use sys::epoll::{Epoll, Interest};
use sys::tty::Size;

/// With this much input waiting for the program, none is read from clients.
const INPUT_LIMIT: usize = 64 * 1024;

/// How long output is awaited after the process ended while others hold its pipes open. Docker waits as long.
const DRAIN: Duration = Duration::from_secs(2);

/// The supervisor's ends of a process's streams.
#[derive(Debug)]
pub(crate) enum Streams {
    /// Pipes; no input for a program whose standard input is /dev/null. All non-blocking.
    Pipes { input: Option<OwnedFd>, output: OwnedFd, error: OwnedFd },
    /// The master of a terminal, non-blocking, and whether clients may type. The other side is kept open as well:
    /// otherwise the master would fail whenever no process has the terminal open.
    Terminal { master: OwnedFd, peer: OwnedFd, input: bool },
}

/// A process, its streams, its clients.
#[derive(Debug)]
pub(crate) struct Task {
    key: u32,
    epoll: Rc<Epoll>,
    pub(crate) pid: i32,
    process: Watched,
    input: Option<Watched>,
    output: Option<Watched>,
    error: Option<Watched>,
    terminal: Option<Watched>,
    peer: Option<OwnedFd>,
    /// Input that the program has not taken yet.
    pending: VecDeque<u8>,
    accepts_input: bool,
    /// The end of a client's input is the end of the program's.
    close_with_client: bool,
    /// The program's input ends when `pending` is empty.
    closing_input: bool,
    clients: Vec<Client>,
    pub(crate) ended: Option<Ended>,
    drain_until: Option<Instant>,
}

impl Task {
    /// Begins to watch a process and its streams.
    pub(crate) fn new(
        epoll: &Rc<Epoll>,
        key: u32,
        (pid, pidfd): (i32, OwnedFd),
        streams: Streams,
        close_with_client: bool,
    ) -> sys::Result<Self> {
        let watched = |fd, token| Watched::new(epoll, fd, token);
        let (mut input, mut output, mut error, mut terminal, mut peer) = (None, None, None, None, None);
        let accepts_input;
        match streams {
            Streams::Pipes { input: stdin, output: stdout, error: stderr } => {
                accepts_input = stdin.is_some();
                input = stdin.map(|fd| watched(fd, Token::Input(key)));
                output = Some(watched(stdout, Token::Output(key)));
                error = Some(watched(stderr, Token::Error(key)));
            }
            Streams::Terminal { master, peer: other, input: typing } => {
                accepts_input = typing;
                terminal = Some(watched(master, Token::Terminal(key)));
                peer = Some(other);
            }
        }
        let mut process = watched(pidfd, Token::Process(key));
        process.watch(Some(Interest::READ))?;
        Ok(Self {
            key,
            epoll: Rc::clone(epoll),
            pid,
            process,
            input,
            output,
            error,
            terminal,
            peer,
            pending: VecDeque::new(),
            accepts_input,
            close_with_client,
            closing_input: false,
            clients: Vec::new(),
            ended: None,
            drain_until: None,
        })
    }

    /// Returns the number of the task in tokens.
    pub(crate) fn key(&self) -> u32 {
        self.key
    }

    /// Returns the process's descriptor.
    pub(crate) fn pidfd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.process.as_fd()
    }

    /// Attaches a client. True if it pressed the detach keys at once.
    pub(crate) fn attach(&mut self, id: u32, socket: OwnedFd, attach: &Attach, now: Instant) -> bool {
        let mut client = Client::new(&self.epoll, socket, (self.key, id), attach);
        if !self.accepts_input {
            client.stop_listening();
        }
        let heard = client.early(&attach.early_input);
        self.clients.push(client);
        let detached = self.take(self.clients.len() - 1, heard);
        self.feed();
        self.flush(now);
        detached
    }

    /// Reads what a client sent. True if it pressed the detach keys.
    pub(crate) fn hear(&mut self, id: u32, hung_up: bool, scratch: &mut [u8]) -> bool {
        let mut detached = false;
        let Some(index) = self.clients.iter().position(|client| client.id == id) else { return false };
        loop {
            let heard = self.clients[index].hear(scratch);
            let last = matches!(heard, Heard::Nothing | Heard::End(_) | Heard::Detached(_));
            detached |= self.take(index, heard);
            // What a client sent before it went is little; otherwise one read at a time keeps everyone served.
            if last || !hung_up {
                break;
            }
        }
        if hung_up {
            self.clients.remove(index);
        }
        self.feed();
        detached
    }

    fn take(&mut self, index: usize, heard: Heard) -> bool {
        let (input, detached, ended) = match heard {
            Heard::Nothing => return false,
            Heard::Input(input) => (input, false, false),
            Heard::Detached(input) => (input, true, false),
            Heard::End(input) => (input, false, true),
        };
        if self.input.is_some() || self.terminal.is_some() {
            self.pending.extend(input);
        }
        if ended && self.close_with_client && self.terminal.is_none() {
            self.closing_input = true;
        } else if ended || detached {
            // As Docker does: without input that it could close, the end of the client's input ends the attachment.
            self.clients[index].leave();
        }
        detached
    }

    /// Gives waiting input to the program, as far as it takes it.
    pub(crate) fn feed(&mut self) {
        while !self.pending.is_empty() {
            let Some(target) = self.input.as_ref().or(self.terminal.as_ref()) else {
                self.pending = VecDeque::new();
                break;
            };
            match sys::pipe::write(target, self.pending.as_slices().0) {
                Ok(Some(count)) => drop(self.pending.drain(..count)),
                Ok(None) => return,
                // The program closed its input: what is still typed goes nowhere.
                Err(_) => {
                    self.input = None;
                    self.pending = VecDeque::new();
                }
            }
        }
        if self.pending.capacity() > 4096 {
            self.pending = VecDeque::new();
        }
        if self.closing_input {
            self.input = None;
        }
    }

    /// Reads one piece of a stream, logs it and queues it for the clients.
    pub(crate) fn pump(&mut self, source: Token, log: Option<&mut Output>, scratch: &mut [u8], now_ns: i64) {
        let (slot, stream) = match source {
            Token::Output(_) => (&mut self.output, Stream::Stdout),
            Token::Error(_) => (&mut self.error, Stream::Stderr),
            Token::Terminal(_) => (&mut self.terminal, Stream::Stdout),
            Token::Engine
            | Token::Listener
            | Token::OutOfMemory
            | Token::Process(_)
            | Token::Input(_)
            | Token::Client(..) => return,
        };
        let Some(fd) = slot else { return };
        match sys::pipe::read(&*fd, scratch) {
            Ok(None) => {}
            Ok(Some(count)) if count > 0 => {
                let bytes = &scratch[..count];
                if let Some(log) = log {
                    log.write(stream, bytes, now_ns);
                }
                for client in &mut self.clients {
                    client.tell(stream, bytes);
                }
            }
            // The end; of a terminal it is EIO.
            Ok(Some(_)) | Err(_) => {
                *slot = None;
                if let Some(log) = log {
                    log.finish(stream, now_ns);
                }
            }
        }
    }

    /// Sends to the clients what they take, and drops those that are gone.
    pub(crate) fn flush(&mut self, now: Instant) {
        let mut input_ended = false;
        let close_with_client = self.close_with_client;
        self.clients.retain_mut(|client| {
            let stays = client.flush(now);
            input_ended |= !stays && client.is_listening() && close_with_client;
            stays
        });
        if input_ended && self.terminal.is_none() {
            self.closing_input = true;
            self.feed();
        }
    }

    /// Notes the end of the process; output that is on its way is still read.
    pub(crate) fn end(&mut self, ended: Ended, now: Instant) {
        self.ended = Some(ended);
        self.drain_until = Some(now + DRAIN);
        let _ = self.process.watch(None); // It stays readable for ever; failing would only cost time.
        (self.input, self.peer) = (None, None);
        self.pending = VecDeque::new();
        for client in &mut self.clients {
            client.stop_listening();
        }
    }

    /// Returns whether the process has ended and no more output is awaited.
    pub(crate) fn is_drained(&self) -> bool {
        self.ended.is_some() && self.output.is_none() && self.error.is_none() && self.terminal.is_none()
    }

    /// Returns whether the time for the last output is over.
    pub(crate) fn is_overdue(&self, now: Instant) -> bool {
        self.drain_until.is_some_and(|until| now >= until)
    }

    /// Gives up waiting for more output, if it is time.
    pub(crate) fn give_up(&mut self, mut log: Option<&mut Output>, now: Instant, now_ns: i64) {
        if !self.is_overdue(now) {
            return;
        }
        for (slot, stream) in [
            (&mut self.output, Stream::Stdout),
            (&mut self.error, Stream::Stderr),
            (&mut self.terminal, Stream::Stdout),
        ] {
            if slot.take().is_some()
                && let Some(log) = log.as_deref_mut()
            {
                log.finish(stream, now_ns);
            }
        }
    }

    /// Closes the clients as soon as they have taken all output.
    pub(crate) fn release_clients(&mut self, now: Instant) {
        for client in &mut self.clients {
            client.leave();
        }
        self.flush(now);
    }

    /// Returns whether no client is attached.
    pub(crate) fn is_unattended(&self) -> bool {
        self.clients.is_empty()
    }

    /// Sets the terminal's size, if there is a terminal.
    pub(crate) fn resize(&self, size: Size) {
        if let Some(terminal) = &self.terminal {
            let _ = sys::tty::set_size(terminal, size); // A terminal takes any size.
        }
    }

    /// Returns when something has to be done even if nothing happens.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let drain = if self.is_drained() { None } else { self.drain_until };
        self.clients.iter().filter_map(Client::deadline).chain(drain).min()
    }

    /// Tells the event loop what matters now.
    pub(crate) fn rewatch(&mut self) -> sys::Result<()> {
        let write = !self.pending.is_empty();
        let room = self.pending.len() < INPUT_LIMIT;
        // A program that has ended cannot be held up any more: what is left in its pipes is little.
        let read = self.ended.is_some() || !self.clients.iter().any(Client::is_full);
        // Watching for nothing would still report hang-ups, again and again.
        let reading = read.then_some(Interest::READ);
        for slot in [&mut self.output, &mut self.error].into_iter().flatten() {
            slot.watch(reading)?;
        }
        if let Some(terminal) = &mut self.terminal {
            let interest = Interest { read, write, priority: false };
            terminal.watch((read || write).then_some(interest))?;
        }
        if let Some(input) = &mut self.input {
            input.watch(write.then_some(Interest::WRITE))?;
        }
        for client in &mut self.clients {
            client.rewatch(room)?;
        }
        Ok(())
    }
}
