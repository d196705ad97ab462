//! Lists by template: `table`, `table TEMPLATE`, `json`, `raw`, or any template.

use gotmpl::{Functions, Missing, Null, Options, Shape, Template, Value};

use super::tabs;
use crate::failure::{Failure, Outcome};

/// What a kind of row has.
pub(crate) struct Columns {
    /// Docker's name of the type, for error texts.
    pub(crate) type_name: &'static str,
    /// Fields and their column headers.
    pub(crate) headers: &'static [(&'static str, &'static str)],
    /// Fields that Docker's type has, and that are never filled in here.
    pub(crate) nulls: &'static [&'static str],
}

/// The template that `json` stands for.
const WHOLE_ROW: &str = "{{json .}}";

/// A list about to be printed.
pub(crate) struct List {
    template: Template,
    text: String,
    table: bool,
    columns: &'static Columns,
    labels: Vec<String>,
}

impl List {
    /// Reads the value of `--format`.
    pub(crate) fn parse(format: &str, columns: &'static Columns) -> Outcome<Self> {
        let table = format.starts_with("table");
        let body = match format {
            "json" => WHOLE_ROW,
            _ => format.strip_prefix("table").unwrap_or(format),
        };
        let text = body.trim_matches(' ').replace("\\t", "\t").replace("\\n", "\n");
        let (text, labels) = take_labels(&text);
        let template = Template::parse("", &text, &options(columns, Functions::Docker))
            .map_err(|why| Failure::new(format!("failed to parse template: {why}")))?;
        Ok(Self { template, text, table, columns, labels })
    }

    /// Returns whether the template shows a field by name.
    pub(crate) fn mentions(&self, field: &str) -> bool {
        self.template.mentions(field)
    }

    /// Returns the printed list. Fields of a row are given by name; `label` tells a row's labels.
    pub(crate) fn render<'a, R>(
        &self,
        rows: impl IntoIterator<Item = (R, &'a dyn Fn(&str) -> String)>,
    ) -> Outcome<String>
    where
        R: IntoIterator<Item = (&'static str, String)>,
    {
        let mut out = String::new();
        if self.table {
            out.push_str(&self.header()?);
        }
        for (fields, label) in rows {
            let mut fields: Vec<(String, Value)> =
                fields.into_iter().map(|(name, value)| (name.to_owned(), Value::Text(value))).collect();
            fields.extend(self.columns.nulls.iter().map(|name| ((*name).to_owned(), Value::Null)));
            fields.sort_by(|a, b| a.0.cmp(&b.0));
            if !self.labels.is_empty() {
                let labels =
                    self.labels.iter().map(|name| (name.clone(), Value::Text(label(name)))).collect();
                fields.push(("Label".to_owned(), Value::Map(labels)));
            }
            let shown = self.template.execute(&Value::Map(fields)).map_err(failed)?;
            match self.text == WHOLE_ROW {
                // Docker's rows encode themselves, and Go's encoder escapes then.
                true => out.push_str(&wire::go::escape_html(&shown)),
                false => out.push_str(&shown),
            }
            out.push('\n');
        }
        Ok(if self.table { tabs::align(&out, tabs::TABLE) } else { out })
    }

    fn header(&self) -> Outcome<String> {
        let template =
            Template::parse("", &self.text, &options(self.columns, Functions::Header)).map_err(failed)?;
        let mut fields: Vec<(String, Value)> = self
            .columns
            .headers
            .iter()
            .map(|(field, header)| ((*field).to_owned(), Value::Text((*header).to_owned())))
            .collect();
        let labels = self.labels.iter().map(|name| (name.clone(), Value::Text(label_header(name)))).collect();
        fields.push(("Label".to_owned(), Value::Map(labels)));
        Ok(template.execute(&Value::Map(fields)).map_err(failed)? + "\n")
    }
}

fn failed(why: gotmpl::Error) -> Failure {
    Failure::new(format!("failed to execute template: {why}"))
}

fn options(columns: &Columns, functions: Functions) -> Options {
    let shape = Shape::Struct { type_name: columns.type_name, null: |_| Null::Pointer };
    Options { shape, missing: Missing::NoValue, functions }
}

/// Turns the method call `.Label "x"` into `index .Label "x"`, and collects the names.
fn take_labels(text: &str) -> (String, Vec<String>) {
    let mut out = String::new();
    let mut labels = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(".Label ") {
        let (before, call) = rest.split_at(at);
        out.push_str(before);
        let argument = call[".Label ".len()..].trim_start();
        let name = argument
            .chars()
            .next()
            .filter(|mark| matches!(mark, '"' | '`'))
            .and_then(|mark| argument[1..].split_once(mark).map(|(name, _)| name));
        match name {
            Some(name) => {
                labels.push(name.to_owned());
                out.push_str("index .Label ");
            }
            None => out.push_str(".Label "),
        }
        rest = &call[".Label ".len()..];
    }
    out.push_str(rest);
    (out, labels)
}

/// Returns a label's column header: its last part, with spaces.
fn label_header(name: &str) -> String {
    name.rsplit('.').next().unwrap_or(name).replace(['-', '_'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: Columns = Columns {
        type_name: "*formatter.TestContext",
        headers: &[("ID", "CONTAINER ID"), ("Names", "NAMES")],
        nulls: &["Platform"],
    };

    fn render(format: &str) -> Result<String, String> {
        let label: &dyn Fn(&str) -> String =
            &|name| if name == "com.example.some-team" { "red".to_owned() } else { String::new() };
        let row = |id: &str, name: &str| ([("ID", id.to_owned()), ("Names", name.to_owned())], label);
        List::parse(format, &COLUMNS)
            .and_then(|list| list.render([row("abc", "web"), row("def", "a-long-name")]))
            .map_err(|failure| failure.text)
    }

    #[test]
    fn formats_are_dockers() {
        let cases = [
            (
                "table {{.ID}}\\t{{.Names}}",
                "CONTAINER ID   NAMES\nabc            web\ndef            a-long-name\n",
            ),
            ("{{.Names}}", "web\na-long-name\n"),
            (
                "json",
                "{\"ID\":\"abc\",\"Names\":\"web\",\"Platform\":null}\n{\"ID\":\"def\",\"Names\":\"a-long-name\",\"Platform\":null}\n",
            ),
            ("{{json .Names}}", "\"web\"\n\"a-long-name\"\n"),
            ("table {{upper .Names}}", "NAMES\nWEB\nA-LONG-NAME\n"),
            ("x\\n{{.ID}}", "x\nabc\nx\ndef\n"),
        ];
        for (format, expected) in cases {
            assert_eq!(render(format).as_deref(), Ok(expected), "{format}");
        }
    }

    #[test]
    fn labels_are_asked_for_by_name() {
        let expected = "some team\nred\nred\n";
        assert_eq!(render("table {{.Label \"com.example.some-team\"}}").as_deref(), Ok(expected));
        assert_eq!(render("[{{.Label \"absent\"}}]").as_deref(), Ok("[]\n[]\n"));
    }

    #[test]
    fn mistakes_have_gos_texts() {
        let why = "failed to execute template: template: :1:2: executing \"\" at <.Foo>: \
                   can't evaluate field Foo in type *formatter.TestContext";
        assert_eq!(render("{{.Foo}}"), Err(why.to_owned()));
        assert_eq!(
            render("{{.ID"),
            Err("failed to parse template: template: :1: unclosed action".to_owned())
        );
    }
}
