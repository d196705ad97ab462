//! The detach keys in a client's input. Pure.

/// Finds a key sequence in a stream of input, also across reads.
#[derive(Debug)]
pub(crate) struct Keys {
    sequence: Vec<u8>,
    /// How many bytes of the sequence were seen last; they are held back.
    matched: usize,
}

/// What some input came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Scanned {
    /// What goes to the program.
    pub(crate) forward: Vec<u8>,
    /// Whether the sequence was complete; input after it is dropped.
    pub(crate) detached: bool,
}

impl Keys {
    /// An empty sequence never matches.
    pub(crate) fn new(sequence: Vec<u8>) -> Self {
        Self { sequence, matched: 0 }
    }

    /// Takes the next input. The beginning of a sequence is held back until it is clear what it becomes.
    pub(crate) fn scan(&mut self, input: &[u8]) -> Scanned {
        if self.sequence.is_empty() {
            return Scanned { forward: input.to_vec(), detached: false };
        }
        let mut forward = Vec::with_capacity(input.len());
        for &byte in input {
            self.step(byte, &mut forward);
            if self.matched == self.sequence.len() {
                self.matched = 0;
                return Scanned { forward, detached: true };
            }
        }
        Scanned { forward, detached: false }
    }

    /// Returns what is held back when the input ends.
    pub(crate) fn finish(&mut self) -> &[u8] {
        let held = &self.sequence[..self.matched];
        self.matched = 0;
        held
    }

    fn step(&mut self, byte: u8, forward: &mut Vec<u8>) {
        // The bytes held back and this one: the longest end of them that begins the sequence stays held back.
        let mut window = self.sequence[..self.matched].to_vec();
        window.push(byte);
        let begin =
            (0..=window.len()).find(|&at| self.sequence.starts_with(&window[at..])).unwrap_or(window.len());
        forward.extend_from_slice(&window[..begin]);
        self.matched = window.len() - begin;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scans the reads with the sequence; returns what was forwarded, and whether it was detached.
    fn scan(sequence: &[u8], reads: &[&[u8]]) -> (Vec<u8>, bool) {
        let mut keys = Keys::new(sequence.to_vec());
        let mut forward = Vec::new();
        for read in reads {
            let scanned = keys.scan(read);
            forward.extend(scanned.forward);
            if scanned.detached {
                return (forward, true);
            }
        }
        forward.extend_from_slice(keys.finish());
        (forward, false)
    }

    #[test]
    fn sequences_are_found_wherever_they_are() {
        let check = |sequence: &[u8], reads: &[&[u8]], forward: &[u8], detached: bool| {
            assert_eq!(scan(sequence, reads), (forward.to_vec(), detached), "{sequence:?} in {reads:?}");
        };
        check(b"\x10\x11", &[b"\x10", b"\x11"], b"", true);
        check(b"\x10\x11", &[b"ls\n\x10\x11rest"], b"ls\n", true);
        check(b"\x10\x11", &[b"\x10", b"x"], b"\x10x", false);
        check(b"\x10\x11", &[b"\x10\x10\x11"], b"\x10", true);
        check(b"\x10\x11", &[b"a\x10"], b"a\x10", false);
        check(b"aab", &[b"aa", b"a", b"b"], b"a", true);
        check(b"abac", &[b"ababac"], b"ab", true);
        check(b"", &[b"\x10\x11"], b"\x10\x11", false);
        check(b"x", &[b"abx"], b"ab", true);
    }
}
