//! Leases: while one is held, nothing is collected.

use crate::{Collected, Error, Images};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Holds off collection. Dropped, it only ends; [`Lease::release`] also collects what was held off.
pub struct Lease {
    images: Images,
}

/// Either leases are held, or one collection runs.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    leases: usize,
    collecting: bool,
}

impl Lease {
    pub(crate) fn take(images: &Images) -> Self {
        let gate = &images.shared.gate;
        let mut state = gate.lock();
        while state.collecting {
            state = gate.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.leases += 1;
        drop(state);
        Self { images: images.clone() }
    }

    /// Ends the lease, and collects what no image needs if it was the last one.
    ///
    /// # Errors
    /// Those of the disk and of the database.
    pub fn release(self) -> Result<Collected, Error> {
        let images = self.images.clone();
        drop(self);
        images.collect()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.images.shared.gate.lock().leases -= 1;
    }
}

impl Gate {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the right to collect, unless leases are held; waits while another collects.
    pub(crate) fn close(&self) -> Option<Closed<'_>> {
        let mut state = self.lock();
        while state.collecting {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.leases > 0 {
            return None;
        }
        state.collecting = true;
        Some(Closed { gate: self })
    }
}

/// The right to collect.
pub(crate) struct Closed<'a> {
    gate: &'a Gate,
}

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        self.gate.lock().collecting = false;
        self.gate.changed.notify_all();
    }
}
