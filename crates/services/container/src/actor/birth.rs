//! From the request to the barrier: root file system, network, files, supervisor, container.
//!
//! What does not depend on each other is done at the same time. A failure undoes what was made: the machine has the network
//! detached, the supervisor ends with its connection.

use super::Actor;
use crate::Error;
use crate::context::Context;
use crate::etc_files;
use crate::facts::HostDevice;
use crate::machine::{Event, StartFailure};
use crate::oci_spec::{self, EtcFiles, Input, Joined};
use crate::record::Record;
use crate::spec::{IpcMode, Mount, NamespaceMode, NetworkMode};
use crate::timeline::{Begun, Timeline};
use crate::user::Identity;
use crate::view::{PathsView, Status};
use crate::volumes::{self, Sources};
use launch::Shim;
use network::{EndpointView, Namespace};
use refs::ContainerId;
use shimwire::{BIRTH_FILE, Create, Report, Request, Rootfs, SOCKET_FILE};
use std::fs;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use sys::ns::Types;

/// How long a supervisor may take to make a container.
const CREATE_PATIENCE: Duration = Duration::from_secs(120);

/// How long the supervisor of the last run may take to leave the run directory.
const DEPARTURE_PATIENCE: Duration = Duration::from_secs(5);

/// What was made ready on the disk.
struct Prepared {
    rootfs: snapshot::Rootfs,
    identity: Identity,
    devices: Vec<HostDevice>,
    seccomp: Option<Arc<OwnedFd>>,
    volumes: Sources,
}

/// What belongs to other containers whose namespaces are joined.
#[derive(Debug, Default)]
struct Others {
    joined: Joined,
    /// Shared memory of another one.
    shm: Option<PathBuf>,
    /// The network namespace of another one, and whose /etc files are used.
    network: Option<(OwnedFd, Arc<crate::shared::Shared>)>,
}

impl Actor {
    /// Makes the container up to the barrier.
    pub(super) async fn launch(&mut self) -> Event {
        let begun = Begun::now();
        match self.try_launch().await {
            Ok(pid) => {
                if self.record.shows_birth() {
                    // The program reads it as soon as it runs.
                    self.write_timeline().await;
                }
                Event::Launched { pid }
            }
            Err(error) => {
                self.timeline.end(begun, "launch failed", error::chain(&error));
                self.write_timeline().await;
                self.drop_shim().await;
                Event::StartFailed(StartFailure::from(error))
            }
        }
    }

    async fn try_launch(&mut self) -> Result<i32, Error> {
        self.timeline = Timeline::default();
        self.check_log_endpoint().await?;
        let begun = Begun::now();
        let clients = self.shared.attachments.take().await;
        self.await_departure().await;
        let others = others(&self.context, &self.record)?;
        self.timeline.end(begun, "wait for clients", format!("{} attached", clients.len()));

        let (prepared, namespace, shim) =
            tokio::join!(self.prepare(), self.take_namespace(), self.start_supervisor());
        let (prepared, namespace, shim) = (prepared?, namespace?, shim?);
        volumes::publish_mounts(&self.context, &self.record);

        let begun = Begun::now();
        let joined = match &others.network {
            Some((namespace, _)) => Some(namespace.as_fd()),
            None => namespace.as_ref().map(Namespace::as_fd),
        };
        let mut fds: Vec<BorrowedFd<'_>> = Vec::new();
        fds.extend(joined);
        fds.extend(prepared.seccomp.as_ref().map(|program| program.as_fd()));
        fds.extend(prepared.volumes.open.iter().map(|(_, place)| place.as_fd()));
        fds.extend(clients.iter().map(|(_, socket)| socket.as_fd()));
        let create = self.create_request(&prepared, &others, joined.is_some(), &clients)?;
        self.timeline.end(begun, "build specification", "");

        // The container is made in its namespace while this is connected; it runs only when both are done.
        let begun = Begun::now();
        let Shim { sender, mut reports } = shim;
        sender.send(&Request::Create(Box::new(create)), &fds).await?;
        let timeline = self.timeline.clone();
        let create = async {
            let answer = tokio::time::timeout(CREATE_PATIENCE, created(&mut reports)).await;
            timeline.end(begun, "create", "");
            answer
        };
        let connect = async {
            let endpoints = self.connect(namespace).await?;
            let named = match endpoints.is_empty() {
                true => Ok(()),
                false => self.serve_names(&sender, Vec::new()).await,
            };
            let ports = match gateway_endpoint(&endpoints) {
                Some(endpoint) => self.publish_ports(endpoint, &sender).await,
                None => Ok(Vec::new()), // Nothing can be published without a way out.
            };
            Ok::<_, Error>((endpoints, named.and(ports)))
        };
        let (answer, connected) = tokio::join!(create, connect);
        (self.shim, self.reports) = (Some(sender), Some(reports));
        // The endpoints first: whatever else failed, they have to be given back.
        let (endpoints, ports) = connected?;
        self.endpoints = endpoints;
        for endpoint in &self.endpoints {
            self.publish_network("connect", endpoint);
        }
        self.ports = ports?;
        let pid = answer.unwrap_or(Err(Error::Launch(launch::Error::Lost)))?;
        self.write_hosts(&others).await?;
        self.context.crash.after("Create");
        Ok(pid)
    }

