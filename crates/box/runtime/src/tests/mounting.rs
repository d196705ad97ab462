//! Mounts: what each option does, as the kernel says inside the container.

use super::fixture::Bed;
use error::Kind;
use oci::runtime::{IdMapping, Mount, Namespace, NamespaceType};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

fn tmpfs(destination: &str, options: &[&str]) -> Mount {
    Mount {
        destination: destination.into(),
        fs_type: "tmpfs".into(),
        source: Some("tmpfs".into()),
        options: options.iter().map(|option| (*option).to_owned()).collect(),
        ..Mount::default()
    }
}

/// Returns the options of a mount as /proc/self/mountinfo has them: of the mount, propagation, of the file system.
const SHOW: &str = "show() { while read a b c d e f g; do if [ \"$e\" = \"$1\" ]; then echo \"$f $g\"; fi; done </proc/self/mountinfo; }\n";

#[test]
fn options_of_a_bind_mount_show_in_the_mount_table() {
    for (options, want, unwanted) in [
        (&["rbind", "ro"][..], &["ro,"][..], &["shared"][..]),
        (&["rbind", "nosuid", "nodev", "noexec"], &["nosuid", "nodev", "noexec"], &["ro,"]),
        (&["rbind", "noatime", "nodiratime"], &["noatime", "nodiratime"], &[]),
        (&["rbind", "strictatime"], &[], &["relatime", "noatime"]),
        (&["rbind", "nosymfollow"], &["nosymfollow"], &[]),
        (&["bind", "ro", "rw"], &["rw"], &["ro,"]),
        (&["rbind", "shared"], &["shared:"], &[]),
        (&["rbind", "rprivate"], &[], &["shared:", "master:", "unbindable"]),
        (&["rbind", "unbindable"], &["unbindable"], &[]),
        (&["rbind", "sync", "dirsync", "lazytime", "loud"], &["rw"], &[]),
    ] {
        let mut bed = Bed::new(&format!("{SHOW}show /data"));
        let source = bed.directory.join("empty");
        bed.bind(&source, "/data", options);
        let output = bed.output();
        for text in want {
            assert!(output.contains(text), "{options:?}: {output}");
        }
        for text in unwanted {
            assert!(!output.split(" - ").next().unwrap_or_default().contains(text), "{options:?}: {output}");
        }
    }
}

#[test]
fn recursive_options_reach_the_mounts_below_and_plain_ones_do_not() {
    for (option, field) in [
        ("rro", "ro"),
        ("rnosuid", "nosuid"),
        ("rnodev", "nodev"),
        ("rnoexec", "noexec"),
        ("rnoatime", "noatime"),
        ("rnosymfollow", "nosymfollow"),
    ] {
        for (option, reaches) in [(option, true), (option.trim_start_matches('r'), false)] {
            let option = if option == "o" { "ro" } else { option };
            let mut bed = Bed::new(&format!("{SHOW}show /below; show /below/inner"));
            let source = bed.directory.join("empty");
            fs::create_dir(source.join("inner")).expect("directory");
            // The mount below is one of the container's own, bound again with all that is in it.
            let done = with_inner_mount(&source.join("inner"), || {
                bed.bind(&source, "/below", &["rbind", option]);
                bed.output()
            });
            let lines: Vec<&str> = done.lines().collect();
            let has = |line: &str| line.split([',', ' ']).any(|word| word == field);
            assert!(has(lines[0]), "{option}: {done}");
            assert_eq!(has(lines[1]), reaches, "{option}: {done}");
        }
    }
}

/// Does something while a tmpfs is mounted on the host; the thread's own mount namespace keeps it from everybody else.
fn with_inner_mount<T: Send>(place: &std::path::Path, work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let work = || {
            sys::ns::unshare(sys::ns::Types::MOUNT).expect("the tests run as root");
            sys::mount::set_propagation_of_all(sys::mount::PRIVATE).expect("it is our own");
            let context = sys::mount::fsopen("tmpfs").expect("there is tmpfs");
            sys::mount::fsconfig_create(&context).expect("it can be made");
            let tree = sys::mount::fsmount(&context, 0).expect("it can be mounted");
            let target = std::fs::File::open(place).expect("it is there");
            sys::mount::move_mount(&tree, &target).expect("it can be attached");
            work()
        };
        scope.spawn(work).join().expect("no panic")
    })
}

#[test]
fn remount_changes_the_mount_and_its_file_system() {
    let mut bed = Bed::new(&format!("{SHOW}show /tmp; show /data; show /proc"));
    bed.spec.mounts.push(tmpfs("/tmp", &["size=64k", "nosuid"]));
    let source = bed.directory.join("empty");
    bed.bind(&source, "/data", &["rbind"]);
    let mut again = tmpfs("/tmp", &["remount", "size=128k", "noexec", "nosuid"]);
    bed.spec.mounts.push(again.clone());
    again = Mount { fs_type: "none".into(), ..tmpfs("/data", &["bind", "remount", "ro", "nodev"]) };
    bed.spec.mounts.push(again);
    let output = bed.output();
    let lines: Vec<&str> = output.lines().collect();
    assert!(lines[0].starts_with("rw,nosuid,noexec") && lines[0].contains("size=128k"), "{output}");
    assert!(lines[1].starts_with("ro,nodev"), "{output}");
    let mut bed = Bed::new("true");
    bed.spec.mounts.push(tmpfs("/nowhere", &["remount", "ro"]));
    let (text, _) = bed.failure();
    assert!(text.starts_with("cannot remount /nowhere: openat2("), "{text}");
}

