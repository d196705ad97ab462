//! Where containers are kept: one directory per container below `--root`.
//!
//! ```text
//! ROOT/ID/state.json    the record below, replaced by rename
//! ROOT/ID/config.json   the configuration as it was at create
//! ROOT/ID/start.sock    where the created process waits; gone once it was started
//! ```
//! The directory itself is locked (flock) by every command that changes the container. `state.json` is written before the
//! process exists, so that whatever is interrupted, `delete --force` finds what to remove.

use crate::Error;
use cgroup::{Cgroup, Cgroups};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use sys::fs::Lock;

/// The version of the record.
const VERSION: u32 = 1;

/// What is known about a container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record {
    /// The record's version.
    pub(crate) version: u32,
    /// The container's id.
    pub(crate) id: String,
    /// The version of the specification that its configuration follows.
    pub(crate) oci_version: String,
    /// Its first process; 0 while it is created.
    pub(crate) pid: i32,
    /// When that began, in clock ticks since boot: tells it from a later process with the same id.
    pub(crate) start_time: u64,
    /// Absolute path of the bundle.
    pub(crate) bundle: PathBuf,
    /// Absolute path of the root file system.
    pub(crate) rootfs: PathBuf,
    /// When it was created, RFC 3339.
    pub(crate) created: String,
    /// The path of its cgroup; empty if it has none.
    pub(crate) cgroup: String,
    /// Whether other processes of it can outlive the first one.
    pub(crate) shares_processes: bool,
    /// Whether it has hooks that run after its start or its end.
    #[serde(default)]
    pub(crate) has_hooks: bool,
    /// The configuration's annotations.
    pub(crate) annotations: BTreeMap<String, String>,
    /// What the waiting process still has before it: for the text of an error at its start.
    #[serde(default)]
    pub(crate) waiting: Waiting,
}

/// What the waiting process still has before it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Waiting {
    from: usize,
    names: Vec<(String, String)>,
    program: String,
    cwd: String,
}

impl From<runtime::Waiting> for Waiting {
    fn from(waiting: runtime::Waiting) -> Self {
        let runtime::Waiting { labels, program, cwd } = waiting;
        Self { from: labels.from, names: labels.names, program, cwd }
    }
}

impl From<Waiting> for runtime::Waiting {
    fn from(waiting: Waiting) -> Self {
        let Waiting { from, names, program, cwd } = waiting;
        Self { labels: runtime::Labels { from, names }, program, cwd }
    }
}

/// The directory of all containers.
#[derive(Debug)]
pub(crate) struct Store {
    root: PathBuf,
}

/// A container's directory, locked as long as this lives. A new one that is not kept is removed again.
#[derive(Debug)]
pub(crate) struct Place {
    directory: PathBuf,
    _lock: OwnedFd,
    is_new: bool,
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.is_new {
            let _ = self.remove_all(); // The error that led here is the one to report.
        }
    }
}

/// A container that exists.
#[derive(Debug)]
pub(crate) struct Container {
    /// Its directory, locked.
    pub(crate) place: Place,
    /// What is known about it.
    pub(crate) record: Record,
}

/// Where a container stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// Its process is being made.
    Creating,
    /// Its process waits for start.
    Created,
    /// Its program runs.
    Running,
    /// Its processes are frozen.
    Paused,
    /// Its process has ended.
    Stopped,
}

impl Status {
    /// Returns the name, as the specification and runc have it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
        }
    }
}

/// Checks a container's id.
///
/// # Errors
/// InvalidArgument for one that is empty, `.`, `..`, or has other characters than letters, digits and `_+-.`.
pub(crate) fn check_id(id: &str) -> Result<(), Error> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "_+-.".contains(c);
    if id.is_empty() || id.len() > 1024 || id == "." || id == ".." || !id.chars().all(fine) {
        return Err(Error::Id(id.to_owned()));
    }
    Ok(())
}