    /// Waits until the supervisor of the last run has left the run directory.
    async fn await_departure(&mut self) {
        let Some(mut reports) = self.departing.take() else { return };
        let socket = self.context.parts.launcher.run_directory(&self.shared.id).join(SOCKET_FILE);
        let left = async {
            // It may stay for its clients, but it closes its socket.
            while socket.exists() {
                let pause = Duration::from_millis(1);
                if let Ok(None) = tokio::time::timeout(pause, reports.recv()).await {
                    break;
                }
            }
        };
        if tokio::time::timeout(DEPARTURE_PATIENCE, left).await.is_err() {
            tracing::warn!(container = %self.shared.id, "the supervisor of the last run does not leave");
        }
    }

    async fn prepare(&self) -> Result<Prepared, Error> {
        let begun = Begun::now();
        let (context, record) = (Arc::clone(&self.context), self.record.clone());
        let directory = self.shared.directory.clone();
        let prepared = self.context.parts.disk.run(move || prepare(&context, &record, &directory)).await;
        self.timeline.end(
            begun,
            "prepare root file system",
            self.shared.rootfs.written().display().to_string(),
        );
        self.context.crash.after("PrepareRootfs");
        prepared
    }

    /// Takes a network namespace of its own for the container, unless it uses the host's or another one's.
    async fn take_namespace(&self) -> Result<Option<Namespace>, Error> {
        match self.record.host.network {
            NetworkMode::Bridge | NetworkMode::None | NetworkMode::Network(_) => {
                Ok(Some(self.context.parts.network.namespace().await?))
            }
            NetworkMode::Host | NetworkMode::Container(_) => Ok(None),
        }
    }

    /// Connects the container's namespace to its networks, if it can have any.
    async fn connect(&self, namespace: Option<Namespace>) -> Result<Vec<EndpointView>, Error> {
        let begun = Begun::now();
        let Some(namespace) = namespace.filter(|_| self.record.host.network.network().is_some()) else {
            return Ok(Vec::new());
        };
        let joining = self.record.joining();
        let names: Vec<_> = joining.endpoints.iter().map(|(name, _)| name.as_str()).collect();
        let names = names.join(", ");
        let connected = self.context.parts.network.connect(&self.shared.id, namespace, joining).await;
        let endpoints = connected.map_err(Error::Networking)?;
        self.timeline.end(begun, "attach network", names);
        self.context.crash.after("AttachNetwork");
        Ok(endpoints)
    }

    async fn start_supervisor(&self) -> Result<Shim, Error> {
        let begun = Begun::now();
        let shim = self.context.parts.launcher.launch(&self.shared.id).await?;
        self.timeline.end(begun, "launch supervisor", format!("naru-run, pid {}", shim.sender.pid()));
        self.context.crash.after("LaunchShim");
        Ok(shim)
    }

    /// Writes the engine's part of the birth record.
    pub(super) async fn write_timeline(&self) {
        let (timeline, directory) = (self.timeline.clone(), self.shared.directory.clone());
        if let Err(error) = self.context.parts.disk.run(move || timeline.write(&directory)).await {
            tracing::warn!(container = %self.shared.id, error = %error::chain(&error), "birth record was not written");
        }
    }

    async fn write_hosts(&self, others: &Others) -> Result<(), Error> {
        if others.network.is_some() {
            return Ok(()); // Its files are the other container's.
        }
        let own = self.endpoints.iter().flat_map(|endpoint| endpoint.ipv4.into_iter().chain(endpoint.ipv6));
        let addresses: Vec<_> = own.map(|own| own.address).collect();
        let gateway = gateway_endpoint(&self.endpoints)
            .and_then(|endpoint| endpoint.ipv4.or(endpoint.ipv6))
            .and_then(|own| own.gateway);
        let gateway = self.context.settings.host_gateway.or(gateway);
        let (host, config) = (&self.record.host, &self.record.config);
        let base = match host.network {
            NetworkMode::Host => Some(fs::read_to_string("/etc/hosts").unwrap_or_default()),
            NetworkMode::Bridge | NetworkMode::None | NetworkMode::Network(_) | NetworkMode::Container(_) => {
                None
            }
        };
        let names = (self.record.hostname(), config.domainname.as_str());
        let text = etc_files::hosts(host, base.as_deref(), &addresses, names, gateway);
        let path = etc_paths(&self.shared.directory).hosts;
        let write = move || fs::write(&path, text).map_err(Error::file("write", path));
        self.context.parts.disk.run(write).await
    }

