//! Shared memory of containers with `--ipc shareable`: a tmpfs of the host, so that others can join it.
//!
//! The only mount of ours in the host's mount table; all other containers have theirs inside.

use crate::Error;
use std::path::{Path, PathBuf};

/// Returns where a container's shared memory is mounted.
pub(crate) fn path(directory: &Path) -> PathBuf {
    directory.join("shm")
}

/// Mounts a tmpfs of a size.
///
/// # Errors
/// Internal, with the system call.
pub(crate) fn mount(path: &Path, size_bytes: i64) -> Result<(), Error> {
    match std::fs::create_dir(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(Error::file("create", path)(error));
        }
        _ => {}
    }
    unmount(path)?; // of a run that an engine did not see the end of
    let context = sys::mount::fsopen("tmpfs")?;
    sys::mount::fsconfig_string(&context, "source", "shm")?;
    sys::mount::fsconfig_string(&context, "mode", "1777")?;
    sys::mount::fsconfig_string(&context, "size", &size_bytes.to_string())?;
    sys::mount::fsconfig_create(&context)?;
    let attributes = sys::mount::NOSUID | sys::mount::NODEV | sys::mount::NOEXEC;
    let mounted = sys::mount::fsmount(&context, attributes)?;
    let target = sys::fs::open_directory(path)?;
    sys::mount::move_mount(&mounted, &target)?;
    Ok(())
}

/// Unmounts it; one that is not mounted is no error.
///
/// # Errors
/// Internal, with the system call.
pub(crate) fn unmount(path: &Path) -> Result<(), Error> {
    match sys::mount::unmount(path) {
        Err(error) if error.is(sys::Errno::INVAL) || error.is(sys::Errno::NOENT) => Ok(()),
        done => Ok(done?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_memory_is_mounted_again_and_unmounted() {
        let directory = std::env::temp_dir().join(format!("naru-test-shm-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let path = path(&directory);
        mount(&path, 1 << 20).unwrap();
        mount(&path, 1 << 20).unwrap();
        assert_eq!(sys::fs::file_system(&path).unwrap().name(), "tmpfs");
        std::fs::write(path.join("x"), "x").unwrap();
        unmount(&path).unwrap();
        unmount(&path).unwrap();
        assert!(!path.join("x").exists());
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
