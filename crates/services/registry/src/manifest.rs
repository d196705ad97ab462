//! Manifests and indexes: which of them it is, and whether it can be run.

use crate::error::Error;
use oci::image::{Index, Manifest, media_type};
use serde_json::Value;

/// The largest manifest or index.
pub(crate) const MAX_BYTES: u64 = 4 << 20;

/// The kinds that we can read.
pub(crate) const ACCEPT: [&str; 4] =
    [media_type::OCI_INDEX, media_type::DOCKER_INDEX, media_type::OCI_MANIFEST, media_type::DOCKER_MANIFEST];

/// What a tag or digest names.
#[derive(Debug)]
pub(crate) enum Document {
    Manifest(Box<Manifest>),
    Index(Box<Index>),
}

/// Reads a document that was sent as `content_type`.
///
/// A document that two programs could read as different things (CVE-2021-41190) is refused.
pub(crate) fn parse(content_type: &str, bytes: &[u8]) -> Result<Document, Error> {
    let malformed = |reason: String| Error::Malformed { what: "manifest", reason };
    let value: Value = serde_json::from_slice(bytes).map_err(|error| malformed(error.to_string()))?;
    let kind = kind_of(content_type, &value)?;
    if media_type::is_index(&kind) {
        if has(&value, &["config", "layers", "fsLayers"]) {
            return Err(malformed("it is an index and a manifest at once".into()));
        }
        let index: Index = serde_json::from_slice(bytes).map_err(|error| malformed(error.to_string()))?;
        return Ok(Document::Index(Box::new(index)));
    }
    if has(&value, &["manifests", "fsLayers"]) {
        return Err(malformed("it is an index and a manifest at once".into()));
    }
    let manifest: Manifest = serde_json::from_slice(bytes).map_err(|error| malformed(error.to_string()))?;
    check(&manifest)?;
    Ok(Document::Manifest(Box::new(manifest)))
}

fn has(value: &Value, members: &[&str]) -> bool {
    members.iter().any(|member| value.get(member).is_some_and(|found| !found.is_null()))
}

/// The media type by header and content, which must agree.
fn kind_of(content_type: &str, value: &Value) -> Result<String, Error> {
    let malformed = |reason: String| Error::Malformed { what: "manifest", reason };
    let is_known = |kind: &str| media_type::is_manifest(kind) || media_type::is_index(kind);
    let sent = content_type.split(';').next().unwrap_or_default().trim();
    let said = value.get("mediaType").and_then(Value::as_str).unwrap_or_default();
    let version = value.get("schemaVersion").and_then(Value::as_u64);
    let first_schema = [media_type::DOCKER_MANIFEST_V1, media_type::DOCKER_MANIFEST_V1_SIGNED];
    if version == Some(1) || first_schema.contains(&sent) {
        return Err(Error::Unsupported { what: "image manifest (schema 1)", media_type: sent.into() });
    }
    if version != Some(2) {
        return Err(malformed("its schemaVersion is not 2".into()));
    }
    match (is_known(sent), is_known(said)) {
        (true, true) if sent != said => {
            Err(malformed(format!("it was sent as {sent:?} and says that it is {said:?}")))
        }
        (true, false) if !said.is_empty() => {
            Err(Error::Unsupported { what: "manifest", media_type: said.into() })
        }
        (true, _) => Ok(sent.into()),
        (false, true) => Ok(said.into()),
        (false, false) if !said.is_empty() => {
            Err(Error::Unsupported { what: "manifest", media_type: said.into() })
        }
        // Both are silent: OCI permits it, and the content tells.
        (false, false) if has(value, &["manifests"]) => Ok(media_type::OCI_INDEX.into()),
        (false, false) if has(value, &["config"]) => Ok(media_type::OCI_MANIFEST.into()),
        (false, false) => Err(Error::Unsupported { what: "manifest", media_type: sent.into() }),
    }
}

