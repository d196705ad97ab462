//! What every snapshot driver must do. A new driver is one more line in `drivers`.

use error::{Fault, Kind};
use layer::tar::{TypeFlag, Writer, WriterEntry};
use layer::{Layers, Limits, Trash};
use refs::Digest;
use sha2::{Digest as _, Sha256};
use snapshot::{Error, Overlay, Rootfs, Snapshotter};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use store::{LayerRow, Store};

struct Place {
    base: PathBuf,
    layers: Arc<Layers>,
    trash: Arc<Trash>,
    store: Store,
}

impl Place {
    fn new(name: &str) -> Self {
        let base = std::env::temp_dir().join(format!("naru-test-snapshot-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&base); // Left by an earlier run, if at all.
        std::fs::create_dir(&base).unwrap();
        let trash = Arc::new(Trash::open(&base.join("trash")).unwrap());
        let layers = Arc::new(Layers::open(&base.join("layers"), Arc::clone(&trash)).unwrap());
        Self { layers, trash, store: Store::open(&base.join("naru.db")).unwrap(), base }
    }

    fn drivers(&self) -> Vec<Box<dyn Snapshotter>> {
        let (layers, trash) = (Arc::clone(&self.layers), Arc::clone(&self.trash));
        let base = self.base.join("layers");
        vec![Box::new(
            Overlay::open(&self.base.join("overlay"), &base, layers, trash, self.store.clone()).unwrap(),
        )]
    }

    /// Makes a layer with one file.
    fn layer(&self, name: &str, content: &str) -> Digest {
        let mut writer = Writer::new(Vec::new());
        let entry = WriterEntry { bytes: content.as_bytes(), ..WriterEntry::new(name, TypeFlag::Regular) };
        writer.entry(&entry).unwrap();
        let archive = writer.finish().unwrap();
        let diff_id = Digest::sha256(Sha256::digest(&archive).into());
        self.layers
            .unpack(&diff_id, &archive[..], &Limits::default(), |_| Ok::<_, layer::Error>(()))
            .unwrap();
        let row = LayerRow { diff_id: diff_id.clone(), size_bytes: 1, blob: None, created_ns: 1 };
        self.store.write(|tx| tx.add_layer(&row)).unwrap();
        diff_id
    }

    /// Runs a shell command in the mounted root file system, in a mount namespace of its own.
    fn inside(&self, rootfs: &Rootfs, command: &str) -> String {
        let Rootfs::Overlay { lower, upper, work } = rootfs else { panic!("{rootfs:?}") };
        let lower: Vec<String> = lower.iter().map(|path| path.display().to_string()).collect();
        let merged = self.base.join("merged");
        std::fs::create_dir_all(&merged).unwrap();
        let script = format!(
            "mount -t overlay overlay -o lowerdir={},upperdir={},workdir={} {} && cd {} && {command}",
            lower.join(":"),
            upper.display(),
            work.display(),
            merged.display(),
            merged.display()
        );
        let output = Command::new("unshare").args(["-m", "sh", "-ec", &script]).output().unwrap();
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.trash.wait_until_idle();
        let _ = std::fs::remove_dir_all(&self.base); // Best effort.
    }
}

#[test]
fn writes_go_to_the_snapshot_and_upper_layers_hide_lower_ones() {
    let place = Place::new("writes");
    let (bottom, top) = (place.layer("f", "bottom"), place.layer("f", "top"));
    for driver in place.drivers() {
        let a = driver.prepare("a", &[bottom.clone(), top.clone()]).unwrap();
        assert_eq!(
            place.inside(&a, "cat f; echo mine > f; echo new > g; cat f g; stat -c %a ."),
            "topmine\nnew\n755\n"
        );
        assert_eq!(place.inside(&driver.rootfs("a").unwrap(), "cat f g"), "mine\nnew\n");
        let b = driver.prepare("b", std::slice::from_ref(&bottom)).unwrap();
        assert_eq!(
            place.inside(&b, "cat f; rm f; ls -A | tr '\\n' ' '"),
            "bottom.dockerenv dev etc proc sys "
        );
        assert_eq!(driver.list().unwrap(), ["a", "b"]);
        let usage = driver.usage("a").unwrap();
        assert_eq!((usage.size_bytes, usage.inodes), (9, 2), "{}", driver.name());
    }
}

#[test]
fn image_without_layers_can_be_mounted() {
    let place = Place::new("empty");
    for driver in place.drivers() {
        let rootfs = driver.prepare("a", &[]).unwrap();
        assert_eq!(place.inside(&rootfs, "echo x > etc/hosts; readlink etc/mtab"), "/proc/mounts\n");
        assert_eq!(place.inside(&driver.prepare("b", &[]).unwrap(), "cat etc/hosts"), "");
    }
}

#[test]
fn removed_snapshot_is_gone_and_its_name_is_free() {
    let place = Place::new("remove");
    let layer = place.layer("f", "x");
    for driver in place.drivers() {
        let rootfs = driver.prepare("a", std::slice::from_ref(&layer)).unwrap();
        place.inside(&rootfs, "mkdir -p d/e; echo x > d/e/f");
        assert_eq!(driver.prepare("a", &[]).unwrap_err().kind(), Kind::AlreadyExists);
        assert!(place.store.write(|tx| tx.delete_layer(&layer)).is_err(), "the snapshot holds its layer");
        driver.remove("a").unwrap();
        driver.remove("a").unwrap();
        assert!(!rootfs.written().exists());
        assert_eq!(driver.rootfs("a").unwrap_err().kind(), Kind::NotFound);
        assert_eq!(driver.usage("a").unwrap_err().kind(), Kind::NotFound);
        let again = driver.prepare("a", std::slice::from_ref(&layer)).unwrap();
        assert_eq!(place.inside(&again, "ls -d d || true"), "");
        driver.remove("a").unwrap();
        place.trash.wait_until_idle();
        assert_eq!(std::fs::read_dir(place.trash.path()).unwrap().count(), 0);
    }
}

#[test]
fn invalid_requests_leave_nothing() {
    let place = Place::new("invalid");
    for driver in place.drivers() {
        let missing = Digest::sha256([9; 32]);
        let error = driver.prepare("a", std::slice::from_ref(&missing)).unwrap_err();
        assert!(matches!(&error, Error::MissingLayer { diff_id } if *diff_id == missing), "{error}");
        for id in ["", "..", "a/b", "../a", ".hidden"] {
            assert_eq!(driver.prepare(id, &[]).unwrap_err().kind(), Kind::InvalidArgument, "{id:?}");
            assert_eq!(driver.remove(id).unwrap_err().kind(), Kind::InvalidArgument, "{id:?}");
        }
        let error = driver.prepare("a", &vec![missing; 126]).unwrap_err();
        assert_eq!(error.to_string(), "126 layers are more than the 125 that can be stacked");
        assert_eq!(driver.list().unwrap(), [""; 0]);
    }
}

#[test]
fn restart_keeps_what_is_noted_and_discards_the_rest() {
    let place = Place::new("restart");
    for driver in place.drivers() {
        driver.prepare("kept", &[]).unwrap();
        let lost = driver.prepare("lost", &[]).unwrap();
        // What crashes leave: a snapshot without its directory, and a directory without its row.
        std::fs::remove_dir_all(lost.written().parent().unwrap()).unwrap();
        std::fs::create_dir(lost.written().parent().unwrap().with_file_name("orphan")).unwrap();
    }
    for driver in place.drivers() {
        assert_eq!(driver.list().unwrap(), ["kept", "lost"]);
        let rootfs = driver.rootfs("lost").unwrap();
        place.inside(&rootfs, "echo x > f");
        assert!(!rootfs.written().parent().unwrap().with_file_name("orphan").exists());
    }
}
