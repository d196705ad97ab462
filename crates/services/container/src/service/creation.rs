//! Creating a container: checks, root file system, record.

use crate::actor;
use crate::context::Context;
use crate::record::{self, Record};
use crate::spec::{Config, CreateSpec, HostConfig, ImageRef, Mount, NetworkMode};
use crate::view::Created;
use crate::{Error, create, happenings};
use image::Image;
use network::EndpointSpec;
use refs::{ContainerId, Platform};
use snapshot::Rootfs;
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io::Read as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::sync::Arc;

/// How often a made-up name is tried before digits are added.
const NAME_TRIES: usize = 6;

/// Creates a container.
pub(super) async fn create(context: &Arc<Context>, spec: CreateSpec) -> Result<Created, Error> {
    let CreateSpec { name, config, mut host, endpoints, platform } = spec;
    let wanted_name = name.as_deref().map(refs::name::validate).transpose()?.map(str::to_owned);
    complete(context, &mut host);
    let (shared_context, image_name) = (Arc::clone(context), config.image.clone());
    let wanted = platform.unwrap_or_else(Platform::host);
    // Nothing of the image is collected until the snapshot holds its layers.
    let (lease, image) = context
        .parts
        .disk
        .run(move || -> Result<_, Error> {
            let lease = shared_context.parts.images.lease();
            Ok((lease, shared_context.parts.images.resolve_for(&image_name, &wanted)?))
        })
        .await?;

    let of_image = image.config.config.clone().unwrap_or_default();
    let mut config = create::merge(config, &of_image);
    let command = create::command(&config)?;
    let warnings = create::check(&config, &mut host, &context.facts)?;
    let id = new_id()?;
    create::log(&host.log, &config, id.as_str(), &context.directory(&id))?;
    check_others(context, &host)?;
    let endpoints = places(context, &mut host, endpoints)?;
    set_hostname(context, &mut config, &host, &id);

    let reserved = Reserved::take(context, wanted_name, &id)?;
    let record = Record {
        id: id.to_string(),
        name: reserved.name.clone(),
        created_at: super::timestamp().nanos(),
        image: ImageRef { id: image.id.clone(), layers: image.layers.clone() },
        driver: context.parts.snapshots.name().to_owned(),
        config,
        host,
        command,
        run: crate::machine::Run::default(),
        endpoints: Some(endpoints),
        health: None,
        limits_pending: false,
    };
    let rootfs = store(context, &record, &image).await?;
    drop(lease);
    let shared = actor::spawn(context, record, rootfs, None)?;
    reserved.keep();
    happenings::publish(context, &shared.view(), "create", []);
    Ok(Created { id, warnings })
}

