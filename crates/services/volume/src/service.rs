//! All volumes: what the API and the containers call.

use crate::local::{self, Local};
use crate::record::{self, Record};
use crate::{Error, copy_up, name, place};
use events::{Event, Events, Type};
use layer::Trash;
use refs::{Filters, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use store::Store;
use sys::fs::OFlags;

/// The driver that there is.
pub const LOCAL_DRIVER: &str = "local";

/// The label of volumes that nobody gave a name.
pub const ANONYMOUS_LABEL: &str = "com.docker.volume.anonymous";

/// A volume that is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct New {
    /// The name; empty for an anonymous one.
    pub name: String,
    /// The driver; empty for `local`.
    pub driver: String,
    /// Options of the driver.
    pub options: Option<BTreeMap<String, String>>,
    /// Labels.
    pub labels: Option<BTreeMap<String, String>>,
}

/// A volume as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeView {
    /// Its record.
    pub record: Record,
    /// What containers see, on the host.
    pub mountpoint: PathBuf,
    /// Ids of the containers that have it.
    pub users: Vec<String>,
}

/// What a prune has removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Names.
    pub names: Vec<String>,
    /// The bytes of their files.
    pub reclaimed_bytes: u64,
}

/// All volumes of the engine. Cheap to clone; every call may wait for the disk.
#[derive(Debug, Clone)]
pub struct Volumes {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    store: Store,
    trash: Arc<Trash>,
    events: Events,
    known: Mutex<BTreeMap<String, Known>>,
}

#[derive(Debug)]
struct Known {
    record: Record,
    /// Containers that have it.
    users: BTreeSet<String>,
    /// Containers that run with it.
    mounted: BTreeSet<String>,
    /// Whoever changes what is at its place holds this.
    turn: Arc<Mutex<()>>,
}

impl Known {
    fn new(record: Record) -> Self {
        Self { record, users: BTreeSet::new(), mounted: BTreeSet::new(), turn: Arc::default() }
    }
}

