//! Exposed and published ports → wire.

use container::view::ContainerView;
use network::Published;
use std::collections::BTreeMap;
use wire::host_config::PortBinding;
use wire::list::Port;

/// Returns a running container's ports as inspect shows them: where they are published, or null.
pub(crate) fn map(view: &ContainerView) -> BTreeMap<String, Option<Vec<PortBinding>>> {
    let mut ports: BTreeMap<String, Option<Vec<PortBinding>>> =
        exposed(view).map(|(port, protocol)| (format!("{port}/{protocol}"), None)).collect();
    for published in &view.ports {
        let binding = PortBinding {
            host_ip: published.host.ip().to_string(),
            host_port: published.host.port().to_string(),
        };
        ports.entry(key(published)).or_default().get_or_insert_default().push(binding);
    }
    ports
}

/// Returns a running container's ports as the list shows them.
pub(crate) fn list(view: &ContainerView) -> Vec<Port> {
    let published = view.ports.iter().map(|published| Port {
        ip: published.host.ip().to_string(),
        private_port: published.container.port(),
        public_port: published.host.port(),
        protocol: published.protocol.to_string(),
    });
    let is_published = |port: u16, protocol: &str| {
        view.ports.iter().any(|one| one.container.port() == port && one.protocol.to_string() == protocol)
    };
    let unpublished = exposed(view).filter(|(port, protocol)| !is_published(*port, protocol));
    let unpublished =
        unpublished.map(|(private_port, protocol)| Port { private_port, protocol, ..Port::default() });
    published.chain(unpublished).collect()
}

fn key(published: &Published) -> String {
    format!("{}/{}", published.container.port(), published.protocol)
}

/// Returns the ports that the container or its image declares.
fn exposed(view: &ContainerView) -> impl Iterator<Item = (u16, String)> {
    view.config.exposed_ports.iter().flat_map(|text| {
        let (range, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let range = match (first.parse::<u16>(), last.parse::<u16>()) {
            (Ok(first), Ok(last)) => Some(first..=last),
            _ => None, // Checked when the container was created; an image may declare anything.
        };
        let protocol = protocol.to_ascii_lowercase();
        range.into_iter().flatten().map(move |port| (port, protocol.clone()))
    })
}
