//! Named and anonymous volumes: their lives, what is copied into them, who may remove them.

use std::fs;
use testkit::{EnvOptions, TestEnv, wait_until};

fn volume(env: &TestEnv, args: &[&str]) -> String {
    let mut all = vec!["volume"];
    all.extend(args);
    env.naru(&all).ok()
}

#[test]
fn volume_keeps_what_containers_write() {
    let env = TestEnv::with_busybox();
    assert_eq!(volume(&env, &["create", "--label", "a=b", "data"]), "data");
    let _ = env.naru(&["run", "--rm", "-v", "data:/d", "busybox", "sh", "-c", "echo kept > /d/x"]).ok();
    assert_eq!(env.naru(&["run", "--rm", "-v", "data:/d:ro", "busybox", "cat", "/d/x"]).ok(), "kept");
    let stderr = env.naru(&["run", "--rm", "-v", "data:/d:ro", "busybox", "touch", "/d/y"]).fails_with(1);
    assert!(stderr.contains("Read-only file system"), "{stderr}");
    let mount = "type=volume,src=data,dst=/d,readonly";
    let stderr = env.naru(&["run", "--rm", "--mount", mount, "busybox", "touch", "/d/y"]).fails_with(1);
    assert!(stderr.contains("Read-only file system"), "{stderr}");
    let mountpoint = env.data_root().join("volumes/data/_data");
    assert_eq!(
        volume(&env, &["inspect", "-f", "{{.Mountpoint}} {{.Driver}} {{.Labels.a}} {{.Scope}}", "data"]),
        format!("{} local b local", mountpoint.display())
    );
    assert_eq!(fs::read_to_string(mountpoint.join("x")).expect("written inside"), "kept\n");
    assert_eq!(volume(&env, &["ls", "-q"]), "data", "containers with --rm leave a named volume");
    assert_eq!(volume(&env, &["rm", "data"]), "data");
    assert!(!mountpoint.exists());
    let stderr = env.naru(&["volume", "rm", "data"]).fails_with(1);
    assert!(stderr.contains("get data: no such volume"), "{stderr}");
    assert_eq!(env.naru(&["volume", "rm", "-f", "data"]).ok(), "data");
}

#[test]
fn volume_in_use_is_not_removed() {
    let env = TestEnv::with_busybox();
    let id = env.naru(&["create", "--name", "one", "-v", "data:/d", "busybox", "true"]).ok();
    let answer = env.request("DELETE", "/volumes/data", None);
    assert_eq!(answer.status, 409);
    assert_eq!(answer.json()["message"], format!("remove data: volume is in use - [{id}]"));
    assert_eq!(volume(&env, &["ls", "-q", "--filter", "dangling=true"]), "");
    assert_eq!(env.naru(&["ps", "-aq", "--no-trunc", "--filter", "volume=data"]).ok(), id);
    let _ = env.naru(&["rm", "one"]).ok();
    assert_eq!(volume(&env, &["ls", "-q", "--filter", "dangling=true"]), "data");
    assert_eq!(env.request("DELETE", "/volumes/data", None).status, 204);
}

#[test]
fn anonymous_volumes_go_with_rm_v_and_with_rm() {
    let env = TestEnv::with_busybox();
    let names = || volume(&env, &["ls", "-q"]);
    let _ = env.naru(&["run", "--rm", "-v", "/d", "busybox", "touch", "/d/x"]).ok();
    wait_until("--rm takes the volume along", || names().is_empty());
    let _ =
        env.naru(&["run", "--name", "one", "-v", "/d", "-v", "named:/n", "busybox", "touch", "/d/x"]).ok();
    let name = env.inspect("one", "{{range .Mounts}}{{if eq .Destination \"/d\"}}{{.Name}}{{end}}{{end}}");
    assert_eq!(name.len(), 64);
    assert_eq!(
        volume(&env, &["inspect", "-f", "{{json .Labels}}", &name]),
        r#"{"com.docker.volume.anonymous":""}"#
    );
    let _ = env.naru(&["rm", "one"]).ok();
    assert_eq!(names().lines().count(), 2, "without -v they stay");
    let pruned = volume(&env, &["prune", "-f"]);
    assert!(pruned.contains(&name) && !pruned.contains("named"), "{pruned}");
    let _ = env.naru(&["create", "--name", "two", "-v", "/d", "-v", "named:/n", "busybox", "true"]).ok();
    let _ = env.naru(&["rm", "-v", "two"]).ok();
    assert_eq!(names(), "named");
    let pruned = volume(&env, &["prune", "-a", "-f"]);
    assert!(pruned.contains("named"), "{pruned}");
}

