//! An engine's services in a private network namespace and temporary directories, with one busybox image.

use container::options::{AttachOptions, StopOptions, WaitCondition};
use container::spec::*;
use container::{Parts, Service, Settings};
use events::{Events, Query};
use image::{Images, Registration};
use refs::{Filters, Reference, Timestamp};
use std::collections::BTreeMap;
use std::future::Future;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// How long anything may take before the test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Directories and names of one test.
pub(crate) struct Place {
    pub(crate) root: PathBuf,
    pub(crate) cgroup_parent: String,
}

/// The services of one life of an engine.
pub(crate) struct Engine {
    pub(crate) service: Service,
    pub(crate) events: Events,
}

/// Runs a test in its own network namespace.
pub(crate) fn run<F: Future<Output = ()>>(test: impl FnOnce(Place) -> F + Send + 'static) {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("naru-test-{}-{number}", std::process::id());
    let root = std::env::temp_dir().join(&name);
    // The namespace is the thread's, and its children's: of all threads of the event loop.
    let thread = std::thread::spawn(move || {
        sys::ns::unshare(sys::ns::Types::NETWORK).unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let place = Place { root: root.clone(), cgroup_parent: format!("/{name}") };
        let clean = Cleaner { root, cgroup_parent: place.cgroup_parent.clone() };
        runtime
            .block_on(async { tokio::time::timeout(2 * PATIENCE, test(place)).await })
            .expect("the test takes too long");
        drop(runtime);
        drop(clean);
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Kills what a failed test leaves, and removes its files.
struct Cleaner {
    root: PathBuf,
    cgroup_parent: String,
}

impl Drop for Cleaner {
    fn drop(&mut self) {
        let cgroups = cgroup::Cgroups::detect().unwrap();
        let parent = cgroup::Cgroup::open(&cgroups, &self.cgroup_parent).unwrap();
        let containers = std::fs::read_dir(self.root.join("data/containers"));
        for entry in containers.into_iter().flatten().flatten() {
            let path = format!("{}/{}", self.cgroup_parent, entry.file_name().to_string_lossy());
            let group = cgroup::Cgroup::open(&cgroups, &path).unwrap();
            let _ = group.kill(); // it may be gone
            let _ = group.remove(); // likewise
            let _ = sys::mount::unmount(&entry.path().join("shm")); // likewise
        }
        let _ = parent.remove(); // likewise
        std::fs::remove_dir_all(&self.root).unwrap();
    }
}

/// Builds naru-run and naru-init once and returns their directory.
fn programs() -> &'static Path {
    static PROGRAMS: OnceLock<PathBuf> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        let cargo = std::process::Command::new(env!("CARGO"))
            .args(["build", "--quiet", "-p", "naru-run", "-p", "naru-init"])
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.."))
            .status();
        assert!(cargo.unwrap().success());
        // The test lies in <profile>/deps.
        std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned()
    })
}

impl Place {
    /// Returns the database, to be opened while no engine runs.
    pub(crate) fn database(&self) -> std::path::PathBuf {
        self.root.join("data/naru.db")
    }

    /// Returns a container's directory.
    pub(crate) fn files(&self, id: &str) -> std::path::PathBuf {
        self.root.join("data/containers").join(id)
    }

    /// Starts an engine, the first one or a next one.
    pub(crate) async fn engine(&self) -> Engine {
        let (data, exec) = (self.root.join("data"), self.root.join("exec"));
        std::fs::create_dir_all(&data).unwrap();
        std::fs::create_dir_all(&exec).unwrap();
        let disk = blocking::Blocking::new(8);
        let store = store::Store::open(&data.join("naru.db")).unwrap();
        let images = Images::open(&data, store.clone(), layer::Limits::default()).unwrap();
        if images.resolve("busybox").is_err() {
            add_busybox(&images);
        }
        let snapshots = snapshot::Overlay::open(
            &data.join("snapshots"),
            &data,
            Arc::clone(images.layers()),
            Arc::clone(images.trash()),
            store.clone(),
        )
        .unwrap();
        let events =
            Events::open(&data.join("events.jsonl"), events::Limits::default(), disk.clone()).unwrap();
        let config = network::NetworkConfig { prepared: 1, ..network::NetworkConfig::default() };
        let network = network::Network::open(config, store.clone(), blocking::Blocking::new(4)).unwrap();
        let launcher = launch::Launcher::new(&programs().join("naru-run"), &exec).unwrap();
        let settings = Settings {
            data_root: data,
            init_program: programs().join("naru-init"),
            cgroup_parent: self.cgroup_parent.clone(),
            dns: Vec::new(),
            dns_search: Vec::new(),
            dns_options: Vec::new(),
            log: LogConfig { driver: "json-file".into(), options: BTreeMap::new() },
            ulimits: Vec::new(),
            host_gateway: None,
            shm_size_bytes: 64 << 20,
        };
        let cgroups = cgroup::Cgroups::detect().unwrap();
        let parts = Parts {
            store,
            images,
            snapshots: Arc::new(snapshots),
            network,
            launcher,
            events: events.clone(),
            cgroups,
            disk,
        };
        Engine { service: Service::open(settings, parts).await.unwrap(), events }
    }
}

