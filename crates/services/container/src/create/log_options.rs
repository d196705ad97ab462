//! Options of the log driver.

use crate::Error;
use crate::spec::{Config, LogConfig};
use refs::{ByteSize, Pattern};
use std::collections::BTreeMap;
use std::path::Path;

/// Options of json-file that Docker knows.
const KNOWN: [&str; 8] =
    ["max-size", "max-file", "compress", "labels", "labels-regex", "env", "env-regex", "tag"];

/// Docker's drivers that do not exist here yet.
const MISSING_DRIVERS: [&str; 9] =
    ["local", "journald", "syslog", "gelf", "fluentd", "awslogs", "splunk", "gcplogs", "etwlogs"];

/// Returns what the supervisor is told about the log at `path`.
///
/// # Errors
/// InvalidArgument for unknown drivers, options and values; Unimplemented for those of Docker that are missing here.
pub(crate) fn log(wanted: &LogConfig, config: &Config, path: &Path) -> Result<shimwire::Log, Error> {
    match wanted.driver.as_str() {
        "json-file" => json_file(&wanted.options, config, path),
        "none" => Ok(shimwire::Log::None),
        driver if MISSING_DRIVERS.contains(&driver) => Err(Error::unimplemented(format!(
            "the log driver {driver} is not implemented: use json-file or none"
        ))),
        driver => Err(Error::invalid(format!(
            "error looking up logging plugin {driver}: plugin \"{driver}\" not found"
        ))),
    }
}

fn json_file(
    options: &BTreeMap<String, String>,
    config: &Config,
    path: &Path,
) -> Result<shimwire::Log, Error> {
    if let Some(name) = options.keys().find(|name| !KNOWN.contains(&name.as_str())) {
        return Err(Error::invalid(format!("unknown log opt '{name}' for json-file log driver")));
    }
    let option = |name: &str| options.get(name).map(String::as_str);
    let max_size_bytes = match option("max-size") {
        None | Some("-1") => 0,
        Some(text) => {
            ByteSize::parse_decimal(text).map_err(|error| bad("max-size", text, &error.to_string()))?.0
        }
    };
    let max_files = match option("max-file") {
        None => 1,
        Some(text) => match text.parse::<u32>() {
            Ok(0) => return Err(Error::invalid("max-file cannot be less than 1")),
            Ok(count) => count,
            Err(error) => return Err(bad("max-file", text, &error.to_string())),
        },
    };
    if max_files > 1 && max_size_bytes == 0 {
        return Err(Error::invalid("invalid max-file option: max-file cannot be used without max-size"));
    }
    if !matches!(option("compress"), None | Some("false")) {
        return Err(Error::unimplemented(
            "log-opt compress is not implemented: rotated logs stay uncompressed",
        ));
    }
    if option("tag").is_some_and(|tag| !tag.is_empty()) {
        return Err(Error::unimplemented("log-opt tag is not implemented"));
    }
    let attrs = attributes(options, config)?;
    Ok(shimwire::Log::JsonFile { path: path.to_owned(), max_size_bytes, max_files, compress: false, attrs })
}

/// Returns the labels and variables that each log entry carries.
fn attributes(
    options: &BTreeMap<String, String>,
    config: &Config,
) -> Result<BTreeMap<String, String>, Error> {
    let mut attrs = BTreeMap::new();
    let variables = config.env.iter().filter_map(|entry| entry.split_once('='));
    let labels = config.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    select(options, "labels", labels, &mut attrs)?;
    select(options, "env", variables, &mut attrs)?;
    Ok(attrs)
}

fn select<'a>(
    options: &BTreeMap<String, String>,
    kind: &str,
    values: impl Iterator<Item = (&'a str, &'a str)>,
    attrs: &mut BTreeMap<String, String>,
) -> Result<(), Error> {
    let names: Vec<&str> = options.get(kind).map(|text| text.split(',').collect()).unwrap_or_default();
    let expression = format!("{kind}-regex");
    let pattern = match options.get(&expression) {
        Some(text) => Some(Pattern::parse(text).map_err(|error| bad(&expression, text, &error.to_string()))?),
        None => None,
    };
    for (name, value) in values {
        let is_wanted =
            names.contains(&name) || pattern.as_ref().is_some_and(|pattern| pattern.is_found_in(name));
        if is_wanted {
            attrs.insert(name.to_owned(), value.to_owned());
        }
    }
    Ok(())
}

fn bad(name: &str, value: &str, reason: &str) -> Error {
    Error::invalid(format!("invalid value for {name}: '{value}': {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use shimwire::Log;

    fn parse(driver: &str, options: &[(&str, &str)]) -> Result<Log, Error> {
        let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let config = Config {
            env: vec!["A=1".into(), "AB=2".into(), "C=3".into()],
            labels: [("tier".to_owned(), "web".to_owned()), ("x".to_owned(), "y".to_owned())].into(),
            ..Config::default()
        };
        log(&LogConfig { driver: driver.into(), options }, &config, Path::new("/log"))
    }

    fn file(max_size_bytes: u64, max_files: u32, attrs: &[(&str, &str)]) -> Log {
        let attrs = attrs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Log::JsonFile { path: "/log".into(), max_size_bytes, max_files, compress: false, attrs }
    }

    #[test]
    fn options_of_json_file_are_understood() {
        let cases: [(&[(&str, &str)], Log); 5] = [
            (&[], file(0, 1, &[])),
            (&[("max-size", "10m"), ("max-file", "3")], file(10_000_000, 3, &[])),
            (&[("max-size", "-1"), ("compress", "false")], file(0, 1, &[])),
            (&[("labels", "tier,none"), ("env", "C")], file(0, 1, &[("C", "3"), ("tier", "web")])),
            (&[("env-regex", "^A")], file(0, 1, &[("A", "1"), ("AB", "2")])),
        ];
        for (options, expected) in cases {
            assert_eq!(parse("json-file", options).unwrap(), expected, "{options:?}");
        }
        assert_eq!(parse("none", &[]).unwrap(), Log::None);
    }

    #[test]
    fn wrong_options_and_drivers_are_refused() {
        type Options = &'static [(&'static str, &'static str)];
        let cases: [(&str, Options, &str); 6] = [
            ("json-file", &[("foo", "x")], "unknown log opt 'foo' for json-file log driver"),
            ("json-file", &[("max-file", "0")], "max-file cannot be less than 1"),
            (
                "json-file",
                &[("max-file", "2")],
                "invalid max-file option: max-file cannot be used without max-size",
            ),
            (
                "json-file",
                &[("compress", "true")],
                "log-opt compress is not implemented: rotated logs stay uncompressed",
            ),
            ("nope", &[], "error looking up logging plugin nope: plugin \"nope\" not found"),
            ("syslog", &[], "the log driver syslog is not implemented: use json-file or none"),
        ];
        for (driver, options, expected) in cases {
            assert_eq!(parse(driver, options).unwrap_err().to_string(), expected, "{driver} {options:?}");
        }
    }
}
