//! A registry that misbehaves on demand, and what a pull needs on our side.

use blocking::Blocking;
use image::Images;
use refs::{Digest, Reference};
use registry::{Progress, PullRequest, Pulled, Registry, RegistryConfig, Retry};
use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::Store;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// A request as the server saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// What the server answers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// The connection is cut after so many bytes of the body.
    pub(crate) cut_after: Option<usize>,
    /// The answer stops, and the connection stays open, after so many bytes of the body.
    pub(crate) hang_after: Option<usize>,
}

impl Reply {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, body: body.into(), ..Self::default() }
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}

type Handler = dyn Fn(&Seen) -> Reply + Send + Sync;

/// An HTTP server on a port of its own.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (for_task, handler): (_, Arc<Handler>) = (Arc::clone(&seen), Arc::new(handler));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, handler) = (Arc::clone(&for_task), Arc::clone(&handler));
                tokio::spawn(async move {
                    let _ = serve(stream, &seen, handler.as_ref()).await; // the client may go at any time
                });
            }
        });
        Self { address, seen, task }
    }

    /// Requests whose path ends so.
    pub(crate) fn seen(&self, end: &str) -> Vec<Seen> {
        self.seen.lock().unwrap().iter().filter(|request| request.path.ends_with(end)).cloned().collect()
    }

    pub(crate) fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, seen: &Mutex<Vec<Seen>>, handler: &Handler) -> std::io::Result<()> {
    let mut buffer = Vec::new();
    loop {
        let Some(request) = read_request(&mut stream, &mut buffer).await? else { return Ok(()) };
        let reply = handler(&request);
        seen.lock().unwrap().push(request);
        let mut head = format!("HTTP/1.1 {} x\r\nContent-Length: {}\r\n", reply.status, reply.body.len());
        for (name, value) in &reply.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{head}\r\n").as_bytes()).await?;
        let end = reply.cut_after.or(reply.hang_after).unwrap_or(reply.body.len());
        stream.write_all(&reply.body[..end.min(reply.body.len())]).await?;
        stream.flush().await?;
        if reply.cut_after.is_some() {
            return Ok(());
        }
        if reply.hang_after.is_some() {
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
    }
}

async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> std::io::Result<Option<Seen>> {
    let mut chunk = [0; 4096];
    loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
            buffer.drain(..end + 4);
            let mut lines = head.split("\r\n");
            let mut first = lines.next().unwrap_or_default().split(' ');
            let method = first.next().unwrap_or_default().to_owned();
            let target = first.next().unwrap_or_default();
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            let headers: BTreeMap<String, String> = lines
                .filter_map(|line| line.split_once(':'))
                .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
                .collect();
            let length: usize =
                headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
            while buffer.len() < length {
                let count = stream.read(&mut chunk).await?;
                buffer.extend_from_slice(&chunk[..count]);
            }
            let body = String::from_utf8_lossy(&buffer.drain(..length).collect::<Vec<_>>()).into_owned();
            return Ok(Some(Seen { method, path: path.into(), query: query.into(), headers, body }));
        }
        let count = stream.read(&mut chunk).await?;
        let is_tls = buffer.is_empty() && chunk[0] == 0x16; // a ClientHello, which plain servers hang up on
        if count == 0 || is_tls {
            return Ok(None);
        }
        buffer.extend_from_slice(&chunk[..count]);
    }
}

/// An image as a registry has it.
#[derive(Clone, Debug)]
pub(crate) struct Fixture {
    pub(crate) manifest: Vec<u8>,
    pub(crate) config: Vec<u8>,
    /// Uncompressed, so that diff ID and digest are the same.
    pub(crate) layers: Vec<Vec<u8>>,
}

pub(crate) const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";

pub(crate) fn digest(bytes: &[u8]) -> Digest {
    content::digest_of(bytes)
}

impl Fixture {
    /// An image of so many layers, each with one file of about `size` bytes.
    pub(crate) fn new(layers: usize, size: usize) -> Self {
        Self::for_platform(layers, size, std::env::consts::ARCH)
    }

    pub(crate) fn for_platform(layers: usize, size: usize, architecture: &str) -> Self {
        let architecture = refs::Platform::new("linux", architecture, "").architecture;
        let layers: Vec<Vec<u8>> =
            (0..layers).map(|number| archive(&format!("file{number}"), &noise(number, size))).collect();
        let diff_ids: Vec<String> = layers.iter().map(|layer| format!("\"{}\"", digest(layer))).collect();
        let config = format!(
            r#"{{"architecture":"{architecture}","os":"linux","rootfs":{{"type":"layers","diff_ids":[{}]}}}}"#,
            diff_ids.join(",")
        )
        .into_bytes();
        let descriptors: Vec<String> =
            layers.iter().map(|layer| descriptor("application/vnd.oci.image.layer.v1.tar", layer)).collect();
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"{MANIFEST_TYPE}","config":{},"layers":[{}]}}"#,
            descriptor("application/vnd.oci.image.config.v1+json", &config),
            descriptors.join(",")
        )
        .into_bytes();
        Self { manifest, config, layers }
    }

    pub(crate) fn id(&self) -> Digest {
        digest(&self.config)
    }

    /// Answers as a faultless registry does.
    pub(crate) fn answer(&self, request: &Seen) -> Reply {
        let name = request.path.rsplit('/').next().unwrap_or_default();
        if request.path.contains("/manifests/") {
            return Reply::new(200, self.manifest.clone()).header("Content-Type", MANIFEST_TYPE);
        }
        let blob = self.layers.iter().chain([&self.config]).find(|blob| digest(blob).as_str() == name);
        match blob {
            Some(blob) => ranged(request, blob),
            None => Reply::new(
                404,
                r#"{"errors":[{"code":"BLOB_UNKNOWN","message":"blob unknown to registry"}]}"#,
            ),
        }
    }
}

