//! The image store with real layers on a real disk.

use crate::common::{Place, archive, config, manifest, pull};
use content::digest_of;
use error::{Fault, Kind};
use image::{ContainerUse, Error, Force, HELLO_NAME, Image, Images, Registration, Removed, chain_ids};
use refs::{Digest, Reference};
use snapshot::{Overlay, Snapshotter};
use std::io::Read;
use std::sync::Arc;

#[test]
fn image_is_found_by_every_name_it_has() {
    let place = Place::new("resolve");
    let (images, _) = place.open();
    let pulled = pull(&images, "busybox", &["one", "two"]);
    assert_eq!(pulled.tags, ["busybox:latest"]);
    assert_eq!((pulled.layers.len(), pulled.size_bytes), (2, 6));
    assert_eq!(pulled.config.config.as_ref().unwrap().cmd, Some(vec!["sh".to_owned()]));
    let manifest = pulled.manifest.clone().unwrap();
    let by_digest = format!("busybox@{manifest}");
    assert_eq!(pulled.digests, std::slice::from_ref(&by_digest));
    for name in [
        "busybox",
        "busybox:latest",
        "docker.io/library/busybox",
        &by_digest,
        &format!("busybox:ignored@{manifest}"),
        pulled.id.as_str(),
        pulled.id.hex(),
        pulled.id.short(),
        &format!("sha256:{}", pulled.id.short()),
    ] {
        assert_eq!(images.resolve(name).unwrap().id, pulled.id, "{name}");
    }
    assert_eq!(images.list().unwrap(), [pulled]);
}

#[test]
fn what_is_not_there_is_named_as_docker_does() {
    let place = Place::new("missing");
    let (images, _) = place.open();
    let hex = "0".repeat(64);
    let cases = [
        ("nosuch", "No such image: nosuch:latest".to_owned()),
        ("nosuch:tag", "No such image: nosuch:tag".to_owned()),
        ("docker.io/library/nosuch", "No such image: nosuch:latest".to_owned()),
        ("127.0.0.1:5000/x/y", "No such image: 127.0.0.1:5000/x/y:latest".to_owned()),
        ("abc123", "No such image: abc123:latest".to_owned()),
        (&hex, format!("No such image: sha256:{hex}")),
    ];
    for (name, text) in cases {
        let error = images.resolve(name).unwrap_err();
        assert_eq!((error.to_string(), error.kind()), (text, Kind::NotFound));
        assert_eq!(images.remove(name, Force::Yes, &[]).unwrap_err().kind(), Kind::NotFound);
    }
    assert_eq!(images.resolve("No Such").unwrap_err().kind(), Kind::InvalidArgument);
}

#[test]
fn ambiguous_prefix_is_refused() {
    let place = Place::new("ambiguous");
    let (images, _) = place.open();
    let mut ids: Vec<String> =
        (0..20).map(|n| pull(&images, &format!("i{n}"), &[&n.to_string()]).id.hex().to_owned()).collect();
    ids.sort();
    let first_two = ids.windows(2).find(|pair| pair[0][..1] == pair[1][..1]).unwrap();
    let prefix = &first_two[0][..1];
    let error = images.resolve(prefix).unwrap_err();
    assert!(matches!(&error, Error::Ambiguous { first, .. } if first.hex().starts_with(prefix)), "{error}");
}

#[test]
fn platform_is_checked_when_asked_for() {
    let place = Place::new("platform");
    let (images, _) = place.open();
    pull(&images, "a", &["x"]);
    assert!(images.resolve_for("a", &"linux/amd64".parse().unwrap()).is_ok());
    let error = images.resolve_for("a", &"linux/arm64".parse().unwrap()).unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    assert!(
        error
            .to_string()
            .starts_with("image with reference a was found but does not match the specified platform"),
        "{error}"
    );
}

#[test]
fn tag_moves_and_the_image_without_names_stays() {
    let place = Place::new("tag");
    let (images, _) = place.open();
    let (a, b) = (pull(&images, "a", &["x"]), pull(&images, "b", &["y"]));
    let target = Reference::parse("other/name:v1").unwrap();
    assert_eq!(images.tag("a", &target).unwrap().tags, ["a:latest", "other/name:v1"]);
    assert_eq!(images.tag("b", &target).unwrap().tags, ["b:latest", "other/name:v1"]);
    assert_eq!(images.get(&a.id).unwrap().tags, ["a:latest"]);
    assert!(images.get(&b.id).unwrap().tagged_ns > b.tagged_ns);
    let with_digest = target.with_digest(a.id.clone());
    assert_eq!(
        images.tag("a", &with_digest).unwrap_err().to_string(),
        "refusing to create a tag with a digest reference"
    );
    assert_eq!(images.tag("nosuch", &Reference::parse("x").unwrap()).unwrap_err().kind(), Kind::NotFound);
    // Pulled again with another content: the old image loses its tag, not its life.
    let again = pull(&images, "a", &["z"]);
    assert_eq!(images.resolve("a").unwrap().id, again.id);
    let old = images.get(&a.id).unwrap();
    assert_eq!((old.tags.len(), old.digests.len()), (0, 1));
}

