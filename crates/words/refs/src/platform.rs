//! Platforms: `os/architecture[/variant]`.
//!
//! # Source
//! containerd/platforms v1 (`Parse`, `Normalize`, `Only`).

use crate::Error;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What an image runs on, normalised: `linux/amd64`, `linux/arm/v7`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Platform {
    /// `linux`.
    pub os: String,
    /// `amd64`, `arm64`, `arm`, … in Go's names.
    pub architecture: String,
    /// `v7`; empty for the architecture's usual one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub variant: String,
}

const SYSTEMS: &[&str] = &[
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "hurd",
    "illumos",
    "ios",
    "js",
    "linux",
    "nacl",
    "netbsd",
    "openbsd",
    "plan9",
    "solaris",
    "windows",
    "zos",
];

const ARCHITECTURES: &[&str] = &[
    "386",
    "amd64",
    "amd64p32",
    "arm",
    "armbe",
    "arm64",
    "arm64be",
    "ppc64",
    "ppc64le",
    "loong64",
    "mips",
    "mipsle",
    "mips64",
    "mips64le",
    "mips64p32",
    "mips64p32le",
    "ppc",
    "riscv",
    "riscv64",
    "s390",
    "s390x",
    "sparc",
    "sparc64",
    "wasm",
];

impl Platform {
    /// Returns the normalised platform of these names.
    pub fn new(os: &str, architecture: &str, variant: &str) -> Self {
        let (architecture, variant) = normalise(architecture, variant);
        Self { os: normalise_os(os), architecture, variant }
    }

    /// Returns Linux on the processor that this program was built for.
    pub fn host() -> Self {
        Self::new("linux", std::env::consts::ARCH, "")
    }

    /// Reads `os/architecture[/variant]`, or one of the two alone; what is missing is taken from `host`.
    ///
    /// # Errors
    /// `InvalidArgument` with Docker's text.
    pub fn parse(text: &str, host: &Self) -> Result<Self, Error> {
        let parts: Vec<&str> = text.split('/').collect();
        for part in &parts {
            let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
            if part.is_empty() || !part.chars().all(valid) {
                return Err(Error::PlatformComponent { component: (*part).into(), text: text.into() });
            }
        }
        match parts[..] {
            [one] => Self::parse_one(one, host),
            [os, architecture] => Ok(Self::new(os, architecture, "")),
            [os, architecture, variant] => Ok(Self::new(os, architecture, variant)),
            _ => Err(Error::Platform { text: text.into() }),
        }
    }

    fn parse_one(text: &str, host: &Self) -> Result<Self, Error> {
        let os = normalise_os(text);
        if SYSTEMS.contains(&os.as_str()) {
            return Ok(Self { os, ..host.clone() });
        }
        let platform = Self::new("linux", text, "");
        if ARCHITECTURES.contains(&platform.architecture.as_str()) {
            return Ok(Self { os: host.os.clone(), ..platform });
        }
        Err(Error::PlatformUnknown { text: text.into() })
    }

    /// Returns all platforms whose programs this one runs, the best first.
    pub fn vector(&self) -> Vec<Self> {
        let with = |architecture: &str, variant: &str| Self {
            os: self.os.clone(),
            architecture: architecture.into(),
            variant: variant.into(),
        };
        let numbered = |architecture: &str, from: u32, to: u32| {
            (to..from).rev().map(|n| with(architecture, &format!("v{n}"))).collect::<Vec<_>>()
        };
        let number = self.variant.trim_start_matches('v').parse::<u32>().unwrap_or(0);
        let mut all = vec![self.clone()];
        match self.architecture.as_str() {
            "amd64" => {
                if number > 1 {
                    all.extend(numbered("amd64", number, 2));
                    all.push(with("amd64", ""));
                }
                all.push(with("386", ""));
            }
            "arm" => all.extend(numbered("arm", number.min(9), 5)),
            "arm64" => {
                if number > 8 {
                    all.push(with("arm64", ""));
                }
                all.extend(numbered("arm", 9, 5));
            }
            _ => {}
        }
        all
    }

    /// Returns how well an image for `candidate` suits this platform: 0 is exact, none is not at all.
    pub fn rank(&self, candidate: &Self) -> Option<usize> {
        let candidate = Self::new(&candidate.os, &candidate.architecture, &candidate.variant);
        self.vector().iter().position(|accepted| *accepted == candidate)
    }

