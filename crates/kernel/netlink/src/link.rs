//! Links: bridges, veth pairs, macvlan and ipvlan devices.

use crate::message::{Attributes, CREATE, EXCLUSIVE, Message, read_u32, read_u64};
use crate::{Error, Socket};
use std::os::fd::{AsRawFd as _, BorrowedFd};

const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_GETLINK: u16 = 18;
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_IFALIAS: u16 = 20;
const IFLA_STATS64: u16 = 23;
const IFLA_NET_NS_FD: u16 = 28;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_INFO_SLAVE_KIND: u16 = 4;
const IFLA_INFO_SLAVE_DATA: u16 = 5;
const VETH_INFO_PEER: u16 = 1;
const IFLA_BRPORT_ISOLATED: u16 = 33;
const IFLA_MACVLAN_MODE: u16 = 1;
const IFLA_VLAN_ID: u16 = 1;
const IFLA_IPVLAN_MODE: u16 = 1;
const IFLA_IPVLAN_FLAGS: u16 = 2;
const IFF_UP: u32 = 1;

/// A hardware address.
pub type Mac = [u8; 6];

/// A link as the kernel describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its number in its namespace.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its kind, `bridge`, `veth`, …; none for hardware and the loopback device.
    pub kind: Option<String>,
    /// The bridge that it is a port of.
    pub master: Option<u32>,
    /// The number of a veth's other end, in that one's namespace; of a macvlan or ipvlan device, its parent's.
    pub peer: Option<u32>,
    /// What an administrator or a program noted at it.
    pub alias: Option<String>,
    /// Its hardware address; none if it has another form.
    pub mac: Option<Mac>,
    /// Its greatest packet in bytes.
    pub mtu: u32,
    /// Whether it is administratively up.
    pub up: bool,
    /// What went through it.
    pub counters: Counters,
}

/// What went through a link, seen from the link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets received.
    pub rx_packets: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Errors when receiving.
    pub rx_errors: u64,
    /// Errors when sending.
    pub tx_errors: u64,
    /// Received packets that were dropped.
    pub rx_dropped: u64,
    /// Packets to be sent that were dropped.
    pub tx_dropped: u64,
}

/// A veth pair that connects a bridge with a namespace.
#[derive(Clone, Copy, Debug)]
pub struct Veth<'a> {
    /// The name of the end here.
    pub name: &'a str,
    /// The bridge whose port it becomes.
    pub bridge: u32,
    /// The greatest packet of both ends.
    pub mtu: u32,
    /// The namespace of the other end.
    pub peer_namespace: BorrowedFd<'a>,
    /// The name of the other end.
    pub peer_name: &'a str,
    /// The hardware address of the other end.
    pub peer_mac: Mac,
}

/// How the devices on one parent see each other and the outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SharingMode {
    /// macvlan: `private` 1, `vepa` 2, `bridge` 4, `passthru` 8.
    Macvlan(u32),
    /// ipvlan: mode `l2` 0, `l3` 1, `l3s` 2; flag `bridge` 0, `private` 1, `vepa` 2.
    Ipvlan(u16, u16),
}

/// A device of its own on a parent device, made in a namespace.
#[derive(Clone, Copy, Debug)]
pub struct Shared<'a> {
    /// The name inside.
    pub name: &'a str,
    /// The parent device here.
    pub parent: u32,
    /// Its namespace.
    pub namespace: BorrowedFd<'a>,
    /// The greatest packet; none for the parent's.
    pub mtu: Option<u32>,
    /// The hardware address; an ipvlan device has its parent's.
    pub mac: Option<Mac>,
    /// Kind and mode.
    pub mode: SharingMode,
}

/// `struct ifinfomsg`.
fn header(index: u32, flags: u32, change: u32) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[4..8].copy_from_slice(&index.to_ne_bytes());
    bytes[8..12].copy_from_slice(&flags.to_ne_bytes());
    bytes[12..16].copy_from_slice(&change.to_ne_bytes());
    bytes
}

/// Creates a bridge, down: its sysctls can be set before it comes up.
pub fn create_bridge(name: &str, mac: Mac, mtu: u32) -> Message {
    let what = format!("create the bridge {name}");
    let mut message = Message::new(RTM_NEWLINK, CREATE | EXCLUSIVE, what).header(&header(0, 0, 0));
    message.text(IFLA_IFNAME, name).put(IFLA_ADDRESS, &mac).number(IFLA_MTU, mtu);
    message.nest(IFLA_LINKINFO, |info| {
        info.put(IFLA_INFO_KIND, b"bridge");
    });
    message
}

