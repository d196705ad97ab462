//! What all actors share: the engine's other services, its settings, the host's facts, caches.

use crate::crash::CrashPoint;
use crate::etc_files::Resolver;
use crate::facts::HostFacts;
use crate::index::Index;
use crate::machine::Nanos;
use crate::root_files::UserFiles;
use crate::seccomp_programs::SeccompPrograms;
use crate::service::Broken;
use crate::spec::{LogConfig, Ulimit};
use blocking::Blocking;
use cgroup::Cgroups;
use events::{Event, Events, Type};
use image::Images;
use launch::Launcher;
use network::Network;
use refs::{ContainerId, Timestamp};
use snapshot::Snapshotter;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::SystemTime;
use store::Store;
use volume::Volumes;

/// What the operator can choose.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The data root; containers lie below `containers/`.
    pub data_root: PathBuf,
    /// naru-init on the host, for `--init`.
    pub init_program: PathBuf,
    /// The cgroup that containers are in unless they name another parent.
    pub cgroup_parent: String,
    /// Name servers; empty for the host's.
    pub dns: Vec<IpAddr>,
    /// Search domains; empty for the host's.
    pub dns_search: Vec<String>,
    /// Resolver options; empty for the host's.
    pub dns_options: Vec<String>,
    /// The log driver of containers that name none.
    pub log: LogConfig,
    /// Limits per process that containers have unless they name others.
    pub ulimits: Vec<Ulimit>,
    /// What `host-gateway` stands for; none for the bridge's address.
    pub host_gateway: Option<IpAddr>,
    /// The size of /dev/shm of containers that name none, in bytes.
    pub shm_size_bytes: i64,
}

/// The services that containers are made of.
pub struct Parts {
    /// The database.
    pub store: Store,
    /// Images.
    pub images: Images,
    /// Root file systems.
    pub snapshots: Arc<dyn Snapshotter>,
    /// Volumes.
    pub volumes: Volumes,
    /// The network.
    pub network: Network,
    /// Supervisors.
    pub launcher: Launcher,
    /// The event log.
    pub events: Events,
    /// The machine's cgroups.
    pub cgroups: Cgroups,
    /// The pool for work on the disk.
    pub disk: Blocking,
}

/// What all actors share.
pub(crate) struct Context {
    pub(crate) settings: Settings,
    pub(crate) parts: Parts,
    pub(crate) facts: HostFacts,
    pub(crate) users: UserFiles,
    pub(crate) seccomp: SeccompPrograms,
    pub(crate) crash: CrashPoint,
    index: RwLock<Index>,
    broken: Mutex<Vec<Broken>>,
}

impl Context {
    pub(crate) fn new(settings: Settings, parts: Parts) -> Result<Self, crate::Error> {
        let facts = HostFacts::read(&parts.cgroups)?;
        Ok(Self {
            settings,
            parts,
            facts,
            users: UserFiles::default(),
            seccomp: SeccompPrograms::default(),
            crash: CrashPoint::parse(std::env::var(crate::crash::VARIABLE).ok().as_deref()),
            index: RwLock::default(),
            broken: Mutex::default(),
        })
    }

    /// Reads the index.
    pub(crate) fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(std::sync::PoisonError::into_inner) // each change is complete in itself
    }

    /// Changes the index.
    pub(crate) fn index_mut(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(std::sync::PoisonError::into_inner) // see `index`
    }

    /// Returns the containers that were set aside.
    pub(crate) fn broken(&self) -> MutexGuard<'_, Vec<Broken>> {
        self.broken.lock().unwrap_or_else(std::sync::PoisonError::into_inner) // see `index`
    }

    /// Returns a container's data directory.
    pub(crate) fn directory(&self, id: &ContainerId) -> PathBuf {
        self.settings.data_root.join("containers").join(id.as_str())
    }

    /// Returns the engine's part of name resolution.
    pub(crate) fn resolver(&self) -> Resolver {
        Resolver {
            servers: self.settings.dns.clone(),
            search: self.settings.dns_search.clone(),
            options: self.settings.dns_options.clone(),
        }
    }

    /// Publishes an event.
    pub(crate) fn publish(
        &self,
        kind: Type,
        action: &str,
        actor: &str,
        attributes: BTreeMap<String, String>,
    ) {
        self.parts.events.publish(Event {
            kind,
            action: action.to_owned(),
            actor: actor.to_owned(),
            attributes,
            time: Timestamp(now()),
        });
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// Returns the present time.
pub(crate) fn now() -> Nanos {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Nanos::try_from(since_1970.as_nanos()).unwrap_or(Nanos::MAX)
}