/// The whole, or the part that a `Range` header asks for.
pub(crate) fn ranged(request: &Seen, blob: &[u8]) -> Reply {
    let from = request
        .header("range")
        .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    match from {
        Some(from) if from < blob.len() => Reply::new(206, &blob[from..])
            .header("Content-Range", format!("bytes {from}-{}/{}", blob.len() - 1, blob.len())),
        Some(_) => Reply::new(416, ""),
        None => Reply::new(200, blob),
    }
}

pub(crate) fn descriptor(media_type: &str, bytes: &[u8]) -> String {
    format!(r#"{{"mediaType":"{media_type}","digest":"{}","size":{}}}"#, digest(bytes), bytes.len())
}

fn noise(seed: usize, size: usize) -> Vec<u8> {
    let mut state = seed as u64 + 1;
    let next = |state: &mut u64| {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*state >> 33) as u8
    };
    (0..size).map(|_| next(&mut state)).collect()
}

/// A tar archive with one file.
fn archive(name: &str, content: &[u8]) -> Vec<u8> {
    let mut header = [0_u8; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    let mut field = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    field(100, "0000644\0");
    field(108, "0000000\0");
    field(116, "0000000\0");
    field(124, &format!("{:011o}\0", content.len()));
    field(136, "00000000000\0");
    field(148, "        ");
    field(156, "0");
    field(257, "ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut archive = header.to_vec();
    archive.extend_from_slice(content);
    archive.resize(archive.len().div_ceil(512) * 512 + 1024, 0);
    archive
}

/// Our side: a data root of its own.
pub(crate) struct Home {
    pub(crate) root: PathBuf,
    pub(crate) images: Images,
}

static SERIAL: AtomicUsize = AtomicUsize::new(0);

impl Home {
    pub(crate) fn new() -> Self {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let root = std::env::temp_dir().join(format!("naru-test-registry-{}-{serial}", std::process::id()));
        fs::create_dir_all(&root).unwrap();
        let images = open(&root);
        Self { root, images }
    }

    pub(crate) fn registry(&self, mirrors: &[String]) -> Registry {
        let retry = Retry {
            attempts: 3,
            first_delay: Duration::from_millis(5),
            max_delay: Duration::from_millis(20),
        };
        let config = RegistryConfig { mirrors: mirrors.to_vec(), retry, ..RegistryConfig::default() };
        Registry::new(&config, self.images.clone(), Blocking::new(8), Blocking::new(4)).unwrap()
    }

    /// The partial and complete blobs, and the layers, that are here.
    pub(crate) fn files(&self) -> (usize, usize, usize) {
        let count = |path: &Path| fs::read_dir(path).map_or(0, Iterator::count);
        let layers = self.images.layers().list().unwrap().len();
        (count(&self.root.join("content/ingest")), count(&self.root.join("content/blobs/sha256")), layers)
    }
}

fn open(root: &Path) -> Images {
    let store = Store::open(&root.join("naru.db")).unwrap();
    Images::open(root, store, layer::Limits::default()).unwrap()
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root); // leftovers in the temporary directory harm nobody
    }
}

pub(crate) fn request(address: impl std::fmt::Display, name: &str) -> PullRequest {
    let reference = Reference::parse(&format!("{address}/{name}")).unwrap();
    PullRequest { reference, platform: None, credentials: None }
}

/// Pulls, and returns the progress too.
pub(crate) async fn pull(
    registry: &Registry,
    request: &PullRequest,
) -> (Result<Pulled, registry::Error>, Vec<Progress>) {
    let (sender, mut receiver) = mpsc::channel(1000);
    let (registry, request) = (registry.clone(), request.clone());
    let result = tokio::spawn(async move { registry.pull(&request, sender).await }).await.unwrap();
    let mut progress = Vec::new();
    while let Ok(one) = receiver.try_recv() {
        progress.push(one);
    }
    (result, progress)
}

/// Pulls and returns the error's text with its kind.
pub(crate) async fn failure(registry: &Registry, request: &PullRequest) -> (error::Kind, String) {
    let failure = error::Failure::from(pull(registry, request).await.0.unwrap_err());
    (failure.kind, failure.message)
}
