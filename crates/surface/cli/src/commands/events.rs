//! `naru events`.

use gotmpl::{Missing, Null, Options, Shape, Template, Value};
use wire::event::EventMessage;

use super::logs::moment;
use super::ps::{filters, filters_json};
use crate::command::{Arity, Command, Run};
use crate::context::{Context, line};
use crate::failure::{Failure, Outcome};
use crate::flags::{Flag, Matches};
use crate::format::INSPECT_HELP;
use crate::format::zone::Zone;
use crate::run::check;

/// `naru events`.
pub(crate) const EVENTS: Command = Command {
    also: &["system events", "events"],
    flags: &[
        Flag::many("filter", "filter", "Filter output based on conditions provided")
            .short('f')
            .check(check::filter),
        Flag::one("format", "string", INSPECT_HELP),
        Flag::one("since", "string", "Show all events created since timestamp"),
        Flag::one("until", "string", "Stream events until this timestamp"),
    ],
    ..Command::new("[OPTIONS]", "Get real time events from the server", Arity::None, events)
};

fn events<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(work(context, flags))
}

async fn work(context: &Context, flags: &Matches) -> Outcome {
    let show = Show::parse(flags.text("format"))?;
    let (since, until) = (moment(flags, "since")?, moment(flags, "until")?);
    let filters = filters_json(&filters(flags)?);
    let zone = Zone::local();
    let mut events = context.engine().await?.events(&since, &until, &filters).await?;
    while let Some(event) = events.next().await? {
        line(&show.event(&event, &zone)?)?;
    }
    Ok(())
}

/// How events are shown.
enum Show {
    Lines,
    Json,
    Template(Template),
}

impl Show {
    fn parse(format: &str) -> Outcome<Self> {
        match format {
            "" => return Ok(Self::Lines),
            "json" | "{{json .}}" => return Ok(Self::Json),
            _ => {}
        }
        let shape = Shape::Struct { type_name: "*events.Message", null: |_| Null::Map };
        let options = Options { shape, missing: Missing::NoValue, ..Options::default() };
        let failed = |why: gotmpl::Error| Failure::new(format!("Error parsing format: {why}")).with_code(64);
        let template = Template::parse("", format, &options).map_err(failed)?;
        // A mistyped field is found before the first event comes.
        template.execute(&value(&EventMessage::default())).map_err(failed)?;
        Ok(Self::Template(template))
    }

    fn event(&self, event: &EventMessage, zone: &Zone) -> Outcome<String> {
        match self {
            Self::Lines => Ok(shown(event, zone)),
            Self::Json => serde_json::to_string(event)
                .map_err(|why| Failure::new(format!("cannot write an event as JSON: {why}"))),
            Self::Template(template) => {
                template.execute(&value(event)).map_err(|why| Failure::new(why.to_string()))
            }
        }
    }
}

/// Returns the event as Go's client has it, for templates: members have their Go names.
fn value(event: &EventMessage) -> Value {
    let text = |text: &str| Value::Text(text.to_owned());
    let attributes = event.actor.attributes.iter().map(|(name, value)| (name.clone(), text(value))).collect();
    let actor =
        vec![("ID".to_owned(), text(&event.actor.id)), ("Attributes".to_owned(), Value::Map(attributes))];
    let members = [
        ("Status", text(&event.status)),
        ("ID", text(&event.id)),
        ("From", text(&event.from)),
        ("Type", text(&event.kind)),
        ("Action", text(&event.action)),
        ("Actor", Value::Map(actor)),
        ("Scope", text(&event.scope)),
        ("Time", Value::Int(event.time)),
        ("TimeNano", Value::Int(event.time_nano)),
    ];
    Value::Map(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// Returns the line that stands for an event.
fn shown(event: &EventMessage, zone: &Zone) -> String {
    let time_ns =
        if event.time_nano != 0 { event.time_nano } else { event.time.saturating_mul(1_000_000_000) };
    let mut out = String::new();
    if time_ns != 0 {
        let offset_s = zone.at(time_ns.div_euclid(1_000_000_000)).offset_s;
        out.push_str(&refs::Timestamp(time_ns).rfc3339_fixed_at(offset_s));
        out.push(' ');
    }
    out.push_str(&format!("{} {} {}", event.kind, event.action, event.actor.id));
    if !event.actor.attributes.is_empty() {
        let attributes: Vec<String> =
            event.actor.attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
        out.push_str(&format!(" ({})", attributes.join(", ")));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use wire::event::Actor;

    fn event() -> EventMessage {
        let attributes =
            BTreeMap::from([("name".to_owned(), "web".to_owned()), ("image".to_owned(), "x".to_owned())]);
        EventMessage {
            kind: "container".into(),
            action: "die".into(),
            actor: Actor { id: "abc".into(), attributes },
            time: 1_700_000_000,
            time_nano: 1_700_000_000_000_000_001,
            ..EventMessage::default()
        }
    }

    #[test]
    fn line_is_dockers() {
        let expected = "2023-11-14T22:13:20.000000001Z container die abc (image=x, name=web)";
        assert_eq!(shown(&event(), &Zone::default()), expected);
    }

    #[test]
    fn templates_use_gos_names() {
        let show = |format: &str| {
            Show::parse(format).and_then(|show| show.event(&event(), &Zone::default())).map_err(|f| f.code)
        };
        let shown = show("{{.Type}} {{.Actor.Attributes.name}} {{.TimeNano}}");
        assert_eq!(shown.as_deref(), Ok("container web 1700000000000000001"));
        assert_eq!(show("{{.Foo}}"), Err(64));
        assert!(
            show("json").is_ok_and(|json| json.starts_with("{\"Type\":\"container\",\"Action\":\"die\","))
        );
    }
}
