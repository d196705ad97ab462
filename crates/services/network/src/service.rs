//! The service: which networks there are, and who is attached to what.

mod attach;
mod host;
mod networks;
mod recover;
mod show;

use crate::dns::{self, Resolvers};
use crate::endpoint::Endpoint;
use crate::ipam::Addresses;
use crate::ports::{Ports, Target};
use crate::reaper::Reaper;
use crate::record::{self, Record};
use crate::sandbox::{Pool, Sandbox};
use crate::watch::Watcher;
use crate::{
    CreateNetwork, EndpointSpec, EndpointView, Error, NetworkConfig, NetworkNames, NetworkView, endpoint,
    firewall, options, subnet,
};
use crate::{PortRequest, Published, Reserved};
use blocking::Blocking;
use host::Host;
use refs::{ContainerId, NetworkId, Timestamp};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use store::Store;

/// The name of the default bridge's network.
pub(crate) const BRIDGE: &str = "bridge";

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

/// What a container wants of the networks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Joining {
    /// The container's name: others find it by this.
    pub name: String,
    /// Networks by name or id, and its places in them; devices are numbered in this order.
    pub endpoints: Vec<(String, EndpointSpec)>,
}

/// A running container, as an engine that starts finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// The container.
    pub container: ContainerId,
    /// A process in it.
    pub pid: u32,
    /// What it wanted; none if that is not known: then everything stays as it is.
    pub joining: Option<Joining>,
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
    /// There since the first use of a bridge.
    watcher: Mutex<Option<Watcher>>,
    resolvers: Resolvers,
    /// What is noted at devices of this engine.
    mark: String,
    /// Held while the kernel is asked; taken before `state` if both are needed.
    host: Mutex<Host>,
    /// Held for moments.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    networks: Vec<Record>,
    /// The addresses of each network, in the order of its subnets.
    addresses: BTreeMap<NetworkId, Vec<Addresses>>,
    attached: BTreeMap<ContainerId, Attachments>,
}

/// A container's places.
#[derive(Clone, Debug)]
struct Attachments {
    name: String,
    namespace: Arc<OwnedFd>,
    endpoints: Vec<Endpoint>,
}

impl Network {
    /// Opens the service in the calling thread's network namespace. Touches no device: the default bridge comes on first
    /// use.
    ///
    /// # Errors
    /// InvalidArgument for a bad bridge name; DataLoss for unreadable records; those of the database.
    pub fn open(mut config: NetworkConfig, store: Store, blocking: Blocking) -> Result<Self, Error> {
        options::check_name(&config.bridge_name)?;
        let networks = record::open(&store, now(), random)?;
        let own = networks.iter().find(|record| record.is_default_bridge()).map(|record| record.id.clone());
        let own = own.ok_or_else(|| Error::NotFound(BRIDGE.into()))?;
        if config.default_pools.iter().all(|(range, _)| range.is_ipv4()) {
            config.default_pools.push(subnet::local_pool(&endpoint::bytes(own.as_str())));
        }
        let pool = Pool::start(config.prepared)?;
        let addresses =
            networks.iter().map(|record| (record.id.clone(), networks::addresses(record))).collect();
        let state = Mutex::new(State { networks, addresses, attached: BTreeMap::new() });
        let ports = Ports::new(&config.bridge_name, config.publish_address);
        let inner = Inner {
            config,
            store,
            blocking,
            pool,
            reaper: Reaper::start(),
            ports,
            watcher: Mutex::new(None),
            mark: own.short().to_owned(),
            resolvers: Resolvers::new(),
            host: Mutex::new(Host::default()),
            state,
        };
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
        let sandbox = self.run(|inner| inner.pool.take()).await?;
        Ok(Namespace { sandbox })
    }

    /// Connects a container's fresh namespace to its networks.
    ///
    /// # Errors
    /// NotFound for an unknown network; Forbidden if the container is attached already, for an address that is in use,
    /// and without CAP_NET_ADMIN and CAP_SYS_ADMIN; Exhausted if there is no address or subnet left; Unavailable if the
    /// kernel lacks a device's kind or nf_tables.
    pub async fn connect(
        &self,
        container: &ContainerId,
        namespace: Namespace,
        joining: Joining,
    ) -> Result<Vec<EndpointView>, Error> {
        let container = container.clone();
        let inner = Arc::clone(&self.inner);
        let connect = move || {
            let endpoints = inner.connect(&container, &namespace.sandbox, &joining)?;
            inner.watch();
            Ok(endpoints)
        };
        self.inner.blocking.run(connect).await
    }

