//! Descriptions of objects: indented JSON, compact JSON, or by template.

use gotmpl::{Functions, Missing, Null, Options, Shape, Template, Value};

use super::json;
use crate::failure::{Failure, Outcome};

/// How descriptions are shown.
pub(crate) enum Inspector {
    Indented(Vec<String>),
    Compact(Vec<String>),
    Template(Box<Templates>),
}

/// A template that is tried on Docker's types first, and on plain JSON then.
pub(crate) struct Templates {
    typed: Template,
    raw: Template,
    out: String,
}

impl Inspector {
    /// Reads the value of `--format`.
    pub(crate) fn parse(format: &str) -> Outcome<Self> {
        match format {
            "" => Ok(Self::Indented(Vec::new())),
            "json" => Ok(Self::Compact(Vec::new())),
            _ => {
                let failed =
                    |why: gotmpl::Error| Failure::new(format!("template parsing error: {why}")).with_code(64);
                let shape = Shape::Struct { type_name: "container.InspectResponse", null };
                let options = Options { shape, missing: Missing::NoValue, functions: Functions::Docker };
                let typed = Template::parse("", format, &options).map_err(failed)?;
                let options = Options { missing: Missing::Error, ..Options::default() };
                let raw = Template::parse("", format, &options).map_err(failed)?;
                Ok(Self::Template(Box::new(Templates { typed, raw, out: String::new() })))
            }
        }
    }

    /// Adds a description as the engine wrote it.
    pub(crate) fn add(&mut self, text: &str) -> Outcome {
        match self {
            Self::Indented(all) | Self::Compact(all) => all.push(text.trim().to_owned()),
            Self::Template(templates) => templates.add(text)?,
        }
        Ok(())
    }

    /// Returns everything that was added.
    pub(crate) fn finish(self) -> String {
        match self {
            Self::Indented(all) => json::indent(&format!("[{}]", all.join(","))) + "\n",
            Self::Compact(all) => json::compact(&format!("[{}]", all.join(","))) + "\n",
            Self::Template(templates) if templates.out.is_empty() => "\n".to_owned(),
            Self::Template(templates) => templates.out,
        }
    }
}

impl Templates {
    fn add(&mut self, text: &str) -> Outcome {
        let broken = |why| Failure::new(format!("unable to read inspect data: {why}"));
        let value = Value::from_json(text).map_err(broken)?;
        let shown = self
            .typed
            .execute(&value)
            .or_else(|_| self.typed.execute(&completed(&value)))
            .or_else(|_| self.raw.execute(&value));
        self.out.push_str(&shown.map_err(|why| Failure::new(format!("template parsing error: {why}")))?);
        self.out.push('\n');
        Ok(())
    }
}

/// Tells which of Go's zero values a null of this name is.
fn null(field: &str) -> Null {
    match field {
        "Labels" | "Volumes" | "ExposedPorts" | "PortBindings" | "Ports" | "Tmpfs" | "Sysctls"
        | "StorageOpt" | "Annotations" | "Networks" => Null::Map,
        "Health" | "Healthcheck" | "Init" | "StopTimeout" | "SizeRw" | "SizeRootFs" | "MemorySwappiness"
        | "OomKillDisable" | "PidsLimit" | "IPAMConfig" => Null::Pointer,
        "Data" => Null::Map,
        _ => Null::List,
    }
}

/// Members that Docker's types have and its JSON leaves out when they are empty: templates may ask for them.
const LEFT_OUT: &[(&str, &[&str])] = &[
    ("State", &["Health"]),
    ("Config", &["ExposedPorts", "Healthcheck", "StopTimeout", "Shell"]),
    ("HostConfig", &["Init", "Tmpfs", "Sysctls", "StorageOpt", "Annotations", "Mounts"]),
    ("", &["SizeRw", "SizeRootFs"]),
];

fn completed(value: &Value) -> Value {
    let Value::Map(members) = value else { return value.clone() };
    let mut members = members.clone();
    for (parent, names) in LEFT_OUT {
        let target = match *parent {
            "" => Some(&mut members),
            parent => {
                members.iter_mut().find(|(name, _)| name == parent).and_then(|(_, value)| match value {
                    Value::Map(members) => Some(members),
                    _ => None,
                })
            }
        };
        let Some(target) = target else { continue };
        for name in *names {
            if !target.iter().any(|(known, _)| known == name) {
                target.push(((*name).to_owned(), Value::Null));
            }
        }
    }
    Value::Map(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"{"Id":"abc","State":{"Status":"exited","ExitCode":3},"Config":{"Env":null,"Labels":{}},"Name":"/x"}"#;

    fn show(format: &str) -> Result<String, String> {
        let mut inspector = Inspector::parse(format).map_err(|f| f.text)?;
        inspector.add(JSON).map_err(|f| f.text)?;
        Ok(inspector.finish())
    }

    #[test]
    fn templates_see_what_docker_shows() {
        let cases = [
            ("{{.State.ExitCode}} {{.Name}}", "3 /x\n"),
            ("{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}", "none\n"),
            ("{{json .Config.ExposedPorts}}", "null\n"),
            ("{{.Config.Env}}", "[]\n"),
            ("{{json .State}}", "{\"Status\":\"exited\",\"ExitCode\":3}\n"),
        ];
        for (format, expected) in cases {
            assert_eq!(show(format).as_deref(), Ok(expected), "{format}");
        }
    }

    #[test]
    fn missing_member_is_an_error_with_gos_text() {
        let why = "template parsing error: template: :1:2: executing \"\" at <.Foo>: map has no entry for key \"Foo\"";
        assert_eq!(show("{{.Foo}}"), Err(why.to_owned()));
    }

    #[test]
    fn json_is_an_array() {
        assert_eq!(show("json"), Ok(format!("[{JSON}]\n")));
        assert!(show("").is_ok_and(|shown| shown.starts_with("[\n    {\n        \"Id\": \"abc\",\n")));
        assert_eq!(Inspector::parse("").map(Inspector::finish).map_err(|f| f.text), Ok("[]\n".to_owned()));
    }
}
