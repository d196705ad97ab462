//! Images → wire.

use image::Image;
use oci::image::{ContainerConfig, History};
use refs::Timestamp;
use std::collections::BTreeMap;
use std::path::PathBuf;
use wire::container::HealthConfig;
use wire::go::Empty;
use wire::image::{ImageConfig, ImageHistory, ImageInspect, ImageMetadata, ImageSummary, RootFs};
use wire::inspect::GraphDriver;

/// Returns a row of the list, without what has to be counted.
pub(crate) fn summary(image: &Image) -> ImageSummary {
    ImageSummary {
        containers: -1,
        created: seconds(image.config.created.as_deref()),
        id: image.id.to_string(),
        labels: image.config.config.as_ref().and_then(|config| config.labels.clone()),
        parent_id: String::new(),
        repo_digests: image.digests.clone(),
        repo_tags: image.tags.clone(),
        shared_size: -1,
        size: super::inspect::bytes(image.size_bytes),
    }
}

/// Returns an image in full. `layers` are the directories of its layers from the bottom up.
pub(crate) fn inspect(image: &Image, driver: String, layers: &[PathBuf]) -> ImageInspect {
    let of_image = &image.config;
    let mut data = BTreeMap::new();
    if let Some((top, below)) = layers.split_last() {
        data.insert("UpperDir".to_owned(), top.to_string_lossy().into_owned());
        let below: Vec<_> = below.iter().rev().map(|path| path.to_string_lossy()).collect();
        if !below.is_empty() {
            data.insert("LowerDir".to_owned(), below.join(":"));
        }
    }
    ImageInspect {
        id: image.id.to_string(),
        repo_tags: image.tags.clone(),
        repo_digests: image.digests.clone(),
        parent: String::new(),
        comment: of_image.comment.clone(),
        created: of_image.created.clone().unwrap_or_default(),
        docker_version: of_image.docker_version.clone(),
        author: of_image.author.clone(),
        architecture: of_image.architecture.clone(),
        variant: of_image.variant.clone(),
        os: of_image.os.clone(),
        os_version: of_image.os_version.clone(),
        size: super::inspect::bytes(image.size_bytes),
        graph_driver: GraphDriver { data: Some(data), name: driver },
        root_fs: RootFs {
            kind: of_image.rootfs.kind.clone(),
            layers: image.layers.iter().map(ToString::to_string).collect(),
        },
        metadata: ImageMetadata { last_tag_time: Timestamp::go_or_zero(image.tagged_ns.map(Timestamp)) },
        config: of_image.config.as_ref().map(config),
    }
}

/// Returns how an image runs.
fn config(config: &ContainerConfig) -> ImageConfig {
    ImageConfig {
        args_escaped: config.args_escaped,
        cmd: config.cmd.clone(),
        entrypoint: config.entrypoint.clone(),
        env: config.env.clone(),
        exposed_ports: config.exposed_ports.as_ref().map(set),
        healthcheck: config.healthcheck.as_ref().map(|check| HealthConfig {
            test: Some(check.test.clone()),
            interval: check.interval,
            timeout: check.timeout,
            start_period: check.start_period,
            start_interval: check.start_interval,
            retries: check.retries,
        }),
        labels: config.labels.clone(),
        on_build: config.on_build.clone(),
        shell: config.shell.clone(),
        stop_signal: config.stop_signal.clone(),
        user: config.user.clone(),
        volumes: config.volumes.as_ref().map(set),
        working_dir: config.working_dir.clone(),
    }
}

fn set(names: &BTreeMap<String, oci::image::Empty>) -> BTreeMap<String, Empty> {
    names.keys().map(|name| (name.clone(), Empty {})).collect()
}

