//! The frames in which output travels when there is no terminal: eight bytes of header, then the payload.
//!
//! Payload is passed on as it comes: a frame is never collected in memory.
//!
//! # Source
//! Engine API v1.51 ContainerAttach, "Stream format".

use wire::frame::{HEADER_BYTES, Stream, parse_header};

/// The bytes are not frames.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("unrecognized stream: {0}")]
pub struct BadFrame(pub u8);

/// Cuts a byte stream into pieces of output.
#[derive(Debug, Default)]
pub struct Demultiplexer {
    header: [u8; HEADER_BYTES],
    header_len: usize,
    payload: Option<(Stream, u32)>,
}

impl Demultiplexer {
    /// Takes bytes off the front of `input` and returns the next piece, or none when `input` is used up.
    ///
    /// # Errors
    /// A header that names an unknown stream.
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<(Stream, &'a [u8])>, BadFrame> {
        while !input.is_empty() {
            match self.payload {
                Some((_, 0)) => self.payload = None,
                Some((stream, left)) => {
                    let taken = input.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                    let (piece, rest) = input.split_at(taken);
                    *input = rest;
                    let left = left.saturating_sub(u32::try_from(taken).unwrap_or(u32::MAX));
                    self.payload = (left > 0).then_some((stream, left));
                    return Ok(Some((stream, piece)));
                }
                None => self.take_header(input)?,
            }
        }
        Ok(None)
    }

    fn take_header(&mut self, input: &mut &[u8]) -> Result<(), BadFrame> {
        let taken = input.len().min(self.header.len() - self.header_len);
        let (part, rest) = input.split_at(taken);
        self.header[self.header_len..self.header_len + taken].copy_from_slice(part);
        self.header_len += taken;
        *input = rest;
        if self.header_len < self.header.len() {
            return Ok(());
        }
        self.header_len = 0;
        self.payload = Some(parse_header(self.header).ok_or(BadFrame(self.header[0]))?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(chunks: &[&[u8]]) -> Result<Vec<(Stream, Vec<u8>)>, BadFrame> {
        let mut demultiplexer = Demultiplexer::default();
        let mut out: Vec<(Stream, Vec<u8>)> = Vec::new();
        for chunk in chunks {
            let mut input = *chunk;
            while let Some((stream, piece)) = demultiplexer.next(&mut input)? {
                out.push((stream, piece.to_vec()));
            }
        }
        Ok(out)
    }

    const TWO: &[u8] = b"\x01\0\0\0\0\0\0\x03out\x02\0\0\0\0\0\0\x02er";

    #[test]
    fn frames_are_split_by_stream() {
        let expected = vec![(Stream::Stdout, b"out".to_vec()), (Stream::Stderr, b"er".to_vec())];
        assert_eq!(collect(&[TWO]), Ok(expected));
    }

    #[test]
    fn any_cut_gives_the_same_bytes() {
        for cut in 0..TWO.len() {
            let (front, back) = TWO.split_at(cut);
            let pieces = collect(&[front, back]).expect("frames");
            let of = |wanted: Stream| -> Vec<u8> {
                pieces.iter().filter(|(s, _)| *s == wanted).flat_map(|(_, p)| p.clone()).collect()
            };
            assert_eq!(
                (of(Stream::Stdout), of(Stream::Stderr)),
                (b"out".to_vec(), b"er".to_vec()),
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn empty_frame_is_skipped() {
        let bytes = b"\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\x01x";
        assert_eq!(collect(&[bytes]), Ok(vec![(Stream::Stderr, b"x".to_vec())]));
    }

    #[test]
    fn unknown_stream_is_an_error() {
        assert_eq!(collect(&[b"hello wo"]), Err(BadFrame(b'h')));
    }
}
