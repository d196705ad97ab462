//! nf_tables: tables, chains and rules, replaced in one transaction.
//!
//! Only the expressions that this project's rules need.
//!
//! # Source
//! Linux `include/uapi/linux/netfilter/nf_tables.h`, `nfnetlink.h`.

pub mod map;
pub mod monitor;

use crate::message::{APPEND, CREATE, Message};
use crate::{Error, Socket};
use std::net::{IpAddr, Ipv4Addr};

const SUBSYSTEM: u16 = 10;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const NEWTABLE: u16 = SUBSYSTEM << 8;
const DELTABLE: u16 = (SUBSYSTEM << 8) | 2;
const NEWCHAIN: u16 = (SUBSYSTEM << 8) | 3;
const NEWRULE: u16 = (SUBSYSTEM << 8) | 6;

/// How many elements of a set one message has: the length of an attribute is limited to 64 KiB.
const BATCH_ELEMENTS: usize = 256;

/// Which packets a table sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    Ip,
    /// IPv6.
    Ip6,
}

impl Family {
    const fn number(self) -> u8 {
        match self {
            Self::Ip => 2,
            Self::Ip6 => 10,
        }
    }
}

/// A table with all that is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its chains.
    pub chains: Vec<Chain>,
}

/// A base chain, with the policy `accept`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Its name.
    pub name: String,
    /// Where it is called.
    pub hook: Hook,
    /// Its rules.
    pub rules: Vec<Vec<Expression>>,
}

/// Where a chain is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// Of type `filter`, for packets that pass through, at priority 0.
    ForwardFilter,
    /// Of type `nat`, for packets that leave, at priority 100 (`srcnat`).
    PostroutingNat,
    /// Of type `nat`, for packets that come in, at priority -100 (`dstnat`).
    PreroutingNat,
    /// Of type `nat`, for packets that the host itself sends, at priority -100 (`dstnat`).
    OutputNat,
}

/// A part of a rule: a condition, or what is done when all conditions before it hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
    /// The packet came in by this link.
    InputIs(String),
    /// The packet leaves by this link.
    OutputIs(String),
    /// The packet leaves by another link.
    OutputIsNot(String),
    /// The source address is in this network.
    SourceIn(IpAddr, u8),
    /// The source address becomes this one.
    SourceBecomes(IpAddr),
    /// The packet belongs to a known connection, or is related to one.
    KnownConnection,
    /// The destination of the packet's connection was translated: it came through a published port.
    DestinationTranslated,
    /// The destination is not an address of the host.
    DestinationIsForeign,
    /// The destination address is in this network.
    DestinationIn(Ipv4Addr, u8),
    /// The source address is in a network of this set ([`map::SetKind::Network`]).
    SourceInSet(String),
    /// Protocol and destination port are a key of this map ([`map::SetKind::Port`]): the destination becomes what it leads to.
    TranslateByPort(String),
    /// Address, protocol and port of the destination are a key of this map ([`map::SetKind::AddressPort`]): the
    /// destination becomes what it leads to.
    TranslateByAddress(String),
    /// The packet passes this chain without its further rules.
    Return,
    /// The source address becomes that of the link by which the packet leaves.
    Masquerade,
    /// The packet passes this chain.
    Accept,
    /// The packet is gone.
    Drop,
}

/// Replaces a table, in one transaction: no packet ever sees a part of it.
///
/// # Errors
/// Unavailable if the kernel has no nf_tables; Forbidden without CAP_NET_ADMIN.
pub fn replace(socket: &Socket, family: Family, table: &Table) -> Result<(), Error> {
    // Deleting needs the table to exist, and creating an existing one is fine.
    let name = table.name.as_str();
    let mut messages = vec![new_table(family, name), delete_table(family, name), new_table(family, name)];
    for chain in &table.chains {
        messages.push(base_chain(family, name, chain));
        messages.extend(chain.rules.iter().map(|rule| new_rule(family, &table.name, &chain.name, rule)));
    }
    transaction(socket, &messages)
}

/// Puts rules in front of the others of a chain of another program, with a comment by which they are known; in one
/// transaction. They have the form that the iptables program lists: conditions, a counter, a verdict.
///
/// # Errors
/// NotFound if the chain is not there.
pub fn insert(
    socket: &Socket,
    family: Family,
    table: &str,
    chain: &str,
    comment: &str,
    rules: &[Vec<Expression>],
) -> Result<(), Error> {
    // Each one is put in front of the one before.
    let messages: Vec<Message> =
        rules.iter().rev().map(|rule| foreign_rule(family, table, chain, comment, rule)).collect();
    transaction(socket, &messages)
}

