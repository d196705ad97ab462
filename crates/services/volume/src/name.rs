//! Names of volumes.

use crate::Error;

/// Checks a name: at least two characters, the first a letter or digit.
///
/// # Errors
/// InvalidArgument with Docker's texts.
///
/// # Source
/// Behaviour of Docker 28.5.2.
pub(crate) fn check(name: &str) -> Result<(), Error> {
    if name.chars().count() == 1 {
        return Err(Error::invalid(
            name,
            "volume name is too short, names should be at least two alphanumeric characters",
        ));
    }
    let later = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let good = name.len() <= 255
        && name.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric)
        && name.bytes().all(later);
    if good {
        return Ok(());
    }
    Err(Error::invalid(
        name,
        format!(
            "{name:?} includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path"
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_as_directories() {
        for name in ["ab", "0x", "a_.-", &"a".repeat(255)] {
            assert!(check(name).is_ok(), "{name}");
        }
        for name in ["", "a", ".a", "..", "a/b", "-a", "a b", "ä1", &"a".repeat(256)] {
            assert!(check(name).is_err(), "{name}");
        }
        assert_eq!(
            check("a/b").unwrap_err().to_string(),
            "create a/b: \"a/b\" includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path"
        );
    }
}
