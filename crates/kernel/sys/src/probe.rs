//! What this kernel can do, asked once.

use crate::{Errno, mount, raw};
use std::sync::OnceLock;

/// Returns the kernel's version, its first two numbers; (0, 0) if it cannot be understood.
pub fn kernel() -> (u32, u32) {
    static VERSION: OnceLock<(u32, u32)> = OnceLock::new();
    *VERSION.get_or_init(|| parse(&rustix::system::uname().release().to_string_lossy()).unwrap_or((0, 0)))
}

fn parse(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// Returns whether overlay takes its layers one by one (`lowerdir+`, Linux 6.5).
pub fn overlay_lowerdir_plus() -> bool {
    kernel() >= (6, 5)
}

/// Returns whether the mount API with attributes of whole trees is there (mount_setattr, Linux 5.12).
pub fn mount_setattr() -> bool {
    static PRESENT: OnceLock<bool> = OnceLock::new();
    *PRESENT.get_or_init(|| {
        let attr = mount::MountAttr::default();
        // A path that cannot exist: ENOENT from a kernel that has the call, ENOSYS from one that does not.
        let done = raw::mount_setattr(rustix::fs::CWD, c"/proc/self/\x01", mount::Depth::Single, &attr);
        done != Err(Errno::NOSYS)
    })
}

/// Returns whether the kernel has time namespaces (Linux 5.6, CONFIG_TIME_NS).
pub fn time_namespaces() -> bool {
    static PRESENT: OnceLock<bool> = OnceLock::new();
    *PRESENT.get_or_init(|| std::path::Path::new("/proc/self/ns/time").exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_takes_the_first_two_numbers() {
        assert_eq!(parse("6.18.0-rc1+"), Some((6, 18)));
        assert_eq!(parse("5.15-generic"), Some((5, 15)));
        assert_eq!(parse("x"), None);
    }
}