#[test]
fn content_of_the_image_is_copied_into_new_volumes_only() {
    let env = TestEnv::with_busybox();
    let list = "ls -ln /etc /d | grep -c ' passwd$'; stat -c '%a %u %g' /d";
    assert_eq!(
        env.naru(&["run", "--rm", "-v", "copied:/etc", "-v", "copied:/d", "busybox", "sh", "-c", list]).ok(),
        "2\n755 0 0"
    );
    let copied = env.data_root().join("volumes/copied/_data");
    assert!(copied.join("passwd").exists());
    assert!(!copied.parent().expect("has one").join("copy-up").exists(), "the mark is gone");
    let empty = env.naru(&["run", "--rm", "-v", "empty:/etc:nocopy", "busybox", "ls", "/etc/passwd"]);
    assert!(empty.fails_with(1).contains("No such file"));
    let mount = "type=volume,src=empty2,dst=/etc,volume-nocopy,volume-label=x=y";
    let _ = env.naru(&["run", "--rm", "--mount", mount, "busybox", "ls", "/etc/passwd"]).fails_with(1);
    assert_eq!(volume(&env, &["inspect", "-f", "{{.Labels.x}}", "empty2"]), "y");
    // What was there stays: nothing is copied over it.
    let _ = volume(&env, &["create", "full"]);
    fs::write(env.data_root().join("volumes/full/_data/own"), "own").expect("writable");
    assert_eq!(
        env.naru(&["run", "--rm", "-v", "full:/bin2", "-v", "full:/etc", "busybox", "ls", "/bin2"]).ok(),
        "hostname\nhosts\nown\nresolv.conf"
    );
}

#[test]
fn options_of_the_local_driver_are_mounted_while_containers_run() {
    let env = TestEnv::with_busybox();
    let _ = volume(
        &env,
        &["create", "-o", "type=tmpfs", "-o", "device=tmpfs", "-o", "o=size=1m,mode=0710", "memory"],
    );
    let script = "df -k /m | tail -1; stat -c %a /m; echo here > /m/x";
    let shown = env.naru(&["run", "--rm", "-v", "memory:/m", "busybox", "sh", "-c", script]).ok();
    assert!(shown.contains(" 1024 ") && shown.ends_with("710"), "{shown}");
    let data = env.data_root().join("volumes/memory/_data");
    wait_until("it is taken off", || fs::read_dir(&data).expect("readable").count() == 0);
    let source = env.folder().join("source");
    fs::create_dir_all(&source).expect("writable");
    let device = format!("device={}", source.display());
    let _ = volume(&env, &["create", "-o", "type=none", "-o", "o=bind", "-o", &device, "bound"]);
    let _ = env.naru(&["run", "--rm", "-v", "bound:/b", "busybox", "touch", "/b/x"]).ok();
    assert!(source.join("x").exists());
    let _ = volume(&env, &["create", "-o", "uid=1000", "-o", "gid=100", "-o", "mode=2770", "owned"]);
    assert_eq!(
        env.naru(&["run", "--rm", "-v", "owned:/o", "busybox", "stat", "-c", "%a %u %g", "/o"]).ok(),
        "2770 1000 100"
    );
    let _ = volume(&env, &["create", "-o", "type=nosuchfs", "-o", "device=x", "broken"]);
    let stderr = env.naru(&["run", "--rm", "-v", "broken:/b", "busybox", "true"]).fails_with(125);
    assert!(
        stderr.contains("failed to mount local volume: mount x:") && stderr.contains("No such device"),
        "{stderr}"
    );
}

