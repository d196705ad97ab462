//! Unix sockets: messages with descriptors, credentials, streams without blocking.

use crate::pipe::pending;
use crate::{Call, Errno, Result};
use rustix::fs::{Mode, OFlags};
use rustix::net::{
    self, AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType, sockopt,
};
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::path::Path;

/// How many descriptors one message may carry; more are refused by [`send_message`] and closed by [`receive_message`].
pub const MAX_FDS: usize = 64;

/// Makes two connected sockets for messages (SOCK_SEQPACKET).
///
/// # Errors
/// EMFILE, ENFILE.
///
/// # Source
/// man 2 socketpair, man 7 unix (SOCK_SEQPACKET since 2.6.4).
pub fn message_pair() -> Result<(OwnedFd, OwnedFd)> {
    pair(SocketType::SEQPACKET, "SOCK_SEQPACKET")
}

/// Makes two connected sockets for bytes (SOCK_STREAM).
///
/// # Errors
/// EMFILE, ENFILE.
pub fn stream_pair() -> Result<(OwnedFd, OwnedFd)> {
    pair(SocketType::STREAM, "SOCK_STREAM")
}

fn pair(kind: SocketType, name: &str) -> Result<(OwnedFd, OwnedFd)> {
    Call("socketpair").result(net::socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None), || {
        format!("AF_UNIX, {name}|SOCK_CLOEXEC, 0")
    })
}

/// Listens for message connections at `path`, which must not exist; non-blocking. The umask decides about its mode.
///
/// # Errors
/// EADDRINUSE if `path` exists.
pub fn listen_messages(path: &Path) -> Result<OwnedFd> {
    listen(path, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)
}

/// As [`listen_messages`], but accepting waits.
///
/// # Errors
/// EADDRINUSE if `path` exists.
pub fn listen_messages_waiting(path: &Path) -> Result<OwnedFd> {
    listen(path, SocketFlags::CLOEXEC)
}

fn listen(path: &Path, flags: SocketFlags) -> Result<OwnedFd> {
    let (address, _directory) = address(path)?;
    let socket = Call("socket")
        .result(net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None), || {
            format!("AF_UNIX, SOCK_SEQPACKET, {flags:?}")
        })?;
    Call("bind").result(net::bind(&socket, &address), || format!("{socket:?}, {path:?}"))?;
    Call("listen").result(net::listen(&socket, 16), || format!("{socket:?}, 16"))?;
    Ok(socket)
}

/// Connects to who listens for messages at `path`; the socket blocks.
///
/// # Errors
/// ENOENT if there is no such socket; ECONNREFUSED if nobody listens any more.
pub fn connect_messages(path: &Path) -> Result<OwnedFd> {
    let (address, _directory) = address(path)?;
    let socket = Call("socket").result(
        net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None),
        || "AF_UNIX, SOCK_SEQPACKET|SOCK_CLOEXEC, 0".into(),
    )?;
    Call("connect").retry(|| net::connect(&socket, &address), || format!("{socket:?}, {path:?}"))?;
    Ok(socket)
}

/// Connects to who listens for bytes at `path`; the socket blocks.
///
/// # Errors
/// ENOENT if there is no such socket; ECONNREFUSED if nobody listens any more.
pub fn connect_stream(path: &Path) -> Result<OwnedFd> {
    let (address, _directory) = address(path)?;
    let socket = Call("socket").result(
        net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None),
        || "AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC, 0".into(),
    )?;
    Call("connect").retry(|| net::connect(&socket, &address), || format!("{socket:?}, {path:?}"))?;
    Ok(socket)
}

/// Returns the address of a path. One that is too long for an address (107 bytes) is reached through its directory, which
/// must stay open as long as the address is used.
fn address(path: &Path) -> Result<(SocketAddrUnix, Option<OwnedFd>)> {
    if let Ok(address) = SocketAddrUnix::new(path) {
        return Ok((address, None));
    }
    let call = Call("openat");
    let args = || format!("AT_FDCWD, {path:?}, O_PATH|O_DIRECTORY|O_CLOEXEC");
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(call.failed(Errno::INVAL, args));
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = call.result(rustix::fs::open(parent, flags, Mode::empty()), args)?;
    let short = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(name);
    let address = call.result(SocketAddrUnix::new(&short), || format!("{short:?}"))?;
    Ok((address, Some(directory)))
}

/// Accepts a connection; none if there is none at present.
///
/// # Errors
/// EMFILE, ENFILE; ECONNABORTED if the other side has gone again.
pub fn accept(listener: impl AsFd) -> Result<Option<OwnedFd>> {
    pending(Call("accept4").retry(
        || net::accept_with(&listener, SocketFlags::CLOEXEC),
        || format!("{:?}, NULL, NULL, SOCK_CLOEXEC", listener.as_fd()),
    ))
}

