//! `/networks`.

use serde::Serialize;
use wire::network::{Network, NetworkConnect, NetworkCreate, NetworkCreated, NetworkDisconnect};

use crate::request::{Query, Request, segment};
use crate::{Client, Error};

impl Client {
    /// Lists networks; `filters` as JSON.
    ///
    /// # Errors
    /// As every request.
    pub async fn networks(&self, filters: &str) -> Result<Vec<Network>, Error> {
        let query = Query::default().with_some("filters", Some(filters));
        self.json(Request::get("/networks").query(query)).await
    }

    /// Makes a network.
    ///
    /// # Errors
    /// Invalid settings; a name or subnet that is taken.
    pub async fn create_network(&self, body: &NetworkCreate) -> Result<NetworkCreated, Error> {
        self.json(with(Request::post("/networks/create"), body)?).await
    }

    /// Removes a network.
    ///
    /// # Errors
    /// Not found; forbidden if containers run in it.
    pub async fn remove_network(&self, name: &str) -> Result<(), Error> {
        self.done(Request::delete(format!("/networks/{}", segment(name)))).await
    }

    /// Connects a container to a network.
    ///
    /// # Errors
    /// Not found; forbidden if it is in the network already.
    pub async fn connect_network(&self, name: &str, body: &NetworkConnect) -> Result<(), Error> {
        self.done(with(Request::post(format!("/networks/{}/connect", segment(name))), body)?).await
    }

    /// Disconnects a container from a network.
    ///
    /// # Errors
    /// Not found; internal if it is not in the network.
    pub async fn disconnect_network(&self, name: &str, body: &NetworkDisconnect) -> Result<(), Error> {
        self.done(with(Request::post(format!("/networks/{}/disconnect", segment(name))), body)?).await
    }
}

fn with(request: Request, body: &impl Serialize) -> Result<Request, Error> {
    let what = request.what();
    request.json(body).map_err(|source| Error::Answer { what, source })
}
