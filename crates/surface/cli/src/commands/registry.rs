//! `naru registry serve`: a registry of one's own.
//!
//! The registry is a part of `narud`: this command becomes that program, with the same flags.

use crate::command::{Arity, Command, Entry, Menu, Run};
use crate::context::Context;
use crate::engine::find_narud;
use crate::failure::{Failure, Outcome};
use crate::flags::{Flag, Matches, Value};
use std::os::unix::process::CommandExt;

/// `naru registry`.
pub(crate) const MENU: Menu = Menu { about: "Run a registry", entries: &[Entry::command("serve", &SERVE)] };

const SERVE: Command = Command {
    flags: FLAGS,
    ..Command::new(
        "[OPTIONS]",
        "Serve images to docker, podman and naru, and take what they push",
        Arity::None,
        serve,
    )
};

/// Those of `narud registry serve`.
const FLAGS: &[Flag] = &[
    Flag::switch("anonymous-pull", "Let everybody pull"),
    Flag::one("collect-every", "duration", "How often unused blobs are collected").default("10m"),
    Flag::one("grace", "duration", "How long a blob that no manifest names is kept").default("1h"),
    Flag::one("htpasswd", "path", "Users with bcrypt hashes (htpasswd -B); none for everybody"),
    Flag::one("listen", "address", "Where to listen").default("127.0.0.1:5000"),
    Flag::switch("metrics", "Answer /metrics"),
    Flag::one("quota", "bytes", "The most that a repository may hold"),
    Flag::switch("read-only", "Refuse pushes and deletions"),
    Flag::one("root", "path", "Where everything is kept").default("/var/lib/naru/registry"),
    Flag::one("tls-cert", "path", "Certificate chain, PEM"),
    Flag::one("tls-key", "path", "Its key, PEM"),
    Flag::many("webhook", "url", "Tell pushes and deletions there"),
];

fn serve<'a>(_: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(async move { become_narud(flags) })
}

fn become_narud(flags: &Matches) -> Outcome {
    let program = find_narud()?;
    let error =
        std::process::Command::new(&program).args(["registry", "serve"]).args(arguments(flags)).exec();
    Err(Failure::new(format!("cannot execute {}: {error}", program.display())))
}

fn arguments(flags: &Matches) -> Vec<String> {
    let mut arguments = Vec::new();
    for flag in FLAGS {
        match flag.value {
            Value::Switch if flags.on(flag.name) => arguments.push(format!("--{}", flag.name)),
            Value::Switch => {}
            Value::One { .. } => {
                arguments.extend(flags.last(flag.name).map(|value| format!("--{}={value}", flag.name)));
            }
            Value::Many { .. } => {
                arguments.extend(flags.all(flag.name).iter().map(|value| format!("--{}={value}", flag.name)));
            }
        }
    }
    arguments
}
