//! From method and path to the one endpoint that is meant. Pure.
//!
//! Names of containers and images may contain slashes, so routes are told apart by their first and last segments, as
//! Docker's own router does with `{name:.*}`.

use http::Method;
use wire::version::{self, ApiVersion};

/// What a request is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Ping,
    Options,
    Info,
    Version,
    Events,
    DiskUsage,
    SystemCheck,
    ContainerList,
    ContainerCreate,
    ContainerPrune,
    /// One of the verbs below `/containers/{name}`.
    Container(String, ContainerVerb),
    ExecStart(String),
    ExecResize(String),
    ExecInspect(String),
    ImageList,
    ImagePull,
    ImageLoad,
    ImagePush(String),
    ImagePrune,
    /// One image by name, or those of the query.
    ImageSave(Option<String>),
    Commit,
    ImageInspect(String),
    ImageHistory(String),
    ImageTag(String),
    ImageRemove(String),
    ImageVerify(String),
    NetworkList,
    NetworkInspect(String),
    NetworkCreate,
    NetworkRemove(String),
    NetworkPrune,
    NetworkConnect(String),
    NetworkDisconnect(String),
    VolumeList,
    VolumeCreate,
    VolumePrune,
    VolumeInspect(String),
    VolumeRemove(String),
    VolumeRename(String),
    VolumeUsage(String),
    PluginList,
    PluginInspect(String),
    /// An endpoint of a swarm manager.
    Swarm,
    /// An endpoint that Docker has and that is not there yet; the text names the feature.
    NotYet(&'static str),
}

/// What is done with a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContainerVerb {
    Inspect,
    Birth,
    Top,
    Logs,
    Stats,
    Resize,
    Start,
    Stop,
    Restart,
    Kill,
    Rename,
    Pause,
    Unpause,
    Attach,
    AttachWebSocket,
    Wait,
    Update,
    Export,
    Remove,
    ExecCreate,
}

/// A path that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    /// The version in the path; the newest if there is none.
    pub(crate) version: ApiVersion,
    /// What the request is for.
    pub(crate) target: Target,
}

/// Why there is no route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unroutable {
    /// Nothing is at this path, or not with this method.
    NotFound,
    /// The version in the path is newer than ours.
    TooNew(String),
    /// The version in the path is older than our oldest.
    TooOld(String),
}

/// Finds the endpoint. `path` is the path of the URI, still percent-encoded.
pub(crate) fn route(method: &Method, path: &str) -> Result<Route, Unroutable> {
    if method == Method::OPTIONS {
        return Ok(Route { version: version::CURRENT, target: Target::Options });
    }
    let path = percent_decode(path).ok_or(Unroutable::NotFound)?;
    let (version, rest) = split_version(&path);
    let segments: Vec<&str> = rest.strip_prefix('/').unwrap_or(rest).split('/').collect();
    let target = target(method, &segments).ok_or(Unroutable::NotFound)?;
    let version = match version {
        None => version::CURRENT,
        Some(text) => check_version(text)?,
    };
    Ok(Route { version, target })
}

/// Splits `/v1.51/info` into `1.51` and `/info`.
fn split_version(path: &str) -> (Option<&str>, &str) {
    let Some(after) = path.strip_prefix("/v") else { return (None, path) };
    let end = after.find('/').unwrap_or(after.len());
    let (version, rest) = after.split_at(end);
    if version.is_empty() || !version.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return (None, path);
    }
    (Some(version), rest)
}

fn check_version(text: &str) -> Result<ApiVersion, Unroutable> {
    // Docker compares `1` as `1.0`.
    let version = ApiVersion::parse(text)
        .or_else(|| ApiVersion::parse(&format!("{text}.0")))
        .ok_or(Unroutable::NotFound)?;
    if version > version::CURRENT {
        return Err(Unroutable::TooNew(text.to_owned()));
    }
    if version < version::MINIMUM {
        return Err(Unroutable::TooOld(text.to_owned()));
    }
    Ok(version)
}

