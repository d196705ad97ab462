//! `/containers`: creating, listing, inspecting and all verbs but attach's streaming.

use crate::State;
use crate::convert::view::Defaults;
use crate::convert::{create, inspect as to_wire, stats as stats_wire, summary};
use crate::dispatch::Call;
use crate::error::{Error, invalid};
use crate::hijack::{self, Hijack};
use crate::images::is_named;
use crate::request::{self, Query};
use crate::respond::{self, Reply};
use container::options::{
    AttachOptions, ListOptions, LogOptions, RemoveOptions, StatsMode, StopOptions, WaitCondition,
};
use container::spec::CgroupNamespace;
use container::view::ContainerView;
use error::Failure;
use futures_util::{StreamExt, stream};
use http::StatusCode;
use image::Image;
use refs::{Digest, Filters, Timestamp};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::SystemTime;
use wire::container::{
    BirthStep, ContainerCreate, ContainerUpdate, ContainerUpdated, ContainersPruned, Created, Top, WaitError,
    Waited,
};
use wire::list::ContainerSummary;
use wire::version::ApiVersion;

/// `GET /containers/json`.
pub(crate) async fn list(state: &State, call: &Call) -> Reply {
    let query = &call.query;
    let options = ListOptions {
        all: query.flag("all"),
        limit: query
            .number("limit")?
            .and_then(|limit| usize::try_from(limit).ok())
            .filter(|limit| *limit > 0),
        filters: Filters::parse(query.get("filters").unwrap_or_default())?,
    };
    let views = state.containers.list(options).await?;
    let sizes = if query.flag("size") { Sizes::Counted } else { Sizes::Unknown };
    respond::ok(&summaries(state, &views, sizes).await?)
}

/// Whether the sizes of containers are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sizes {
    /// They are left out.
    Unknown,
    /// The writable layers are walked.
    Counted,
}

/// Returns containers as lists show them.
pub(crate) async fn summaries(
    state: &State,
    views: &[Arc<ContainerView>],
    sizes: Sizes,
) -> Result<Vec<ContainerSummary>, Failure> {
    let images = images_of(state, views).await;
    let now = Timestamp::from(SystemTime::now());
    let mut rows = Vec::with_capacity(views.len());
    for view in views {
        let sizes = match sizes {
            Sizes::Counted => Some(state.containers.sizes(view.id.as_str()).await?),
            Sizes::Unknown => None,
        };
        // A name that means another image by now would mislead.
        let image = match images.get(&view.image.id) {
            Some(image) if is_named(image, &view.config.image) => view.config.image.clone(),
            _ => view.image.id.as_str().to_owned(),
        };
        rows.push(summary::summary(view, image, sizes, now));
    }
    Ok(rows)
}

/// Returns the images that containers stand on, as far as they are still there.
async fn images_of(state: &State, views: &[Arc<ContainerView>]) -> HashMap<Digest, Image> {
    let ids: HashSet<Digest> = views.iter().map(|view| view.image.id.clone()).collect();
    if ids.is_empty() {
        return HashMap::new();
    }
    let images = state.images.clone();
    let find = move || ids.into_iter().filter_map(|id| Some((id.clone(), images.get(&id).ok()?))).collect();
    state.disk.run(find).await
}

/// `POST /containers/create`.
pub(crate) async fn create(state: &State, call: Call) -> Reply {
    let (head, body) = call.request.into_parts();
    let bytes = request::read_json(&head.headers, body).await?;
    if bytes.is_empty() {
        return Err(invalid(wire::text::MISSING_BODY).into());
    }
    let body = ContainerCreate::parse(&bytes).map_err(|error| request::json_error(&error))?;
    let several = body.networking_config.as_ref().and_then(|config| config.endpoints_config.as_ref());
    if let Some(endpoints) =
        several.filter(|endpoints| endpoints.len() > 1 && call.version < ApiVersion::new(1, 44))
    {
        let names: Vec<&str> = endpoints.keys().map(String::as_str).collect();
        let text =
            format!("Container cannot be created with multiple network endpoints: {}", names.join(", "));
        return Err(invalid(text).into());
    }
    let spec = create::create_spec(call.query.get("name"), call.query.get("platform"), body)?;
    let created = state.containers.create(spec).await?;
    let answer = Created { id: created.id.as_str().to_owned(), warnings: Some(created.warnings) };
    Ok(respond::json(StatusCode::CREATED, &answer))
}

/// `GET /containers/{name}/json`.
pub(crate) async fn inspect(state: &State, name: &str, call: &Call) -> Reply {
    let view = state.containers.inspect(name).await?;
    let sizes = match call.query.flag("size") {
        true => Some(state.containers.sizes(name).await?),
        false => None,
    };
    respond::ok(&to_wire::inspect(&view, sizes, &defaults(state)))
}

