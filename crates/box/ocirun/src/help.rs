//! Help texts, made from the tables of flags.

use crate::command::{COMMANDS, Command};
use crate::flags::Flag;
use crate::global::FLAGS;
use std::fmt::Write as _;

/// Returns what `--version` prints: runc's form, which its callers parse.
pub(crate) fn version() -> String {
    format!("naru-run version {}\nspec: {}\n", env!("CARGO_PKG_VERSION"), oci::runtime::VERSION)
}

/// Returns the help for the program as a whole.
pub(crate) fn overview() -> String {
    let mut text = String::from(
        "naru-run - an OCI runtime, and the supervisor of naru's containers\n\n\
         Usage:\n  naru-run [global flags] COMMAND [flags] [arguments]\n\nCommands:\n",
    );
    for command in COMMANDS {
        let _ = writeln!(text, "  {:<9} {}", command.name, command.help); // A String takes everything.
    }
    text.push_str("\nGlobal flags:\n");
    list(&mut text, FLAGS);
    text
}

/// Returns the help for a command.
pub(crate) fn of(command: &Command) -> String {
    let mut text = format!("{}\n\nUsage:\n  naru-run {} [flags]", command.help, command.name);
    if !command.arguments.is_empty() {
        let _ = write!(text, " {}", command.arguments);
    }
    text.push('\n');
    if !command.flags.is_empty() {
        text.push_str("\nFlags:\n");
        list(&mut text, command.flags);
    }
    text
}

fn list(text: &mut String, flags: &[Flag]) {
    for flag in flags {
        let names = flag.names.iter().map(|name| match name.len() {
            1 => format!("-{name}"),
            _ => format!("--{name}"),
        });
        let mut left = names.collect::<Vec<_>>().join(", ");
        if !flag.value.is_empty() {
            let _ = write!(left, " {}", flag.value);
        }
        let _ = writeln!(text, "  {left:<34} {}", flag.help);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_names_every_flag_and_command() {
        let whole = overview();
        for command in COMMANDS {
            assert!(whole.contains(&format!("  {} ", command.name)), "{}", command.name);
            let text = of(command);
            for flag in command.flags {
                assert!(
                    text.contains(&format!("--{}", flag.names[0])),
                    "{} --{}",
                    command.name,
                    flag.names[0]
                );
                assert!(!flag.help.is_empty());
            }
        }
    }

    #[test]
    fn version_begins_as_callers_parse_it() {
        assert!(version().starts_with("naru-run version "));
        assert!(version().lines().any(|line| line.starts_with("spec: 1.")));
    }
}
