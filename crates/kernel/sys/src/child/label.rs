//! What the ops are called in a birth record. For the parent.

use super::{Exec, Op};
use std::ffi::CStr;

/// The calls that can fail in a child, for their names have to be told from bytes.
pub(super) const CALLS: &[&str] = &[
    "accept4",
    "capset",
    "chroot",
    "clone3",
    "close_range",
    "dup2",
    "execve",
    "faccessat",
    "fchdir",
    "fchown",
    "fchownat",
    "fcntl",
    "fsconfig",
    "fsmount",
    "fsopen",
    "fspick",
    "fstat",
    "fstatfs",
    "getcwd",
    "ioctl",
    "ioprio_set",
    "keyctl",
    "lseek",
    "mkdirat",
    "mknodat",
    "mount_setattr",
    "move_mount",
    "newfstatat",
    "open_tree",
    "openat",
    "openat2",
    "personality",
    "pivot_root",
    "poll",
    "prctl",
    "prlimit",
    "read",
    "sched_setaffinity",
    "sched_setattr",
    "seccomp",
    "sendmsg",
    "set_mempolicy",
    "setdomainname",
    "setgroups",
    "sethostname",
    "setns",
    "setresgid",
    "setresuid",
    "setsid",
    "symlinkat",
    "umount2",
    "unlinkat",
    "unshare",
    "waitid",
    "write",
];

/// The name of [`Op::Await`].
pub(super) const AWAIT: &str = "wait for the start";

/// Returns an op's name and arguments.
pub(super) fn label(op: &Op) -> (&'static str, String) {
    match op {
        Op::Pause(_) => ("wait for the supervisor", String::new()),
        Op::Await(_) => (AWAIT, String::new()),
        Op::Inherit(fds) => ("keep descriptors", fds.len().to_string()),
        Op::Join { types, .. } => ("join namespaces", types.to_string()),
        Op::Unshare(types) => ("unshare", types.to_string()),
        Op::BecomeRoot { uid, gid, .. } => ("become root of the user namespace", format!("{uid}:{gid}")),
        Op::RefuseInspection => ("refuse inspection", String::new()),
        Op::Hook(hook) => ("run hook", text(&hook.path)),
        Op::TimeOffsets(offsets) => ("set clock offsets", text(offsets).replace('\n', ", ")),
        Op::OomScoreAdj { value, .. } => ("set oom_score_adj", value.to_string()),
        Op::NewKeyring => ("new session keyring", String::new()),
        Op::LoopbackUp => ("set loopback up", String::new()),
        Op::Hostname(name) => ("set host name", text(name)),
        Op::Domainname(name) => ("set domain name", text(name)),
        Op::Propagate(_) => ("detach mount propagation", "/".into()),
        Op::EnterRoot(_) => ("attach root", "/".into()),
        Op::EnterPath(path) => ("attach root", text(path)),
        Op::EnterDirectory(path) => ("open root", text(path)),
        Op::UseRoot => ("open root", "/".into()),
        Op::Mount(mount) => ("mount", format!("{} on {}", text(&mount.fs_type), text(&mount.target.path))),
        Op::Attach { target, .. } => ("bind mount", text(&target.path)),
        Op::AttachPath(bind) => ("bind mount", text(&bind.target.path)),
        Op::Remount { path, .. } => ("remount", text(path)),
        Op::Directory(path) => ("make directory", text(path)),
        Op::Device(device) => ("make device", text(&device.path)),
        Op::Symlink { target, path } => ("make link", format!("{} -> {}", text(path), text(target))),
        Op::ReadOnly(path) => ("make read-only", text(path)),
        Op::Mask(path) => ("mask", text(path)),
        Op::Attributes { path, .. } => ("change mount attributes", text(path)),
        Op::Sysctl { path, value } => ("write sysctl", format!("{}={}", text(path), text(value))),
        Op::Chroot => ("chroot", String::new()),
        Op::Pivot => ("pivot_root", String::new()),
        Op::Terminal(terminal) => ("open terminal", format!("{}x{}", terminal.columns, terminal.rows)),
        Op::Stdio { .. } => ("take standard streams", String::new()),
        Op::ChangeDirectory(path) => ("change directory", text(path)),
        Op::Limit(limit, limits) => {
            ("set limit", format!("{} {} {}", limit.name(), limits.soft, limits.hard))
        }
        Op::BlockSignals => ("block signals", String::new()),
        Op::Personality(domain) => ("set personality", format!("{domain:#x}")),
        Op::Scheduler(scheduler) => ("set scheduler", scheduler.policy.to_string()),
        Op::IoPriority(priority) => ("set io priority", format!("{priority:#x}")),
        Op::Affinity(cpus) => ("set CPU affinity", cpus.to_string()),
        Op::MemoryPolicy { mode, nodes } => ("set memory policy", format!("{mode:#x} nodes {nodes}")),
        Op::Label { value, .. } => ("set security label", text(value)),
        Op::Umask(mask) => ("set umask", format!("{mask:04o}")),
        Op::Bounding(keep) => ("limit capabilities", keep.to_string()),
        Op::Identity { uid, gid, groups, .. } => {
            ("change user", format!("{uid}:{gid} groups {:?}", groups.as_deref().unwrap_or_default()))
        }
        Op::RaiseCapabilities => ("raise capabilities", String::new()),
        Op::Capabilities { effective, .. } => ("set capabilities", effective.to_string()),
        Op::NoNewPrivileges => ("refuse new privileges", String::new()),
        Op::DieWithParent(_) => ("die with the supervisor", String::new()),
        Op::Seccomp(filter) => {
            ("install seccomp filter", format!("{} instructions", filter.program.len() / 8))
        }
        Op::Find => ("look up program", String::new()),
    }
}

/// Returns the name and the arguments of the last step.
pub(super) fn exec(exec: &Exec) -> (&'static str, String) {
    let args: Vec<_> = exec.args.iter().map(|arg| text(arg)).collect();
    ("execve", args.join(" "))
}

fn text(text: &CStr) -> String {
    text.to_string_lossy().into_owned()
}
