//! Volumes of a container: which it gets, what is copied into them, where they are when it starts.
//!
//! What the image declares and what other containers bring becomes part of the container's mounts when it is created: from then
//! on there is one list.

use crate::Error;
use crate::context::Context;
use crate::record::Record;
use crate::root_files;
use crate::spec::{Config, HostConfig, Mount, Origin, VolumeMount};
use events::Type;
use refs::ContainerId;
use snapshot::Rootfs;
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use volume::{New, Volumes};

/// What a start needs of the volumes.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    /// Where each volume lies.
    pub(crate) paths: BTreeMap<String, PathBuf>,
    /// Places that are mounted by descriptor, by their target: a path to them could lead elsewhere by now.
    pub(crate) open: Vec<(PathBuf, OwnedFd)>,
}

/// Returns the volumes among the mounts.
pub(crate) fn of(host: &HostConfig) -> impl Iterator<Item = &VolumeMount> {
    host.mounts.iter().filter_map(|mount| match mount {
        Mount::Volume(volume) => Some(volume),
        Mount::Bind { .. } | Mount::Tmpfs { .. } => None,
    })
}

/// Returns the names of the volumes, each once.
pub(crate) fn names(host: &HostConfig) -> Vec<String> {
    let mut names: Vec<String> = of(host).map(|volume| volume.name.clone()).collect();
    names.sort();
    names.dedup();
    names
}

/// Adds the mounts of the containers that are named in `volumes_from`, but for targets that have a mount already.
///
/// # Errors
/// InvalidArgument for containers that do not exist and modes that are none.
pub(crate) fn inherit(context: &Context, host: &mut HostConfig) -> Result<(), Error> {
    for entry in host.volumes_from.clone() {
        let (name, read_only) = parse_from(&entry)?;
        // Docker's 404 would tell clients to pull the image.
        let other = context.index().find(name).map_err(|error| Error::invalid(error.to_string()))?;
        for mount in &other.view().host.mounts {
            let inherited = match mount {
                Mount::Bind { .. } | Mount::Volume(_) => as_inherited(mount.clone(), read_only),
                Mount::Tmpfs { .. } => continue,
            };
            if !host.mounts.iter().any(|known| known.target() == inherited.target()) {
                host.mounts.push(inherited);
            }
        }
    }
    Ok(())
}

fn as_inherited(mut mount: Mount, also_read_only: bool) -> Mount {
    match &mut mount {
        Mount::Bind { read_only, is_inherited, .. } => {
            *read_only |= also_read_only;
            *is_inherited = true;
        }
        Mount::Volume(volume) => {
            volume.read_only |= also_read_only;
            volume.origin = Origin::Inherited;
            volume.no_copy = true;
        }
        Mount::Tmpfs { .. } => {}
    }
    mount
}

/// Reads `container[:mode]`.
///
/// # Source
/// Behaviour of Docker 28.5.2.
fn parse_from(entry: &str) -> Result<(&str, bool), Error> {
    if entry.is_empty() {
        return Err(Error::invalid("volumes-from specification cannot be an empty string"));
    }
    let (name, mode) = entry.split_once(':').unwrap_or((entry, "rw"));
    let mut read_only = false;
    for word in mode.split(',') {
        match word {
            "ro" => read_only = true,
            "rw" | "z" | "Z" => {}
            _ => return Err(Error::invalid(format!("invalid mode: {mode}"))),
        }
    }
    Ok((name, read_only))
}

/// Adds anonymous volumes where the image or the request declares volumes and nothing is mounted.
///
/// # Errors
/// InvalidArgument for paths that are not absolute.
pub(crate) fn declare(config: &Config, host: &mut HostConfig) -> Result<(), Error> {
    for path in &config.volumes {
        let target = clean(path).ok_or_else(|| {
            Error::invalid(format!("invalid volume specification: '{path}': invalid mount path: '{path}' mount path must be absolute"))
        })?;
        if !host.mounts.iter().any(|mount| mount.target() == target) {
            host.mounts.push(Mount::Volume(VolumeMount {
                is_anonymous: true,
                target,
                driver: host.volume_driver.clone(),
                origin: Origin::Declared,
                ..VolumeMount::default()
            }));
        }
    }
    Ok(())
}

fn clean(path: &str) -> Option<PathBuf> {
    let mut clean = PathBuf::from("/");
    for component in Path::new(path.strip_prefix('/')?).components() {
        match component {
            std::path::Component::Normal(name) => clean.push(name),
            std::path::Component::ParentDir => {
                clean.pop();
            }
            _ => {}
        }
    }
    Some(clean)
}

/// Volumes that are reserved for a container until it is stored; given back when dropped before.
pub(crate) struct Reserved {
    volumes: Volumes,
    container: String,
    names: Vec<String>,
    /// Those that were made for it: their records are written together with the container's.
    pub(crate) new: Vec<volume::Record>,
    is_kept: bool,
}

