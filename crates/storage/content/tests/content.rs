//! Blobs: nothing is visible that was not verified, nothing that arrived is lost.

use content::{Begin, Content, Error, Hasher, digest_of};
use error::{Fault, Kind};
use refs::{Algorithm, Digest};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};
use store::{BlobRow, Store};

struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("naru-test-content-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path); // Left by an earlier run, if at all.
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn open(&self) -> (Content, Store) {
        let store = Store::open(&self.0.join("naru.db")).unwrap();
        (Content::open(&self.0.join("content"), store.clone()).unwrap(), store)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0); // Best effort.
    }
}

const BYTES: &[u8] = b"the bytes of a blob";

#[test]
fn blob_is_invisible_until_committed() {
    let place = Place::new("visible");
    let (content, store) = place.open();
    let digest = digest_of(BYTES);
    let mut ingest = content.ingest(&digest, Some(BYTES.len() as u64)).unwrap().unwrap();
    ingest.append(&BYTES[..4]).unwrap();
    ingest.append(&BYTES[4..]).unwrap();
    assert!(!content.contains(&digest));
    assert!(matches!(content.read(&digest, 100), Err(Error::NotFound { .. })));
    ingest.commit().unwrap();
    assert_eq!(content.read(&digest, 100).unwrap(), BYTES);
    assert_eq!(
        store.read(|tx| tx.blob(&digest)).unwrap().map(|row| row.size_bytes),
        Some(BYTES.len() as u64)
    );
    assert!(content.ingest(&digest, None).unwrap().is_none());
    assert_eq!(content.partials().unwrap(), []);
}

#[test]
fn interrupted_ingest_goes_on_where_it_stopped_even_after_a_restart() {
    let place = Place::new("resume");
    let digest = digest_of(BYTES);
    {
        let (content, _) = place.open();
        let mut ingest = content.ingest(&digest, Some(BYTES.len() as u64)).unwrap().unwrap();
        ingest.append(&BYTES[..7]).unwrap();
    }
    let (content, _) = place.open();
    let partials = content.partials().unwrap();
    assert_eq!(partials.iter().map(|one| (&one.digest, one.size_bytes)).collect::<Vec<_>>(), [(&digest, 7)]);
    let mut ingest = content.ingest(&digest, Some(BYTES.len() as u64)).unwrap().unwrap();
    assert_eq!(ingest.offset(), 7);
    ingest.append(&BYTES[7..]).unwrap();
    ingest.commit().unwrap();
    assert_eq!(content.read(&digest, 100).unwrap(), BYTES);
}

#[test]
fn too_few_bytes_stay_and_wrong_bytes_go() {
    let place = Place::new("wrong");
    let (content, _) = place.open();
    let digest = digest_of(BYTES);
    let size = Some(BYTES.len() as u64);
    let mut ingest = content.ingest(&digest, size).unwrap().unwrap();
    ingest.append(&BYTES[..7]).unwrap();
    let error = ingest.commit().unwrap_err();
    assert!(matches!(error, Error::WrongSize { found: 7, .. }), "{error}");
    assert_eq!(content.partials().unwrap().len(), 1);

    let mut ingest = content.ingest(&digest, size).unwrap().unwrap();
    ingest.append(&[b'x'; 12]).unwrap();
    let error = ingest.commit().unwrap_err();
    assert!(matches!(error, Error::WrongDigest { .. }), "{error}");
    assert_eq!(error.kind(), Kind::DataLoss);
    assert!(!content.contains(&digest));
    assert_eq!(content.partials().unwrap(), []);

    let mut ingest = content.ingest(&digest, size).unwrap().unwrap();
    assert!(matches!(ingest.append(&[b'x'; 20]), Err(Error::WrongSize { found: 20, .. })));
    drop(ingest);
    assert_eq!(content.partials().unwrap(), []);
}

#[test]
fn partial_that_is_longer_than_the_blob_begins_again() {
    let place = Place::new("longer");
    let (content, _) = place.open();
    let digest = digest_of(BYTES);
    content.ingest(&digest, None).unwrap().unwrap().append(&[0; 100]).unwrap();
    let ingest = content.ingest(&digest, Some(BYTES.len() as u64)).unwrap().unwrap();
    assert_eq!(ingest.offset(), 0);
}

