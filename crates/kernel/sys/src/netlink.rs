//! Netlink sockets.
//!
//! # Source
//! man 7 netlink.

use crate::{Call, Errno, Result};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink as protocol};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};

/// Which part of the kernel is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Links, addresses, routes.
    Route,
    /// Packet filters.
    Netfilter,
}

/// A netlink socket. It belongs to the network namespace in which the opening thread was.
#[derive(Debug)]
pub struct Socket(OwnedFd);

impl Socket {
    /// Opens a socket that explains errors in words and checks requests for lists strictly (both: Linux 4.20; older
    /// kernels do neither).
    ///
    /// # Errors
    /// EPROTONOSUPPORT if the kernel lacks the protocol.
    pub fn open(which: Protocol) -> Result<Self> {
        let number = match which {
            Protocol::Route => None, // NETLINK_ROUTE is number 0.
            Protocol::Netfilter => Some(protocol::NETFILTER),
        };
        let opened =
            rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, number);
        let fd = Call("socket").result(opened, || format!("AF_NETLINK, SOCK_RAW|SOCK_CLOEXEC, {which:?}"))?;
        let socket = Self(fd);
        for option in [libc::NETLINK_EXT_ACK, libc::NETLINK_CAP_ACK, libc::NETLINK_GET_STRICT_CHK] {
            match socket.enable(option) {
                Err(error) if error.is(Errno::NOPROTOOPT) => {}
                other => other?,
            }
        }
        Ok(socket)
    }

    /// Subscribes to changes of nf_tables (group NFNLGRP_NFTABLES).
    ///
    /// # Errors
    /// EPERM without CAP_NET_ADMIN; EINVAL if the kernel has no nf_tables.
    pub fn listen_to_nf_tables(&self) -> Result<()> {
        const NFNLGRP_NFTABLES: u32 = 7;
        let address = protocol::SocketAddrNetlink::new(0, 1 << (NFNLGRP_NFTABLES - 1));
        Call("bind").result(rustix::net::bind(&self.0, &address), || format!("{:?}, {address:?}", self.0))
    }

    /// Sends messages to the kernel, which handles them before this returns.
    ///
    /// # Errors
    /// EMSGSIZE above some 200 KiB, ENOBUFS.
    pub fn send(&self, bytes: &[u8]) -> Result<()> {
        // An unbound socket sends to the kernel, and is bound to a port of its own by the first sending.
        Call("send")
            .retry(|| rustix::net::send(&self.0, bytes, SendFlags::empty()), || self.args(bytes.len()))
            .map(drop)
    }

    /// Receives messages, waiting for them; returns how many bytes came.
    ///
    /// # Errors
    /// ENOBUFS if messages were lost.
    pub fn receive(&self, buffer: &mut [u8]) -> Result<usize> {
        let length = buffer.len();
        Call("recv")
            .retry(|| rustix::net::recv(&self.0, &mut *buffer, RecvFlags::empty()), || self.args(length))
            .map(|(received, _)| received)
    }

    /// Receives messages if there are any.
    ///
    /// # Errors
    /// ENOBUFS if messages were lost.
    pub fn try_receive(&self, buffer: &mut [u8]) -> Result<Option<usize>> {
        let length = buffer.len();
        let received = Call("recv")
            .retry(|| rustix::net::recv(&self.0, &mut *buffer, RecvFlags::DONTWAIT), || self.args(length));
        match received {
            Ok((received, _)) => Ok(Some(received)),
            Err(error) if error.is(Errno::AGAIN) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn enable(&self, option: libc::c_int) -> Result<()> {
        let on: libc::c_int = 1;
        // SAFETY: the option takes an int; `on` is one and outlives the call.
        let returned = unsafe {
            libc::setsockopt(
                self.0.as_raw_fd(),
                libc::SOL_NETLINK,
                option,
                std::ptr::from_ref(&on).cast(),
                size_of::<libc::c_int>() as libc::socklen_t,
            )
        };
        Call("setsockopt")
            .check(returned, || format!("{}, SOL_NETLINK, {option}, 1", self.0.as_raw_fd()))
            .map(drop)
    }

    fn args(&self, length: usize) -> String {
        format!("{}, {length} bytes", self.0.as_raw_fd())
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
