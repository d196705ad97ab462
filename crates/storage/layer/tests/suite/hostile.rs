//! Archives that want to write where they may not, or to cost more than they may.

use crate::common::{Place, archive, directory, file, hardlink, symlink, tree};
use crate::file::Both;
use error::{Fault, Kind, chain};
use layer::tar::{Time, TypeFlag, WriterEntry};
use layer::{Error, Limits};
use std::io::Write;

/// What a hostile archive comes to: the tree, or the error's text.
fn outcome(place: &Place, entries: &[WriterEntry<'_>]) -> Result<String, String> {
    let archive = archive(entries);
    let beside = Place::new("hostile-file");
    let as_file = Both::new(&beside).compare(&archive, &Limits::default());
    let applied = place.apply(&archive);
    assert_eq!(as_file.is_ok(), applied.is_ok(), "as a file: {as_file:?}");
    match applied {
        Ok(_) => Ok(tree(&place.root())),
        Err(error) => Err(chain(&error)),
    }
}

#[test]
fn nothing_in_an_archive_leaves_the_root() {
    let long = "x".repeat(256);
    let deep = "d/".repeat(2100) + "f";
    type Case<'a> = (&'a str, Vec<WriterEntry<'a>>, Result<&'a str, &'a str>);
    let outside =
        format!("{}/naru-test-layer-hostile-{}/outside", std::env::temp_dir().display(), std::process::id());
    let outside_secret = format!("{outside}/secret");
    let relative_outside = "../outside";
    let cases: Vec<Case<'_>> = vec![
        ("absolute name", vec![file("/etc/passwd", "x")], Ok("etc/ 755\netc/passwd 644 \"x\"")),
        ("dot dot", vec![file("../outside/new", "x")], Err("leads out of the layer")),
        ("dot dot behind a directory", vec![file("a/../../outside/new", "x")], Err("leads out of the layer")),
        ("absolute dot dot", vec![file("/../outside/new", "x")], Err("leads out of the layer")),
        (
            "absolute link as parent",
            vec![symlink("l", &outside), file("l/new", "x")],
            // The link is resolved inside the root, where nothing is.
            Err("cannot unpack \"l/new\""),
        ),
        (
            "relative link as parent",
            vec![symlink("l", relative_outside), file("l/new", "x")],
            Err("cannot unpack \"l/new\""),
        ),
        (
            "link as parent resolves inside",
            vec![directory("inside"), symlink("l", "/../../inside"), file("l/new", "x")],
            Ok("inside/ 755\ninside/new 644 \"x\"\nl -> /../../inside"),
        ),
        (
            "link to the root of the root",
            vec![symlink("l", ".."), symlink("m", "l/l/.."), file("m/new", "x")],
            Ok("l -> ..\nm -> l/l/..\nnew 644 \"x\""),
        ),
        (
            "file through a link is written beside it",
            vec![symlink("l", &outside_secret), file("l", "changed")],
            Ok("l 644 \"changed\""),
        ),
        (
            "directory over a link replaces it",
            vec![symlink("l", &outside), directory("l"), file("l/new", "x")],
            Ok("l/ 755\nl/new 644 \"x\""),
        ),
        (
            "link over a directory replaces what is in it",
            vec![directory("d"), file("d/f", "x"), symlink("d", &outside), file("g", "y")],
            Ok(Box::leak(format!("d -> {outside}\ng 644 \"y\"").into_boxed_str())),
        ),
        (
            "directory that was used last is replaced by a link",
            vec![directory("d"), file("d/f", "x"), symlink("d", "/e"), directory("e"), file("d/g", "y")],
            Ok("d -> /e\ne/ 755\ne/g 644 \"y\""),
        ),
        (
            "hard link to the outside",
            vec![hardlink("h", "../outside/secret")],
            Err("the link target is invalid"),
        ),
        ("absolute hard link", vec![hardlink("h", &outside_secret)], Err("cannot unpack \"h\"")),
        (
            "hard link through a link",
            vec![symlink("l", &outside), hardlink("h", "l/secret")],
            Err("cannot unpack \"h\""),
        ),
        (
            "hard link to a link, then written through",
            vec![symlink("l", &outside_secret), hardlink("h", "l"), file("h", "changed")],
            Ok(Box::leak(format!("h 644 \"changed\"\nl -> {outside_secret}").into_boxed_str())),
        ),
        ("hard link to a directory", vec![directory("d"), hardlink("h", "d")], Err("cannot unpack \"h\"")),
        (
            "hard link to itself",
            vec![file("f", "x"), hardlink("./f", "f")],
            Err("the link target is invalid"),
        ),
        ("hard link to the root", vec![hardlink("h", "/")], Err("the link target is invalid")),
        ("hard link to nothing", vec![hardlink("h", "nothing")], Err("ENOENT")),
        ("root as a file", vec![file("./", "x")], Err("the root can only be a directory")),
        ("root as a link", vec![symlink(".", &outside)], Err("the root can only be a directory")),
        (
            "root as a hard link",
            vec![file("f", "x"), hardlink("/", "f")],
            Err("the root can only be a directory"),
        ),
        ("empty link", vec![symlink("l", "")], Err("the link target is invalid")),
        ("link loop as parent", vec![symlink("a", "b"), symlink("b", "a"), file("a/f", "x")], Err("ELOOP")),
        ("file as parent", vec![file("f", "x"), file("f/g", "x")], Err("ENOTDIR")),
        ("name that is too long", vec![file(&long, "x")], Err("ENAMETOOLONG")),
        ("path that is too long", vec![file(&deep, "x")], Err("ENAMETOOLONG")),
        ("whiteout of nothing", vec![file("d/.wh.", "")], Err("the whiteout names nothing")),
        ("whiteout of the directory", vec![file("d/.wh..", "")], Err("the whiteout names nothing")),
        ("whiteout of the parent", vec![file("d/.wh...", "")], Err("the whiteout names nothing")),
        (
            "whiteout through a link",
            vec![symlink("l", &outside), file("l/.wh.secret", "")],
            Err("cannot unpack \"l/.wh.secret\""),
        ),
        (
            "opaque mark through a link",
            vec![symlink("l", &outside), file("l/.wh..wh..opq", "")],
            Err("cannot unpack \"l/.wh..wh..opq\""),
        ),
        (
            "owner that means unchanged",
            vec![WriterEntry { uid: u32::MAX.into(), ..file("f", "x") }],
            Err("the owner is out of range"),
        ),
        (
            "owner beyond 32 bits",
            vec![WriterEntry { gid: 1 << 40, ..file("f", "x") }],
            Err("the owner is out of range"),
        ),
    ];
    for (name, entries, expected) in cases {
        let place = Place::new("hostile");
        let before = place.outside();
        let found = outcome(&place, &entries);
        match (&found, expected) {
            (Ok(tree), Ok(expected)) => assert_eq!(tree, expected, "{name}"),
            (Err(text), Err(part)) => assert!(text.contains(part), "{name}: {text}"),
            _ => panic!("{name}: expected {expected:?}, found {found:?}"),
        }
        assert_eq!(place.outside(), before, "{name}");
        let mut beside: Vec<_> =
            std::fs::read_dir(&place.base).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        beside.sort();
        assert_eq!(beside, ["outside", "root"], "{name}");
    }
}

