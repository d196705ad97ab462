//! One engine of one test.

use crate::{Ran, Response, Terminal, fixtures, http, processes, programs, wait_until};
use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// How the engine of a test is started.
#[derive(Debug, Clone, Default)]
pub struct EnvOptions {
    /// Further flags of `narud`.
    pub flags: Vec<String>,
    /// Further environment of `narud`.
    pub environment: Vec<(String, String)>,
    /// No engine is started.
    pub without_engine: bool,
    /// The registry is a copy that can be written to.
    pub writable_registry: bool,
}

/// An engine with its own data root, socket, cgroup parent and network namespace, and a registry beside it.
#[derive(Debug)]
pub struct TestEnv {
    folder: PathBuf,
    mark: String,
    holder: Child,
    registry: Child,
    engine: Option<Child>,
    options: EnvOptions,
}

impl TestEnv {
    /// Returns an environment whose engine runs and whose registry serves the fixture images.
    pub fn new() -> Self {
        Self::with(EnvOptions::default())
    }

    /// Returns an environment whose engine was started with `options`.
    pub fn with(options: EnvOptions) -> Self {
        let mut storage = fixtures::registry_storage();
        // No mark may begin another one: processes are found, and killed in the end, by the mark that they contain.
        let mark = format!("naru-test-{}-{:04}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(&mark);
        fs::create_dir_all(&folder).expect("the temporary directory is writable");
        let holder = fixtures::hold_namespace();
        if options.writable_registry {
            let copy = folder.join("registry");
            let copied = Command::new("cp").arg("-a").arg(&storage).arg(&copy).status().expect("cp runs");
            assert!(copied.success(), "the registry's storage is copied");
            storage = copy;
        }
        let read_only = !options.writable_registry;
        let registry =
            fixtures::start_registry(&storage, holder.id(), read_only, &folder.join("registry.yml"));
        let mut env = Self { folder, mark, holder, registry, engine: None, options };
        if !env.options.without_engine {
            env.start_engine();
        }
        env
    }

    /// Returns an environment where the busybox image is already pulled.
    pub fn with_busybox() -> Self {
        let env = Self::new();
        let _ = env.naru(&["pull", "-q", "busybox"]).ok();
        env
    }

    /// Starts the engine and waits until it answers.
    pub fn start_engine(&mut self) {
        let environment = self.options.environment.clone();
        self.start_engine_with(&environment);
    }

    /// Starts the engine with this environment and waits until it answers or has ended.
    pub fn start_engine_with(&mut self, environment: &[(String, String)]) {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.join("narud.log"))
            .expect("log");
        let mut child = self
            .in_namespace(&programs().join("narud"))
            .args(self.engine_flags())
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a descriptor"))
            .stderr(log)
            .spawn()
            .expect("narud runs");
        wait_until("the engine answers", || {
            UnixStream::connect(self.socket()).is_ok() || child.try_wait().expect("our child").is_some()
        });
        assert!(child.try_wait().expect("our child").is_none(), "narud ended:\n{}", self.engine_log());
        self.engine = Some(child);
    }

    /// Replaces the further flags with which the engine is started the next time.
    pub fn set_flags(&mut self, flags: &[&str]) {
        self.options.flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
    }

    /// Returns the flags that the engine is started with.
    pub fn engine_flags(&self) -> Vec<String> {
        let mut flags: Vec<String> = [
            ("--data-root", self.data_root().display().to_string()),
            ("--exec-root", self.exec_root().display().to_string()),
            ("--cgroup-parent", format!("/{}", self.mark)),
            ("--config-file", self.config_file().display().to_string()),
            ("--registry-mirror", "http://127.0.0.1:5000".to_owned()),
        ]
        .into_iter()
        .flat_map(|(name, value)| [name.to_owned(), value])
        .collect();
        flags.extend(self.options.flags.iter().cloned());
        flags
    }

    fn config_file(&self) -> PathBuf {
        let path = self.folder.join("daemon.json");
        if !path.exists() {
            fs::write(&path, "{}").expect("the temporary directory is writable");
        }
        path
    }

    fn in_namespace(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net=/proc/{}/ns/net", self.holder.id()))
            .arg(program)
            .env("NARU_TEST_MARK", &self.mark)
            .env_remove("DOCKER_HOST");
        command
    }

    /// Ends the engine with SIGKILL, as a crash would.
    pub fn crash_engine(&mut self) {
        if let Some(mut child) = self.engine.take() {
            let _ = child.kill(); // it may have crashed by itself
            child.wait().expect("our child");
        }
    }

    /// Waits until the engine has ended by itself.
    pub fn wait_for_engine_end(&mut self) {
        if let Some(mut child) = self.engine.take() {
            wait_until("the engine ends", || child.try_wait().expect("our child").is_some());
        }
    }

    /// Ends the engine with SIGTERM and waits for its end.
    pub fn stop_engine(&mut self) {
        if let Some(mut child) = self.engine.take() {
            let _ = Command::new("kill").arg(child.id().to_string()).output().expect("kill runs");
            wait_until("the engine ends", || child.try_wait().expect("our child").is_some());
        }
    }

    /// Returns the engine's process id.
    ///
    /// # Panics
    /// When it does not run.
    pub fn engine_pid(&self) -> u32 {
        self.engine.as_ref().expect("the engine runs").id()
    }

