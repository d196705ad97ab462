//! Output as it arrives, cut into lines. Pure.

/// The longest line that stays whole; Docker's buffer has this size too.
pub(crate) const MAX_LINE_BYTES: usize = 16 * 1024;

/// One piece of output that becomes one record.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    /// The bytes without `\n`.
    pub(crate) bytes: &'a [u8],
    /// Whether a `\n` followed.
    pub(crate) complete: bool,
    /// The time of the line: when its first piece was read.
    pub(crate) t_ns: i64,
}

/// Cuts one stream into lines.
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    /// The beginning of a line whose end was not read yet; shorter than [`MAX_LINE_BYTES`].
    pending: Vec<u8>,
    /// The time of the line that already has an incomplete piece.
    line_t_ns: Option<i64>,
}

impl Splitter {
    /// Takes the next bytes of the stream, read at `now`, and hands out the pieces that are ready.
    pub(crate) fn feed(&mut self, chunk: &[u8], now: i64, emit: &mut impl FnMut(Piece<'_>)) {
        let mut rest = chunk;
        while !rest.is_empty() {
            let room = MAX_LINE_BYTES - self.pending.len();
            let window = &rest[..rest.len().min(room)];
            let (taken, complete) = match window.iter().position(|&byte| byte == b'\n') {
                Some(end) => (end, true),
                None if window.len() == room => (room, false),
                None => {
                    self.pending.extend_from_slice(window);
                    return;
                }
            };
            let t_ns = self.line_t_ns.unwrap_or(now);
            if self.pending.is_empty() {
                emit(Piece { bytes: &rest[..taken], complete, t_ns });
            } else {
                self.pending.extend_from_slice(&rest[..taken]);
                emit(Piece { bytes: &self.pending, complete, t_ns });
                self.pending = Vec::new(); // Gives the memory back: most containers are silent for long.
            }
            self.line_t_ns = (!complete).then_some(t_ns);
            rest = &rest[taken + usize::from(complete)..];
        }
    }

    /// Hands out what is left at the end of the stream.
    pub(crate) fn finish(&mut self, now: i64, emit: &mut impl FnMut(Piece<'_>)) {
        if !self.pending.is_empty() {
            let t_ns = self.line_t_ns.unwrap_or(now);
            emit(Piece { bytes: &self.pending, complete: false, t_ns });
        }
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds the chunks at the times 1, 2, 3, … and finishes; returns the pieces as (text or length, complete, time).
    fn split(chunks: &[&[u8]]) -> Vec<(String, bool, i64)> {
        let mut pieces = Vec::new();
        let mut emit = |piece: Piece<'_>| {
            let text = match piece.bytes.len() {
                0..100 => String::from_utf8_lossy(piece.bytes).into_owned(),
                length => length.to_string(),
            };
            pieces.push((text, piece.complete, piece.t_ns));
        };
        let mut splitter = Splitter::default();
        let mut now = 0;
        for chunk in chunks {
            now += 1;
            splitter.feed(chunk, now, &mut emit);
        }
        splitter.finish(now + 1, &mut emit);
        pieces
    }

    fn piece(text: &str, complete: bool, t_ns: i64) -> (String, bool, i64) {
        (text.into(), complete, t_ns)
    }

    #[test]
    fn lines_across_chunks_are_joined_and_timed_when_they_end() {
        assert_eq!(
            split(&[b"a\nb", b"c\n", b"\n", b"d"]),
            [piece("a", true, 1), piece("bc", true, 2), piece("", true, 3), piece("d", false, 5)]
        );
    }

    #[test]
    fn long_lines_are_cut_at_16_kib_and_keep_their_first_time() {
        let full = vec![b'x'; MAX_LINE_BYTES];
        assert_eq!(split(&[&full, &full[..100], b"\n"]), [piece("16384", false, 1), piece("100", true, 1)]);
        assert_eq!(
            split(&[&full, b"\nend"]),
            [piece("16384", false, 1), piece("", true, 1), piece("end", false, 3)]
        );
        assert_eq!(split(&[&full[1..], b"\n"]), [piece("16383", true, 2)]);
        assert_eq!(split(&[&full]), [piece("16384", false, 1)]);
    }
}
