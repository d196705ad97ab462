//! What other programs do to tables, and how tables look.

use super::{Family, SUBSYSTEM, message};
use crate::message::{Attributes, split};
use crate::{Error, Socket};
use std::os::fd::{AsFd, BorrowedFd};

const DELTABLE: u16 = (SUBSYSTEM << 8) | 2;
const NEWCHAIN: u16 = (SUBSYSTEM << 8) | 3;
const GETCHAIN: u16 = (SUBSYSTEM << 8) | 4;
const DELCHAIN: u16 = (SUBSYSTEM << 8) | 5;
const GETRULE: u16 = (SUBSYSTEM << 8) | 7;
const DELRULE: u16 = (SUBSYSTEM << 8) | 8;
const DELSET: u16 = (SUBSYSTEM << 8) | 11;

/// The length of `struct nfgenmsg`.
const HEADER: usize = 4;

/// Hears of changes of all tables.
#[derive(Debug)]
pub struct Monitor(sys::netlink::Socket);

/// What a monitor has heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Something of these tables was deleted, or a chain of them was made or changed. A table can be named several times.
    Tables(Vec<String>),
    /// More happened than could be told.
    TooMuch,
}

impl Monitor {
    /// Begins to listen in the calling thread's network namespace.
    ///
    /// # Errors
    /// Unavailable if the kernel has no nf_tables.
    pub fn open() -> Result<Self, Error> {
        let socket = sys::netlink::Socket::open(sys::netlink::Protocol::Netfilter).map_err(Error::Socket)?;
        socket.listen_to_nf_tables().map_err(Error::Socket)?;
        Ok(Self(socket))
    }

    /// Returns what happened since the last time.
    ///
    /// # Errors
    /// Those of the socket.
    pub fn hear(&self) -> Result<Heard, Error> {
        let mut tables = Vec::new();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match self.0.try_receive(&mut buffer) {
                Ok(Some(length)) => tables.extend(changed_tables(&buffer[..length])),
                Ok(None) => return Ok(Heard::Tables(tables)),
                Err(error) if error.is(sys::Errno::NOBUFS) => return Ok(Heard::TooMuch),
                Err(error) => return Err(Error::Socket(error)),
            }
        }
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn changed_tables(bytes: &[u8]) -> impl Iterator<Item = String> {
    let told = |kind| matches!(kind, DELTABLE | NEWCHAIN | DELCHAIN | DELRULE | DELSET);
    let messages = split(bytes).into_iter().filter(move |received| told(received.kind));
    // The name of the table is attribute 1 of all of them.
    messages.filter_map(|received| Attributes(received.payload.get(HEADER..)?).find_text(1))
}

/// A rule, as far as it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The comment that it was made with.
    pub comment: Option<String>,
}

/// Returns the rules of a table, or of one chain of it; none of a table that is not there.
///
/// # Errors
/// Those of the socket.
pub fn rules(socket: &Socket, family: Family, table: &str, chain: Option<&str>) -> Result<Vec<Rule>, Error> {
    let mut request = message(family, GETRULE, 0, format!("list the rules of the nf_tables table {table}"));
    request.text(1, table); // NFTA_RULE_TABLE
    if let Some(chain) = chain {
        request.text(2, chain); // NFTA_RULE_CHAIN
    }
    let parse = |payload: &[u8]| {
        let attributes = Attributes(payload.get(HEADER..)?);
        // Kernels that do not know the filter list all rules.
        let is_meant = attributes.find_text(1)? == table
            && chain.is_none_or(|chain| attributes.find_text(2).is_some_and(|found| found == chain));
        is_meant.then(|| Rule { comment: attributes.payload(7).and_then(comment) }) // NFTA_RULE_USERDATA
    };
    match socket.dump(&request, parse) {
        Err(error) if error.is_absent() => Ok(Vec::new()),
        other => other,
    }
}

/// Returns the comment in the form of the nft program: type, length, text.
fn comment(data: &[u8]) -> Option<String> {
    match data {
        [0, length, text @ ..] => {
            let text = text.get(..usize::from(*length))?;
            Some(String::from_utf8_lossy(text.strip_suffix(&[0]).unwrap_or(text)).into_owned())
        }
        _ => None,
    }
}

/// Returns whether a base chain drops what none of its rules decides about; none if it is not there.
///
/// # Errors
/// Those of the socket.
pub fn drops_by_policy(
    socket: &Socket,
    family: Family,
    table: &str,
    chain: &str,
) -> Result<Option<bool>, Error> {
    let mut request = message(family, GETCHAIN, 0, format!("look at the nf_tables chain {chain}"));
    request.text(1, table).text(3, chain); // NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME
    let parse = |payload: &[u8]| {
        const DROP: [u8; 4] = [0; 4];
        let attributes = Attributes(payload.get(HEADER..)?);
        Some(attributes.payload(5).is_some_and(|policy| policy == DROP)) // NFTA_CHAIN_POLICY
    };
    socket.get(&request, parse)
}
