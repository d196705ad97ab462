//! `naru` starts the engine when it is not there. The engine is this very program, called as `narud` is.

#![forbid(unsafe_code)]

use std::fs::{self, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

type Test = (&'static str, fn(&Place));

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == "--exec-root") {
        return play_engine(Path::new(&words[1]), &words);
    }
    let tests: [Test; 6] = [
        ("twenty_commands_at_once_start_one_engine", twenty_commands_at_once_start_one_engine),
        ("stale_socket_is_repaired", stale_socket_is_repaired),
        ("engine_that_fails_says_why", engine_that_fails_says_why),
        ("engine_is_not_started_when_forbidden", engine_is_not_started_when_forbidden),
        ("engine_named_by_the_user_is_never_started", engine_named_by_the_user_is_never_started),
        ("engine_has_a_session_of_its_own", engine_has_a_session_of_its_own),
    ];
    // What test runners ask of a program with tests.
    if words.iter().any(|word| word == "--list") {
        let shown = if words.iter().any(|word| word == "--ignored") { &tests[..0] } else { &tests[..] };
        shown.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let filter = words.iter().find(|word| !word.starts_with('-'));
    for (name, test) in
        tests.iter().filter(|(name, _)| filter.is_none_or(|filter| name.contains(filter.as_str())))
    {
        test(&Place::new(name));
        println!("test {name} ... ok");
    }
    ExitCode::SUCCESS
}

/// A run directory of a test's own. At the end the engines that were started in it are killed, by the pids that they wrote.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("naru-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("create the directory");
        Self(path)
    }

    /// Returns `naru` with this place as its run directory, and nothing of the user's environment that steers it.
    fn naru(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_naru"));
        for name in ["DOCKER_HOST", "NARU_HOST", "NARU_AUTOSTART", "DOCKER_CONFIG", "DOCKER_API_VERSION"] {
            command.env_remove(name);
        }
        let narud = std::env::current_exe().expect("own path");
        command.env("NARU_EXEC_ROOT", &self.0).env("NARU_DAEMON", narud).env("HOME", &self.0);
        command.args(words).stdin(Stdio::null());
        command
    }

    fn run(&self, words: &[&str]) -> Output {
        self.naru(words).output().expect("run naru")
    }

    fn pids(&self) -> Vec<i32> {
        let text = fs::read_to_string(self.0.join("starts")).unwrap_or_default();
        text.lines().map(|line| line.parse().expect("a pid")).collect()
    }

    fn kill_engines(&self) {
        for pid in self.pids() {
            if let Some(pid) = rustix::process::Pid::from_raw(pid) {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL); // it may be gone
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.kill_engines();
        fs::remove_dir_all(&self.0).expect("remove the directory");
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn twenty_commands_at_once_start_one_engine(place: &Place) {
    let children: Vec<_> = (0..20)
        .map(|_| {
            let mut command = place.naru(&["ps", "-q"]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("spawn naru")
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().expect("wait");
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    assert_eq!(place.pids().len(), 1, "engines were started: {:?}", place.pids());
}

fn stale_socket_is_repaired(place: &Place) {
    assert!(place.run(&["ps", "-q"]).status.success());
    place.kill_engines();
    assert!(place.0.join("naru.sock").exists(), "the socket of the dead engine is still there");
    let output = place.run(&["ps", "-q"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(place.pids().len(), 2);
}

fn engine_that_fails_says_why(place: &Place) {
    fs::write(place.0.join("fail"), "").expect("write");
    let output = place.run(&["ps"]);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.starts_with("the engine stopped while starting (exit status: 1)\n"), "{stderr}");
    assert!(stderr.contains("\n  no overlay on this disk\n"), "{stderr}");
    assert!(stderr.contains("narud.log"), "{stderr}");
}

fn engine_is_not_started_when_forbidden(place: &Place) {
    let output = place.naru(&["ps"]).env("NARU_AUTOSTART", "0").output().expect("run naru");
    assert_eq!(output.status.code(), Some(1));
    let stderr = text(&output.stderr);
    assert!(stderr.contains("nothing listens at unix://"), "{stderr}");
    assert_eq!(place.pids(), []);
}

fn engine_named_by_the_user_is_never_started(place: &Place) {
    let socket = format!("unix://{}/other.sock", place.0.display());
    let output = place.naru(&["ps"]).env("DOCKER_HOST", &socket).output().expect("run naru");
    assert_eq!(output.status.code(), Some(1));
    let expected = format!(
        "cannot connect to the engine: nothing listens at {socket} (from DOCKER_HOST)\n\
         hint: `unset DOCKER_HOST` to use the engine of this machine\n"
    );
    assert_eq!(text(&output.stderr), expected);
    assert_eq!(place.pids(), []);
}

fn engine_has_a_session_of_its_own(place: &Place) {
    assert!(place.run(&["ps", "-q"]).status.success());
    let pid = place.pids()[0];
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the engine runs");
    let (_, fields) = stat.rsplit_once(") ").expect("a stat line");
    let session = fields.split(' ').nth(3).expect("the session").parse::<i32>().expect("a number");
    assert_eq!(session, pid);
    let directory = fs::read_link(format!("/proc/{pid}/cwd")).expect("the working directory");
    assert_eq!(directory, Path::new("/"));
}

/// Serves empty lists at `naru.sock` for half a minute. A file named `fail` makes it fail as an engine may.
fn play_engine(exec_root: &Path, words: &[String]) -> ExitCode {
    let starts = OpenOptions::new().create(true).append(true).open(exec_root.join("starts"));
    let mut starts = starts.expect("open the list of starts");
    if exec_root.join("fail").exists() {
        eprintln!("called with {} words\nno overlay on this disk", words.len());
        return ExitCode::FAILURE;
    }
    writeln!(starts, "{}", std::process::id()).expect("note the start");
    let socket = exec_root.join("naru.sock");
    let _ = fs::remove_file(&socket); // left by an engine that was killed
    let listener = UnixListener::bind(socket).expect("bind");
    let (served, clients) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let served = served.clone();
            thread::spawn(move || {
                let _ = answer(stream); // the client may be gone
                let _ = served.send(()); // the main thread may be gone
            });
        }
    });
    while clients.recv_timeout(Duration::from_secs(30)).is_ok() {}
    ExitCode::SUCCESS
}

fn answer(stream: std::os::unix::net::UnixStream) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    loop {
        let mut line = String::new();
        if reader.by_ref().read_line(&mut line)? == 0 {
            return Ok(());
        }
        if line == "\r\n" {
            writer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")?;
        }
    }
}
