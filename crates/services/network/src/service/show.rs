//! What others see.

use super::{Attachments, Inner, State};
use crate::bridge::Bridge;
use crate::endpoint::{self, Endpoint, Way, Ways};
use crate::gateway::{self, Candidate};
use crate::record::{Driver, PoolRecord, Record};
use crate::{EndpointView, InterfaceAddress, Mac, NamedEndpoint, NetworkNames, NetworkView, PoolView};
use netlink::link::SharingMode;
use netlink::route::Family;
use refs::ContainerId;
use std::collections::BTreeMap;
use std::net::IpAddr;

impl Inner {
    pub(super) fn view(&self, state: &State, record: &Record) -> NetworkView {
        let attached = state.attached.iter();
        let containers = attached.filter_map(|(container, attachments)| {
            let endpoint = attachments.endpoints.iter().find(|endpoint| endpoint.network == record.id)?;
            Some((container.clone(), self.endpoint_view(state, container, attachments, endpoint)?))
        });
        let shows_all = record.is_default_bridge();
        let pool = |pool: &PoolRecord| PoolView {
            subnet: pool.subnet(),
            range: pool.range(),
            gateway: (pool.shows_gateway || shows_all).then_some(pool.gateway),
            auxiliary: pool.auxiliary.clone(),
        };
        NetworkView {
            id: record.id.clone(),
            name: record.name.clone(),
            driver: record.driver.as_str().to_owned(),
            created: record.created,
            is_predefined: record.is_predefined(),
            ipv4: record.ipv4,
            ipv6: record.ipv6,
            internal: record.internal,
            attachable: record.attachable,
            ipam_driver: record.ipam_driver.clone(),
            ipam_options: record.ipam_options.clone(),
            pools: record.pools.iter().map(pool).collect(),
            options: if shows_all { self.default_options() } else { record.options.clone() },
            labels: record.labels.clone(),
            config_only: record.config_only,
            config_from: record.config_from.clone(),
            containers: containers.collect(),
        }
    }

    pub(super) fn endpoints(&self, container: &ContainerId) -> Vec<EndpointView> {
        let state = self.state();
        let Some(attachments) = state.attached.get(container) else { return Vec::new() };
        let view = |endpoint| self.endpoint_view(&state, container, attachments, endpoint);
        attachments.endpoints.iter().filter_map(view).collect()
    }

    pub(super) fn endpoint_view(
        &self,
        state: &State,
        container: &ContainerId,
        attachments: &Attachments,
        endpoint: &Endpoint,
    ) -> Option<EndpointView> {
        let record = state.record(&endpoint.network)?;
        let address = |own: Option<IpAddr>| {
            own.map(|address| InterfaceAddress {
                address,
                prefix_len: prefix_len(record, address),
                gateway: match way(record, address) {
                    Some(Way::Gateway(gateway)) => Some(gateway),
                    Some(Way::Link(_)) | None => None,
                },
            })
        };
        let leads = |family| chosen(state, attachments, family) == Some(endpoint);
        Some(EndpointView {
            network_id: record.id.clone(),
            network_name: record.name.clone(),
            driver: record.driver.as_str().to_owned(),
            endpoint_id: endpoint::id(container, &record.id),
            interface: endpoint.interface.clone(),
            mac: Mac(endpoint.mac).to_string(),
            ipv4: address(endpoint.ipv4),
            ipv6: address(endpoint.ipv6),
            dns_names: if record.is_predefined() {
                Vec::new()
            } else {
                names(container, &attachments.name, endpoint)
            },
            bridge: match record.driver {
                Driver::Bridge => Bridge::planned(record, &self.config).ok().map(|bridge| bridge.name),
                Driver::Macvlan | Driver::Ipvlan | Driver::Host | Driver::Null => None,
            },
            is_gateway: leads(Family::V4),
            is_gateway_v6: leads(Family::V6),
        })
    }

    pub(super) fn names(&self, container: &ContainerId) -> Vec<NetworkNames> {
        let state = self.state();
        let Some(own) = state.attached.get(container) else { return Vec::new() };
        let of = |mine: &Endpoint| {
            let record = state.record(&mine.network).filter(|record| !record.is_predefined())?;
            let others = state.attached.iter().flat_map(|(container, attachments)| {
                attachments.endpoints.iter().map(move |endpoint| (container, attachments, endpoint))
            });
            let named =
                |(container, attachments, endpoint): (&ContainerId, &Attachments, &Endpoint)| NamedEndpoint {
                    container: container.clone(),
                    names: names(container, &attachments.name, endpoint),
                    ipv4: endpoint.ipv4,
                    ipv6: endpoint.ipv6,
                };
            Some(NetworkNames {
                network: record.name.clone(),
                internal: record.internal,
                links: mine.spec.links.clone(),
                endpoints: others
                    .filter(|(_, _, endpoint)| endpoint.network == mine.network)
                    .map(named)
                    .collect(),
            })
        };
        own.endpoints.iter().filter_map(of).collect()
    }

