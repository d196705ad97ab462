//! From a specification to a plan: pure, and where everything unknown is refused.

mod devices;
pub(crate) mod hooks;
mod labels;
pub(crate) mod mapping;
mod mounts;
mod namespaces;
mod options;
mod process;
pub(crate) mod seccomp;
mod sysctl;
mod text;

pub(crate) use mounts::{Bind, CgroupMount, IdMap, Item, SourceLink, cgroup_directory};
pub(crate) use namespaces::Namespaces;
pub(crate) use process::{Place, Process};
pub(crate) use text::path_text;

use crate::{Error, Rootfs, known};
use devices::Way;
use oci::runtime::{Linux, Resources, Spec};
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use sys::child::Op;
use sys::mount::{Depth, MountAttr, PRIVATE, RDONLY, SHARED, SLAVE, UNBINDABLE};
use sys::process::CpuSet;
use text::c_text;

/// What a container is made from besides its specification.
#[derive(Debug)]
pub struct Inputs {
    /// The container's id: what hooks are told, and the cgroup of a specification that names none.
    pub id: String,
    /// The root file system; `spec.root.path` is ignored.
    pub rootfs: Rootfs,
    /// The network namespace to join, instead of a new one.
    pub network_namespace: Option<OwnedFd>,
    /// The compiled seccomp filter, an array of `struct sock_filter`; instead of `spec.linux.seccomp`, which is compiled
    /// and installed with its flags and its listener if this is none.
    pub seccomp: Option<Vec<u8>>,
    /// Whether the container ends with the calling thread.
    pub lifetime: Lifetime,
    /// Descriptors that the program gets, with the numbers that they have.
    pub preserved: Vec<OwnedFd>,
    /// A listening socket at which the process waits for [`crate::start`] after [`crate::Created::detach`].
    pub start: Option<OwnedFd>,
    /// Which session keyring the process gets.
    pub keyring: Keyring,
}

/// Which session keyring a process gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keyring {
    /// A new one: the caller's keys are out of reach.
    New,
    /// The caller's.
    Callers,
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
    /// None for a caller that may not make one and was not asked for one.
    pub(crate) cgroup_path: Option<String>,
    pub(crate) resources: Resources,
    /// What is mounted and made below the root, in this order.
    pub(crate) items: Vec<Item>,
    /// After the terminal and before the pivot.
    pub(crate) finish: Vec<Op>,
    /// After the pivot.
    pub(crate) inside: Vec<Op>,
    pub(crate) process: Process,
    pub(crate) seccomp: Option<seccomp::Planned>,
    pub(crate) hooks: hooks::Hooks,
    /// Network devices that move, by their names outside and inside.
    pub(crate) net_devices: Vec<(String, String)>,
    pub(crate) identity: Identity,
    pub(crate) lifetime: Lifetime,
    /// The program waits for signals that are blocked from its birth.
    pub(crate) awaits_signals: bool,
    pub(crate) preserved: Vec<OwnedFd>,
    pub(crate) start: Option<OwnedFd>,
    pub(crate) keyring: Keyring,
    /// What was left out because this machine cannot do it, as sentences for a log.
    pub warnings: Vec<String>,
}

/// The annotation of a container whose program, an init of ours, is to be executed with all signals blocked.
const AWAITS_SIGNALS: &str = "naru.awaits-signals";

/// Reads the text of a `config.json`.
///
/// # Errors
/// InvalidArgument with the path of the field that is wrong and the rule that it breaks.
pub fn parse(text: &[u8]) -> Result<Spec, Error> {
    Spec::parse(text).map_err(|error| match error.field.is_empty() {
        true => Error::invalid("config.json", error.reason),
        false => Error::invalid(error.field, error.reason),
    })
}

/// What hooks are told about a container.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) id: String,
    pub(crate) bundle: PathBuf,
    pub(crate) annotations: BTreeMap<String, String>,
}

