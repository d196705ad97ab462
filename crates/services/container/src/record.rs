//! What lies in the store of a container. Versioned: see the fixtures in `testdata/`.

use crate::Error;
use crate::health::Health;
use crate::machine::{Nanos, Policy, Run};
use crate::spec::{Config, HostConfig, ImageRef};
use network::{EndpointSpec, Joining};
use refs::Reference;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The kind of our records in the store.
pub(crate) const KIND: &str = "container";

/// The version that is written.
pub(crate) const VERSION: u32 = 1;

/// A container as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The full id.
    pub(crate) id: String,
    /// The name without a leading slash.
    pub(crate) name: String,
    /// When it was created.
    pub(crate) created_at: Nanos,
    /// The image, fixed at creation.
    pub(crate) image: ImageRef,
    /// The snapshot driver.
    pub(crate) driver: String,
    /// What runs, merged with the image's configuration.
    pub(crate) config: Config,
    /// How the host runs it.
    pub(crate) host: HostConfig,
    /// Program and arguments.
    pub(crate) command: Vec<String>,
    /// Its life.
    pub(crate) run: Run,
    /// Its places in networks, by name; none in records of engines that knew the default bridge only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) endpoints: Option<BTreeMap<String, EndpointSpec>>,
    /// Its health, as of the last change of its life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) health: Option<Health>,
    /// Its limits were changed, and the cgroup may not have them yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) limits_pending: bool,
}

impl Record {
    /// Reads a stored record.
    ///
    /// # Errors
    /// DataLoss for a newer version or malformed JSON.
    pub(crate) fn read(stored: &store::Record) -> Result<Self, Error> {
        if stored.version > VERSION {
            return Err(Error::RecordVersion { id: stored.key.clone(), version: stored.version });
        }
        serde_json::from_str(&stored.json).map_err(|source| Error::Record { id: stored.key.clone(), source })
    }

    /// Returns the JSON that is stored.
    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a record has string keys only")
    }

    /// Returns its places in networks, by name.
    pub(crate) fn endpoints(&self) -> BTreeMap<String, EndpointSpec> {
        let of_mode = || self.host.network.network().map(|name| (name.to_owned(), EndpointSpec::default()));
        self.endpoints.clone().unwrap_or_else(|| of_mode().into_iter().collect())
    }

    /// Returns what it wants of the networks: that of its mode first, then by name.
    pub(crate) fn joining(&self) -> Joining {
        let mut endpoints: Vec<_> = self.endpoints().into_iter().collect();
        let first = self.host.network.network();
        endpoints.sort_by_key(|(name, _)| first != Some(name.as_str()));
        Joining { name: self.name.clone(), endpoints }
    }

    /// Returns whether the embedded resolver answers its queries: on user networks.
    pub(crate) fn has_resolver(&self) -> bool {
        use crate::spec::NetworkMode;
        match self.host.network {
            NetworkMode::Host | NetworkMode::None | NetworkMode::Container(_) => false,
            NetworkMode::Bridge | NetworkMode::Network(_) => {
                self.endpoints().keys().any(|name| name != "bridge")
            }
        }
    }

    /// Returns the name that the container has for itself.
    pub(crate) fn hostname(&self) -> &str {
        &self.config.hostname
    }

    /// Returns whether this is the built-in image's own program, which shows its birth record.
    pub(crate) fn shows_birth(&self) -> bool {
        let canonical = |name: &str| Reference::parse(name).ok().map(Reference::with_default_tag);
        self.command.first().is_some_and(|program| program == image::HELLO_PROGRAM)
            && canonical(&self.config.image) == canonical(image::HELLO_NAME)
    }

    /// Returns what governs the container's life.
    pub(crate) fn policy(&self) -> Policy {
        Policy {
            restart: self.host.restart,
            auto_remove: self.host.auto_remove,
            // The signal was checked at creation.
            stop_signal: crate::create::stop_signal(&self.config).map_or(15, refs::Signal::number),
            stop_timeout: crate::service::patience(None, &self.config),
        }
    }

    /// Returns how the record is written: what would be gone after a power cut anyway need not wait for the disk.
    pub(crate) fn durability(&self) -> Durability {
        if self.host.auto_remove { Durability::Relaxed } else { Durability::Durable }
    }
}