/// Returns an image's history, the newest step first. `layer_sizes` are those of its layers from the bottom up.
///
/// # Source
/// moby `daemon/images/image_history.go`.
pub(crate) fn history(
    id: &str,
    tags: Vec<String>,
    steps: &[History],
    layer_sizes: &[u64],
) -> Vec<ImageHistory> {
    let mut sizes = layer_sizes.iter();
    let mut rows: Vec<ImageHistory> = steps
        .iter()
        .map(|step| {
            let size = if step.empty_layer { 0 } else { sizes.next().copied().unwrap_or(0) };
            ImageHistory {
                comment: step.comment.clone(),
                created: seconds(step.created.as_deref()),
                created_by: step.created_by.clone(),
                id: "<missing>".to_owned(),
                size: super::inspect::bytes(size),
                tags: None,
            }
        })
        .collect();
    rows.reverse();
    if let Some(newest) = rows.first_mut() {
        id.clone_into(&mut newest.id);
        newest.tags = (!tags.is_empty()).then_some(tags);
    }
    rows
}

/// Returns an RFC 3339 time as seconds since 1970; 0, which clients show as "N/A", if it is absent or broken.
fn seconds(time: Option<&str>) -> i64 {
    time.and_then(|text| Timestamp::parse_rfc3339(text).ok()).map_or(0, Timestamp::seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_is_newest_first_and_sizes_skip_empty_layers() {
        let step = |created_by: &str, empty_layer| History {
            created: Some("2026-11-21T03:09:41.673004584Z".into()),
            created_by: created_by.into(),
            empty_layer,
            ..Default::default()
        };
        let steps = [step("ADD rootfs", false), step("ENV A=b", true), step("RUN x", false)];
        let rows = history("sha256:abc", vec!["busybox:latest".into()], &steps, &[1000, 20]);
        let short: Vec<(&str, &str, i64, bool)> = rows
            .iter()
            .map(|row| (row.id.as_str(), row.created_by.as_str(), row.size, row.tags.is_some()))
            .collect();
        assert_eq!(
            short,
            [
                ("sha256:abc", "RUN x", 20, true),
                ("<missing>", "ENV A=b", 0, false),
                ("<missing>", "ADD rootfs", 1000, false)
            ]
        );
        assert_eq!(rows[0].created, 1_795_230_581);
    }

    #[test]
    fn seconds_of_nothing_are_zero() {
        assert_eq!(seconds(None), 0);
        assert_eq!(seconds(Some("nonsense")), 0);
    }

    /// The image of the golden files, as our own store would hold it.
    fn busybox() -> Image {
        let config = r#"{"architecture":"amd64","comment":"Imported from -","config":{"Hostname":"","Env":["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],"Cmd":["/bin/sh"],"Entrypoint":null},
            "created":"2026-11-21T03:09:41.673004584Z","docker_version":"28.5.2","os":"linux",
            "rootfs":{"type":"layers","diff_ids":["sha256:ab4b0942e99b01143a1af12a560735e233be65058f6457d9db60f9ad59fcba89"]}}"#;
        let config: oci::image::ImageConfig = serde_json::from_str(config).unwrap();
        Image {
            id: refs::Digest::parse(
                "sha256:3814a4810d745035212dc478f59146f1c8ed3111245ada308323520dd852bfb5",
            )
            .unwrap(),
            layers: config.rootfs.diff_ids.clone(),
            config: std::sync::Arc::new(config),
            manifest: None,
            size_bytes: 1_984_282,
            tags: vec!["busybox:latest".into()],
            digests: vec![
                "busybox@sha256:d3a6f58034e746cd27a46a04bba94bef747ba6657cd366301f303e71cba70cea".into(),
            ],
            registered_ns: 0,
            tagged_ns: None,
        }
    }

    #[test]
    fn inspect_and_list_read_as_dockers() {
        let golden = include_str!("../../../../words/wire/tests/golden/image-inspect.json");
        let mut docker: ImageInspect = serde_json::from_str(golden).unwrap();
        docker.graph_driver = GraphDriver {
            data: Some(BTreeMap::from([("UpperDir".to_owned(), "/l/fs".to_owned())])),
            name: "overlay".into(),
        };
        let ours = inspect(&busybox(), "overlay".into(), &[PathBuf::from("/l/fs")]);
        assert_eq!(serde_json::to_string(&ours).unwrap(), serde_json::to_string(&docker).unwrap());

        let golden = include_str!("../../../../words/wire/tests/golden/image-list.json");
        let mut rows = vec![summary(&busybox())];
        rows[0].containers = 2;
        assert_eq!(serde_json::to_string(&rows).unwrap(), golden.trim_end());
    }
}
