//! Connections that the kernel keeps track of.
//!
//! A flow of datagrams keeps the translation that it began with as long as somebody sends: whoever changes where a port
//! leads has the kernel forget the flows of that port.
//!
//! # Source
//! Linux `include/uapi/linux/netfilter/nfnetlink_conntrack.h`.

use crate::message::{Attributes, Message};
use crate::{Error, Socket};
use std::net::IpAddr;

const SUBSYSTEM: u16 = 1;
const GET: u16 = (SUBSYSTEM << 8) | 1;
const DELETE: u16 = (SUBSYSTEM << 8) | 2;
const HEADER: usize = 4;
const CTA_TUPLE_ORIG: u16 = 1;
const CTA_TUPLE_REPLY: u16 = 2;
const UDP: u8 = 17;

/// A flow of datagrams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Where its sender sends to.
    pub to: IpAddr,
    /// The port there.
    pub port: u16,
    /// Who answers: another one than `to` if the destination is translated.
    pub answers_from: IpAddr,
    /// The kernel's own description of its first direction.
    original: Vec<u8>,
    family: u8,
}

/// Returns the flows of datagrams of both families.
///
/// # Errors
/// Those of the socket; Unavailable if the kernel keeps no track.
pub fn datagram_flows(socket: &Socket) -> Result<Vec<Flow>, Error> {
    const ALL_FAMILIES: u8 = 0;
    let request = Message::new(GET, 0, "list the known connections").header(&[ALL_FAMILIES, 0, 0, 0]);
    socket.dump(&request, parse)
}

/// Has the kernel forget flows; those that are gone by then are fine.
///
/// # Errors
/// That of the first flow that could not be forgotten.
pub fn forget(socket: &Socket, flows: &[Flow]) -> Result<(), Error> {
    let mut first = Ok(());
    for flow in flows {
        let what = format!("forget the flow to {}", flow.to);
        let mut message = Message::new(DELETE, 0, what).header(&[flow.family, 0, 0, 0]);
        message.nest(CTA_TUPLE_ORIG, |tuple| {
            tuple.raw(&flow.original);
        });
        match socket.batch(&[message]) {
            Err(error) if error.is_absent() => {}
            other => first = first.and(other),
        }
    }
    first
}

fn parse(payload: &[u8]) -> Option<Flow> {
    let attributes = Attributes(payload.get(HEADER..)?);
    let original = attributes.payload(CTA_TUPLE_ORIG)?;
    let (_, to, protocol, port) = tuple(original)?;
    let (answers_from, ..) = tuple(attributes.payload(CTA_TUPLE_REPLY)?)?;
    let family = *payload.first()?;
    (protocol == UDP).then(|| Flow { to, port, answers_from, original: original.to_vec(), family })
}

/// Reads one direction: source, destination, protocol, port of the destination.
fn tuple(bytes: &[u8]) -> Option<(IpAddr, IpAddr, u8, u16)> {
    let parts = Attributes(bytes);
    let (ip, transport) = (Attributes(parts.payload(1)?), Attributes(parts.payload(2)?));
    // CTA_IP_V4_SRC, _V4_DST, _V6_SRC, _V6_DST
    let address = |v4, v6| match (ip.payload(v4), ip.payload(v6)) {
        (Some(bytes), _) => Some(IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?)),
        (None, Some(bytes)) => Some(IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?)),
        (None, None) => None,
    };
    let protocol = *transport.payload(1)?.first()?; // CTA_PROTO_NUM
    let port = transport.payload(3).and_then(|bytes| bytes.try_into().ok()).map_or(0, u16::from_be_bytes);
    Some((address(1, 3)?, address(2, 4)?, protocol, port))
}