/// Whether a write survives a power cut, or only the engine's death.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    Durable,
    Relaxed,
}

/// Writes a record.
///
/// # Errors
/// Those of the database.
pub(crate) fn put(
    store: &store::Store,
    id: &str,
    json: &str,
    durability: Durability,
) -> Result<(), store::Error> {
    match durability {
        Durability::Durable => store.put(KIND, id, VERSION, json),
        Durability::Relaxed => store.write_relaxed(|tx| tx.put(KIND, id, VERSION, json)),
    }
}

/// Writes the record of a new container together with those of the volumes that were made for it.
///
/// # Errors
/// Those of the database.
pub(crate) fn put_new(
    store: &store::Store,
    record: &Record,
    volumes: &[volume::Record],
) -> Result<(), store::Error> {
    // A volume outlives a container with `--rm`, if it has a name.
    if volumes.is_empty() {
        return put(store, &record.id, &record.to_json(), record.durability());
    }
    store.write(|tx| {
        volumes.iter().try_for_each(|volume| volume::put(tx, volume))?;
        tx.put(KIND, &record.id, VERSION, &record.to_json())
    })
}

/// Removes a record, and marks the volumes that go with it.
///
/// # Errors
/// Those of the database.
pub(crate) fn delete(
    store: &store::Store,
    id: &str,
    volumes: &[volume::Record],
    durability: Durability,
) -> Result<(), store::Error> {
    let delete = |tx: &store::Tx<'_>| -> Result<(), store::Error> {
        tx.delete(KIND, id)?;
        volumes.iter().try_for_each(|volume| volume::put_removing(tx, volume))
    };
    match durability {
        Durability::Durable => store.write(delete),
        Durability::Relaxed => store.write_relaxed(delete),
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use crate::machine::Intent;
    use crate::spec::testing::host_config;
    use crate::spec::{Mount, RestartPolicy};
    use refs::Digest;

    /// Returns a record with something in it.
    pub(crate) fn example() -> Record {
        let mut host = host_config();
        host.restart = RestartPolicy::OnFailure { retries: 3 };
        host.mounts = vec![Mount::Bind {
            source: "/src".into(),
            target: "/dst".into(),
            read_only: true,
            propagation: String::new(),
            non_recursive: false,
            create_source: true,
            from_volume_flag: true,
            mode: "ro".into(),
            read_only_depth: crate::spec::ReadOnlyDepth::WherePossible,
            is_inherited: false,
        }];
        Record {
            id: "a".repeat(64),
            name: "web".into(),
            created_at: 1_790_000_000_123_456_789,
            image: ImageRef { id: Digest::sha256([1; 32]), layers: vec![Digest::sha256([2; 32])] },
            driver: "overlay".into(),
            config: Config {
                image: "busybox".into(),
                cmd: Some(vec!["sh".into()]),
                env: vec!["A=b".into()],
                ..Config::default()
            },
            host,
            command: vec!["sh".into()],
            run: Run { intent: Intent::Run, pid: Some(7), started_at: Some(5), ..Run::default() },
            endpoints: None,
            health: None,
            limits_pending: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::example;
    use super::*;

    /// The bytes of version 1 must stay readable for ever: change this file only together with the version.
    #[test]
    fn version_1_stays_readable() {
        let stored = store::Record {
            key: "a".repeat(64),
            version: 1,
            json: include_str!("testdata/record-1.json").trim().to_owned(),
        };
        assert_eq!(Record::read(&stored).unwrap(), example(), "as written today: {}", example().to_json());
    }

    #[test]
    fn newer_version_is_refused() {
        let stored = store::Record { key: "x".into(), version: VERSION + 1, json: "{}".into() };
        let text = Record::read(&stored).unwrap_err().to_string();
        assert_eq!(text, "record of container x has version 2, this engine knows up to 1");
    }
}
