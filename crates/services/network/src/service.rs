//! The service: who is attached to what.

use crate::bridge::{self, Bridge};
use crate::ipam::Addresses;
use crate::ports::{Ports, Target};
use crate::reaper::Reaper;
use crate::reconcile::{self, Found};
use crate::record::{Record, SubnetRecord};
use crate::sandbox::{Pool, Sandbox};
use crate::view::mac_text;
use crate::watch::Watcher;
use crate::{
    Counters, EndpointView, Error, NetworkConfig, NetworkView, coexist, endpoint, firewall, ipam, record,
};
use crate::{PortRequest, Published, Reserved};
use blocking::Blocking;
use netlink::nft::{Family, monitor};
use netlink::{Socket, link};
use refs::{ContainerId, Timestamp};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use store::Store;

const BRIDGE: &str = "bridge";

/// A fresh network namespace for a container. It lives as long as a descriptor or a process keeps it.
#[derive(Debug)]
pub struct Namespace {
    sandbox: Sandbox,
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.sandbox.namespace.as_fd()
    }
}

/// The network service. Clones share everything.
#[derive(Clone, Debug)]
pub struct Network {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: NetworkConfig,
    store: Store,
    blocking: Blocking,
    pool: Pool,
    reaper: Reaper,
    ports: Ports,
    /// There since the first use of the bridge.
    watcher: Mutex<Option<Watcher>>,
    /// Held while the kernel is asked; taken before `state` if both are needed.
    host: Mutex<Option<Host>>,
    /// Held for moments.
    state: Mutex<State>,
}

/// What is needed to speak with the kernel about the bridge: there since the first use.
#[derive(Debug)]
struct Host {
    socket: Socket,
    bridge: Bridge,
}

#[derive(Debug)]
struct State {
    networks: Vec<Record>,
    addresses: Option<Addresses>,
    attached: BTreeMap<ContainerId, Endpoint>,
}

#[derive(Clone, Debug)]
struct Endpoint {
    address: Ipv4Addr,
    prefix_len: u8,
    mac: [u8; 6],
    /// The name of the device on the engine's side.
    outside: String,
}

