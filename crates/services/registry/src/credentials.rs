//! Who we are to a registry.

use crate::error::Error;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use refs::Secret;
use serde::Deserialize;

/// Credentials for one registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// A name and a password (or personal access token).
    Password {
        /// The name.
        user: String,
        /// The password.
        password: Secret<String>,
    },
    /// A token that the registry's token server changes into others.
    Identity(Secret<String>),
    /// A token that the registry itself takes.
    Bearer(Secret<String>),
}

/// The header's JSON.
#[derive(Deserialize, Default)]
#[serde(default)]
struct AuthConfig {
    username: Option<String>,
    password: Option<String>,
    auth: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

impl Credentials {
    /// Reads an `X-Registry-Auth` header: JSON in base64 (either alphabet, with or without padding). Empty text and `{}` stand
    /// for none.
    ///
    /// # Errors
    /// `InvalidArgument` for anything else.
    ///
    /// # Source
    /// Engine API v1.51 "Authentication"; moby `api/types/registry/authconfig.go`.
    pub fn from_header(header: &str) -> Result<Option<Self>, Error> {
        if header.is_empty() {
            return Ok(None);
        }
        let json = decode_base64(header).ok_or(Error::AuthHeader { reason: "not base64" })?;
        let config: Option<AuthConfig> = serde_json::from_slice(&json)
            .map_err(|_| Error::AuthHeader { reason: "not the JSON of credentials" })?;
        let config = config.unwrap_or_default();
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        if let Some(token) = given(config.registrytoken) {
            return Ok(Some(Self::Bearer(Secret::new(token))));
        }
        if let Some(token) = given(config.identitytoken) {
            return Ok(Some(Self::Identity(Secret::new(token))));
        }
        if let Some(user) = given(config.username) {
            return Ok(Some(Self::Password {
                user,
                password: Secret::new(config.password.unwrap_or_default()),
            }));
        }
        given(config.auth).map(|auth| Self::from_pair(&auth)).transpose()
    }

    /// Reads `user:password` in base64, as the client's configuration file has it.
    fn from_pair(auth: &str) -> Result<Self, Error> {
        let wrong = || Error::AuthHeader { reason: "`auth` is not user:password in base64" };
        let pair = decode_base64(auth).and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(wrong)?;
        let (user, password) = pair.split_once(':').filter(|(user, _)| !user.is_empty()).ok_or_else(wrong)?;
        Ok(Self::Password {
            user: user.into(),
            password: Secret::new(password.trim_end_matches('\0').into()),
        })
    }

    /// Returns the value of an `Authorization: Basic` header, if these are a name and a password.
    pub(crate) fn basic(&self) -> Option<Secret<String>> {
        match self {
            Self::Password { user, password } => Some(Secret::new(format!(
                "Basic {}",
                STANDARD.encode(format!("{user}:{}", password.expose()))
            ))),
            Self::Identity(_) | Self::Bearer(_) => None,
        }
    }
}

fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim().trim_end_matches('=').replace('-', "+").replace('_', "/");
    STANDARD_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};

    fn password(user: &str, password: &str) -> Credentials {
        Credentials::Password { user: user.into(), password: Secret::new(password.into()) }
    }

    #[test]
    fn header_is_read_in_all_encodings() {
        let json = r#"{"username":"ü?>","password":"p>?~","serveraddress":"x"}"#;
        for encoded in [
            STANDARD.encode(json),
            STANDARD_NO_PAD.encode(json),
            URL_SAFE.encode(json),
            URL_SAFE_NO_PAD.encode(json),
        ] {
            assert_eq!(Credentials::from_header(&encoded).unwrap(), Some(password("ü?>", "p>?~")));
        }
    }

    #[test]
    fn header_may_hold_tokens_a_pair_or_nothing() {
        let token = || Secret::new("t".to_owned());
        let cases = [
            ("{}", None),
            ("null", None),
            (r#"{"username":"","password":""}"#, None),
            (r#"{"identitytoken":"t","username":"<token>"}"#, Some(Credentials::Identity(token()))),
            (r#"{"registrytoken":"t","identitytoken":"x"}"#, Some(Credentials::Bearer(token()))),
            (r#"{"auth":"dTpwOnE="}"#, Some(password("u", "p:q"))),
        ];
        for (json, credentials) in cases {
            assert_eq!(Credentials::from_header(&URL_SAFE.encode(json)).unwrap(), credentials, "{json}");
        }
        assert_eq!(Credentials::from_header("").unwrap(), None);
    }

    #[test]
    fn header_that_is_none_is_refused_without_showing_it() {
        for header in ["%%%", &STANDARD.encode("hunter2"), &STANDARD.encode(r#"{"auth":"aHVudGVyMg=="}"#)] {
            let text = Credentials::from_header(header).unwrap_err().to_string();
            assert!(
                text.starts_with("invalid X-Registry-Auth header") && !text.contains("hunter2"),
                "{text}"
            );
        }
    }

    #[test]
    fn password_is_not_printed() {
        assert!(!format!("{:?}", password("u", "hunter2")).contains("hunter2"));
    }
}