/// One client that is attached.
pub(crate) struct Client(UnixStream);

impl Client {
    /// Returns a client that has this end of a socket pair.
    pub(crate) fn new(socket: UnixStream) -> Self {
        Self(socket)
    }

    /// Reads to the end: standard output and error, taken apart.
    pub(crate) async fn read(mut self) -> (String, String) {
        let mut bytes = Vec::new();
        let bytes = tokio::task::spawn_blocking(move || {
            self.0.set_read_timeout(Some(PATIENCE)).unwrap();
            self.0.read_to_end(&mut bytes).unwrap();
            bytes
        })
        .await
        .unwrap();
        take_apart(&bytes)
    }
}

/// Takes Docker's frames apart.
pub(crate) fn take_apart(mut bytes: &[u8]) -> (String, String) {
    let (mut output, mut error) = (Vec::new(), Vec::new());
    while let Some((head, rest)) = bytes.split_first_chunk::<8>() {
        let length = u32::from_be_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let target = if head[0] == 2 { &mut error } else { &mut output };
        target.extend_from_slice(&rest[..length]);
        bytes = &rest[length..];
    }
    (String::from_utf8(output).unwrap(), String::from_utf8(error).unwrap())
}

impl Engine {
    /// Creates a container of busybox that runs a shell script.
    pub(crate) async fn create(&self, name: &str, script: &str) -> String {
        self.create_with(name, &["sh", "-c", script], |_, _| {}).await
    }

    /// Creates a container of busybox.
    pub(crate) async fn create_with(
        &self,
        name: &str,
        command: &[&str],
        change: impl FnOnce(&mut Config, &mut HostConfig),
    ) -> String {
        let (mut config, mut host) = (Config::default(), host_config());
        config.image = "busybox".into();
        config.cmd = Some(command.iter().map(|word| (*word).to_owned()).collect());
        change(&mut config, &mut host);
        let spec = CreateSpec {
            name: Some(name.into()),
            config,
            host,
            endpoints: Default::default(),
            platform: None,
        };
        self.service.create(spec).await.unwrap().id.to_string()
    }

    /// Attaches a client to output and, if wanted, input.
    pub(crate) async fn attach(&self, name: &str, stdin: bool) -> Client {
        Client(self.attach_raw(name, stdin).await)
    }

    /// The same, for a test that reads and writes itself.
    pub(crate) async fn attach_raw(&self, name: &str, stdin: bool) -> UnixStream {
        let options = AttachOptions {
            stdin,
            stdout: true,
            stderr: true,
            stream: true,
            detach_keys: vec![16, 17],
            ..AttachOptions::default()
        };
        let attaching = self.service.attach(name, options).await.unwrap();
        let (ours, theirs) = UnixStream::pair().unwrap();
        attaching.connect(theirs.into(), Vec::new()).await.unwrap();
        ours
    }

    /// Starts, and waits until it has ended; returns the exit code.
    pub(crate) async fn run_to_end(&self, name: &str) -> i32 {
        let waiting = self.service.wait(name, WaitCondition::NextExit).await.unwrap();
        self.service.start(name).await.unwrap();
        tokio::time::timeout(PATIENCE, waiting).await.expect("the container ends").exit_code
    }

    /// Returns the status of a container.
    pub(crate) async fn status(&self, name: &str) -> &'static str {
        self.service.inspect(name).await.unwrap().state.status.as_str()
    }

    /// Waits until the log has a text.
    pub(crate) async fn wait_for_log(&self, name: &str, text: &str) {
        let path = self.service.inspect(name).await.unwrap().paths.log.clone().unwrap();
        wait_until(&format!("{name} logs {text:?}"), async || {
            std::fs::read_to_string(&path).unwrap_or_default().contains(text)
        })
        .await;
    }

    /// Returns the events of containers and networks so far, as `type action`.
    pub(crate) async fn happened(&self) -> Vec<String> {
        let until = Timestamp::from(std::time::SystemTime::now());
        let query = Query::new(Some(Timestamp(1)), Some(until), Filters::default()).unwrap();
        let mut events = self.events.subscribe(query);
        let mut happened = Vec::new();
        while let Some(event) = events.next().await {
            happened.push(format!("{} {}", event.kind, event.action));
        }
        happened
    }

    /// Ends the engine; its containers go on.
    pub(crate) async fn leave(self) {
        self.service.shutdown().await;
    }

    /// Stops at once.
    pub(crate) async fn kill(&self, name: &str) {
        self.service.stop(name, StopOptions { signal: None, timeout_s: Some(0) }).await.unwrap();
    }
}