impl Network {
    /// Opens the service in the calling thread's network namespace. Touches no device: the bridge comes on first use.
    ///
    /// # Errors
    /// InvalidArgument for a bad bridge name; DataLoss for unreadable records; those of the database.
    pub fn open(config: NetworkConfig, store: Store, blocking: Blocking) -> Result<Self, Error> {
        check_name(&config.bridge_name)?;
        let networks = record::open(&store, now(), random)?;
        let pool = Pool::start(config.prepared)?;
        let state = Mutex::new(State { networks, addresses: None, attached: BTreeMap::new() });
        let reaper = Reaper::start();
        let ports = Ports::new(&config.bridge_name, config.publish_address);
        let (watcher, host) = (Mutex::new(None), Mutex::new(None));
        let inner = Inner { config, store, blocking, pool, reaper, ports, watcher, host, state };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Returns a fresh namespace with nothing but a loopback device, for [`Network::connect`]: a container can be made
    /// in it while it is being connected.
    ///
    /// # Errors
    /// Forbidden without CAP_SYS_ADMIN; Internal if the kernel refuses something.
    pub async fn namespace(&self) -> Result<Namespace, Error> {
        if let Some(sandbox) = self.inner.pool.take_ready()? {
            return Ok(Namespace { sandbox });
        }
        let inner = Arc::clone(&self.inner);
        let sandbox = self.inner.blocking.run(move || inner.pool.take()).await?;
        Ok(Namespace { sandbox })
    }

    /// Connects a container's namespace to the bridge.
    ///
    /// # Errors
    /// Conflict if the container is attached already; Exhausted if there is no address or subnet left; Forbidden
    /// without CAP_NET_ADMIN and CAP_SYS_ADMIN; Unavailable if the kernel lacks bridges, veth or nf_tables.
    pub async fn connect(
        &self,
        container: &ContainerId,
        namespace: Namespace,
    ) -> Result<Option<EndpointView>, Error> {
        let (inner, container) = (Arc::clone(&self.inner), container.clone());
        let connect = move || {
            let endpoint = inner.connect(&container, &namespace.sandbox)?;
            inner.watch();
            Ok(endpoint)
        };
        self.inner.blocking.run(connect).await
    }

    /// Forgets a container's attachment and frees its address. Returns at once; the devices go in the background.
    /// A container that is not attached is fine.
    pub async fn detach(&self, container: &ContainerId) {
        // First the ports: nothing may lead to an address that somebody else gets next.
        if !self.published(container).is_empty() {
            let (inner, id) = (Arc::clone(&self.inner), container.clone());
            self.inner.blocking.run(move || inner.ports.unpublish(&id, |_| true)).await;
        }
        self.inner.detach(container);
    }

    /// Publishes ports of a container that is connected. The sockets are the caller's to keep: a port is reserved as long as
    /// its socket is open.
    ///
    /// # Errors
    /// Internal with Docker's texts if a port is taken; Unavailable for a protocol that the kernel lacks. None of these
    /// ports is published then.
    pub async fn publish(
        &self,
        container: &ContainerId,
        requests: Vec<PortRequest>,
    ) -> Result<Vec<Reserved>, Error> {
        let (inner, container) = (Arc::clone(&self.inner), container.clone());
        let publish = move || {
            let target = inner.target(&container).ok_or(Error::NoAddressToPublish)?;
            inner.ports.publish(&container, &target, &requests)
        };
        self.inner.blocking.run(publish).await
    }

    /// Gives up those of a container's published ports that are named, and returns them.
    pub async fn unpublish(&self, container: &ContainerId, named: Vec<Published>) -> Vec<Published> {
        let (inner, container) = (Arc::clone(&self.inner), container.clone());
        let unpublish = move || inner.ports.unpublish(&container, |port| named.contains(port));
        self.inner.blocking.run(unpublish).await
    }

    /// Returns a container's published ports.
    pub fn published(&self, container: &ContainerId) -> Vec<Published> {
        self.inner.ports.of(container)
    }

    /// Learns after a restart of the engine which ports the supervisors of running containers hold, and makes the packet
    /// filter agree with that. To be called after [`Self::reconcile`].
    ///
    /// # Errors
    /// Unavailable without nf_tables, if ports are published; Internal if the kernel refuses something.
    pub async fn reconcile_ports(&self, held: Vec<(ContainerId, Vec<Published>)>) -> Result<(), Error> {
        let inner = Arc::clone(&self.inner);
        let adopt = move || {
            let with_target = |(container, ports): (ContainerId, Vec<Published>)| {
                let target = inner.target(&container)?;
                Some((container, target, ports))
            };
            inner.ports.adopt(held.into_iter().filter_map(with_target).collect())
        };
        self.inner.blocking.run(adopt).await
    }

    /// Learns after a restart of the engine which containers are attached to the bridge, from their namespaces, and
    /// deletes devices that belong to none. `live` has the running containers of [`Mode::Bridge`] with a process of
    /// each.
    ///
    /// # Errors
    /// Forbidden without the right to enter namespaces; Internal if the kernel refuses something.
    pub async fn reconcile(&self, live: &[(ContainerId, u32)]) -> Result<(), Error> {
        let (inner, live) = (Arc::clone(&self.inner), live.to_vec());
        let reconcile = move || {
            inner.reconcile(live)?;
            if inner.is_host_ready() {
                inner.watch();
            }
            Ok(())
        };
        self.inner.blocking.run(reconcile).await
    }

    /// Returns all networks: `bridge`, `host`, `none`.
    pub fn list(&self) -> Vec<NetworkView> {
        let state = self.inner.state();
        state.networks.iter().map(|record| self.inner.view(&state, record)).collect()
    }

    /// Returns a network by name, id, or the beginning of an id.
    ///
    /// # Errors
    /// NotFound; InvalidArgument for the beginning of several ids.
    pub fn inspect(&self, name: &str) -> Result<NetworkView, Error> {
        let state = self.inner.state();
        let exact = state.networks.iter().find(|record| record.name == name || record.id.as_str() == name);
        let mut begins =
            state.networks.iter().filter(|record| !name.is_empty() && record.id.as_str().starts_with(name));
        let record = match exact {
            Some(record) => record,
            None => match (begins.next(), begins.next()) {
                (Some(record), None) => record,
                (None, _) => return Err(Error::NotFound(name.to_owned())),
                (Some(_), Some(_)) => return Err(Error::Ambiguous(name.to_owned())),
            },
        };
        Ok(self.inner.view(&state, record))
    }

    /// Returns a container's endpoint in the bridge network.
    pub fn endpoint(&self, container: &ContainerId) -> Option<EndpointView> {
        let state = self.inner.state();
        let found = state.attached.get(container)?;
        self.inner.endpoint_view(&state, container, found)
    }

    /// Returns what went through a container's device, seen from the container; none if it is not attached.
    ///
    /// # Errors
    /// Internal if the kernel refuses to tell.
    pub async fn counters(&self, container: &ContainerId) -> Result<Option<Counters>, Error> {
        let outside = self.inner.state().attached.get(container).map(|found| found.outside.clone());
        let Some(outside) = outside else { return Ok(None) };
        let read = move || {
            let refused = |source| Error::Netlink { what: "read the counters of a link", source };
            let socket = Socket::route().map_err(refused)?;
            let found = link::find(&socket, &outside).map_err(refused)?;
            Ok(found.map(|link| seen_from_inside(link.counters)))
        };
        self.inner.blocking.run(read).await
    }
}

impl Inner {
    fn is_host_ready(&self) -> bool {
        self.host.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Begins to watch the packet filter, once.
    fn watch(self: &Arc<Self>) {
        let mut watcher = self.watcher.lock().unwrap_or_else(PoisonError::into_inner);
        if watcher.is_some() {
            return;
        }
        let service = Arc::downgrade(self);
        let repair = move || service.upgrade().map_or(Ok(()), |service| service.repair_firewall());
        match Watcher::start(firewall::name(&self.config), repair) {
            Ok(started) => *watcher = Some(started),
            Err(error) => {
                tracing::warn!(error = %error::chain(&error), "what others delete of our packet filter is not put back");
            }
        }
    }

    /// Puts back what another program deleted of the packet filter.
    fn repair_firewall(&self) -> Result<(), Error> {
        let host = self.host.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(host) = &*host else { return Ok(()) };
        let refused = |source| Error::Netlink { what: "look at the packet filter", source };
        let socket = Socket::netfilter().map_err(refused)?;
        let table = firewall::table(&self.config, host.bridge.subnet);
        let expected: usize = table.chains.iter().map(|chain| chain.rules.len()).sum();
        let present = monitor::rules(&socket, Family::Ip, &table.name, None).map_err(refused)?;
        if present.len() < expected {
            tracing::warn!(
                table = table.name,
                "another program deleted rules of the bridge; putting them back"
            );
            host.bridge.assert_firewall(&self.config)?;
        }
        coexist::let_pass(&socket, &self.config.bridge_name)?;
        self.ports.repair()
    }

    fn connect(&self, container: &ContainerId, sandbox: &Sandbox) -> Result<Option<EndpointView>, Error> {
        match self.try_connect(container, sandbox) {
            // Somebody may have deleted the bridge behind our back: it is made again, once.
            Err(error) if self.forget_lost_bridge() => {
                tracing::warn!(error = %error::chain(&error), "the bridge is gone; making it again");
                self.try_connect(container, sandbox)
            }
            done => done,
        }
    }

    fn try_connect(&self, container: &ContainerId, sandbox: &Sandbox) -> Result<Option<EndpointView>, Error> {
        let mut guard = self.host.lock().unwrap_or_else(PoisonError::into_inner);
        let host = match &mut *guard {
            Some(host) => host,
            empty => empty.insert(self.prepare_host()?),
        };
        let found = self.reserve(container, endpoint::outside_name(random_4()))?;
        let (outside, mtu) = (&found.outside, self.config.mtu);
        let connected = endpoint::connect(&host.socket, &host.bridge, sandbox, outside, found.address, mtu);
        drop(guard);
        if let Err(error) = connected {
            self.detach(container);
            return Err(error);
        }
        let state = self.state();
        Ok(self.endpoint_view(&state, container, &found))
    }

    /// Returns whether the bridge that was ready is gone, or is another one; the next use makes it ready again.
    fn forget_lost_bridge(&self) -> bool {
        let mut guard = self.host.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(host) = &*guard else { return false };
        let present = bridge::find(&host.socket, &self.config.bridge_name);
        let lost = present.is_ok_and(|index| index != Some(host.bridge.index));
        if lost {
            *guard = None;
        }
        lost
    }

    /// Takes an address and notes the container as attached.
    fn reserve(&self, container: &ContainerId, outside: String) -> Result<Endpoint, Error> {
        let mut state = self.state();
        if state.attached.contains_key(container) {
            return Err(Error::Attached(container.short().to_owned()));
        }
        let addresses = state.addresses.as_mut().ok_or(Error::Closed)?; // There since the host was prepared.
        let subnet = addresses.subnet();
        let exhausted = || Error::NoAddress { network: BRIDGE.into(), subnet: subnet.to_string() };
        let address = addresses.take().ok_or_else(exhausted)?;
        let found = Endpoint { address, prefix_len: subnet.prefix_len, mac: ipam::mac(address), outside };
        state.attached.insert(container.clone(), found.clone());
        Ok(found)
    }

    /// Returns where the published ports of a container lead.
    fn target(&self, container: &ContainerId) -> Option<Target> {
        let state = self.state();
        let found = state.attached.get(container)?;
        Some(Target { v4: Some((found.address, found.prefix_len)), v6: None, link: found.outside.clone() })
    }

    fn detach(&self, container: &ContainerId) {
        let mut state = self.state();
        let Some(found) = state.attached.remove(container) else { return };
        if let Some(addresses) = &mut state.addresses {
            addresses.release(found.address);
        }
        drop(state);
        self.reaper.delete(found.outside);
    }

    /// Makes the bridge and remembers its subnet.
    fn prepare_host(&self) -> Result<Host, Error> {
        let socket =
            Socket::route().map_err(|source| Error::Netlink { what: "open a netlink socket", source })?;
        let recorded = self.bridge_record().and_then(|record| record.subnet);
        let bridge = Bridge::ensure(&self.config, recorded, &socket, random_4())?;
        let refused = |source| Error::Netlink { what: "look at the packet filter", source };
        coexist::let_pass(&Socket::netfilter().map_err(refused)?, &self.config.bridge_name)?;
        let chosen = SubnetRecord {
            address: bridge.subnet.address,
            prefix_len: bridge.subnet.prefix_len,
            gateway: bridge.gateway,
        };
        let mut state = self.state();
        let mut addresses = bridge.pool();
        for endpoint in state.attached.values() {
            addresses.claim(endpoint.address); // There are some if the bridge was lost and made again.
        }
        state.addresses = Some(addresses);
        for record in
            state.networks.iter_mut().filter(|record| record.name == BRIDGE && record.subnet != Some(chosen))
        {
            record.subnet = Some(chosen);
            record::write(&self.store, record)?;
        }
        drop(state);
        Ok(Host { socket, bridge })
    }

    fn reconcile(&self, live: Vec<(ContainerId, u32)>) -> Result<(), Error> {
        let mut guard = self.host.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = |source| Error::Netlink { what: "look for devices of ended containers", source };
        let socket = Socket::route().map_err(refused)?;
        if bridge::find(&socket, &self.config.bridge_name)?.is_none() {
            return Ok(()); // Nobody can be attached, and nothing be left over.
        }
        let host = match &mut *guard {
            Some(host) => host,
            empty => empty.insert(self.prepare_host()?),
        };
        let found = reconcile::look(live)?;
        let links = link::list(&host.socket).map_err(refused)?;
        for name in reconcile::orphans(&links, host.bridge.index, &found) {
            tracing::info!(device = name, "deleting a device that belongs to no container");
            self.reaper.delete(name);
        }
        let mut state = self.state();
        for found in found {
            let outside =
                links.iter().find(|link| link.index == found.peer && link.master == Some(host.bridge.index));
            if let Some(outside) = outside {
                adopt(&mut state, found, outside.name.clone());
            }
        }
        Ok(())
    }

    fn bridge_record(&self) -> Option<Record> {
        self.state().networks.iter().find(|record| record.name == BRIDGE).cloned()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn view(&self, state: &State, record: &Record) -> NetworkView {
        let is_bridge = record.name == BRIDGE;
        let containers = match is_bridge {
            true => state
                .attached
                .iter()
                .filter_map(|(id, found)| Some((id.clone(), self.endpoint_view(state, id, found)?)))
                .collect(),
            false => BTreeMap::new(),
        };
        NetworkView {
            id: record.id.clone(),
            name: record.name.clone(),
            driver: record.driver.clone(),
            created: record.created,
            subnet: record.subnet.map(|subnet| (subnet.subnet(), subnet.gateway)),
            options: if is_bridge { self.options() } else { BTreeMap::new() },
            containers,
        }
    }

    fn endpoint_view(
        &self,
        state: &State,
        container: &ContainerId,
        found: &Endpoint,
    ) -> Option<EndpointView> {
        let network = state.networks.iter().find(|record| record.name == BRIDGE)?;
        Some(EndpointView {
            network_id: network.id.clone(),
            network_name: network.name.clone(),
            endpoint_id: endpoint::id(container, &network.id),
            mac: mac_text(found.mac),
            address: found.address,
            prefix_len: found.prefix_len,
            gateway: state.addresses.as_ref()?.gateway(),
        })
    }

    /// Returns the bridge's options as `docker network inspect bridge` has them.
    fn options(&self) -> BTreeMap<String, String> {
        let options = [
            ("com.docker.network.bridge.default_bridge", "true".to_owned()),
            ("com.docker.network.bridge.enable_icc", "true".to_owned()),
            ("com.docker.network.bridge.enable_ip_masquerade", self.config.ip_masq.to_string()),
            ("com.docker.network.bridge.host_binding_ipv4", "0.0.0.0".to_owned()),
            ("com.docker.network.bridge.name", self.config.bridge_name.clone()),
            ("com.docker.network.driver.mtu", self.config.mtu.to_string()),
        ];
        options.map(|(key, value)| (key.to_owned(), value)).into()
    }
}

fn adopt(state: &mut State, found: Found, outside: String) {
    let Found { container, address, prefix_len, mac, .. } = found;
    if let Some(addresses) = &mut state.addresses {
        // An address outside of the present subnet (it was changed) stays the container's, without being ours to give.
        addresses.claim(address);
    }
    state.attached.insert(container, Endpoint { address, prefix_len, mac, outside });
}

fn seen_from_inside(outside: Counters) -> Counters {
    Counters {
        rx_packets: outside.tx_packets,
        tx_packets: outside.rx_packets,
        rx_bytes: outside.tx_bytes,
        tx_bytes: outside.rx_bytes,
        rx_errors: outside.tx_errors,
        tx_errors: outside.rx_errors,
        rx_dropped: outside.tx_dropped,
        tx_dropped: outside.rx_dropped,
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    let valid = (1..=15).contains(&name.len())
        && !matches!(name, "." | "..")
        && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/' && byte != b':');
    if valid { Ok(()) } else { Err(Error::BridgeName(name.to_owned())) }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

fn random<const N: usize>() -> [u8; N] {
    use std::io::Read as _;
    let mut bytes = [0; N];
    let read = std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    read.expect("/dev/urandom is always there and never ends");
    bytes
}

fn random_4() -> [u8; 4] {
    random()
}

#[cfg(test)]
mod tests;