#[test]
fn removal_gives_back_what_no_other_image_has() {
    let place = Place::new("remove");
    let (images, _) = place.open();
    let (a, b) = (pull(&images, "a", &["shared", "a"]), pull(&images, "b", &["shared", "b"]));
    let removed = images.remove("a", Force::No, &[]).unwrap();
    assert_eq!(
        removed,
        [
            Removed::Untagged("a:latest".into()),
            Removed::Untagged(a.digests[0].clone()),
            Removed::Deleted(a.id.clone()),
            Removed::Deleted(chain_ids(&a.layers)[1].clone()),
        ]
    );
    assert!(images.has_layer(&b.layers[0]).unwrap() && !images.has_layer(&a.layers[1]).unwrap());
    let removed = images.remove(b.id.short(), Force::No, &[]).unwrap();
    assert_eq!(removed.len(), 5);
    // Only the base of snapshots could be left, and none was opened here.
    assert_eq!((place.count("layers"), place.count("content/blobs/sha256")), (0, 0));
    assert!(images.list().unwrap().is_empty());
    images.trash().wait_until_idle();
    assert_eq!(place.count("trash"), 0);
}

#[test]
fn layers_of_a_stopped_container_outlive_their_image() {
    let place = Place::new("outlive");
    let (images, store) = place.open();
    let image = pull(&images, "a", &["x"]);
    let overlay = Overlay::open(
        &place.0.join("snapshots"),
        &place.0.join("layers"),
        Arc::clone(images.layers()),
        Arc::clone(images.trash()),
        store,
    )
    .unwrap();
    overlay.prepare("c1", &image.layers).unwrap();
    let in_use = |running| [ContainerUse { container: "c1".into(), image: image.id.clone(), running }];
    assert_eq!(images.remove("a", Force::No, &in_use(false)).unwrap_err().kind(), Kind::Conflict);
    assert_eq!(images.remove(image.id.hex(), Force::Yes, &in_use(true)).unwrap_err().kind(), Kind::Conflict);
    assert_eq!(images.get(&image.id).unwrap().tags, ["a:latest"], "a refusal changes nothing");
    let removed = images.remove("a", Force::Yes, &in_use(false)).unwrap();
    assert_eq!(removed.last(), Some(&Removed::Deleted(image.id.clone())));
    assert!(overlay.rootfs("c1").is_ok());
    overlay.remove("c1").unwrap();
    assert_eq!(images.collect().unwrap().layers, image.layers);
    assert!(!images.layers().contains(&image.layers[0]));
}

#[test]
fn lease_holds_off_collection() {
    let place = Place::new("lease");
    let (images, _) = place.open();
    let lease = images.lease();
    let archive = archive("x");
    let digest = digest_of(&archive);
    images.content().write(&digest, &archive).unwrap();
    images.unpack(&digest, &digest).unwrap();
    assert!(images.collect().unwrap().deferred);
    assert!(images.has_layer(&digest).unwrap());
    let collected = lease.release().unwrap();
    assert_eq!((collected.layers, collected.blobs), (vec![digest.clone()], vec![digest.clone()]));
    assert!(!images.has_layer(&digest).unwrap() && !images.content().contains(&digest));
}

#[test]
fn removal_during_a_pull_leaves_the_layers_to_it() {
    let place = Place::new("during");
    let (images, _) = place.open();
    let image = pull(&images, "a", &["x"]);
    let lease = images.lease();
    let removed = images.remove("a", Force::No, &[]).unwrap();
    assert_eq!(removed.last(), Some(&Removed::Deleted(image.id)));
    assert!(images.has_layer(&image.layers[0]).unwrap());
    let again = pull_under(&images, &lease, &image.layers);
    assert_eq!(again.layers, image.layers);
    assert_eq!(lease.release().unwrap().layers, []);
}

fn pull_under(images: &Images, _lease: &image::Lease, layers: &[Digest]) -> Image {
    let config = config(layers, "again");
    let tag = Reference::parse("again:1").unwrap();
    images.register(&Registration { config: &config, tag: Some(&tag), ..Registration::default() }).unwrap()
}

