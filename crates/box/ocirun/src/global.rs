//! The command line as a whole: global flags, which command, how it ends.

use crate::command::{Call, Command};
use crate::flags::{self, Flag, Order, switch, text};
use crate::log::Log;
use crate::store::Store;
use crate::{Error, help};
use ::error::Fault as _;
use std::ffi::OsString;
use std::path::PathBuf;

/// The flags that come before the command.
pub(crate) const FLAGS: &[Flag] = &[
    switch(&["debug"], "log more"),
    text(&["log"], "FILE", "append errors and warnings to a file"),
    text(&["log-format"], "FORMAT", "text or json"),
    text(&["root"], "DIR", "where containers are kept (/run/naru-runc, or $XDG_RUNTIME_DIR/naru-runc)"),
    switch(&["systemd-cgroup"], "cgroupsPath is slice:prefix:name, and systemd makes the cgroup"),
    text(
        &["rootless"],
        "WHEN",
        "accepted; who calls decides whether cgroups that may not be made are left out",
    ),
    text(&["cgroup-manager"], "NAME", "cgroupfs or systemd, as crun has it"),
    switch(&["version", "v"], "print the version"),
    switch(&["help", "h"], "print this help"),
];

/// What the global flags say.
#[derive(Debug)]
pub(crate) struct Global {
    /// Where errors go.
    pub(crate) log: Log,
    /// Where containers are kept.
    pub(crate) store: Store,
    /// Whether systemd makes the cgroups.
    pub(crate) systemd: bool,
}

/// What the program is called in texts.
const NAME: &str = "naru-run";

/// Carries out a command line; returns the exit code.
pub(crate) fn run(args: impl Iterator<Item = OsString>) -> u8 {
    let args: Result<Vec<String>, OsString> = args.map(OsString::into_string).collect();
    let args = match args {
        Ok(args) => args,
        Err(arg) => return report(&Log::standard(), &Error::usage(format!("{arg:?} is not UTF-8")), 1),
    };
    let given = match flags::parse(FLAGS, Order::BeforeArguments, &args) {
        Ok(given) => given,
        Err(error) => return report(&Log::standard(), &error, 1),
    };
    if given.is_on("version") {
        print!("{}", help::version());
        return 0;
    }
    let Some((name, rest)) = given.args.split_first() else {
        print!("{}", help::overview());
        return 0;
    };
    if given.is_on("help") || name == "help" {
        let topic = rest.first().and_then(|topic| Command::named(topic));
        print!("{}", topic.map_or_else(help::overview, help::of));
        return 0;
    }
    let Some(command) = Command::named(name) else {
        let text = format!("no such command: {name:?}: see `{NAME} --help`");
        return report(&Log::standard(), &Error::usage(text), 1);
    };
    if rest.iter().take_while(|arg| *arg != "--").next().is_some_and(|arg| arg == "--help" || arg == "-h") {
        print!("{}", help::of(command));
        return 0;
    }
    // Before anything is opened: a descriptor of ours must not be taken for the caller's.
    let call = Call::new(command, rest);
    let log = match Log::open(given.text("log"), given.text("log-format"), given.is_on("debug")) {
        Ok(log) => log,
        Err(error) => return report(&Log::standard(), &error, 1),
    };
    let failed =
        |source| Error::Command { command: format!("{NAME} {}", command.name), source: Box::new(source) };
    let call = match call {
        Ok(call) => call,
        Err(error) => return report(&log, &failed(error), command.failure_code),
    };
    let global = match Global::new(log, &given) {
        Ok(global) => global,
        Err((log, error)) => return report(&log, &error, 1),
    };
    match (command.run)(&global, call) {
        Ok(code) => code,
        Err(error) => report(&global.log, &failed(error), command.failure_code),
    }
}

fn report(log: &Log, error: &Error, code: u8) -> u8 {
    let mut text = ::error::chain(error);
    if let Some(hint) = error.hint() {
        text = format!("{text} (hint: {hint})");
    }
    log.error(&text);
    code
}

impl Global {
    fn new(log: Log, given: &flags::Given) -> Result<Self, (Log, Error)> {
        let systemd = match given.text("cgroup-manager") {
            None => given.is_on("systemd-cgroup"),
            Some("cgroupfs") => false,
            Some("systemd") => true,
            Some(other) => {
                return Err((
                    log,
                    Error::usage(format!("unknown cgroup manager {other:?}: cgroupfs or systemd")),
                ));
            }
        };
        match given.text("rootless") {
            None | Some("auto" | "true" | "false") => {}
            Some(other) => {
                return Err((
                    log,
                    Error::usage(format!("invalid --rootless {other:?}: true, false or auto")),
                ));
            }
        }
        let root =
            given.text("root").filter(|root| !root.is_empty()).map_or_else(default_root, PathBuf::from);
        Ok(Self { store: Store::new(root), log, systemd })
    }
}

fn default_root() -> PathBuf {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").filter(|directory| !directory.is_empty());
    match runtime {
        Some(directory) if sys::process::effective_uid() != 0 => PathBuf::from(directory).join("naru-runc"),
        _ => PathBuf::from("/run/naru-runc"),
    }
}
