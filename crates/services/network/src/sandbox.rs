//! Prepared network namespaces: making one costs the kernel 0.3 to 0.7 ms, which no start should wait for.
//!
//! One thread makes them, since a namespace is made by entering it. It is at home in the engine's namespace and goes
//! back there after each, so that none lives longer than its container.

use crate::Error;
use crate::inside::optional_sysctl;
use netlink::{Socket, link};
use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use sys::ns::{self, Types};

/// A fresh network namespace whose loopback device is up.
#[derive(Debug)]
pub(crate) struct Sandbox {
    /// The namespace.
    pub(crate) namespace: OwnedFd,
    /// A socket inside.
    pub(crate) socket: Socket,
}

/// Namespaces in stock, and the thread that makes more.
#[derive(Debug)]
pub(crate) struct Pool {
    stock: Arc<Mutex<VecDeque<Sandbox>>>,
    requests: Option<Sender<Request>>,
    thread: Option<JoinHandle<()>>,
}

enum Request {
    /// One is needed now.
    Make(Sender<Result<Sandbox, Error>>),
    /// One was taken.
    Taken,
}

/// The number of the loopback device in every namespace.
const LOOPBACK: u32 = 1;

/// How long after the last taking the stock is filled up: not in the middle of a start.
const QUIET: Duration = Duration::from_millis(10);

impl Pool {
    /// Starts the thread, in the calling thread's network namespace, and fills the stock with `size` namespaces.
    pub(crate) fn start(size: usize) -> Result<Self, Error> {
        let home = ns::own(Types::NETWORK).map_err(|source| Error::Namespace { what: "open", source })?;
        let stock = Arc::new(Mutex::new(VecDeque::new()));
        let (requests, receiver) = channel();
        let maker = Maker { home, stock: Arc::clone(&stock), size, receiver };
        let thread = std::thread::Builder::new()
            .name("naru-netns".into())
            .spawn(move || maker.run())
            .expect("a thread can be started");
        Ok(Self { stock, requests: Some(requests), thread: Some(thread) })
    }

    /// Takes a namespace from the stock; none if it is empty. Never waits.
    pub(crate) fn take_ready(&self) -> Result<Option<Sandbox>, Error> {
        let requests = self.requests.as_ref().ok_or(Error::Closed)?;
        let taken = self.stock.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        if taken.is_some() {
            requests.send(Request::Taken).map_err(|_| Error::Closed)?;
        }
        Ok(taken)
    }

    /// Takes a namespace, waiting for a new one if the stock is empty.
    pub(crate) fn take(&self) -> Result<Sandbox, Error> {
        if let Some(sandbox) = self.take_ready()? {
            return Ok(sandbox);
        }
        let requests = self.requests.as_ref().ok_or(Error::Closed)?;
        let (answer, receiver) = channel();
        requests.send(Request::Make(answer)).map_err(|_| Error::Closed)?;
        receiver.recv().map_err(|_| Error::Closed)?
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.requests = None; // Ends the thread.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // Its panic was already reported by the panic hook.
        }
    }
}

struct Maker {
    home: OwnedFd,
    stock: Arc<Mutex<VecDeque<Sandbox>>>,
    size: usize,
    receiver: Receiver<Request>,
}

impl Maker {
    fn run(self) {
        let mut broken = false;
        loop {
            let full = broken || self.in_stock() >= self.size;
            let request = match full {
                true => self.receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
                false => self.receiver.recv_timeout(QUIET),
            };
            match request {
                Ok(Request::Make(answer)) => {
                    let made = prepare(&self.home);
                    broken = made.is_err();
                    let _ = answer.send(made); // Whoever asked may have given up.
                }
                Ok(Request::Taken) => {}
                Err(RecvTimeoutError::Timeout) => match prepare(&self.home) {
                    Ok(sandbox) => {
                        self.stock.lock().unwrap_or_else(PoisonError::into_inner).push_back(sandbox)
                    }
                    // Whoever needs one next gets the error; trying again and again would help nobody.
                    Err(_) => broken = true,
                },
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn in_stock(&self) -> usize {
        self.stock.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// Makes a namespace and returns home.
fn prepare(home: &OwnedFd) -> Result<Sandbox, Error> {
    ns::unshare(Types::NETWORK).map_err(|source| Error::Namespace { what: "create", source })?;
    let made = furnish();
    ns::join(home, Types::NETWORK).map_err(|source| Error::Namespace { what: "leave", source })?;
    made
}

/// Furnishes the calling thread's namespace.
fn furnish() -> Result<Sandbox, Error> {
    let refused = |source| Error::Netlink { what: "set up the loopback device", source };
    let namespace = ns::own(Types::NETWORK).map_err(|source| Error::Namespace { what: "open", source })?;
    let socket = Socket::route().map_err(refused)?;
    socket.batch(&[link::set_up(LOOPBACK)]).map_err(refused)?;
    for (key, value) in SYSCTLS {
        optional_sysctl(key, value)?;
    }
    Ok(Sandbox { namespace, socket })
}

/// What a container's namespace has that a fresh one has not.
const SYSCTLS: [(&str, &str); 4] = [
    // No link-local addresses and no router advertisements on links to come, unless their network has IPv6.
    ("net/ipv6/conf/default/disable_ipv6", "1"),
    ("net/ipv6/conf/default/accept_ra", "0"),
    // Docker's defaults: every user of the container may use low ports and ping.
    ("net/ipv4/ip_unprivileged_port_start", "0"),
    ("net/ipv4/ping_group_range", "0\t2147483647"),
];
