//! Builds the services, adopts what an earlier engine left, serves the API until a signal comes.

use crate::config::Config;
use crate::error::Error;
use crate::{listen, notify, programs};
use blocking::Blocking;
use cgroup::{Cgroups, Mode};
use network::{NetworkConfig, Subnet};
use registry::{Registry, RegistryConfig};
use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use store::Store;
use tokio::signal::unix::{SignalKind, signal};

/// Jobs on the disk that run at once.
const DISK_JOBS: usize = 8;

/// Archives that are written or read at once.
const TRANSFER_JOBS: usize = 8;

/// Layers that are unpacked at once.
const UNPACK_JOBS: usize = 2;

/// Jobs on network namespaces that run at once.
const NETWORK_JOBS: usize = 4;

/// Runs the engine until SIGTERM or SIGINT. Containers go on without it.
pub(crate) async fn run(config: &Config) -> Result<(), Error> {
    let cgroups = Cgroups::detect().map_err(Error::service)?;
    let _dynmods = favor_dynmods(&cgroups);
    let state = build(config, cgroups).await?;
    let listeners = listen::open(config)?;
    notify::send("READY=1");
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        data_root = %config.data_root.display(),
        hosts = ?config.hosts,
        "the engine is ready"
    );
    let containers = state.containers.clone();
    api::serve(listeners, state, stop_requested()).await;
    notify::send("STOPPING=1");
    for path in config.hosts.iter().filter_map(|host| host.strip_prefix("unix://")) {
        let _ = fs::remove_file(path); // the next engine would replace it
    }
    containers.shutdown().await;
    tracing::info!("the engine ends; containers go on");
    Ok(())
}

/// Keeps attaching to cgroups cheap on v1, see `cgroup::favor_dynmods`. Without it everything works, more slowly.
fn favor_dynmods(cgroups: &Cgroups) -> Option<OwnedFd> {
    if cgroups.mode() == Mode::V2 {
        return None;
    }
    match cgroup::favor_dynmods() {
        Ok(hierarchy) => Some(hierarchy),
        Err(error) => {
            tracing::warn!(error = ::error::chain(&error), "starts are slower by some 10 ms");
            None
        }
    }
}

async fn build(config: &Config, cgroups: Cgroups) -> Result<api::State, Error> {
    let disk = Blocking::new(DISK_JOBS);
    let store = Store::open(&config.data_root.join("naru.db")).map_err(Error::service)?;
    let images = image::Images::open(&config.data_root, store.clone(), layer::Limits::default())
        .map_err(Error::service)?;
    let init_program = programs::find("naru-init")?;
    let hello = init_program.clone();
    images.offer_builtin_hello(move || fs::read(&hello));
    let snapshots = snapshot::open(
        config.storage_driver,
        (&config.data_root.join("snapshots"), &config.data_root.join("layers")),
        Arc::clone(images.layers()),
        Arc::clone(images.trash()),
        store.clone(),
    )
    .map_err(Error::service)?;
    let events =
        events::Events::open(&config.data_root.join("events.jsonl"), events::Limits::default(), disk.clone())
            .map_err(Error::service)?;
    let network = network::Network::open(network_config(config)?, store.clone(), Blocking::new(NETWORK_JOBS))
        .map_err(Error::service)?;
    let volumes = volume::Volumes::open(
        &config.data_root.join("volumes"),
        store.clone(),
        Arc::clone(images.trash()),
        events.clone(),
    )
    .map_err(Error::service)?;
    let launcher =
        launch::Launcher::new(&programs::find("naru-run")?, &config.exec_root).map_err(Error::service)?;
    let registry =
        Registry::new(&registry_config(config), images.clone(), disk.clone(), Blocking::new(UNPACK_JOBS))
            .map_err(Error::service)?;
    let system = system(config, &cgroups, snapshots.name())?;
    let parts = container::Parts {
        store,
        images: images.clone(),
        snapshots,
        volumes: volumes.clone(),
        network: network.clone(),
        launcher,
        events: events.clone(),
        cgroups,
        disk: disk.clone(),
    };
    let containers =
        container::Service::open(settings(config, init_program), parts).await.map_err(Error::service)?;
    Ok(api::State {
        containers,
        images,
        registry,
        events,
        volumes,
        network,
        disk,
        transfers: Blocking::new(TRANSFER_JOBS),
        system,
    })
}

fn network_config(config: &Config) -> Result<NetworkConfig, Error> {
    Ok(NetworkConfig {
        bridge_name: config.bridge.clone(),
        subnet: config.bip.as_deref().map(bridge_subnet).transpose()?,
        mtu: config.mtu,
        ip_forward: config.ip_forward,
        ip_masq: config.ip_masq,
        publish_address: config.ip,
        ..NetworkConfig::default()
    })
}

/// Reads `--bip`: the bridge's own address, with the length of its subnet's part.
fn bridge_subnet(text: &str) -> Result<(Subnet, IpAddr), Error> {
    let fault = || Error::Value {
        key: "bip",
        value: text.to_owned(),
        rule: "an IPv4 address with a prefix length of 8 to 30, such as 172.17.0.1/16".to_owned(),
    };
    let (address, length) = text.split_once('/').ok_or_else(fault)?;
    let address = IpAddr::V4(address.parse().map_err(|_| fault())?);
    let length = length.parse().ok().filter(|length| (8..=30).contains(length)).ok_or_else(fault)?;
    let subnet = Subnet::containing(address, length);
    if subnet.address == address { Err(fault()) } else { Ok((subnet, address)) }
}

