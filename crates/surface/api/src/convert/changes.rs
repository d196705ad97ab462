//! `--change`: instructions of a Dockerfile that alter an image's configuration. Pure.
//!
//! # Source
//! `moby builder/dockerfile/builder.go`, `BuildFromConfig`; `dispatchers.go`; buildkit `frontend/dockerfile/{parser,shell}`.

mod words;

use crate::error::{Error, invalid};
use oci::image::{ContainerConfig, Empty, Healthcheck};
use refs::{Platform, Signal};
use std::collections::BTreeMap;
use words::{Words, expand, pairs, split};

/// Applies changes in their order.
///
/// # Errors
/// An instruction that is none, or changes no configuration; one without what belongs to it.
pub(crate) fn apply<'a>(
    config: &mut ContainerConfig,
    changes: impl Iterator<Item = &'a str>,
) -> Result<(), Error> {
    let mut has_cmd = false;
    for line in changes.flat_map(str::lines).map(str::trim).filter(|line| !line.is_empty()) {
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        instruction(config, &word.to_ascii_uppercase(), rest.trim(), &mut has_cmd)?;
    }
    Ok(())
}

fn instruction(
    config: &mut ContainerConfig,
    word: &str,
    rest: &str,
    has_cmd: &mut bool,
) -> Result<(), Error> {
    let env = config.env.clone().unwrap_or_default();
    match word {
        "CMD" => {
            config.cmd = Some(command(rest, config.shell.as_deref()));
            *has_cmd = true;
        }
        "ENTRYPOINT" => {
            let words = command(rest, config.shell.as_deref());
            config.entrypoint = (!words.is_empty() && !rest.is_empty()).then_some(words);
            if !*has_cmd {
                config.cmd = None;
            }
        }
        "ENV" => {
            let list = config.env.get_or_insert_default();
            for (name, value) in pairs("ENV", rest, &env)? {
                let entry = format!("{name}={value}");
                let at = list.iter().position(|old| old.split('=').next() == Some(&name));
                match at {
                    Some(at) => list[at] = entry,
                    None => list.push(entry),
                }
            }
        }
        "LABEL" => config.labels.get_or_insert_default().extend(pairs("LABEL", rest, &env)?),
        "EXPOSE" => {
            let words = some("EXPOSE", split(&expand(rest, &env)))?;
            for port in words {
                expose(config.exposed_ports.get_or_insert_default(), &port)?;
            }
        }
        "USER" => config.user = expand(one("USER", rest)?, &env),
        "WORKDIR" => {
            let path = expand(one("WORKDIR", rest)?, &env);
            config.working_dir = join(&config.working_dir, &path);
        }
        "VOLUME" => {
            let words = match Words::parse(rest) {
                Words::Json(words) => words,
                Words::Line(line) => split(&expand(line, &env)),
            };
            for path in some("VOLUME", words)? {
                if path.trim().is_empty() {
                    return Err(invalid("VOLUME specified can not be an empty string"));
                }
                config.volumes.get_or_insert_default().insert(path, Empty {});
            }
        }
        "STOPSIGNAL" => {
            let signal = expand(one("STOPSIGNAL", rest)?, &env);
            Signal::parse(&signal).map_err(|_| invalid(format!("invalid signal: {signal}")))?;
            config.stop_signal = signal;
        }
        "HEALTHCHECK" => config.healthcheck = Some(health(rest)?),
        "ONBUILD" => {
            let trigger = one("ONBUILD", rest)?;
            let first = trigger.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
            match first.as_str() {
                "ONBUILD" => return Err(invalid("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")),
                "FROM" | "MAINTAINER" => {
                    return Err(invalid(format!("{first} isn't allowed as an ONBUILD trigger")));
                }
                _ => config.on_build.get_or_insert_default().push(trigger.to_owned()),
            }
        }
        other => return Err(invalid(format!("{other} is not a valid change command"))),
    }
    Ok(())
}

