//! Which containers a list shows. Pure, but for the images that an ancestor filter names.

use crate::Error;
use crate::options::ListOptions;
use crate::spec::NetworkMode;
use crate::view::{ContainerView, Status};
use refs::{Digest, Filters};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Filters that are known.
///
/// # Source
/// Engine API v1.51 ContainerList.
const ACCEPTED: [&str; 15] = [
    "ancestor",
    "before",
    "exited",
    "expose",
    "health",
    "id",
    "is-task",
    "isolation",
    "label",
    "name",
    "network",
    "publish",
    "since",
    "status",
    "volume",
];

/// Docker's words for states; nothing is ever `dead` here.
const STATES: [&str; 7] = ["created", "running", "paused", "restarting", "removing", "exited", "dead"];

/// What the filters mean, once looked up.
#[derive(Debug, Default)]
pub(crate) struct Lookup {
    /// The images that `ancestor` means.
    pub(crate) ancestors: Option<BTreeSet<Digest>>,
    /// The container that `before` means.
    pub(crate) before: Option<Arc<ContainerView>>,
    /// The container that `since` means.
    pub(crate) since: Option<Arc<ContainerView>>,
}

/// Checks the filters.
///
/// # Errors
/// InvalidArgument with Docker's texts.
pub(crate) fn check(filters: &Filters) -> Result<(), Error> {
    filters.validate(&ACCEPTED)?;
    for value in filters.get("status") {
        if !STATES.contains(&value) {
            return Err(Error::invalid(format!(
                "invalid filter 'status={value}': invalid value for state ({value}): must be one of {}",
                STATES.join(", ")
            )));
        }
    }
    for value in filters.get("exited") {
        if value.parse::<i32>().is_err() {
            return Err(Error::invalid(format!(
                "invalid filter 'exited={value}': strconv.Atoi: parsing \"{value}\": invalid syntax"
            )));
        }
    }
    const HEALTH: [&str; 4] = ["none", "starting", "healthy", "unhealthy"];
    for value in filters.get("health") {
        if !HEALTH.contains(&value) {
            return Err(Error::invalid(format!("invalid filter 'health={value}'")));
        }
    }
    filters.get_bool("is-task")?;
    Ok(())
}

/// Returns what a list shows, the newest first.
pub(crate) fn select(
    mut views: Vec<Arc<ContainerView>>,
    options: &ListOptions,
    lookup: &Lookup,
) -> Result<Vec<Arc<ContainerView>>, Error> {
    views.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
    let filters = &options.filters;
    let is_task = filters.get_bool("is-task")?;
    let all = options.all || options.limit.is_some() || filters.contains("status");
    views.retain(|view| {
        (all || view.state.status.is_running())
            && is_task != Some(true)
            && matches_state(view, filters)
            && matches_identity(view, filters)
            && matches_surroundings(view, filters)
            && matches_order(view, lookup)
    });
    views.truncate(options.limit.unwrap_or(usize::MAX));
    Ok(views)
}

fn matches_state(view: &ContainerView, filters: &Filters) -> bool {
    let exited = filters.get("exited").filter_map(|value| value.parse::<i32>().ok()).collect::<Vec<_>>();
    let has_exited =
        exited.is_empty() || (view.state.status == Status::Exited && exited.contains(&view.state.exit_code));
    has_exited
        && filters.matches_exactly("status", view.state.status.as_str())
        && filters.matches_exactly("health", view.state.health_word())
}

fn matches_identity(view: &ContainerView, filters: &Filters) -> bool {
    let name = filters.matches_pattern("name", &view.name)
        || filters.matches_pattern("name", &format!("/{}", view.name));
    name && filters.matches_prefix("id", view.id.as_str())
        && filters.matches_labels("label", &view.config.labels)
}

fn matches_surroundings(view: &ContainerView, filters: &Filters) -> bool {
    let network = match &view.host.network {
        NetworkMode::Bridge => filters.matches_exactly("network", "bridge"),
        NetworkMode::Host => filters.matches_exactly("network", "host"),
        NetworkMode::None => filters.matches_exactly("network", "none"),
        NetworkMode::Network(name) => filters.matches_exactly("network", name),
        NetworkMode::Container(_) => !filters.contains("network"),
    };
    let connected = filters.contains("network")
        && (view.networks.keys().any(|name| filters.matches_exactly("network", name))
            || view
                .endpoints
                .iter()
                .any(|endpoint| filters.matches_prefix("network", endpoint.network_id.as_str())));
    let volume = !filters.contains("volume")
        || view.mounts.iter().any(|mount| {
            filters.matches_exactly("volume", &mount.destination)
                || filters.matches_exactly("volume", &mount.source)
        });
    let exposed = |port: &String| filters.get("expose").any(|wanted| port_matches(wanted, port));
    let expose = !filters.contains("expose") || view.config.exposed_ports.iter().any(exposed);
    // Nothing is published, and nothing isolated in Windows' sense.
    (network || connected)
        && volume
        && expose
        && !filters.contains("publish")
        && (!filters.contains("isolation") || filters.matches_exactly("isolation", "default"))
}