fn target(method: &Method, segments: &[&str]) -> Option<Target> {
    let get = method == Method::GET;
    let post = method == Method::POST;
    let delete = method == Method::DELETE;
    Some(match segments {
        ["_ping"] if get || method == Method::HEAD => Target::Ping,
        ["info"] if get => Target::Info,
        ["version"] if get => Target::Version,
        ["events"] if get => Target::Events,
        ["auth"] if post => Target::NotYet("logging in to a registry"),
        ["system", "df"] if get => Target::DiskUsage,
        ["system", "check"] if post => Target::SystemCheck,
        ["session" | "grpc"] if post => Target::NotYet("building images"),
        ["build"] | ["build", "prune" | "cancel"] if post => Target::NotYet("building images"),
        ["commit"] if post => Target::Commit,
        ["containers", rest @ ..] => return container(method, rest),
        ["exec", id, "start"] if post => Target::ExecStart((*id).to_owned()),
        ["exec", id, "resize"] if post => Target::ExecResize((*id).to_owned()),
        ["exec", id, "json"] if get => Target::ExecInspect((*id).to_owned()),
        ["images", rest @ ..] => return image(method, rest),
        ["networks"] if get => Target::NetworkList,
        ["networks", id] if get => Target::NetworkInspect((*id).to_owned()),
        ["networks", id] if delete => Target::NetworkRemove((*id).to_owned()),
        ["networks", "create"] if post => Target::NetworkCreate,
        ["networks", "prune"] if post => Target::NetworkPrune,
        ["networks", id, "connect"] if post => Target::NetworkConnect((*id).to_owned()),
        ["networks", id, "disconnect"] if post => Target::NetworkDisconnect((*id).to_owned()),
        ["volumes"] if get => Target::VolumeList,
        ["volumes", name] if get => Target::VolumeInspect((*name).to_owned()),
        ["volumes", "create"] if post => Target::VolumeCreate,
        ["volumes", "prune"] if post => Target::VolumePrune,
        ["volumes", name] if delete => Target::VolumeRemove((*name).to_owned()),
        ["volumes", name, "rename"] if post => Target::VolumeRename((*name).to_owned()),
        ["volumes", name, "usage"] if get => Target::VolumeUsage((*name).to_owned()),
        ["volumes", _] if method == Method::PUT => Target::Swarm,
        ["plugins"] if get => Target::PluginList,
        ["plugins", "privileges"] if get => Target::NotYet("plugins"),
        ["plugins", name @ .., "json"] if get && !name.is_empty() => Target::PluginInspect(name.join("/")),
        ["plugins", _, ..] if post || delete => Target::NotYet("plugins"),
        ["distribution", .., "json"] if get => Target::NotYet("asking a registry about an image"),
        ["swarm", "init" | "join"] if post => Target::NotYet("swarm"),
        ["swarm"] | ["swarm", "unlockkey"] if get => Target::Swarm,
        ["swarm", "leave" | "update" | "unlock"] if post => Target::Swarm,
        ["nodes" | "services" | "tasks" | "secrets" | "configs"] if get => Target::Swarm,
        ["nodes" | "services" | "tasks" | "secrets" | "configs", _, ..] if get || post || delete => {
            Target::Swarm
        }
        _ => return None,
    })
}

fn container(method: &Method, segments: &[&str]) -> Option<Target> {
    use ContainerVerb as Verb;
    match (method.as_str(), segments) {
        ("GET", ["json"]) => return Some(Target::ContainerList),
        ("POST", ["create"]) => return Some(Target::ContainerCreate),
        ("POST", ["prune"]) => return Some(Target::ContainerPrune),
        ("DELETE", [_, ..]) => return named(segments).map(|name| Target::Container(name, Verb::Remove)),
        _ => {}
    }
    let (last, name) = segments.split_last()?;
    if matches!((name.split_last(), *last), (Some((&"attach", _)), "ws")) && method == Method::GET {
        return named(&name[..name.len() - 1])
            .map(|name| Target::Container(name, ContainerVerb::AttachWebSocket));
    }
    let verb = match (method.as_str(), *last) {
        ("GET", "json") => Verb::Inspect,
        ("GET", "birth") => Verb::Birth,
        ("GET", "top") => Verb::Top,
        ("GET", "logs") => Verb::Logs,
        ("GET", "stats") => Verb::Stats,
        ("POST", "resize") => Verb::Resize,
        ("POST", "start") => Verb::Start,
        ("POST", "stop") => Verb::Stop,
        ("POST", "restart") => Verb::Restart,
        ("POST", "kill") => Verb::Kill,
        ("POST", "rename") => Verb::Rename,
        ("POST", "pause") => Verb::Pause,
        ("POST", "unpause") => Verb::Unpause,
        ("POST", "attach") => Verb::Attach,
        ("POST", "wait") => Verb::Wait,
        ("POST", "exec") => Verb::ExecCreate,
        ("GET", "changes") => return Some(Target::NotYet("showing the changed files of a container")),
        ("GET", "export") => Verb::Export,
        ("POST", "update") => Verb::Update,
        ("HEAD" | "GET" | "PUT", "archive") => return Some(Target::NotYet("copying files")),
        ("GET" | "POST", "checkpoints") => return Some(Target::NotYet("checkpoints")),
        _ => return None,
    };
    named(name).map(|name| Target::Container(name, verb))
}

