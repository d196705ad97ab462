//! Connecting and disconnecting containers.

use super::host::Host;
use super::networks::check_endpoint;
use super::show::{difference, prefix_len, ways};
use super::{Attachments, Inner, Joining, State, random};
use crate::endpoint::{self, Endpoint, Ground, INSIDE_PREFIX, Planned, outside_name};
use crate::ipam::{self, Addresses, Denied};
use crate::record::Record;
use crate::sandbox::Sandbox;
use crate::{EndpointSpec, EndpointView, Error, Mac};
use netlink::link;
use refs::ContainerId;
use std::net::IpAddr;
use std::os::fd::AsFd as _;
use std::sync::Arc;

impl Inner {
    pub(super) fn connect(
        &self,
        container: &ContainerId,
        sandbox: &Sandbox,
        joining: &Joining,
    ) -> Result<Vec<EndpointView>, Error> {
        match self.try_connect(container, sandbox, joining) {
            // Somebody may have deleted a bridge behind our back: it is made again, once.
            Err(Error::Netlink { what, source }) if self.forget_lost_devices() => {
                tracing::warn!(what, error = %error::chain(&source), "a bridge is gone; making it again");
                self.try_connect(container, sandbox, joining)
            }
            done => done,
        }
    }

    fn try_connect(
        &self,
        container: &ContainerId,
        sandbox: &Sandbox,
        joining: &Joining,
    ) -> Result<Vec<EndpointView>, Error> {
        let mut host = self.host()?;
        let mut grounds = Vec::with_capacity(joining.endpoints.len());
        for (network, spec) in &joining.endpoints {
            grounds.push((self.ground_of(&mut host, network)?, spec));
        }
        let namespace = sandbox.namespace.try_clone().map_err(Error::Descriptor)?;
        let attachments =
            Attachments { name: joining.name.clone(), namespace: Arc::new(namespace), endpoints: Vec::new() };
        let mut state = self.state();
        if let Some(known) = state.attached.get(container).and_then(|known| known.endpoints.first()) {
            return Err(self.attached(&state, &joining.name, known));
        }
        state.attached.insert(container.clone(), attachments);
        let planned = grounds
            .into_iter()
            .map(|((record, ground), spec)| state.reserve(container, &record, ground, spec));
        let planned: Result<Vec<_>, Error> = planned.collect();
        let all = state.attached.get(container).map(|attachments| ways(&state, attachments));
        drop(state);
        let ways = all.unwrap_or_default().into_values().collect();
        let connected = planned.and_then(|planned| {
            let (socket, namespace) = (host.socket()?, sandbox.namespace.as_fd());
            endpoint::connect(socket, namespace, &sandbox.socket, &planned, &ways, &[])
        });
        drop(host);
        if let Err(error) = connected {
            self.detach(container);
            return Err(error);
        }
        Ok(self.endpoints(container))
    }

    fn attached(&self, state: &State, container: &str, endpoint: &Endpoint) -> Error {
        let network = state.record(&endpoint.network).map(|record| record.name.clone()).unwrap_or_default();
        Error::Attached { container: container.to_owned(), network }
    }

    /// Finds a network, and makes its devices ready.
    fn ground_of(&self, host: &mut Host, network: &str) -> Result<(Record, Ground), Error> {
        let record = self.state().find(network)?.clone();
        let ground = self.ground(host, &record)?;
        // The default bridge's subnets are chosen when it is made.
        let record = self.state().record(&record.id).cloned().unwrap_or(record);
        Ok((record, ground))
    }

