//! Connecting a container to networks, and disconnecting it, while it exists: at once if it runs, else at its next start.
//!
//! The record comes first: an engine that starts makes the devices agree with it.

use super::Actor;
use super::birth::etc_hosts;
use crate::machine::Phase;
use crate::spec::NetworkMode;
use crate::{Error, etc_files};
use network::{EndpointSpec, EndpointView};
use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;

impl Actor {
    /// Connects the container to a network.
    pub(super) async fn connect_live(&mut self, network: &str, spec: EndpointSpec) -> Result<(), Error> {
        self.check_connectable(network)?;
        let before = self.record.endpoints();
        if self.has_network() && self.endpoints.iter().any(|endpoint| endpoint.network_name == network) {
            let (container, network) = (self.record.name.clone(), network.to_owned());
            return Err(network::Error::Attached { container, network }.into());
        }
        let mut after = before.clone();
        after.insert(network.to_owned(), spec.clone());
        self.write_endpoints(after).await?;
        self.context.crash.after("PersistConnect");
        if !self.has_network() {
            self.publish_view();
            return Ok(());
        }
        let joined = self.context.parts.network.join(&self.shared.id, network, spec).await;
        self.context.crash.after("Connect");
        match joined {
            Ok(endpoint) => {
                self.change_hosts(None, Some(&endpoint)).await?;
                self.begin_names().await?;
                self.publish_network("connect", &endpoint);
                self.refresh_endpoints();
                Ok(())
            }
            Err(error) => {
                self.write_endpoints(before).await?;
                Err(error.into())
            }
        }
    }

    /// Disconnects the container from a network.
    pub(super) async fn disconnect_live(&mut self, network: &str) -> Result<(), Error> {
        let mut after = self.record.endpoints();
        if after.remove(network).is_none() {
            let (container, network) = (self.shared.id.to_string(), network.to_owned());
            return Err(network::Error::NotAttached { container, network }.into());
        }
        self.write_endpoints(after).await?;
        self.context.crash.after("PersistDisconnect");
        if !self.has_network() {
            self.publish_view();
            return Ok(());
        }
        let left = self.context.parts.network.leave(&self.shared.id, network).await;
        self.context.crash.after("Disconnect");
        let endpoint = left?;
        self.change_hosts(Some(&endpoint), None).await?;
        self.publish_network("disconnect", &endpoint);
        self.refresh_endpoints();
        Ok(())
    }

    /// Refuses what Docker refuses.
    ///
    /// # Source
    /// moby `daemon/container_operations.go`, `updateNetworkConfig`, `ConnectToNetwork`.
    fn check_connectable(&self, network: &str) -> Result<(), Error> {
        let refused = |text: &str| Err(Error::invalid(text));
        match &self.record.host.network {
            NetworkMode::Container(_) => refused(
                "container sharing network namespace with another container or host cannot be connected to any other network",
            ),
            NetworkMode::Host => refused(
                "container sharing network namespace with another container or host cannot be connected to any other network",
            ),
            _ if network == "host" => refused(
                "cannot connect container to host network - container must be created in host network mode",
            ),
            NetworkMode::None => refused(
                "container cannot be connected to multiple networks with one of the networks in private (none) mode",
            ),
            _ if network == "none" => refused(
                "container cannot be connected to multiple networks with one of the networks in private (none) mode",
            ),
            NetworkMode::Bridge | NetworkMode::Network(_) => Ok(()),
        }
    }

    /// Whether there is a namespace that is connected now.
    fn has_network(&self) -> bool {
        matches!(self.machine.phase, Phase::Running | Phase::Paused)
    }

    fn refresh_endpoints(&mut self) {
        self.endpoints = self.context.parts.network.endpoints(&self.shared.id);
        self.publish_view();
    }

    async fn write_endpoints(&mut self, endpoints: BTreeMap<String, EndpointSpec>) -> Result<(), Error> {
        self.settle().await?;
        let old = self.record.endpoints.replace(endpoints);
        self.record.run = self.machine.run.clone();
        let written = self.write(self.record.durability()).await;
        if let Err(error) = written.map_err(|error| Error::Failed { message: error.to_string() })? {
            self.record.endpoints = old;
            return Err(error.into());
        }
        Ok(())
    }

    /// Changes the container's own lines in its /etc/hosts. It is bound into the container: the file itself stays.
    async fn change_hosts(
        &self,
        gone: Option<&EndpointView>,
        added: Option<&EndpointView>,
    ) -> Result<(), Error> {
        let addresses = |endpoint: Option<&EndpointView>| -> Vec<IpAddr> {
            let own =
                endpoint.into_iter().flat_map(|endpoint| endpoint.ipv4.into_iter().chain(endpoint.ipv6));
            own.map(|own| own.address).collect()
        };
        let (gone, added) = (addresses(gone), addresses(added));
        let (hostname, domainname) =
            (self.record.hostname().to_owned(), self.record.config.domainname.clone());
        let path = etc_hosts(&self.shared.directory);
        let change = move || {
            let present = fs::read_to_string(&path).map_err(Error::file("read", &path))?;
            let text = etc_files::changed_hosts(&present, &gone, &added, (&hostname, &domainname));
            fs::write(&path, text).map_err(Error::file("write", path))
        };
        self.context.parts.disk.run(change).await
    }
}
