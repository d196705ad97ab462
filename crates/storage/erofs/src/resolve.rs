//! Paths of a tree: resolved as the kernel would below the root, and made where they are not there.

use crate::tree::{Id, Kind, ROOT, Refusal, Tree, of_parent, split};

/// The kernel's limits.
const MAX_LINKS: usize = 40;
const MAX_NAME_BYTES: usize = 255;
const MAX_PATH_BYTES: usize = 4095;

impl Tree {
    /// Finds a directory, following links.
    pub(crate) fn open(&self, path: &[u8]) -> Result<Id, Refusal> {
        if let Some((last, id)) = &self.last
            && **last == *path
        {
            return Ok(*id);
        }
        if path.len() > MAX_PATH_BYTES {
            return Err(Refusal::TooLong);
        }
        let mut above = vec![ROOT];
        let mut pending: Vec<&[u8]> = path.rsplit(|&byte| byte == b'/').collect();
        let mut links = 0;
        while let Some(name) = pending.pop() {
            match name {
                b"" | b"." => continue,
                b".." if above.len() == 1 => continue,
                b".." => {
                    above.pop();
                    continue;
                }
                _ => {}
            }
            if name.len() > MAX_NAME_BYTES {
                return Err(Refusal::TooLong);
            }
            let here = *above.last().expect("the root stays");
            let id = self.child(here, name).ok_or(Refusal::NotFound)?;
            match &self.node(id).kind {
                Kind::Directory => above.push(id),
                Kind::SymbolicLink(target) => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(Refusal::Loop);
                    }
                    if target.starts_with(b"/") {
                        above.truncate(1);
                    }
                    pending.extend(target.rsplit(|&byte| byte == b'/'));
                }
                Kind::Regular(_) | Kind::Character(..) | Kind::Block(..) | Kind::Fifo => {
                    return Err(Refusal::NotDirectory);
                }
            }
        }
        Ok(*above.last().expect("the root stays"))
    }

    /// Finds a directory, making it and those above it if need be.
    pub(crate) fn directory(&mut self, path: &[u8]) -> Result<Id, Refusal> {
        let id = match self.open(path) {
            Err(Refusal::NotFound) => self.make(path)?,
            result => result?,
        };
        if self.last.as_ref().is_none_or(|(last, _)| **last != *path) {
            self.last = Some((path.into(), id));
        }
        Ok(id)
    }

    fn make(&mut self, path: &[u8]) -> Result<Id, Refusal> {
        let mut above = ROOT;
        let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(index, _)| index);
        for end in slashes.chain([path.len()]) {
            let prefix = &path[..end];
            above = match self.open(prefix) {
                Err(Refusal::NotFound) => {
                    let (_, name) = split(prefix).expect("a prefix is never the root");
                    if self.child(above, name).is_some() {
                        // A link that leads nowhere.
                        return Err(Refusal::Exists);
                    }
                    let id = self.add(Kind::Directory, of_parent());
                    self.node_mut(above).children.insert(name.into(), id);
                    id
                }
                result => result?,
            };
        }
        Ok(above)
    }

    pub(crate) fn child(&self, directory: Id, name: &[u8]) -> Option<Id> {
        self.node(directory).children.get(name).copied()
    }

    /// Finds what lies at a path, not following a link there. Makes the directories above it.
    pub(crate) fn lookup(&mut self, path: &[u8]) -> Result<Option<Id>, Refusal> {
        let (parent, name) = split(path).ok_or(Refusal::Exists)?;
        if name.len() > MAX_NAME_BYTES {
            return Err(Refusal::TooLong);
        }
        let parent = self.directory(parent)?;
        Ok(self.child(parent, name))
    }

    /// Removes what lies at a path, with all below it.
    pub(crate) fn clear(&mut self, path: &[u8], there: Id) -> Result<(), Refusal> {
        let (parent, name) = split(path).ok_or(Refusal::Exists)?;
        let parent = self.directory(parent)?;
        self.node_mut(parent).children.remove(name);
        if matches!(self.node(there).kind, Kind::Directory | Kind::SymbolicLink(_)) {
            // The directory that was used last may have been reached through it.
            self.last = None;
        }
        Ok(())
    }

    /// Puts a node at a path, in place of what is there.
    pub(crate) fn place(&mut self, path: &[u8], id: Id) -> Result<(), Refusal> {
        if let Some(there) = self.lookup(path)? {
            self.clear(path, there)?;
        }
        let (parent, name) = split(path).ok_or(Refusal::Exists)?;
        let parent = self.directory(parent)?;
        self.node_mut(parent).children.insert(name.into(), id);
        Ok(())
    }
}
