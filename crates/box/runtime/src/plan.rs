//! From a specification to a plan: pure, and where everything unknown is refused.

mod devices;
mod mounts;
mod namespaces;
mod options;
mod process;
mod sysctl;
mod text;

pub(crate) use mounts::{Bind, CgroupMount, Item, cgroup_directory};
pub(crate) use namespaces::Namespaces;
pub(crate) use process::Process;
pub(crate) use text::path_text;

use crate::{Error, Rootfs};
use oci::runtime::{Linux, Resources, Spec};
use std::os::fd::OwnedFd;
use std::path::Path;
use sys::child::Op;
use sys::mount::{Depth, MountAttr, PRIVATE, RDONLY, SHARED, SLAVE, UNBINDABLE};
use text::c_text;

/// What a container is made from besides its specification.
#[derive(Debug)]
pub struct Inputs {
    /// The root file system; `spec.root.path` is ignored.
    pub rootfs: Rootfs,
    /// The network namespace to join, instead of a new one.
    pub network_namespace: Option<OwnedFd>,
    /// The compiled seccomp filter, an array of `struct sock_filter`; instead of `spec.linux.seccomp`.
    pub seccomp: Option<Vec<u8>>,
    /// Whether the container ends with the calling thread.
    pub lifetime: Lifetime,
}

/// Whether a container ends with the thread that spawned it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// It is killed with it. (A program that is set-user-ID escapes this: the kernel clears the wish.)
    OfParent,
    /// It goes on.
    Own,
}

/// What will be done to make a container.
#[derive(Debug)]
pub struct Plan {
    pub(crate) rootfs: Rootfs,
    pub(crate) namespaces: Namespaces,
    pub(crate) cgroup_path: String,
    pub(crate) resources: Resources,
    /// What is mounted and made below the root, in this order.
    pub(crate) items: Vec<Item>,
    /// After the terminal and before the pivot.
    pub(crate) finish: Vec<Op>,
    /// After the pivot.
    pub(crate) inside: Vec<Op>,
    pub(crate) process: Process,
    pub(crate) seccomp: Option<Vec<u8>>,
    pub(crate) lifetime: Lifetime,
    /// The program waits for signals that are blocked from its birth.
    pub(crate) awaits_signals: bool,
    /// What was left out because this machine cannot do it, as sentences for a log.
    pub warnings: Vec<String>,
}

/// The annotation of a container whose program, an init of ours, is to be executed with all signals blocked.
const AWAITS_SIGNALS: &str = "naru.awaits-signals";

/// Makes the plan of a container. Relative sources of bind mounts begin at `bundle`.
///
/// # Errors
/// InvalidArgument for what contradicts the specification or itself, Unimplemented for what is not there; both with
/// the field's path.
pub fn plan(spec: &Spec, bundle: &Path, inputs: Inputs) -> Result<Plan, Error> {
    check_version(&spec.oci_version)?;
    let none = Linux::default();
    let linux = spec.linux.as_ref().unwrap_or(&none);
    refuse(spec, linux)?;
    let Inputs { rootfs, network_namespace, seccomp, lifetime } = inputs;
    let namespaces = namespaces::plan(linux, network_namespace)?;
    let Some(process) = &spec.process else {
        return Err(Error::invalid("process", "is missing"));
    };
    let mut warnings = Vec::new();
    let process = process::plan(process, "process", &mut warnings)?;
    if seccomp.is_none() && linux.seccomp.is_some() {
        return Err(Error::not_implemented("linux.seccomp", "a profile that was not compiled before"));
    }
    if linux.cgroups_path.is_empty() {
        return Err(Error::invalid("linux.cgroupsPath", "is empty"));
    }

    let mut items = Vec::new();
    let mut late = Vec::new();
    for (index, mount) in spec.mounts.iter().enumerate() {
        items.push(mounts::plan(mount, bundle, &format!("mounts[{index}]"), &mut late)?);
    }
    devices::plan(linux, &spec.mounts, &mut items)?;
    items.push(Item::Op(Op::Directory(process.cwd.clone())));

    Ok(Plan {
        rootfs,
        finish: finish(spec, linux, &namespaces, late)?,
        inside: inside(linux)?,
        namespaces,
        cgroup_path: linux.cgroups_path.clone(),
        resources: linux.resources.clone().unwrap_or_default(),
        items,
        process,
        seccomp,
        lifetime,
        awaits_signals: spec.annotations.get(AWAITS_SIGNALS).is_some_and(|value| value == "true"),
        warnings,
    })
}

/// Plans a further process of a container.
pub(crate) fn process(process: &oci::runtime::Process) -> Result<Process, Error> {
    process::plan(process, "process", &mut Vec::new())
}

