//! Relayed datagrams: a socket of its own for each sender, so that answers find their way back.

use super::{Listener, MAX_FLOWS, ROUND, Token};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use sys::epoll::{Epoll, Interest};
use sys::inet::Path;

/// How long a silent sender is remembered.
const SILENCE: Duration = Duration::from_secs(90);

/// A listener's number, and a sender of it with the address that it sent to.
type Key = (u32, Path);

/// All senders.
#[derive(Debug, Default)]
pub(super) struct Flows {
    flows: HashMap<u32, Flow>,
    by_sender: HashMap<Key, u32>,
}

#[derive(Debug)]
struct Flow {
    key: Key,
    /// Connected to the container.
    socket: OwnedFd,
    used: Instant,
}

impl Flows {
    pub(super) fn is_empty(&self) -> bool {
        self.flows.is_empty()
    }

    pub(super) fn contains(&self, id: u32) -> bool {
        self.flows.contains_key(&id)
    }

    /// Passes a datagram on to the container; `new` is the number of a sender that is not known yet.
    pub(super) fn forward(&mut self, epoll: &Epoll, new: u32, key: Key, to: SocketAddr, datagram: &[u8]) {
        let now = Instant::now();
        let id = match self.by_sender.get(&key) {
            Some(id) => *id,
            None => {
                self.make_room();
                let Ok(socket) = sys::inet::connect(sys::inet::Transport::Udp, to) else { return };
                if epoll.add(&socket, Token::Flow(new).number(), Interest::READ).is_err() {
                    return;
                }
                self.flows.insert(new, Flow { key, socket, used: now });
                self.by_sender.insert(key, new);
                new
            }
        };
        if let Some(flow) = self.flows.get_mut(&id) {
            flow.used = now;
            let _ = sys::socket::send(&flow.socket, datagram); // Lost, as datagrams may be.
        }
    }

    /// Passes the container's answers on to the sender.
    pub(super) fn answer(&mut self, id: u32, listeners: &HashMap<u32, Listener>, buffer: &mut [u8]) {
        let Some(flow) = self.flows.get_mut(&id) else { return };
        let (listener, path) = flow.key;
        let Some(listener) = listeners.get(&listener) else {
            return self.remove(id); // The port was given up: there is no socket left to answer from.
        };
        for _ in 0..ROUND {
            match sys::socket::receive(&flow.socket, buffer) {
                Ok(Some(length)) => {
                    flow.used = Instant::now();
                    let datagram = &buffer[..length.min(buffer.len())];
                    let _ = sys::inet::send_back(&listener.socket, datagram, &path); // Lost, as datagrams may be.
                }
                Ok(None) => return,
                Err(_) => return self.remove(id), // Nobody listens in the container: the next one tries anew.
            }
        }
    }

    /// Forgets senders that have fallen silent.
    pub(super) fn sweep(&mut self, now: Instant) {
        let silent = |flow: &Flow| now.saturating_duration_since(flow.used) >= SILENCE;
        let silent: Vec<u32> =
            self.flows.iter().filter(|(_, flow)| silent(flow)).map(|(id, _)| *id).collect();
        for id in silent {
            self.remove(id);
        }
    }

    /// Forgets whoever has been silent longest if there are too many.
    fn make_room(&mut self) {
        if self.flows.len() < MAX_FLOWS {
            return;
        }
        if let Some(id) = self.flows.iter().min_by_key(|(_, flow)| flow.used).map(|(id, _)| *id) {
            self.remove(id);
        }
    }

    fn remove(&mut self, id: u32) {
        if let Some(flow) = self.flows.remove(&id) {
            self.by_sender.remove(&flow.key);
        }
    }
}
