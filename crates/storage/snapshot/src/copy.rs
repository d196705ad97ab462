//! Copying a tree onto another, as overlayfs would merge them: whiteouts take away, opaque directories begin anew.
//!
//! Contents are copied with copy_file_range, which shares them where the file system can (btrfs, xfs). Descriptors go down name
//! by name and never through a link; the trees are ours and nobody else's while this runs.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use sys::Result;
use sys::fs::{Kind, Node, OFlags, Status};

const OPAQUE: &str = "trusted.overlay.opaque";

/// The unit in which holes are looked for.
const HOLE_BYTES: usize = 64 * 1024;

/// Copies all that is in `from` onto what is in `to`, and the attributes of `from` itself.
pub(crate) fn merge(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> Result<()> {
    let mut copying = Copying { from, to, linked: HashMap::new() };
    // Opened from the top each time: two descriptors, however wide and deep the tree.
    let mut pending = vec![PathBuf::from(".")];
    let mut done = Vec::new();
    while let Some(path) = pending.pop() {
        let (source, target) = copying.open(&path)?;
        for entry in sys::fs::read_directory(source.as_fd())? {
            if copying.entry((source.as_fd(), target.as_fd()), &path, &entry.name)? == Entry::Directory {
                pending.push(path.join(&entry.name));
            }
        }
        done.push(path);
    }
    // Directories get their times last, when nothing is made in them any more.
    for path in done.iter().rev() {
        let (source, target) = copying.open(path)?;
        let status = sys::fs::status(&source)?;
        attributes((source.as_fd(), Path::new("")), target.as_fd(), &status)?;
        sys::fs::set_times(&target, status.accessed, status.modified)?;
    }
    Ok(())
}

struct Copying<'a> {
    from: BorrowedFd<'a>,
    to: BorrowedFd<'a>,
    /// Files with several names: where the first one went.
    linked: HashMap<(u64, u64), PathBuf>,
}

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    Done,
    /// It is there on both sides; its entries follow.
    Directory,
}

impl Copying<'_> {
    fn open(&self, path: &Path) -> Result<(OwnedFd, OwnedFd)> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW;
        Ok((sys::fs::open_in_root(self.from, path, flags)?, sys::fs::open_in_root(self.to, path, flags)?))
    }

    fn entry(
        &mut self,
        (from, to): (BorrowedFd<'_>, BorrowedFd<'_>),
        directory: &Path,
        name: &Path,
    ) -> Result<Entry> {
        let Some(status) = sys::fs::status_at(from, name)? else { return Ok(Entry::Done) };
        let there = sys::fs::status_at(to, name)?;
        if status.kind == Kind::CharacterDevice && status.node == (0, 0) {
            sys::fs::remove_tree_at(to, name)?;
            return Ok(Entry::Done);
        }
        if status.kind == Kind::Directory {
            let source = sys::fs::open_subdirectory_at(from, name)?;
            let is_opaque = sys::fs::get_xattr(&source, OsStr::new(OPAQUE))?.as_deref() == Some(b"y");
            match there {
                Some(there) if there.kind == Kind::Directory && !is_opaque => {}
                there => {
                    if there.is_some() {
                        sys::fs::remove_tree_at(to, name)?;
                    }
                    sys::fs::make_directory_at(to, name, 0o700)?;
                }
            }
            return Ok(Entry::Directory);
        }
        if there.is_some() {
            sys::fs::remove_tree_at(to, name)?;
        }
        if status.links > 1 {
            let key = (status.device, status.inode);
            if let Some(first) = self.linked.get(&key) {
                sys::fs::link_at(self.to, first, to, name)?;
                return Ok(Entry::Done);
            }
            self.linked.insert(key, directory.join(name));
        }
        leaf((from, to), name, &status)?;
        Ok(Entry::Done)
    }
}

/// Makes one thing that is no directory.
fn leaf((from, to): (BorrowedFd<'_>, BorrowedFd<'_>), name: &Path, status: &Status) -> Result<()> {
    match status.kind {
        Kind::Regular => {
            let mut source = File::from(sys::fs::open_at(from, name, OFlags::RDONLY)?);
            let mut target = File::from(sys::fs::create_at(to, name, 0o600)?);
            contents(&mut source, &mut target, status)?;
            attributes((from, name), target.as_fd(), status)?;
            return sys::fs::set_times(&target, status.accessed, status.modified);
        }
        Kind::SymbolicLink => sys::fs::symlink_at(&sys::fs::read_link_at(from, name)?, to, name)?,
        Kind::CharacterDevice => {
            let node = Node::Character { major: status.node.0, minor: status.node.1 };
            sys::fs::make_node_at(to, name, node, 0o600)?;
        }
        Kind::BlockDevice => {
            let node = Node::Block { major: status.node.0, minor: status.node.1 };
            sys::fs::make_node_at(to, name, node, 0o600)?;
        }
        Kind::Fifo => sys::fs::make_node_at(to, name, Node::Fifo, 0o600)?,
        Kind::Socket | Kind::Unknown | Kind::Directory => return Ok(()),
    }
    sys::fs::change_owner_at(to, name, status.uid, status.gid)?;
    if status.kind != Kind::SymbolicLink {
        sys::fs::change_mode_at(to, name, status.mode)?;
    }
    for attribute in sys::fs::list_xattrs_at(from, name)? {
        if let Some(value) = sys::fs::get_xattr_at(from, name, &attribute)? {
            sys::fs::set_xattr_at(to, name, &attribute, &value)?;
        }
    }
    sys::fs::set_times_at(to, name, status.accessed, status.modified)
}

/// Copies what a file holds; of a file with holes the zeros are left out.
fn contents(source: &mut File, target: &mut File, status: &Status) -> Result<()> {
    let failed = |error: std::io::Error| {
        let errno = error.raw_os_error().map_or(sys::Errno::IO, sys::Errno::from_raw_os_error);
        sys::Call("copy_file_range").failed(errno, String::new)
    };
    if status.disk_bytes >= status.size_bytes {
        // The standard library uses copy_file_range.
        return std::io::copy(source, target).map(drop).map_err(failed);
    }
    let mut buffer = vec![0; HOLE_BYTES];
    let mut offset = 0;
    loop {
        let read = source.read(&mut buffer).map_err(failed)?;
        if read == 0 {
            return sys::fs::set_length(&*target, status.size_bytes);
        }
        if buffer[..read].iter().any(|byte| *byte != 0) {
            target.write_all_at(&buffer[..read], offset).map_err(failed)?;
        }
        offset += read as u64;
    }
}

/// Sets owner, mode and attributes; the order matters: chown clears setuid and capabilities.
fn attributes((from, name): (BorrowedFd<'_>, &Path), to: BorrowedFd<'_>, status: &Status) -> Result<()> {
    sys::fs::change_owner(to, status.uid, status.gid)?;
    sys::fs::change_mode(to, status.mode)?;
    for attribute in sys::fs::list_xattrs_at(from, name)? {
        if attribute == OPAQUE {
            continue;
        }
        if let Some(value) = sys::fs::get_xattr_at(from, name, &attribute)? {
            sys::fs::set_xattr(to, &attribute, &value)?;
        }
    }
    Ok(())
}
