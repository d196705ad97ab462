//! `naru volume`.

use client::Prune;
use refs::human_size;
use std::collections::BTreeMap;
use wire::volume::{Volume, VolumeCreate};

use super::each::together_unless;
use super::prune::{confirm, reclaimed};
use super::ps::{filters, filters_json};
use crate::command::{Arity, Command, Entry, Menu, Run};
use crate::context::{Context, line, print, warn};
use crate::failure::Failure;
use crate::flags::{Flag, Matches, Missing};
use crate::format::inspect::Inspector;
use crate::format::{Columns, INSPECT_HELP, LIST_HELP, List};
use crate::run::check;

/// `naru volume`.
pub(crate) const MENU: Menu = Menu {
    about: "Manage volumes",
    entries: &[
        Entry::command("create", &CREATE),
        Entry::command("du", &USAGE),
        Entry::command("inspect", &INSPECT),
        Entry::command("ls", &LIST).hidden(&["list"]),
        Entry::command("prune", &PRUNE),
        Entry::command("rename", &RENAME),
        Entry::command("rm", &REMOVE).hidden(&["remove"]),
    ],
};

const CLUSTER: &str = "there are no clusters yet";

const CREATE: Command = Command {
    flags: &[
        Flag::one("driver", "string", "Specify volume driver name").short('d').default("local"),
        Flag::many("label", "list", "Set metadata for a volume").check(check::label),
        Flag::many("opt", "map", "Set driver specific options").short('o').default("map[]"),
    ],
    missing: &[
        Missing::new("availability", CLUSTER),
        Missing::new("group", CLUSTER),
        Missing::new("limit-bytes", CLUSTER),
        Missing::new("required-bytes", CLUSTER),
        Missing::new("scope", CLUSTER),
        Missing::new("secret", CLUSTER),
        Missing::new("sharing", CLUSTER),
        Missing::new("topology-preferred", CLUSTER),
        Missing::new("topology-required", CLUSTER),
        Missing::new("type", CLUSTER),
        Missing::new("name", "give the name as the argument"),
    ],
    ..Command::new("[OPTIONS] [VOLUME]", "Create a volume", Arity::AtMost(1), create)
};

const INSPECT: Command = Command {
    flags: &[Flag::one("format", "string", INSPECT_HELP).short('f')],
    ..Command::new(
        "[OPTIONS] VOLUME [VOLUME...]",
        "Display detailed information on one or more volumes",
        Arity::AtLeast(1),
        inspect,
    )
};

const LIST: Command = Command {
    also: &["volume ls", "volume list"],
    flags: &[
        Flag::many("filter", "filter", "Provide filter values (e.g. \"dangling=true\")")
            .short('f')
            .check(check::filter),
        Flag::one("format", "string", LIST_HELP),
        Flag::switch("quiet", "Only display volume names").short('q'),
    ],
    missing: &[Missing::new("cluster", CLUSTER)],
    ..Command::new("[OPTIONS]", "List volumes", Arity::None, list)
};

const PRUNE: Command = Command {
    flags: &[
        Flag::switch("all", "Remove all unused volumes, not just anonymous ones").short('a'),
        Flag::many("filter", "filter", "Provide filter values (e.g. \"label=<label>\")").check(check::filter),
        Flag::switch("force", "Do not prompt for confirmation").short('f'),
    ],
    ..Command::new("[OPTIONS]", "Remove unused local volumes", Arity::None, prune)
};

const REMOVE: Command = Command {
    also: &["volume rm", "volume remove"],
    flags: &[Flag::switch("force", "Force the removal of one or more volumes").short('f')],
    ..Command::new("[OPTIONS] VOLUME [VOLUME...]", "Remove one or more volumes", Arity::AtLeast(1), remove)
};

const RENAME: Command =
    Command::new("VOLUME NEW_NAME", "Rename a volume that no container has", Arity::Exactly(2), rename);

const USAGE: Command = Command::new(
    "[VOLUME...]",
    "Show what volumes take, and how many containers have them",
    Arity::AtLeast(0),
    usage,
);

const COLUMNS: Columns = Columns {
    type_name: "*volume.volumeContext",
    headers: &[
        ("Availability", "AVAILABILITY"),
        ("Driver", "DRIVER"),
        ("Group", "GROUP"),
        ("Labels", "LABELS"),
        ("Links", "LINKS"),
        ("Mountpoint", "MOUNTPOINT"),
        ("Name", "VOLUME NAME"),
        ("Scope", "SCOPE"),
        ("Size", "SIZE"),
        ("Status", "STATUS"),
    ],
    nulls: &[],
};

fn create<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(async move {
        let pairs = |texts: Vec<&str>| -> Option<BTreeMap<String, String>> {
            let pair = |text: &str| match text.split_once('=') {
                Some((key, value)) => (key.to_owned(), value.to_owned()),
                None => (text.to_owned(), String::new()),
            };
            (!texts.is_empty()).then(|| texts.into_iter().map(pair).collect())
        };
        let body = VolumeCreate {
            name: flags.first().to_owned(),
            driver: flags.text("driver").to_owned(),
            driver_opts: pairs(flags.all("opt")),
            labels: pairs(flags.all("label")),
            cluster_volume_spec: None,
        };
        let volume = context.engine().await?.create_volume(&body).await?;
        line(&volume.name)
    })
}

