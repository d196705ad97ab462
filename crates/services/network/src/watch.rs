//! Watching the packet filter: what other programs delete of ours is put back.
//!
//! `nft flush ruleset`, a reload of firewalld or ufw, an iptables script: they delete tables without asking whose they are.
//! Connections that are known go on meanwhile, since translations are kept with them; new ones go through the relays.

use crate::Error;
use netlink::nft::monitor::{Heard, Monitor};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use sys::epoll::{self, Epoll, Interest};

/// How long after the last change is waited: the other program may not be done, and one repair does for all.
const QUIET: Duration = Duration::from_millis(50);

/// How long a program that never comes to rest is waited for.
const PATIENCE: Duration = Duration::from_millis(500);

/// The tables of iptables that matter to us.
const IPTABLES: &str = "filter";

/// The thread that watches.
#[derive(Debug)]
pub(crate) struct Watcher {
    stop: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    /// Starts the thread, in the calling thread's network namespace. It calls `repair` after something of tables was
    /// deleted whose names begin with `prefix`, or something of iptables' tables changed.
    pub(crate) fn start(
        prefix: String,
        repair: impl Fn() -> Result<(), Error> + Send + 'static,
    ) -> Result<Self, Error> {
        let failed = |source| Error::Netlink { what: "watch the packet filter", source };
        let monitor = Monitor::open().map_err(failed)?;
        let stop = epoll::eventfd(0).map_err(|source| failed(netlink::Error::Socket(source)))?;
        let stop = Arc::new(stop);
        let epoll = watch(&monitor, &stop).map_err(|source| failed(netlink::Error::Socket(source)))?;
        let work = move || run(&epoll, &monitor, &prefix, &repair);
        let thread = std::thread::Builder::new().name("naru-firewall".into()).spawn(work);
        Ok(Self { stop, thread: Some(thread.expect("a thread can be started")) })
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = sys::pipe::write(&*self.stop, &1_u64.to_ne_bytes()); // An eventfd takes it.
        // A repair may hold the last reference to the service: then this is the thread itself.
        let is_other = |thread: &JoinHandle<()>| thread.thread().id() != std::thread::current().id();
        if let Some(thread) = self.thread.take().filter(is_other) {
            let _ = thread.join(); // Its panic was already reported by the panic hook.
        }
    }
}

const STOP: u64 = 0;
const CHANGES: u64 = 1;

fn watch(monitor: &Monitor, stop: &OwnedFd) -> sys::Result<Epoll> {
    let epoll = Epoll::new()?;
    epoll.add(stop, STOP, Interest::READ)?;
    epoll.add(monitor, CHANGES, Interest::READ)?;
    Ok(epoll)
}

fn run(epoll: &Epoll, monitor: &Monitor, prefix: &str, repair: &dyn Fn() -> Result<(), Error>) {
    let mut events = Vec::new();
    // When something of ours was touched first, until it is looked after.
    let mut touched: Option<Instant> = None;
    loop {
        events.clear();
        if let Err(error) = epoll.wait(&mut events, touched.map(|_| QUIET)) {
            tracing::error!(error = %error::chain(&error), "the packet filter is no longer watched");
            return;
        }
        if events.iter().any(|event| event.token == STOP) {
            return;
        }
        if !events.is_empty() {
            match monitor.hear() {
                Ok(heard) if concerns(&heard, prefix) => drop(touched.get_or_insert_with(Instant::now)),
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(error = %error::chain(&error), "the packet filter is no longer watched");
                    return;
                }
            }
        }
        let is_quiet = events.is_empty();
        if touched.is_some_and(|since| is_quiet || since.elapsed() > PATIENCE) {
            touched = None;
            if let Err(error) = repair() {
                tracing::warn!(error = %error::chain(&error), "the packet filter could not be put right");
            }
        }
    }
}

fn concerns(heard: &Heard, prefix: &str) -> bool {
    match heard {
        Heard::TooMuch => true,
        Heard::Tables(tables) => tables.iter().any(|table| table.starts_with(prefix) || table == IPTABLES),
    }
}
