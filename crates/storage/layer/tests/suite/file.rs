//! Layers as files: mounted, they are what the same archive becomes in a directory.

use crate::common::{Place, archive, directory, file, hardlink, symlink};
use crate::random::Random;
use layer::tar::{Time, TypeFlag, WriterEntry};
use layer::{Error, Flaw, Form, Layers, Limits, Trash};
use refs::Digest;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use sys::fs::Kind;

/// Two directories of layers: one with files, one with directories.
pub(crate) struct Both {
    files: Layers,
    directories: Layers,
    trash: Arc<Trash>,
    mounts: PathBuf,
}

impl Both {
    pub(crate) fn new(place: &Place) -> Self {
        let trash = Arc::new(Trash::open(&place.base.join("trash")).unwrap());
        let files = Layers::open(&place.base.join("files"), Arc::clone(&trash)).unwrap();
        files.prefer(Form::File);
        let directories = Layers::open(&place.base.join("directories"), Arc::clone(&trash)).unwrap();
        Self { files, directories, trash, mounts: place.base.join("files/mounts") }
    }

    /// Takes an archive in both ways, and compares.
    pub(crate) fn compare(&self, archive: &[u8], limits: &Limits) -> Result<String, Error> {
        let id = diff_id(archive);
        let noted = |_: &layer::Applied| Ok::<_, Error>(());
        let as_file = self.files.unpack(&id, archive, limits, noted);
        let as_directory = self.directories.unpack(&id, archive, limits, noted);
        let result = match (as_file, as_directory) {
            (Ok(one), Ok(other)) => {
                assert_eq!(one, other, "sizes and attributes that were left out");
                assert_eq!(self.files.form(&id), Some(Form::File));
                let shown = describe(&self.files.shown(&id).unwrap());
                let unpacked = describe(&self.directories.shown(&id).unwrap());
                let difference = shown.lines().zip(unpacked.lines()).find(|(one, other)| one != other);
                assert_eq!((difference, shown.lines().count()), (None, unpacked.lines().count()));
                assert_eq!(self.files.verify(&id).unwrap(), None);
                fsck(&self.files.file(&id));
                Ok(shown)
            }
            (Err(one), Err(_)) => Err(one),
            (Ok(_), Err(error)) => panic!("only the directory refuses: {}", error::chain(&error)),
            (Err(error), Ok(_)) => panic!("only the file refuses: {}", error::chain(&error)),
        };
        self.files.remove(&id).unwrap();
        self.directories.remove(&id).unwrap();
        result
    }
}

impl Drop for Both {
    fn drop(&mut self) {
        let _ = sys::mount::unmount(&self.mounts); // What is not mounted needs no unmounting.
        self.trash.wait_until_idle();
    }
}

fn diff_id(bytes: &[u8]) -> Digest {
    Digest::sha256(Sha256::digest(bytes).into())
}

