//! The tag of log entries: a template over what a container is.
//!
//! # Source
//! moby daemon/logger/loggerutils/log_tag.go, daemon/logger/loginfo.go.

use crate::record::Record;
use gotmpl::{Error, Functions, Missing, Null, Options, Shape, Template, Value};
use refs::Timestamp;

/// The tag of entries that are sent elsewhere, if the user names none.
pub(crate) const DEFAULT: &str = "{{.ID}}";

/// Reads a template.
pub(crate) fn parse(template: &str) -> Result<Template, Error> {
    let options = Options {
        shape: Shape::Struct { type_name: "*logger.Info", null: |_| Null::Untyped },
        missing: Missing::NoValue,
        functions: Functions::Docker,
    };
    Template::parse("log-tag", template, &options)
}

/// Returns what a template says of a container.
///
/// # Errors
/// Go's text.
pub(crate) fn tag(template: &str, record: &Record) -> Result<String, Error> {
    parse(template)?.execute(&facts(record))
}

fn facts(record: &Record) -> Value {
    let image_id = record.image.id.as_str();
    let (entrypoint, arguments) =
        record.command.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
    let json = serde_json::json!({
        "ID": record.id.get(..12).unwrap_or(&record.id),
        "FullID": record.id,
        "Name": record.name,
        "ImageID": image_id.split(':').next_back().unwrap_or_default().get(..12).unwrap_or_default(),
        "ImageFullID": image_id,
        "ImageName": record.config.image,
        "Command": record.command.join(" "),
        "Hostname": crate::log_tag::host(),
        "DaemonName": "docker",
        "ContainerID": record.id,
        "ContainerName": format!("/{}", record.name),
        "ContainerEntrypoint": entrypoint,
        "ContainerArgs": arguments,
        "ContainerImageID": image_id,
        "ContainerImageName": record.config.image,
        "ContainerCreated": Timestamp(record.created_at).rfc3339(),
        "ContainerEnv": record.config.env,
        "ContainerLabels": record.config.labels,
        "Config": record.host.log.options,
    });
    Value::from_json(&json.to_string()).expect("it was JSON a line ago")
}

/// Returns the host's name.
pub(crate) fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_know_dockers_fields() {
        let record = crate::record::testing::example();
        let say = |template: &str| tag(template, &record).map_err(|error| error.to_string());
        assert_eq!(say("{{.Name}}/{{.ID}}"), Ok("web/aaaaaaaaaaaa".to_owned()));
        assert_eq!(say("{{.ImageName}} {{.Command}} {{.ContainerName}}"), Ok("busybox sh /web".to_owned()));
        let text = "template: log-tag:1:2: executing \"log-tag\" at <.Foo>: can't evaluate field Foo in type *logger.Info";
        assert_eq!(say("{{.Foo}}"), Err(text.to_owned()));
        assert_eq!(say("{{"), Err("template: log-tag:1: unclosed action".to_owned()));
    }
}
