//! Who has a port of the host that cannot be had.

use super::Protocol;
use std::fmt;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Whoever has a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A process.
    Process {
        /// Its number.
        pid: u32,
        /// Its name.
        name: String,
    },
    /// It cannot be found out.
    Unknown,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process { pid, name } => write!(f, " by process {pid} ({name})"),
            Self::Unknown => Ok(()),
        }
    }
}

impl Holder {
    /// Looks through the sockets of the calling thread's network namespace and all processes: some milliseconds, for errors.
    pub(super) fn find(protocol: Protocol, host: SocketAddr) -> Self {
        let tables: &[&str] = match protocol {
            Protocol::Tcp => &["tcp", "tcp6"],
            Protocol::Udp => &["udp", "udp6"],
            Protocol::Sctp => return Self::Unknown,
        };
        let inode = tables.iter().find_map(|table| {
            let text = fs::read_to_string(format!("/proc/thread-self/net/{table}")).ok()?;
            text.lines().skip(1).find_map(|line| inode_of(line, protocol, host))
        });
        inode.and_then(process_with).unwrap_or(Self::Unknown)
    }

    /// Returns whether it is a supervisor of this program, or a process that is gone: both let go of the port soon.
    pub(super) fn is_dying_supervisor(&self) -> bool {
        match self {
            Self::Process { name, .. } => name.starts_with("naru-"),
            Self::Unknown => true,
        }
    }
}

/// Reads a line of /proc/net/tcp: the socket's inode if it is bound to the port, and listens if it is TCP.
fn inode_of(line: &str, protocol: Protocol, host: SocketAddr) -> Option<u64> {
    const LISTEN: &str = "0A";
    let mut words = line.split_whitespace();
    let (local, state) = (words.nth(1)?, words.nth(1)?);
    let inode = words.nth(5)?.parse().ok()?;
    let (address, port) = local.split_once(':')?;
    let (address, port) = (parse_address(address)?, u16::from_str_radix(port, 16).ok()?);
    let listens = protocol != Protocol::Tcp || state == LISTEN;
    // An IPv6 socket at the wildcard address may have taken IPv4 as well.
    let any = address.is_unspecified() || host.ip().is_unspecified();
    (port == host.port() && listens && (any || address == host.ip())).then_some(inode)
}

/// Reads an address of /proc/net: words of four bytes in the machine's order.
fn parse_address(hex: &str) -> Option<IpAddr> {
    let mut bytes = Vec::new();
    for word in hex.as_bytes().chunks(8) {
        let word = u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok()?;
        bytes.extend(word.to_ne_bytes());
    }
    match bytes.len() {
        4 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).into()),
        16 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).into()),
        _ => None,
    }
}

/// Finds a process that has a socket open.
fn process_with(inode: u64) -> Option<Holder> {
    let wanted = format!("socket:[{inode}]");
    let has_it = |pid: u32| {
        let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        open.filter_map(|entry| fs::read_link(entry.path()).ok())
            .any(|link| link.as_os_str() == wanted.as_str())
    };
    let pids = fs::read_dir("/proc").ok()?.flatten();
    let pid = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).find(|pid| has_it(*pid))?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim_end().to_owned();
    Some(Holder::Process { pid, name })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, UdpSocket};

    #[test]
    fn holder_of_a_port_is_this_process() {
        let tcp = TcpListener::bind("127.0.0.1:0").expect("binds");
        let udp = UdpSocket::bind("[::]:0").expect("binds");
        let own = std::process::id();
        let pid = |protocol, host| match Holder::find(protocol, host) {
            Holder::Process { pid, .. } => Some(pid),
            Holder::Unknown => None,
        };
        let tcp = tcp.local_addr().expect("bound");
        assert_eq!(pid(Protocol::Tcp, tcp), Some(own));
        assert_eq!(pid(Protocol::Tcp, SocketAddr::new([0, 0, 0, 0].into(), tcp.port())), Some(own));
        assert_eq!(pid(Protocol::Udp, udp.local_addr().expect("bound")), Some(own));
        assert_eq!(pid(Protocol::Sctp, tcp), None);
    }

    #[test]
    fn addresses_of_proc_are_read() {
        if cfg!(target_endian = "little") {
            assert_eq!(parse_address("0100007F"), Some([127, 0, 0, 1].into()));
            assert_eq!(parse_address("00000000000000000000000001000000"), Some(Ipv6Addr::LOCALHOST.into()));
        }
        assert_eq!(parse_address("xyz"), None);
    }
}
