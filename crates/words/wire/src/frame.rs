//! The frames of `application/vnd.docker.multiplexed-stream`.
//!
//! ```text
//! byte  0        stream: 0 stdin, 1 stdout, 2 stderr, 3 error of the engine
//! bytes 1..4     zero
//! bytes 4..8     length of the payload, big endian
//! ```

/// The media type of a raw stream: a terminal's, or an attach without an upgrade.
pub const RAW_STREAM: &str = "application/vnd.docker.raw-stream";

/// The media type of a framed stream.
pub const MULTIPLEXED_STREAM: &str = "application/vnd.docker.multiplexed-stream";

/// The length of a frame's header in bytes.
pub const HEADER_BYTES: usize = 8;

/// Which stream a frame belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard input; never sent by an engine.
    Stdin,
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// An error of the engine in the middle of a stream; the payload is its text.
    EngineError,
}

/// Returns the header of a frame with `length` payload bytes.
pub const fn header(stream: Stream, length: u32) -> [u8; HEADER_BYTES] {
    let [a, b, c, d] = length.to_be_bytes();
    [stream as u8, 0, 0, 0, a, b, c, d]
}

/// Reads a header: the stream, and the number of payload bytes; none for a stream that does not exist.
pub const fn parse_header(header: [u8; HEADER_BYTES]) -> Option<(Stream, u32)> {
    let stream = match header[0] {
        0 => Stream::Stdin,
        1 => Stream::Stdout,
        2 => Stream::Stderr,
        3 => Stream::EngineError,
        _ => return None,
    };
    Some((stream, u32::from_be_bytes([header[4], header[5], header[6], header[7]])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_matches_docker() {
        assert_eq!(header(Stream::Stderr, 0x0102_0304), [2, 0, 0, 0, 1, 2, 3, 4]);
        assert_eq!(parse_header([3, 0, 0, 0, 0, 0, 0, 5]), Some((Stream::EngineError, 5)));
        assert_eq!(parse_header([b'H', b'T', b'T', b'P', 0, 0, 0, 0]), None);
    }
}
