//! Images and containers as archives: save, load, import, export, commit; the docker CLI and skopeo on the other side.

use std::fs;
use std::path::{Path, PathBuf};
use testkit::TestEnv;

fn path(env: &TestEnv, name: &str) -> String {
    env.folder().join(name).display().to_string()
}

/// Runs a shell script with the environment's clients.
fn shell(env: &TestEnv, script: &str) -> String {
    env.run("/bin/sh", &["-ec", script]).ok()
}

fn digests_of_index(text: &str) -> Vec<String> {
    let index: serde_json::Value = serde_json::from_str(text).expect("JSON");
    let manifests = index["manifests"].as_array().expect("manifests");
    manifests.iter().map(|one| one["digest"].as_str().expect("digest").to_owned()).collect()
}

#[test]
fn saved_image_has_dockers_files_and_comes_back_the_same() {
    let env = TestEnv::with_busybox();
    let id = env.inspect("busybox", "{{.Id}}");
    let archive = path(&env, "image.tar");
    let _ = env.naru(&["tag", "busybox", "other:1"]).ok();
    let _ = env.naru(&["save", "-o", &archive, "busybox", "other:1"]).ok();
    let names = shell(&env, &format!("tar tf {archive}"));
    for name in ["blobs/", "blobs/sha256/", "index.json", "manifest.json", "oci-layout", "repositories"] {
        assert!(names.lines().any(|line| line == name), "{name} in {names}");
    }
    let index = shell(&env, &format!("tar xOf {archive} index.json"));
    // The manifest is the registry's own: the pull has kept it.
    for digest in digests_of_index(&index) {
        let kept = env.data_root().join("content/blobs").join(digest.replace(':', "/"));
        assert!(kept.is_file(), "{digest}");
    }
    let _ = env.naru(&["rmi", "-f", "other:1", "busybox"]).ok();
    assert_eq!(env.naru(&["images", "-q"]).ok(), "");
    let loaded = env.docker(&["load", "-i", &archive]).ok();
    assert_eq!(loaded, "Loaded image: busybox:latest\nLoaded image: other:1");
    assert_eq!(env.inspect("other:1", "{{.Id}}"), id);
    assert_eq!(env.naru(&["run", "--rm", "--network", "none", "other:1", "echo", "hi"]).ok(), "hi");
}

#[test]
fn every_compression_loads_and_from_standard_input() {
    let env = TestEnv::with_busybox();
    let id = env.inspect("busybox", "{{.Id}}");
    let archive = path(&env, "image.tar");
    let _ = env.naru(&["save", "-o", &archive, "busybox"]).ok();
    for program in ["cat", "gzip -c", "zstd -qc", "bzip2 -c", "xz -c"] {
        let _ = env.naru(&["rmi", "-f", "busybox"]).ok();
        shell(&env, &format!("{program} {archive} > {archive}.packed"));
        let bytes = fs::read(format!("{archive}.packed")).expect("packed");
        let loaded = env.run_with_input("naru", &["load", "-q"], &bytes).ok();
        assert_eq!(loaded, "Loaded image: busybox:latest", "{program}");
        assert_eq!(env.inspect("busybox", "{{.Id}}"), id, "{program}");
    }
}

