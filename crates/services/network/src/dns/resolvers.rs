//! The resolvers of all containers.

use super::answer::{Entry, Zone};
use super::hosts_resolvers::HostsResolvers;
use super::server::{Names, Server, Upstream};
use super::sockets::{self, Sockets};
use crate::{Error, NetworkNames};
use refs::ContainerId;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Who is served.
#[derive(Debug)]
pub(crate) struct Resolvers {
    host: Arc<HostsResolvers>,
    servers: Mutex<BTreeMap<ContainerId, Server>>,
}

impl Resolvers {
    pub(crate) fn new() -> Self {
        let host = Arc::new(HostsResolvers::new(PathBuf::from("/etc/resolv.conf")));
        Self { host, servers: Mutex::default() }
    }

    /// Returns whether a container is served.
    pub(crate) fn serves(&self, container: &ContainerId) -> bool {
        self.servers().contains_key(container)
    }

    /// Begins to serve a container, in the asynchronous runtime; returns duplicates of its sockets.
    pub(crate) fn serve(
        &self,
        container: &ContainerId,
        sockets: Sockets,
        names: Arc<dyn Fn() -> Vec<NetworkNames> + Send + Sync>,
        servers: Vec<IpAddr>,
    ) -> Result<Vec<OwnedFd>, Error> {
        let copy = |socket: &OwnedFd| socket.try_clone().map_err(Error::Descriptor);
        let kept = vec![copy(&sockets.udp)?, copy(&sockets.tcp)?];
        let outward = Arc::clone(&names);
        let host = Arc::clone(&self.host);
        let upstream: Upstream = Arc::new(move || match () {
            // A container on networks without a way out must not have one by its questions.
            () if outward().iter().all(|network| network.internal) => Vec::new(),
            () if servers.is_empty() => host.servers(),
            () => servers.clone(),
        });
        let zones: Names = Arc::new(move || names().into_iter().map(zone).collect());
        let server = Server::start(sockets, zones, upstream).map_err(Error::Descriptor)?;
        self.servers().insert(container.clone(), server);
        Ok(kept)
    }

    /// Serves a container no longer.
    pub(crate) fn end(&self, container: &ContainerId) {
        self.servers().remove(container);
    }

    fn servers(&self) -> MutexGuard<'_, BTreeMap<ContainerId, Server>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes over the sockets that an earlier engine made, or makes them in a container's namespace.
pub(crate) fn sockets(namespace: OwnedFd, kept: Vec<OwnedFd>) -> Result<Sockets, Error> {
    match <[OwnedFd; 2]>::try_from(kept) {
        Ok([udp, tcp]) => Ok(Sockets { udp, tcp }),
        Err(_) => sockets::make(namespace),
    }
}

/// Returns the names of a network, with those by which the container itself calls others.
fn zone(names: NetworkNames) -> Zone {
    let NetworkNames { network, links, endpoints, .. } = names;
    let links: Vec<_> = links.iter().filter_map(|link| link.split_once(':')).collect();
    let entries = endpoints.into_iter().map(|endpoint| {
        let called = |(target, _): &&(&str, &str)| {
            endpoint.names.iter().any(|name| name == target) || endpoint.container.as_str() == *target
        };
        let aliases: Vec<_> = links.iter().filter(called).map(|(_, alias)| (*alias).to_owned()).collect();
        let addresses = endpoint.ipv4.into_iter().chain(endpoint.ipv6).collect();
        Entry { names: endpoint.names.into_iter().chain(aliases).collect(), addresses }
    });
    Zone { network, entries: entries.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NamedEndpoint;

    #[test]
    fn links_are_further_names_for_the_container_itself() {
        let endpoint = |byte, name: &str| NamedEndpoint {
            container: ContainerId::generate([byte; 32]),
            names: vec![name.to_owned()],
            ipv4: Some([10, 0, 0, byte].into()),
            ipv6: None,
        };
        let names = NetworkNames {
            network: "n".into(),
            internal: false,
            links: vec!["db:database".into(), "nosuch:x".into()],
            endpoints: vec![endpoint(1, "db"), endpoint(2, "web")],
        };
        let entries = zone(names).entries;
        assert_eq!(entries[0].names, ["db", "database"]);
        assert_eq!(
            (&entries[1].names[..], &entries[1].addresses[..]),
            (&["web".to_owned()][..], &[[10, 0, 0, 2].into()][..])
        );
    }
}
