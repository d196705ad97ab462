//! A container's surroundings: a busybox root file system, a cgroup of its own, a Docker-like specification.

use crate::{Created, Error, Inputs, Lifetime, Rootfs, Running, Stdio, Step, kill_all, plan, spawn};
use cgroup::{Cgroup, Cgroups};
use error::Fault as _;
use oci::runtime::{
    Capabilities, Linux, Mount, Namespace, NamespaceType, Process, Resources, Root, Spec, User,
};
use std::fs::{self, File};
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// The 14 capabilities of Docker.
pub(super) const CAPABILITIES: [&str; 14] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
];

/// A container's surroundings, removed at the end.
pub(super) struct Bed {
    pub(super) directory: PathBuf,
    pub(super) spec: Spec,
    pub(super) seccomp: Option<Vec<u8>>,
    pub(super) steps: Vec<Step>,
    /// Whether the image's directory is the root itself.
    pub(super) plain: bool,
    /// The root, instead of a directory of the bed's.
    pub(super) in_directory: Option<PathBuf>,
}

/// What a program left.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) code: i32,
    pub(super) output: String,
}

impl Bed {
    /// Returns surroundings for a shell script.
    pub(super) fn new(script: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("naru-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(&name);
        let lower = directory.join("lower");
        for path in ["bin", "etc", "proc", "sys", "tmp", "root", "dev", "data"] {
            fs::create_dir_all(lower.join(path)).expect("directory");
        }
        for path in ["upper", "work", "empty"] {
            fs::create_dir_all(directory.join(path)).expect("directory");
        }
        fs::copy("/bin/busybox", lower.join("bin/busybox")).expect("busybox-static is installed");
        for applet in [
            "sh",
            "cat",
            "ls",
            "id",
            "mount",
            "stat",
            "sleep",
            "echo",
            "grep",
            "touch",
            "mkdir",
            "readlink",
            "tty",
            "stty",
            "head",
            "wc",
            "ps",
            "hostname",
            "kill",
            "true",
            "sort",
            "ip",
            "test",
            "mknod",
            "mountpoint",
            "ln",
            "env",
            "uname",
            "ionice",
            "tr",
            "umask",
        ] {
            symlink("busybox", lower.join("bin").join(applet)).expect("link");
        }
        fs::write(lower.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\nu:x:1000:1000::/home/u:/bin/sh\n")
            .expect("file");
        fs::write(lower.join("etc/notexec"), "text").expect("file");
        Self {
            directory,
            spec: specification(&name, script),
            seccomp: None,
            steps: Vec::new(),
            plain: false,
            in_directory: None,
        }
    }

    pub(super) fn lower(&self) -> PathBuf {
        self.directory.join("lower")
    }

    pub(super) fn process(&mut self) -> &mut Process {
        self.spec.process.as_mut().expect("it has one")
    }

    pub(super) fn linux(&mut self) -> &mut Linux {
        self.spec.linux.as_mut().expect("it has one")
    }

    pub(super) fn cgroup(&self) -> Cgroup {
        let path = &self.spec.linux.as_ref().expect("it has one").cgroups_path;
        Cgroup::open(&Cgroups::detect().expect("cgroups"), path).expect("a fine path")
    }

    /// Returns the cgroup that the container gets if the specification names none.
    pub(super) fn default_cgroup(&self) -> Cgroup {
        Cgroup::open(&Cgroups::detect().expect("cgroups"), &self.name()).expect("a fine path")
    }

    /// Adds a bind mount.
    pub(super) fn bind(&mut self, source: &Path, destination: &str, options: &[&str]) {
        self.spec.mounts.push(Mount {
            destination: destination.into(),
            fs_type: "bind".into(),
            source: Some(source.into()),
            options: options.iter().map(|option| (*option).to_owned()).collect(),
            ..Mount::default()
        });
    }

    /// Returns the container's id.
    pub(super) fn name(&self) -> String {
        self.directory.file_name().and_then(|name| name.to_str()).expect("it has one").to_owned()
    }

    fn rootfs(&self) -> Rootfs {
        if let Some(directory) = &self.in_directory {
            return Rootfs::Directory(directory.clone());
        }
        match self.plain {
            true => Rootfs::Directory(self.directory.join("lower")),
            false => Rootfs::Overlay {
                lower: vec![self.directory.join("lower")],
                upper: self.directory.join("upper"),
                work: self.directory.join("work"),
            },
        }
    }

    pub(super) fn create(&mut self, stdio: Stdio) -> Result<Created, Error> {
        let inputs = Inputs {
            id: self.name(),
            rootfs: self.rootfs(),
            network_namespace: None,
            seccomp: self.seccomp.clone(),
            lifetime: Lifetime::OfParent,
            preserved: Vec::new(),
            start: None,
            keyring: crate::Keyring::New,
        };
        let plan = plan(&self.spec, &self.directory, inputs)?;
        spawn(plan, stdio, &mut |step| self.steps.push(step))
    }

    pub(super) fn start(&mut self, stdio: Stdio) -> Result<Running, Error> {
        let created = self.create(stdio)?;
        created.start(&mut |step| self.steps.push(step))
    }

    /// Runs the program to its end.
    pub(super) fn run(&mut self) -> Result<Outcome, Error> {
        let (stdio, output) = captured();
        let running = self.start(stdio)?;
        Ok(finish(&running, output))
    }

    /// Runs the program, which must succeed, and returns its output.
    pub(super) fn output(&mut self) -> String {
        let outcome =
            self.run().unwrap_or_else(|error| panic!("{}: {:#?}", error::chain(&error), self.steps));
        assert_eq!(outcome.code, 0, "{}", outcome.output);
        outcome.output
    }

    /// Runs what must fail; returns the whole text and the kind.
    pub(super) fn failure(&mut self) -> (String, error::Kind) {
        match self.run() {
            Ok(outcome) => panic!("it ran: {outcome:?}"),
            Err(error) => (error::chain(&error), error.kind()),
        }
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        if !self.linux().cgroups_path.is_empty() {
            let _ = kill_all(&self.cgroup()); // Only what a failed test left behind.
        }
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Returns streams whose output can be read.
pub(super) fn captured() -> (Stdio, File) {
    let (reader, writer) = std::io::pipe().expect("pipe");
    let stdin = File::open("/dev/null").expect("it is there");
    let stderr = writer.try_clone().expect("descriptor");
    let stdio = Stdio::Streams { stdin: stdin.into(), stdout: writer.into(), stderr: stderr.into() };
    (stdio, File::from(OwnedFd::from(reader)))
}

/// Reads all output, waits for the end, removes the cgroup.
pub(super) fn finish(running: &Running, mut output: File) -> Outcome {
    let mut text = String::new();
    output.read_to_string(&mut text).expect("text");
    let exit = sys::process::wait(&running.pidfd).expect("our child");
    if let Some(cgroup) = &running.cgroup {
        kill_all(cgroup).expect("it can be removed");
    }
    Outcome { code: exit.code, output: text }
}

fn mount(destination: &str, fs_type: &str, options: &str) -> Mount {
    Mount {
        destination: destination.into(),
        fs_type: fs_type.into(),
        source: Some(fs_type.into()),
        options: options.split(',').map(str::to_owned).collect(),
        ..Mount::default()
    }
}

fn specification(name: &str, script: &str) -> Spec {
    let names = || CAPABILITIES.map(str::to_owned).to_vec();
    let kinds = [
        NamespaceType::Mount,
        NamespaceType::Pid,
        NamespaceType::Network,
        NamespaceType::Ipc,
        NamespaceType::Uts,
    ];
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
    Spec {
        oci_version: "1.2.0".into(),
        process: Some(Process {
            args: texts(&["sh", "-c", script]),
            env: texts(&["PATH=/usr/bin:/bin"]),
            cwd: "/".into(),
            user: User::default(),
            capabilities: Some(Capabilities {
                bounding: names(),
                effective: names(),
                permitted: names(),
                inheritable: Vec::new(),
                ambient: Vec::new(),
            }),
            oom_score_adj: Some(0),
            ..Process::default()
        }),
        root: Some(Root { path: "rootfs".into(), readonly: false }),
        hostname: "box".into(),
        mounts: vec![
            mount("/proc", "proc", "nosuid,noexec,nodev"),
            mount("/dev", "tmpfs", "nosuid,strictatime,mode=755,size=65536k"),
            mount("/dev/pts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5"),
            mount("/sys", "sysfs", "nosuid,noexec,nodev,ro"),
            mount("/sys/fs/cgroup", "cgroup", "ro,nosuid,noexec,nodev"),
            mount("/dev/mqueue", "mqueue", "nosuid,noexec,nodev"),
            mount("/dev/shm", "tmpfs", "nosuid,noexec,nodev,mode=1777,size=65536k"),
        ],
        linux: Some(Linux {
            namespaces: kinds.map(|kind| Namespace { kind, path: None }).to_vec(),
            cgroups_path: format!("/{name}"),
            resources: Some(Resources::default()),
            masked_paths: texts(&[
                "/proc/asound",
                "/proc/acpi",
                "/proc/kcore",
                "/proc/keys",
                "/proc/latency_stats",
                "/proc/timer_list",
                "/proc/timer_stats",
                "/proc/sched_debug",
                "/proc/scsi",
                "/sys/firmware",
                "/sys/devices/virtual/powercap",
            ]),
            readonly_paths: texts(&[
                "/proc/bus",
                "/proc/fs",
                "/proc/irq",
                "/proc/sys",
                "/proc/sysrq-trigger",
            ]),
            ..Linux::default()
        }),
        ..Spec::default()
    }
}
