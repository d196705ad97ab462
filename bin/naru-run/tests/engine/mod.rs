//! A small engine: starts a real supervisor and speaks with it. Needs root and a static busybox.

use cgroup::{Cgroup, Cgroups};
use oci::runtime::{Linux, Mount, Namespace, NamespaceType, Process, Spec};
use shimwire::{Attach, Create, Exec, Hello, Log, Report, Request, Rootfs};
use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use sys::epoll::{Epoll, Interest};
use sys::process::{Command, Session, Signal, Spawned};

/// Longer than anything takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

const APPLETS: [&str; 15] = [
    "ps", "sh", "cat", "echo", "sleep", "head", "tail", "tr", "kill", "stty", "id", "wc", "true", "yes", "dd",
];

/// A supervisor, the engine's side of its socket, and its directories.
pub(crate) struct Engine {
    pub(crate) id: String,
    pub(crate) directory: PathBuf,
    pub(crate) socket: Option<OwnedFd>,
    pub(crate) shim: Spawned,
    reaped: bool,
}

impl Engine {
    /// Starts a supervisor and reads its greeting.
    pub(crate) fn launch() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let id = format!("naru-test-{}-{number}", std::process::id());
        let directory = std::env::temp_dir().join(&id);
        fs::create_dir_all(directory.join("run")).expect("the temporary directory is writable");
        rootfs(&directory.join("rootfs"));
        let (ours, theirs) = sys::socket::message_pair().expect("socketpair");
        let program = File::open(env!("CARGO_BIN_EXE_naru-run")).expect("the binary is built");
        let args = ["naru-run", "shim", &id].map(|text| CString::new(text).expect("no NUL"));
        let shim = sys::process::spawn(&Command {
            program: program.as_fd(),
            args: &args,
            env: &[],
            fds: &[(theirs.as_fd(), shimwire::CONTROL_FD)],
            session: Session::Inherited,
        })
        .expect("naru-run starts");
        drop(theirs);
        let engine = Self { id, directory, socket: Some(ours), shim, reaped: false };
        let hello = engine.hello();
        assert_eq!(
            (hello.version, hello.shim_pid, hello.state),
            (shimwire::VERSION, engine.shim.pid, shimwire::State::Empty)
        );
        engine
    }

    /// A supervisor whose container stands at the barrier.
    pub(crate) fn created(create: impl FnOnce(&mut Create), clients: &[Attach]) -> (Self, Vec<UnixStream>) {
        let engine = Self::launch();
        let streams = engine.create(create, clients);
        match engine.receive() {
            Report::Created { pid } => assert!(pid > 0),
            other => panic!("not Created: {other:?}"),
        }
        (engine, streams)
    }

    /// A supervisor whose container runs.
    pub(crate) fn running(create: impl FnOnce(&mut Create), clients: &[Attach]) -> (Self, Vec<UnixStream>) {
        let (engine, streams) = Self::created(create, clients);
        engine.send(&Request::Start, &[]);
        match engine.receive() {
            Report::Started { started_at } => assert!(started_at > 0),
            other => panic!("not Started: {other:?}"),
        }
        (engine, streams)
    }

    /// Sends Create with clients' sockets; returns the clients' ends.
    pub(crate) fn create(&self, change: impl FnOnce(&mut Create), clients: &[Attach]) -> Vec<UnixStream> {
        let mut create = self.request();
        create.attach = clients.to_vec();
        change(&mut create);
        let (ours, theirs): (Vec<UnixStream>, Vec<OwnedFd>) = clients.iter().map(|_| client()).unzip();
        let fds: Vec<_> = theirs.iter().map(|fd| fd.as_fd()).collect();
        self.send(&Request::Create(Box::new(create)), &fds);
        ours
    }

    /// The request for a container that runs `sh -c "exit 0"` in new namespaces.
    pub(crate) fn request(&self) -> Create {
        Create {
            id: self.id.clone(),
            directory: self.directory.clone(),
            run_directory: self.run(),
            spec: spec(&self.cgroup()),
            rootfs: Rootfs::Directory { path: self.directory.join("rootfs") },
            network_namespace: false,
            seccomp: false,
            sources: Vec::new(),
            open_stdin: false,
            stdin_once: false,
            log: Log::JsonFile {
                path: self.log_path(),
                max_size_bytes: 0,
                max_files: 1,
                compress: false,
                attrs: BTreeMap::new(),
            },
            attach: Vec::new(),
        }
    }

    /// The path of the container's cgroup.
    pub(crate) fn cgroup(&self) -> String {
        format!("/{}", self.id)
    }

    pub(crate) fn run(&self) -> PathBuf {
        self.directory.join("run")
    }

    pub(crate) fn log_path(&self) -> PathBuf {
        self.directory.join("x-json.log")
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.log_path()).expect("there is a log")
    }

    pub(crate) fn send(&self, request: &Request, fds: &[std::os::fd::BorrowedFd<'_>]) {
        let bytes = shimwire::encode(request).expect("it is small");
        let socket = self.socket.as_ref().expect("an engine is connected");
        sys::socket::send_message(socket, &bytes, fds)
            .expect("the supervisor is there")
            .expect("there is room");
    }

    pub(crate) fn receive(&self) -> Report {
        let socket = self.socket.as_ref().expect("an engine is connected");
        wait_readable(socket);
        let message = sys::socket::receive_message(socket, shimwire::MAX_MESSAGE_BYTES);
        let message = message.expect("the supervisor is there").expect("it is readable");
        shimwire::decode(&message.bytes).unwrap_or_else(|error| panic!("{error}: {:?}", message.bytes))
    }

    pub(crate) fn hello(&self) -> Hello {
        match self.receive() {
            Report::Hello(hello) => hello,
            other => panic!("not Hello: {other:?}"),
        }
    }

    /// Receives reports until the exit; returns its record.
    pub(crate) fn exited(&self) -> shimwire::ExitRecord {
        loop {
            if let Report::Exited(record) = self.receive() {
                return record;
            }
        }
    }

    /// Acknowledges the exit, and waits until the supervisor has ended; returns its exit code.
    pub(crate) fn acknowledge(&mut self) -> i32 {
        self.send(&Request::Ack { exec: None }, &[]);
        self.shim_exit()
    }

    pub(crate) fn shim_exit(&mut self) -> i32 {
        wait_readable(&self.shim.pidfd);
        self.reaped = true;
        sys::process::wait(&self.shim.pidfd).expect("it is our child").code
    }

    /// Takes over as the next engine does.
    pub(crate) fn reconnect(&mut self) -> Hello {
        self.socket = None;
        let socket = sys::socket::connect_messages(&self.run().join(shimwire::SOCKET_FILE));
        self.socket = Some(socket.expect("the supervisor listens"));
        self.hello()
    }

    pub(crate) fn attach(&self, exec: Option<&str>, attach: Attach) -> UnixStream {
        let (ours, theirs) = client();
        self.send(&Request::Attach { exec: exec.map(str::to_owned), attach }, &[theirs.as_fd()]);
        ours
    }

    /// Starts an exec with an attached client.
    pub(crate) fn exec(&self, name: &str, process: Process, attach: Attach) -> UnixStream {
        let (ours, theirs) = client();
        let exec = Exec {
            exec: name.into(),
            process,
            seccomp: false,
            open_stdin: attach.stdin,
            attach: Some(attach),
        };
        self.send(&Request::Exec(Box::new(exec)), &[theirs.as_fd()]);
        ours
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if !self.reaped {
            let _ = sys::process::send(&self.shim.pidfd, Signal::KILL); // It may have ended.
            let _ = sys::process::wait(&self.shim.pidfd); // The only failure is that it was reaped.
        }
        // A killed supervisor leaves its cgroup behind; otherwise there is none.
        let left = Cgroups::detect().and_then(|cgroups| Cgroup::open(&cgroups, &self.cgroup()));
        if let Ok(cgroup) = left {
            let _ = cgroup.kill().and_then(|()| cgroup.remove());
        }
        let _ = fs::remove_dir_all(&self.directory); // Nothing depends on it.
    }
}

