//! Where the engine is, and how it is started when it is not there.
//!
//! ```text
//! connect ──ok──────────────────────────────────────────────▶ go
//!    │ nobody there, and it is the engine of this machine
//!    ▼
//! flock <exec root>/start.lock  ──▶ connect again (another command may have started it) ──ok──▶ go
//!    ▼
//! naru detach narud …   (new session, no terminal, output to <exec root>/narud.log)
//!    ▼
//! connect until it answers, or until narud has exited: then its last words are the error
//! ```
//!
//! A stale socket needs nothing special: nobody answers there, and `narud` replaces it under its own lock.

use client::{Client, Endpoint};
use rustix::fs::{FlockOperation, flock};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::context::{env, stderr_is_live, warn};
use crate::failure::{Failure, Outcome};

/// The hidden command that gives a program a session of its own and becomes it.
pub(crate) const DETACH: &str = "__detach";

/// Where the engine's sockets and run state are, unless `NARU_EXEC_ROOT` says otherwise.
const EXEC_ROOT: &str = "/run/naru";

/// How long an engine may take until it answers.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where the engine is, and who said so.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    pub(crate) endpoint: Endpoint,
    origin: Origin,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Origin {
    /// A flag or a variable named it: nothing is started.
    Named(&'static str),
    /// The engine of this machine: it is started on demand.
    Local { exec_root: PathBuf },
}

impl Address {
    /// Finds the address: `-H`, `NARU_HOST`, `DOCKER_HOST`, or the socket of this machine.
    pub(crate) fn find(flag: Option<&str>) -> Outcome<Self> {
        let named = [
            ("-H", flag.map(str::to_owned)),
            ("NARU_HOST", env("NARU_HOST")),
            ("DOCKER_HOST", env("DOCKER_HOST")),
        ];
        for (origin, value) in named {
            if let Some(value) = value {
                return Ok(Self { endpoint: Endpoint::parse(&value)?, origin: Origin::Named(origin) });
            }
        }
        let exec_root = PathBuf::from(env("NARU_EXEC_ROOT").unwrap_or_else(|| EXEC_ROOT.to_owned()));
        Ok(Self {
            endpoint: Endpoint::Unix(exec_root.join("naru.sock")),
            origin: Origin::Local { exec_root },
        })
    }

    /// Connects; starts the engine of this machine if it does not answer.
    pub(crate) async fn reach(&self, client: &Client) -> Outcome {
        let failed = match client.connect().await {
            Ok(()) => return Ok(()),
            Err(client::Error::Connect { source, .. }) => source,
            Err(other) => return Err(other.into()),
        };
        match &self.origin {
            Origin::Named(origin) => Err(self.nobody_there(&failed, origin)),
            Origin::Local { exec_root } if is_absent(&failed) => match env("NARU_AUTOSTART").as_deref() {
                Some("0") => Err(self.nobody_there(&failed, "NARU_AUTOSTART=0 forbids to start it")),
                _ => start(client, exec_root).await,
            },
            Origin::Local { .. } => Err(self.nobody_there(&failed, "the engine of this machine")),
        }
    }

    fn nobody_there(&self, failed: &io::Error, origin: &str) -> Failure {
        let endpoint = &self.endpoint;
        match failed.kind() {
            io::ErrorKind::PermissionDenied => forbidden(endpoint),
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                let text =
                    format!("cannot connect to the engine: nothing listens at {endpoint} (from {origin})");
                match origin {
                    "NARU_HOST" | "DOCKER_HOST" => Failure::new(text)
                        .with_hint(format!("`unset {origin}` to use the engine of this machine")),
                    _ => Failure::new(text),
                }
            }
            _ => {
                Failure::new(format!("cannot connect to the engine at {endpoint} (from {origin}): {failed}"))
            }
        }
    }
}

