//! Namespaces: types, opening, joining.
//!
//! # Source
//! man 7 namespaces, man 2 setns, unshare, ioctl_nsfs (NS_GET_NSTYPE since Linux 4.11).

use crate::{Call, Errno, Result, raw};
use rustix::fs::{CWD, Mode, OFlags};
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::path::Path;

/// Some types of namespaces, as the flags of clone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Types(pub(crate) u32);

impl Types {
    /// Process ids.
    pub const PID: Self = Self(libc::CLONE_NEWPID as u32);
    /// Network devices, addresses, ports.
    pub const NETWORK: Self = Self(libc::CLONE_NEWNET as u32);
    /// Mount points.
    pub const MOUNT: Self = Self(libc::CLONE_NEWNS as u32);
    /// System V IPC, POSIX message queues.
    pub const IPC: Self = Self(libc::CLONE_NEWIPC as u32);
    /// Host and NIS domain name.
    pub const UTS: Self = Self(libc::CLONE_NEWUTS as u32);
    /// User and group ids.
    pub const USER: Self = Self(libc::CLONE_NEWUSER as u32);
    /// The cgroup root.
    pub const CGROUP: Self = Self(libc::CLONE_NEWCGROUP as u32);
    /// Boot and monotonic clocks.
    pub const TIME: Self = Self(0x80);

    /// Returns no type.
    pub const fn none() -> Self {
        Self(0)
    }

    /// Returns the types of both.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns the types that the other lacks.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Returns whether all types of the other are in this.
    pub const fn contains(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    /// Returns whether there is no type.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns the names as /proc/PID/ns has them.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        const NAMES: [(Types, &str); 8] = [
            (Types::CGROUP, "cgroup"),
            (Types::IPC, "ipc"),
            (Types::MOUNT, "mnt"),
            (Types::NETWORK, "net"),
            (Types::PID, "pid"),
            (Types::TIME, "time"),
            (Types::USER, "user"),
            (Types::UTS, "uts"),
        ];
        NAMES.iter().filter(move |(types, _)| self.contains(*types)).map(|(_, name)| *name)
    }
}

impl std::fmt::Display for Types {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut separator = "";
        for name in self.names() {
            write!(f, "{separator}{name}")?;
            separator = " ";
        }
        Ok(())
    }
}

/// Opens a namespace's file and makes sure that it is a namespace of this type.
///
/// # Errors
/// ENOENT, EACCES; EINVAL for a file that is no namespace, or one of another type.
pub fn open(path: &Path, types: Types) -> Result<OwnedFd> {
    let args = || format!("AT_FDCWD, {path:?}, O_RDONLY|O_CLOEXEC");
    // Not a fifo's or a terminal's business: O_NONBLOCK and O_NOCTTY.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let fd = Call("openat").result(rustix::fs::openat(CWD, path, flags, Mode::empty()), args)?;
    match type_of(&fd) {
        Ok(found) if found == types => Ok(fd),
        Ok(found) => Err(Call("ioctl")
            .failed(Errno::INVAL, || format!("{path:?}, NS_GET_NSTYPE /* is {found}, not {types} */"))),
        Err(error) if error.is(Errno::NOTTY) => {
            Err(Call("ioctl").failed(Errno::INVAL, || format!("{path:?}, NS_GET_NSTYPE")))
        }
        Err(error) => Err(error),
    }
}

/// Returns the type of a namespace.
///
/// # Errors
/// ENOTTY for a descriptor that is no namespace.
pub fn type_of(namespace: impl AsFd) -> Result<Types> {
    let fd = namespace.as_fd().as_raw_fd();
    // SAFETY: NS_GET_NSTYPE takes no argument and returns a number; on other files the ioctl's number is unknown.
    let returned = unsafe { libc::ioctl(fd, libc::NS_GET_NSTYPE) };
    Call("ioctl").check(returned, || format!("{fd}, NS_GET_NSTYPE")).map(|types| Types(types as u32))
}

/// Moves the calling thread into a namespace, or into those of a process (given its pidfd; Linux 5.8).
///
/// The thread's other threads stay where they are; a pid namespace only applies to children.
///
/// # Errors
/// EINVAL if the descriptor stands for something else, or the process shares its file system state (mount namespaces);
/// EPERM without CAP_SYS_ADMIN; ESRCH if the process ended.
pub fn join(fd: impl AsFd, types: Types) -> Result<()> {
    let fd = fd.as_fd();
    let done = raw::setns(fd, types.0 as i32);
    Call("setns").result(done, || format!("{}, {:#x}", fd.as_raw_fd(), types.0))
}