#[test]
fn tmpcopyup_begins_with_the_images_files() {
    let script = "cat /data/f; readlink /data/l; stat -c '%a %u:%g' /data /data/d /data/f; ls /data/d; touch /data/new";
    let mut bed = Bed::new(script);
    let data = bed.lower().join("data");
    fs::create_dir(data.join("d")).expect("directory");
    fs::write(data.join("d/inner"), "").expect("file");
    fs::write(data.join("f"), "content\n").expect("file");
    symlink("/etc/passwd", data.join("l")).expect("link");
    std::os::unix::fs::chown(data.join("f"), Some(7), Some(8)).expect("the tests run as root");
    for (path, mode) in [("", 0o1777), ("d", 0o750), ("f", 0o4711)] {
        fs::set_permissions(data.join(path), fs::Permissions::from_mode(mode)).expect("mode");
    }
    bed.spec.mounts.push(tmpfs("/data", &["tmpcopyup", "size=1m", "mode=755"]));
    assert_eq!(bed.output(), "content\n/etc/passwd\n1777 0:0\n750 0:0\n4711 7:8\ninner\n");
    assert!(!data.join("new").exists() && !bed.directory.join("upper/data/new").exists());

    let mut bed = Bed::new("true");
    bed.spec.mounts.push(Mount { fs_type: "proc".into(), ..tmpfs("/data", &["tmpcopyup"]) });
    assert_eq!(
        bed.failure(),
        ("mounts[7].options: tmpcopyup is for a tmpfs only".into(), Kind::InvalidArgument)
    );
}

#[test]
fn links_are_followed_mounted_or_made_again() {
    let mut bed = Bed::new(
        "cat /data/a; readlink /data/b; readlink /data/c; cat /data/d; readlink /data/d || echo file",
    );
    let source = bed.directory.join("empty");
    fs::write(source.join("file"), "host\n").expect("file");
    symlink(source.join("file"), source.join("link")).expect("link");
    let link = source.join("link");
    symlink("/nowhere", bed.lower().join("data/b")).expect("link");
    symlink("/bin/busybox", bed.lower().join("data/d")).expect("link");
    bed.bind(&link, "/data/a", &["bind"]);
    bed.bind(&link, "/data/b", &["bind", "src-nofollow", "dest-nofollow"]);
    bed.bind(&link, "/data/c", &["bind", "copy-symlink"]);
    bed.bind(&source.join("file"), "/data/d", &["bind", "dest-nofollow"]);
    let shown = link.parent().expect("it has one").join("file").display().to_string();
    assert_eq!(bed.output(), format!("host\n{shown}\n{shown}\nhost\nfile\n"));
}

#[test]
fn ids_of_a_mount_are_mapped() {
    for (options, inner) in [(&["rbind", "idmap"][..], "0"), (&["rbind", "ridmap"], "1005")] {
        let mut bed = Bed::new("stat -c %u /data/f /data/inner/g; touch /data/new");
        let source = bed.directory.join("empty");
        fs::write(source.join("f"), "").expect("file");
        std::os::unix::fs::chown(source.join("f"), Some(5), Some(5)).expect("the tests run as root");
        std::os::unix::fs::chown(&source, Some(5), Some(5)).expect("the tests run as root");
        fs::create_dir(source.join("inner")).expect("directory");
        let map = vec![IdMapping { container_id: 0, host_id: 1000, size: 100 }];
        bed.process().user.uid = 1000;
        bed.process().user.gid = 1000;
        fs::set_permissions(&source, fs::Permissions::from_mode(0o777)).expect("mode");
        let done = with_inner_mount(&source.join("inner"), || {
            fs::write(source.join("inner/g"), "").expect("file");
            let owner = if inner == "0" { 0 } else { 5 };
            std::os::unix::fs::chown(source.join("inner/g"), Some(owner), Some(owner)).expect("root");
            bed.bind(&source, "/data", options);
            let mount = bed.spec.mounts.last_mut().expect("it was added");
            mount.uid_mappings.clone_from(&map);
            mount.gid_mappings = map;
            bed.output()
        });
        assert_eq!(done, format!("1005\n{inner}\n"), "{options:?}");
        assert_eq!(fs::metadata(source.join("new")).expect("it was made").uid(), 0);
    }
}

#[test]
fn mount_has_the_containers_mapping_if_it_names_none() {
    let mut bed = Bed::new("stat -c %u /data/f");
    bed.linux().namespaces.push(Namespace { kind: NamespaceType::User, path: None });
    let map = vec![IdMapping { container_id: 0, host_id: 200_000, size: 1000 }];
    bed.linux().uid_mappings.clone_from(&map);
    bed.linux().gid_mappings = map;
    let source = bed.directory.join("empty");
    fs::write(source.join("f"), "").expect("file");
    bed.bind(&source, "/data", &["rbind", "idmap"]);
    assert_eq!(bed.output(), "0\n");
    let last = bed.spec.mounts.len() - 1;
    bed.spec.mounts[last].options.pop();
    bed.process().args[2] = "stat -c %u /data/f".into();
    assert_eq!(bed.output(), "65534\n");

    let mut bed = Bed::new("true");
    bed.bind(&source, "/data", &["rbind", "idmap"]);
    let (text, kind) = bed.failure();
    assert!(text.contains("is needed for an idmapped mount"), "{text}");
    assert_eq!(kind, Kind::InvalidArgument);
}
