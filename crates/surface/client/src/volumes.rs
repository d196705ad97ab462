//! Volumes.

use bytes::Bytes;
use wire::volume::{Volume, VolumeCreate, VolumeList};

use crate::request::{Query, Request, segment};
use crate::{Client, Error};

impl Client {
    /// Makes a volume, or returns the one of this name.
    ///
    /// # Errors
    /// Invalid argument for a bad name or options; not found for an unknown driver.
    pub async fn create_volume(&self, body: &VolumeCreate) -> Result<Volume, Error> {
        let request = Request::post("/volumes/create");
        let what = request.what();
        self.json(request.json(body).map_err(|source| Error::Answer { what, source })?).await
    }

    /// Lists volumes; `filters` as JSON.
    ///
    /// # Errors
    /// Invalid argument for a filter that does not exist.
    pub async fn volumes(&self, filters: &str) -> Result<VolumeList, Error> {
        let query = Query::default().with_some("filters", Some(filters));
        self.json(Request::get("/volumes").query(query)).await
    }

    /// Returns a volume's description as the engine wrote it.
    ///
    /// # Errors
    /// Not found.
    pub async fn volume_raw(&self, name: &str) -> Result<Bytes, Error> {
        self.bytes(Request::get(format!("/volumes/{}", segment(name)))).await
    }

    /// Returns a volume with what it takes.
    ///
    /// # Errors
    /// Not found.
    pub async fn volume_usage(&self, name: &str) -> Result<Volume, Error> {
        self.json(Request::get(format!("/volumes/{}/usage", segment(name)))).await
    }

    /// Removes a volume.
    ///
    /// # Errors
    /// Not found; conflict if a container has it.
    pub async fn remove_volume(&self, name: &str, force: bool) -> Result<(), Error> {
        let query = Query::default().with_flag("force", force);
        self.done(Request::delete(format!("/volumes/{}", segment(name))).query(query)).await
    }

    /// Gives a volume another name.
    ///
    /// # Errors
    /// Not found; conflict if a container has it or the name is taken.
    pub async fn rename_volume(&self, name: &str, new_name: &str) -> Result<(), Error> {
        let query = Query::default().with("name", new_name);
        self.done(Request::post(format!("/volumes/{}/rename", segment(name))).query(query)).await
    }
}
