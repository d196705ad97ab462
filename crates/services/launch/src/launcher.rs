//! Starting supervisors.

use crate::shim::Child;
use crate::{Error, Shim};
use blocking::Blocking;
use refs::ContainerId;
use std::ffi::CString;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use sys::process::{Command, Session};

/// How many supervisors are spawned at once.
const CONCURRENT_SPAWNS: usize = 8;

/// Starts supervisors and finds those that live. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Launcher {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// `naru-run` in a sealed memfd: no container can reach the file, or change it (CVE-2019-5736).
    program: OwnedFd,
    null: OwnedFd,
    run_root: PathBuf,
    spawning: Blocking,
}

impl Launcher {
    /// Reads the supervisor's program into a sealed memfd and makes `<exec root>/c`, where the run directories are.
    ///
    /// # Errors
    /// Internal if the program or the directory cannot be read or made.
    pub fn new(program: &Path, exec_root: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Program { path: program.to_owned(), source };
        let bytes = fs::read(program).map_err(failed)?;
        let run_root = exec_root.join("c");
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&run_root);
        made.map_err(Error::file("create", &run_root))?;
        let null = File::options()
            .read(true)
            .write(true)
            .open("/dev/null")
            .map_err(Error::file("open", "/dev/null"))?;
        Ok(Self {
            inner: Arc::new(Inner {
                program: sys::memfd::sealed("naru-run", &bytes)?,
                null: null.into(),
                run_root,
                spawning: Blocking::new(CONCURRENT_SPAWNS),
            }),
        })
    }

    /// Returns the run directory of a container: its control socket and exit record.
    pub fn run_directory(&self, id: &ContainerId) -> PathBuf {
        self.inner.run_root.join(id.as_str())
    }

    /// Returns the names of all run directories.
    ///
    /// # Errors
    /// Internal if they cannot be listed.
    pub fn run_directories(&self) -> Result<Vec<String>, Error> {
        let root = &self.inner.run_root;
        let mut names = Vec::new();
        for entry in fs::read_dir(root).map_err(Error::file("list", root))? {
            let entry = entry.map_err(Error::file("list", root))?;
            names.extend(entry.file_name().into_string());
        }
        names.sort();
        Ok(names)
    }

    /// Removes a container's run directory; one that is not there is no error.
    ///
    /// # Errors
    /// Internal if it cannot be removed.
    pub fn remove_run_directory(&self, id: &ContainerId) -> Result<(), Error> {
        let directory = self.run_directory(id);
        match fs::remove_dir_all(&directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::file("remove", directory)(error))
            }
            _ => Ok(()),
        }
    }

    /// Starts a supervisor for a container and makes the container's run directory, emptied of what an earlier run left.
    ///
    /// # Errors
    /// Internal if the directory cannot be made or the program not be executed.
    pub async fn launch(&self, id: &ContainerId) -> Result<Shim, Error> {
        let (this, directory) = (self.clone(), self.run_directory(id));
        let spawn = move || {
            make_run_directory(&directory)?;
            this.inner.spawn()
        };
        self.inner.spawning.run(spawn).await?.connect()
    }
}

/// A supervisor that runs and is not connected to the event loop yet.
struct Spawned {
    socket: OwnedFd,
    process: sys::process::Spawned,
}

impl Spawned {
    fn connect(self) -> Result<Shim, Error> {
        Shim::new(self.socket, self.process.pid, self.process.pidfd, Child::Own)
    }
}

impl Inner {
    fn spawn(&self) -> Result<Spawned, Error> {
        let (ours, theirs) = sys::socket::message_pair()?;
        let null = self.null.as_fd();
        // The last one is for people who look at processes: whose supervisor this is.
        let mark = CString::new(self.run_root.as_os_str().as_bytes()).unwrap_or_default();
        let process = sys::process::spawn(&Command {
            program: self.program.as_fd(),
            args: &[c"naru-run".into(), c"shim".into(), mark],
            env: &[],
            fds: &[(null, 0), (null, 1), (null, 2), (theirs.as_fd(), shimwire::CONTROL_FD)],
            session: Session::New,
        })?;
        Ok(Spawned { socket: ours, process })
    }
}

fn make_run_directory(directory: &Path) -> Result<(), Error> {
    let create = || DirBuilder::new().mode(0o700).create(directory);
    match create() {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_dir_all(directory).map_err(Error::file("remove", directory))?;
            create().map_err(Error::file("create", directory))
        }
        done => done.map_err(Error::file("create", directory)),
    }
}
