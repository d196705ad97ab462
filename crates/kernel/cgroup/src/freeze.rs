//! Freezing and thawing.

use crate::{Cgroup, Error, file};
use std::path::Path;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(5);

impl Cgroup {
    /// Stops all processes of the group and returns when the last one stands.
    ///
    /// Uses `cgroup.freeze` (v2, hybrid since Linux 5.2), whose frozen processes can still be killed; else v1's freezer.
    ///
    /// # Errors
    /// Internal if a process does not stop within 5 seconds (then the group is thawed again); InvalidArgument without
    /// a freezer.
    pub fn freeze(&self) -> Result<(), Error> {
        match self.freezer()? {
            Freezer::V2(directory) => {
                file::write(&directory.join("cgroup.freeze"), "1")?;
                self.settle("freezing the processes", || v2_frozen(directory))
            }
            Freezer::V1(directory) => {
                let state = directory.join("freezer.state");
                // v1 does not finish by itself when a process forks at the wrong moment; writing again makes it try again.
                self.settle("freezing the processes", || {
                    file::write(&state, "FROZEN")?;
                    Ok(file::read(&state)? == "FROZEN")
                })
            }
        }
        .inspect_err(|_| {
            let _ = self.thaw(); // The first error is the one to report.
        })
    }

    /// Lets the processes go on.
    ///
    /// # Errors
    /// Internal if the kernel refuses it.
    pub fn thaw(&self) -> Result<(), Error> {
        match self.freezer()? {
            Freezer::V2(directory) => {
                file::write(&directory.join("cgroup.freeze"), "0")?;
                self.settle("thawing the processes", || Ok(!v2_frozen(directory)?))
            }
            Freezer::V1(directory) => {
                let state = directory.join("freezer.state");
                file::write(&state, "THAWED")?;
                self.settle("thawing the processes", || Ok(file::read(&state)? == "THAWED"))
            }
        }
    }

    /// Returns whether the group is frozen, by whomever.
    ///
    /// # Errors
    /// Internal if the group cannot be read.
    pub fn frozen(&self) -> Result<bool, Error> {
        let v2 = match &self.v2 {
            Some(directory) => v2_frozen(directory)?,
            None => false,
        };
        match (v2, self.controller("freezer")) {
            (false, Some(directory)) => Ok(file::read(&directory.join("freezer.state"))? == "FROZEN"),
            (frozen, _) => Ok(frozen),
        }
    }

    fn freezer(&self) -> Result<Freezer<'_>, Error> {
        if let Some(directory) =
            self.v2.as_deref().filter(|directory| directory.join("cgroup.freeze").exists())
        {
            return Ok(Freezer::V2(directory));
        }
        match self.controller("freezer") {
            Some(directory) => Ok(Freezer::V1(directory)),
            None => Err(Error::NotSupported { option: "pause", needs: "the freezer cgroup".into() }),
        }
    }

    /// Asks `done` again and again, with growing pauses, until it says yes.
    pub(crate) fn settle(
        &self,
        what: &'static str,
        mut done: impl FnMut() -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let start = Instant::now();
        let mut pause = Duration::from_micros(20);
        while !done()? {
            if start.elapsed() > LIMIT {
                return Err(Error::Timeout { what, path: self.path.clone(), seconds: LIMIT.as_secs() });
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(10));
        }
        Ok(())
    }
}

enum Freezer<'a> {
    V1(&'a Path),
    V2(&'a Path),
}

fn v2_frozen(directory: &Path) -> Result<bool, Error> {
    let events = file::read(&directory.join("cgroup.events"))?;
    Ok(file::key(&events, "frozen") == Some(1))
}