#[test]
fn volumes_of_other_containers_are_inherited() {
    let env = TestEnv::with_busybox();
    let script = "echo shared > /n/x";
    let _ =
        env.naru(&["run", "--name", "one", "-v", "/a", "-v", "named:/n", "busybox", "sh", "-c", script]).ok();
    assert_eq!(env.naru(&["run", "--rm", "--volumes-from", "one", "busybox", "cat", "/n/x"]).ok(), "shared");
    let stderr =
        env.naru(&["run", "--rm", "--volumes-from", "one:ro", "busybox", "touch", "/a/x"]).fails_with(1);
    assert!(stderr.contains("Read-only file system"), "{stderr}");
    assert_eq!(volume(&env, &["ls", "-q"]).lines().count(), 2, "the other one's anonymous volume stays");
    let stderr = env.naru(&["run", "--rm", "--volumes-from", "none", "busybox", "true"]).fails_with(125);
    assert!(stderr.contains("No such container: none"), "{stderr}");
}

#[test]
fn subpath_does_not_lead_out_of_the_volume() {
    let env = TestEnv::with_busybox();
    let script =
        "mkdir -p /d/sub; echo in > /d/sub/x; ln -s / /d/root; ln -s sub /d/link; ln -s ../../../.. /d/up";
    let _ = env.naru(&["run", "--rm", "-v", "data:/d", "busybox", "sh", "-c", script]).ok();
    let run = |subpath: &str, program: &[&str]| {
        let mount = format!("type=volume,src=data,dst=/s,volume-subpath={subpath}");
        let mut args = vec!["run", "--rm", "--mount", &mount, "busybox"];
        args.extend(program);
        env.naru(&args)
    };
    assert_eq!(run("sub", &["cat", "/s/x"]).ok(), "in");
    assert_eq!(run("link", &["cat", "/s/x"]).ok(), "in");
    for subpath in ["root", "up"] {
        assert_eq!(run(subpath, &["cat", "/s/sub/x"]).ok(), "in", "{subpath} is the volume's own root");
    }
    let stderr = run("nosuch", &["true"]).fails_with(125);
    assert!(stderr.contains("nosuch"), "{stderr}");
    let stderr = run("../x", &["true"]).fails_with(125);
    assert!(stderr.contains("subpath must be a relative path within the volume"), "{stderr}");
}

#[test]
fn events_and_inspect_are_dockers() {
    let env = TestEnv::with_busybox();
    let _ = env
        .naru(&["run", "--name", "one", "-v", "data:/d", "--mount", "src=mm,dst=/m", "busybox", "true"])
        .ok();
    let _ = env.naru(&["rm", "one"]).ok();
    let _ = volume(&env, &["rm", "data"]);
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
    let log = env
        .naru(&[
            "events",
            "--since",
            "0",
            "--until",
            &(now + 1).to_string(),
            "--filter",
            "volume=data",
            "--format",
            "{{.Action}}",
        ])
        .ok();
    assert_eq!(log, "create\nmount\nunmount\ndestroy");
    let _ = env
        .naru(&[
            "create",
            "--name",
            "two",
            "-v",
            "data:/d:ro",
            "-v",
            "/e",
            "--mount",
            "src=mm,dst=/m",
            "busybox",
        ])
        .ok();
    let inspect = env.request("GET", "/containers/two/json", None).json();
    assert_eq!(inspect["HostConfig"]["Binds"], serde_json::json!(["data:/d:ro"]));
    assert_eq!(
        inspect["HostConfig"]["Mounts"],
        serde_json::json!([{"Type": "volume", "Source": "mm", "Target": "/m"}])
    );
    assert_eq!(inspect["Config"]["Volumes"], serde_json::json!({"/e": {}}));
    let source = env.data_root().join("volumes/data/_data");
    assert_eq!(
        inspect["Mounts"][0],
        serde_json::json!({"Type": "volume", "Name": "data", "Source": source, "Destination": "/d",
            "Driver": "local", "Mode": "ro", "RW": false, "Propagation": ""})
    );
}

