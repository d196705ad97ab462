//! Standard input, output and error, in the child.

use super::run::{Done, Place, number};
use super::shared::{Fault, Named as _, Reason};
use super::{Console, Terminal};
use crate::mount::Depth;
use crate::path::ensure_file;
use crate::raw;
use rustix::fs::{FileType, FsWord, Mode, OFlags, ResolveFlags, fchown, fstat, fstatfs, makedev, openat};
use rustix::io::Errno;
use rustix::process::Uid;
use std::os::fd::{AsFd as _, FromRawFd as _, OwnedFd};

/// The magic number of devpts.
const DEVPTS_SUPER_MAGIC: FsWord = 0x1cd1;

impl Place<'_> {
    pub(super) fn terminal(&mut self, terminal: &Terminal) -> Done {
        let no_terminals = |errno| Fault { reason: Reason::NoTerminals, call: "openat", errno };
        if self.terminals.is_none() {
            let flags = OFlags::PATH | OFlags::DIRECTORY;
            let found = raw::open_in_root(self.root()?, c"/dev/pts", flags, ResolveFlags::NO_SYMLINKS);
            self.terminals = Some(found.map_err(no_terminals)?);
        }
        let terminals = self.terminals.take().ok_or(Errno::NOENT).call("openat")?;
        if fstatfs(&terminals).call("fstatfs")?.f_type != DEVPTS_SUPER_MAGIC {
            return Err(no_terminals(Errno::NODEV));
        }
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let master = openat(&terminals, c"ptmx", flags, Mode::empty()).call("openat")?;
        let peer = open_peer(&master).call("ioctl")?;
        set_size(&master, terminal).call("ioctl")?;
        fchown(&peer, Some(Uid::from_raw(terminal.owner)), None).call("fchown")?;
        if terminal.console == Console::Bound {
            // Through the descriptor: the path /dev/pts/0 may be something else by now (CVE-2025-52565).
            let tree = raw::clone_tree(peer.as_fd(), Depth::Single).call("open_tree")?;
            let place =
                ensure_file(self.root()?, b"/dev/console", Mode::from_raw_mode(0o600)).call("openat")?;
            raw::move_mount(tree.as_fd(), place.as_fd()).call("move_mount")?;
        }
        rustix::process::setsid().call("setsid")?;
        // SAFETY: TIOCSCTTY takes a number.
        let returned = unsafe { libc::ioctl(number(&peer), libc::TIOCSCTTY, 0) };
        raw::check(returned.into()).call("ioctl")?;
        for target in 0..=2 {
            take_as(&peer, target)?;
        }
        self.master = Some(master);
        Ok(())
    }
}

/// Unlocks a master and opens its other end without going through a path (Linux 4.13).
fn open_peer(master: &OwnedFd) -> rustix::io::Result<OwnedFd> {
    let unlock: libc::c_int = 0;
    // SAFETY: TIOCSPTLCK reads an int from the live local.
    raw::check(unsafe { libc::ioctl(number(master), libc::TIOCSPTLCK, &raw const unlock) }.into())?;
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: TIOCGPTPEER takes flags as a number.
    let fd = raw::check(unsafe { libc::ioctl(number(master), libc::TIOCGPTPEER, flags) }.into())?;
    // SAFETY: the ioctl returned a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

fn set_size(master: &OwnedFd, terminal: &Terminal) -> rustix::io::Result<()> {
    if terminal.rows == 0 && terminal.columns == 0 {
        return Ok(());
    }
    let size = libc::winsize { ws_row: terminal.rows, ws_col: terminal.columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCSWINSZ reads a winsize from the live local.
    raw::check(unsafe { libc::ioctl(number(master), libc::TIOCSWINSZ, &raw const size) }.into()).map(drop)
}

pub(super) fn stdio(fds: &[OwnedFd; 3], owner: u32) -> Done {
    rustix::process::setsid().call("setsid")?;
    for (fd, target) in fds.iter().zip(0..) {
        give(fd, owner)?;
        take_as(fd, target)?;
    }
    Ok(())
}

/// Makes a descriptor the one with a number, without CLOEXEC.
fn take_as(fd: &OwnedFd, target: libc::c_int) -> Done {
    // SAFETY: dup2 of an open descriptor; what was at `target` (0 to 2) is the child's own copy of the parent's
    // standard streams, which nothing here owns.
    raw::check(unsafe { libc::dup2(number(fd), target) }.into()).call("dup2").map(drop)
}

/// Keeps a descriptor open across execve.
pub(super) fn keep(fd: &OwnedFd) -> Done {
    rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::empty()).call("fcntl")
}

/// Lets a stream belong to the container's user, so that it can open /dev/stdout again; /dev/null is everybody's.
fn give(fd: &OwnedFd, owner: u32) -> Done {
    let stat = fstat(fd).call("fstat")?;
    let device = FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice;
    if stat.st_uid == owner || (device && stat.st_rdev == makedev(1, 3)) {
        return Ok(());
    }
    match fchown(fd, Some(Uid::from_raw(owner)), None) {
        // As runc: a read-only file system, a socket, a user namespace.
        Ok(()) | Err(Errno::PERM | Errno::INVAL | Errno::ROFS) => Ok(()),
        Err(errno) => Err(errno).call("fchown"),
    }
}
