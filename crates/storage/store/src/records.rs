//! Generic versioned records: how a service keeps its own state without a table of its own.

use crate::{Error, Tx};
use rusqlite::params;

/// One record. What its JSON means is its owner's matter, as is reading older versions of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What names it within its kind.
    pub key: String,
    /// The version of the JSON's shape.
    pub version: u32,
    /// The record itself.
    pub json: String,
}

impl Tx<'_> {
    /// Writes one record in place of an older one of the same kind and key.
    ///
    /// # Errors
    /// Those of the database.
    pub fn put(&self, kind: &str, key: &str, version: u32, json: &str) -> Result<(), Error> {
        self.execute(
            "writing a record",
            "INSERT INTO records (kind, key, version, json) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET version = excluded.version, json = excluded.json",
            params![kind, key, version, json],
        )?;
        Ok(())
    }

    /// Reads one record.
    ///
    /// # Errors
    /// Those of the database.
    pub fn get(&self, kind: &str, key: &str) -> Result<Option<Record>, Error> {
        self.row(
            "reading a record",
            "SELECT key, version, json FROM records WHERE kind = ?1 AND key = ?2",
            params![kind, key],
            record,
        )
    }

    /// Deletes one record; returns whether it was there.
    ///
    /// # Errors
    /// Those of the database.
    pub fn delete(&self, kind: &str, key: &str) -> Result<bool, Error> {
        let deleted = self.execute(
            "deleting a record",
            "DELETE FROM records WHERE kind = ?1 AND key = ?2",
            params![kind, key],
        )?;
        Ok(deleted > 0)
    }

    /// Reads all records of a kind, ordered by key.
    ///
    /// # Errors
    /// Those of the database.
    pub fn list(&self, kind: &str) -> Result<Vec<Record>, Error> {
        self.rows(
            "listing records",
            "SELECT key, version, json FROM records WHERE kind = ?1 ORDER BY key",
            params![kind],
            record,
        )
    }
}

fn record(row: &rusqlite::Row<'_>) -> rusqlite::Result<Record> {
    Ok(Record { key: row.get(0)?, version: row.get(1)?, json: row.get(2)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Store;

    #[test]
    fn record_is_replaced_read_and_deleted_within_its_kind() {
        let store = Store::in_memory().unwrap();
        store.put("container", "x", 1, r#"{"a":1}"#).unwrap();
        store.put("network", "x", 7, "{}").unwrap();
        store.put("container", "x", 2, r#"{"a":2}"#).unwrap();
        let expected = Record { key: "x".into(), version: 2, json: r#"{"a":2}"#.into() };
        assert_eq!(store.get("container", "x").unwrap(), Some(expected.clone()));
        assert_eq!(store.list("container").unwrap(), [expected]);
        assert!(store.delete("container", "x").unwrap());
        assert!(!store.delete("container", "x").unwrap());
        assert_eq!(store.get("network", "x").unwrap().map(|record| record.version), Some(7));
    }
}
