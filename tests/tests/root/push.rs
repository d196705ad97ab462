//! Pushing images, and pruning them.

use testkit::{EnvOptions, TestEnv};

const HOST: &str = "127.0.0.1:5000";

/// An environment whose registry takes what is pushed.
fn environment() -> TestEnv {
    let env = TestEnv::with(EnvOptions { writable_registry: true, ..EnvOptions::default() });
    let _ = env.naru(&["pull", "-q", "busybox"]).ok();
    env
}

fn json_lines(text: &str) -> Vec<serde_json::Value> {
    text.lines()
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

fn digest(env: &TestEnv, reference: &str) -> String {
    let args = ["inspect", "--tls-verify=false", "--format", "{{.Digest}}", &format!("docker://{reference}")];
    env.run_in_namespace("skopeo", &args).ok()
}

fn commit(env: &TestEnv, name: &str, script: &str) {
    let _ = env.naru(&["run", "--name", "made", "--network", "none", "busybox", "sh", "-c", script]).ok();
    let _ = env.naru(&["commit", "made", name]).ok();
    let _ = env.naru(&["rm", "made"]).ok();
}

#[test]
fn pushed_image_is_the_same_for_others_and_comes_back() {
    let env = environment();
    let name = format!("{HOST}/mine/made:1");
    commit(&env, &name, "echo text > /file");
    let id = env.inspect(&name, "{{.Id}}");
    let pushed = env.docker(&["push", &name]).ok();
    assert!(pushed.contains(&format!("The push refers to repository [{HOST}/mine/made]")), "{pushed}");
    assert!(pushed.contains(": Pushed"), "{pushed}");
    let known = digest(&env, &name);
    assert!(pushed.contains(&format!("1: digest: {known} size: ")), "{pushed}");
    assert_eq!(env.inspect(&name, "{{index .RepoDigests 0}}"), format!("{HOST}/mine/made@{known}"));
    let again = env.docker(&["push", &name]).ok();
    assert!(again.contains("Layer already exists") && !again.contains("Pushed"), "{again}");
    let _ = env.naru(&["rmi", "-f", &name]).ok();
    let _ = env.naru(&["pull", "-q", &name]).ok();
    assert_eq!(env.inspect(&name, "{{.Id}}"), id);
    assert_eq!(env.naru(&["run", "--rm", "--network", "none", &name, "cat", "/file"]).ok(), "text");
}

#[test]
fn pulled_image_is_pushed_with_its_manifest_and_layers_are_mounted() {
    let env = environment();
    let from = format!("{HOST}/library/busybox");
    let _ = env.naru(&["pull", "-q", &from]).ok();
    let to = format!("{HOST}/mine/copy:1");
    let _ = env.naru(&["tag", &from, &to]).ok();
    let pushed = env.naru(&["push", &to]);
    assert!(pushed.stderr.contains(": Mounted from library/busybox"), "{}", pushed.stderr);
    assert_eq!(pushed.ok(), to);
    let raw = |reference: &str, args: &[&str]| {
        let name = format!("docker://{reference}");
        let all = [&["inspect", "--tls-verify=false", "--raw"], args, &[&name]].concat();
        env.run_in_namespace("skopeo", &all).ok()
    };
    let copied = raw(&to, &[]);
    let layers =
        |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON")["layers"].clone();
    assert!(layers(&copied).is_array(), "{copied}");
    // The same bytes have the same digest.
    let archive = env.folder().join("image.tar").display().to_string();
    let _ = env.naru(&["save", "-o", &archive, &to]).ok();
    let index = env.run("/bin/sh", &["-ec", &format!("tar xOf {archive} index.json")]).ok();
    assert!(index.contains(&digest(&env, &to)), "{index}");
}

#[test]
fn all_tags_are_pushed_and_the_stream_ends_with_what_was() {
    let env = environment();
    for tag in ["1", "2"] {
        let _ = env.naru(&["tag", "busybox", &format!("{HOST}/mine/tags:{tag}")]).ok();
    }
    let _ = env.docker(&["push", "-a", &format!("{HOST}/mine/tags")]).ok();
    let first = digest(&env, &format!("{HOST}/mine/tags:1"));
    assert_eq!(digest(&env, &format!("{HOST}/mine/tags:2")), first);
    let answer = env.request("POST", &format!("/images/{HOST}/mine/tags/push?tag=1"), None);
    let lines = json_lines(&String::from_utf8_lossy(&answer.body));
    assert_eq!(lines[0]["status"], format!("The push refers to repository [{HOST}/mine/tags]"));
    let aux = &lines.last().expect("lines")["aux"];
    assert_eq!((aux["Tag"].as_str(), aux["Digest"].as_str()), (Some("1"), Some(first.as_str())));
}

#[test]
fn what_cannot_be_pushed_is_said() {
    let env = environment();
    let failed = env.docker(&["push", &format!("{HOST}/mine/none")]).fails_with(1);
    assert!(
        failed.contains(&format!("An image does not exist locally with the tag: {HOST}/mine/none")),
        "{failed}"
    );
    let failed = env.naru(&["push", "-a", "busybox:1"]).fails_with(1);
    assert!(failed.contains("tag can't be used with --all-tags/-a"), "{failed}");
    let by_digest = format!("busybox@sha256:{}", "1".repeat(64));
    let answer = env.request("POST", &format!("/images/{by_digest}/push"), None);
    assert_eq!(
        (answer.status, answer.json()["message"].as_str()),
        (400, Some("cannot push a digest reference"))
    );
    let _ = env.naru(&["tag", "busybox", "127.0.0.1:1/x:1"]).ok();
    let failed = env.naru(&["push", "127.0.0.1:1/x:1"]).fails_with(1);
    assert!(failed.contains("cannot reach registry 127.0.0.1:1"), "{failed}");
}

#[test]
fn large_layer_is_pushed_in_chunks() {
    let env = environment();
    let name = format!("{HOST}/mine/large:1");
    // Random, so that it stays as large: three chunks.
    commit(&env, &name, "dd if=/dev/urandom of=/large bs=1M count=20 2>/dev/null");
    let sum = |name: &str| env.naru(&["run", "--rm", "--network", "none", name, "sha256sum", "/large"]).ok();
    let before = sum(&name);
    let _ = env.naru(&["push", "-q", &name]).ok();
    let _ = env.naru(&["rmi", "-f", &name]).ok();
    let _ = env.naru(&["pull", "-q", &name]).ok();
    assert_eq!(sum(&name), before);
}

#[test]
fn image_prune_takes_what_has_no_tag_and_no_container() {
    let env = environment();
    commit(&env, "kept:1", "echo 1 > /file");
    commit(&env, "gone:1", "echo 2 > /file");
    let gone = env.inspect("gone:1", "{{.Id}}");
    let _ = env.naru(&["tag", "busybox", "gone:1"]).ok();
    let pruned = env.docker(&["image", "prune", "-f"]).ok();
    assert!(pruned.contains(&format!("deleted: {gone}")) && !pruned.contains("untagged"), "{pruned}");
    assert!(!pruned.contains("Total reclaimed space: 0B"), "{pruned}");
    let _ = env.naru(&["create", "--name", "one", "--network", "none", "busybox"]).ok();
    let pruned = env.naru(&["image", "prune", "-a", "-f"]).ok();
    assert!(pruned.starts_with("Deleted Images:\nuntagged: kept:1\ndeleted: sha256:"), "{pruned}");
    let names = env.naru(&["images", "--format", "{{.Repository}}:{{.Tag}}"]).ok();
    assert_eq!(names, "busybox:latest\ngone:1");
}
