//! Drivers of the log and their options.
//!
//! Whatever the driver, the supervisor writes one file in one form; the engine sends it on and compresses its older siblings.

use crate::Error;
use crate::spec::{Config, LogConfig};
use logship::Target;
use refs::{ByteSize, Pattern};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Options that concern the engine, with every driver.
const OF_ALL: [&str; 2] = ["mode", "max-buffer-size"];

/// Options of the copy that is kept of what goes to a remote driver.
const OF_CACHE: [&str; 4] = ["cache-disabled", "cache-max-size", "cache-max-file", "cache-compress"];

/// Options of json-file.
const OF_JSON_FILE: [&str; 8] =
    ["max-size", "max-file", "compress", "labels", "labels-regex", "env", "env-regex", "tag"];

/// Options of local.
const OF_LOCAL: [&str; 3] = ["max-size", "max-file", "compress"];

/// Docker's drivers that do not exist here.
const MISSING_DRIVERS: [&str; 4] = ["awslogs", "splunk", "gcplogs", "etwlogs"];

/// How log files are limited unless the user says otherwise: the options that would say the same.
// COMPAT: with Docker json-file logs grow without limit.
pub const LOG_ROTATION: [(&str, &str); 2] = [("max-file", "5"), ("max-size", "20m")];

const DEFAULT_SIZE_BYTES: u64 = 20_000_000;
const DEFAULT_FILES: u32 = 5;

/// The buffer of mode non-blocking.
const DEFAULT_BUFFER_BYTES: u64 = 1 << 20;

/// How the output of a container is kept and where it goes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LogPlan {
    /// The file that the supervisor writes; none for the driver `none`.
    pub(crate) file: Option<FilePlan>,
    /// Where the engine sends it.
    pub(crate) target: Option<Target>,
    /// What each entry carries beside its text, without the tag.
    pub(crate) attrs: BTreeMap<String, String>,
    /// The tag's template; empty for the driver's own.
    pub(crate) tag: String,
    /// How much may wait for an endpoint before lines are dropped; none if nothing is dropped.
    pub(crate) buffer_bytes: Option<u64>,
}

/// A file and its older siblings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FilePlan {
    pub(crate) path: PathBuf,
    pub(crate) max_size_bytes: u64,
    pub(crate) max_files: u32,
    /// Older files are compressed, by the engine.
    pub(crate) compress: bool,
    /// It may be read by users.
    pub(crate) is_readable: bool,
}

type Options = BTreeMap<String, String>;

/// Returns how a container's output is kept; `directory` is the container's.
///
/// # Errors
/// InvalidArgument for unknown drivers, options and values; Unimplemented for those of Docker that are missing here.
pub(crate) fn log(wanted: &LogConfig, config: &Config, id: &str, directory: &Path) -> Result<LogPlan, Error> {
    let driver = wanted.driver.as_str();
    let mut options = wanted.options.clone();
    let buffer_bytes = buffer(&options)?;
    options.retain(|name, _| !OF_ALL.contains(&name.as_str()));
    let plan =
        |file| LogPlan { file, target: None, attrs: BTreeMap::new(), tag: String::new(), buffer_bytes };
    match driver {
        "none" => Ok(plan(None)),
        "json-file" => {
            check(&options, &OF_JSON_FILE, "for json-file log driver")?;
            let file = json_file(&options, directory.join(format!("{id}-json.log")))?;
            let tag = options.get("tag").cloned().unwrap_or_default();
            check_tag(&tag)?;
            Ok(LogPlan { attrs: attributes(&options, config)?, tag, ..plan(Some(file)) })
        }
        "local" => {
            check(&options, &OF_LOCAL, "for log driver local")?;
            let names = ["max-size", "max-file", "compress"];
            let path = directory.join("local-logs").join("container.log");
            Ok(plan(Some(kept_file(&options, names, path, true)?)))
        }
        driver if MISSING_DRIVERS.contains(&driver) => Err(Error::unimplemented(format!(
            "the log driver {driver} is not supported by this version of naru"
        ))),
        driver => {
            let cache = cache(&options, directory)?;
            options.retain(|name, _| !OF_CACHE.contains(&name.as_str()));
            let Some(target) = Target::parse(driver, &options)? else {
                return Err(Error::invalid(format!(
                    "error looking up logging plugin {driver}: plugin \"{driver}\" not found"
                )));
            };
            let tag = options.get("tag").cloned().unwrap_or_default();
            check_tag(&tag)?;
            let attrs = attributes(&options, config)?;
            Ok(LogPlan { target: Some(target), attrs, tag, ..plan(Some(cache)) })
        }
    }
}

impl LogPlan {
    /// Returns what the supervisor is told; `tag` is what the template says.
    pub(crate) fn for_supervisor(&self, tag: &str) -> shimwire::Log {
        let Some(file) = &self.file else { return shimwire::Log::None };
        let mut attrs = self.attrs.clone();
        if !self.tag.is_empty() && !tag.is_empty() {
            attrs.insert("tag".to_owned(), tag.to_owned());
        }
        shimwire::Log::JsonFile {
            path: file.path.clone(),
            max_size_bytes: file.max_size_bytes,
            max_files: file.max_files,
            compress: false, // by the engine: supervisors stay small
            attrs: if self.target.is_some() { BTreeMap::new() } else { attrs },
        }
    }
}

