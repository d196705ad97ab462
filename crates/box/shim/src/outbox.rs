//! Output that waits for a client, framed as Docker frames it. Pure.

use logfile::Stream;
use std::collections::VecDeque;

/// A client with this much waiting is slow: no more is read for it until it has taken some.
pub(crate) const LIMIT_BYTES: usize = 1024 * 1024;

/// How output is laid out on the client's socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// As it is.
    Raw,
    /// Each piece behind eight bytes: the stream, three zeros, the length as big-endian u32.
    ///
    /// # Source
    /// Engine API v1.51 ContainerAttach, "Stream format".
    Multiplexed,
}

/// The queue of one client.
#[derive(Debug)]
pub(crate) struct Outbox {
    layout: Layout,
    waiting: VecDeque<u8>,
}

impl Outbox {
    pub(crate) fn new(layout: Layout) -> Self {
        Self { layout, waiting: VecDeque::new() }
    }

    /// Appends a piece of output.
    pub(crate) fn push(&mut self, stream: Stream, bytes: &[u8]) {
        if self.layout == Layout::Multiplexed {
            let number = match stream {
                Stream::Stdout => 1,
                Stream::Stderr => 2,
            };
            let length = u32::try_from(bytes.len()).expect("pieces are as large as the read buffer");
            self.waiting.extend([number, 0, 0, 0]);
            self.waiting.extend(length.to_be_bytes());
        }
        self.waiting.extend(bytes);
    }

    /// Returns the next bytes to send; empty if nothing waits.
    pub(crate) fn front(&self) -> &[u8] {
        self.waiting.as_slices().0
    }

    /// Drops bytes that were sent.
    pub(crate) fn sent(&mut self, count: usize) {
        self.waiting.drain(..count);
        if self.waiting.is_empty() {
            self.waiting = VecDeque::new(); // Clients are many and mostly idle.
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Returns whether the client is so slow that reading has to wait for it.
    pub(crate) fn is_full(&self) -> bool {
        self.waiting.len() >= LIMIT_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drained(mut outbox: Outbox, at_once: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while !outbox.is_empty() {
            let part = outbox.front();
            let count = part.len().min(at_once);
            all.extend_from_slice(&part[..count]);
            outbox.sent(count);
        }
        all
    }

    #[test]
    fn multiplexed_output_has_dockers_headers() {
        let mut outbox = Outbox::new(Layout::Multiplexed);
        outbox.push(Stream::Stdout, b"out");
        outbox.push(Stream::Stderr, b"e");
        assert_eq!(drained(outbox, 5), b"\x01\0\0\0\0\0\0\x03out\x02\0\0\0\0\0\0\x01e");
    }

    #[test]
    fn raw_output_is_as_it_is() {
        let mut outbox = Outbox::new(Layout::Raw);
        outbox.push(Stream::Stdout, b"a");
        outbox.push(Stream::Stdout, b"b");
        assert_eq!(drained(outbox, 1), b"ab");
    }

    #[test]
    fn outbox_is_full_at_its_limit() {
        let mut outbox = Outbox::new(Layout::Raw);
        outbox.push(Stream::Stdout, &vec![0; LIMIT_BYTES - 1]);
        assert!(!outbox.is_full());
        outbox.push(Stream::Stdout, b"x");
        assert!(outbox.is_full());
        outbox.sent(1);
        assert!(!outbox.is_full());
    }
}
