//! The tables, and how an older file is brought up to date.
//!
//! `PRAGMA user_version` counts the migrations that a file has seen. A migration is never changed once released; a new
//! one is added at the end.

use crate::Error;
use rusqlite::Connection;
use std::path::Path;

/// Each entry brings a database from the version of its index to the next.
const MIGRATIONS: &[&str] = &[V1];

const V1: &str = "
CREATE TABLE records (
    kind    TEXT NOT NULL,
    key     TEXT NOT NULL,
    version INTEGER NOT NULL,
    json    TEXT NOT NULL,
    PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;

-- A blob in content/blobs, complete and verified.
CREATE TABLE blobs (
    digest     TEXT PRIMARY KEY,
    size_bytes INTEGER NOT NULL,
    created_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A layer in layers/, complete and verified; `blob` is the compressed archive it came from.
CREATE TABLE layers (
    diff_id    TEXT PRIMARY KEY,
    size_bytes INTEGER NOT NULL,
    blob       TEXT,
    created_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- `id` is the digest of the configuration.
CREATE TABLE images (
    id         TEXT PRIMARY KEY,
    manifest   TEXT,
    size_bytes INTEGER NOT NULL,
    created_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE image_layers (
    image    TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    diff_id  TEXT NOT NULL REFERENCES layers (diff_id),
    PRIMARY KEY (image, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX image_layers_by_layer ON image_layers (diff_id);

-- Configuration, manifest, index and layer archives of an image.
CREATE TABLE image_blobs (
    image  TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    digest TEXT NOT NULL REFERENCES blobs (digest),
    PRIMARY KEY (image, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX image_blobs_by_blob ON image_blobs (digest);

-- `docker.io/library/busybox:latest` (kind tag), `docker.io/library/busybox@sha256:…` (kind digest).
CREATE TABLE names (
    name       TEXT PRIMARY KEY,
    kind       TEXT NOT NULL CHECK (kind IN ('tag', 'digest')),
    image      TEXT NOT NULL REFERENCES images (id),
    updated_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX names_by_image ON names (image);

-- A writable layer in snapshots/ on top of others.
CREATE TABLE snapshots (
    id         TEXT PRIMARY KEY,
    created_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE snapshot_layers (
    snapshot TEXT NOT NULL REFERENCES snapshots (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    diff_id  TEXT NOT NULL REFERENCES layers (diff_id),
    PRIMARY KEY (snapshot, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX snapshot_layers_by_layer ON snapshot_layers (diff_id);
";

/// Returns the version that [`migrate`] brings a file to.
pub(crate) fn newest() -> u32 {
    u32::try_from(MIGRATIONS.len()).expect("there are few migrations")
}

/// Brings the file up to date, each step in its own transaction.
pub(crate) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), Error> {
    let found: u32 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(Error::statement("reading the schema version"))?;
    if found > newest() {
        return Err(Error::Newer { path: path.to_owned(), found, known: newest() });
    }
    for (version, sql) in (found + 1..).zip(&MIGRATIONS[found as usize..]) {
        let failed = || Error::statement("migrating the schema");
        let transaction = connection.transaction().map_err(failed())?;
        transaction.execute_batch(sql).map_err(failed())?;
        transaction.pragma_update(None, "user_version", version).map_err(failed())?;
        transaction.commit().map_err(failed())?;
    }
    Ok(())
}
