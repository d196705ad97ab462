//! Published ports: which port of the host leads to which port of a container.
//!
//! ```text
//! publish:  allocator (pure) ── bind the host's sockets ── one transaction of nf_tables: an element per port
//! sockets:  the caller hands them to the container's supervisor, which holds and relays them
//! packets:  from outside, from containers, from the host to an address of its own   ── dnat by a map, in the kernel
//!           from the host to 127.0.0.1 or ::1, IPv6 to a container without IPv6      ── the supervisor's relay
//! ```
//! The sockets are what reserves a port: other programs, other engines and `ss` see them. What the packet filter can
//! translate never reaches them. Both stay while no engine runs.
//!
//! The table is this service's alone, apart from that of the bridges: each is replaced without regard to the other.

mod allocator;
mod holder;
mod request;
mod table;

#[cfg(test)]
mod tests;

pub use holder::Holder;
pub use request::{PortRequest, Protocol, Published, Reserved};

use crate::Error;
use allocator::{Allocator, Failure};
use netlink::Socket;
use netlink::conntrack::{self, Flow};
use netlink::nft::{Family, map, monitor};
use refs::ContainerId;
use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use sys::Errno;
use table::Entry;

/// How long a port that a dying supervisor of ours still holds is waited for.
const DYING: Duration = Duration::from_secs(2);

/// The range that ports are taken from where the kernel does not name one.
const EPHEMERAL: (u16, u16) = (32768, 60999);

/// What ports lead to: a container's addresses with the lengths of their networks' parts, and its link outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) v4: Option<(Ipv4Addr, u8)>,
    pub(crate) v6: Option<(Ipv6Addr, u8)>,
    pub(crate) link: String,
}

/// All published ports of this engine.
#[derive(Debug)]
pub(crate) struct Ports {
    /// The table's name.
    table: String,
    /// Where ports without an address are published; none for everywhere.
    default_address: Option<IpAddr>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    allocator: Allocator,
    published: BTreeMap<ContainerId, Vec<Entry>>,
    /// The families whose table is in the kernel, as far as we know.
    in_kernel: Vec<Family>,
}

impl Ports {
    pub(crate) fn new(bridge_name: &str, default_address: Option<IpAddr>) -> Self {
        Self { table: table::name(bridge_name), default_address, state: Mutex::default() }
    }

    /// Reserves ports and sends them to a container. On failure none of these is left.
    pub(crate) fn publish(
        &self,
        container: &ContainerId,
        target: &Target,
        requests: &[PortRequest],
    ) -> Result<Vec<Reserved>, Error> {
        let mut state = self.state();
        if !requests.is_empty() && !state.published.contains_key(container) {
            allow_hairpin(&target.link)?;
        }
        let mut reserved = Vec::new();
        for request in requests {
            match self.reserve(&mut state.allocator, container, target, request) {
                Ok(ports) => reserved.extend(ports),
                Err(error) => {
                    give_back(&mut state.allocator, reserved.iter().map(|one: &Reserved| &one.port));
                    return Err(error);
                }
            }
        }
        let added: Vec<Entry> = reserved.iter().map(|one| target.entry(one.port)).collect();
        state.published.entry(container.clone()).or_default().extend(added.iter().cloned());
        if let Err(error) = self.apply(&mut state, &added, &[]) {
            drop_entries(&mut state, container, |entry| added.contains(entry));
            return Err(error);
        }
        drop(state);
        forget_flows(&added);
        Ok(reserved)
    }

    /// Gives up those of a container's ports that `chosen` picks, and returns them.
    pub(crate) fn unpublish(
        &self,
        container: &ContainerId,
        chosen: impl Fn(&Published) -> bool,
    ) -> Vec<Published> {
        let mut state = self.state();
        let gone = drop_entries(&mut state, container, |entry| chosen(&entry.port));
        if let Err(error) = self.apply(&mut state, &[], &gone) {
            // The next change puts the table right as a whole.
            tracing::warn!(container = %container, error = %error::chain(&error), "published ports stay in the packet filter");
            state.in_kernel.clear();
        }
        drop(state);
        forget_flows(&gone);
        gone.into_iter().map(|entry| entry.port).collect()
    }

    /// Returns a container's ports, in the order in which they were published.
    pub(crate) fn of(&self, container: &ContainerId) -> Vec<Published> {
        let state = self.state();
        state.published.get(container).into_iter().flatten().map(|entry| entry.port).collect()
    }

    /// Learns after a restart of the engine what is published, and makes the packet filter agree.
    pub(crate) fn adopt(&self, found: Vec<(ContainerId, Target, Vec<Published>)>) -> Result<(), Error> {
        let mut state = self.state();
        for (container, target, ports) in found {
            for port in &ports {
                state.allocator.claim(&container, port.protocol, port.host);
            }
            let entries = ports.into_iter().map(|port| target.entry(port));
            state.published.entry(container).or_default().extend(entries);
        }
        state.in_kernel.clear();
        self.assert_locked(&mut state)
    }

