//! `/networks`.

use crate::State;
use crate::convert::network as to_wire;
use crate::dispatch::Call;
use crate::respond::{self, Reply};
use container::options::ListOptions;
use network::NetworkView;
use refs::{ContainerId, Filters};
use std::collections::BTreeMap;

/// `GET /networks`.
pub(crate) async fn list(state: &State, call: &Call) -> Reply {
    let filters = Filters::parse(call.query.get("filters").unwrap_or_default())?;
    filters.validate(&["dangling", "driver", "id", "label", "name", "scope", "type"])?;
    let dangling = filters.get_bool("dangling")?;
    let mut networks = state.network.list();
    networks.retain(|network| matches(network, &filters, dangling));
    respond::ok(&networks.iter().map(|network| to_wire::network(network, None)).collect::<Vec<_>>())
}

/// Tells whether a network passes the filters.
///
/// # Source
/// moby `daemon/network/filter.go`. The three networks that exist are predefined: they are `builtin` and never dangling.
fn matches(network: &NetworkView, filters: &Filters, dangling: Option<bool>) -> bool {
    dangling != Some(true)
        && filters.matches_exactly("driver", &network.driver)
        && filters.matches_pattern("name", &network.name)
        && filters.matches_prefix("id", network.id.as_str())
        && filters.matches_labels("label", &BTreeMap::new())
        && filters.matches_exactly("scope", "local")
        && filters.matches_exactly("type", "builtin")
}

/// `GET /networks/{name}`: by name, id, or the beginning of an id.
pub(crate) async fn inspect(state: &State, name: &str) -> Reply {
    let network = state.network.inspect(name)?;
    let containers = state.containers.list(ListOptions { all: true, ..Default::default() }).await?;
    let names: BTreeMap<ContainerId, String> =
        containers.iter().map(|view| (view.id.clone(), view.name.clone())).collect();
    respond::ok(&to_wire::network(&network, Some(&names)))
}
