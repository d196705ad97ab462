//! `naru history`.

use wire::image::ImageHistory;

use crate::command::{Arity, Command, Completes, Run};
use crate::context::{Context, print};
use crate::failure::Outcome;
use crate::flags::{Flag, Matches};
use crate::format::zone::Zone;
use crate::format::{Columns, List, ago, ellipsis, now_s, short_id, size};

/// `naru history`.
pub(crate) const HISTORY: Command = Command {
    also: &["image history", "history"],
    flags: &[
        Flag::one("format", "string", crate::format::LIST_HELP),
        Flag::switch("human", "Print sizes and dates in human readable format").short('H').default("true"),
        Flag::switch("no-trunc", "Don't truncate output"),
        Flag::one(
            "platform",
            "string",
            "Show history for the given platform. Formatted as \"os[/arch[/variant]]\" (e.g., \"linux/amd64\")",
        ),
        Flag::switch("quiet", "Only show image IDs").short('q'),
    ],
    completes: Completes::Images,
    ..Command::new("[OPTIONS] IMAGE", "Show the history of an image", Arity::Exactly(1), history)
};

const TABLE: &str = "table {{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}";

const COLUMNS: Columns = Columns {
    type_name: "*formatter.historyContext",
    headers: &[
        ("ID", "IMAGE"),
        ("CreatedSince", "CREATED"),
        ("CreatedAt", "CREATED AT"),
        ("CreatedBy", "CREATED BY"),
        ("Size", "SIZE"),
        ("Comment", "COMMENT"),
    ],
    nulls: &[],
};

/// How wide the instruction may be.
const CREATED_BY_COLUMNS: usize = 45;

fn history<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(work(context, flags))
}

async fn work(context: &Context, flags: &Matches) -> Outcome {
    let quiet = flags.on("quiet");
    let template = match flags.text("format") {
        "" | "table" if quiet => "{{.ID}}",
        "" | "table" => TABLE,
        given => given,
    };
    let list = List::parse(template, &COLUMNS)?;
    let platform = super::load::platform(flags)?;
    let steps = context.engine().await?.history(flags.first(), &platform).await?;
    let look = Look { human: flags.on_by_default("human"), whole: flags.on("no-trunc"), now_s: now_s() };
    let no_label: &dyn Fn(&str) -> String = &|_| String::new();
    let rows = steps.iter().map(|step| (look.row(step), no_label));
    print(&list.render(rows)?)
}

struct Look {
    human: bool,
    whole: bool,
    now_s: i64,
}

impl Look {
    fn row(&self, step: &ImageHistory) -> [(&'static str, String); 6] {
        let created_at = match step.created {
            // A time that is not known.
            ..=0 => "N/A".to_owned(),
            created => rfc3339(created),
        };
        let created_since = match (self.human, step.created) {
            (false, _) => created_at.clone(),
            (true, ..=0) => "N/A".to_owned(),
            (true, created) => ago(created, self.now_s),
        };
        let created_by = step.created_by.replace('\t', " ");
        let (id, created_by) = match self.whole {
            true => (step.id.clone(), created_by),
            false => (short_id(&step.id).to_owned(), ellipsis(&created_by, CREATED_BY_COLUMNS)),
        };
        let size = if self.human { size(step.size) } else { step.size.to_string() };
        [
            ("ID", id),
            ("CreatedSince", created_since),
            ("CreatedAt", created_at),
            ("CreatedBy", created_by),
            ("Size", size),
            ("Comment", step.comment.clone()),
        ]
    }
}

/// Returns a time in the user's zone, as Docker writes it here.
fn rfc3339(seconds: i64) -> String {
    let offset = Zone::local().at(seconds).offset_s;
    refs::Timestamp(seconds.saturating_mul(1_000_000_000)).rfc3339_fixed_at(offset).replacen(
        ".000000000",
        "",
        1,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step() -> ImageHistory {
        ImageHistory {
            comment: "msg".into(),
            created: 1_700_000_000,
            created_by: "/bin/sh -c #(nop) ADD file:0123456789 in / \tand more".into(),
            id: format!("sha256:{}", "3814a4810d74".repeat(5)),
            size: 1_984_282,
            tags: None,
        }
    }

    #[test]
    fn rows_are_cut_and_made_readable_unless_told_otherwise() {
        let values = |look: Look| look.row(&step()).map(|(_, value)| value);
        let short = values(Look { human: true, whole: false, now_s: 1_700_000_060 });
        assert_eq!(short[0], "3814a4810d74");
        assert_eq!(short[1], "About a minute ago");
        assert_eq!(short[3], "/bin/sh -c #(nop) ADD file:0123456789 in /  …");
        assert_eq!(short[4], "1.98MB");
        let whole = values(Look { human: false, whole: true, now_s: 0 });
        assert_eq!(whole[0], step().id);
        assert_eq!(whole[3], step().created_by.replace('\t', " "));
        assert_eq!(whole[4], "1984282");
    }

    #[test]
    fn step_without_a_time_says_so() {
        let step = ImageHistory { created: 0, ..step() };
        let row = Look { human: true, whole: false, now_s: 5 }.row(&step);
        assert_eq!((row[1].1.as_str(), row[2].1.as_str()), ("N/A", "N/A"));
    }
}
