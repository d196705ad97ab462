//! Choosing one image out of an index.

use crate::Error;
use oci::image::{Descriptor, Index, media_type};
use refs::Platform;

/// Returns the manifest of an index that suits a platform best.
///
/// Attestations and other artifacts are passed over. A manifest that names no platform is taken only if it is alone.
///
/// # Errors
/// No manifest for the platform.
///
/// # Source
/// `moby distribution/pull_v2_unix.go`, `filterManifests`; containerd `platforms.Only`.
pub fn choose_platform<'a>(index: &'a Index, wanted: &Platform) -> Result<&'a Descriptor, Error> {
    let candidates: Vec<&Descriptor> = index.manifests.iter().filter(|one| is_image(one)).collect();
    let ranked = candidates.iter().filter_map(|one| Some((wanted.rank(&platform(one)?)?, *one)));
    if let Some((_, best)) = ranked.min_by_key(|(rank, _)| *rank) {
        return Ok(best);
    }
    if let [only] = candidates[..]
        && only.platform.is_none()
    {
        return Ok(only);
    }
    let mut available: Vec<Platform> = candidates.iter().filter_map(|one| platform(one)).collect();
    available.sort();
    available.dedup();
    Err(Error::NoPlatform { wanted: wanted.clone(), available })
}

fn is_image(descriptor: &Descriptor) -> bool {
    let is_manifest = descriptor.media_type.is_empty() || media_type::is_manifest(&descriptor.media_type);
    let is_attestation = descriptor.annotations.contains_key("vnd.docker.reference.type");
    is_manifest
        && !is_attestation
        && descriptor.platform.as_ref().is_none_or(|platform| platform.os != "unknown")
}

fn platform(descriptor: &Descriptor) -> Option<Platform> {
    let platform = descriptor.platform.as_ref()?;
    Some(Platform::new(&platform.os, &platform.architecture, platform.variant.as_deref().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use error::Fault;
    use refs::Digest;

    fn index(platforms: &[&str]) -> Index {
        let manifests = platforms.iter().zip(0..).map(|(platform, byte)| {
            let mut descriptor = Descriptor::new(media_type::OCI_MANIFEST, Digest::sha256([byte; 32]), 1);
            let parts: Vec<&str> = platform.split('/').collect();
            if let [os, architecture, rest @ ..] = &parts[..] {
                descriptor.platform = Some(oci::image::Platform {
                    os: (*os).into(),
                    architecture: (*architecture).into(),
                    variant: rest.first().map(|variant| (*variant).into()),
                    ..oci::image::Platform::default()
                });
            }
            descriptor
        });
        Index {
            schema_version: 2,
            media_type: None,
            artifact_type: None,
            manifests: manifests.collect(),
            subject: None,
            annotations: std::collections::BTreeMap::new(),
        }
    }

    #[test]
    fn best_manifest_is_chosen() {
        let cases: [(&[&str], &str, Option<u8>); 9] = [
            (&["linux/arm64", "linux/amd64"], "linux/amd64", Some(1)),
            (&["linux/386", "linux/amd64"], "linux/amd64", Some(1)),
            (&["linux/386"], "linux/amd64", Some(0)),
            (&["linux/arm/v6", "linux/arm/v7", "linux/arm/v5"], "linux/arm/v7", Some(1)),
            (&["linux/arm/v8", "linux/arm/v6"], "linux/arm/v7", Some(1)),
            (&["unknown/unknown", "linux/amd64"], "linux/amd64", Some(1)),
            (&["", "linux/arm64"], "linux/amd64", None),
            (&[""], "linux/amd64", Some(0)),
            (&["windows/amd64"], "linux/amd64", None),
        ];
        for (platforms, wanted, expected) in cases {
            let index = index(platforms);
            let chosen = choose_platform(&index, &wanted.parse().unwrap()).ok().map(|one| one.digest.clone());
            assert_eq!(chosen, expected.map(|byte| Digest::sha256([byte; 32])), "{platforms:?} for {wanted}");
        }
    }

    #[test]
    fn refusal_names_what_there_is() {
        let index = index(&["linux/arm64", "linux/s390x", "linux/arm64/v8"]);
        let error = choose_platform(&index, &"linux/amd64".parse().unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "no matching manifest for linux/amd64 in the manifest list entries");
        let hint = error.hint().unwrap();
        assert_eq!(hint, "the image is there for linux/arm64, linux/s390x: choose with --platform");
    }
}
