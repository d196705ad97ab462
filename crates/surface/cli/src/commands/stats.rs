//! `naru stats`.

use std::collections::BTreeMap;
use std::time::Duration;

use client::{Client, ListContainers};
use refs::Filters;
use tokio::sync::mpsc;
use wire::stats::Stats;

use crate::command::{Arity, Command, Completes, Run};
use crate::context::{Context, print};
use crate::failure::{Failure, Outcome};
use crate::flags::{Flag, Matches};
use crate::format::container::Width;
use crate::format::stats::{COLUMNS, TABLE, row};
use crate::format::{LIST_HELP, List};

/// `naru stats`.
pub(crate) const STATS: Command = Command {
    also: &["container stats", "stats"],
    flags: &[
        Flag::switch("all", "Show all containers (default shows just running)").short('a'),
        Flag::one("format", "string", LIST_HELP),
        Flag::switch("no-stream", "Disable streaming stats and only pull the first result"),
        Flag::switch("no-trunc", "Do not truncate output"),
    ],
    completes: Completes::RunningContainers,
    ..Command::new(
        "[OPTIONS] [CONTAINER...]",
        "Display a live stream of container(s) resource usage statistics",
        Arity::AtLeast(0),
        stats,
    )
};

fn stats<'a>(context: &'a Context, flags: &'a Matches) -> Run<'a> {
    Box::pin(work(context, flags))
}

async fn work(context: &Context, flags: &Matches) -> Outcome {
    let format = match (flags.text("format"), context.config.stats_format.as_str()) {
        ("", "") | ("table", _) => TABLE,
        ("", configured) => configured,
        (given, _) => given,
    };
    let list = List::parse(format, &COLUMNS)?;
    let width = if flags.on("no-trunc") { Width::Full } else { Width::Short };
    let client = context.engine().await?;
    match flags.on("no-stream") {
        true => once(client, flags, &list, width).await,
        false => live(client, flags, &list, width).await,
    }
}

async fn names(client: &Client, flags: &Matches) -> Outcome<Vec<String>> {
    if !flags.args.is_empty() {
        return Ok(flags.args.clone());
    }
    let what = ListContainers { all: flags.on("all"), ..ListContainers::default() };
    Ok(client.containers(&what).await?.into_iter().map(|container| container.id).collect())
}

async fn once(client: &Client, flags: &Matches, list: &List, width: Width) -> Outcome {
    let names = names(client, flags).await?;
    // All at the same time: the engine takes a second for each.
    let tasks: Vec<_> = names
        .iter()
        .map(|name| {
            let (client, name) = (client.clone(), name.clone());
            tokio::spawn(async move { client.stats_once(&name).await })
        })
        .collect();
    let (mut samples, mut failures) = (Vec::new(), Vec::new());
    for (name, task) in names.into_iter().zip(tasks) {
        match task.await {
            Ok(Ok(sample)) => samples.push((name, Some(sample))),
            Ok(Err(error)) => failures.push(Failure::from(error)),
            Err(stopped) => failures.push(Failure::new(format!("cannot measure {name}: {stopped}"))),
        }
    }
    Failure::all(failures)?;
    print(&render(list, &samples, width)?)
}

fn render(list: &List, samples: &[(String, Option<Stats>)], width: Width) -> Outcome<String> {
    let no_label: &dyn Fn(&str) -> String = &|_| String::new();
    list.render(samples.iter().map(|(name, sample)| (row(name, sample.as_ref(), width), no_label)))
}

/// News of a container under observation.
enum News {
    Sample(String, Box<Stats>),
    Gone(String),
    Came(String),
    Failed(Failure),
}

async fn live(client: &Client, flags: &Matches, list: &List, width: Width) -> Outcome {
    let (sender, mut news) = mpsc::channel(64);
    let all = flags.args.is_empty();
    if all {
        // First the events, then the list: what is started in between is in both and counted once.
        watch(client, flags.on("all"), sender.clone()).await?;
    }
    let mut shown: BTreeMap<usize, (String, Option<Stats>)> = BTreeMap::new();
    let mut next = 0;
    for name in names(client, flags).await? {
        observe(client, &name, sender.clone());
        shown.insert(next, (name, None));
        next += 1;
    }
    let mut ticks = tokio::time::interval(Duration::from_millis(500));
    let mut first = true;
    loop {
        tokio::select! {
            Some(what) = news.recv() => match what {
                News::Sample(name, sample) => {
                    if let Some((_, slot)) = shown.values_mut().find(|(known, _)| *known == name) {
                        *slot = Some(*sample);
                    }
                }
                News::Gone(name) => shown.retain(|_, (known, _)| *known != name),
                News::Came(name) => {
                    if !shown.values().any(|(known, _)| *known == name) {
                        observe(client, &name, sender.clone());
                        shown.insert(next, (name, None));
                        next += 1;
                    }
                }
                News::Failed(failure) if all => return Err(failure),
                News::Failed(failure) => {
                    if first {
                        return Err(failure);
                    }
                }
            },
            _ = ticks.tick() => {
                // The first picture waits until every container has been measured once.
                if first && shown.values().any(|(_, sample)| sample.is_none()) {
                    continue;
                }
                first = false;
                if shown.is_empty() && !all {
                    return print("\x1b[H\x1b[J");
                }
                let rows: Vec<_> = shown.values().cloned().collect();
                print(&picture(&render(list, &rows, width)?))?;
            }
        }
    }
}

/// Returns what paints a text over the one before it, without flicker.
fn picture(text: &str) -> String {
    let mut out = String::from("\x1b[H");
    for line in text.split('\n') {
        out.push_str(line);
        out.push_str("\x1b[K\n");
    }
    out + "\x1b[J"
}

fn observe(client: &Client, name: &str, news: mpsc::Sender<News>) {
    let (client, name) = (client.clone(), name.to_owned());
    tokio::spawn(async move {
        let mut samples = match client.stats(&name).await {
            Ok(samples) => samples,
            Err(error) if error.is_not_found() => return drop(news.send(News::Failed(error.into())).await),
            Err(error) => return drop(news.send(News::Failed(error.into())).await),
        };
        while let Ok(Some(sample)) = samples.next().await {
            if news.send(News::Sample(name.clone(), Box::new(sample))).await.is_err() {
                return;
            }
        }
        let _ = news.send(News::Gone(name)).await; // nobody looks any more
    });
}

async fn watch(client: &Client, with_stopped: bool, news: mpsc::Sender<News>) -> Outcome {
    let mut filters = Filters::default();
    filters.add("type", "container");
    let mut events = client.events("", "", &filters.to_json()).await?;
    tokio::spawn(async move {
        while let Ok(Some(event)) = events.next().await {
            let id = event.actor.id;
            let what = match event.action.as_str() {
                "start" => News::Came(id),
                "create" if with_stopped => News::Came(id),
                "destroy" => News::Gone(id),
                "die" if !with_stopped => News::Gone(id),
                _ => continue,
            };
            if news.send(what).await.is_err() {
                return;
            }
        }
    });
    Ok(())
}
