//! The tree of a layer while its archive streams by: as a directory on disk would become, but in memory.

use std::collections::BTreeMap;

/// A node's place in the arena.
pub(crate) type Id = u32;

pub(crate) const ROOT: Id = 0;

/// Why an entry cannot be put where it is to go: what the kernel would answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The target of a hard link is not there.
    #[error("there is nothing of that name")]
    NotFound,
    /// A part of the path is a file.
    #[error("a part of the path is not a directory")]
    NotDirectory,
    /// Symbolic links lead round and round.
    #[error("too many symbolic links")]
    Loop,
    /// A directory is to be made where a link leads nowhere.
    #[error("the name is taken")]
    Exists,
    /// Directories have one name only.
    #[error("a directory cannot have a second name")]
    Directory,
    /// A name has more than 255 bytes, or a path more than 4095.
    #[error("the name is too long")]
    TooLong,
}

/// What every node has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Permission bits, with setuid, setgid and sticky.
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// When the content changed: seconds since 1970-01-01 UTC.
    pub mtime_seconds: i64,
    /// 0 to 999 999 999.
    pub mtime_nanoseconds: u32,
    /// Extended attributes, all of which [`crate::is_representable`]; of the same name the last counts.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// A stretch of a sparse file that is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// Where in the file it belongs.
    pub offset: u64,
    /// Its length in bytes.
    pub length: u64,
}

/// Where the contents of a regular file are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The offset in the archive, a multiple of 512.
    pub offset: u64,
    /// The size of the file, holes included.
    pub size_bytes: u64,
    /// The stretches of a sparse file, in order, which follow one another in the archive; none if it has no holes.
    pub sparse: Option<Vec<Stretch>>,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A directory; entries are put into it by path.
    Directory,
    /// A regular file.
    Regular(Content),
    /// A symbolic link to this target.
    SymbolicLink(Vec<u8>),
    /// A character device: major and minor number. 0, 0 is overlayfs' whiteout.
    Character(u32, u32),
    /// A block device.
    Block(u32, u32),
    /// A named pipe.
    Fifo,
}

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) attributes: Attributes,
    pub(crate) kind: Kind,
    /// The entries of a directory.
    pub(crate) children: BTreeMap<Box<[u8]>, Id>,
}

/// A tree. Paths are relative to its root, cleaned of `.`, `..` and empty parts; the empty path is the root. Symbolic links in
/// the part before the last name are followed as if the root were `/`.
#[derive(Debug)]
pub struct Tree {
    pub(crate) nodes: Vec<Node>,
    /// The directory that was used last.
    pub(crate) last: Option<(Box<[u8]>, Id)>,
}

/// The mode of directories that the archive presupposes but does not have.
const PARENT_MODE: u32 = 0o755;

const OPAQUE: &[u8] = b"trusted.overlay.opaque";

impl Default for Tree {
    /// A root directory: 0755, root's.
    fn default() -> Self {
        let root = Node {
            attributes: Attributes { mode: PARENT_MODE, ..Attributes::default() },
            kind: Kind::Directory,
            children: BTreeMap::new(),
        };
        Self { nodes: vec![root], last: None }
    }
}

impl Tree {
    /// Puts a node at a path, in place of what is there; a directory where one is keeps its entries.
    ///
    /// # Errors
    /// What the kernel would refuse.
    pub fn put(&mut self, path: &[u8], kind: Kind, attributes: Attributes) -> Result<(), Refusal> {
        if kind == Kind::Directory {
            return self.directory_entry(path, attributes);
        }
        let id = self.add(kind, attributes);
        self.place(path, id)
    }

