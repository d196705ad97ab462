//! A transaction in progress: the handle through which all tables are reached.

use crate::Error;
use rusqlite::{CachedStatement, Connection};

/// A transaction in progress. Its methods stand in the modules of their tables.
pub struct Tx<'a> {
    connection: &'a Connection,
}

impl<'a> Tx<'a> {
    pub(crate) fn of(connection: &'a Connection) -> Self {
        Self { connection }
    }

    pub(crate) fn prepare(&self, sql: &'static str) -> rusqlite::Result<CachedStatement<'a>> {
        self.connection.prepare_cached(sql)
    }

    pub(crate) fn execute(
        &self,
        operation: &'static str,
        sql: &'static str,
        values: impl rusqlite::Params,
    ) -> Result<usize, Error> {
        self.prepare(sql)
            .and_then(|mut statement| statement.execute(values))
            .map_err(Error::statement(operation))
    }

    pub(crate) fn rows<T>(
        &self,
        operation: &'static str,
        sql: &'static str,
        values: impl rusqlite::Params,
        mut read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, Error> {
        let read_all = || -> rusqlite::Result<Vec<T>> {
            let mut statement = self.prepare(sql)?;
            statement.query_map(values, &mut read)?.collect()
        };
        read_all().map_err(Error::statement(operation))
    }

    pub(crate) fn row<T>(
        &self,
        operation: &'static str,
        sql: &'static str,
        values: impl rusqlite::Params,
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, Error> {
        Ok(self.rows(operation, sql, values, read)?.into_iter().next())
    }
}