    /// Returns what the engine logged.
    pub fn engine_log(&self) -> String {
        fs::read_to_string(self.folder.join("narud.log")).unwrap_or_default()
    }

    /// Returns the engine's data root.
    pub fn data_root(&self) -> PathBuf {
        self.folder.join("lib")
    }

    /// Returns the engine's exec root.
    pub fn exec_root(&self) -> PathBuf {
        self.folder.join("run")
    }

    /// Returns the API's socket.
    pub fn socket(&self) -> PathBuf {
        self.exec_root().join("naru.sock")
    }

    /// Returns the name of the parent of all container cgroups of this engine.
    pub fn cgroup_parent(&self) -> &str {
        &self.mark
    }

    /// Returns a folder for the test's own files.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the process that holds the engine's network namespace.
    pub fn namespace_pid(&self) -> u32 {
        self.holder.id()
    }

    /// Returns the environment that makes `naru` and `docker` speak to this engine.
    pub fn client_environment(&self) -> Vec<(String, String)> {
        let host = format!("unix://{}", self.socket().display());
        vec![
            ("DOCKER_HOST".into(), host),
            ("DOCKER_CONFIG".into(), self.folder.join("docker-config").display().to_string()),
            ("NARU_TEST_MARK".into(), self.mark.clone()),
            ("DOCKER_CLI_HINTS".into(), "false".into()),
        ]
    }

    /// Returns a command that speaks to this engine.
    pub fn command(&self, program: &str) -> Command {
        let path = if program == "naru" { programs().join("naru") } else { PathBuf::from(program) };
        let mut command = Command::new(path);
        command.envs(self.client_environment()).stdin(Stdio::null());
        command
    }

    /// Runs `naru`.
    pub fn naru(&self, args: &[&str]) -> Ran {
        self.run("naru", args)
    }

    /// Runs the real docker CLI.
    pub fn docker(&self, args: &[&str]) -> Ran {
        self.run("docker", args)
    }

    /// Runs `naru` or another program against this engine.
    pub fn run(&self, program: &str, args: &[&str]) -> Ran {
        let output = self.command(program).args(args).output().expect("the program runs");
        Ran::new(format!("{program} {}", args.join(" ")), &output)
    }

    /// Runs `naru` or another program with this standard input.
    pub fn run_with_input(&self, program: &str, args: &[&str], input: &[u8]) -> Ran {
        use std::io::Write;
        let mut command = self.command(program);
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program runs");
        let mut stdin = child.stdin.take().expect("stdin is piped");
        let input = input.to_vec();
        let writer = std::thread::spawn(move || {
            let _ = stdin.write_all(&input); // the program may end before it has read all
        });
        let output = child.wait_with_output().expect("our child");
        writer.join().expect("the writer does not panic");
        Ran::new(format!("{program} {}", args.join(" ")), &output)
    }

    /// Runs a program in the engine's network namespace.
    pub fn run_in_namespace(&self, program: &str, args: &[&str]) -> Ran {
        let output = self.in_namespace(Path::new(program)).args(args).output().expect("the program runs");
        Ran::new(format!("{program} {}", args.join(" ")), &output)
    }

    /// Runs `naru` or another program on a terminal.
    pub fn terminal(&self, program: &str, args: &[&str]) -> Terminal {
        let path = if program == "naru" {
            programs().join("naru").display().to_string()
        } else {
            program.to_owned()
        };
        let quoted: Vec<String> =
            args.iter().map(|arg| format!("'{}'", arg.replace('\'', r"'\''"))).collect();
        Terminal::start(&format!("{path} {}", quoted.join(" ")), &self.client_environment())
    }

    /// Sends one request to the REST API.
    pub fn request(&self, method: &str, path: &str, body: Option<&str>) -> Response {
        http::request(&self.socket(), method, path, body)
    }

    /// Whether the API does not answer.
    pub fn request_fails(&self) -> bool {
        UnixStream::connect(self.socket()).is_err()
    }

    /// Returns one field of a container by a Go template.
    pub fn inspect(&self, name: &str, template: &str) -> String {
        self.naru(&["inspect", "--format", template, name]).ok()
    }

    /// Returns the supervisors that run for this engine, by the name that they give themselves.
    pub fn supervisors(&self) -> Vec<u32> {
        processes::marked(&self.exec_root().display().to_string())
            .into_iter()
            .filter(|pid| {
                fs::read_to_string(format!("/proc/{pid}/comm"))
                    .is_ok_and(|comm| comm.starts_with("naru-shim"))
            })
            .collect()
    }
}

impl Default for TestEnv {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for TestEnv {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- narud.log of {}\n{}", self.mark, self.engine_log());
        }
        self.crash_engine();
        for pid in processes::marked(&self.mark) {
            processes::kill(pid);
        }
        processes::remove_cgroups(&self.mark);
        for child in [&mut self.registry, &mut self.holder] {
            let _ = child.kill(); // ended on purpose
            let _ = child.wait();
        }
        processes::unmount_below(&self.folder);
        for _ in 0..50 {
            if fs::remove_dir_all(&self.folder).is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20)); // a dying process may still hold a mount
        }
        eprintln!("could not remove {}", self.folder.display());
    }
}
