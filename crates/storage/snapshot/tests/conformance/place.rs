//! What the tests share: a data root of their own for each driver, layers out of entries, mounted snapshots.

use layer::tar::{TypeFlag, Writer, WriterEntry};
use layer::{Layers, Limits, Trash};
use refs::Digest;
use sha2::{Digest as _, Sha256};
use snapshot::{Driver, Rootfs, Snapshotter};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use store::{LayerRow, Store};

/// All drivers.
pub(crate) const DRIVERS: [Driver; 3] = [Driver::Overlay, Driver::Erofs, Driver::Vfs];

/// Runs a test with each driver on a data root of its own.
pub(crate) fn with_each(name: &str, test: impl Fn(&Place)) {
    for driver in DRIVERS {
        test(&Place::new(name, driver));
    }
}

pub(crate) struct Place {
    pub(crate) base: PathBuf,
    pub(crate) layers: Arc<Layers>,
    pub(crate) trash: Arc<Trash>,
    pub(crate) store: Store,
    pub(crate) driver: Driver,
}

/// A mounted snapshot; it ends with its descriptor.
pub(crate) struct Mounted(OwnedFd);

impl Place {
    pub(crate) fn new(name: &str, driver: Driver) -> Self {
        let name = format!("naru-test-snapshot-{name}-{driver:?}-{}", std::process::id());
        let base = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&base); // Left by an earlier run, if at all.
        std::fs::create_dir(&base).unwrap();
        let trash = Arc::new(Trash::open(&base.join("trash")).unwrap());
        let layers = Arc::new(Layers::open(&base.join("layers"), Arc::clone(&trash)).unwrap());
        let place = Self { layers, trash, store: Store::open(&base.join("naru.db")).unwrap(), base, driver };
        place.open(); // It decides on the form of layers.
        place
    }

    /// Opens the driver, as each start of the engine does.
    pub(crate) fn open(&self) -> Arc<dyn Snapshotter> {
        self.open_as(self.driver)
    }

    pub(crate) fn open_as(&self, driver: Driver) -> Arc<dyn Snapshotter> {
        let (layers, trash) = (Arc::clone(&self.layers), Arc::clone(&self.trash));
        let paths = (&*self.base.join("snapshots"), &*self.base.join("layers"));
        snapshot::open(Some(driver), paths, layers, trash, self.store.clone()).unwrap()
    }

    /// Makes a layer with one file.
    pub(crate) fn layer(&self, name: &str, content: &str) -> Digest {
        self.layer_of(&[file(name, content)])
    }

    pub(crate) fn layer_of(&self, entries: &[WriterEntry<'_>]) -> Digest {
        let mut writer = Writer::new(Vec::new());
        for entry in entries {
            writer.entry(entry).unwrap();
        }
        self.layer_from(&writer.finish().unwrap())
    }

    pub(crate) fn layer_from(&self, archive: &[u8]) -> Digest {
        let diff_id = Digest::sha256(Sha256::digest(archive).into());
        self.layers.unpack(&diff_id, archive, &Limits::default(), |_| Ok::<_, layer::Error>(())).unwrap();
        let row = LayerRow { diff_id: diff_id.clone(), size_bytes: 1, blob: None, created_ns: 1 };
        self.store.write(|tx| tx.add_layer(&row)).unwrap();
        diff_id
    }

    /// Runs a shell command in the mounted root file system.
    pub(crate) fn inside(&self, rootfs: &Rootfs, command: &str) -> String {
        mount(rootfs).run(command)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.trash.wait_until_idle();
        let _ = sys::mount::unmount(&self.base.join("layers/mounts")); // Only the erofs driver mounts there.
        let _ = std::fs::remove_dir_all(&self.base); // Best effort.
    }
}

impl Mounted {
    /// Runs a shell command in it and returns what it prints.
    pub(crate) fn run(&self, command: &str) -> String {
        let here = format!("/proc/self/fd/{}", self.0.as_raw_fd());
        let mut shell = Command::new("sh");
        let output = shell.args(["-ec", command]).env("LC_ALL", "C").current_dir(here).output().unwrap();
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// Mounts a root file system as the supervisor does, nowhere.
pub(crate) fn mount(rootfs: &Rootfs) -> Mounted {
    let (lower, upper, work) = match rootfs {
        Rootfs::Directory { path, .. } => return Mounted(sys::fs::open_directory(path).unwrap()),
        Rootfs::Overlay { lower, upper, work } => (lower, upper, work),
    };
    let context = sys::mount::fsopen("overlay").unwrap();
    let set =
        |key, path: &PathBuf| sys::mount::fsconfig_string(&context, key, path.to_str().unwrap()).unwrap();
    for layer in lower {
        set("lowerdir+", layer);
    }
    set("upperdir", upper);
    set("workdir", work);
    for (key, value) in [("index", "off"), ("xino", "on")] {
        sys::mount::fsconfig_string(&context, key, value).unwrap();
    }
    sys::mount::fsconfig_create(&context).unwrap();
    Mounted(sys::mount::fsmount(&context, 0).unwrap())
}

pub(crate) fn file<'a>(name: &'a str, content: &'a str) -> WriterEntry<'a> {
    WriterEntry { bytes: content.as_bytes(), mode: 0o644, ..WriterEntry::new(name, TypeFlag::Regular) }
}

pub(crate) fn directory(name: &str) -> WriterEntry<'_> {
    WriterEntry::new(name, TypeFlag::Directory)
}

pub(crate) fn link<'a>(kind: TypeFlag, name: &'a str, target: &'a str) -> WriterEntry<'a> {
    WriterEntry { link: target.as_bytes(), ..WriterEntry::new(name, kind) }
}
