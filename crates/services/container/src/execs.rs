//! The execs of one container: what was asked for, how each stands.

use crate::Error;
use crate::machine::{Nanos, StartFailure};
use crate::options::ExecSpec;
use refs::ExecId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// How long an exec that ended can still be asked for.
const KEPT: Nanos = 300_000_000_000;

/// The execs of one container.
#[derive(Debug, Default)]
pub(crate) struct Execs {
    table: Mutex<BTreeMap<ExecId, Exec>>,
}

#[derive(Debug)]
struct Exec {
    spec: ExecSpec,
    state: watch::Sender<ExecState>,
    ended_at: Option<Nanos>,
}

/// How an exec stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ExecState {
    /// Not started.
    Created,
    /// On its way to the supervisor.
    Starting,
    /// It runs.
    Running { pid: i32 },
    /// It ended.
    Ended { pid: i32, code: i32 },
    /// It could not be started.
    Failed { failure: StartFailure, code: i32 },
}

impl ExecState {
    /// Returns the exit code, once there is one.
    pub(crate) const fn exit_code(&self) -> Option<i32> {
        match self {
            Self::Ended { code, .. } | Self::Failed { code, .. } => Some(*code),
            Self::Created | Self::Starting | Self::Running { .. } => None,
        }
    }
}

impl Execs {
    /// Adds an exec.
    pub(crate) fn insert(&self, id: ExecId, spec: ExecSpec, state: ExecState) {
        self.table().insert(id, Exec { spec, state: watch::Sender::new(state), ended_at: None });
    }

    /// Returns an exec's specification and state, to look at and to wait for.
    pub(crate) fn get(&self, id: &ExecId) -> Option<(ExecSpec, watch::Receiver<ExecState>)> {
        self.table().get(id).map(|exec| (exec.spec.clone(), exec.state.subscribe()))
    }

    /// Marks an exec as on its way.
    ///
    /// # Errors
    /// NotFound; Conflict if it was started before.
    pub(crate) fn begin(&self, id: &ExecId) -> Result<ExecSpec, Error> {
        let table = self.table();
        let Some(exec) = table.get(id) else { return Err(Error::NoSuchExec { id: id.to_string() }) };
        let running = match *exec.state.borrow() {
            ExecState::Created => None,
            ExecState::Starting | ExecState::Running { .. } => Some(true),
            ExecState::Ended { .. } | ExecState::Failed { .. } => Some(false),
        };
        match running {
            Some(running) => Err(Error::ExecStarted { id: id.to_string(), running }),
            None => {
                exec.state.send_replace(ExecState::Starting);
                Ok(exec.spec.clone())
            }
        }
    }

    /// Takes note of a new state.
    pub(crate) fn set(&self, id: &ExecId, state: ExecState, now: Nanos) {
        if let Some(exec) = self.table().get_mut(id) {
            exec.ended_at = state.exit_code().map(|_| now);
            exec.state.send_replace(state);
        }
    }

    /// Ends all that run: their container has ended. Returns them.
    pub(crate) fn end_all(&self, now: Nanos) -> Vec<ExecId> {
        let mut ended = Vec::new();
        for (id, exec) in self.table().iter_mut() {
            let pid = match *exec.state.borrow() {
                ExecState::Running { pid } => pid,
                ExecState::Starting => 0,
                ExecState::Created | ExecState::Ended { .. } | ExecState::Failed { .. } => continue,
            };
            exec.ended_at = Some(now);
            exec.state.send_replace(ExecState::Ended { pid, code: 137 });
            ended.push(id.clone());
        }
        ended
    }

    /// Returns the execs that run.
    pub(crate) fn running(&self) -> Vec<ExecId> {
        let table = self.table();
        let running =
            table.iter().filter(|(_, exec)| matches!(*exec.state.borrow(), ExecState::Running { .. }));
        running.map(|(id, _)| id.clone()).collect()
    }

    /// Forgets those that ended long ago, and returns them.
    pub(crate) fn forget_old(&self, now: Nanos) -> Vec<ExecId> {
        let mut table = self.table();
        let is_old = |exec: &Exec| exec.ended_at.is_some_and(|ended| now.saturating_sub(ended) > KEPT);
        let old: Vec<ExecId> =
            table.iter().filter(|(_, exec)| is_old(exec)).map(|(id, _)| id.clone()).collect();
        for id in &old {
            table.remove(id);
        }
        old
    }

    fn table(&self) -> MutexGuard<'_, BTreeMap<ExecId, Exec>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner) // each change is complete in itself
    }
}

/// The version of [`StoredExec`].
const VERSION: u32 = 1;

