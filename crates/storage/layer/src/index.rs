//! From an archive to a tree in memory, as [`crate::apply`] would make it on disk.

use crate::apply::{Applied, MAX_LINK_BYTES, Owner, is_overlays_own, printable};
use crate::path::{LayerPath, Target};
use crate::tar::{Archive, Entry, TypeFlag};
use crate::{Error, Malformed};
use erofs::{Attributes, Content, Kind, Refusal, Stretch, Tree};
use std::os::unix::ffi::OsStrExt;
use sys::Errno;

/// How much memory a tree may take. A layer of 28 000 files takes some 6 MB.
const MAX_MEMORY_BYTES: usize = 256 << 20;

/// What a node takes besides its names and attributes, about.
const NODE_BYTES: usize = 200;

/// What came out of an archive.
pub(crate) struct Indexed {
    /// The tree; none if it would be too large for memory, and the archive was not read to its end.
    pub(crate) tree: Option<Tree>,
    pub(crate) applied: Applied,
}

/// Reads an archive; the contents of files are passed over.
pub(crate) fn index(archive: &mut Archive<'_>) -> Result<Indexed, Error> {
    let mut indexing = Indexing { tree: Tree::default(), applied: Applied::default(), memory_bytes: 0 };
    while let Some(entry) = archive.next_entry()? {
        indexing.applied.entries += 1;
        indexing.entry(archive, &entry)?;
        if indexing.memory_bytes > MAX_MEMORY_BYTES {
            return Ok(Indexed { tree: None, applied: indexing.applied });
        }
    }
    Ok(Indexed { tree: Some(indexing.tree), applied: indexing.applied })
}

struct Indexing {
    tree: Tree,
    applied: Applied,
    memory_bytes: usize,
}

impl Indexing {
    fn entry(&mut self, archive: &Archive<'_>, entry: &Entry) -> Result<(), Error> {
        self.memory_bytes += weight(archive, entry);
        let malformed = |source| Error::MalformedEntry { name: printable(&entry.name), source };
        let path = match Target::of(&entry.name).map_err(malformed)? {
            Target::Plain(path) => path,
            Target::Whiteout(path) => return refused(entry, self.tree.whiteout(bytes(&path))),
            Target::Opaque(path) => return refused(entry, self.tree.make_opaque(bytes(&path))),
            Target::Bookkeeping => return Ok(()),
        };
        if path.is_root() && entry.kind != TypeFlag::Directory {
            return Err(malformed(Malformed::Root));
        }
        let owner = Owner::of(entry).map_err(malformed)?;
        let kind = match entry.kind {
            TypeFlag::Regular => Kind::Regular(self.content(archive, entry)),
            TypeFlag::Directory => Kind::Directory,
            TypeFlag::HardLink => {
                let target = LayerPath::clean(&entry.link).map_err(|_| malformed(Malformed::Link))?;
                if target.is_root() || target == path {
                    return Err(malformed(Malformed::Link));
                }
                return refused(entry, self.tree.link(bytes(&target), bytes(&path)));
            }
            TypeFlag::SymbolicLink => {
                let valid =
                    !entry.link.is_empty() && !entry.link.contains(&0) && entry.link.len() <= MAX_LINK_BYTES;
                if !valid {
                    return Err(malformed(Malformed::Link));
                }
                Kind::SymbolicLink(entry.link.clone())
            }
            TypeFlag::CharDevice => Kind::Character(entry.device.0, entry.device.1),
            TypeFlag::BlockDevice => Kind::Block(entry.device.0, entry.device.1),
            TypeFlag::Fifo => Kind::Fifo,
        };
        let attributes = Attributes {
            mode: entry.mode,
            uid: owner.uid,
            gid: owner.gid,
            mtime_seconds: entry.mtime.seconds,
            mtime_nanoseconds: entry.mtime.nanoseconds,
            xattrs: self.xattrs(entry),
        };
        refused(entry, self.tree.put(bytes(&path), kind, attributes))
    }

    fn content(&mut self, archive: &Archive<'_>, entry: &Entry) -> Content {
        self.applied.size_bytes = self.applied.size_bytes.saturating_add(entry.size_bytes);
        let sparse = archive
            .stretches()
            .map(|stretches| stretches.map(|(offset, length)| Stretch { offset, length }).collect());
        Content { offset: archive.data_offset(), size_bytes: entry.size_bytes, sparse }
    }

    /// Returns the attributes that the kernel would take too.
    fn xattrs(&mut self, entry: &Entry) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut taken = Vec::new();
        for (name, value) in &entry.xattrs {
            let is_for_files = name.starts_with(b"user.");
            let suits = !is_for_files || matches!(entry.kind, TypeFlag::Regular | TypeFlag::Directory);
            if suits && !is_overlays_own(name) && erofs::is_representable(name, value) {
                taken.push((name.clone(), value.clone()));
            } else {
                self.applied.ignore(&entry.name, name);
            }
        }
        taken
    }
}

/// Returns what an entry takes in memory at most, about: each part of its path can become a directory.
fn weight(archive: &Archive<'_>, entry: &Entry) -> usize {
    let parts = 1 + entry.name.iter().filter(|byte| **byte == b'/').count();
    let xattrs: usize = entry.xattrs.iter().map(|(name, value)| name.len() + value.len()).sum();
    let stretches = archive.stretches().map_or(0, Iterator::count);
    NODE_BYTES + parts * 8 + entry.name.len() + entry.link.len() + xattrs + 16 * stretches
}

fn bytes(path: &LayerPath) -> &[u8] {
    if path.is_root() { b"" } else { path.as_path().as_os_str().as_bytes() }
}

/// Says of a refusal what the kernel would have said.
fn refused(entry: &Entry, result: Result<(), Refusal>) -> Result<(), Error> {
    result.map_err(|refusal| {
        let errno = match refusal {
            Refusal::NotFound => Errno::NOENT,
            Refusal::NotDirectory => Errno::NOTDIR,
            Refusal::Loop => Errno::LOOP,
            Refusal::Exists => Errno::EXIST,
            Refusal::Directory => Errno::PERM,
            Refusal::TooLong => Errno::NAMETOOLONG,
        };
        let source = sys::Call("index").failed(errno, || refusal.to_string());
        Error::Entry { name: printable(&entry.name), source }
    })
}
