//! The commands: one file for each, listed in [`COMMANDS`].

mod birth;
mod delete;
mod events;
mod exec;
mod features;
mod kill;
mod list;
mod pause;
mod ps;
mod spec;
mod start;
mod state;
mod update;

use crate::flags::{self, Flag, Given, Order};
use crate::global::Global;
use crate::preserve::{self, Preserved};
use crate::{Error, flags::text, process};

/// A command: what it is called, what it takes, what it does.
pub(crate) struct Command {
    /// Its name.
    pub(crate) name: &'static str,
    /// What its arguments are called.
    pub(crate) arguments: &'static str,
    /// What it does, in one sentence.
    pub(crate) help: &'static str,
    /// Its flags.
    pub(crate) flags: &'static [Flag],
    /// Where they may stand.
    pub(crate) order: Order,
    /// The exit code of a failure.
    pub(crate) failure_code: u8,
    /// Does it; returns the exit code.
    pub(crate) run: fn(&Global, Call) -> Result<u8, Error>,
}

/// All commands, as help lists them.
pub(crate) const COMMANDS: &[Command] = &[
    birth::CREATE,
    start::START,
    birth::RUN,
    exec::EXEC,
    state::STATE,
    kill::KILL,
    delete::DELETE,
    list::LIST,
    ps::PS,
    pause::PAUSE,
    pause::RESUME,
    update::UPDATE,
    events::EVENTS,
    spec::SPEC,
    features::FEATURES,
    CHECKPOINT,
    RESTORE,
];

const CHECKPOINT: Command = Command {
    name: "checkpoint",
    arguments: "ID",
    help: "(not supported) save the state of a running container",
    flags: &[],
    order: Order::BeforeArguments,
    failure_code: 1,
    run: |_, _| Err(Error::NotSupported("checkpoint")),
};

const RESTORE: Command = Command {
    name: "restore",
    arguments: "ID",
    help: "(not supported) restore a container from a checkpoint",
    flags: &[],
    order: Order::BeforeArguments,
    failure_code: 1,
    run: |_, _| Err(Error::NotSupported("restore")),
};

impl Command {
    /// Returns the command of this name.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        COMMANDS.iter().find(|command| command.name == name)
    }
}

/// How a command was called.
#[derive(Debug, Default)]
pub(crate) struct Call {
    /// Flags and arguments.
    pub(crate) given: Given,
    /// Descriptors of the caller for the program.
    pub(crate) preserved: Preserved,
}

/// The flag that many commands share.
pub(crate) const PRESERVE_FDS: Flag =
    text(&["preserve-fds"], "COUNT", "hand that many descriptors from 3 on to the program");

impl Call {
    /// Reads a command's line, and takes the descriptors that it hands through.
    ///
    /// # Errors
    /// InvalidArgument for wrong flags.
    pub(crate) fn new(command: &Command, args: &[String]) -> Result<Self, Error> {
        let unsupported = command.flags.is_empty() && command.name.ends_with("restore");
        if unsupported || command.name == "checkpoint" {
            return Ok(Self::default()); // The answer does not depend on them.
        }
        let given = flags::parse(command.flags, command.order, args)?;
        let hands_through = command.flags.iter().any(|flag| flag.names == PRESERVE_FDS.names);
        if hands_through {
            // They make processes in containers. First, for it may execute the program again, with all its descriptors.
            process::protect()?;
        }
        let preserved = match hands_through {
            true => preserve::take(given.number("preserve-fds")?.unwrap_or(0), command.name != "exec")?,
            false => Preserved::default(),
        };
        Ok(Self { given, preserved })
    }

    /// Returns the container's id, the only argument.
    ///
    /// # Errors
    /// InvalidArgument if there are more or none.
    pub(crate) fn id(&self) -> Result<&str, Error> {
        match self.given.args.as_slice() {
            [id] => Ok(id),
            [] => Err(Error::usage("container id is missing")),
            [_, more, ..] => Err(Error::usage(format!(
                "one argument, the container id, is expected: {more:?} is too many"
            ))),
        }
    }
}

/// How JSON is printed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Form {
    /// In one line.
    Line,
    /// For people.
    Indented,
}

/// Prints a value as JSON.
pub(crate) fn print_json(value: &impl serde::Serialize, form: Form) {
    let text = match form {
        Form::Line => serde_json::to_string(value),
        Form::Indented => serde_json::to_string_pretty(value),
    };
    println!("{}", text.expect("values of ours have texts as keys, which is all that can fail"));
}