fn check(options: &Options, known: &[&str], whose: &str) -> Result<(), Error> {
    match options.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(Error::invalid(format!("unknown log opt '{name}' {whose}"))),
        None => Ok(()),
    }
}

/// Reads `mode` and `max-buffer-size`.
fn buffer(options: &Options) -> Result<Option<u64>, Error> {
    let size = options.get("max-buffer-size");
    match options.get("mode").map_or("", String::as_str) {
        "" | "blocking" if size.is_some() => {
            Err(Error::invalid("logger: max-buffer-size option is only supported with 'mode=non-blocking'"))
        }
        "" | "blocking" => Ok(None),
        "non-blocking" => match size {
            None => Ok(Some(DEFAULT_BUFFER_BYTES)),
            Some(text) => match ByteSize::parse_ram(text) {
                Ok(size) => Ok(Some(size.0)),
                Err(error) => Err(Error::invalid(format!("error parsing option max-buffer-size: {error}"))),
            },
        },
        other => Err(Error::invalid(format!("logger: logging mode not supported: {other}"))),
    }
}

fn json_file(options: &Options, path: PathBuf) -> Result<FilePlan, Error> {
    if !options.contains_key("max-size")
        && !options.contains_key("max-file")
        && !options.contains_key("compress")
    {
        let (max_size_bytes, max_files) = (DEFAULT_SIZE_BYTES, DEFAULT_FILES);
        return Ok(FilePlan { path, max_size_bytes, max_files, compress: false, is_readable: true });
    }
    let max_size_bytes = size(options, "max-size")?.unwrap_or(0);
    let max_files = count(options, "max-file")?.unwrap_or(1);
    if max_files > 1 && max_size_bytes == 0 {
        return Err(Error::invalid("invalid max-file option: max-file cannot be used without max-size"));
    }
    let compress = flag(options, "compress")?.unwrap_or(false);
    if compress && (max_files < 2 || max_size_bytes == 0) {
        return Err(Error::invalid(
            "compress cannot be true when max-file is less than 2 or max-size is not set",
        ));
    }
    Ok(FilePlan { path, max_size_bytes, max_files, compress, is_readable: true })
}

fn cache(options: &Options, directory: &Path) -> Result<FilePlan, Error> {
    let is_readable = !flag(options, "cache-disabled")?.unwrap_or(false);
    let names = ["cache-max-size", "cache-max-file", "cache-compress"];
    kept_file(options, names, directory.join("container-cached.log"), is_readable)
}

fn kept_file(
    options: &Options,
    names: [&str; 3],
    path: PathBuf,
    is_readable: bool,
) -> Result<FilePlan, Error> {
    let [size_name, count_name, compress_name] = names;
    let max_size_bytes = size(options, size_name)?.unwrap_or(DEFAULT_SIZE_BYTES);
    let max_files = count(options, count_name)?.unwrap_or(DEFAULT_FILES);
    let compress = flag(options, compress_name)?.unwrap_or(true) && max_files > 1;
    Ok(FilePlan { path, max_size_bytes, max_files, compress, is_readable })
}

fn size(options: &Options, name: &str) -> Result<Option<u64>, Error> {
    match options.get(name).map(String::as_str) {
        None => Ok(None),
        Some("-1") => Ok(Some(0)),
        Some(text) => match ByteSize::parse_decimal(text) {
            Ok(size) => Ok(Some(size.0)),
            Err(error) => Err(bad(name, text, &error.to_string())),
        },
    }
}

fn count(options: &Options, name: &str) -> Result<Option<u32>, Error> {
    match options.get(name).map(|text| (text, text.parse::<u32>())) {
        None => Ok(None),
        Some((_, Ok(0))) => Err(Error::invalid(format!("{name} cannot be less than 1"))),
        Some((_, Ok(count))) => Ok(Some(count)),
        Some((text, Err(error))) => Err(bad(name, text, &error.to_string())),
    }
}

fn flag(options: &Options, name: &str) -> Result<Option<bool>, Error> {
    match options.get(name).map(String::as_str) {
        None | Some("") => Ok(None),
        Some("true" | "1" | "t" | "T" | "TRUE" | "True") => Ok(Some(true)),
        Some("false" | "0" | "f" | "F" | "FALSE" | "False") => Ok(Some(false)),
        Some(other) => Err(Error::invalid(format!("strconv.ParseBool: parsing {other:?}: invalid syntax"))),
    }
}

