//! Living with iptables: where its FORWARD chain drops by policy (a Docker engine, ufw), what we let pass would be lost.
//!
//! In nf_tables a packet has to pass all tables. So our bridges are let pass there, by two rules in front of the others;
//! what may really pass is decided by our own table, which sees the same packets. Nothing else of that table is touched,
//! and a host whose FORWARD chain accepts by policy is left alone.

use crate::Error;
use netlink::Socket;
use netlink::nft::{self, Expression, Family, monitor};

const TABLE: &str = "filter";
const CHAIN: &str = "FORWARD";

/// Lets packets of a bridge pass the FORWARD chain of iptables, if that drops by policy and does not let them pass yet.
pub(crate) fn let_pass(socket: &Socket, bridge: &str) -> Result<(), Error> {
    let refused = |source| Error::Netlink { what: "let the bridge's packets pass iptables", source };
    for family in [Family::Ip, Family::Ip6] {
        let drops = monitor::drops_by_policy(socket, family, TABLE, CHAIN).map_err(refused)?;
        if drops != Some(true) {
            continue;
        }
        let comment = format!("naru {bridge}");
        let rules = monitor::rules(socket, family, TABLE, Some(CHAIN)).map_err(refused)?;
        if rules.iter().any(|rule| rule.comment.as_deref() == Some(comment.as_str())) {
            continue;
        }
        tracing::info!(
            bridge,
            "iptables drops forwarded packets by policy; letting those of the bridge pass"
        );
        let pass = [
            vec![Expression::InputIs(bridge.to_owned()), Expression::Accept],
            vec![Expression::OutputIs(bridge.to_owned()), Expression::Accept],
        ];
        nft::insert(socket, family, TABLE, CHAIN, &comment, &pass).map_err(refused)?;
    }
    Ok(())
}