/// Returns what host configurations leave to the engine.
fn defaults(state: &State) -> Defaults {
    let v2 = state.system.limits.v2;
    Defaults {
        cgroupns: if v2 { CgroupNamespace::Private } else { CgroupNamespace::Host },
        masked_paths: container::MASKED_PATHS,
        readonly_paths: container::READONLY_PATHS,
    }
}

/// `GET /containers/{name}/birth`, an extension of ours.
pub(crate) async fn birth(state: &State, name: &str) -> Reply {
    let steps: Vec<BirthStep> = state
        .containers
        .explain(name)
        .await?
        .into_iter()
        .map(|step| BirthStep {
            t_ns: step.t_ns,
            dur_ns: step.dur_ns,
            who: step.who,
            step: step.step,
            args: step.args,
            errno: step.errno,
        })
        .collect();
    respond::ok(&steps)
}

/// `GET /containers/{name}/top`.
pub(crate) async fn top(state: &State, name: &str, call: &Call) -> Reply {
    let top = state.containers.top(name, call.query.get("ps_args").unwrap_or("-ef")).await?;
    respond::ok(&Top { processes: Some(top.processes), titles: Some(top.titles) })
}

/// `GET /containers/{name}/logs`.
pub(crate) async fn logs(state: &State, name: &str, call: &Call) -> Reply {
    let query = &call.query;
    let options = LogOptions {
        stdout: query.flag("stdout"),
        stderr: query.flag("stderr"),
        follow: query.flag("follow"),
        timestamps: query.flag("timestamps"),
        details: query.flag("details"),
        since: moment(query, "since")?,
        until: moment(query, "until")?,
        // As in Docker, what is no number means all lines.
        tail: query.get("tail").and_then(|text| text.parse().ok()),
        raw: false,
    };
    if !options.stdout && !options.stderr {
        return Err(invalid(wire::text::NO_LOG_STREAM).into());
    }
    let tty = state.containers.inspect(name).await?.config.tty;
    let content_type = hijack::content_type(true, tty, call.version);
    let pieces = state.containers.logs(name, options).await?;
    Ok(respond::stream(content_type, pieces))
}

/// Reads `since` and `until`: seconds since 1970 with a fraction; 0 and nothing mean no bound.
pub(crate) fn moment(query: &Query, key: &str) -> Result<Option<Timestamp>, Failure> {
    match query.get(key) {
        None | Some("0") => Ok(None),
        Some(text) => Ok(Some(Timestamp::parse_unix(text)?)),
    }
}

/// `GET /containers/{name}/stats`.
pub(crate) async fn stats(state: &State, name: &str, call: &Call) -> Reply {
    let mode = match (call.query.flag_or("stream", true), call.query.flag("one-shot")) {
        (true, true) => return Err(invalid("cannot have stream=true and one-shot=true").into()),
        (true, false) => StatsMode::Stream,
        (false, false) => StatsMode::Pair,
        (false, true) => StatsMode::OneShot,
    };
    let samples = state.containers.stats(name, mode).await?;
    let lines = samples.map(|sample| respond::line(&stats_wire::stats(&sample)));
    Ok(respond::stream("application/json", lines))
}

/// `POST /containers/{name}/resize`.
pub(crate) async fn resize(state: &State, name: &str, call: &Call) -> Reply {
    let (rows, columns) = size(&call.query)?;
    state.containers.resize(name, rows, columns).await?;
    Ok(respond::empty(StatusCode::OK))
}

/// Reads `h` and `w`.
pub(crate) fn size(query: &Query) -> Result<(u16, u16), Error> {
    let number = |key, what| {
        let text = query.get(key).unwrap_or_default();
        text.parse::<u16>().map_err(|_| invalid(format!("invalid resize {what} {text:?}: invalid syntax")))
    };
    Ok((number("h", "height")?, number("w", "width")?))
}

/// `POST /containers/{name}/start`.
pub(crate) async fn start(state: &State, name: &str, call: &Call) -> Reply {
    if call.query.get("checkpoint").is_some() {
        return Err(Error::UnsupportedFeature("starting from a checkpoint").into());
    }
    state.containers.start(name).await?;
    Ok(respond::empty(StatusCode::NO_CONTENT))
}

/// `POST /containers/{name}/stop`.
pub(crate) async fn stop(state: &State, name: &str, call: &Call) -> Reply {
    state.containers.stop(name, stop_options(&call.query)?).await?;
    Ok(respond::empty(StatusCode::NO_CONTENT))
}

/// `POST /containers/{name}/restart`.
pub(crate) async fn restart(state: &State, name: &str, call: &Call) -> Reply {
    state.containers.restart(name, stop_options(&call.query)?).await?;
    Ok(respond::empty(StatusCode::NO_CONTENT))
}

