//! Opening the file, and running transactions on it.

use crate::records::Record;
use crate::{Error, Tx, schema};
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The database. A clone is another handle to the same one.
#[derive(Clone, Debug)]
pub struct Store {
    connections: Arc<Connections>,
}

#[derive(Debug)]
struct Connections {
    writer: Mutex<Connection>,
    /// Reads run beside a commit that waits for the disk; a database in memory has one connection only.
    reader: Option<Mutex<Connection>>,
}

#[derive(Clone, Copy)]
enum Durability {
    Machine,
    Process,
}

impl Store {
    /// Opens the database file, creates it (mode 0600) if it is not there, and brings its tables up to date.
    ///
    /// # Errors
    /// A file that cannot be opened, is no database, or was written by a newer engine.
    pub fn open(path: &Path) -> Result<Self, Error> {
        OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)
            .map_err(|source| Error::Create { path: path.to_owned(), source })?;
        let mut writer = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        schema::migrate(&mut writer, path)?;
        let reader = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        reader.pragma_update(None, "query_only", true).map_err(Error::statement("opening the reader"))?;
        Ok(Self::of(writer, Some(reader)))
    }

    /// Opens an empty database in memory, for tests. It has one connection: a read inside of a write waits for ever.
    ///
    /// # Errors
    /// None in practice: SQLite's own.
    pub fn in_memory() -> Result<Self, Error> {
        let path = Path::new(":memory:");
        let mut writer = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        schema::migrate(&mut writer, path)?;
        Ok(Self::of(writer, None))
    }

    fn of(writer: Connection, reader: Option<Connection>) -> Self {
        Self {
            connections: Arc::new(Connections { writer: Mutex::new(writer), reader: reader.map(Mutex::new) }),
        }
    }

    /// Runs a transaction and makes it durable: one `fdatasync`. An error of `body` rolls everything back.
    ///
    /// # Errors
    /// Those of `body`, and those of the commit.
    pub fn write<T, E: From<Error>>(&self, body: impl FnOnce(&Tx<'_>) -> Result<T, E>) -> Result<T, E> {
        self.transact(Durability::Machine, body)
    }

    /// Runs a transaction that survives the end of this process, but reaches the disk only with the next durable one.
    ///
    /// After a power cut the database is consistent and may be without it: right for what a power cut ends anyway,
    /// such as "this container runs".
    ///
    /// # Errors
    /// Those of `body`, and those of the commit.
    pub fn write_relaxed<T, E: From<Error>>(
        &self,
        body: impl FnOnce(&Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        self.transact(Durability::Process, body)
    }

    /// Runs reads that all see the same state. Writes in `body` fail.
    ///
    /// # Errors
    /// Those of `body`.
    pub fn read<T, E: From<Error>>(&self, body: impl FnOnce(&Tx<'_>) -> Result<T, E>) -> Result<T, E> {
        let mut connection = lock(self.connections.reader.as_ref().unwrap_or(&self.connections.writer));
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Deferred)
            .map_err(Error::statement("beginning a read"))?;
        body(&Tx::of(&transaction))
    }

    fn transact<T, E: From<Error>>(
        &self,
        durability: Durability,
        body: impl FnOnce(&Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut connection = lock(&self.connections.writer);
        let sql = match durability {
            Durability::Machine => "PRAGMA synchronous = FULL",
            Durability::Process => "PRAGMA synchronous = NORMAL",
        };
        connection.execute_batch(sql).map_err(Error::statement("choosing the durability"))?;
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(Error::statement("beginning a transaction"))?;
        let value = body(&Tx::of(&transaction))?;
        transaction.commit().map_err(Error::statement("committing"))?;
        Ok(value)
    }

    /// Writes one record durably, in place of an older one of the same kind and key.
    ///
    /// # Errors
    /// Those of the database.
    pub fn put(&self, kind: &str, key: &str, version: u32, json: &str) -> Result<(), Error> {
        self.write(|tx| tx.put(kind, key, version, json))
    }

    /// Reads one record.
    ///
    /// # Errors
    /// Those of the database.
    pub fn get(&self, kind: &str, key: &str) -> Result<Option<Record>, Error> {
        self.read(|tx| tx.get(kind, key))
    }

    /// Deletes one record durably; returns whether it was there.
    ///
    /// # Errors
    /// Those of the database.
    pub fn delete(&self, kind: &str, key: &str) -> Result<bool, Error> {
        self.write(|tx| tx.delete(kind, key))
    }

    /// Reads all records of a kind, ordered by key.
    ///
    /// # Errors
    /// Those of the database.
    pub fn list(&self, kind: &str) -> Result<Vec<Record>, Error> {
        self.read(|tx| tx.list(kind))
    }
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, Error> {
    let open = || -> rusqlite::Result<Connection> {
        // A connection is used under its mutex only.
        let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(Duration::from_secs(10))?;
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "cache_size", -1024)?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(connection)
    };
    open().map_err(|source| Error::Open { path: path.to_owned(), source })
}

/// A panic in a transaction's body rolled it back when it unwound: the connection is as good as before.
fn lock(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use error::{Fault, Kind};
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    struct Dir(PathBuf);
    impl Dir {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("naru-test-store-{name}-{}", std::process::id()));
            let _ = std::fs::remove_dir_all(&path); // Left by an earlier run, if at all.
            std::fs::create_dir(&path).unwrap();
            Self(path)
        }
        fn file(&self) -> PathBuf {
            self.0.join("naru.db")
        }
    }
    impl Drop for Dir {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0); // Best effort.
        }
    }

    #[test]
    fn reopened_store_has_what_was_committed() {
        let dir = Dir::new("reopen");
        Store::open(&dir.file()).unwrap().put("container", "a", 1, "{}").unwrap();
        let store = Store::open(&dir.file()).unwrap();
        store.write_relaxed(|tx| tx.put("container", "b", 1, "{}")).unwrap();
        drop(store);
        let store = Store::open(&dir.file()).unwrap();
        let keys: Vec<String> = store.list("container").unwrap().into_iter().map(|r| r.key).collect();
        assert_eq!(keys, ["a", "b"]);
        assert_eq!(std::fs::metadata(dir.file()).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn failed_transaction_leaves_nothing() {
        let store = Store::in_memory().unwrap();
        let failed: Result<(), Error> = store.write(|tx| {
            tx.put("k", "1", 1, "{}")?;
            Err(Error::Malformed { column: "test", value: String::new() })
        });
        assert!(failed.is_err());
        assert_eq!(store.list("k").unwrap(), []);
    }

    #[test]
    fn panic_in_a_transaction_rolls_back_and_keeps_the_store_usable() {
        let store = Store::in_memory().unwrap();
        let clone = store.clone();
        let thread = std::thread::spawn(move || {
            let _: Result<(), Error> = clone.write(|tx| {
                tx.put("k", "1", 1, "{}")?;
                panic!("a defect");
            });
        });
        assert!(thread.join().is_err());
        store.put("k", "2", 1, "{}").unwrap();
        assert_eq!(store.list("k").unwrap().len(), 1);
    }

    #[test]
    fn newer_file_is_refused() {
        let dir = Dir::new("newer");
        drop(Store::open(&dir.file()).unwrap());
        let connection = Connection::open(dir.file()).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        drop(connection);
        let error = Store::open(&dir.file()).unwrap_err();
        assert_eq!(error.kind(), Kind::Conflict);
        assert!(error.to_string().ends_with("has version 99, this engine knows versions up to 1"), "{error}");
    }

    #[test]
    fn file_that_is_no_database_is_data_loss() {
        let dir = Dir::new("garbage");
        std::fs::write(dir.file(), [b'x'; 4096]).unwrap();
        assert_eq!(Store::open(&dir.file()).unwrap_err().kind(), Kind::DataLoss);
    }

    #[test]
    fn write_inside_a_read_fails() {
        let dir = Dir::new("readonly");
        let store = Store::open(&dir.file()).unwrap();
        assert!(store.read(|tx| tx.put("k", "1", 1, "{}")).is_err());
    }

    #[test]
    fn reader_sees_a_finished_commit_and_not_an_open_one() {
        let dir = Dir::new("isolation");
        let store = Store::open(&dir.file()).unwrap();
        let reader = store.clone();
        store
            .write(|tx| {
                tx.put("k", "1", 1, "{}")?;
                assert_eq!(reader.get("k", "1")?, None);
                Ok::<_, Error>(())
            })
            .unwrap();
        assert!(reader.get("k", "1").unwrap().is_some());
    }
}
