//! Routes of IPv4 and IPv6.

use crate::address::ip;
use crate::message::{Attributes, CREATE, EXCLUSIVE, Message};
use crate::{Error, Socket};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const RTM_NEWROUTE: u16 = 24;
const RTM_DELROUTE: u16 = 25;
const RTM_GETROUTE: u16 = 26;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const AF_UNSPEC: u8 = 0;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const RT_TABLE_MAIN: u8 = 254;
const RTPROT_BOOT: u8 = 3;
const RT_SCOPE_UNIVERSE: u8 = 0;
const RT_SCOPE_LINK: u8 = 253;
const RT_SCOPE_NOWHERE: u8 = 255;
const RTN_UNICAST: u8 = 1;

/// The family of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    fn number(self) -> u8 {
        match self {
            Self::V4 => AF_INET,
            Self::V6 => AF_INET6,
        }
    }
}

/// The destination of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The network.
    pub address: IpAddr,
    /// The length of its part; 0 for the default route.
    pub prefix_len: u8,
    /// The link that the route leads through.
    pub index: Option<u32>,
}

fn header(family: u8, scope: u8, kind: u8) -> [u8; 12] {
    [family, 0, 0, 0, RT_TABLE_MAIN, RTPROT_BOOT, scope, kind, 0, 0, 0, 0]
}

/// Adds the default route.
pub fn add_default(gateway: IpAddr, index: u32) -> Message {
    let family = if gateway.is_ipv4() { AF_INET } else { AF_INET6 };
    let what = format!("add the default route by {gateway}");
    let header = header(family, RT_SCOPE_UNIVERSE, RTN_UNICAST);
    let mut message = Message::new(RTM_NEWROUTE, CREATE | EXCLUSIVE, what).header(&header);
    match gateway {
        IpAddr::V4(v4) => message.put(RTA_GATEWAY, &v4.octets()),
        IpAddr::V6(v6) => message.put(RTA_GATEWAY, &v6.octets()),
    };
    message.number(RTA_OIF, index);
    message
}

/// Adds the default route through a link without a gateway: everything is a neighbour there.
pub fn add_default_link(family: Family, index: u32) -> Message {
    let what = format!("add the default route through link {index}");
    let header = header(family.number(), RT_SCOPE_LINK, RTN_UNICAST);
    let mut message = Message::new(RTM_NEWROUTE, CREATE | EXCLUSIVE, what).header(&header);
    message.number(RTA_OIF, index);
    message
}

/// Removes the default route of a family, whatever it leads to.
pub fn remove_default(family: Family) -> Message {
    let header = header(family.number(), RT_SCOPE_NOWHERE, 0);
    Message::new(RTM_DELROUTE, 0, "remove the default route").header(&header)
}

/// Returns the destinations of the main table, of both families.
///
/// # Errors
/// Those of the socket.
pub fn list(socket: &Socket) -> Result<Vec<Destination>, Error> {
    let request = Message::new(RTM_GETROUTE, 0, "list the routes")
        .header(&[AF_UNSPEC, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    socket.dump(&request, parse)
}

fn parse(payload: &[u8]) -> Option<Destination> {
    let attributes = Attributes(payload.get(12..)?);
    if *payload.get(4)? != RT_TABLE_MAIN {
        return None;
    }
    let family = *payload.first()?;
    let address = match attributes.payload(RTA_DST) {
        Some(bytes) => ip(family, bytes)?,
        None if family == AF_INET => Ipv4Addr::UNSPECIFIED.into(),
        None if family == AF_INET6 => Ipv6Addr::UNSPECIFIED.into(),
        None => return None,
    };
    Some(Destination { address, prefix_len: *payload.get(1)?, index: attributes.find_u32(RTA_OIF) })
}
