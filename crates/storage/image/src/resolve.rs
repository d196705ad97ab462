//! From what the user typed to an image.

use crate::images::read;
use crate::{Error, Image, Images};
use refs::{Digest, Platform, Reference};
use store::Tx;

impl Images {
    /// Finds an image by reference, id (with or without `sha256:`), or the beginning of an id. The built-in image is made
    /// when it is asked for and not here.
    ///
    /// # Errors
    /// `NotFound`, a name that is none, the beginning of several ids.
    ///
    /// # Source
    /// `moby daemon/images/image.go`, `getImage`: names go before ids.
    pub fn resolve(&self, name: &str) -> Result<Image, Error> {
        let found = self.shared.store.read(|tx| match find(tx, name)? {
            Some((id, _)) => read(tx, &id),
            None => Ok(None),
        })?;
        match found {
            Some(rows) => self.image(rows),
            None => self.builtin(name)?.ok_or_else(|| not_found(name)),
        }
    }

    /// Like [`Images::resolve`], and the image must run on the platform.
    ///
    /// # Errors
    /// Those of [`Images::resolve`]; an image for another platform.
    pub fn resolve_for(&self, name: &str, wanted: &Platform) -> Result<Image, Error> {
        let image = self.resolve(name)?;
        let actual = image.platform();
        if wanted.accepts(&actual) {
            return Ok(image);
        }
        Err(Error::OtherPlatform {
            name: name.to_owned(),
            wanted: Box::new(wanted.clone()),
            actual: Box::new(actual),
        })
    }
}

/// How an image was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Name,
    Id,
}

/// Finds the id of the image that a name means.
pub(crate) fn find(tx: &Tx<'_>, name: &str) -> Result<Option<(Digest, By)>, Error> {
    if let Some(id) = whole_id(name) {
        return Ok(tx.image(&id)?.map(|row| (row.id, By::Id)));
    }
    let reference = Reference::parse(name);
    if let Ok(reference) = &reference
        && let Some(row) = tx.name(&canonical(reference))?
    {
        return Ok(Some((row.image, By::Name)));
    }
    if let Some(prefix) = id_prefix(name) {
        let mut ids = tx.image_ids_with_prefix(&prefix, 2)?.into_iter();
        return match (ids.next(), ids.next()) {
            (Some(first), Some(_)) => Err(Error::Ambiguous { prefix: name.to_owned(), first }),
            (found, _) => Ok(found.map(|id| (id, By::Id))),
        };
    }
    reference?;
    Ok(None)
}

fn whole_id(name: &str) -> Option<Digest> {
    Digest::parse(name).or_else(|_| Digest::parse(&format!("sha256:{name}"))).ok()
}

/// Returns `sha256:` and the digits, if the name can be the beginning of an id.
pub(crate) fn id_prefix(name: &str) -> Option<String> {
    let digits = name.strip_prefix("sha256:").unwrap_or(name);
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (!digits.is_empty() && digits.len() <= 64 && digits.bytes().all(is_hex))
        .then(|| format!("sha256:{digits}"))
}

/// Returns the name under which an image would be noted. With a digest the tag does not count.
pub(crate) fn canonical(reference: &Reference) -> String {
    match reference.digest() {
        Some(digest) => format!("{}@{digest}", reference.name()),
        None => reference.clone().with_default_tag().to_string(),
    }
}

/// Returns a noted name as Docker shows it.
pub(crate) fn familiar(name: &str) -> String {
    Reference::parse(name).map_or_else(|_| name.to_owned(), |reference| reference.familiar())
}

/// The name as Docker's message has it: with the tag that was meant.
pub(crate) fn not_found(name: &str) -> Error {
    let meant = match (whole_id(name), Reference::parse(name)) {
        (Some(id), _) => id.to_string(),
        (None, Ok(reference)) => reference.with_default_tag().familiar(),
        (None, Err(_)) => name.to_owned(),
    };
    Error::NotFound { name: meant }
}
