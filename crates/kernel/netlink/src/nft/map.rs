//! Tables with sets and maps: what changes often is an element, not a rule.
//!
//! Adding or deleting an element costs some microseconds, however many there are, and a packet finds it by one look-up.
//!
//! ```text
//! key of a port:              u8 protocol, 3 zero bytes | u16 port, 2 zero bytes       (all in network order)
//! key of address and port:    address | the key of a port
//! data of both:               address | u16 port, 2 zero bytes
//! ```

use super::{
    BATCH_ELEMENTS, Expression, Family, Hook, SUBSYSTEM, base_chain, message, new_rule, new_table,
    transaction,
};
use crate::message::{CREATE, Message};
use crate::{Error, Socket};
use std::net::{IpAddr, SocketAddr};

const NEWSET: u16 = (SUBSYSTEM << 8) | 9;
const NEWSETELEM: u16 = (SUBSYSTEM << 8) | 12;
const DELSETELEM: u16 = (SUBSYSTEM << 8) | 14;

/// The numbers by which the nft program knows types, so that it lists ours in its words.
const TYPE_IPV4: u32 = 7;
const TYPE_IPV6: u32 = 8;
const TYPE_PROTOCOL: u32 = 12;
const TYPE_SERVICE: u32 = 13;
const TYPE_BITS: u32 = 6;

/// A table with sets and maps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Which packets it sees.
    pub family: Family,
    /// Its name.
    pub name: String,
    /// Its sets and maps, with their elements.
    pub sets: Vec<Set>,
    /// Its chains.
    pub chains: Vec<super::Chain>,
}

/// A set or a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// Its name.
    pub name: String,
    /// What it is keyed by, and what a key leads to.
    pub kind: SetKind,
    /// What is in it.
    pub elements: Vec<Element>,
}

/// What a set is keyed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetKind {
    /// A map from protocol and port to address and port.
    Port,
    /// A map from address, protocol and port to address and port.
    AddressPort,
    /// A set of networks.
    Network,
}

/// An element of a set or a map.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Element {
    key: Vec<u8>,
    data: Vec<u8>,
    /// It is the first key behind an interval, rather than the first one of it.
    ends: bool,
}

impl Element {
    /// Returns the element of a [`SetKind::Port`] map.
    pub fn port(protocol: u8, port: u16, to: SocketAddr) -> Self {
        Self { key: port_key(protocol, port), data: target(to), ends: false }
    }

    /// Returns the element of a [`SetKind::AddressPort`] map.
    pub fn address_port(protocol: u8, at: SocketAddr, to: SocketAddr) -> Self {
        let mut key = octets(at.ip());
        key.extend(port_key(protocol, at.port()));
        Self { key, data: target(to), ends: false }
    }

