//! A driver's endpoint, read from its options.

use crate::address::{self, Address};
use crate::gelf::Packing;
use crate::syslog::{self, Format};
use crate::{Error, journald};
use std::collections::BTreeMap;

/// Options that all drivers have.
const COMMON: [&str; 5] = ["labels", "labels-regex", "env", "env-regex", "tag"];

/// Where the lines of a container go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub(crate) address: Address,
    pub(crate) form: Form,
    /// The endpoint has to be there when the container starts.
    pub(crate) is_required: bool,
}

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Syslog { format: Format, facility: u8 },
    Gelf(Packing),
    Fluentd { sub_second: bool },
    Journald,
}

type Options = BTreeMap<String, String>;

impl Target {
    /// Reads a driver's options, without those that concern files and buffers; none for a driver that has no endpoint.
    ///
    /// # Errors
    /// InvalidArgument with Docker's texts; Unimplemented by name.
    pub fn parse(driver: &str, options: &Options) -> Result<Option<Self>, Error> {
        match driver {
            "syslog" => syslog_target(options).map(Some),
            "gelf" => gelf_target(options).map(Some),
            "fluentd" => fluentd_target(options).map(Some),
            "journald" => {
                check(driver, options, &[], &[])?;
                let address = Address::Datagram(journald::SOCKET.into());
                Ok(Some(Self { address, form: Form::Journald, is_required: true }))
            }
            _ => Ok(None),
        }
    }
}

fn get<'a>(options: &'a Options, name: &str) -> &'a str {
    options.get(name).map_or("", String::as_str)
}

fn check(driver: &str, options: &Options, known: &[&str], missing: &[&str]) -> Result<(), Error> {
    for name in options.keys().map(String::as_str) {
        if missing.contains(&name) {
            return Err(Error::Unsupported(format!("the log opt {name:?}")));
        }
        if !known.contains(&name) && !COMMON.contains(&name) {
            return Err(Error::Invalid(format!("unknown log opt '{name}' for {driver} log driver")));
        }
    }
    Ok(())
}

fn flag(options: &Options, name: &str) -> Result<bool, Error> {
    match get(options, name) {
        "" | "false" | "0" | "f" | "F" | "FALSE" | "False" => Ok(false),
        "true" | "1" | "t" | "T" | "TRUE" | "True" => Ok(true),
        other => Err(Error::Invalid(format!("strconv.ParseBool: parsing {other:?}: invalid syntax"))),
    }
}

fn syslog_target(options: &Options) -> Result<Target, Error> {
    const TLS: [&str; 4] =
        ["syslog-tls-ca-cert", "syslog-tls-cert", "syslog-tls-key", "syslog-tls-skip-verify"];
    check("syslog", options, &["syslog-address", "syslog-facility", "syslog-format"], &TLS)?;
    let form = Form::Syslog {
        format: Format::parse(get(options, "syslog-format"))?,
        facility: syslog::facility(get(options, "syslog-facility"))?,
    };
    let address = match get(options, "syslog-address") {
        "" => Address::Datagram("/dev/log".into()),
        text => match address::split(text) {
            Some(("udp", host)) => Address::Udp(address::host_and_port(host, 514)?),
            Some(("tcp", host)) => Address::Tcp(address::host_and_port(host, 514)?),
            Some(("unix", path)) => Address::Unix(path.into()),
            Some(("unixgram", path)) => Address::Datagram(path.into()),
            Some(("tcp+tls", _)) => return Err(Error::Unsupported("syslog over TLS".to_owned())),
            Some((other, _)) => return Err(Error::Invalid(format!("unsupported scheme: '{other}'"))),
            None => return Err(Error::Invalid("unsupported scheme: ''".to_owned())),
        },
    };
    let is_required = !matches!(address, Address::Udp(_));
    Ok(Target { address, form, is_required })
}