#[test]
fn volume_is_renamed_and_measured() {
    let env = TestEnv::with_busybox();
    let _ = env
        .naru(&["run", "--rm", "-v", "old:/d", "busybox", "sh", "-c", "head -c 5000 /dev/zero > /d/x"])
        .ok();
    let shown = volume(&env, &["du"]);
    assert!(shown.contains("old") && shown.contains("5kB"), "{shown}");
    let _ = volume(&env, &["rename", "old", "new"]);
    assert_eq!(volume(&env, &["ls", "-q"]), "new");
    assert_eq!(env.naru(&["run", "--rm", "-v", "new:/d", "busybox", "wc", "-c", "/d/x"]).ok(), "5000 /d/x");
    let _ = volume(&env, &["create", "other"]);
    let stderr = env.naru(&["volume", "rename", "new", "other"]).fails_with(1);
    assert!(stderr.contains("already in use"), "{stderr}");
}

#[test]
fn use_counts_survive_the_engine() {
    let mut env = TestEnv::with_busybox();
    let script = "while :; do sleep 0.1; done";
    let _ = env
        .naru(&["run", "-d", "--name", "one", "-v", "data:/d", "-v", "/a", "busybox", "sh", "-c", script])
        .ok();
    let _ = volume(&env, &["create", "free"]);
    env.crash_engine();
    env.start_engine();
    assert_eq!(volume(&env, &["ls", "-q", "--filter", "dangling=true"]), "free");
    assert_eq!(env.request("DELETE", "/volumes/data", None).status, 409);
    let _ = env.naru(&["rm", "-f", "-v", "one"]).ok();
    assert_eq!(volume(&env, &["ls", "-q"]), "data\nfree");
}

/// The engine dies between the records of a new container and the copy of the image's content into its volume: the container is
/// whole, its start copies.
#[test]
fn interrupted_copy_is_done_at_the_start() {
    let mut env = TestEnv::with(EnvOptions { without_engine: true, ..EnvOptions::default() });
    env.start_engine_with(&[]);
    let _ = env.naru(&["pull", "-q", "busybox"]).ok();
    env.stop_engine();
    env.start_engine_with(&[("NARU_CRASH_AFTER".to_owned(), "StoreContainer".to_owned())]);
    let _ = env.naru(&["create", "--name", "one", "-v", "data:/etc", "busybox", "ls", "/etc/passwd"]);
    env.wait_for_engine_end();
    let data = env.data_root().join("volumes/data/_data");
    fs::write(data.join("half"), "a part of a copy").expect("writable");
    env.start_engine_with(&[]);
    assert_eq!(env.naru(&["start", "-a", "one"]).ok(), "/etc/passwd");
    assert!(!data.join("half").exists(), "what the interrupted copy has left is gone");
}

#[test]
fn docker_cli_manages_volumes() {
    let env = TestEnv::with_busybox();
    assert_eq!(env.docker(&["volume", "create", "data"]).ok(), "data");
    let _ = env.docker(&["run", "--rm", "-v", "data:/d", "busybox", "touch", "/d/x"]).ok();
    assert_eq!(env.docker(&["volume", "ls", "-q"]).ok(), "data");
    let shown = env.docker(&["volume", "ls"]).ok();
    assert_eq!(shown, env.naru(&["volume", "ls"]).ok());
    assert_eq!(
        env.docker(&["volume", "inspect", "data"]).ok(),
        env.naru(&["volume", "inspect", "data"]).ok()
    );
    assert_eq!(env.docker(&["volume", "rm", "data"]).ok(), "data");
    let stderr = env.docker(&["volume", "create", "a/b"]).fails_with(1);
    assert!(stderr.contains("includes invalid characters for a local volume name"), "{stderr}");
}
