//! `POST /commit`: an image out of a container.

use crate::State;
use crate::archives::name;
use crate::convert::changes;
use crate::convert::commit::{fill, of_container, of_wire};
use crate::dispatch::Call;
use crate::images::publish;
use crate::request;
use crate::respond::{self, Reply};
use ::events::Events;
use container::view::{ContainerView, Status};
use error::Failure;
use http::StatusCode;
use image::{Image, Images, Registration};
use oci::image::{ContainerConfig, History, ImageConfig};
use refs::{Digest, Platform, Reference, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::SystemTime;

/// The digest of an archive without entries: Docker gives such a layer to no image.
const EMPTY_DIFF_ID: &str = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Committed {
    id: String,
}

/// What the new image is beyond the container.
struct Wanted {
    config: ContainerConfig,
    author: String,
    comment: String,
    tag: Option<Reference>,
}

/// `POST /commit`.
pub(crate) async fn commit(state: &State, call: Call) -> Reply {
    let query = call.query;
    let container = query.get("container").unwrap_or_default().to_owned();
    let tag = query.get("repo").map(|repository| name(repository, query.get("tag"))).transpose()?;
    let view = state.containers.inspect(&container).await?;
    let (head, body) = call.request.into_parts();
    let body: Option<wire::container::Config> = request::json_or_default(&head.headers, body).await?;
    let own = of_container(&view.config);
    let mut config = body.map_or_else(|| own.clone(), of_wire);
    changes::apply(&mut config, query.all("changes").into_iter())?;
    fill(&mut config, &own);
    let wanted = Wanted {
        config,
        author: query.get("author").unwrap_or_default().to_owned(),
        comment: query.get("comment").unwrap_or_default().to_owned(),
        tag,
    };
    let (containers, images) = (state.containers.clone(), state.images.clone());
    let (disk, events) = (state.transfers.clone(), state.events.clone());
    let pause = query.flag_or("pause", true);
    // In a task of its own: a client that goes away must not leave the container frozen.
    let job = async move {
        let pauses = pause && view.state.status == Status::Running;
        if pauses {
            containers.pause(view.id.as_str()).await?;
        }
        let made = async {
            let tree = containers.tree(view.id.as_str()).await?;
            let of = Arc::clone(&view);
            let shown = wanted.tag.as_ref().map(Reference::familiar);
            let comment = wanted.comment.clone();
            let image = disk.run(move || make(&images, &of, &tree, wanted)).await?;
            tell(&events, &containers, &view, &image, shown, comment);
            Ok::<_, Failure>(image)
        };
        let made = made.await;
        if pauses && let Err(error) = containers.unpause(view.id.as_str()).await {
            // It may have ended, or been killed meanwhile: the image is what was asked for.
            tracing::warn!(container = view.id.as_str(), %error, "cannot let a container go on after its commit");
        }
        made
    };
    let image = match tokio::spawn(job).await {
        Ok(made) => made?,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    };
    Ok(respond::json(StatusCode::CREATED, &Committed { id: image.id.to_string() }))
}

fn make(
    images: &Images,
    view: &ContainerView,
    tree: &container::Tree,
    wanted: Wanted,
) -> Result<Image, Failure> {
    let lease = images.lease();
    let made = images.make_layer(|out| tree.write_changes(out)).and_then(|diff_id| {
        // The image may be gone by now; its layers are not.
        let parent = images.get(&view.image.id).map(|image| (*image.config).clone()).unwrap_or_default();
        let tag = wanted.tag.clone();
        let config = image_config(parent, view, diff_id, wanted);
        let config = serde_json::to_vec(&config).expect("plain structs become JSON");
        images.register(&Registration { config: &config, tag: tag.as_ref(), ..Registration::default() })
    });
    lease.release()?;
    Ok(made?)
}

fn image_config(parent: ImageConfig, view: &ContainerView, diff_id: Digest, wanted: Wanted) -> ImageConfig {
    let created = Some(Timestamp::from(SystemTime::now()).rfc3339());
    let is_empty = diff_id.as_str() == EMPTY_DIFF_ID;
    let host = Platform::host();
    let or = |text: String, other: String| if text.is_empty() { other } else { text };
    let mut rootfs = parent.rootfs;
    rootfs.diff_ids = view.image.layers.clone();
    rootfs.diff_ids.extend((!is_empty).then_some(diff_id));
    let mut history = parent.history;
    history.push(History {
        created: created.clone(),
        created_by: view.config.cmd.clone().unwrap_or_default().join(" "),
        author: wanted.author.clone(),
        comment: wanted.comment.clone(),
        empty_layer: is_empty,
    });
    ImageConfig {
        created,
        author: wanted.author,
        architecture: or(parent.architecture, host.architecture),
        os: or(parent.os, host.os),
        os_version: parent.os_version,
        os_features: parent.os_features,
        variant: parent.variant,
        config: Some(wanted.config),
        rootfs,
        history,
        container: view.id.to_string(),
        docker_version: String::new(),
        comment: wanted.comment,
    }
}

/// Publishes what Docker publishes: the image, its tag, the container's commit.
fn tell(
    events: &Events,
    containers: &container::Service,
    view: &ContainerView,
    image: &Image,
    tag: Option<String>,
    comment: String,
) {
    publish(events, "create", image, image.id.to_string());
    if let Some(tag) = &tag {
        publish(events, "tag", image, tag.clone());
    }
    let extra =
        [("comment", comment), ("imageID", image.id.to_string()), ("imageRef", tag.unwrap_or_default())];
    containers.tell(view, "commit", extra);
}
