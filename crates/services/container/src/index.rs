//! Who is who: containers by id, name and id prefix; execs by id.

use crate::Error;
use crate::shared::Shared;
use refs::{ContainerId, ExecId};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// All containers of the engine.
#[derive(Debug, Default)]
pub(crate) struct Index {
    containers: BTreeMap<ContainerId, Arc<Shared>>,
    names: HashMap<String, ContainerId>,
    execs: BTreeMap<ExecId, ContainerId>,
}

impl Index {
    /// Takes a name for a container that is being created or renamed.
    ///
    /// # Errors
    /// AlreadyExists if it belongs to another.
    pub(crate) fn reserve(&mut self, name: &str, id: &ContainerId) -> Result<(), Error> {
        match self.names.get(name) {
            Some(owner) if owner != id => Err(Error::NameTaken { name: name.to_owned(), id: owner.clone() }),
            _ => {
                self.names.insert(name.to_owned(), id.clone());
                Ok(())
            }
        }
    }

    /// Gives a name back.
    pub(crate) fn release(&mut self, name: &str, id: &ContainerId) {
        if self.names.get(name) == Some(id) {
            self.names.remove(name);
        }
    }

    /// Adds a container whose name is reserved.
    pub(crate) fn insert(&mut self, shared: Arc<Shared>) {
        self.containers.insert(shared.id.clone(), shared);
    }

    /// Removes a container with its names and execs.
    pub(crate) fn remove(&mut self, id: &ContainerId) {
        self.containers.remove(id);
        self.names.retain(|_, owner| owner != id);
        self.execs.retain(|_, owner| owner != id);
    }

    /// Finds a container by full id, name with or without slash, or unique id prefix.
    ///
    /// # Errors
    /// NotFound, or InvalidArgument for a prefix of several.
    pub(crate) fn find(&self, name: &str) -> Result<Arc<Shared>, Error> {
        let unknown = || Error::NoSuchContainer { name: name.to_owned() };
        let by_id = ContainerId::parse(name).ok().and_then(|id| self.containers.get(&id));
        let by_name =
            || self.names.get(name.strip_prefix('/').unwrap_or(name)).and_then(|id| self.containers.get(id));
        if let Some(shared) = by_id.or_else(by_name) {
            return Ok(Arc::clone(shared));
        }
        match by_prefix(&self.containers, name, ContainerId::as_str) {
            Found::One(shared) => Ok(Arc::clone(shared)),
            Found::None => Err(unknown()),
            Found::Several => Err(Error::Ambiguous { prefix: name.to_owned() }),
        }
    }

    /// Adds an exec.
    pub(crate) fn insert_exec(&mut self, exec: ExecId, container: ContainerId) {
        self.execs.insert(exec, container);
    }

    /// Forgets an exec.
    pub(crate) fn remove_exec(&mut self, exec: &ExecId) {
        self.execs.remove(exec);
    }

    /// Finds an exec's id and container.
    ///
    /// # Errors
    /// NotFound.
    pub(crate) fn find_exec(&self, name: &str) -> Result<(ExecId, Arc<Shared>), Error> {
        let unknown = || Error::NoSuchExec { id: name.to_owned() };
        let id = ExecId::parse(name).map_err(|_| unknown())?;
        let container = self.execs.get(&id).and_then(|container| self.containers.get(container));
        container.map(|shared| (id, Arc::clone(shared))).ok_or_else(unknown)
    }

    /// Returns all containers.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Shared>> {
        self.containers.values()
    }
}

enum Found<'a, T> {
    None,
    One(&'a T),
    Several,
}

fn by_prefix<'a, K: Ord, T>(
    map: &'a BTreeMap<K, T>,
    prefix: &str,
    text: impl Fn(&K) -> &str,
) -> Found<'a, T> {
    let is_hex = !prefix.is_empty() && prefix.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if !is_hex {
        return Found::None;
    }
    let mut matches = map.iter().filter(|(key, _)| text(key).starts_with(prefix)).map(|(_, value)| value);
    match (matches.next(), matches.next()) {
        (None, _) => Found::None,
        (Some(one), None) => Found::One(one),
        (Some(_), Some(_)) => Found::Several,
    }
}
