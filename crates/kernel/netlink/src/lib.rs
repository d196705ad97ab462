//! Talking to the kernel's network configuration: rtnetlink and nf_tables, over blocking sockets.
//!
//! A request is a [`Message`]; several go to the kernel in one [`Socket::batch`], which costs one system call to send and
//! one or two to learn how it went. The kernel handles a batch within the sending call, so no answer is ever waited for.
//!
//! ```text
//! nlmsghdr: u32 length | u16 type | u16 flags | u32 sequence | u32 port
//! then a header of the family (ifinfomsg, ifaddrmsg, rtmsg, nfgenmsg), then attributes:
//! nlattr:   u16 length | u16 type | payload, padded to 4
//! ```
//!
//! Not for policy: which links, addresses and rules there are is decided by `services/network`.

#![forbid(unsafe_code)]

mod message;
mod socket;

pub mod address;
pub mod link;
pub mod route;
pub mod transfer;

pub mod conntrack;
pub mod nft;

mod error;

pub use error::Error;
pub use message::{Attributes, Message};
pub use socket::Socket;
