//! Identifiers of 64 hexadecimal digits.

use crate::Error;
use serde::{Deserialize, Serialize};
use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

/// Returns whether all bytes are lower-case hexadecimal digits.
pub(crate) fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Returns the bytes as lower-case hexadecimal digits.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|nibble| char::from(DIGITS[usize::from(nibble)]))
        .collect()
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// Reads a full id.
            ///
            /// # Errors
            /// `InvalidArgument` unless it is 64 lower-case hexadecimal digits.
            pub fn parse(text: &str) -> Result<Self, Error> {
                if text.len() != 64 || !is_hex(text) {
                    return Err(Error::Id { what: $what, text: text.into() });
                }
                Ok(Self(text.into()))
            }

            /// Returns an id made of 32 random bytes. Its short form is never a decimal number, for that would make a
            /// host name that some programs take for an address.
            pub fn generate(mut random: [u8; 32]) -> Self {
                if to_hex(&random[..6]).bytes().all(|digit| digit.is_ascii_digit()) {
                    random[0] |= 0xa0;
                }
                Self(to_hex(&random).into())
            }

            /// Returns the full id.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Returns the first twelve digits.
            pub fn short(&self) -> &str {
                &self.0[..12]
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.short())
            }
        }

        impl FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self, Error> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;
            fn try_from(text: String) -> Result<Self, Error> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.into()
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

id!(
    /// The id of a container: 64 hexadecimal digits.
    ContainerId,
    "container"
);
id!(
    /// The id of a network: 64 hexadecimal digits.
    NetworkId,
    "network"
);
id!(
    /// The id of a container's place in a network: 64 hexadecimal digits.
    EndpointId,
    "endpoint"
);
id!(
    /// The id of a further process in a container: 64 hexadecimal digits.
    ExecId,
    "exec"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_generated_is_the_bytes_in_hexadecimal() {
        let id = ContainerId::generate([0xab; 32]);
        assert_eq!(id.as_str(), "ab".repeat(32));
        assert_eq!(id.short(), "abababababab");
    }

    #[test]
    fn id_whose_short_form_would_be_a_number_gets_a_letter() {
        let id = ContainerId::generate([0x12; 32]);
        assert_eq!(id.short(), "b21212121212");
    }

    #[test]
    fn id_of_wrong_length_or_case_is_refused() {
        for text in ["", "ab", &"AB".repeat(32), &"g".repeat(64), &"a".repeat(65)] {
            assert_eq!(ContainerId::parse(text), Err(Error::Id { what: "container", text: text.into() }));
        }
    }
}