/// Returns what closes the root file system: names, parameters, masks, read-only mounts, the pivot.
fn finish(spec: &Spec, linux: &Linux, namespaces: &Namespaces, late: Vec<Op>) -> Result<Vec<Op>, Error> {
    let mut ops = Vec::new();
    for (field, name) in [("hostname", &spec.hostname), ("domainname", &spec.domainname)] {
        if !name.is_empty() && !namespaces.has(sys::ns::Types::UTS) {
            return Err(Error::invalid(field, "needs an uts namespace in linux.namespaces"));
        }
    }
    if !spec.hostname.is_empty() {
        ops.push(Op::Hostname(c_text("hostname", &spec.hostname)?));
    }
    if !spec.domainname.is_empty() {
        ops.push(Op::Domainname(c_text("domainname", &spec.domainname)?));
    }
    sysctl::plan(linux, namespaces, &mut ops)?;
    for (index, path) in linux.readonly_paths.iter().enumerate() {
        ops.push(Op::ReadOnly(text::absolute(&format!("linux.readonlyPaths[{index}]"), path)?));
    }
    for (index, path) in linux.masked_paths.iter().enumerate() {
        ops.push(Op::Mask(text::absolute(&format!("linux.maskedPaths[{index}]"), path)?));
    }
    ops.extend(late);
    if spec.root.as_ref().is_some_and(|root| root.readonly) {
        let attr = MountAttr { set: RDONLY, ..MountAttr::default() };
        ops.push(Op::Attributes { path: c"/".into(), attr, depth: Depth::Single });
    }
    ops.push(Op::Pivot);
    Ok(ops)
}

/// Returns what is done inside the new root.
fn inside(linux: &Linux) -> Result<Vec<Op>, Error> {
    let mut ops = Vec::new();
    // Only of the root itself, as runc: a recursive change would undo what single mounts asked for.
    let propagation = match linux.rootfs_propagation.trim_start_matches('r') {
        "" => 0,
        "private" => PRIVATE,
        "shared" => SHARED,
        "slave" => SLAVE,
        "unbindable" => UNBINDABLE,
        other => {
            return Err(Error::invalid("linux.rootfsPropagation", format!("{other:?} is no propagation")));
        }
    };
    if propagation != 0 {
        let attr = MountAttr { propagation, ..MountAttr::default() };
        ops.push(Op::Attributes { path: c"/".into(), attr, depth: Depth::Single });
    }
    if let Some(personality) = &linux.personality {
        if !personality.flags.is_empty() {
            return Err(Error::invalid("linux.personality.flags", "no flags are defined"));
        }
        ops.push(Op::Personality(match personality.domain.as_str() {
            "LINUX" => 0,
            "LINUX32" => 8,
            other => return Err(Error::invalid("linux.personality.domain", format!("{other:?} is unknown"))),
        }));
    }
    Ok(ops)
}

fn check_version(version: &str) -> Result<(), Error> {
    let major = version.split('.').next();
    if major == Some("1") {
        return Ok(());
    }
    Err(Error::invalid("ociVersion", format!("{version:?} is not a version 1")))
}

/// Refuses, by name, all that is not there.
fn refuse(spec: &Spec, linux: &Linux) -> Result<(), Error> {
    let hooks = spec.hooks.as_ref();
    let hook = |field: &'static str, list: Option<&Vec<oci::runtime::Hook>>| {
        (field, list.is_some_and(|l| !l.is_empty()))
    };
    let refused = [
        hook("hooks.prestart", hooks.map(|hooks| &hooks.prestart)),
        hook("hooks.createRuntime", hooks.map(|hooks| &hooks.create_runtime)),
        hook("hooks.createContainer", hooks.map(|hooks| &hooks.create_container)),
        hook("hooks.startContainer", hooks.map(|hooks| &hooks.start_container)),
        hook("hooks.poststart", hooks.map(|hooks| &hooks.poststart)),
        hook("hooks.poststop", hooks.map(|hooks| &hooks.poststop)),
        ("linux.uidMappings", !linux.uid_mappings.is_empty()),
        ("linux.gidMappings", !linux.gid_mappings.is_empty()),
        ("linux.netDevices", !linux.net_devices.is_empty()),
        ("linux.intelRdt", linux.intel_rdt.is_some()),
        ("linux.memoryPolicy", linux.memory_policy.is_some()),
        ("linux.mountLabel", linux.mount_label.as_ref().is_some_and(|label| !label.is_empty())),
    ];
    match refused.iter().find(|(_, present)| *present) {
        Some((field, _)) => Err(Error::not_implemented(*field, "this field")),
        None => Ok(()),
    }
}
