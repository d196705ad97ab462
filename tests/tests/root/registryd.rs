//! The registry of our own: one test per clause of the distribution specification, by its bytes; then with real clients.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use testkit::{Response, TestEnv, exchange, programs, wait_until};

/// A registry on a port of its own.
struct Registry {
    process: Child,
    address: String,
    folder: Folder,
    flags: Vec<String>,
}

/// A folder that goes with its owner.
struct Folder(std::path::PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0); // a file that stays harms nobody
    }
}

impl Registry {
    fn start(flags: &[&str]) -> Self {
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("naru-registry-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("the temporary directory is writable");
        let flags: Vec<String> = flags.iter().map(|&flag| flag.to_owned()).collect();
        let (process, address) = Self::spawn(&folder, &flags, "127.0.0.1:0");
        Self { process, address, folder: Folder(folder), flags }
    }

    fn spawn(folder: &std::path::Path, flags: &[String], listen: &str) -> (Child, String) {
        let mut process = Command::new(programs().join("naru"))
            .args(["registry", "serve", "--listen", listen, "--root"])
            .arg(folder.join("root"))
            .args(flags)
            .env("NARU_DAEMON", programs().join("narud"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("naru runs");
        let mut line = String::new();
        let mut output = BufReader::new(process.stdout.take().expect("it is piped"));
        output.read_line(&mut line).expect("a line");
        let address = line.trim().strip_prefix("listening on ").expect("it listens").to_owned();
        (process, address)
    }

    /// Ends the registry with SIGKILL and starts it again on the same folder.
    fn crash_and_restart(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let (process, address) = Self::spawn(&self.folder.0, &self.flags, "127.0.0.1:0");
        (self.process, self.address) = (process, address);
    }

    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        let mut request =
            format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.address);
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
        let stream = TcpStream::connect(&self.address).expect("the registry listens");
        exchange(stream, &[request.as_bytes(), body].concat())
    }

    fn get(&self, path: &str) -> Response {
        self.send("GET", path, &[], b"")
    }

    fn push_blob(&self, repository: &str, bytes: &[u8]) -> String {
        let digest = digest(bytes);
        let response =
            self.send("POST", &format!("/v2/{repository}/blobs/uploads/?digest={digest}"), &[], bytes);
        assert_eq!(response.status, 201, "{}", String::from_utf8_lossy(&response.body));
        digest
    }

    fn push_manifest(&self, repository: &str, reference: &str, manifest: &Value) -> Response {
        let kind = manifest["mediaType"].as_str().expect("a media type");
        let path = format!("/v2/{repository}/manifests/{reference}");
        self.send("PUT", &path, &[("Content-Type", kind)], manifest.to_string().as_bytes())
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill(); // ended on purpose
        let _ = self.process.wait();
    }
}

fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn manifest(config: &str, layers: &[&str]) -> Value {
    let descriptor =
        |digest: &str| json!({"mediaType": "application/octet-stream", "digest": digest, "size": 1});
    json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor(config),
        "layers": layers.iter().map(|layer| descriptor(layer)).collect::<Vec<_>>(),
    })
}

