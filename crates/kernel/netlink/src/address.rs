//! Addresses.

use crate::message::{Attributes, CREATE, EXCLUSIVE, Message, read_u32};
use crate::{Error, Socket};
use std::net::Ipv4Addr;

const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_BROADCAST: u16 = 4;
const AF_INET: u8 = 2;

/// An IPv4 address of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The link.
    pub index: u32,
    /// The address.
    pub address: Ipv4Addr,
    /// The length of the network's part.
    pub prefix_len: u8,
}

/// Gives a link an address, with its network's broadcast address.
pub fn add(address: &Address) -> Message {
    let what = format!("add the address {}/{}", address.address, address.prefix_len);
    let mut header = [AF_INET, address.prefix_len, 0, 0, 0, 0, 0, 0];
    header[4..8].copy_from_slice(&address.index.to_ne_bytes());
    let host_mask = u32::MAX.checked_shr(u32::from(address.prefix_len)).unwrap_or(0);
    let broadcast = Ipv4Addr::from(u32::from(address.address) | host_mask);
    let mut message = Message::new(RTM_NEWADDR, CREATE | EXCLUSIVE, what).header(&header);
    message.put(IFA_LOCAL, &address.address.octets()).put(IFA_ADDRESS, &address.address.octets());
    if address.prefix_len < 31 {
        message.put(IFA_BROADCAST, &broadcast.octets());
    }
    message
}

/// Returns all IPv4 addresses.
///
/// # Errors
/// Those of the socket.
pub fn list(socket: &Socket) -> Result<Vec<Address>, Error> {
    let request = Message::new(RTM_GETADDR, 0, "list the addresses").header(&[AF_INET, 0, 0, 0, 0, 0, 0, 0]);
    socket.dump(&request, parse)
}

fn parse(payload: &[u8]) -> Option<Address> {
    let attributes = Attributes(payload.get(8..)?);
    let bytes = attributes.payload(IFA_LOCAL).or_else(|| attributes.payload(IFA_ADDRESS))?;
    let octets: [u8; 4] = bytes.try_into().ok()?;
    Some(Address { index: read_u32(payload, 4)?, address: octets.into(), prefix_len: *payload.get(1)? })
}
