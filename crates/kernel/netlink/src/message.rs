//! Building and reading messages.

/// The length of `struct nlmsghdr`.
pub(crate) const HEADER: usize = 16;

pub(crate) const REQUEST: u16 = 0x1;
pub(crate) const ACK: u16 = 0x4;
pub(crate) const DUMP: u16 = 0x300;
pub(crate) const EXCLUSIVE: u16 = 0x200;
pub(crate) const CREATE: u16 = 0x400;
pub(crate) const APPEND: u16 = 0x800;
const NESTED: u16 = 0x8000;

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    bytes: Vec<u8>,
    what: String,
}

impl Message {
    /// Starts a message; `what` is a verb phrase for errors.
    pub(crate) fn new(kind: u16, flags: u16, what: impl Into<String>) -> Self {
        let mut bytes = Vec::with_capacity(256);
        bytes.extend(0u32.to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend((flags | REQUEST).to_ne_bytes());
        bytes.extend([0; 8]);
        Self { bytes, what: what.into() }
    }

    /// Appends the family's header.
    pub(crate) fn header(mut self, header: &[u8]) -> Self {
        self.bytes.extend(header);
        self.pad();
        self
    }

    /// Appends an attribute.
    pub(crate) fn put(&mut self, kind: u16, payload: &[u8]) -> &mut Self {
        let length = (4 + payload.len()) as u16; // Payloads are names, addresses and small numbers.
        self.bytes.extend(length.to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend(payload);
        self.pad();
        self
    }

    /// Appends a text attribute with its final NUL.
    pub(crate) fn text(&mut self, kind: u16, text: &str) -> &mut Self {
        let mut bytes = text.as_bytes().to_vec();
        bytes.push(0);
        self.put(kind, &bytes)
    }

    /// Appends a number in the machine's order.
    pub(crate) fn number(&mut self, kind: u16, value: u32) -> &mut Self {
        self.put(kind, &value.to_ne_bytes())
    }

    /// Appends a number in network order, as nf_tables wants them.
    pub(crate) fn big_endian(&mut self, kind: u16, value: u32) -> &mut Self {
        self.put(kind, &value.to_be_bytes())
    }

    /// Appends an attribute that `fill` fills with attributes (or with a header first).
    pub(crate) fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) -> &mut Self {
        let start = self.bytes.len();
        self.bytes.extend([0, 0]);
        self.bytes.extend((kind | NESTED).to_ne_bytes());
        fill(self);
        let length = (self.bytes.len() - start) as u16;
        self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self
    }

    /// Appends raw bytes: a header inside an attribute.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend(bytes);
        self.pad();
        self
    }

    /// Returns what is asked, a verb phrase.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// Returns the bytes with length, further flags and sequence number filled in.
    pub(crate) fn finish(&self, further_flags: u16, sequence: u32) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        let length = bytes.len() as u32;
        bytes[0..4].copy_from_slice(&length.to_ne_bytes());
        let flags = u16::from_ne_bytes([bytes[6], bytes[7]]) | further_flags;
        bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
        bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
        bytes
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

/// One message from the kernel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received<'a> {
    pub(crate) kind: u16,
    pub(crate) flags: u16,
    pub(crate) sequence: u32,
    pub(crate) payload: &'a [u8],
}

/// Splits what a receive returned into messages; stops at the first malformed one.
pub(crate) fn split(mut bytes: &[u8]) -> Vec<Received<'_>> {
    let mut messages = Vec::new();
    while let Some(length) = read_u32(bytes, 0).map(|length| length as usize) {
        let Some(message) = bytes.get(..length).filter(|message| message.len() >= HEADER) else { break };
        messages.push(Received {
            kind: read_u16(message, 4).unwrap_or_default(),
            flags: read_u16(message, 6).unwrap_or_default(),
            sequence: read_u32(message, 8).unwrap_or_default(),
            payload: &message[HEADER..],
        });
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    messages
}

/// The attributes of a message from the kernel, as an iterator of type and payload.
#[derive(Clone, Copy, Debug)]
pub struct Attributes<'a>(pub(crate) &'a [u8]);

impl<'a> Attributes<'a> {
    /// Returns the payload of the first attribute of a type.
    pub(crate) fn payload(self, kind: u16) -> Option<&'a [u8]> {
        let mut attributes = self;
        Iterator::find(&mut attributes, |(found, _)| *found == kind).map(|(_, payload)| payload)
    }

    pub(crate) fn find_u32(self, kind: u16) -> Option<u32> {
        read_u32(self.payload(kind)?, 0)
    }

    pub(crate) fn find_text(self, kind: u16) -> Option<String> {
        let bytes = self.payload(kind)?;
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        String::from_utf8(bytes[..end].to_vec()).ok()
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let length = usize::from(read_u16(self.0, 0)?);
        let kind = read_u16(self.0, 2)? & 0x3fff;
        let payload = self.0.get(4..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, payload))
    }
}

pub(crate) fn read_u16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

pub(crate) fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

pub(crate) fn read_u64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_round_trips_through_the_reader() {
        let mut message = Message::new(16, CREATE, "test").header(&[9; 16]);
        message.text(3, "naru0").nest(18, |inner| {
            inner.text(1, "veth").number(2, 7);
        });
        let bytes = message.finish(ACK, 42);
        let [received] = split(&bytes)[..] else { panic!("one message") };
        assert_eq!((received.kind, received.sequence), (16, 42));
        assert_eq!(received.flags, REQUEST | CREATE | ACK);
        let attributes = Attributes(&received.payload[16..]);
        assert_eq!(attributes.find_text(3).as_deref(), Some("naru0"));
        let inner = Attributes(attributes.payload(18).expect("nested"));
        assert_eq!((inner.find_text(1).as_deref(), inner.find_u32(2)), (Some("veth"), Some(7)));
    }

    #[test]
    fn reader_stops_at_malformed_input() {
        for bytes in [&[][..], &[1, 0, 0, 0], &[200, 0, 0, 0, 1, 1, 1, 1], &[0; 16]] {
            assert!(split(bytes).is_empty(), "{bytes:?}");
        }
        assert_eq!(Attributes(&[2, 0, 1, 0]).next(), None);
        assert_eq!(Attributes(&[200, 0, 1, 0, 5]).next(), None);
    }
}
