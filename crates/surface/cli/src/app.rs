//! From the words of the command line to the command: global flags, menus, and what is said about mistakes.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use client::{Tls, TlsFiles};

use crate::command::{Command, Entry, Menu, Node};
use crate::commands;
use crate::completion;
use crate::config;
use crate::context::{Context, env, warn};
use crate::engine::{self, Address};
use crate::failure::{ENGINE, Failure, Outcome};
use crate::flags::{Flag, Matches, Mistake, Order, parse};
use crate::help;
use crate::suggest;

/// Flags that stand before the command.
pub(crate) const GLOBAL_FLAGS: &[Flag] = &[
    Flag::one("config", "string", "Location of client config files").default("~/.docker"),
    Flag::switch("debug", "Say more about what is done").short('D'),
    Flag::one("host", "string", "Engine socket to connect to").short('H'),
    Flag::one("tlscacert", "string", "Trust certs signed only by this CA").default("~/.docker/ca.pem"),
    Flag::one("tlscert", "string", "Path to TLS certificate file").default("~/.docker/cert.pem"),
    Flag::one("tlskey", "string", "Path to TLS key file").default("~/.docker/key.pem"),
    Flag::switch("tlsverify", "Use TLS and verify the remote"),
    Flag::switch("version", "Print version information and quit").short('v'),
];

/// What a command line asks for.
enum Asked {
    Run { command: &'static Command, path: String, matches: Matches, globals: Matches },
    Print(String),
}

/// Runs the command line of this process.
pub(crate) fn main() -> ExitCode {
    let mut words: Vec<OsString> = std::env::args_os().skip(1).collect();
    if words.first().is_some_and(|word| word == engine::DETACH) {
        return report(Err(engine::detach(&words.split_off(1))));
    }
    let mut text = Vec::with_capacity(words.len());
    for word in words {
        match word.into_string() {
            Ok(word) => text.push(word),
            // The API is JSON: what is not Unicode cannot reach the engine unharmed.
            Err(word) => {
                let why = format!("argument {word:?} is not valid UTF-8");
                return report(Err(Failure::new(why).with_code(ENGINE)));
            }
        }
    }
    report(read(&text).and_then(carry_out))
}

fn report(outcome: Outcome) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let shown = failure.shown();
            if !shown.is_empty() {
                warn(&shown);
            }
            ExitCode::from(failure.code)
        }
    }
}

fn carry_out(asked: Asked) -> Outcome {
    let (command, path, matches, globals) = match asked {
        Asked::Print(text) => return crate::context::print(&text),
        Asked::Run { command, path, matches, globals } => (command, path, matches, globals),
    };
    let address = Address::find(globals.last("host"))?;
    let config = config::load(config::directory(globals.last("config")).as_deref())?;
    let tls = tls(&globals)?;
    let context = Context::new(address, config, globals.on("debug"), tls);
    context.note(&format!("{path} at {}", context.client().endpoint()));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|why| Failure::new(format!("cannot start: {why}")))?;
    let outcome = runtime.block_on((command.run)(&context, &matches));
    // A thread may still wait for standard input: nobody waits for that thread.
    runtime.shutdown_background();
    outcome
}

/// Reads the certificates for TCP, if `--tlsverify` or `DOCKER_TLS_VERIFY` asks for TLS.
fn tls(globals: &Matches) -> Outcome<Option<Tls>> {
    let verify =
        if globals.given("tlsverify") { globals.on("tlsverify") } else { env("DOCKER_TLS_VERIFY").is_some() };
    if !verify {
        return Ok(None);
    }
    let folder = match env("DOCKER_CERT_PATH") {
        Some(folder) => Some(PathBuf::from(folder)),
        None => config::directory(globals.last("config")),
    };
    let file = |flag: &str, name: &str| match globals.last(flag) {
        Some(path) => PathBuf::from(path),
        None => folder.clone().unwrap_or_default().join(name),
    };
    let files = TlsFiles {
        ca: file("tlscacert", "ca.pem"),
        cert: file("tlscert", "cert.pem"),
        key: file("tlskey", "key.pem"),
    };
    Ok(Some(Tls::read(&files)?))
}