    fn create_request(
        &self,
        prepared: &Prepared,
        others: &Others,
        network_namespace: bool,
        clients: &[crate::attachments::Client],
    ) -> Result<Create, Error> {
        let (record, context) = (&self.record, &self.context);
        let directory = match &others.network {
            Some((_, other)) => &other.directory,
            None => &self.shared.directory,
        };
        let etc = etc_paths(directory);
        let hostname = match &others.network {
            Some((_, other)) => other.view().config.hostname.clone(),
            None => record.hostname().to_owned(),
        };
        let birth = self.shared.directory.join(BIRTH_FILE);
        let own_shm =
            (record.host.ipc == IpcMode::Shareable).then(|| crate::shm::path(&self.shared.directory));
        let shm = own_shm.as_ref().or(others.shm.as_ref());
        let spec = oci_spec::build(&Input {
            id: &record.id,
            config: &record.config,
            host: &record.host,
            command: &record.command,
            identity: &prepared.identity,
            facts: &context.facts,
            devices: &prepared.devices,
            ulimits: &context.settings.ulimits,
            cgroup_parent: &context.settings.cgroup_parent,
            init_program: &context.settings.init_program,
            hostname: &hostname,
            etc: EtcFiles { hosts: &etc.hosts, hostname: &etc.hostname, resolv_conf: &etc.resolv_conf },
            birth: record.shows_birth().then_some(birth.as_path()),
            shm: shm.map(PathBuf::as_path),
            volumes: &prepared.volumes.paths,
            joined: others.joined.clone(),
        });
        let rootfs = match &prepared.rootfs {
            snapshot::Rootfs::Overlay { lower, upper, work } => {
                Rootfs::Overlay { lower: lower.clone(), upper: upper.clone(), work: work.clone() }
            }
            snapshot::Rootfs::Directory { path, .. } => Rootfs::Directory { path: path.clone() },
        };
        Ok(Create {
            id: record.id.clone(),
            directory: self.shared.directory.clone(),
            run_directory: context.parts.launcher.run_directory(&self.shared.id),
            spec,
            rootfs,
            network_namespace,
            seccomp: prepared.seccomp.is_some(),
            sources: prepared.volumes.open.iter().map(|(target, _)| target.clone()).collect(),
            open_stdin: record.config.open_stdin,
            stdin_once: record.config.stdin_once,
            log: self.supervisors_log()?,
            attach: clients.iter().map(|(attach, _)| attach.clone()).collect(),
        })
    }
}

/// Returns the endpoint with the default route, else the first one.
pub(super) fn gateway_endpoint(endpoints: &[EndpointView]) -> Option<&EndpointView> {
    let leads = |endpoint: &&EndpointView| endpoint.is_gateway;
    let leads_v6 = |endpoint: &&EndpointView| endpoint.is_gateway_v6;
    endpoints.iter().find(leads).or_else(|| endpoints.iter().find(leads_v6))
}

/// Waits for the answer to a create request.
async fn created(reports: &mut tokio::sync::mpsc::Receiver<Report>) -> Result<i32, Error> {
    loop {
        match reports.recv().await {
            Some(Report::Created { pid }) => return Ok(pid),
            Some(Report::Failed(failed)) => return Err(super::reports::failure_of(failed).into()),
            Some(_) => {} // Hello, before anything else.
            None => return Err(launch::Error::Lost.into()),
        }
    }
}

/// What needs the disk.
fn prepare(context: &Context, record: &Record, directory: &Path) -> Result<Prepared, Error> {
    let rootfs = context.parts.snapshots.rootfs(&record.id)?;
    let host = &record.host;
    for mount in &host.mounts {
        if let Mount::Bind { source, create_source, .. } = mount {
            check_source(source, *create_source)?;
        }
    }
    let volumes = volumes::mount(context, record, &rootfs)?;
    let identity = context.users.identity(&rootfs, &record.config.user, &host.group_add)?;
    let devices = if host.privileged { crate::devices::all()? } else { crate::devices::find(&host.devices)? };
    let capabilities = oci_spec::bounding(host, context.facts.capabilities);
    let seccomp = context.seccomp.get(&host.seccomp, host.privileged, &capabilities, context.facts.kernel)?;
    if host.ipc == IpcMode::Shareable {
        crate::shm::mount(&crate::shm::path(directory), host.shm_size_bytes)?;
    }
    // The record is of this birth alone; the file has to exist, because it can be bound into the container.
    let birth = directory.join(BIRTH_FILE);
    fs::write(&birth, []).map_err(Error::file("write", birth))?;
    if !matches!(host.network, NetworkMode::Container(_)) {
        let paths = etc_paths(directory);
        let write = |path: &Path, text: String| fs::write(path, text).map_err(Error::file("write", path));
        write(&paths.hostname, format!("{}\n", record.hostname()))?;
        write(&paths.hosts, String::new())?; // bound into the container; filled once its address is known
        // A host without the file is one without name servers.
        let of_host = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        let isolated = host.network != NetworkMode::Host;
        let text = match record.has_resolver() {
            true => etc_files::embedded_resolv_conf(host, &context.resolver(), &of_host),
            false => etc_files::resolv_conf(host, &context.resolver(), &of_host, isolated),
        };
        write(&paths.resolv_conf, text)?;
    }
    Ok(Prepared { rootfs, identity, devices, seccomp, volumes })
}

