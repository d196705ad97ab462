//! `POST /images/prune`.

use crate::State;
use crate::dispatch::Call;
use crate::error::invalid;
use crate::images::publish;
use crate::respond::{self, Reply};
use ::events::{Event, Type};
use container::options::ListOptions;
use error::Failure;
use image::{Force, Image, Images, Removed, chain_ids};
use refs::{Digest, Filters, Timestamp};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::SystemTime;
use wire::image::{ImageRemoved, ImagesPruned};

/// Which images go.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    dangling_only: bool,
    /// Made before.
    until: Option<Timestamp>,
    /// `label` or `label=value`, all of them.
    labels: Vec<String>,
    without_labels: Vec<String>,
}

impl Wanted {
    /// # Source
    /// `moby daemon/images/image_prune.go`.
    fn read(filters: &Filters, now: Timestamp) -> Result<Self, Failure> {
        filters.validate(&["dangling", "until", "label", "label!"])?;
        let list = |key: &str| filters.get(key).map(str::to_owned).collect::<Vec<_>>();
        let dangling_only = match list("dangling").as_slice() {
            [] => true,
            [one] => match one.as_str() {
                "1" | "true" => true,
                "0" | "false" => false,
                _ => return Err(invalid(format!("invalid filter 'dangling=[{one}]'")).into()),
            },
            several => {
                return Err(invalid(format!("invalid filter 'dangling=[{}]'", several.join(" "))).into());
            }
        };
        let until = match list("until").as_slice() {
            [] => None,
            [one] => Some(Timestamp::parse_moment(one, now, 0)?),
            _ => return Err(invalid("more than one until filter specified").into()),
        };
        Ok(Self { dangling_only, until, labels: list("label"), without_labels: list("label!") })
    }

    fn takes(&self, image: &Image) -> bool {
        if self.dangling_only && !image.tags.is_empty() {
            return false;
        }
        let created = image.config.created.as_deref().and_then(|text| Timestamp::parse_rfc3339(text).ok());
        if self.until.is_some_and(|until| created.is_some_and(|created| created >= until)) {
            return false;
        }
        let labels =
            image.config.config.as_ref().and_then(|config| config.labels.clone()).unwrap_or_default();
        let has = |wanted: &String| match wanted.split_once('=') {
            Some((name, value)) => labels.get(name).is_some_and(|found| found == value),
            None => labels.contains_key(wanted),
        };
        self.labels.iter().all(has) && !self.without_labels.iter().any(has)
    }
}

/// `POST /images/prune`. Images that a container uses stay.
pub(crate) async fn prune(state: &State, call: &Call) -> Reply {
    let filters = Filters::parse(call.query.get("filters").unwrap_or_default())?;
    let wanted = Wanted::read(&filters, Timestamp::from(SystemTime::now()))?;
    let containers = state.containers.list(ListOptions { all: true, ..Default::default() }).await?;
    let used: HashSet<Digest> = containers.iter().map(|view| view.image.id.clone()).collect();
    let (images, events) = (state.images.clone(), state.events.clone());
    let pruned = state
        .disk
        .run(move || {
            let mut rows = Vec::new();
            let mut reclaimed = 0;
            for image in
                images.list()?.iter().filter(|image| !used.contains(&image.id) && wanted.takes(image))
            {
                for removed in remove(&images, image, &mut reclaimed)? {
                    match &removed {
                        Removed::Untagged(_) => publish(&events, "untag", image, image.id.to_string()),
                        Removed::Deleted(id) if *id == image.id => {
                            publish(&events, "delete", image, id.to_string());
                        }
                        Removed::Deleted(_) => {} // a layer
                    }
                    rows.push(row(removed));
                }
            }
            Ok::<_, Failure>(ImagesPruned {
                images_deleted: (!rows.is_empty()).then_some(rows),
                space_reclaimed: reclaimed,
            })
        })
        .await?;
    state.events.publish(Event {
        kind: Type::Image,
        action: "prune".to_owned(),
        actor: String::new(),
        attributes: BTreeMap::from([("reclaimed".to_owned(), pruned.space_reclaimed.to_string())]),
        time: Timestamp::from(SystemTime::now()),
    });
    respond::ok(&pruned)
}

/// Removes an image with its names; one that a container has begun to use meanwhile stays.
fn remove(images: &Images, image: &Image, reclaimed: &mut u64) -> Result<Vec<Removed>, Failure> {
    let mut sizes = HashMap::new();
    for (chain_id, diff_id) in chain_ids(&image.layers).into_iter().zip(&image.layers) {
        sizes.insert(chain_id, images.layer_size_bytes(diff_id)?);
    }
    let removed = match images.remove(image.id.as_str(), Force::Yes, &[]) {
        Ok(removed) => removed,
        Err(image::Error::NotFound { .. }) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    for gone in &removed {
        if let Removed::Deleted(chain_id) = gone {
            *reclaimed += sizes.get(chain_id).copied().unwrap_or_default();
        }
    }
    Ok(removed)
}

fn row(removed: Removed) -> ImageRemoved {
    match removed {
        Removed::Untagged(name) => ImageRemoved { untagged: Some(name), deleted: None },
        Removed::Deleted(digest) => ImageRemoved { untagged: None, deleted: Some(digest.to_string()) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(tags: &[&str], labels: &str) -> Image {
        let config = format!(
            r#"{{"created":"2026-01-01T00:00:00Z","config":{{"Labels":{labels}}},"rootfs":{{"type":"layers","diff_ids":[]}}}}"#
        );
        Image {
            id: Digest::sha256([1; 32]),
            config: std::sync::Arc::new(serde_json::from_str(&config).unwrap()),
            layers: Vec::new(),
            manifest: None,
            size_bytes: 0,
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            digests: vec!["a@sha256:0".to_owned()],
            registered_ns: 0,
            tagged_ns: None,
        }
    }

    fn takes(filters: &str, image: &Image) -> bool {
        let filters = Filters::parse(filters).unwrap();
        let now = Timestamp::parse_rfc3339("2026-01-02T00:00:00Z").unwrap();
        Wanted::read(&filters, now).unwrap().takes(image)
    }

    #[test]
    fn filters_choose_what_goes() {
        let (named, dangling) = (image(&["a:1"], r#"{"k":"v"}"#), image(&[], r#"{"k":"v"}"#));
        let cases = [
            ("", false, true),
            (r#"{"dangling":["false"]}"#, true, true),
            (r#"{"label":["k"]}"#, false, true),
            (r#"{"label":["k=w"]}"#, false, false),
            (r#"{"label!":["k"]}"#, false, false),
            (r#"{"until":["1h"]}"#, false, true),
            (r#"{"until":["48h"]}"#, false, false),
        ];
        for (filters, takes_named, takes_dangling) in cases {
            assert_eq!(takes(filters, &named), takes_named, "{filters}");
            assert_eq!(takes(filters, &dangling), takes_dangling, "{filters}");
        }
    }

    #[test]
    fn filters_that_are_none_are_refused() {
        let now = Timestamp(0);
        for filters in [r#"{"dangling":["x"]}"#, r#"{"reference":["x"]}"#, r#"{"until":["1h","2h"]}"#] {
            assert!(Wanted::read(&Filters::parse(filters).unwrap(), now).is_err(), "{filters}");
        }
    }
}
