//! Keeping the file of the running program out of a container's reach.
//!
//! A program that a container can make us execute again (`#!/proc/self/exe`), or that it finds in /proc/PID/exe while we
//! are in its namespaces, could be opened for writing once we are gone (CVE-2019-5736). So we run from a file that
//! nobody can write: a read-only mount that is attached nowhere, or a sealed copy in memory.

use crate::mount::{Depth, MountAttr, RDONLY, mount_setattr, open_tree};
use crate::process::pointers;
use crate::{Call, Errno, Result, memfd};
use rustix::fs::{Mode, OFlags, SealFlags};
use std::ffi::CString;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;

const ITSELF: &str = "/proc/self/exe";

/// Returns whether the running program's file cannot be written by anybody: on a read-only mount, or sealed.
///
/// # Errors
/// Those of opening /proc/self/exe.
pub fn is_protected() -> Result<bool> {
    let file = Call("openat")
        .result(rustix::fs::open(ITSELF, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()), || {
            format!("{ITSELF:?}, O_RDONLY")
        })?;
    let wanted = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    if rustix::fs::fcntl_get_seals(&file).is_ok_and(|seals| seals.contains(wanted)) {
        return Ok(true);
    }
    let status = Call("fstatvfs").result(rustix::fs::fstatvfs(&file), || format!("{ITSELF:?}"))?;
    Ok(status.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY))
}

/// Executes the running program again, from a file that nobody can write; returns only if that fails.
///
/// # Errors
/// ENOMEM for the copy in memory, where no mount can be made; those of execveat.
///
/// # Source
/// man 2 open_tree, mount_setattr (since 5.12), execveat (since 3.19)
pub fn execute_protected() -> crate::Error {
    let text = |text: std::ffi::OsString| CString::new(text.into_vec()).ok();
    let args: Vec<_> = std::env::args_os().filter_map(text).collect();
    let env: Vec<_> = std::env::vars_os()
        .filter_map(|(mut name, value)| {
            name.push("=");
            name.push(value);
            text(name)
        })
        .collect();
    let program = match read_only_mount().or_else(|_| copy()) {
        Ok(program) => program,
        Err(error) => return error,
    };
    let (argv, envp) = (pointers(&args), pointers(&env));
    // SAFETY: the path is empty and the flag says so; arguments and environment end with NUL, their arrays with null, and
    // all outlive the call.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            program.as_raw_fd(),
            c"".as_ptr(),
            argv.as_ptr(),
            envp.as_ptr(),
            libc::AT_EMPTY_PATH,
        )
    };
    Call("execveat").failed(crate::error::last_errno(), || format!("{program:?}, AT_EMPTY_PATH"))
}

fn read_only_mount() -> Result<OwnedFd> {
    let tree = open_tree(Path::new(ITSELF), Depth::Single)?;
    mount_setattr(&tree, Depth::Single, &MountAttr { set: RDONLY, ..MountAttr::default() })?;
    Ok(tree)
}

fn copy() -> Result<OwnedFd> {
    let bytes = std::fs::read(ITSELF).map_err(|error| {
        Call("read").failed(Errno::from_io_error(&error).unwrap_or(Errno::IO), || ITSELF.into())
    })?;
    memfd::sealed("naru-run", &bytes)
}
