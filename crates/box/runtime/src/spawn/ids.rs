//! User namespaces: who makes them, whose ids they have, and what has to be done from outside.

use crate::Error;
use crate::error::While as _;
use crate::plan::mapping::{Maps, lines};
use crate::plan::{IdMap, Place, Plan};
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use sys::child::{Groups, Op};
use sys::cred::Capabilities;
use sys::ns::Types;
use sys::process::{Command, Session};

/// What the caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    /// It can mount and map ids.
    Privileged,
    /// It can do that in a user namespace of its own only.
    Plain,
}

impl Caller {
    pub(crate) fn present() -> Result<Self, Error> {
        let effective = sys::cred::effective().to("read the own capabilities")?;
        Ok(if effective.contains(sys::cred::SYS_ADMIN) { Self::Privileged } else { Self::Plain })
    }
}

/// How the ids of a new user namespace are mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The files are written.
    Directly,
    /// As before, but only with the own ids, and groups become fixed.
    OwnIds,
    /// By newuidmap and newgidmap.
    Helpers,
}

/// A container's user namespace, and who makes it.
#[derive(Debug)]
pub(super) struct User {
    pub(super) caller: Caller,
    maps: Option<(Maps, Way)>,
    joined: Option<PathBuf>,
    groups: Groups,
}

impl User {
    pub(super) fn plan(plan: &Plan, caller: Caller) -> Result<Self, Error> {
        let joined = plan.namespaces.joined.iter().find(|(types, _)| *types == Types::USER);
        let joined = joined.map(|(_, path)| path.clone());
        if caller == Caller::Plain && !plan.namespaces.own_user() {
            let reason = "needs a user namespace, as the caller is not privileged";
            return Err(Error::invalid("linux.namespaces", reason));
        }
        let maps = plan.namespaces.maps.clone().map(|maps| {
            let way = way(&maps);
            way.map(|way| (maps, way))
        });
        let maps = maps.transpose()?;
        let groups = match (&maps, &joined) {
            (Some((_, Way::OwnIds)), _) => Groups::Fixed,
            (None, Some(path)) => groups_of(path),
            _ => Groups::Free,
        };
        if groups == Groups::Fixed && plan.process.asks_for_groups {
            let reason = "cannot be set: the user namespace has fixed groups (newgidmap would help)";
            return Err(Error::invalid("process.user.additionalGids", reason));
        }
        Ok(Self { caller, maps, joined, groups })
    }

    /// Returns whether the new process has to be visible to its caller.
    pub(super) fn is_inspectable(&self) -> bool {
        self.caller == Caller::Plain
    }

    /// Returns what a process does when it has come into the user namespace.
    pub(super) fn enter(&self) -> Vec<Op> {
        let (uid, gid) = self.maps.as_ref().map_or((0, 0), |(maps, _)| maps.root());
        let mut ops = vec![Op::BecomeRoot { uid, gid, groups: self.groups }];
        if self.is_inspectable() {
            ops.push(Op::RefuseInspection);
        }
        ops
    }

    pub(super) fn place(&self) -> Place {
        match (self.maps.is_some() || self.joined.is_some(), self.groups) {
            (false, _) => Place::Plain,
            (true, Groups::Free) => Place::UserNamespace,
            (true, Groups::Fixed) => Place::FixedGroups,
        }
    }

    /// Returns a user namespace with the mapping of a mount.
    pub(super) fn namespace_of(&self, id_map: &IdMap) -> Result<OwnedFd, Error> {
        let own = self.maps.as_ref().map(|(maps, _)| maps);
        match (id_map.maps.as_ref().or(own), &self.joined) {
            (Some(maps), _) => sys::ns::user_with(&lines(&maps.uids), &lines(&maps.gids))
                .to("make a user namespace for an idmapped mount"),
            (None, Some(path)) => sys::ns::open(path, Types::USER).to("open the user namespace"),
            (None, None) => {
                let reason = "is needed for an idmapped mount, as there is no user namespace";
                Err(Error::invalid("mounts.uidMappings", reason))
            }
        }
    }

