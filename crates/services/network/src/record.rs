//! The records of networks in the database.

use crate::{Error, Subnet};
use refs::{NetworkId, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use store::Store;

const KIND: &str = "network";
const VERSION: u32 = 2;

/// One network, version 2. The key is its name, which is unique and never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) id: NetworkId,
    pub(crate) name: String,
    pub(crate) driver: Driver,
    pub(crate) created: Timestamp,
    /// The subnets: of the default bridge they are chosen when it is first used.
    pub(crate) pools: Vec<PoolRecord>,
    pub(crate) ipv4: bool,
    pub(crate) ipv6: bool,
    pub(crate) internal: bool,
    pub(crate) attachable: bool,
    pub(crate) ipam_driver: String,
    pub(crate) ipam_options: Option<BTreeMap<String, String>>,
    pub(crate) options: BTreeMap<String, String>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) config_only: bool,
    pub(crate) config_from: String,
}

/// Who makes a network's devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Driver {
    Bridge,
    Macvlan,
    Ipvlan,
    Host,
    Null,
}

impl Driver {
    /// Returns Docker's name of it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Bridge => "bridge",
            Self::Macvlan => "macvlan",
            Self::Ipvlan => "ipvlan",
            Self::Host => "host",
            Self::Null => "null",
        }
    }
}

/// A subnet of a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PoolRecord {
    pub(crate) address: IpAddr,
    pub(crate) prefix_len: u8,
    pub(crate) range: Option<(IpAddr, u8)>,
    pub(crate) gateway: IpAddr,
    /// Whether inspect shows the gateway: not if the user gave a subnet without one.
    pub(crate) shows_gateway: bool,
    pub(crate) auxiliary: BTreeMap<String, IpAddr>,
}

impl PoolRecord {
    pub(crate) fn subnet(&self) -> Subnet {
        Subnet::containing(self.address, self.prefix_len)
    }

    pub(crate) fn range(&self) -> Option<Subnet> {
        self.range.map(|(address, prefix_len)| Subnet::containing(address, prefix_len))
    }

    /// Returns a subnet with nothing special about it.
    pub(crate) fn plain(subnet: Subnet, gateway: IpAddr) -> Self {
        Self {
            address: subnet.address,
            prefix_len: subnet.prefix_len,
            range: None,
            gateway,
            shows_gateway: true,
            auxiliary: BTreeMap::new(),
        }
    }
}

impl Record {
    /// Returns the name of a network that was there from the beginning, if it is one.
    pub(crate) fn is_predefined(&self) -> bool {
        matches!(self.name.as_str(), "bridge" | "host" | "none")
    }

    /// Returns whether it is the default bridge.
    pub(crate) fn is_default_bridge(&self) -> bool {
        self.name == crate::service::BRIDGE
    }

    /// Returns the first subnet of a family.
    pub(crate) fn pool(&self, ipv4: bool) -> Option<&PoolRecord> {
        self.pools.iter().find(|pool| pool.address.is_ipv4() == ipv4)
    }
}

/// One network, version 1.
#[derive(Deserialize)]
struct Version1 {
    id: NetworkId,
    name: String,
    driver: Driver,
    created: Timestamp,
    subnet: Option<Version1Subnet>,
}

#[derive(Deserialize)]
struct Version1Subnet {
    address: Ipv4Addr,
    prefix_len: u8,
    gateway: Ipv4Addr,
}

impl From<Version1> for Record {
    fn from(old: Version1) -> Self {
        let pool = |subnet: Version1Subnet| {
            PoolRecord::plain(
                Subnet::containing(subnet.address.into(), subnet.prefix_len),
                subnet.gateway.into(),
            )
        };
        let pools = old.subnet.map(pool).into_iter().collect();
        Self { pools, ..predefined(old.id, &old.name, old.driver, old.created) }
    }
}