fn code(response: &Response) -> String {
    response.json()["errors"][0]["code"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn registry_answers_at_its_base_and_refuses_what_it_does_not_know() {
    let registry = Registry::start(&[]);
    let base = registry.get("/v2/");
    assert_eq!((base.status, base.header("docker-distribution-api-version")), (200, Some("registry/2.0")));
    assert_eq!(registry.get("/v2/a/nosuch").status, 404);
    let upper = registry.get("/v2/UPPER/tags/list");
    assert_eq!((upper.status, code(&upper)), (400, "NAME_INVALID".into()));
    let missing = registry.get("/v2/nosuch/tags/list");
    assert_eq!((missing.status, code(&missing)), (404, "NAME_UNKNOWN".into()));
    let wrong = registry.get("/v2/a/blobs/sha256:x");
    assert_eq!((wrong.status, code(&wrong)), (400, "DIGEST_INVALID".into()));
    let traversal = registry.get("/v2/a/%2e%2e/%2e%2e/etc/tags/list");
    assert_eq!((traversal.status, code(&traversal)), (400, "NAME_INVALID".into()));
}

#[test]
fn blob_is_pushed_at_once_in_one_piece_or_in_many() {
    let registry = Registry::start(&[]);
    let whole = registry.push_blob("a/b", b"whole");
    let got = registry.get(&format!("/v2/a/b/blobs/{whole}"));
    assert_eq!((got.status, got.body.as_slice()), (200, &b"whole"[..]));
    assert_eq!(got.header("docker-content-digest"), Some(whole.as_str()));

    let begun = registry.send("POST", "/v2/a/b/blobs/uploads/", &[], b"");
    assert_eq!((begun.status, begun.header("range")), (202, Some("0-0")));
    let place = begun.header("location").expect("a place").to_owned();
    let first = registry.send("PATCH", &place, &[("Content-Range", "0-4")], b"first");
    assert_eq!((first.status, first.header("range")), (202, Some("0-4")));
    let gap = registry.send("PATCH", &place, &[("Content-Range", "7-9")], b"gap");
    assert_eq!((gap.status, gap.header("range")), (416, Some("0-4")));
    let status = registry.get(&place);
    assert_eq!((status.status, status.header("range")), (204, Some("0-4")));
    let digest = digest(b"firstsecond");
    let end =
        registry.send("PUT", &format!("{place}?digest={digest}"), &[("Content-Range", "5-10")], b"second");
    assert_eq!((end.status, end.header("docker-content-digest")), (201, Some(digest.as_str())));
    assert_eq!(registry.get(end.header("location").expect("a place")).body, b"firstsecond");
    assert_eq!(registry.get(&place).status, 404, "the upload is over");
}

#[test]
fn blob_with_another_digest_is_refused_and_not_kept() {
    let registry = Registry::start(&[]);
    let begun = registry.send("POST", "/v2/a/blobs/uploads/", &[], b"");
    let place = begun.header("location").expect("a place").to_owned();
    let wrong = digest(b"something else");
    let end = registry.send("PUT", &format!("{place}?digest={wrong}"), &[], b"bytes");
    assert_eq!((end.status, code(&end)), (400, "DIGEST_INVALID".into()));
    assert_eq!(registry.get(&format!("/v2/a/blobs/{wrong}")).status, 404);
    assert_eq!(registry.get(&place).status, 404, "the upload is given up");
    let at_once = registry.send("POST", &format!("/v2/a/blobs/uploads/?digest={wrong}"), &[], b"bytes");
    assert_eq!((at_once.status, code(&at_once)), (400, "DIGEST_INVALID".into()));
}

#[test]
fn upload_can_be_cancelled_and_outlives_a_crash() {
    let mut registry = Registry::start(&[]);
    let cancelled =
        registry.send("POST", "/v2/a/blobs/uploads/", &[], b"").header("location").expect("one").to_owned();
    assert_eq!(registry.send("DELETE", &cancelled, &[], b"").status, 204);
    assert_eq!(registry.send("PATCH", &cancelled, &[], b"x").status, 404);

    let place =
        registry.send("POST", "/v2/a/blobs/uploads/", &[], b"").header("location").expect("one").to_owned();
    assert_eq!(registry.send("PATCH", &place, &[], b"before ").status, 202);
    registry.crash_and_restart();
    assert_eq!(registry.get(&place).header("range"), Some("0-6"));
    let foreign = place.replace("/v2/a/", "/v2/b/");
    assert_eq!(registry.get(&foreign).status, 404, "it belongs to another repository");
    let digest = digest(b"before after");
    assert_eq!(registry.send("PUT", &format!("{place}?digest={digest}"), &[], b"after").status, 201);
    assert_eq!(registry.get(&format!("/v2/a/blobs/{digest}")).body, b"before after");
}

#[test]
fn blob_is_read_in_part_and_by_head() {
    let registry = Registry::start(&[]);
    let digest = registry.push_blob("a", b"0123456789");
    let path = format!("/v2/a/blobs/{digest}");
    let head = registry.send("HEAD", &path, &[], b"");
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, Some("10"), 0));
    let part = registry.send("GET", &path, &[("Range", "bytes=3-5")], b"");
    assert_eq!(
        (part.status, part.body.as_slice(), part.header("content-range")),
        (206, &b"345"[..], Some("bytes 3-5/10"))
    );
    let outside = registry.send("GET", &path, &[("Range", "bytes=10-")], b"");
    assert_eq!((outside.status, outside.header("content-range")), (416, Some("bytes */10")));
}

