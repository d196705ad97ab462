//! Applying an archive to a directory.

use crate::path::{LayerPath, Target};
use crate::place::{Places, is_whiteout};
use crate::tar::{Archive, Entry, Time, TypeFlag};
use crate::{Error, Malformed};
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;
use sys::Errno;
use sys::fs::{Kind, Moment, Node, OFlags};

/// What came out of an archive.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The bytes of all regular files, holes included.
    pub size_bytes: u64,
    /// The entries of the archive.
    pub entries: u64,
    /// Attributes that the file system or the kernel does not take.
    pub ignored: Vec<IgnoredXattr>,
}

/// An extended attribute that could not be set.
#[derive(Debug, PartialEq, Eq)]
pub struct IgnoredXattr {
    /// The entry's name.
    pub entry: String,
    /// The attribute.
    pub attribute: String,
}

/// How many ignored attributes are reported; the rest is alike.
const MAX_IGNORED: usize = 16;

/// The longest target of a symbolic link.
pub(crate) const MAX_LINK_BYTES: usize = 4095;

impl Applied {
    pub(crate) fn ignore(&mut self, entry: &[u8], attribute: &[u8]) {
        if self.ignored.len() < MAX_IGNORED {
            self.ignored.push(IgnoredXattr { entry: printable(entry), attribute: printable(attribute) });
        }
    }
}

/// Applies an archive to the directory `root`, which should be empty, as overlayfs wants a lower directory.
///
/// Nothing outside `root` is touched, whatever the archive says. Needs root: owners, devices and `trusted` attributes
/// are set.
///
/// # Errors
/// An archive that is malformed or over a limit, a stream that fails, a disk that is full.
///
/// # Source
/// OCI image-spec v1.1 `layer.md`; `linux Documentation/filesystems/overlayfs.rst`, "whiteouts and opaque directories".
pub fn apply(archive: &mut Archive<'_>, root: BorrowedFd<'_>) -> Result<Applied, Error> {
    let mut unpacking =
        Unpacking { places: Places::new(root), applied: Applied::default(), directories: Vec::new() };
    while let Some(entry) = archive.next_entry()? {
        unpacking.applied.entries += 1;
        unpacking.entry(archive, &entry)?;
    }
    unpacking.date_directories()?;
    Ok(unpacking.applied)
}

struct Unpacking<'a> {
    places: Places<'a>,
    applied: Applied,
    /// Directories get their times last, because what is made in them changes these.
    directories: Vec<(LayerPath, Moment, Moment)>,
}

