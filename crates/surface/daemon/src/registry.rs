//! `narud registry serve`: a registry of its own, beside the engine or without one.

use crate::error::Error;
use crate::logging;
use lexopt::{Arg, ValueExt};
use refs::ByteSize;
use registryd::{Settings, Tls};
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Where the registry is kept unless `--root` says otherwise.
const ROOT: &str = "/var/lib/naru/registry";

/// Where it listens unless `--listen` says otherwise: nobody else is let in by default.
const LISTEN: &str = "127.0.0.1:5000";

/// The help text of `narud registry serve`.
pub(crate) const HELP: &str = "\
Usage: narud registry serve [OPTIONS]

A registry that speaks the OCI distribution protocol.

Options:
      --root path              Where everything is kept (default /var/lib/naru/registry)
      --listen address         ADDRESS:PORT (default 127.0.0.1:5000)
      --tls-cert path          Certificate chain, PEM
      --tls-key path           Its key, PEM
      --htpasswd path          Users with bcrypt hashes (htpasswd -B); none for everybody
      --anonymous-pull         Let everybody pull
      --read-only              Refuse pushes and deletions
      --quota bytes            The most that a repository may hold
      --webhook url            Tell pushes and deletions there; may be given several times
      --metrics                Answer /metrics
      --collect-every duration How often unused blobs are collected (default 10m)
      --grace duration         How long a blob that no manifest names is kept (default 1h)
      --log-level string       error, warn, info, debug, trace (default info)
";

/// What the command line asks for.
#[derive(Debug)]
struct Wanted {
    settings: Settings,
    listen: String,
    log_level: String,
    help: bool,
}

/// Runs `narud registry ARGS`.
pub(crate) fn run(args: impl IntoIterator<Item = OsString>) -> Result<(), Error> {
    let mut args = args.into_iter();
    if args.next().as_deref() != Some(std::ffi::OsStr::new("serve")) {
        print!("{HELP}");
        return Ok(());
    }
    let wanted = parse(args)?;
    if wanted.help {
        print!("{HELP}");
        return Ok(());
    }
    logging::start(&wanted.log_level, false);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(crate::WORKERS)
        .enable_all()
        .build()
        .map_err(|source| Error::File {
            what: "start threads for",
            path: wanted.settings.root.clone(),
            source,
        })?;
    runtime.block_on(serve(wanted))
}

async fn serve(wanted: Wanted) -> Result<(), Error> {
    let failed = |source| Error::File { what: "listen at", path: wanted.listen.clone().into(), source };
    let listener = TcpListener::bind(&wanted.listen).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    // The first line of stdout is for programs: with port 0 they learn here where the registry listens.
    println!("listening on {address}");
    let _ = std::io::stdout().flush(); // who does not read it does not need it
    let stop = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    registryd::serve(listener, wanted.settings, stop).await.map_err(Error::service)
}

fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Wanted, Error> {
    let mut settings = Settings {
        root: ROOT.into(),
        tls: None,
        htpasswd: None,
        anonymous_pull: false,
        read_only: false,
        quota_bytes: None,
        webhooks: Vec::new(),
        metrics: false,
        collect_every: Duration::from_secs(600),
        grace: Duration::from_secs(3600),
    };
    let mut wanted_help = false;
    let (mut listen, mut log_level) = (LISTEN.to_owned(), "info".to_owned());
    let (mut certificate, mut key) = (None::<PathBuf>, None::<PathBuf>);
    let mut parser = lexopt::Parser::from_args(args);
    while let Some(arg) = parser.next().map_err(wrong)? {
        let Arg::Long(name) = arg else { return Err(wrong(arg.unexpected())) };
        let name = name.to_owned();
        let mut value = || parser.value().and_then(ValueExt::string).map_err(wrong);
        match name.as_str() {
            "root" => settings.root = value()?.into(),
            "listen" => listen = value()?,
            "tls-cert" => certificate = Some(value()?.into()),
            "tls-key" => key = Some(value()?.into()),
            "htpasswd" => settings.htpasswd = Some(value()?.into()),
            "anonymous-pull" => settings.anonymous_pull = true,
            "read-only" => settings.read_only = true,
            "quota" => settings.quota_bytes = Some(bytes(&name, &value()?)?),
            "webhook" => settings.webhooks.push(value()?),
            "metrics" => settings.metrics = true,
            "collect-every" => settings.collect_every = duration(&name, &value()?)?,
            "grace" => settings.grace = duration(&name, &value()?)?,
            "log-level" => log_level = value()?,
            "help" => wanted_help = true,
            _ => {
                return Err(flag(format!(
                    "unknown flag: --{name}; `narud registry serve --help` lists them"
                )));
            }
        }
    }
    settings.tls = match (certificate, key) {
        (Some(certificate), Some(key)) => Some(Tls { certificate, key }),
        (None, None) => None,
        _ => return Err(flag("--tls-cert and --tls-key belong together")),
    };
    if settings.anonymous_pull && settings.htpasswd.is_none() {
        return Err(flag("--anonymous-pull means nothing without --htpasswd"));
    }
    Ok(Wanted { settings, listen, log_level, help: wanted_help })
}

fn flag(reason: impl Into<String>) -> Error {
    Error::Flag { reason: reason.into() }
}

fn wrong(error: lexopt::Error) -> Error {
    flag(error.to_string())
}

fn bytes(name: &str, text: &str) -> Result<u64, Error> {
    ByteSize::parse_ram(text).map(|size| size.0).map_err(|error| flag(format!("--{name} {text:?}: {error}")))
}

fn duration(name: &str, text: &str) -> Result<Duration, Error> {
    refs::parse_duration(text)
        .ok()
        .and_then(|nanoseconds| u64::try_from(nanoseconds).ok())
        .map(Duration::from_nanos)
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| flag(format!("--{name} {text:?}: it must be a duration such as 90s or 1h30m")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str]) -> Result<Wanted, String> {
        parse(args.iter().map(OsString::from)).map_err(|error| ::error::chain(&error))
    }

    #[test]
    fn flags_become_settings() {
        let wanted = parsed(&[
            "--listen",
            "0.0.0.0:443",
            "--tls-cert",
            "c",
            "--tls-key",
            "k",
            "--quota=2GiB",
            "--grace",
            "90s",
        ])
        .expect("valid");
        assert_eq!(wanted.listen, "0.0.0.0:443");
        assert_eq!(wanted.settings.quota_bytes, Some(2 << 30));
        assert_eq!(wanted.settings.grace, Duration::from_secs(90));
        assert!(wanted.settings.tls.is_some());
    }

    #[test]
    fn mistakes_name_the_flag() {
        for (args, text) in [
            (&["--tls-cert", "c"][..], "belong together"),
            (&["--nosuch"][..], "--nosuch"),
            (&["--quota", "x"][..], "--quota"),
            (&["--grace", "0s"][..], "--grace"),
            (&["--anonymous-pull"][..], "--htpasswd"),
            (&["extra"][..], "extra"),
        ] {
            let error = parsed(args).expect_err("wrong");
            assert!(error.contains(text), "{error}");
        }
    }
}