/// Makes the plan of a container. Relative sources of bind mounts begin at `bundle`.
///
/// # Errors
/// InvalidArgument for what contradicts the specification or itself, Unimplemented for what is not there; both with
/// the field's path.
pub fn plan(spec: &Spec, bundle: &Path, inputs: Inputs) -> Result<Plan, Error> {
    check_version(&spec.oci_version)?;
    let none = Linux::default();
    let linux = spec.linux.as_ref().unwrap_or(&none);
    refuse(linux)?;
    let Inputs { id, rootfs, network_namespace, seccomp, lifetime, preserved, start, keyring } = inputs;
    let namespaces = namespaces::plan(linux, network_namespace)?;
    let Some(process) = &spec.process else {
        return Err(Error::invalid("process", "is missing"));
    };
    let mut warnings = Vec::new();
    let process = process::plan(process, "process", &mut warnings)?;
    let compiled = seccomp.map(|program| {
        let filter = sys::child::Filter { program, ..sys::child::Filter::default() };
        seccomp::Planned { filter, agent: None }
    });
    let seccomp = match (compiled, &linux.seccomp) {
        (Some(compiled), _) => Some(compiled),
        (None, profile) => profile.as_ref().map(seccomp::plan).transpose()?,
    };
    let hooks = hooks::plan(spec.hooks.as_ref())?;
    needs_mount_namespace(spec, linux, &namespaces, &hooks)?;
    let net_devices = net_devices(linux, &namespaces)?;

    let mut items = Vec::new();
    let mut late = Vec::new();
    for (index, mount) in spec.mounts.iter().enumerate() {
        items.push(mounts::plan(mount, bundle, &format!("mounts[{index}]"), &mut late)?);
    }
    if let Some(option) = labels::mount_option(linux.mount_label.as_ref())? {
        items.iter_mut().try_for_each(|item| mounts::label(item, &option))?;
    }
    let way = if namespaces.own_user() { Way::Bound } else { Way::Made };
    devices::plan(linux, &spec.mounts, way, &mut items)?;
    items.push(Item::Op(Op::Directory(process.cwd.clone())));

    Ok(Plan {
        rootfs,
        finish: finish(spec, linux, &namespaces, late)?,
        inside: inside(linux)?,
        namespaces,
        cgroup_path: cgroup_path(linux, &id),
        identity: Identity { id, bundle: bundle.to_owned(), annotations: spec.annotations.clone() },
        hooks,
        net_devices,
        resources: linux.resources.clone().unwrap_or_default(),
        items,
        process,
        seccomp,
        lifetime,
        awaits_signals: spec.annotations.get(AWAITS_SIGNALS).is_some_and(|value| value == "true"),
        preserved,
        start,
        keyring,
        warnings,
    })
}

/// Returns where the container's cgroup is: with its id below the root, if the specification does not say. A caller that
/// is not root gets none then.
fn cgroup_path(linux: &Linux, id: &str) -> Option<String> {
    match (linux.cgroups_path.is_empty(), sys::process::effective_uid()) {
        (false, _) => Some(linux.cgroups_path.clone()),
        (true, 0) => Some(format!("/{id}")),
        (true, _) => None,
    }
}

/// Returns the network devices that move, by their names outside and inside.
fn net_devices(linux: &Linux, namespaces: &Namespaces) -> Result<Vec<(String, String)>, Error> {
    let mut devices: Vec<(String, String)> = Vec::new();
    for (name, device) in &linux.net_devices {
        let field = format!("linux.netDevices[{name:?}]");
        if !namespaces.has(sys::ns::Types::NETWORK) {
            return Err(Error::invalid(field, "needs a network namespace in linux.namespaces"));
        }
        let inside = device.name.as_ref().filter(|inside| !inside.is_empty()).unwrap_or(name);
        for (field, name) in [(field.clone(), name), (format!("{field}.name"), inside)] {
            let wrong = |c: char| c == '/' || c == ':' || c.is_whitespace() || c.is_control();
            if name.is_empty() || name.len() > 15 || name == "." || name == ".." || name.contains(wrong) {
                return Err(Error::invalid(field, format!("{name:?} is no name of a device")));
            }
        }
        if devices.iter().any(|(_, other)| other == inside) {
            return Err(Error::invalid(format!("{field}.name"), format!("a second device {inside:?}")));
        }
        devices.push((name.clone(), inside.clone()));
    }
    Ok(devices)
}

