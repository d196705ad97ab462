//! `/images`: listing, inspecting, tagging, removing. Pulling is in [`crate::pull`].

use crate::State;
use crate::convert::image as to_wire;
use crate::dispatch::Call;
use crate::error::Error;
use crate::image_filters::ImageFilters;
use crate::respond::{self, Reply};
use ::events::{Event, Events, Type};
use container::options::ListOptions;
use container::view::ContainerView;
use error::Failure;
use http::StatusCode;
use image::{ContainerUse, Force, Image, Images, Removed};
use refs::{Digest, Filters, Reference, Timestamp};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::SystemTime;
use wire::image::{ImageRemoved, ImageSummary};

/// `GET /images/json`.
pub(crate) async fn list(state: &State, call: &Call) -> Reply {
    let filters = Filters::parse(call.query.get("filters").unwrap_or_default())?;
    let now = Timestamp::from(SystemTime::now());
    let filters = ImageFilters::read(&filters, now)?;
    let with_shared = call.query.flag("shared-size");
    let containers = state.containers.list(ListOptions { all: true, ..Default::default() }).await?;
    respond::ok(&rows(state, &containers, filters, with_shared).await?)
}

/// Returns all images with their shares, as `df` shows them.
pub(crate) async fn summaries(
    state: &State,
    containers: &[Arc<ContainerView>],
) -> Result<Vec<ImageSummary>, Failure> {
    let filters = ImageFilters::read(&Filters::default(), Timestamp::from(SystemTime::now()))?;
    rows(state, containers, filters, true).await
}

async fn rows(
    state: &State,
    containers: &[Arc<ContainerView>],
    filters: ImageFilters,
    with_shared: bool,
) -> Result<Vec<ImageSummary>, Failure> {
    let mut used: HashMap<Digest, i64> = HashMap::new();
    for view in containers {
        *used.entry(view.image.id.clone()).or_default() += 1;
    }
    let images = state.images.clone();
    state
        .disk
        .run(move || -> Result<_, Failure> {
            let all = images.list()?;
            let shared = if with_shared { Some(shared_sizes(&images, &all)?) } else { None };
            let shown = filters.apply(&images, all)?;
            Ok(shown
                .iter()
                .map(|image| {
                    let mut row = to_wire::summary(image);
                    row.containers = used.get(&image.id).copied().unwrap_or_default();
                    if let Some(shared) = &shared {
                        row.shared_size = shared.get(&image.id).copied().unwrap_or_default();
                    }
                    row
                })
                .collect())
        })
        .await
}

/// `GET /images/{name}/json`.
pub(crate) async fn inspect(state: &State, name: String, call: &Call) -> Reply {
    let platform = crate::archives::platform(&call.query)?;
    let driver = state.system.driver.clone();
    let images = state.images.clone();
    let inspected = state
        .disk
        .run(move || {
            let image = match &platform {
                Some(platform) => images.resolve_for(&name, platform),
                None => images.resolve(&name),
            }?;
            let layers: Vec<_> = image.layers.iter().map(|diff_id| images.layers().place(diff_id)).collect();
            Ok::<_, Failure>(to_wire::inspect(&image, driver, &layers))
        })
        .await?;
    respond::ok(&inspected)
}

/// `GET /images/{name}/history`.
pub(crate) async fn history(state: &State, name: String, call: &Call) -> Reply {
    let platform = crate::archives::platform(&call.query)?;
    let images = state.images.clone();
    let rows = state
        .disk
        .run(move || {
            let image = match &platform {
                Some(platform) => images.resolve_for(&name, platform),
                None => images.resolve(&name),
            }?;
            let sizes = image
                .layers
                .iter()
                .map(|diff_id| images.layer_size_bytes(diff_id))
                .collect::<Result<Vec<u64>, _>>()?;
            let steps = &image.config.history;
            Ok::<_, Failure>(to_wire::history(image.id.as_str(), image.tags.clone(), steps, &sizes))
        })
        .await?;
    respond::ok(&rows)
}

/// `POST /images/{name}/tag`.
pub(crate) async fn tag(state: &State, name: String, call: &Call) -> Reply {
    let target = Reference::parse(call.query.get("repo").unwrap_or_default())?;
    let target = match call.query.get("tag") {
        Some(tag) => target.with_tag(tag)?,
        None => target.with_default_tag(),
    };
    let shown = target.familiar();
    let images = state.images.clone();
    let image = state.disk.run(move || images.tag(&name, &target)).await?;
    publish(&state.events, "tag", &image, shown);
    Ok(respond::empty(StatusCode::CREATED))
}