    /// Returns what maps the ids.
    pub(super) fn mapping(&self) -> Mapping {
        Mapping(self.maps.clone())
    }
}

/// What maps the ids of a process; nothing if it has joined a user namespace.
#[derive(Debug)]
pub(super) struct Mapping(Option<(Maps, Way)>);

impl Mapping {
    /// Maps the ids of a process that waits for it.
    pub(super) fn write(&self, pid: i32) -> Result<(), Error> {
        let Some((maps, way)) = &self.0 else { return Ok(()) };
        if *way == Way::Helpers {
            helper("newuidmap", pid, &maps.uids)?;
            return helper("newgidmap", pid, &maps.gids);
        }
        if *way == Way::OwnIds {
            write(pid, "setgroups", "deny")?;
        }
        write(pid, "uid_map", &lines(&maps.uids))?;
        write(pid, "gid_map", &lines(&maps.gids))
    }
}

/// Returns whether the groups in the user namespace of `/proc/PID/ns/user` can be changed.
pub(crate) fn groups_of(namespace: &Path) -> Groups {
    let process = namespace.parent().and_then(Path::parent);
    let text = process.map(|process| fs::read_to_string(process.join("setgroups")));
    match text {
        Some(Ok(text)) if text.trim() == "deny" => Groups::Fixed,
        _ => Groups::Free,
    }
}

fn way(maps: &Maps) -> Result<Way, Error> {
    let effective = sys::cred::effective().to("read the own capabilities")?;
    let mut needed = ["CAP_SETUID", "CAP_SETGID"].into_iter().filter_map(Capabilities::named);
    if needed.all(|one| effective.contains(one)) {
        return Ok(Way::Directly);
    }
    let own = |list: &[oci::runtime::IdMapping], id: u32| matches!(list, [one] if one.host_id == id && one.size == 1);
    if own(&maps.uids, sys::process::effective_uid()) && own(&maps.gids, sys::process::effective_gid()) {
        return Ok(Way::OwnIds);
    }
    Ok(Way::Helpers)
}

fn write(pid: i32, name: &str, text: &str) -> Result<(), Error> {
    let path = format!("/proc/{pid}/{name}");
    fs::write(&path, text)
        .map_err(|error| Error::Mapping(format!("write {:?} to {name}: {error}", text.trim_end())))
}

/// Runs newuidmap or newgidmap.
fn helper(name: &str, pid: i32, list: &[oci::runtime::IdMapping]) -> Result<(), Error> {
    let places = ["/usr/bin", "/bin", "/usr/local/bin", "/usr/sbin", "/sbin"];
    let found = places.iter().find_map(|place| File::open(Path::new(place).join(name)).ok());
    let program = found.ok_or_else(|| {
        Error::Mapping(format!("{name} is not installed (package uidmap), and only it may map several ids"))
    })?;
    let numbers = list.iter().flat_map(|range| [range.container_id, range.host_id, range.size]);
    let args: Vec<String> =
        [name.to_owned(), pid.to_string()].into_iter().chain(numbers.map(|n| n.to_string())).collect();
    let texts = |texts: &[String]| {
        let text = |text: &String| std::ffi::CString::new(text.as_str()).expect("digits have no NUL");
        texts.iter().map(text).collect::<Vec<_>>()
    };
    let (args, env) = (texts(&args), texts(&["PATH=/usr/bin:/bin".to_owned()]));
    let command = Command {
        program: std::os::fd::AsFd::as_fd(&program),
        args: &args,
        env: &env,
        fds: &[],
        session: Session::Inherited,
    };
    let child = sys::process::spawn(&command).to(&format!("run {name}"))?;
    let exit = sys::process::wait(&child.pidfd).to(&format!("wait for {name}"))?;
    if exit.code == 0 {
        return Ok(());
    }
    let ranges = lines(list).trim_end().replace('\n', ", ");
    Err(Error::Mapping(format!("{name} refused {ranges} (see /etc/subuid and /etc/subgid)")))
}