    /// Gives a node that is there another name, in place of what is there.
    ///
    /// # Errors
    /// A target that is not there, or a directory.
    pub fn link(&mut self, target: &[u8], path: &[u8]) -> Result<(), Refusal> {
        let (parent, name) = split(target).ok_or(Refusal::Directory)?;
        let parent_id = self.open(parent)?;
        let found = self.child(parent_id, name);
        let there = self.lookup(path)?;
        if found.is_some() && found == there {
            return Ok(());
        }
        if let Some(there) = there {
            self.clear(path, there)?;
            // What was in the way may have held the target.
            if self.open(parent)? != parent_id {
                return Err(Refusal::NotFound);
            }
        }
        let id = self.child(parent_id, name).ok_or(Refusal::NotFound)?;
        if self.node(id).kind == Kind::Directory {
            return Err(Refusal::Directory);
        }
        self.place(path, id)
    }

    /// Hides what lower layers have at a path: by a whiteout, or, where this layer has a directory, by making it opaque.
    ///
    /// # Errors
    /// What the kernel would refuse.
    pub fn whiteout(&mut self, path: &[u8]) -> Result<(), Refusal> {
        match self.lookup(path)? {
            Some(id) if self.node(id).kind == Kind::Directory => {
                self.set_xattr(id, OPAQUE, b"y");
                Ok(())
            }
            Some(_) => Ok(()),
            None => {
                let id = self.add(Kind::Character(0, 0), Attributes::default());
                self.place(path, id)
            }
        }
    }

    /// Hides all that lower layers have in a directory, which is made if need be.
    ///
    /// # Errors
    /// What the kernel would refuse.
    pub fn make_opaque(&mut self, path: &[u8]) -> Result<(), Refusal> {
        let id = self.directory(path)?;
        self.set_xattr(id, OPAQUE, b"y");
        Ok(())
    }

    fn directory_entry(&mut self, path: &[u8], attributes: Attributes) -> Result<(), Refusal> {
        let there = match split(path) {
            None => Some(ROOT),
            Some(_) => self.lookup(path)?,
        };
        let is_directory = |id: &Id| self.node(*id).kind == Kind::Directory;
        if let Some(id) = there.filter(is_directory) {
            let xattrs = attributes.xattrs.clone();
            let kept = std::mem::take(&mut self.node_mut(id).attributes.xattrs);
            self.node_mut(id).attributes = Attributes { xattrs: kept, ..attributes };
            for (name, value) in xattrs {
                self.set_xattr(id, &name, &value);
            }
            return Ok(());
        }
        // Removed below and made again: what was below must not shine through.
        let hides = there.is_some_and(|id| self.node(id).kind == Kind::Character(0, 0));
        let id = self.add(Kind::Directory, attributes);
        if hides {
            self.set_xattr(id, OPAQUE, b"y");
        }
        self.place(path, id)
    }

    pub(crate) fn node(&self, id: Id) -> &Node {
        &self.nodes[id as usize]
    }

    pub(crate) fn node_mut(&mut self, id: Id) -> &mut Node {
        &mut self.nodes[id as usize]
    }

    pub(crate) fn add(&mut self, kind: Kind, attributes: Attributes) -> Id {
        let id = Id::try_from(self.nodes.len()).expect("memory ends before 2³² nodes");
        let mut node = Node { attributes: Attributes::default(), kind, children: BTreeMap::new() };
        let xattrs = attributes.xattrs;
        node.attributes = Attributes { xattrs: Vec::new(), ..attributes };
        self.nodes.push(node);
        for (name, value) in xattrs {
            self.set_xattr(id, &name, &value);
        }
        id
    }

    fn set_xattr(&mut self, id: Id, name: &[u8], value: &[u8]) {
        let xattrs = &mut self.node_mut(id).attributes.xattrs;
        match xattrs.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value.to_vec(),
            None => xattrs.push((name.to_vec(), value.to_vec())),
        }
    }
}

/// The attributes of a directory that is made because something is put into it.
pub(crate) fn of_parent() -> Attributes {
    Attributes { mode: PARENT_MODE, ..Attributes::default() }
}

/// Splits the last name off; none for the root.
pub(crate) fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    match path.iter().rposition(|&byte| byte == b'/') {
        Some(slash) => Some((&path[..slash], &path[slash + 1..])),
        None if path.is_empty() => None,
        None => Some((&[], path)),
    }
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
