//! The bridge: made, or taken over, on first use.

use crate::ipam::Addresses;
use crate::record::SubnetRecord;
use crate::{Error, NetworkConfig, Subnet, firewall, subnet};
use netlink::address::Address;
use netlink::{Socket, address, link, nft, route};
use std::fs;
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::path::Path;

/// The bridge, ready for use.
#[derive(Debug)]
pub(crate) struct Bridge {
    /// The device's number.
    pub(crate) index: u32,
    /// The subnet and the bridge's own address.
    pub(crate) subnet: Subnet,
    pub(crate) gateway: Ipv4Addr,
}

impl Bridge {
    /// Makes the bridge, or takes over the one that is there, with its address, its packet filter and forwarding.
    ///
    /// The subnet is the configured one, else that of the bridge as it is, else the recorded one if it is still free,
    /// else the first free one of the pools.
    pub(crate) fn ensure(
        config: &NetworkConfig,
        recorded: Option<SubnetRecord>,
        socket: &Socket,
        random: [u8; 4],
    ) -> Result<Self, Error> {
        let name = &config.bridge_name;
        let index = match find(socket, name)? {
            Some(index) => index,
            None => create(config, socket, random)?,
        };
        let present = addresses(socket, index)?;
        let (subnet, gateway) = choose(config, recorded, &present, || used(socket, index))?;
        let mut batch = Vec::new();
        if !present.iter().any(|known| known.address == gateway && known.prefix_len == subnet.prefix_len) {
            batch.push(address::add(&Address { index, address: gateway, prefix_len: subnet.prefix_len }));
        }
        batch.push(link::set_up(index));
        socket
            .batch(&batch)
            .map_err(|source| Error::Netlink { what: "give the bridge its address", source })?;
        if config.ip_forward {
            sysctl("net/ipv4/ip_forward", "1")?;
        }
        let bridge = Self { index, subnet, gateway };
        bridge.assert_firewall(config)?;
        Ok(bridge)
    }

    /// Puts the packet filter in place, whatever was there.
    pub(crate) fn assert_firewall(&self, config: &NetworkConfig) -> Result<(), Error> {
        let refused = |source| Error::Netlink { what: "set up the packet filter of the bridge", source };
        let socket = Socket::netfilter().map_err(refused)?;
        nft::replace(&socket, &firewall::table(config, self.subnet)).map_err(refused)
    }

    /// Returns the addresses for containers, all free.
    pub(crate) fn pool(&self) -> Addresses {
        Addresses::new(self.subnet, self.gateway)
    }
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

fn create(config: &NetworkConfig, socket: &Socket, random: [u8; 4]) -> Result<u32, Error> {
    let name = &config.bridge_name;
    let refused = |source| Error::Netlink { what: "create the bridge", source };
    // A bridge without an address of its own takes that of its ports, and changes it as they come and go.
    let mac = [0x02, 0x42, random[0], random[1], random[2], random[3]];
    match socket.batch(&[link::create_bridge(name, mac, config.mtu)]) {
        Err(error) if error.already_exists() => {} // Another engine was faster.
        other => other.map_err(refused)?,
    }
    // IPv4 only; and no container may configure the host by router advertisements (CVE-2020-13401).
    for (key, value) in [("accept_ra", "0"), ("disable_ipv6", "1")] {
        optional_sysctl(&format!("net/ipv6/conf/{name}/{key}"), value)?;
    }
    find(socket, name)?.ok_or_else(|| Error::NotFound(name.clone()))
}

fn addresses(socket: &Socket, index: u32) -> Result<Vec<Address>, Error> {
    let all =
        address::list(socket).map_err(|source| Error::Netlink { what: "list the addresses", source })?;
    Ok(all.into_iter().filter(|address| address.index == index).collect())
}

/// Returns the networks that the host reaches by other links than the bridge.
fn used(socket: &Socket, bridge: u32) -> Result<Vec<Subnet>, Error> {
    let routes = route::list(socket).map_err(|source| Error::Netlink { what: "list the routes", source })?;
    let elsewhere = routes.into_iter().filter(|route| route.prefix_len > 0 && route.index != Some(bridge));
    Ok(elsewhere.map(|route| Subnet::containing(route.address, route.prefix_len)).collect())
}

fn choose(
    config: &NetworkConfig,
    recorded: Option<SubnetRecord>,
    present: &[Address],
    used: impl FnOnce() -> Result<Vec<Subnet>, Error>,
) -> Result<(Subnet, Ipv4Addr), Error> {
    if let Some(subnet) = config.subnet {
        return Ok((subnet, subnet.first_host()));
    }
    if let Some(known) = present.first() {
        return Ok((Subnet::containing(known.address, known.prefix_len), known.address));
    }
    let used = used()?;
    let free = |record: &SubnetRecord| used.iter().all(|other| !record.subnet().overlaps(*other));
    if let Some(record) = recorded.filter(free) {
        return Ok((record.subnet(), record.gateway));
    }
    let subnet = subnet::choose(&config.default_pools, &used).ok_or(Error::NoSubnet)?;
    Ok((subnet, subnet.first_host()))
}

/// Sets a kernel parameter of the calling thread's network namespace, unless it has the value already: /proc/sys may be
/// read-only.
pub(crate) fn sysctl(key: &str, value: &'static str) -> Result<(), Error> {
    let path = Path::new("/proc/sys").join(key);
    if fs::read_to_string(&path).is_ok_and(|present| present.trim_end() == value) {
        return Ok(());
    }
    fs::write(&path, value).map_err(|source| Error::Sysctl { path, value, source })
}

/// Like [`sysctl`]; a parameter that the kernel does not have is fine.
pub(crate) fn optional_sysctl(key: &str, value: &'static str) -> Result<(), Error> {
    match sysctl(key, value) {
        Err(Error::Sysctl { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(text: &str) -> Subnet {
        text.parse().expect("valid")
    }

    fn record(text: &str) -> SubnetRecord {
        let subnet = subnet(text);
        SubnetRecord { address: subnet.address, prefix_len: subnet.prefix_len, gateway: subnet.first_host() }
    }

    #[test]
    fn choose_prefers_configured_then_present_then_recorded_then_pools() {
        let plain = NetworkConfig::default();
        let configured = NetworkConfig { subnet: Some(subnet("10.1.0.0/24")), ..NetworkConfig::default() };
        let present = [Address { index: 3, address: "10.2.0.9".parse().expect("valid"), prefix_len: 24 }];
        let recorded = Some(record("10.3.0.0/24"));
        let free = || Ok(Vec::new());
        let taken = || Ok(vec![subnet("10.0.0.0/8")]);
        let gateways = [
            choose(&configured, recorded, &present, free),
            choose(&plain, recorded, &present, free),
            choose(&plain, recorded, &[], free),
            choose(&plain, recorded, &[], taken),
            choose(&plain, None, &[], free),
        ]
        .map(|chosen| chosen.expect("a subnet").1.to_string());
        assert_eq!(gateways, ["10.1.0.1", "10.2.0.9", "10.3.0.1", "172.17.0.1", "172.17.0.1"]);
    }
}