/// How a client of `run -i` is attached: all streams, framed.
pub(crate) fn all_streams() -> Attach {
    Attach {
        stdin: true,
        stdout: true,
        stderr: true,
        detach_keys: Vec::new(),
        early_input: Vec::new(),
        multiplexed: true,
    }
}

/// How a client of `run -it` is attached: raw, with Docker's detach keys.
pub(crate) fn terminal() -> Attach {
    Attach { stderr: false, multiplexed: false, detach_keys: vec![0x10, 0x11], ..all_streams() }
}

pub(crate) fn output_only() -> Attach {
    Attach { stdin: false, ..all_streams() }
}

/// Makes the container run a shell script.
pub(crate) fn script(create: &mut Create, script: &str) {
    create.spec.process = Some(shell(script));
}

pub(crate) fn shell(script: &str) -> Process {
    Process {
        args: ["sh", "-c", script].map(str::to_owned).to_vec(),
        env: vec!["PATH=/bin".into(), "TERM=xterm".into()],
        cwd: "/".into(),
        ..Process::default()
    }
}

fn spec(cgroup: &str) -> Spec {
    let new = |kind| Namespace { kind, path: None };
    let mount = |destination: &str, kind: &str| Mount {
        destination: destination.into(),
        fs_type: kind.into(),
        source: Some(kind.into()),
        ..Mount::default()
    };
    Spec {
        oci_version: oci::runtime::VERSION.into(),
        process: Some(shell("exit 0")),
        mounts: vec![mount("/proc", "proc"), mount("/dev", "tmpfs"), mount("/dev/pts", "devpts")],
        linux: Some(Linux {
            namespaces: [NamespaceType::Pid, NamespaceType::Mount, NamespaceType::Ipc, NamespaceType::Uts]
                .map(new)
                .to_vec(),
            cgroups_path: cgroup.into(),
            ..Linux::default()
        }),
        ..Spec::default()
    }
}

