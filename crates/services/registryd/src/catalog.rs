//! Who holds what: repositories, their blobs, manifests and tags, as records of the database.
//!
//! | kind | key | record |
//! |---|---|---|
//! | `registry.repository` | name | when it was made |
//! | `registry.link:NAME` | digest | the repository holds this blob or manifest: size, since when |
//! | `registry.holder:DIGEST` | name | the same, from the other side |
//! | `registry.manifest:NAME` | digest | what the manifest is and names |
//! | `registry.tag:NAME` | tag | a digest |
//! | `registry.referrer:NAME:SUBJECT` | digest | a manifest that refers to the subject |

use crate::error::Error;
use crate::manifest::Noted;
use refs::Digest;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use store::Tx;

/// The version of all records here.
const VERSION: u32 = 1;

const REPOSITORIES: &str = "registry.repository";

/// A blob in a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Link {
    pub(crate) size_bytes: u64,
    /// When it was pushed, mounted or last asked for before a push, in seconds since 1970.
    pub(crate) at_s: u64,
}

/// One repository inside a transaction.
pub(crate) struct Repository<'a, 'tx> {
    tx: &'a Tx<'tx>,
    name: &'a str,
}

/// Returns the names of all repositories, sorted.
pub(crate) fn repositories(tx: &Tx<'_>) -> Result<Vec<String>, Error> {
    Ok(tx.list(REPOSITORIES)?.into_iter().map(|record| record.key).collect())
}

/// Returns the repositories that hold a blob.
pub(crate) fn holders(tx: &Tx<'_>, digest: &Digest) -> Result<Vec<String>, Error> {
    Ok(tx.list(&holder_kind(digest))?.into_iter().map(|record| record.key).collect())
}

impl<'a, 'tx> Repository<'a, 'tx> {
    pub(crate) fn of(tx: &'a Tx<'tx>, name: &'a str) -> Self {
        Self { tx, name }
    }

    pub(crate) fn exists(&self) -> Result<bool, Error> {
        Ok(self.tx.get(REPOSITORIES, self.name)?.is_some())
    }

    /// Notes that the repository holds a blob; makes the repository.
    pub(crate) fn link(&self, digest: &Digest, link: &Link) -> Result<(), Error> {
        if !self.exists()? {
            put(self.tx, REPOSITORIES, self.name, &link.at_s)?;
        }
        put(self.tx, &self.kind("link"), digest.as_str(), link)?;
        put(self.tx, &holder_kind(digest), self.name, &link.at_s)
    }

    pub(crate) fn unlink(&self, digest: &Digest) -> Result<bool, Error> {
        self.tx.delete(&holder_kind(digest), self.name)?;
        Ok(self.tx.delete(&self.kind("link"), digest.as_str())?)
    }

    pub(crate) fn held(&self, digest: &Digest) -> Result<Option<Link>, Error> {
        get(self.tx, &self.kind("link"), digest.as_str())
    }

    pub(crate) fn links(&self) -> Result<Vec<(Digest, Link)>, Error> {
        list(self.tx, &self.kind("link"))
    }

    /// Returns the bytes of all that the repository holds.
    pub(crate) fn size_bytes(&self) -> Result<u64, Error> {
        Ok(self.links()?.iter().map(|(_, link)| link.size_bytes).sum())
    }

    pub(crate) fn put_manifest(&self, digest: &Digest, noted: &Noted) -> Result<(), Error> {
        put(self.tx, &self.kind("manifest"), digest.as_str(), noted)?;
        if let Some(subject) = &noted.subject {
            put(self.tx, &self.referrer_kind(subject), digest.as_str(), &noted.put_s)?;
        }
        Ok(())
    }

    pub(crate) fn manifest(&self, digest: &Digest) -> Result<Option<Noted>, Error> {
        get(self.tx, &self.kind("manifest"), digest.as_str())
    }

    pub(crate) fn manifests(&self) -> Result<Vec<(Digest, Noted)>, Error> {
        list(self.tx, &self.kind("manifest"))
    }

    /// Removes a manifest with its tags; returns whether it was there.
    pub(crate) fn remove_manifest(&self, digest: &Digest) -> Result<bool, Error> {
        let Some(noted) = self.manifest(digest)? else { return Ok(false) };
        if let Some(subject) = &noted.subject {
            self.tx.delete(&self.referrer_kind(subject), digest.as_str())?;
        }
        for (tag, tagged) in self.tags()? {
            if tagged == *digest {
                self.remove_tag(&tag)?;
            }
        }
        self.tx.delete(&self.kind("manifest"), digest.as_str())?;
        self.unlink(digest)?;
        Ok(true)
    }

