//! Removing names and images.

use crate::collect::forget_unused;
use crate::images::{Rows, read};
use crate::resolve::{By, canonical, familiar, find, not_found};
use crate::{Error, Images, chain_ids};
use error::{Fault, Kind};
use refs::{Digest, Reference};
use std::time::SystemTime;
use store::{NameKind, NameRow, Tx};

/// A container that uses an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerUse {
    /// The container's id, whole or short.
    pub container: String,
    /// The id of its image.
    pub image: Digest,
    /// Whether it runs.
    pub running: bool,
}

/// Whether to remove what is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Force {
    /// Refuse.
    No,
    /// Remove nevertheless, unless a running container uses it.
    Yes,
}

/// What was removed, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removed {
    /// A name, as Docker shows it.
    Untagged(String),
    /// An image (its id), or a layer (its chain ID).
    Deleted(Digest),
}

impl Images {
    /// Removes a name, and the image if that was its last; or, given an id, the image with its one name.
    ///
    /// Layers that stopped containers stand on stay until these are removed. While leases are held no layer goes.
    ///
    /// # Errors
    /// No such image; the conflicts that Docker reports, in its words.
    ///
    /// # Source
    /// `moby daemon/images/image_delete.go`, `ImageDelete`.
    pub fn remove(&self, name: &str, force: Force, in_use: &[ContainerUse]) -> Result<Vec<Removed>, Error> {
        match self.try_remove(name, force, in_use) {
            Err(error) if error.kind() == Kind::Exhausted => {
                // Removing needs some room itself: that is what the reserve is for, and what was pulled halfway goes first.
                self.shared.reserve.release();
                self.shared.content.collect_partials(SystemTime::now())?;
                let removed = self.try_remove(name, force, in_use);
                self.shared.trash.wait_until_idle();
                self.shared.reserve.hold();
                removed
            }
            result => result,
        }
    }

    fn try_remove(&self, name: &str, force: Force, in_use: &[ContainerUse]) -> Result<Vec<Removed>, Error> {
        let closed = self.shared.gate.close();
        let (removed, collected, id) = self.shared.store.write(|tx| -> Result<_, Error> {
            let (id, by) = find(tx, name)?.ok_or_else(|| not_found(name))?;
            let Rows { names, layers, .. } = read(tx, &id)?.ok_or_else(|| not_found(name))?;
            let plan = plan((name, by), &id, names, force, in_use)?;
            let mut removed = Vec::new();
            for name in &plan.names {
                tx.delete_name(&name.name)?;
                removed.push(Removed::Untagged(familiar(&name.name)));
            }
            if !plan.image {
                return Ok((removed, None, id));
            }
            tx.delete_image(&id)?;
            removed.push(Removed::Deleted(id.clone()));
            let collected = if closed.is_some() { Some(forget_unused(tx)?) } else { None };
            removed.extend(removed_layers(tx, &layers)?.into_iter().map(Removed::Deleted));
            Ok((removed, collected, id))
        })?;
        let _ = self.write_layout(); // The database has it; the next change or start writes it again.
        if let Some(collected) = collected {
            self.forget_config(&id);
            self.discard(&collected)?;
        }
        Ok(removed)
    }
}

/// What is to go.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    names: Vec<NameRow>,
    image: bool,
}

/// Decides what goes, or why nothing may.
fn plan(
    (given, by): (&str, By),
    id: &Digest,
    names: Vec<NameRow>,
    force: Force,
    in_use: &[ContainerUse],
) -> Result<Plan, Error> {
    let users: Vec<&ContainerUse> = in_use.iter().filter(|user| user.image == *id).collect();
    let running = users.iter().find(|user| user.running);
    let stopped = users.iter().find(|user| !user.running);
    let by_running =
        |user: &&ContainerUse| Error::InUseByRunning { image: id.clone(), container: short(user) };
    let by_stopped =
        |user: &&ContainerUse| Error::InUseByStopped { image: id.clone(), container: short(user) };

    if by == By::Id {
        if let Some(user) = running {
            return Err(by_running(user));
        }
        if force == Force::No {
            if !is_single(&names) {
                return Err(Error::SeveralNames { image: id.clone() });
            }
            if let Some(user) = stopped {
                return Err(by_stopped(user));
            }
        }
        return Ok(Plan { names, image: true });
    }

    if force == Force::No
        && is_single(&names)
        && let Some(user) = users.first()
    {
        return Err(Error::NameInUse { name: given.to_owned(), container: short(user), image: id.clone() });
    }
    let reference = Reference::parse(given)?;
    let (going, staying) = split(names, &canonical(&reference));
    // A running container keeps its image even when all names are taken by force; a stopped one's layers stay anyway.
    let image = staying.is_empty() && running.is_none() && (force == Force::Yes || stopped.is_none());
    Ok(Plan { names: going, image })
}

/// Splits off the name that goes, and with the last tag of a repository its names by digest.
fn split(names: Vec<NameRow>, gone: &str) -> (Vec<NameRow>, Vec<NameRow>) {
    let (mut going, staying): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| name.name == gone);
    let is_tag = going.first().is_some_and(|name| name.kind == NameKind::Tag);
    let of_same_repository = |name: &NameRow| repository(&name.name) == repository(gone);
    if !is_tag || staying.iter().any(|name| name.kind == NameKind::Tag && of_same_repository(name)) {
        return (going, staying);
    }
    let (digests, staying) = staying.into_iter().partition(of_same_repository);
    going.extend::<Vec<NameRow>>(digests);
    (going, staying)
}

