//! Making and removing networks.

use super::host::{Host, sharing};
use super::{Inner, State, now, random};
use crate::bridge::{self, Bridge};
use crate::ipam::Addresses;
use crate::record::{self, Driver, Record};
use crate::request::{self, Surroundings};
use crate::{CreateNetwork, EndpointSpec, Error, NetworkView, endpoint, parent};
use netlink::link;
use refs::NetworkId;
use std::net::IpAddr;

impl Inner {
    /// Makes a network: record first, then devices.
    pub(super) fn create(&self, mut request: CreateNetwork) -> Result<NetworkView, Error> {
        let mut host = self.host()?;
        self.ready_default(&mut host);
        self.complete(&mut request);
        let indexes: Vec<u32> = host.bridges.values().map(|bridge| bridge.index).collect();
        let routes = bridge::used(host.socket()?, &indexes)?;
        let record = {
            let mut state = self.state();
            let around = Surroundings {
                networks: &state.networks,
                pools: &self.config.default_pools,
                routes: &routes,
            };
            let record = request::record(request, NetworkId::generate(random()), now(), &around)?;
            self.check_devices(&state, &record)?;
            record::write(&self.store, &record)?;
            state.addresses.insert(record.id.clone(), addresses(&record));
            state.networks.push(record.clone());
            record
        };
        if !record.config_only
            && let Err(error) = self.ground(&mut host, &record)
        {
            // The first error counts; what stays is removed at the next start of the engine.
            let _ = self.delete_devices(&mut host, &record);
            self.forget(&record)?;
            return Err(error);
        }
        drop(host);
        Ok(self.view(&self.state(), &record))
    }

    /// The default bridge has the first choice of subnets, as with Docker. A host without room for it can still have
    /// networks with a subnet of their own.
    fn ready_default(&self, host: &mut Host) {
        let record = self.state().find(super::BRIDGE).cloned();
        let ready = record.and_then(|record| match record.pools.is_empty() {
            true => self.ground(host, &record).map(drop),
            false => Ok(()),
        });
        if let Err(error) = ready {
            tracing::warn!(error = %error::chain(&error), "the default bridge cannot be made ready");
        }
    }