fn rootfs(root: &Path) {
    for name in ["bin", "proc", "dev", "sys", "tmp"] {
        fs::create_dir_all(root.join(name)).expect("the temporary directory is writable");
    }
    fs::copy("/usr/bin/busybox", root.join("bin/busybox")).expect("busybox-static is installed");
    for applet in APPLETS {
        symlink("busybox", root.join("bin").join(applet)).expect("the directory is new");
    }
}

fn client() -> (UnixStream, OwnedFd) {
    let (ours, theirs) = UnixStream::pair().expect("socketpair");
    ours.set_read_timeout(Some(PATIENCE)).expect("a socket has timeouts");
    (ours, theirs.into())
}

fn wait_readable(fd: impl AsFd) {
    let epoll = Epoll::new().expect("epoll");
    epoll.add(fd, 0, Interest::READ).expect("it can be watched");
    let mut events = Vec::new();
    let end = Instant::now() + PATIENCE;
    while events.is_empty() {
        let left = end.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "nothing happened for {PATIENCE:?}");
        epoll.wait(&mut events, Some(left)).expect("wait");
    }
}

/// Reads all frames until the end; returns standard output and standard error.
pub(crate) fn read_frames(stream: &mut UnixStream) -> (String, String) {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("the end comes");
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut rest = &bytes[..];
    while let Some((header, after)) = rest.split_first_chunk::<8>() {
        let length = u32::from_be_bytes([header[4], header[5], header[6], header[7]]) as usize;
        let (payload, next) = after.split_at(length);
        match header[..4] {
            [1, 0, 0, 0] => out.extend_from_slice(payload),
            [2, 0, 0, 0] => err.extend_from_slice(payload),
            _ => panic!("no such stream: {header:?}"),
        }
        rest = next;
    }
    assert_eq!(rest, b"", "a frame was cut off");
    (String::from_utf8_lossy(&out).into_owned(), String::from_utf8_lossy(&err).into_owned())
}

/// Reads until a text appears; returns all that was read.
pub(crate) fn read_until(stream: &mut UnixStream, text: &str) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let so_far = String::from_utf8_lossy(&bytes).into_owned();
        if so_far.contains(text) {
            return so_far;
        }
        let count = match stream.read(&mut buffer) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue, // man 7 signal: not restarted
            read => read.expect("more comes"),
        };
        assert!(count > 0, "the end came before {text:?}: {so_far:?}");
        bytes.extend_from_slice(&buffer[..count]);
    }
}

pub(crate) fn type_in(stream: &mut UnixStream, text: &[u8]) {
    stream.write_all(text).expect("the supervisor reads");
}

pub(crate) fn end_input(stream: &UnixStream) {
    stream.shutdown(Shutdown::Write).expect("it is connected");
}
