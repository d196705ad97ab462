//! Values of settings: read, checked, and refused with the rule that they break.

use super::UlimitEntry;
use crate::error::Error;
use refs::ByteSize;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

pub(super) fn driver(name: String) -> Result<snapshot::Driver, Error> {
    snapshot::Driver::parse(&name).map_err(|error| {
        let hint = error::Fault::hint(&error).unwrap_or_default();
        Error::Value { key: "storage-driver", value: name, rule: format!("{error}; {hint}") }
    })
}

/// Checks the name of a network device, which the kernel limits to 15 bytes without slash, colon and white space.
pub(super) fn device_name(name: String) -> Result<String, Error> {
    if name == "none" {
        return Err(Error::Value {
            key: "bridge",
            value: name,
            rule: "an engine without default bridge is not there yet".into(),
        });
    }
    let valid =
        (1..=15).contains(&name.len()) && !name.contains(|c: char| c == '/' || c == ':' || c.is_whitespace());
    if valid && name != "." && name != ".." {
        return Ok(name);
    }
    Err(Error::Value {
        key: "bridge",
        value: name,
        rule: "1 to 15 bytes without slash, colon and white space".into(),
    })
}

pub(super) fn absolute(key: &'static str, path: PathBuf) -> Result<PathBuf, Error> {
    if path.is_absolute() {
        return Ok(path);
    }
    Err(Error::Value { key, value: path.display().to_string(), rule: "the path must be absolute".into() })
}

pub(super) fn hosts(
    hosts: Option<Vec<String>>,
    exec_root: &Path,
    has_tls: bool,
) -> Result<Vec<String>, Error> {
    let hosts = hosts.unwrap_or_else(|| vec![format!("unix://{}", exec_root.join("naru.sock").display())]);
    hosts.into_iter().map(|host| checked_host(host, has_tls)).collect()
}

/// The port of engines that listen on TCP with TLS.
pub(super) const TLS_PORT: u16 = 2376;

pub(super) fn checked_host(host: String, has_tls: bool) -> Result<String, Error> {
    let wrong =
        |host: String, rule: &str| Err(Error::Value { key: "host", value: host, rule: rule.to_owned() });
    if host.strip_prefix("unix://").is_some_and(|path| path.starts_with('/')) || host == "fd://" {
        return Ok(host);
    }
    let Some(address) = host.strip_prefix("tcp://") else {
        return wrong(host, "unix:///path, fd:// or tcp://address[:port]");
    };
    if !has_tls {
        return wrong(
            host,
            "TCP needs --tlsverify: without authentication whoever reaches the port would be root",
        );
    }
    let address = match address.strip_prefix(':') {
        Some(port) => format!("0.0.0.0:{port}"),
        None => address.replace("localhost", "127.0.0.1"),
    };
    let ip = address.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
    let whole = address.parse().ok().or_else(|| ip.map(|ip| std::net::SocketAddr::new(ip, TLS_PORT)));
    match whole {
        Some(address) => Ok(format!("tcp://{address}")),
        None => wrong(host, "an IP address is expected, as in tcp://127.0.0.1:2376"),
    }
}

pub(super) fn log_level(level: Option<String>) -> Result<String, Error> {
    let level = level.unwrap_or_else(|| "info".into());
    if ["error", "warn", "info", "debug", "trace"].contains(&level.as_str()) {
        return Ok(level);
    }
    Err(Error::Value { key: "log-level", value: level, rule: "error, warn, info, debug or trace".into() })
}

/// Reads `nofile=1024:2048`, or one number for both.
pub(super) fn ulimit(text: &str) -> Result<(String, UlimitEntry), Error> {
    let bad = || Error::Flag { reason: format!("--default-ulimit {text:?} is not name=soft[:hard]") };
    let (name, limits) = text.split_once('=').ok_or_else(bad)?;
    let (soft, hard) = limits.split_once(':').unwrap_or((limits, limits));
    let (soft, hard) = (soft.parse().map_err(|_| bad())?, hard.parse().map_err(|_| bad())?);
    Ok((name.to_owned(), UlimitEntry { name: name.to_owned(), soft, hard }))
}

pub(super) fn ulimits(entries: BTreeMap<String, UlimitEntry>) -> Result<Vec<container::spec::Ulimit>, Error> {
    let read = |(key, entry): (String, UlimitEntry)| {
        let UlimitEntry { name, soft, hard } = entry;
        let wrong =
            |rule: &str| Error::Value { key: "default-ulimits", value: key.clone(), rule: rule.to_owned() };
        if key != name || !refs::ULIMITS.contains(&name.as_str()) {
            return Err(wrong(&format!("key and Name are the same, one of {}", refs::ULIMITS.join(", "))));
        }
        if hard != -1 && (soft == -1 || soft > hard) || soft < -1 || hard < -1 {
            return Err(wrong("Soft is at most Hard; -1 stands for no limit"));
        }
        Ok(container::spec::Ulimit { name, soft, hard })
    };
    entries.into_iter().map(read).collect()
}

/// Log drivers that there are.
pub(super) const LOG_DRIVERS: [&str; 7] =
    ["fluentd", "gelf", "journald", "json-file", "local", "none", "syslog"];

pub(super) fn log_driver(driver: String) -> Result<String, Error> {
    if LOG_DRIVERS.contains(&driver.as_str()) {
        return Ok(driver);
    }
    Err(Error::Value { key: "log-driver", value: driver, rule: format!("one of {}", LOG_DRIVERS.join(", ")) })
}

/// Reads the address at which ports are published: all of both families if it is Docker's default.
pub(super) fn publish_address(text: String) -> Result<Option<IpAddr>, Error> {
    match text.parse::<IpAddr>() {
        Ok(address) if address == IpAddr::from([0, 0, 0, 0]) => Ok(None),
        Ok(address) => Ok(Some(address)),
        Err(_) => Err(Error::Value { key: "ip", value: text, rule: "an IP address".into() }),
    }
}

pub(super) fn addresses(texts: Vec<String>) -> Result<Vec<IpAddr>, Error> {
    texts
        .into_iter()
        .map(|text| {
            text.parse().map_err(|_| Error::Value { key: "dns", value: text, rule: "an IP address".into() })
        })
        .collect()
}

pub(super) fn size(key: &'static str, text: &str) -> Result<i64, Error> {
    ByteSize::parse_ram(text)
        .ok()
        .and_then(|size| i64::try_from(size.0).ok())
        .filter(|size| *size > 0)
        .ok_or_else(|| Error::Value { key, value: text.to_owned(), rule: "a size such as 64m".into() })
}
