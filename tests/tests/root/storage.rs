//! Layers and snapshots: both drivers, and the change from one to the other.

use std::fs;
use testkit::{EnvOptions, TestEnv};

const DRIVERS: [&str; 3] = ["overlay2", "erofs", "vfs"];

fn engine(driver: &str) -> TestEnv {
    let flags = vec!["--storage-driver".to_owned(), driver.to_owned()];
    TestEnv::with(EnvOptions { flags, ..EnvOptions::default() })
}

/// Stops the engine and starts it with another driver.
fn change(env: &mut TestEnv, driver: &str) {
    env.stop_engine();
    env.set_flags(&["--storage-driver", driver]);
    env.start_engine();
}

fn layer_names(env: &TestEnv) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(env.data_root().join("layers"))
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"))
        .filter(|name| name != "base-1" && name != "mounts")
        .collect();
    names.sort();
    names
}

#[test]
fn containers_read_write_and_go_with_each_driver() {
    for driver in DRIVERS {
        let env = engine(driver);
        assert_eq!(env.naru(&["info", "-f", "{{.Driver}}"]).ok(), driver);
        let _ = env.naru(&["pull", "-q", "busybox"]).ok();
        let script = "echo x > /etc/new; rm /bin/cp; ls /bin/cp 2>/dev/null; cat /etc/new; stat -c %d /bin/busybox / | sort -u | wc -l";
        assert_eq!(env.naru(&["run", "--name", "one", "busybox", "sh", "-c", script]).ok(), "x\n1");
        assert_eq!(env.inspect("one", "{{.GraphDriver.Name}}"), driver);
        assert_eq!(env.naru(&["run", "--rm", "busybox", "ls", "/bin/cp"]).ok(), "/bin/cp");
        let sizes = env.naru(&["image", "inspect", "-f", "{{.Size}}", "busybox"]).ok();
        assert!(sizes.parse::<u64>().expect("a number") > 500_000, "{driver}: {sizes}");
        let history = env.request("GET", "/images/busybox/history", None);
        let history = String::from_utf8(history.body).expect("text");
        assert!(history.contains(&format!("\"Size\":{sizes}")), "{driver}: {history}");
        let names = layer_names(&env);
        assert!(!names.is_empty());
        assert!(names.iter().all(|name| name.ends_with(".erofs") == (driver == "erofs")), "{names:?}");
        let _ = env.naru(&["rm", "one"]).ok();
        let _ = env.naru(&["rmi", "busybox"]).ok();
        assert_eq!(layer_names(&env), [""; 0], "{driver}");
        let table = fs::read_to_string("/proc/self/mountinfo").expect("the table");
        let root = env.data_root().join("layers/mounts/").display().to_string();
        assert!(!table.contains(&root), "{driver}: a layer is still mounted");
    }
}

#[test]
fn images_and_containers_outlive_a_change_of_driver() {
    let mut env = engine("overlay2");
    let _ = env.naru(&["pull", "-q", "busybox"]).ok();
    let _ = env.naru(&["run", "--name", "one", "busybox", "sh", "-c", "echo first >> /log; cat /log"]).ok();
    change(&mut env, "erofs");
    assert_eq!(env.naru(&["start", "-a", "one"]).ok(), "first\nfirst");
    assert_eq!(env.naru(&["run", "--name", "two", "busybox", "echo", "x"]).ok(), "x");
    let _ = env.naru(&["rm", "one", "two"]).ok();
    let _ = env.naru(&["rmi", "busybox"]).ok();
    let _ = env.naru(&["pull", "-q", "busybox"]).ok();
    let _ =
        env.naru(&["run", "--name", "three", "busybox", "sh", "-c", "echo second >> /log; cat /log"]).ok();
    change(&mut env, "overlay2");
    assert_eq!(env.naru(&["start", "-a", "three"]).ok(), "second\nsecond");
    assert_eq!(env.naru(&["run", "--rm", "busybox", "echo", "y"]).ok(), "y");
}

#[test]
fn layers_stay_mounted_when_the_engine_is_killed() {
    let mut env = engine("erofs");
    let _ = env.naru(&["pull", "-q", "busybox"]).ok();
    let _ = env.naru(&["run", "-d", "--name", "one", "busybox", "sleep", "1000"]).ok();
    env.crash_engine();
    env.start_engine();
    assert_eq!(
        env.naru(&["exec", "one", "cat", "/etc/passwd"]).ok(),
        env.naru(&["run", "--rm", "busybox", "cat", "/etc/passwd"]).ok()
    );
    let mounts = env.data_root().join("layers/mounts");
    let table = fs::read_to_string("/proc/self/mountinfo").expect("the table");
    let layers = layer_names(&env).len();
    assert_eq!(
        table.matches(&format!(" {}/", mounts.display())).count(),
        layers,
        "each layer is mounted once"
    );
}