/// Returns whether `80`, `80/tcp` or `80-90/tcp` means a port like `80/tcp`.
fn port_matches(wanted: &str, port: &str) -> bool {
    let split = |text: &str| -> Option<(u16, u16, String)> {
        let (numbers, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
        Some((first.parse().ok()?, last.parse().ok()?, protocol.to_owned()))
    };
    let (Some((first, last, protocol)), Some((number, _, of))) = (split(wanted), split(port)) else {
        return false;
    };
    (first..=last).contains(&number) && protocol == of
}

fn matches_order(view: &ContainerView, lookup: &Lookup) -> bool {
    let before = lookup.before.as_ref().is_none_or(|other| view.created_at < other.created_at);
    let since = lookup.since.as_ref().is_none_or(|other| view.created_at > other.created_at);
    let ancestor = lookup.ancestors.as_ref().is_none_or(|images| images.contains(&view.image.id));
    before && since && ancestor
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::testing::host_config;
    use crate::spec::{Config, ImageRef};
    use crate::view::{PathsView, RootfsView, StateView};
    use refs::{ContainerId, Timestamp};
    use std::collections::BTreeMap;

    fn view(number: u8, name: &str, status: Status, exit_code: i32) -> Arc<ContainerView> {
        let state = StateView {
            status,
            pid: 0,
            exit_code,
            error: String::new(),
            oom_killed: false,
            started_at: None,
            finished_at: None,
            health: None,
        };
        let config = Config {
            labels: [("tier".to_owned(), name.to_owned())].into(),
            exposed_ports: vec!["80/tcp".into()],
            ..Config::default()
        };
        Arc::new(ContainerView {
            id: ContainerId::parse(&format!("{number:02x}").repeat(32)).unwrap(),
            name: name.into(),
            created_at: Timestamp(number.into()),
            image: ImageRef { id: Digest::sha256([number; 32]), layers: Vec::new() },
            config: Arc::new(config),
            host: Arc::new(host_config()),
            path: "sh".into(),
            args: Vec::new(),
            state,
            restart_count: 0,
            driver: "overlay".into(),
            rootfs: RootfsView::default(),
            paths: PathsView::default(),
            mounts: Vec::new(),
            ports: Vec::new(),
            endpoints: Vec::new(),
            networks: BTreeMap::new(),
            exec_ids: Vec::new(),
        })
    }

    fn names(options: &ListOptions, lookup: &Lookup) -> Vec<String> {
        let views = vec![
            view(1, "web", Status::Running, 0),
            view(2, "db", Status::Exited, 3),
            view(3, "web-2", Status::Paused, 0),
            view(4, "new", Status::Created, 0),
        ];
        check(&options.filters).unwrap();
        select(views, options, lookup).unwrap().iter().map(|view| view.name.clone()).collect()
    }

    fn filtered(filters: &[(&str, &str)]) -> Vec<String> {
        let mut options = ListOptions { all: true, ..ListOptions::default() };
        for (name, value) in filters {
            options.filters.add(name, value);
        }
        names(&options, &Lookup::default())
    }

    #[test]
    fn list_shows_running_containers_newest_first() {
        assert_eq!(names(&ListOptions::default(), &Lookup::default()), ["web-2", "web"]);
        let limited = ListOptions { limit: Some(2), ..ListOptions::default() };
        assert_eq!(names(&limited, &Lookup::default()), ["new", "web-2"]);
    }

    #[test]
    fn filters_choose() {
        type Wanted = &'static [(&'static str, &'static str)];
        let cases: [(Wanted, &[&str]); 11] = [
            (&[("name", "web")], &["web-2", "web"]),
            (&[("name", "^/web$")], &["web"]),
            (&[("status", "exited"), ("status", "created")], &["new", "db"]),
            (&[("exited", "3")], &["db"]),
            (&[("exited", "0")], &[]),
            (&[("id", "0202")], &["db"]),
            (&[("label", "tier=db")], &["db"]),
            (&[("network", "host")], &[]),
            (&[("expose", "70-90"), ("status", "paused")], &["web-2"]),
            (&[("publish", "80")], &[]),
            (&[("is-task", "false"), ("status", "running")], &["web"]),
        ];
        for (filters, expected) in cases {
            assert_eq!(filtered(filters), expected, "{filters:?}");
        }
    }

    #[test]
    fn order_and_ancestor_are_compared_with_what_was_looked_up() {
        let all = ListOptions { all: true, ..ListOptions::default() };
        let before = Lookup { before: Some(view(3, "x", Status::Created, 0)), ..Lookup::default() };
        assert_eq!(names(&all, &before), ["db", "web"]);
        let since = Lookup { since: Some(view(3, "x", Status::Created, 0)), ..Lookup::default() };
        assert_eq!(names(&all, &since), ["new"]);
        let ancestors = Lookup { ancestors: Some([Digest::sha256([2; 32])].into()), ..Lookup::default() };
        assert_eq!(names(&all, &ancestors), ["db"]);
    }

    #[test]
    fn wrong_filters_are_refused_with_dockers_texts() {
        let cases = [
            ("foo", "x", "invalid filter 'foo'"),
            (
                "status",
                "x",
                "invalid filter 'status=x': invalid value for state (x): must be one of created, running, paused, restarting, removing, exited, dead",
            ),
            ("exited", "x", "invalid filter 'exited=x': strconv.Atoi: parsing \"x\": invalid syntax"),
        ];
        for (name, value, expected) in cases {
            let mut filters = Filters::default();
            filters.add(name, value);
            assert_eq!(check(&filters).unwrap_err().to_string(), expected);
        }
    }
}