#[test]
fn skopeo_reads_our_archive_in_both_of_its_forms_and_we_read_skopeos() {
    let env = TestEnv::with_busybox();
    let id = env.inspect("busybox", "{{.Id}}");
    let folder = env.folder().display().to_string();
    let archive = format!("{folder}/ours.tar");
    let _ = env.naru(&["save", "-o", &archive, "busybox"]).ok();
    let skopeo = "skopeo --insecure-policy --tmpdir";
    shell(
        &env,
        &format!(
            "cd {folder}; {skopeo} {folder} copy -q docker-archive:ours.tar oci-archive:oci.tar:a.example/from-oci:1; \
             mkdir layout; tar xf ours.tar -C layout; \
             {skopeo} {folder} copy -q oci:layout:latest docker-archive:docker.tar:from-docker:1"
        ),
    );
    let loaded = env.naru(&["load", "-q", "-i", &format!("{folder}/docker.tar")]).ok();
    assert_eq!(loaded, "Loaded image: from-docker:1");
    let loaded = env.naru(&["load", "-q", "-i", &format!("{folder}/oci.tar")]).ok();
    assert_eq!(loaded, "Loaded image: a.example/from-oci:1");
    // Docker's form keeps the configuration; skopeo writes OCI's anew, and that holds the same layers.
    assert_eq!(env.inspect("from-docker:1", "{{.Id}}"), id);
    let layers = |name: &str| env.inspect(name, "{{json .RootFS.Layers}}");
    assert_eq!(layers("a.example/from-oci:1"), layers("busybox"));
    assert_eq!(
        env.naru(&["run", "--rm", "--network", "none", "a.example/from-oci:1", "echo", "hi"]).ok(),
        "hi"
    );
}

#[test]
fn image_without_a_tag_is_saved_by_its_id_and_loaded_without_a_name() {
    let env = TestEnv::with_busybox();
    let id = env.inspect("busybox", "{{.Id}}");
    let archive = path(&env, "image.tar");
    let _ = env.naru(&["save", "-o", &archive, &id]).ok();
    let _ = env.naru(&["rmi", "-f", "busybox"]).ok();
    assert_eq!(env.naru(&["load", "-i", &archive]).ok(), format!("Loaded image ID: {id}"));
    assert_eq!(env.inspect(&id, "{{len .RepoTags}}"), "0");
}

#[test]
fn load_takes_a_tag_from_the_image_that_had_it() {
    let env = TestEnv::with_busybox();
    let archive = path(&env, "image.tar");
    let old = env.inspect("busybox", "{{.Id}}");
    let _ = env.naru(&["create", "--name", "one", "--network", "none", "busybox"]).ok();
    let new = env.naru(&["commit", "one", "busybox"]).ok();
    assert_ne!(new, old);
    let _ = env.naru(&["save", "-o", &archive, "busybox"]).ok();
    let _ = env.naru(&["tag", &old, "busybox"]).ok();
    let loaded = env.docker(&["load", "-q", "-i", &archive]).ok();
    let expected = format!(
        "The image busybox:latest already exists, renaming the old one with ID {old} to empty string\n\
         Loaded image: busybox:latest"
    );
    assert_eq!(loaded, expected);
    assert_eq!(env.inspect("busybox", "{{.Id}}"), new);
}

#[test]
fn hostile_archives_are_refused_and_leave_nothing() {
    let env = TestEnv::with_busybox();
    let folder = env.folder().join("hostile");
    let archive = path(&env, "image.tar");
    let _ = env.naru(&["save", "-o", &archive, "busybox"]).ok();
    let _ = env.naru(&["rmi", "-f", "busybox"]).ok();
    let bad = path(&env, "bad.tar");
    let unpack = format!("rm -rf {0}; mkdir {0}; tar xf {archive} -C {0}; cd {0}", folder.display());
    let cases = [
        // A layer that is not what its name says.
        ("for f in blobs/sha256/*; do printf x >> $f; done; tar cf ../bad.tar *", "has the digest sha256:"),
        (
            "rm manifest.json index.json repositories; tar cf ../bad.tar *",
            "neither manifest.json nor index.json",
        ),
        ("rm manifest.json index.json; tar cf ../bad.tar *", "before Docker 1.10"),
        ("echo '[' > manifest.json; tar cf ../bad.tar *", "manifest.json is invalid"),
        (
            "sed -i 's,\"Config\":\"[^\"]*\",\"Config\":\"/etc/passwd\",' manifest.json; tar cf ../bad.tar *",
            "is missing",
        ),
        ("sed -i 's,busybox:latest,BAD:x,' manifest.json; tar cf ../bad.tar *", "must be lowercase"),
        ("ln -s /etc/passwd blobs/evil; tar cf ../bad.tar *", "leads out of it"),
        ("tar cPf ../bad.tar --transform 's,index.json,../../index.json,' *", "leads out of it"),
        ("mkfifo pipe; tar cf ../bad.tar *", "neither a file nor a link"),
        ("printf 'no archive at all' > ../bad.tar", "the layer archive is"),
        // An image whose layers are in the wrong order has other diff IDs.
        (
            "sed -i -E 's,\"Layers\":\\[\"[^\"]*\",\"Layers\":[\"oci-layout\",' manifest.json; tar cf ../bad.tar *",
            "",
        ),
    ];
    for (script, expected) in cases {
        shell(&env, &format!("{unpack}; {script}"));
        let failed = env.naru(&["load", "-q", "-i", &bad]).fails_with(1);
        assert!(failed.contains(expected), "{script}: {failed}");
        assert_eq!(env.naru(&["images", "-aq"]).ok(), "", "{script}");
        assert_eq!(left(&env), Vec::<PathBuf>::new(), "{script}");
    }
}

