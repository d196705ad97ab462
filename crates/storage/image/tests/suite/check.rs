//! Database and disk: do they agree, and can one be made from the other?

use crate::common::{Place, pull};
use image::{Part, Repair};
use layer::Form;
use std::fs;

#[test]
fn damage_is_told_and_mended_from_what_is_left() {
    let place = Place::new("check");
    let (images, _) = place.open();
    images.layers().prefer(Form::File);
    let image = pull(&images, "a", &["one", "two"]);
    assert_eq!(images.check(Repair::No).unwrap(), []);
    assert!(images.verify(&image).unwrap().iter().all(|finding| finding.flaw.is_none()));

    let layer = images.layers().file(&image.layers[0]);
    let whole = fs::read(&layer).unwrap();
    let mut bytes = whole.clone();
    bytes[4096 + 512] ^= 1;
    fs::write(&layer, bytes).unwrap();
    let findings = images.verify(&image).unwrap();
    let damaged: Vec<_> = findings.iter().filter(|finding| finding.flaw.is_some()).collect();
    assert_eq!((damaged.len(), damaged[0].part, &damaged[0].digest), (1, Part::LayerFile, &image.layers[0]));
    assert!(images.check(Repair::No).unwrap()[0].repaired.is_none());
    let problems = images.check(Repair::Yes).unwrap();
    assert_eq!(problems[0].repaired.as_deref(), Some("made again from its archive"));
    assert_eq!(fs::read(&layer).unwrap(), whole);
    assert_eq!(images.check(Repair::Yes).unwrap(), []);
}

#[test]
fn layer_that_is_lost_with_its_archive_is_told() {
    let place = Place::new("lost");
    let (images, _) = place.open();
    images.layers().prefer(Form::File);
    let image = pull(&images, "a", &["one"]);
    fs::write(images.layers().file(&image.layers[0]), "nothing").unwrap();
    fs::write(images.content().path(&image.layers[0]), "nothing").unwrap();
    let problems = images.check(Repair::Yes).unwrap();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems.iter().all(|problem| problem.repaired.as_ref().unwrap().starts_with("removed")));
    // A pull brings both.
    pull(&images, "a", &["one"]);
    assert_eq!(images.check(Repair::No).unwrap(), []);
}

#[test]
fn lost_database_is_made_again_from_the_disk() {
    let place = Place::new("rebuild");
    for form in [Form::Directory, Form::File] {
        let before = {
            let (images, _) = place.open();
            images.layers().prefer(form);
            pull(&images, "docker.io/library/a:1", &["one", &format!("{form:?}")]);
            images.list().unwrap()
        };
        for name in ["naru.db", "naru.db-wal", "naru.db-shm"] {
            let _ = fs::remove_file(place.0.join(name)); // The last two may have been merged into the first.
        }
        let (images, _) = place.open();
        let after = images.list().unwrap();
        let facts = |images: &[image::Image]| {
            let mut facts: Vec<_> = images
                .iter()
                .map(|image| (image.id.clone(), image.tags.clone(), image.digests.clone(), image.size_bytes))
                .filter(|(_, tags, digests, _)| !(tags.is_empty() && digests.is_empty()))
                .collect();
            facts.sort();
            facts
        };
        assert_eq!(facts(&after), facts(&before), "{form:?}");
        assert_eq!(images.check(Repair::No).unwrap(), []);
    }
}

#[test]
fn layout_names_what_the_database_names() {
    let place = Place::new("layout");
    let (images, _) = place.open();
    pull(&images, "docker.io/library/a:1", &["one"]);
    images.tag("a:1", &"b:2".parse().unwrap()).unwrap();
    let index = || fs::read_to_string(place.0.join("content/index.json")).unwrap();
    assert!(index().contains("docker.io/library/a:1") && index().contains("docker.io/library/b:2"));
    images.remove("b:2", image::Force::No, &[]).unwrap();
    assert!(index().contains("docker.io/library/a:1") && !index().contains("docker.io/library/b:2"));
    let marker = fs::read_to_string(place.0.join("content/oci-layout")).unwrap();
    assert_eq!(marker, r#"{"imageLayoutVersion":"1.0.0"}"#);
}

#[test]
fn account_counts_everything_once() {
    let place = Place::new("account");
    let (images, _) = place.open();
    pull(&images, "a", &["one", &"x".repeat(100_000)]);
    images.layers().prefer(Form::File);
    pull(&images, "b", &["three", &"y".repeat(200_000)]);
    fs::write(place.0.join("content/ingest/sha256-x"), [1; 50_000]).unwrap();
    fs::create_dir(place.0.join("unknown")).unwrap();
    fs::write(place.0.join("unknown/file"), [1; 10_000]).unwrap();
    images.trash().wait_until_idle();
    let output = std::process::Command::new("du").args(["-sxB1"]).arg(&place.0).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let expected: u64 = text.split_whitespace().next().unwrap().parse().unwrap();
    for _ in 0..2 {
        let account = images.account(&place.0).unwrap();
        let difference = account.total_bytes().abs_diff(expected);
        assert!(difference * 100 <= expected, "{} is not {expected}: {account:?}", account.total_bytes());
        assert!(account.shares["interrupted pulls"] >= 50_000 && account.shares["layers"] >= 300_000);
    }
}