/// Whether all names are one: at most one tag, and digests of its repository only.
///
/// # Source
/// `moby daemon/images/image_delete.go`, `isSingleReference`.
fn is_single(names: &[NameRow]) -> bool {
    if names.len() <= 1 {
        return true;
    }
    let tags = names.iter().filter(|name| name.kind == NameKind::Tag).count();
    tags <= 1 && names.iter().all(|name| repository(&name.name) == repository(&names[0].name))
}

fn repository(name: &str) -> &str {
    if let Some((repository, _)) = name.split_once('@') {
        return repository;
    }
    // The last colon parts the tag off, unless it is that of a port.
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => name,
    }
}

fn short(user: &ContainerUse) -> String {
    user.container.chars().take(12).collect()
}

/// Returns the chain IDs of the image's layers that are gone, from the top down.
fn removed_layers(tx: &Tx<'_>, layers: &[Digest]) -> Result<Vec<Digest>, Error> {
    let mut removed = Vec::new();
    for (chain_id, diff_id) in chain_ids(layers).into_iter().zip(layers).rev() {
        if tx.layer(diff_id)?.is_none() {
            removed.push(chain_id);
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> Digest {
        Digest::sha256([0xab; 32])
    }

    fn names(list: &[&str]) -> Vec<NameRow> {
        let row = |name: &&str| NameRow {
            name: (*name).to_owned(),
            kind: if name.contains('@') { NameKind::Digest } else { NameKind::Tag },
            image: image(),
            updated_ns: 1,
        };
        list.iter().map(row).collect()
    }

    fn used(running: bool) -> Vec<ContainerUse> {
        vec![ContainerUse { container: "0123456789abcdef".into(), image: image(), running }]
    }

    /// What goes: names, then `image`; or the error.
    fn outcome(given: &str, list: &[&str], force: Force, in_use: &[ContainerUse]) -> String {
        let is_name = Reference::parse(given).is_ok_and(|name| list.contains(&canonical(&name).as_str()));
        let by = if is_name { By::Name } else { By::Id };
        match plan((given, by), &image(), names(list), force, in_use) {
            Ok(plan) => {
                let mut going: Vec<String> =
                    plan.names.into_iter().map(|name| familiar(&name.name)).collect();
                going.extend(plan.image.then(|| "image".to_owned()));
                going.join(" ")
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn removal_follows_dockers_rules() {
        use Force::{No, Yes};
        let digest = format!("docker.io/library/a@sha256:{}", "1".repeat(64));
        let short_digest = format!("a@sha256:{}", "1".repeat(64));
        let (one, two) = ("docker.io/library/a:latest", "docker.io/library/a:b");
        let other = "127.0.0.1:5000/x/a:latest";
        let stopped = used(false);
        let running = used(true);
        let whole = format!("sha256:{}", "ab".repeat(32));
        let with_digest = format!("a:latest {short_digest} image");
        type Case<'a> = (&'a str, Vec<&'a str>, Force, &'a [ContainerUse], String);
        let cases: Vec<Case<'_>> = vec![
            ("a", vec![one], No, &[], "a:latest image".into()),
            ("a", vec![one, &digest], No, &[], with_digest.clone()),
            ("a", vec![one, two, &digest], No, &[], "a:latest".into()),
            ("a", vec![one, two], No, &running, "a:latest".into()),
            ("a", vec![one, other, &digest], No, &[], format!("a:latest {short_digest}")),
            (other, vec![one, other, &digest], No, &[], other.into()),
            (&short_digest, vec![one, &digest], No, &[], short_digest.clone()),
            (&short_digest, vec![&digest], No, &[], format!("{short_digest} image")),
            (
                "a",
                vec![one],
                No,
                &stopped,
                "conflict: unable to remove repository reference \"a\" (must force) - container 0123456789ab is using \
                 its referenced image abababababab"
                    .into(),
            ),
            ("a", vec![one], Yes, &stopped, "a:latest image".into()),
            ("a", vec![one], Yes, &running, "a:latest".into()),
            ("abab", vec![one, &digest], No, &[], with_digest.clone()),
            (&whole, vec![], No, &[], "image".into()),
            ("sha256:abab", vec![one], No, &[], "a:latest image".into()),
            (
                "abab",
                vec![one, two],
                No,
                &[],
                "conflict: unable to delete abababababab (must be forced) - image is referenced in multiple repositories"
                    .into(),
            ),
            ("abab", vec![one, two], Yes, &stopped, "a:latest a:b image".into()),
            (
                "abab",
                vec![one],
                No,
                &stopped,
                "conflict: unable to delete abababababab (must be forced) - image is being used by stopped container \
                 0123456789ab"
                    .into(),
            ),
            (
                "abab",
                vec![one],
                Yes,
                &running,
                "conflict: unable to delete abababababab (cannot be forced) - image is being used by running container \
                 0123456789ab"
                    .into(),
            ),
        ];
        for (given, list, force, in_use, expected) in cases {
            assert_eq!(outcome(given, &list, force, in_use), expected, "{given} {list:?} {force:?}");
        }
    }

    #[test]
    fn repository_is_what_stands_before_tag_or_digest() {
        for (name, expected) in [
            ("docker.io/library/a:b", "docker.io/library/a"),
            ("127.0.0.1:5000/a:b", "127.0.0.1:5000/a"),
            ("127.0.0.1:5000/a", "127.0.0.1:5000/a"),
            ("docker.io/library/a@sha256:0", "docker.io/library/a"),
        ] {
            assert_eq!(repository(name), expected);
        }
    }
}