fn gelf_target(options: &Options) -> Result<Target, Error> {
    let known = ["gelf-address", "gelf-compression-level", "gelf-compression-type"];
    check("gelf", options, &known, &["gelf-tcp-max-reconnect", "gelf-tcp-reconnect-delay"])?;
    let text = get(options, "gelf-address");
    let address = match address::split(text) {
        _ if text.is_empty() => {
            return Err(Error::Invalid("gelf-address is a required parameter".to_owned()));
        }
        Some(("udp", host)) => Address::Udp(address::host_and_port(host, 12201)?),
        Some(("tcp", host)) => Address::Tcp(address::host_and_port(host, 12201)?),
        _ => return Err(Error::Invalid("gelf: endpoint needs to be TCP or UDP".to_owned())),
    };
    let (kind, level) = (get(options, "gelf-compression-type"), get(options, "gelf-compression-level"));
    let is_tcp = matches!(address, Address::Tcp(_));
    if is_tcp && !(kind.is_empty() && level.is_empty()) {
        return Err(Error::Invalid("compression is only supported on UDP".to_owned()));
    }
    let packing = if is_tcp { Packing::None } else { Packing::parse(kind, level)? };
    Ok(Target { address, form: Form::Gelf(packing), is_required: is_tcp })
}

fn fluentd_target(options: &Options) -> Result<Target, Error> {
    const MISSING: [&str; 7] = [
        "fluentd-async-reconnect-interval",
        "fluentd-buffer-limit",
        "fluentd-max-retries",
        "fluentd-request-ack",
        "fluentd-retry-wait",
        "fluentd-read-timeout",
        "fluentd-write-timeout",
    ];
    let known = ["fluentd-address", "fluentd-async", "fluentd-sub-second-precision"];
    check("fluentd", options, &known, &MISSING)?;
    let text = get(options, "fluentd-address");
    let address = match address::split(text) {
        Some(("tcp", host)) => Address::Tcp(address::host_and_port(host, 24224)?),
        Some(("unix", path)) => Address::Unix(path.into()),
        Some(("tls", _)) => return Err(Error::Unsupported("fluentd over TLS".to_owned())),
        Some((other, _)) => return Err(Error::Invalid(format!("unsupported scheme: '{other}'"))),
        None => Address::Tcp(address::host_and_port(text, 24224)?),
    };
    let form = Form::Fluentd { sub_second: flag(options, "fluentd-sub-second-precision")? };
    Ok(Target { address, form, is_required: !flag(options, "fluentd-async")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(driver: &str, options: &[(&str, &str)]) -> Result<Option<Target>, String> {
        let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Target::parse(driver, &options).map_err(|error| error.to_string())
    }

    #[test]
    fn wrong_options_have_dockers_texts() {
        type Given<'a> = &'a [(&'a str, &'a str)];
        let cases: &[(&str, Given<'_>, &str)] = &[
            ("syslog", &[("foo", "1")], "unknown log opt 'foo' for syslog log driver"),
            ("syslog", &[("syslog-address", "foo://x")], "unsupported scheme: 'foo'"),
            ("syslog", &[("syslog-facility", "foo")], "invalid syslog facility"),
            ("syslog", &[("syslog-format", "foo")], "Invalid syslog format"),
            ("gelf", &[], "gelf-address is a required parameter"),
            ("gelf", &[("gelf-address", "foo")], "gelf: endpoint needs to be TCP or UDP"),
            (
                "gelf",
                &[("gelf-address", "udp://127.0.0.1:1"), ("gelf-compression-type", "foo")],
                "unknown value \"foo\" for log opt \"gelf-compression-type\" for gelf log driver",
            ),
            ("fluentd", &[("foo", "1")], "unknown log opt 'foo' for fluentd log driver"),
            ("journald", &[("foo", "1")], "unknown log opt 'foo' for journald log driver"),
            (
                "fluentd",
                &[("fluentd-request-ack", "true")],
                "the log opt \"fluentd-request-ack\" is not supported by this version of naru",
            ),
        ];
        for (driver, options, text) in cases {
            assert_eq!(parse(driver, options), Err((*text).to_owned()), "{driver} {options:?}");
        }
    }

    #[test]
    fn endpoints_have_dockers_defaults() {
        let address =
            |driver: &str, options: &[(&str, &str)]| parse(driver, options).unwrap().unwrap().address;
        let tcp = |text: &str| Address::Tcp(text.parse().unwrap());
        assert_eq!(address("fluentd", &[]), tcp("127.0.0.1:24224"));
        assert_eq!(address("fluentd", &[("fluentd-address", "unix:///x")]), Address::Unix("/x".into()));
        assert_eq!(address("syslog", &[("syslog-address", "tcp://10.0.0.1")]), tcp("10.0.0.1:514"));
        assert_eq!(address("syslog", &[]), Address::Datagram("/dev/log".into()));
        assert_eq!(parse("json-file", &[]), Ok(None));
        assert!(!parse("fluentd", &[("fluentd-async", "true")]).unwrap().unwrap().is_required);
    }
}