impl Store {
    /// Returns the store below a directory, which need not exist.
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Makes the directory of a new container, locked.
    ///
    /// # Errors
    /// AlreadyExists if the id is taken.
    pub(crate) fn reserve(&self, id: &str) -> Result<Place, Error> {
        check_id(id)?;
        let directory = self.root.join(id);
        let make = || DirBuilder::new().mode(0o711).create(&directory);
        let made = match make() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let root = DirBuilder::new().recursive(true).mode(0o700).create(&self.root);
                root.map_err(Error::file("create", &self.root))?;
                make()
            }
            made => made,
        };
        match made {
            Ok(()) => {
                let mut place = Place::lock(directory, Lock::Exclusive)?;
                place.is_new = true;
                Ok(place)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(Error::Exists(id.to_owned())),
            Err(error) => Err(Error::file("create", directory)(error)),
        }
    }

    /// Opens a container to change it: waits until nobody else does.
    ///
    /// # Errors
    /// NotFound if there is none.
    pub(crate) fn open(&self, id: &str) -> Result<Container, Error> {
        self.find(id, Lock::Exclusive)
    }

    /// Opens a container that must not change meanwhile.
    ///
    /// # Errors
    /// NotFound if there is none.
    pub(crate) fn open_shared(&self, id: &str) -> Result<Container, Error> {
        self.find(id, Lock::Shared)
    }

    fn find(&self, id: &str, lock: Lock) -> Result<Container, Error> {
        let place = self.place(id, lock)?.ok_or_else(|| Error::Missing(id.to_owned()))?;
        let record = place.record()?.ok_or_else(|| Error::Missing(id.to_owned()))?;
        Ok(Container { place, record })
    }

    /// Returns the directory of a container, locked; none if there is none. It may have no record.
    ///
    /// # Errors
    /// InvalidArgument for what is no id.
    pub(crate) fn place(&self, id: &str, lock: Lock) -> Result<Option<Place>, Error> {
        check_id(id)?;
        match Place::lock(self.root.join(id), lock) {
            Ok(place) => Ok(Some(place)),
            Err(Error::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns what is known about a container, without waiting for who changes it.
    ///
    /// # Errors
    /// NotFound if there is none.
    pub(crate) fn look(&self, id: &str) -> Result<Seen, Error> {
        check_id(id)?;
        let directory = self.root.join(id);
        let record = read(&directory)?.ok_or_else(|| Error::Missing(id.to_owned()))?;
        Ok(Seen { directory, record })
    }

    /// Returns all containers, sorted by id.
    ///
    /// # Errors
    /// Those of reading the directory; records that cannot be read are left out with a word to `complain`.
    pub(crate) fn all(&self, complain: &mut dyn FnMut(&Error)) -> Result<Vec<Seen>, Error> {
        let entries = match fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::file("read", &self.root)(error)),
        };
        let mut ids: Vec<_> =
            entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
        ids.sort();
        let mut seen = Vec::new();
        for id in ids.iter().filter(|id| check_id(id).is_ok()) {
            match self.look(id) {
                Ok(container) => seen.push(container),
                Err(Error::Missing(_)) => {} // It went meanwhile, or is no container's directory.
                Err(error) => complain(&error),
            }
        }
        Ok(seen)
    }
}

impl Place {
    fn lock(directory: PathBuf, lock: Lock) -> Result<Self, Error> {
        let flags = sys::fs::OFlags::DIRECTORY | sys::fs::OFlags::NOFOLLOW;
        let flags = i32::try_from(flags.bits()).unwrap_or(0); // Two bits that fit.
        let opened = File::options().read(true).custom_flags(flags).open(&directory);
        let fd = OwnedFd::from(opened.map_err(Error::file("open", &directory))?);
        sys::fs::lock(&fd, lock).map_err(Error::sys(format!("lock {}", directory.display())))?;
        Ok(Self { directory, _lock: fd, is_new: false })
    }

    /// Returns the path of a file in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Returns the record; none if there is none.
    ///
    /// # Errors
    /// InvalidArgument for one that cannot be read, or of a newer version.
    pub(crate) fn record(&self) -> Result<Option<Record>, Error> {
        read(&self.directory)
    }

