//! Snapshots come, are written to, and go.

use crate::place::with_each;
use error::{Fault, Kind};
use refs::Digest;
use snapshot::{Driver, Error, MAX_LAYERS};

#[test]
fn writes_go_to_the_snapshot_and_upper_layers_hide_lower_ones() {
    with_each("writes", |place| {
        let (driver, bottom, top) = (place.open(), place.layer("f", "bottom"), place.layer("f", "top"));
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
        // Of a copy only the difference counts.
        let expected = if place.driver == Driver::Vfs { (6, 1) } else { (9, 2) };
        assert_eq!((usage.size_bytes, usage.inodes), expected, "{}", driver.name());
    });
}

#[test]
fn image_without_layers_can_be_mounted() {
    with_each("empty", |place| {
        let driver = place.open();
        let rootfs = driver.prepare("a", &[]).unwrap();
        assert_eq!(place.inside(&rootfs, "echo x > etc/hosts; readlink etc/mtab"), "/proc/mounts\n");
        assert_eq!(place.inside(&driver.prepare("b", &[]).unwrap(), "cat etc/hosts"), "");
    });
}

#[test]
fn removed_snapshot_is_gone_and_its_name_is_free() {
    with_each("remove", |place| {
        let (driver, layer) = (place.open(), place.layer("f", "x"));
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
    });
}

#[test]
fn invalid_requests_leave_nothing() {
    with_each("invalid", |place| {
        let driver = place.open();
        let missing = Digest::sha256([9; 32]);
        let error = driver.prepare("a", std::slice::from_ref(&missing)).unwrap_err();
        assert!(matches!(&error, Error::MissingLayer { diff_id } if *diff_id == missing), "{error}");
        for id in ["", "..", "a/b", "../a", ".hidden"] {
            assert_eq!(driver.prepare(id, &[]).unwrap_err().kind(), Kind::InvalidArgument, "{id:?}");
            assert_eq!(driver.remove(id).unwrap_err().kind(), Kind::InvalidArgument, "{id:?}");
        }
        let error = driver.prepare("a", &vec![missing; MAX_LAYERS + 1]).unwrap_err();
        assert_eq!(error.to_string(), "500 layers are more than the 499 that can be stacked");
        assert_eq!(driver.list().unwrap(), [""; 0]);
    });
}

#[test]
fn restart_keeps_what_is_noted_and_discards_the_rest() {
    with_each("restart", |place| {
        let driver = place.open();
        driver.prepare("kept", &[]).unwrap();
        let lost = driver.prepare("lost", &[]).unwrap();
        // What crashes leave: a snapshot without its directory, and a directory without its row.
        std::fs::remove_dir_all(lost.written().parent().unwrap()).unwrap();
        std::fs::create_dir(lost.written().parent().unwrap().with_file_name("orphan")).unwrap();
        let driver = place.open();
        assert_eq!(driver.list().unwrap(), ["kept", "lost"]);
        let rootfs = driver.rootfs("lost").unwrap();
        place.inside(&rootfs, "echo x > f");
        assert!(!rootfs.written().parent().unwrap().with_file_name("orphan").exists());
    });
}
