//! Unpacked layers below a real overlay mount: what the kernel makes of whiteouts and opaque directories.

use crate::common::{Place, archive, directory, file, symlink, tree};
use layer::tar::WriterEntry;
use std::path::Path;
use std::process::Command;

/// Unpacks the layers (from the bottom up), mounts them in a mount namespace of its own, and lists the merged tree.
fn merged(name: &str, layers: &[Vec<WriterEntry<'_>>]) -> String {
    let place = Place::new(name);
    let mut lower = Vec::new();
    for (index, entries) in layers.iter().enumerate() {
        let path = place.base.join(format!("l{index}"));
        std::fs::create_dir(&path).unwrap();
        let root = sys::fs::open_directory(&path).unwrap();
        let bytes = archive(entries);
        let source = layer::tar::Source::new(&bytes[..], 1 << 20);
        layer::apply(&mut layer::tar::Archive::new(source, 1000), std::os::fd::AsFd::as_fd(&root)).unwrap();
        lower.insert(0, path.display().to_string());
    }
    for name in ["upper", "work", "merged", "copy"] {
        std::fs::create_dir(place.base.join(name)).unwrap();
    }
    let base = place.base.display();
    let script = format!(
        "mount -t overlay overlay -o lowerdir={},upperdir={base}/upper,workdir={base}/work {base}/merged && \
         cp -a {base}/merged/. {base}/copy",
        lower.join(":")
    );
    let status = Command::new("unshare").args(["-m", "sh", "-ec", &script]).status().unwrap();
    assert!(status.success(), "{script}");
    tree(Path::new(&place.base.join("copy")))
}

#[test]
fn whiteouts_hide_files_and_directories_of_lower_layers() {
    let found = merged(
        "whiteout",
        &[
            vec![file("a", "1"), file("b", "1"), directory("d"), file("d/x", "1"), file("d/y", "1")],
            vec![file(".wh.a", ""), file("d/.wh.x", ""), file("c", "2")],
        ],
    );
    assert_eq!(found, "b 644 \"1\"\nc 644 \"2\"\nd/ 755\nd/y 644 \"1\"");
}

#[test]
fn opaque_directory_hides_what_lower_layers_have_in_it() {
    let found = merged(
        "opaque",
        &[
            vec![directory("d"), file("d/x", "1"), directory("d/s"), file("d/s/t", "1")],
            vec![directory("d"), file("d/new", "2"), file("d/.wh..wh..opq", "")],
        ],
    );
    assert_eq!(found, "d/ 755\nd/new 644 \"2\"");
}

#[test]
fn directory_that_was_removed_and_made_again_is_without_its_old_content() {
    let lower = || vec![directory("d"), file("d/x", "1")];
    for (name, upper) in [
        ("again-before", vec![file(".wh.d", ""), directory("d"), file("d/new", "2")]),
        ("again-after", vec![directory("d"), file("d/new", "2"), file(".wh.d", "")]),
    ] {
        assert_eq!(merged(name, &[lower(), upper]), "d/ 755\nd/new 644 \"2\"", "{name}");
    }
}

#[test]
fn whiteout_and_file_of_the_same_layer_leave_the_file() {
    for (name, upper) in [
        ("same-before", vec![file(".wh.f", ""), file("f", "2")]),
        ("same-after", vec![file("f", "2"), file(".wh.f", "")]),
    ] {
        assert_eq!(merged(name, &[vec![file("f", "1")], upper]), "f 644 \"2\"", "{name}");
    }
}

#[test]
fn whiteout_counts_for_lower_layers_only() {
    let found = merged("only-lower", &[vec![file("f", "1")], vec![file(".wh.f", "")], vec![file("f", "3")]]);
    assert_eq!(found, "f 644 \"3\"");
}

#[test]
fn link_in_place_of_a_directory_and_back() {
    let found = merged(
        "link",
        &[
            vec![directory("lib"), file("lib/a", "1"), symlink("bin", "usr/bin")],
            vec![symlink("lib", "usr/lib"), directory("bin"), file("bin/sh", "2")],
        ],
    );
    assert_eq!(found, "bin/ 755\nbin/sh 644 \"2\"\nlib -> usr/lib");
}

#[test]
fn base_layer_shows_what_the_image_does_not_have() {
    let place = Place::new("base");
    let files = layer::write_base(&place.base.join("layers/base-1")).unwrap();
    assert_eq!(layer::write_base(&place.base.join("layers/base-1")).unwrap(), files);
    assert_eq!(
        tree(&files),
        ".dockerenv 644 \"\"\ndev/ 755\netc/ 755\netc/hostname 644 \"\"\netc/hosts 644 \"\"\netc/mtab -> /proc/mounts\n\
         etc/resolv.conf 644 \"\"\nproc/ 755\nsys/ 755"
    );
}
