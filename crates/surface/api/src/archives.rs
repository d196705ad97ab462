//! Archives of images and containers: saving, loading, importing, exporting.

use crate::State;
use crate::bodies;
use crate::convert::changes;
use crate::dispatch::Call;
use crate::error::{Error, invalid};
use crate::images::publish;
use crate::pull::{bar, error_line};
use crate::request::Query;
use crate::respond::{self, Reply};
use error::Failure;
use image::{Loading, Registration};
use oci::image::{ContainerConfig, History, ImageConfig, RootFs};
use refs::{Platform, Reference, Timestamp};
use std::io::{self, Read as _};
use std::time::SystemTime;
use tokio::sync::mpsc;
use wire::progress::{Detail, Line};

const TAR: &str = "application/x-tar";

/// Bytes behind a failure that are read and thrown away, so that the client sees the answer.
const REST_BYTES: u64 = 64 << 20;

/// Lines that wait for a slow client.
const QUEUE_LINES: usize = 64;

/// `GET /images/get?names=…` and `GET /images/{name}/get`.
pub(crate) async fn save(state: &State, name: Option<String>, call: &Call) -> Reply {
    let names = match name {
        Some(name) => vec![name],
        None => call.query.all("names").into_iter().map(str::to_owned).collect(),
    };
    let platform = platform(&call.query)?;
    let images = state.images.clone();
    let saving = state.disk.run(move || images.saving(&names, platform.as_ref())).await?;
    for image in saving.images() {
        publish(&state.events, "save", image, image.id.to_string());
    }
    Ok(bodies::writer(&state.transfers, TAR, move |out| Ok(saving.write(out)?)))
}

/// `POST /images/load`. Failures come as the last line, as the answer has begun by then.
pub(crate) async fn load(state: &State, call: Call) -> Reply {
    let quiet = call.query.flag_or("quiet", true);
    let platform = platform(&call.query)?;
    let mut body = bodies::reader(call.request.into_body());
    let (sender, receiver) = mpsc::channel(QUEUE_LINES);
    let (images, transfers, events) = (state.images.clone(), state.transfers.clone(), state.events.clone());
    tokio::spawn(async move {
        let job = move || {
            let mut tell = |loading: Loading| {
                if let Loading::Loaded { image, .. } = &loading {
                    publish(&events, "load", image, image.id.to_string());
                }
                if let Some(line) = loading_line(loading, quiet) {
                    let _ = sender.blocking_send(line.encode().into()); // the load goes on without a client
                }
            };
            if let Err(error) = images.load(&mut body, platform.as_ref(), &mut tell) {
                let _ = sender.blocking_send(error_line(&Failure::from(error)).encode().into());
                // A connection that is closed before all was read takes the answer with it.
                let _ = io::copy(&mut body.take(REST_BYTES), &mut io::sink()); // the client may have gone
            }
        };
        transfers.run(job).await;
    });
    Ok(respond::stream("application/json", bodies::received(receiver)))
}

fn loading_line(loading: Loading, quiet: bool) -> Option<Line> {
    let text = |stream| Some(Line { stream, ..Line::default() });
    match loading {
        Loading::Layer { .. } if quiet => None,
        Loading::Layer { diff_id, size_bytes } => {
            let size = crate::convert::inspect::bytes(size_bytes);
            Some(Line {
                status: "Loading layer".to_owned(),
                progress_detail: Some(Detail { current: size, total: size }),
                progress: bar(size_bytes, size_bytes),
                id: diff_id.short().to_owned(),
                ..Line::default()
            })
        }
        Loading::Renamed { tag, old } => text(format!(
            "The image {tag} already exists, renaming the old one with ID {old} to empty string\n"
        )),
        Loading::Loaded { tag: Some(tag), .. } => text(format!("Loaded image: {tag}\n")),
        Loading::Loaded { image, tag: None } => text(format!("Loaded image ID: {}\n", image.id)),
    }
}

