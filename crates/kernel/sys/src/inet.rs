//! Internet sockets of the host: reserving ports, relaying what comes in.

use crate::pipe::pending;
use crate::{Call, Errno, Result};
use rustix::net::{self, AddressFamily, Shutdown, SocketFlags, SocketType, ipproto, sockopt};
use std::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};

/// A transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// A stream of bytes.
    Tcp,
    /// Datagrams.
    Udp,
    /// Streams of messages.
    Sctp,
}

impl Transport {
    /// Returns the protocol's number in the IP header.
    pub const fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Sctp => 132,
        }
    }
}

/// Binds a non-blocking socket to an address of the host, and listens if the protocol has connections.
///
/// An IPv6 socket takes IPv6 only, so that both families can have the same port.
///
/// # Errors
/// EADDRINUSE if another socket has the port; EADDRNOTAVAIL if the host has no such address; EACCES below 1024 without
/// CAP_NET_BIND_SERVICE; EPROTONOSUPPORT or EAFNOSUPPORT if the kernel lacks SCTP or IPv6.
///
/// # Source
/// man 7 ip, man 7 ipv6 (IPV6_V6ONLY), man 2 bind.
pub fn reserve(transport: Transport, address: SocketAddr) -> Result<OwnedFd> {
    let socket = open(transport, address)?;
    if address.is_ipv6() {
        Call("setsockopt")
            .result(sockopt::set_ipv6_v6only(&socket, true), || "IPPROTO_IPV6, IPV6_V6ONLY, 1".into())?;
    }
    if transport == Transport::Udp {
        tell_destination(&socket, address.is_ipv6())?;
    } else {
        // Connections of an earlier listener that linger in TIME_WAIT do not hinder; a listener still does.
        Call("setsockopt")
            .result(sockopt::set_socket_reuseaddr(&socket, true), || "SOL_SOCKET, SO_REUSEADDR, 1".into())?;
    }
    Call("bind").result(net::bind(&socket, &address), || format!("{socket:?}, {transport:?} {address}"))?;
    if transport != Transport::Udp {
        Call("listen").result(net::listen(&socket, 4096), || format!("{socket:?}, 4096"))?;
    }
    Ok(socket)
}

/// Begins to connect a non-blocking socket; writable once it is connected, or cannot be.
///
/// # Errors
/// ENETUNREACH and others that are known at once.
pub fn connect(transport: Transport, address: SocketAddr) -> Result<OwnedFd> {
    let socket = open(transport, address)?;
    match net::connect(&socket, &address) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
        Err(errno) => Err(Call("connect").failed(errno, || format!("{socket:?}, {transport:?} {address}"))),
    }
}

/// Returns the error that a connection attempt ended with, if it failed.
///
/// # Errors
/// That error.
pub fn connected(socket: impl AsFd) -> Result<()> {
    let args = || format!("{:?}, SOL_SOCKET, SO_ERROR", socket.as_fd());
    match Call("getsockopt").result(sockopt::socket_error(&socket), args)? {
        Ok(()) => Ok(()),
        Err(errno) => Err(Call("connect").failed(errno, args)),
    }
}

fn open(transport: Transport, address: SocketAddr) -> Result<OwnedFd> {
    let family = if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    let (kind, protocol) = match transport {
        Transport::Tcp => (SocketType::STREAM, ipproto::TCP),
        Transport::Udp => (SocketType::DGRAM, ipproto::UDP),
        Transport::Sctp => (SocketType::STREAM, ipproto::SCTP),
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Call("socket").result(net::socket_with(family, kind, flags, Some(protocol)), || {
        format!("{family:?}, {transport:?}")
    })
}

/// Accepts a connection, non-blocking; none if there is none at present.
///
/// # Errors
/// EMFILE, ENFILE; ECONNABORTED if the other side has gone again.
pub fn accept(listener: impl AsFd) -> Result<Option<OwnedFd>> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    pending(Call("accept4").retry(
        || net::accept_with(&listener, flags),
        || format!("{:?}, NULL, NULL, SOCK_CLOEXEC|SOCK_NONBLOCK", listener.as_fd()),
    ))
}

