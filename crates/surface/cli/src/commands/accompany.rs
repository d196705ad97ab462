//! What happens beside and behind a conversation with a program: signals and the terminal's size are passed on, and its end is
//! learned.

use std::future::Future;
use std::time::{Duration, Instant};

use client::{Client, Error, Waiting};
use wire::container::Waited;

use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::format;
use crate::signals::{self, Forwarded};
use crate::stream::End;
use crate::term::{self, Size};

/// Whose terminal is resized.
#[derive(Debug, Clone)]
pub(super) enum Terminal {
    /// There is none, or ours is none.
    None,
    Container(String),
    Exec(String),
}

/// Holds the conversation; meanwhile signals go to the container, and changes of the window to the program's terminal.
pub(super) async fn accompany(
    client: &Client,
    conversation: impl Future<Output = Outcome<End>>,
    mut signals: Option<(Forwarded, String)>,
    terminal: Terminal,
) -> Outcome<End> {
    let mut conversation = std::pin::pin!(conversation);
    let mut changes = match terminal {
        Terminal::None => None,
        Terminal::Container(_) | Terminal::Exec(_) => signals::window_changes().ok(),
    };
    loop {
        tokio::select! {
            end = &mut conversation => return end,
            (name, container) = next_signal(&mut signals) => {
                let client = client.clone();
                // The program may have ended meanwhile: then there is nothing to pass on.
                tokio::spawn(async move { client.kill(&container, name).await });
            }
            () = next_change(&mut changes) => {
                tokio::spawn(resize(client.clone(), terminal.clone(), term::size()));
            }
        }
    }
}

async fn next_signal(signals: &mut Option<(Forwarded, String)>) -> (&'static str, String) {
    match signals {
        Some((signals, container)) => (signals.next().await, container.clone()),
        None => std::future::pending().await,
    }
}

async fn next_change(changes: &mut Option<tokio::signal::unix::Signal>) {
    match changes {
        Some(changes) => drop(changes.recv().await),
        None => std::future::pending().await,
    }
}

/// Returns how a container ended. If the engine went away meanwhile, the next one is asked: it knows.
pub(super) async fn outcome(context: &Context, id: &str, waiting: Waiting) -> Outcome<Waited> {
    tokio::select! {
        result = ask_until_known(context, id, waiting) => result,
        // Signals are not passed on any more: the program has closed its output.
        _ = tokio::signal::ctrl_c() => Err(Failure::status(130)),
    }
}

async fn ask_until_known(context: &Context, id: &str, waiting: Waiting) -> Outcome<Waited> {
    const PATIENCE: Duration = Duration::from_secs(60);
    let began = Instant::now();
    let mut result = waiting.result().await;
    while let Err(Error::Broken { .. } | Error::Connect { .. }) = &result {
        context.note("the engine went away; asking the next one");
        if let Err(failure) = context.engine().await
            && began.elapsed() > PATIENCE
        {
            return Err(failure);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        let client = context.client();
        result = match client.wait(id, "not-running").await {
            Ok(waiting) => waiting.result().await,
            // Removed meanwhile; but its end is an event, and those are kept.
            Err(error) if error.is_not_found() => match last_exit(client, id).await {
                Some(status_code) => Ok(Waited { status_code, ..Waited::default() }),
                None => Err(error),
            },
            Err(error) => Err(error),
        };
    }
    Ok(result?)
}

/// Returns the exit code of a container's last end, as far as the engine remembers.
async fn last_exit(client: &Client, id: &str) -> Option<i64> {
    let mut filters = refs::Filters::default();
    filters.add("type", "container");
    filters.add("container", id);
    filters.add("event", "die");
    let now = format::now_s().to_string();
    let mut events = client.events("1", &now, &filters.to_json()).await.ok()?;
    let mut code = None;
    while let Ok(Some(event)) = events.next().await {
        code = event.actor.attributes.get("exitCode").and_then(|code| code.parse().ok()).or(code);
    }
    code
}

/// Tells the size of the terminal now, and again while the engine says that the program is not there yet.
pub(super) async fn resize(client: Client, terminal: Terminal, size: Option<Size>) {
    let Some(size) = size else { return };
    for attempt in 1..=10 {
        if resize_once(&client, &terminal, size).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10 * attempt)).await;
    }
}

async fn resize_once(client: &Client, terminal: &Terminal, size: Size) -> Result<(), client::Error> {
    match terminal {
        Terminal::None => Ok(()),
        Terminal::Container(id) => client.resize(id, size.rows, size.columns).await,
        Terminal::Exec(id) => client.exec_resize(id, size.rows, size.columns).await,
    }
}

/// Returns the terminal to resize if both sides have one.
pub(super) fn of_container(id: &str, tty: bool) -> Terminal {
    if tty && term::stdout_is_terminal() { Terminal::Container(id.to_owned()) } else { Terminal::None }
}
