//! A further process in a running container.

use crate::error::While as _;
use crate::plan::{self, Lifetime, Place};
use crate::spawn::{
    Caller, Created, IN_CGROUP, Names, Stdio, barrier, check_stdio, groups_of, home_entry, inherit,
    oom_score_adj, streams, terminal, to_barrier,
};
use crate::step::{Step, timed};
use crate::{Error, passwd};
use cgroup::Cgroup;
use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use sys::Errno;
use sys::child::{Child, Console, Filter, Groups, Op, Program};
use sys::ns::Types;
use sys::path::Root;
use sys::process::Signal;

/// The container that a further process goes into.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// Its first process.
    pub pid: i32,
    /// That process's pidfd.
    pub pidfd: BorrowedFd<'a>,
    /// Its cgroup.
    pub cgroup: &'a Cgroup,
}

/// How a further process lives.
#[derive(Debug)]
pub struct Options {
    /// Whether it ends with the calling thread.
    pub lifetime: Lifetime,
    /// Descriptors that it gets, with the numbers that they have.
    pub preserved: Vec<OwnedFd>,
}

impl Options {
    /// Returns those of a process that is supervised: it ends with its supervisor and gets no descriptors.
    pub fn supervised() -> Self {
        Self { lifetime: Lifetime::OfParent, preserved: Vec::new() }
    }
}

/// Makes a further process in a running container, up to the barrier.
///
/// It is born in the container's pid namespace and (v2) cgroup, and joins the other namespaces itself: one clone, no
/// process in between.
///
/// # Errors
/// As [`crate::spawn`]; CommandNotFound for a working directory that is not there.
pub fn exec(
    target: &Target<'_>,
    process: &oci::runtime::Process,
    seccomp: Option<Filter>,
    stdio: Stdio,
    options: Options,
    record: &mut dyn FnMut(Step),
) -> Result<Created, Error> {
    let mut process = plan::process(process)?;
    check_stdio(&stdio, process.terminal)?;
    if process.needs_home {
        let home = home_in(target, process.uid)?;
        process.exec.env.push(home);
    }
    let names = Names { program: process.program.clone(), cwd: process.cwd.clone() };

    let mut ops = Vec::with_capacity(24);
    ops.extend(process.affinity.0.map(Op::Affinity));
    ops.extend(process.oom_score_adj.map(oom_score_adj));
    ops.push(Op::NewKeyring);
    let own_user = has_own_user(target)?;
    let place = match own_user {
        None => Place::Plain,
        Some(Groups::Free) => Place::UserNamespace,
        Some(Groups::Fixed) => Place::FixedGroups,
    };
    if own_user.is_some() {
        ops.extend(process.limit_ops()); // Inside they could not be raised.
    }
    let caller = Caller::present()?;
    let pidfd = target.pidfd.try_clone_to_owned();
    let fd = pidfd.map_err(|error| Error::invalid("process", error.to_string()))?;
    let types = match own_user {
        Some(_) if caller == Caller::Privileged => namespaces().union(Types::USER),
        _ => namespaces(),
    };
    if process.affinity.1.is_some() {
        ops.push(Op::Pause(IN_CGROUP)); // A move into a cpuset would undo it.
    }
    ops.extend(process.affinity.1.map(Op::Affinity));
    ops.push(Op::Join { fd, types });
    ops.extend(own_user.map(|groups| Op::BecomeRoot { uid: 0, gid: 0, groups }));
    if caller == Caller::Plain {
        ops.push(Op::RefuseInspection);
    }
    ops.push(Op::UseRoot);
    if let Stdio::Terminal = stdio {
        ops.push(terminal(&process, Console::Untouched));
    }
    ops.extend(streams(stdio, process.uid));
    let (before, after) = process.ops(seccomp, place);
    ops.extend(before);
    if options.lifetime == Lifetime::OfParent {
        ops.push(Op::DieWithParent(Signal::KILL));
    }
    ops.push(barrier());
    ops.extend(inherit(options.preserved));
    ops.extend(after);
    let program = Program { ops, exec: process.exec };

    let mut child = timed(record, "clone3", String::new(), Error::number, || clone(program, target, caller))?;
    let pid = child.pid().unsigned_abs();
    timed(record, "join cgroup", pid.to_string(), Error::number, || Ok(target.cgroup.join_v1(pid)?))?;
    let terminal = to_barrier(&mut child, &names, record)?;
    Ok(Created::further(child, terminal, names))
}