fn predefined(id: NetworkId, name: &str, driver: Driver, created: Timestamp) -> Record {
    Record {
        id,
        name: name.to_owned(),
        driver,
        created,
        pools: Vec::new(),
        ipv4: true,
        ipv6: false,
        internal: false,
        attachable: false,
        ipam_driver: "default".to_owned(),
        ipam_options: None,
        options: BTreeMap::new(),
        labels: BTreeMap::new(),
        config_only: false,
        config_from: String::new(),
    }
}

/// Reads all records, making those of the three networks that are always there.
pub(crate) fn open(
    store: &Store,
    now: Timestamp,
    mut random: impl FnMut() -> [u8; 32],
) -> Result<Vec<Record>, Error> {
    let mut records = Vec::new();
    for found in store.list(KIND).map_err(Error::Store)? {
        records.push(read(&found.key, found.version, &found.json)?);
    }
    for (name, driver) in [("bridge", Driver::Bridge), ("host", Driver::Host), ("none", Driver::Null)] {
        if records.iter().any(|record| record.name == name) {
            continue;
        }
        let record = predefined(NetworkId::generate(random()), name, driver, now);
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

/// Removes a record.
pub(crate) fn remove(store: &Store, name: &str) -> Result<(), Error> {
    store.delete(KIND, name).map(drop).map_err(Error::Store)
}

fn read(key: &str, version: u32, json: &str) -> Result<Record, Error> {
    let broken = |source| Error::Record { key: key.to_owned(), version, source };
    match version {
        1 => serde_json::from_str(json).map(Version1::into).map_err(|error| broken(Some(error))),
        VERSION => serde_json::from_str(json).map_err(|error| broken(Some(error))),
        _ => Err(broken(None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record as version 1 was written: it must stay readable.
    const FIXTURE_1: &str = r#"{"id":"00000000000000000000000000000000000000000000000000000000000000aa","name":"bridge",
        "driver":"bridge","created":1700000000000000000,
        "subnet":{"address":"172.17.0.0","prefix_len":16,"gateway":"172.17.0.1"}}"#;

    /// A record as version 2 was written: it must stay readable.
    const FIXTURE_2: &str = r#"{"id":"00000000000000000000000000000000000000000000000000000000000000bb","name":"app",
        "driver":"bridge","created":1800000000000000000,"pools":[
        {"address":"10.7.0.0","prefix_len":24,"range":["10.7.0.128",25],"gateway":"10.7.0.1","shows_gateway":false,"auxiliary":{"nas":"10.7.0.9"}},
        {"address":"fd00::","prefix_len":64,"range":null,"gateway":"fd00::1","shows_gateway":true,"auxiliary":{}}],
        "ipv4":true,"ipv6":true,"internal":true,"attachable":false,"ipam_driver":"default","ipam_options":null,
        "options":{"com.docker.network.driver.mtu":"1400"},"labels":{"a":"b"},"config_only":false,"config_from":""}"#;

    #[test]
    fn version_1_stays_readable() {
        let record = read("bridge", 1, FIXTURE_1).expect("readable");
        let pool = record.pool(true).expect("has a subnet");
        assert_eq!(
            (pool.subnet().to_string(), pool.gateway.to_string()),
            ("172.17.0.0/16".into(), "172.17.0.1".into())
        );
        assert_eq!((record.name.as_str(), record.created), ("bridge", Timestamp(1_700_000_000_000_000_000)));
        assert_eq!((record.ipv4, record.ipv6, record.driver), (true, false, Driver::Bridge));
    }

    #[test]
    fn version_2_stays_readable() {
        let record = read("app", 2, FIXTURE_2).expect("readable");
        let range = record.pool(true).and_then(PoolRecord::range).expect("a range");
        assert_eq!(range.to_string(), "10.7.0.128/25");
        assert_eq!(record.pool(false).expect("IPv6").subnet().to_string(), "fd00::/64");
        let json = serde_json::to_string(&record).expect("writable");
        assert_eq!(read("app", 2, &json).expect("readable"), record);
    }

    #[test]
    fn newer_version_is_refused() {
        let error = read("bridge", 3, FIXTURE_2).expect_err("from the future");
        assert_eq!(
            error.to_string(),
            "the record of network bridge has version 3, which this engine cannot read"
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
