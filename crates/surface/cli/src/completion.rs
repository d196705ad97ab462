//! Completion scripts, and the words that they ask for.
//!
//! The scripts are short: at each tab they call `naru __complete`, which reads the same tables as the parser and asks a
//! running engine for names. It never starts one.

use client::{ListContainers, ListImages};

use crate::command::{Arity, Command, Completes, Entry, Menu, Node, Run};
use crate::commands;
use crate::context::{Context, print};
use crate::flags::{Flag, Matches, Order, Value};

/// `naru completion`.
pub(crate) const MENU: Menu = Menu {
    about: "Generate the autocompletion script for the specified shell",
    entries: &[Entry::command("bash", &BASH), Entry::command("fish", &FISH), Entry::command("zsh", &ZSH)],
};

const BASH: Command = Command::new(
    "",
    "Generate the autocompletion script for bash: put its output into /etc/bash_completion.d/naru",
    Arity::None,
    bash,
);

const FISH: Command = Command::new(
    "",
    "Generate the autocompletion script for fish: put its output into ~/.config/fish/completions/naru.fish",
    Arity::None,
    fish,
);

const ZSH: Command = Command::new(
    "",
    "Generate the autocompletion script for zsh: put its output into a directory of $fpath as _naru",
    Arity::None,
    zsh,
);

/// The name of the hidden command that the scripts call.
pub(crate) const COMPLETE: &str = "__complete";

/// The hidden command that the scripts call: the words of the command line so far, the last one unfinished.
pub(crate) const WORDS: Command =
    Command { order: Order::FlagsFirst, ..Command::new("", "", Arity::AtLeast(0), words) };