fn read(words: &[String]) -> Outcome<Asked> {
    if words.first().is_some_and(|word| word == completion::COMPLETE) {
        return with_flags(&completion::WORDS, "naru".to_owned(), &words[1..], Matches::default());
    }
    let globals = match parse(GLOBAL_FLAGS, commands::MISSING_GLOBALS, Order::FlagsFirst, words) {
        Ok(globals) => globals,
        Err(Mistake::Help | Mistake::ShortHelp) => return Ok(Asked::Print(help::root())),
        Err(Mistake::Flag { text, hint }) => {
            return Err(mistake("naru", "[OPTIONS] COMMAND [ARG...]", text, hint));
        }
    };
    if globals.on("version") {
        return Ok(Asked::Print(format!("Naru version {}\n", env!("CARGO_PKG_VERSION"))));
    }
    let Some((first, rest)) = globals.args.split_first() else {
        return Ok(Asked::Print(help::root()));
    };
    if first == "help" {
        return topic(rest);
    }
    let (first, rest, root) = (first.clone(), rest.to_vec(), globals.clone());
    enter(&commands::ROOT, "naru", &first, &rest, root)
}

fn enter(menu: &'static Menu, path: &str, name: &str, rest: &[String], globals: Matches) -> Outcome<Asked> {
    let Some(entry) = menu.entries.iter().find(|entry| entry.is(name)) else {
        return Err(unknown(menu, path, name));
    };
    let path = format!("{path} {}", entry.name);
    let (menu, name, rest) = match entry.node {
        Node::Command(command) => return with_flags(command, path, rest, globals),
        Node::Menu(menu) => match rest.split_first() {
            None => return Ok(Asked::Print(help::menu(menu, &path))),
            Some((name, rest)) => (menu, name, rest),
        },
    };
    match name.as_str() {
        "--help" | "-h" | "help" => Ok(Asked::Print(help::menu(menu, &path))),
        flag if flag.starts_with('-') => {
            let text = match flag.strip_prefix("--") {
                Some(_) => format!("unknown flag: {}", flag.split('=').next().unwrap_or(flag)),
                None => {
                    let letter = flag.chars().nth(1).unwrap_or('-');
                    format!("unknown shorthand flag: {} in {flag}", crate::quote::quote_char(letter))
                }
            };
            Err(mistake(&path, "COMMAND", text, None))
        }
        _ => enter(menu, &path, name, rest, globals),
    }
}

fn with_flags(command: &'static Command, path: String, words: &[String], globals: Matches) -> Outcome<Asked> {
    let matches = match parse(command.flags, command.missing, command.order, words) {
        Ok(matches) => matches,
        Err(Mistake::Help) => return Ok(Asked::Print(help::command(command, &path))),
        Err(Mistake::ShortHelp) => {
            warn("Flag shorthand -h has been deprecated, use --help");
            return Ok(Asked::Print(help::command(command, &path)));
        }
        Err(Mistake::Flag { text, hint }) => return Err(mistake(&path, command.usage, text, hint)),
    };
    if let Err((why, verb)) = command.arity.check(&path, matches.args.len()) {
        let mut failure = Failure::new(format!("naru: {why}"));
        failure.more = format!(
            "\nUsage:  {path}{}{}\n\n{verb} '{path} --help' for more information",
            if command.usage.is_empty() { "" } else { " " },
            command.usage
        );
        return Err(failure);
    }
    Ok(Asked::Run { command, path, matches, globals })
}

/// A mistake with a flag. Docker's exit code for it is 125, whatever the command.
fn mistake(path: &str, usage: &str, text: String, hint: Option<String>) -> Failure {
    let space = if usage.is_empty() { "" } else { " " };
    let mut failure = Failure::new(text).with_code(ENGINE);
    failure.hint = hint;
    failure.more = format!("\nUsage:  {path}{space}{usage}\n\nRun '{path} --help' for more information");
    failure
}

