//! The conversation with an attached program: keys go in, output comes out, until one side ends it.

use std::io;
use std::sync::mpsc as std_mpsc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use client::frames::Demultiplexer;
use client::{Hijacked, WriteHalf};
use wire::frame::Stream;

use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::term::Raw;

/// ctrl-p ctrl-q.
const DEFAULT_DETACH_KEYS: &[u8] = &[16, 17];

/// How a conversation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The engine closed it: the program has ended.
    Closed,
    /// The user typed the detach keys.
    Detached,
}

/// What is connected to what.
#[derive(Debug, Clone)]
pub(crate) struct Wiring {
    /// Our standard input goes to the program.
    pub(crate) stdin: bool,
    /// The program's standard output comes to ours.
    pub(crate) stdout: bool,
    /// The program's standard error comes to ours.
    pub(crate) stderr: bool,
    /// The program has a terminal.
    pub(crate) tty: bool,
    /// The keys that detach; empty for ctrl-p ctrl-q.
    pub(crate) detach_keys: String,
}

/// Returns why the wiring cannot work with the standard input that we have.
pub(crate) fn check_tty(stdin: bool, tty: bool) -> Outcome {
    if stdin && tty && !crate::term::stdin_is_terminal() {
        return Err(Failure::new("the input device is not a TTY")
            .with_hint("leave -t out when input comes from a pipe or a file"));
    }
    Ok(())
}

/// Holds the conversation until it ends. The terminal is in raw mode meanwhile if both sides have one.
pub(crate) async fn converse(connection: Hijacked, wiring: &Wiring) -> Outcome<End> {
    let Hijacked { mut reader, writer, .. } = connection;
    let raw = match wiring.stdin && wiring.tty {
        true => Raw::enter().map_err(|why| Failure::new(format!("cannot set up the terminal: {why}")))?,
        false => None,
    };
    let mut input = std::pin::pin!(pump_input(writer, wiring));
    let mut output = std::pin::pin!(async {
        let mut sink = Sink::new(wiring)?;
        let mut buffer = vec![0u8; 32 * 1024];
        loop {
            let count = reader.read(&mut buffer).await.map_err(|why| lost(&why))?;
            if count == 0 {
                return Ok(End::Closed);
            }
            sink.write(&buffer[..count]).await?;
        }
    });
    let ended = tokio::select! {
        ended = &mut output => ended,
        ended = &mut input => match ended {
            Ok(End::Closed) if wiring.stdout || wiring.stderr => output.await,
            other => other,
        },
    };
    drop(raw);
    ended
}

fn lost(why: &io::Error) -> Failure {
    Failure::new(format!("the connection to the program broke: {why}"))
}

/// Where output goes.
pub(crate) struct Sink {
    stdout: Output,
    stderr: Output,
    frames: Option<Demultiplexer>,
}

impl Sink {
    pub(crate) fn new(wiring: &Wiring) -> Outcome<Self> {
        let frames = (!wiring.tty).then(Demultiplexer::default);
        Ok(Self { stdout: Output::stdout()?, stderr: Output::stderr()?, frames })
    }

    pub(crate) async fn write(&mut self, mut bytes: &[u8]) -> Outcome {
        let Some(frames) = &mut self.frames else {
            return Ok(self.stdout.write(bytes).await?);
        };
        let garbled = |why: client::frames::BadFrame| Failure::new(why.to_string());
        while let Some((stream, piece)) = frames.next(&mut bytes).map_err(garbled)? {
            match stream {
                Stream::Stdin | Stream::Stdout => self.stdout.write(piece).await?,
                Stream::Stderr => self.stderr.write(piece).await?,
                Stream::EngineError => {
                    let text = String::from_utf8_lossy(piece);
                    return Err(Failure::new(format!("error from daemon in stream: {}", text.trim_end())));
                }
            }
        }
        Ok(())
    }
}

/// Passes standard input on, looks for the detach keys, and closes the program's input at the end of ours.
async fn pump_input(mut writer: WriteHalf, wiring: &Wiring) -> Outcome<End> {
    if !wiring.stdin {
        // The engine may be waiting for the end of an input that nobody will give.
        let _ = writer.shutdown().await; // the connection may be over already
        return Ok(End::Closed);
    }
    let mut keys = Keys::new(match wiring.tty {
        true => parse_keys(&wiring.detach_keys)?,
        false => Vec::new(),
    });
    let mut chunks = read_stdin();
    let mut passed = Vec::new();
    while let Some(chunk) = chunks.recv().await {
        passed.clear();
        let detached = keys.scan(&chunk, &mut passed);
        if detached {
            // The other side knows the keys too, and reports the detach as an event.
            passed.extend_from_slice(&keys.sequence);
        }
        // A program that has closed its input, or has ended, is no failure: its output tells.
        if writer.write_all(&passed).await.is_err() && !detached {
            return Ok(End::Closed);
        }
        if detached {
            return Ok(End::Detached);
        }
    }
    let _ = writer.shutdown().await; // as above
    Ok(End::Closed)
}