#[test]
fn blob_belongs_to_its_repository_until_it_is_mounted() {
    let registry = Registry::start(&[]);
    let digest = registry.push_blob("owner", b"mine");
    assert_eq!(registry.get(&format!("/v2/other/blobs/{digest}")).status, 404);
    let mounted =
        registry.send("POST", &format!("/v2/other/blobs/uploads/?mount={digest}&from=owner"), &[], b"");
    assert_eq!((mounted.status, mounted.header("docker-content-digest")), (201, Some(digest.as_str())));
    assert_eq!(registry.get(&format!("/v2/other/blobs/{digest}")).body, b"mine");
    let unknown = format!("sha256:{}", "0".repeat(64));
    let begun =
        registry.send("POST", &format!("/v2/other/blobs/uploads/?mount={unknown}&from=owner"), &[], b"");
    assert_eq!(begun.status, 202, "what cannot be mounted is to be uploaded");
    let anonymous = registry.send("POST", &format!("/v2/third/blobs/uploads/?mount={digest}"), &[], b"");
    assert_eq!(anonymous.status, 201);
}

#[test]
fn manifest_is_pushed_by_tag_and_by_digest_and_must_be_whole() {
    let registry = Registry::start(&[]);
    let (config, layer) = (registry.push_blob("a", b"config"), registry.push_blob("a", b"layer"));
    let document = manifest(&config, &[&layer]);
    let pushed = registry.push_manifest("a", "v1", &document);
    let own = digest(document.to_string().as_bytes());
    assert_eq!((pushed.status, pushed.header("docker-content-digest")), (201, Some(own.as_str())));
    for reference in ["v1", own.as_str()] {
        let got = registry.get(&format!("/v2/a/manifests/{reference}"));
        assert_eq!((got.status, got.header("content-type")), (200, Some(MANIFEST)));
        assert_eq!(got.body, document.to_string().as_bytes());
    }
    assert_eq!(registry.push_manifest("a", &own, &document).status, 201);
    let other = format!("sha256:{}", "0".repeat(64));
    assert_eq!(code(&registry.push_manifest("a", &other, &document)), "DIGEST_INVALID");
    assert_eq!(
        code(&registry.push_manifest("a", "v2", &manifest(&config, &[&other]))),
        "MANIFEST_BLOB_UNKNOWN"
    );
    assert_eq!(code(&registry.push_manifest("b", "v1", &document)), "MANIFEST_BLOB_UNKNOWN");
    let text = registry.send("PUT", "/v2/a/manifests/x", &[("Content-Type", MANIFEST)], b"no JSON");
    assert_eq!((text.status, code(&text)), (400, "MANIFEST_INVALID".into()));
    let huge = vec![b' '; (4 << 20) + 1];
    let huge = registry.send("PUT", "/v2/a/manifests/x", &[("Content-Type", MANIFEST)], &huge);
    assert_eq!((huge.status, code(&huge)), (413, "SIZE_INVALID".into()));
    assert_eq!(code(&registry.get("/v2/a/manifests/nosuch")), "MANIFEST_UNKNOWN");
    let tagged = registry.push_manifest("a", &format!("{own}?tag=x&tag=y"), &document);
    assert_eq!((tagged.status, tagged.header("oci-tag")), (201, Some("x,y")));
}

#[test]
fn tags_are_listed_in_order_and_page_by_page() {
    let registry = Registry::start(&[]);
    let config = registry.push_blob("a", b"config");
    for tag in ["c", "a", "B", "b"] {
        assert_eq!(registry.push_manifest("a", tag, &manifest(&config, &[])).status, 201);
    }
    assert_eq!(registry.get("/v2/a/tags/list").json(), json!({"name": "a", "tags": ["B", "a", "b", "c"]}));
    let page = registry.get("/v2/a/tags/list?n=2");
    assert_eq!(page.json()["tags"], json!(["B", "a"]));
    assert_eq!(page.header("link"), Some("</v2/a/tags/list?n=2&last=a>; rel=\"next\""));
    assert_eq!(registry.get("/v2/a/tags/list?n=2&last=a").json()["tags"], json!(["b", "c"]));
    assert_eq!(registry.get("/v2/a/tags/list?n=0").json()["tags"], json!([]));
    assert_eq!(registry.get("/v2/_catalog").json(), json!({"repositories": ["a"]}));
}

