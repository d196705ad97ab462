//! `/containers`.

use bytes::Bytes;
use wire::container::{BirthStep, ContainerCreate, ContainerUpdate, ContainerUpdated, Created, Top, Waited};
use wire::inspect::ContainerInspect;
use wire::list::ContainerSummary;
use wire::stats::Stats;

use crate::request::{Query, Request, segment};
use crate::{ByteStream, Client, Error, Hijacked, JsonLines};

/// Which containers are listed.
#[derive(Debug, Clone, Default)]
pub struct ListContainers {
    /// Those that do not run, too.
    pub all: bool,
    /// At most so many, the newest ones.
    pub limit: Option<i64>,
    /// With the sizes of their file systems.
    pub size: bool,
    /// The JSON of the filters; empty for none.
    pub filters: String,
}

/// Whether the sizes of a container's file systems are in its description: measuring takes time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sizes {
    /// They are measured.
    Measured,
    /// They are left out.
    Omitted,
}

/// How a container is removed.
#[derive(Debug, Clone, Copy, Default)]
pub struct RemoveContainer {
    /// With the volumes that have no name.
    pub volumes: bool,
    /// Even if it runs.
    pub force: bool,
}

/// What is attached.
#[derive(Debug, Clone, Default)]
pub struct AttachTo {
    /// Standard input.
    pub stdin: bool,
    /// Standard output.
    pub stdout: bool,
    /// Standard error.
    pub stderr: bool,
    /// The key sequence that detaches; empty for the engine's.
    pub detach_keys: String,
}

/// Which part of a log is read. Times as the API takes them: seconds since 1970 with an optional fraction.
#[derive(Debug, Clone, Default)]
pub struct LogQuery {
    /// What comes later, too.
    pub follow: bool,
    /// With the time before each line.
    pub timestamps: bool,
    /// With the details of the log driver.
    pub details: bool,
    /// From then on; empty for the beginning.
    pub since: String,
    /// Up to then; empty for the end.
    pub until: String,
    /// So many lines from the end, or `all`.
    pub tail: String,
}

/// A wait that the engine has accepted: what happens from now on is not missed.
#[derive(Debug)]
pub struct Waiting(JsonLines<Waited>);

impl Waiting {
    /// Returns the exit code when the container has ended.
    ///
    /// # Errors
    /// [`Error::Broken`] if the engine went away.
    pub async fn result(mut self) -> Result<Waited, Error> {
        self.0.next().await?.ok_or_else(|| Error::Broken {
            what: "waiting for the container".to_owned(),
            source: "the engine closed the connection".into(),
        })
    }
}

fn of(name: &str, verb: &str) -> String {
    format!("/containers/{}/{verb}", segment(name))
}

impl Client {
    /// Lists containers.
    ///
    /// # Errors
    /// As every request: unreachable, broken, or the engine's error.
    pub async fn containers(&self, what: &ListContainers) -> Result<Vec<ContainerSummary>, Error> {
        let limit = what.limit.map(|limit| limit.to_string());
        let query = Query::default()
            .with_flag("all", what.all)
            .with_some("limit", limit.as_deref())
            .with_flag("size", what.size)
            .with_some("filters", Some(&what.filters));
        self.json(Request::get("/containers/json").query(query)).await
    }

    /// Creates a container.
    ///
    /// # Errors
    /// Not found if the image is not there; conflict if the name is taken.
    pub async fn create(
        &self,
        name: Option<&str>,
        platform: Option<&str>,
        body: &ContainerCreate,
    ) -> Result<Created, Error> {
        let query = Query::default().with_some("name", name).with_some("platform", platform);
        let request = Request::post("/containers/create").query(query);
        let what = request.what();
        let request = request.json(body).map_err(|source| Error::Answer { what, source })?;
        self.json(request).await
    }

    /// Returns a container's description.
    ///
    /// # Errors
    /// Not found.
    pub async fn container(&self, name: &str) -> Result<ContainerInspect, Error> {
        self.json(Request::get(of(name, "json"))).await
    }

    /// Returns a container's description as the engine wrote it.
    ///
    /// # Errors
    /// Not found.
    pub async fn container_raw(&self, name: &str, sizes: Sizes) -> Result<Bytes, Error> {
        let query = Query::default().with_flag("size", sizes == Sizes::Measured);
        self.bytes(Request::get(of(name, "json")).query(query)).await
    }

    /// Starts a container; success if it runs already.
    ///
    /// # Errors
    /// Not found, or why the program could not be executed.
    pub async fn start(&self, name: &str) -> Result<(), Error> {
        self.done(Request::post(of(name, "start"))).await
    }

    /// Stops a container; success if it does not run.
    ///
    /// # Errors
    /// Not found.
    pub async fn stop(&self, name: &str, signal: &str, timeout_s: Option<i64>) -> Result<(), Error> {
        self.done(Request::post(of(name, "stop")).query(stop_query(signal, timeout_s))).await
    }

    /// Stops a container if it runs, and starts it.
    ///
    /// # Errors
    /// Not found.
    pub async fn restart(&self, name: &str, signal: &str, timeout_s: Option<i64>) -> Result<(), Error> {
        self.done(Request::post(of(name, "restart")).query(stop_query(signal, timeout_s))).await
    }

