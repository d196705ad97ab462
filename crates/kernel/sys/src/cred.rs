//! Credentials: capabilities and their names.
//!
//! # Source
//! man 7 capabilities; Linux `include/uapi/linux/capability.h`.

use crate::{Call, Result, raw};
use rustix::thread::{CapabilitySet, CapabilitySets};
use std::fmt;

/// A set of capabilities: bit n is capability n.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Capabilities(pub u64);

/// Names in the order of their numbers.
const NAMES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// CAP_SYS_RESOURCE alone.
pub const SYS_RESOURCE: Capabilities = Capabilities(1 << 24);
/// CAP_SYS_ADMIN alone.
pub const SYS_ADMIN: Capabilities = Capabilities(1 << 21);
/// CAP_MKNOD alone.
pub const MKNOD: Capabilities = Capabilities(1 << 27);

/// Returns the names of all capabilities that are known here, `CAP_CHOWN` first.
pub fn known() -> impl Iterator<Item = &'static str> {
    NAMES.into_iter()
}

impl Capabilities {
    /// Returns the set of one capability by name (`CAP_CHOWN`).
    pub fn named(name: &str) -> Option<Self> {
        NAMES.iter().position(|known| *known == name).map(|number| Self(1 << number))
    }

    /// Returns the names of the set's members; those without a name are left out.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES.iter().enumerate().filter(move |(number, _)| self.0 & (1 << number) != 0).map(|(_, name)| *name)
    }

    /// Returns the members of both sets together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns the members that both sets have.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Returns the members that the other set lacks.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Returns whether all members of the other set are in this one.
    pub const fn contains(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    /// Returns whether the set has no members.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for name in self.names() {
            write!(f, "{separator}{}", name.trim_start_matches("CAP_"))?;
            separator = " ";
        }
        Ok(())
    }
}

/// Returns the calling thread's bounding set: what it and its children can ever have.
///
/// # Errors
/// None that is known.
pub fn bounding() -> Result<Capabilities> {
    let mut set = 0;
    for number in 0..64 {
        match raw::prctl(libc::PR_CAPBSET_READ, number, 0) {
            Ok(1) => set |= 1 << number,
            Ok(_) => {}
            Err(rustix::io::Errno::INVAL) => break, // Beyond the last one that the kernel knows.
            Err(errno) => return Err(Call("prctl").failed(errno, || format!("PR_CAPBSET_READ, {number}"))),
        }
    }
    Ok(Capabilities(set))
}

/// Returns the calling thread's effective set.
///
/// # Errors
/// None that is known.
pub fn effective() -> Result<Capabilities> {
    own_sets().map(|sets| Capabilities(sets.effective.bits()))
}

/// Returns the calling thread's permitted set.
///
/// # Errors
/// None that is known.
pub fn permitted() -> Result<Capabilities> {
    own_sets().map(|sets| Capabilities(sets.permitted.bits()))
}

fn own_sets() -> Result<CapabilitySets> {
    Call("capget").result(rustix::thread::capabilities(None), || "0".into())
}

/// Makes all permitted capabilities effective.
pub(crate) fn raise_effective() -> rustix::io::Result<()> {
    let mut sets = rustix::thread::capabilities(None)?;
    sets.effective = sets.permitted;
    rustix::thread::set_capabilities(None, sets)
}

/// Replaces the three sets.
pub(crate) fn set(
    effective: Capabilities,
    permitted: Capabilities,
    inheritable: Capabilities,
) -> rustix::io::Result<()> {
    let sets = CapabilitySets {
        effective: CapabilitySet::from_bits_retain(effective.0),
        permitted: CapabilitySet::from_bits_retain(permitted.0),
        inheritable: CapabilitySet::from_bits_retain(inheritable.0),
    };
    rustix::thread::set_capabilities(None, sets)
}

/// Takes everything out of the bounding set that is not in `keep`.
pub(crate) fn limit_bounding(keep: Capabilities) -> rustix::io::Result<()> {
    for number in 0..64 {
        if keep.0 & (1 << number) != 0 {
            continue;
        }
        match raw::prctl(libc::PR_CAPBSET_DROP, number, 0) {
            Ok(_) => {}
            Err(rustix::io::Errno::INVAL) => break, // Beyond the last one that the kernel knows.
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Replaces the ambient set.
pub(crate) fn set_ambient(ambient: Capabilities) -> rustix::io::Result<()> {
    raw::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL as usize, 0)?;
    for number in (0..64).filter(|number| ambient.0 & (1 << number) != 0) {
        raw::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE as usize, number)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_at_their_numbers() {
        assert_eq!(Capabilities::named("CAP_SYS_ADMIN"), Some(Capabilities(1 << 21)));
        assert_eq!(Capabilities::named("CAP_CHECKPOINT_RESTORE"), Some(Capabilities(1 << 40)));
        assert_eq!(Capabilities::named("chown"), None);
        assert_eq!(Capabilities((1 << 13) | 1).names().collect::<Vec<_>>(), ["CAP_CHOWN", "CAP_NET_RAW"]);
        assert_eq!(SYS_RESOURCE, Capabilities::named("CAP_SYS_RESOURCE").expect("known"));
        assert_eq!(MKNOD, Capabilities::named("CAP_MKNOD").expect("known"));
    }

    #[test]
    fn bounding_set_contains_the_permitted_one_of_root() {
        assert!(bounding().expect("readable").contains(permitted().expect("readable")));
    }
}