    pub(super) fn join(
        &self,
        container: &ContainerId,
        network: &str,
        spec: &EndpointSpec,
    ) -> Result<EndpointView, Error> {
        let mut host = self.host()?;
        let (record, ground) = self.ground_of(&mut host, network)?;
        let (planned, namespace, (added, replaced)) = {
            let mut state = self.state();
            let not_attached =
                || Error::NotAttached { container: container.to_string(), network: network.to_owned() };
            let attachments = state.attached.get(container).ok_or_else(not_attached)?;
            if let Some(known) = attachments.endpoints.iter().find(|known| known.network == record.id) {
                return Err(self.attached(&state, &attachments.name, known));
            }
            let before = ways(&state, attachments);
            let namespace = Arc::clone(&attachments.namespace);
            let planned = state.reserve(container, &record, ground, spec)?;
            let attachments = state.attached.get(container).ok_or_else(not_attached)?;
            (planned, namespace, difference(&before, &ways(&state, attachments)))
        };
        let connected = endpoint::socket_in(&namespace).and_then(|socket| {
            let planned = std::slice::from_ref(&planned);
            endpoint::connect(host.socket()?, namespace.as_fd(), &socket, planned, &added, &replaced)
        });
        if let Err(error) = connected {
            // The first error counts: the old default route comes back with the rest.
            let _ = self.take_out(&host, container, &planned.endpoint);
            return Err(error);
        }
        drop(host);
        let state = self.state();
        let attachments = state.attached.get(container).ok_or(Error::Closed)?; // Detached meanwhile.
        self.endpoint_view(&state, container, attachments, &planned.endpoint).ok_or(Error::Closed)
    }

    pub(super) fn leave(&self, container: &ContainerId, network: &str) -> Result<EndpointView, Error> {
        let host = self.host()?;
        let (endpoint, view) = {
            let state = self.state();
            let record = state.find(network)?;
            let not_attached =
                || Error::NotAttached { container: container.to_string(), network: record.name.clone() };
            let attachments = state.attached.get(container).ok_or_else(not_attached)?;
            let found = attachments.endpoints.iter().find(|endpoint| endpoint.network == record.id);
            let found = found.ok_or_else(not_attached)?;
            let view = self.endpoint_view(&state, container, attachments, found).ok_or_else(not_attached)?;
            (found.clone(), view)
        };
        self.take_out(&host, container, &endpoint)?;
        Ok(view)
    }

    /// Takes an endpoint out of a running container: device, addresses, default route.
    fn take_out(&self, host: &Host, container: &ContainerId, endpoint: &Endpoint) -> Result<(), Error> {
        let mut state = self.state();
        let Some(attachments) = state.attached.get(container) else { return Ok(()) };
        let before = ways(&state, attachments);
        let namespace = Arc::clone(&attachments.namespace);
        if let Some(attachments) = state.attached.get_mut(container) {
            attachments.endpoints.retain(|known| known.network != endpoint.network);
        }
        state.release(endpoint);
        let Some(attachments) = state.attached.get(container) else { return Ok(()) };
        let (added, replaced) = difference(&before, &ways(&state, attachments));
        drop(state);
        let refused = |source| Error::Netlink { what: "delete the container's device", source };
        let socket = endpoint::socket_in(&namespace)?;
        let (end, name) = match &endpoint.outside {
            Some(outside) => (host.socket()?, outside),
            None => (&socket, &endpoint.interface),
        };
        // Its routes go with it. A container that ended meanwhile has taken it along.
        match end.batch(&[link::delete(name)]) {
            Err(error) if error.is_absent() => {}
            other => other.map_err(refused)?,
        }
        endpoint::reroute(&socket, &added, &replaced)
    }

    pub(super) fn detach(&self, container: &ContainerId) {
        let mut state = self.state();
        let Some(attachments) = state.attached.remove(container) else { return };
        for endpoint in &attachments.endpoints {
            state.release(endpoint);
        }
        drop(state);
        for outside in attachments.endpoints.into_iter().filter_map(|endpoint| endpoint.outside) {
            self.reaper.delete(outside);
        }
    }
}