/// A JSON list is the command itself; anything else is a line for the shell.
fn command(rest: &str, shell: Option<&[String]>) -> Vec<String> {
    match Words::parse(rest) {
        Words::Json(words) => words,
        Words::Line(line) => {
            let usual = || vec!["/bin/sh".to_owned(), "-c".to_owned()];
            let mut words = shell.filter(|shell| !shell.is_empty()).map_or_else(usual, <[String]>::to_vec);
            words.extend((!line.is_empty()).then(|| line.to_owned()));
            words
        }
    }
}

fn one<'a>(instruction: &str, rest: &'a str) -> Result<&'a str, Error> {
    if rest.is_empty() {
        Err(invalid(format!("{instruction} requires exactly one argument")))
    } else {
        Ok(rest)
    }
}

fn some(instruction: &str, words: Vec<String>) -> Result<Vec<String>, Error> {
    if words.is_empty() {
        return Err(invalid(format!("{instruction} requires at least one argument")));
    }
    Ok(words)
}

fn expose(ports: &mut BTreeMap<String, Empty>, text: &str) -> Result<(), Error> {
    let (range, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = protocol.to_ascii_lowercase();
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err(invalid(format!("Invalid proto: {protocol}")));
    }
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let (Ok(first), Ok(last)) = (first.parse::<u16>(), last.parse::<u16>()) else {
        return Err(invalid(format!("Invalid containerPort: {range}")));
    };
    if first > last {
        return Err(invalid(format!("Invalid containerPort: {range}")));
    }
    ports.extend((first..=last).map(|port| (format!("{port}/{protocol}"), Empty {})));
    Ok(())
}

