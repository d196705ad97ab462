//! `/exec`: further processes in running containers.

use serde::Serialize;
use wire::Id;
use wire::exec::{ExecCreate, ExecInspect, ExecStart};

use crate::containers::size_query;
use crate::request::{Request, segment};
use crate::{Client, Error, Hijacked};

impl Client {
    /// Prepares a process in a container.
    ///
    /// # Errors
    /// Not found; conflict if the container does not run.
    pub async fn exec_create(&self, container: &str, body: &ExecCreate) -> Result<String, Error> {
        let request = with_body(Request::post(format!("/containers/{}/exec", segment(container))), body)?;
        Ok(self.json::<Id>(request).await?.id)
    }

    /// Starts a prepared process and attaches to it.
    ///
    /// # Errors
    /// Conflict if it was started before.
    pub async fn exec_attach(&self, id: &str, body: &ExecStart) -> Result<Hijacked, Error> {
        self.hijack(with_body(Request::post(format!("/exec/{}/start", segment(id))), body)?).await
    }

    /// Starts a prepared process and leaves it alone.
    ///
    /// # Errors
    /// Conflict if it was started before.
    pub async fn exec_start(&self, id: &str, body: &ExecStart) -> Result<(), Error> {
        self.done(with_body(Request::post(format!("/exec/{}/start", segment(id))), body)?).await
    }

    /// Tells the size of the terminal.
    ///
    /// # Errors
    /// Not found.
    pub async fn exec_resize(&self, id: &str, rows: u16, columns: u16) -> Result<(), Error> {
        let request = Request::post(format!("/exec/{}/resize", segment(id)));
        self.done(request.query(size_query(rows, columns))).await
    }

    /// Returns what became of a process.
    ///
    /// # Errors
    /// Not found.
    pub async fn exec_inspect(&self, id: &str) -> Result<ExecInspect, Error> {
        self.json(Request::get(format!("/exec/{}/json", segment(id)))).await
    }
}

fn with_body(request: Request, body: &impl Serialize) -> Result<Request, Error> {
    let what = request.what();
    request.json(body).map_err(|source| Error::Answer { what, source })
}
