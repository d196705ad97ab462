//! API versions.

use std::fmt;

/// A version of the API, such as 1.51.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ApiVersion {
    /// The part before the dot.
    pub major: u16,
    /// The part behind the dot.
    pub minor: u16,
}

/// The newest version that the engine speaks.
pub const CURRENT: ApiVersion = ApiVersion::new(1, 51);

/// The oldest version that the engine speaks.
pub const MINIMUM: ApiVersion = ApiVersion::new(1, 24);

impl ApiVersion {
    /// Returns a version.
    pub const fn new(major: u16, minor: u16) -> Self {
        Self { major, minor }
    }

    /// Reads `1.51`; none if it is not two numbers with a dot.
    pub fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.split_once('.')?;
        Some(Self { major: major.parse().ok()?, minor: minor.parse().ok()? })
    }
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        assert!(ApiVersion::parse("1.9").unwrap() < ApiVersion::parse("1.24").unwrap());
        assert_eq!(ApiVersion::parse("1.51").unwrap().to_string(), "1.51");
        for bad in ["", "1", "1.", ".5", "1.x", "1.2.3"] {
            assert_eq!(ApiVersion::parse(bad), None, "{bad}");
        }
    }
}