#[test]
fn incomplete_or_contradictory_images_are_refused() {
    let place = Place::new("refused");
    let (images, _) = place.open();
    let missing = Digest::sha256([1; 32]);
    let valid = config(std::slice::from_ref(&missing), "");
    let register = |config: &[u8], manifest: Option<&[u8]>| {
        images.register(&Registration { config, manifest, ..Registration::default() }).unwrap_err()
    };
    assert!(matches!(register(&valid, None), Error::MissingLayer { .. }));
    assert!(matches!(register(b"{", None), Error::Invalid { what: "configuration", .. }));
    assert!(matches!(register(b"{\"rootfs\":{\"type\":\"windows\"}}", None), Error::Invalid { .. }));
    let cases = [manifest(b"other", std::slice::from_ref(&missing)), manifest(&valid, &[]), b"[]".to_vec()];
    for manifest in cases {
        assert!(matches!(register(&valid, Some(&manifest)), Error::Invalid { what: "manifest", .. }));
    }
    assert!(images.list().unwrap().is_empty());
}

#[test]
fn next_start_tidies_up_what_a_crash_left() {
    let place = Place::new("crash");
    let (kept, lost) = {
        let (images, store) = place.open();
        let kept = pull(&images, "kept", &["x"]);
        let lost = pull(&images, "lost", &["y"]);
        // A pull that died: blob and layer, no image. A layer without a row. A layer that vanished from the disk.
        let archive = archive("unfinished");
        let digest = digest_of(&archive);
        images.content().write(&digest, &archive).unwrap();
        images.unpack(&digest, &digest).unwrap();
        std::fs::create_dir_all(place.0.join("layers").join("0".repeat(64)).join("fs")).unwrap();
        std::fs::remove_dir_all(images.layers().files(&lost.layers[0]).parent().unwrap()).unwrap();
        drop(store);
        (kept, lost)
    };
    let (images, _) = place.open();
    assert_eq!(images.list().unwrap().len(), 2);
    assert!(images.has_layer(&kept.layers[0]).unwrap());
    assert_eq!(place.count("layers"), 1);
    assert_eq!(place.count("content/blobs/sha256"), 6);
    // The next pull makes the vanished layer anew.
    assert!(!images.has_layer(&lost.layers[0]).unwrap());
    pull(&images, "lost", &["y"]);
    assert!(images.has_layer(&lost.layers[0]).unwrap());
}

#[test]
fn builtin_image_is_made_when_asked_for_and_is_the_same_every_time() {
    let place = Place::new("builtin");
    let (images, _) = place.open();
    assert_eq!(images.resolve("hello").unwrap_err().to_string(), "No such image: hello:latest");
    images.offer_builtin_hello(|| Ok(b"a program".to_vec()));
    assert!(images.list().unwrap().is_empty());
    assert_eq!(images.resolve("hello:other").unwrap_err().kind(), Kind::NotFound);
    let hello = images.resolve("hello").unwrap();
    assert_eq!(hello.tags, [HELLO_NAME]);
    assert_eq!(hello.config.config.as_ref().unwrap().cmd, Some(vec!["/hello".to_owned()]));
    let files = images.layers().files(&hello.layers[0]);
    assert_eq!(std::fs::read(files.join("hello")).unwrap(), b"a program");
    images.remove("hello", Force::No, &[]).unwrap();
    assert_eq!(images.resolve("docker.io/library/hello:latest").unwrap().id, hello.id);
    assert_eq!(images.ensure_builtin_hello(b"a program").unwrap().id, hello.id);
}

#[test]
fn same_image_pulled_by_many_at_once_is_there_once() {
    let place = Place::new("many");
    let (images, _) = place.open();
    std::thread::scope(|scope| {
        for n in 0..8 {
            let images = &images;
            scope.spawn(move || {
                let lease = images.lease();
                let archive = archive("shared");
                let digest = digest_of(&archive);
                images.content().write(&digest, &archive).unwrap();
                images.unpack(&digest, &digest).unwrap();
                let config = config(&[digest], "");
                let tag = Reference::parse(&format!("a:{n}")).unwrap();
                images
                    .register(&Registration { config: &config, tag: Some(&tag), ..Registration::default() })
                    .unwrap();
                lease.release().unwrap();
            });
        }
    });
    let all = images.list().unwrap();
    assert_eq!((all.len(), all[0].tags.len()), (1, 8));
    assert_eq!(place.count("layers"), 1);
}

#[test]
fn layer_gives_its_archive_and_its_blob_back() {
    let place = Place::new("archive");
    let (images, _) = place.open();
    let image = pull(&images, "a", &["one", "two"]);
    for (diff_id, content) in image.layers.iter().zip(["one", "two"]) {
        let mut bytes = Vec::new();
        images.layer_archive(diff_id).unwrap().read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, archive(content));
        assert_eq!(images.layer_blob(diff_id).unwrap().map(|blob| blob.digest), Some(diff_id.clone()));
    }
    let unknown = Digest::sha256([7; 32]);
    assert!(matches!(images.layer_archive(&unknown), Err(Error::MissingLayer { .. })));
    assert_eq!(images.layer_blob(&unknown).unwrap(), None);
}