#[test]
fn devices_pipes_and_special_modes_are_made_as_they_stand() {
    let place = Place::new("devices");
    let device = |name, kind, device| WriterEntry { device, mode: 0o660, ..WriterEntry::new(name, kind) };
    let applied = place.apply(&archive(&[
        device("null", TypeFlag::CharDevice, (1, 3)),
        device("disk", TypeFlag::BlockDevice, (8, 300)),
        device("pipe", TypeFlag::Fifo, (0, 0)),
        WriterEntry { mode: 0o4755, uid: 1000, gid: 4_000_000_000, ..file("su", "x") },
        WriterEntry { mode: 0o1777, ..directory("tmp") },
        WriterEntry { mode: 0o2755, ..directory("mail") },
        file("mail/box", "abc"),
        WriterEntry { uid: 5, gid: 6, ..symlink("l", "nowhere") },
        hardlink("su2", "su"),
    ]));
    assert_eq!(applied.unwrap().size_bytes, 4);
    assert_eq!(
        tree(&place.root()),
        "disk b8:300 660\nl -> nowhere 5:6\nmail/ 2755\nmail/box 644 \"abc\"\nnull c1:3 660\npipe fifo 660\n\
         su 4755 \"x\" 1000:4000000000\nsu2 4755 \"x\" 1000:4000000000\ntmp/ 1777"
    );
}