/// Refuses what would change the mounts of the whole host.
fn needs_mount_namespace(
    spec: &Spec,
    linux: &Linux,
    namespaces: &Namespaces,
    hooks: &hooks::Hooks,
) -> Result<(), Error> {
    if namespaces.has(sys::ns::Types::MOUNT) {
        return Ok(());
    }
    let root = spec.root.as_ref();
    for (field, present) in [
        ("mounts", !spec.mounts.is_empty()),
        ("linux.maskedPaths", !linux.masked_paths.is_empty()),
        ("linux.readonlyPaths", !linux.readonly_paths.is_empty()),
        ("linux.rootfsPropagation", !linux.rootfs_propagation.is_empty()),
        ("root.readonly", root.is_some_and(|root| root.readonly)),
        ("process.terminal", spec.process.as_ref().is_some_and(|process| process.terminal)),
        ("hooks.createContainer", !hooks.create_container.is_empty()),
    ] {
        if present {
            return Err(Error::invalid(field, "needs a mount namespace in linux.namespaces"));
        }
    }
    Ok(())
}

/// Reads mount options.
#[cfg(test)]
pub(crate) fn mount_options(options: &[String]) -> Result<options::Options, Error> {
    options::parse("options", options)
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
    ops.push(if namespaces.new_mount() { Op::Pivot } else { Op::Chroot });
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
    ops.extend(linux.memory_policy.as_ref().map(memory_policy).transpose()?);
    Ok(ops)
}

/// Reads a NUMA memory policy.
///
/// # Source
/// man 2 set_mempolicy; Linux `include/uapi/linux/mempolicy.h`.
fn memory_policy(policy: &oci::runtime::MemoryPolicy) -> Result<Op, Error> {
    const FIELD: &str = "linux.memoryPolicy";
    let number = |table: &[(&str, u32)], name: &str| {
        table.iter().find(|(known, _)| *known == name).map(|(_, number)| *number)
    };
    let unknown = || Error::invalid(format!("{FIELD}.mode"), format!("unknown mode {:?}", policy.mode));
    let mut mode = number(&known::MEMORY_POLICY_MODES, &policy.mode).ok_or_else(unknown)?;
    for (index, flag) in policy.flags.iter().enumerate() {
        let unknown = || Error::invalid(format!("{FIELD}.flags[{index}]"), format!("unknown flag {flag:?}"));
        mode |= number(&known::MEMORY_POLICY_FLAGS, flag).ok_or_else(unknown)?;
    }
    let nodes = match policy.nodes.as_str() {
        "" => CpuSet::default(),
        list => CpuSet::parse(list).ok_or_else(|| {
            Error::invalid(format!("{FIELD}.nodes"), format!("{list:?} is no list of nodes"))
        })?,
    };
    Ok(Op::MemoryPolicy { mode, nodes })
}

fn check_version(version: &str) -> Result<(), Error> {
    let major = version.split('.').next();
    if major == Some("1") {
        return Ok(());
    }
    Err(Error::invalid("ociVersion", format!("{version:?} is not a version 1")))
}

/// Refuses, by name, all that is not there.
fn refuse(linux: &Linux) -> Result<(), Error> {
    match &linux.intel_rdt {
        Some(_) => Err(Error::not_supported("linux.intelRdt", "Intel RDT (resctrl)")),
        None => Ok(()),
    }
}
