//! Publishing a container's ports: reserved by the network service, held and relayed by the supervisor.

use super::Actor;
use super::birth::gateway_endpoint;
use crate::timeline::Begun;
use crate::{Error, ports};
use launch::ShimSender;
use network::{EndpointView, PortRequest, Published};
use shimwire::{PORTS_PER_MESSAGE, Request};
use std::os::fd::AsFd as _;

impl Actor {
    /// Publishes the ports that the container asks for at its endpoint, and hands their sockets to the supervisor, before
    /// the program runs.
    ///
    /// Those that were published when it fails are given back with the endpoint.
    pub(super) async fn publish_ports(
        &self,
        endpoint: &EndpointView,
        shim: &ShimSender,
    ) -> Result<Vec<Published>, Error> {
        let begun = Begun::now();
        let requests = ports::requests(&self.record.config, &self.record.host)?;
        let published = self.publish(endpoint, shim, &requests).await?;
        if !published.is_empty() {
            self.timeline.end(begun, "publish ports", format!("{} of the host", published.len()));
        }
        Ok(published)
    }

    /// Makes the published ports of a running container those of its record: ports that are as they should be stay
    /// untouched, and so do connections through the others.
    pub(super) async fn follow_ports(&mut self) -> Result<(), Error> {
        let (Some(endpoint), Some(shim)) = (gateway_endpoint(&self.endpoints).cloned(), self.shim.clone())
        else {
            return Ok(());
        };
        let wanted = ports::requests(&self.record.config, &self.record.host)?;
        let (missing, unwanted) = ports::difference(&wanted, &self.ports);
        if missing.is_empty() && unwanted.is_empty() {
            return Ok(());
        }
        if !shim.holds_ports() {
            let message =
                "the container was started by an older engine: restart it to change its ports".to_owned();
            return Err(Error::Failed { message });
        }
        let gone = self.context.parts.network.unpublish(&self.shared.id, unwanted).await;
        let close: Vec<_> = gone.iter().map(ports::at).collect();
        for part in close.chunks(PORTS_PER_MESSAGE) {
            shim.send(&Request::Ports { close: part.to_vec(), open: Vec::new() }, &[]).await?;
        }
        let added = self.publish(&endpoint, &shim, &missing).await;
        self.ports = self.context.parts.network.published(&self.shared.id);
        self.publish_view();
        added.map(drop)
    }

    /// Publishes ports, in parts: so many sockets travel with one message, and are open in this process at once.
    async fn publish(
        &self,
        endpoint: &EndpointView,
        shim: &ShimSender,
        requests: &[PortRequest],
    ) -> Result<Vec<Published>, Error> {
        const FAMILIES: usize = 2;
        let mut published = Vec::new();
        for part in requests.chunks(PORTS_PER_MESSAGE / FAMILIES) {
            let reserved = self.context.parts.network.publish(&self.shared.id, part.to_vec()).await;
            let reserved = reserved.map_err(|error| self.not_published(endpoint, error))?;
            let open = reserved.iter().map(|one| ports::to_shim(&one.port)).collect();
            let sockets: Vec<_> = reserved.iter().map(|one| one.socket.as_fd()).collect();
            shim.send(&Request::Ports { close: Vec::new(), open }, &sockets).await?;
            published.extend(reserved.iter().map(|one| one.port));
        }
        Ok(published)
    }

    /// Returns Docker's text of a port that cannot be published, and who has it.
    fn not_published(&self, endpoint: &EndpointView, error: network::Error) -> Error {
        let mut reason = error::chain(&error);
        let mut hint = error::Fault::hint(&error);
        if let network::Error::PortTaken { owner, .. } = &error {
            let name = match self.context.index().find(owner.as_str()) {
                Ok(owner) => owner.view().name.clone(),
                Err(_) => owner.short().to_owned(), // Its record is gone, and its ports are next.
            };
            reason.push_str(&format!(" by container {name:?}"));
            hint =
                Some(format!("stop it with `naru stop {name}`, or publish another port of the host with -p"));
        }
        Error::Start {
            kind: error::Fault::kind(&error),
            message: format!(
                "failed to set up container networking: driver failed programming external connectivity on endpoint {} ({}): {reason}",
                self.record.name,
                endpoint.endpoint_id.as_str()
            ),
            hint,
        }
    }
}
