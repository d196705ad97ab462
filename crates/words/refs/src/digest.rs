//! Digests: `sha256:…`, `sha512:…`.

use crate::Error;
use crate::id::{is_hex, to_hex};
use serde::{Deserialize, Serialize};
use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

/// The name of content: `sha256:` or `sha512:` and lower-case hexadecimal digits.
///
/// # Source
/// OCI image-spec v1.1 descriptor.md#digests.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(Box<str>);

/// How a digest is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    /// Returns the name as digests carry it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    const fn hex_digits(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }
}

impl Digest {
    /// Reads a digest.
    ///
    /// # Errors
    /// `InvalidArgument` for another form, another algorithm, or the wrong number of digits.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let (algorithm, hex) = text.split_once(':').ok_or(Error::DigestFormat)?;
        let algorithm = match algorithm {
            "sha256" => Algorithm::Sha256,
            "sha512" => Algorithm::Sha512,
            other if is_algorithm(other) && !hex.is_empty() => return Err(Error::DigestAlgorithm),
            _ => return Err(Error::DigestFormat),
        };
        if hex.len() != algorithm.hex_digits() {
            return Err(Error::DigestLength);
        }
        if !is_hex(hex) {
            return Err(Error::DigestFormat);
        }
        Ok(Self(text.into()))
    }

    /// Returns the digest with these SHA-256 bytes.
    pub fn sha256(hash: [u8; 32]) -> Self {
        Self(format!("sha256:{}", to_hex(&hash)).into())
    }

    /// Returns the digest with these SHA-512 bytes.
    pub fn sha512(hash: [u8; 64]) -> Self {
        Self(format!("sha512:{}", to_hex(&hash)).into())
    }

    /// Returns the algorithm.
    pub fn algorithm(&self) -> Algorithm {
        if self.0.starts_with("sha256:") { Algorithm::Sha256 } else { Algorithm::Sha512 }
    }

    /// Returns the hexadecimal digits.
    pub fn hex(&self) -> &str {
        &self.0[7..]
    }

    /// Returns the first twelve digits.
    pub fn short(&self) -> &str {
        &self.hex()[..12]
    }

    /// Returns the whole text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `[A-Za-z0-9]+` parts joined by one of `+._-`, as go-digest has it.
fn is_algorithm(text: &str) -> bool {
    text.split(['+', '.', '_', '-']).all(|part| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    })
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Digest {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Digest {
    type Error = Error;
    fn try_from(text: String) -> Result<Self, Error> {
        Self::parse(&text)
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.0.into()
    }
}

impl AsRef<str> for Digest {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Digest {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_parts_are_algorithm_and_hex() {
        let text = format!("sha256:{}", "0f".repeat(32));
        let digest = Digest::parse(&text).unwrap();
        assert_eq!(
            (digest.algorithm(), digest.hex(), digest.short()),
            (Algorithm::Sha256, &text[7..], "0f0f0f0f0f0f")
        );
        assert_eq!(digest, Digest::sha256([0x0f; 32]));
        assert_eq!(Digest::sha512([1; 64]).hex().len(), 128);
    }

    #[test]
    fn digest_refusals_say_what_is_wrong() {
        let cases = [
            ("", Error::DigestFormat),
            ("sha256", Error::DigestFormat),
            ("sha256:", Error::DigestLength),
            ("sha256:abcd", Error::DigestLength),
            ("md5:d41d8cd98f00b204e9800998ecf8427e", Error::DigestAlgorithm),
            ("../../etc:00", Error::DigestFormat),
        ];
        for (text, error) in cases {
            assert_eq!(Digest::parse(text), Err(error), "{text}");
        }
        assert_eq!(Digest::parse(&format!("sha256:{}", "A".repeat(64))), Err(Error::DigestFormat));
        assert_eq!(Digest::parse(&format!("sha256:{}", "/".repeat(64))), Err(Error::DigestFormat));
    }
}