fn stop_options(query: &Query) -> Result<StopOptions, Error> {
    Ok(StopOptions { signal: query.get("signal").map(str::to_owned), timeout_s: query.number("t")? })
}

/// `POST /containers/{name}/kill`.
pub(crate) async fn kill(state: &State, name: &str, call: &Call) -> Reply {
    state.containers.kill(name, call.query.get("signal")).await?;
    Ok(respond::empty(StatusCode::NO_CONTENT))
}

/// `POST /containers/{name}/rename`.
pub(crate) async fn rename(state: &State, name: &str, call: &Call) -> Reply {
    let Some(new) = call.query.get("name") else {
        return Err(invalid("Neither old nor new names may be empty").into());
    };
    state.containers.rename(name, new).await?;
    Ok(respond::empty(StatusCode::NO_CONTENT))
}

/// `POST /containers/{name}/pause`.
pub(crate) async fn pause(state: &State, name: &str) -> Reply {
    state.containers.pause(name).await?;
    Ok(respond::empty(StatusCode::NO_CONTENT))
}

/// `POST /containers/{name}/unpause`.
pub(crate) async fn unpause(state: &State, name: &str) -> Reply {
    state.containers.unpause(name).await?;
    Ok(respond::empty(StatusCode::NO_CONTENT))
}

/// `POST /containers/{name}/wait`: the headers are sent as soon as the wait is set up, the body when it ends.
pub(crate) async fn wait(state: &State, name: &str, call: &Call) -> Reply {
    let condition = match call.query.get("condition") {
        None | Some("not-running") => WaitCondition::NotRunning,
        Some("next-exit") => WaitCondition::NextExit,
        Some("removed") => WaitCondition::Removed,
        Some(other) => return Err(invalid(wire::text::invalid_wait_condition(other)).into()),
    };
    let waiting = state.containers.wait(name, condition).await?;
    let body = stream::once(async move {
        let result = waiting.await;
        respond::line(&Waited {
            error: result.error.map(|message| WaitError { message }),
            status_code: result.exit_code.into(),
        })
    });
    Ok(respond::stream("application/json", body))
}

/// `POST /containers/{name}/update`.
pub(crate) async fn update(state: &State, name: &str, call: Call) -> Reply {
    let (head, body) = call.request.into_parts();
    let body: Option<ContainerUpdate> = request::json_or_default(&head.headers, body).await?;
    let warnings = state.containers.update(name, create::update(&body.unwrap_or_default())?).await?;
    respond::ok(&ContainerUpdated { warnings: (!warnings.is_empty()).then_some(warnings) })
}

/// `POST /containers/prune`.
pub(crate) async fn prune(state: &State, call: &Call) -> Reply {
    let filters = Filters::parse(call.query.get("filters").unwrap_or_default())?;
    let pruned = state.containers.prune(&filters).await?;
    let ids: Vec<String> = pruned.ids.iter().map(|id| id.as_str().to_owned()).collect();
    respond::ok(&ContainersPruned {
        containers_deleted: (!ids.is_empty()).then_some(ids),
        space_reclaimed: pruned.reclaimed_bytes,
    })
}

/// `DELETE /containers/{name}`.
pub(crate) async fn remove(state: &State, name: &str, call: &Call) -> Reply {
    if call.query.flag("link") {
        return Err(Error::UnsupportedFeature("removing links").into());
    }
    let options = RemoveOptions { force: call.query.flag("force"), volumes: call.query.flag("v") };
    state.containers.remove(name, options).await?;
    Ok(respond::empty(StatusCode::NO_CONTENT))
}

/// Reads what a client wants to see and send. The streams come in frames unless there is a terminal.
pub(crate) fn attach_options(query: &Query) -> Result<AttachOptions, container::Error> {
    Ok(AttachOptions {
        stdin: query.flag("stdin"),
        stdout: query.flag("stdout"),
        stderr: query.flag("stderr"),
        logs: query.flag("logs"),
        stream: query.flag("stream"),
        detach_keys: container::detach_keys::parse(query.get("detachKeys").unwrap_or_default())?,
        raw: false,
    })
}

/// `POST /containers/{name}/attach`.
pub(crate) async fn attach(state: &State, name: &str, call: Call) -> Reply {
    let options = attach_options(&call.query)?;
    let attaching = state.containers.attach(name, options).await?;
    let upgraded = hijack::wants_upgrade(call.request.headers());
    let content_type = hijack::content_type(upgraded, attaching.tty, call.version);
    let name = name.to_owned();
    Hijack::with_input(call.request).answer(content_type, move |fd, early| async move {
        if let Err(error) = attaching.connect(fd, early).await {
            tracing::debug!(container = name, error = error::chain(&error), "a client cannot be attached");
        }
    })
}
