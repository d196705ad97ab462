//! Hooks in the runtime's namespaces: run them, one after the other, with the state on their standard input.

use crate::Error;
use crate::error::While as _;
use crate::plan::hooks::{Planned, of_list};
use oci::runtime::{Hook, State};
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Duration;
use sys::process::{Signal, Spawned};

/// Runs hooks in the caller's namespaces: those of `poststart` and `poststop`, which are not part of a start.
///
/// Each gets exactly its own environment and arguments, no descriptor but its streams, and is killed when its time is
/// up. The first one that fails ends the list.
///
/// # Errors
/// InvalidArgument for a wrong hook; Internal if one cannot be executed, fails, or takes too long.
pub fn run_hooks(list: &[Hook], state: &State) -> Result<(), Error> {
    let planned = of_list("hooks", list)?;
    if planned.is_empty() {
        return Ok(());
    }
    let text = state_text(state);
    planned.iter().try_for_each(|hook| run("hook", hook, &text))
}

/// Returns the state as a hook gets it.
pub(crate) fn state_text(state: &State) -> Vec<u8> {
    serde_json::to_vec(state).expect("a state is made of texts and numbers")
}

/// Returns a file with the state, to be read from its beginning.
fn state_file(text: &[u8]) -> Result<OwnedFd, Error> {
    let file = sys::memfd::empty("state").to("make the state of hooks")?;
    sys::memfd::fill(&file, text).to("make the state of hooks")?;
    Ok(file)
}

/// Runs one hook to its end. `kind` is the list it stands in.
pub(crate) fn run(kind: &'static str, hook: &Planned, state: &[u8]) -> Result<(), Error> {
    let path = hook.path.to_string_lossy().into_owned();
    let failed = |reason: String| Error::Hook { kind, path: path.clone(), reason };
    let state = state_file(state)?;
    let child = sys::process::spawn_alone(&hook.path, &hook.args, &hook.env, state.as_fd())
        .map_err(|error| failed(sys::describe(error.errno)))?;
    if !ended_in_time(&child, hook.timeout_s)? {
        let _ = sys::process::send(&child.pidfd, Signal::KILL); // It may have ended just now.
        sys::process::wait(&child.pidfd).to("wait for a hook")?;
        return Err(failed(format!("took longer than {} s", hook.timeout_s.unwrap_or_default())));
    }
    let exit = sys::process::wait(&child.pidfd).to("wait for a hook")?;
    match (exit.code, exit.signal) {
        (0, _) => Ok(()),
        (_, Some(signal)) => Err(failed(format!("killed by signal {signal}"))),
        (code, None) => Err(failed(format!("exit status {code}"))),
    }
}

fn ended_in_time(child: &Spawned, timeout_s: Option<u32>) -> Result<bool, Error> {
    let Some(seconds) = timeout_s else { return Ok(true) };
    let limit = Duration::from_secs(u64::from(seconds));
    sys::process::ends_within(&child.pidfd, limit).to("wait for a hook")
}