/// What lies in the content store.
fn left(env: &TestEnv) -> Vec<PathBuf> {
    let content = env.data_root().join("content");
    ["blobs/sha256", "ingest"]
        .iter()
        .flat_map(|name| fs::read_dir(content.join(name)).expect("content"))
        .map(|entry| entry.expect("entry").path())
        .collect()
}

#[test]
fn exported_container_has_all_files_and_comes_back_as_an_image() {
    let env = TestEnv::with_busybox();
    let script =
        "rm /bin/true; mkdir /new; echo text > /new/f; ln /new/f /new/g; chmod 4711 /new/f; ln -s f /new/l";
    let _ = env
        .naru(&[
            "run",
            "--name",
            "one",
            "--network",
            "none",
            "-v",
            "/tmp:/mnt",
            "busybox",
            "sh",
            "-c",
            script,
        ])
        .ok();
    let archive = path(&env, "c.tar");
    let _ = env.docker(&["export", "-o", &archive, "one"]).ok();
    let names = shell(&env, &format!("tar tf {archive}"));
    let has = |name: &str| names.lines().any(|line| line == name);
    assert!(has("bin/sh") && has("new/f") && has("new/g") && has("mnt/") && !has("bin/true"), "{names}");
    let id = env
        .naru(&["import", "-m", "from a test", "-c", "CMD cat /new/g", "-c", "ENV A=b", &archive, "back:1"])
        .ok();
    assert_eq!(
        env.inspect("back:1", "{{.Id}} {{.Comment}} {{json .Config.Env}}"),
        format!("{id} from a test [\"A=b\"]")
    );
    assert_eq!(env.naru(&["run", "--rm", "--network", "none", "back:1"]).ok(), "text");
    let stat =
        env.naru(&["run", "--rm", "--network", "none", "back:1", "stat", "-c", "%a %h", "/new/f"]).ok();
    assert_eq!(stat, "4711 2");
    let piped = env.run_with_input(
        "docker",
        &["import", "--platform", "linux/arm64", "-", "other:1"],
        &fs::read(&archive).expect("archive"),
    );
    let _ = piped.ok();
    assert_eq!(env.inspect("other:1", "{{.Architecture}} {{.Comment}}"), "arm64 Imported from -");
}

