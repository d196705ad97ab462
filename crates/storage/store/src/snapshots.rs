//! Snapshots: the writable layers of containers, and the layers that each stands on.

use crate::layers::parse_digest;
use crate::{Error, Tx};
use refs::Digest;
use rusqlite::params;

/// A snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotRow {
    /// Its id: that of its container.
    pub id: String,
    /// When it was prepared: nanoseconds since 1970-01-01 UTC.
    pub created_ns: i64,
}

impl Tx<'_> {
    /// Notes a snapshot and the layers (from the bottom up) that it stands on, which must be known.
    ///
    /// # Errors
    /// A snapshot of that id, or a layer that is not known.
    pub fn add_snapshot(&self, snapshot: &SnapshotRow, layers: &[Digest]) -> Result<(), Error> {
        self.execute(
            "adding a snapshot",
            "INSERT INTO snapshots (id, created_ns) VALUES (?1, ?2)",
            params![snapshot.id, snapshot.created_ns],
        )?;
        for (position, layer) in (0_i64..).zip(layers) {
            self.execute(
                "adding a snapshot's layer",
                "INSERT INTO snapshot_layers (snapshot, position, diff_id) VALUES (?1, ?2, ?3)",
                params![snapshot.id, position, layer.as_str()],
            )?;
        }
        Ok(())
    }

    /// Reads one snapshot's row.
    ///
    /// # Errors
    /// Those of the database.
    pub fn snapshot(&self, id: &str) -> Result<Option<SnapshotRow>, Error> {
        let sql = "SELECT id, created_ns FROM snapshots WHERE id = ?1";
        self.row("reading a snapshot", sql, params![id], snapshot)
    }

    /// Reads all snapshots' rows, ordered by id.
    ///
    /// # Errors
    /// Those of the database.
    pub fn snapshots(&self) -> Result<Vec<SnapshotRow>, Error> {
        self.rows("listing snapshots", "SELECT id, created_ns FROM snapshots ORDER BY id", [], snapshot)
    }

    /// Reads the layers that a snapshot stands on, from the bottom up.
    ///
    /// # Errors
    /// Those of the database.
    pub fn snapshot_layers(&self, id: &str) -> Result<Vec<Digest>, Error> {
        self.rows(
            "reading a snapshot's layers",
            "SELECT diff_id FROM snapshot_layers WHERE snapshot = ?1 ORDER BY position",
            params![id],
            |row| row.get(0),
        )?
        .into_iter()
        .map(|diff_id| parse_digest("snapshot_layers.diff_id", diff_id))
        .collect()
    }

    /// Forgets a snapshot; returns whether it was known.
    ///
    /// # Errors
    /// Those of the database.
    pub fn delete_snapshot(&self, id: &str) -> Result<bool, Error> {
        Ok(self.execute("deleting a snapshot", "DELETE FROM snapshots WHERE id = ?1", params![id])? > 0)
    }
}

fn snapshot(row: &rusqlite::Row<'_>) -> rusqlite::Result<SnapshotRow> {
    Ok(SnapshotRow { id: row.get(0)?, created_ns: row.get(1)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LayerRow, Store};

    #[test]
    fn snapshot_holds_its_layers_until_it_is_deleted() {
        let layer = Digest::sha256([1; 32]);
        let row = SnapshotRow { id: "c".into(), created_ns: 3 };
        Store::in_memory()
            .unwrap()
            .write(|tx| {
                tx.add_layer(&LayerRow { diff_id: layer.clone(), size_bytes: 1, blob: None, created_ns: 1 })?;
                tx.add_snapshot(&row, std::slice::from_ref(&layer))?;
                assert!(tx.add_snapshot(&row, &[]).is_err());
                assert_eq!(tx.snapshot("c")?, Some(row.clone()));
                assert_eq!(tx.snapshots()?, std::slice::from_ref(&row));
                assert_eq!(tx.snapshot_layers("c")?, std::slice::from_ref(&layer));
                assert!(tx.unused_layers()?.is_empty() && tx.delete_layer(&layer).is_err());
                assert!(tx.delete_snapshot("c")? && !tx.delete_snapshot("c")?);
                assert!(tx.delete_layer(&layer)?);
                Ok::<_, Error>(())
            })
            .unwrap();
    }
}
