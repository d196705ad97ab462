//! What an engine does first: it compares records, supervisors and disk, and makes them agree.
//!
//! ```text
//! record, supervisor      taken over: the machine is told what was found
//! record, exit record     the same
//! record, neither         it rests; if it should run, it was lost
//! record not understood   set aside, untouched
//! no record               whatever there is belongs to nobody: supervisor, cgroup, files, snapshot are removed
//! ```

use super::broken::{self, Broken};
use crate::Error;
use crate::actor::{self, Adopted, adopt};
use crate::context::Context;
use crate::machine::Found;
use crate::oci_spec;
use crate::record::{self, Record};
use network::Attached;
use refs::ContainerId;
use snapshot::Rootfs;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Reads all records and takes over what lives.
pub(super) async fn open(context: &Arc<Context>) -> Result<(), Error> {
    let records = read(context).await?;
    let mut known: BTreeSet<String> = records.iter().map(|(record, _)| record.id.clone()).collect();
    known.extend(context.broken().iter().map(|broken| broken.id.clone()));
    remove_orphans(context, &known).await?;

    let mut found = Vec::with_capacity(records.len());
    for (record, rootfs) in records {
        let id = ContainerId::parse(&record.id)?;
        let cgroup_path = oci_spec::cgroup_path(&record.host, &context.settings.cgroup_parent, &record.id);
        match adopt(context, &id, &cgroup_path).await {
            Ok(adopted) => found.push((record, rootfs, adopted)),
            Err(error) => {
                let (id, name) = (record.id, Some(record.name));
                broken::set_aside(context, Broken { id, name, reason: error::chain(&error) });
            }
        }
    }
    // Before anything starts: addresses of those that run must not be given to others.
    let mut live = live(&found);
    live.extend(broken::live(context));
    context.parts.network.reconcile(live).await?;
    if let Err(error) = context.parts.network.reconcile_ports(held(&found)).await {
        // The containers go on; what is wrong is said again when the next port is published.
        tracing::error!(error = %error::chain(&error), "published ports are not in the packet filter");
    }
    for (record, rootfs, adopted) in found {
        let id = ContainerId::parse(&record.id)?;
        context.index_mut().reserve(&record.name, &id)?;
        actor::spawn(context, record, rootfs, Some(adopted))?;
    }
    Ok(())
}

async fn read(context: &Arc<Context>) -> Result<Vec<(Record, Rootfs)>, Error> {
    let shared = Arc::clone(context);
    let read = move || -> Result<Vec<(Record, Rootfs)>, Error> {
        let mut records = Vec::new();
        for stored in shared.parts.store.list(record::KIND)? {
            let record = match understand(&stored) {
                Ok(record) => record,
                Err(error) => {
                    broken::set_aside(&shared, Broken::of(&stored, &error));
                    continue;
                }
            };
            match shared.parts.snapshots.rootfs(&record.id) {
                Ok(rootfs) => records.push((record, rootfs)),
                // A power cut can bring a record back whose files are gone: its removal had begun.
                Err(snapshot::Error::NotFound { .. }) => {
                    tracing::warn!(
                        container = record.id,
                        name = record.name,
                        "container without a root file system is removed"
                    );
                    record::delete(&shared.parts.store, &record.id, record.durability())?;
                }
                // The container stays; its start will say what is wrong.
                Err(error) => {
                    tracing::error!(container = record.id, error = %error::chain(&error), "root file system is damaged");
                    records.push((record, Rootfs::Directory { path: PathBuf::new(), below: PathBuf::new() }));
                }
            }
        }
        Ok(records)
    };
    context.parts.disk.run(read).await
}

/// Reads a record whose ids are ids.
fn understand(stored: &store::Record) -> Result<Record, Error> {
    let record = Record::read(stored)?;
    let id = ContainerId::parse(&record.id)?;
    if id.as_str() != stored.key {
        return Err(Error::Failed {
            message: format!("record of container {} says that it is {id}", stored.key),
        });
    }
    Ok(record)
}

/// Returns the running containers with networks.
fn live(found: &[(Record, Rootfs, Adopted)]) -> Vec<Attached> {
    let is_live = |(record, _, adopted): &(Record, Rootfs, Adopted)| {
        let Found::Running { pid, .. } = adopted.found else { return None };
        let id = ContainerId::parse(&record.id).ok()?;
        let pid = u32::try_from(pid).ok()?;
        record.host.network.network()?;
        Some(Attached { container: id, pid, joining: Some(record.joining()) })
    };
    found.iter().filter_map(is_live).collect()
}

/// Returns the ports that supervisors of running containers hold.
fn held(found: &[(Record, Rootfs, Adopted)]) -> Vec<(ContainerId, Vec<network::Published>)> {
    let ports = |(record, _, adopted): &(Record, Rootfs, Adopted)| {
        let id = ContainerId::parse(&record.id).ok()?;
        let ports: Vec<_> = adopted.ports.iter().map(crate::ports::from_shim).collect();
        (matches!(adopted.found, Found::Running { .. }) && !ports.is_empty()).then_some((id, ports))
    };
    found.iter().filter_map(ports).collect()
}

async fn remove_orphans(context: &Arc<Context>, known: &BTreeSet<String>) -> Result<(), Error> {
    for name in context.parts.launcher.run_directories()? {
        if known.contains(&name) {
            continue;
        }
        // Only what can be ours.
        if let Ok(id) = ContainerId::parse(&name) {
            tracing::warn!(container = name, "run directory without a container is removed");
            broken::end(context, &id).await?;
        }
    }
    let (shared, known) = (Arc::clone(context), known.clone());
    context.parts.disk.run(move || remove_orphaned_files(&shared, &known)).await
}

fn remove_orphaned_files(context: &Context, known: &BTreeSet<String>) -> Result<(), Error> {
    for id in context.parts.snapshots.list()? {
        if !known.contains(&id) && ContainerId::parse(&id).is_ok() {
            tracing::warn!(container = id, "snapshot without a container is removed");
            context.parts.snapshots.remove(&id)?;
        }
    }
    let root = context.settings.data_root.join("containers");
    let entries = match fs::read_dir(&root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::file("list", root)(error)),
    };
    for entry in entries {
        let entry = entry.map_err(Error::file("list", &root))?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if !known.contains(&name) && ContainerId::parse(&name).is_ok() {
            tracing::warn!(container = name, "files without a container are removed");
            crate::shm::unmount(&crate::shm::path(&entry.path()))?;
            fs::remove_dir_all(entry.path()).map_err(Error::file("remove", entry.path()))?;
        }
    }
    Ok(())
}
