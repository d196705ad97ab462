//! Where the engine's other programs are.

use crate::error::Error;
use std::path::PathBuf;

/// Returns the path of `naru-run` or `naru-init`: beside this program, in /usr/libexec/naru, or in PATH.
///
/// # Errors
/// It is nowhere.
pub(crate) fn find(program: &'static str) -> Result<PathBuf, Error> {
    let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join(program)));
    let path = std::env::var_os("PATH").unwrap_or_default();
    beside
        .into_iter()
        .chain([PathBuf::from("/usr/libexec/naru").join(program)])
        .chain(std::env::split_paths(&path).map(|folder| folder.join(program)))
        .find(|candidate| candidate.is_file())
        .ok_or(Error::ProgramMissing { program })
}