    /// Adds what the operator set for all networks of a driver.
    fn complete(&self, request: &mut CreateNetwork) {
        let driver = if request.driver.is_empty() { "bridge" } else { request.driver.as_str() };
        let defaults = self.config.default_options.get(driver).into_iter().flatten();
        if !request.config_only && request.config_from.is_empty() {
            for (name, value) in defaults {
                request.options.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
    }

    /// Refuses devices that other networks have.
    fn check_devices(&self, state: &State, record: &Record) -> Result<(), Error> {
        let others = || state.networks.iter().filter(|other| !other.config_only);
        match record.driver {
            Driver::Bridge if !record.config_only => {
                if record.pools.iter().filter(|pool| pool.address.is_ipv4()).count() > 1
                    || record.pools.iter().filter(|pool| !pool.address.is_ipv4()).count() > 1
                {
                    return Err(Error::InvalidOption(
                        "bridge driver doesn't support multiple subnets".into(),
                    ));
                }
                let name = Bridge::planned(record, &self.config)?.name;
                for other in others().filter(|other| other.driver == Driver::Bridge) {
                    if Bridge::planned(other, &self.config)?.name == name {
                        return Err(Error::SameBridge { network: other.name.clone(), name });
                    }
                }
                Ok(())
            }
            Driver::Macvlan | Driver::Ipvlan => {
                let parent = parent::name(record, &sharing(record)?);
                let shares = |other: &&Record| matches!(other.driver, Driver::Macvlan | Driver::Ipvlan);
                for other in others().filter(shares) {
                    if parent::name(other, &sharing(other)?) == parent {
                        return Err(Error::SameParent { network: other.name.clone(), parent });
                    }
                }
                Ok(())
            }
            Driver::Bridge | Driver::Host | Driver::Null => Ok(()),
        }
    }

    /// Removes a network: record first, then devices.
    pub(super) fn remove(&self, name: &str) -> Result<NetworkView, Error> {
        let mut host = self.host()?;
        let (record, view) = {
            let state = self.state();
            let record = state.find(name)?;
            check_removable(&state, record)?;
            (record.clone(), self.view(&state, record))
        };
        self.forget(&record)?;
        self.delete_devices(&mut host, &record)?;
        Ok(view)
    }

    /// Removes the networks that nobody is in and that are chosen.
    pub(super) fn prune(&self, chosen: impl Fn(&NetworkView) -> bool) -> Vec<NetworkView> {
        let candidates: Vec<_> = {
            let state = self.state();
            let free = state.networks.iter().filter(|record| check_removable(&state, record).is_ok());
            free.map(|record| self.view(&state, record)).collect()
        };
        let chosen = candidates.into_iter().filter(|view| chosen(view));
        chosen
            .filter_map(|view| match self.remove(view.id.as_str()) {
                Ok(removed) => Some(removed),
                Err(error) => {
                    tracing::warn!(network = view.name, error = %error::chain(&error), "network is not removed");
                    None
                }
            })
            .collect()
    }

    fn forget(&self, record: &Record) -> Result<(), Error> {
        record::remove(&self.store, &record.name)?;
        let mut state = self.state();
        state.networks.retain(|known| known.id != record.id);
        state.addresses.remove(&record.id);
        Ok(())
    }

    /// Deletes what was made for a network; a device that was there before stays.
    fn delete_devices(&self, host: &mut Host, record: &Record) -> Result<(), Error> {
        let was_bridge = host.bridges.remove(&record.id).is_some();
        host.parents.remove(&record.id);
        if was_bridge {
            host.assert_firewall(&self.config)?;
        }
        let refused = |source| Error::Netlink { what: "delete the network's device", source };
        let alias = bridge::alias(&self.mark, &record.id);
        let socket = host.socket()?;
        for found in link::list(socket).map_err(refused)? {
            if found.alias.as_deref() == Some(&alias) {
                socket.batch(&[link::delete(&found.name)]).map_err(refused)?;
            }
        }
        Ok(())
    }
}

fn check_removable(state: &State, record: &Record) -> Result<(), Error> {
    if record.is_predefined() {
        return Err(Error::NotRemovable(record.name.clone()));
    }
    let depends = |other: &Record| {
        record.config_only && (other.config_from == record.name || other.config_from == record.id.as_str())
    };
    if state.networks.iter().any(depends) {
        return Err(Error::PatternInUse(record.name.clone()));
    }
    let inside = state.attached.iter().filter(|(_, attachments)| {
        attachments.endpoints.iter().any(|endpoint| endpoint.network == record.id)
    });
    let endpoints: Vec<_> = inside
        .map(|(container, attachments)| {
            let id = endpoint::id(container, &record.id);
            format!("name:\"{}\" id:\"{}\"", attachments.name, &id.as_str()[..12])
        })
        .collect();
    match endpoints.is_empty() {
        true => Ok(()),
        false => Err(Error::InUse { network: record.name.clone(), endpoints }),
    }
}

/// Returns the addresses of a network's subnets, all free.
pub(super) fn addresses(record: &Record) -> Vec<Addresses> {
    let of = |pool: &record::PoolRecord| {
        Addresses::new(pool.subnet(), pool.range(), pool.gateway, pool.auxiliary.values().copied())
    };
    record.pools.iter().map(of).collect()
}

/// Checks that an endpoint can be in a network.
///
/// # Source
/// moby `daemon/container_operations.go`, `validateEndpointSettings`.
pub(super) fn check_endpoint(record: &Record, spec: &EndpointSpec) -> Result<(), Error> {
    let mut faults = Vec::new();
    let own = [spec.ipv4.map(IpAddr::from), spec.ipv6.map(IpAddr::from)];
    if record.is_predefined() {
        if own.iter().any(Option::is_some) {
            faults.push("user specified IP address is supported on user defined networks only".to_owned());
        }
        if !spec.aliases.is_empty() {
            faults.push(
                "network-scoped alias is supported only for containers in user defined networks".to_owned(),
            );
        }
    }
    for (own, is_ipv4) in own.into_iter().zip([true, false]) {
        let Some(own) = own else { continue };
        let mut pools = record.pools.iter().filter(|pool| pool.address.is_ipv4() == is_ipv4).peekable();
        if record.is_predefined() || pools.peek().is_none() {
            faults.push(
                "user specified IP address is supported only when connecting to networks with user configured subnets"
                    .to_owned(),
            );
        } else if !pools.any(|pool| pool.subnet().contains(own)) {
            faults.push(format!("no configured subnet or ip-range contain the IP address {own}"));
        }
    }
    if let Err(error) = spec.check() {
        faults.push(error.to_string());
    }
    if faults.len() > 1 {
        faults.iter_mut().for_each(|fault| fault.insert_str(0, "* "));
    }
    match faults.is_empty() {
        true => Ok(()),
        false => Err(Error::Endpoint(faults)),
    }
}
