//! The packet filter of the bridges. Pure.

use crate::Subnet;
use netlink::nft::{Chain, Expression, Family, Hook, Table};
use std::net::IpAddr;

/// What the packet filter has to know of a bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filtered {
    /// The device.
    pub(crate) device: String,
    pub(crate) subnets: Vec<Subnet>,
    pub(crate) internal: bool,
    pub(crate) inter_container: bool,
    pub(crate) masquerade: bool,
    /// The source addresses of what leaves, in the place of the link's.
    pub(crate) sources: Vec<IpAddr>,
    /// The families in which everybody may come in: IPv4, IPv6.
    pub(crate) unprotected: (bool, bool),
}

/// Returns a family's table of all bridges of an engine, whose default bridge gives it its name.
///
/// Known connections pass. From a bridge everything may leave but from an internal one; into a bridge comes what stays
/// on it (unless its containers may not see each other) and what goes to a published port. So bridges are apart from
/// each other too. Addresses of containers are hidden behind the host's. A table of another program that drops what
/// ours lets pass wins: in nf_tables a packet has to pass all.
///
/// What a bridge itself switches comes here only if br_netfilter is loaded: containers that may not see each other are
/// isolated ports too.
pub(crate) fn table(family: Family, default_bridge: &str, bridges: &[Filtered]) -> Table {
    let mut forward = vec![vec![Expression::KnownConnection, Expression::Accept]];
    forward.extend(bridges.iter().filter(|bridge| bridge.internal).flat_map(closed));
    forward.push(vec![Expression::DestinationTranslated, Expression::Accept]);
    forward.extend(bridges.iter().filter(|bridge| !bridge.internal).map(within));
    forward.extend(bridges.iter().filter(|bridge| !bridge.internal).map(|bridge| into(family, bridge)));
    let mut chains = vec![Chain { name: "forward".into(), hook: Hook::ForwardFilter, rules: forward }];
    let masquerade: Vec<_> =
        bridges.iter().filter(|bridge| !bridge.internal).flat_map(|bridge| leaving(family, bridge)).collect();
    if !masquerade.is_empty() {
        chains.push(Chain { name: "postrouting".into(), hook: Hook::PostroutingNat, rules: masquerade });
    }
    Table { name: name(default_bridge), chains }
}

/// Returns the table's name; the default bridge's tells engines on one host apart.
pub(crate) fn name(default_bridge: &str) -> String {
    format!("naru-{default_bridge}")
}

/// What stays on a bridge.
fn within(bridge: &Filtered) -> Vec<Expression> {
    let device = || bridge.device.clone();
    let verdict = if bridge.inter_container { Expression::Accept } else { Expression::Drop };
    vec![Expression::InputIs(device()), Expression::OutputIs(device()), verdict]
}

/// An internal bridge: nothing leaves, nothing comes in.
fn closed(bridge: &Filtered) -> [Vec<Expression>; 3] {
    let device = || bridge.device.clone();
    [
        within(bridge),
        vec![Expression::InputIs(device()), Expression::Drop],
        vec![Expression::OutputIs(device()), Expression::Drop],
    ]
}

/// What comes in from elsewhere.
fn into(family: Family, bridge: &Filtered) -> Vec<Expression> {
    let (ipv4, ipv6) = bridge.unprotected;
    let is_open = match family {
        Family::Ip => ipv4,
        Family::Ip6 => ipv6,
    };
    let verdict = if is_open { Expression::Accept } else { Expression::Drop };
    vec![Expression::OutputIs(bridge.device.clone()), verdict]
}

/// The source addresses of what leaves.
fn leaving(family: Family, bridge: &Filtered) -> Vec<Vec<Expression>> {
    let is_ipv4 = family == Family::Ip;
    let rule = |subnet: &Subnet| {
        let source = bridge.sources.iter().find(|source| source.is_ipv4() == is_ipv4);
        let become_other = source.map_or(Expression::Masquerade, |source| Expression::SourceBecomes(*source));
        vec![
            Expression::SourceIn(subnet.address, subnet.prefix_len),
            Expression::OutputIsNot(bridge.device.clone()),
            become_other,
        ]
    };
    let subnets = bridge.subnets.iter().filter(|subnet| bridge.masquerade && subnet.is_ipv4() == is_ipv4);
    subnets.map(rule).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bridge(device: &str) -> Filtered {
        Filtered {
            device: device.into(),
            subnets: vec!["10.0.0.0/24".parse().expect("valid"), "fd00::/64".parse().expect("valid")],
            internal: false,
            inter_container: true,
            masquerade: true,
            sources: Vec::new(),
            unprotected: (false, false),
        }
    }

    #[test]
    fn internal_bridges_are_closed_before_published_ports_pass() {
        let table = table(Family::Ip, "naru0", &[bridge("a"), Filtered { internal: true, ..bridge("b") }]);
        let forward = &table.chains[0].rules;
        let place = |wanted: &[Expression]| forward.iter().position(|rule| rule == wanted).expect("is there");
        let closed = place(&[Expression::OutputIs("b".into()), Expression::Drop]);
        let published = place(&[Expression::DestinationTranslated, Expression::Accept]);
        let dropped = place(&[Expression::OutputIs("a".into()), Expression::Drop]);
        assert!(closed < published && published < dropped, "{forward:?}");
        assert_eq!(table.chains[1].rules.len(), 1, "an internal bridge has nothing to masquerade");
    }

    #[test]
    fn source_address_takes_the_place_of_the_links() {
        let address: IpAddr = "192.0.2.7".parse().expect("valid");
        let from = Filtered { sources: vec![address], ..bridge("a") };
        assert_eq!(leaving(Family::Ip, &from)[0].last(), Some(&Expression::SourceBecomes(address)));
        assert_eq!(leaving(Family::Ip6, &from)[0].last(), Some(&Expression::Masquerade));
    }
}