/// An exec that was started, as it lies in the run directory for the next engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredExec {
    version: u32,
    id: String,
    cmd: Vec<String>,
    user: String,
    tty: bool,
    privileged: bool,
    attach_stdin: bool,
    attach_stdout: bool,
    attach_stderr: bool,
    detach_keys: Vec<u8>,
    #[serde(default)]
    is_probe: bool,
}

impl StoredExec {
    /// Returns what is stored of an exec: what inspect shows.
    pub(crate) fn new(id: &ExecId, spec: &ExecSpec) -> Self {
        Self {
            version: VERSION,
            id: id.to_string(),
            cmd: spec.cmd.clone(),
            user: spec.user.clone(),
            tty: spec.tty,
            privileged: spec.privileged,
            attach_stdin: spec.attach_stdin,
            attach_stdout: spec.attach_stdout,
            attach_stderr: spec.attach_stderr,
            detach_keys: spec.detach_keys.clone(),
            is_probe: spec.is_probe,
        }
    }

    /// Returns the exec.
    pub(crate) fn into_spec(self) -> ExecSpec {
        ExecSpec {
            cmd: self.cmd,
            env: Vec::new(),
            user: self.user,
            working_dir: String::new(),
            tty: self.tty,
            privileged: self.privileged,
            attach_stdin: self.attach_stdin,
            attach_stdout: self.attach_stdout,
            attach_stderr: self.attach_stderr,
            detach_keys: self.detach_keys,
            console_size: None,
            is_probe: self.is_probe,
        }
    }

    /// Writes it. No sync: it matters only as long as the supervisor lives.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn write(&self, run_directory: &Path) -> Result<(), Error> {
        let path = file(run_directory, &self.id);
        let json = serde_json::to_vec(self).expect("it has string keys only");
        std::fs::write(&path, json).map_err(Error::file("write", path))
    }

    /// Reads all of a run directory. What cannot be read is left out: its exec ended, or never began.
    pub(crate) fn read_all(run_directory: &Path) -> Vec<(ExecId, Self)> {
        let Ok(entries) = std::fs::read_dir(run_directory) else { return Vec::new() };
        let read = |path: PathBuf| -> Option<(ExecId, Self)> {
            let stored: Self = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
            Some((ExecId::parse(&stored.id).ok()?, stored))
        };
        let is_exec = |name: &std::ffi::OsString| name.to_string_lossy().starts_with("exec-");
        entries
            .flatten()
            .filter(|entry| is_exec(&entry.file_name()))
            .filter_map(|entry| read(entry.path()))
            .collect()
    }
}

/// Removes what is stored of an exec.
pub(crate) fn forget_stored(run_directory: &Path, id: &ExecId) {
    // It may never have been written.
    let _ = std::fs::remove_file(file(run_directory, id.as_str()));
}

fn file(run_directory: &Path, id: &str) -> PathBuf {
    run_directory.join(format!("exec-{id}.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(byte: u8) -> ExecId {
        ExecId::generate([byte; 32])
    }

    #[test]
    fn exec_is_started_once() {
        let execs = Execs::default();
        execs.insert(id(1), ExecSpec::default(), ExecState::Created);
        execs.begin(&id(1)).unwrap();
        assert!(execs.begin(&id(1)).unwrap_err().to_string().ends_with("is already running"));
        execs.set(&id(1), ExecState::Running { pid: 7 }, 0);
        assert_eq!(execs.running(), [id(1)]);
        execs.set(&id(1), ExecState::Ended { pid: 7, code: 0 }, 0);
        assert!(execs.begin(&id(1)).unwrap_err().to_string().ends_with("has already run"));
        assert!(execs.begin(&id(2)).unwrap_err().to_string().starts_with("No such exec instance"));
    }

    #[test]
    fn ended_execs_are_forgotten_after_a_while() {
        let execs = Execs::default();
        execs.insert(id(1), ExecSpec::default(), ExecState::Running { pid: 7 });
        execs.insert(id(2), ExecSpec::default(), ExecState::Created);
        assert_eq!(execs.end_all(5), [id(1)]);
        assert_eq!(execs.forget_old(KEPT), []);
        assert_eq!(execs.forget_old(KEPT + 6), [id(1)]);
        assert!(execs.get(&id(2)).is_some());
    }

    #[test]
    fn started_exec_survives_the_engine() {
        let directory = std::env::temp_dir().join(format!("naru-test-execs-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let spec = ExecSpec { cmd: vec!["sh".into()], tty: true, ..ExecSpec::default() };
        let stored = StoredExec::new(&id(3), &spec);
        stored.write(&directory).unwrap();
        std::fs::write(directory.join("exec-broken.json"), "{").unwrap();
        assert_eq!(StoredExec::read_all(&directory), [(id(3), stored.clone())]);
        assert_eq!(stored.into_spec(), spec);
        forget_stored(&directory, &id(3));
        assert_eq!(StoredExec::read_all(&directory), []);
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
