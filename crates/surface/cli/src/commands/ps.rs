//! `naru ps`.

use client::ListContainers;
use refs::Filters;

use crate::command::{Arity, Command, Run};
use crate::context::{Context, print, warn};
use crate::failure::{Failure, Outcome};
use crate::flags::{Flag, Matches, int};
use crate::format::container::{self, COLUMNS, Width};
use crate::format::zone::Zone;
use crate::format::{LIST_HELP, List, now_s};
use crate::run::check;

/// `naru ps`.
pub(crate) const PS: Command = Command {
    also: &["container ls", "container list", "container ps", "ps"],
    flags: &[
        Flag::switch("all", "Show all containers (default shows just running)").short('a'),
        Flag::many("filter", "filter", "Filter output based on conditions provided")
            .short('f')
            .check(check::filter),
        Flag::one("format", "string", LIST_HELP),
        Flag::one("last", "int", "Show n last created containers (includes all states)")
            .short('n')
            .default("-1")
            .check(int),
        Flag::switch("latest", "Show the latest created container (includes all states)").short('l'),
        Flag::switch("no-trunc", "Don't truncate output"),
        Flag::switch("quiet", "Only display container IDs").short('q'),
        Flag::switch("size", "Display total file sizes").short('s'),
    ],
    ..Command::new("[OPTIONS]", "List containers", Arity::None, ps)
};

fn ps<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(work(context, flags))
}

/// Returns the filters of `--filter` as JSON; empty for none.
pub(super) fn filters(flags: &Matches) -> Outcome<Filters> {
    let mut filters = Filters::default();
    for text in flags.all("filter").into_iter().filter(|text| !text.is_empty()) {
        filters.add_argument(text).map_err(|why| Failure::new(why.to_string()))?;
    }
    Ok(filters)
}

/// Returns the JSON of filters; empty for none.
pub(super) fn filters_json(filters: &Filters) -> String {
    if filters.is_empty() { String::new() } else { filters.to_json() }
}

/// Returns the template, and whether sizes are wanted.
fn template(configured: &str, flags: &Matches) -> (String, bool) {
    let size = flags.on("size");
    let format = flags.last("format").filter(|text| !text.is_empty()).unwrap_or(configured);
    let with_size =
        |text: &str, size_part: &str| if size { format!("{text}{size_part}") } else { text.to_owned() };
    let text = match format {
        _ if flags.on("quiet") && format != "raw" => "{{.ID}}".to_owned(),
        "raw" if flags.on("quiet") => "container_id: {{.ID}}".to_owned(),
        "" | "table" => with_size(container::TABLE, "\t{{.Size}}"),
        "raw" => with_size(container::RAW, "size: {{.Size}}\n"),
        other => other.to_owned(),
    };
    (text, size)
}

async fn work(context: &Context, flags: &Matches) -> Outcome {
    if flags.on("quiet") && !flags.text("format").is_empty() {
        warn("WARNING: Ignoring custom format, because both --format and --quiet are set.");
    }
    let (text, size) = template(&context.config.ps_format, flags);
    let list = List::parse(&text, &COLUMNS)?;
    let last = match flags.on("latest") {
        true if flags.int("last").unwrap_or(-1) == -1 => Some(1),
        _ => flags.int("last").filter(|n| *n != -1),
    };
    let what = ListContainers {
        all: flags.on("all"),
        limit: last,
        size: size || (!flags.given("size") && list.mentions("Size")),
        filters: filters_json(&filters(flags)?),
    };
    let containers = context.engine().await?.containers(&what).await?;
    let width = if flags.on("no-trunc") { Width::Full } else { Width::Short };
    let (now, zone) = (now_s(), Zone::local());
    let labels: Vec<_> = containers
        .iter()
        .map(|container| move |name: &str| container.labels.get(name).cloned().unwrap_or_default())
        .collect();
    let rows = containers
        .iter()
        .zip(&labels)
        .map(|(one, label)| (container::row(one, width, now, &zone), label as &dyn Fn(&str) -> String));
    print(&list.render(rows)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::parse;

    fn template_of(configured: &str, words: &[&str]) -> (String, bool) {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        template(configured, &parse(PS.flags, PS.missing, PS.order, &words).expect("valid"))
    }

    #[test]
    fn template_is_chosen_as_docker_does() {
        let table = container::TABLE.to_owned();
        assert_eq!(template_of("", &[]), (table.clone(), false));
        assert_eq!(template_of("", &["-s"]), (format!("{table}\t{{{{.Size}}}}"), true));
        assert_eq!(template_of("{{.ID}} mine", &[]), ("{{.ID}} mine".to_owned(), false));
        assert_eq!(template_of("{{.ID}} mine", &["--format", "table"]), (table, false));
        assert_eq!(template_of("", &["-q", "--format", "{{.Names}}"]), ("{{.ID}}".to_owned(), false));
    }

    #[test]
    fn filters_are_sent_as_json() {
        let words: Vec<String> = ["-f", "name=a", "--filter", "Status = exited"].map(str::to_owned).to_vec();
        let flags = parse(PS.flags, PS.missing, PS.order, &words).expect("valid");
        let json = filters_json(&filters(&flags).expect("valid"));
        assert_eq!(json, r#"{"name":{"a":true},"status":{"exited":true}}"#);
        assert_eq!(filters_json(&Filters::default()), "");
    }
}
