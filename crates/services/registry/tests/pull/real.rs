//! Pulls from Debian's docker-registry, filled by skopeo: packages docker-registry, skopeo, busybox-static, openssl.

use crate::support::{Home, digest, failure, pull, request};
use refs::Secret;
use registry::{Credentials, LayerProgress, Outcome, Progress};
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A registry of its own on a free port of the loopback device.
struct RealRegistry {
    directory: PathBuf,
    port: u16,
    child: Child,
}

impl RealRegistry {
    async fn start(name: &str, more: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("naru-test-real-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let storage = directory.join("storage");
        let config = format!(
            "version: 0.1\nlog: {{level: warn, accesslog: {{disabled: true}}}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n\
             http:\n  addr: 127.0.0.1:{port}\n{more}",
            storage.display()
        );
        let file = directory.join("config.yml");
        std::fs::write(&file, config).unwrap();
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("docker-registry is installed");
        let registry = Self { directory, port, child };
        let up = async {
            while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), up).await.expect("docker-registry comes up");
        registry
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Pushes an OCI layout that lies in a directory.
    fn push(&self, layout: &Path, name: &str, more: &[&str]) {
        let output = Command::new("skopeo")
            .args(["--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false"])
            .args(more)
            .arg(format!("oci:{}:t", layout.display()))
            .arg(format!("docker://{}/{name}", self.address()))
            .output()
            .expect("skopeo is installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for RealRegistry {
    fn drop(&mut self) {
        let _ = self.child.kill(); // it may have ended by itself
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory); // leftovers in the temporary directory harm nobody
    }
}

/// Makes an OCI layout of two layers, gzip: busybox with its links, and a directory of odd things.
fn layout(directory: &Path) -> PathBuf {
    let script = r#"
        set -e
        cd "$1"
        mkdir -p base/bin base/etc odd/data layout/blobs/sha256
        cp /usr/bin/busybox base/bin/busybox
        ln -s busybox base/bin/sh
        echo root:x:0:0:root:/:/bin/sh >base/etc/passwd
        echo secret >odd/data/file && chown 12:34 odd/data/file && chmod 4711 odd/data/file
        ln odd/data/file odd/data/hard
        mkfifo odd/data/fifo
        mkdir -p odd/bin && : >odd/bin/.wh.sh
        blob() { local sum; sum=$(sha256sum "$1" | cut -d' ' -f1); cp "$1" layout/blobs/sha256/$sum; echo $sum; }
        descriptor() { printf '{"mediaType":"%s","digest":"sha256:%s","size":%s}' "$1" "$(blob "$2")" "$(stat -c %s "$2")"; }
        ids=
        layers=
        for layer in base odd; do
            tar --numeric-owner -cf $layer.tar -C $layer .
            ids="$ids${ids:+,}\"sha256:$(sha256sum $layer.tar | cut -d' ' -f1)\""
            gzip -1 $layer.tar
            layers="$layers${layers:+,}$(descriptor application/vnd.oci.image.layer.v1.tar+gzip $layer.tar.gz)"
        done
        printf '{"architecture":"amd64","os":"linux","config":{"Cmd":["sh"]},"rootfs":{"type":"layers","diff_ids":[%s]}}' "$ids" >config
        printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":%s,"layers":[%s]}' \
            "$(descriptor application/vnd.oci.image.config.v1+json config)" "$layers" >manifest
        printf '{"schemaVersion":2,"manifests":[%s]}' "$(descriptor application/vnd.oci.image.manifest.v1+json manifest |
            sed 's/}$/,"annotations":{"org.opencontainers.image.ref.name":"t"}}/')" >layout/index.json
        echo '{"imageLayoutVersion":"1.0.0"}' >layout/oci-layout
    "#;
    let status = Command::new("bash").args(["-c", script, "bash"]).arg(directory).status().unwrap();
    assert!(status.success());
    directory.join("layout")
}

#[tokio::test]
async fn image_from_a_real_registry_is_unpacked_whole() {
    let registry = RealRegistry::start("plain", "").await;
    let layout = layout(&registry.directory);
    for (tag, format) in [("oci", "oci"), ("docker", "v2s2")] {
        registry.push(&layout, &format!("a/busybox:{tag}"), &["--format", format]);
    }
    let home = Home::new();
    let client = home.registry(&[]);
    let (pulled, progress) = pull(&client, &request(registry.address(), "a/busybox:oci")).await;
    let pulled = pulled.unwrap();
    assert_eq!(
        (pulled.outcome, pulled.digest.clone()),
        (Outcome::Newer, digest(&std::fs::read(registry.directory.join("manifest")).unwrap()))
    );
    let complete = progress
        .iter()
        .filter(|one| matches!(one, Progress::Layer { state: LayerProgress::Complete, .. }))
        .count();
    assert_eq!(complete, 2);

    let image = home.images.get(&pulled.image_id).unwrap();
    let [base, odd] = [0, 1].map(|number| home.images.layers().files(&image.layers[number]));
    assert_eq!(std::fs::read(base.join("bin/busybox")).unwrap(), std::fs::read("/usr/bin/busybox").unwrap());
    assert_eq!(std::fs::read_link(base.join("bin/sh")).unwrap(), Path::new("busybox"));
    let file = std::fs::symlink_metadata(odd.join("data/file")).unwrap();
    assert_eq!((file.mode() & 0o7777, file.uid(), file.gid(), file.nlink()), (0o4711, 12, 34, 2));
    let whiteout = std::fs::symlink_metadata(odd.join("bin/sh")).unwrap();
    assert_eq!((whiteout.mode() & 0o170_000, whiteout.rdev()), (0o020_000, 0));

    // Docker's form of the same image: other documents, the same layers.
    let (again, progress) = pull(&client, &request(registry.address(), "a/busybox:docker")).await;
    assert_eq!(again.unwrap().outcome, Outcome::Newer);
    let fetched =
        |state: &LayerProgress| matches!(state, LayerProgress::Downloading { .. } | LayerProgress::Verifying);
    assert!(!progress.iter().any(|one| matches!(one, Progress::Layer { state, .. } if fetched(state))));
    let mut tags = client.tags(&request(registry.address(), "a/busybox")).await.unwrap();
    tags.sort();
    assert_eq!(tags, ["docker", "oci"]);

    let (kind, message) = failure(&client, &request(registry.address(), "a/busybox:nope")).await;
    assert_eq!(kind, error::Kind::NotFound);
    assert_eq!(
        message,
        format!(
            "manifest for {}/a/busybox:nope not found: manifest unknown: manifest unknown",
            registry.address()
        )
    );
}

#[tokio::test]
async fn registry_on_loopback_may_have_any_certificate() {
    let directory = std::env::temp_dir().join(format!("naru-test-tls-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let [key, certificate] = ["key.pem", "cert.pem"].map(|name| directory.join(name));
    let output = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
        ])
        .args(["-subj", "/CN=someone else", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .expect("openssl is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tls = format!("  tls: {{certificate: {}, key: {}}}\n", certificate.display(), key.display());
    let registry = RealRegistry::start("tls", &tls).await;
    let layout = layout(&registry.directory);
    registry.push(&layout, "busybox:t", &[]);
    pull(&Home::new().registry(&[]), &request(registry.address(), "busybox:t")).await.0.unwrap();
    let _ = std::fs::remove_dir_all(directory); // leftovers in the temporary directory harm nobody
}

#[tokio::test]
async fn registry_with_passwords_lets_only_the_right_one_in() {
    let directory = std::env::temp_dir().join(format!("naru-test-htpasswd-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let file = directory.join("htpasswd");
    // `htpasswd -nbB -C 5 u secret`
    let line = "u:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n";
    std::fs::write(&file, line).unwrap();
    let auth = format!("auth: {{htpasswd: {{realm: x, path: {}}}}}\n", file.display());
    let registry = RealRegistry::start("auth", &auth).await;
    let layout = layout(&registry.directory);
    registry.push(&layout, "busybox:t", &["--dest-creds", "u:secret"]);
    let home = Home::new();
    let client = home.registry(&[]);
    let mut wanted = request(registry.address(), "busybox:t");
    assert_eq!(failure(&client, &wanted).await.0, error::Kind::Forbidden);
    wanted.credentials =
        Some(Credentials::Password { user: "u".into(), password: Secret::new("secret".into()) });
    pull(&client, &wanted).await.0.unwrap();
    let _ = std::fs::remove_dir_all(directory); // leftovers in the temporary directory harm nobody
}
