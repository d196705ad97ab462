//! Finding and executing the program, in the child.

use super::run::Place;
use super::shared::{Fault, Reason};
use super::{Exec, Search};
use crate::error::last_errno;
use rustix::fs::{Access, AtFlags, CWD, FileType, accessat, statat};
use rustix::io::Errno;
use std::ffi::CStr;

/// Returns which candidate is the program.
///
/// # Source
/// Go `os/exec` `LookPath` and `findExecutable`, whose texts Docker's users know.
pub(super) fn find(exec: &Exec) -> Result<usize, Fault> {
    for (index, candidate) in exec.candidates.iter().enumerate() {
        match (executable(&candidate.path), exec.search) {
            (Ok(()), Search::Path) if candidate.relative => {
                return Err(Fault { reason: Reason::Relative, call: "faccessat", errno: Errno::ACCESS });
            }
            (Ok(()), _) => return Ok(index),
            (Err(fault), Search::Direct) => return Err(fault),
            (Err(_), Search::Path) => {}
        }
    }
    Err(Fault { reason: Reason::NotInPath, call: "newfstatat", errno: Errno::NOENT })
}

fn executable(path: &CStr) -> Result<(), Fault> {
    let fault = |reason, call| move |errno| Fault { reason, call, errno };
    let stat = statat(CWD, path, AtFlags::empty()).map_err(fault(Reason::Stat, "newfstatat"))?;
    if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
        return Err(fault(Reason::IsDirectory, "newfstatat")(Errno::ISDIR));
    }
    // The real ids are the effective ones by now.
    accessat(CWD, path, Access::EXEC_OK, AtFlags::empty()).map_err(fault(Reason::Denied, "faccessat"))
}

/// Executes the program; returns why it could not.
pub(super) fn execute(place: &Place<'_>) -> Fault {
    let task = place.task;
    let Some(candidate) = task.program.exec.candidates.get(place.found) else {
        return Fault { reason: Reason::NotInPath, call: "execve", errno: Errno::NOENT };
    };
    // SAFETY: path, arguments and environment end with NUL, their arrays with null; all live in the program, of which
    // this process has its own copy.
    unsafe { libc::execve(candidate.path.as_ptr(), task.argv.as_ptr().cast(), task.envp.as_ptr().cast()) };
    Fault { reason: Reason::Execute, call: "execve", errno: last_errno() }
}
