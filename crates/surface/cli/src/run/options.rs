//! Values that come from files and the environment: variables, labels, security profiles; and small languages of single flags.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::flags::Matches;
use crate::quote::quote;
use wire::host_config::RestartPolicy;

use super::Surroundings;

/// Collects `--env-file` and `-e`. A bare name takes its value from our environment, or removes the image's variable.
pub(crate) fn environment(flags: &Matches, around: &Surroundings<'_>) -> Result<Vec<String>, String> {
    let mut out = Vec::new();
    for file in flags.all("env-file") {
        let text = read(file, around)?;
        let entries = refs::env::parse_file(&text, around.variable)
            .map_err(|why| format!("invalid env file ({file}): {why}"))?;
        out.extend(entries);
    }
    for entry in flags.all("env") {
        let with_value = refs::env::parse_entry(entry, around.variable).map_err(|why| why.to_string())?;
        out.push(with_value.unwrap_or_else(|| entry.to_owned()));
    }
    Ok(out)
}

/// Adds the proxies of config.json where the user has not set the variable.
pub(super) fn with_proxies(mut env: Vec<String>, around: &Surroundings<'_>) -> Vec<String> {
    let given: BTreeSet<String> =
        env.iter().map(|entry| entry.split('=').next().unwrap_or_default().to_owned()).collect();
    for (name, value) in &around.proxies {
        for name in [(*name).to_owned(), name.to_lowercase()] {
            if !given.contains(&name) {
                env.push(format!("{name}={value}"));
            }
        }
    }
    env
}

/// Collects `--label-file` and `-l`.
pub(super) fn labels(flags: &Matches, around: &Surroundings<'_>) -> Result<BTreeMap<String, String>, String> {
    let mut out = BTreeMap::new();
    for file in flags.all("label-file") {
        let text = read(file, around)?;
        // As in Docker, a line without a value is no label.
        let lines = text.lines().map(str::trim_start);
        for line in lines.filter(|line| !line.starts_with('#') && line.contains('=')) {
            super::check::label(line).map_err(|why| format!("invalid label file ({file}): {why}"))?;
            insert(&mut out, line);
        }
    }
    flags.all("label").into_iter().for_each(|label| insert(&mut out, label));
    Ok(out)
}

/// Reads `key=value` entries; a key alone has an empty value.
pub(super) fn map(entries: &[&str]) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    entries.iter().for_each(|entry| insert(&mut out, entry));
    out
}

fn insert(map: &mut BTreeMap<String, String>, entry: &str) {
    let (key, value) = entry.split_once('=').unwrap_or((entry, ""));
    map.insert(key.to_owned(), value.to_owned());
}

fn read(file: &str, around: &Surroundings<'_>) -> Result<String, String> {
    (around.read)(Path::new(file)).map_err(|why| match why.kind() {
        std::io::ErrorKind::NotFound => format!("open {file}: no such file or directory"),
        std::io::ErrorKind::PermissionDenied => format!("open {file}: permission denied"),
        _ => format!("open {file}: {why}"),
    })
}

/// What `--security-opt` says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Security {
    /// What the engine is told.
    pub(super) options: Vec<String>,
    /// No path is masked or read-only.
    pub(super) unconfined_paths: bool,
}

/// Reads `--security-opt`; profiles are read here, because the engine may not see the user's files.
pub(super) fn security(options: &[&str], around: &Surroundings<'_>) -> Result<Security, String> {
    let mut out = Security::default();
    for option in options {
        let (key, value) = match option.split_once('=').or_else(|| option.split_once(':')) {
            Some((key, value)) if !value.is_empty() || key == "no-new-privileges" => (key, value),
            None if *option == "no-new-privileges" => (*option, ""),
            _ => return Err(format!("Invalid --security-opt: {}", quote(option))),
        };
        match (key, value) {
            ("systempaths", "unconfined") => out.unconfined_paths = true,
            ("seccomp", "unconfined" | "builtin") => out.options.push((*option).to_owned()),
            ("seccomp", file) => out.options.push(format!("seccomp={}", profile(file, around)?)),
            _ => out.options.push((*option).to_owned()),
        }
    }
    Ok(out)
}

fn profile(file: &str, around: &Surroundings<'_>) -> Result<String, String> {
    let text = read(file, around).map_err(|why| format!("opening seccomp profile ({file}) failed: {why}"))?;
    let compact =
        serde_json::from_str::<serde_json::Value>(&text).and_then(|json| serde_json::to_string(&json));
    compact.map_err(|why| format!("compacting json for seccomp profile ({file}) failed: {why}"))
}