/// Moves the calling thread into new namespaces.
///
/// # Errors
/// EPERM without CAP_SYS_ADMIN; EINVAL for a user namespace in a process with several threads.
pub fn unshare(types: Types) -> Result<()> {
    Call("unshare").result(raw::unshare(types.0 as i32), || format!("{:#x}", types.0))
}

/// Opens the calling thread's own namespace of a type.
///
/// # Errors
/// ENOENT if the kernel lacks the type.
pub fn own(types: Types) -> Result<OwnedFd> {
    let name = types.names().next().unwrap_or("none");
    open(Path::new(&format!("/proc/thread-self/ns/{name}")), types)
}

/// Makes a user namespace with mappings of ids (lines as in /proc/PID/uid_map) that nobody lives in: for idmapped mounts.
///
/// # Errors
/// EPERM without CAP_SETUID, CAP_SETGID; EINVAL for mappings that overlap.
pub fn user_with(uid_map: &str, gid_map: &str) -> Result<OwnedFd> {
    let (pid, pidfd) = sleeper()?;
    let path = |name: &str| format!("/proc/{pid}/{name}");
    let write = |name: &str, text: &str| {
        let failed = |error: std::io::Error| {
            let errno = error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error);
            Call("write").failed(errno, || format!("{:?}, {text:?}", path(name)))
        };
        std::fs::write(path(name), text).map_err(failed)
    };
    let namespace = write("uid_map", uid_map)
        .and_then(|()| write("gid_map", gid_map))
        .and_then(|()| open(Path::new(&path("ns/user")), Types::USER));
    let _ = crate::process::send(&pidfd, crate::process::Signal::KILL); // It may have been killed just now.
    crate::process::wait(&pidfd)?;
    namespace
}

/// Makes a process in a new user namespace that does nothing until it is killed.
fn sleeper() -> Result<(i32, OwnedFd)> {
    let mut pidfd: std::os::fd::RawFd = -1;
    // SAFETY: clone_args is a struct of numbers: all-zero is valid.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = (libc::CLONE_PIDFD | libc::CLONE_NEWUSER) as u64;
    args.pidfd = &raw mut pidfd as u64;
    args.exit_signal = libc::SIGCHLD as u64;
    // SAFETY: without CLONE_VM and with stack 0 this is fork; `args` and `pidfd` are live locals. The new process makes
    // nothing but the two system calls below, which touch no memory.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<libc::clone_args>()) };
    if pid == 0 {
        loop {
            // SAFETY: prctl with numbers, and ppoll on nothing: it waits until a signal ends the process.
            unsafe {
                libc::syscall(libc::SYS_prctl, libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0);
                libc::syscall(libc::SYS_ppoll, 0, 0, 0, 0, 0);
            }
        }
    }
    let pid = Call("clone3").check(pid, || "{flags=CLONE_NEWUSER}".into())?;
    // SAFETY: clone3 succeeded with CLONE_PIDFD, so it wrote a new descriptor that nobody else owns.
    Ok((pid as i32, unsafe { std::os::fd::FromRawFd::from_raw_fd(pidfd) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_checks_the_type() {
        assert!(own(Types::NETWORK).is_ok());
        let wrong = open(Path::new("/proc/self/ns/uts"), Types::NETWORK);
        assert_eq!(wrong.map_err(|e| e.errno).err(), Some(Errno::INVAL));
        let no_namespace = open(Path::new("/etc/passwd"), Types::NETWORK);
        assert_eq!(no_namespace.map_err(|e| e.errno).err(), Some(Errno::INVAL));
    }

    #[test]
    fn unshare_affects_only_the_calling_thread() {
        let outside = std::fs::read_link("/proc/thread-self/ns/uts").expect("readable");
        let inside = std::thread::spawn(|| {
            unshare(Types::UTS).expect("the tests run as root");
            std::fs::read_link("/proc/thread-self/ns/uts").expect("readable")
        });
        assert_ne!(inside.join().expect("no panic"), outside);
        assert_eq!(std::fs::read_link("/proc/thread-self/ns/uts").expect("readable"), outside);
    }
}