    /// Returns whether this platform runs an image for `candidate`.
    pub fn accepts(&self, candidate: &Self) -> bool {
        self.rank(candidate).is_some()
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        if !self.variant.is_empty() {
            write!(f, "/{}", self.variant)?;
        }
        Ok(())
    }
}

impl FromStr for Platform {
    type Err = Error;

    /// Reads a platform; what is missing is taken from [`Platform::host`].
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text, &Self::host())
    }
}

fn normalise_os(os: &str) -> String {
    match os.to_lowercase().as_str() {
        "macos" => "darwin".into(),
        other => other.into(),
    }
}

fn normalise(architecture: &str, variant: &str) -> (String, String) {
    let (architecture, variant) = (architecture.to_lowercase(), variant.to_lowercase());
    let (architecture, variant) = match architecture.as_str() {
        "i386" | "x86" => ("386", String::new()),
        "386" => ("386", variant),
        "x86_64" | "x86-64" | "amd64" => ("amd64", if variant == "v1" { String::new() } else { variant }),
        "aarch64" | "arm64" => {
            ("arm64", if matches!(variant.as_str(), "8" | "v8") { String::new() } else { variant })
        }
        "armhf" => ("arm", "v7".into()),
        "armel" => ("arm", "v6".into()),
        "arm" => (
            "arm",
            match variant.as_str() {
                "" | "7" => "v7".into(),
                "5" | "6" | "8" => format!("v{variant}"),
                _ => variant,
            },
        ),
        "loongarch64" => ("loong64", variant),
        "powerpc64le" => ("ppc64le", variant),
        other => (other, variant),
    };
    (architecture.into(), variant)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amd64() -> Platform {
        Platform::new("linux", "amd64", "")
    }

    #[test]
    fn platform_is_normalised() {
        let cases = [
            ("linux/amd64", "linux/amd64"),
            ("x86_64", "linux/amd64"),
            ("linux", "linux/amd64"),
            ("Linux/AArch64", "linux/arm64"),
            ("linux/arm64/v8", "linux/arm64"),
            ("linux/arm", "linux/arm/v7"),
            ("armel", "linux/arm/v6"),
            ("linux/arm/6", "linux/arm/v6"),
            ("macos/arm64", "darwin/arm64"),
            ("i386", "linux/386"),
            ("linux/amd64/v2", "linux/amd64/v2"),
            ("linux/riscv64", "linux/riscv64"),
        ];
        for (text, expected) in cases {
            assert_eq!(Platform::parse(text, &amd64()).unwrap().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn platform_refusals_have_dockers_texts() {
        let cases = [
            ("foo", "\"foo\": unknown operating system or architecture: invalid argument"),
            (
                "linux/*",
                "\"*\" is an invalid component of \"linux/*\": platform specifier component must match \
                 \"^[A-Za-z0-9_.-]+$\": invalid argument",
            ),
            ("a/b/c/d", "\"a/b/c/d\": cannot parse platform specifier: invalid argument"),
        ];
        for (text, error) in cases {
            assert_eq!(Platform::parse(text, &amd64()).unwrap_err().to_string(), error);
        }
    }

    #[test]
    fn platform_ranks_exact_before_compatible() {
        let parse = |text: &str| Platform::parse(text, &amd64()).unwrap();
        let cases = [
            ("linux/amd64", "linux/amd64", Some(0)),
            ("linux/amd64", "linux/386", Some(1)),
            ("linux/amd64", "linux/arm64", None),
            ("linux/amd64", "linux/amd64/v3", None),
            ("linux/amd64/v3", "linux/amd64", Some(2)),
            ("linux/arm64", "linux/arm64/v8", Some(0)),
            ("linux/arm64", "linux/arm/v7", Some(2)),
            ("linux/arm/v7", "linux/arm/v6", Some(1)),
            ("linux/arm/v6", "linux/arm/v7", None),
            ("linux/amd64", "windows/amd64", None),
        ];
        for (host, candidate, rank) in cases {
            assert_eq!(parse(host).rank(&parse(candidate)), rank, "{host} {candidate}");
        }
    }
}
