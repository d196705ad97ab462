//! Routes.

use crate::message::{Attributes, CREATE, EXCLUSIVE, Message};
use crate::{Error, Socket};
use std::net::Ipv4Addr;

const RTM_NEWROUTE: u16 = 24;
const RTM_GETROUTE: u16 = 26;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const AF_INET: u8 = 2;
const RT_TABLE_MAIN: u8 = 254;
const RTPROT_BOOT: u8 = 3;
const RT_SCOPE_UNIVERSE: u8 = 0;
const RTN_UNICAST: u8 = 1;

/// The destination of an IPv4 route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The network.
    pub address: Ipv4Addr,
    /// The length of its part; 0 for the default route.
    pub prefix_len: u8,
    /// The link that the route leads through.
    pub index: Option<u32>,
}

/// Adds the default route.
pub fn add_default(gateway: Ipv4Addr, index: u32) -> Message {
    let header = [AF_INET, 0, 0, 0, RT_TABLE_MAIN, RTPROT_BOOT, RT_SCOPE_UNIVERSE, RTN_UNICAST, 0, 0, 0, 0];
    let what = format!("add the default route by {gateway}");
    let mut message = Message::new(RTM_NEWROUTE, CREATE | EXCLUSIVE, what).header(&header);
    message.put(RTA_GATEWAY, &gateway.octets()).number(RTA_OIF, index);
    message
}

/// Returns the destinations of the main table.
///
/// # Errors
/// Those of the socket.
pub fn list(socket: &Socket) -> Result<Vec<Destination>, Error> {
    let request =
        Message::new(RTM_GETROUTE, 0, "list the routes").header(&[AF_INET, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    socket.dump(&request, parse)
}

fn parse(payload: &[u8]) -> Option<Destination> {
    let attributes = Attributes(payload.get(12..)?);
    if *payload.get(4)? != RT_TABLE_MAIN {
        return None;
    }
    let octets: [u8; 4] = attributes.payload(RTA_DST).map_or(Ok([0; 4]), TryInto::try_into).ok()?;
    Some(Destination {
        address: octets.into(),
        prefix_len: *payload.get(1)?,
        index: attributes.find_u32(RTA_OIF),
    })
}
