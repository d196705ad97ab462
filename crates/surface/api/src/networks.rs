//! `/networks`.

use crate::State;
use crate::convert::network as to_wire;
use crate::dispatch::Call;
use crate::error::invalid;
use crate::request::{self, Query};
use crate::respond::{self, Reply};
use ::events::{Event, Type};
use container::options::ListOptions;
use container::view::ContainerView;
use http::StatusCode;
use network::NetworkView;
use refs::{ContainerId, Filters, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;
use wire::network::{NetworkConnect, NetworkCreate, NetworkCreated, NetworkDisconnect};
use wire::other::NetworksPruned;

/// `GET /networks`.
pub(crate) async fn list(state: &State, call: &Call) -> Reply {
    let filters = Filters::parse(call.query.get("filters").unwrap_or_default())?;
    filters.validate(&["dangling", "driver", "id", "label", "name", "scope", "type"])?;
    let kinds: Vec<&str> = filters.get("type").collect();
    if let Some(unknown) = kinds.iter().find(|kind| !matches!(**kind, "builtin" | "custom")) {
        return Err(invalid(format!("invalid filter: 'type'='{unknown}'")).into());
    }
    let dangling = filters.get_bool("dangling")?;
    let mut networks = state.network.list();
    if dangling.is_some() {
        let containers = everybody(state).await?;
        let used =
            |network: &NetworkView| containers.iter().any(|view| view.networks.contains_key(&network.name));
        networks.retain(|network| dangling == Some(!network.is_predefined && !used(network)));
    }
    networks.retain(|network| matches(network, &filters));
    respond::ok(&networks.iter().map(|network| to_wire::network(network, None)).collect::<Vec<_>>())
}

async fn everybody(state: &State) -> Result<Vec<Arc<ContainerView>>, container::Error> {
    state.containers.list(ListOptions { all: true, ..Default::default() }).await
}

/// Tells whether a network passes the filters.
///
/// # Source
/// moby `daemon/network/filter.go`.
fn matches(network: &NetworkView, filters: &Filters) -> bool {
    filters.matches_exactly("driver", &network.driver)
        && filters.matches_pattern("name", &network.name)
        && filters.matches_prefix("id", network.id.as_str())
        && filters.matches_labels("label", &network.labels)
        && filters.matches_exactly("scope", "local")
        && filters.matches_exactly("type", if network.is_predefined { "builtin" } else { "custom" })
}

/// `GET /networks/{name}`: by name, id, or the beginning of an id.
pub(crate) async fn inspect(state: &State, name: &str, query: &Query) -> Reply {
    let network = state.network.inspect(name)?;
    if query.get("scope").is_some_and(|scope| !matches!(scope, "" | "local")) {
        return Err(network::Error::NotFound(name.to_owned()).into());
    }
    let names: BTreeMap<ContainerId, String> =
        everybody(state).await?.iter().map(|view| (view.id.clone(), view.name.clone())).collect();
    respond::ok(&to_wire::network(&network, Some(&names)))
}

/// `POST /networks/create`.
pub(crate) async fn create(state: &State, call: Call) -> Reply {
    let (head, body) = call.request.into_parts();
    let body: NetworkCreate = request::json(&head.headers, body).await?;
    let network = state.network.create(to_wire::create(body)).await?;
    publish(state, "create", &network);
    let created = NetworkCreated { id: network.id.as_str().to_owned(), warning: String::new() };
    Ok(respond::json(StatusCode::CREATED, &created))
}

/// `DELETE /networks/{name}`.
pub(crate) async fn remove(state: &State, name: &str) -> Reply {
    let network = state.network.remove(name).await?;
    publish(state, "destroy", &network);
    Ok(respond::empty(StatusCode::NO_CONTENT))
}

/// `POST /networks/{name}/connect`.
pub(crate) async fn connect(state: &State, name: &str, call: Call) -> Reply {
    let (head, body) = call.request.into_parts();
    let body: NetworkConnect = request::json(&head.headers, body).await?;
    let spec = to_wire::endpoint_spec(body.endpoint_config.unwrap_or_default())?;
    state.containers.connect(&body.container, name, spec).await?;
    Ok(respond::empty(StatusCode::OK))
}

/// `POST /networks/{name}/disconnect`.
pub(crate) async fn disconnect(state: &State, name: &str, call: Call) -> Reply {
    let (head, body) = call.request.into_parts();
    let body: NetworkDisconnect = request::json(&head.headers, body).await?;
    match state.containers.disconnect(&body.container, name).await {
        // By force also what is not there any more is disconnected.
        Err(container::Error::NoSuchContainer { .. })
            if body.force && state.network.inspect(name).is_ok() => {}
        other => other?,
    }
    Ok(respond::empty(StatusCode::OK))
}

/// `POST /networks/prune`.
pub(crate) async fn prune(state: &State, call: &Call) -> Reply {
    let filters = Filters::parse(call.query.get("filters").unwrap_or_default())?;
    filters.validate(&["label", "label!", "until"])?;
    let until = until(&filters)?;
    let chosen = move |network: &NetworkView| {
        until.is_none_or(|until| network.created <= until)
            && filters.matches_labels("label", &network.labels)
            && filters.matches_no_label("label!", &network.labels)
    };
    let removed = state.network.prune(chosen).await?;
    for network in &removed {
        publish(state, "destroy", network);
    }
    publish_prune(state);
    let names: Vec<String> = removed.into_iter().map(|network| network.name).collect();
    respond::ok(&NetworksPruned { networks_deleted: (!names.is_empty()).then_some(names) })
}

/// Reads the filter `until`: a time, or how long ago.
fn until(filters: &Filters) -> Result<Option<Timestamp>, crate::Error> {
    let values: Vec<&str> = filters.get("until").collect();
    match values[..] {
        [] => Ok(None),
        [text] => match Timestamp::parse_moment(text, Timestamp::from(SystemTime::now()), 0) {
            Ok(moment) => Ok(Some(moment)),
            Err(_) => Err(invalid(format!("failed to parse value as time or duration: {text:?}"))),
        },
        _ => Err(invalid("more than one until filter specified")),
    }
}

fn publish(state: &State, action: &str, network: &NetworkView) {
    let attributes = [("name", network.name.clone()), ("type", network.driver.clone())];
    state.events.publish(Event {
        kind: Type::Network,
        action: action.to_owned(),
        actor: network.id.as_str().to_owned(),
        attributes: attributes.map(|(key, value)| (key.to_owned(), value)).into(),
        time: Timestamp::from(SystemTime::now()),
    });
}

fn publish_prune(state: &State) {
    state.events.publish(Event {
        kind: Type::Network,
        action: "prune".to_owned(),
        actor: String::new(),
        attributes: BTreeMap::from([("reclaimed".to_owned(), "0".to_owned())]),
        time: Timestamp::from(SystemTime::now()),
    });
}