#[test]
fn referrers_are_listed_by_their_subject_and_type() {
    let registry = Registry::start(&[]);
    let config = registry.push_blob("a", b"{}");
    let subject = manifest(&config, &[]);
    assert_eq!(registry.push_manifest("a", "v1", &subject).status, 201);
    let subject_digest = digest(subject.to_string().as_bytes());
    let path = format!("/v2/a/referrers/{subject_digest}");
    assert_eq!(registry.get(&path).json()["manifests"], json!([]));
    for kind in ["application/x.signature", "application/x.sbom"] {
        let mut referrer = manifest(&config, &[]);
        referrer["artifactType"] = kind.into();
        referrer["annotations"] = json!({"about": kind});
        referrer["subject"] = json!({"mediaType": MANIFEST, "digest": subject_digest, "size": 1});
        let pushed = registry.push_manifest("a", &digest(referrer.to_string().as_bytes()), &referrer);
        assert_eq!((pushed.status, pushed.header("oci-subject")), (201, Some(subject_digest.as_str())));
    }
    let all = registry.get(&path);
    assert_eq!(all.header("content-type"), Some("application/vnd.oci.image.index.v1+json"));
    assert_eq!(all.json()["manifests"].as_array().map(Vec::len), Some(2));
    let some = registry.get(&format!("{path}?artifactType=application/x.sbom"));
    assert_eq!(some.header("oci-filters-applied"), Some("artifactType"));
    assert_eq!(some.json()["manifests"][0]["annotations"], json!({"about": "application/x.sbom"}));
    assert_eq!(some.json()["manifests"].as_array().map(Vec::len), Some(1));
}

#[test]
fn tags_manifests_and_blobs_are_deleted() {
    let registry = Registry::start(&[]);
    let config = registry.push_blob("a", b"config");
    let document = manifest(&config, &[]);
    let own = digest(document.to_string().as_bytes());
    for tag in ["v1", "v2", "v3"] {
        let _ = registry.push_manifest("a", tag, &document);
    }
    assert_eq!(registry.send("DELETE", "/v2/a/manifests/v1", &[], b"").status, 202);
    assert_eq!(registry.get("/v2/a/manifests/v1").status, 404);
    assert_eq!(registry.get("/v2/a/manifests/v2").status, 200, "only the tag is gone");
    assert_eq!(registry.send("DELETE", &format!("/v2/a/manifests/{own}"), &[], b"").status, 202);
    assert_eq!(registry.get("/v2/a/tags/list").json()["tags"], json!([]));
    assert_eq!(registry.send("DELETE", &format!("/v2/a/manifests/{own}"), &[], b"").status, 404);
    assert_eq!(registry.send("DELETE", &format!("/v2/a/blobs/{config}"), &[], b"").status, 202);
    assert_eq!(registry.get(&format!("/v2/a/blobs/{config}")).status, 404);
}

#[test]
fn what_no_manifest_names_is_collected_while_the_registry_serves() {
    let registry = Registry::start(&["--collect-every", "100ms", "--grace", "1ms"]);
    let unused = registry.push_blob("a", b"unused");
    wait_until("the unused blob is collected", || {
        registry.get(&format!("/v2/a/blobs/{unused}")).status == 404
    });
    let file = registry.folder.0.join("root/content/blobs/sha256").join(&unused["sha256:".len()..]);
    wait_until("its file is gone", || !file.exists());
}

#[test]
fn what_manifests_name_is_never_collected() {
    let registry = Registry::start(&["--collect-every", "50ms", "--grace", "2s", "--metrics"]);
    let (config, layer) = (registry.push_blob("a", b"config"), registry.push_blob("a", b"layer"));
    assert_eq!(registry.push_manifest("a", "v1", &manifest(&config, &[&layer])).status, 201);
    let unused = registry.push_blob("a", b"unused");
    // Asking for the blob itself would keep it: what counts on it is told by the file.
    let file = registry.folder.0.join("root/content/blobs/sha256").join(&unused["sha256:".len()..]);
    wait_until("the unused blob is collected", || !file.exists());
    assert!(
        String::from_utf8_lossy(&registry.get("/metrics").body)
            .contains("naru_registry_collected_bytes_total 6\n")
    );
    for path in
        [format!("/v2/a/blobs/{config}"), format!("/v2/a/blobs/{layer}"), "/v2/a/manifests/v1".to_owned()]
    {
        assert_eq!(registry.get(&path).status, 200, "{path}");
    }
}