/// Who is at the other end of a unix socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The process that connected.
    pub pid: i32,
    /// Its effective user.
    pub uid: u32,
    /// Its effective group.
    pub gid: u32,
}

/// Returns who was at the other end when the connection was made.
///
/// # Errors
/// ENOTCONN, or ENOPROTOOPT for another kind of socket.
///
/// # Source
/// man 7 unix, SO_PEERCRED
pub fn peer(socket: impl AsFd) -> Result<Peer> {
    let credentials = Call("getsockopt").result(sockopt::socket_peercred(&socket), || {
        format!("{:?}, SOL_SOCKET, SO_PEERCRED", socket.as_fd())
    })?;
    Ok(Peer {
        pid: credentials.pid.as_raw_nonzero().get(),
        uid: credentials.uid.as_raw(),
        gid: credentials.gid.as_raw(),
    })
}

/// Sends one message with descriptors; none if that would block, and then nothing was sent.
///
/// # Errors
/// EPIPE or ECONNRESET if the other side is gone; EMSGSIZE for a message larger than the send buffer; E2BIG for more
/// than [`MAX_FDS`] descriptors.
pub fn send_message(socket: impl AsFd, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> Result<Option<()>> {
    let call = Call("sendmsg");
    let args = || {
        format!("{:?}, {} bytes, {} fds, MSG_DONTWAIT|MSG_NOSIGNAL", socket.as_fd(), bytes.len(), fds.len())
    };
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(call.failed(Errno::TOOBIG, args));
    }
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    pending(call.retry(|| net::sendmsg(&socket, &[IoSlice::new(bytes)], &mut control, flags), args))
        .map(|sent| sent.map(drop))
}

/// A message that arrived.
#[derive(Debug)]
pub struct Message {
    /// Its bytes; empty at the end of the connection.
    pub bytes: Vec<u8>,
    /// Its descriptors, with CLOEXEC set.
    pub fds: Vec<OwnedFd>,
}

/// Receives one whole message; none if that would block.
///
/// # Errors
/// ECONNRESET if the other side went with unread messages; EMSGSIZE for a message over `max_bytes` or with more than
/// [`MAX_FDS`] descriptors (it is dropped, its descriptors are closed).
pub fn receive_message(socket: impl AsFd, max_bytes: usize) -> Result<Option<Message>> {
    let call = Call("recvmsg");
    let args = || format!("{:?}, MSG_DONTWAIT|MSG_CMSG_CLOEXEC", socket.as_fd());
    // The first look tells the size, so that no buffer of the maximum's size stays around.
    let look = RecvFlags::PEEK | RecvFlags::TRUNC | RecvFlags::DONTWAIT;
    let Some((_, length)) = pending(call.retry(|| net::recv(&socket, &mut [0_u8; 0][..], look), args))?
    else {
        return Ok(None);
    };
    let mut bytes = vec![0; length.min(max_bytes)];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = pending(call.retry(
        || {
            let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
            net::recvmsg(&socket, &mut [IoSliceMut::new(&mut bytes)], &mut control, flags)
        },
        args,
    ))?;
    let Some(received) = received else { return Ok(None) };
    let mut fds = Vec::new();
    for part in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = part {
            fds.extend(rights);
        }
    }
    if received.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
        return Err(call.failed(Errno::MSGSIZE, args));
    }
    bytes.truncate(received.bytes);
    Ok(Some(Message { bytes, fds }))
}

/// Receives bytes without waiting, whatever the socket's mode; none if that would block, 0 at the end of input.
///
/// # Errors
/// ECONNRESET if the other side is gone; ENOTSOCK if it is no socket.
pub fn receive(socket: impl AsFd, buffer: &mut [u8]) -> Result<Option<usize>> {
    let length = buffer.len();
    let received = pending(Call("recvfrom").retry(
        || net::recv(&socket, &mut *buffer, RecvFlags::DONTWAIT),
        || format!("{:?}, …, {length}, MSG_DONTWAIT", socket.as_fd()),
    ))?;
    Ok(received.map(|(count, _)| count))
}

/// Sends bytes without waiting and without SIGPIPE, whatever the socket's mode; none if that would block.
///
/// # Errors
/// EPIPE or ECONNRESET if the other side is gone; ENOTSOCK if it is no socket.
pub fn send(socket: impl AsFd, bytes: &[u8]) -> Result<Option<usize>> {
    pending(Call("sendto").retry(
        || net::send(&socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL),
        || format!("{:?}, …, {}, MSG_DONTWAIT|MSG_NOSIGNAL", socket.as_fd(), bytes.len()),
    ))
}

