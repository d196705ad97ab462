//! `list`: all containers.

use super::state::State;
use super::{Call, Command, Form, print_json};
use crate::Error;
use crate::flags::{Order, switch, text};
use crate::global::Global;

pub(super) const LIST: Command = Command {
    name: "list",
    arguments: "",
    help: "list containers",
    flags: &[
        text(&["format", "f"], "FORMAT", "table or json"),
        switch(&["quiet", "q"], "print the ids only"),
    ],
    order: Order::Anywhere,
    failure_code: 1,
    run: list,
};

fn list(global: &Global, call: Call) -> Result<u8, Error> {
    if let Some(more) = call.given.args.first() {
        return Err(Error::usage(format!("no arguments are expected: {more:?}")));
    }
    let mut complain = |error: &Error| global.log.warn(&::error::chain(error));
    let all = global.store.all(&mut complain)?;
    if call.given.is_on("quiet") {
        all.iter().for_each(|seen| println!("{}", seen.record.id));
        return Ok(0);
    }
    let states: Vec<_> = all.iter().map(State::of).collect();
    match call.given.text("format").unwrap_or("table") {
        "json" => print_json(&states, Form::Line),
        "table" => print!("{}", table(&states)),
        other => return Err(Error::usage(format!("invalid format option {other:?}: table or json"))),
    }
    Ok(0)
}

fn table(states: &[State<'_>]) -> String {
    let mut rows = vec![["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"].map(str::to_owned)];
    rows.extend(states.iter().map(State::row));
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0) + 3;
    let widths = [0, 1, 2, 3, 4, 5].map(width);
    let mut text = String::new();
    for row in &rows {
        for (cell, width) in row.iter().zip(widths) {
            // At least twelve, as runc.
            text.push_str(&format!("{cell:<0$}", width.max(12)));
        }
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
    }
    text
}
