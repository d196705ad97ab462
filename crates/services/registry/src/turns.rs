//! One at a time per key: two pulls of one blob do not fetch it twice.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

#[derive(Debug)]
pub(crate) struct Turns<K> {
    keys: Mutex<HashMap<K, Weak<Semaphore>>>,
}

impl<K> Default for Turns<K> {
    fn default() -> Self {
        Self { keys: Mutex::default() }
    }
}

/// The right to work on a key; given back on drop.
#[derive(Debug)]
pub(crate) struct Turn {
    _permit: OwnedSemaphorePermit,
    _semaphore: Arc<Semaphore>,
}

impl<K: Eq + Hash + Clone> Turns<K> {
    /// Waits until nobody else works on `key`.
    pub(crate) async fn take(&self, key: &K) -> Turn {
        let semaphore = self.semaphore(key);
        let permit = Arc::clone(&semaphore).acquire_owned().await.expect("the semaphore is never closed");
        Turn { _permit: permit, _semaphore: semaphore }
    }

    fn semaphore(&self, key: &K) -> Arc<Semaphore> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(semaphore) = keys.get(key).and_then(Weak::upgrade) {
            return semaphore;
        }
        keys.retain(|_, semaphore| semaphore.strong_count() > 0);
        let semaphore = Arc::new(Semaphore::new(1));
        keys.insert(key.clone(), Arc::downgrade(&semaphore));
        semaphore
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn turn_excludes_others_of_the_same_key_only() {
        let turns = Turns::default();
        let first = turns.take(&1).await;
        let _other = turns.take(&2).await;
        assert!(tokio::time::timeout(std::time::Duration::from_millis(20), turns.take(&1)).await.is_err());
        drop(first);
        let _second = turns.take(&1).await;
        assert_eq!(turns.keys.lock().unwrap().len(), 2);
    }
}