/// Makes sure that the source of a bind mount is there.
pub(crate) fn check_source(source: &Path, create: bool) -> Result<(), Error> {
    match fs::metadata(source) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound && create => {
            fs::create_dir_all(source).map_err(Error::file("create", source))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::invalid(format!(
            "invalid mount config for type \"bind\": bind source path does not exist: {}",
            source.display()
        ))),
        Err(error) => Err(Error::file("look at", source)(error)),
    }
}

/// Finds the containers whose namespaces are joined.
fn others(context: &Context, record: &Record) -> Result<Others, Error> {
    let mut others = Others::default();
    let index = context.index();
    if let NamespaceMode::Container(name) = &record.host.pid {
        let view = index.find(name)?.view();
        if view.state.pid == 0 {
            return Err(not_running("PID", &view.id));
        }
        others.joined.pid = Some(namespace_file(view.state.pid, "pid"));
    }
    if let IpcMode::Container(name) = &record.host.ipc {
        let other = index.find(name)?;
        let view = other.view();
        if view.state.pid == 0 {
            return Err(not_running("IPC", &view.id));
        }
        others.shm = match view.host.ipc {
            IpcMode::Shareable => Some(crate::shm::path(&other.directory)),
            IpcMode::Host => Some(PathBuf::from("/dev/shm")),
            IpcMode::Private | IpcMode::None | IpcMode::Container(_) => {
                return Err(Error::invalid(format!(
                    "cannot join IPC of a container {}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)",
                    view.id
                )));
            }
        };
        others.joined.ipc = Some(namespace_file(view.state.pid, "ipc"));
    }
    if record.host.ipc == IpcMode::Host {
        others.shm = Some(PathBuf::from("/dev/shm"));
    }
    if let NetworkMode::Container(name) = &record.host.network {
        let other = index.find(name)?;
        let view = other.view();
        if !matches!(view.state.status, Status::Running | Status::Paused) {
            return Err(Error::Failed {
                message: format!(
                    "cannot join network namespace of a non running container: container {} is {}",
                    view.name,
                    view.state.status.as_str()
                ),
            });
        }
        let namespace = sys::ns::open(&namespace_file(view.state.pid, "net"), Types::NETWORK)?;
        others.network = Some((namespace, other));
    }
    Ok(others)
}

fn not_running(what: &str, id: &ContainerId) -> Error {
    Error::Failed { message: format!("failed to join {what} namespace: container {id} is not running") }
}

fn namespace_file(pid: i32, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/ns/{name}"))
}

/// The files that are bound over those of the image.
struct EtcPaths {
    hosts: PathBuf,
    hostname: PathBuf,
    resolv_conf: PathBuf,
}

/// Returns where the files of a container lie.
fn etc_paths(directory: &Path) -> EtcPaths {
    EtcPaths {
        hosts: directory.join("hosts"),
        hostname: directory.join("hostname"),
        resolv_conf: directory.join("resolv.conf"),
    }
}

/// Returns where a container's /etc/hosts lies.
pub(super) fn etc_hosts(directory: &Path) -> PathBuf {
    etc_paths(directory).hosts
}

/// Returns where a container's /etc/resolv.conf lies.
pub(super) fn etc_resolv_conf(directory: &Path) -> PathBuf {
    etc_paths(directory).resolv_conf
}

/// Returns where a container's log lies.
fn log_path(id: &str, directory: &Path) -> PathBuf {
    directory.join(format!("{id}-json.log"))
}

/// Returns what inspect shows of a container's files.
pub(super) fn paths(record: &Record, directory: &Path) -> PathsView {
    let EtcPaths { hosts, hostname, resolv_conf } = etc_paths(directory);
    let log = (record.host.log.driver == "json-file").then(|| log_path(&record.id, directory));
    PathsView { log, hostname, hosts, resolv_conf }
}