/// Sets what the request leaves to the engine.
fn complete(context: &Context, host: &mut HostConfig) {
    let settings = &context.settings;
    if host.shm_size_bytes == 0 {
        host.shm_size_bytes = settings.shm_size_bytes;
    }
    if host.log.driver.is_empty() {
        host.log.driver.clone_from(&settings.log.driver);
    }
    if host.log.driver == settings.log.driver {
        for (name, value) in &settings.log.options {
            host.log.options.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
}

/// Checks what lies outside of the request: other containers, sources of bind mounts.
fn check_others(context: &Context, host: &HostConfig) -> Result<(), Error> {
    for name in create::joined_names(host) {
        // Docker answers 400, not 404, for a container that another one shall join.
        context.index().find(name).map_err(|error| Error::invalid(error.to_string()))?;
    }
    for mount in &host.mounts {
        if let Mount::Bind { source, create_source: false, .. } = mount {
            actor::check_source(source, false)?;
        }
    }
    Ok(())
}

/// Returns the container's places in networks, with that of its mode. Networks that are not there yet may come until it
/// is started.
fn places(
    context: &Context,
    host: &mut HostConfig,
    mut endpoints: BTreeMap<String, EndpointSpec>,
) -> Result<BTreeMap<String, EndpointSpec>, Error> {
    if let Some(spec) = endpoints.remove("default") {
        endpoints.entry("bridge".to_owned()).or_insert(spec);
    }
    let Some(first) = host.network.network().map(str::to_owned) else {
        return match host.network {
            // COMPAT: Docker takes them, and fails or ignores them at start.
            NetworkMode::Host | NetworkMode::None | NetworkMode::Container(_)
                if endpoints.iter().any(|(name, spec)| {
                    !is_mode(&host.network, name) || *spec != EndpointSpec::default()
                }) =>
            {
                Err(Error::invalid(
                    "conflicting options: a container with the network mode host, none or container cannot be connected to networks",
                ))
            }
            _ => Ok(BTreeMap::new()),
        };
    };
    endpoints.entry(first).or_default();
    let mut by_name = BTreeMap::new();
    for (name, spec) in endpoints {
        spec.check()?;
        let canonical = match context.parts.network.inspect(&name) {
            Ok(view) => {
                let wrong = |error: network::Error| {
                    Error::invalid(format!("invalid config for network {name}: {error}"))
                };
                context.parts.network.check(&name, &spec).map_err(wrong)?;
                view.name
            }
            Err(network::Error::NotFound(_)) => name.clone(),
            Err(error) => return Err(error.into()),
        };
        by_name.insert(canonical, spec);
    }
    if let NetworkMode::Network(name) = &host.network
        && let Ok(view) = context.parts.network.inspect(name)
        && by_name.contains_key(&view.name)
    {
        // Ids stay as they were written, names are what places go by.
        host.network = NetworkMode::Network(view.name);
    }
    Ok(by_name)
}

/// Returns whether a network is that of a mode without places.
fn is_mode(mode: &NetworkMode, network: &str) -> bool {
    match mode {
        NetworkMode::Host => network == "host",
        NetworkMode::None => network == "none",
        NetworkMode::Container(_) | NetworkMode::Bridge | NetworkMode::Network(_) => false,
    }
}

fn set_hostname(context: &Context, config: &mut Config, host: &HostConfig, id: &ContainerId) {
    if !config.hostname.is_empty() {
        return;
    }
    config.hostname = if host.uts_host || host.network == NetworkMode::Host {
        context.facts.hostname.clone()
    } else if matches!(host.network, NetworkMode::Container(_)) {
        String::new() // the other container's, known at each start
    } else {
        id.short().to_owned()
    };
}

/// Makes the root file system and the data directory, then the record: what is not recorded belongs to nobody.
async fn store(context: &Arc<Context>, record: &Record, image: &Image) -> Result<Rootfs, Error> {
    let (shared_context, record, layers) = (Arc::clone(context), record.clone(), image.layers.clone());
    let make = move || -> Result<Rootfs, Error> {
        let context = &shared_context;
        let id = ContainerId::parse(&record.id)?;
        let rootfs = context.parts.snapshots.prepare(&record.id, &layers)?;
        let directory = context.directory(&id);
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&directory);
        let stored = made.map_err(Error::file("create", &directory)).and_then(|()| {
            Ok(record::put(&context.parts.store, &record.id, &record.to_json(), record.durability())?)
        });
        if let Err(error) = stored {
            // The first error counts; what stays is removed at the next start of the engine.
            let _ = context.parts.snapshots.remove(&record.id);
            let _ = fs::remove_dir_all(&directory);
            return Err(error);
        }
        Ok(rootfs)
    };
    context.parts.disk.run(make).await
}

/// Returns random bytes.
///
/// # Errors
/// Internal without /dev/urandom.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    let path = "/dev/urandom";
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut bytes));
    read.map_err(Error::file("read", path))?;
    Ok(bytes)
}

fn new_id() -> Result<ContainerId, Error> {
    Ok(ContainerId::generate(random()?))
}

/// A name that is reserved until it is kept or dropped.
struct Reserved {
    context: Arc<Context>,
    name: String,
    id: ContainerId,
    is_kept: bool,
}

impl Reserved {
    fn take(context: &Arc<Context>, wanted: Option<String>, id: &ContainerId) -> Result<Self, Error> {
        let reserved =
            |name: String| Self { context: Arc::clone(context), name, id: id.clone(), is_kept: false };
        if let Some(name) = wanted {
            context.index_mut().reserve(&name, id)?;
            return Ok(reserved(name));
        }
        for attempt in 0..=NAME_TRIES {
            let number = u64::from_le_bytes(random()?);
            let name =
                if attempt == 0 { refs::name::generate(number) } else { refs::name::generate_longer(number) };
            if context.index_mut().reserve(&name, id).is_ok() {
                return Ok(reserved(name));
            }
        }
        let name = id.short().to_owned();
        context.index_mut().reserve(&name, id)?;
        Ok(reserved(name))
    }

    fn keep(mut self) {
        self.is_kept = true;
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if !self.is_kept {
            self.context.index_mut().release(&self.name, &self.id);
        }
    }
}
