//! Networks and endpoints → wire, and back. Pure.

use crate::error::{Error, invalid};
use network::{
    CreateNetwork, EndpointSpec, EndpointView, InterfaceAddress, NetworkView, PoolRequest, PoolView,
};
use refs::ContainerId;
use std::collections::BTreeMap;
use std::net::IpAddr;
use wire::network as wired;

/// Returns a network; its containers only if their names are given.
pub(crate) fn network(view: &NetworkView, names: Option<&BTreeMap<ContainerId, String>>) -> wired::Network {
    let containers = names.map(|names| {
        let container = |(id, endpoint): (&ContainerId, &EndpointView)| {
            (id.as_str().to_owned(), container(names.get(id).cloned().unwrap_or_default(), endpoint))
        };
        view.containers.iter().map(container).collect()
    });
    let config: Vec<_> = view.pools.iter().map(pool).collect();
    wired::Network {
        name: view.name.clone(),
        id: view.id.as_str().to_owned(),
        created: view.created.rfc3339(),
        scope: "local".to_owned(),
        driver: view.driver.clone(),
        enable_ipv4: view.ipv4,
        enable_ipv6: view.ipv6,
        ipam: wired::Ipam {
            driver: view.ipam_driver.clone(),
            options: view.ipam_options.clone(),
            config: (!config.is_empty() || !view.is_predefined).then_some(config),
        },
        internal: view.internal,
        attachable: view.attachable,
        ingress: false,
        config_from: wired::ConfigFrom { network: view.config_from.clone() },
        config_only: view.config_only,
        containers: containers.unwrap_or_default(),
        options: view.options.clone(),
        labels: view.labels.clone(),
    }
}

fn pool(pool: &PoolView) -> wired::IpamConfig {
    wired::IpamConfig {
        subnet: pool.subnet.to_string(),
        ip_range: pool.range.map(|range| range.to_string()).unwrap_or_default(),
        gateway: pool.gateway.map(|gateway| gateway.to_string()).unwrap_or_default(),
        auxiliary_addresses: pool
            .auxiliary
            .iter()
            .map(|(name, address)| (name.clone(), address.to_string()))
            .collect(),
    }
}

fn container(name: String, endpoint: &EndpointView) -> wired::NetworkContainer {
    let text = |own: &Option<InterfaceAddress>| {
        own.map(|own| format!("{}/{}", own.address, own.prefix_len)).unwrap_or_default()
    };
    wired::NetworkContainer {
        name,
        endpoint_id: endpoint.endpoint_id.as_str().to_owned(),
        mac_address: endpoint.mac.clone(),
        ipv4_address: text(&endpoint.ipv4),
        ipv6_address: text(&endpoint.ipv6),
    }
}

/// Reads a request for a network.
pub(crate) fn create(wire: wired::NetworkCreate) -> CreateNetwork {
    let ipam = wire.ipam.unwrap_or_default();
    let pool = |pool: wired::IpamConfig| PoolRequest {
        subnet: pool.subnet,
        range: pool.ip_range,
        gateway: pool.gateway,
        auxiliary: pool.auxiliary_addresses,
    };
    CreateNetwork {
        name: wire.name,
        driver: wire.driver,
        scope: wire.scope,
        internal: wire.internal,
        attachable: wire.attachable,
        ingress: wire.ingress,
        ipv4: wire.enable_ipv4,
        ipv6: wire.enable_ipv6,
        ipam_driver: ipam.driver,
        ipam_options: ipam.options,
        pools: ipam.config.unwrap_or_default().into_iter().map(pool).collect(),
        options: wire.options.unwrap_or_default(),
        labels: wire.labels.unwrap_or_default(),
        config_only: wire.config_only,
        config_from: wire.config_from.unwrap_or_default().network,
    }
}

/// Reads a container's place in a network.
pub(crate) fn endpoint_spec(wire: wired::EndpointSettings) -> Result<EndpointSpec, Error> {
    let names_addresses = wire.ipam_config.is_some();
    let addresses = wire.ipam_config.unwrap_or_default();
    let mac = match wire.mac_address.as_str() {
        "" => None,
        text => Some(text.parse().map_err(|error: network::Error| invalid(error.to_string()))?),
    };
    let link_local = addresses.link_local_ips.unwrap_or_default();
    Ok(EndpointSpec {
        ipv4: address(&addresses.ipv4_address, "IPv4")?,
        ipv6: address(&addresses.ipv6_address, "IPv6")?,
        link_local: link_local.iter().map(|text| link_local_address(text)).collect::<Result<_, _>>()?,
        names_addresses,
        mac,
        aliases: wire.aliases.unwrap_or_default(),
        links: wire.links.unwrap_or_default(),
        driver_options: wire.driver_opts.unwrap_or_default(),
        gateway_priority: wire.gw_priority,
    })
}