/// A relative path goes on where the last one stopped.
fn join(current: &str, path: &str) -> String {
    let whole = if path.starts_with('/') { path.to_owned() } else { format!("{current}/{path}") };
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

fn health(rest: &str) -> Result<Healthcheck, Error> {
    let mut check = Healthcheck::default();
    let mut rest = rest;
    while let Some(flag) = rest.strip_prefix("--") {
        let (flag, after) = flag.split_once(char::is_whitespace).unwrap_or((flag, ""));
        let (name, value) = flag.split_once('=').unwrap_or((flag, ""));
        let time = || refs::parse_duration(value).map_err(|error| invalid(error.to_string()));
        match name {
            "interval" => check.interval = time()?,
            "timeout" => check.timeout = time()?,
            "start-period" => check.start_period = time()?,
            "start-interval" => check.start_interval = time()?,
            "retries" => {
                let retries = value.parse().ok().filter(|retries| *retries >= 0);
                check.retries =
                    retries.ok_or_else(|| invalid(format!("--retries must be at least 0, not {value:?}")))?;
            }
            _ => return Err(invalid(format!("unknown flag: {name}"))),
        }
        rest = after.trim_start();
    }
    let (kind, line) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let test = match (kind.to_ascii_uppercase().as_str(), Words::parse(line.trim())) {
        ("NONE", Words::Line("")) => vec!["NONE".to_owned()],
        ("NONE", _) => return Err(invalid("HEALTHCHECK NONE takes no arguments")),
        ("CMD", Words::Json(words)) if !words.is_empty() => {
            std::iter::once("CMD".to_owned()).chain(words).collect()
        }
        ("CMD", Words::Line(line)) if !line.is_empty() => vec!["CMD-SHELL".to_owned(), line.to_owned()],
        ("CMD", _) => return Err(invalid("Missing command after HEALTHCHECK CMD")),
        ("", _) => return Err(invalid("HEALTHCHECK requires at least one argument")),
        _ => return Err(invalid(format!("Unknown type {kind:?} in HEALTHCHECK (try CMD)"))),
    };
    check.test = test;
    Ok(check)
}

/// Reads a platform: `{"os":"linux","architecture":"arm64"}` or `linux/arm64`.
pub(crate) fn platform(text: &str) -> Result<Platform, Error> {
    if text.starts_with('{') {
        let parsed: oci::image::Platform = serde_json::from_str(text)
            .map_err(|error| invalid(format!("invalid platform {text:?}: {error}")))?;
        return Ok(Platform::new(
            &parsed.os,
            &parsed.architecture,
            parsed.variant.as_deref().unwrap_or_default(),
        ));
    }
    Platform::parse(text, &Platform::host()).map_err(|error| invalid(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(changes: &[&str]) -> Result<ContainerConfig, String> {
        let mut config = ContainerConfig {
            env: Some(vec!["PATH=/bin".to_owned()]),
            cmd: Some(vec!["sh".to_owned()]),
            ..ContainerConfig::default()
        };
        apply(&mut config, changes.iter().copied()).map_err(|error| error.to_string())?;
        Ok(config)
    }

    /// The answers of Docker 28.5.2 to `POST /commit?changes=…`.
    #[test]
    fn changes_are_dockers() {
        let json = |changes: &[&str]| serde_json::to_value(changed(changes).unwrap()).unwrap();
        let cases = [
            ("CMD", "Cmd", r#"["/bin/sh","-c"]"#),
            (r#"CMD ["a"]"#, "Cmd", r#"["a"]"#),
            ("cmd a b", "Cmd", r#"["/bin/sh","-c","a b"]"#),
            ("ENV A b c", "Env", r#"["PATH=/bin","A=b c"]"#),
            (r#"ENV A=b C="d e""#, "Env", r#"["PATH=/bin","A=b","C=d e"]"#),
            ("ENV A=$PATH B=${PATH}x C=${D:-e} PATH=/", "Env", r#"["PATH=/","A=/bin","B=/binx","C=e"]"#),
            ("EXPOSE 8000-8001 53/udp", "ExposedPorts", r#"{"53/udp":{},"8000/tcp":{},"8001/tcp":{}}"#),
            ("LABEL a=b", "Labels", r#"{"a":"b"}"#),
            ("WORKDIR rel", "WorkingDir", r#""/rel""#),
            ("HEALTHCHECK NONE", "Healthcheck", r#"{"Test":["NONE"]}"#),
            (
                "HEALTHCHECK --interval=3s CMD x",
                "Healthcheck",
                r#"{"Test":["CMD-SHELL","x"],"Interval":3000000000}"#,
            ),
            ("USER a b", "User", r#""a b""#),
            ("ONBUILD RUN x", "OnBuild", r#"["RUN x"]"#),
            ("STOPSIGNAL SIGUSR1", "StopSignal", r#""SIGUSR1""#),
            (r#"VOLUME ["/a","/b"]"#, "Volumes", r#"{"/a":{},"/b":{}}"#),
            ("VOLUME /a /b", "Volumes", r#"{"/a":{},"/b":{}}"#),
            ("ENTRYPOINT a", "Entrypoint", r#"["/bin/sh","-c","a"]"#),
        ];
        for (change, key, expected) in cases {
            let expected: serde_json::Value = serde_json::from_str(expected).unwrap();
            assert_eq!(json(&[change])[key], expected, "{change}");
        }
        assert_eq!(changed(&["ENTRYPOINT a"]).unwrap().cmd, None);
        assert_eq!(changed(&["CMD x", "ENTRYPOINT a"]).unwrap().cmd.unwrap().last().unwrap(), "x");
        assert_eq!(json(&["WORKDIR /a", "WORKDIR ../b/./c"])["WorkingDir"], "/b/c");
        assert_eq!(changed(&["ENTRYPOINT []"]).unwrap().entrypoint, None);
    }

    #[test]
    fn refusals_are_dockers() {
        let cases = [
            ("FOO bar", "FOO is not a valid change command"),
            ("RUN x", "RUN is not a valid change command"),
            ("ENV A", "ENV must have two arguments"),
            ("LABEL a", "LABEL must have two arguments"),
            ("EXPOSE 80/foo", "Invalid proto: foo"),
            ("ONBUILD FROM x", "FROM isn't allowed as an ONBUILD trigger"),
            ("STOPSIGNAL FOO", "invalid signal: FOO"),
        ];
        for (change, expected) in cases {
            assert_eq!(changed(&[change]).unwrap_err(), expected, "{change}");
        }
    }

    #[test]
    fn platforms_come_in_two_forms() {
        let expected = Platform::new("linux", "arm", "v7");
        assert_eq!(platform("linux/arm/v7").unwrap(), expected);
        assert_eq!(platform(r#"{"architecture":"arm","os":"linux","variant":"v7"}"#).unwrap(), expected);
        assert!(platform("{").is_err());
    }
}