fn registry_config(config: &Config) -> RegistryConfig {
    RegistryConfig {
        mirrors: config.registry_mirrors.clone(),
        insecure: config.insecure_registries.clone(),
        max_downloads: config.max_concurrent_downloads,
        max_unpacks: UNPACK_JOBS,
        ..RegistryConfig::default()
    }
}

fn settings(config: &Config, init_program: std::path::PathBuf) -> container::Settings {
    container::Settings {
        data_root: config.data_root.clone(),
        init_program,
        cgroup_parent: config.cgroup_parent.clone(),
        dns: config.dns.clone(),
        dns_search: config.dns_search.clone(),
        dns_options: config.dns_options.clone(),
        log: container::spec::LogConfig {
            driver: config.log_driver.clone(),
            options: config.log_options.clone(),
        },
        ulimits: config.default_ulimits.clone(),
        host_gateway: None,
        shm_size_bytes: config.default_shm_size_bytes,
    }
}

/// Returns the options of the default log driver, with what holds if the operator is silent.
fn log_options(config: &Config) -> BTreeMap<String, String> {
    let mut options = config.log_options.clone();
    let limits = ["max-size", "max-file", "compress"];
    let is_file = matches!(config.log_driver.as_str(), "json-file" | "local");
    if is_file && !limits.iter().any(|name| options.contains_key(*name)) {
        options.extend(container::LOG_ROTATION.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
    options
}

fn system(config: &Config, cgroups: &Cgroups, driver: &str) -> Result<api::System, Error> {
    let variable = |name: &str| {
        std::env::var(name).or_else(|_| std::env::var(name.to_ascii_lowercase())).unwrap_or_default()
    };
    Ok(api::System {
        id: engine_id(&config.data_root)?,
        data_root: config.data_root.clone(),
        driver: driver.to_owned(),
        driver_status: driver_status(&config.data_root),
        limits: cgroups.limits(),
        log_driver: config.log_driver.clone(),
        log_options: log_options(config),
        registry_mirrors: config.registry_mirrors.iter().map(|mirror| with_slash(mirror)).collect(),
        insecure_registries: config.insecure_registries.clone(),
        labels: config.labels.clone(),
        debug: ["debug", "trace"].contains(&config.log_level.as_str()),
        proxies: [variable("HTTP_PROXY"), variable("HTTPS_PROXY"), variable("NO_PROXY")],
    })
}

/// Shows a mirror as Docker does: with a slash at the end.
fn with_slash(mirror: &str) -> String {
    format!("{}/", mirror.trim_end_matches('/'))
}

/// Returns the engine's lasting id, made on the first start.
fn engine_id(data_root: &Path) -> Result<String, Error> {
    let path = data_root.join("engine-id");
    if let Ok(id) = fs::read_to_string(&path)
        && !id.trim().is_empty()
    {
        return Ok(id.trim().to_owned());
    }
    let failed = |source| Error::File { what: "write", path: path.clone(), source };
    let id = fs::read_to_string("/proc/sys/kernel/random/uuid").map_err(failed)?.trim().to_owned();
    let temporary = path.with_extension("new");
    fs::write(&temporary, &id).and_then(|()| fs::rename(&temporary, &path)).map_err(failed)?;
    Ok(id)
}

fn driver_status(data_root: &Path) -> Vec<[String; 2]> {
    let entry = |name: &str, value: &str| [name.to_owned(), value.to_owned()];
    vec![
        entry("Backing Filesystem", &file_system(data_root)),
        entry("Supports d_type", "true"),
        entry("Using metacopy", "false"),
        entry("Native Overlay Diff", "true"),
        entry("userxattr", "false"),
    ]
}

/// Returns the type of the file system that `path` is on: that of the longest mount point above it.
fn file_system(path: &Path) -> String {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    table
        .lines()
        .filter_map(|line| {
            let (left, right) = line.split_once(" - ")?;
            let target = left.split(' ').nth(4)?;
            path.starts_with(target).then(|| (target.len(), right.split(' ').next().unwrap_or("")))
        })
        .max_by_key(|(length, _)| *length)
        .map_or_else(|| "unknown".to_owned(), |(_, kind)| kind.to_owned())
}

/// Resolves when the engine is asked to end.
async fn stop_requested() {
    let listen = |kind| signal(kind).expect("signals can be listened to");
    let (mut terminate, mut interrupt, mut hang_up) =
        (listen(SignalKind::terminate()), listen(SignalKind::interrupt()), listen(SignalKind::hangup()));
    loop {
        tokio::select! {
            _ = terminate.recv() => return,
            _ = interrupt.recv() => return,
            _ = hang_up.recv() => tracing::warn!("the configuration is not read again: restart the engine, containers go on"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engine_id_stays_the_same() {
        let folder = std::env::temp_dir().join(format!("naru-id-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("writable");
        let first = engine_id(&folder).expect("made");
        assert_eq!(first.len(), 36);
        assert_eq!(engine_id(&folder).expect("read"), first);
        fs::remove_dir_all(&folder).expect("ours");
    }

    #[test]
    fn bip_is_an_address_in_its_subnet() {
        let (subnet, own) = bridge_subnet("10.9.8.7/24").expect("valid");
        assert_eq!((subnet.to_string().as_str(), own.to_string().as_str()), ("10.9.8.0/24", "10.9.8.7"));
        for text in ["10.9.8.1", "10.9.8.1/33", "x/24", "10.9.8.1/0"] {
            let error = bridge_subnet(text).expect_err(text);
            assert!(error.to_string().contains(text), "{error}");
        }
    }

    #[test]
    fn file_system_of_proc_is_proc() {
        assert_eq!(file_system(Path::new("/proc/self")), "proc");
    }
}
