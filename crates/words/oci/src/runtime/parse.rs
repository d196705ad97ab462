//! A specification from its text, with errors that name the field and the rule.

use super::Spec;
use std::fmt;

/// What is wrong with the text of a specification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// The field's path, `linux.namespaces[2].type`; empty if the text is no JSON.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field.is_empty() {
            true => f.write_str(&self.reason),
            false => write!(f, "{}: {}", self.field, self.reason),
        }
    }
}

impl std::error::Error for ParseError {}

impl Spec {
    /// Reads the text of a `config.json`.
    ///
    /// # Errors
    /// The first field that is wrong, with the rule that it breaks.
    pub fn parse(text: &[u8]) -> Result<Self, ParseError> {
        from_json(text)
    }
}

/// Reads JSON of the specification: a configuration, a process, resources.
///
/// # Errors
/// The first field that is wrong, with the rule that it breaks.
pub fn from_json<T: serde::de::DeserializeOwned>(text: &[u8]) -> Result<T, ParseError> {
    serde_json::from_slice(text).map_err(|error| explain(text, &error))
}

/// Says which field of a text the error is about.
fn explain(text: &[u8], error: &serde_json::Error) -> ParseError {
    let message = error.to_string();
    if !error.is_data() {
        return ParseError { field: String::new(), reason: format!("is no JSON: {message}") };
    }
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
    let mut field = Walk::new(text, offset(text, error)).field();
    if let Some(name) = quoted(message, "missing field `") {
        if !field.is_empty() {
            field.push('.');
        }
        return ParseError { field: field + name, reason: "is missing".into() };
    }
    let reason = match quoted(message, "unknown variant `") {
        Some(value) if field.starts_with("linux.namespaces[") => format!("unknown namespace {value:?}"),
        Some(value) => {
            let rule = message.split_once(", expected ").map_or("", |(_, rule)| rule);
            format!("unknown value {value:?}, expected {}", rule.replace('`', ""))
        }
        None => message.to_owned(),
    };
    ParseError { field, reason }
}

fn quoted<'a>(message: &'a str, before: &str) -> Option<&'a str> {
    message.strip_prefix(before)?.split('`').next()
}

/// Returns how many bytes were read when the error was found.
fn offset(text: &[u8], error: &serde_json::Error) -> usize {
    let lines = text.split(|byte| *byte == b'\n').take(error.line().saturating_sub(1));
    lines.map(|line| line.len() + 1).sum::<usize>() + error.column()
}

enum Step {
    Key(String),
    Index(usize),
}

/// Walks through a valid text as far as it was read.
struct Walk<'a> {
    text: &'a [u8],
    end: usize,
    at: usize,
    path: Vec<Step>,
}

impl<'a> Walk<'a> {
    fn new(text: &'a [u8], end: usize) -> Self {
        Self { text, end, at: 0, path: Vec::new() }
    }

    /// Returns the path of the value that was read last.
    fn field(mut self) -> String {
        let _ = self.value(); // None where the end was reached, which is what is wanted.
        let mut field = String::new();
        for step in &self.path {
            match step {
                Step::Key(key) if field.is_empty() => field.push_str(key),
                Step::Key(key) => field.push_str(&format!(".{key}")),
                Step::Index(index) => field.push_str(&format!("[{index}]")),
            }
        }
        field
    }

    /// Goes over one value; none at the end of what was read, with the path left as it is there.
    fn value(&mut self) -> Option<()> {
        match self.peek()? {
            b'{' => self.object(),
            b'[' => self.array(),
            b'"' => self.string().map(drop),
            _ => {
                let rest = self.text.get(self.at..)?;
                let length = rest.iter().position(|byte| b",]} \t\r\n".contains(byte));
                self.at += length.unwrap_or(rest.len());
                self.reached()
            }
        }
    }

    fn object(&mut self) -> Option<()> {
        self.at += 1;
        self.reached()?;
        while self.peek()? != b'}' {
            let key = self.string_unchecked()?;
            self.path.push(Step::Key(key));
            self.reached()?;
            self.peek()?; // The colon.
            self.at += 1;
            self.value()?;
            self.path.pop();
            self.comma()?;
        }
        self.at += 1;
        self.reached()
    }

