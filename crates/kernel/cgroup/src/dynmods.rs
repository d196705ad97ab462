//! Cheap joining on v1.

use crate::Error;
use std::os::fd::OwnedFd;

/// Makes every later write to a `cgroup.procs` file cheap while the returned descriptor is open.
///
/// The first write to any `cgroup.procs` after a while costs an RCU grace period, 7 to 10 ms, because the kernel keeps a
/// reader-writer semaphore in its reader-friendly mode. A hierarchy with `favordynmods` switches it to the other mode
/// for the whole machine: writes then cost some 20 µs, and a fork no more than before. This makes a private named
/// hierarchy for that purpose; it is never attached to the mount table and has no controllers.
///
/// On pure v2 this is not needed: clone3 places the process.
///
/// # Errors
/// Internal if the kernel has no cgroup v1 or no `favordynmods` (before Linux 6.0), or without CAP_SYS_ADMIN.
///
/// # Source
/// Linux Documentation/admin-guide/cgroup-v2.rst, `favordynmods`.
pub fn favor_dynmods() -> Result<OwnedFd, Error> {
    let make = |name: &str| {
        let context = sys::mount::fsopen("cgroup")?;
        sys::mount::fsconfig_flag(&context, "none")?;
        sys::mount::fsconfig_string(&context, "name", name)?;
        sys::mount::fsconfig_flag(&context, "favordynmods")?;
        sys::mount::fsconfig_create(&context)?;
        sys::mount::fsmount(&context, 0)
    };
    // The hierarchy of an engine that just ended may still be on its way out: its name is not free yet.
    let made = make("naru").or_else(|_| make(&format!("naru-{}", std::process::id())));
    made.map_err(|source| Error::Sys { what: "make a cgroup hierarchy with favordynmods", source })
}
