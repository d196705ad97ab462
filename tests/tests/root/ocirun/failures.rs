//! Whatever fails, nothing is left, and the text says what was wrong.

use super::bed::Bed;
use serde_json::{Value, json};
use std::fs;

fn fails(bed: &Bed, edit: impl FnOnce(&mut Value), want: &str) {
    let path = bed.bundle().join("config.json");
    let before = fs::read(&path).expect("readable");
    bed.configure(edit);
    for command in ["create", "run"] {
        let said = bed.run(&[command, "a"]).fails_with(1);
        assert!(said.contains(want), "{command}: {said:?}, want {want:?}");
        bed.assert_nothing_left();
    }
    fs::write(&path, before).expect("writable");
}

#[test]
fn every_kind_of_failure_leaves_nothing() {
    let bed = Bed::new();
    fs::write(bed.rootfs().join("plain"), "text").expect("writable");
    let program =
        |program: &'static str| move |config: &mut Value| config["process"]["args"] = json!([program]);
    fails(&bed, program("nosuch"), "exec: \"nosuch\": executable file not found in $PATH");
    fails(&bed, program("/bin"), "exec: \"/bin\": is a directory");
    fails(&bed, program("/plain"), "exec: \"/plain\": permission denied");
    fails(&bed, program("/bin/none"), "exec: \"/bin/none\": stat /bin/none: no such file or directory");
    fails(
        &bed,
        |config| config["process"]["cwd"] = json!("/proc/self/fd/0"),
        "Too many levels of symbolic links",
    );
    fails(&bed, |config| config["root"]["path"] = json!("nowhere"), "cannot open the root file system");
    fails(
        &bed,
        |config| {
            let mount =
                json!({"destination": "/x", "type": "bind", "source": "/nosuch", "options": ["bind"]});
            config["mounts"].as_array_mut().expect("a list").push(mount);
        },
        "cannot mount \"/nosuch\" at \"/x\"",
    );
    fails(
        &bed,
        |config| config["linux"]["namespaces"][1]["path"] = json!("/proc/self/ns/uts"),
        "is uts, not net",
    );
    fails(&bed, |config| config["linux"]["resources"]["memory"] = json!({"limit": 1, "swap": -2}), "");
    fails(&bed, |config| config["linux"]["cgroupsPath"] = json!("/naru-oci/../x"), "leads outside");
}

#[test]
fn broken_configurations_name_the_field() {
    let bed = Bed::new();
    for (edit, want) in [
        (
            Box::new(|c: &mut Value| c["linux"]["namespaces"][2]["type"] = json!("foo"))
                as Box<dyn FnOnce(&mut Value)>,
            "linux.namespaces[2].type: unknown namespace \"foo\"",
        ),
        (Box::new(|c: &mut Value| c["process"]["args"] = json!(["sh", 7])), "process.args[1]: invalid type"),
        (Box::new(|c: &mut Value| c["process"]["args"] = json!([])), "process.args: is empty"),
        (Box::new(|c: &mut Value| c["ociVersion"] = json!("2.0.0")), "ociVersion"),
    ] {
        fails(&bed, edit, want);
    }
    fs::remove_file(bed.bundle().join("config.json")).expect("it is there");
    assert!(bed.run(&["run", "a"]).fails_with(1).contains("config.json"));
}

#[test]
fn ids_that_leave_the_directory_are_refused_by_every_command() {
    let bed = Bed::new();
    let victim = bed.folder.join("victim");
    fs::create_dir_all(&victim).expect("a folder");
    for id in ["../victim", "..", ".", "", "a/b", "/"] {
        for command in
            ["create", "run", "start", "state", "kill", "delete", "pause", "resume", "events", "ps", "update"]
        {
            let said = bed.run(&[command, id]).fails_with(1);
            assert!(said.contains("invalid container ID format"), "{command} {id:?}: {said}");
        }
        assert!(bed.run(&["delete", "--force", id]).fails_with(1).contains("invalid container ID format"));
        assert!(bed.run(&["exec", id, "true"]).fails_with(255).contains("invalid container ID format"));
    }
    assert!(victim.exists());
}

#[test]
fn second_container_cannot_take_the_cgroup_of_the_first() {
    let bed = Bed::new();
    bed.script("sleep 1000");
    bed.start("a");
    let said = bed.run(&["create", "b"]).fails_with(1);
    assert!(said.contains("container's cgroup is not empty"), "{said}");
    assert_eq!(bed.status("a"), "running");
    assert_eq!(bed.run(&["list", "-q"]).ok(), "a\n");
}

#[test]
fn delete_finds_what_a_killed_create_left() {
    let bed = Bed::new();
    bed.script("sleep 1000");
    bed.create("a");
    // As if create had been killed before it knew the process: the record says so, the cgroup is there.
    let path = bed.folder.join("root/a/state.json");
    let mut record: Value = serde_json::from_slice(&fs::read(&path).expect("readable")).expect("JSON");
    record["pid"] = json!(0);
    fs::write(&path, record.to_string()).expect("writable");
    assert_eq!(bed.status("a"), "stopped");
    bed.run(&["delete", "a"]).ok();
    bed.assert_nothing_left();
    fs::create_dir_all(bed.folder.join("root/b")).expect("a folder");
    assert!(bed.run(&["delete", "b"]).fails_with(1).contains("does not exist"));
    bed.run(&["delete", "--force", "b"]).ok();
    bed.assert_nothing_left();
}

#[test]
fn start_tells_of_a_program_that_cannot_be_executed_after_all() {
    let bed = Bed::new();
    // Found and executable at create, and no program: execve refuses it at start.
    fs::write(bed.rootfs().join("bin/odd"), "no program").expect("writable");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(bed.rootfs().join("bin/odd"), mode).expect("ours");
    bed.configure(|config| config["process"]["args"] = json!(["odd"]));
    bed.create("a");
    let said = bed.run(&["start", "a"]).fails_with(1);
    assert!(said.contains("exec odd: exec format error"), "{said}");
    bed.await_status("a", "stopped");
    bed.run(&["delete", "a"]).ok();
    bed.assert_nothing_left();
}