/// Creates a veth pair: one end here, up, a port of a bridge; the other one at once in its namespace, down.
///
/// One message does it all. Creating the pair here and moving one end costs 10 to 20 ms of RCU grace periods.
pub fn create_veth(veth: &Veth<'_>) -> Message {
    let what = format!("connect {} to the bridge", veth.name);
    let mut message = Message::new(RTM_NEWLINK, CREATE | EXCLUSIVE, what).header(&header(0, IFF_UP, IFF_UP));
    message.text(IFLA_IFNAME, veth.name).number(IFLA_MTU, veth.mtu).number(IFLA_MASTER, veth.bridge);
    message.nest(IFLA_LINKINFO, |info| {
        info.put(IFLA_INFO_KIND, b"veth");
        info.nest(IFLA_INFO_DATA, |data| {
            data.nest(VETH_INFO_PEER, |peer| {
                peer.raw(&header(0, 0, 0));
                peer.text(IFLA_IFNAME, veth.peer_name).number(IFLA_MTU, veth.mtu);
                peer.put(IFLA_ADDRESS, &veth.peer_mac);
                peer.number(IFLA_NET_NS_FD, veth.peer_namespace.as_raw_fd() as u32);
            });
        });
    });
    message
}

/// Keeps a bridge's port from its other isolated ports: it reaches the bridge's own device only.
///
/// # Source
/// Linux `include/uapi/linux/if_link.h`, `IFLA_BRPORT_ISOLATED` (since 4.18).
pub fn isolate_port(name: &str) -> Message {
    let what = format!("isolate the bridge port {name}");
    let mut message = Message::new(RTM_NEWLINK, 0, what).header(&header(0, 0, 0));
    message.text(IFLA_IFNAME, name);
    message.nest(IFLA_LINKINFO, |info| {
        info.put(IFLA_INFO_SLAVE_KIND, b"bridge\0");
        info.nest(IFLA_INFO_SLAVE_DATA, |data| {
            data.put(IFLA_BRPORT_ISOLATED, &[1]);
        });
    });
    message
}

/// Creates a macvlan or ipvlan device on a parent here, at once in its namespace, down.
pub fn create_shared(shared: &Shared<'_>) -> Message {
    let kind = match shared.mode {
        SharingMode::Macvlan(_) => "macvlan",
        SharingMode::Ipvlan(..) => "ipvlan",
    };
    let what = format!("create a {kind} device on link {}", shared.parent);
    let mut message = Message::new(RTM_NEWLINK, CREATE | EXCLUSIVE, what).header(&header(0, 0, 0));
    message.text(IFLA_IFNAME, shared.name).number(IFLA_LINK, shared.parent);
    message.number(IFLA_NET_NS_FD, shared.namespace.as_raw_fd() as u32);
    if let Some(mtu) = shared.mtu {
        message.number(IFLA_MTU, mtu);
    }
    if let Some(mac) = shared.mac {
        message.put(IFLA_ADDRESS, &mac);
    }
    message.nest(IFLA_LINKINFO, |info| {
        info.put(IFLA_INFO_KIND, kind.as_bytes());
        info.nest(IFLA_INFO_DATA, |data| match shared.mode {
            SharingMode::Macvlan(mode) => {
                data.number(IFLA_MACVLAN_MODE, mode);
            }
            SharingMode::Ipvlan(mode, flags) => {
                data.put(IFLA_IPVLAN_MODE, &mode.to_ne_bytes());
                data.put(IFLA_IPVLAN_FLAGS, &flags.to_ne_bytes());
            }
        });
    });
    message
}

/// Creates a dummy device: a parent for devices that reach nobody but each other.
pub fn create_dummy(name: &str) -> Message {
    let what = format!("create the dummy device {name}");
    let mut message = Message::new(RTM_NEWLINK, CREATE | EXCLUSIVE, what).header(&header(0, IFF_UP, IFF_UP));
    message.text(IFLA_IFNAME, name);
    message.nest(IFLA_LINKINFO, |info| {
        info.put(IFLA_INFO_KIND, b"dummy");
    });
    message
}

