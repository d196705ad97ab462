//! Paths below a root: links, `..`, races.

use super::*;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory that is removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("naru-sys-path-{}-{number}", std::process::id()));
        fs::create_dir_all(path.join("root")).expect("a temporary directory can be made");
        Self(path)
    }

    fn root(&self) -> Root {
        Root::open(&self.0.join("root")).expect("it was just made")
    }

    fn path(&self, below: &str) -> PathBuf {
        self.0.join("root").join(below)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0); // Left-overs of a failed test hurt nobody.
    }
}

fn same(fd: &OwnedFd, path: &Path) -> bool {
    let stat = rustix::fs::fstat(fd).expect("open");
    fs::metadata(path).is_ok_and(|found| (found.dev(), found.ino()) == (stat.st_dev, stat.st_ino))
}

#[test]
fn create_dir_all_stays_inside_whatever_links_say() {
    let scratch = Scratch::new();
    let root = scratch.root();
    for (link, target, wanted, made) in [
        ("absolute", "/inside/a", "absolute/b", "inside/a/b"),
        ("dots", "../../../../dots-target", "dots/x/y", "dots-target/x/y"),
        ("host", "/etc", "host/naru", "etc/naru"),
        ("chain", "absolute2", "chain/z", "inside2/z"),
    ] {
        symlink(target, scratch.path(link)).expect("a link can be made");
        if link == "chain" {
            symlink("/inside2", scratch.path("absolute2")).expect("a link can be made");
        }
        let fd = root.create_dir_all(Path::new(wanted)).expect("it can be made");
        assert!(same(&fd, &scratch.path(made)), "{wanted} is not {made}");
    }
    assert!(!Path::new("/etc/naru").exists());
    assert!(!scratch.0.join("dots-target").exists());
}

#[test]
fn create_dir_all_refuses_loops_and_files_in_the_way() {
    let scratch = Scratch::new();
    let root = scratch.root();
    symlink("loop", scratch.path("loop")).expect("a link can be made");
    symlink("deeper/../dangling", scratch.path("dangling")).expect("a link can be made");
    fs::write(scratch.path("file"), "").expect("a file can be made");
    let errno = |path: &str| root.create_dir_all(Path::new(path)).map_err(|e| e.errno).err();
    assert_eq!(errno("loop/a"), Some(Errno::LOOP));
    assert_eq!(errno("file/a"), Some(Errno::NOTDIR));
    assert_eq!(errno("dangling/a"), Some(Errno::LOOP));
    assert_eq!(errno(&"a/".repeat(3000)), Some(Errno::NAMETOOLONG));
}

#[test]
fn create_file_makes_parents_and_follows_dangling_links_inside() {
    let scratch = Scratch::new();
    let root = scratch.root();
    symlink("/target/of/link", scratch.path("link")).expect("a link can be made");
    let fd = root.create_file(Path::new("/link"), 0o644).expect("it can be made");
    assert!(same(&fd, &scratch.path("target/of/link")));
    let again = root.create_file(Path::new("link"), 0o644).expect("it is there");
    assert!(same(&again, &scratch.path("target/of/link")));
}

#[test]
fn read_takes_regular_files_only() {
    let scratch = Scratch::new();
    let root = scratch.root();
    fs::write(scratch.path("f"), "x").expect("a file can be made");
    rustix::fs::mknodat(CWD, scratch.path("fifo"), FileType::Fifo, Mode::RWXU, 0)
        .expect("a fifo can be made");
    symlink("/proc/self/fd/0", scratch.path("magic")).expect("a link can be made");
    assert!(root.read(Path::new("f")).is_ok());
    assert_eq!(root.read(Path::new("fifo")).map_err(|e| e.errno).err(), Some(Errno::INVAL));
    assert_eq!(root.read(Path::new("magic")).map_err(|e| e.errno).err(), Some(Errno::NOENT));
    assert_eq!(root.read(Path::new("../../../../etc/passwd")).map_err(|e| e.errno).err(), Some(Errno::NOENT));
}

#[test]
fn magic_links_are_refused() {
    let root = Root::open(Path::new("/")).expect("the root can be opened");
    assert_eq!(root.locate(Path::new("/proc/self/cwd")).map_err(|e| e.errno).err(), Some(Errno::LOOP));
}

/// CVE-2021-30465, CVE-2024-45310: somebody exchanges a directory and a link to the host while we make directories.
#[test]
fn create_dir_all_never_escapes_a_racing_rename() {
    let scratch = Scratch::new();
    let outside = scratch.0.join("outside");
    fs::create_dir_all(&outside).expect("a directory can be made");
    fs::create_dir_all(scratch.path("a")).expect("a directory can be made");
    symlink("../../outside", scratch.path("b")).expect("a link can be made");
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let flags = rustix::fs::RenameFlags::EXCHANGE;
                let _ = rustix::fs::renameat_with(CWD, scratch.path("a"), CWD, scratch.path("b"), flags);
            }
        });
        let root = scratch.root();
        for number in 0..2000 {
            let _ = root.create_dir_all(&PathBuf::from(format!("a/{number}/x"))); // Losing the race may fail.
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(fs::read_dir(&outside).expect("readable").count(), 0, "a directory was made outside the root");
}