impl State {
    /// Takes addresses for an endpoint and notes it with the container.
    fn reserve(
        &mut self,
        container: &ContainerId,
        record: &Record,
        ground: Ground,
        spec: &EndpointSpec,
    ) -> Result<Planned, Error> {
        check_endpoint(record, spec)?;
        let options = spec.options()?;
        self.check_mac(record, spec.mac)?;
        let ipv4 = self.take(record, true, spec.ipv4.map(IpAddr::from))?;
        let ipv6 = match self.take(record, false, spec.ipv6.map(IpAddr::from)) {
            Ok(ipv6) => ipv6,
            Err(error) => {
                ipv4.into_iter().for_each(|address| self.give_back(record, address));
                return Err(error);
            }
        };
        let prefix = match &ground {
            Ground::Bridge(bridge) => bridge.options.interface_prefix.as_deref(),
            Ground::Parent { .. } => None,
        };
        let used = self.attached.get(container).into_iter().flat_map(|attachments| &attachments.endpoints);
        let used = used.map(|endpoint| endpoint.interface.as_str());
        let interface = options
            .interface
            .clone()
            .unwrap_or_else(|| endpoint::free_interface(prefix.unwrap_or(INSIDE_PREFIX), used));
        let endpoint = Endpoint {
            network: record.id.clone(),
            spec: spec.clone(),
            interface,
            outside: matches!(ground, Ground::Bridge(_)).then(|| outside_name(random())),
            mac: spec.mac.map_or_else(|| ipam::mac(ipv4, random()), |mac| mac.0),
            ipv4,
            ipv6,
        };
        if let Some(attachments) = self.attached.get_mut(container) {
            attachments.endpoints.push(endpoint.clone());
        }
        let addresses = endpoint.addresses().map(|own| (own, prefix_len(record, own))).collect();
        Ok(Planned { endpoint, options, ground, addresses })
    }

    /// Takes the address that is asked for, or the next free one; none if the network has none of the family.
    fn take(&mut self, record: &Record, ipv4: bool, wanted: Option<IpAddr>) -> Result<Option<IpAddr>, Error> {
        let pools = self.addresses.get_mut(&record.id).into_iter().flatten();
        let mut pools = pools.filter(|pool| pool.subnet().is_ipv4() == ipv4).peekable();
        if pools.peek().is_none() {
            return Ok(None);
        }
        let Some(wanted) = wanted else {
            let mut subnet = String::new();
            for pool in pools {
                if let Some(address) = pool.take() {
                    return Ok(Some(address));
                }
                subnet = pool.subnet().to_string();
            }
            return Err(Error::NoAddress {
                family: if ipv4 { "IPv4" } else { "IPv6" },
                network: record.name.clone(),
                subnet,
            });
        };
        let mut claims = pools.map(|pool| pool.claim(wanted));
        match claims.find(|claim| *claim != Err(Denied::Outside)) {
            Some(Ok(())) => Ok(Some(wanted)),
            Some(Err(_)) => Err(Error::AddressTaken),
            None => Err(Error::Endpoint(vec![format!(
                "no configured subnet or ip-range contain the IP address {wanted}"
            )])),
        }
    }

    fn check_mac(&self, record: &Record, mac: Option<Mac>) -> Result<(), Error> {
        let Some(mac) = mac else { return Ok(()) };
        let has_it = |endpoint: &Endpoint| endpoint.network == record.id && endpoint.mac == mac.0;
        match self.attached.values().find(|attachments| attachments.endpoints.iter().any(has_it)) {
            None => Ok(()),
            Some(owner) => Err(Error::MacTaken {
                mac: mac.to_string(),
                network: record.name.clone(),
                container: owner.name.clone(),
            }),
        }
    }

    /// Gives an endpoint's addresses back.
    fn release(&mut self, endpoint: &Endpoint) {
        let pools = self.addresses.get_mut(&endpoint.network).into_iter().flatten();
        let pools: Vec<&mut Addresses> = pools.collect();
        for pool in pools {
            endpoint.addresses().for_each(|address| pool.release(address));
        }
    }

    fn give_back(&mut self, record: &Record, address: IpAddr) {
        self.addresses.get_mut(&record.id).into_iter().flatten().for_each(|pool| pool.release(address));
    }
}
