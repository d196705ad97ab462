//! What an engine that starts finds of a container's supervisor.

use crate::shim::Child;
use crate::{Error, Launcher, Shim};
use refs::ContainerId;
use shimwire::{EXIT_FILE, ExitRecord, Hello, PublishedPort, Report, SOCKET_FILE};
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

/// How long a supervisor may take to say who it is.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is left of a container in its run directory.
#[derive(Debug)]
pub enum Remains {
    /// Its supervisor lives, and holds these ports.
    Connected(Shim, Box<Hello>, Vec<PublishedPort>),
    /// Its supervisor is gone and left an exit record.
    Exited(ExitRecord),
    /// Neither.
    Nothing,
}

impl Launcher {
    /// Connects to a container's supervisor, or reads its exit record.
    ///
    /// # Errors
    /// Internal for a supervisor that speaks another version or is somebody else's; DataLoss for a broken exit record.
    pub async fn adopt(&self, id: &ContainerId) -> Result<Remains, Error> {
        let directory = self.run_directory(id);
        if let Some(mut shim) = connect(&directory.join(SOCKET_FILE))? {
            let first = tokio::time::timeout(PATIENCE, shim.reports.recv()).await;
            match first {
                Ok(Some(Report::Hello(hello))) => {
                    // An engine speaks its own version and the two before it; there are no older ones yet.
                    if hello.version > shimwire::VERSION {
                        return Err(Error::Version { id: id.to_string(), version: hello.version });
                    }
                    shim.sender.version = hello.version;
                    if let Some(ports) = ports(&mut shim, hello.ports).await {
                        return Ok(Remains::Connected(shim, Box::new(hello), ports));
                    }
                }
                // It ended while we connected: its exit record tells the rest.
                Ok(None) => {}
                // One that does not answer cannot be kept: nobody could stop its container.
                Ok(Some(_)) | Err(_) => {
                    tracing::error!(container = %id, pid = shim.sender.pid(), "supervisor does not answer and is killed");
                    shim.sender.kill()?;
                    shim.sender.ended().await?;
                }
            }
        }
        Ok(match self.exit_record(id)? {
            Some(record) => Remains::Exited(record),
            None => Remains::Nothing,
        })
    }

    /// Reads a container's exit record.
    ///
    /// # Errors
    /// DataLoss if it is there and cannot be understood.
    pub fn exit_record(&self, id: &ContainerId) -> Result<Option<ExitRecord>, Error> {
        read_exit_record(&self.run_directory(id).join(EXIT_FILE))
    }
}

/// Reads which ports a supervisor holds, which follow its greeting; none if it ended meanwhile.
async fn ports(shim: &mut Shim, count: usize) -> Option<Vec<PublishedPort>> {
    let mut found = Vec::new();
    while found.len() < count {
        match tokio::time::timeout(PATIENCE, shim.reports.recv()).await {
            Ok(Some(Report::Ports { ports })) => found.extend(ports),
            Ok(Some(_) | None) | Err(_) => return None,
        }
    }
    Some(found)
}

fn read_exit_record(path: &Path) -> Result<Option<ExitRecord>, Error> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::file("read", path)(error)),
    };
    let malformed = |source| Error::ExitRecord { path: path.to_owned(), source };
    shimwire::decode(&bytes).map(Some).map_err(malformed)
}

/// Connects to a supervisor's socket; none if nobody listens there any more.
fn connect(path: &Path) -> Result<Option<Shim>, Error> {
    let socket: OwnedFd = match sys::socket::connect_messages(path) {
        Ok(socket) => socket,
        Err(error) if error.is(sys::Errno::NOENT) || error.is(sys::Errno::CONNREFUSED) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let peer = sys::socket::peer(&socket)?;
    if peer.uid != 0 && peer.uid != sys::process::effective_uid() {
        return Err(Error::Stranger { path: path.to_owned(), pid: peer.pid, uid: peer.uid });
    }
    let pidfd = match sys::process::open(peer.pid) {
        Ok(pidfd) => pidfd,
        Err(error) if error.is(sys::Errno::SRCH) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    Shim::new(socket, peer.pid, pidfd, Child::Adopted).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_record_is_read_or_absent_or_broken() {
        let directory = std::env::temp_dir().join(format!("naru-test-remains-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join(EXIT_FILE);
        assert_eq!(read_exit_record(&path).unwrap(), None);
        let record = ExitRecord {
            version: 1,
            id: "a".repeat(64),
            code: 137,
            signal: Some(9),
            out_of_memory: false,
            started_at: Some(1),
            finished_at: 2,
        };
        fs::write(&path, shimwire::encode(&record).unwrap()).unwrap();
        assert_eq!(read_exit_record(&path).unwrap(), Some(record));
        fs::write(&path, "{").unwrap();
        assert!(matches!(read_exit_record(&path), Err(Error::ExitRecord { .. })));
        fs::remove_dir_all(&directory).unwrap();
    }
}
