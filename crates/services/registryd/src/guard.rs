//! Who may do what: names and passwords from an htpasswd file.

use crate::error::{Code, Error, Refusal};
use crate::route::Target;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use refs::Digest;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Passwords that were found right are remembered, by their digest: a hash of bcrypt takes tens of milliseconds.
const REMEMBERED: usize = 1000;

/// A hash against which the passwords of unknown users are checked, so that they take as long as those of known ones.
const NOBODY: &str = "$2b$10$abcdefghijklmnopqrstuuROfV0doWU3Lyx1MXHO14yZOkxttlM3W";

/// The users of an htpasswd file.
pub(crate) struct Users {
    hashes: BTreeMap<String, String>,
    remembered: Mutex<BTreeSet<Digest>>,
}

impl Users {
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(Error::file("read", path))?;
        Self::parse(&text).map_err(|reason| Error::Setting(format!("{}: {reason}", path.display())))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut hashes = BTreeMap::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (user, hash) = line.split_once(':').ok_or(format!("line {number} is not USER:HASH"))?;
            if !["$2a$", "$2b$", "$2y$"].iter().any(|prefix| hash.starts_with(prefix)) {
                return Err(format!(
                    "line {number}: only bcrypt hashes are taken; make one with `htpasswd -B`"
                ));
            }
            hashes.insert(user.to_owned(), hash.to_owned());
        }
        Ok(Self { hashes, remembered: Mutex::default() })
    }

    /// Whether the password is that of the user. Blocks for tens of milliseconds.
    fn knows(&self, user: &str, password: &str) -> bool {
        let digest = content::digest_of(format!("{user}:{password}").as_bytes());
        if self.remembered.lock().unwrap_or_else(PoisonError::into_inner).contains(&digest) {
            return true;
        }
        let hash = self.hashes.get(user).map_or(NOBODY, String::as_str);
        let right = bcrypt::verify(password, hash).unwrap_or(false) && self.hashes.contains_key(user);
        if right {
            let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
            if remembered.len() >= REMEMBERED {
                remembered.clear();
            }
            remembered.insert(digest);
        }
        right
    }

    /// Lets a request pass, or says why not. Blocks as [`Users::knows`].
    pub(crate) fn check(
        &self,
        headers: &HeaderMap,
        target: &Target,
        anonymous_pull: bool,
    ) -> Result<(), Refusal> {
        let refused = |text: &str| {
            Err(Refusal::new(Code::Unauthorized, text)
                .with_header("www-authenticate", "Basic realm=\"naru registry\", charset=\"UTF-8\""))
        };
        let Some(value) = headers.get(AUTHORIZATION) else {
            let open =
                anonymous_pull && !target.writes() && !matches!(target, Target::Base | Target::Metrics);
            return if open { Ok(()) } else { refused("log in first") };
        };
        let decoded = value
            .to_str()
            .ok()
            .and_then(|text| text.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"))
            .and_then(|(_, encoded)| STANDARD.decode(encoded.trim()).ok())
            .and_then(|bytes| String::from_utf8(bytes).ok());
        match decoded.as_deref().and_then(|text| text.split_once(':')) {
            Some((user, password)) if self.knows(user, password) => Ok(()),
            _ => refused("user and password do not fit"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(user: &str, password: &str) -> HeaderMap {
        let value = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        HeaderMap::from_iter([(AUTHORIZATION, value.parse().expect("a header"))])
    }

    #[test]
    fn only_the_right_password_opens_and_pulling_may_be_open() {
        let hash = bcrypt::hash("secret", 4).expect("a hash");
        let users = Users::parse(&format!("# users\nann:{hash}\n")).expect("an htpasswd");
        let status = |headers: &HeaderMap, target: &Target, open| {
            users.check(headers, target, open).map_err(|r| r.code)
        };
        assert_eq!(status(&headers("ann", "secret"), &Target::UploadStart, false), Ok(()));
        assert_eq!(status(&headers("ann", "secret"), &Target::UploadStart, false), Ok(()));
        for (user, password) in [("ann", "wrong"), ("bob", "secret"), ("", ""), ("ann", "")] {
            assert_eq!(
                status(&headers(user, password), &Target::Tags, true),
                Err(Code::Unauthorized),
                "{user}"
            );
        }
        assert_eq!(status(&HeaderMap::new(), &Target::Tags, true), Ok(()));
        assert_eq!(status(&HeaderMap::new(), &Target::Tags, false), Err(Code::Unauthorized));
        assert_eq!(status(&HeaderMap::new(), &Target::UploadStart, true), Err(Code::Unauthorized));
        assert_eq!(
            status(&HeaderMap::new(), &Target::Base, true),
            Err(Code::Unauthorized),
            "docker login asks here"
        );
    }

    #[test]
    fn hash_for_nobody_is_one_and_weak_hashes_are_refused() {
        assert!(bcrypt::verify("x", NOBODY).is_ok());
        assert!(Users::parse("ann:{SHA}x").is_err());
        assert!(Users::parse("ann").is_err());
    }
}
