//! Networks → wire.

use network::NetworkView;
use refs::ContainerId;
use std::collections::BTreeMap;
use wire::network::{Ipam, IpamConfig, Network, NetworkContainer};

/// Returns a network; its containers only if their names are given.
pub(crate) fn network(view: &NetworkView, names: Option<&BTreeMap<ContainerId, String>>) -> Network {
    let containers = names.map(|names| {
        view.containers
            .iter()
            .map(|(id, endpoint)| {
                let container = NetworkContainer {
                    name: names.get(id).cloned().unwrap_or_default(),
                    endpoint_id: endpoint.endpoint_id.as_str().to_owned(),
                    mac_address: endpoint.mac.clone(),
                    ipv4_address: format!("{}/{}", endpoint.address, endpoint.prefix_len),
                    ipv6_address: String::new(),
                };
                (id.as_str().to_owned(), container)
            })
            .collect()
    });
    Network {
        name: view.name.clone(),
        id: view.id.as_str().to_owned(),
        created: view.created.rfc3339(),
        scope: "local".to_owned(),
        driver: view.driver.clone(),
        enable_ipv4: true,
        enable_ipv6: false,
        ipam: Ipam {
            driver: "default".to_owned(),
            options: None,
            config: view.subnet.as_ref().map(|(subnet, gateway)| {
                vec![IpamConfig {
                    subnet: subnet.to_string(),
                    ip_range: String::new(),
                    gateway: gateway.to_string(),
                }]
            }),
        },
        containers: containers.unwrap_or_default(),
        options: view.options.clone(),
        ..Default::default()
    }
}
