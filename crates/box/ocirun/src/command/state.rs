//! `state`: where a container stands.

use super::{Call, Command};
use crate::Error;
use crate::flags::Order;
use crate::global::Global;
use crate::store::{Seen, Status};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

pub(super) const STATE: Command = Command {
    name: "state",
    arguments: "ID",
    help: "print a container's state as JSON",
    flags: &[],
    order: Order::Anywhere,
    failure_code: 1,
    run: state,
};

/// The specification's state, with what runc adds.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct State<'a> {
    oci_version: &'a str,
    id: &'a str,
    pid: i32,
    status: &'static str,
    bundle: &'a Path,
    rootfs: &'a Path,
    created: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a BTreeMap<String, String>,
    owner: String,
}

impl<'a> State<'a> {
    /// Returns the state of a container.
    pub(super) fn of(seen: &'a Seen) -> Self {
        let (status, record) = (seen.status(), &seen.record);
        Self {
            oci_version: &record.oci_version,
            id: &record.id,
            pid: if matches!(status, Status::Stopped | Status::Creating) { 0 } else { record.pid },
            status: status.name(),
            bundle: &record.bundle,
            rootfs: &record.rootfs,
            created: &record.created,
            annotations: &record.annotations,
            // runc looks for a name; the number says the same and needs no database of users.
            owner: match seen.owner() {
                0 => "root".into(),
                uid => uid.to_string(),
            },
        }
    }

    /// Returns the row of a table: id, process, status, bundle, created, owner.
    pub(super) fn row(&self) -> [String; 6] {
        let bundle = self.bundle.display().to_string();
        [
            self.id.into(),
            self.pid.to_string(),
            self.status.into(),
            bundle,
            self.created.into(),
            self.owner.clone(),
        ]
    }
}

fn state(global: &Global, call: Call) -> Result<u8, Error> {
    let seen = global.store.look(call.id()?)?;
    super::print_json(&State::of(&seen), super::Form::Indented);
    Ok(0)
}
