//! Where removed directories wait for their end.
//!
//! Removing is a rename, which is quick and whole; the bytes are given back by a thread of its own. What a crash leaves
//! here is taken up at the next start.

use crate::Error;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// The directory `trash/` and the thread that empties it. Dropping waits for the file that is being removed, not for all.
#[derive(Debug)]
pub struct Trash {
    path: PathBuf,
    serial: AtomicU64,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    directory: OwnedFd,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Something is to be removed.
    dirty: bool,
    /// The thread is at work.
    busy: bool,
    closing: bool,
}

impl Trash {
    /// Opens the directory, making it if need be, and begins to remove what lies in it.
    ///
    /// # Errors
    /// A directory that cannot be made or opened.
    pub fn open(path: &Path) -> Result<Self, Error> {
        crate::layers::make_private_directory(path)?;
        let directory = sys::fs::open_directory(path).map_err(Error::disk("open", path))?;
        let state = State { dirty: true, ..State::default() };
        let shared = Arc::new(Shared { directory, state: Mutex::new(state), changed: Condvar::new() });
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("trash".into())
            .stack_size(256 * 1024)
            .spawn(move || of_thread.run())
            .map_err(|source| Error::Thread { source })?;
        Ok(Self { path: path.to_owned(), serial: AtomicU64::new(0), shared, thread: Some(thread) })
    }

    /// Moves a file or a directory into the trash; what is not there is no error.
    ///
    /// # Errors
    /// A rename that fails: another file system, most likely.
    pub fn take(&self, path: &Path) -> Result<(), Error> {
        let Some((parent, name)) = path.parent().zip(path.file_name()) else { return Ok(()) };
        let parent = match sys::fs::open_directory(parent) {
            Err(error) if error.is(sys::Errno::NOENT) => return Ok(()),
            result => result.map_err(Error::disk("open", parent))?,
        };
        loop {
            let serial = self.serial.fetch_add(1, Ordering::Relaxed);
            let new_name = PathBuf::from(format!("{}-{serial}", std::process::id()));
            let to = self.shared.directory.as_fd();
            match sys::fs::rename_noreplace_at(parent.as_fd(), Path::new(name), to, &new_name) {
                // Left by an earlier process of the same id.
                Err(error) if error.is(sys::Errno::EXIST) => {}
                Err(error) if error.is(sys::Errno::NOENT) => return Ok(()),
                result => {
                    result.map_err(Error::disk("move to the trash", path))?;
                    break;
                }
            }
        }
        self.shared.lock().dirty = true;
        self.shared.changed.notify_all();
        Ok(())
    }

    /// Waits until the thread has nothing left to do.
    pub fn wait_until_idle(&self) {
        let mut state = self.shared.lock();
        while state.dirty || state.busy {
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Returns the path of the directory.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Trash {
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // A panic there has been printed by its thread; the next start goes on.
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        loop {
            let mut state = self.lock();
            while !state.dirty && !state.closing {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            if state.closing {
                return;
            }
            (state.dirty, state.busy) = (false, true);
            drop(state);
            self.empty();
            self.lock().busy = false;
            self.changed.notify_all();
        }
    }

    /// Removes what is there; what resists stays for the next start.
    fn empty(&self) {
        let Ok(entries) = sys::fs::read_directory(self.directory.as_fd()) else { return };
        for entry in entries {
            if self.lock().closing {
                return;
            }
            let _ = sys::fs::remove_tree_at(self.directory.as_fd(), &entry.name); // See above.
        }
    }
}
