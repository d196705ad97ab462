//! Moving a link into another network namespace, with its name and addresses.

use crate::message::{Attributes, CREATE, EXCLUSIVE, Message, read_u32};
use crate::{Error, Socket};
use std::os::fd::{AsRawFd as _, BorrowedFd};

const RTM_NEWLINK: u16 = 16;
const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
const IFLA_IFNAME: u16 = 3;
const IFLA_NET_NS_FD: u16 = 28;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_BROADCAST: u16 = 4;
const IFA_F_PERMANENT: u8 = 0x80;

/// An address of either family as the kernel shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The link that has it.
    pub index: u32,
    family: u8,
    prefix_len: u8,
    scope: u8,
    attributes: Vec<(u16, Vec<u8>)>,
}

/// Moves a link into a network namespace, under another name there; it is down afterwards and has no addresses.
pub fn move_link(index: u32, namespace: BorrowedFd<'_>, name: &str) -> Message {
    let mut header = [0; 16];
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    let mut message = Message::new(RTM_NEWLINK, 0, format!("move link {index} as {name}")).header(&header);
    message.text(IFLA_IFNAME, name).number(IFLA_NET_NS_FD, namespace.as_raw_fd() as u32);
    message
}

/// Returns the addresses of a link that somebody gave it: permanent ones of more than its own reach.
///
/// # Errors
/// Those of the socket.
pub fn held(socket: &Socket, index: u32) -> Result<Vec<Held>, Error> {
    let request = Message::new(RTM_GETADDR, 0, "list the addresses").header(&[0; 8]);
    let all: Vec<Held> = socket.dump(&request, parse)?;
    Ok(all.into_iter().filter(|held| held.index == index).collect())
}

/// Gives a link an address that another one had.
pub fn give(index: u32, held: &Held) -> Message {
    let mut header = [held.family, held.prefix_len, IFA_F_PERMANENT, held.scope, 0, 0, 0, 0];
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    let mut message = Message::new(RTM_NEWADDR, CREATE | EXCLUSIVE, "add an address").header(&header);
    for (kind, bytes) in &held.attributes {
        message.put(*kind, bytes);
    }
    message
}

fn parse(payload: &[u8]) -> Option<Held> {
    const UNIVERSE: u8 = 0;
    let (flags, scope) = (*payload.get(2)?, *payload.get(3)?);
    if flags & IFA_F_PERMANENT == 0 || scope != UNIVERSE {
        return None;
    }
    let attributes = Attributes(payload.get(8..)?);
    let kept = [IFA_LOCAL, IFA_ADDRESS, IFA_BROADCAST];
    let kept = kept.iter().filter_map(|kind| Some((*kind, attributes.payload(*kind)?.to_vec())));
    Some(Held {
        index: read_u32(payload, 4)?,
        family: *payload.first()?,
        prefix_len: *payload.get(1)?,
        scope,
        attributes: kept.collect(),
    })
}
