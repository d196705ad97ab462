//! `naru system df`.

use wire::system::DiskUsage;

use crate::command::{Arity, Command, Run};
use crate::context::{Context, print};
use crate::failure::{Failure, Outcome};
use crate::flags::{Flag, Matches};
use crate::format::container::{self, Width};
use crate::format::image::{self, Digests};
use crate::format::zone::Zone;
use crate::format::{Columns, LIST_HELP, List, now_s, size};

/// `naru system df`.
pub(crate) const DF: Command = Command {
    flags: &[
        Flag::one("format", "string", LIST_HELP),
        Flag::switch("verbose", "Show detailed information on space usage").short('v'),
    ],
    ..Command::new("[OPTIONS]", "Show disk usage", Arity::None, df)
};

const TABLE: &str = "table {{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}";

const COLUMNS: Columns = Columns {
    type_name: "*formatter.diskUsageContext",
    headers: &[
        ("Type", "TYPE"),
        ("TotalCount", "TOTAL"),
        ("Active", "ACTIVE"),
        ("Size", "SIZE"),
        ("Reclaimable", "RECLAIMABLE"),
    ],
    nulls: &[],
};

const SHARES: Columns = Columns {
    type_name: "*formatter.dataRootContext",
    headers: &[("What", "WHAT"), ("Size", "SIZE")],
    nulls: &[],
};

const IMAGES: &str = "table {{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}\t{{.Containers}}";
const CONTAINERS: &str = "table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t{{.Status}}\t{{.Names}}";

fn df<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(work(context, flags))
}

async fn work(context: &Context, flags: &Matches) -> Outcome {
    let verbose = flags.on("verbose");
    if verbose && !flags.text("format").is_empty() {
        return Err(Failure::new("--format shows the summary only".to_owned())
            .with_hint("leave --verbose away, or ask the API: GET /system/df"));
    }
    let format = match flags.text("format") {
        "" | "table" => TABLE,
        other => other,
    };
    let list = List::parse(format, &COLUMNS)?;
    let usage = context.engine().await?.disk_usage().await?;
    match verbose {
        true => print(&details(&usage)?),
        false => print(&list.render(unlabelled(summary(&usage)))?),
    }
}

type Row<const N: usize> = [(&'static str, String); N];

fn unlabelled<R>(rows: Vec<R>) -> impl Iterator<Item = (R, &'static dyn Fn(&str) -> String)> {
    let no_label: &'static dyn Fn(&str) -> String = &|_| String::new();
    rows.into_iter().map(move |row| (row, no_label))
}

/// Returns Docker's four rows.
///
/// # Source
/// `docker/cli cli/command/formatter/disk_usage.go`.
fn summary(usage: &DiskUsage) -> Vec<Row<5>> {
    let images = usage.images.as_deref().unwrap_or_default();
    let used: i64 =
        images.iter().filter(|one| one.containers != 0).map(|one| one.size - one.shared_size).sum();
    let containers = usage.containers.as_deref().unwrap_or_default();
    let is_active = |state: &str| matches!(state, "running" | "paused" | "restarting");
    let (active, idle): (Vec<_>, Vec<_>) = containers.iter().partition(|one| is_active(&one.state));
    let written =
        |containers: &[&wire::list::ContainerSummary]| containers.iter().map(|one| one.size_rw).sum::<i64>();
    let (active_bytes, idle_bytes) = (written(&active), written(&idle));
    let volumes = usage.volumes.as_deref().unwrap_or_default();
    let of_volume = |volume: &wire::volume::Volume| {
        volume.usage_data.unwrap_or(wire::volume::VolumeUsage { ref_count: -1, size: -1 })
    };
    let volume_bytes = |unused_only: bool| -> i64 {
        let counted = volumes.iter().filter(|one| !unused_only || of_volume(one).ref_count == 0);
        counted.map(|one| of_volume(one).size.max(0)).sum()
    };
    let row = |kind: &str, total: usize, active: usize, bytes: i64, reclaimable: i64| {
        [
            ("Type", kind.to_owned()),
            ("TotalCount", total.to_string()),
            ("Active", active.to_string()),
            ("Size", refs::human_size(bytes as f64)),
            ("Reclaimable", share(reclaimable, bytes)),
        ]
    };
    vec![
        row(
            "Images",
            images.len(),
            images.iter().filter(|one| one.containers > 0).count(),
            usage.layers_size,
            usage.layers_size - used,
        ),
        row("Containers", containers.len(), active.len(), active_bytes + idle_bytes, idle_bytes),
        row(
            "Local Volumes",
            volumes.len(),
            volumes.iter().filter(|one| of_volume(one).ref_count > 0).count(),
            volume_bytes(false),
            volume_bytes(true),
        ),
        row("Build Cache", 0, 0, 0, 0),
    ]
}

/// Returns `1.2MB (50%)`; no share of nothing.
fn share(part: i64, whole: i64) -> String {
    let text = refs::human_size(part as f64);
    match whole {
        0 => text,
        whole => format!("{text} ({}%)", part.saturating_mul(100) / whole),
    }
}

fn details(usage: &DiskUsage) -> Outcome<String> {
    let (now, zone) = (now_s(), Zone::local());
    let images = usage.images.iter().flatten();
    let images: Vec<_> =
        images.flat_map(|one| image::rows(one, Width::Short, Digests::Hidden, now, &zone)).collect();
    let containers = usage.containers.iter().flatten();
    let containers: Vec<_> = containers
        .map(|one| {
            let mut row = container::row(one, Width::Short, now, &zone);
            if let Some((_, text)) = row.iter_mut().find(|(name, _)| *name == "Size") {
                *text = size(one.size_rw);
            }
            row
        })
        .collect();
    let shares = usage.data_root.iter().flatten();
    let mut shares: Vec<Row<2>> = shares
        .map(|share| [("What", share.name.clone()), ("Size", refs::human_size(share.size as f64))])
        .collect();
    let total: i64 = usage.data_root.iter().flatten().map(|share| share.size).sum();
    shares.push([("What", "total".to_owned()), ("Size", refs::human_size(total as f64))]);
    Ok(format!(
        "Images space usage:\n\n{}\nContainers space usage:\n\n{}\nOn the disk below the data root:\n\n{}",
        List::parse(IMAGES, &image::COLUMNS)?.render(unlabelled(images))?,
        List::parse(CONTAINERS, &container::COLUMNS)?.render(unlabelled(containers))?,
        List::parse("table {{.What}}\t{{.Size}}", &SHARES)?.render(unlabelled(shares))?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summary_is_dockers() {
        // The golden answer of a real engine; its CLI showed these figures for it.
        let golden = include_str!("../../../../words/wire/tests/golden/system-df.json");
        let usage: DiskUsage = serde_json::from_str(golden).expect("golden");
        let list = List::parse(TABLE, &COLUMNS).expect("valid");
        let text = list.render(unlabelled(summary(&usage))).expect("rendered");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "TYPE            TOTAL     ACTIVE    SIZE      RECLAIMABLE");
        assert_eq!(lines[1], "Images          2         1         3.969MB   1.984MB (50%)");
        assert_eq!(lines.len(), 5);
    }

    #[test]
    fn share_of_nothing_has_no_percentage() {
        assert_eq!((share(0, 0), share(1, 3)), ("0B".to_owned(), "1B (33%)".to_owned()));
    }
}
