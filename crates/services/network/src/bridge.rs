//! The bridges: made, or taken over.

use crate::firewall::Filtered;
use crate::options::BridgeOptions;
use crate::record::{PoolRecord, Record};
use crate::{Error, NetworkConfig, Subnet, inside, options, subnet};
use netlink::address::Address;
use netlink::{Socket, address, link, route};
use refs::NetworkId;
use std::net::IpAddr;

/// A bridge, ready for use.
#[derive(Clone, Debug)]
pub(crate) struct Bridge {
    /// The device's number.
    pub(crate) index: u32,
    /// The device's name.
    pub(crate) name: String,
    pub(crate) mtu: u32,
    pub(crate) options: BridgeOptions,
    /// The subnets, and the bridge's own addresses in them.
    pub(crate) subnets: Vec<(Subnet, IpAddr)>,
    pub(crate) internal: bool,
}

impl Bridge {
    /// Makes a network's bridge, or takes over the one that is there, with its addresses.
    pub(crate) fn ensure(
        record: &Record,
        config: &NetworkConfig,
        mark: &str,
        socket: &Socket,
        random: [u8; 4],
    ) -> Result<Self, Error> {
        let bridge = Self { index: 0, ..Self::planned(record, config)? };
        let ipv6 = bridge.subnets.iter().any(|(subnet, _)| !subnet.is_ipv4());
        let index = match find(socket, &bridge.name)? {
            Some(index) => index,
            None => create(&bridge, ipv6, &alias(mark, &record.id), socket, random)?,
        };
        let present = addresses(socket, index)?;
        let mut batch = Vec::new();
        for (subnet, gateway) in &bridge.subnets {
            let own = Address { index, address: *gateway, prefix_len: subnet.prefix_len };
            let unwanted = subnet.is_ipv4() && bridge.options.inhibit_ipv4;
            if !unwanted && !present.contains(&own) {
                batch.push(address::add(&own));
            }
        }
        batch.push(link::set_up(index));
        socket
            .batch(&batch)
            .map_err(|source| Error::Netlink { what: "give the bridge its address", source })?;
        if config.ip_forward && !bridge.internal {
            forward(&bridge)?;
        }
        Ok(Self { index, ..bridge })
    }

    /// Returns a network's bridge as it is to be; its number is not known.
    pub(crate) fn planned(record: &Record, config: &NetworkConfig) -> Result<Self, Error> {
        let mut options = options::bridge(&record.options)?;
        if record.is_default_bridge() {
            options.name = Some(config.bridge_name.clone());
            options.masquerade = config.ip_masq;
            options.inter_container = config.icc;
        }
        let name = options.name.clone().unwrap_or_else(|| format!("br-{}", record.id.short()));
        Ok(Self {
            index: 0,
            name,
            mtu: options.mtu.unwrap_or(config.mtu),
            options,
            subnets: record.pools.iter().map(|pool| (pool.subnet(), pool.gateway)).collect(),
            internal: record.internal,
        })
    }

    /// Returns what the packet filter has to know.
    pub(crate) fn filtered(&self) -> Filtered {
        let options = &self.options;
        Filtered {
            device: self.name.clone(),
            subnets: self.subnets.iter().map(|(subnet, _)| *subnet).collect(),
            internal: self.internal,
            inter_container: options.inter_container,
            masquerade: options.masquerade,
            sources: options.source_ipv4.into_iter().chain(options.source_ipv6).collect(),
            unprotected: (options.unprotected_ipv4, options.unprotected_ipv6),
        }
    }
}

/// Returns what is noted at a bridge of ours: whose it is, so that one that is left over is known again.
pub(crate) fn alias(mark: &str, network: &NetworkId) -> String {
    format!("naru:{mark}:{network}")
}

/// Returns the network's id of a bridge that this engine made.
pub(crate) fn network_of<'a>(mark: &str, alias: &'a str) -> Option<&'a str> {
    alias.strip_prefix("naru:")?.strip_prefix(mark)?.strip_prefix(':')
}