#[test]
fn drivers_that_there_are_not_are_refused_with_the_reason() {
    let env = TestEnv::with(EnvOptions { without_engine: true, ..EnvOptions::default() });
    for (driver, reason) in
        [("zfs", "its kernel module is not part of Linux"), ("nosuch", "there is no such driver")]
    {
        let program = testkit::programs().join("narud").display().to_string();
        let ran = env.run(&program, &["--validate", "--storage-driver", driver]);
        assert_ne!(ran.code, 0);
        assert!(ran.stderr.contains(reason), "{}", ran.stderr);
    }
}

#[test]
fn df_comes_to_what_du_says() {
    for driver in DRIVERS {
        let env = engine(driver);
        let _ = env.naru(&["pull", "-q", "busybox"]).ok();
        let _ = env
            .naru(&["run", "--name", "one", "busybox", "dd", "if=/dev/zero", "of=/big", "bs=1M", "count=3"])
            .ok();
        let summary = env.naru(&["system", "df"]).ok();
        assert!(summary.starts_with("TYPE            TOTAL     ACTIVE    SIZE"), "{summary}");
        assert_eq!(summary, env.docker(&["system", "df"]).ok(), "{driver}");
        let shares = env.request("GET", "/system/df", None);
        let shares: serde_json::Value = serde_json::from_slice(&shares.body).expect("JSON");
        let shares = shares["DataRoot"].as_array().expect("a list");
        let total: i64 = shares.iter().filter_map(|share| share["Size"].as_i64()).sum();
        let du = env.run("du", &["-sxB1", &env.data_root().display().to_string()]).ok();
        let expected: i64 = du.split_whitespace().next().expect("a number").parse().expect("a number");
        assert!(
            (total - expected).abs() * 100 <= expected,
            "{driver}: {total} is not {expected}: {shares:?}"
        );
        let details = env.naru(&["system", "df", "-v"]).ok();
        assert!(details.contains("writable layers") && details.contains("3.15MB"), "{details}");
        let only = env.request("GET", "/system/df?type=volume", None);
        let only: serde_json::Value = serde_json::from_slice(&only.body).expect("JSON");
        assert!(only["Images"].is_null() && only["Volumes"].is_array(), "{only}");
        assert_eq!(env.request("GET", "/system/df?type=nothing", None).status, 400);
    }
}

#[test]
fn damaged_layer_is_found_and_mended() {
    let env = engine("erofs");
    let _ = env.naru(&["pull", "-q", "busybox"]).ok();
    let verified = env.naru(&["image", "verify", "busybox"]).ok();
    assert!(verified.lines().count() >= 3 && verified.lines().all(|line| line.ends_with("ok")), "{verified}");
    let layer = env.data_root().join("layers").join(&layer_names(&env)[0]);
    let mut bytes = fs::read(&layer).expect("the layer");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&layer, bytes).expect("written");
    let told = env.naru(&["image", "verify", "busybox"]);
    assert_ne!(told.code, 0);
    assert!(told.stdout.contains("its archive has the digest sha256:"), "{}", told.stdout);
    let checked = env.naru(&["system", "check"]);
    assert!(checked.code != 0 && checked.stdout.contains("not repaired"), "{}", checked.stdout);
    let mended = env.naru(&["system", "check", "--repair"]).ok();
    assert!(mended.contains("made again from its archive"), "{mended}");
    assert_eq!(env.naru(&["system", "check"]).ok(), "");
    assert_eq!(env.naru(&["run", "--rm", "busybox", "echo", "x"]).ok(), "x");
}

#[test]
fn images_outlive_the_loss_of_the_database_and_other_tools_read_them() {
    let mut env = engine("erofs");
    let _ = env.naru(&["pull", "-q", "busybox"]).ok();
    let before = env.naru(&["images", "--digests", "--no-trunc"]).ok();
    let layout =
        format!("oci:{}:docker.io/library/busybox:latest", env.data_root().join("content").display());
    let copy = format!("dir:{}", env.folder().join("copy").display());
    let _ = env.run("skopeo", &["--insecure-policy", "copy", "-q", &layout, &copy]).ok();
    env.stop_engine();
    for name in ["naru.db", "naru.db-wal", "naru.db-shm"] {
        let _ = fs::remove_file(env.data_root().join(name)); // a stopped engine may have merged the last two
    }
    env.start_engine();
    assert_eq!(env.naru(&["images", "--digests", "--no-trunc"]).ok(), before);
    assert_eq!(env.naru(&["run", "--rm", "busybox", "echo", "x"]).ok(), "x");
    assert_eq!(env.naru(&["system", "check", "--rebuild"]).ok(), "");
}