/// Has a TCP connection send small segments at once, and notice after two hours of silence that its peer is gone.
pub fn tune(socket: impl AsFd) {
    let _ = sockopt::set_tcp_nodelay(&socket, true); // Both are improvements only.
    let _ = sockopt::set_socket_keepalive(socket, true);
}

/// Tells the other side that nothing more comes.
pub fn finish(socket: impl AsFd) {
    let _ = net::shutdown(socket, Shutdown::Write); // It may be gone.
}

/// Returns the address that a socket is bound to.
///
/// # Errors
/// EINVAL for a socket of another family.
pub fn local_address(socket: impl AsFd) -> Result<SocketAddr> {
    let call = Call("getsockname");
    let args = || format!("{:?}", socket.as_fd());
    let address = call.result(net::getsockname(&socket), args)?;
    address.try_into().map_err(|_| call.failed(Errno::INVAL, args))
}

/// Who sent a datagram to which address of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Path {
    /// The sender.
    pub peer: SocketAddr,
    /// The host's address, which an answer has to come from.
    pub local: IpAddr,
}

/// Has a socket tell with each datagram which address it was sent to.
fn tell_destination(socket: &OwnedFd, is_v6: bool) -> Result<()> {
    let on: libc::c_int = 1;
    let (level, option) = match is_v6 {
        true => (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO),
        false => (libc::IPPROTO_IP, libc::IP_PKTINFO),
    };
    let length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: both options take an int; `on` is one and outlives the call.
    let returned = unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, option, std::ptr::from_ref(&on).cast(), length)
    };
    Call("setsockopt").check(returned, || format!("{socket:?}, {level}, {option}, 1")).map(drop)
}

/// Room for one control message, aligned as the kernel writes it.
#[repr(C, align(8))]
struct Control([u8; 64]);

/// Receives a datagram of a socket that was made by [`reserve`]; none if there is none at present.
///
/// # Errors
/// ECONNREFUSED if what was sent before was refused.
///
/// # Source
/// man 7 ip (IP_PKTINFO), man 7 ipv6 (IPV6_RECVPKTINFO), man 3 cmsg.
pub fn receive_from(socket: impl AsFd, buffer: &mut [u8]) -> Result<Option<(usize, Path)>> {
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: a sockaddr_storage of zeroes is valid: of no family.
    let mut name: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
    let mut control = Control([0; 64]);
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: a msghdr of zeroes is valid: no name, no parts, no control data.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    header.msg_control = control.0.as_mut_ptr().cast();
    header.msg_controllen = control.0.len();
    header.msg_name = (&raw mut name).cast();
    header.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
    let call = Call("recvmsg");
    let room = buffer.len();
    let args = || format!("{fd}, {room} bytes, MSG_DONTWAIT");
    // SAFETY: `header` points to a buffer, a name and control data that all live until after the call, with their lengths.
    let returned = unsafe { libc::recvmsg(fd, &raw mut header, libc::MSG_DONTWAIT) };
    let Some(length) = pending(count(call, returned, args))? else { return Ok(None) };
    let peer = read_address(&name).ok_or_else(|| call.failed(Errno::INVAL, args))?;
    let local = destination(&header).ok_or_else(|| call.failed(Errno::INVAL, args))?;
    Ok(Some((length, Path { peer, local })))
}

/// Takes the number of bytes that a call of libc returned; -1 is a failure, whose number is in `errno`.
fn count(call: Call, returned: isize, args: impl FnOnce() -> String) -> Result<usize> {
    usize::try_from(returned).map_err(|_| call.failed(crate::error::last_errno(), args))
}