/// Lets EROFS' own checker look at a file, if there is one that knows blocks of 512 bytes (1.6 or newer).
fn fsck(path: &Path) {
    let Ok(program) = std::env::var("NARU_TEST_FSCK_EROFS") else { return };
    let output = Command::new("sh").args(["-c", &format!("{program} {}", path.display())]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// All that is to be known of a tree, one line per name. Times of what the archive does not have are not told.
fn describe(root: &Path) -> String {
    let mut lines = Vec::new();
    let mut pending = vec![PathBuf::from(".")];
    while let Some(path) = pending.pop() {
        let full = root.join(&path);
        let directory = sys::fs::open_directory(&full).unwrap();
        lines.push(line(&path, directory.as_fd(), Path::new("."), Kind::Directory));
        for entry in sys::fs::read_directory(directory.as_fd()).unwrap() {
            let name = path.join(&entry.name);
            if entry.kind == Kind::Directory {
                pending.push(name);
            } else {
                lines.push(line(&name, directory.as_fd(), &entry.name, entry.kind));
            }
        }
    }
    lines.sort();
    lines.join("\n")
}

fn line(path: &Path, directory: std::os::fd::BorrowedFd<'_>, name: &Path, kind: Kind) -> String {
    let status = sys::fs::status_at(directory, name).unwrap().unwrap();
    let mut line = format!(
        "{} {kind:?} {:o} {}:{} {:?}",
        path.as_os_str().as_bytes().escape_ascii(),
        status.mode,
        status.uid,
        status.gid,
        status.node
    );
    if kind != Kind::Directory {
        write!(line, " links={}", status.links).unwrap();
    }
    if status.modified.seconds != 0 && status.modified.seconds < 1_600_000_000 {
        write!(line, " {}.{:09}", status.modified.seconds, status.modified.nanoseconds).unwrap();
    }
    match kind {
        Kind::Regular => {
            let fd = sys::fs::open_at(directory, name, sys::fs::OFlags::RDONLY).unwrap();
            let mut bytes = Vec::new();
            std::fs::File::from(fd).read_to_end(&mut bytes).unwrap();
            write!(line, " {} {}", status.size_bytes, diff_id(&bytes).short()).unwrap();
        }
        Kind::SymbolicLink => {
            let target = sys::fs::read_link_at(directory, name).unwrap();
            write!(line, " -> {}", target.as_os_str().as_bytes().escape_ascii()).unwrap();
        }
        _ => {}
    }
    let mut xattrs = sys::fs::list_xattrs_at(directory, name).unwrap();
    xattrs.sort();
    for xattr in xattrs {
        let value = sys::fs::get_xattr_at(directory, name, &xattr).unwrap().unwrap();
        write!(line, " {}={}", xattr.display(), value.escape_ascii()).unwrap();
    }
    line
}

fn timed(seconds: i64, nanoseconds: u32, entry: WriterEntry<'_>) -> WriterEntry<'_> {
    WriterEntry { mtime: Time { seconds, nanoseconds }, ..entry }
}

#[test]
fn every_kind_of_entry_comes_out_alike() {
    let place = Place::new("file-kinds");
    let both = Both::new(&place);
    let capability: &[u8] = &[1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let xattrs: [(&[u8], &[u8]); 5] = [
        (b"security.capability", capability),
        (b"trusted.x", b"\0\xff"),
        (b"user.name", b"value"),
        (b"user.empty", b""),
        (
            b"system.posix_acl_access",
            b"\x02\0\0\0\x01\0\x06\0\xff\xff\xff\xff\x02\0\x04\0\xe8\x03\0\0\x04\0\x04\0\xff\xff\xff\xff\x10\0\x04\0\xff\xff\xff\xff\x20\0\x04\0\xff\xff\xff\xff",
        ),
    ];
    let link_target = "t/".repeat(1000);
    let middle_target = "m".repeat(600);
    let big = "0123456789".repeat(30_000);
    let node = |name, kind, device| WriterEntry { device, mode: 0o640, ..WriterEntry::new(name, kind) };
    let long = "n".repeat(255);
    let shown = both
        .compare(
            &archive(&[
                timed(1_500_000_000, 1, directory(".")),
                timed(1_234_567_890, 123_456_789, WriterEntry { mode: 0o1777, ..directory("tmp") }),
                WriterEntry { uid: 70_000, gid: 4_000_000_000, ..file("tmp/owned", "x") },
                WriterEntry {
                    mode: 0o6755,
                    xattrs: &xattrs[..4],
                    ..timed(1, 999_999_999, file("tmp/setuid", &big))
                },
                WriterEntry { xattrs: &xattrs[4..], ..file("tmp/acl", "") },
                WriterEntry { xattrs: &xattrs[1..4], ..directory("marked") },
                WriterEntry { xattrs: &xattrs[1..2], ..symlink("marked/link", "target") },
                symlink("long", &link_target),
                symlink("middle", &middle_target),
                hardlink("other", "tmp/setuid"),
                hardlink("third", "other"),
                hardlink("link-to-link", "long"),
                node("null", TypeFlag::CharDevice, (1, 3)),
                node("disk", TypeFlag::BlockDevice, (259, 70_000)),
                node("pipe", TypeFlag::Fifo, (0, 0)),
                file(&long, "long name"),
                WriterEntry { name: b"not-utf8-\xff\xfe", ..file("", "bytes") },
                file("implied/parent/file", "y"),
                file("gone/.wh.file", ""),
                file(".wh.alone", ""),
                directory("opaque"),
                file("opaque/.wh..wh..opq", ""),
                file("exact", &"e".repeat(512)),
                file("over", &"o".repeat(513)),
            ]),
            &Limits::default(),
        )
        .unwrap();
    assert_eq!(shown.lines().count(), 26, "{shown}");
    for part in [
        "tmp Directory 1777 0:0 (0, 0) 1234567890.123456789",
        "tmp/owned Regular 644 70000:4000000000",
        "links=3 1.999999999 300000",
        "alone CharacterDevice 0 0:0 (0, 0)",
        "opaque Directory 755 0:0 (0, 0) trusted.overlay.opaque=y",
        "disk BlockDevice 640 0:0 (259, 70000)",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[test]
fn huge_directory_and_deep_tree_come_out_alike() {
    let place = Place::new("file-huge");
    let both = Both::new(&place);
    let names: Vec<String> = (0..20_000).map(|number| format!("d/{number}")).collect();
    let deep = "deep/".repeat(700) + "f";
    let mut entries: Vec<WriterEntry<'_>> = names.iter().map(|name| file(name, "")).collect();
    entries.push(file(&deep, "deep"));
    let shown = both.compare(&archive(&entries), &Limits::default()).unwrap();
    assert_eq!(shown.lines().count(), 20_000 + 700 + 3);
}

#[test]
fn sparse_files_come_out_alike_and_take_no_space() {
    let place = Place::new("file-sparse");
    let both = Both::new(&place);
    let input = place.base.join("in");
    std::fs::create_dir(&input).unwrap();
    let sparse = |name: &str, size: u64, stretches: &[(u64, usize)]| {
        let file = std::fs::File::create(input.join(name)).unwrap();
        file.set_len(size).unwrap();
        for (offset, length) in stretches {
            file.write_all_at(&vec![b'd'; *length], *offset).unwrap();
        }
    };
    sparse("holes", 10 << 20, &[(4096, 5000), (1 << 20, 1), ((10 << 20) - 100, 100)]);
    sparse("empty", 1 << 20, &[]);
    sparse("large", 3 << 30, &[(2 << 30, 70_000)]);
    for options in [&["--format=gnu"][..], &["--format=pax"], &["--format=pax", "--sparse-version=0.0"]] {
        let tar =
            Command::new("tar").args(["-S", "-c"]).args(options).arg("-C").arg(&input).arg(".").output();
        let archive = tar.unwrap().stdout;
        let id = diff_id(&archive);
        both.files.unpack(&id, &archive[..], &Limits::default(), |_| Ok::<_, Error>(())).unwrap();
        let status = std::fs::metadata(both.files.file(&id)).unwrap();
        assert!(std::os::unix::fs::MetadataExt::blocks(&status) * 512 < 1 << 20);
        let shown = both.files.shown(&id).unwrap();
        for name in ["holes", "empty", "large"] {
            let compared = Command::new("cmp").arg(shown.join(name)).arg(input.join(name)).output().unwrap();
            assert!(compared.status.success(), "{options:?} {}", String::from_utf8_lossy(&compared.stdout));
        }
        assert_eq!(both.files.verify(&id).unwrap(), None);
        fsck(&both.files.file(&id));
        both.files.remove(&id).unwrap();
    }
}

/// An archive of entries that have to do with each other: few names, much replacing.
fn random_archive(random: &mut Random) -> Vec<u8> {
    const NAMES: [&str; 7] = ["a", "b", "c", "dd", "e.f", "!", "z"];
    fn path(random: &mut Random) -> String {
        let depth = 1 + random.below(3);
        (0..depth).map(|_| NAMES[random.below(NAMES.len())]).collect::<Vec<_>>().join("/")
    }
    let count = 1 + random.below(40);
    let texts: Vec<(String, String, String)> = (0..count)
        .map(|_| {
            let target = match random.below(4) {
                0 => format!("/{}", path(random)),
                1 => format!("../{}", path(random)),
                _ => path(random),
            };
            let content = "x".repeat(random.below(2000));
            (path(random), target, content)
        })
        .collect();
    let hidden: Vec<String> = texts
        .iter()
        .map(|(path, ..)| match path.rsplit_once('/') {
            Some((parent, name)) => format!("{parent}/.wh.{name}"),
            None => format!(".wh.{path}"),
        })
        .collect();
    let opaque: Vec<String> = texts.iter().map(|(path, ..)| format!("{path}/.wh..wh..opq")).collect();
    let value = vec![b'v'; random.below(300)];
    let xattrs: [(&[u8], &[u8]); 2] = [(b"user.one", &value), (b"trusted.two", b"2")];
    let entries: Vec<WriterEntry<'_>> = texts
        .iter()
        .enumerate()
        .map(|(index, (path, target, content))| {
            let entry = match random.below(12) {
                0..=3 => file(path, content),
                4 | 5 => directory(path),
                6 => symlink(path, target),
                7 | 8 => hardlink(path, target.trim_start_matches("../").trim_start_matches('/')),
                9 => file(&hidden[index], ""),
                10 => file(&opaque[index], ""),
                _ => WriterEntry {
                    device: (5, random.below(300) as u32),
                    ..WriterEntry::new(path, TypeFlag::CharDevice)
                },
            };
            let xattrs = &xattrs[..random.below(3)];
            timed(1_000_000_000, random.below(1_000_000_000) as u32, WriterEntry { xattrs, ..entry })
        })
        .collect();
    archive(&entries)
}

#[test]
fn random_archives_come_out_alike_or_are_refused_by_both() {
    let place = Place::new("file-random");
    let both = Both::new(&place);
    let mut random = Random(0x1234_5678_9ABC_DEF1);
    let rounds = Random::rounds(300);
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..rounds {
        match both.compare(&random_archive(&mut random), &Limits::default()) {
            Ok(_) => taken += 1,
            Err(_) => refused += 1,
        }
    }
    assert!(taken > 0 && refused > 0, "{taken} taken, {refused} refused");
}

#[test]
fn damage_anywhere_in_a_file_is_found() {
    let place = Place::new("file-damage");
    let both = Both::new(&place);
    let archive = archive(&[directory("d"), file("d/f", &"x".repeat(5000)), symlink("l", "d/f")]);
    let id = diff_id(&archive);
    both.files.unpack(&id, &archive[..], &Limits::default(), |_| Ok::<_, Error>(())).unwrap();
    let path = both.files.file(&id);
    let whole = std::fs::read(&path).unwrap();
    let index = 4096 + archive.len();
    for (at, expected) in
        [(0, "Header"), (24, "Header"), (1030, "Index"), (4096 + 700, "Archive"), (index + 70, "Index")]
    {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let flaw = match both.files.verify(&id).unwrap() {
            Some(Flaw::Header) => "Header",
            Some(Flaw::Archive { .. }) => "Archive",
            Some(Flaw::Index) => "Index",
            None => "none",
        };
        assert_eq!(flaw, expected, "{at}");
    }
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(both.files.verify(&id).unwrap(), None);
    let mut read = Vec::new();
    both.files.archive(&id).unwrap().unwrap().read_to_end(&mut read).unwrap();
    assert_eq!(read, archive);
}

#[test]
fn layer_that_no_index_holds_becomes_a_directory() {
    let place = Place::new("file-fallback");
    let both = Both::new(&place);
    // More attributes on one file than an inode can carry in EROFS, and than ext4 takes; tmpfs or not, the archive is kept.
    let value = vec![b'v'; 60_000];
    let names: Vec<String> = (0..6).map(|number| format!("trusted.{number}")).collect();
    let xattrs: Vec<(&[u8], &[u8])> = names.iter().map(|name| (name.as_bytes(), &value[..])).collect();
    let archive = archive(&[WriterEntry { xattrs: &xattrs, ..file("f", "x") }]);
    let id = diff_id(&archive);
    let result = both.files.unpack(&id, &archive[..], &Limits::default(), |_| Ok::<_, Error>(()));
    match result {
        Ok(_) => assert_eq!(both.files.form(&id), Some(Form::Directory)),
        Err(error) => assert!(matches!(error, Error::Entry { .. }), "{error}"),
    }
    let left: Vec<_> = std::fs::read_dir(place.base.join("files"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with('.') || name.ends_with(".erofs"))
        .collect();
    assert_eq!(left, [""; 0]);
}

#[test]
fn file_is_mounted_once_and_removed_with_its_mount() {
    let place = Place::new("file-mount");
    let both = Both::new(&place);
    both.files.prove_files_can_be_mounted().unwrap();
    let archive = archive(&[file("f", "x")]);
    let id = diff_id(&archive);
    both.files.unpack(&id, &archive[..], &Limits::default(), |_| Ok::<_, Error>(())).unwrap();
    let shown = both.files.shown(&id).unwrap();
    assert_eq!(both.files.shown(&id).unwrap(), shown);
    // Another engine finds it mounted.
    let next = Layers::open(&place.base.join("files"), Arc::clone(&both.trash)).unwrap();
    assert_eq!(next.shown(&id).unwrap(), shown);
    let lines = || {
        let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        table.lines().filter(|line| line.contains(shown.to_str().unwrap())).count()
    };
    assert_eq!((lines(), std::fs::read_to_string(shown.join("f")).unwrap()), (1, "x".to_owned()));
    // As after a reboot.
    sys::mount::unmount(&shown).unwrap();
    assert_eq!(std::fs::read_to_string(next.shown(&id).unwrap().join("f")).unwrap(), "x");
    assert_eq!(next.unpacked(&id).unwrap(), next.files(&id));
    assert_eq!(std::fs::read_to_string(next.files(&id).join("f")).unwrap(), "x");
    next.remove(&id).unwrap();
    assert_eq!((lines(), shown.exists(), next.contains(&id)), (0, false, false));
}
