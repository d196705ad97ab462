//! The file in which a caller finds a process id.

use crate::{Error, store};
use std::path::Path;

/// Writes a process id, as runc: digits without an end of line, and never half of them.
///
/// # Errors
/// Those of the file system.
pub(crate) fn write(path: &Path, pid: i32) -> Result<(), Error> {
    store::replace(path, pid.to_string().as_bytes(), 0o666)
}