const BASH_SCRIPT: &str = r#"_naru() {
    local IFS=$'\n'
    COMPREPLY=($(naru __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
    if [[ ${#COMPREPLY[@]} -eq 0 ]]; then
        compopt -o default
    fi
}
complete -F _naru naru
"#;

const FISH_SCRIPT: &str = r#"function __naru_complete
    set -l words (commandline -opc) (commandline -ct)
    naru __complete -- $words[2..-1] 2>/dev/null
end
complete -c naru -f -a '(__naru_complete)'
"#;

const ZSH_SCRIPT: &str = r#"#compdef naru
_naru() {
    local -a found
    found=(${(f)"$(naru __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)"})
    if (( ${#found} )); then
        compadd -a found
    else
        _files
    fi
}
_naru "$@"
"#;

fn bash<'a>(_: &'a Context, _: &'a Matches) -> Run<'a> {
    Box::pin(async { print(BASH_SCRIPT) })
}

fn fish<'a>(_: &'a Context, _: &'a Matches) -> Run<'a> {
    Box::pin(async { print(FISH_SCRIPT) })
}

fn zsh<'a>(_: &'a Context, _: &'a Matches) -> Run<'a> {
    Box::pin(async { print(ZSH_SCRIPT) })
}

fn words<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(async move {
        let (last, before) = match flags.args.split_last() {
            Some((last, before)) => (last.as_str(), before),
            None => ("", &[][..]),
        };
        let mut found = match place(before) {
            Place::Menu(menu) => menu.entries.iter().map(|entry| entry.name.to_owned()).collect(),
            Place::Flags(flags) if last.starts_with('-') => flag_names(flags),
            Place::Flags(_) | Place::Value => Vec::new(),
            Place::Arguments(command) if last.starts_with('-') => flag_names(command.flags),
            Place::Arguments(command) => names(context, command.completes).await,
        };
        found.retain(|word| word.starts_with(last));
        found.sort();
        print(&found.iter().map(|word| format!("{word}\n")).collect::<String>())
    })
}

/// Where the unfinished word stands.
enum Place {
    Menu(&'static Menu),
    /// Before the command, or behind the arguments' end.
    Flags(&'static [Flag]),
    /// Behind a flag that takes a value.
    Value,
    Arguments(&'static Command),
}

fn place(before: &[String]) -> Place {
    let mut menu = &commands::ROOT;
    let mut words = before.iter().peekable();
    while let Some(word) = words.next() {
        if word.starts_with('-') {
            if takes_value(crate::app::GLOBAL_FLAGS, word) && words.next().is_none() {
                return Place::Value;
            }
            continue;
        }
        match menu.entries.iter().find(|entry| entry.is(word)).map(|entry| &entry.node) {
            None => return Place::Flags(&[]),
            Some(Node::Menu(inner)) => menu = inner,
            Some(Node::Command(command)) => return in_command(command, words.cloned().collect()),
        }
    }
    Place::Menu(menu)
}

fn in_command(command: &'static Command, words: Vec<String>) -> Place {
    let mut arguments = 0;
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        if word.starts_with('-') && word != "-" {
            if takes_value(command.flags, &word) && words.next().is_none() {
                return Place::Value;
            }
        } else {
            arguments += 1;
            if command.order == Order::FlagsFirst {
                // What follows belongs to the program in the container.
                return Place::Flags(&[]);
            }
        }
    }
    let most = match command.arity {
        Arity::None => 0,
        Arity::Exactly(n) | Arity::AtMost(n) | Arity::Between(_, n) => n,
        Arity::AtLeast(_) => usize::MAX,
    };
    if arguments < most { Place::Arguments(command) } else { Place::Flags(command.flags) }
}

/// Tells whether the flag takes its value from the next word.
fn takes_value(flags: &[Flag], word: &str) -> bool {
    if word.contains('=') {
        return false;
    }
    let flag = match word.strip_prefix("--") {
        Some(name) => flags.iter().find(|flag| flag.name == name),
        None => flags.iter().find(|flag| flag.short.is_some() && flag.short == word.chars().last()),
    };
    flag.is_some_and(|flag| !matches!(flag.value, Value::Switch))
}

fn flag_names(flags: &[Flag]) -> Vec<String> {
    flags.iter().map(|flag| format!("--{}", flag.name)).chain(["--help".to_owned()]).collect()
}

async fn names(context: &Context, class: Completes) -> Vec<String> {
    let client = context.client();
    match class {
        Completes::Nothing => Vec::new(),
        Completes::Containers | Completes::RunningContainers => {
            let all = class == Completes::Containers;
            let containers = client.containers(&ListContainers { all, ..ListContainers::default() }).await;
            let names = containers.unwrap_or_default().into_iter().flat_map(|container| container.names);
            names.map(|name| name.trim_start_matches('/').to_owned()).collect()
        }
        Completes::Images => {
            let images = client.images(&ListImages::default()).await.unwrap_or_default();
            images
                .into_iter()
                .flat_map(|image| image.repo_tags)
                .filter(|tag| tag != "<none>:<none>")
                .collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn describe(words: &[&str]) -> &'static str {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        match place(&words) {
            Place::Menu(menu) if menu.about.is_empty() => "root",
            Place::Menu(menu) => menu.about,
            Place::Flags([]) => "nothing",
            Place::Flags(_) => "flags",
            Place::Value => "value",
            Place::Arguments(command) => command.about,
        }
    }

    #[test]
    fn place_is_found_behind_flags_and_menus() {
        let cases: &[(&[&str], &str)] = &[
            (&[], "root"),
            (&["-H", "unix:///x"], "root"),
            (&["-H"], "value"),
            (&["container"], "Manage containers"),
            (&["stop"], "Stop one or more running containers"),
            (&["stop", "-t"], "value"),
            (&["stop", "-t", "3", "a"], "Stop one or more running containers"),
            (&["container", "rm", "-f"], "Remove one or more containers"),
            (&["rename", "a", "b"], "nothing"),
            (&["run", "--rm", "-it"], "Create and run a new container from an image"),
            (&["run", "--rm", "busybox"], "nothing"),
            (&["run", "--name"], "value"),
            (&["run", "--name=x"], "Create and run a new container from an image"),
            (&["frobnicate"], "nothing"),
        ];
        for (words, expected) in cases {
            assert_eq!(describe(words), *expected, "{words:?}");
        }
    }
}
