//! Killing all processes of a group.

use crate::{Cgroup, Error, file};
use sys::process::Signal;

impl Cgroup {
    /// Sends SIGKILL to every process of the group and of the groups below it, without waiting for their end.
    ///
    /// Uses `cgroup.kill` (Linux 5.14, v2 and hybrid), which no fork can escape. Elsewhere the group is frozen, read,
    /// killed and thawed. A group that does not exist has nothing to kill.
    ///
    /// # Errors
    /// Internal if the kernel refuses it.
    pub fn kill(&self) -> Result<(), Error> {
        if let Some(directory) = &self.v2 {
            match file::write(&directory.join("cgroup.kill"), "1") {
                Err(error) if error.is_gone() && directory.exists() => {} // Older than 5.14.
                Err(error) if error.is_gone() => return Ok(()),
                other => return other,
            }
        }
        self.kill_each()
    }

    fn kill_each(&self) -> Result<(), Error> {
        let frozen = self.freeze().is_ok(); // Without a freezer a fork may escape once: the caller removes the group, which fails while it lives.
        let done = self.pids().map(|pids| {
            for pid in pids {
                let _ = sys::process::kill(pid, Signal::KILL); // It may have ended since it was listed.
            }
        });
        if frozen {
            self.thaw()?;
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use crate::{Cgroup, Cgroups, Mode};
    use oci::runtime::Resources;
    use std::process::Command;

    /// Pure v1 has neither `cgroup.kill` nor `cgroup.freeze`: a hybrid machine stands in for one.
    #[test]
    fn pure_v1_freezes_and_kills_by_its_own_means() {
        let mut cgroups = Cgroups::detect().expect("cgroups are mounted");
        if cgroups.mode == Mode::V2 {
            return;
        }
        (cgroups.mode, cgroups.unified) = (Mode::V1, None);
        let path = format!("naru-test-v1-{}", std::process::id());
        let group = Cgroup::create(&cgroups, &path, &Resources::default()).expect("created");
        let mut child = Command::new("sleep").arg("60").spawn().expect("starts");
        group.join(child.id()).expect("joins");
        group.freeze().expect("freezes");
        assert_eq!((group.frozen().ok(), group.pids().ok()), (Some(true), Some(vec![child.id()])));
        group.thaw().expect("thaws");
        assert_eq!(group.frozen().ok(), Some(false));
        group.kill().expect("killed");
        assert_eq!(child.wait().expect("ended").code(), None);
        group.remove().expect("removed");
        assert!(!group.exists());
    }
}
