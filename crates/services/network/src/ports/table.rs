//! The packet filter's table of published ports. Pure.
//!
//! ```text
//! table ip naru-<bridge>-ports {
//!   map any    { protocol . port : address . port }             published at 0.0.0.0
//!   map exact  { address . protocol . port : address . port }   published at one address
//!   set networks { addresses }                                  networks that have such containers
//!   prerouting, output:  a local destination that is not 127.0.0.0/8 is looked up in exact, then in any
//!   postrouting:         what containers send through a published port comes back through the host: masqueraded
//! }
//! ```
//! Ports of the loopback are no elements: connections to it are relayed. So no packet from outside can reach them, which
//! with a translation would need a rule against it.

use super::Published;
use netlink::nft::map::{Change, Element, Set, SetKind, Table, translating_chains};
use netlink::nft::{Chain, Expression, Family, Hook};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

const ANY: &str = "any";
const EXACT: &str = "exact";
const NETWORKS: &str = "networks";

/// A published port, and how long the network's part is of the address that it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) port: Published,
    pub(super) prefix_len: u8,
}

/// Returns the table's name; the bridge's tells engines on one host apart.
pub(super) fn name(bridge: &str) -> String {
    format!("naru-{bridge}-ports")
}

/// Returns the table of a family, or none if nothing is to be translated.
pub(super) fn plan(name: &str, family: Family, entries: &[Entry]) -> Option<Table> {
    let parts = parts(family, entries);
    if parts.is_empty() {
        return None;
    }
    let set = |name: &str, kind, elements| Set { name: name.to_owned(), kind, elements };
    let Parts { any, exact, networks } = parts;
    let sets = vec![
        set(ANY, SetKind::Port, any),
        set(EXACT, SetKind::AddressPort, exact),
        set(NETWORKS, SetKind::Network, networks),
    ];
    Some(Table { family, name: name.to_owned(), sets, chains: chains(family) })
}

/// Returns how many rules a family's table has.
pub(super) fn rule_count(family: Family) -> usize {
    chains(family).iter().map(|chain| chain.rules.len()).sum()
}

fn chains(family: Family) -> Vec<Chain> {
    let loopback = match family {
        Family::Ip => {
            vec![vec![Expression::DestinationIn(Ipv4Addr::new(127, 0, 0, 0), 8), Expression::Return]]
        }
        Family::Ip6 => Vec::new(), // A packet for ::1 from outside never gets so far.
    };
    let mut chains = translating_chains(ANY, EXACT, &loopback);
    let rule = vec![
        Expression::DestinationTranslated,
        Expression::SourceInSet(NETWORKS.to_owned()),
        Expression::Masquerade,
    ];
    chains.push(Chain { name: "postrouting".to_owned(), hook: Hook::PostroutingNat, rules: vec![rule] });
    chains
}

/// Returns how a family's sets change. Networks stay: one without such containers does no harm.
pub(super) fn changes(family: Family, added: &[Entry], gone: &[Entry]) -> Vec<Change> {
    let (added, gone) = (parts(family, added), parts(family, gone));
    let add = |set: &str, elements| Change::Add { set: set.to_owned(), elements };
    let remove = |set: &str, elements| Change::Remove { set: set.to_owned(), elements };
    [
        remove(ANY, gone.any),
        remove(EXACT, gone.exact),
        add(NETWORKS, added.networks),
        add(ANY, added.any),
        add(EXACT, added.exact),
    ]
    .into_iter()
    .filter(|change| match change {
        Change::Add { elements, .. } | Change::Remove { elements, .. } => !elements.is_empty(),
    })
    .collect()
}

#[derive(Default)]
struct Parts {
    any: Vec<Element>,
    exact: Vec<Element>,
    networks: Vec<Element>,
}

impl Parts {
    fn is_empty(&self) -> bool {
        self.any.is_empty() && self.exact.is_empty()
    }
}

/// Returns the elements of those entries that a family's table translates.
fn parts(family: Family, entries: &[Entry]) -> Parts {
    let is_of = |address: IpAddr| match family {
        Family::Ip => address.is_ipv4(),
        Family::Ip6 => address.is_ipv6(),
    };
    let mut parts = Parts::default();
    let mut networks = BTreeSet::new();
    for Entry { port, prefix_len } in entries {
        let (host, to) = (port.host, port.container);
        if !is_of(host.ip()) || !is_of(to.ip()) || host.ip().is_loopback() {
            continue;
        }
        let protocol = sys::inet::Transport::from(port.protocol).number();
        match host.ip().is_unspecified() {
            true => parts.any.push(Element::port(protocol, host.port(), to)),
            false => parts.exact.push(Element::address_port(protocol, host, to)),
        }
        networks.insert(Element::network(to.ip(), *prefix_len));
    }
    parts.networks = networks.into_iter().flatten().collect();
    parts
}
