//! What is in the layers is what is seen, with all its attributes.

use crate::place::{Place, directory, file, link, mount, with_each};
use layer::tar::{Time, TypeFlag, WriterEntry};
use refs::Digest;
use snapshot::MAX_LAYERS;
use std::os::unix::fs::FileExt;
use std::process::Command;

/// The mount points that lie below all layers.
const BASE: &str =
    "-path ./dev -o -path ./etc -o -path './etc/*' -o -path ./proc -o -path ./sys -o -path ./.dockerenv";

#[test]
fn every_kind_of_file_is_seen_with_its_attributes() {
    let xattrs: [(&[u8], &[u8]); 2] = [
        (b"security.capability", &[1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        (b"user.x", b"y"),
    ];
    let mtime = Time { seconds: 1_234_567_890, nanoseconds: 123_456_789 };
    let node =
        |name, kind, device| WriterEntry { device, mode: 0o640, mtime, ..WriterEntry::new(name, kind) };
    with_each("kinds", |place| {
        let layer = place.layer_of(&[
            WriterEntry { mode: 0o1777, mtime, ..directory("tmp") },
            WriterEntry {
                mode: 0o4755,
                mtime,
                xattrs: &xattrs,
                uid: 70_000,
                gid: 5,
                ..file("tmp/program", "#!")
            },
            link(TypeFlag::HardLink, "other", "tmp/program"),
            WriterEntry { mtime, ..link(TypeFlag::SymbolicLink, "link", "tmp/program") },
            node("null", TypeFlag::CharDevice, (1, 3)),
            node("disk", TypeFlag::BlockDevice, (8, 1)),
            node("pipe", TypeFlag::Fifo, (0, 0)),
            WriterEntry { name: b"not-utf8-\xff", mtime, ..file("", "bytes") },
        ]);
        let mounted = mount(&place.open().prepare("a", &[layer]).unwrap());
        let list = format!(
            "find . -mindepth 1 \\( {BASE} \\) -o -printf '%P %y %m %U:%G %T@ %l\\n' | sort | sed 's/ $//'"
        );
        let expected = "\
disk b 640 0:0 1234567890.1234567890
link l 777 0:0 1234567890.1234567890 tmp/program
not-utf8-\u{fffd} f 644 0:0 1234567890.1234567890
null c 640 0:0 1234567890.1234567890
other f 4755 70000:5 1234567890.1234567890
pipe p 640 0:0 1234567890.1234567890
tmp d 1777 0:0 1234567890.1234567890
tmp/program f 4755 70000:5 1234567890.1234567890
";
        let list = mounted
            .run(&list)
            .lines()
            .filter(|line| !line.is_empty())
            .fold(String::new(), |all, line| all + line + "\n");
        assert_eq!(list, expected, "{:?}", place.driver);
        assert_eq!(mounted.run("stat -c '%h %t:%T' tmp/program null"), "2 0:0\n1 1:3\n");
        assert_eq!(
            mounted.run("getfattr -m - --absolute-names -d tmp/program | grep -v '^#' | sort"),
            "\nsecurity.capability=0sAQAAAgAEAAAAAAAAAAAAAAAAAAA=\nuser.x=\"y\"\n"
        );
        // All of a tree is on one file system, as programs that stay on one expect.
        assert_eq!(
            mounted.run("stat -c %d . tmp tmp/program link | sort -u | wc -l"),
            "1\n",
            "{:?}",
            place.driver
        );
    });
}

#[test]
fn whiteouts_and_opaque_directories_hide_lower_layers_only() {
    with_each("whiteouts", |place| {
        let bottom = place.layer_of(&[
            file("gone", "1"),
            file("kept/a", "1"),
            file("emptied/a", "1"),
            file("emptied/sub/b", "1"),
            file("whole/a", "1"),
            file("back/a", "1"),
            file("file-to-directory", "1"),
        ]);
        let middle = place.layer_of(&[
            file(".wh.gone", ""),
            file("emptied/.wh..wh..opq", ""),
            file("emptied/new", "2"),
            file(".wh.whole", ""),
            file(".wh.back", ""),
            file("file-to-directory/inside", "2"),
        ]);
        let top = place.layer_of(&[file("back/b", "3"), file("kept/.wh.none", "")]);
        let mounted = mount(&place.open().prepare("a", &[bottom, middle, top]).unwrap());
        let files = format!(
            "find . -type f \\( {BASE} \\) -o -type f -printf '%P ' | tr -d '\\n' | tr ' ' '\\n' | sort | tr '\\n' ' '"
        );
        assert_eq!(
            mounted.run(&files),
            "back/b emptied/new file-to-directory/inside kept/a ",
            "{:?}",
            place.driver
        );
    });
}

#[test]
fn hard_links_and_changes_across_layers_stay_apart() {
    with_each("links", |place| {
        let bottom = place.layer_of(&[file("a", "one"), link(TypeFlag::HardLink, "b", "a")]);
        let top = place.layer_of(&[file("a", "two"), link(TypeFlag::HardLink, "c", "a")]);
        let mounted = mount(&place.open().prepare("x", &[bottom, top]).unwrap());
        assert_eq!(mounted.run("cat a b c"), "twoonetwo");
        assert_eq!(mounted.run("echo three > c; cat c; cat b; chmod 600 b; stat -c %a b"), "three\none600\n");
    });
}

#[test]
fn copied_up_file_keeps_what_it_had() {
    let xattrs: [(&[u8], &[u8]); 1] = [(b"user.x", b"y")];
    let mtime = Time { seconds: 1_000_000_000, nanoseconds: 5 };
    with_each("copy-up", |place| {
        let layer = place.layer_of(&[WriterEntry {
            mode: 0o2750,
            uid: 7,
            gid: 8,
            mtime,
            xattrs: &xattrs,
            ..file("f", "content")
        }]);
        let driver = place.open();
        let mounted = mount(&driver.prepare("x", &[layer]).unwrap());
        let text = mounted.run("inode=$(stat -c %i f); chown 7:9 f; chmod 2750 f; [ $inode = $(stat -c %i f) ]; stat -c '%a %u:%g %Y' f; cat f; getfattr --only-values -n user.x f");
        assert_eq!(text, "2750 7:9 1000000000\ncontenty", "{:?}", place.driver);
    });
}

#[test]
fn huge_directories_merge() {
    let (even, odd): (Vec<u32>, Vec<u32>) = (0..20_000).partition(|number| number % 2 == 0);
    let names = |numbers: &[u32]| numbers.iter().map(|number| format!("d/{number:05}")).collect::<Vec<_>>();
    let (even, odd) = (names(&even), names(&odd));
    with_each("huge", |place| {
        let of =
            |names: &[String]| place.layer_of(&names.iter().map(|name| file(name, "")).collect::<Vec<_>>());
        let mounted = mount(&place.open().prepare("x", &[of(&even), of(&odd)]).unwrap());
        assert_eq!(
            mounted.run("ls d | wc -l; ls d | sort -u | wc -l; ls d/19999"),
            "20000\n20000\nd/19999\n"
        );
    });
}

#[test]
fn sparse_files_keep_size_and_content() {
    with_each("sparse", |place: &Place| {
        let input = place.base.join("in");
        std::fs::create_dir(&input).unwrap();
        let holes = std::fs::File::create(input.join("holes")).unwrap();
        holes.set_len(1 << 26).unwrap();
        holes.write_all_at(b"middle", 7_777_777).unwrap();
        let tar = Command::new("tar").args(["-S", "-c", "-C"]).arg(&input).arg("holes").output().unwrap();
        let mounted = mount(&place.open().prepare("x", &[place.layer_from(&tar.stdout)]).unwrap());
        let text = mounted.run("stat -c %s holes; tail -c +7777778 holes | head -c 6; head -c 100000 holes | tr -d '\\0' | wc -c");
        assert_eq!(text, "67108864\nmiddle0\n", "{:?}", place.driver);
    });
}

#[test]
fn as_many_layers_as_overlayfs_takes_can_be_stacked() {
    with_each("many", |place| {
        let layers: Vec<Digest> =
            (0..MAX_LAYERS).map(|number| place.layer(&format!("f{number}"), &number.to_string())).collect();
        let driver = place.open();
        let mounted = mount(&driver.prepare("x", &layers).unwrap());
        assert_eq!(mounted.run("ls | grep -c ^f; cat f0 f498"), "499\n0498", "{:?}", place.driver);
        let error = driver.prepare("y", &[&layers[..], &layers[..1]].concat()).unwrap_err();
        assert_eq!(error.to_string(), "500 layers are more than the 499 that can be stacked");
    });
}