    fn array(&mut self) -> Option<()> {
        self.at += 1;
        self.reached()?;
        let mut index = 0;
        while self.peek()? != b']' {
            self.path.push(Step::Index(index));
            self.value()?;
            self.path.pop();
            self.comma()?;
            index += 1;
        }
        self.at += 1;
        self.reached()
    }

    fn comma(&mut self) -> Option<()> {
        if self.peek()? == b',' {
            self.at += 1;
        }
        Some(())
    }

    fn string(&mut self) -> Option<String> {
        let text = self.string_unchecked()?;
        self.reached().map(|()| text)
    }

    fn string_unchecked(&mut self) -> Option<String> {
        let start = self.at;
        self.at += 1;
        while *self.text.get(self.at)? != b'"' {
            self.at += if *self.text.get(self.at)? == b'\\' { 2 } else { 1 };
        }
        self.at += 1;
        serde_json::from_slice(self.text.get(start..self.at)?).ok()
    }

    /// Returns the next byte that is no space.
    fn peek(&mut self) -> Option<u8> {
        while self.text.get(self.at)?.is_ascii_whitespace() {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn reached(&self) -> Option<()> {
        (self.at < self.end).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_field_and_the_rule() {
        for (text, want) in [
            (
                r#"{"ociVersion":"1.0.0","linux":{"namespaces":[{"type":"pid"},{"type":"ipc"},{"type":"foo"}]}}"#,
                r#"linux.namespaces[2].type: unknown namespace "foo""#,
            ),
            (
                r#"{"ociVersion":"1.0.0","linux":{"namespaces":[{"path":"/x"}]}}"#,
                "linux.namespaces[0].type: is missing",
            ),
            ("{}", "ociVersion: is missing"),
            (
                "{\"ociVersion\":\"1.0.0\",\n \"process\": {\"cwd\": \"/\", \"user\": {\"uid\": -1, \"gid\": 0}}}",
                "process.user.uid: invalid value: integer `-1`, expected u32",
            ),
            (
                r#"{"ociVersion":"1.0.0","process":{"cwd":"/","args":["a",{"b":1}]}}"#,
                "process.args[1]: invalid type: map, expected a string",
            ),
            (
                r#"{"ociVersion":"1.0.0","mounts":[{"destination":"/a","options":"ro"}]}"#,
                "mounts[0].options: invalid type: string \"ro\", expected a sequence",
            ),
            (
                r#"{"ociVersion":"1.0.0","linux":{"seccomp":{"defaultAction":"X"}}}"#,
                "linux.seccomp.defaultAction: unknown value \"X\", expected one of SCMP_ACT_KILL, SCMP_ACT_KILL_THREAD, SCMP_ACT_KILL_PROCESS, SCMP_ACT_TRAP, SCMP_ACT_ERRNO, SCMP_ACT_TRACE, SCMP_ACT_ALLOW, SCMP_ACT_LOG, SCMP_ACT_NOTIFY",
            ),
            (
                r#"{"ociVersion":"1.0.0","linux":{"resources":{"pids":{"limit":"many"}}}}"#,
                "linux.resources.pids.limit: invalid type: string \"many\", expected i64",
            ),
            ("{", "is no JSON: EOF while parsing an object at line 1 column 1"),
            ("", "is no JSON: EOF while parsing a value at line 1 column 0"),
        ] {
            assert_eq!(
                Spec::parse(text.as_bytes()).map_err(|error| error.to_string()),
                Err(want.into()),
                "{text}"
            );
        }
    }

    #[test]
    fn walk_ends_on_any_text() {
        let text = br#"{"a":[1,{"b\"":"c"},null],"d":{}}"#;
        for end in 0..text.len() + 3 {
            let _ = Walk::new(text, end).field();
            let _ = Walk::new(text.get(..end).unwrap_or(text), end).field();
        }
    }
}
