//! The published ports that this supervisor holds.

use crate::Error;
use crate::relay::Relay;
use shimwire::{HostPort, PORTS_PER_MESSAGE, PublishedPort, Report};
use std::os::fd::OwnedFd;

/// The published ports, and the thread that serves their sockets.
#[derive(Debug, Default)]
pub(crate) struct Ports {
    held: Vec<PublishedPort>,
    relay: Option<Relay>,
    /// What the limit of open files was before it was raised for the relay: execs get it back.
    open_files: Option<(u64, u64)>,
}

impl Ports {
    /// Takes ports on and gives others up. The sockets are those of the ports that have one.
    pub(crate) fn change(
        &mut self,
        close: &[HostPort],
        open: Vec<PublishedPort>,
        mut sockets: impl Iterator<Item = OwnedFd>,
    ) -> Result<(), Error> {
        for at in close {
            self.held.retain(|port| port.at != *at);
            if let Some(relay) = &self.relay {
                relay.close(*at);
            }
        }
        for port in open {
            self.held.push(port);
            if port.socket
                && let Some(socket) = sockets.next()
            {
                self.relay()?.open(port, socket);
            }
        }
        Ok(())
    }

    /// Gives all ports up, and returns when they are free.
    pub(crate) fn close_all(&mut self) {
        self.held = Vec::new();
        self.relay = None;
    }

    /// Returns how many ports are held.
    pub(crate) fn len(&self) -> usize {
        self.held.len()
    }

    /// Returns what a new engine is told of the ports.
    pub(crate) fn reports(&self) -> Vec<Report> {
        self.held.chunks(PORTS_PER_MESSAGE).map(|ports| Report::Ports { ports: ports.to_vec() }).collect()
    }

    /// Returns the soft and hard limit of open files that execs have unless they ask for others; none if unchanged.
    pub(crate) fn original_open_files(&self) -> Option<(u64, u64)> {
        self.open_files
    }

    fn relay(&mut self) -> Result<&Relay, Error> {
        // The container has its limits already: it was cloned before its ports came.
        if self.open_files.is_none() {
            self.open_files = Some(sys::itself::raise_open_files()?);
        }
        Ok(match &mut self.relay {
            Some(relay) => relay,
            empty => empty.insert(Relay::start()?),
        })
    }
}
