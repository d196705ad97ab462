//! What takes the disk: an account that comes to what `du -x` says.
//!
//! Layers are not walked: those that are files are one look each, those that are directories were walked once and the result is
//! noted. All else is walked; it is few files, or changes while containers run.

use crate::{Error, Images};
use layer::Form;
use refs::Digest;
use std::collections::{BTreeMap, HashSet};
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use store::Tx;

/// The kind of the records that say what an unpacked layer takes.
const RECORD: &str = "layer-disk";
const VERSION: u32 = 1;

/// Bytes of the data root, by what they are for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// What they are for, and how many they are on the disk; ordered by name.
    pub shares: BTreeMap<&'static str, u64>,
}

impl Account {
    /// Returns what all shares come to.
    pub fn total_bytes(&self) -> u64 {
        self.shares.values().sum()
    }

    fn add(&mut self, share: &'static str, bytes: u64) {
        *self.shares.entry(share).or_default() += bytes;
    }
}

impl Images {
    /// Counts what the data root takes on its file system. What vanishes meanwhile is left out.
    ///
    /// # Errors
    /// Those of the database.
    pub fn account(&self, root: &Path) -> Result<Account, Error> {
        let mut account = Account::default();
        let Some(device) = fs::symlink_metadata(root).ok().map(|root| root.dev()) else { return Ok(account) };
        account.add("other", own_bytes(root));
        for entry in fs::read_dir(root).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name();
            match name.to_str().unwrap_or_default() {
                "layers" => {
                    let bytes = self.layers_bytes(&path, device)?;
                    account.add("layers", bytes);
                }
                "content" => {
                    let (ingest, all) = (walk(&path.join("ingest"), device), walk(&path, device));
                    account.add("interrupted pulls", ingest);
                    account.add("blobs", all.saturating_sub(ingest));
                }
                "snapshots" | "chains" => account.add("writable layers", walk(&path, device)),
                "containers" => account.add("logs and files of containers", walk(&path, device)),
                "volumes" => account.add("volumes", walk(&path, device)),
                "trash" => account.add("trash", walk(&path, device)),
                name if name.starts_with("naru.db") => account.add("database", walk(&path, device)),
                _ => account.add("other", walk(&path, device)),
            }
        }
        Ok(account)
    }

    fn layers_bytes(&self, path: &Path, device: u64) -> Result<u64, Error> {
        let mut bytes = own_bytes(path);
        let mut rest: HashSet<_> =
            fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.file_name()).collect();
        for diff_id in self.shared.layers.list()? {
            let (file, directory) = (self.shared.layers.file(&diff_id), path.join(diff_id.hex()));
            if self.shared.layers.form(&diff_id) == Some(Form::File) {
                bytes += own_bytes(&file);
            }
            if rest.contains(directory.file_name().unwrap_or_default()) {
                bytes += self.unpacked_bytes(&diff_id, &directory, device)?;
            }
            rest.remove(file.file_name().unwrap_or_default());
            rest.remove(directory.file_name().unwrap_or_default());
        }
        // The base, where files are mounted, and layers that are being made.
        Ok(bytes + rest.into_iter().map(|name| walk(&path.join(name), device)).sum::<u64>())
    }

    /// Returns what an unpacked layer takes: it never changes, so that it is walked once.
    fn unpacked_bytes(&self, diff_id: &Digest, directory: &Path, device: u64) -> Result<u64, Error> {
        let noted = self.shared.store.get(RECORD, diff_id.hex())?;
        if let Some(bytes) = noted.and_then(|record| record.json.parse().ok()) {
            return Ok(bytes);
        }
        let bytes = walk(directory, device);
        // If this is lost, it is counted again.
        self.shared.store.write_relaxed(|tx| tx.put(RECORD, diff_id.hex(), VERSION, &bytes.to_string()))?;
        Ok(bytes)
    }
}

/// Forgets what was noted of a layer that goes.
pub(crate) fn forget(tx: &Tx<'_>, diff_id: &Digest) -> Result<(), store::Error> {
    tx.delete(RECORD, diff_id.hex()).map(drop)
}

/// Returns what a file or directory itself takes.
fn own_bytes(path: &Path) -> u64 {
    fs::symlink_metadata(path).map_or(0, |metadata| metadata.blocks() * 512)
}

/// Returns what a path takes with all below it, on one file system; a file with several names counts once.
fn walk(path: &Path, device: u64) -> u64 {
    let mut linked = HashSet::new();
    let mut is_new =
        |metadata: &Metadata| metadata.nlink() < 2 || metadata.is_dir() || linked.insert(metadata.ino());
    let mut bytes = 0;
    let mut pending = vec![path.to_owned()];
    while let Some(path) = pending.pop() {
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        if metadata.dev() != device || !is_new(&metadata) {
            continue;
        }
        bytes += metadata.blocks() * 512;
        if metadata.is_dir() {
            pending.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
        }
    }
    bytes
}
