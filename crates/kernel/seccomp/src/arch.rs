//! Architectures: names, audit numbers, system call numbers.

use crate::Error;
use crate::table::TABLE;

/// An architecture whose system calls a program may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arch {
    X86_64,
    X86,
    X32,
    Aarch64,
    Arm,
}

/// Marks a system call number as x32's.
pub(crate) const X32_BIT: u32 = 0x4000_0000;

/// The architectures that a program may be compiled for, under OCI's names.
pub const NAMES: [&str; 5] =
    ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM", "SCMP_ARCH_X32", "SCMP_ARCH_X86", "SCMP_ARCH_X86_64"];

/// The architectures that OCI names and that no machine supported here can run: naming them has no effect.
const FOREIGN: &[&str] = &[
    "SCMP_ARCH_LOONGARCH64",
    "SCMP_ARCH_M68K",
    "SCMP_ARCH_MIPS",
    "SCMP_ARCH_MIPS64",
    "SCMP_ARCH_MIPS64N32",
    "SCMP_ARCH_MIPSEL",
    "SCMP_ARCH_MIPSEL64",
    "SCMP_ARCH_MIPSEL64N32",
    "SCMP_ARCH_PARISC",
    "SCMP_ARCH_PARISC64",
    "SCMP_ARCH_PPC",
    "SCMP_ARCH_PPC64",
    "SCMP_ARCH_PPC64LE",
    "SCMP_ARCH_RISCV64",
    "SCMP_ARCH_S390",
    "SCMP_ARCH_S390X",
    "SCMP_ARCH_SH",
    "SCMP_ARCH_SHEB",
];

impl Arch {
    /// Parses OCI's name; none for an architecture without a table here.
    pub(crate) fn parse(name: &str) -> Result<Option<Self>, Error> {
        match name {
            "SCMP_ARCH_X86_64" => Ok(Some(Self::X86_64)),
            "SCMP_ARCH_X86" => Ok(Some(Self::X86)),
            "SCMP_ARCH_X32" => Ok(Some(Self::X32)),
            "SCMP_ARCH_AARCH64" => Ok(Some(Self::Aarch64)),
            "SCMP_ARCH_ARM" => Ok(Some(Self::Arm)),
            "SCMP_ARCH_NATIVE" => native().map(Some),
            name if FOREIGN.contains(&name) => Ok(None),
            name => Err(Error::Invalid(format!("unknown architecture {name:?}"))),
        }
    }

    /// Returns OCI's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "SCMP_ARCH_X86_64",
            Self::X86 => "SCMP_ARCH_X86",
            Self::X32 => "SCMP_ARCH_X32",
            Self::Aarch64 => "SCMP_ARCH_AARCH64",
            Self::Arm => "SCMP_ARCH_ARM",
        }
    }

    /// Returns the name that conditions of rules use.
    pub(crate) fn go_name(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::X86 => "x86",
            Self::X32 => "x32",
            Self::Aarch64 => "arm64",
            Self::Arm => "arm",
        }
    }

    /// Returns the number in `seccomp_data.arch`; x86_64 and x32 share it.
    ///
    /// # Source
    /// Linux `include/uapi/linux/audit.h`.
    pub(crate) fn audit(self) -> u32 {
        match self {
            Self::X86_64 | Self::X32 => 0xc000_003e,
            Self::X86 => 0x4000_0003,
            Self::Aarch64 => 0xc000_00b7,
            Self::Arm => 0x4000_0028,
        }
    }

    /// Returns whether arguments have 64 bits.
    ///
    /// x32 counts, as in libseccomp: its registers are 64 bits wide.
    pub(crate) fn is_64_bit(self) -> bool {
        matches!(self, Self::X86_64 | Self::X32 | Self::Aarch64)
    }

    /// Returns the number of a system call; none if this architecture does not have it.
    pub(crate) fn number(self, name: &str) -> Option<u32> {
        let row = TABLE.binary_search_by(|(known, _)| (*known).cmp(name)).ok()?;
        let column = match self {
            Self::X86_64 => 0,
            Self::X86 => 1,
            Self::X32 => 2,
            Self::Aarch64 => 3,
            Self::Arm => 4,
        };
        let number = u32::try_from(TABLE[row].1[column]).ok()?;
        Some(if self == Self::X32 { number | X32_BIT } else { number })
    }
}

/// Returns the architecture that this program was built for.
pub(crate) fn native() -> Result<Arch, Error> {
    match std::env::consts::ARCH {
        "x86_64" => Ok(Arch::X86_64),
        "aarch64" => Ok(Arch::Aarch64),
        other => Err(Error::Architecture(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_sorted() {
        assert!(TABLE.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn numbers_are_those_of_the_kernel() {
        let cases = [
            (Arch::X86_64, "openat2", Some(437)),
            (Arch::X86, "socketcall", Some(102)),
            (Arch::X86_64, "socketcall", None),
            (Arch::X32, "execve", Some(X32_BIT | 520)),
            (Arch::X32, "read", Some(X32_BIT)),
            (Arch::Aarch64, "clone", Some(220)),
            (Arch::Aarch64, "open", None),
            (Arch::Arm, "set_tls", Some(0x0f_0005)),
            (Arch::X86_64, "no_such_call", None),
        ];
        for (arch, name, want) in cases {
            assert_eq!(arch.number(name), want, "{arch:?} {name}");
        }
    }
}
