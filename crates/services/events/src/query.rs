//! Which events a subscription wants.
//!
//! # Source
//! moby `daemon/events/filter.go`.

use crate::error::Error;
use crate::event::{Event, SCOPE, Type};
use refs::{Filters, Timestamp};

/// The filters that events have.
pub const FILTERS: [&str; 14] = [
    "config",
    "container",
    "daemon",
    "event",
    "image",
    "label",
    "network",
    "node",
    "plugin",
    "scope",
    "secret",
    "service",
    "type",
    "volume",
];

/// Filters that compare with the beginning of the actor's id or name.
const BY_NAME: [&str; 9] =
    ["config", "container", "daemon", "network", "node", "plugin", "secret", "service", "volume"];

/// Actions whose text goes on after a colon.
const WITH_DETAILS: [&str; 3] = ["health_status", "exec_create", "exec_start"];

/// Which events a subscription wants.
#[derive(Clone, Debug)]
pub struct Query {
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    filters: Filters,
}

impl Query {
    /// Returns a query for the events from `since` to `until`. Without both, for those from now on; with `since` alone, for
    /// those from then and all to come; with `until` alone, for all up to then.
    ///
    /// # Errors
    /// `InvalidArgument` for a filter that is not among [`FILTERS`], and for a period that ends before it begins.
    pub fn new(since: Option<Timestamp>, until: Option<Timestamp>, filters: Filters) -> Result<Self, Error> {
        filters.validate(&FILTERS)?;
        if let (Some(since), Some(until)) = (since, until)
            && since > until
        {
            return Err(Error::Period { since, until });
        }
        Ok(Self { since, until, filters })
    }

    /// The moment from which events are wanted; none if no past ones are.
    pub(crate) fn past(&self) -> Option<Timestamp> {
        self.since.or(self.until.map(|_| Timestamp(i64::MIN)))
    }

    pub(crate) fn until(&self) -> Option<Timestamp> {
        self.until
    }

    pub(crate) fn accepts(&self, event: &Event) -> bool {
        self.since.is_none_or(|since| event.time >= since)
            && self.until.is_none_or(|until| event.time <= until)
            && self.passes_filters(event)
    }

    fn passes_filters(&self, event: &Event) -> bool {
        let filters = &self.filters;
        if filters.is_empty() {
            return true;
        }
        let name = event.attributes.get("name").map_or("", String::as_str);
        self.passes_action(event)
            && filters.matches_exactly("type", event.kind.as_str())
            && filters.matches_exactly("scope", SCOPE)
            && BY_NAME.iter().all(|filter| {
                filters.matches_prefix(filter, &event.actor) || filters.matches_prefix(filter, name)
            })
            && self.passes_image(event)
            && filters.matches_labels("label", &event.attributes)
    }

    fn passes_action(&self, event: &Event) -> bool {
        if self.filters.get("event").any(|wanted| WITH_DETAILS.contains(&wanted)) {
            return self.filters.matches_prefix("event", &event.action);
        }
        self.filters.matches_exactly("event", &event.action)
    }

    fn passes_image(&self, event: &Event) -> bool {
        let attribute = if event.kind == Type::Image { "name" } else { "image" };
        let image = event.attributes.get(attribute).map_or("", String::as_str);
        [event.actor.as_str(), image, &without_tag(&event.actor), &without_tag(image)]
            .iter()
            .any(|name| self.filters.matches_exactly("image", name))
    }
}

/// The familiar repository of an image name; the name itself if it is none.
fn without_tag(image: &str) -> String {
    refs::Reference::parse(image).map_or_else(|_| image.into(), |reference| reference.familiar_name())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: Type, action: &str, attributes: &[(&str, &str)]) -> Event {
        Event {
            kind,
            action: action.into(),
            actor: "abcdef".into(),
            attributes: attributes.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
            time: Timestamp(5),
        }
    }

    fn accepts(filters: &str, event: &Event) -> bool {
        Query::new(None, None, Filters::parse(filters).unwrap()).unwrap().accepts(event)
    }

    #[test]
    fn filters_match_as_dockers_do() {
        let start =
            event(Type::Container, "start", &[("name", "web"), ("image", "busybox:1"), ("tier", "front")]);
        let exec = event(Type::Container, "exec_create: sh -c true", &[("name", "web")]);
        let cases = [
            ("{}", &start, true),
            (r#"{"type":["container"]}"#, &start, true),
            (r#"{"type":["image"]}"#, &start, false),
            (r#"{"event":["start","stop"]}"#, &start, true),
            (r#"{"event":["sta"]}"#, &start, false),
            (r#"{"event":["exec_create"]}"#, &exec, true),
            (r#"{"event":["exec_create","sta"]}"#, &start, true),
            (r#"{"container":["abc"]}"#, &start, true),
            (r#"{"container":["web"]}"#, &start, true),
            (r#"{"container":["db"]}"#, &start, false),
            (r#"{"image":["busybox"]}"#, &start, true),
            (r#"{"image":["busybox:1"]}"#, &start, true),
            (r#"{"image":["busybox:2"]}"#, &start, false),
            (r#"{"label":["tier=front"]}"#, &start, true),
            (r#"{"label":["tier"]}"#, &start, true),
            (r#"{"label":["tier=back"]}"#, &start, false),
            (r#"{"scope":["local"]}"#, &start, true),
            (r#"{"scope":["swarm"]}"#, &start, false),
            (r#"{"network":["x"]}"#, &start, false),
        ];
        for (filters, event, accepted) in cases {
            assert_eq!(accepts(filters, event), accepted, "{filters}");
        }
        let pull = event(Type::Image, "pull", &[("name", "a/b:c")]);
        assert!(accepts(r#"{"image":["a/b"]}"#, &pull) && !accepts(r#"{"image":["a"]}"#, &pull));
    }

    #[test]
    fn query_refuses_unknown_filters_and_backward_periods() {
        let unknown = Filters::parse(r#"{"foo":["x"]}"#).unwrap();
        assert_eq!(Query::new(None, None, unknown).unwrap_err().to_string(), "invalid filter 'foo'");
        let error =
            Query::new(Some(Timestamp(2_000_000_000)), Some(Timestamp(0)), Filters::default()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`since` time (1970-01-01T00:00:02Z) cannot be after `until` time (1970-01-01T00:00:00Z)"
        );
    }
}