/// Returns the bridge's number if it is there.
pub(crate) fn find(socket: &Socket, name: &str) -> Result<Option<u32>, Error> {
    let found =
        link::find(socket, name).map_err(|source| Error::Netlink { what: "look up the bridge", source })?;
    match found {
        None => Ok(None),
        Some(link) if link.kind.as_deref() == Some("bridge") => Ok(Some(link.index)),
        Some(link) => {
            let kind = link.kind.unwrap_or_else(|| "a network card".into());
            Err(Error::NameTaken { name: name.to_owned(), kind })
        }
    }
}

fn create(bridge: &Bridge, ipv6: bool, alias: &str, socket: &Socket, random: [u8; 4]) -> Result<u32, Error> {
    let name = &bridge.name;
    let refused = |source| Error::Netlink { what: "create the bridge", source };
    // A bridge without an address of its own takes that of its ports, and changes it as they come and go.
    let mac = [0x02, 0x42, random[0], random[1], random[2], random[3]];
    match socket.batch(&[link::create_bridge(name, mac, bridge.mtu)]) {
        Err(error) if error.already_exists() => {} // Another engine was faster.
        other => other.map_err(refused)?,
    }
    // No container may configure the host by router advertisements (CVE-2020-13401).
    let disabled = if ipv6 { "0" } else { "1" };
    for (key, value) in [("accept_ra", "0"), ("disable_ipv6", disabled)] {
        inside::optional_sysctl(&format!("net/ipv6/conf/{name}/{key}"), value)?;
    }
    let index = find(socket, name)?.ok_or_else(|| Error::NotFound(name.clone()))?;
    socket.batch(&[link::set_alias(index, alias)]).map_err(refused)?;
    Ok(index)
}

/// Switches forwarding on.
fn forward(bridge: &Bridge) -> Result<(), Error> {
    inside::sysctl("net/ipv4/ip_forward", "1")?;
    if bridge.subnets.iter().any(|(subnet, _)| !subnet.is_ipv4()) {
        inside::forward_ipv6()?;
    }
    Ok(())
}

pub(crate) fn addresses(socket: &Socket, index: u32) -> Result<Vec<Address>, Error> {
    let all =
        address::list(socket).map_err(|source| Error::Netlink { what: "list the addresses", source })?;
    Ok(all.into_iter().filter(|address| address.index == index).collect())
}

/// Returns the networks that the host reaches by other links than these.
pub(crate) fn used(socket: &Socket, bridges: &[u32]) -> Result<Vec<Subnet>, Error> {
    let routes = route::list(socket).map_err(|source| Error::Netlink { what: "list the routes", source })?;
    let elsewhere = |route: &route::Destination| {
        let link_local = match route.address {
            IpAddr::V4(_) => false,
            IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.is_multicast(),
        };
        route.prefix_len > 0 && !link_local && !route.index.is_some_and(|index| bridges.contains(&index))
    };
    let found = routes.into_iter().filter(elsewhere);
    Ok(found.map(|route| Subnet::containing(route.address, route.prefix_len)).collect())
}

/// Chooses the subnets of the default bridge: the configured one, else that of the bridge as it is, else the recorded
/// one if it is still free, else the first free one of the pools. `used` has what is in use elsewhere.
pub(crate) fn choose_default(
    config: &NetworkConfig,
    recorded: &[PoolRecord],
    present: &[Address],
    used: &[Subnet],
) -> Result<Vec<PoolRecord>, Error> {
    let mut pools = vec![choose_ipv4(config, recorded, present, used)?];
    if config.ipv6 {
        pools.push(choose_ipv6(config, recorded, used)?);
    }
    Ok(pools)
}

