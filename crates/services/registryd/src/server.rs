//! What all handlers share.

use crate::error::Error;
use crate::guard::Users;
use crate::metrics::Metrics;
use crate::notify::Notifier;
use crate::uploads::Uploads;
use blocking::Blocking;
use content::Content;
use std::path::PathBuf;
use std::sync::{Mutex, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use store::Store;

/// File work that runs at once.
const DISK_JOBS: usize = 16;

/// How a registry is run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where everything is kept.
    pub root: PathBuf,
    /// The certificate and key; none for plain HTTP.
    pub tls: Option<Tls>,
    /// An htpasswd file with bcrypt hashes; none for everybody.
    pub htpasswd: Option<PathBuf>,
    /// Whether those without a password may pull.
    pub anonymous_pull: bool,
    /// Whether nothing may be pushed or deleted.
    pub read_only: bool,
    /// The most bytes that a repository may hold.
    pub quota_bytes: Option<u64>,
    /// Where pushes and deletions are told, as POST with Docker's notification envelope.
    pub webhooks: Vec<String>,
    /// Whether `/metrics` answers.
    pub metrics: bool,
    /// How often unused blobs are collected.
    pub collect_every: Duration,
    /// How long a blob that no manifest names is kept.
    pub grace: Duration,
}

/// Where certificate and key are, in PEM.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The chain of certificates.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// A registry that serves.
pub(crate) struct Server {
    pub(crate) settings: Settings,
    pub(crate) content: Content,
    pub(crate) store: Store,
    pub(crate) disk: Blocking,
    pub(crate) uploads: Mutex<Uploads>,
    /// Held for reading while something becomes held by a repository, for writing while an unheld blob goes.
    pub(crate) holding: RwLock<()>,
    pub(crate) users: Option<Users>,
    pub(crate) notifier: Notifier,
    pub(crate) metrics: Metrics,
}

impl Server {
    /// Opens what is on the disk. Blocks.
    pub(crate) fn open(settings: Settings) -> Result<Self, Error> {
        let make = |path: &PathBuf| {
            let mut builder = std::fs::DirBuilder::new();
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            builder.recursive(true).create(path).map_err(Error::file("make", path))
        };
        make(&settings.root)?;
        let store = Store::open(&settings.root.join("registry.db"))?;
        let content = Content::open(&settings.root.join("content"), store.clone())?;
        let uploads = settings.root.join("uploads");
        make(&uploads)?;
        let users = settings.htpasswd.as_deref().map(Users::read).transpose()?;
        Ok(Self {
            content,
            store,
            disk: Blocking::new(DISK_JOBS),
            uploads: Mutex::new(Uploads::open(uploads)?),
            holding: RwLock::new(()),
            users,
            notifier: Notifier::new(&settings.webhooks)?,
            metrics: Metrics::default(),
            settings,
        })
    }
}

/// Returns the seconds since 1970.
pub(crate) fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
