//! `linux.netDevices`: devices of the runtime's network namespace move into the container's, with their addresses.
//!
//! # Source
//! OCI runtime-spec v1.3 config-linux.md#network-devices

use crate::Error;
use netlink::Socket;
use netlink::{link, transfer};
use std::os::fd::AsFd as _;
use std::path::Path;
use sys::ns::Types;

/// Moves the devices, by their names outside and inside, into the network namespace of a process that waits.
pub(super) fn hand_over(devices: &[(String, String)], pid: i32) -> Result<(), Error> {
    let path = format!("/proc/{pid}/ns/net");
    let namespace = sys::ns::open(Path::new(&path), Types::NETWORK)
        .map_err(|source| Error::Sys { what: "open the container's network namespace".into(), source })?;
    let outside = Socket::route().map_err(|error| failed("", &error))?;
    let mut moved = Vec::new();
    for (name, inside) in devices {
        let found = link::find(&outside, name).map_err(|error| failed(name, &error))?;
        let found = found.ok_or_else(|| Error::invalid(field(name), "there is no such device"))?;
        let held = transfer::held(&outside, found.index).map_err(|error| failed(name, &error))?;
        let message = transfer::move_link(found.index, namespace.as_fd(), inside);
        outside.batch(&[message]).map_err(|error| failed(name, &error))?;
        moved.push((name, inside, held));
    }
    // A socket belongs to the namespace in which its thread was.
    let inside = std::thread::scope(|scope| {
        let open = || {
            sys::ns::join(&namespace, Types::NETWORK).map_err(|source| Error::Sys {
                what: "enter the container's network namespace".into(),
                source,
            })?;
            Socket::route().map_err(|error| failed("", &error))
        };
        scope.spawn(open).join()
    });
    let inside =
        inside.map_err(|_| Error::invalid("linux.netDevices", "the thread of the namespace ended"))??;
    for (outer, name, held) in moved {
        let link = link::find(&inside, name).map_err(|error| failed(outer, &error))?;
        let link = link.ok_or_else(|| Error::invalid(field(outer), "it is gone"))?;
        let mut messages: Vec<_> = held.iter().map(|held| transfer::give(link.index, held)).collect();
        messages.push(link::set_up(link.index));
        inside.batch(&messages).map_err(|error| failed(outer, &error))?;
    }
    Ok(())
}

fn field(name: &str) -> String {
    format!("linux.netDevices[{name:?}]")
}

fn failed(name: &str, error: &netlink::Error) -> Error {
    Error::invalid(field(name), error::chain(error))
}
