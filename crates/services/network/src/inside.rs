//! Kernel parameters, and work inside other network namespaces.

use crate::Error;
use std::fs;
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::path::Path;
use sys::ns::{self, Types};

/// Runs `work` on a thread of its own in a network namespace.
pub(crate) fn run<T: Send>(
    namespace: impl AsFd + Sync,
    work: impl FnOnce() -> Result<T, Error> + Send,
) -> Result<T, Error> {
    let namespace = namespace.as_fd();
    let enter = || {
        ns::join(namespace, Types::NETWORK).map_err(|source| Error::Namespace { what: "enter", source })?;
        work()
    };
    std::thread::scope(|scope| scope.spawn(enter).join())
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Sets a kernel parameter of the calling thread's network namespace, unless it has the value already: /proc/sys may be
/// read-only.
pub(crate) fn sysctl(key: &str, value: &str) -> Result<(), Error> {
    let path = Path::new("/proc/sys").join(key);
    if fs::read_to_string(&path).is_ok_and(|present| present.trim_end() == value) {
        return Ok(());
    }
    fs::write(&path, value).map_err(|source| Error::Sysctl { path, value: value.to_owned(), source })
}

/// Like [`sysctl`]; a parameter that the kernel does not have is fine.
pub(crate) fn optional_sysctl(key: &str, value: &str) -> Result<(), Error> {
    match sysctl(key, value) {
        Err(Error::Sysctl { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Switches forwarding of IPv6 on. A host that forwards listens to no router any more, unless it is told to: links that
/// listened before go on.
pub(crate) fn forward_ipv6() -> Result<(), Error> {
    const FORWARDING: &str = "net/ipv6/conf/all/forwarding";
    let on = fs::read_to_string(Path::new("/proc/sys").join(FORWARDING));
    if on.is_ok_and(|value| value.trim_end() == "1") {
        return Ok(());
    }
    if let Ok(entries) = fs::read_dir("/proc/sys/net/ipv6/conf") {
        for name in entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()) {
            let key = format!("net/ipv6/conf/{name}/accept_ra");
            if fs::read_to_string(Path::new("/proc/sys").join(&key))
                .is_ok_and(|value| value.trim_end() == "1")
            {
                sysctl(&key, "2")?;
            }
        }
    }
    sysctl(FORWARDING, "1")
}