    /// Connects a running container to a further network.
    ///
    /// # Errors
    /// Those of [`Network::connect`].
    pub async fn join(
        &self,
        container: &ContainerId,
        network: &str,
        spec: EndpointSpec,
    ) -> Result<EndpointView, Error> {
        let (container, network) = (container.clone(), network.to_owned());
        self.run(move |inner| inner.join(&container, &network, &spec)).await
    }

    /// Disconnects a running container from a network; returns what it had there.
    ///
    /// # Errors
    /// Internal if it is not in the network, as Docker has it.
    pub async fn leave(&self, container: &ContainerId, network: &str) -> Result<EndpointView, Error> {
        let (container, network) = (container.clone(), network.to_owned());
        self.run(move |inner| inner.leave(&container, &network)).await
    }

    /// Forgets a container's attachments and frees its addresses. Returns at once; the devices go in the background.
    /// A container that is not attached is fine.
    pub async fn detach(&self, container: &ContainerId) {
        // First the ports: nothing may lead to an address that somebody else gets next.
        if !self.published(container).is_empty() {
            let (inner, id) = (Arc::clone(&self.inner), container.clone());
            self.inner.blocking.run(move || inner.ports.unpublish(&id, |_| true)).await;
        }
        self.inner.resolvers.end(container);
        self.inner.detach(container);
    }

    /// Has the embedded resolver answer a connected container's queries at 127.0.0.11. `servers` are asked about names
    /// that are not ours; none for the host's. `kept` are the sockets that an earlier engine returned here.
    ///
    /// Returns duplicates of the sockets: queries wait in them as long as somebody holds these.
    ///
    /// # Errors
    /// Forbidden without the right to enter namespaces; Unavailable without nf_tables.
    pub async fn serve_names(
        &self,
        container: &ContainerId,
        servers: Vec<IpAddr>,
        kept: Vec<OwnedFd>,
    ) -> Result<Vec<OwnedFd>, Error> {
        let namespace = self.inner.state().attached.get(container).map(|known| Arc::clone(&known.namespace));
        let Some(namespace) = namespace else { return Ok(Vec::new()) };
        let namespace = namespace.try_clone().map_err(Error::Descriptor)?;
        let sockets = self.inner.blocking.run(move || dns::sockets(namespace, kept)).await?;
        let (service, id) = (Arc::downgrade(&self.inner), container.clone());
        let names = move || service.upgrade().map_or_else(Vec::new, |service| service.names(&id));
        self.inner.resolvers.serve(container, sockets, Arc::new(names), servers)
    }

    /// Returns whether the embedded resolver answers a container's queries.
    pub fn serves_names(&self, container: &ContainerId) -> bool {
        self.inner.resolvers.serves(container)
    }

    /// Publishes ports of a container that is connected, at its endpoint with the default route. The sockets are the
    /// caller's to keep: a port is reserved as long as its socket is open.
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

    /// Learns after a restart of the engine which containers are attached to what, from their namespaces, and deletes
    /// devices that belong to none.
    ///
    /// # Errors
    /// Forbidden without the right to enter namespaces; Internal if the kernel refuses something.
    pub async fn reconcile(&self, live: Vec<Attached>) -> Result<(), Error> {
        let inner = Arc::clone(&self.inner);
        let reconcile = move || {
            inner.reconcile(live)?;
            if !inner.host()?.bridges.is_empty() {
                inner.watch();
            }
            Ok(())
        };
        self.inner.blocking.run(reconcile).await
    }

    /// Makes a network.
    ///
    /// # Errors
    /// InvalidArgument, Forbidden, NotFound, AlreadyExists with Docker's texts; Exhausted without a free subnet;
    /// Unavailable if the kernel lacks something.
    pub async fn create(&self, request: CreateNetwork) -> Result<NetworkView, Error> {
        self.run(move |inner| inner.create(request)).await
    }

    /// Removes a network.
    ///
    /// # Errors
    /// NotFound; Forbidden if containers run in it, or if it was there from the beginning.
    pub async fn remove(&self, network: &str) -> Result<NetworkView, Error> {
        let network = network.to_owned();
        self.run(move |inner| inner.remove(&network)).await
    }