/// Reads an internet address.
fn read_address(name: &libc::sockaddr_storage) -> Option<SocketAddr> {
    let start = std::ptr::from_ref(name);
    match i32::from(name.ss_family) {
        libc::AF_INET => {
            // SAFETY: a sockaddr_storage has room and alignment for a sockaddr_in, which is what the family says it is.
            let v4 = unsafe { start.cast::<libc::sockaddr_in>().read() };
            let address = u32::from_be(v4.sin_addr.s_addr).into();
            Some(SocketAddrV4::new(address, u16::from_be(v4.sin_port)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: a sockaddr_storage has room and alignment for a sockaddr_in6, which is what the family says it is.
            let v6 = unsafe { start.cast::<libc::sockaddr_in6>().read() };
            let port = u16::from_be(v6.sin6_port);
            let address = v6.sin6_addr.s6_addr.into();
            Some(SocketAddrV6::new(address, port, v6.sin6_flowinfo, v6.sin6_scope_id).into())
        }
        _ => None,
    }
}

/// Returns an internet address as the kernel reads it, with its length.
fn write_address(address: SocketAddr) -> (libc::sockaddr_storage, libc::socklen_t) {
    // SAFETY: a sockaddr_storage of zeroes is valid.
    let mut name: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
    let start = &raw mut name;
    let length = match address {
        SocketAddr::V4(v4) => {
            let v4 = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: v4.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from(*v4.ip()).to_be() },
                sin_zero: [0; 8],
            };
            // SAFETY: a sockaddr_storage has room and alignment for each kind of address.
            unsafe { start.cast::<libc::sockaddr_in>().write(v4) };
            size_of::<libc::sockaddr_in>()
        }
        SocketAddr::V6(v6) => {
            let v6 = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: v6.port().to_be(),
                sin6_flowinfo: v6.flowinfo(),
                sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                sin6_scope_id: v6.scope_id(),
            };
            // SAFETY: a sockaddr_storage has room and alignment for each kind of address.
            unsafe { start.cast::<libc::sockaddr_in6>().write(v6) };
            size_of::<libc::sockaddr_in6>()
        }
    };
    (name, length as libc::socklen_t)
}

/// Reads the address that a datagram was sent to.
fn destination(header: &libc::msghdr) -> Option<IpAddr> {
    // SAFETY: the kernel has filled in the control data and its length.
    let first = unsafe { libc::CMSG_FIRSTHDR(header) };
    if first.is_null() {
        return None;
    }
    // SAFETY: CMSG_FIRSTHDR returned it, so a whole header lies there; it is read without regard to alignment.
    let message = unsafe { first.read_unaligned() };
    // SAFETY: the data follow the header.
    let data = unsafe { libc::CMSG_DATA(first) };
    match (message.cmsg_level, message.cmsg_type) {
        (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
            // SAFETY: the kernel writes an in_pktinfo for this type.
            let info: libc::in_pktinfo = unsafe { data.cast::<libc::in_pktinfo>().read_unaligned() };
            Some(IpAddr::V4(u32::from_be(info.ipi_addr.s_addr).into()))
        }
        (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
            // SAFETY: the kernel writes an in6_pktinfo for this type.
            let info: libc::in6_pktinfo = unsafe { data.cast::<libc::in6_pktinfo>().read_unaligned() };
            Some(IpAddr::V6(info.ipi6_addr.s6_addr.into()))
        }
        _ => None,
    }
}

/// Sends a datagram back along a path; false if there is no room at present, and then it is lost as datagrams may be.
///
/// # Errors
/// ENETUNREACH, EPERM by a packet filter, EINVAL if the host has lost the address.
pub fn send_back(socket: impl AsFd, bytes: &[u8], path: &Path) -> Result<bool> {
    let fd = socket.as_fd().as_raw_fd();
    let mut control = Control([0; 64]);
    let (name, name_length) = write_address(path.peer);
    // SAFETY: a msghdr of zeroes is valid: no name, no parts, no control data.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    header.msg_name = (&raw const name).cast_mut().cast();
    header.msg_namelen = name_length;
    header.msg_control = control.0.as_mut_ptr().cast();
    header.msg_controllen = control.0.len();
    // SAFETY: the control data have room for one message of either type, are aligned for its header, and zeroed.
    header.msg_controllen = unsafe { write_source(&raw const header, path.local) };
    let args = || format!("{fd}, {} bytes, MSG_DONTWAIT|MSG_NOSIGNAL", bytes.len());
    // SAFETY: `header` points to a part, a name and control data that all live until after the call; the part is only read.
    let returned = unsafe { libc::sendmsg(fd, &raw const header, libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) };
    Ok(pending(count(Call("sendmsg"), returned, args))?.is_some())
}

