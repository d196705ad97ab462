//! The engine's side: bridges and parent devices as they are in the kernel.

use super::{Inner, random};
use crate::bridge::{self, Bridge};
use crate::endpoint::Ground;
use crate::record::{self, Driver, Record};
use crate::{Error, NetworkConfig, coexist, firewall, options, parent};
use netlink::nft::{self, Family, monitor};
use netlink::{Socket, link};
use refs::NetworkId;
use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};

/// What is needed to speak with the kernel: there since the first use.
#[derive(Debug, Default)]
pub(super) struct Host {
    socket: Option<Socket>,
    /// The bridges that are ready, by network.
    pub(super) bridges: BTreeMap<NetworkId, Bridge>,
    /// The parent devices that are ready, by network.
    pub(super) parents: BTreeMap<NetworkId, u32>,
}

impl Host {
    /// Returns the socket.
    pub(super) fn socket(&self) -> Result<&Socket, Error> {
        self.socket.as_ref().ok_or(Error::Closed) // Opened by `Inner::host`.
    }

    /// Puts the packet filter in place, whatever was there.
    pub(super) fn assert_firewall(&self, config: &NetworkConfig) -> Result<(), Error> {
        let refused = |source| Error::Netlink { what: "set up the packet filter of the bridges", source };
        let socket = Socket::netfilter().map_err(refused)?;
        for (family, table) in self.tables(config) {
            match table {
                Some(table) => nft::replace(&socket, family, &table),
                None => nft::delete(&socket, family, &firewall::name(&config.bridge_name)),
            }
            .map_err(refused)?;
        }
        self.let_pass(&socket)
    }

    /// Puts back what another program deleted of the packet filter.
    pub(super) fn repair_firewall(&self, config: &NetworkConfig) -> Result<(), Error> {
        let refused = |source| Error::Netlink { what: "look at the packet filter", source };
        let socket = Socket::netfilter().map_err(refused)?;
        for (family, table) in self.tables(config) {
            let Some(table) = table else { continue };
            let expected: usize = table.chains.iter().map(|chain| chain.rules.len()).sum();
            let present = monitor::rules(&socket, family, &table.name, None).map_err(refused)?;
            if present.len() < expected {
                tracing::warn!(
                    table = table.name,
                    "another program deleted rules of the bridges; putting them back"
                );
                return self.assert_firewall(config);
            }
        }
        self.let_pass(&socket)
    }

    /// Lets the bridges' packets pass what other programs drop by policy.
    fn let_pass(&self, socket: &Socket) -> Result<(), Error> {
        let open = self.bridges.values().filter(|bridge| !bridge.internal);
        open.into_iter().try_for_each(|bridge| coexist::let_pass(socket, &bridge.name))
    }

    /// Returns the tables of both families; none for one that no bridge has.
    fn tables(&self, config: &NetworkConfig) -> [(Family, Option<nft::Table>); 2] {
        let bridges: Vec<_> = self.bridges.values().map(Bridge::filtered).collect();
        let has_ipv6 = bridges.iter().any(|bridge| bridge.subnets.iter().any(|subnet| !subnet.is_ipv4()));
        let table = |family| firewall::table(family, &config.bridge_name, &bridges);
        [
            (Family::Ip, (!bridges.is_empty()).then(|| table(Family::Ip))),
            (Family::Ip6, has_ipv6.then(|| table(Family::Ip6))),
        ]
    }
}

