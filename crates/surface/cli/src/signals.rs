//! Signals that are passed on to the program, and the terminal's change of size.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Signals that are passed on, with the names that the API takes.
///
/// Docker passes on every signal that can be caught. Those that report on our own terminal or children are not among them here.
const FORWARDED: [(libc_number::Number, &str); 8] = [
    (libc_number::HUP, "HUP"),
    (libc_number::INT, "INT"),
    (libc_number::QUIT, "QUIT"),
    (libc_number::USR1, "USR1"),
    (libc_number::USR2, "USR2"),
    (libc_number::TERM, "TERM"),
    (libc_number::CONT, "CONT"),
    (libc_number::TSTP, "TSTP"),
];

/// Signal numbers that are the same on every Linux that we build for.
mod libc_number {
    pub(super) type Number = i32;
    pub(super) const HUP: Number = 1;
    pub(super) const INT: Number = 2;
    pub(super) const QUIT: Number = 3;
    pub(super) const USR1: Number = 10;
    pub(super) const USR2: Number = 12;
    pub(super) const TERM: Number = 15;
    pub(super) const CONT: Number = 18;
    pub(super) const TSTP: Number = 20;
}

/// Signals that this process received and the program shall receive.
#[derive(Debug)]
pub(crate) struct Forwarded {
    signals: Vec<(Signal, &'static str)>,
}

impl Forwarded {
    /// Begins to catch them. From now on ctrl-c does not end this process.
    pub(crate) fn catch() -> std::io::Result<Self> {
        let mut signals = Vec::with_capacity(FORWARDED.len());
        for (number, name) in FORWARDED {
            signals.push((signal(SignalKind::from_raw(number))?, name));
        }
        Ok(Self { signals })
    }

    /// Returns the name of the next one.
    pub(crate) async fn next(&mut self) -> &'static str {
        std::future::poll_fn(|context| {
            for (signal, name) in &mut self.signals {
                if let std::task::Poll::Ready(Some(())) = signal.poll_recv(context) {
                    return std::task::Poll::Ready(*name);
                }
            }
            std::task::Poll::Pending
        })
        .await
    }
}

/// Catches the terminal's changes of size.
pub(crate) fn window_changes() -> std::io::Result<Signal> {
    signal(SignalKind::window_change())
}