#[test]
fn partial_that_was_damaged_is_found_out() {
    let place = Place::new("damaged");
    let (content, _) = place.open();
    let digest = digest_of(BYTES);
    content.ingest(&digest, None).unwrap().unwrap().append(&BYTES[..7]).unwrap();
    let partial = place.0.join("content/ingest").join(format!("sha256-{}", digest.hex()));
    std::fs::write(&partial, [0; 7]).unwrap();
    let mut ingest = content.ingest(&digest, Some(BYTES.len() as u64)).unwrap().unwrap();
    ingest.append(&BYTES[7..]).unwrap();
    assert!(matches!(ingest.commit(), Err(Error::WrongDigest { .. })));
    assert!(!content.contains(&digest) && !partial.exists());
}

#[test]
fn second_ingest_of_the_same_blob_waits_and_finds_it_complete() {
    let place = Place::new("two");
    let (content, _) = place.open();
    let digest = digest_of(BYTES);
    let mut first = content.ingest(&digest, None).unwrap().unwrap();
    assert!(matches!(content.try_ingest(&digest, None), Ok(Begin::Busy)));
    std::thread::scope(|scope| {
        let second = scope.spawn(|| content.ingest(&digest, None).unwrap().is_none());
        first.append(BYTES).unwrap();
        first.commit().unwrap();
        assert!(second.join().unwrap());
    });
    assert!(matches!(content.try_ingest(&digest, None), Ok(Begin::Complete)));
}

#[test]
fn small_blob_is_written_at_once_and_only_if_it_is_the_right_one() {
    let place = Place::new("small");
    let (content, _) = place.open();
    let mut hasher = Hasher::new(Algorithm::Sha512);
    hasher.update(BYTES);
    for digest in [digest_of(BYTES), hasher.finish()] {
        content.write(&digest, BYTES).unwrap();
        content.write(&digest, BYTES).unwrap();
        assert_eq!(content.read(&digest, 100).unwrap(), BYTES);
        assert!(matches!(content.read(&digest, 5), Err(Error::TooLarge { .. })));
    }
    assert!(content.write(&digest_of(b"other"), BYTES).is_err());
}

#[test]
fn damaged_blob_is_told_when_it_is_read() {
    let place = Place::new("rot");
    let (content, _) = place.open();
    let digest = digest_of(BYTES);
    content.write(&digest, BYTES).unwrap();
    std::fs::write(content.path(&digest), b"rotten").unwrap();
    assert!(matches!(content.read(&digest, 100), Err(Error::WrongDigest { .. })));
}

#[test]
fn database_and_disk_agree_after_the_next_start() {
    let place = Place::new("agree");
    let (with_file, with_row) = (digest_of(BYTES), Digest::sha256([1; 32]));
    {
        let (content, store) = place.open();
        content.write(&with_file, BYTES).unwrap();
        // What a crash between two steps leaves: a file without a row, and a row without a file.
        store.write(|tx| tx.delete_blob(&with_file)).unwrap();
        store.write(|tx| tx.add_blob(&BlobRow { digest: with_row, size_bytes: 1, created_ns: 1 })).unwrap();
    }
    let (content, store) = place.open();
    let rows = store.read(|tx| tx.blobs()).unwrap();
    assert_eq!(rows.iter().map(|row| (&row.digest, row.size_bytes)).collect::<Vec<_>>(), [(&with_file, 19)]);
    content.remove(&with_file).unwrap();
    content.remove(&with_file).unwrap();
    assert!(!content.contains(&with_file));
}

#[test]
fn old_partials_are_collected_and_young_or_busy_ones_stay() {
    let place = Place::new("partials");
    let (content, _) = place.open();
    content.ingest(&digest_of(b"a"), None).unwrap().unwrap().append(b"aaaa").unwrap();
    let now = SystemTime::now();
    assert_eq!(content.collect_partials(now - Duration::from_secs(60)).unwrap(), 0);
    let busy = content.ingest(&digest_of(b"a"), None).unwrap().unwrap();
    assert_eq!(content.collect_partials(now + Duration::from_secs(60)).unwrap(), 0);
    drop(busy);
    assert_eq!(content.collect_partials(now + Duration::from_secs(60)).unwrap(), 4);
    assert_eq!(content.partials().unwrap(), []);
}