/// Returns all namespaces that a container can have of its own. To join one that is shared changes nothing.
fn namespaces() -> Types {
    let all = Types::MOUNT.union(Types::NETWORK).union(Types::IPC).union(Types::UTS).union(Types::CGROUP);
    if sys::probe::time_namespaces() { all.union(Types::TIME) } else { all }
}

/// Returns whether the container has a user namespace of its own, and whether groups can be changed there.
fn has_own_user(target: &Target<'_>) -> Result<Option<Groups>, Error> {
    let path = PathBuf::from(format!("/proc/{}/ns/user", target.pid));
    match (fs::read_link(&path), fs::read_link("/proc/self/ns/user")) {
        (Ok(its), Ok(own)) if its != own => Ok(Some(groups_of(&path))),
        (Ok(_), _) => Ok(None),
        (Err(_), _) => Err(Error::invalid("container", "its first process has ended")),
    }
}

fn clone(program: Program, target: &Target<'_>, caller: Caller) -> Result<Child, Error> {
    let directory = match target.cgroup.v2_dir_fd()? {
        Some(directory) if is_inner(&directory) => of_first_process(target)?.or(Some(directory)),
        directory => directory,
    };
    let first = [(target.pidfd, Types::USER.union(Types::PID))];
    let options = sys::child::Options {
        namespaces: Types::none(),
        pid_namespace: (caller == Caller::Privileged).then_some(target.pidfd),
        cgroup: directory.as_ref().map(OwnedFd::as_fd),
        // Without privileges the pid namespace can only be joined from inside the user namespace.
        joined_first: match caller {
            Caller::Privileged => &[],
            Caller::Plain => &first,
        },
        inspectable: caller == Caller::Plain,
    };
    sys::child::spawn(program, &options).map_err(|source| match source.errno {
        Errno::SRCH => Error::invalid("container", "its first process has ended"),
        _ => Error::Sys { what: "clone a further process of the container".into(), source },
    })
}

/// Returns whether the container has made cgroups below its own with controllers (systemd does): then nobody can be born
/// in its own.
fn is_inner(directory: &OwnedFd) -> bool {
    let Ok(directory) = directory.try_clone() else { return false };
    let text = Root::from_fd(directory).read(Path::new("cgroup.subtree_control")).map(io::read_to_string);
    matches!(text, Ok(Ok(text)) if !text.trim().is_empty())
}

/// Opens the cgroup v2 directory of the container's first process.
fn of_first_process(target: &Target<'_>) -> Result<Option<OwnedFd>, Error> {
    let Ok(text) = fs::read_to_string(format!("/proc/{}/cgroup", target.pid)) else { return Ok(None) };
    let Some(path) = text.lines().find_map(|line| line.strip_prefix("0::/")) else { return Ok(None) };
    // What the kernel says about a process that is still ours: below the container's cgroup, or we do not follow.
    let own = PathBuf::from(target.cgroup.path());
    if !Path::new(path).starts_with(&own) || path.split('/').any(|part| part == "..") {
        return Ok(None);
    }
    let root = Root::open(Path::new("/sys/fs/cgroup")).to("open /sys/fs/cgroup")?;
    root.directory(Path::new(path)).to("open the cgroup of the container's first process").map(Some)
}

/// Returns `HOME=…` from the container's /etc/passwd.
fn home_in(target: &Target<'_>, uid: u32) -> Result<CString, Error> {
    let root = Root::open(Path::new(&format!("/proc/{}/root", target.pid)));
    let file = root.and_then(|root| root.read(Path::new("etc/passwd"))).ok();
    home_entry(passwd::home_of(file, uid))
}
