//! Addresses of IPv4 and IPv6.

use crate::message::{Attributes, CREATE, EXCLUSIVE, Message, read_u32};
use crate::{Error, Socket};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_BROADCAST: u16 = 4;
const IFA_FLAGS: u16 = 8;
/// No duplicate address detection: the address can be used at once.
const IFA_F_NODAD: u32 = 2;
const AF_UNSPEC: u8 = 0;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const RT_SCOPE_LINK: u8 = 253;

/// An address of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The link.
    pub index: u32,
    /// The address.
    pub address: IpAddr,
    /// The length of the network's part.
    pub prefix_len: u8,
}

/// Gives a link an address: of IPv4 with its network's broadcast address, of IPv6 without looking for duplicates.
pub fn add(address: &Address) -> Message {
    let what = format!("add the address {}/{}", address.address, address.prefix_len);
    let (family, scope) = match address.address {
        IpAddr::V4(v4) => (AF_INET, if v4.is_link_local() { RT_SCOPE_LINK } else { 0 }),
        IpAddr::V6(_) => (AF_INET6, 0),
    };
    let mut header = [family, address.prefix_len, 0, scope, 0, 0, 0, 0];
    header[4..8].copy_from_slice(&address.index.to_ne_bytes());
    let mut message = Message::new(RTM_NEWADDR, CREATE | EXCLUSIVE, what).header(&header);
    match address.address {
        IpAddr::V4(v4) => {
            let host_mask = u32::MAX.checked_shr(u32::from(address.prefix_len)).unwrap_or(0);
            let broadcast = Ipv4Addr::from(u32::from(v4) | host_mask);
            message.put(IFA_LOCAL, &v4.octets()).put(IFA_ADDRESS, &v4.octets());
            if address.prefix_len < 31 {
                message.put(IFA_BROADCAST, &broadcast.octets());
            }
        }
        IpAddr::V6(v6) => {
            message.put(IFA_LOCAL, &v6.octets()).put(IFA_ADDRESS, &v6.octets());
            message.number(IFA_FLAGS, IFA_F_NODAD);
        }
    }
    message
}

/// Returns all addresses, of both families.
///
/// # Errors
/// Those of the socket.
pub fn list(socket: &Socket) -> Result<Vec<Address>, Error> {
    let request =
        Message::new(RTM_GETADDR, 0, "list the addresses").header(&[AF_UNSPEC, 0, 0, 0, 0, 0, 0, 0]);
    socket.dump(&request, parse)
}

fn parse(payload: &[u8]) -> Option<Address> {
    let attributes = Attributes(payload.get(8..)?);
    let bytes = attributes.payload(IFA_LOCAL).or_else(|| attributes.payload(IFA_ADDRESS))?;
    let address = ip(*payload.first()?, bytes)?;
    Some(Address { index: read_u32(payload, 4)?, address, prefix_len: *payload.get(1)? })
}

/// Reads an address of a family.
pub(crate) fn ip(family: u8, bytes: &[u8]) -> Option<IpAddr> {
    match family {
        AF_INET => Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).into()),
        AF_INET6 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).into()),
        _ => None,
    }
}
