//! Bind mounts, tmpfs, the managed files of /etc.

use testkit::TestEnv;

#[test]
fn bind_mounts_read_write_and_read_only() {
    let env = TestEnv::with_busybox();
    let folder = env.folder().join("shared");
    std::fs::create_dir_all(&folder).expect("writable");
    std::fs::write(folder.join("in"), "from host\n").expect("writable");
    let flag = format!("{}:/data", folder.display());
    assert_eq!(
        env.naru(&["run", "--rm", "-v", &flag, "busybox", "sh", "-c", "cat /data/in; echo back > /data/out"])
            .ok(),
        "from host"
    );
    assert_eq!(std::fs::read_to_string(folder.join("out")).expect("written inside"), "back\n");
    let stderr =
        env.naru(&["run", "--rm", "-v", &format!("{flag}:ro"), "busybox", "touch", "/data/x"]).fails_with(1);
    assert!(stderr.contains("Read-only file system"), "{stderr}");
    let mount = format!("type=bind,source={},target=/data,readonly", folder.display());
    let stderr = env.naru(&["run", "--rm", "--mount", &mount, "busybox", "touch", "/data/x"]).fails_with(1);
    assert!(stderr.contains("Read-only file system"), "{stderr}");
    let file = format!("{}/in:/etc/motd:ro", folder.display());
    assert_eq!(env.naru(&["run", "--rm", "-v", &file, "busybox", "cat", "/etc/motd"]).ok(), "from host");
}

#[test]
fn missing_bind_sources_are_made_by_v_and_refused_by_mount() {
    let env = TestEnv::with_busybox();
    let missing = env.folder().join("missing");
    let mount = format!("type=bind,source={},target=/data", missing.display());
    let stderr = env.naru(&["run", "--rm", "--mount", &mount, "busybox", "true"]).fails_with(125);
    assert!(stderr.contains("bind source path does not exist"), "{stderr}");
    assert!(!missing.exists());
    let _ = env.naru(&["run", "--rm", "-v", &format!("{}:/data", missing.display()), "busybox", "true"]).ok();
    assert!(missing.is_dir());
    let stderr = env.naru(&["run", "--rm", "-v", "relative/path:/data", "busybox", "true"]).fails_with(125);
    assert!(stderr.contains("relative/path"), "{stderr}");
}

#[test]
fn bind_target_that_is_a_symlink_stays_inside() {
    let env = TestEnv::with_busybox();
    let folder = env.folder().join("shared");
    std::fs::create_dir_all(&folder).expect("writable");
    let outside = env.folder().join("outside");
    std::fs::create_dir_all(&outside).expect("writable");
    std::os::unix::fs::symlink(&outside, folder.join("link")).expect("writable");
    let first = format!("{}:/data", folder.display());
    let second = format!("{}:/data/link/deep", folder.display());
    let _ = env.naru(&["run", "--rm", "-v", &first, "-v", &second, "busybox", "true"]);
    assert_eq!(std::fs::read_dir(&outside).expect("readable").count(), 0, "nothing was made outside");
}

#[test]
fn tmpfs_and_shm_have_the_asked_sizes() {
    let env = TestEnv::with_busybox();
    let shown = env.naru(&["run", "--rm", "--shm-size", "8m", "busybox", "df", "-k", "/dev/shm"]).ok();
    assert!(shown.contains(" 8192 "), "{shown}");
    let shown = env.naru(&["run", "--rm", "busybox", "df", "-k", "/dev/shm"]).ok();
    assert!(shown.contains(" 65536 "), "{shown}");
    let shown = env
        .naru(&[
            "run",
            "--rm",
            "--tmpfs",
            "/scratch:size=4m,mode=1770",
            "busybox",
            "sh",
            "-c",
            "df -k /scratch; stat -c %a /scratch",
        ])
        .ok();
    assert!(shown.contains(" 4096 ") && shown.ends_with("1770"), "{shown}");
    let shown =
        env.naru(&["run", "--rm", "--tmpfs", "/scratch", "busybox", "grep", "/scratch", "/proc/mounts"]).ok();
    for option in ["nosuid", "nodev", "noexec"] {
        assert!(shown.contains(option), "{shown}");
    }
}

#[test]
fn etc_files_are_managed() {
    let env = TestEnv::with_busybox();
    let shown = env
        .naru(&[
            "run",
            "--rm",
            "-h",
            "box",
            "--add-host",
            "db:10.1.2.3",
            "--dns",
            "10.9.8.7",
            "--dns-search",
            "example.test",
            "busybox",
            "sh",
            "-c",
            "hostname; cat /etc/hostname /etc/hosts /etc/resolv.conf",
        ])
        .ok();
    for line in ["box", "10.1.2.3\tdb", "nameserver 10.9.8.7", "search example.test", "127.0.0.1\tlocalhost"]
    {
        assert!(shown.lines().any(|text| text == line), "{line:?} in {shown}");
    }
    let id = env.naru(&["create", "busybox"]).ok();
    let _ = env.naru(&["start", &id]).ok();
    let short = env.naru(&["run", "--rm", "busybox", "hostname"]).ok();
    assert_eq!(short.len(), 12, "the short id: {short}");
}

#[test]
fn written_files_stay_with_the_stopped_container() {
    let env = TestEnv::with_busybox();
    let _ = env
        .naru(&["run", "--name", "one", "busybox", "sh", "-c", "test -e /mark && echo again; echo x > /mark"])
        .ok();
    assert_eq!(env.naru(&["start", "-a", "one"]).ok(), "again");
    assert_eq!(
        env.naru(&["run", "--rm", "busybox", "sh", "-c", "test -e /mark || echo clean"]).ok(),
        "clean"
    );
}