    /// Writes the record. Whoever reads it sees the old one or the new one.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn write(&self, record: &Record) -> Result<(), Error> {
        let bytes = serde_json::to_vec(record)
            .map_err(|error| Error::file("write", self.path(STATE))(error.into()))?;
        replace(&self.path(STATE), &bytes, 0o600)
    }

    /// Removes the directory: first all but the record, so that it can be tried again.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn remove(mut self) -> Result<(), Error> {
        self.is_new = false;
        self.remove_all()
    }

    /// Lets it stay.
    pub(crate) fn keep(mut self) {
        self.is_new = false;
    }

    fn remove_all(&self) -> Result<(), Error> {
        for name in [START, CONFIG, STATE] {
            match fs::remove_file(self.path(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::file("remove", self.path(name))(error));
                }
                _ => {}
            }
        }
        fs::remove_dir_all(&self.directory).map_err(Error::file("remove", &self.directory))
    }
}

const STATE: &str = "state.json";
/// The configuration as it was at create.
pub(crate) const CONFIG: &str = "config.json";
/// Where the created process waits.
pub(crate) const START: &str = "start.sock";

impl Record {
    /// Returns the record of a container that is about to be made.
    pub(crate) fn new(
        id: &str,
        spec: &oci::runtime::Spec,
        bundle: &Path,
        rootfs: &Path,
        created: String,
    ) -> Self {
        let linux = spec.linux.as_ref();
        let own = |namespace: &&oci::runtime::Namespace| {
            namespace.kind == oci::runtime::NamespaceType::Pid && namespace.path.is_none()
        };
        Self {
            version: VERSION,
            id: id.to_owned(),
            oci_version: spec.oci_version.clone(),
            pid: 0,
            start_time: 0,
            bundle: bundle.to_owned(),
            rootfs: rootfs.to_owned(),
            created,
            cgroup: linux.map(|linux| linux.cgroups_path.clone()).unwrap_or_default(),
            shares_processes: linux.and_then(|linux| linux.namespaces.iter().find(own)).is_none(),
            has_hooks: crate::hooks::are_there(spec.hooks.as_ref()),
            annotations: spec.annotations.clone(),
            waiting: Waiting::default(),
        }
    }

    /// Returns the container's cgroup.
    ///
    /// # Errors
    /// Unavailable without cgroups, Conflict for a container that has none.
    pub(crate) fn cgroup(&self) -> Result<Cgroup, Error> {
        if self.cgroup.is_empty() {
            return Err(Error::Status("the container has no cgroup: who created it may not make one".into()));
        }
        Ok(Cgroup::open(&Cgroups::detect()?, &self.cgroup)?)
    }

    /// Returns a descriptor for the first process; none if it has ended.
    pub(crate) fn process(&self) -> Option<OwnedFd> {
        if self.pid <= 0 {
            return None;
        }
        // In this order: the descriptor is of the process that is looked at, if that is ours afterwards.
        let pidfd = sys::process::open(self.pid).ok()?;
        (start_time(self.pid)? == self.start_time).then_some(pidfd)
    }

    /// Returns where the container stands, whose lock is held. `directory` is its own.
    fn status(&self, directory: &Path) -> Status {
        if self.pid == 0 {
            return Status::Stopped; // Who was making it has died, or it would hold the lock.
        }
        if self.process().is_none() {
            return Status::Stopped;
        }
        let socket = directory.join(START);
        if socket.exists() && runtime::waits(&socket) {
            return Status::Created;
        }
        match self.cgroup().and_then(|cgroup| Ok(cgroup.frozen()?)) {
            Ok(true) => Status::Paused,
            _ => Status::Running,
        }
    }
}

impl Place {
    fn try_lock(directory: &Path) -> bool {
        let Ok(file) = File::open(directory) else { return false };
        sys::fs::try_lock(&file, Lock::Shared).unwrap_or(false)
    }
}

/// A container that somebody may be changing.
#[derive(Debug)]
pub(crate) struct Seen {
    directory: PathBuf,
    /// What is known about it.
    pub(crate) record: Record,
}

