//! `mkdir -p` below a root, without allocation: also used between clone and exec.

use crate::raw;
use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::{Errno, Result};
use std::ffi::CStr;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

/// How many dangling symbolic links are followed.
const MAX_LINKS: u32 = 8;

const PATH_MAX: usize = libc::PATH_MAX as usize;

/// A path in a buffer, with a NUL at its end.
struct Buffer {
    bytes: [u8; PATH_MAX],
    length: usize,
}

impl Buffer {
    fn new(parts: &[&[u8]]) -> Result<Self> {
        let mut this = Self { bytes: [0; PATH_MAX], length: 0 };
        for part in parts {
            let end = this.length + part.len();
            let room = this.bytes.get_mut(this.length..end).ok_or(Errno::NAMETOOLONG)?;
            room.copy_from_slice(part);
            this.length = end;
        }
        if this.length >= PATH_MAX {
            return Err(Errno::NAMETOOLONG);
        }
        this.bytes[this.length] = 0;
        Ok(this)
    }

    fn as_c_str(&self) -> Result<&CStr> {
        let bytes = self.bytes.get(..=self.length).ok_or(Errno::NAMETOOLONG)?;
        CStr::from_bytes_with_nul(bytes).map_err(|_| Errno::INVAL) // A NUL inside.
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// What stands at the end of a path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leaf {
    Directory,
    File(Mode),
}

/// Returns a directory below the root as an O_PATH descriptor; makes it, and its parents, if it is missing.
pub(crate) fn ensure_dir(root: BorrowedFd<'_>, path: &[u8], mode: Mode) -> Result<OwnedFd> {
    ensure(root, path, mode, Leaf::Directory, MAX_LINKS)
}

/// Returns whatever is at a path below the root as an O_PATH descriptor; makes an empty file, and its parents, if it
/// is missing.
pub(crate) fn ensure_file(root: BorrowedFd<'_>, path: &[u8], mode: Mode) -> Result<OwnedFd> {
    ensure(root, path, Mode::from_raw_mode(0o755), Leaf::File(mode), MAX_LINKS)
}

fn ensure(root: BorrowedFd<'_>, path: &[u8], mode: Mode, leaf: Leaf, links: u32) -> Result<OwnedFd> {
    match open(root, path, leaf) {
        Err(Errno::NOENT) => {}
        result => return result,
    }
    if let Some(done) = in_parent(root, path, mode, leaf) {
        return done;
    }
    let mut parent = open(root, b"/", Leaf::Directory)?;
    let mut end = 0;
    while let Some((start, stop)) = next_component(path, end) {
        end = stop;
        let last = next_component(path, end).is_none();
        let wanted = if last { leaf } else { Leaf::Directory };
        let prefix = path.get(..stop).unwrap_or(path);
        parent = match open(root, prefix, wanted) {
            Ok(found) => found,
            Err(Errno::NOENT) => {
                let name = path.get(start..stop).unwrap_or_default();
                match make(parent.as_fd(), name, mode, wanted) {
                    Ok(()) => open(root, prefix, wanted)?,
                    Err(Errno::EXIST) => {
                        return follow(root, parent.as_fd(), path, (start, stop), mode, leaf, links);
                    }
                    Err(errno) => return Err(errno),
                }
            }
            Err(errno) => return Err(errno),
        };
    }
    Ok(parent)
}

/// Makes what is missing if only the last component is: by far the most frequent case. None if more is missing, or
/// something is in the way.
fn in_parent(root: BorrowedFd<'_>, path: &[u8], mode: Mode, leaf: Leaf) -> Option<Result<OwnedFd>> {
    let end = path.iter().rposition(|byte| *byte != b'/')? + 1;
    let start = path.get(..end)?.iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1);
    let parent = open(root, path.get(..start)?, Leaf::Directory).ok()?;
    match make(parent.as_fd(), path.get(start..end)?, mode, leaf) {
        Ok(()) => Some(open(root, path, leaf)),
        Err(Errno::EXIST) => None,
        Err(errno) => Some(Err(errno)),
    }
}

/// Goes on where a dangling symbolic link points to: below the root, as its programs see it.
fn follow(
    root: BorrowedFd<'_>,
    parent: BorrowedFd<'_>,
    path: &[u8],
    (start, stop): (usize, usize),
    mode: Mode,
    leaf: Leaf,
    links: u32,
) -> Result<OwnedFd> {
    let name = Buffer::new(&[path.get(start..stop).unwrap_or_default()])?;
    let mut room = [0u8; PATH_MAX];
    let target = match rustix::fs::readlinkat_raw(parent, name.as_c_str()?, &mut room[..]) {
        Ok(length) => room.get(..length).unwrap_or_default(),
        // Not a link: somebody else made it meanwhile.
        Err(Errno::INVAL) => return open(root, path, leaf),
        Err(errno) => return Err(errno),
    };
    let links = links.checked_sub(1).ok_or(Errno::LOOP)?;
    let rest = path.get(stop..).unwrap_or_default();
    let before = path.get(..start).unwrap_or_default();
    let next = if target.starts_with(b"/") {
        Buffer::new(&[target, rest])?
    } else {
        Buffer::new(&[before, target, rest])?
    };
    ensure(root, next.as_bytes(), mode, leaf, links)
}

fn open(root: BorrowedFd<'_>, path: &[u8], leaf: Leaf) -> Result<OwnedFd> {
    let flags = match leaf {
        Leaf::Directory => OFlags::PATH | OFlags::DIRECTORY,
        Leaf::File(_) => OFlags::PATH,
    };
    let path = if path.is_empty() { b"/" } else { path };
    raw::open_in_root(root, Buffer::new(&[path])?.as_c_str()?, flags, ResolveFlags::empty())
}

/// Makes one thing by its name alone: nothing to resolve, so nothing to be led astray by.
fn make(parent: BorrowedFd<'_>, name: &[u8], mode: Mode, leaf: Leaf) -> Result<()> {
    let buffer = Buffer::new(&[name])?;
    let name = buffer.as_c_str()?;
    match leaf {
        Leaf::Directory => rustix::fs::mkdirat(parent, name, mode),
        Leaf::File(mode) => {
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::WRONLY | OFlags::CLOEXEC;
            rustix::fs::openat(parent, name, flags, mode).map(drop)
        }
    }
}

/// Returns where the next component begins and ends.
fn next_component(path: &[u8], from: usize) -> Option<(usize, usize)> {
    let rest = path.get(from..)?;
    let start = from + rest.iter().position(|byte| *byte != b'/')?;
    let length = path.get(start..)?.iter().position(|byte| *byte == b'/');
    Some((start, length.map_or(path.len(), |length| start + length)))
}
