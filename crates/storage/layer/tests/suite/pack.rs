//! Trees to archives and back.

use crate::common::{Place, archive, directory, file, hardlink, symlink, tree};
use layer::tar::{Archive, Source, TypeFlag, WriterEntry};
use layer::{write_changes, write_tree};
use std::collections::BTreeSet;
use std::os::unix::net::UnixListener;

fn names(bytes: &[u8]) -> Vec<String> {
    let mut archive = Archive::new(Source::new(bytes, 1 << 30), 1000);
    let mut names = Vec::new();
    while let Some(entry) = archive.next_entry().unwrap() {
        names.push(String::from_utf8(entry.name).unwrap());
    }
    names
}

#[test]
fn changes_written_and_applied_again_are_the_same() {
    let (from, to) = (Place::new("pack-from"), Place::new("pack-to"));
    let long = format!("{}/{}", "d".repeat(90), "f".repeat(90));
    let xattrs: &[(&[u8], &[u8])] = &[
        (b"user.word", b"value\0=\n"),
        (b"security.capability", &[1, 0, 0, 2, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    ];
    let entries = [
        directory("a"),
        file("a/.wh.gone", ""),
        file("a/f", "text"),
        directory("b"),
        file("b/.wh..wh..opq", ""),
        hardlink("b/g", "a/f"),
        symlink("c", "/outside/secret"),
        WriterEntry { device: (1, 3), ..WriterEntry::new("n", TypeFlag::CharDevice) },
        WriterEntry::new("p", TypeFlag::Fifo),
        WriterEntry { xattrs, mode: 0o4755, uid: 3_000_000, gid: 7, ..file("x", "program") },
        file(&long, "deep"),
    ];
    from.apply(&archive(&entries)).unwrap();
    drop(UnixListener::bind(from.root().join("socket")).unwrap());
    let first = write_changes(&from.root(), Vec::new()).unwrap();
    to.apply(&first).unwrap();
    std::fs::remove_file(from.root().join("socket")).unwrap();
    assert_eq!(tree(&to.root()), tree(&from.root()));
    // Marks, links, attributes and times, which the text of a tree does not show.
    assert_eq!(write_changes(&to.root(), Vec::new()).unwrap(), first);
    let names: BTreeSet<String> = names(&first).into_iter().collect();
    assert!(names.contains("a/.wh.gone") && names.contains("b/.wh..wh..opq"), "{names:?}");
}

#[test]
fn tree_is_what_overlayfs_would_show() {
    let (top, low) = (Place::new("pack-top"), Place::new("pack-low"));
    low.apply(&archive(&[
        directory("both"),
        file("both/low", "low"),
        file("both/over", "low"),
        file("gone", ""),
        directory("opaque"),
        file("opaque/low", ""),
        directory("replaced"),
        file("replaced/low", ""),
        file("file", "low"),
    ]))
    .unwrap();
    top.apply(&archive(&[
        directory("both"),
        file("both/over", "top"),
        file("both/top", "top"),
        file(".wh.gone", ""),
        directory("opaque"),
        file("opaque/.wh..wh..opq", ""),
        file("opaque/top", ""),
        file("replaced", "now a file"),
        directory("file"),
    ]))
    .unwrap();
    let merged = Place::new("pack-merged");
    let written = write_tree(&[&top.root(), &low.root()], Vec::new()).unwrap();
    merged.apply(&written).unwrap();
    let expected = "both/ 755\nboth/low 644 \"low\"\nboth/over 644 \"top\"\nboth/top 644 \"top\"\nfile/ 755\nopaque/ 755\n\
                    opaque/top 644 \"\"\nreplaced 644 \"now a file\"";
    assert_eq!(tree(&merged.root()), expected);
    let names = names(&written);
    let mut sorted = names.clone();
    sorted.sort();
    assert_eq!(names, sorted);
}

#[test]
fn names_that_would_mean_deletions_are_refused_in_a_layer_only() {
    let place = Place::new("pack-wh");
    std::fs::write(place.root().join(".wh.x"), "").unwrap();
    let error = write_changes(&place.root(), Vec::new()).unwrap_err();
    assert!(error.to_string().contains("\"/.wh.x\" cannot be put into a layer"), "{error}");
    assert_eq!(names(&write_tree(&[&place.root()], Vec::new()).unwrap()), [".wh.x"]);
}
