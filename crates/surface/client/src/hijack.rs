//! The raw connection after an upgrade: attach and exec start.

use bytes::{Buf, Bytes};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::transport::Socket;

/// A connection that the engine handed over: bytes in, bytes out.
#[derive(Debug)]
pub struct Hijacked {
    /// What the engine sends.
    pub reader: ReadHalf,
    /// What goes to the program's standard input; shutting it down is the end of that input.
    pub writer: WriteHalf,
    /// The engine said that output comes in frames. Older engines send frames without saying so: whether there is a terminal
    /// decides then.
    pub framed: bool,
}

/// The receiving half.
#[derive(Debug)]
pub struct ReadHalf {
    early: Bytes,
    socket: tokio::io::ReadHalf<Socket>,
}

/// The sending half. Shutting it down leaves the receiving half open.
#[derive(Debug)]
pub struct WriteHalf {
    socket: tokio::io::WriteHalf<Socket>,
}

impl Hijacked {
    pub(crate) fn new(upgraded: Upgraded, content_type: Option<&str>) -> Option<Self> {
        let parts = upgraded.downcast::<TokioIo<Socket>>().ok()?;
        let (reader, writer) = tokio::io::split(parts.io.into_inner());
        let framed = content_type == Some(wire::frame::MULTIPLEXED_STREAM);
        Some(Self {
            reader: ReadHalf { early: parts.read_buf, socket: reader },
            writer: WriteHalf { socket: writer },
            framed,
        })
    }
}

impl AsyncRead for ReadHalf {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.early.has_remaining() {
            let taken = self.early.len().min(buf.remaining());
            buf.put_slice(&self.early.split_to(taken));
            return Poll::Ready(Ok(()));
        }
        match ready!(Pin::new(&mut self.socket).poll_read(cx, buf)) {
            // An engine that dies takes the connection with it: for the reader that is the end, too.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Poll::Ready(Ok(())),
            other => Poll::Ready(other),
        }
    }
}

impl AsyncWrite for WriteHalf {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
