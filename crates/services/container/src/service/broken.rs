//! Containers that this engine cannot understand: set aside, so that the others go on.
//!
//! A record may be malformed or of a newer engine, or a supervisor may speak a newer protocol. Nothing of such a container is
//! touched: a newer engine may know it. It is not listed; `rm -f` with its full id or name removes it.

use crate::context::Context;
use crate::record::{self, Durability};
use crate::{Error, actor, oci_spec};
use cgroup::Cgroup;
use launch::Remains;
use network::Attached;
use refs::ContainerId;
use std::fs;
use std::io;
use std::sync::Arc;

/// A container that was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) id: String,
    /// Its name, if the record says that much.
    pub(crate) name: Option<String>,
    pub(crate) reason: String,
}

impl Broken {
    /// Returns what is known of a record that cannot be read.
    pub(super) fn of(stored: &store::Record, error: &Error) -> Self {
        let json: serde_json::Value = serde_json::from_str(&stored.json).unwrap_or_default();
        let name = json.get("name").and_then(serde_json::Value::as_str).map(str::to_owned);
        Self { id: stored.key.clone(), name, reason: error::chain(error) }
    }

    fn is(&self, name: &str) -> bool {
        let name = name.strip_prefix('/').unwrap_or(name);
        self.id == name || self.name.as_deref() == Some(name)
    }
}

/// Sets a container aside and says so.
pub(super) fn set_aside(context: &Context, broken: Broken) {
    tracing::error!(
        container = broken.id,
        name = broken.name.as_deref().unwrap_or_default(),
        reason = broken.reason,
        "container is set aside: this engine does not understand it; `rm -f` with its full id removes it"
    );
    context.broken().push(broken);
}

/// Returns the container of this full id or name that was set aside.
pub(super) fn find(context: &Context, name: &str) -> Option<Broken> {
    context.broken().iter().find(|broken| broken.is(name)).cloned()
}

/// Removes what there is of a container that was set aside: record, supervisor, cgroup, files.
pub(super) async fn remove(context: &Arc<Context>, broken: &Broken) -> Result<(), Error> {
    let id = ContainerId::parse(&broken.id).ok();
    if let Some(id) = &id {
        end(context, id).await?;
    }
    let (shared, key) = (Arc::clone(context), broken.id.clone());
    let clear = move || -> Result<(), Error> {
        record::delete(&shared.parts.store, &key, Durability::Durable)?;
        let Some(id) = id else { return Ok(()) };
        shared.parts.snapshots.remove(id.as_str())?;
        let directory = shared.directory(&id);
        crate::shm::unmount(&crate::shm::path(&directory))?;
        match fs::remove_dir_all(&directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::file("remove", directory)(error))
            }
            _ => Ok(()),
        }
    };
    context.parts.disk.run(clear).await?;
    context.broken().retain(|other| other.id != broken.id);
    Ok(())
}

/// Returns those that seem to run, with a process of each: their networks must not be taken for orphans.
pub(super) fn live(context: &Context) -> Vec<Attached> {
    let broken = context.broken();
    let process = |broken: &Broken| {
        let id = ContainerId::parse(&broken.id).ok()?;
        let path = oci_spec::default_cgroup_path(&context.settings.cgroup_parent, id.as_str());
        let group = Cgroup::open(&context.parts.cgroups, &path).ok()?;
        let pid = group.pids().ok()?.first().copied()?;
        Some(Attached { container: id, pid, joining: None })
    };
    broken.iter().filter_map(process).collect()
}

/// Ends a container of which only the id is known.
pub(super) async fn end(context: &Context, id: &ContainerId) -> Result<(), Error> {
    // One that speaks a newer protocol is not asked: its cgroup is killed, and it ends by itself.
    if let Ok(Remains::Connected(shim, _, _)) = context.parts.launcher.adopt(id).await {
        actor::end(&shim).await?;
    }
    let path = oci_spec::default_cgroup_path(&context.settings.cgroup_parent, id.as_str());
    let group = Cgroup::open(&context.parts.cgroups, &path)?;
    let sweep = move || if group.exists() { group.kill().and_then(|()| group.remove()) } else { Ok(()) };
    context.parts.disk.run(sweep).await?;
    Ok(context.parts.launcher.remove_run_directory(id)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_record_is_known_by_its_key_and_the_name_in_it() {
        let stored =
            store::Record { key: "a".repeat(64), version: 9, json: r#"{"name":"web","x":1}"#.into() };
        let broken = Broken::of(&stored, &Error::RecordVersion { id: "a".into(), version: 9 });
        assert!(broken.is("web") && broken.is("/web") && broken.is(&"a".repeat(64)));
        assert!(!broken.is("aaaa") && !broken.is(""));
        let cut = store::Record { key: "b".repeat(64), version: 1, json: r#"{"name":"w"#.into() };
        assert_eq!(Broken::of(&cut, &Error::RecordVersion { id: "b".into(), version: 9 }).name, None);
    }
}
