//! Known attacks on runtimes: images and volumes that try to reach the host.

use super::fixture::Bed;
use error::Kind;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

/// Replaces something in the image by a link.
fn plant(bed: &Bed, path: &str, target: &str) {
    let path = bed.lower().join(path);
    let _ = fs::remove_dir_all(&path); // It need not exist.
    symlink(target, path).expect("link");
}

/// CVE-2019-19921, CVE-2023-27561: /proc is a link, so that writes below it go elsewhere.
#[test]
fn proc_that_is_a_link_is_refused() {
    for path in ["proc", "sys"] {
        let mut bed = Bed::new("true");
        plant(&bed, path, "/data");
        let (text, _) = bed.failure();
        assert!(text.contains("ELOOP"), "{text}");
        assert!(!bed.cgroup().exists());
    }
}

/// CVE-2026-41579, CVE-2026-47766: /dev is a link, and devices are made on the host.
#[test]
fn dev_that_is_a_link_stays_inside() {
    let mut bed = Bed::new("stat -c %t:%T /dev/null; stat -c %t:%T /target/null");
    let outside = bed.directory.join("outside");
    fs::create_dir_all(&outside).expect("directory");
    plant(&bed, "dev", "/target");
    assert_eq!(bed.output(), "1:3\n1:3\n");
    let mut bed = Bed::new("stat -c %t:%T /dev/null");
    plant(&bed, "dev", "../../../../../../../../tmp/naru-test-escape");
    assert_eq!(bed.output(), "1:3\n");
    assert!(!Path::new("/tmp/naru-test-escape").exists());
}

/// CVE-2019-16884: a mount reaches /proc through a link of the image.
#[test]
fn mount_that_a_link_leads_into_proc_is_refused() {
    let mut bed = Bed::new("true");
    plant(&bed, "data", "/proc/self/attr");
    let source = bed.directory.join("empty");
    bed.bind(&source, "/data", &["rbind"]);
    let (text, kind) = bed.failure();
    assert_eq!(
        (text.as_str(), kind),
        ("cannot bind mount /data: its place lies inside /proc", Kind::InvalidArgument)
    );
}

/// CVE-2024-45310, CVE-2021-30465: a mount's place is a link out of the image.
#[test]
fn mount_places_are_made_inside_whatever_links_say() {
    let mut bed = Bed::new("ls /naru-test-target/a/b");
    plant(&bed, "data", "/../../../../naru-test-target");
    let source = bed.directory.join("empty");
    fs::write(source.join("file"), "").expect("file");
    bed.bind(&source, "/data/a/b", &["rbind"]);
    assert_eq!(bed.output(), "file\n");
    assert!(!Path::new("/naru-test-target").exists());
}

/// CVE-2024-21626: the working directory is a descriptor that leads to the host.
#[test]
fn working_directory_through_a_descriptor_is_refused() {
    for fd in 3..12 {
        let mut bed = Bed::new("pwd");
        bed.process().cwd = format!("/proc/self/fd/{fd}");
        let (text, kind) = bed.failure();
        let refused = text.contains("set in config.json failed") || text.contains("make directory");
        assert!(refused, "{text}");
        assert_ne!(kind, Kind::NotFound);
    }
    let mut bed = Bed::new("pwd");
    plant(&bed, "cwd", "/proc/1/cwd");
    bed.process().cwd = "/cwd".into();
    assert!(bed.run().is_err());
}

/// CVE-2025-31133: what masks is the host's null device, not what the image has at /dev/null.
#[test]
fn masks_do_not_come_from_the_image() {
    let mut bed = Bed::new("stat -c %t:%T /proc/keys; cat /proc/keys | wc -c");
    bed.spec.mounts.remove(1); // No tmpfs at /dev: the image's own directory, with its own null.
    fs::write(bed.lower().join("dev/null"), "trap").expect("file");
    let (text, _) = bed.failure();
    assert_eq!(text, "cannot make device /dev/null: something else is at its place");
    fs::remove_file(bed.lower().join("dev/null")).expect("file");
    assert_eq!(bed.output(), "1:3\n0\n");
}

/// CVE-2025-52565: the console comes from a descriptor, not from a path in the image.
#[test]
fn console_is_the_terminal_even_if_the_image_has_a_link_there() {
    let mut bed = Bed::new("true");
    bed.spec.mounts.remove(1);
    bed.process().terminal = true;
    symlink("/data/caught", bed.lower().join("dev/console")).expect("link");
    let running = bed.start(crate::Stdio::Terminal).expect("it starts");
    assert_eq!(sys::process::wait(&running.pidfd).map(|exit| exit.code), Ok(0));
    crate::kill_all(running.cgroup.as_ref().expect("it has one")).expect("it can be removed");
}
