//! A socket: batches and dumps.

use crate::Error;
use crate::message::{ACK, Attributes, DUMP, HEADER, Message, Received, read_u32, split};
use std::cell::Cell;
use std::io;
use sys::netlink::Protocol;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_CAPPED: u16 = 0x100;
const NLM_F_ACK_TLVS: u16 = 0x200;
const NLM_F_DUMP_INTR: u16 = 0x10;
const NLMSGERR_ATTR_MSG: u16 = 1;

/// A socket to one part of the kernel, in the network namespace in which the thread was that opened it.
#[derive(Debug)]
pub struct Socket {
    socket: sys::netlink::Socket,
    sequence: Cell<u32>,
}

impl Socket {
    /// Opens a socket for links, addresses and routes.
    ///
    /// # Errors
    /// Internal if the kernel refuses it.
    pub fn route() -> Result<Self, Error> {
        Self::open(Protocol::Route)
    }

    /// Opens a socket for nf_tables.
    ///
    /// # Errors
    /// Unavailable if the kernel has no netfilter.
    pub fn netfilter() -> Result<Self, Error> {
        Self::open(Protocol::Netfilter)
    }

    fn open(protocol: Protocol) -> Result<Self, Error> {
        let socket = sys::netlink::Socket::open(protocol).map_err(Error::Socket)?;
        Ok(Self { socket, sequence: Cell::new(1) })
    }

    /// Sends messages in one go and returns when the kernel has handled them.
    ///
    /// All messages are tried, in order; nothing is undone when one fails (except in nf_tables' transactions).
    ///
    /// # Errors
    /// That of the first message that was refused.
    pub fn batch(&self, messages: &[Message]) -> Result<(), Error> {
        let Some(last) = messages.len().checked_sub(1) else { return Ok(()) };
        let first_sequence = self.sequence.get();
        let mut bytes = Vec::with_capacity(512);
        for (index, message) in messages.iter().enumerate() {
            let flags = if index == last { ACK } else { 0 }; // Errors come for all, the acknowledgement for the last.
            bytes.extend(message.finish(flags, self.next_sequence()));
        }
        self.socket.send(&bytes).map_err(Error::Socket)?;
        self.collect(messages, first_sequence, last)
    }

    /// Reads the answers, which lie ready.
    fn collect(&self, messages: &[Message], first_sequence: u32, acknowledged: usize) -> Result<(), Error> {
        let mut failure = None;
        let mut answered = false;
        let mut buffer = vec![0; 16 * 1024];
        while let Some(length) = self.socket.try_receive(&mut buffer).map_err(Error::Socket)? {
            for received in
                split(&buffer[..length]).into_iter().filter(|received| received.kind == NLMSG_ERROR)
            {
                let index = received.sequence.wrapping_sub(first_sequence) as usize;
                let Some(message) = messages.get(index) else { continue }; // An answer to an older batch.
                answered |= index == acknowledged;
                if let Some(error) = refusal(&received, message.what()) {
                    failure.get_or_insert(error);
                }
            }
        }
        match failure {
            Some(error) => Err(error),
            None if answered => Ok(()),
            None => Err(Error::NoAnswer(messages[acknowledged].what().to_owned())),
        }
    }

    /// Sends nf_tables messages between their markers: all take effect together, or none.
    pub(crate) fn transaction(&self, begin: &Message, body: &[Message], end: &Message) -> Result<(), Error> {
        let mut messages = vec![begin.clone()];
        messages.extend_from_slice(body);
        messages.push(end.clone());
        let first_sequence = self.sequence.get();
        let acknowledged = body.len(); // The last message of the body: the markers are never acknowledged.
        let mut bytes = Vec::with_capacity(2048);
        for (index, message) in messages.iter().enumerate() {
            let flags = if index == acknowledged { ACK } else { 0 };
            bytes.extend(message.finish(flags, self.next_sequence()));
        }
        self.socket.send(&bytes).map_err(Error::Socket)?;
        self.collect(&messages, first_sequence, acknowledged)
    }

    /// Asks for a list and gives each answer's payload to `each`.
    ///
    /// A list that changed while it was read is read again.
    pub(crate) fn dump<T>(
        &self,
        request: &Message,
        each: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Vec<T>, Error> {
        for _ in 0..8 {
            if let Some(list) = self.dump_once(request, DUMP, &each)? {
                return Ok(list);
            }
        }
        Err(Error::NoAnswer(request.what().to_owned()))
    }

    /// Asks for one object.
    pub(crate) fn get<T>(
        &self,
        request: &Message,
        each: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        match self.dump_once(request, ACK, &each) {
            Ok(list) => Ok(list.unwrap_or_default().into_iter().next()),
            Err(error) if error.is_absent() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn dump_once<T>(
        &self,
        request: &Message,
        flags: u16,
        each: &impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Option<Vec<T>>, Error> {
        let sequence = self.next_sequence();
        self.socket.send(&request.finish(flags, sequence)).map_err(Error::Socket)?;
        let mut list = Vec::new();
        let mut consistent = true;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let length = self.socket.receive(&mut buffer).map_err(Error::Socket)?;
            for received in
                split(&buffer[..length]).into_iter().filter(|received| received.sequence == sequence)
            {
                consistent &= received.flags & NLM_F_DUMP_INTR == 0;
                match received.kind {
                    NLMSG_DONE => return Ok(consistent.then_some(list)),
                    NLMSG_ERROR => match refusal(&received, request.what()) {
                        Some(error) => return Err(error),
                        None => return Ok(Some(list)),
                    },
                    _ => list.extend(each(received.payload)),
                }
            }
        }
    }

    fn next_sequence(&self) -> u32 {
        let sequence = self.sequence.get();
        self.sequence.set(sequence.wrapping_add(1));
        sequence
    }
}

/// Reads `struct nlmsgerr`: the negative errno, the offending message's header, and perhaps a text.
fn refusal(received: &Received<'_>, what: &str) -> Option<Error> {
    let errno = read_u32(received.payload, 0)? as i32;
    if errno == 0 {
        return None;
    }
    let text = || {
        if received.flags & NLM_F_ACK_TLVS == 0 {
            return None;
        }
        let echoed = match received.flags & NLM_F_CAPPED {
            0 => read_u32(received.payload, 4)? as usize,
            _ => HEADER,
        };
        Attributes(received.payload.get(4 + echoed.next_multiple_of(4)..)?).find_text(NLMSGERR_ATTR_MSG)
    };
    let source = io::Error::from_raw_os_error(errno.wrapping_neg());
    Some(Error::Refused { what: what.to_owned(), text: text(), source })
}