    pub(crate) fn put_tag(&self, tag: &str, digest: &Digest) -> Result<(), Error> {
        put(self.tx, &self.kind("tag"), tag, digest)
    }

    pub(crate) fn tag(&self, tag: &str) -> Result<Option<Digest>, Error> {
        get(self.tx, &self.kind("tag"), tag)
    }

    pub(crate) fn remove_tag(&self, tag: &str) -> Result<bool, Error> {
        Ok(self.tx.delete(&self.kind("tag"), tag)?)
    }

    /// Returns all tags, sorted.
    pub(crate) fn tags(&self) -> Result<Vec<(String, Digest)>, Error> {
        let kind = self.kind("tag");
        self.tx
            .list(&kind)?
            .into_iter()
            .map(|record| Ok((record.key.clone(), read(&record.json, &record.key)?)))
            .collect()
    }

    /// Returns the manifests that refer to this one.
    pub(crate) fn referrers(&self, subject: &Digest) -> Result<Vec<(Digest, Noted)>, Error> {
        let mut found = Vec::new();
        for record in self.tx.list(&self.referrer_kind(subject))? {
            let Ok(digest) = Digest::parse(&record.key) else { continue };
            found.extend(self.manifest(&digest)?.map(|noted| (digest, noted)));
        }
        Ok(found)
    }

    fn kind(&self, what: &str) -> String {
        format!("registry.{what}:{}", self.name)
    }

    fn referrer_kind(&self, subject: &Digest) -> String {
        format!("registry.referrer:{}:{subject}", self.name)
    }
}

fn holder_kind(digest: &Digest) -> String {
    format!("registry.holder:{digest}")
}

fn put(tx: &Tx<'_>, kind: &str, key: &str, value: &impl Serialize) -> Result<(), Error> {
    let json = serde_json::to_string(value).expect("our records have string keys");
    Ok(tx.put(kind, key, VERSION, &json)?)
}

fn get<T: DeserializeOwned>(tx: &Tx<'_>, kind: &str, key: &str) -> Result<Option<T>, Error> {
    tx.get(kind, key)?.map(|record| read(&record.json, key)).transpose()
}

fn list<T: DeserializeOwned>(tx: &Tx<'_>, kind: &str) -> Result<Vec<(Digest, T)>, Error> {
    let mut found = Vec::new();
    for record in tx.list(kind)? {
        let Ok(digest) = Digest::parse(&record.key) else { continue };
        found.push((digest, read(&record.json, &record.key)?));
    }
    Ok(found)
}

fn read<T: DeserializeOwned>(json: &str, key: &str) -> Result<T, Error> {
    serde_json::from_str(json).map_err(|source| Error::Record { key: key.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use store::Store;

    fn digest(c: char) -> Digest {
        Digest::parse(&format!("sha256:{}", c.to_string().repeat(64))).expect("a digest")
    }

    fn noted(subject: Option<Digest>) -> Noted {
        Noted {
            media_type: "x".into(),
            size_bytes: 1,
            blobs: vec![],
            manifests: vec![],
            subject,
            artifact_type: None,
            annotations: BTreeMap::new(),
            put_s: 1,
        }
    }

    #[test]
    fn manifest_goes_with_its_tags_and_its_place_among_the_referrers() {
        let store = Store::in_memory().expect("a database");
        store
            .write(|tx| {
                let repository = Repository::of(tx, "a/b");
                let link = Link { size_bytes: 5, at_s: 1 };
                for c in ['1', '2'] {
                    repository.link(&digest(c), &link)?;
                }
                repository.put_manifest(&digest('1'), &noted(Some(digest('2'))))?;
                repository.put_tag("x", &digest('1'))?;
                repository.put_tag("y", &digest('2'))?;
                assert_eq!(repository.size_bytes()?, 10);
                assert_eq!(repository.referrers(&digest('2'))?.len(), 1);
                assert!(repository.remove_manifest(&digest('1'))?);
                assert_eq!(repository.tags()?, [("y".to_owned(), digest('2'))]);
                assert!(repository.referrers(&digest('2'))?.is_empty());
                assert_eq!(holders(tx, &digest('1'))?, Vec::<String>::new());
                assert_eq!(holders(tx, &digest('2'))?, ["a/b"]);
                assert_eq!(repositories(tx)?, ["a/b"]);
                Ok::<_, Error>(())
            })
            .expect("the database works");
    }
}