/// `POST /images/create?fromSrc=-`: the body is the root file system.
pub(crate) async fn import(state: &State, call: Call) -> Reply {
    let query = &call.query;
    if query.get("fromSrc") != Some("-") {
        return Err(Error::UnsupportedField {
            field: "importing from an address".into(),
            hint: Some("fetch it, and pipe it to import -"),
        }
        .into());
    }
    let tag = query.get("repo").map(|repository| name(repository, query.get("tag"))).transpose()?;
    let platform = platform(query)?.unwrap_or_else(Platform::host);
    let mut config = ContainerConfig::default();
    changes::apply(&mut config, query.all("changes").into_iter())?;
    let comment = query.get("message").unwrap_or("Imported from -").to_owned();
    let body = bodies::reader(call.request.into_body());
    let images = state.images.clone();
    let image = state
        .transfers
        .run(move || -> Result<_, Failure> {
            let lease = images.lease();
            let made = images.import_layer(body).and_then(|diff_id| {
                let created = Some(Timestamp::from(SystemTime::now()).rfc3339());
                let config = ImageConfig {
                    created: created.clone(),
                    architecture: platform.architecture,
                    os: platform.os,
                    variant: platform.variant,
                    config: Some(config),
                    rootfs: RootFs { diff_ids: vec![diff_id], ..RootFs::default() },
                    history: vec![History { created, comment: comment.clone(), ..History::default() }],
                    comment,
                    ..ImageConfig::default()
                };
                let config = serde_json::to_vec(&config).expect("plain structs become JSON");
                let registration =
                    Registration { config: &config, tag: tag.as_ref(), ..Registration::default() };
                images.register(&registration)
            });
            lease.release()?;
            Ok(made?)
        })
        .await?;
    publish(&state.events, "import", &image, image.id.to_string());
    let line = Line { status: image.id.to_string(), ..Line::default() };
    Ok(respond::stream("application/json", futures_util::stream::iter([line.encode().into()])))
}

/// `GET /containers/{name}/export`.
pub(crate) async fn export(state: &State, container: &str) -> Reply {
    let view = state.containers.inspect(container).await?;
    let tree = state.containers.tree(container).await?;
    state.containers.tell(&view, "export", []);
    Ok(bodies::writer(&state.transfers, TAR, move |out| Ok(tree.write(out)?)))
}

/// Returns the name that `repo` and `tag` make.
pub(crate) fn name(repository: &str, tag: Option<&str>) -> Result<Reference, Failure> {
    let reference = Reference::parse(repository)?;
    if reference.digest().is_some() {
        return Err(invalid("cannot import digest reference").into());
    }
    Ok(match tag {
        Some(tag) => reference.with_tag(tag)?,
        None => reference.with_default_tag(),
    })
}

/// Reads `platform`: JSON since 1.48, `os/arch` from `import`.
///
/// # Errors
/// What is no platform; several of them.
pub(crate) fn platform(query: &Query) -> Result<Option<Platform>, Failure> {
    let mut given = query.all("platform").into_iter();
    let Some(text) = given.next() else { return Ok(None) };
    if given.next().is_some() {
        return Err(Error::UnsupportedField {
            field: "several platforms".into(),
            hint: Some("an image here is for one platform"),
        }
        .into());
    }
    Ok(Some(changes::platform(text)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use refs::Digest;

    #[test]
    fn load_reads_as_dockers() {
        let layer = || Loading::Layer { diff_id: Digest::sha256([0xf9; 32]), size_bytes: 2048 };
        assert_eq!(loading_line(layer(), true), None);
        let line = String::from_utf8(loading_line(layer(), false).unwrap().encode()).unwrap();
        // Docker 28.5.2, POST /images/load?quiet=0.
        let expected = r#"{"status":"Loading layer","progressDetail":{"current":2048,"total":2048},"progress":"[==================================================\u003e]  2.048kB/2.048kB","id":"f9f9f9f9f9f9"}"#;
        assert_eq!(line.trim_end(), expected);
    }

    #[test]
    fn name_of_an_image_takes_no_digest() {
        assert_eq!(name("a", None).unwrap().familiar(), "a:latest");
        assert_eq!(name("a:1", Some("2")).unwrap().familiar(), "a:2");
        assert!(name(&format!("a@sha256:{}", "1".repeat(64)), None).is_err());
        let error = name("BAD", None).unwrap_err();
        assert_eq!(
            error.message,
            "invalid reference format: repository name (library/BAD) must be lowercase"
        );
    }
}
