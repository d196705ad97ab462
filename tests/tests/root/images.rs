//! pull, images, tag, rmi, inspect; interrupted and hostile registries.

use testkit::TestEnv;

#[test]
fn pull_reports_digest_and_status() {
    let env = TestEnv::new();
    let ran = env.naru(&["pull", "busybox"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.ends_with("docker.io/library/busybox:latest\n"), "{}", ran.stdout);
    let talk = format!("{}{}", ran.stdout, ran.stderr);
    assert!(talk.contains("Status: Downloaded newer image for busybox:latest"), "{talk}");
    assert!(talk.contains("Digest: sha256:"), "{talk}");
    let again = env.naru(&["pull", "busybox"]);
    assert!(format!("{}{}", again.stdout, again.stderr).contains("Image is up to date for busybox:latest"));
    assert_eq!(env.naru(&["pull", "-q", "busybox"]).ok(), "docker.io/library/busybox:latest");
}

#[test]
fn pull_by_digest_and_from_a_registry_by_address() {
    let env = TestEnv::new();
    let _ = env.naru(&["pull", "-q", "127.0.0.1:5000/library/busybox:latest"]).ok();
    let digest = env
        .naru(&["image", "inspect", "--format", "{{index .RepoDigests 0}}", "127.0.0.1:5000/library/busybox"])
        .ok();
    assert!(digest.starts_with("127.0.0.1:5000/library/busybox@sha256:"), "{digest}");
    let _ = env.naru(&["rmi", "127.0.0.1:5000/library/busybox:latest"]).ok();
    let _ = env.naru(&["pull", "-q", &digest]).ok();
    assert_eq!(env.naru(&["run", "--rm", &digest, "echo", "x"]).ok(), "x");
}

#[test]
fn images_are_listed_as_docker_lists_them() {
    let env = TestEnv::with_busybox();
    let _ = env.naru(&["tag", "busybox", "mine:1.0"]).ok();
    let ours = env.naru(&["images"]).ok();
    // The docker CLI sorts by time of creation alone: the order of two tags of one image is left to chance.
    assert_eq!(sorted_lines(&ours), sorted_lines(&env.docker(&["images"]).ok()));
    assert!(ours.starts_with("REPOSITORY   TAG       IMAGE ID"), "{ours}");
    assert_eq!(env.naru(&["images", "--format", "{{.Repository}}:{{.Tag}}", "mine"]).ok(), "mine:1.0");
    assert_eq!(env.naru(&["images", "-q"]).ok(), env.docker(&["images", "-q"]).ok());
}

fn sorted_lines(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn rmi_untags_first_and_deletes_last() {
    let env = TestEnv::with_busybox();
    let _ = env.naru(&["tag", "busybox", "mine"]).ok();
    assert_eq!(env.naru(&["rmi", "mine"]).ok(), "Untagged: mine:latest");
    let gone = env.naru(&["rmi", "busybox"]).ok();
    assert!(gone.contains("Untagged: busybox:latest") && gone.contains("Deleted: sha256:"), "{gone}");
    assert!(env.naru(&["rmi", "busybox"]).fails_with(1).contains("No such image: busybox"));
    let layers = env.data_root().join("layers");
    testkit::wait_until("the layers are gone, but for the common base", || {
        std::fs::read_dir(&layers)
            .expect("the folder")
            .flatten()
            .all(|entry| entry.file_name() == "base-1" || entry.file_name() == "mounts")
    });
}

#[test]
fn rmi_of_an_image_in_use_is_refused() {
    let env = TestEnv::with_busybox();
    let id = env.naru(&["run", "-d", "busybox", "sleep", "100"]).ok();
    let stderr = env.naru(&["rmi", "busybox"]).fails_with(1);
    assert!(stderr.contains("conflict: unable to remove repository reference \"busybox\""), "{stderr}");
    assert!(stderr.contains(&id[..12]), "{stderr}");
    assert_eq!(env.naru(&["exec", &id, "echo", "alive"]).ok(), "alive");
}

#[test]
fn layers_hide_what_upper_ones_removed() {
    let env = TestEnv::new();
    let script = "cat /etc/changed; ls /opaque; ls /etc/removed 2>&1 | grep -c 'No such'";
    assert_eq!(env.naru(&["run", "--rm", "layered", "sh", "-c", script]).ok(), "upper\nnew\n1");
}

#[test]
fn layers_are_stored_once_for_two_images() {
    let env = TestEnv::with_busybox();
    let count = || std::fs::read_dir(env.data_root().join("layers")).expect("the folder").count();
    let before = count();
    let _ = env.naru(&["pull", "-q", "layered"]).ok();
    assert_eq!(count(), before + 2, "the base layer is shared");
}

#[test]
fn pull_errors_name_the_cause() {
    let env = TestEnv::new();
    for (reference, text) in [
        ("127.0.0.1:5000/library/busybox:nosuch", "manifest"),
        ("127.0.0.1:5000/nosuch", "127.0.0.1:5000/nosuch"),
        ("127.0.0.1:1/x", "127.0.0.1:1"),
        ("UPPER", "must be lowercase"),
        ("bad name", "invalid reference format"),
        ("foreign", "no matching manifest for linux/"),
    ] {
        let ran = env.naru(&["pull", reference]);
        assert_ne!(ran.code, 0, "{reference}");
        assert!(ran.stderr.contains(text), "{reference}: {}", ran.stderr);
    }
    let partial = std::fs::read_dir(env.data_root().join("content/ingest")).map(|entries| entries.count());
    assert_eq!(partial.unwrap_or(0), 0, "nothing half-fetched lies about");
}

#[test]
fn image_inspect_shows_the_configuration() {
    let env = TestEnv::new();
    let _ = env.naru(&["pull", "-q", "configured"]).ok();
    let template = "{{.Config.User}} {{.Config.WorkingDir}} {{index .Config.Labels \"from\"}} {{.Architecture}} {{len .RootFS.Layers}}";
    assert_eq!(
        env.naru(&["image", "inspect", "-f", template, "configured"]).ok(),
        "postgres /srv/work image amd64 1"
    );
    let ours = env.naru(&["image", "inspect", "configured"]).ok();
    assert_eq!(ours, env.docker(&["image", "inspect", "configured"]).ok());
}
