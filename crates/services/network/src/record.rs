//! The records of networks in the database.

use crate::{Error, Subnet};
use refs::{NetworkId, Timestamp};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;
use store::Store;

const KIND: &str = "network";
const VERSION: u32 = 1;

/// One network, version 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) id: NetworkId,
    pub(crate) name: String,
    pub(crate) driver: String,
    pub(crate) created: Timestamp,
    /// Chosen when the bridge was first used.
    pub(crate) subnet: Option<SubnetRecord>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SubnetRecord {
    pub(crate) address: Ipv4Addr,
    pub(crate) prefix_len: u8,
    pub(crate) gateway: Ipv4Addr,
}

impl SubnetRecord {
    pub(crate) fn subnet(&self) -> Subnet {
        Subnet::containing(self.address, self.prefix_len)
    }
}

/// Reads the records of the three networks, making those that are missing.
pub(crate) fn open(
    store: &Store,
    now: Timestamp,
    mut random: impl FnMut() -> [u8; 32],
) -> Result<Vec<Record>, Error> {
    let mut records = Vec::new();
    for found in store.list(KIND).map_err(Error::Store)? {
        records.push(read(&found.key, found.version, &found.json)?);
    }
    for (name, driver) in [("bridge", "bridge"), ("host", "host"), ("none", "null")] {
        if records.iter().any(|record| record.name == name) {
            continue;
        }
        let id = NetworkId::generate(random());
        let record = Record { id, name: name.into(), driver: driver.into(), created: now, subnet: None };
        write(store, &record)?;
        records.push(record);
    }
    Ok(records)
}

/// Writes a record.
pub(crate) fn write(store: &Store, record: &Record) -> Result<(), Error> {
    let json = serde_json::to_string(record).expect("a record has only texts and numbers");
    store.put(KIND, &record.name, VERSION, &json).map_err(Error::Store)
}

fn read(key: &str, version: u32, json: &str) -> Result<Record, Error> {
    let broken = |source| Error::Record { key: key.to_owned(), version, source };
    match version {
        VERSION => serde_json::from_str(json).map_err(|error| broken(Some(error))),
        _ => Err(broken(None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record as version 1 was written: it must stay readable.
    const FIXTURE: &str = r#"{"id":"00000000000000000000000000000000000000000000000000000000000000aa","name":"bridge",
        "driver":"bridge","created":1700000000000000000,
        "subnet":{"address":"172.17.0.0","prefix_len":16,"gateway":"172.17.0.1"}}"#;

    #[test]
    fn version_1_stays_readable() {
        let record = read("bridge", 1, FIXTURE).expect("readable");
        let subnet = record.subnet.expect("has a subnet");
        assert_eq!(
            (subnet.subnet().to_string(), subnet.gateway.to_string()),
            ("172.17.0.0/16".into(), "172.17.0.1".into())
        );
        assert_eq!((record.name.as_str(), record.created), ("bridge", Timestamp(1_700_000_000_000_000_000)));
    }

    #[test]
    fn newer_version_is_refused() {
        let error = read("bridge", 2, FIXTURE).expect_err("from the future");
        assert_eq!(
            error.to_string(),
            "the record of network bridge has version 2, which this engine cannot read"
        );
    }

    #[test]
    fn open_makes_the_three_networks_once() {
        let store = Store::in_memory().expect("opens");
        let mut seed = 0;
        let mut random = || {
            seed += 1;
            [seed; 32]
        };
        let first = open(&store, Timestamp(5), &mut random).expect("opens");
        let second = open(&store, Timestamp(9), &mut random).expect("opens");
        let names: Vec<_> = first.iter().map(|record| record.name.as_str()).collect();
        assert_eq!(names, ["bridge", "host", "none"]);
        assert_eq!(first, second);
    }
}
