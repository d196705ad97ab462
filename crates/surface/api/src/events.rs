//! `/events`.

use crate::Server;
use crate::containers::moment;
use crate::dispatch::Call;
use crate::respond::{self, Reply};
use ::events::{Event, Query, SCOPE, Type};
use futures_util::stream;
use refs::Filters;
use std::sync::Arc;
use wire::event::{Actor, EventMessage};

/// Counts the clients that listen to events.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listeners(Arc<()>);

impl Listeners {
    /// Returns how many there are.
    pub(crate) fn count(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }
}

/// `GET /events`: the headers are sent at once, then one JSON line per event.
pub(crate) async fn events(server: &Server, call: &Call) -> Reply {
    let filters = Filters::parse(call.query.get("filters").unwrap_or_default())?;
    let query = Query::new(moment(&call.query, "since")?, moment(&call.query, "until")?, filters)?;
    let listening = (server.state.events.subscribe(query), server.listeners.clone());
    let lines = stream::unfold(listening, |(mut subscription, counted)| async move {
        let event = subscription.next().await?;
        Some((respond::line(&message(&event)), (subscription, counted)))
    });
    Ok(respond::stream("application/json", lines))
}

/// Returns an event as Docker sends it; containers and images have the members from before API 1.22 too.
fn message(event: &Event) -> EventMessage {
    let (status, id) = match event.kind {
        Type::Container | Type::Image => (event.action.clone(), event.actor.clone()),
        Type::Network | Type::Volume | Type::Daemon => Default::default(),
    };
    let from = match event.kind {
        Type::Container => event.attributes.get("image").cloned().unwrap_or_default(),
        Type::Image | Type::Network | Type::Volume | Type::Daemon => String::new(),
    };
    EventMessage {
        status,
        id,
        from,
        kind: event.kind.as_str().to_owned(),
        action: event.action.clone(),
        actor: Actor { id: event.actor.clone(), attributes: event.attributes.clone() },
        scope: SCOPE.to_owned(),
        time: event.time.seconds(),
        time_nano: event.time.nanos(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use refs::Timestamp;

    #[test]
    fn events_read_as_dockers() {
        let golden = include_str!("../../../words/wire/tests/golden/events.jsonl");
        let mut kinds = Vec::new();
        for line in golden.lines() {
            let docker: EventMessage = serde_json::from_str(line).unwrap();
            let kind = match docker.kind.as_str() {
                "container" => Type::Container,
                "image" => Type::Image,
                "network" => Type::Network,
                other => panic!("{other}"),
            };
            let event = Event {
                kind,
                action: docker.action.clone(),
                actor: docker.actor.id.clone(),
                attributes: docker.actor.attributes.clone(),
                time: Timestamp(docker.time_nano),
            };
            assert_eq!(serde_json::to_string(&message(&event)).unwrap(), line);
            kinds.push(kind);
        }
        assert!(
            kinds.contains(&Type::Container) && kinds.contains(&Type::Network),
            "the golden has both shapes"
        );
    }

    #[test]
    fn listeners_are_counted_while_they_live() {
        let listeners = Listeners::default();
        let one = listeners.clone();
        assert_eq!(listeners.count(), 1);
        drop(one);
        assert_eq!(listeners.count(), 0);
    }
}