    /// Sends a signal; empty for SIGKILL.
    ///
    /// # Errors
    /// Not found; conflict if it does not run.
    pub async fn kill(&self, name: &str, signal: &str) -> Result<(), Error> {
        let query = Query::default().with_some("signal", Some(signal));
        self.done(Request::post(of(name, "kill")).query(query)).await
    }

    /// Freezes a container.
    ///
    /// # Errors
    /// Not found; conflict if it does not run.
    pub async fn pause(&self, name: &str) -> Result<(), Error> {
        self.done(Request::post(of(name, "pause"))).await
    }

    /// Thaws a container.
    ///
    /// # Errors
    /// Not found; conflict if it is not paused.
    pub async fn unpause(&self, name: &str) -> Result<(), Error> {
        self.done(Request::post(of(name, "unpause"))).await
    }

    /// Renames a container.
    ///
    /// # Errors
    /// Not found; conflict if the name is taken.
    pub async fn rename(&self, name: &str, new_name: &str) -> Result<(), Error> {
        let query = Query::default().with("name", new_name);
        self.done(Request::post(of(name, "rename")).query(query)).await
    }

    /// Changes limits and restart policy.
    ///
    /// # Errors
    /// Not found; conflict for limits that do not fit the present ones.
    pub async fn update(&self, name: &str, body: &ContainerUpdate) -> Result<ContainerUpdated, Error> {
        let request = Request::post(of(name, "update"));
        let what = request.what();
        self.json(request.json(body).map_err(|source| Error::Answer { what, source })?).await
    }

    /// Removes a container.
    ///
    /// # Errors
    /// Not found; conflict if it runs and `force` is not given.
    pub async fn remove(&self, name: &str, how: RemoveContainer) -> Result<(), Error> {
        let query = Query::default().with_flag("v", how.volumes).with_flag("force", how.force);
        self.done(Request::delete(format!("/containers/{}", segment(name))).query(query)).await
    }

    /// Waits for `not-running`, `next-exit` or `removed`. Returns when the engine has begun to watch.
    ///
    /// # Errors
    /// Not found.
    pub async fn wait(&self, name: &str, condition: &str) -> Result<Waiting, Error> {
        let query = Query::default().with_some("condition", Some(condition));
        Ok(Waiting(self.lines(Request::post(of(name, "wait")).query(query)).await?))
    }

    /// Attaches to a container.
    ///
    /// # Errors
    /// Not found; conflict if it is paused or restarts.
    pub async fn attach(&self, name: &str, to: &AttachTo) -> Result<Hijacked, Error> {
        let query = Query::default()
            .with_some("detachKeys", Some(&to.detach_keys))
            .with_flag("stderr", to.stderr)
            .with_flag("stdin", to.stdin)
            .with_flag("stdout", to.stdout)
            .with("stream", "1");
        self.hijack(Request::post(of(name, "attach")).query(query)).await
    }

    /// Tells the size of the terminal.
    ///
    /// # Errors
    /// Conflict if it does not run yet.
    pub async fn resize(&self, name: &str, rows: u16, columns: u16) -> Result<(), Error> {
        self.done(Request::post(of(name, "resize")).query(size_query(rows, columns))).await
    }

    /// Returns the log as it comes: frames, or raw bytes for a container with a terminal.
    ///
    /// # Errors
    /// Not found.
    pub async fn logs(&self, name: &str, what: &LogQuery) -> Result<ByteStream, Error> {
        let query = Query::default()
            .with_flag("details", what.details)
            .with_flag("follow", what.follow)
            .with_some("since", Some(&what.since))
            .with("stderr", "1")
            .with("stdout", "1")
            .with_some("tail", Some(&what.tail))
            .with_flag("timestamps", what.timestamps)
            .with_some("until", Some(&what.until));
        self.stream(Request::get(of(name, "logs")).query(query)).await
    }

    /// Lists the processes; `ps_args` as ps(1) takes them, empty for `-ef`.
    ///
    /// # Errors
    /// Not found; conflict if it does not run.
    pub async fn top(&self, name: &str, ps_args: &str) -> Result<Top, Error> {
        let query = Query::default().with_some("ps_args", Some(ps_args));
        self.json(Request::get(of(name, "top")).query(query)).await
    }

    /// Returns one measurement, with the one before it for comparison.
    ///
    /// # Errors
    /// Not found.
    pub async fn stats_once(&self, name: &str) -> Result<Stats, Error> {
        self.json(Request::get(of(name, "stats")).query(Query::default().with("stream", "0"))).await
    }

    /// Returns a measurement per second.
    ///
    /// # Errors
    /// Not found.
    pub async fn stats(&self, name: &str) -> Result<JsonLines<Stats>, Error> {
        self.lines(Request::get(of(name, "stats")).query(Query::default().with("stream", "1"))).await
    }

    /// Returns the steps of a container's birth. An extension of ours: Docker's engines answer "page not found".
    ///
    /// # Errors
    /// Not found.
    pub async fn birth(&self, name: &str) -> Result<Vec<BirthStep>, Error> {
        self.json(Request::get(of(name, "birth"))).await
    }
}

fn stop_query(signal: &str, timeout_s: Option<i64>) -> Query {
    let timeout = timeout_s.map(|seconds| seconds.to_string());
    Query::default().with_some("signal", Some(signal)).with_some("t", timeout.as_deref())
}

pub(crate) fn size_query(rows: u16, columns: u16) -> Query {
    Query::default().with("h", &rows.to_string()).with("w", &columns.to_string())
}
