//! A bundle: the directory with `config.json` and usually the root file system.

use crate::Error;
use oci::runtime::{DeviceRule, Linux, Spec};
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// No configuration is larger.
const MAX_BYTES: u64 = 16 << 20;

/// A bundle, read.
#[derive(Debug)]
pub(crate) struct Bundle {
    /// Its absolute path.
    pub(crate) path: PathBuf,
    /// The configuration.
    pub(crate) spec: Spec,
    /// The configuration as it stands in the file.
    pub(crate) text: Vec<u8>,
    /// The absolute path of the root file system.
    pub(crate) rootfs: PathBuf,
}

/// Reads a bundle.
///
/// # Errors
/// NotFound without a configuration, InvalidArgument for one that is none or names no root file system.
pub(crate) fn read(bundle: &Path, config: Option<&Path>) -> Result<Bundle, Error> {
    let path = fs::canonicalize(bundle).map_err(Error::file("open the bundle", bundle))?;
    let file = config.map_or_else(|| path.join("config.json"), Path::to_owned);
    let text = bounded(&file)?;
    let spec: Spec = parse(&file, &text)?;
    let Some(root) = &spec.root else {
        return Err(Error::Content { path: file, text: "root: is missing".into() });
    };
    let rootfs = path.join(&root.path);
    let rootfs =
        fs::canonicalize(&rootfs).map_err(Error::file("open the root file system (root.path)", rootfs))?;
    Ok(Bundle { path, spec, text, rootfs })
}

/// Reads the configuration that a container was created with.
///
/// # Errors
/// Those of the file.
pub(crate) fn saved(path: &Path) -> Result<Spec, Error> {
    parse(path, &bounded(path)?)
}

/// Reads a file of JSON of a bounded size.
///
/// # Errors
/// Those of the file; InvalidArgument for one that is too large.
pub(crate) fn bounded(path: &Path) -> Result<Vec<u8>, Error> {
    let read = || {
        let mut bytes = Vec::new();
        fs::File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes: Vec<u8> = read().map_err(Error::file("read", path))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Error::Content {
            path: path.to_owned(),
            text: format!("is larger than {MAX_BYTES} bytes"),
        });
    }
    Ok(bytes)
}

/// Reads JSON of a file; an error names the place.
///
/// # Errors
/// InvalidArgument for what is not of the right form.
pub(crate) fn parse<T: serde::de::DeserializeOwned>(path: &Path, text: &[u8]) -> Result<T, Error> {
    oci::runtime::from_json(text)
        .map_err(|error| Error::Content { path: path.to_owned(), text: error.to_string() })
}

/// Adds what every container may do with devices, whatever its rules say, as runc: make them, and use the default ones.
/// Without rules of its own it may use no others.
pub(crate) fn permit_default_devices(spec: &mut Spec) {
    let rule = |allow, kind: Option<&str>, major, minor, access: &str| DeviceRule {
        allow,
        kind: kind.map(str::to_owned),
        major,
        minor,
        access: Some(access.to_owned()),
    };
    let linux = spec.linux.get_or_insert_with(Linux::default);
    let devices = &mut linux.resources.get_or_insert_default().devices;
    if devices.is_empty() {
        devices.push(rule(false, None, None, None, "rwm"));
    }
    devices.push(rule(true, Some("c"), None, None, "m"));
    devices.push(rule(true, Some("b"), None, None, "m"));
    for (major, minor) in DEFAULT_DEVICES {
        devices.push(rule(true, Some("c"), Some(major), minor, "rwm"));
    }
}

/// null, zero, full, random, urandom, tty, ptmx, pts/*.
const DEFAULT_DEVICES: [(i64, Option<i64>); 8] = [
    (1, Some(3)),
    (1, Some(5)),
    (1, Some(7)),
    (1, Some(8)),
    (1, Some(9)),
    (5, Some(0)),
    (5, Some(2)),
    (136, None),
];

/// Sets the cgroup's path if the configuration leaves it to the runtime.
pub(crate) fn choose_cgroup(spec: &mut Spec, id: &str) {
    let linux = spec.linux.get_or_insert_with(Linux::default);
    if linux.cgroups_path.is_empty() {
        linux.cgroups_path = format!("/{id}");
    }
}
