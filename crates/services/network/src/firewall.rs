//! The packet filter of the bridge. Pure.

use crate::{NetworkConfig, Subnet};
use netlink::nft::{Chain, Expression, Hook, Table};

/// Returns the table of a bridge.
///
/// What comes from the bridge may pass, answers to it too; what wants to the bridge from elsewhere may not. Addresses
/// of containers are hidden behind the host's. A table of another program that drops what ours lets pass wins: in
/// nf_tables a packet has to pass all.
pub(crate) fn table(config: &NetworkConfig, subnet: Subnet) -> Table {
    let bridge = || config.bridge_name.clone();
    let forward = vec![
        // Published ports: whatever was translated to a container was meant to reach it.
        vec![Expression::OutputIs(bridge()), Expression::DestinationTranslated, Expression::Accept],
        vec![Expression::OutputIs(bridge()), Expression::KnownConnection, Expression::Accept],
        vec![Expression::InputIs(bridge()), Expression::Accept],
        vec![Expression::OutputIs(bridge()), Expression::Drop],
    ];
    let masquerade = vec![
        Expression::SourceIn(subnet.address, subnet.prefix_len),
        Expression::OutputIsNot(bridge()),
        Expression::Masquerade,
    ];
    let mut chains = vec![Chain { name: "forward".into(), hook: Hook::ForwardFilter, rules: forward }];
    if config.ip_masq {
        chains.push(Chain {
            name: "postrouting".into(),
            hook: Hook::PostroutingNat,
            rules: vec![masquerade],
        });
    }
    Table { name: name(config), chains }
}

/// Returns the table's name, with which the names of all our tables begin.
pub(crate) fn name(config: &NetworkConfig) -> String {
    format!("naru-{}", config.bridge_name)
}
