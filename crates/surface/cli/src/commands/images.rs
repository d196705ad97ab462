//! `naru images`.

use client::ListImages;

use super::ps::{filters, filters_json};
use crate::command::{Arity, Command, Completes, Run};
use crate::context::{Context, print};
use crate::failure::Outcome;
use crate::flags::{Flag, Matches, Missing};
use crate::format::container::Width;
use crate::format::image::{self, COLUMNS, Digests};
use crate::format::zone::Zone;
use crate::format::{LIST_HELP, List, now_s};
use crate::run::check;

/// `naru images`.
pub(crate) const IMAGES: Command = Command {
    also: &["image ls", "image list", "images"],
    flags: &[
        Flag::switch("all", "Show all images (default hides intermediate images)").short('a'),
        Flag::switch("digests", "Show digests"),
        Flag::many("filter", "filter", "Filter output based on conditions provided")
            .short('f')
            .check(check::filter),
        Flag::one("format", "string", LIST_HELP),
        Flag::switch("no-trunc", "Don't truncate output"),
        Flag::switch("quiet", "Only show image IDs").short('q'),
    ],
    missing: &[Missing::new("tree", "images have one platform each")],
    completes: Completes::Images,
    ..Command::new("[OPTIONS] [REPOSITORY[:TAG]]", "List images", Arity::AtMost(1), images)
};

fn images<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(work(context, flags))
}

/// Returns the template.
fn template(configured: &str, flags: &Matches) -> String {
    let digests = flags.on("digests");
    let quiet = flags.on("quiet");
    let format = match flags.text("format") {
        "" if !quiet && !configured.is_empty() => configured,
        "" => "table",
        given => given,
    };
    match format {
        "table" if quiet => "{{.ID}}".to_owned(),
        "table" if digests => image::TABLE_WITH_DIGEST.to_owned(),
        "table" => image::TABLE.to_owned(),
        "raw" if quiet => "image_id: {{.ID}}".to_owned(),
        "raw" if digests => image::RAW_WITH_DIGEST.to_owned(),
        "raw" => image::RAW.to_owned(),
        other if digests && other.starts_with("table") && !other.contains("{{.Digest}}") => {
            format!("{other}\t{{{{.Digest}}}}")
        }
        other => other.to_owned(),
    }
}

async fn work(context: &Context, flags: &Matches) -> Outcome {
    let text = template(&context.config.images_format, flags);
    let list = List::parse(&text, &COLUMNS)?;
    let mut filters = filters(flags)?;
    if !flags.first().is_empty() {
        filters.add("reference", flags.first());
    }
    let what = ListImages { all: flags.on("all"), filters: filters_json(&filters) };
    let images = context.engine().await?.images(&what).await?;
    let width = if flags.on("no-trunc") { Width::Full } else { Width::Short };
    let digests = match flags.on("digests") || text.contains("{{.Digest}}") {
        true => Digests::Shown,
        false => Digests::Hidden,
    };
    let (now, zone) = (now_s(), Zone::local());
    let no_label: &dyn Fn(&str) -> String = &|_| String::new();
    let rows =
        images.iter().flat_map(|one| image::rows(one, width, digests, now, &zone)).map(|row| (row, no_label));
    print(&list.render(rows)?)
}
