//! After a restart of the engine.

use super::host::Host;
use super::{Attached, Attachments, Inner, Joining, State};
use crate::endpoint::Endpoint;
use crate::reconcile::{self, Device, Found};
use crate::record::Record;
use crate::{EndpointSpec, Error};
use netlink::link::{self, Link};
use refs::{ContainerId, NetworkId};
use std::net::IpAddr;

impl Inner {
    pub(super) fn reconcile(&self, live: Vec<Attached>) -> Result<(), Error> {
        let host = self.host()?;
        if host.bridges.is_empty() && host.parents.is_empty() && live.is_empty() {
            return Ok(()); // Nobody can be attached, and nothing be left over.
        }
        let pids = live.iter().map(|attached| (attached.container.clone(), attached.pid)).collect();
        let found = reconcile::look(pids)?;
        let refused = |source| Error::Netlink { what: "look for devices of ended containers", source };
        let links = link::list(host.socket()?).map_err(refused)?;
        let bridges: Vec<u32> = host.bridges.values().map(|bridge| bridge.index).collect();
        for name in reconcile::orphans(&links, &bridges, &found) {
            tracing::info!(device = name, "deleting a device that belongs to no container");
            self.reaper.delete(name);
        }
        for found in found {
            let wanted = live.iter().find(|attached| attached.container == found.container);
            if let Some(attached) = wanted {
                self.state().adopt(&host, &links, found, attached);
            }
        }
        drop(host);
        live.iter().for_each(|attached| self.complete_change(attached));
        Ok(())
    }

    /// Carries on where an engine ended in the middle of a change: the container's record says what it wanted.
    fn complete_change(&self, attached: &Attached) {
        let Some(joining) = &attached.joining else { return };
        let container = &attached.container;
        let (unwanted, missing) = self.state().deviation(container, joining);
        for network in unwanted {
            tracing::info!(%container, network, "disconnecting from a network that the container left");
            if let Err(error) = self.leave(container, &network) {
                tracing::warn!(%container, network, error = %error::chain(&error), "cannot disconnect");
            }
        }
        for (network, spec) in missing {
            tracing::info!(%container, network, "connecting to a network that the container was to join");
            if let Err(error) = self.join(container, &network, &spec) {
                tracing::warn!(%container, network, error = %error::chain(&error), "cannot connect");
            }
        }
    }
}

impl State {
    /// Notes what a container has.
    fn adopt(&mut self, host: &Host, links: &[Link], found: Found, attached: &Attached) {
        let mut endpoints = Vec::new();
        for device in &found.devices {
            let Some((network, outside)) = place(host, links, device) else { continue };
            let Some(record) = self.record(&network) else { continue };
            let endpoint = endpoint(record, device, outside, self.spec(attached, &network));
            // An address outside of the present subnet (it was changed) stays the container's, without being ours to give.
            for own in endpoint.addresses() {
                let pools = self.addresses.get_mut(&network).into_iter().flatten();
                pools.for_each(|pool| pool.adopt(own));
            }
            endpoints.push(endpoint);
        }
        endpoints.sort_by(|a, b| a.interface.cmp(&b.interface));
        let name = attached.joining.as_ref().map(|joining| joining.name.clone()).unwrap_or_default();
        let attachments = Attachments { name, namespace: found.namespace, endpoints };
        self.attached.insert(found.container, attachments);
    }

    /// Returns what a container asked for in a network.
    fn spec(&self, attached: &Attached, network: &NetworkId) -> EndpointSpec {
        let mut wanted = attached.joining.iter().flat_map(|joining| &joining.endpoints);
        let found = wanted.find(|(name, _)| self.find(name).is_ok_and(|record| record.id == *network));
        found.map(|(_, spec)| spec.clone()).unwrap_or_default()
    }

    /// Returns the networks that a container is in and does not want, and those that it wants and is not in.
    fn deviation(
        &self,
        container: &ContainerId,
        joining: &Joining,
    ) -> (Vec<String>, Vec<(String, EndpointSpec)>) {
        let Some(attachments) = self.attached.get(container) else { return (Vec::new(), Vec::new()) };
        let is_of = |name: &str, id: &NetworkId| self.find(name).is_ok_and(|record| record.id == *id);
        let present = attachments.endpoints.iter().map(|endpoint| &endpoint.network);
        let wants = |id: &NetworkId| joining.endpoints.iter().any(|(name, _)| is_of(name, id));
        let unwanted = present.clone().filter(|id| !wants(id)).map(ToString::to_string).collect();
        let is_in = |name: &str| present.clone().any(|id| is_of(name, id));
        let missing = joining.endpoints.iter().filter(|(name, _)| !is_in(name)).cloned().collect();
        (unwanted, missing)
    }
}

/// Returns the network that a device inside is in, and its other end's name.
fn place(host: &Host, links: &[Link], device: &Device) -> Option<(NetworkId, Option<String>)> {
    if device.has_parent {
        let parent = host.parents.iter().find(|(_, index)| **index == device.peer)?;
        return Some((parent.0.clone(), None));
    }
    let outside = links.iter().find(|link| link.index == device.peer)?;
    let bridge = host.bridges.iter().find(|(_, bridge)| outside.master == Some(bridge.index))?;
    Some((bridge.0.clone(), Some(outside.name.clone())))
}

fn endpoint(record: &Record, device: &Device, outside: Option<String>, spec: EndpointSpec) -> Endpoint {
    let of_family = |ipv4: bool| {
        let own = || device.addresses.iter().map(|(address, _)| *address).filter(|own| own.is_ipv4() == ipv4);
        let in_subnet = |own: &IpAddr| record.pools.iter().any(|pool| pool.subnet().contains(*own));
        let is_local = |own: &IpAddr| match own {
            IpAddr::V4(v4) => v4.is_link_local(),
            IpAddr::V6(v6) => v6.is_unicast_link_local(),
        };
        own().find(in_subnet).or_else(|| own().find(|own| !is_local(own) && !spec.link_local.contains(own)))
    };
    let (ipv4, ipv6) = (of_family(true), of_family(false));
    Endpoint {
        network: record.id.clone(),
        interface: device.interface.clone(),
        outside,
        mac: device.mac,
        ipv4,
        ipv6,
        spec,
    }
}