    /// Puts the tables into the kernel again if somebody deleted them, or rules of them.
    pub(crate) fn repair(&self) -> Result<(), Error> {
        let refused = |source| Error::Netlink { what: "look at the packet filter", source };
        let mut state = self.state();
        let socket = Socket::netfilter().map_err(refused)?;
        for family in state.in_kernel.clone() {
            let rules = monitor::rules(&socket, family, &self.table, None).map_err(refused)?;
            if rules.len() < table::rule_count(family) {
                tracing::warn!(
                    table = self.table,
                    "another program deleted published ports from the packet filter; putting them back"
                );
                return self.assert_locked(&mut state);
            }
        }
        Ok(())
    }

    fn assert_locked(&self, state: &mut State) -> Result<(), Error> {
        let refused = |source| Error::Netlink { what: "publish ports in the packet filter", source };
        let all: Vec<Entry> = state.published.values().flatten().cloned().collect();
        let socket = Socket::netfilter().map_err(refused)?;
        state.in_kernel.clear();
        for family in [Family::Ip, Family::Ip6] {
            match table::plan(&self.table, family, &all) {
                Some(table) => {
                    map::replace(&socket, &table).map_err(refused)?;
                    state.in_kernel.push(family);
                }
                None => map::delete(&socket, family, &self.table).map_err(refused)?,
            }
        }
        Ok(())
    }

    /// Changes the packet filter by elements; if that cannot be done, replaces the table.
    fn apply(&self, state: &mut State, added: &[Entry], gone: &[Entry]) -> Result<(), Error> {
        let mut by_elements = true;
        let socket =
            Socket::netfilter().map_err(|source| Error::Netlink { what: "open a netlink socket", source })?;
        for family in [Family::Ip, Family::Ip6] {
            let changes = table::changes(family, added, gone);
            by_elements &= changes.is_empty()
                || state.in_kernel.contains(&family)
                    && map::change(&socket, family, &self.table, &changes).is_ok();
        }
        if by_elements { Ok(()) } else { self.assert_locked(state) }
    }

    fn reserve(
        &self,
        allocator: &mut Allocator,
        container: &ContainerId,
        target: &Target,
        request: &PortRequest,
    ) -> Result<Vec<Reserved>, Error> {
        let hosts = self.hosts(request);
        let range = request.host_ports.unwrap_or_else(ephemeral_range);
        let bind = |addresses: &[SocketAddr]| bind(request.protocol, addresses, range.0 == range.1);
        let allocated = allocator.allocate(container, request.protocol, &hosts, range, bind);
        let bound = allocated.map_err(|failure| explain(failure, request, target))?;
        let lead = |(host, socket): (SocketAddr, OwnedFd)| {
            let container_ip = target.address_for(host.ip()).ok_or(Error::NoAddressToPublish)?;
            let container = SocketAddr::new(container_ip, request.container_port);
            let port = Published { protocol: request.protocol, host, container };
            Ok(Reserved { port, socket })
        };
        bound.into_iter().map(lead).collect()
    }