impl Reserved {
    /// Finds or makes the volumes, and writes the names of anonymous ones into the mounts.
    ///
    /// # Errors
    /// Those of the volumes.
    pub(crate) fn take(volumes: &Volumes, id: &ContainerId, host: &mut HostConfig) -> Result<Self, Error> {
        let mut reserved = Self {
            volumes: volumes.clone(),
            container: id.to_string(),
            names: Vec::new(),
            new: Vec::new(),
            is_kept: false,
        };
        for mount in &mut host.mounts {
            let Mount::Volume(mount) = mount else { continue };
            let new = New {
                name: mount.name.clone(),
                driver: mount.driver.clone(),
                options: mount.options.clone(),
                labels: mount.labels.clone(),
            };
            let (view, is_new) = volumes.reserve(new, id.as_str())?;
            mount.name.clone_from(&view.record.name);
            mount.driver.clone_from(&view.record.driver);
            reserved.names.push(view.record.name.clone());
            if is_new {
                reserved.new.push(view.record);
                if !mount.no_copy {
                    volumes.expect_copy(&mount.name)?;
                }
            }
        }
        Ok(reserved)
    }

    /// Keeps them: the container is stored.
    pub(crate) fn keep(mut self) {
        self.is_kept = true;
        for record in &self.new {
            self.volumes.announce(record);
        }
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        self.volumes.abandon(&self.new, &self.container);
        for name in &self.names {
            self.volumes.release(name, &self.container);
        }
    }
}

/// Copies what the image has at the targets into volumes that are empty.
///
/// # Errors
/// Those of the copy.
pub(crate) fn fill(volumes: &Volumes, rootfs: &Rootfs, host: &HostConfig) -> Result<(), Error> {
    for mount in of(host).filter(|mount| !mount.no_copy && mount.subpath.is_empty()) {
        fill_one(volumes, rootfs, mount)?;
    }
    Ok(())
}

fn fill_one(volumes: &Volumes, rootfs: &Rootfs, mount: &VolumeMount) -> Result<(), Error> {
    let parts = root_files::directory(rootfs, &mount.target)?;
    Ok(volumes.fill(&mount.name, &parts)?)
}

/// Makes the volumes ready for a start.
///
/// # Errors
/// Those of the volumes, with Docker's texts.
pub(crate) fn mount(context: &Context, record: &Record, rootfs: &Rootfs) -> Result<Sources, Error> {
    let volumes = &context.parts.volumes;
    let mut sources = Sources::default();
    for mount in of(&record.host) {
        let view = volumes.mount(&mount.name, &record.id)?;
        if !mount.no_copy && volumes.expects_copy(&mount.name) {
            // An engine died in the middle of the copy.
            fill_one(volumes, rootfs, mount)?;
        }
        if !mount.subpath.is_empty() {
            let place = volumes.subpath(&mount.name, Path::new(&mount.subpath))?;
            sources.open.push((mount.target.clone(), place));
        }
        sources.paths.insert(mount.name.clone(), view.mountpoint);
    }
    Ok(sources)
}

/// Publishes that volumes were mounted.
pub(crate) fn publish_mounts(context: &Context, record: &Record) {
    for mount in of(&record.host) {
        let attributes = BTreeMap::from([
            ("container".to_owned(), record.id.clone()),
            ("destination".to_owned(), mount.target.display().to_string()),
            ("driver".to_owned(), mount.driver.clone()),
            ("propagation".to_owned(), String::new()),
            ("read/write".to_owned(), (!mount.read_only).to_string()),
        ]);
        context.publish(Type::Volume, "mount", &mount.name, attributes);
    }
}

/// Takes back what [`mount`] did; errors are logged.
pub(crate) fn unmount(context: &Context, record: &Record) {
    for mount in of(&record.host) {
        match context.parts.volumes.unmount(&mount.name, &record.id) {
            Ok(false) | Err(volume::Error::NotFound { .. }) => {}
            Ok(true) => {
                let attributes = BTreeMap::from([
                    ("container".to_owned(), record.id.clone()),
                    ("driver".to_owned(), mount.driver.clone()),
                ]);
                context.publish(Type::Volume, "unmount", &mount.name, attributes);
            }
            Err(error) => {
                tracing::warn!(volume = mount.name, error = %error::chain(&error), "volume stays mounted");
            }
        }
    }
}

/// Notes for all records which containers have which volumes; also for those that are not understood.
///
/// # Errors
/// Those of the disk.
pub(crate) fn hold_all(volumes: &Volumes, stored: &store::Record) -> Result<(), Error> {
    let json: serde_json::Value = serde_json::from_str(&stored.json).unwrap_or_default();
    for mount in json["host"]["mounts"].as_array().into_iter().flatten() {
        if mount["type"] == "volume"
            && let Some(name) = mount["name"].as_str()
        {
            volumes.hold(name, &stored.key)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::testing::host_config;

    #[test]
    fn declared_volumes_give_way_to_mounts() {
        let mut host = host_config();
        host.mounts =
            vec![Mount::Tmpfs { target: "/t".into(), options: String::new(), from_tmpfs_flag: true }];
        let volumes = ["/t", "/a//b/", "/a/b"].map(str::to_owned).to_vec();
        declare(&Config { volumes, ..Config::default() }, &mut host).unwrap();
        let targets: Vec<&Path> = host.mounts.iter().map(Mount::target).collect();
        assert_eq!(targets, [Path::new("/t"), Path::new("/a/b")]);
        let wrong = Config { volumes: vec!["a".into()], ..Config::default() };
        assert!(declare(&wrong, &mut host_config()).is_err());
    }

    #[test]
    fn volumes_from_has_a_mode() {
        assert_eq!(parse_from("a").unwrap(), ("a", false));
        assert_eq!(parse_from("a:ro,z").unwrap(), ("a", true));
        assert_eq!(parse_from("a:foo").unwrap_err().to_string(), "invalid mode: foo");
        assert!(parse_from("").is_err());
    }
}