#[test]
fn times_are_kept_to_the_nanosecond_and_directories_get_theirs_last() {
    use std::os::unix::fs::MetadataExt;
    let place = Place::new("times");
    let at = |seconds, nanoseconds| Time { seconds, nanoseconds };
    place
        .apply(&archive(&[
            WriterEntry { mtime: at(1_000_000_000, 123_456_789), ..directory("d") },
            WriterEntry { mtime: at(1_100_000_000, 5), ..file("d/f", "x") },
            WriterEntry { mtime: at(1_200_000_000, 0), ..symlink("d/l", "f") },
            WriterEntry { mtime: at(7, 0), ..directory("./") },
        ]))
        .unwrap();
    let found = |name: &str| {
        let metadata = place.root().join(name).symlink_metadata().unwrap();
        (metadata.mtime(), metadata.mtime_nsec())
    };
    assert_eq!(found("d"), (1_000_000_000, 123_456_789));
    assert_eq!(found("d/f"), (1_100_000_000, 5));
    assert_eq!(found("d/l"), (1_200_000_000, 0));
    assert_eq!(found(""), (7, 0));
}

#[test]
fn attributes_are_set_but_for_those_that_overlayfs_would_believe() {
    let place = Place::new("xattrs");
    let capability = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let xattrs: [(&[u8], &[u8]); 4] = [
        (b"security.capability", &capability),
        (b"user.note", b"kept"),
        (b"trusted.overlay.redirect", b"/etc"),
        (b"user.overlay.opaque", b"y"),
    ];
    let user: [(&[u8], &[u8]); 1] = [(b"user.note", b"a link has none")];
    let applied = place
        .apply(&archive(&[
            WriterEntry { xattrs: &xattrs, uid: 3, ..file("ping", "x") },
            WriterEntry { xattrs: &user, ..symlink("l", "ping") },
        ]))
        .unwrap();
    let root = sys::fs::open_directory(&place.root()).unwrap();
    let get = |attribute: &str| {
        use std::os::fd::AsFd;
        sys::fs::get_xattr_at(root.as_fd(), "ping".as_ref(), attribute.as_ref()).unwrap()
    };
    assert_eq!(get("security.capability"), Some(capability.to_vec()));
    assert_eq!(get("user.note"), Some(b"kept".to_vec()));
    assert_eq!(get("trusted.overlay.redirect"), None);
    assert_eq!(get("user.overlay.opaque"), None);
    let ignored: Vec<String> =
        applied.ignored.into_iter().map(|one| format!("{} {}", one.entry, one.attribute)).collect();
    assert_eq!(ignored, ["ping trusted.overlay.redirect", "ping user.overlay.opaque", "l user.note"]);
}

#[test]
fn bomb_stops_at_the_limit() {
    let place = Place::new("bomb");
    let zeros = vec![0; 16 << 20];
    let archive = archive(&[WriterEntry { bytes: &zeros, ..file("zeros", "") }]);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&archive).unwrap();
    let gzip = encoder.finish().unwrap();
    assert!(gzip.len() < 100 << 10);
    let limits = Limits { archive_bytes: 2 << 20, entries: 10 };
    let zstd = zstd::encode_all(&archive[..], 3).unwrap();
    for bomb in [gzip, zstd] {
        let error = place.apply_limited(&bomb, &limits).unwrap_err();
        assert!(matches!(error, Error::TooLarge { limit_bytes } if limit_bytes == 2 << 20), "{error}");
        assert_eq!(error.kind(), Kind::Exhausted);
        assert!(place.root().join("zeros").metadata().unwrap().len() <= 2 << 20);
        std::fs::remove_file(place.root().join("zeros")).unwrap();
    }
}