/// Creates the device of one VLAN of a parent.
pub fn create_vlan(name: &str, parent: u32, vlan: u16) -> Message {
    let what = format!("create the VLAN device {name}");
    let mut message = Message::new(RTM_NEWLINK, CREATE | EXCLUSIVE, what).header(&header(0, IFF_UP, IFF_UP));
    message.text(IFLA_IFNAME, name).number(IFLA_LINK, parent);
    message.nest(IFLA_LINKINFO, |info| {
        info.put(IFLA_INFO_KIND, b"vlan");
        info.nest(IFLA_INFO_DATA, |data| {
            data.put(IFLA_VLAN_ID, &vlan.to_ne_bytes());
        });
    });
    message
}

/// Notes a text at a link.
pub fn set_alias(index: u32, alias: &str) -> Message {
    let mut message =
        Message::new(RTM_NEWLINK, 0, format!("set the alias of link {index}")).header(&header(index, 0, 0));
    message.put(IFLA_IFALIAS, alias.as_bytes());
    message
}

/// Sets a link down.
pub fn set_down(index: u32) -> Message {
    Message::new(RTM_NEWLINK, 0, format!("set link {index} down")).header(&header(index, 0, IFF_UP))
}

/// Sets a link up.
pub fn set_up(index: u32) -> Message {
    Message::new(RTM_NEWLINK, 0, format!("set link {index} up")).header(&header(index, IFF_UP, IFF_UP))
}

/// Lets a bridge send frames back through the port that they came in by: with the host's bridge filter a container reaches
/// its own published ports so.
pub fn set_hairpin(name: &str) -> Message {
    const IFLA_INFO_SLAVE_KIND: u16 = 4;
    const IFLA_INFO_SLAVE_DATA: u16 = 5;
    const IFLA_BRPORT_MODE: u16 = 4;
    let what = format!("let the bridge send frames back through {name}");
    let mut message = Message::new(RTM_NEWLINK, 0, what).header(&header(0, 0, 0));
    message.text(IFLA_IFNAME, name).nest(IFLA_LINKINFO, |info| {
        info.put(IFLA_INFO_SLAVE_KIND, b"bridge").nest(IFLA_INFO_SLAVE_DATA, |data| {
            data.put(IFLA_BRPORT_MODE, &[1]);
        });
    });
    message
}

/// Deletes a link by name, its other end too. Takes 10 to 30 ms of RCU grace periods: nothing for a start or stop path.
pub fn delete(name: &str) -> Message {
    let mut message =
        Message::new(RTM_DELLINK, 0, format!("delete the link {name}")).header(&header(0, 0, 0));
    message.text(IFLA_IFNAME, name);
    message
}

/// Returns all links.
///
/// # Errors
/// Those of the socket.
pub fn list(socket: &Socket) -> Result<Vec<Link>, Error> {
    let request = Message::new(RTM_GETLINK, 0, "list the links").header(&header(0, 0, 0));
    socket.dump(&request, parse)
}

/// Returns one link.
///
/// # Errors
/// Those of the socket.
pub fn find(socket: &Socket, name: &str) -> Result<Option<Link>, Error> {
    let mut request =
        Message::new(RTM_GETLINK, 0, format!("look up the link {name}")).header(&header(0, 0, 0));
    request.text(IFLA_IFNAME, name);
    socket.get(&request, parse)
}

fn parse(payload: &[u8]) -> Option<Link> {
    let attributes = Attributes(payload.get(16..)?);
    let info = attributes.payload(IFLA_LINKINFO).map(Attributes);
    Some(Link {
        index: read_u32(payload, 4)?,
        name: attributes.find_text(IFLA_IFNAME)?,
        kind: info.and_then(|info| info.find_text(IFLA_INFO_KIND)),
        master: attributes.find_u32(IFLA_MASTER),
        peer: attributes.find_u32(IFLA_LINK),
        alias: attributes.find_text(IFLA_IFALIAS),
        mac: attributes.payload(IFLA_ADDRESS).and_then(|bytes| bytes.try_into().ok()),
        mtu: attributes.find_u32(IFLA_MTU).unwrap_or(0),
        up: read_u32(payload, 8)? & IFF_UP != 0,
        counters: attributes.payload(IFLA_STATS64).map(counters).unwrap_or_default(),
    })
}

/// Reads the first eight numbers of `struct rtnl_link_stats64`.
fn counters(bytes: &[u8]) -> Counters {
    let number = |index: usize| read_u64(bytes, index * 8).unwrap_or(0);
    Counters {
        rx_packets: number(0),
        tx_packets: number(1),
        rx_bytes: number(2),
        tx_bytes: number(3),
        rx_errors: number(4),
        tx_errors: number(5),
        rx_dropped: number(6),
        tx_dropped: number(7),
    }
}
