//! `GET /containers/{name}/attach/ws`: an attached stream in WebSocket frames.
//!
//! ```text
//! client ◀── frames ──▶ this engine ◀── raw bytes, a socket pair ──▶ the supervisor
//! ```
//! Output comes in binary frames, standard output and error mixed, as from Docker. The frames' state lies in this process:
//! the stream ends with the engine, unlike that of a plain attach.
//!
//! # Source
//! RFC 6455; moby daemon/server/router/container/container_routes.go `wsContainersAttach`.

use crate::State;
use crate::containers::attach_options;
use crate::dispatch::Call;
use crate::error::{Error, invalid};
use crate::respond::{self, Reply};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use container::options::AttachOptions;
use http::header::{CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use http::{HeaderMap, StatusCode};
use hyper_util::rt::TokioIo;
use sha1::{Digest as _, Sha1};
use std::os::unix::net::UnixStream as StdStream;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::mpsc;

/// What the standard has both sides hash.
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The largest frame that is taken from a client.
const MAX_FRAME_BYTES: u64 = 16 << 20;

/// Answers to pings that may wait.
const QUEUE: usize = 8;

/// `GET /containers/{name}/attach/ws`.
pub(crate) async fn attach(state: &State, name: &str, call: Call) -> Reply {
    let accept = accept(call.request.headers())?;
    let options = AttachOptions { raw: true, ..attach_options(&call.query)? };
    let attaching = state.containers.attach(name, options).await?;
    let (ours, theirs) = StdStream::pair().map_err(Error::HandOver)?;
    ours.set_nonblocking(true).map_err(Error::HandOver)?;
    let ours = UnixStream::from_std(ours).map_err(Error::HandOver)?;
    let mut request = call.request;
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let Ok(upgraded) = upgrade.await else { return };
        let (connected, ()) =
            tokio::join!(attaching.connect(theirs.into(), Vec::new()), relay(TokioIo::new(upgraded), ours));
        if let Err(error) = connected {
            tracing::debug!(error = error::chain(&error), "a client cannot be attached");
        }
    });
    let mut response = respond::empty(StatusCode::SWITCHING_PROTOCOLS);
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    Ok(response)
}

/// Returns the answer to the client's challenge.
fn accept(headers: &HeaderMap) -> Result<HeaderValue, Error> {
    let upgrade = headers.get(UPGRADE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let key = headers.get(SEC_WEBSOCKET_KEY).and_then(|value| value.to_str().ok());
    let (true, Some(key)) = (upgrade.eq_ignore_ascii_case("websocket"), key) else {
        return Err(invalid("this endpoint takes WebSocket handshakes only"));
    };
    let digest = Sha1::digest(format!("{key}{GUID}"));
    HeaderValue::try_from(STANDARD.encode(digest)).map_err(|_| invalid("the WebSocket key is malformed"))
}

/// Passes on what either side sends, until one of them ends.
async fn relay<S: AsyncRead + AsyncWrite + Unpin>(client: S, program: UnixStream) {
    let (mut from_client, mut to_client) = tokio::io::split(client);
    let (mut from_program, mut to_program) = program.into_split();
    let (tx, mut answers) = mpsc::channel(QUEUE);
    let inbound = async move {
        let mut decoder = Decoder::default();
        loop {
            match decoder.next() {
                Ok(Some(Frame::Data(bytes))) => {
                    if to_program.write_all(&bytes).await.is_err() {
                        return;
                    }
                }
                // A client that asks faster than it reads gets fewer answers.
                Ok(Some(Frame::Ping(bytes))) => drop(tx.try_send(encode(PONG, &bytes))),
                Ok(Some(Frame::Pong)) => {}
                Ok(Some(Frame::Close)) | Err(Malformed) => return,
                Ok(None) => match from_client.read_buf(&mut decoder.buffer).await {
                    Ok(0) | Err(_) => return,
                    Ok(_) => {}
                },
            }
        }
    };
    let outbound = async {
        let mut piece = Vec::with_capacity(32 * 1024);
        loop {
            piece.clear();
            let frame = tokio::select! {
                read = from_program.read_buf(&mut piece) => match read {
                    Ok(0) | Err(_) => return,
                    Ok(_) => encode(BINARY, &piece),
                },
                Some(answer) = answers.recv() => answer,
            };
            if to_client.write_all(&frame).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = inbound => {}
        () = outbound => {}
    }
    // 1000: all is well. The client may be gone already.
    let _ = to_client.write_all(&encode(CLOSE, &1000u16.to_be_bytes())).await;
    let _ = to_client.shutdown().await;
}

const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// What a client sent.
#[derive(Debug, PartialEq, Eq)]
enum Frame {
    Data(Vec<u8>),
    Ping(Vec<u8>),
    Pong,
    Close,
}

/// A frame that no client may send.
#[derive(Debug, PartialEq, Eq)]
struct Malformed;

/// Takes frames out of a stream.
#[derive(Debug, Default)]
struct Decoder {
    buffer: Vec<u8>,
}

impl Decoder {
    /// Returns the next frame; none if more bytes are needed. Whether a message has several frames does not matter here.
    fn next(&mut self) -> Result<Option<Frame>, Malformed> {
        let [first, second, ..] = self.buffer[..] else { return Ok(None) };
        let is_masked = second & 0x80 != 0;
        if first & 0x70 != 0 || !is_masked {
            return Err(Malformed);
        }
        let (length, head) = match second & 0x7f {
            126 => match self.buffer.get(2..4) {
                Some(bytes) => (bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)), 4),
                None => return Ok(None),
            },
            127 => match self.buffer.get(2..10) {
                Some(bytes) => (bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)), 10),
                None => return Ok(None),
            },
            short => (u64::from(short), 2),
        };
        if length > MAX_FRAME_BYTES {
            return Err(Malformed);
        }
        let start = head + 4;
        let end = start + usize::try_from(length).map_err(|_| Malformed)?;
        if self.buffer.len() < end {
            return Ok(None);
        }
        let mask: Vec<u8> = self.buffer[head..start].to_vec();
        let payload: Vec<u8> =
            self.buffer[start..end].iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
        self.buffer.drain(..end);
        match first & 0x0f {
            0..=2 => Ok(Some(Frame::Data(payload))),
            CLOSE => Ok(Some(Frame::Close)),
            PING if payload.len() <= 125 => Ok(Some(Frame::Ping(payload))),
            PONG => Ok(Some(Frame::Pong)),
            _ => Err(Malformed),
        }
    }
}

