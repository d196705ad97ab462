//! One engine per exec root: a lock that the kernel gives back when the engine dies, and the pid beside it.

use crate::error::Error;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::Path;

/// The lock, held as long as this value lives.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// Takes the lock of `exec_root` and writes our pid to `pidfile`.
///
/// # Errors
/// Another engine holds it, or the files cannot be written.
pub(crate) fn take(exec_root: &Path, pidfile: &Path) -> Result<Lock, Error> {
    let path = exec_root.join("narud.lock");
    let failed = |what, path: &Path| {
        let path = path.to_owned();
        move |source| Error::File { what, path, source }
    };
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(failed("open the lock", &path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let pid = std::fs::read_to_string(pidfile).unwrap_or_else(|_| "unknown".into()).trim().to_owned();
            return Err(Error::AlreadyRunning { pid, path });
        }
        Err(TryLockError::Error(source)) => return Err(Error::File { what: "lock", path, source }),
    }
    let mut temporary = pidfile.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = Path::new(&temporary);
    File::create(temporary)
        .and_then(|mut file| write!(file, "{}", std::process::id()))
        .and_then(|()| std::fs::rename(temporary, pidfile))
        .map_err(failed("write the pid file", pidfile))?;
    Ok(Lock { _file: file })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_lock_names_the_holder_until_the_first_is_dropped() {
        let folder = std::env::temp_dir().join(format!("naru-lock-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("writable");
        let pidfile = folder.join("narud.pid");
        let first = take(&folder, &pidfile).expect("free");
        let error = take(&folder, &pidfile).expect_err("held");
        assert!(error.to_string().contains(&format!("pid {}", std::process::id())), "{error}");
        drop(first);
        take(&folder, &pidfile).expect("free again");
        std::fs::remove_dir_all(&folder).expect("ours");
    }
}
