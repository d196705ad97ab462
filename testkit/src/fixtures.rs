//! Images made from Debian's busybox-static, in a registry folder that all tests share read-only.

use crate::checkout;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Changes whenever the images below change.
const VERSION: &str = "5";

/// The programs that the images link to busybox.
const APPLETS: &[&str] = &[
    "sh",
    "ash",
    "cat",
    "echo",
    "ls",
    "true",
    "false",
    "sleep",
    "id",
    "env",
    "pwd",
    "hostname",
    "mount",
    "umount",
    "ps",
    "top",
    "kill",
    "ip",
    "ping",
    "wget",
    "nc",
    "stty",
    "tty",
    "head",
    "tail",
    "grep",
    "sed",
    "awk",
    "dd",
    "df",
    "du",
    "mkdir",
    "rm",
    "cp",
    "mv",
    "ln",
    "touch",
    "chmod",
    "chown",
    "stat",
    "readlink",
    "test",
    "[",
    "expr",
    "seq",
    "yes",
    "wc",
    "sort",
    "uniq",
    "tr",
    "cut",
    "date",
    "uname",
    "nproc",
    "free",
    "dmesg",
    "mknod",
    "unshare",
    "nslookup",
    "su",
    "printf",
    "tee",
    "xargs",
    "find",
    "md5sum",
    "sha256sum",
    "usleep",
    "timeout",
    "trap",
    "ulimit",
    "nice",
    "arping",
    "httpd",
    "ifconfig",
    "route",
    "chroot",
    "pgrep",
    "basename",
    "dirname",
    "od",
    "hexdump",
    "mkfifo",
    "cmp",
    "diff",
];

/// Returns the registry's storage folder, made on first use.
pub(crate) fn registry_storage() -> PathBuf {
    let base = checkout().join("target/naru-fixtures");
    let ready = base.join(format!("registry-{VERSION}"));
    fs::create_dir_all(&base).expect("target is writable");
    let lock = fs::File::create(base.join("lock")).expect("target is writable");
    lock.lock().expect("the lock can be taken");
    if !ready.exists() {
        let making = base.join("making");
        let _ = fs::remove_dir_all(&making); // left by a killed run
        make_registry(&making);
        fs::rename(&making, &ready).expect("the folder can be renamed");
    }
    ready
}

/// Returns a docker-archive of the busybox image under this name, made on first use, for engines that load rather than pull.
pub fn busybox_docker_archive(reference: &str) -> PathBuf {
    let archive =
        checkout().join(format!("target/naru-fixtures/{}-{VERSION}.tar", reference.replace([':', '/'], "-")));
    if !archive.exists() {
        let storage = registry_storage();
        let work = checkout().join(format!("target/naru-fixtures/archive-{}", std::process::id()));
        fs::create_dir_all(&work).expect("target is writable");
        let mut holder = hold_namespace();
        let mut registry = start_registry(&storage, holder.id(), true, &work.join("registry.yml"));
        let ran = Command::new("nsenter")
            .arg(format!("--net=/proc/{}/ns/net", holder.id()))
            .args([
                "skopeo",
                "copy",
                "--quiet",
                "--src-tls-verify=false",
                "docker://127.0.0.1:5000/library/busybox:latest",
            ])
            .arg(format!("docker-archive:{}:{reference}", work.join("busybox.tar").display()))
            .output()
            .expect("skopeo runs");
        for child in [&mut registry, &mut holder] {
            let _ = child.kill(); // ended on purpose
            let _ = child.wait();
        }
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        fs::rename(work.join("busybox.tar"), &archive).expect("the archive can be renamed");
        fs::remove_dir_all(&work).expect("the work folder is ours");
    }
    archive
}

/// Starts Debian's docker-registry in the network namespace of `namespace_pid` on 127.0.0.1:5000.
pub(crate) fn start_registry(storage: &Path, namespace_pid: u32, read_only: bool, config: &Path) -> Child {
    let text = format!(
        "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n\
         storage: {{filesystem: {{rootdirectory: {}}}, maintenance: {{readonly: {{enabled: {read_only}}}}}}}\n\
         http: {{addr: 127.0.0.1:5000}}\n",
        storage.display()
    );
    fs::write(config, text).expect("the configuration can be written");
    let child = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "nsenter", &format!("--net=/proc/{namespace_pid}/ns/net")])
        .args(["docker-registry", "serve"])
        .arg(config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("docker-registry runs");
    let deadline = Instant::now() + Duration::from_secs(20);
    while !listens(namespace_pid) {
        assert!(Instant::now() < deadline, "docker-registry does not listen");
        std::thread::sleep(Duration::from_millis(10));
    }
    child
}