#[test]
fn committed_container_is_an_image_with_its_changes() {
    let env = TestEnv::with_busybox();
    let script = "rm -r /var; mkdir /var; touch /var/own; rm /bin/true; echo a > /etc/added; sleep 1000";
    let _ = env
        .naru(&[
            "run",
            "-d",
            "--name",
            "one",
            "--network",
            "none",
            "-e",
            "X=1",
            "-l",
            "k=v",
            "busybox",
            "sh",
            "-c",
            script,
        ])
        .ok();
    testkit::wait_until("the container has written", || {
        env.naru(&["exec", "one", "test", "-f", "/etc/added"]).code == 0
    });
    let id = env
        .docker(&[
            "commit",
            "-a",
            "me <x@example>",
            "-m",
            "why",
            "-c",
            "CMD [\"cat\",\"/etc/added\"]",
            "-c",
            "WORKDIR /var",
            "one",
            "made:1",
        ])
        .ok();
    assert_eq!(env.inspect("one", "{{.State.Status}}"), "running");
    let shown = env
        .inspect("made:1", "{{.Id}} {{.Author}} {{.Comment}} {{.Config.WorkingDir}} {{json .Config.Labels}}");
    assert_eq!(shown, format!("{id} me <x@example> why /var {{\"k\":\"v\"}}"));
    let run = |args: &[&str]| {
        let all = [&["run", "--rm", "--network", "none", "made:1"], args].concat();
        env.naru(&all).ok()
    };
    assert_eq!(run(&[]), "a");
    assert_eq!(run(&["sh", "-c", "ls; test -e /bin/true || echo gone; echo $X"]), "own\ngone\n1");
    // Another pause is told, and the rest of what Docker tells.
    let history =
        env.naru(&["history", "--no-trunc", "--format", "{{.CreatedBy}}|{{.Comment}}", "made:1"]).ok();
    assert!(history.starts_with(&format!("sh -c {script}|why\n")), "{history}");
    // Its layer is a blob: what is saved loads elsewhere.
    let archive = path(&env, "made.tar");
    let _ = env.naru(&["save", "-o", &archive, "made:1"]).ok();
    let _ = env.naru(&["rm", "-f", "one"]).ok();
    let _ = env.naru(&["rmi", "-f", "made:1", "busybox"]).ok();
    let _ = env.naru(&["load", "-q", "-i", &archive]).ok();
    assert_eq!(run(&[]), "a");
    assert_eq!(env.inspect("made:1", "{{.Id}}"), id);
}

#[test]
fn commit_without_changes_adds_no_layer() {
    let env = TestEnv::with_busybox();
    let _ = env.naru(&["create", "--name", "one", "--network", "none", "busybox", "true"]).ok();
    let _ = env.naru(&["commit", "one", "same"]).ok();
    let layers = |name: &str| env.inspect(name, "{{json .RootFS.Layers}}");
    assert_eq!(layers("same"), layers("busybox"));
    let failed = env.naru(&["commit", "-c", "RUN x", "one"]).fails_with(1);
    assert!(failed.contains("RUN is not a valid change command"), "{failed}");
    let failed = env.docker(&["commit", "nope"]).fails_with(1);
    assert!(failed.contains("No such container: nope"), "{failed}");
}

#[test]
fn archives_do_not_go_to_a_terminal_or_to_nowhere() {
    let env = TestEnv::with_busybox();
    let failed = env.naru(&["save", "-o", "/nonexistent/x", "busybox"]).fails_with(1);
    assert!(
        failed.contains("failed to save: invalid output path: directory \"/nonexistent\" does not exist"),
        "{failed}"
    );
    let failed = env.naru(&["save", "nope"]).fails_with(1);
    assert!(failed.contains("No such image: nope"), "{failed}");
    let failed = env.naru(&["load", "-i", "/nonexistent"]).fails_with(1);
    assert!(failed.contains("open /nonexistent: no such file or directory"), "{failed}");
    let terminal = env.terminal("naru", &["save", "busybox"]);
    terminal.expect("cowardly refusing to save to a terminal. Use the -o flag or redirect");
    assert_eq!(terminal.wait(), 1);
    let file = path(&env, "kept");
    fs::write(&file, "old").expect("written");
    let _ = env.naru(&["save", "-o", &file, "nope"]).fails_with(1);
    assert_eq!(fs::read_to_string(Path::new(&file)).expect("read"), "old");
}
