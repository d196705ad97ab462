//! Archives of GNU tar in all its formats come out as they went in.

use crate::common::{Place, tree};
use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::process::Command;

fn tar(place: &Place, options: &[&str]) -> Vec<u8> {
    let output = Command::new("tar")
        .arg("-c")
        .args(options)
        .arg("-C")
        .arg(place.base.join("in"))
        .arg(".")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn gnu_tars_formats_are_read_alike() {
    let place = Place::new("formats");
    let input = place.base.join("in");
    let long = "a-long-name-".repeat(12);
    std::fs::create_dir_all(input.join(&long).join(&long)).unwrap();
    std::fs::write(input.join(&long).join(&long).join("file"), "content").unwrap();
    std::fs::write(input.join("small"), "x".repeat(513)).unwrap();
    std::fs::hard_link(input.join("small"), input.join("other")).unwrap();
    std::os::unix::fs::symlink("t".repeat(150), input.join("link")).unwrap();
    let expected = tree(&input);
    for format in ["gnu", "oldgnu", "pax", "posix"] {
        place.apply(&tar(&place, &[&format!("--format={format}")])).unwrap();
        assert_eq!(tree(&place.root()), expected, "{format}");
        std::fs::remove_dir_all(place.root()).unwrap();
        std::fs::create_dir(place.root()).unwrap();
    }
}

#[test]
fn sparse_files_keep_their_holes_in_every_form() {
    let place = Place::new("sparse");
    let input = place.base.join("in");
    std::fs::create_dir(&input).unwrap();
    let file = File::create(input.join("holes")).unwrap();
    for number in 0..60_u64 {
        file.write_all_at(&[b'a' + (number % 26) as u8; 4096], number * (1 << 20)).unwrap();
    }
    file.set_len(100 << 20).unwrap();
    File::create(input.join("empty")).unwrap().set_len(5 << 20).unwrap();
    let content = std::fs::read(input.join("holes")).unwrap();
    for options in [
        &["--format=gnu", "-S"][..],
        &["--format=posix", "-S", "--sparse-version=0.0"],
        &["--format=posix", "-S", "--sparse-version=0.1"],
        &["--format=posix", "-S", "--sparse-version=1.0"],
    ] {
        let archive = tar(&place, options);
        assert!(archive.len() < 2 << 20, "{options:?}");
        let applied = place.apply(&archive).unwrap();
        assert_eq!(applied.size_bytes, 105 << 20, "{options:?}");
        assert!(std::fs::read(place.root().join("holes")).unwrap() == content, "{options:?}");
        assert!(place.root().join("holes").metadata().unwrap().blocks() * 512 < 1 << 20, "{options:?}");
        assert_eq!(std::fs::read(place.root().join("empty")).unwrap(), vec![0; 5 << 20], "{options:?}");
    }
}