    /// Returns the default bridge's options as `docker network inspect bridge` has them.
    fn default_options(&self) -> BTreeMap<String, String> {
        let options = [
            ("com.docker.network.bridge.default_bridge", "true".to_owned()),
            ("com.docker.network.bridge.enable_icc", self.config.icc.to_string()),
            ("com.docker.network.bridge.enable_ip_masquerade", self.config.ip_masq.to_string()),
            ("com.docker.network.bridge.host_binding_ipv4", "0.0.0.0".to_owned()),
            ("com.docker.network.bridge.name", self.config.bridge_name.clone()),
            ("com.docker.network.driver.mtu", self.config.mtu.to_string()),
        ];
        options.map(|(key, value)| (key.to_owned(), value)).into()
    }
}

/// Returns the names of an endpoint in its network, each once.
fn names(container: &ContainerId, name: &str, endpoint: &Endpoint) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let all = [name].into_iter().chain(endpoint.spec.aliases.iter().map(String::as_str));
    for name in all.chain([container.short()]) {
        if !name.is_empty() && names.iter().all(|known| known != name) {
            names.push(name.to_owned());
        }
    }
    names
}

/// Returns the length of the network's part of an address.
pub(super) fn prefix_len(record: &Record, address: IpAddr) -> u8 {
    let whole = if address.is_ipv4() { 32 } else { 128 };
    let pool = record.pools.iter().find(|pool| pool.subnet().contains(address));
    pool.or_else(|| record.pool(address.is_ipv4())).map_or(whole, |pool| pool.prefix_len)
}

/// Returns the way out of a network from an address of it.
fn way(record: &Record, address: IpAddr) -> Option<Way> {
    if record.internal {
        return None;
    }
    let pool = record.pools.iter().find(|pool| pool.subnet().contains(address));
    let pool = pool.or_else(|| record.pool(address.is_ipv4()))?;
    let is_routed = record.driver == Driver::Ipvlan
        && super::host::sharing(record)
            .is_ok_and(|sharing| !matches!(sharing.mode, SharingMode::Ipvlan(0, _)));
    Some(match is_routed {
        true => Way::Link(if address.is_ipv4() { Family::V4 } else { Family::V6 }),
        false => Way::Gateway(pool.gateway),
    })
}

fn address_of(endpoint: &Endpoint, family: Family) -> Option<IpAddr> {
    match family {
        Family::V4 => endpoint.ipv4,
        Family::V6 => endpoint.ipv6,
    }
}

/// Returns the endpoint with a family's default route.
fn chosen<'a>(state: &State, attachments: &'a Attachments, family: Family) -> Option<&'a Endpoint> {
    let candidate = |endpoint: &Endpoint| {
        let record = state.record(&endpoint.network);
        let has_gateway = record
            .zip(address_of(endpoint, family))
            .is_some_and(|(record, address)| way(record, address).is_some());
        Candidate {
            network: record.map_or("", |record| record.name.as_str()),
            priority: endpoint.spec.gateway_priority,
            has_gateway,
        }
    };
    let candidates: Vec<_> = attachments.endpoints.iter().map(candidate).collect();
    attachments.endpoints.get(gateway::choose(&candidates)?)
}

/// Returns the endpoint with the IPv4 default route, else with that of IPv6.
pub(super) fn gateway_endpoint<'a>(state: &State, attachments: &'a Attachments) -> Option<&'a Endpoint> {
    chosen(state, attachments, Family::V4).or_else(|| chosen(state, attachments, Family::V6))
}

/// Returns a container's default routes, by family.
pub(super) fn ways(state: &State, attachments: &Attachments) -> BTreeMap<Family, (String, Way)> {
    let of = |family| {
        let endpoint = chosen(state, attachments, family)?;
        let way = way(state.record(&endpoint.network)?, address_of(endpoint, family)?)?;
        Some((family, (endpoint.interface.clone(), way)))
    };
    [Family::V4, Family::V6].into_iter().filter_map(of).collect()
}

/// Returns the default routes that are others than before, and the families whose old ones go.
pub(super) fn difference(
    before: &BTreeMap<Family, (String, Way)>,
    after: &BTreeMap<Family, (String, Way)>,
) -> (Ways, Vec<Family>) {
    let added = after.iter().filter(|(family, way)| before.get(family) != Some(way));
    let replaced = before.iter().filter(|(family, way)| after.get(family) != Some(way));
    (added.map(|(_, way)| way.clone()).collect(), replaced.map(|(family, _)| *family).collect())
}
