//! Rows of the container list → wire.

use super::{inspect, ports};
use container::view::{ContainerView, HealthStatus, Sizes, StateView, Status};
use refs::{Timestamp, human_duration};
use wire::list::{ContainerSummary, SummaryHostConfig, SummaryNetworkSettings};

/// Returns a row; `image` is the image's name if it still means the same image, else its id.
pub(crate) fn summary(
    view: &ContainerView,
    image: String,
    sizes: Option<Sizes>,
    now: Timestamp,
) -> ContainerSummary {
    ContainerSummary {
        id: view.id.as_str().to_owned(),
        names: vec![format!("/{}", view.name)],
        image,
        image_id: view.image.id.as_str().to_owned(),
        command: command(&view.path, &view.args),
        created: view.created_at.seconds(),
        ports: if view.endpoints.is_empty() { Vec::new() } else { ports::list(view) },
        size_rw: sizes.map_or(0, |sizes| inspect::bytes(sizes.writable_bytes)),
        size_root_fs: sizes.map_or(0, |sizes| inspect::bytes(sizes.total_bytes)),
        labels: view.config.labels.clone(),
        state: view.state.status.as_str().to_owned(),
        status: status(&view.state, now),
        host_config: SummaryHostConfig {
            network_mode: super::view::network_mode(&view.host.network),
            annotations: Some(view.host.annotations.clone()),
        },
        network_settings: SummaryNetworkSettings { networks: inspect::networks(view) },
        mounts: view.mounts.iter().map(inspect::mount).collect(),
    }
}

/// Returns the command line; arguments with a space are put in quotes.
///
/// # Source
/// moby `daemon/container/view.go`.
fn command(path: &str, args: &[String]) -> String {
    let mut line = path.to_owned();
    for arg in args {
        line.push(' ');
        if arg.contains(' ') {
            line.push('\'');
            line.push_str(arg);
            line.push('\'');
        } else {
            line.push_str(arg);
        }
    }
    line
}

/// Returns `Up 5 minutes`, `Exited (0) 2 hours ago`, …
///
/// # Source
/// moby `daemon/container/state.go`, `State.String`.
fn status(state: &StateView, now: Timestamp) -> String {
    let since = |moment: Option<Timestamp>| human_duration(moment.unwrap_or(now).until(now));
    match state.status {
        Status::Running => {
            let health = match state.health.as_ref().map(|health| health.status) {
                None => "",
                Some(HealthStatus::Starting) => " (health: starting)",
                Some(HealthStatus::Healthy) => " (healthy)",
                Some(HealthStatus::Unhealthy) => " (unhealthy)",
            };
            format!("Up {}{health}", since(state.started_at))
        }
        Status::Paused => format!("Up {} (Paused)", since(state.started_at)),
        Status::Restarting => format!("Restarting ({}) {} ago", state.exit_code, since(state.finished_at)),
        Status::Removing => "Removal In Progress".to_owned(),
        Status::Created => "Created".to_owned(),
        Status::Exited => format!("Exited ({}) {} ago", state.exit_code, since(state.finished_at)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_230_700_000_000_000);

    fn state(status: Status) -> StateView {
        StateView {
            status,
            pid: 0,
            exit_code: 3,
            error: String::new(),
            oom_killed: false,
            started_at: Some(Timestamp(NOW.0 - 300_000_000_000)),
            finished_at: Some(Timestamp(NOW.0 - 500_000_000)),
            health: None,
        }
    }

    #[test]
    fn status_reads_as_dockers() {
        let cases = [
            (Status::Running, "Up 5 minutes"),
            (Status::Paused, "Up 5 minutes (Paused)"),
            (Status::Restarting, "Restarting (3) Less than a second ago"),
            (Status::Created, "Created"),
            (Status::Exited, "Exited (3) Less than a second ago"),
            (Status::Removing, "Removal In Progress"),
        ];
        for (status_word, expected) in cases {
            assert_eq!(status(&state(status_word), NOW), expected);
        }
    }

    #[test]
    fn running_container_shows_its_health() {
        use container::view::Health;
        for (health, expected) in [
            (HealthStatus::Starting, "Up 5 minutes (health: starting)"),
            (HealthStatus::Healthy, "Up 5 minutes (healthy)"),
            (HealthStatus::Unhealthy, "Up 5 minutes (unhealthy)"),
        ] {
            let health = Health { status: health, failing_streak: 0, log: Vec::new() };
            let with = |word| StateView { health: Some(health.clone()), ..state(word) };
            assert_eq!(status(&with(Status::Running), NOW), expected);
            assert_eq!(status(&with(Status::Paused), NOW), "Up 5 minutes (Paused)");
        }
    }

    #[test]
    fn command_quotes_words_with_spaces() {
        let args = ["-c".to_owned(), "trap \"exit 3\" TERM".to_owned()];
        assert_eq!(command("sh", &args), "sh -c 'trap \"exit 3\" TERM'");
        assert_eq!(command("/bin/sh", &[]), "/bin/sh");
    }
}
