//! The table of commands.
//!
//! One static tree: dispatch, help and completion read it. A command that has a short form (`naru ps`) and a long one
//! (`naru container ls`) is one entry that is listed twice.

use std::future::Future;
use std::pin::Pin;

use crate::context::Context;
use crate::failure::Outcome;
use crate::flags::{Flag, Matches, Missing, Order};

/// A command at work.
pub(crate) type Run<'a> = Pin<Box<dyn Future<Output = Outcome> + 'a>>;

/// One command.
pub(crate) struct Command {
    /// What follows the name in the usage line.
    pub(crate) usage: &'static str,
    pub(crate) about: &'static str,
    /// All full names, the canonical one first, if there is more than one.
    pub(crate) also: &'static [&'static str],
    pub(crate) arity: Arity,
    pub(crate) order: Order,
    pub(crate) flags: &'static [Flag],
    pub(crate) missing: &'static [Missing],
    /// What arguments are, for completion.
    pub(crate) completes: Completes,
    pub(crate) run: for<'a> fn(&'a Context, &'a Matches) -> Run<'a>,
}

/// How many arguments a command takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arity {
    None,
    Exactly(usize),
    AtLeast(usize),
    AtMost(usize),
    Between(usize, usize),
}

/// What a command's arguments are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Completes {
    Nothing,
    Containers,
    RunningContainers,
    Images,
}

/// A name in a menu.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    /// Names that are understood and not shown.
    pub(crate) hidden: &'static [&'static str],
    pub(crate) node: Node,
}

/// What a name stands for.
pub(crate) enum Node {
    Command(&'static Command),
    Menu(&'static Menu),
}

/// Commands under a common name.
pub(crate) struct Menu {
    pub(crate) about: &'static str,
    pub(crate) entries: &'static [Entry],
}

impl Entry {
    pub(crate) const fn command(name: &'static str, command: &'static Command) -> Self {
        Self { name, hidden: &[], node: Node::Command(command) }
    }

    pub(crate) const fn menu(name: &'static str, menu: &'static Menu) -> Self {
        Self { name, hidden: &[], node: Node::Menu(menu) }
    }

    pub(crate) const fn hidden(mut self, names: &'static [&'static str]) -> Self {
        self.hidden = names;
        self
    }

    pub(crate) fn is(&self, name: &str) -> bool {
        self.name == name || self.hidden.contains(&name)
    }

    pub(crate) fn about(&self) -> &'static str {
        match self.node {
            Node::Command(command) => command.about,
            Node::Menu(menu) => menu.about,
        }
    }
}

impl Command {
    /// A command without flags and arguments, to be filled in.
    pub(crate) const fn new(
        usage: &'static str,
        about: &'static str,
        arity: Arity,
        run: for<'a> fn(&'a Context, &'a Matches) -> Run<'a>,
    ) -> Self {
        let (also, flags, missing): (&[&str], &[Flag], &[Missing]) = (&[], &[], &[]);
        let (order, completes) = (Order::Mixed, Completes::Nothing);
        Self { usage, about, also, arity, order, flags, missing, completes, run }
    }
}

impl Arity {
    /// Returns why the number of arguments is wrong, in Docker's words, and the verb of the pointer to the help.
    pub(crate) fn check(self, path: &str, given: usize) -> Result<(), (String, &'static str)> {
        let plural = |n: usize| if n == 1 { "argument" } else { "arguments" };
        match self {
            Self::None if given > 0 => Err((format!("'{path}' accepts no arguments"), "Run")),
            Self::Exactly(n) if given != n => Err((format!("'{path}' requires {n} {}", plural(n)), "Run")),
            Self::AtLeast(n) if given < n => {
                Err((format!("'{path}' requires at least {n} {}", plural(n)), "See"))
            }
            Self::AtMost(n) if given > n => {
                Err((format!("'{path}' requires at most {n} {}", plural(n)), "See"))
            }
            Self::Between(least, most) if !(least..=most).contains(&given) => {
                let text = format!("'{path}' requires at least {least} and at most {most} {}", plural(most));
                Err((text, "See"))
            }
            Self::None | Self::Exactly(_) | Self::AtLeast(_) | Self::AtMost(_) | Self::Between(..) => Ok(()),
        }
    }
}
