//! What lies in the store of a volume.

use crate::Error;
use refs::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::{Store, Tx};

const KIND: &str = "volume";
const VERSION: u32 = 1;

/// One volume, version 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The name.
    pub name: String,
    /// The driver.
    pub driver: String,
    /// When it was made.
    pub created: Timestamp,
    /// Labels; none if none were given.
    pub labels: Option<BTreeMap<String, String>>,
    /// Options of the driver; none if none were given.
    pub options: Option<BTreeMap<String, String>>,
    /// Its removal has begun: it is not shown any more, and an engine that starts goes on with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removing: bool,
    /// The name that its directory has until a rename is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<String>,
}

/// Writes a record within a transaction, so that it appears together with the container that it was made for.
///
/// # Errors
/// Those of the database.
pub fn put(tx: &Tx<'_>, record: &Record) -> Result<(), store::Error> {
    let json = serde_json::to_string(record).expect("a record has string keys only");
    tx.put(KIND, &record.name, VERSION, &json)
}

/// Marks a volume for removal within a transaction, so that it goes together with its container.
///
/// # Errors
/// Those of the database.
pub fn put_removing(tx: &Tx<'_>, record: &Record) -> Result<(), store::Error> {
    put(tx, &Record { removing: true, ..record.clone() })
}

pub(crate) fn delete(store: &Store, name: &str) -> Result<(), Error> {
    store.delete(KIND, name)?;
    Ok(())
}

/// Reads all records.
pub(crate) fn read_all(store: &Store) -> Result<Vec<Record>, Error> {
    store.list(KIND)?.iter().map(|found| read(&found.key, found.version, &found.json)).collect()
}

fn read(key: &str, version: u32, json: &str) -> Result<Record, Error> {
    let broken = || Error::Record { name: key.to_owned(), version };
    if version != VERSION {
        return Err(broken());
    }
    serde_json::from_str::<Record>(json).ok().filter(|record| record.name == key).ok_or_else(broken)
}

/// Gives a volume another name in one transaction.
pub(crate) fn rename(store: &Store, old: &str, record: &Record) -> Result<(), Error> {
    store.write(|tx| {
        tx.delete(KIND, old)?;
        put(tx, record)
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record as version 1 was written: it must stay readable.
    const FIXTURE: &str =
        r#"{"name":"data","driver":"local","created":1700000000000000000,"labels":{"a":"b"},"options":null}"#;

    #[test]
    fn version_1_stays_readable() {
        let record = read("data", 1, FIXTURE).expect("readable");
        let labels = Some(BTreeMap::from([("a".to_owned(), "b".to_owned())]));
        let expected = Record {
            name: "data".into(),
            driver: "local".into(),
            created: Timestamp(1_700_000_000_000_000_000),
            labels,
            options: None,
            removing: false,
            previous: None,
        };
        assert_eq!(record, expected);
        assert!(read("other", 1, FIXTURE).is_err(), "the key names the volume");
        assert!(read("data", 2, FIXTURE).is_err(), "a newer version is refused");
    }
}
