//! nf_tables: tables, chains and rules, replaced in one transaction.
//!
//! Only the expressions that this project's rules need.
//!
//! # Source
//! Linux `include/uapi/linux/netfilter/nf_tables.h`, `nfnetlink.h`.

use crate::message::{APPEND, CREATE, Message};
use crate::{Error, Socket};
use std::net::Ipv4Addr;

const SUBSYSTEM: u16 = 10;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const NEWTABLE: u16 = SUBSYSTEM << 8;
const DELTABLE: u16 = (SUBSYSTEM << 8) | 2;
const NEWCHAIN: u16 = (SUBSYSTEM << 8) | 3;
const NEWRULE: u16 = (SUBSYSTEM << 8) | 6;
const NFPROTO_IPV4: u8 = 2;

/// A table of the `ip` family with all that is in it.
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
    SourceIn(Ipv4Addr, u8),
    /// The packet belongs to a known connection, or is related to one.
    KnownConnection,
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
pub fn replace(socket: &Socket, table: &Table) -> Result<(), Error> {
    // Deleting needs the table to exist, and creating an existing one is fine.
    let mut messages = vec![new_table(&table.name), delete_table(&table.name), new_table(&table.name)];
    for chain in &table.chains {
        messages.push(new_chain(&table.name, chain));
        messages.extend(chain.rules.iter().map(|rule| new_rule(&table.name, &chain.name, rule)));
    }
    transaction(socket, &messages)
}

/// Deletes a table; one that does not exist is fine.
///
/// # Errors
/// Forbidden without CAP_NET_ADMIN.
pub fn delete(socket: &Socket, name: &str) -> Result<(), Error> {
    transaction(socket, &[new_table(name), delete_table(name)])
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

fn message(kind: u16, flags: u16, what: String) -> Message {
    Message::new(kind, flags, what).header(&[NFPROTO_IPV4, 0, 0, 0])
}

fn new_table(name: &str) -> Message {
    let mut message = message(NEWTABLE, CREATE, format!("create the nf_tables table {name}"));
    message.text(1, name); // NFTA_TABLE_NAME
    message
}

fn delete_table(name: &str) -> Message {
    let mut message = message(DELTABLE, 0, format!("delete the nf_tables table {name}"));
    message.text(1, name); // NFTA_TABLE_NAME
    message
}

fn new_chain(table: &str, chain: &Chain) -> Message {
    let (kind, number, priority) = match chain.hook {
        Hook::ForwardFilter => ("filter", 2, 0),
        Hook::PostroutingNat => ("nat", 4, 100),
    };
    let mut message = message(NEWCHAIN, CREATE, format!("create the nf_tables chain {}", chain.name));
    message.text(1, table).text(3, &chain.name); // NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME
    message.nest(4, |hook| {
        hook.big_endian(1, number).big_endian(2, priority); // NFTA_HOOK_HOOKNUM, NFTA_HOOK_PRIORITY
    });
    message.big_endian(5, VERDICT_ACCEPT).text(7, kind); // NFTA_CHAIN_POLICY, NFTA_CHAIN_TYPE
    message
}

fn new_rule(table: &str, chain: &str, rule: &[Expression]) -> Message {
    let what = format!("add a rule to the nf_tables chain {chain} ({rule:?})");
    let mut message = message(NEWRULE, CREATE | APPEND, what);
    message.text(1, table).text(2, chain); // NFTA_RULE_TABLE, NFTA_RULE_CHAIN
    message.nest(4, |list| rule.iter().for_each(|expression| encode(list, expression))); // NFTA_RULE_EXPRESSIONS
    message
}

const VERDICT_DROP: u32 = 0;
const VERDICT_ACCEPT: u32 = 1;
const REGISTER: u32 = 1;
const META_IIFNAME: u32 = 6;
const META_OIFNAME: u32 = 7;
const CMP_EQ: u32 = 0;
const CMP_NEQ: u32 = 1;
/// NF_CT_STATE_BIT of IP_CT_ESTABLISHED and IP_CT_RELATED.
const CT_ESTABLISHED_OR_RELATED: u32 = 2 | 4;

fn encode(list: &mut Message, expression: &Expression) {
    match expression {
        Expression::InputIs(name) => link_name(list, META_IIFNAME, CMP_EQ, name),
        Expression::OutputIs(name) => link_name(list, META_OIFNAME, CMP_EQ, name),
        Expression::OutputIsNot(name) => link_name(list, META_OIFNAME, CMP_NEQ, name),
        Expression::SourceIn(network, prefix_len) => {
            const SOURCE_OFFSET: u32 = 12;
            let mask = u32::MAX.checked_shl(32 - u32::from(*prefix_len)).unwrap_or(0).to_be_bytes();
            element(list, "payload", |data| {
                // NFTA_PAYLOAD_DREG, _BASE (the network header), _OFFSET, _LEN
                data.big_endian(1, REGISTER).big_endian(2, 1).big_endian(3, SOURCE_OFFSET).big_endian(4, 4);
            });
            bitwise(list, mask);
            compare(list, CMP_EQ, &network.octets());
        }
        Expression::KnownConnection => {
            element(list, "ct", |data| {
                data.big_endian(1, REGISTER).big_endian(2, 0); // NFTA_CT_DREG, NFTA_CT_KEY: the state
            });
            bitwise(list, CT_ESTABLISHED_OR_RELATED.to_ne_bytes());
            compare(list, CMP_NEQ, &[0; 4]);
        }
        Expression::Masquerade => element(list, "masq", |_| {}),
        Expression::Accept => verdict(list, VERDICT_ACCEPT),
        Expression::Drop => verdict(list, VERDICT_DROP),
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
    element(list, "meta", |data| {
        data.big_endian(1, REGISTER).big_endian(2, key); // NFTA_META_DREG, NFTA_META_KEY
    });
    compare(list, comparison, &padded);
}

fn compare(list: &mut Message, comparison: u32, value: &[u8]) {
    element(list, "cmp", |data| {
        data.big_endian(1, REGISTER).big_endian(2, comparison); // NFTA_CMP_SREG, NFTA_CMP_OP
        data.nest(3, |operand| {
            operand.put(1, value); // NFTA_DATA_VALUE
        });
    });
}

fn bitwise(list: &mut Message, mask: [u8; 4]) {
    element(list, "bitwise", |data| {
        data.big_endian(1, REGISTER).big_endian(2, REGISTER).big_endian(3, 4); // NFTA_BITWISE_SREG, _DREG, _LEN
        for (kind, value) in [(4, mask), (5, [0; 4])] {
            data.nest(kind, |operand| {
                operand.put(1, &value); // NFTA_BITWISE_MASK, NFTA_BITWISE_XOR
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
