//! Help texts, in Docker's shape.

use crate::app::GLOBAL_FLAGS;
use crate::command::{Command, Menu, Node};
use crate::commands;
use crate::flags::{Flag, options_help};
use crate::term;

/// The flag that every command has; shown only where Docker shows it.
const HELP: Flag = Flag::switch("help", "Print usage");

/// Returns the number of columns that help may use.
fn columns() -> usize {
    usize::from(term::columns().unwrap_or(80)).saturating_sub(1)
}

/// Returns the help of `naru` itself.
pub(crate) fn root() -> String {
    let mut out = String::from(
        "Usage:  naru [OPTIONS] COMMAND\n\nA container engine: runs programs apart from the rest of the system\n",
    );
    let entries = commands::ROOT.entries;
    let common = |name: &str| commands::COMMON.contains(&name);
    let is_menu = |node: &Node| matches!(node, Node::Menu(_));
    let sections = [
        (
            "Common Commands:",
            commands::COMMON
                .iter()
                .filter_map(|name| entries.iter().find(|entry| entry.name == *name))
                .map(|entry| (entry.name, entry.about()))
                .collect::<Vec<_>>(),
        ),
        (
            "Management Commands:",
            entries.iter().filter(|e| is_menu(&e.node)).map(|e| (e.name, e.about())).collect(),
        ),
        (
            "Commands:",
            entries
                .iter()
                .filter(|e| !is_menu(&e.node) && !common(e.name))
                .map(|e| (e.name, e.about()))
                .collect(),
        ),
    ];
    for (title, rows) in sections {
        out.push_str(&format!("\n{title}\n"));
        for (name, about) in rows {
            out.push_str(&format!("  {name:<11} {about}\n"));
        }
    }
    out.push_str("\nGlobal Options:\n");
    out.push_str(&options_help(GLOBAL_FLAGS, columns()));
    out.push_str("\nRun 'naru COMMAND --help' for more information on a command.\n");
    out
}

/// Returns the help of a menu.
pub(crate) fn menu(menu: &Menu, path: &str) -> String {
    let mut out = format!("Usage:  {path} COMMAND\n\n{}\n\nCommands:\n", menu.about);
    for entry in menu.entries {
        out.push_str(&format!("  {:<11} {}\n", entry.name, entry.about()));
    }
    out.push_str(&format!("\nRun '{path} COMMAND --help' for more information on a command.\n"));
    out
}

/// Returns the help of a command.
pub(crate) fn command(command: &Command, path: &str) -> String {
    let space = if command.usage.is_empty() { "" } else { " " };
    let mut out = format!("Usage:  {path}{space}{}\n\n{}\n", command.usage, command.about);
    if !command.also.is_empty() {
        let names: Vec<String> = command.also.iter().map(|name| format!("naru {name}")).collect();
        out.push_str(&format!("\nAliases:\n  {}\n", names.join(", ")));
    }
    let mut flags = command.flags.to_vec();
    // Docker shows --help where -h means something else.
    if flags.iter().any(|flag| flag.short == Some('h')) {
        flags.push(HELP);
    }
    if !flags.is_empty() {
        out.push_str("\nOptions:\n");
        out.push_str(&options_help(&flags, columns()));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_of_stop_is_dockers() {
        // docker 28.2.2 `docker stop --help`, with the program's name replaced.
        let expected = "Usage:  naru stop [OPTIONS] CONTAINER [CONTAINER...]

Stop one or more running containers

Aliases:
  naru container stop, naru stop

Options:
  -s, --signal string   Signal to send to the container
  -t, --timeout int     Seconds to wait before killing the container
";
        assert_eq!(command(&commands::stop::STOP, "naru stop"), expected);
    }

    #[test]
    fn menus_list_their_commands() {
        let shown = root();
        for line in [
            "  run         Create and run a new container from an image\n",
            "  container   Manage containers\n",
        ] {
            assert!(shown.contains(line), "{shown}");
        }
        for missing in ["build", "swarm", "plugin"] {
            assert!(
                !shown.contains(&format!("\n  {missing} ")),
                "{missing} is not there and must not be listed"
            );
        }
    }
}