#[test]
fn bomb_of_entries_stops_at_the_limit() {
    let place = Place::new("entries");
    let names: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    let entries: Vec<WriterEntry<'_>> = names.iter().map(|name| file(name, "")).collect();
    let error =
        place.apply_limited(&archive(&entries), &Limits { archive_bytes: 1 << 20, entries: 10 }).unwrap_err();
    assert!(matches!(error, Error::TooManyEntries { limit: 10 }));
    assert_eq!(std::fs::read_dir(place.root()).unwrap().count(), 10);
}

/// A header with a right checksum, made by hand.
fn header(name: &[u8], flag: u8, size: &[u8; 12]) -> Vec<u8> {
    let mut block = vec![0; 512];
    block[..name.len()].copy_from_slice(name);
    block[100..107].copy_from_slice(b"0000644");
    block[124..136].copy_from_slice(size);
    block[156] = flag;
    block[257..265].copy_from_slice(b"ustar\x0000");
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

#[test]
fn malformed_archives_are_refused_by_what_is_wrong() {
    let end = vec![0; 1024];
    let zero = b"00000000000\0";
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("no archive", b"this is no archive".repeat(100), "wrong checksum"),
        ("cut in the header", header(b"f", b'0', zero)[..100].to_vec(), "ends too early"),
        ("cut in the data", header(b"f", b'0', b"00000000777\0"), "ends too early"),
        (
            "cut in the padding",
            [header(b"f", b'0', b"00000000001\0"), b"x".to_vec()].concat(),
            "ends too early",
        ),
        ("huge long name", header(b"x", b'L', b"77777777777\0"), "more than 1048576"),
        ("huge extended header", header(b"x", b'x', b"00007777777\0"), "more than 1048576"),
        ("negative size", header(b"f", b'0', &[0xff; 12]), "size is no valid number"),
        (
            "size beyond all files",
            header(b"f", b'0', &[0x80, 0, 0, 0, 0xff, 0, 0, 0, 0, 0, 0, 0]),
            "size is no valid",
        ),
        ("unknown type", [header(b"f", b'V', zero), end.clone()].concat(), "type 'V' is unknown"),
        ("lone zero block", [vec![0; 512], header(b"f", b'0', zero)].concat(), "single block of zeros"),
        ("headers without end", header(b"x", b'g', zero).repeat(1000), "too many extended headers"),
        (
            "garbage as records",
            [header(b"x", b'x', b"00000000005\0"), [b"hello".to_vec(), vec![0; 507]].concat(), end.clone()]
                .concat(),
            "PAX record is invalid",
        ),
        (
            "sparse map beyond the file",
            {
                let mut block = header(b"f", b'S', b"00000000010\0");
                block[386..398].copy_from_slice(b"00000001000\0");
                block[398..410].copy_from_slice(b"00000000010\0");
                block[483..495].copy_from_slice(b"00000000020\0");
                block[257..265].copy_from_slice(b"ustar  \0");
                block[148..156].fill(b' ');
                let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
                block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
                block
            },
            "sparse map is invalid",
        ),
    ];
    for (name, bytes, expected) in cases {
        let error = Place::new("malformed").apply(&bytes).expect_err(name);
        assert!(chain(&error).contains(expected), "{name}: {}", chain(&error));
        assert_eq!(error.kind(), Kind::InvalidArgument, "{name}");
    }
}

#[test]
fn archive_without_an_end_mark_is_complete() {
    let place = Place::new("endless");
    let whole = archive(&[file("f", "x")]);
    place.apply(&whole[..whole.len() - 1024]).unwrap();
    place.apply(b"").unwrap();
    assert_eq!(tree(&place.root()), "f 644 \"x\"");
}