/// Takes over a socket that this process was started with, and sets CLOEXEC.
///
/// Call it once per descriptor, before anything else opens descriptors: the returned value owns it.
///
/// # Errors
/// EBADF if it is not open; ENOTSOCK if it is no socket.
pub fn inherited(fd: RawFd) -> Result<OwnedFd> {
    // SAFETY: F_SETFD takes no pointer, and only sets a flag of a descriptor that may or may not be open.
    let returned = unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    Call("fcntl").check(returned, || format!("{fd}, F_SETFD, FD_CLOEXEC"))?;
    // SAFETY: fcntl has just shown that it is open, and the caller of this process passed it on to be owned.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    Call("getsockopt")
        .result(sockopt::socket_type(&socket), || format!("{fd}, SOL_SOCKET, SO_TYPE"))
        .map(|_| socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_keep_their_borders_and_carry_descriptors() {
        let (a, b) = message_pair().expect("socketpair");
        let (reader, writer) = crate::pipe::pipe().expect("pipe");
        assert!(receive_message(&b, 100).expect("recv").is_none());
        send_message(&a, b"one", &[reader.as_fd(), writer.as_fd()]).expect("send").expect("room");
        send_message(&a, b"two", &[]).expect("send").expect("room");
        let first = receive_message(&b, 100).expect("recv").expect("a message");
        assert_eq!((&first.bytes[..], first.fds.len()), (&b"one"[..], 2));
        assert_eq!(crate::pipe::write(&first.fds[1], b"x"), Ok(Some(1)));
        let mut buffer = [0; 4];
        assert_eq!(crate::pipe::read(&reader, &mut buffer), Ok(Some(1)));
        let second = receive_message(&b, 100).expect("recv").expect("a message");
        assert_eq!((&second.bytes[..], second.fds.len()), (&b"two"[..], 0));
        drop(a);
        let end = receive_message(&b, 100).expect("recv").expect("the end");
        assert_eq!(end.bytes, b"");
    }

    #[test]
    fn message_over_the_limit_is_refused_and_dropped() {
        let (a, b) = message_pair().expect("socketpair");
        send_message(&a, &[7; 101], &[a.as_fd()]).expect("send").expect("room");
        send_message(&a, b"next", &[]).expect("send").expect("room");
        assert!(receive_message(&b, 100).expect_err("too large").is(Errno::MSGSIZE));
        assert_eq!(receive_message(&b, 100).expect("recv").expect("a message").bytes, b"next");
    }

    #[test]
    fn largest_message_of_the_shim_protocol_passes() {
        let (a, b) = message_pair().expect("socketpair");
        let large = vec![1; 192 * 1024];
        send_message(&a, &large, &[]).expect("send").expect("room");
        assert_eq!(
            receive_message(&b, large.len()).expect("recv").expect("a message").bytes.len(),
            large.len()
        );
    }

    #[test]
    fn listener_learns_who_connects_also_below_a_long_path() {
        let directory =
            std::env::temp_dir().join(format!("naru-test-sys-{}-{}", std::process::id(), "x".repeat(99)));
        std::fs::create_dir_all(&directory).expect("the temporary directory is writable");
        let path = directory.join("ctl.sock");
        let listener = listen_messages(&path).expect("listen");
        assert!(accept(&listener).expect("accept").is_none());
        let client = connect_messages(&path).expect("connect");
        let server = accept(&listener).expect("accept").expect("a connection");
        let own = i32::try_from(std::process::id()).expect("process ids fit");
        let uid = rustix::process::geteuid().as_raw();
        let peer = peer(&server).expect("peer");
        std::fs::remove_file(&path).expect("it is there");
        assert_eq!((peer.pid, peer.uid), (own, uid));
        assert!(connect_messages(&path).expect_err("removed").is(Errno::NOENT));
        drop(client);
        std::fs::remove_dir(&directory).expect("it is empty");
    }

    #[test]
    fn stream_ends_half_by_half() {
        let (a, b) = stream_pair().expect("socketpair");
        let mut buffer = [0; 8];
        assert_eq!(receive(&b, &mut buffer), Ok(None));
        net::shutdown(&a, net::Shutdown::Write).expect("shutdown");
        assert_eq!(receive(&b, &mut buffer), Ok(Some(0)));
        assert_eq!(send(&b, b"still"), Ok(Some(5)));
        assert_eq!(receive(&a, &mut buffer), Ok(Some(5)));
        drop(a);
        assert!(send(&b, b"gone").expect_err("closed").is(Errno::PIPE));
    }

    #[test]
    fn inherited_takes_only_sockets() {
        let (a, _b) = stream_pair().expect("socketpair");
        let socket = inherited(a.as_raw_fd());
        std::mem::forget(a); // `socket` owns it now.
        assert!(socket.is_ok());
        let (reader, _writer) = crate::pipe::pipe().expect("pipe");
        let error = inherited(reader.as_raw_fd()).expect_err("a pipe");
        std::mem::forget(reader); // `inherited` closed it.
        assert!(error.is(Errno::NOTSOCK), "{error}");
    }
}