fn foreign_rule(family: Family, table: &str, chain: &str, comment: &str, rule: &[Expression]) -> Message {
    // Neither APPEND nor a position: in front.
    let mut message =
        message(family, NEWRULE, CREATE, format!("add a rule to the nf_tables chain {chain} ({rule:?})"));
    message.text(1, table).text(2, chain); // NFTA_RULE_TABLE, NFTA_RULE_CHAIN
    message.nest(4, |list| {
        for expression in rule {
            if matches!(expression, Expression::Accept | Expression::Drop | Expression::Return) {
                element(list, "counter", |_| {});
            }
            encode(family, list, expression);
        }
    });
    let mut text = comment.as_bytes().to_vec();
    text.push(0);
    let mut data = vec![0, text.len() as u8]; // Comments are short.
    data.extend(text);
    message.put(7, &data); // NFTA_RULE_USERDATA
    message
}

/// Deletes a table; one that does not exist is fine.
///
/// # Errors
/// Forbidden without CAP_NET_ADMIN.
pub fn delete(socket: &Socket, family: Family, name: &str) -> Result<(), Error> {
    transaction(socket, &[new_table(family, name), delete_table(family, name)])
}

fn transaction(socket: &Socket, messages: &[Message]) -> Result<(), Error> {
    let marker = |kind, what| {
        // `struct nfgenmsg`: family, version, and the subsystem in network order.
        let subsystem = SUBSYSTEM.to_be_bytes();
        Message::new(kind, 0, what).header(&[0, 0, subsystem[0], subsystem[1]])
    };
    let what = "begin an nf_tables transaction";
    socket.transaction(
        &marker(BATCH_BEGIN, what),
        messages,
        &marker(BATCH_END, "end an nf_tables transaction"),
    )
}

fn message(family: Family, kind: u16, flags: u16, what: String) -> Message {
    Message::new(kind, flags, what).header(&[family.number(), 0, 0, 0])
}

fn new_table(family: Family, name: &str) -> Message {
    let mut message = message(family, NEWTABLE, CREATE, format!("create the nf_tables table {name}"));
    message.text(1, name); // NFTA_TABLE_NAME
    message
}

fn delete_table(family: Family, name: &str) -> Message {
    let mut message = message(family, DELTABLE, 0, format!("delete the nf_tables table {name}"));
    message.text(1, name); // NFTA_TABLE_NAME
    message
}

fn base_chain(family: Family, table: &str, chain: &Chain) -> Message {
    let (kind, number, priority) = match chain.hook {
        Hook::ForwardFilter => ("filter", 2, 0),
        Hook::PostroutingNat => ("nat", 4, 100),
        Hook::PreroutingNat => ("nat", 0, DSTNAT),
        Hook::OutputNat => ("nat", 3, DSTNAT),
    };
    let mut message = message(family, NEWCHAIN, CREATE, format!("create the nf_tables chain {}", chain.name));
    message.text(1, table).text(3, &chain.name); // NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME
    message.nest(4, |hook| {
        hook.big_endian(1, number).big_endian(2, priority); // NFTA_HOOK_HOOKNUM, NFTA_HOOK_PRIORITY
    });
    message.big_endian(5, VERDICT_ACCEPT).text(7, kind); // NFTA_CHAIN_POLICY, NFTA_CHAIN_TYPE
    message
}

fn new_rule(family: Family, table: &str, chain: &str, rule: &[Expression]) -> Message {
    let what = format!("add a rule to the nf_tables chain {chain} ({rule:?})");
    let mut message = message(family, NEWRULE, CREATE | APPEND, what);
    message.text(1, table).text(2, chain); // NFTA_RULE_TABLE, NFTA_RULE_CHAIN
    message.nest(4, |list| rule.iter().for_each(|expression| encode(family, list, expression))); // NFTA_RULE_EXPRESSIONS
    message
}

