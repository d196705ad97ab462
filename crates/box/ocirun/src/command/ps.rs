//! `ps`: the processes of a container.

use super::{Call, Command, Form, print_json};
use crate::Error;
use crate::flags::{Order, text};
use crate::global::Global;

pub(super) const PS: Command = Command {
    name: "ps",
    arguments: "ID [PS-OPTION…]",
    help: "list the processes of a container",
    flags: &[text(&["format", "f"], "FORMAT", "table or json")],
    order: Order::BeforeArguments,
    failure_code: 1,
    run: ps,
};

fn ps(global: &Global, call: Call) -> Result<u8, Error> {
    let Some((id, options)) = call.given.args.split_first() else {
        return Err(Error::usage("container id is missing"));
    };
    let record = global.store.look(id)?.record;
    let pids = match record.cgroup.is_empty() {
        false => record.cgroup()?.pids()?,
        // Without a cgroup only the first process is known to be its.
        true => record.process().iter().map(|_| record.pid.unsigned_abs()).collect(),
    };
    match call.given.text("format").unwrap_or("table") {
        "json" => print_json(&pids, Form::Line),
        "table" => print!("{}", table(options, &pids)?),
        other => return Err(Error::usage(format!("invalid format option {other:?}: table or json"))),
    }
    Ok(0)
}

/// Asks the host's ps and keeps the rows of the container.
fn table(options: &[String], pids: &[u32]) -> Result<String, Error> {
    let default = ["-ef".to_owned()];
    let options = if options.is_empty() { &default } else { options };
    let output =
        std::process::Command::new("ps").args(options).output().map_err(Error::file("execute", "ps"))?;
    if !output.status.success() {
        return Err(Error::usage(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    select(&String::from_utf8_lossy(&output.stdout), pids)
}

fn select(text: &str, pids: &[u32]) -> Result<String, Error> {
    let mut lines = text.lines();
    let header = lines.next().unwrap_or_default();
    let Some(column) = header.split_whitespace().position(|word| word == "PID") else {
        return Err(Error::usage("couldn't find PID field in ps output"));
    };
    let is_ours = |line: &&str| {
        line.split_whitespace()
            .nth(column)
            .and_then(|word| word.parse().ok())
            .is_some_and(|pid| pids.contains(&pid))
    };
    Ok(std::iter::once(header).chain(lines.filter(is_ours)).map(|line| format!("{line}\n")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_other_processes_are_left_out() {
        let text = "UID PID CMD\nroot 12 a\nroot 13 b 12\nroot x c\n";
        assert_eq!(select(text, &[12]).expect("fine"), "UID PID CMD\nroot 12 a\n");
        assert!(select("UID CMD\n", &[12]).is_err());
    }
}