fn address<T: std::str::FromStr>(text: &str, family: &str) -> Result<Option<T>, Error> {
    match text {
        "" => Ok(None),
        text => match text.parse() {
            Ok(address) => Ok(Some(address)),
            Err(_) => Err(invalid(format!("invalid endpoint settings:\ninvalid {family} address: {text}"))),
        },
    }
}

fn link_local_address(text: &str) -> Result<IpAddr, Error> {
    text.parse()
        .map_err(|_| invalid(format!("invalid endpoint settings:\ninvalid link-local IP address: {text}")))
}

/// Returns a container's place in a network: what it asked for, and what it has while it runs.
pub(crate) fn endpoint_settings(spec: &EndpointSpec, live: Option<&EndpointView>) -> wired::EndpointSettings {
    let some = |list: &[String]| (!list.is_empty()).then(|| list.to_vec());
    let own_v4 = live.and_then(|endpoint| endpoint.ipv4);
    let own_v6 = live.and_then(|endpoint| endpoint.ipv6);
    let address = |own: Option<InterfaceAddress>| own.map(|own| own.address.to_string()).unwrap_or_default();
    let gateway = |own: Option<InterfaceAddress>| {
        own.and_then(|own| own.gateway).map(|gateway| gateway.to_string()).unwrap_or_default()
    };
    let asked_mac = || spec.mac.map(|mac| mac.to_string()).unwrap_or_default();
    let link_local = spec.link_local.iter().map(ToString::to_string).collect::<Vec<_>>();
    wired::EndpointSettings {
        ipam_config: spec.names_addresses.then(|| wired::EndpointIpamConfig {
            ipv4_address: spec.ipv4.map(|own| own.to_string()).unwrap_or_default(),
            ipv6_address: spec.ipv6.map(|own| own.to_string()).unwrap_or_default(),
            link_local_ips: some(&link_local),
        }),
        links: some(&spec.links),
        aliases: some(&spec.aliases),
        mac_address: live.map_or_else(asked_mac, |endpoint| endpoint.mac.clone()),
        driver_opts: (!spec.driver_options.is_empty()).then(|| spec.driver_options.clone()),
        gw_priority: spec.gateway_priority,
        network_id: live.map(|endpoint| endpoint.network_id.as_str().to_owned()).unwrap_or_default(),
        endpoint_id: live.map(|endpoint| endpoint.endpoint_id.as_str().to_owned()).unwrap_or_default(),
        gateway: gateway(own_v4),
        ip_address: address(own_v4),
        ip_prefix_len: own_v4.map_or(0, |own| own.prefix_len.into()),
        ipv6_gateway: gateway(own_v6),
        global_ipv6_address: address(own_v6),
        global_ipv6_prefix_len: own_v6.map_or(0, |own| own.prefix_len.into()),
        dns_names: live.and_then(|endpoint| some(&endpoint.dns_names)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoint_settings_come_back_as_they_were_asked_for() {
        let wire = wired::EndpointSettings {
            ipam_config: Some(wired::EndpointIpamConfig {
                ipv4_address: "10.0.0.9".into(),
                ipv6_address: "fd00::9".into(),
                link_local_ips: Some(vec!["169.254.1.1".into()]),
            }),
            links: Some(vec!["db:database".into()]),
            aliases: Some(vec!["web".into()]),
            mac_address: "02:42:0a:00:00:09".into(),
            driver_opts: Some(BTreeMap::from([("a".into(), "b".into())])),
            gw_priority: -3,
            ..Default::default()
        };
        let spec = endpoint_spec(wire.clone()).expect("valid");
        assert_eq!(endpoint_settings(&spec, None), wire);
    }

    #[test]
    fn bad_addresses_are_named() {
        let refusal = |ipv4: &str, mac: &str| {
            let ipam_config =
                Some(wired::EndpointIpamConfig { ipv4_address: ipv4.into(), ..Default::default() });
            let wire = wired::EndpointSettings { ipam_config, mac_address: mac.into(), ..Default::default() };
            endpoint_spec(wire).expect_err("bad").to_string()
        };
        assert_eq!(refusal("bad", "zz"), "invalid MAC address zz");
        assert_eq!(refusal("bad", ""), "invalid endpoint settings:\ninvalid IPv4 address: bad");
    }
}