impl Inner {
    /// Returns the engine's side, ready to speak. The first time it takes over the bridges that are there, and deletes
    /// those of networks that are gone.
    pub(super) fn host(&self) -> Result<MutexGuard<'_, Host>, Error> {
        let mut host = self.host.lock().unwrap_or_else(PoisonError::into_inner);
        if host.socket.is_none() {
            let socket =
                Socket::route().map_err(|source| Error::Netlink { what: "open a netlink socket", source })?;
            host.socket = Some(socket);
            let stock = self.take_stock(&mut host);
            if stock.is_err() {
                *host = Host::default(); // The next use tries again.
            }
            stock?;
        }
        Ok(host)
    }

    fn take_stock(&self, host: &mut Host) -> Result<(), Error> {
        let refused = |source| Error::Netlink { what: "list the links", source };
        let links = link::list(host.socket()?).map_err(refused)?;
        let networks = self.state().networks.clone();
        for link in &links {
            let network = link.alias.as_deref().and_then(|alias| bridge::network_of(&self.mark, alias));
            if let Some(network) = network
                && networks.iter().all(|record| record.id.as_str() != network)
            {
                tracing::info!(device = link.name, "deleting the device of a network that is gone");
                host.socket()?.batch(&[link::delete(&link.name)]).map_err(refused)?;
            }
        }
        let is_there = |name: &str, kind: &str| {
            links.iter().any(|link| link.name == name && link.kind.as_deref() == Some(kind))
        };
        for record in networks.iter().filter(|record| !record.config_only) {
            match record.driver {
                Driver::Bridge if is_there(&Bridge::planned(record, &self.config)?.name, "bridge") => {
                    self.ensure_bridge(host, record)?;
                }
                Driver::Macvlan | Driver::Ipvlan => self.take_parent(host, record)?,
                Driver::Bridge | Driver::Host | Driver::Null => {}
            }
        }
        match host.bridges.is_empty() {
            true => Ok(()),
            false => host.assert_firewall(&self.config),
        }
    }

    /// Takes over a network's parent device if it is there.
    fn take_parent(&self, host: &mut Host, record: &Record) -> Result<(), Error> {
        let sharing = sharing(record)?;
        let refused = |source| Error::Netlink { what: "look up the parent device", source };
        let found = link::find(host.socket()?, &parent::name(record, &sharing)).map_err(refused)?;
        host.parents.extend(found.map(|found| (record.id.clone(), found.index)));
        Ok(())
    }

    /// Returns what a network's endpoints are made on, making it if it is not there.
    pub(super) fn ground(&self, host: &mut Host, record: &Record) -> Result<Ground, Error> {
        match record.driver {
            _ if record.config_only => Err(Error::Pattern(record.name.clone())),
            Driver::Bridge => {
                if let Some(bridge) = host.bridges.get(&record.id) {
                    return Ok(Ground::Bridge(bridge.clone()));
                }
                let bridge = self.ensure_bridge(host, record)?;
                host.assert_firewall(&self.config)?;
                Ok(Ground::Bridge(bridge))
            }
            Driver::Macvlan | Driver::Ipvlan => {
                let sharing = sharing(record)?;
                let index = match host.parents.get(&record.id) {
                    Some(index) => *index,
                    None => parent::ensure(record, &sharing, &self.mark, host.socket()?)?,
                };
                host.parents.insert(record.id.clone(), index);
                Ok(Ground::Parent { index, mode: sharing.mode, mtu: sharing.mtu })
            }
            Driver::Host | Driver::Null => Err(Error::InvalidOption(format!(
                "container cannot be connected to the network {}: it is given when the container is created",
                record.name
            ))),
        }
    }

    fn ensure_bridge(&self, host: &mut Host, record: &Record) -> Result<Bridge, Error> {
        let chosen = match record.is_default_bridge() {
            true => &self.choose_default(host, record)?,
            false => record,
        };
        let bridge = Bridge::ensure(chosen, &self.config, &self.mark, host.socket()?, random())?;
        host.bridges.insert(record.id.clone(), bridge.clone());
        Ok(bridge)
    }

    /// Chooses the default bridge's subnets and remembers them.
    fn choose_default(&self, host: &Host, record: &Record) -> Result<Record, Error> {
        let socket = host.socket()?;
        let device = bridge::find(socket, &self.config.bridge_name)?;
        let present = device.map_or(Ok(Vec::new()), |index| bridge::addresses(socket, index))?;
        let mut used = bridge::used(socket, &device.into_iter().collect::<Vec<_>>())?;
        let mut state = self.state();
        let others = state.networks.iter().filter(|other| other.id != record.id && !other.config_only);
        used.extend(others.flat_map(|other| &other.pools).map(record::PoolRecord::subnet));
        let pools = bridge::choose_default(&self.config, &record.pools, &present, &used)?;
        let ipv6 = pools.iter().any(|pool| !pool.address.is_ipv4());
        let chosen = Record { pools, ipv6, ..record.clone() };
        let mut addresses = super::networks::addresses(&chosen);
        // There are some if the bridge was lost and made again.
        for endpoint in state.attached.values().flat_map(|attachments| &attachments.endpoints) {
            for own in endpoint.addresses().filter(|_| endpoint.network == record.id) {
                addresses.iter_mut().for_each(|addresses| addresses.adopt(own));
            }
        }
        state.addresses.insert(record.id.clone(), addresses);
        if let Some(known) = state.networks.iter_mut().find(|known| known.id == record.id)
            && *known != chosen
        {
            record::write(&self.store, &chosen)?;
            known.clone_from(&chosen);
        }
        Ok(chosen)
    }

    /// Returns whether a device that was ready is gone, or is another one; the next use makes it ready again.
    pub(super) fn forget_lost_devices(&self) -> bool {
        let Ok(mut host) = self.host() else { return false };
        let Ok(links) = host.socket().and_then(|socket| {
            link::list(socket).map_err(|source| Error::Netlink { what: "list the links", source })
        }) else {
            return false;
        };
        let before = (host.bridges.len(), host.parents.len());
        let is_there = |index: u32| links.iter().any(|link| link.index == index);
        host.bridges.retain(|_, bridge| is_there(bridge.index));
        host.parents.retain(|_, index| is_there(*index));
        before != (host.bridges.len(), host.parents.len())
    }
}

/// Reads the options of a macvlan or ipvlan network.
pub(super) fn sharing(record: &Record) -> Result<options::SharingOptions, Error> {
    match record.driver {
        Driver::Ipvlan => options::ipvlan(&record.options),
        Driver::Macvlan | Driver::Bridge | Driver::Host | Driver::Null => options::macvlan(&record.options),
    }
}