impl Volumes {
    /// Opens the volumes below `root`: goes on with removals that had begun, makes directories that are missing.
    ///
    /// # Errors
    /// DataLoss for records that cannot be read; those of the disk.
    pub fn open(root: &Path, store: Store, trash: Arc<Trash>, events: Events) -> Result<Self, Error> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o701).create(root);
        made.map_err(Error::file("create", root))?;
        let mut known = BTreeMap::new();
        let inner = Inner { root: root.to_owned(), store, trash, events, known: Mutex::default() };
        for mut record in record::read_all(&inner.store)? {
            inner.complete_rename(&mut record)?;
            if record.removing {
                tracing::info!(volume = record.name, "a removal that had begun is completed");
                inner.discard(&record.name)?;
                continue;
            }
            place::make(root, &record.name, &local::parse(&record.name, record.options.as_ref())?)?;
            known.insert(record.name.clone(), Known::new(record));
        }
        inner.drop_unrecorded(&known)?;
        *inner.lock() = known;
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Makes a volume, or returns the one of this name.
    ///
    /// # Errors
    /// InvalidArgument and NotFound with Docker's texts.
    pub fn create(&self, new: New) -> Result<VolumeView, Error> {
        let (view, is_new) = self.inner.reserve(new, None)?;
        if is_new {
            let record = &view.record;
            if let Err(error) = self.inner.store.write(|tx| record::put(tx, record)) {
                self.abandon(std::slice::from_ref(record), "");
                return Err(error.into());
            }
            self.announce(&view.record);
        }
        Ok(view)
    }

    /// Reserves a volume for a container, making it if it is not there. A new one is returned as such: its record is to be
    /// written by the caller, together with the container's, and then announced.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub fn reserve(&self, new: New, container: &str) -> Result<(VolumeView, bool), Error> {
        self.inner.reserve(new, Some(container))
    }

    /// Publishes that a volume was made.
    pub fn announce(&self, record: &Record) {
        self.inner.publish("create", record);
    }

    /// Forgets new volumes whose records were not written.
    pub fn abandon(&self, records: &[Record], container: &str) {
        for record in records {
            let mut known = self.inner.lock();
            let others =
                known.get(&record.name).is_some_and(|known| known.users.iter().any(|user| user != container));
            if others {
                // Somebody else has found it meanwhile: it stays, and is written for them.
                let written = self.inner.store.write(|tx| record::put(tx, record));
                if let Err(error) = written {
                    tracing::error!(volume = record.name, error = %::error::chain(&error), "record was not written");
                }
                continue;
            }
            known.remove(&record.name);
            place::remove_if_empty(&self.inner.root, &record.name);
        }
    }

    /// Returns a volume.
    ///
    /// # Errors
    /// NotFound.
    pub fn get(&self, name: &str) -> Result<VolumeView, Error> {
        let known = self.inner.lock();
        known
            .get(name)
            .map(|known| self.inner.view(known))
            .ok_or_else(|| Error::NotFound { name: name.to_owned() })
    }

    /// Returns the volumes that pass the filters `dangling`, `driver`, `label` and `name`, by name.
    ///
    /// # Errors
    /// InvalidArgument for other filters.
    pub fn list(&self, filters: &Filters) -> Result<Vec<VolumeView>, Error> {
        filters.validate(&["dangling", "driver", "label", "name"])?;
        let dangling = filters.get_bool("dangling")?;
        let known = self.inner.lock();
        let empty = BTreeMap::new();
        let is_meant = |known: &&Known| {
            dangling.is_none_or(|dangling| dangling == known.users.is_empty())
                && filters.matches_exactly("driver", &known.record.driver)
                && filters.matches_pattern("name", &known.record.name)
                && filters.matches_labels("label", known.record.labels.as_ref().unwrap_or(&empty))
        };
        Ok(known.values().filter(is_meant).map(|known| self.inner.view(known)).collect())
    }

    /// Removes a volume that nobody uses; `force` makes one that is not there no error.
    ///
    /// # Errors
    /// NotFound; Conflict if a container has it.
    pub fn remove(&self, name: &str, force: bool) -> Result<(), Error> {
        let record = {
            let mut known = self.inner.lock();
            match known.get(name) {
                None if force => return Ok(()),
                None => return Err(Error::NotFound { name: name.to_owned() }),
                Some(found) if !found.users.is_empty() => {
                    return Err(Error::InUse {
                        name: name.to_owned(),
                        users: found.users.iter().cloned().collect(),
                    });
                }
                Some(found) => {
                    // From here on nobody finds it; the record says so before the directory goes.
                    self.inner.store.write(|tx| record::put_removing(tx, &found.record))?;
                    known.remove(name).map(|known| known.record)
                }
            }
        };
        self.inner.discard(name)?;
        if let Some(record) = record {
            self.inner.publish("destroy", &record);
        }
        Ok(())
    }

    /// Removes volumes that nobody uses: anonymous ones, or with the filter `all` the others too.
    ///
    /// # Errors
    /// InvalidArgument for filters other than `label`, `label!` and `all`.
    pub fn prune(&self, filters: &Filters, all_by_default: bool) -> Result<Pruned, Error> {
        filters.validate(&["all", "label", "label!"])?;
        let all = filters.get_bool("all")?.unwrap_or(all_by_default);
        let mut pruned = Pruned::default();
        for VolumeView { record, users, mountpoint } in self.list(&Filters::default())? {
            let labels = record.labels.clone().unwrap_or_default();
            let is_meant = users.is_empty()
                && (all || labels.contains_key(ANONYMOUS_LABEL))
                && filters.matches_labels("label", &labels)
                && filters.matches_no_label("label!", &labels);
            if !is_meant {
                continue;
            }
            let bytes = place::size_bytes(&mountpoint);
            match self.remove(&record.name, false) {
                Ok(()) => {
                    pruned.names.push(record.name);
                    pruned.reclaimed_bytes = pruned.reclaimed_bytes.saturating_add(bytes);
                }
                // It was removed or used meanwhile: the others go on.
                Err(error) => {
                    tracing::warn!(volume = record.name, error = %::error::chain(&error), "volume is not pruned")
                }
            }
        }
        let reclaimed = BTreeMap::from([("reclaimed".to_owned(), pruned.reclaimed_bytes.to_string())]);
        self.inner.publish_with("prune", "", reclaimed);
        Ok(pruned)
    }

    /// Notes that a container has a volume, for containers that an engine finds when it starts. One that is missing is made:
    /// the container was promised it.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn hold(&self, name: &str, container: &str) -> Result<(), Error> {
        if let Some(known) = self.inner.lock().get_mut(name) {
            known.users.insert(container.to_owned());
            return Ok(());
        }
        tracing::warn!(volume = name, container, "a container's volume is missing and is made anew");
        let (view, _) = self.reserve(New { name: name.to_owned(), ..New::default() }, container)?;
        Ok(self.inner.store.write(|tx| record::put(tx, &view.record))?)
    }

    /// Notes that a container does not have a volume any more.
    pub fn release(&self, name: &str, container: &str) {
        if let Some(known) = self.inner.lock().get_mut(name) {
            known.users.remove(container);
        }
    }

    /// Notes that a container is gone.
    pub fn release_all(&self, container: &str) {
        for known in self.inner.lock().values_mut() {
            known.users.remove(container);
            known.mounted.remove(container);
        }
    }

    /// Completes the removal of volumes whose records were marked together with their container's.
    pub fn finish_removal(&self, records: &[Record]) {
        for record in records {
            self.inner.lock().remove(&record.name);
            match self.inner.discard(&record.name) {
                Ok(()) => self.inner.publish("destroy", record),
                Err(error) => {
                    tracing::warn!(volume = record.name, error = %::error::chain(&error), "volume stays until the next start of the engine");
                }
            }
        }
    }

    /// Returns the records of those volumes that are anonymous and that no other container has.
    pub fn own_anonymous(&self, names: &[String], container: &str) -> Vec<Record> {
        let known = self.inner.lock();
        let is_own = |known: &&Known| {
            known.record.labels.as_ref().is_some_and(|labels| labels.contains_key(ANONYMOUS_LABEL))
                && known.users.iter().all(|user| user == container)
        };
        names
            .iter()
            .filter_map(|name| known.get(name))
            .filter(is_own)
            .map(|known| known.record.clone())
            .collect()
    }

    /// Makes a volume ready for a container that starts, and returns where it lies.
    ///
    /// # Errors
    /// NotFound; Internal with Docker's text if its options cannot be mounted.
    pub fn mount(&self, name: &str, container: &str) -> Result<VolumeView, Error> {
        let (view, turn) = self.inner.find(name)?;
        let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner); // it protects nothing in memory
        let local = local::parse(name, view.record.options.as_ref())?;
        place::make(&self.inner.root, name, &local)?;
        let is_first = self.inner.lock().get(name).is_some_and(|known| known.mounted.is_empty());
        if let Some(mount) = &local.mount
            && (is_first || !place::is_mounted(&view.mountpoint))
        {
            place::unmount(&view.mountpoint)?; // of a run that an engine did not see the end of
            place::mount(&view.mountpoint, mount)?;
        }
        match self.inner.lock().get_mut(name) {
            Some(known) => known.mounted.insert(container.to_owned()),
            None => return Err(Error::NotFound { name: name.to_owned() }),
        };
        Ok(view)
    }

    /// Notes that a container that an engine finds running has a volume mounted.
    pub fn adopt(&self, name: &str, container: &str) {
        if let Some(known) = self.inner.lock().get_mut(name) {
            known.mounted.insert(container.to_owned());
        }
    }

    /// Takes back what [`Self::mount`] did; returns whether the container had it mounted.
    ///
    /// # Errors
    /// Internal if what the options had mounted cannot be taken off.
    pub fn unmount(&self, name: &str, container: &str) -> Result<bool, Error> {
        let (view, turn) = self.inner.find(name)?;
        let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner); // it protects nothing in memory
        let (was, is_last) = match self.inner.lock().get_mut(name) {
            Some(known) => (known.mounted.remove(container), known.mounted.is_empty()),
            None => (false, true),
        };
        if was && is_last && local::parse(name, view.record.options.as_ref())?.mount.is_some() {
            place::unmount(&view.mountpoint)?;
        }
        Ok(was)
    }

    /// Takes off what was mounted for containers that do not run any more.
    pub fn unmount_unused(&self) {
        let idle: Vec<VolumeView> = {
            let known = self.inner.lock();
            known
                .values()
                .filter(|known| known.mounted.is_empty())
                .map(|known| self.inner.view(known))
                .collect()
        };
        for view in idle {
            let is_mount = view.record.options.as_ref().is_some_and(|options| options.contains_key("device"));
            if is_mount && let Err(error) = place::unmount(&view.mountpoint) {
                tracing::warn!(volume = view.record.name, error = %::error::chain(&error), "volume stays mounted");
            }
        }
    }

    /// Notes that the image's content is to be copied into a new volume. The mark outlives a crash.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn expect_copy(&self, name: &str) -> Result<(), Error> {
        let mark = place::mark(&self.inner.root, name);
        fs::write(&mark, []).map_err(Error::file("write", mark))
    }

    /// Copies the image's content into a volume if it is empty, or if a copy had begun that did not end. `parts` are the
    /// directory's parts, from the top layer to the bottom one; `subpath` as in [`Self::subpath`].
    ///
    /// # Errors
    /// Internal, with the reason.
    pub fn fill(&self, name: &str, parts: &[OwnedFd]) -> Result<(), Error> {
        let (view, turn) = self.inner.find(name)?;
        let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner); // it protects nothing in memory
        let mark = place::mark(&self.inner.root, name);
        let had_begun = mark.symlink_metadata().is_ok();
        if !had_begun && !is_empty(&view.mountpoint)? {
            return Ok(());
        }
        self.expect_copy(name)?;
        copy_up(name, parts, &view.mountpoint)?;
        fs::remove_file(&mark).map_err(Error::file("remove", mark))
    }

    /// Returns whether a copy of the image's content into a volume had begun and did not end.
    pub fn expects_copy(&self, name: &str) -> bool {
        place::mark(&self.inner.root, name).symlink_metadata().is_ok()
    }

    /// Opens a path below a volume. Links are followed and never lead out of it.
    ///
    /// # Errors
    /// InvalidArgument if there is nothing.
    pub fn subpath(&self, name: &str, subpath: &Path) -> Result<OwnedFd, Error> {
        let (view, _) = self.inner.find(name)?;
        let root = sys::fs::open_directory(&view.mountpoint)?;
        sys::fs::open_in_root(std::os::fd::AsFd::as_fd(&root), subpath, OFlags::PATH)
            .map_err(|source| Error::Subpath { name: name.to_owned(), subpath: subpath.to_owned(), source })
    }

    /// Gives a volume that nobody uses another name.
    ///
    /// # Errors
    /// NotFound; Conflict if a container has it; AlreadyExists for a name that is taken.
    pub fn rename(&self, old: &str, new: &str) -> Result<(), Error> {
        name::check(new)?;
        let mut known = self.inner.lock();
        let found = known.get(old).ok_or_else(|| Error::NotFound { name: old.to_owned() })?;
        if !found.users.is_empty() {
            return Err(Error::InUse { name: old.to_owned(), users: found.users.iter().cloned().collect() });
        }
        if known.contains_key(new) || self.inner.root.join(new).symlink_metadata().is_ok() {
            return Err(Error::NameTaken { name: new.to_owned() });
        }
        let mut record =
            Record { name: new.to_owned(), previous: Some(old.to_owned()), ..found.record.clone() };
        // The record first: an engine that starts completes the rest.
        record::rename(&self.inner.store, old, &record)?;
        self.inner.complete_rename(&mut record)?;
        known.remove(old);
        self.inner.publish("rename", &record);
        known.insert(new.to_owned(), Known::new(record));
        Ok(())
    }

    /// Returns the bytes of a volume's files.
    ///
    /// # Errors
    /// NotFound.
    pub fn size_bytes(&self, name: &str) -> Result<u64, Error> {
        Ok(place::size_bytes(&self.get(name)?.mountpoint))
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner) // each change is complete in itself
    }

    fn view(&self, known: &Known) -> VolumeView {
        VolumeView {
            record: known.record.clone(),
            mountpoint: place::data(&self.root, &known.record.name),
            users: known.users.iter().cloned().collect(),
        }
    }

    fn find(&self, name: &str) -> Result<(VolumeView, Arc<Mutex<()>>), Error> {
        let known = self.lock();
        let found = known.get(name).ok_or_else(|| Error::NotFound { name: name.to_owned() })?;
        Ok((self.view(found), Arc::clone(&found.turn)))
    }

    /// Finds or makes a volume; `user` is the container that gets it.
    fn reserve(&self, new: New, user: Option<&str>) -> Result<(VolumeView, bool), Error> {
        let New { name: wanted, driver, options, mut labels } = new;
        let driver = if driver.is_empty() { LOCAL_DRIVER.to_owned() } else { driver };
        if driver != LOCAL_DRIVER {
            return Err(Error::NoDriver { name: wanted, driver });
        }
        let name = if wanted.is_empty() {
            labels.get_or_insert_default().insert(ANONYMOUS_LABEL.to_owned(), String::new());
            random_name()?
        } else {
            name::check(&wanted)?;
            wanted
        };
        let local: Local = local::parse(&name, options.as_ref())?;
        let mut known = self.lock();
        let is_new = !known.contains_key(&name);
        if is_new {
            // Before it is known to anybody: nobody finds it half made.
            place::make(&self.root, &name, &local)?;
            let record = Record {
                name: name.clone(),
                driver,
                created: Timestamp::from(SystemTime::now()),
                labels,
                options,
                removing: false,
                previous: None,
            };
            known.insert(name.clone(), Known::new(record));
        }
        let found = known.get_mut(&name).expect("it was put there above");
        found.users.extend(user.map(str::to_owned));
        Ok((self.view(found), is_new))
    }

    /// Gives a volume's directory the name that its record has.
    fn complete_rename(&self, record: &mut Record) -> Result<(), Error> {
        let Some(previous) = record.previous.take() else { return Ok(()) };
        let (from, to) = (self.root.join(previous), self.root.join(&record.name));
        if from.symlink_metadata().is_ok() && to.symlink_metadata().is_err() {
            fs::rename(&from, &to).map_err(Error::file("rename", &from))?;
        }
        Ok(self.store.write(|tx| record::put(tx, record))?)
    }

    /// Moves a volume's directory to the trash, and then forgets its record.
    fn discard(&self, name: &str) -> Result<(), Error> {
        place::unmount(&place::data(&self.root, name))?;
        let path = self.root.join(name);
        self.trash
            .take(&path)
            .map_err(|source| Error::Trash { name: name.to_owned(), source: Box::new(source) })?;
        record::delete(&self.store, name)
    }

    /// Removes directories without a record, if they hold nothing: a crash has left them. What holds something stays.
    fn drop_unrecorded(&self, known: &BTreeMap<String, Known>) -> Result<(), Error> {
        for entry in fs::read_dir(&self.root).map_err(Error::file("list", &self.root))? {
            let entry = entry.map_err(Error::file("list", &self.root))?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if known.contains_key(&name) || name::check(&name).is_err() {
                continue;
            }
            place::remove_if_empty(&self.root, &name);
            if entry.path().symlink_metadata().is_ok() {
                tracing::warn!(path = %entry.path().display(), "a directory that is no volume's stays");
            }
        }
        Ok(())
    }

    fn publish(&self, action: &str, record: &Record) {
        self.publish_with(
            action,
            &record.name,
            BTreeMap::from([("driver".to_owned(), record.driver.clone())]),
        );
    }

    fn publish_with(&self, action: &str, actor: &str, attributes: BTreeMap<String, String>) {
        self.events.publish(Event {
            kind: Type::Volume,
            action: action.to_owned(),
            actor: actor.to_owned(),
            attributes,
            time: Timestamp::from(SystemTime::now()),
        });
    }
}

fn is_empty(path: &Path) -> Result<bool, Error> {
    let directory = sys::fs::open_directory(path)?;
    Ok(sys::fs::read_directory(std::os::fd::AsFd::as_fd(&directory))?.is_empty())
}

fn random_name() -> Result<String, Error> {
    use std::io::Read as _;
    let mut bytes = [0u8; 32];
    let path = "/dev/urandom";
    let read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut bytes));
    read.map_err(Error::file("read", path))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
