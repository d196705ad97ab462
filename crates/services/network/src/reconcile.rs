//! After a restart of the engine: who is attached, and what is left over.

use crate::Error;
use crate::endpoint::{INSIDE, OUTSIDE_PREFIX};
use netlink::link::{self, Link};
use netlink::{Socket, address};
use refs::ContainerId;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::Path;
use sys::ns::{self, Types};

/// What was found in a container's namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) container: ContainerId,
    pub(crate) address: Ipv4Addr,
    pub(crate) prefix_len: u8,
    pub(crate) mac: [u8; 6],
    /// The number of the other end, in the engine's namespace.
    pub(crate) peer: u32,
}

/// Looks into the namespaces of running containers. One that ended meanwhile, or has no device of ours, is left out.
///
/// Enters each namespace on a thread that ends afterwards.
pub(crate) fn look(live: Vec<(ContainerId, u32)>) -> Result<Vec<Found>, Error> {
    let look_all = move || {
        live.into_iter().filter_map(|(container, pid)| look_into(container, pid).transpose()).collect()
    };
    std::thread::spawn(look_all).join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn look_into(container: ContainerId, pid: u32) -> Result<Option<Found>, Error> {
    let path = format!("/proc/{pid}/ns/net");
    let Ok(namespace) = ns::open(Path::new(&path), Types::NETWORK) else { return Ok(None) };
    ns::join(&namespace, Types::NETWORK).map_err(|source| Error::Namespace { what: "enter", source })?;
    let refused = |source| Error::Netlink { what: "look into a container's network", source };
    let socket = Socket::route().map_err(refused)?;
    let Some(device) = link::find(&socket, INSIDE).map_err(refused)? else { return Ok(None) };
    let addresses = address::list(&socket).map_err(refused)?;
    let own = addresses.into_iter().find(|address| address.index == device.index);
    let (Some(own), Some(mac), Some(peer), Some("veth")) =
        (own, device.mac, device.peer, device.kind.as_deref())
    else {
        return Ok(None);
    };
    Ok(Some(Found { container, address: own.address, prefix_len: own.prefix_len, mac, peer }))
}

/// Returns the names of the bridge's ports that belong to none of those found.
pub(crate) fn orphans(links: &[Link], bridge: u32, found: &[Found]) -> Vec<String> {
    let owned: BTreeSet<u32> = found.iter().map(|found| found.peer).collect();
    let is_ours = |link: &&Link| link.master == Some(bridge) && link.name.starts_with(OUTSIDE_PREFIX);
    links
        .iter()
        .filter(is_ours)
        .filter(|link| !owned.contains(&link.index))
        .map(|link| link.name.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use netlink::link::Counters;

    #[test]
    fn orphans_are_ports_of_our_bridge_without_a_container() {
        let link = |index, name: &str, master| Link {
            index,
            name: name.into(),
            kind: Some("veth".into()),
            master,
            peer: Some(2),
            mac: None,
            mtu: 1500,
            up: true,
            counters: Counters::default(),
        };
        let links = [
            link(5, "vetha", Some(3)),
            link(6, "vethb", Some(3)),
            link(7, "vethc", Some(4)),
            link(8, "tap0", Some(3)),
            link(9, "vethd", None),
        ];
        let found = [Found {
            container: ContainerId::generate([0xc; 32]),
            address: Ipv4Addr::new(10, 0, 0, 2),
            prefix_len: 24,
            mac: [0; 6],
            peer: 5,
        }];
        assert_eq!(orphans(&links, 3, &found), ["vethb"]);
    }
}
