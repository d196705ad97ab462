//! After a restart of the engine: who is attached, and what is left over.

use crate::endpoint::OUTSIDE_PREFIX;
use crate::{Error, inside};
use netlink::link::{self, Link};
use netlink::{Socket, address};
use refs::ContainerId;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use sys::ns::{self, Types};

/// What was found in a container's namespace.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) container: ContainerId,
    pub(crate) namespace: Arc<OwnedFd>,
    pub(crate) devices: Vec<Device>,
}

/// A device in a container's namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Device {
    pub(crate) interface: String,
    pub(crate) addresses: Vec<(IpAddr, u8)>,
    pub(crate) mac: [u8; 6],
    /// Whether it is made on a parent device (macvlan, ipvlan), rather than one end of a pair.
    pub(crate) has_parent: bool,
    /// The number of the other end, or of the parent, in the engine's namespace.
    pub(crate) peer: u32,
}

/// Looks into the namespaces of running containers. One that ended meanwhile is left out.
pub(crate) fn look(live: Vec<(ContainerId, u32)>) -> Result<Vec<Found>, Error> {
    live.into_iter().filter_map(|(container, pid)| look_into(container, pid).transpose()).collect()
}

fn look_into(container: ContainerId, pid: u32) -> Result<Option<Found>, Error> {
    let path = format!("/proc/{pid}/ns/net");
    let Ok(namespace) = ns::open(Path::new(&path), Types::NETWORK) else { return Ok(None) };
    let devices = inside::run(&namespace, devices)?;
    Ok(Some(Found { container, namespace: Arc::new(namespace), devices }))
}

/// Lists the devices of the calling thread's namespace that can be ours.
fn devices() -> Result<Vec<Device>, Error> {
    let refused = |source| Error::Netlink { what: "look into a container's network", source };
    let socket = Socket::route().map_err(refused)?;
    let addresses = address::list(&socket).map_err(refused)?;
    let device = |link: Link| {
        let has_parent = match link.kind.as_deref() {
            Some("veth") => false,
            Some("macvlan" | "ipvlan") => true,
            _ => return None,
        };
        let own = addresses.iter().filter(|address| address.index == link.index);
        Some(Device {
            addresses: own.map(|address| (address.address, address.prefix_len)).collect(),
            interface: link.name,
            mac: link.mac?,
            has_parent,
            peer: link.peer?,
        })
    };
    Ok(link::list(&socket).map_err(refused)?.into_iter().filter_map(device).collect())
}

/// Returns the names of the bridges' ports that belong to none of those found.
pub(crate) fn orphans(links: &[Link], bridges: &[u32], found: &[Found]) -> Vec<String> {
    let owned: BTreeSet<u32> = found
        .iter()
        .flat_map(|found| &found.devices)
        .filter(|device| !device.has_parent)
        .map(|d| d.peer)
        .collect();
    let is_ours = |link: &&Link| {
        link.master.is_some_and(|master| bridges.contains(&master)) && link.name.starts_with(OUTSIDE_PREFIX)
    };
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

    #[test]
    fn orphans_are_ports_of_our_bridges_that_nobody_has() {
        let link = |index, name: &str, master| Link {
            index,
            name: name.into(),
            kind: Some("veth".into()),
            master,
            peer: Some(2),
            alias: None,
            mac: None,
            mtu: 1500,
            up: true,
            counters: link::Counters::default(),
        };
        let links = [
            link(10, "vethaaaaaaa", Some(3)),
            link(11, "vethbbbbbbb", Some(3)),
            link(12, "vethccccccc", Some(4)),
            link(13, "tap0", Some(3)),
            link(14, "vethddddddd", None),
        ];
        let device = Device {
            interface: "eth0".into(),
            addresses: Vec::new(),
            mac: [0; 6],
            has_parent: false,
            peer: 10,
        };
        let found = Found {
            container: ContainerId::generate([1; 32]),
            namespace: Arc::new(ns::own(Types::NETWORK).expect("opens")),
            devices: vec![device],
        };
        assert_eq!(orphans(&links, &[3], &[found]), ["vethbbbbbbb"]);
    }
}