impl Seen {
    /// Returns where it stands.
    pub(crate) fn status(&self) -> Status {
        if self.record.pid == 0 && !Place::try_lock(&self.directory) {
            return Status::Creating;
        }
        self.record.status(&self.directory)
    }

    /// Returns the user to whom it belongs.
    pub(crate) fn owner(&self) -> u32 {
        fs::metadata(&self.directory).map(|found| found.uid()).unwrap_or(0)
    }
}

impl Container {
    /// Returns where it stands.
    pub(crate) fn status(&self) -> Status {
        self.record.status(&self.place.directory)
    }
}

fn read(directory: &Path) -> Result<Option<Record>, Error> {
    let path = directory.join(STATE);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::file("read", path)(error)),
    };
    let record: Record = match serde_json::from_slice(&bytes) {
        Ok(record) => record,
        Err(error) => return Err(Error::Content { path, text: error.to_string() }),
    };
    if record.version != VERSION {
        let text = format!("version {} is not {VERSION}: a newer naru-run wrote it", record.version);
        return Err(Error::Content { path, text });
    }
    Ok(Some(record))
}

/// Writes a file under another name and renames it.
///
/// # Errors
/// Those of the file system.
pub(crate) fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Error> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    let write = || {
        let mut file = File::options().write(true).create_new(true).mode(mode).open(&temporary)?;
        file.write_all(bytes)?;
        fs::rename(&temporary, path)
    };
    write().map_err(|error| {
        let _ = fs::remove_file(&temporary); // The first error is the one to report.
        Error::file("write", path)(error)
    })
}

/// Returns when a process began, in clock ticks since boot; none if it has ended.
///
/// # Source
/// man 5 proc_pid_stat
pub(crate) fn start_time(pid: i32) -> Option<u64> {
    let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
    // The name is in parentheses and may have any byte in it.
    let end = text.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(text.get(end + 1..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X" | "x") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("naru-ocirun-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path); // Of an earlier process with this id.
        path
    }

    #[test]
    fn ids_that_could_leave_the_directory_are_refused() {
        for id in ["", ".", "..", "../x", "a/b", "a b", "a\0", "ä"] {
            assert!(matches!(check_id(id), Err(Error::Id(_))), "{id:?}");
        }
        for id in ["a", "A-1_b+c.d", "..a", "-x"] {
            assert!(check_id(id).is_ok(), "{id:?}");
        }
    }

    #[test]
    fn record_is_read_as_it_was_written_and_a_newer_one_is_refused() {
        let root = directory("store");
        let store = Store::new(root.clone());
        let place = store.reserve("x").expect("new");
        assert!(matches!(store.reserve("x"), Err(Error::Exists(_))));
        assert!(matches!(store.look("x"), Err(Error::Missing(_))), "it has no record yet");
        let spec = oci::runtime::Spec::default();
        let mut record = Record::new("x", &spec, Path::new("/b"), Path::new("/b/r"), "now".into());
        record.waiting = Waiting { from: 3, names: vec![("a".into(), "b".into())], ..Waiting::default() };
        place.write(&record).expect("written");
        assert_eq!(store.look("x").expect("there").record, record);
        assert_eq!(store.look("x").expect("there").status(), Status::Creating);
        record.version = 2;
        place.write(&record).expect("written");
        let error = store.look("x").expect_err("newer").to_string();
        assert!(error.ends_with("version 2 is not 1: a newer naru-run wrote it"), "{error}");
        place.keep();
        let place = store.place("x", Lock::Exclusive).expect("fine").expect("there");
        place.remove().expect("removed");
        assert!(!root.join("x").exists());
        fs::remove_dir_all(root).expect("removed");
    }

    #[test]
    fn own_process_has_a_start_time_and_an_ended_one_has_none() {
        let own = i32::try_from(std::process::id()).expect("fits");
        assert!(start_time(own).is_some_and(|time| time > 0));
        let mut child = std::process::Command::new("true").spawn().expect("starts");
        let pid = i32::try_from(child.id()).expect("fits");
        child.wait().expect("ends");
        assert_eq!(start_time(pid), None);
    }
}
