//! Collection while the registry serves: what no manifest names goes after a grace period.

use crate::catalog::{Repository, holders, repositories};
use crate::error::Error;
use crate::metrics::Metrics;
use crate::server::{Server, now_s};
use refs::Digest;
use std::collections::BTreeSet;
use std::sync::PoisonError;
use std::time::SystemTime;

/// An upload to which nothing comes for this many times the grace period is given up.
const UPLOAD_GRACE: u32 = 24;

/// Collects once; returns the bytes that were freed. Blocks.
pub(crate) fn collect(server: &Server) -> Result<u64, Error> {
    let now = now_s();
    for name in server.store.read(repositories)? {
        server
            .store
            .write(|tx| drop_links(&Repository::of(tx, &name), now, server.settings.grace.as_secs()))?;
    }
    let mut freed = 0;
    for blob in server.store.read(|tx| tx.blobs())? {
        // A blob that was just pushed is held in the same breath: `holding` keeps this check out of it.
        let _holding = server.holding.write().unwrap_or_else(PoisonError::into_inner);
        if server.store.read(|tx| holders(tx, &blob.digest))?.is_empty() {
            server.content.remove(&blob.digest)?;
            freed += blob.size_bytes;
        }
    }
    let idle = server.settings.grace.saturating_mul(UPLOAD_GRACE);
    let mut uploads = server.uploads.lock().unwrap_or_else(PoisonError::into_inner);
    freed += uploads.collect(idle, SystemTime::now())?;
    Metrics::add(&server.metrics.collected_bytes, freed);
    Ok(freed)
}

/// Takes away from a repository what no manifest of it names and nobody asked for lately.
fn drop_links(repository: &Repository<'_, '_>, now_s: u64, grace_s: u64) -> Result<(), Error> {
    let mut named: BTreeSet<Digest> = BTreeSet::new();
    for (digest, noted) in repository.manifests()? {
        named.insert(digest);
        named.extend(noted.blobs);
    }
    for (digest, link) in repository.links()? {
        if !named.contains(&digest) && now_s.saturating_sub(link.at_s) >= grace_s {
            repository.unlink(&digest)?;
        }
    }
    Ok(())
}