    /// Returns the elements of a [`SetKind::Network`] set for the network that an address is in: its first address, and the
    /// first one behind it.
    pub fn network(address: IpAddr, prefix_len: u8) -> Vec<Self> {
        let (bits, value) = match address {
            IpAddr::V4(address) => (32, u128::from(u32::from(address))),
            IpAddr::V6(address) => (128, u128::from(address)),
        };
        let size = 1_u128.checked_shl(bits - u32::from(prefix_len)).unwrap_or(0);
        let first = value & !size.wrapping_sub(1);
        let key = |value: u128| value.to_be_bytes()[16 - bits as usize / 8..].to_vec();
        vec![
            Self { key: key(first), data: Vec::new(), ends: false },
            Self { key: key(first.wrapping_add(size)), data: Vec::new(), ends: true },
        ]
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn port_key(protocol: u8, port: u16) -> Vec<u8> {
    let [high, low] = port.to_be_bytes();
    vec![protocol, 0, 0, 0, high, low, 0, 0]
}

fn target(to: SocketAddr) -> Vec<u8> {
    let mut data = octets(to.ip());
    let [high, low] = to.port().to_be_bytes();
    data.extend([high, low, 0, 0]);
    data
}

/// A change of one set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Elements come into the set; one that is there already is fine.
    Add {
        /// The set.
        set: String,
        /// What comes.
        elements: Vec<Element>,
    },
    /// Elements leave the set; all must be there.
    Remove {
        /// The set.
        set: String,
        /// What goes.
        elements: Vec<Element>,
    },
}

/// Replaces a table with all that is in it, in one transaction: no packet ever sees a part of it.
///
/// # Errors
/// Unavailable if the kernel has no nf_tables; Forbidden without CAP_NET_ADMIN.
pub fn replace(socket: &Socket, table: &Table) -> Result<(), Error> {
    let (family, name) = (table.family, table.name.as_str());
    // Deleting needs the table to exist, and creating an existing one is fine.
    let mut messages =
        vec![new_table(family, name), super::delete_table(family, name), new_table(family, name)];
    for (index, set) in table.sets.iter().enumerate() {
        messages.push(new_set(family, name, set, index as u32 + 1));
    }
    for chain in &table.chains {
        messages.push(base_chain(family, name, chain));
        messages.extend(chain.rules.iter().map(|rule| new_rule(family, name, &chain.name, rule)));
    }
    for set in &table.sets {
        messages.extend(elements(NEWSETELEM, family, name, &set.name, &set.elements));
    }
    transaction(socket, &messages)
}

/// Changes sets of a table, in one transaction.
///
/// # Errors
/// NotFound if the table, the set, or an element that is to leave is not there.
pub fn change(socket: &Socket, family: Family, table: &str, changes: &[Change]) -> Result<(), Error> {
    let messages: Vec<Message> = changes
        .iter()
        .flat_map(|change| match change {
            Change::Add { set, elements: list } => elements(NEWSETELEM, family, table, set, list),
            Change::Remove { set, elements: list } => elements(DELSETELEM, family, table, set, list),
        })
        .collect();
    if messages.is_empty() { Ok(()) } else { transaction(socket, &messages) }
}

/// Deletes a table; one that does not exist is fine.
///
/// # Errors
/// Forbidden without CAP_NET_ADMIN.
pub fn delete(socket: &Socket, family: Family, name: &str) -> Result<(), Error> {
    transaction(socket, &[new_table(family, name), super::delete_table(family, name)])
}

fn new_set(family: Family, table: &str, set: &Set, id: u32) -> Message {
    const FLAG_INTERVAL: u32 = 4;
    const FLAG_MAP: u32 = 8;
    let (address, length) = match family {
        Family::Ip => (TYPE_IPV4, 4),
        Family::Ip6 => (TYPE_IPV6, 16),
    };
    let join = |types: &[u32]| types.iter().fold(0, |joined, kind| joined << TYPE_BITS | kind);
    let (key, key_length, is_map) = match set.kind {
        SetKind::Port => (join(&[TYPE_PROTOCOL, TYPE_SERVICE]), 8, true),
        SetKind::AddressPort => (join(&[address, TYPE_PROTOCOL, TYPE_SERVICE]), length + 8, true),
        SetKind::Network => (address, length, false),
    };
    let mut message = message(family, NEWSET, CREATE, format!("create the nf_tables set {}", set.name));
    message.text(1, table).text(2, &set.name); // NFTA_SET_TABLE, NFTA_SET_NAME
    message.big_endian(3, if is_map { FLAG_MAP } else { FLAG_INTERVAL }); // NFTA_SET_FLAGS
    message.big_endian(4, key).big_endian(5, key_length); // NFTA_SET_KEY_TYPE, NFTA_SET_KEY_LEN
    if is_map {
        // NFTA_SET_DATA_TYPE, NFTA_SET_DATA_LEN
        message.big_endian(6, join(&[address, TYPE_SERVICE])).big_endian(7, length + 4);
    }
    message.big_endian(10, id); // NFTA_SET_ID
    message
}

/// Returns the messages that bring elements into a set or take them out.
fn elements(kind: u16, family: Family, table: &str, set: &str, list: &[Element]) -> Vec<Message> {
    let verb = if kind == NEWSETELEM { "add to" } else { "delete from" };
    let flags = if kind == NEWSETELEM { CREATE } else { 0 };
    list.chunks(BATCH_ELEMENTS)
        .map(|chunk| {
            let mut message = message(family, kind, flags, format!("{verb} the nf_tables set {set}"));
            message.text(1, table).text(2, set); // NFTA_SET_ELEM_LIST_TABLE, _SET
            message.nest(3, |list| {
                for element in chunk {
                    // NFTA_LIST_ELEM
                    list.nest(1, |attributes| {
                        attributes.nest(1, |key| {
                            key.put(1, &element.key); // NFTA_SET_ELEM_KEY, NFTA_DATA_VALUE
                        });
                        if element.ends {
                            attributes.big_endian(3, 1); // NFTA_SET_ELEM_FLAGS: NFT_SET_ELEM_INTERVAL_END
                        }
                        if !element.data.is_empty() {
                            attributes.nest(2, |data| {
                                data.put(1, &element.data); // NFTA_SET_ELEM_DATA, NFTA_DATA_VALUE
                            });
                        }
                    });
                }
            });
            message
        })
        .collect()
}

/// Returns the chains that send packets to where the maps lead: what comes from outside, and what the host itself sends.
///
/// `any` is the name of a [`SetKind::Port`] map, `exact` that of a [`SetKind::AddressPort`] map, which is asked first.
pub fn translating_chains(any: &str, exact: &str, rules_before: &[Vec<Expression>]) -> Vec<super::Chain> {
    let rules = || {
        let mut rules = rules_before.to_vec();
        rules.push(vec![Expression::DestinationIsForeign, Expression::Return]);
        rules.push(vec![Expression::TranslateByAddress(exact.to_owned())]);
        rules.push(vec![Expression::TranslateByPort(any.to_owned())]);
        rules
    };
    [("prerouting", Hook::PreroutingNat), ("output", Hook::OutputNat)]
        .map(|(name, hook)| super::Chain { name: name.to_owned(), hook, rules: rules() })
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_have_the_kernels_layout() {
        let to = "172.17.0.2:80".parse().expect("valid");
        let element = Element::port(6, 8080, to);
        assert_eq!(element.key, [6, 0, 0, 0, 0x1f, 0x90, 0, 0]);
        assert_eq!(element.data, [172, 17, 0, 2, 0, 80, 0, 0]);
        let element = Element::address_port(17, "192.0.2.1:53".parse().expect("valid"), to);
        assert_eq!(element.key, [192, 0, 2, 1, 17, 0, 0, 0, 0, 53, 0, 0]);
        let keys = |address: &str, length| -> Vec<Vec<u8>> {
            let network = Element::network(address.parse().expect("valid"), length);
            network.into_iter().map(|element| element.key).collect()
        };
        assert_eq!(keys("172.17.3.4", 16), [[172, 17, 0, 0], [172, 18, 0, 0]]);
        assert_eq!(keys("10.0.0.7", 30), [[10, 0, 0, 4], [10, 0, 0, 8]]);
        assert_eq!(keys("fd00::2", 64)[1], [0xfd, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn many_elements_are_several_messages() {
        let to = "172.17.0.2:80".parse().expect("valid");
        let list: Vec<_> = (0..1000).map(|port| Element::port(6, port, to)).collect();
        let messages = elements(NEWSETELEM, Family::Ip, "t", "any", &list);
        assert_eq!(messages.len(), 1000_usize.div_ceil(BATCH_ELEMENTS));
        assert!(messages.iter().all(|message| message.finish(0, 0).len() < 60_000));
    }
}