fn unknown(menu: &Menu, path: &str, name: &str) -> Failure {
    let mut failure = Failure::new(format!("naru: unknown command: {path} {name}"));
    if let Some((_, why)) = commands::NOT_YET.iter().find(|(missing, _)| *missing == name) {
        failure.text = format!("naru: {path} {name} is not supported: {why}");
    } else {
        let names = menu.entries.iter().flat_map(|entry| entry.hidden.iter().copied().chain([entry.name]));
        failure.hint = suggest::nearest(name, names).map(|near| format!("did you mean `{path} {near}`?"));
    }
    failure.more = match path {
        "naru" => "\nRun 'naru --help' for more information".to_owned(),
        _ => format!("\nUsage:  {path}\n\nRun '{path} --help' for more information"),
    };
    failure
}

/// `naru help [COMMAND]...`
fn topic(words: &[String]) -> Outcome<Asked> {
    let mut path = String::from("naru");
    let mut menu = &commands::ROOT;
    for (number, word) in words.iter().enumerate() {
        let found = menu.entries.iter().find(|entry: &&Entry| entry.is(word));
        let Some(entry) = found else {
            return Err(Failure::new(format!("unknown help topic: {}", words.join(" "))));
        };
        path = format!("{path} {}", entry.name);
        match entry.node {
            Node::Command(command) => return Ok(Asked::Print(help::command(command, &path))),
            Node::Menu(inner) => menu = inner,
        }
        if number + 1 == words.len() {
            return Ok(Asked::Print(help::menu(menu, &path)));
        }
    }
    Ok(Asked::Print(help::root()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(words: &[&str]) -> Failure {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        match read(&words) {
            Ok(_) => panic!("{words:?} must be a mistake"),
            Err(failure) => failure,
        }
    }

    fn printed(words: &[&str]) -> String {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        match read(&words) {
            Ok(Asked::Print(text)) => text,
            Ok(Asked::Run { path, .. }) => panic!("{words:?} must print, not run {path}"),
            Err(failure) => panic!("{words:?} must print: {}", failure.shown()),
        }
    }

    fn runs(words: &[&str]) -> (String, Vec<String>) {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        match read(&words) {
            Ok(Asked::Run { path, matches, .. }) => (path, matches.args),
            Ok(Asked::Print(text)) => panic!("{words:?} must run, not print {text}"),
            Err(failure) => panic!("{words:?} must run: {}", failure.shown()),
        }
    }

    #[test]
    fn mistakes_read_like_dockers_with_its_exit_codes() {
        // The texts are those of docker 28.2.2, with its name replaced; lines beginning with "hint:" are ours.
        let cases: &[(&[&str], u8, &str)] = &[
            (&["foo"], 1, "naru: unknown command: naru foo\n\nRun 'naru --help' for more information"),
            (
                &["ps", "--fromat", "x"],
                125,
                "unknown flag: --fromat\nhint: did you mean --format?\n\nUsage:  naru ps [OPTIONS]\n\n\
                 Run 'naru ps --help' for more information",
            ),
            (
                &["ps", "-Z"],
                125,
                "unknown shorthand flag: 'Z' in -Z\n\nUsage:  naru ps [OPTIONS]\n\nRun 'naru ps --help' for more information",
            ),
            (
                &["run"],
                1,
                "naru: 'naru run' requires at least 1 argument\n\nUsage:  naru run [OPTIONS] IMAGE [COMMAND] [ARG...]\n\n\
                 See 'naru run --help' for more information",
            ),
            (
                &["tag", "a"],
                1,
                "naru: 'naru tag' requires 2 arguments\n\nUsage:  naru tag SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]\n\n\
                 Run 'naru tag --help' for more information",
            ),
            (
                &["ps", "a"],
                1,
                "naru: 'naru ps' accepts no arguments\n\nUsage:  naru ps [OPTIONS]\n\nRun 'naru ps --help' for more information",
            ),
            (
                &["container", "foo"],
                1,
                "naru: unknown command: naru container foo\n\nUsage:  naru container\n\n\
                 Run 'naru container --help' for more information",
            ),
            (
                &["run", "-m", "abc", "x"],
                125,
                "invalid argument \"abc\" for \"-m, --memory\" flag: invalid size: 'abc'\n\n\
                 Usage:  naru run [OPTIONS] IMAGE [COMMAND] [ARG...]\n\nRun 'naru run --help' for more information",
            ),
            (
                &["--versio"],
                125,
                "unknown flag: --versio\nhint: did you mean --version?\n\nUsage:  naru [OPTIONS] COMMAND [ARG...]\n\n\
                 Run 'naru --help' for more information",
            ),
            (&["help", "foo"], 1, "unknown help topic: foo"),
        ];
        for (words, code, text) in cases {
            let failure = failure(words);
            assert_eq!((failure.code, failure.shown().as_str()), (*code, *text), "{words:?}");
        }
    }

    #[test]
    fn unknown_command_suggests_the_nearest() {
        assert_eq!(failure(&["ru"]).hint.as_deref(), Some("did you mean `naru run`?"));
        let hint = "did you mean `naru container inspect`?";
        assert_eq!(failure(&["container", "inspcet"]).hint.as_deref(), Some(hint));
    }

    #[test]
    fn command_that_is_not_there_yet_is_refused_by_name() {
        let shown = failure(&["build", "."]).shown();
        assert!(shown.starts_with("naru: naru build is not supported: "), "{shown}");
    }

    #[test]
    fn flag_that_is_not_there_yet_is_refused_by_name() {
        let failure = failure(&["run", "--gpus", "all", "busybox"]);
        assert_eq!(failure.code, 125);
        assert!(failure.text.starts_with("--gpus is not supported: "), "{}", failure.text);
    }

    #[test]
    fn long_and_short_forms_are_one_command() {
        for words in [&["container", "ls"][..], &["container", "list"], &["container", "ps"]] {
            assert_eq!(runs(words).0, "naru container ls");
        }
        assert_eq!(runs(&["-D", "-H", "/x", "ps"]).0, "naru ps");
        let (path, args) = runs(&["run", "--rm", "busybox", "echo", "--rm"]);
        assert_eq!((path.as_str(), args), ("naru run", vec!["busybox".into(), "echo".into(), "--rm".into()]));
    }

    #[test]
    fn help_is_reached_every_way() {
        let ps = printed(&["ps", "--help"]);
        assert!(ps.starts_with("Usage:  naru ps [OPTIONS]\n\nList containers\n"), "{ps}");
        assert_eq!(printed(&["help", "ps"]), ps);
        assert_eq!(printed(&["container"]), printed(&["help", "container"]));
        assert_eq!(printed(&[]), printed(&["--help"]));
        assert_eq!(printed(&["-v"]), format!("Naru version {}\n", env!("CARGO_PKG_VERSION")));
    }

    #[test]
    fn every_command_and_flag_has_a_help_text() {
        fn walk(menu: &Menu, path: &str) {
            for entry in menu.entries {
                let path = format!("{path} {}", entry.name);
                assert!(!entry.about().is_empty(), "{path}");
                match entry.node {
                    Node::Menu(menu) => walk(menu, &path),
                    Node::Command(command) => {
                        for (number, flag) in command.flags.iter().enumerate() {
                            assert!(!flag.help.is_empty(), "{path} --{}", flag.name);
                            let twice = command.flags[..number].iter().any(|other| {
                                other.name == flag.name || (flag.short.is_some() && other.short == flag.short)
                            });
                            assert!(!twice, "{path} --{} is there twice", flag.name);
                            let refused = command.missing.iter().any(|missing| missing.name == flag.name);
                            assert!(!refused, "{path} --{} is offered and refused", flag.name);
                        }
                    }
                }
            }
        }
        walk(&commands::ROOT, "naru");
    }
}
