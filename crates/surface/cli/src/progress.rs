//! The progress of a pull: bars on a terminal, one line per change elsewhere; always on stderr.

use client::JsonLines;
use std::io::Write;
use wire::progress::{Detail, Line};

use crate::context::stderr_is_live;
use crate::failure::{Failure, Outcome};
use crate::term;

/// What is shown of a pull.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Show {
    /// Bars or lines.
    All,
    /// Only errors.
    Nothing,
}

/// Shows a pull until it ends.
pub(crate) async fn follow(mut lines: JsonLines<Line>, show: Show) -> Outcome {
    let mut shown = Shown::new();
    while let Some(line) = lines.next().await? {
        if let Some(failure) = failure(&line) {
            return Err(failure);
        }
        if show == Show::All {
            shown.show(&line);
        }
    }
    Ok(())
}

/// Progress on stderr.
pub(crate) struct Shown(Board);

impl Shown {
    /// Returns a board for what stderr is.
    pub(crate) fn new() -> Self {
        Self(match stderr_is_live() {
            true => Board::live(usize::from(term::columns().unwrap_or(80))),
            false => Board::plain(),
        })
    }

    /// Shows a line.
    pub(crate) fn show(&mut self, line: &Line) {
        let text = self.0.show(line);
        let mut stderr = std::io::stderr().lock();
        let _ = stderr.write_all(text.as_bytes()); // the work goes on without anybody watching
    }
}

/// Returns the error that a line tells of.
pub(crate) fn failure(line: &Line) -> Option<Failure> {
    let detail = line.error_detail.as_ref();
    let message = detail.map_or(line.error.as_str(), |detail| detail.message.as_str());
    if message.is_empty() {
        return None;
    }
    let mut failure = Failure::new(message);
    failure.hint = detail.and_then(|detail| detail.hint.clone());
    Some(failure)
}

/// What stands on the screen: one line per layer.
struct Board {
    columns: Option<usize>,
    /// Ids with what was said of them last, in the order of their lines.
    lines: Vec<(String, String)>,
}

impl Board {
    fn live(columns: usize) -> Self {
        Self { columns: Some(columns), lines: Vec::new() }
    }

    fn plain() -> Self {
        Self { columns: None, lines: Vec::new() }
    }

    /// Returns what is to be written for a line.
    fn show(&mut self, line: &Line) -> String {
        match self.columns {
            Some(columns) => self.show_live(line, columns),
            None => self.show_plain(line),
        }
    }

    fn show_live(&mut self, line: &Line, columns: usize) -> String {
        let detail = line.progress_detail.as_ref().map(|detail| bar(detail, columns)).unwrap_or_default();
        if line.id.is_empty() {
            self.lines.clear();
            return format!("{}\n", clean(&line.status));
        }
        let text = format!("{}: {} {detail}", clean(&line.id), clean(&line.status));
        let text = super::format::ellipsis(text.trim_end(), columns.saturating_sub(1).max(10));
        match self.lines.iter().position(|(id, _)| *id == line.id) {
            None => {
                self.lines.push((line.id.clone(), text.clone()));
                format!("{text}\n")
            }
            Some(at) if self.lines[at].1 == text => String::new(),
            Some(at) => {
                let up = self.lines.len() - at;
                self.lines[at].1.clone_from(&text);
                // Up to the line, erase it, write it, and back below the last one.
                format!("\x1b[{up}A\x1b[2K\r{text}\x1b[{up}B\r")
            }
        }
    }

    /// Ticks are left out: a line means that something has changed.
    fn show_plain(&mut self, line: &Line) -> String {
        if line.progress_detail.as_ref().is_some_and(|detail| detail.current > 0 || detail.total > 0) {
            return String::new();
        }
        if line.id.is_empty() {
            return format!("{}\n", clean(&line.status));
        }
        match self.lines.iter_mut().find(|(id, _)| *id == line.id) {
            Some((_, status)) if *status == line.status => return String::new(),
            Some((_, status)) => status.clone_from(&line.status),
            None => self.lines.push((line.id.clone(), line.status.clone())),
        }
        format!("{}: {}\n", clean(&line.id), clean(&line.status))
    }
}