/// Writes the control message that says which address a datagram comes from, and returns its length with padding.
///
/// # Safety
/// The header's control data must be zeroed, aligned, and have room for 64 bytes.
unsafe fn write_source(header: *const libc::msghdr, local: IpAddr) -> usize {
    // SAFETY: the control data have room for a header, by the caller's promise.
    let message = unsafe { libc::CMSG_FIRSTHDR(header) };
    let (level, kind, size) = match local {
        IpAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_PKTINFO, size_of::<libc::in_pktinfo>()),
        IpAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, size_of::<libc::in6_pktinfo>()),
    };
    // SAFETY: 64 bytes have room for a header of 16 and the larger structure of 20 bytes; the types match the kind.
    unsafe {
        (*message).cmsg_level = level;
        (*message).cmsg_type = kind;
        (*message).cmsg_len = libc::CMSG_LEN(size as libc::c_uint) as usize;
        let data = libc::CMSG_DATA(message);
        match local {
            IpAddr::V4(address) => {
                let spec_dst = libc::in_addr { s_addr: u32::from(address).to_be() };
                let info = libc::in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: spec_dst, ipi_addr: spec_dst };
                data.cast::<libc::in_pktinfo>().write_unaligned(info);
            }
            IpAddr::V6(address) => {
                let ipi6_addr = libc::in6_addr { s6_addr: address.octets() };
                data.cast::<libc::in6_pktinfo>()
                    .write_unaligned(libc::in6_pktinfo { ipi6_addr, ipi6_ifindex: 0 });
            }
        }
        libc::CMSG_SPACE(size as libc::c_uint) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn any(address: &str) -> SocketAddr {
        address.parse().expect("an address")
    }

    #[test]
    fn reserved_port_is_taken_for_others_and_free_afterwards() {
        for transport in [Transport::Tcp, Transport::Udp] {
            let first = reserve(transport, any("127.0.0.1:0")).expect("reserved");
            let address = local_address(&first).expect("bound");
            assert!(reserve(transport, address).expect_err("taken").is(Errno::ADDRINUSE));
            drop(first);
            assert!(reserve(transport, address).is_ok(), "{transport:?}");
        }
    }

    #[test]
    fn connection_is_made_and_ends_half_by_half() {
        let listener = reserve(Transport::Tcp, any("127.0.0.1:0")).expect("reserved");
        let client = connect(Transport::Tcp, local_address(&listener).expect("bound")).expect("connects");
        let server = accept(&listener).expect("accepts").expect("the handshake on the loopback is done");
        connected(&client).expect("connected");
        assert!(accept(&listener).expect("accepts").is_none());
        finish(&client);
        let mut buffer = [0; 8];
        assert_eq!(crate::socket::receive(&server, &mut buffer), Ok(Some(0)));
        crate::socket::send(&server, b"hello").expect("sent");
        assert_eq!(crate::socket::receive(&client, &mut buffer), Ok(Some(5)));
    }

    #[test]
    fn datagrams_come_with_their_path_and_go_back_along_it() {
        for (wildcard, address) in [("0.0.0.0:0", "127.0.0.9"), ("[::]:0", "::1")] {
            let server = reserve(Transport::Udp, any(wildcard)).expect("the loopback has both families");
            let port = local_address(&server).expect("bound").port();
            let address: IpAddr = address.parse().expect("an address");
            let client = connect(Transport::Udp, SocketAddr::new(address, port)).expect("connects");
            assert_eq!(receive_from(&server, &mut [0; 8]).expect("received"), None);
            crate::socket::send(&client, b"ping").expect("sent");
            let mut buffer = [0; 8];
            let (length, path) = receive_from(&server, &mut buffer).expect("received").expect("lies ready");
            let expected = Path { peer: local_address(&client).expect("bound"), local: address };
            assert_eq!((&buffer[..length], path), (&b"ping"[..], expected));
            assert!(send_back(&server, b"pong", &path).expect("sent"));
            // The client is connected: it takes what comes from this address only.
            assert_eq!(crate::socket::receive(&client, &mut buffer), Ok(Some(4)));
        }
    }
}
