//! The directory of layers: complete or absent.

use crate::common::{Place, archive, file, tree};
use error::{Fault, Kind};
use layer::{Error, Layers, Limits, Trash};
use refs::Digest;
use sha2::{Digest as _, Sha256};
use std::io::Read;
use std::sync::Arc;

fn noted(_: &layer::Applied) -> Result<(), Error> {
    Ok(())
}

fn open(place: &Place) -> Layers {
    let trash = Arc::new(Trash::open(&place.base.join("trash")).unwrap());
    Layers::open(&place.base.join("layers"), trash).unwrap()
}

fn diff_id(bytes: &[u8]) -> Digest {
    Digest::sha256(Sha256::digest(bytes).into())
}

fn names(place: &Place) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(place.base.join("layers"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn layer_is_unpacked_once_and_removed_through_the_trash() {
    let place = Place::new("layers-once");
    let trash = Arc::new(Trash::open(&place.base.join("trash")).unwrap());
    let layers = Layers::open(&place.base.join("layers"), Arc::clone(&trash)).unwrap();
    let bytes = archive(&[file("f", "x")]);
    let id = diff_id(&bytes);
    let applied = layers.unpack(&id, &bytes[..], &Limits::default(), noted).unwrap().unwrap();
    assert_eq!((applied.entries, applied.size_bytes), (1, 1));
    assert_eq!(tree(&layers.files(&id)), "f 644 \"x\"");
    assert_eq!(layers.list().unwrap(), std::slice::from_ref(&id));
    assert_eq!(layers.unpack(&id, &b"not even read"[..], &Limits::default(), noted).unwrap(), None);
    layers.remove(&id).unwrap();
    layers.remove(&id).unwrap();
    assert!(!layers.contains(&id) && names(&place).is_empty());
    trash.wait_until_idle();
    assert_eq!(std::fs::read_dir(trash.path()).unwrap().count(), 0);
}

#[test]
fn layer_of_another_diff_id_leaves_nothing() {
    let place = Place::new("layers-other");
    let layers = open(&place);
    let expected = Digest::sha256([7; 32]);
    let bytes = archive(&[file("f", "x")]);
    let error = layers.unpack(&expected, &bytes[..], &Limits::default(), noted).unwrap_err();
    assert!(matches!(&error, Error::DiffId { found, .. } if *found == diff_id(&bytes)), "{error}");
    assert_eq!(error.kind(), Kind::DataLoss);
    assert_eq!(names(&place), [""; 0]);
}

#[test]
fn bytes_behind_the_end_mark_count_for_the_diff_id() {
    let place = Place::new("layers-behind");
    let layers = open(&place);
    let mut bytes = archive(&[file("f", "x")]);
    let without = diff_id(&bytes);
    bytes.extend_from_slice(b"more");
    assert!(layers.unpack(&without, &bytes[..], &Limits::default(), noted).is_err());
    assert!(layers.unpack(&diff_id(&bytes), &bytes[..], &Limits::default(), noted).unwrap().is_some());
}

#[test]
fn stream_that_breaks_leaves_nothing() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
        }
    }
    let place = Place::new("layers-broken");
    let layers = open(&place);
    let bytes = archive(&[file("f", &"x".repeat(10_000))]);
    let error =
        layers.unpack(&diff_id(&bytes), bytes[..5000].chain(Broken), &Limits::default(), noted).unwrap_err();
    assert!(matches!(error, Error::Stream { .. }), "{error:?}");
    assert_eq!(names(&place), [""; 0]);
}

#[test]
fn unfinished_layer_of_a_dead_process_goes_at_the_next_start() {
    let place = Place::new("layers-dead");
    std::fs::create_dir_all(place.base.join("layers/.new-1-0/fs/d")).unwrap();
    std::fs::create_dir_all(place.base.join("trash/1-0/d")).unwrap();
    let trash = Arc::new(Trash::open(&place.base.join("trash")).unwrap());
    let layers = Layers::open(&place.base.join("layers"), Arc::clone(&trash)).unwrap();
    assert_eq!(layers.list().unwrap(), []);
    assert_eq!(names(&place), [""; 0]);
    trash.wait_until_idle();
    assert_eq!(std::fs::read_dir(trash.path()).unwrap().count(), 0);
}

#[test]
fn two_that_unpack_the_same_layer_do_it_once() {
    let place = Place::new("layers-two");
    let layers = open(&place);
    let bytes = archive(&[file("f", &"x".repeat(100_000))]);
    let id = diff_id(&bytes);
    let done: Vec<bool> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| layers.unpack(&id, &bytes[..], &Limits::default(), noted).unwrap().is_some())
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(done.iter().filter(|unpacked| **unpacked).count(), 1);
    assert_eq!(names(&place), [id.hex()]);
}
