//! Kernel parameters: only those that belong to a namespace of the container's own.

use super::Namespaces;
use super::text::c_text;
use crate::Error;
use oci::runtime::Linux;
use sys::child::Op;
use sys::ns::Types;

/// Parameters of the ipc namespace below `kernel/`.
const IPC: [&str; 8] = ["msgmax", "msgmnb", "msgmni", "sem", "shmall", "shmmax", "shmmni", "shm_rmid_forced"];

pub(crate) fn plan(linux: &Linux, namespaces: &Namespaces, ops: &mut Vec<Op>) -> Result<(), Error> {
    for (key, value) in &linux.sysctl {
        let field = format!("linux.sysctl[{key:?}]");
        let path = path_of(key).ok_or_else(|| Error::invalid(&field, "is no name of a kernel parameter"))?;
        check(&field, &path, namespaces)?;
        ops.push(Op::Sysctl { path: c_text(&field, &format!("sys/{path}"))?, value: c_text(&field, value)? });
    }
    Ok(())
}

/// Returns a parameter's path below /proc/sys. Whichever of `.` and `/` comes first separates, as in sysctl(8), so that
/// `net/ipv4/conf/eth0.100/forwarding` can be said.
fn path_of(key: &str) -> Option<String> {
    let separator = key.find(['.', '/']).and_then(|at| key[at..].chars().next())?;
    let path: String = match separator {
        '.' => key
            .chars()
            .map(|c| {
                if c == '.' {
                    '/'
                } else if c == '/' {
                    '.'
                } else {
                    c
                }
            })
            .collect(),
        _ => key.to_owned(),
    };
    let fine = path.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
    fine.then_some(path)
}

fn check(field: &str, path: &str, namespaces: &Namespaces) -> Result<(), Error> {
    let needed = if path.starts_with("net/") {
        Types::NETWORK
    } else if path.starts_with("fs/mqueue/")
        || path.strip_prefix("kernel/").is_some_and(|name| IPC.contains(&name))
    {
        Types::IPC
    } else if path == "kernel/domainname" {
        Types::UTS
    } else if path == "kernel/hostname" {
        return Err(Error::invalid(field, "is set by `hostname`"));
    } else {
        return Err(Error::invalid(field, "is not in a separate kernel namespace"));
    };
    if namespaces.has(needed) {
        return Ok(());
    }
    Err(Error::invalid(field, format!("is not allowed without an own {needed} namespace")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_takes_both_separators() {
        for (key, want) in [
            ("net.ipv4.ip_forward", Some("net/ipv4/ip_forward")),
            ("net/ipv4/conf/eth0.1/forwarding", Some("net/ipv4/conf/eth0.1/forwarding")),
            ("net.ipv4.conf.eth0/1.forwarding", Some("net/ipv4/conf/eth0.1/forwarding")),
            ("net/../kernel/core_pattern", None),
            ("net..x", None),
            ("kernel", None),
        ] {
            assert_eq!(path_of(key).as_deref(), want, "{key}");
        }
    }

    #[test]
    fn parameters_of_the_host_are_refused() {
        let namespaces = Namespaces::default();
        for (path, want) in [
            ("kernel/core_pattern", "f: is not in a separate kernel namespace"),
            ("net/ipv4/ip_forward", "f: is not allowed without an own net namespace"),
            ("kernel/sem", "f: is not allowed without an own ipc namespace"),
            ("kernel/hostname", "f: is set by `hostname`"),
        ] {
            assert_eq!(check("f", path, &namespaces).map_err(|e| e.to_string()), Err(want.into()));
        }
    }
}
