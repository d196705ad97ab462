//! `tmpcopyup`: a tmpfs that begins with what the image has at its place.

use super::Caller;
use crate::Error;
use crate::error::While as _;
use crate::rootfs::Opened;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::Path;
use sys::child::{NewMount, Op};
use sys::fs::{Kind, Node, OFlags, Status};

/// How deep directories are copied.
const MAX_DEPTH: u32 = 64;

/// Makes the tmpfs, fills it, and returns what attaches it.
pub(super) fn mount(new: NewMount, root: &Opened, caller: Caller) -> Result<Op, Error> {
    if caller == Caller::Plain {
        return Err(Error::not_supported("mounts", "the right to fill a tmpfs (tmpcopyup)"));
    }
    let what = format!("make the tmpfs at {}", new.target.path.to_string_lossy());
    let context = sys::mount::fsopen("tmpfs").to(&what)?;
    for parameter in &new.parameters {
        let key = parameter.key.to_string_lossy();
        match &parameter.value {
            Some(value) => sys::mount::fsconfig_string(&context, &key, &value.to_string_lossy()),
            None => sys::mount::fsconfig_flag(&context, &key),
        }
        .to(&what)?;
    }
    sys::mount::fsconfig_create(&context).to(&what)?;
    let tree = sys::mount::fsmount(&context, new.attributes).to(&what)?;
    let place = Path::new(std::ffi::OsStr::new(new.target.path.to_str().unwrap_or_default()));
    let root = root.look().to("open the root file system")?;
    match root.directory(place) {
        Ok(from) => {
            let status = sys::fs::status(&from).to(&what)?;
            let to = sys::fs::open_subdirectory_at(tree.as_fd(), Path::new(".")).to(&what)?;
            copy_directory(from.as_fd(), to.as_fd(), MAX_DEPTH)?;
            own(to.as_fd(), Path::new("."), &status)?;
        }
        // Nothing is there, or no directory: the mount itself says so.
        Err(error) if error.is(sys::Errno::NOENT) || error.is(sys::Errno::NOTDIR) => {}
        Err(source) => return Err(Error::Sys { what, source }),
    }
    Ok(Op::Attach { tree, target: new.target })
}

fn copy_directory(from: BorrowedFd<'_>, to: BorrowedFd<'_>, depth: u32) -> Result<(), Error> {
    let what = "copy the image's files into a tmpfs";
    let Some(depth) = depth.checked_sub(1) else {
        return Err(Error::invalid("mounts", format!("tmpcopyup: deeper than {MAX_DEPTH} directories")));
    };
    for entry in sys::fs::read_directory(from).to(what)? {
        let name = Path::new(&entry.name);
        let Some(status) = sys::fs::status_at(from, name).to(what)? else { continue };
        copy_entry(from, to, name, &status, depth)?;
    }
    Ok(())
}

fn copy_entry(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    name: &Path,
    status: &Status,
    depth: u32,
) -> Result<(), Error> {
    let what = format!("copy {} into a tmpfs", name.display());
    let mode = status.mode & 0o7777;
    match status.kind {
        Kind::Directory => {
            sys::fs::make_directory_at(to, name, 0o700).to(&what)?;
            let (from, below) = (
                sys::fs::open_subdirectory_at(from, name).to(&what)?,
                sys::fs::open_subdirectory_at(to, name).to(&what)?,
            );
            copy_directory(from.as_fd(), below.as_fd(), depth)?;
        }
        Kind::SymbolicLink => {
            let target = sys::fs::read_link_at(from, name).to(&what)?;
            sys::fs::symlink_at(&target, to, name).to(&what)?;
            return sys::fs::change_owner_at(to, name, status.uid, status.gid).to(&what);
        }
        Kind::Regular => {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK;
            let mut source = File::from(sys::fs::open_at(from, name, flags).to(&what)?);
            let mut copy = File::from(sys::fs::create_at(to, name, 0o600).to(&what)?);
            io::copy(&mut source, &mut copy)
                .map_err(|error| Error::invalid("mounts", format!("cannot {what}: {error}")))?;
        }
        Kind::CharacterDevice => {
            sys::fs::make_node_at(
                to,
                name,
                Node::Character { major: status.node.0, minor: status.node.1 },
                mode,
            )
            .to(&what)?;
        }
        Kind::BlockDevice => {
            sys::fs::make_node_at(to, name, Node::Block { major: status.node.0, minor: status.node.1 }, mode)
                .to(&what)?;
        }
        Kind::Fifo => sys::fs::make_node_at(to, name, Node::Fifo, mode).to(&what)?,
        Kind::Socket | Kind::Unknown => return Ok(()), // Nobody listens at a copy.
    }
    own(to, name, status)
}

/// Gives a copy the owner and the permissions of the original.
fn own(directory: BorrowedFd<'_>, name: &Path, status: &Status) -> Result<(), Error> {
    let what = format!("copy the owner of {} into a tmpfs", name.display());
    sys::fs::change_owner_at(directory, name, status.uid, status.gid).to(&what)?;
    sys::fs::change_mode_at(directory, name, status.mode & 0o7777).to(&what)
}
