//! The engines that are compared.

use std::process::{Child, Command, Stdio};
use testkit::TestEnv;

/// One engine and the way to give it a command.
pub(crate) struct Peer {
    /// Its name in the tables.
    pub(crate) name: &'static str,
    /// What it says of itself.
    pub(crate) version: String,
    /// The unix socket of its Docker API, if it has one.
    pub(crate) socket: Option<String>,
    /// A word in the command line of its engine process.
    pub(crate) engine: Option<&'static str>,
    /// The name of its supervisor processes.
    pub(crate) supervisor: &'static str,
    prefix: Vec<String>,
    environment: Vec<(String, String)>,
    _holder: Option<Holder>,
}

/// A process that holds podman's namespaces open; ended with the benchmark.
struct Holder(Child);

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill(); // it only sleeps
        let _ = self.0.wait();
    }
}

impl Peer {
    /// Returns the command line `args` for this engine.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.prefix[0]);
        command.args(&self.prefix[1..]).args(args);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Kills a container and removes it. Podman would wait ten seconds for a program without handlers.
    pub(crate) fn remove(&self, id: &str) {
        let args: &[&str] =
            if self.name == "podman" { &["rm", "-f", "-t", "0", id] } else { &["rm", "-f", id] };
        let _ = self.ok(args);
    }

    /// Runs a command and returns its standard output.
    ///
    /// # Panics
    /// When it fails: a benchmark of failures means nothing.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let output = self.command(args).output().expect("the client runs");
        assert!(
            output.status.success(),
            "{} {}: {}",
            self.name,
            args.join(" "),
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

/// Returns Naru and whichever peers are there.
pub(crate) fn find(env: &TestEnv) -> Vec<Peer> {
    let mut peers = vec![Peer {
        name: "naru",
        version: format!("naru {}", env!("CARGO_PKG_VERSION")),
        socket: Some(env.socket().display().to_string()),
        engine: None,
        supervisor: "naru-shim",
        prefix: vec![testkit::programs().join("naru").display().to_string()],
        environment: env.client_environment(),
        _holder: None,
    }];
    peers.extend(docker());
    peers.extend(podman());
    peers
}

fn docker() -> Option<Peer> {
    let host = std::env::var("NARU_BENCH_DOCKER_HOST").ok()?;
    let mut peer = Peer {
        name: "docker",
        version: String::new(),
        socket: host.strip_prefix("unix://").map(str::to_owned),
        engine: Some("dockerd"),
        supervisor: "containerd-shim",
        prefix: vec!["docker".into()],
        environment: vec![("DOCKER_HOST".into(), host)],
        _holder: None,
    };
    peer.version = format!("docker {}", peer.ok(&["version", "--format", "{{.Server.Version}}"]));
    let _ = peer.command(&["pull", "-q", "busybox"]).output(); // it may have the image already
    Some(peer)
}

/// Podman in namespaces of its own: crun refuses hybrid cgroups, so the unified tree is hidden from it.
fn podman() -> Option<Peer> {
    Command::new("podman").arg("--version").output().ok().filter(|output| output.status.success())?;
    let script = "umount /sys/fs/cgroup/unified 2>/dev/null; ip link set lo up; \
        printf '[containers]\\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\\n' > /tmp/naru-bench-podman.conf; exec sleep infinity";
    let child = Command::new("setpriv")
        .args([
            "--pdeathsig",
            "KILL",
            "unshare",
            "--mount",
            "--net",
            "--propagation",
            "private",
            "sh",
            "-c",
            script,
        ])
        .stdin(Stdio::null())
        .spawn()
        .ok()?;
    testkit::wait_until("podman's namespaces", || {
        std::fs::read_to_string(format!("/proc/{}/comm", child.id())).is_ok_and(|comm| comm.trim() == "sleep")
    });
    let peer = Peer {
        name: "podman",
        version: String::new(),
        socket: None,
        engine: None,
        supervisor: "conmon",
        prefix: vec![
            "nsenter".into(),
            format!("--net=/proc/{}/ns/net", child.id()),
            format!("--mount=/proc/{}/ns/mnt", child.id()),
            "podman".into(),
            "--root=/var/tmp/naru-bench-podman".into(),
        ],
        environment: vec![("CONTAINERS_CONF".into(), "/tmp/naru-bench-podman.conf".into())],
        _holder: Some(Holder(child)),
    };
    let layout = testkit::busybox_docker_archive("busybox:latest");
    let loaded = peer.command(&["load", "-q", "-i", &layout.display().to_string()]).output().ok()?;
    let tried = peer.command(&["run", "--rm", "busybox", "true"]).output().ok()?;
    for output in [&loaded, &tried] {
        if !output.status.success() {
            println!("# podman is left out: {}", String::from_utf8_lossy(&output.stderr).trim());
            return None;
        }
    }
    let version = peer.ok(&["--version"]);
    Some(Peer { version, ..peer })
}