/// Checks that a tag's template is one; what it says is known at the start.
fn check_tag(tag: &str) -> Result<(), Error> {
    match crate::log_tag::parse(tag) {
        Ok(_) => Ok(()),
        Err(error) => Err(Error::invalid(error.to_string())),
    }
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

    fn parse(driver: &str, options: &[(&str, &str)]) -> Result<LogPlan, Error> {
        let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let config = Config {
            env: vec!["A=1".into(), "AB=2".into(), "C=3".into()],
            labels: [("tier".to_owned(), "web".to_owned()), ("x".to_owned(), "y".to_owned())].into(),
            ..Config::default()
        };
        log(&LogConfig { driver: driver.into(), options }, &config, "id", Path::new("/c"))
    }

    fn file(path: &str, max_size_bytes: u64, max_files: u32, compress: bool) -> Option<FilePlan> {
        Some(FilePlan { path: path.into(), max_size_bytes, max_files, compress, is_readable: true })
    }

    #[test]
    fn files_are_limited_unless_the_user_says_otherwise() {
        let json = "/c/id-json.log";
        let local = "/c/local-logs/container.log";
        type Given = &'static [(&'static str, &'static str)];
        let cases: [(&str, Given, Option<FilePlan>); 9] = [
            ("json-file", &[], file(json, 20_000_000, 5, false)),
            ("json-file", &[("labels", "tier")], file(json, 20_000_000, 5, false)),
            ("json-file", &[("max-size", "10m"), ("max-file", "3")], file(json, 10_000_000, 3, false)),
            ("json-file", &[("max-size", "10m")], file(json, 10_000_000, 1, false)),
            ("json-file", &[("max-size", "-1")], file(json, 0, 1, false)),
            (
                "json-file",
                &[("max-size", "1k"), ("max-file", "3"), ("compress", "true")],
                file(json, 1000, 3, true),
            ),
            ("local", &[], file(local, 20_000_000, 5, true)),
            ("local", &[("max-file", "1"), ("mode", "non-blocking")], file(local, 20_000_000, 1, false)),
            ("none", &[], None),
        ];
        for (driver, options, expected) in cases {
            assert_eq!(parse(driver, options).unwrap().file, expected, "{driver} {options:?}");
        }
    }

    #[test]
    fn attributes_are_labels_and_variables_by_name_or_expression() {
        let attrs = |options: &[(&str, &str)]| -> Vec<String> {
            parse("json-file", options)
                .unwrap()
                .attrs
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect()
        };
        assert_eq!(attrs(&[("labels", "tier,none"), ("env", "C")]), ["C=3", "tier=web"]);
        assert_eq!(attrs(&[("env-regex", "^A")]), ["A=1", "AB=2"]);
        let plan = parse("json-file", &[("tag", "{{.Name}}"), ("env", "C")]).unwrap();
        let shimwire::Log::JsonFile { attrs, .. } = plan.for_supervisor("web") else { panic!("a file") };
        assert_eq!(attrs, [("C".to_owned(), "3".to_owned()), ("tag".to_owned(), "web".to_owned())].into());
    }

    #[test]
    fn remote_drivers_keep_a_copy() {
        let plan =
            parse("syslog", &[("syslog-address", "udp://127.0.0.1:5"), ("cache-max-file", "2")]).unwrap();
        assert_eq!(plan.file, file("/c/container-cached.log", 20_000_000, 2, true));
        assert!(plan.target.is_some());
        let hidden = parse(
            "journald",
            &[("cache-disabled", "true"), ("mode", "non-blocking"), ("max-buffer-size", "4k")],
        )
        .unwrap();
        assert_eq!((hidden.file.unwrap().is_readable, hidden.buffer_bytes), (false, Some(4096)));
    }

    #[test]
    fn wrong_options_and_drivers_are_refused() {
        type Options = &'static [(&'static str, &'static str)];
        let cases: [(&str, Options, &str); 13] = [
            ("json-file", &[("foo", "x")], "unknown log opt 'foo' for json-file log driver"),
            ("local", &[("labels", "x")], "unknown log opt 'labels' for log driver local"),
            ("json-file", &[("max-file", "0")], "max-file cannot be less than 1"),
            (
                "json-file",
                &[("max-file", "2")],
                "invalid max-file option: max-file cannot be used without max-size",
            ),
            (
                "json-file",
                &[("compress", "true")],
                "compress cannot be true when max-file is less than 2 or max-size is not set",
            ),
            ("json-file", &[("compress", "x")], "strconv.ParseBool: parsing \"x\": invalid syntax"),
            ("json-file", &[("mode", "foo")], "logger: logging mode not supported: foo"),
            (
                "local",
                &[("max-buffer-size", "4m")],
                "logger: max-buffer-size option is only supported with 'mode=non-blocking'",
            ),
            (
                "local",
                &[("mode", "non-blocking"), ("max-buffer-size", "x")],
                "error parsing option max-buffer-size: invalid size: 'x'",
            ),
            ("json-file", &[("tag", "{{")], "template: log-tag:1: unclosed action"),
            ("nope", &[], "error looking up logging plugin nope: plugin \"nope\" not found"),
            ("awslogs", &[], "the log driver awslogs is not supported by this version of naru"),
            ("gelf", &[], "gelf-address is a required parameter"),
        ];
        for (driver, options, expected) in cases {
            assert_eq!(parse(driver, options).unwrap_err().to_string(), expected, "{driver} {options:?}");
        }
    }
}