/// Priority -100, as the attribute has it.
const DSTNAT: u32 = (-100_i32).cast_unsigned();
const VERDICT_DROP: u32 = 0;
const VERDICT_ACCEPT: u32 = 1;
/// NFT_RETURN, -5.
const VERDICT_RETURN: u32 = (-5_i32).cast_unsigned();
/// The first register, of 16 bytes.
const REGISTER: u32 = 1;
/// The first register of four bytes: the first quarter of [`REGISTER`].
const REGISTER_32: u32 = 8;
const META_L4PROTO: u32 = 16;
const META_IIFNAME: u32 = 6;
const META_OIFNAME: u32 = 7;
const CMP_EQ: u32 = 0;
const CMP_NEQ: u32 = 1;
/// NF_CT_STATE_BIT of IP_CT_ESTABLISHED and IP_CT_RELATED.
const CT_ESTABLISHED_OR_RELATED: u32 = 2 | 4;
/// IPS_DST_NAT.
const CT_DESTINATION_TRANSLATED: u32 = 1 << 5;
const NETWORK_HEADER: u32 = 1;
const TRANSPORT_HEADER: u32 = 2;
/// RTN_LOCAL.
const LOCAL: u32 = 2;

fn encode(family: Family, list: &mut Message, expression: &Expression) {
    match expression {
        Expression::InputIs(name) => link_name(list, META_IIFNAME, CMP_EQ, name),
        Expression::OutputIs(name) => link_name(list, META_OIFNAME, CMP_EQ, name),
        Expression::OutputIsNot(name) => link_name(list, META_OIFNAME, CMP_NEQ, name),
        Expression::SourceIn(IpAddr::V4(network), prefix_len) => in_network(list, 12, *network, *prefix_len),
        Expression::SourceIn(IpAddr::V6(network), prefix_len) => {
            payload(list, REGISTER, (NETWORK_HEADER, 8, 16));
            let mask = u128::MAX.checked_shl(128 - u32::from(*prefix_len)).unwrap_or(0).to_be_bytes();
            bitwise(list, &mask);
            compare(list, CMP_EQ, &network.octets());
        }
        Expression::SourceBecomes(address) => source_becomes(family, list, *address),
        Expression::DestinationIn(network, prefix_len) => in_network(list, 16, *network, *prefix_len),
        Expression::KnownConnection => connection(list, CT_STATE, CT_ESTABLISHED_OR_RELATED),
        Expression::DestinationTranslated => connection(list, CT_STATUS, CT_DESTINATION_TRANSLATED),
        Expression::DestinationIsForeign => {
            element(list, "fib", |data| {
                // NFTA_FIB_DREG, NFTA_FIB_RESULT (the address's type), NFTA_FIB_FLAGS (of the destination)
                data.big_endian(1, REGISTER).big_endian(2, 3).big_endian(3, 2);
            });
            compare(list, CMP_NEQ, &LOCAL.to_ne_bytes());
        }
        Expression::SourceInSet(set) => {
            let (offset, length) = match family {
                Family::Ip => (12, 4),
                Family::Ip6 => (8, 16),
            };
            payload(list, REGISTER, (NETWORK_HEADER, offset, length));
            lookup(list, set, None);
        }
        Expression::TranslateByPort(map) => {
            meta(list, META_L4PROTO, REGISTER_32);
            payload(list, REGISTER_32 + 1, (TRANSPORT_HEADER, 2, 2));
            translate(family, list, map);
        }
        Expression::TranslateByAddress(map) => {
            let (offset, length) = match family {
                Family::Ip => (16, 4),
                Family::Ip6 => (24, 16),
            };
            payload(list, REGISTER, (NETWORK_HEADER, offset, length));
            meta(list, META_L4PROTO, REGISTER_32 + length / 4);
            payload(list, REGISTER_32 + length / 4 + 1, (TRANSPORT_HEADER, 2, 2));
            translate(family, list, map);
        }
        Expression::Masquerade => element(list, "masq", |_| {}),
        Expression::Accept => verdict(list, VERDICT_ACCEPT),
        Expression::Drop => verdict(list, VERDICT_DROP),
        Expression::Return => verdict(list, VERDICT_RETURN),
    }
}

fn element(list: &mut Message, name: &str, fill: impl FnOnce(&mut Message)) {
    list.nest(1, |element| {
        element.text(1, name); // NFTA_EXPR_NAME
        element.nest(2, fill); // NFTA_EXPR_DATA
    });
}

fn link_name(list: &mut Message, key: u32, comparison: u32, name: &str) {
    let mut padded = [0; 16];
    let length = name.len().min(15); // Link names have at most 15 bytes.
    padded[..length].copy_from_slice(&name.as_bytes()[..length]);
    meta(list, key, REGISTER);
    compare(list, comparison, &padded);
}

fn meta(list: &mut Message, key: u32, register: u32) {
    element(list, "meta", |data| {
        data.big_endian(1, register).big_endian(2, key); // NFTA_META_DREG, NFTA_META_KEY
    });
}