/// `DELETE /images/{name}`. Images have no parents here, so that `noprune` changes nothing.
pub(crate) async fn remove(state: &State, name: String, call: &Call) -> Reply {
    if call.query.get("platforms").is_some() {
        return Err(Error::UnsupportedField { field: "platforms".into(), hint: None }.into());
    }
    let force = if call.query.flag("force") { Force::Yes } else { Force::No };
    let containers = state.containers.list(ListOptions { all: true, ..Default::default() }).await?;
    let in_use: Vec<ContainerUse> = containers
        .iter()
        .map(|view| ContainerUse {
            container: view.id.as_str().to_owned(),
            image: view.image.id.clone(),
            running: view.state.status.is_running(),
        })
        .collect();
    let images = state.images.clone();
    let (image, removed) = state
        .disk
        .run(move || {
            // Not by `resolve`, which would make the built-in image only to remove it.
            let image = images.list()?.into_iter().find(|image| is_named(image, &name));
            let removed = images.remove(&name, force, &in_use)?;
            Ok::<_, Failure>((image, removed))
        })
        .await?;
    if let Some(image) = image {
        for gone in &removed {
            match gone {
                Removed::Untagged(_) => publish(&state.events, "untag", &image, image.id.to_string()),
                Removed::Deleted(id) if *id == image.id => {
                    publish(&state.events, "delete", &image, id.to_string())
                }
                Removed::Deleted(_) => {} // a layer
            }
        }
    }
    let rows: Vec<ImageRemoved> = removed.into_iter().map(row).collect();
    respond::ok(&rows)
}

/// Tells whether a name, an id or the beginning of one means this image.
pub(crate) fn is_named(image: &Image, name: &str) -> bool {
    let id = image.id.as_str();
    if id.starts_with(name) || image.id.hex().starts_with(name) {
        return true;
    }
    let Ok(reference) = Reference::parse(name) else { return false };
    match reference.digest() {
        Some(digest) => image.digests.contains(&format!("{}@{digest}", reference.familiar_name())),
        None => image.tags.contains(&reference.with_default_tag().familiar()),
    }
}

fn row(removed: Removed) -> ImageRemoved {
    match removed {
        Removed::Untagged(name) => ImageRemoved { untagged: Some(name), deleted: None },
        Removed::Deleted(digest) => ImageRemoved { untagged: None, deleted: Some(digest.to_string()) },
    }
}

/// Tells listeners what happened to an image; its labels go along.
pub(crate) fn publish(events: &Events, action: &str, image: &Image, name: String) {
    let labels = image.config.config.as_ref().and_then(|config| config.labels.clone());
    let mut attributes: BTreeMap<String, String> = labels.unwrap_or_default();
    attributes.insert("name".to_owned(), name);
    events.publish(Event {
        kind: Type::Image,
        action: action.to_owned(),
        actor: image.id.to_string(),
        attributes,
        time: Timestamp::from(SystemTime::now()),
    });
}

/// Returns for every image how many bytes of it are in layers that another image has too.
fn shared_sizes(images: &Images, all: &[Image]) -> Result<HashMap<Digest, i64>, image::Error> {
    let mut users: HashMap<&Digest, usize> = HashMap::new();
    for diff_id in all.iter().flat_map(|image| &image.layers) {
        *users.entry(diff_id).or_default() += 1;
    }
    let mut sizes: HashMap<&Digest, u64> = HashMap::new();
    for (diff_id, _) in users.into_iter().filter(|(_, count)| *count > 1) {
        sizes.insert(diff_id, images.layer_size_bytes(diff_id)?);
    }
    let shared = |image: &Image| image.layers.iter().filter_map(|diff_id| sizes.get(diff_id)).sum::<u64>();
    Ok(all.iter().map(|image| (image.id.clone(), crate::convert::inspect::bytes(shared(image)))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn image_is_named_by_tag_digest_id_and_prefix() {
        let id = Digest::sha256([0xab; 32]);
        let image = Image {
            id: id.clone(),
            config: std::sync::Arc::default(),
            layers: Vec::new(),
            manifest: None,
            size_bytes: 0,
            tags: vec!["busybox:latest".into(), "127.0.0.1:5000/a/b:1".into()],
            digests: vec![format!("busybox@{id}")],
            registered_ns: 0,
            tagged_ns: None,
        };
        let by_digest = format!("busybox:1@{id}");
        for name in [
            "busybox",
            "docker.io/library/busybox:latest",
            "127.0.0.1:5000/a/b:1",
            "abab",
            "sha256:aba",
            id.as_str(),
        ] {
            assert!(is_named(&image, name), "{name}");
        }
        assert!(is_named(&image, &by_digest));
        for name in ["busybox:1", "a/b:1", "abac", "BAD::"] {
            assert!(!is_named(&image, name), "{name}");
        }
    }
}