/// Asks again and again until the answer is yes.
pub(crate) async fn wait_until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < PATIENCE, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// What a plain `run` asks for, without a network: the tests that need one say so.
pub(crate) fn host_config() -> HostConfig {
    HostConfig {
        auto_remove: false,
        restart: RestartPolicy::No,
        mounts: Vec::new(),
        read_only: false,
        init: false,
        privileged: false,
        cap_add: Vec::new(),
        cap_drop: Vec::new(),
        security_opt: Vec::new(),
        no_new_privileges: false,
        seccomp: Seccomp::Default,
        devices: Vec::new(),
        group_add: Vec::new(),
        resources: Resources::default(),
        ulimits: Vec::new(),
        sysctls: BTreeMap::new(),
        shm_size_bytes: 0,
        oom_score_adj: 0,
        pid: NamespaceMode::Private,
        ipc: IpcMode::Private,
        uts_host: false,
        cgroupns: None,
        cgroup_parent: String::new(),
        network: NetworkMode::None,
        port_bindings: std::collections::BTreeMap::new(),
        publish_all_ports: false,
        extra_hosts: Vec::new(),
        dns: Vec::new(),
        dns_search: Vec::new(),
        dns_options: Vec::new(),
        log: LogConfig { driver: String::new(), options: BTreeMap::new() },
        masked_paths: None,
        readonly_paths: None,
        console_size: (0, 0),
        container_id_file: String::new(),
        annotations: BTreeMap::new(),
    }
}

/// Registers an image of the host's static busybox.
fn add_busybox(images: &Images) {
    let tar = busybox_tar();
    let diff_id = content::digest_of(&tar);
    let _lease = images.lease();
    images.unpack_stream(&diff_id, None, &tar[..]).unwrap();
    let (os, architecture) = ("linux", refs::Platform::host().architecture);
    let config = format!(
        r#"{{"architecture":"{architecture}","os":"{os}","config":{{"Env":["PATH=/bin"],"Cmd":["sh"]}},"rootfs":{{"type":"layers","diff_ids":["{diff_id}"]}}}}"#
    );
    let tag: Reference = Reference::parse("busybox:latest").unwrap();
    let registration = Registration { config: config.as_bytes(), tag: Some(&tag), ..Registration::default() };
    images.register(&registration).unwrap();
}

fn busybox_tar() -> Vec<u8> {
    let busybox = std::fs::read("/bin/busybox").expect("the package busybox-static is installed");
    let mut tar = Vec::new();
    for directory in ["bin/", "etc/", "tmp/", "root/"] {
        entry(&mut tar, directory, b'5', 0o755, "", &[]);
    }
    entry(&mut tar, "bin/busybox", b'0', 0o755, "", &busybox);
    for applet in
        ["sh", "echo", "sleep", "cat", "id", "true", "false", "kill", "ls", "hostname", "mount", "stat", "df"]
    {
        entry(&mut tar, &format!("bin/{applet}"), b'2', 0o777, "busybox", &[]);
    }
    let passwd = b"root:x:0:0:root:/root:/bin/sh\nbob:x:1000:1000:Bob:/home/bob:/bin/sh\n";
    entry(&mut tar, "etc/passwd", b'0', 0o644, "", passwd);
    entry(&mut tar, "etc/group", b'0', 0o644, "", b"root:x:0:\nbob:x:1000:\naudio:x:63:bob\n");
    tar.extend_from_slice(&[0; 1024]);
    tar
}

/// Appends one entry in the ustar format.
fn entry(tar: &mut Vec<u8>, name: &str, kind: u8, mode: u32, link: &str, body: &[u8]) {
    let mut header = [0_u8; 512];
    let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, &format!("{mode:07o}"));
    put(108, "0000000");
    put(116, "0000000");
    put(124, &format!("{:011o}", body.len()));
    put(136, "00000000000");
    put(148, "        ");
    put(157, link);
    put(257, "ustar\x0000");
    header[156] = kind;
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    tar.extend_from_slice(&header);
    tar.extend_from_slice(body);
    tar.resize(tar.len().next_multiple_of(512), 0);
}
