//! Hooks that run in the caller's namespaces after a step is done: poststart and poststop.

use crate::bundle;
use crate::global::Global;
use crate::store::{CONFIG, Place, Record};
use oci::runtime::{Hooks, State, Status};

/// Returns whether a configuration has hooks that come after a step.
pub(crate) fn are_there(hooks: Option<&Hooks>) -> bool {
    hooks.is_some_and(|hooks| !hooks.poststart.is_empty() || !hooks.poststop.is_empty())
}

/// Runs the poststart hooks.
///
/// # Errors
/// Internal if one fails: the container has to be stopped then.
///
/// # Source
/// OCI runtime-spec v1.3 runtime.md#lifecycle
pub(crate) fn after_start(place: &Place, record: &Record) -> Result<(), crate::Error> {
    let Some(hooks) = of(place, record)? else { return Ok(()) };
    Ok(runtime::run_hooks(&hooks.poststart, &state(record, Status::Running))?)
}

/// Runs the poststop hooks of a container that is gone. One that fails is only told of.
pub(crate) fn after_stop(global: &Global, record: &Record, hooks: &Hooks) {
    for hook in &hooks.poststop {
        if let Err(error) = runtime::run_hooks(std::slice::from_ref(hook), &state(record, Status::Stopped)) {
            global.log.warn(&format!("poststop hook: {}", ::error::chain(&error)));
        }
    }
}

/// Returns the hooks of a container's configuration; none if it has none of these.
///
/// # Errors
/// Those of the configuration's file.
pub(crate) fn of(place: &Place, record: &Record) -> Result<Option<Hooks>, crate::Error> {
    if !record.has_hooks {
        return Ok(None);
    }
    Ok(bundle::saved(&place.path(CONFIG))?.hooks)
}

fn state(record: &Record, status: Status) -> State {
    State {
        oci_version: record.oci_version.clone(),
        id: record.id.clone(),
        status,
        pid: (status == Status::Running).then_some(record.pid),
        bundle: record.bundle.clone(),
        annotations: record.annotations.clone(),
    }
}