impl Unpacking<'_> {
    fn entry(&mut self, archive: &mut Archive<'_>, entry: &Entry) -> Result<(), Error> {
        let malformed = |source| Error::MalformedEntry { name: printable(&entry.name), source };
        let failed = |source| Error::Entry { name: printable(&entry.name), source };
        let path = match Target::of(&entry.name).map_err(malformed)? {
            Target::Plain(path) => path,
            Target::Whiteout(path) => return self.whiteout(path).map_err(failed),
            Target::Opaque(path) => return self.places.mark_opaque(path).map_err(failed),
            Target::Bookkeeping => return Ok(()),
        };
        if path.is_root() && entry.kind != TypeFlag::Directory {
            return Err(malformed(Malformed::Root));
        }
        let owner = Owner::of(entry).map_err(malformed)?;
        match entry.kind {
            TypeFlag::Regular => self.regular(archive, entry, &path, owner),
            TypeFlag::Directory => self.directory(entry, path, owner).map_err(failed),
            TypeFlag::HardLink => {
                let target = LayerPath::clean(&entry.link).map_err(|_| malformed(Malformed::Link))?;
                if target.is_root() || target == path {
                    return Err(malformed(Malformed::Link));
                }
                self.hard_link(&target, &path).map_err(failed)
            }
            TypeFlag::SymbolicLink => {
                let valid =
                    !entry.link.is_empty() && !entry.link.contains(&0) && entry.link.len() <= MAX_LINK_BYTES;
                if !valid {
                    return Err(malformed(Malformed::Link));
                }
                let target = Path::new(OsStr::from_bytes(&entry.link));
                let put =
                    self.places.put(&path, |directory, name| sys::fs::symlink_at(target, directory, name));
                put.and_then(|()| self.finish_name(entry, &path, owner)).map_err(failed)
            }
            TypeFlag::CharDevice => self.node(entry, &path, owner, character(entry)).map_err(failed),
            TypeFlag::BlockDevice => self.node(entry, &path, owner, block(entry)).map_err(failed),
            TypeFlag::Fifo => self.node(entry, &path, owner, Node::Fifo).map_err(failed),
        }
    }

    fn regular(
        &mut self,
        archive: &mut Archive<'_>,
        entry: &Entry,
        path: &LayerPath,
        owner: Owner,
    ) -> Result<(), Error> {
        let failed = |source| Error::Entry { name: printable(&entry.name), source };
        let file = self
            .places
            .put(path, |directory, name| sys::fs::create_at(directory, name, 0o600))
            .map_err(failed)?;
        let file = std::fs::File::from(file);
        let mut written_to = 0;
        while let Some(chunk) = archive.next_chunk()? {
            file.write_all_at(chunk.bytes, chunk.offset).map_err(|error| failed(of_write(&error)))?;
            written_to = chunk.offset + chunk.bytes.len() as u64;
        }
        if entry.size_bytes > written_to {
            sys::fs::set_length(&file, entry.size_bytes).map_err(failed)?;
        }
        self.applied.size_bytes = self.applied.size_bytes.saturating_add(entry.size_bytes);
        self.finish_open(entry, &OwnedFd::from(file), owner).map_err(failed)
    }

    fn directory(&mut self, entry: &Entry, path: LayerPath, owner: Owner) -> sys::Result<()> {
        let mut hides = false;
        if !path.is_root() {
            match self.places.status(&path)? {
                Some(status) if status.kind == Kind::Directory => {}
                status => {
                    // Removed below and made again: what was below must not shine through.
                    hides = status.as_ref().is_some_and(is_whiteout);
                    self.places
                        .put(&path, |directory, name| sys::fs::make_directory_at(directory, name, 0o700))?;
                }
            }
        }
        let directory = match path.split() {
            Some((parent, name)) => sys::fs::open_subdirectory_at(self.places.directory(parent)?, name)?,
            None => {
                sys::fs::open_in_root(self.places.root(), path.as_path(), OFlags::RDONLY | OFlags::DIRECTORY)?
            }
        };
        let (accessed, modified) = times(entry);
        self.finish_open(entry, &directory, owner)?;
        if hides {
            self.places.mark_opaque(path.clone())?;
        }
        self.directories.push((path, accessed, modified));
        Ok(())
    }

    fn hard_link(&mut self, target: &LayerPath, path: &LayerPath) -> sys::Result<()> {
        let (target_parent, target_name) = target.split().expect("the caller has excluded the root");
        let from = self.places.open(&target_parent)?;
        if let (Some(old), Some(new)) =
            (sys::fs::status_at(from.as_fd(), target_name)?, self.places.status(path)?)
            && (old.device, old.inode) == (new.device, new.inode)
        {
            return Ok(());
        }
        self.places.put(path, |directory, name| sys::fs::link_at(from.as_fd(), target_name, directory, name))
    }

    fn node(&mut self, entry: &Entry, path: &LayerPath, owner: Owner, node: Node) -> sys::Result<()> {
        self.places.put(path, |directory, name| sys::fs::make_node_at(directory, name, node, 0o600))?;
        self.finish_name(entry, path, owner)
    }

    fn whiteout(&mut self, path: LayerPath) -> sys::Result<()> {
        match self.places.status(&path)? {
            // The layer has the thing itself too: a whiteout is about lower layers only.
            Some(status) if status.kind == Kind::Directory => self.places.mark_opaque(path),
            Some(_) => Ok(()),
            None => {
                let whiteout = Node::Character { major: 0, minor: 0 };
                self.places.put(&path, |directory, name| sys::fs::make_node_at(directory, name, whiteout, 0))
            }
        }
    }

    /// Sets what is known of an open file or directory. The order matters: chown clears setuid and capabilities.
    fn finish_open(&mut self, entry: &Entry, file: &OwnedFd, owner: Owner) -> sys::Result<()> {
        sys::fs::change_owner(file, owner.uid, owner.gid)?;
        sys::fs::change_mode(file, entry.mode)?;
        self.set_xattrs(entry, |name, value| sys::fs::set_xattr(file, name, value))?;
        let (accessed, modified) = times(entry);
        sys::fs::set_times(file, accessed, modified)
    }

    /// Sets what is known of a thing that cannot be opened: a link, a device, a pipe.
    fn finish_name(&mut self, entry: &Entry, path: &LayerPath, owner: Owner) -> sys::Result<()> {
        let (parent, name) = path.split().expect("the caller has excluded the root");
        let directory = self.places.directory(parent)?;
        sys::fs::change_owner_at(directory, name, owner.uid, owner.gid)?;
        if entry.kind != TypeFlag::SymbolicLink {
            sys::fs::change_mode_at(directory, name, entry.mode)?;
        }
        let (accessed, modified) = times(entry);
        sys::fs::set_times_at(directory, name, accessed, modified)?;
        if entry.xattrs.is_empty() {
            return Ok(());
        }
        let directory = directory.try_clone_to_owned().map_err(|error| of_write(&error))?;
        self.set_xattrs(entry, |attribute, value| {
            sys::fs::set_xattr_at(directory.as_fd(), name, attribute, value)
        })
    }

    fn set_xattrs(
        &mut self,
        entry: &Entry,
        set: impl Fn(&OsStr, &[u8]) -> sys::Result<()>,
    ) -> sys::Result<()> {
        for (attribute, value) in &entry.xattrs {
            if is_overlays_own(attribute) {
                self.applied.ignore(&entry.name, attribute);
                continue;
            }
            match set(OsStr::from_bytes(attribute), value) {
                // No attributes here, or not of this kind, or (user.*) not on this kind of file.
                Err(error) if error.is(Errno::OPNOTSUPP) || error.is(Errno::PERM) => {
                    self.applied.ignore(&entry.name, attribute);
                }
                result => result?,
            }
        }
        Ok(())
    }

    fn date_directories(&mut self) -> Result<(), Error> {
        for (path, accessed, modified) in std::mem::take(&mut self.directories).into_iter().rev() {
            let failed =
                |source| Error::Entry { name: printable(path.as_path().as_os_str().as_bytes()), source };
            let (directory, name) = match path.split() {
                Some((parent, name)) => (self.places.open(&parent), name),
                None => (self.places.open(&path), Path::new(".")),
            };
            let directory = match directory {
                Ok(directory) => directory,
                // A later entry has put something else in its place.
                Err(error) if error.is(Errno::NOENT) || error.is(Errno::NOTDIR) => continue,
                Err(error) => return Err(failed(error)),
            };
            let status = sys::fs::status_at(directory.as_fd(), name).map_err(failed)?;
            if status.is_some_and(|status| status.kind == Kind::Directory) {
                sys::fs::set_times_at(directory.as_fd(), name, accessed, modified).map_err(failed)?;
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Owner {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl Owner {
    /// 2³² − 1 would mean "do not change" to chown.
    pub(crate) fn of(entry: &Entry) -> Result<Self, Malformed> {
        let id = |id| u32::try_from(id).ok().filter(|id| *id != u32::MAX).ok_or(Malformed::Owner);
        Ok(Self { uid: id(entry.uid)?, gid: id(entry.gid)? })
    }
}

/// overlayfs would believe these: a redirect shows a directory of another layer, metacopy another file's data.
pub(crate) fn is_overlays_own(attribute: &[u8]) -> bool {
    attribute.starts_with(b"trusted.overlay.") || attribute.starts_with(b"user.overlay.")
}

fn character(entry: &Entry) -> Node {
    Node::Character { major: entry.device.0, minor: entry.device.1 }
}

fn block(entry: &Entry) -> Node {
    Node::Block { major: entry.device.0, minor: entry.device.1 }
}

fn times(entry: &Entry) -> (Moment, Moment) {
    let moment = |time: Time| Moment { seconds: time.seconds, nanoseconds: time.nanoseconds };
    (moment(entry.atime.unwrap_or(entry.mtime)), moment(entry.mtime))
}

fn of_write(error: &std::io::Error) -> sys::Error {
    let errno = error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error);
    sys::Call("pwrite64").failed(errno, String::new)
}

/// Returns a name as text for an error, shortened if it is absurdly long.
pub(crate) fn printable(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    match text.char_indices().nth(256) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}