fn image(method: &Method, segments: &[&str]) -> Option<Target> {
    match (method.as_str(), segments) {
        ("GET", ["json"]) => return Some(Target::ImageList),
        ("GET", ["search"]) => return Some(Target::NotYet("searching images")),
        ("GET", ["get"]) => return Some(Target::ImageSave(None)),
        ("POST", ["create"]) => return Some(Target::ImagePull),
        ("POST", ["load"]) => return Some(Target::ImageLoad),
        ("POST", ["prune"]) => return Some(Target::ImagePrune),
        ("DELETE", [_, ..]) => return named(segments).map(Target::ImageRemove),
        _ => {}
    }
    let (last, name) = segments.split_last()?;
    let name = named(name)?;
    match (method.as_str(), *last) {
        ("GET", "json") => Some(Target::ImageInspect(name)),
        ("GET", "history") => Some(Target::ImageHistory(name)),
        ("GET", "verify") => Some(Target::ImageVerify(name)),
        ("POST", "tag") => Some(Target::ImageTag(name)),
        ("POST", "push") => Some(Target::ImagePush(name)),
        ("GET", "get") => Some(Target::ImageSave(Some(name))),
        ("GET", "attestations") => Some(Target::NotYet("attestations")),
        _ => None,
    }
}

fn named(segments: &[&str]) -> Option<String> {
    let name = segments.join("/");
    (!name.is_empty()).then_some(name)
}

/// Decodes `%41`; none for a broken escape or for bytes that are not UTF-8.
pub(crate) fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let high = char::from(rest.next()?).to_digit(16)?;
        let low = char::from(rest.next()?).to_digit(16)?;
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target_of(method: Method, path: &str) -> Target {
        route(&method, path).unwrap_or_else(|error| panic!("{method} {path}: {error:?}")).target
    }

    #[test]
    fn versions_are_optional_and_checked() {
        assert_eq!(
            route(&Method::GET, "/v1.40/info"),
            Ok(Route { version: ApiVersion::new(1, 40), target: Target::Info })
        );
        assert_eq!(route(&Method::GET, "/info").unwrap().version, version::CURRENT);
        assert_eq!(route(&Method::GET, "/v1.99/info"), Err(Unroutable::TooNew("1.99".into())));
        assert_eq!(route(&Method::GET, "/v1.10/info"), Err(Unroutable::TooOld("1.10".into())));
        assert_eq!(route(&Method::GET, "/vx/info"), Err(Unroutable::NotFound));
        assert_eq!(route(&Method::GET, "/v1.51/foo"), Err(Unroutable::NotFound));
        assert_eq!(route(&Method::POST, "/v1.51/info"), Err(Unroutable::NotFound));
    }

    #[test]
    fn container_routes_go_by_their_last_segment() {
        use ContainerVerb as Verb;
        let cases = [
            (Method::GET, "/containers/json/json", Target::Container("json".into(), Verb::Inspect)),
            (Method::GET, "/v1.51/containers//web/json", Target::Container("/web".into(), Verb::Inspect)),
            (Method::DELETE, "/containers/web", Target::Container("web".into(), Verb::Remove)),
            (Method::POST, "/containers/web/exec", Target::Container("web".into(), Verb::ExecCreate)),
            (Method::GET, "/containers/json", Target::ContainerList),
            (
                Method::GET,
                "/containers/web/attach/ws",
                Target::Container("web".into(), Verb::AttachWebSocket),
            ),
            (Method::POST, "/exec/abc/start", Target::ExecStart("abc".into())),
        ];
        for (method, path, expected) in cases {
            assert_eq!(target_of(method, path), expected, "{path}");
        }
        assert_eq!(route(&Method::GET, "/containers/web/start"), Err(Unroutable::NotFound));
        assert_eq!(route(&Method::GET, "/containers//json"), Err(Unroutable::NotFound));
    }

    #[test]
    fn image_names_may_contain_slashes_and_escapes() {
        let cases = [
            (Method::GET, "/images/json", Target::ImageList),
            (
                Method::GET,
                "/images/127.0.0.1:5000/foo/bar:1/json",
                Target::ImageInspect("127.0.0.1:5000/foo/bar:1".into()),
            ),
            (Method::GET, "/images/foo%2Fbar/history", Target::ImageHistory("foo/bar".into())),
            (Method::GET, "/images/a/b:1/verify", Target::ImageVerify("a/b:1".into())),
            (Method::GET, "/system/df", Target::DiskUsage),
            (Method::POST, "/system/check", Target::SystemCheck),
            (Method::DELETE, "/images/foo/bar:1", Target::ImageRemove("foo/bar:1".into())),
            (Method::POST, "/images/foo/bar/tag", Target::ImageTag("foo/bar".into())),
            (Method::POST, "/images/foo/push", Target::ImagePush("foo".into())),
        ];
        for (method, path, expected) in cases {
            assert_eq!(target_of(method, path), expected, "{path}");
        }
    }

    #[test]
    fn percent_decode_refuses_broken_escapes() {
        assert_eq!(percent_decode("a%2fb").as_deref(), Some("a/b"));
        for broken in ["%", "%4", "%zz", "%ff"] {
            assert_eq!(percent_decode(broken), None, "{broken}");
        }
    }
}