fn choose_ipv4(
    config: &NetworkConfig,
    recorded: &[PoolRecord],
    present: &[Address],
    used: &[Subnet],
) -> Result<PoolRecord, Error> {
    let range = config.fixed_cidr.map(|range| (range.address, range.prefix_len));
    if let Some((subnet, gateway)) = config.subnet {
        return Ok(PoolRecord { range, ..PoolRecord::plain(subnet, gateway) });
    }
    let fits = |subnet: Subnet| config.fixed_cidr.is_none_or(|range| subnet.covers(range));
    if let Some(known) = present.iter().find(|known| known.address.is_ipv4()) {
        let subnet = Subnet::containing(known.address, known.prefix_len);
        if fits(subnet) {
            return Ok(PoolRecord { range, ..PoolRecord::plain(subnet, known.address) });
        }
    }
    let free = |pool: &&PoolRecord| {
        pool.address.is_ipv4()
            && fits(pool.subnet())
            && used.iter().all(|other| !pool.subnet().overlaps(*other))
    };
    if let Some(pool) = recorded.iter().find(free) {
        return Ok(PoolRecord { range, ..pool.clone() });
    }
    if let Some(range) = config.fixed_cidr {
        // As Docker does: without an address of the bridge the range is the subnet.
        return Ok(PoolRecord::plain(range, range.first_host()));
    }
    let ipv4: Vec<_> = config.default_pools.iter().filter(|(range, _)| range.is_ipv4()).copied().collect();
    let subnet = subnet::choose(&ipv4, used).ok_or(Error::NoSubnet)?;
    Ok(PoolRecord::plain(subnet, subnet.first_host()))
}

fn choose_ipv6(
    config: &NetworkConfig,
    recorded: &[PoolRecord],
    used: &[Subnet],
) -> Result<PoolRecord, Error> {
    if let Some(subnet) = config.fixed_cidr_v6 {
        return Ok(PoolRecord::plain(subnet, subnet.first_host()));
    }
    let free = |pool: &&PoolRecord| {
        !pool.address.is_ipv4() && used.iter().all(|other| !pool.subnet().overlaps(*other))
    };
    if let Some(pool) = recorded.iter().find(free) {
        return Ok(pool.clone());
    }
    let ipv6: Vec<_> = config.default_pools.iter().filter(|(range, _)| !range.is_ipv4()).copied().collect();
    let subnet = subnet::choose(&ipv6, used).ok_or(Error::NoSubnet)?;
    Ok(PoolRecord::plain(subnet, subnet.first_host()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(text: &str) -> Subnet {
        text.parse().expect("valid")
    }

    fn pool(text: &str) -> PoolRecord {
        PoolRecord::plain(subnet(text), subnet(text).first_host())
    }

    #[test]
    fn default_bridge_prefers_configured_then_present_then_recorded_then_pools() {
        let plain = NetworkConfig::default();
        let own = (subnet("10.1.0.0/24"), "10.1.0.9".parse().expect("valid"));
        let configured = NetworkConfig { subnet: Some(own), ..NetworkConfig::default() };
        let present = [Address { index: 3, address: "10.2.0.9".parse().expect("valid"), prefix_len: 24 }];
        let recorded = [pool("10.3.0.0/24")];
        let taken = [subnet("10.0.0.0/8")];
        let gateways = [
            choose_default(&configured, &recorded, &present, &[]),
            choose_default(&plain, &recorded, &present, &[]),
            choose_default(&plain, &recorded, &[], &[]),
            choose_default(&plain, &recorded, &[], &taken),
            choose_default(&plain, &[], &[], &[]),
        ]
        .map(|chosen| chosen.expect("a subnet")[0].gateway.to_string());
        assert_eq!(gateways, ["10.1.0.9", "10.2.0.9", "10.3.0.1", "172.17.0.1", "172.17.0.1"]);
    }

    #[test]
    fn fixed_range_is_given_from() {
        let range = Some(subnet("10.1.0.128/25"));
        let own = (subnet("10.1.0.0/24"), subnet("10.1.0.0/24").first_host());
        let with = NetworkConfig { subnet: Some(own), fixed_cidr: range, ..NetworkConfig::default() };
        let chosen = choose_default(&with, &[], &[], &[]).expect("a subnet");
        assert_eq!((chosen[0].subnet(), chosen[0].range()), (own.0, range));
        let alone = NetworkConfig { fixed_cidr: range, ..NetworkConfig::default() };
        let chosen = choose_default(&alone, &[], &[], &[]).expect("a subnet");
        assert_eq!((chosen[0].subnet(), chosen[0].range()), (subnet("10.1.0.128/25"), None));
    }

    #[test]
    fn alias_says_whose_bridge_it_is() {
        let id = NetworkId::generate([3; 32]);
        let alias = alias("abc", &id);
        assert_eq!(network_of("abc", &alias), Some(id.as_str()));
        assert_eq!((network_of("ab", &alias), network_of("abc", "my bridge")), (None, None));
    }
}