/// Loads bytes of the packet, given by header, offset and length.
fn payload(list: &mut Message, register: u32, (base, offset, length): (u32, u32, u32)) {
    element(list, "payload", |data| {
        // NFTA_PAYLOAD_DREG, _BASE, _OFFSET, _LEN
        data.big_endian(1, register).big_endian(2, base).big_endian(3, offset).big_endian(4, length);
    });
}

fn in_network(list: &mut Message, offset: u32, network: Ipv4Addr, prefix_len: u8) {
    payload(list, REGISTER, (NETWORK_HEADER, offset, 4));
    bitwise(list, &u32::MAX.checked_shl(32 - u32::from(prefix_len)).unwrap_or(0).to_be_bytes());
    compare(list, CMP_EQ, &network.octets());
}

const CT_STATE: u32 = 0;
const CT_STATUS: u32 = 2;

/// Passes if a connection's state or status has one of the bits.
fn connection(list: &mut Message, key: u32, bits: u32) {
    element(list, "ct", |data| {
        data.big_endian(1, REGISTER).big_endian(2, key); // NFTA_CT_DREG, NFTA_CT_KEY
    });
    bitwise(list, &bits.to_ne_bytes());
    compare(list, CMP_NEQ, &[0; 4]);
}

/// Looks the first register up in a set or a map, whose data goes to a register.
fn lookup(list: &mut Message, set: &str, data_to: Option<u32>) {
    element(list, "lookup", |data| {
        data.text(1, set).big_endian(2, REGISTER); // NFTA_LOOKUP_SET, NFTA_LOOKUP_SREG
        if let Some(register) = data_to {
            data.big_endian(3, register); // NFTA_LOOKUP_DREG
        }
    });
}

fn translate(family: Family, list: &mut Message, map: &str) {
    let address_quarters = match family {
        Family::Ip => 1,
        Family::Ip6 => 4,
    };
    lookup(list, map, Some(REGISTER));
    element(list, "nat", |data| {
        const DESTINATION: u32 = 1;
        // NFTA_NAT_TYPE, NFTA_NAT_FAMILY, NFTA_NAT_REG_ADDR_MIN, NFTA_NAT_REG_PROTO_MIN
        data.big_endian(1, DESTINATION).big_endian(2, u32::from(family.number()));
        data.big_endian(3, REGISTER).big_endian(5, REGISTER_32 + address_quarters);
    });
}

fn compare(list: &mut Message, comparison: u32, value: &[u8]) {
    element(list, "cmp", |data| {
        data.big_endian(1, REGISTER).big_endian(2, comparison); // NFTA_CMP_SREG, NFTA_CMP_OP
        data.nest(3, |operand| {
            operand.put(1, value); // NFTA_DATA_VALUE
        });
    });
}

fn source_becomes(family: Family, list: &mut Message, address: IpAddr) {
    let octets = match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    };
    element(list, "immediate", |data| {
        data.big_endian(1, REGISTER); // NFTA_IMMEDIATE_DREG
        data.nest(2, |operand| {
            operand.put(1, &octets); // NFTA_IMMEDIATE_DATA, NFTA_DATA_VALUE
        });
    });
    element(list, "nat", |data| {
        const SOURCE: u32 = 0;
        // NFTA_NAT_TYPE, NFTA_NAT_FAMILY, NFTA_NAT_REG_ADDR_MIN
        data.big_endian(1, SOURCE).big_endian(2, u32::from(family.number())).big_endian(3, REGISTER);
    });
}

fn bitwise(list: &mut Message, mask: &[u8]) {
    let length = mask.len();
    element(list, "bitwise", |data| {
        // NFTA_BITWISE_SREG, _DREG, _LEN
        data.big_endian(1, REGISTER).big_endian(2, REGISTER).big_endian(3, length as u32);
        for (kind, value) in [(4, mask), (5, &[0; 16][..length])] {
            data.nest(kind, |operand| {
                operand.put(1, value); // NFTA_BITWISE_MASK, NFTA_BITWISE_XOR
            });
        }
    });
}

fn verdict(list: &mut Message, code: u32) {
    element(list, "immediate", |data| {
        data.big_endian(1, 0); // NFTA_IMMEDIATE_DREG: the verdict register
        data.nest(2, |operand| {
            operand.nest(2, |verdict| {
                verdict.big_endian(1, code); // NFTA_DATA_VERDICT, NFTA_VERDICT_CODE
            });
        });
    });
}