/// Returns a whole message as one frame.
fn encode(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ 0..126), _) => frame.push(length),
        (_, Ok(length)) => {
            frame.push(126);
            frame.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            frame.push(127);
            frame.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = encode(opcode, payload);
        frame[1] |= 0x80;
        let start = frame.len() - payload.len();
        let mask = [1, 2, 3, 4];
        let hidden: Vec<u8> =
            payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
        frame.truncate(start);
        frame.extend_from_slice(&mask);
        frame.extend_from_slice(&hidden);
        frame
    }

    #[test]
    fn challenge_is_answered_as_the_standard_says() {
        let mut headers = HeaderMap::new();
        headers.insert(UPGRADE, HeaderValue::from_static("WebSocket"));
        assert!(accept(&headers).is_err());
        headers.insert(SEC_WEBSOCKET_KEY, HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ=="));
        assert_eq!(accept(&headers).unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn frames_are_found_however_they_are_cut() {
        let long = vec![b'x'; 70_000];
        let stream = [
            masked(1, b"hi"),
            masked(PING, b"p"),
            masked(0, &long[..300]),
            masked(2, &long),
            masked(CLOSE, b""),
        ]
        .concat();
        let expected = [
            Frame::Data(b"hi".to_vec()),
            Frame::Ping(b"p".to_vec()),
            Frame::Data(long[..300].to_vec()),
            Frame::Data(long),
            Frame::Close,
        ];
        for size in [1, 7, stream.len()] {
            let (mut decoder, mut found) = (Decoder::default(), Vec::new());
            for piece in stream.chunks(size) {
                decoder.buffer.extend_from_slice(piece);
                while let Some(frame) = decoder.next().unwrap() {
                    found.push(frame);
                }
            }
            assert_eq!(found, expected, "pieces of {size}");
        }
    }

    #[test]
    fn frames_that_no_client_may_send_are_refused() {
        let broken: [&[u8]; 4] = [
            &encode(BINARY, b"unmasked"),
            &[0xf1, 0x80, 0, 0, 0, 0],
            &[0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4],
            &[0x83, 0x80, 1, 2, 3, 4],
        ];
        for bytes in broken {
            assert_eq!(Decoder { buffer: bytes.to_vec() }.next(), Err(Malformed), "{bytes:?}");
        }
    }
}