#[test]
fn users_quota_and_read_only_are_enforced() {
    let folder = std::env::temp_dir().join(format!("naru-registry-users-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("the temporary directory is writable");
    let folder = Folder(folder);
    let file = folder.0.join("htpasswd");
    // ann:secret
    std::fs::write(&file, "ann:$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n")
        .expect("written");
    let file = file.display().to_string();
    let registry = Registry::start(&["--htpasswd", &file, "--anonymous-pull", "--quota", "10"]);
    let refused = registry.send("POST", "/v2/a/blobs/uploads/", &[], b"");
    assert_eq!((refused.status, code(&refused)), (401, "UNAUTHORIZED".into()));
    assert!(refused.header("www-authenticate").is_some_and(|text| text.starts_with("Basic realm=")));
    let ann = [("Authorization", "Basic YW5uOnNlY3JldA==")];
    let push = |bytes: &[u8]| {
        registry.send("POST", &format!("/v2/a/blobs/uploads/?digest={}", digest(bytes)), &ann, bytes)
    };
    assert_eq!(push(b"123456").status, 201);
    let over = push(b"1234567");
    assert_eq!((over.status, code(&over)), (403, "DENIED".into()));
    assert_eq!(registry.get(&format!("/v2/a/blobs/{}", digest(b"123456"))).status, 200, "pulling is open");
    let wrong = [("Authorization", "Basic YW5uOndyb25n")];
    assert_eq!(registry.send("GET", "/v2/", &wrong, b"").status, 401);

    let registry = Registry::start(&["--read-only"]);
    let refused = registry.send("POST", "/v2/a/blobs/uploads/", &[], b"");
    assert_eq!((refused.status, code(&refused)), (405, "UNSUPPORTED".into()));
}

#[test]
fn webhooks_tell_pushes() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}/hook", listener.local_addr().expect("an address"));
    let registry = Registry::start(&["--webhook", &address]);
    let digest = registry.push_blob("a", b"blob");
    let (mut stream, _) = listener.accept().expect("the registry calls");
    let mut text = String::new();
    let mut buffer = [0; 4096];
    while !text.contains(&digest) {
        let count = std::io::Read::read(&mut stream, &mut buffer).expect("bytes");
        assert!(count > 0, "{text}");
        text.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    assert!(text.starts_with("POST /hook HTTP/1.1"), "{text}");
    assert!(text.contains("\"action\":\"push\"") && text.contains("\"repository\":\"a\""), "{text}");
}

#[test]
fn hostile_settings_are_refused_with_a_reason() {
    for (args, text) in [
        (&["--tls-cert", "/nosuch"][..], "belong together"),
        (&["--tls-cert", "/nosuch", "--tls-key", "/nosuch"][..], "/nosuch"),
        (&["--htpasswd", "/nosuch"][..], "/nosuch"),
        (&["--webhook", "ftp://x"][..], "ftp://x"),
        (&["--listen", "nowhere"][..], "nowhere"),
        (&["--nosuch"][..], "nosuch"),
    ] {
        let root = std::env::temp_dir().join(format!("naru-registry-wrong-{}", std::process::id()));
        let root = Folder(root);
        let mut command = Command::new(programs().join("naru"));
        command.args(["registry", "serve", "--listen", "127.0.0.1:0", "--root"]).arg(&root.0).args(args);
        let output = command.env("NARU_DAEMON", programs().join("narud")).output().expect("naru runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && stderr.contains(text), "{args:?}: {stderr}");
    }
}

#[test]
fn skopeo_copies_in_and_out_and_the_engine_pulls() {
    let env = TestEnv::new();
    let mut process = Command::new("nsenter")
        .arg(format!("--net=/proc/{}/ns/net", env.namespace_pid()))
        .arg(programs().join("naru"))
        .args(["registry", "serve", "--listen", "127.0.0.1:5001", "--root"])
        .arg(env.folder().join("registry"))
        .env("NARU_DAEMON", programs().join("narud"))
        .env("NARU_TEST_MARK", env.cgroup_parent())
        .stdout(Stdio::piped())
        .spawn()
        .expect("naru runs");
    let mut line = String::new();
    BufReader::new(process.stdout.take().expect("it is piped")).read_line(&mut line).expect("a line");
    assert_eq!(line, "listening on 127.0.0.1:5001\n");
    let copy = |from: &str, to: &str| {
        let args =
            ["copy", "--quiet", "--all", "--src-tls-verify=false", "--dest-tls-verify=false", from, to];
        let _ = env.run_in_namespace("skopeo", &args).ok();
    };
    copy("docker://127.0.0.1:5000/library/busybox:latest", "docker://127.0.0.1:5001/mine/busybox:1");
    let _ = env.naru(&["pull", "-q", "127.0.0.1:5001/mine/busybox:1"]).ok();
    assert_eq!(
        env.naru(&["run", "--rm", "127.0.0.1:5001/mine/busybox:1", "echo", "from ours"]).ok(),
        "from ours"
    );
    let inspect =
        |name: &str| env.run_in_namespace("skopeo", &["inspect", "--raw", "--tls-verify=false", name]).ok();
    assert_eq!(
        inspect("docker://127.0.0.1:5001/mine/busybox:1"),
        inspect("docker://127.0.0.1:5000/library/busybox:latest"),
        "the index has kept its bytes"
    );
    let _ = process.kill(); // ended on purpose
    let _ = process.wait();
}
