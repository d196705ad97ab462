//! `/version`, `/info`, `/events`, and objects that are only inspected.

use bytes::Bytes;
use wire::event::EventMessage;
use wire::other::Pruned;
use wire::system::{CheckReport, DiskUsage};

use crate::request::{Query, Request, segment};
use crate::{Client, Error, JsonLines};

/// What a check does besides looking.
#[derive(Debug, Clone, Copy, Default)]
pub struct CheckSystem {
    /// Mend or remove what is damaged.
    pub repair: bool,
    /// Find images that the database has lost.
    pub rebuild: bool,
}

impl Client {
    /// Returns the engine's version as the engine wrote it.
    ///
    /// # Errors
    /// As every request.
    pub async fn version_raw(&self) -> Result<Bytes, Error> {
        self.bytes(Request::get("/version")).await
    }

    /// Returns the engine's description as the engine wrote it.
    ///
    /// # Errors
    /// As every request.
    pub async fn info_raw(&self) -> Result<Bytes, Error> {
        self.bytes(Request::get("/info")).await
    }

    /// Returns what takes the disk.
    ///
    /// # Errors
    /// As every request.
    pub async fn disk_usage(&self) -> Result<DiskUsage, Error> {
        self.json(Request::get("/system/df")).await
    }

    /// Compares database and disk. With `repair` what is damaged is mended or removed; with `rebuild` images that the
    /// database has lost are found again. An extension of ours.
    ///
    /// # Errors
    /// As every request.
    pub async fn check(&self, what: CheckSystem) -> Result<CheckReport, Error> {
        let query = Query::default().with_flag("repair", what.repair).with_flag("rebuild", what.rebuild);
        self.json(Request::post("/system/check").query(query)).await
    }

    /// Returns events as they come; times as the API takes them, `filters` as JSON.
    ///
    /// # Errors
    /// Invalid argument for a filter that does not exist.
    pub async fn events(
        &self,
        since: &str,
        until: &str,
        filters: &str,
    ) -> Result<JsonLines<EventMessage>, Error> {
        let query = Query::default()
            .with_some("filters", Some(filters))
            .with_some("since", Some(since))
            .with_some("until", Some(until));
        self.lines(Request::get("/events").query(query)).await
    }

    /// Returns a network's description as the engine wrote it.
    ///
    /// # Errors
    /// Not found.
    pub async fn network_raw(&self, name: &str) -> Result<Bytes, Error> {
        self.bytes(Request::get(format!("/networks/{}", segment(name)))).await
    }

    /// Removes what is not used; `filters` as JSON.
    ///
    /// # Errors
    /// Invalid argument for a filter that does not exist; unimplemented if the engine cannot do it.
    pub async fn prune(&self, what: Prune, filters: &str) -> Result<Pruned, Error> {
        let path = match what {
            Prune::Containers => "/containers/prune",
            Prune::Networks => "/networks/prune",
            Prune::Volumes => "/volumes/prune",
            Prune::Images => "/images/prune",
        };
        self.json(Request::post(path).query(Query::default().with_some("filters", Some(filters)))).await
    }
}

/// What can be pruned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prune {
    /// Containers that do not run.
    Containers,
    /// Networks without containers.
    Networks,
    /// Volumes without containers.
    Volumes,
    /// Images without containers.
    Images,
}
