//! From a request to the handler of its route, and from failures to responses.

use crate::error::Error;
use crate::request::Query;
use crate::respond::{self, Body, Reply};
use crate::route::{ContainerVerb as Verb, Route, Target, Unroutable, route};
use crate::{
    Server, State, archives, check, commit, containers, df, events, exec, image_prune, images, networks,
    pull, push, system, volumes, websocket,
};
use error::Kind;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use wire::version::{ApiVersion, CURRENT, MINIMUM};

/// A request on its way to a handler.
pub(crate) struct Call {
    /// The version that the client speaks.
    pub(crate) version: ApiVersion,
    /// The query parameters.
    pub(crate) query: Query,
    /// The request itself; its body is not read yet.
    pub(crate) request: Request<Incoming>,
}

/// Answers one request. Never fails: failures become responses.
pub(crate) async fn dispatch(server: &Server, request: Request<Incoming>) -> Response<Body> {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let mut response = match route(&method, &path) {
        Ok(route) => match handle(server, route, request).await {
            Ok(response) => response,
            Err(failure) => {
                log_failure(&method, &path, &failure);
                respond::failure(&failure)
            }
        },
        Err(Unroutable::NotFound) => return respond::failure(&Error::PageNotFound.into()), // bare, as Docker's router
        Err(Unroutable::TooNew(version)) => return version_refused(too_new(&version)),
        Err(Unroutable::TooOld(version)) => return version_refused(too_old(&version)),
    };
    tracing::debug!(%method, path, status = response.status().as_u16(), "request");
    respond::common_headers(response.headers_mut());
    response
}

async fn handle(server: &Server, route: Route, request: Request<Incoming>) -> Reply {
    let state = &server.state;
    let query = Query::parse(request.uri().query());
    let call = Call { version: route.version, query, request };
    match route.target {
        Target::Ping => Ok(system::ping(call.request.method())),
        Target::Options => Ok(respond::empty(StatusCode::OK)),
        Target::Info => system::info(server).await,
        Target::Version => system::version(state).await,
        Target::Events => events::events(server, &call).await,
        Target::DiskUsage => df::disk_usage(state, &call).await,
        Target::SystemCheck => check::check(state, &call).await,
        Target::ContainerList => containers::list(state, &call).await,
        Target::ContainerCreate => containers::create(state, call).await,
        Target::ContainerPrune => containers::prune(state, &call).await,
        Target::Container(name, verb) => container(state, &name, verb, call).await,
        Target::ExecStart(id) => exec::start(state, &id, call).await,
        Target::ExecResize(id) => exec::resize(state, &id, &call).await,
        Target::ExecInspect(id) => exec::inspect(state, &id).await,
        Target::ImageList => images::list(state, &call).await,
        Target::ImagePull if call.query.get("fromSrc").is_some() => archives::import(state, call).await,
        Target::ImagePull => pull::pull(state, &call).await,
        Target::ImagePush(name) => push::push(state, name, &call).await,
        Target::ImagePrune => image_prune::prune(state, &call).await,
        Target::ImageLoad => archives::load(state, call).await,
        Target::ImageSave(name) => archives::save(state, name, &call).await,
        Target::Commit => commit::commit(state, call).await,
        Target::ImageInspect(name) => images::inspect(state, name, &call).await,
        Target::ImageHistory(name) => images::history(state, name, &call).await,
        Target::ImageTag(name) => images::tag(state, name, &call).await,
        Target::ImageVerify(name) => check::verify(state, name).await,
        Target::ImageRemove(name) => images::remove(state, name, &call).await,
        Target::NetworkList => networks::list(state, &call).await,
        Target::NetworkInspect(name) => networks::inspect(state, &name, &call.query).await,
        Target::NetworkCreate => networks::create(state, call).await,
        Target::NetworkRemove(name) => networks::remove(state, &name).await,
        Target::NetworkPrune => networks::prune(state, &call).await,
        Target::NetworkConnect(name) => networks::connect(state, &name, call).await,
        Target::NetworkDisconnect(name) => networks::disconnect(state, &name, call).await,
        Target::VolumeList => volumes::list(state, &call).await,
        Target::VolumeCreate => volumes::create(state, call).await,
        Target::VolumePrune => volumes::prune(state, &call).await,
        Target::VolumeInspect(name) => volumes::inspect(state, name).await,
        Target::VolumeRemove(name) => volumes::remove(state, name, &call).await,
        Target::VolumeRename(name) => volumes::rename(state, name, &call).await,
        Target::VolumeUsage(name) => volumes::usage(state, name).await,
        Target::PluginList => respond::ok(&[(); 0]),
        Target::PluginInspect(name) => Err(Error::NotFound(wire::text::no_such_plugin(&name)).into()),
        Target::Swarm => Err(Error::NotInSwarm.into()),
        Target::NotYet(feature) => Err(Error::UnsupportedFeature(feature).into()),
    }
}

async fn container(state: &State, name: &str, verb: Verb, call: Call) -> Reply {
    match verb {
        Verb::Inspect => containers::inspect(state, name, &call).await,
        Verb::Birth => containers::birth(state, name).await,
        Verb::Top => containers::top(state, name, &call).await,
        Verb::Logs => containers::logs(state, name, &call).await,
        Verb::Stats => containers::stats(state, name, &call).await,
        Verb::Resize => containers::resize(state, name, &call).await,
        Verb::Start => containers::start(state, name, &call).await,
        Verb::Stop => containers::stop(state, name, &call).await,
        Verb::Restart => containers::restart(state, name, &call).await,
        Verb::Kill => containers::kill(state, name, &call).await,
        Verb::Rename => containers::rename(state, name, &call).await,
        Verb::Pause => containers::pause(state, name).await,
        Verb::Unpause => containers::unpause(state, name).await,
        Verb::AttachWebSocket => websocket::attach(state, name, call).await,
        Verb::Attach => containers::attach(state, name, call).await,
        Verb::Wait => containers::wait(state, name, &call).await,
        Verb::Update => containers::update(state, name, call).await,
        Verb::Export => archives::export(state, name).await,
        Verb::Remove => containers::remove(state, name, &call).await,
        Verb::ExecCreate => exec::create(state, name, call).await,
    }
}

/// Failures of ours are the operator's business; those of requests are the client's.
fn log_failure(method: &Method, path: &str, failure: &error::Failure) {
    match failure.kind {
        Kind::Internal | Kind::DataLoss | Kind::Exhausted => {
            tracing::warn!(%method, path, error = failure.message, "request failed");
        }
        _ => tracing::debug!(%method, path, error = failure.message, "request refused"),
    }
}

/// Adds the headers that Docker's check of versions gives: not all of them.
fn version_refused(mut response: Response<Body>) -> Response<Body> {
    respond::common_headers(response.headers_mut());
    response.headers_mut().remove("Docker-Experimental");
    response
}

fn too_new(version: &str) -> Response<Body> {
    let text = wire::text::client_too_new(version, &CURRENT.to_string());
    respond::failure(&Error::Invalid(text).into())
}

/// Clients from before 1.24 expect plain text.
fn too_old(version: &str) -> Response<Body> {
    respond::bytes(
        StatusCode::BAD_REQUEST,
        HeaderValue::from_static("text/plain; charset=utf-8"),
        wire::text::client_too_old(version, &MINIMUM.to_string()) + "\n",
    )
}

/// Returns a response of `OK` in plain text.
pub(crate) fn plain(body: &'static str) -> Response<Body> {
    let mut response =
        respond::bytes(StatusCode::OK, HeaderValue::from_static("text/plain; charset=utf-8"), body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