    /// Removes the networks without running containers that `chosen` picks, and returns them. One that cannot be
    /// removed stays.
    ///
    /// # Errors
    /// None today; those of the service shutting down.
    pub async fn prune(
        &self,
        chosen: impl Fn(&NetworkView) -> bool + Send + 'static,
    ) -> Result<Vec<NetworkView>, Error> {
        self.run(move |inner| Ok(inner.prune(chosen))).await
    }

    /// Returns all networks.
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
        let record = state.find(name)?;
        Ok(self.inner.view(&state, record))
    }

    /// Checks that an endpoint can be in a network, as far as that can be known beforehand.
    ///
    /// # Errors
    /// NotFound; InvalidArgument with Docker's texts.
    pub fn check(&self, network: &str, spec: &EndpointSpec) -> Result<(), Error> {
        let state = self.inner.state();
        networks::check_endpoint(state.find(network)?, spec)
    }

    /// Returns a running container's endpoints, in the order of its devices.
    pub fn endpoints(&self, container: &ContainerId) -> Vec<EndpointView> {
        self.inner.endpoints(container)
    }

    /// Returns the names that a container finds in its user-defined networks, in the order of its devices.
    pub fn names(&self, container: &ContainerId) -> Vec<NetworkNames> {
        self.inner.names(container)
    }

    /// Gives a container another name.
    pub fn rename(&self, container: &ContainerId, name: &str) {
        if let Some(attachments) = self.inner.state().attached.get_mut(container) {
            name.clone_into(&mut attachments.name);
        }
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let inner = Arc::clone(&self.inner);
        self.inner.blocking.run(move || work(&inner)).await
    }
}

impl Inner {
    /// Begins to watch the packet filter, once.
    fn watch(self: &Arc<Self>) {
        let mut watcher = self.watcher.lock().unwrap_or_else(PoisonError::into_inner);
        if watcher.is_some() {
            return;
        }
        let service = Arc::downgrade(self);
        let repair = move || service.upgrade().map_or(Ok(()), |service| service.repair_firewall());
        match Watcher::start(firewall::name(&self.config.bridge_name), repair) {
            Ok(started) => *watcher = Some(started),
            Err(error) => {
                tracing::warn!(error = %error::chain(&error), "what others delete of our packet filter is not put back");
            }
        }
    }

    /// Puts back what another program deleted of the packet filter.
    fn repair_firewall(&self) -> Result<(), Error> {
        self.host()?.repair_firewall(&self.config)?;
        self.ports.repair()
    }

    /// Returns where the published ports of a container lead: to its endpoint with the default route.
    fn target(&self, container: &ContainerId) -> Option<Target> {
        let state = self.state();
        let attachments = state.attached.get(container)?;
        let endpoint = show::gateway_endpoint(&state, attachments)?;
        let record = state.record(&endpoint.network)?;
        let v4 = endpoint.ipv4.and_then(|address| match address {
            IpAddr::V4(v4) => Some((v4, show::prefix_len(record, address))),
            IpAddr::V6(_) => None,
        });
        let v6 = endpoint.ipv6.and_then(|address| match address {
            IpAddr::V6(v6) => Some((v6, show::prefix_len(record, address))),
            IpAddr::V4(_) => None,
        });
        Some(Target { v4, v6, link: endpoint.outside.clone()? })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Finds a network by name, id, or the beginning of an id.
    fn find(&self, name: &str) -> Result<&Record, Error> {
        let exact = self.networks.iter().find(|record| record.name == name);
        let exact = exact.or_else(|| self.networks.iter().find(|record| record.id.as_str() == name));
        let mut begins =
            self.networks.iter().filter(|record| !name.is_empty() && record.id.as_str().starts_with(name));
        match exact {
            Some(record) => Ok(record),
            None => match (begins.next(), begins.next()) {
                (Some(record), None) => Ok(record),
                (None, _) => Err(Error::NotFound(name.to_owned())),
                (Some(_), Some(_)) => Err(Error::Ambiguous(name.to_owned())),
            },
        }
    }

    fn record(&self, id: &NetworkId) -> Option<&Record> {
        self.networks.iter().find(|record| record.id == *id)
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

pub(crate) fn random<const N: usize>() -> [u8; N] {
    use std::io::Read as _;
    let mut bytes = [0; N];
    let read = std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    read.expect("/dev/urandom is always there and never ends");
    bytes
}

#[cfg(test)]
mod tests;