/// Reads standard input on a thread of its own: files cannot be waited for, and a terminal must not be made non-blocking.
fn read_stdin() -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel(8);
    std::thread::spawn(move || {
        let mut buffer = vec![0u8; 32 * 1024];
        loop {
            match rustix::io::read(io::stdin(), &mut buffer) {
                Ok(0) => return,
                Ok(count) => {
                    if sender.blocking_send(buffer[..count].to_vec()).is_err() {
                        return;
                    }
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => {
                    // Somebody made our standard input non-blocking: wait as if it were not.
                    let (_hold, wait) = std_mpsc::channel::<()>();
                    let _ = wait.recv_timeout(std::time::Duration::from_millis(10)); // only the time matters
                }
                Err(_) => return,
            }
        }
    });
    receiver
}

/// Reads a key sequence: `ctrl-p,ctrl-q`, or single characters; empty for the default.
pub(crate) fn parse_keys(text: &str) -> Outcome<Vec<u8>> {
    if text.is_empty() {
        return Ok(DEFAULT_DETACH_KEYS.to_vec());
    }
    text.split(',').map(|key| parse_key(key).ok_or_else(|| bad_key(text, key))).collect()
}

fn bad_key(text: &str, key: &str) -> Failure {
    Failure::new(format!("invalid detach keys ({text}): Unknown character: '{key}'"))
        .with_hint("use keys such as ctrl-p,ctrl-q or single characters")
}

fn parse_key(key: &str) -> Option<u8> {
    match key.as_bytes() {
        [single] => Some(*single),
        b"DEL" => Some(127),
        [b'c', b't', b'r', b'l', b'-', letter @ b'a'..=b'z'] => Some(letter - b'a' + 1),
        [b'c', b't', b'r', b'l', b'-', b'@'] => Some(0),
        [b'c', b't', b'r', b'l', b'-', sign @ (b'[' | b'\\' | b']' | b'^' | b'_')] => Some(sign - b'[' + 27),
        _ => None,
    }
}

/// Looks for a key sequence in what is typed. Keys that may be its beginning are held back.
struct Keys {
    sequence: Vec<u8>,
    matched: usize,
}

impl Keys {
    fn new(sequence: Vec<u8>) -> Self {
        Self { sequence, matched: 0 }
    }

    /// Appends to `passed` what goes to the program; returns whether the sequence is complete.
    fn scan(&mut self, typed: &[u8], passed: &mut Vec<u8>) -> bool {
        if self.sequence.is_empty() {
            passed.extend_from_slice(typed);
            return false;
        }
        for byte in typed {
            if *byte != self.sequence[self.matched] {
                passed.extend_from_slice(&self.sequence[..self.matched]);
                self.matched = 0;
            }
            if *byte != self.sequence[self.matched] {
                passed.push(*byte);
                continue;
            }
            self.matched += 1;
            if self.matched == self.sequence.len() {
                self.matched = 0;
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(sequence: &[u8], typed: &[&[u8]]) -> (Vec<u8>, bool) {
        let mut keys = Keys::new(sequence.to_vec());
        let mut passed = Vec::new();
        let detached = typed.iter().any(|chunk| keys.scan(chunk, &mut passed));
        (passed, detached)
    }

    #[test]
    fn keys_are_found_across_chunks_and_not_passed_on() {
        assert_eq!(scan(&[16, 17], &[b"ab\x10", b"\x11c"]), (b"ab".to_vec(), true));
    }

    #[test]
    fn half_a_sequence_reaches_the_program_in_the_end() {
        assert_eq!(scan(&[16, 17], &[b"\x10x"]), (b"\x10x".to_vec(), false));
        assert_eq!(scan(&[16, 17], &[b"\x10", b"\x10", b"\x11"]), (b"\x10".to_vec(), true));
    }

    #[test]
    fn without_a_sequence_everything_passes() {
        assert_eq!(scan(&[], &[b"\x10\x11"]), (b"\x10\x11".to_vec(), false));
    }

    #[test]
    fn detach_keys_have_dockers_names() {
        let cases = [
            ("", vec![16, 17]),
            ("ctrl-a", vec![1]),
            ("ctrl-z,x", vec![26, b'x']),
            ("ctrl-@,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_", vec![0, 27, 28, 29, 30, 31]),
            ("DEL", vec![127]),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_keys(text).map_err(|f| f.text), Ok(expected), "{text}");
        }
        for text in ["ctrl-A", "ctrl-", "ab", "a,,b"] {
            assert!(parse_keys(text).is_err(), "{text}");
        }
    }
}