    /// Returns the addresses of the host at which a port is published.
    fn hosts(&self, request: &PortRequest) -> Vec<IpAddr> {
        match request.host_ip.or(self.default_address) {
            Some(address) => vec![address],
            None if Path::new("/proc/net/if_inet6").exists() => {
                vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()]
            }
            None => vec![Ipv4Addr::UNSPECIFIED.into()],
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Target {
    /// Returns where a port of such an address leads: the same family if the container has it.
    fn address_for(&self, host: IpAddr) -> Option<IpAddr> {
        let v4 = self.v4.map(|(address, _)| IpAddr::V4(address));
        let v6 = self.v6.map(|(address, _)| IpAddr::V6(address));
        if host.is_ipv4() { v4.or(v6) } else { v6.or(v4) }
    }

    fn entry(&self, port: Published) -> Entry {
        let length = match port.container {
            SocketAddr::V4(_) => self.v4.map_or(32, |(_, length)| length),
            SocketAddr::V6(_) => self.v6.map_or(128, |(_, length)| length),
        };
        Entry { port, prefix_len: length }
    }
}

/// Has the kernel forget flows of datagrams to ports that lead elsewhere now: they would keep their old destination as
/// long as their senders send.
fn forget_flows(entries: &[Entry]) {
    let ports: Vec<Published> =
        entries.iter().map(|entry| entry.port).filter(|port| port.protocol == Protocol::Udp).collect();
    if ports.is_empty() {
        return;
    }
    let concerns = |flow: &Flow| {
        ports.iter().any(|port| {
            let is_here = port.host.ip().is_unspecified() || flow.to == port.host.ip();
            let is_ours = flow.answers_from == port.container.ip() || flow.answers_from == flow.to;
            flow.port == port.host.port() && is_here && is_ours
        })
    };
    let forget = || {
        let socket = Socket::netfilter()?;
        let mut flows = conntrack::datagram_flows(&socket)?;
        flows.retain(concerns);
        conntrack::forget(&socket, &flows)
    };
    if let Err(error) = forget() {
        tracing::warn!(error = %error::chain(&error), "datagrams of known senders may go astray for a while");
    }
}

/// Lets a container reach itself through its published ports where the kernel filters bridges: there a packet to a
/// container of the same bridge is bridged, not routed. Elsewhere nothing has to be done.
fn allow_hairpin(link: &str) -> Result<(), Error> {
    let filters = |name| {
        fs::read_to_string(format!("/proc/sys/net/bridge/{name}")).is_ok_and(|value| value.trim_end() == "1")
    };
    if !filters("bridge-nf-call-iptables") && !filters("bridge-nf-call-ip6tables") {
        return Ok(());
    }
    let refused = |source| Error::Netlink { what: "let a container reach its own published ports", source };
    Socket::route().and_then(|socket| socket.batch(&[netlink::link::set_hairpin(link)])).map_err(refused)
}

fn give_back<'a>(allocator: &mut Allocator, ports: impl Iterator<Item = &'a Published>) {
    for port in ports {
        allocator.release(port.protocol, port.host);
    }
}

/// Forgets some of a container's entries, and returns them.
fn drop_entries(state: &mut State, container: &ContainerId, chosen: impl Fn(&Entry) -> bool) -> Vec<Entry> {
    let Some(entries) = state.published.get_mut(container) else { return Vec::new() };
    let (gone, kept): (Vec<_>, Vec<_>) = entries.drain(..).partition(chosen);
    if kept.is_empty() {
        state.published.remove(container);
    } else {
        *entries = kept;
    }
    give_back(&mut state.allocator, gone.iter().map(|entry| &entry.port));
    gone
}

/// Binds a socket to each of the addresses. A host without IPv6 has no socket for its wildcard address.
fn bind(
    protocol: Protocol,
    addresses: &[SocketAddr],
    is_fixed: bool,
) -> Result<Vec<(SocketAddr, OwnedFd)>, (SocketAddr, sys::Error)> {
    let mut bound = Vec::new();
    for address in addresses {
        let deadline = Instant::now() + DYING;
        loop {
            match sys::inet::reserve(protocol.into(), *address) {
                Ok(socket) => bound.push((*address, socket)),
                Err(error) if is_optional(*address, &error) && addresses.len() > 1 => {}
                Err(error)
                    if is_fixed
                        && error.is(Errno::ADDRINUSE)
                        && Instant::now() < deadline
                        && Holder::find(protocol, *address).is_dying_supervisor() =>
                {
                    std::thread::sleep(Duration::from_millis(2));
                    continue;
                }
                Err(error) => return Err((*address, error)),
            }
            break;
        }
    }
    Ok(bound)
}

fn is_optional(address: SocketAddr, error: &sys::Error) -> bool {
    address.is_ipv6() && (error.is(Errno::AFNOSUPPORT) || error.is(Errno::ADDRNOTAVAIL))
}

/// Says why a port could not be reserved, and who has it.
fn explain(failure: Failure, request: &PortRequest, target: &Target) -> Error {
    let protocol = request.protocol;
    match failure {
        Failure::Taken { host, owner } => Error::PortTaken { host, owner },
        Failure::AllTaken { first, last } => Error::PortsExhausted { protocol, first, last },
        Failure::Refused { host, source }
            if source.is(Errno::PROTONOSUPPORT) || source.is(Errno::AFNOSUPPORT) =>
        {
            Error::ProtocolUnsupported { protocol, host, source }
        }
        Failure::Refused { host, source } => {
            let holder = match source.is(Errno::ADDRINUSE) {
                true => Holder::find(protocol, host),
                false => Holder::Unknown,
            };
            let container = target
                .address_for(host.ip())
                .map_or_else(String::new, |ip| SocketAddr::new(ip, request.container_port).to_string());
            let mapping = format!("{host}:{container}/{protocol}");
            Error::PortBind { mapping, holder: Box::new(holder), source }
        }
    }
}

/// Returns the range from which the kernel takes ports, which is what Docker takes them from.
fn ephemeral_range() -> (u16, u16) {
    let read = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut words = read.split_whitespace().map_while(|word| word.parse::<u16>().ok());
    match (words.next(), words.next()) {
        (Some(first), Some(last)) if 0 < first && first <= last => (first, last),
        _ => EPHEMERAL,
    }
}