fn is_absent(failed: &io::Error) -> bool {
    matches!(failed.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

fn forbidden(endpoint: &Endpoint) -> Failure {
    let Endpoint::Unix(path) = endpoint else {
        return Failure::new(format!("cannot connect to {endpoint}: permission denied"));
    };
    // Scripts look for Docker's words "permission denied while trying to connect".
    let mut text = format!("permission denied while trying to connect to the engine at {endpoint}");
    if let Ok(metadata) = path.metadata() {
        let (uid, gid, mode) = (metadata.uid(), metadata.gid(), metadata.mode() & 0o777);
        text.push_str(&format!(": the socket belongs to uid {uid}, gid {gid}, mode {mode:04o}"));
    }
    let hint =
        "run the command with sudo, or become a member of the socket's group (which equals being root)";
    Failure::new(text).with_hint(hint)
}

async fn start(client: &Client, exec_root: &Path) -> Outcome {
    let make = DirBuilder::new().recursive(true).mode(0o710).create(exec_root);
    make.map_err(|why| cannot_start(&format!("cannot create {}: {why}", exec_root.display())))?;
    // Held until this function returns: commands that come at the same time wait here, and then find the engine.
    let _lock = lock(&exec_root.join("start.lock"))?;
    match client.connect().await {
        Ok(()) => return Ok(()),
        Err(client::Error::Connect { source, .. }) if is_absent(&source) => {}
        Err(other) => return Err(other.into()),
    }
    let log_path = exec_root.join("narud.log");
    let (mut child, from) = launch(exec_root, &log_path)?;
    let began = Instant::now();
    let mut pause = Duration::from_millis(2);
    loop {
        if client.connect().await.is_ok() {
            if stderr_is_live() {
                warn(&format!("started the naru engine (pid {})", child.id()));
            }
            return Ok(());
        }
        if let Some(status) = child.try_wait().map_err(|why| cannot_start(&why.to_string()))? {
            return Err(exited(status, &log_path, from));
        }
        if began.elapsed() > PATIENCE {
            let text = format!("the engine (pid {}) does not answer after {PATIENCE:?}", child.id());
            return Err(with_log(Failure::new(text), &log_path, from));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

fn lock(path: &Path) -> Outcome<File> {
    let failed =
        |why: &dyn std::fmt::Display| cannot_start(&format!("cannot lock {}: {why}", path.display()));
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .map_err(|why| failed(&why))?;
    loop {
        match flock(&file, FlockOperation::LockExclusive) {
            Ok(()) => return Ok(file),
            Err(rustix::io::Errno::INTR) => continue,
            Err(why) => return Err(failed(&why)),
        }
    }
}

/// Starts `narud` in a session of its own; returns it and where its log begins.
fn launch(exec_root: &Path, log_path: &Path) -> Outcome<(Child, u64)> {
    let narud = find_narud()?;
    let failed = |why: io::Error| cannot_start(&format!("cannot write {}: {why}", log_path.display()));
    let mut log = OpenOptions::new().create(true).append(true).mode(0o640).open(log_path).map_err(failed)?;
    let from = log.seek(SeekFrom::End(0)).map_err(failed)?;
    let errors = log.try_clone().map_err(failed)?;
    let mut command = Command::new("/proc/self/exe");
    command.arg(DETACH).arg(&narud).arg("--exec-root").arg(exec_root);
    if let Some(data_root) = env("NARU_DATA_ROOT") {
        command.arg("--data-root").arg(data_root);
    }
    command.stdin(Stdio::null()).stdout(log).stderr(errors).current_dir("/");
    let child =
        command.spawn().map_err(|why| cannot_start(&format!("cannot execute {}: {why}", narud.display())))?;
    Ok((child, from))
}

/// Finds `narud`: `NARU_DAEMON`, beside this program, or in PATH.
pub(crate) fn find_narud() -> Outcome<PathBuf> {
    if let Some(named) = env("NARU_DAEMON") {
        let path = PathBuf::from(&named);
        return match is_program(&path) {
            true => Ok(path),
            false => Err(cannot_start(&format!("NARU_DAEMON names {named:?}, which is not a program"))),
        };
    }
    let beside = std::env::current_exe().ok().and_then(|own| Some(own.parent()?.join("narud")));
    let path = env("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&path).filter(|d| d.is_absolute()).map(|d| d.join("narud"));
    beside.into_iter().chain(in_path).find(|path| is_program(path)).ok_or_else(|| {
        cannot_start("the program narud is neither beside naru nor in PATH")
            .with_hint("install narud, or name it with NARU_DAEMON=/path/to/narud")
    })
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.mode() & 0o111 != 0)
}

fn cannot_start(why: &str) -> Failure {
    let failure = Failure::new(format!("cannot start the naru engine: {why}"));
    match rustix::process::geteuid().is_root() {
        true => failure,
        false => failure
            .with_hint("the engine needs root: use sudo, or let root start narud and give you its socket"),
    }
}

fn exited(status: ExitStatus, log_path: &Path, from: u64) -> Failure {
    with_log(Failure::new(format!("the engine stopped while starting ({status})")), log_path, from)
}

/// Adds the last lines that the engine wrote since `from`.
fn with_log(mut failure: Failure, log_path: &Path, from: u64) -> Failure {
    let mut said = String::new();
    if let Ok(mut log) = File::open(log_path)
        && log.seek(SeekFrom::Start(from)).is_ok()
    {
        let mut bytes = Vec::new();
        let _ = log.take(1 << 20).read_to_end(&mut bytes); // what could be read is shown
        said = String::from_utf8_lossy(&bytes).into_owned();
    }
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    for line in &lines[lines.len().saturating_sub(5)..] {
        failure.text.push_str("\n  ");
        failure.text.push_str(&printable(line));
    }
    failure.with_hint(format!("the whole log is in {}", log_path.display()))
}

/// Drops what could steer a terminal.
fn printable(line: &str) -> String {
    line.chars().filter(|c| !c.is_control() || *c == '\t').collect()
}

/// Gives this process a session of its own and replaces it by the given program. Returns only if that fails.
pub(crate) fn detach(words: &[std::ffi::OsString]) -> Failure {
    let Some((program, arguments)) = words.split_first() else {
        return Failure::new("no program to detach");
    };
    if let Err(why) = rustix::process::setsid() {
        return Failure::new(format!("cannot begin a session: {why}"));
    }
    let failed = Command::new(program).args(arguments).exec();
    Failure::new(format!("cannot execute {}: {failed}", Path::new(program).display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flag_wins_and_is_not_started() {
        let address = Address::find(Some("unix:///nowhere/x.sock")).expect("valid");
        assert_eq!(address.endpoint.to_string(), "unix:///nowhere/x.sock");
        assert_eq!(address.origin, Origin::Named("-H"));
    }

    #[test]
    fn last_words_of_a_failed_start_are_shown_without_control_characters() {
        let path = std::env::temp_dir().join(format!("naru-cli-log-{}", std::process::id()));
        std::fs::write(&path, "old\n1\n2\n3\n4\n5\n\x1b[31m6\n\n").expect("write");
        let failure = with_log(Failure::new("stopped"), &path, 4);
        std::fs::remove_file(&path).expect("remove");
        assert_eq!(failure.text, "stopped\n  2\n  3\n  4\n  5\n  [31m6");
    }

    #[test]
    fn nobody_there_says_who_named_the_address() {
        let address = Address::find(Some("unix:///nowhere/x.sock")).expect("valid");
        let failed = io::Error::from(io::ErrorKind::NotFound);
        let text =
            "cannot connect to the engine: nothing listens at unix:///nowhere/x.sock (from DOCKER_HOST)";
        assert_eq!(address.nobody_there(&failed, "DOCKER_HOST").text, text);
    }
}