/// Reads `on-failure:3`.
pub(crate) fn restart(text: &str) -> Result<RestartPolicy, String> {
    let (name, count) = match text.split_once(':') {
        Some(("", _)) => {
            return Err("invalid restart policy format: no policy provided before colon".to_owned());
        }
        Some((name, count)) => (name, count),
        None => (text, ""),
    };
    let maximum_retry_count = match count {
        "" => 0,
        _ => count.parse().map_err(|_| {
            "invalid restart policy format: maximum retry count must be an integer".to_owned()
        })?,
    };
    Ok(RestartPolicy { name: name.to_owned(), maximum_retry_count })
}

/// Returns capabilities as the engine takes them: in capitals, with prefix, each once; what is added is not dropped.
pub(super) fn capabilities(add: &[&str], drop: &[&str]) -> (Vec<String>, Vec<String>) {
    let normal = |names: &[&str]| -> BTreeSet<String> {
        let names: BTreeSet<String> = names.iter().map(|name| capability(name)).collect();
        if names.contains("ALL") { BTreeSet::from(["ALL".to_owned()]) } else { names }
    };
    let (add, drop) = (normal(add), normal(drop));
    let drop = drop.difference(&add).cloned().collect();
    (add.into_iter().collect(), drop)
}

fn capability(name: &str) -> String {
    let name = name.trim().to_ascii_uppercase();
    match name.as_str() {
        "ALL" | "RESET" => name,
        _ if name.starts_with("CAP_") => name,
        _ => format!("CAP_{name}"),
    }
}

/// Reads `80`, `80/udp`, `80-90/tcp`.
pub(super) fn exposed(text: &str) -> Result<Vec<String>, String> {
    let (range, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let port = |digits: &str, whole: &str| match digits.parse::<u16>() {
        Ok(port) => Ok(port),
        Err(_) => {
            let why = match digits.bytes().all(|b| b.is_ascii_digit()) && !digits.is_empty() {
                true => "value out of range",
                false => "invalid syntax",
            };
            Err(format!(
                "invalid range format for --expose: {whole}, error: strconv.ParseUint: parsing {}: {why}",
                quote(digits)
            ))
        }
    };
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let (first, last) = (port(first, range)?, port(last, range)?);
    if last < first {
        return Err(format!(
            "invalid range format for --expose: {range}, error: invalid range specified for port: {range}"
        ));
    }
    Ok((first..=last).map(|port| format!("{port}/{}", protocol.to_ascii_lowercase())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_normal_and_adding_wins() {
        let all = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            capabilities(&["net_admin", "CAP_SYS_TIME"], &["all"]),
            (all(&["CAP_NET_ADMIN", "CAP_SYS_TIME"]), all(&["ALL"]))
        );
        assert_eq!(capabilities(&["ALL", "chown"], &["chown"]), (all(&["ALL"]), all(&["CAP_CHOWN"])));
        assert_eq!(capabilities(&["chown"], &["CHOWN", "kill"]), (all(&["CAP_CHOWN"]), all(&["CAP_KILL"])));
    }

    #[test]
    fn restart_policies_have_dockers_texts() {
        let policy = |name: &str, count| Ok(RestartPolicy { name: name.into(), maximum_retry_count: count });
        assert_eq!(restart("no"), policy("no", 0));
        assert_eq!(restart("on-failure:3"), policy("on-failure", 3));
        assert_eq!(
            restart("on-failure:x"),
            Err("invalid restart policy format: maximum retry count must be an integer".to_owned())
        );
        assert_eq!(
            restart(":3"),
            Err("invalid restart policy format: no policy provided before colon".to_owned())
        );
    }

    #[test]
    fn exposed_ports_are_expanded() {
        assert_eq!(exposed("80"), Ok(vec!["80/tcp".to_owned()]));
        assert_eq!(exposed("1-2/UDP"), Ok(vec!["1/udp".to_owned(), "2/udp".to_owned()]));
        let why = "invalid range format for --expose: abc, error: strconv.ParseUint: parsing \"abc\": invalid syntax";
        assert_eq!(exposed("abc"), Err(why.to_owned()));
        assert!(exposed("2-1").is_err() && exposed("70000").is_err());
    }
}
