//! The connection to the engine, and to the next engine.

use crate::Error;
use crate::token::Token;
use crate::watched::Watched;
use shimwire::{MAX_MESSAGE_BYTES, MAX_REQUEST_BYTES, Report, Request};
use std::collections::VecDeque;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use sys::epoll::{Epoll, Interest};

/// An engine that does not take its reports is given up when this many wait: the next one asks anew.
const MAX_WAITING: usize = 1024;

/// At most one engine, and where the next one knocks.
#[derive(Debug)]
pub(crate) struct Control {
    epoll: Rc<Epoll>,
    engine: Option<Watched>,
    listener: Option<Watched>,
    socket_path: Option<PathBuf>,
    waiting: VecDeque<Vec<u8>>,
}

/// What the engine's socket had.
#[derive(Debug)]
pub(crate) enum Received {
    /// Nothing at present.
    Nothing,
    /// A request and its descriptors.
    Request(Box<Request>, Vec<OwnedFd>),
    /// The engine is gone.
    Lost,
}

impl Control {
    /// Begins with the inherited connection.
    pub(crate) fn new(epoll: &Rc<Epoll>, engine: OwnedFd) -> Result<Self, Error> {
        let mut control = Self {
            epoll: Rc::clone(epoll),
            engine: None,
            listener: None,
            socket_path: None,
            waiting: VecDeque::new(),
        };
        control.connect(engine)?;
        Ok(control)
    }

    /// Listens for further engines. A socket that a killed supervisor left behind is replaced.
    pub(crate) fn listen(&mut self, run_directory: &Path) -> Result<(), Error> {
        let path = run_directory.join(shimwire::SOCKET_FILE);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(Error::File { what: "remove stale socket", path, source });
            }
            Ok(()) | Err(_) => {}
        }
        let mut listener = Watched::new(&self.epoll, sys::socket::listen_messages(&path)?, Token::Listener);
        listener.watch(Some(Interest::READ))?;
        (self.listener, self.socket_path) = (Some(listener), Some(path));
        Ok(())
    }

    /// Listens no longer and removes the socket: this container needs no further engine.
    pub(crate) fn close_listener(&mut self) {
        self.listener = None;
        if let Some(path) = self.socket_path.take() {
            let _ = fs::remove_file(path); // A stale socket does no harm: the next supervisor replaces it.
        }
    }

    /// Returns whether an engine is connected.
    pub(crate) fn is_connected(&self) -> bool {
        self.engine.is_some()
    }

    /// Returns whether reports wait for the engine.
    pub(crate) fn is_waiting(&self) -> bool {
        self.engine.is_some() && !self.waiting.is_empty()
    }

    /// Takes a new engine that knocked; it replaces the old one. True if there is a new engine now.
    pub(crate) fn accept(&mut self) -> Result<bool, Error> {
        let Some(listener) = &self.listener else { return Ok(false) };
        let Some(socket) = sys::socket::accept(listener)? else { return Ok(false) };
        let peer = sys::socket::peer(&socket)?;
        if peer.uid != 0 && peer.uid != sys::process::effective_uid() {
            return Ok(false);
        }
        self.connect(socket)?;
        Ok(true)
    }

    /// Sends a report, or queues it. Without an engine it is dropped: the next one asks for the state.
    pub(crate) fn report(&mut self, report: &Report) {
        if self.engine.is_none() {
            return;
        }
        match shimwire::encode(report) {
            Ok(bytes) => self.waiting.push_back(bytes),
            Err(error) => crate::complain(&error, "a report to the engine was dropped"),
        }
        if self.waiting.len() > MAX_WAITING {
            self.disconnect();
        }
        self.flush();
    }

    /// Sends what waits.
    pub(crate) fn flush(&mut self) {
        while let (Some(engine), Some(bytes)) = (&self.engine, self.waiting.front()) {
            match sys::socket::send_message(engine, bytes, &[]) {
                Ok(Some(())) => drop(self.waiting.pop_front()),
                Ok(None) => break,
                Err(_) => self.waiting.clear(), // Reading notices that it is gone, after the requests it had sent.
            }
        }
    }

    /// Receives one request.
    pub(crate) fn receive(&mut self) -> Received {
        let Some(engine) = &self.engine else { return Received::Nothing };
        let mut message = match sys::socket::receive_message(engine, MAX_MESSAGE_BYTES) {
            Ok(None) => return Received::Nothing,
            Ok(Some(message)) if !message.bytes.is_empty() => message,
            Ok(Some(_)) => return self.lost(),
            Err(error) => {
                if !error.is(sys::Errno::CONNRESET) {
                    crate::complain(&error, "the engine's connection is closed");
                }
                return self.lost();
            }
        };
        if message.bytes == shimwire::IN_FILE {
            match take_file(&mut message.fds) {
                Ok(bytes) => message.bytes = bytes,
                Err(error) => {
                    crate::complain(&error, "the engine's connection is closed");
                    return self.lost();
                }
            }
        }
        match shimwire::decode(&message.bytes) {
            Ok(request) => Received::Request(Box::new(request), message.fds),
            Err(error) => {
                crate::complain(&error, "the engine's connection is closed");
                self.lost()
            }
        }
    }

    /// Tells the event loop what matters now.
    pub(crate) fn rewatch(&mut self) -> sys::Result<()> {
        let write = !self.waiting.is_empty();
        match &mut self.engine {
            Some(engine) => engine.watch(Some(Interest { read: true, write, priority: false })),
            None => Ok(()),
        }
    }

    fn connect(&mut self, socket: OwnedFd) -> Result<(), Error> {
        self.disconnect();
        let mut engine = Watched::new(&self.epoll, socket, Token::Engine);
        engine.watch(Some(Interest::READ))?;
        self.engine = Some(engine);
        Ok(())
    }

    fn disconnect(&mut self) {
        self.engine = None;
        self.waiting = VecDeque::new();
    }

    fn lost(&mut self) -> Received {
        self.disconnect();
        Received::Lost
    }
}

/// Takes the first descriptor, and reads the message from that file.
fn take_file(fds: &mut Vec<OwnedFd>) -> io::Result<Vec<u8>> {
    if fds.is_empty() {
        return Err(io::Error::other("a message in a file came without the file"));
    }
    let file = fs::File::from(fds.remove(0));
    let size = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    if size > MAX_REQUEST_BYTES {
        return Err(io::Error::other(format!(
            "a message of {size} bytes is over the limit of {MAX_REQUEST_BYTES}"
        )));
    }
    let mut bytes = vec![0; size];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}