/// Texts come from registries: nothing in them may steer the terminal.
fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// Returns `[=====>     ]  1.2MB/3.4MB`.
fn bar(detail: &Detail, columns: usize) -> String {
    const WIDEST: usize = 50;
    let size = |bytes: i64| refs::human_size(bytes as f64);
    match (detail.current, detail.total) {
        (..=0, ..=0) => String::new(),
        (current, ..=0) => format!("{:>8}", size(current)),
        (current, total) => {
            let width = columns.saturating_sub(60).min(WIDEST);
            let done = (current.min(total) as f64 / total as f64 * width as f64) as usize;
            let bar = match width {
                0..10 => String::new(),
                _ => format!("[{}>{}] ", "=".repeat(done), " ".repeat(width - done)),
            };
            match current > total {
                true => format!("{bar}{:>8}", size(current)),
                false => format!("{bar}{:>8}/{}", size(current), size(total)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: &str, status: &str, numbers: Option<(i64, i64)>) -> Line {
        let progress_detail = numbers.map(|(current, total)| Detail { current, total });
        Line { id: id.into(), status: status.into(), progress_detail, ..Line::default() }
    }

    #[test]
    fn plain_output_has_a_line_per_change() {
        let mut board = Board::plain();
        let lines = [
            line("latest", "Pulling from library/x", None),
            line("a", "Pulling fs layer", Some((0, 0))),
            line("a", "Downloading", Some((1, 10))),
            line("a", "Downloading", Some((9, 10))),
            line("a", "Download complete", Some((0, 0))),
            line("a", "Download complete", Some((0, 0))),
            line("", "Status: Downloaded newer image for x:latest", None),
        ];
        let shown: String = lines.iter().map(|line| board.show(line)).collect();
        let expected = "latest: Pulling from library/x\na: Pulling fs layer\na: Download complete\n\
                        Status: Downloaded newer image for x:latest\n";
        assert_eq!(shown, expected);
    }

    #[test]
    fn terminal_lines_are_rewritten_in_place() {
        let mut board = Board::live(120);
        assert_eq!(board.show(&line("a", "Waiting", None)), "a: Waiting\n");
        assert_eq!(board.show(&line("b", "Waiting", None)), "b: Waiting\n");
        let shown = board.show(&line("a", "Downloading", Some((500_000, 1_000_000))));
        let bar = format!("[{}>{}]", "=".repeat(25), " ".repeat(25));
        assert_eq!(shown, format!("\x1b[2A\x1b[2K\ra: Downloading {bar}    500kB/1MB\x1b[2B\r"));
        assert_eq!(board.show(&line("a", "Downloading", Some((500_000, 1_000_000)))), "");
    }

    #[test]
    fn bars_fit_the_terminal() {
        assert_eq!(bar(&Detail { current: 5, total: 10 }, 60), "      5B/10B");
        assert_eq!(bar(&Detail { current: 5, total: 10 }, 80), "[==========>          ]       5B/10B");
        assert_eq!(bar(&Detail { current: 7, total: 0 }, 80), "      7B");
        assert_eq!(bar(&Detail { current: 11, total: 10 }, 60), "     11B");
    }

    #[test]
    fn texts_cannot_steer_the_terminal() {
        assert_eq!(Board::live(80).show(&line("a\x1b[2J", "b\r\n", None)), "a[2J: b\n");
    }

    #[test]
    fn error_in_the_stream_keeps_text_and_hint() {
        let detail = wire::progress::ErrorDetail {
            message: "manifest unknown".into(),
            hint: Some("h".into()),
            ..Default::default()
        };
        let found = failure(&Line {
            error_detail: Some(detail),
            error: "manifest unknown".into(),
            ..Line::default()
        });
        assert_eq!(found, Some(Failure::new("manifest unknown").with_hint("h")));
        assert_eq!(failure(&line("", "x", None)), None);
    }
}