/// Checks that a manifest is that of an image which we can unpack.
fn check(manifest: &Manifest) -> Result<(), Error> {
    let config = &manifest.config.media_type;
    // Very old images have no type there, or octet-stream.
    if !media_type::is_config(config) && !matches!(config.as_str(), "" | "application/octet-stream") {
        return Err(Error::Unsupported { what: "artifact", media_type: config.clone() });
    }
    if manifest.config.size > MAX_BYTES {
        let reason = format!("its configuration has {} bytes, more than {MAX_BYTES}", manifest.config.size);
        return Err(Error::Malformed { what: "manifest", reason });
    }
    match manifest.layers.iter().find(|layer| !media_type::is_layer(&layer.media_type)) {
        Some(layer) => Err(Error::Unsupported { what: "layer", media_type: layer.media_type.clone() }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = r#"{"mediaType":"application/vnd.oci.image.config.v1+json","size":2,"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}"#;

    fn manifest(extra: &str) -> String {
        format!(r#"{{"schemaVersion":2,{extra}"config":{CONFIG},"layers":[]}}"#)
    }

    fn error(content_type: &str, text: &str) -> String {
        parse(content_type, text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn document_kind_is_known_by_header_or_content() {
        let said = |kind: &str| manifest(&format!(r#""mediaType":"{kind}","#));
        for (content_type, text) in [
            (media_type::OCI_MANIFEST, manifest("")),
            ("application/json", said(media_type::DOCKER_MANIFEST)),
            ("application/vnd.oci.image.manifest.v1+json; charset=utf-8", said(media_type::OCI_MANIFEST)),
            ("", manifest("")),
        ] {
            assert!(
                matches!(parse(content_type, text.as_bytes()), Ok(Document::Manifest(_))),
                "{content_type}"
            );
        }
        for content_type in [media_type::OCI_INDEX, media_type::DOCKER_INDEX, "text/plain"] {
            let text = br#"{"schemaVersion":2,"manifests":[]}"#;
            assert!(matches!(parse(content_type, text), Ok(Document::Index(_))), "{content_type}");
        }
    }

    #[test]
    fn document_that_could_be_two_things_is_refused() {
        let both = "manifest is malformed: it is an index and a manifest at once";
        assert_eq!(error(media_type::OCI_MANIFEST, &manifest(r#""manifests":[],"#)), both);
        assert_eq!(error(media_type::OCI_INDEX, &manifest(r#""manifests":[],"#)), both);
        assert_eq!(
            error(
                media_type::OCI_MANIFEST,
                &manifest(&format!(r#""mediaType":"{}","#, media_type::OCI_INDEX))
            ),
            format!(
                "manifest is malformed: it was sent as {:?} and says that it is {:?}",
                media_type::OCI_MANIFEST,
                media_type::OCI_INDEX
            )
        );
    }

    #[test]
    fn document_that_cannot_be_run_is_refused_by_name() {
        let artifact = manifest("")
            .replace("application/vnd.oci.image.config.v1+json", "application/vnd.cncf.helm.config.v1+json");
        assert_eq!(
            error(media_type::OCI_MANIFEST, &artifact),
            "artifact of type \"application/vnd.cncf.helm.config.v1+json\" is not supported"
        );
        assert_eq!(
            error(media_type::DOCKER_MANIFEST_V1_SIGNED, r#"{"schemaVersion":1}"#),
            "image manifest (schema 1) of type \"application/vnd.docker.distribution.manifest.v1+prettyjws\" is not supported"
        );
        let foreign = manifest("").replace(
            "\"layers\":[]",
            &format!(
                "\"layers\":[{}]",
                CONFIG.replace(
                    "application/vnd.oci.image.config.v1+json",
                    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
                )
            ),
        );
        assert!(error(media_type::OCI_MANIFEST, &foreign).starts_with("layer of type"));
        assert_eq!(
            error("application/json", r#"{"schemaVersion":3}"#),
            "manifest is malformed: its schemaVersion is not 2"
        );
        assert!(error("application/json", "<html>").starts_with("manifest is malformed"));
        assert_eq!(
            error("text/html", r#"{"schemaVersion":2}"#),
            "manifest of type \"text/html\" is not supported"
        );
    }
}