fn inspect<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(async move {
        let mut inspector = Inspector::parse(flags.text("format"))?;
        let client = context.engine().await?;
        let mut failures = Vec::new();
        for name in &flags.args {
            match client.volume_raw(name).await {
                Ok(found) => failures.extend(inspector.add(&String::from_utf8_lossy(&found)).err()),
                Err(error) => failures.push(error.into()),
            }
        }
        print(&inspector.finish())?;
        Failure::all(failures)
    })
}

fn list<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(async move {
        let quiet = flags.on("quiet");
        let text = match flags.text("format") {
            "" | "table" if quiet => "{{.Name}}".to_owned(),
            "" | "table" => "table {{.Driver}}\t{{.Name}}".to_owned(),
            "raw" if quiet => "name: {{.Name}}".to_owned(),
            "raw" => "name: {{.Name}}\ndriver: {{.Driver}}\n".to_owned(),
            other => other.to_owned(),
        };
        let list = List::parse(&text, &COLUMNS)?;
        let found = context.engine().await?.volumes(&filters_json(&filters(flags)?)).await?;
        for warning in found.warnings.iter().flatten() {
            warn(&format!("WARNING: {warning}"));
        }
        let label = |volume: &Volume| {
            let labels = volume.labels.clone().unwrap_or_default();
            move |name: &str| labels.get(name).cloned().unwrap_or_default()
        };
        let labels: Vec<_> = found.volumes.iter().map(label).collect();
        let rows = found
            .volumes
            .iter()
            .zip(&labels)
            .map(|(volume, label)| (row(volume), label as &dyn Fn(&str) -> String));
        print(&list.render(rows)?)
    })
}

fn row(volume: &Volume) -> Vec<(&'static str, String)> {
    let labels = volume.labels.iter().flatten().map(|(key, value)| format!("{key}={value}"));
    let unknown = || "N/A".to_owned();
    let (links, size) = volume
        .usage_data
        .map_or_else(|| (unknown(), unknown()), |usage| (usage.ref_count.to_string(), size(usage.size)));
    vec![
        ("Availability", unknown()),
        ("Driver", volume.driver.clone()),
        ("Group", unknown()),
        ("Labels", labels.collect::<Vec<_>>().join(",")),
        ("Links", links),
        ("Mountpoint", volume.mountpoint.clone()),
        ("Name", volume.name.clone()),
        ("Scope", volume.scope.clone()),
        ("Size", size),
        ("Status", unknown()),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "four digits are shown")]
fn size(bytes: i64) -> String {
    human_size(bytes as f64)
}

fn remove<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    let force = flags.on("force");
    Box::pin(together_unless(
        context,
        &flags.args,
        async move |client, name| client.remove_volume(name, force).await,
        move |error| force && error.is_not_found(),
    ))
}

fn prune<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(async move {
        let mut filters = filters(flags)?;
        let all = flags.on("all");
        if all && filters.contains("all") {
            return Err(Failure::new("conflicting options: cannot specify both --all and --filter all=1"));
        }
        let what = if all { "all local volumes" } else { "anonymous local volumes" };
        let warning = format!(
            "WARNING! This will remove {what} not used by at least one container.\nAre you sure you want to continue? [y/N] "
        );
        if all {
            filters.add("all", "true");
        }
        if !flags.on("force") && !confirm(&warning)? {
            return Ok(());
        }
        let pruned = context.engine().await?.prune(Prune::Volumes, &filters_json(&filters)).await?;
        let gone = pruned.volumes_deleted.unwrap_or_default();
        if !gone.is_empty() {
            print(&format!("Deleted Volumes:\n{}\n\n", gone.join("\n")))?;
        }
        reclaimed(pruned.space_reclaimed)
    })
}

fn rename<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(async move { Ok(context.engine().await?.rename_volume(&flags.args[0], &flags.args[1]).await?) })
}

fn usage<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(async move {
        let client = context.engine().await?;
        let names = match flags.args.is_empty() {
            true => client.volumes("").await?.volumes.into_iter().map(|volume| volume.name).collect(),
            false => flags.args.clone(),
        };
        let (mut found, mut failures) = (Vec::new(), Vec::new());
        for name in names {
            match client.volume_usage(&name).await {
                Ok(volume) => found.push(volume),
                Err(error) => failures.push(Failure::from(error)),
            }
        }
        let list = List::parse("table {{.Name}}\t{{.Links}}\t{{.Size}}", &COLUMNS)?;
        let no_label: &dyn Fn(&str) -> String = &|_| String::new();
        print(&list.render(found.iter().map(|volume| (row(volume), no_label)))?)?;
        Failure::all(failures)
    })
}
