//! Files and directories: what layers, blobs and logs need.
//!
//! Names are taken relative to a directory's descriptor and never followed if they are symbolic links; paths that may be
//! hostile go through [`open_in_root`]. Not for mounts ([`crate::mount`]).

mod at;
mod status;
mod sync;
mod tree;
mod watch;
mod xattr;

pub use rustix::fs::OFlags;

pub use at::{
    Node, change_mode, change_mode_at, change_owner, change_owner_at, create_at, link_at, make_directory_at,
    make_node_at, open_at, open_directory, open_in_root, open_subdirectory_at, rename_at,
    rename_noreplace_at, set_length, set_times, set_times_at, symlink_at, unlink_at, unlink_directory_at,
};
pub use status::{FileSystem, Kind, Moment, Status, file_system, read_link_at, status, status_at};
pub use sync::{Lock, lock, punch_hole, start_writeback, sync, sync_data, sync_file_system, try_lock};
pub use tree::{DirectoryEntry, read_directory, remove_tree_at};
pub use watch::{Change, Changes, Watcher};
pub use xattr::{get_xattr, get_xattr_at, list_xattrs_at, remove_xattr, set_xattr, set_xattr_at};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Errno;
    use std::fs::File;
    use std::io::Write;
    use std::os::fd::AsFd;
    use std::path::{Path, PathBuf};

    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("naru-test-fs-{name}-{}", std::process::id()));
            let _ = std::fs::remove_dir_all(&path); // Left by an earlier run, if at all.
            std::fs::create_dir(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0); // Best effort.
        }
    }

    #[test]
    fn open_in_root_stays_in_the_root() {
        let place = Place::new("root");
        std::fs::create_dir_all(place.0.join("root/etc")).unwrap();
        std::fs::write(place.0.join("root/etc/passwd"), "inside").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", place.0.join("root/absolute")).unwrap();
        std::os::unix::fs::symlink("../../../etc/passwd", place.0.join("root/relative")).unwrap();
        std::os::unix::fs::symlink("/proc/self/root/etc/passwd", place.0.join("root/magic")).unwrap();
        let root = open_directory(&place.0.join("root")).unwrap();
        for path in ["etc/passwd", "/etc/passwd", "../../etc/passwd", "absolute", "relative"] {
            let file = open_in_root(root.as_fd(), Path::new(path), OFlags::RDONLY).unwrap();
            assert_eq!(std::io::read_to_string(File::from(file)).unwrap(), "inside", "{path}");
        }
        let error = open_in_root(root.as_fd(), Path::new("magic"), OFlags::RDONLY).unwrap_err();
        assert!(error.is(Errno::NOENT), "{error}");
        let error = open_at(root.as_fd(), Path::new("absolute"), OFlags::RDONLY).unwrap_err();
        assert!(error.is(Errno::LOOP), "{error}");
    }

    #[test]
    fn lock_excludes_others_until_it_is_dropped() {
        let place = Place::new("lock");
        let path = place.0.join("lock");
        let (first, second) = (File::create(&path).unwrap(), File::open(&path).unwrap());
        lock(&first, Lock::Exclusive).unwrap();
        assert!(!try_lock(&second, Lock::Exclusive).unwrap() && !try_lock(&second, Lock::Shared).unwrap());
        drop(first);
        assert!(try_lock(&second, Lock::Exclusive).unwrap());
    }

    #[test]
    fn hole_gives_space_back_and_reads_as_zeros() {
        let place = Place::new("hole");
        let path = place.0.join("file");
        let file = File::create(&path).unwrap();
        (&file).write_all(&[1; 64 << 10]).unwrap();
        sync(&file).unwrap();
        punch_hole(&file, 0, 32 << 10).unwrap();
        let found = status(&file).unwrap();
        assert_eq!((found.size_bytes, found.disk_bytes), (64 << 10, 32 << 10));
        let bytes = std::fs::read(&path).unwrap();
        assert!(
            bytes[..32 << 10].iter().all(|byte| *byte == 0)
                && bytes[32 << 10..].iter().all(|byte| *byte == 1)
        );
    }

    #[test]
    fn watcher_tells_of_writes_and_of_names_that_come_and_go() {
        let place = Place::new("watch");
        let log = place.0.join("log");
        let mut file = File::create(&log).unwrap();
        let watcher = Watcher::new().unwrap();
        let of_file = watcher.watch(&log, Changes::OfFile).unwrap();
        let of_directory = watcher.watch(&place.0, Changes::OfDirectory).unwrap();
        assert_eq!(watcher.read().unwrap(), []);
        file.write_all(b"x").unwrap();
        let changes = watcher.read().unwrap();
        assert!(
            matches!(&changes[..], [Change { watch, modified: true, .. }] if *watch == of_file),
            "{changes:?}"
        );
        std::fs::rename(&log, place.0.join("log.1")).unwrap();
        let changes = watcher.read().unwrap();
        assert!(changes.iter().any(|change| change.watch == of_file && change.gone), "{changes:?}");
        let came = |name: &str| {
            let is = |change: &Change| {
                change.watch == of_directory
                    && change.created
                    && change.name.as_deref() == Some(Path::new(name))
            };
            changes.iter().any(is)
        };
        assert!(came("log.1") && !came("log"));
        watcher.unwatch(of_file).unwrap();
        assert!(watcher.unwatch(of_file).is_err());
    }

    #[test]
    fn file_system_has_room_and_a_name() {
        let found = file_system(&std::env::temp_dir()).unwrap();
        assert!(found.total_bytes >= found.available_bytes && found.available_files > 0);
        assert!(!found.name().is_empty());
        assert_eq!(file_system(Path::new("/proc")).unwrap().name(), "0x9fa0");
    }
}