/// Whether somebody listens on port 5000 (0x1388) in the namespace.
fn listens(namespace_pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{namespace_pid}/net/tcp"))
        .is_ok_and(|table| table.lines().any(|line| line.contains(":1388 ") && line.contains(" 0A ")))
}

/// Starts a process that holds a new network namespace open, with loopback up.
pub(crate) fn hold_namespace() -> Child {
    let child = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "unshare", "--net", "sh", "-c"])
        .arg("ip link set lo up && exec sleep infinity")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("unshare runs");
    let deadline = Instant::now() + Duration::from_secs(20);
    let ready =
        || fs::read_to_string(format!("/proc/{}/comm", child.id())).is_ok_and(|comm| comm.trim() == "sleep");
    while !ready() {
        assert!(Instant::now() < deadline, "the network namespace does not come up");
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

fn make_registry(folder: &Path) {
    fs::create_dir_all(folder.join("storage")).expect("target is writable");
    let work = folder.join("work");
    fs::create_dir_all(&work).expect("target is writable");
    let mut holder = hold_namespace();
    let mut registry = start_registry(folder, holder.id(), false, &work.join("registry.yml"));
    for image in images(&work) {
        let ran = Command::new("nsenter")
            .arg(format!("--net=/proc/{}/ns/net", holder.id()))
            .args(["skopeo", "copy", "--quiet", "--all", "--dest-tls-verify=false"])
            .arg(format!("oci:{}:latest", image.layout.display()))
            .arg(format!("docker://127.0.0.1:5000/{}", image.name))
            .output()
            .expect("skopeo runs");
        assert!(ran.status.success(), "{}: {}", image.name, String::from_utf8_lossy(&ran.stderr));
    }
    for child in [&mut registry, &mut holder] {
        let _ = child.kill(); // ended on purpose
        let _ = child.wait();
    }
    fs::remove_dir_all(&work).expect("the work folder is ours");
}

struct Image {
    name: &'static str,
    layout: PathBuf,
}

fn images(work: &Path) -> Vec<Image> {
    let busybox = busybox_root(&work.join("busybox"));
    let base = Layer::new(work, &busybox);
    let plain = json!({"Cmd": ["sh"], "Env": [PATH]});
    let mut all = vec![
        image(work, "library/busybox:latest", "amd64-arm64", std::slice::from_ref(&base), &plain),
        image(work, "library/foreign:latest", "arm64-s390x", std::slice::from_ref(&base), &plain),
        image(
            work,
            "library/configured:latest",
            "amd64",
            std::slice::from_ref(&base),
            &json!({
                "Entrypoint": ["/bin/echo", "entry"], "Cmd": ["cmd"], "Env": [PATH, "FROM_IMAGE=yes"],
                "WorkingDir": "/srv/work", "User": "postgres", "Labels": {"from": "image"},
                "ExposedPorts": {"80/tcp": {}}, "StopSignal": "SIGINT"
            }),
        ),
    ];
    let upper = work.join("upper");
    fs::create_dir_all(upper.join("etc")).expect("target is writable");
    fs::create_dir_all(upper.join("opaque")).expect("target is writable");
    fs::write(upper.join("etc/.wh.removed"), "").expect("target is writable");
    fs::write(upper.join("etc/changed"), "upper\n").expect("target is writable");
    fs::write(upper.join("opaque/.wh..wh..opq"), "").expect("target is writable");
    fs::write(upper.join("opaque/new"), "new\n").expect("target is writable");
    let lower = work.join("lower");
    fs::create_dir_all(lower.join("etc")).expect("target is writable");
    fs::create_dir_all(lower.join("opaque")).expect("target is writable");
    fs::write(lower.join("etc/removed"), "lower\n").expect("target is writable");
    fs::write(lower.join("etc/changed"), "lower\n").expect("target is writable");
    fs::write(lower.join("opaque/old"), "old\n").expect("target is writable");
    let layers = [base, Layer::new(work, &lower), Layer::new(work, &upper)];
    all.push(image(work, "library/layered:latest", "amd64", &layers, &plain));
    all
}

const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

fn busybox_root(root: &Path) -> PathBuf {
    for folder in ["bin", "etc", "tmp", "root", "proc", "sys", "dev", "var/opt", "home", "usr", "srv"] {
        fs::create_dir_all(root.join(folder)).expect("target is writable");
    }
    fs::copy("/bin/busybox", root.join("bin/busybox")).expect("busybox-static is installed");
    for applet in APPLETS {
        symlink("busybox", root.join("bin").join(applet)).expect("target is writable");
    }
    symlink("../bin", root.join("usr/bin")).expect("target is writable");
    let passwd = "root:x:0:0:root:/root:/bin/sh\npostgres:x:70:70::/var/opt:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n";
    fs::write(root.join("etc/passwd"), passwd).expect("target is writable");
    fs::write(root.join("etc/group"), "root:x:0:\nwheel:x:10:postgres\npostgres:x:70:\nnogroup:x:65534:\n")
        .expect("target is writable");
    root.to_owned()
}

/// A layer: the gzipped tar of a folder.
struct Layer {
    blob: Vec<u8>,
    diff_id: String,
}

impl Layer {
    fn new(work: &Path, folder: &Path) -> Self {
        let tar = work.join("layer.tar");
        let ran = Command::new("tar")
            .args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@1700000000", "-cf"])
            .arg(&tar)
            .arg("-C")
            .arg(folder)
            .arg(".")
            .status()
            .expect("tar runs");
        assert!(ran.success(), "tar failed");
        let diff_id = digest(&fs::read(&tar).expect("the tar was written"));
        let zipped = Command::new("gzip").args(["-n", "-c"]).arg(&tar).output().expect("gzip runs");
        assert!(zipped.status.success(), "gzip failed");
        Self { blob: zipped.stdout, diff_id }
    }
}

fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// Writes an OCI layout. `platforms` is one architecture, or several joined by `-` for an index.
fn image(
    work: &Path,
    name: &'static str,
    platforms: &str,
    layers: &[Layer],
    config: &serde_json::Value,
) -> Image {
    let layout = work.join(name.replace(['/', ':'], "-"));
    fs::create_dir_all(layout.join("blobs/sha256")).expect("target is writable");
    let put = |bytes: &[u8], media_type: &str| {
        let digest = digest(bytes);
        let mut file =
            fs::File::create(layout.join("blobs").join(digest.replace(':', "/"))).expect("writable");
        file.write_all(bytes).expect("target is writable");
        json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
    };
    let manifests: Vec<_> = platforms
        .split('-')
        .map(|architecture| {
            let config = json!({
                "architecture": architecture, "os": "linux", "created": "2026-01-02T03:04:05Z", "config": config,
                "rootfs": {"type": "layers", "diff_ids": layers.iter().map(|layer| &layer.diff_id).collect::<Vec<_>>()},
                "history": layers.iter().map(|_| json!({"created_by": "tar"})).collect::<Vec<_>>(),
            });
            let manifest = json!({
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": put(config.to_string().as_bytes(), "application/vnd.oci.image.config.v1+json"),
                "layers": layers
                    .iter()
                    .map(|layer| put(&layer.blob, "application/vnd.oci.image.layer.v1.tar+gzip"))
                    .collect::<Vec<_>>(),
            });
            let mut entry = put(manifest.to_string().as_bytes(), "application/vnd.oci.image.manifest.v1+json");
            entry["platform"] = json!({"architecture": architecture, "os": "linux"});
            entry
        })
        .collect();
    let mut top = if let [only] = manifests.as_slice() {
        only.clone()
    } else {
        let index = json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": manifests
        });
        put(index.to_string().as_bytes(), "application/vnd.oci.image.index.v1+json")
    };
    top["annotations"] = json!({"org.opencontainers.image.ref.name": "latest"});
    fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("target is writable");
    fs::write(layout.join("index.json"), json!({"schemaVersion": 2, "manifests": [top]}).to_string())
        .expect("target is writable");
    Image { name, layout }
}
