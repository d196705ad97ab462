//! `Binds`, `Mounts` and `Tmpfs` of a create request → [`Mount`]. Pure: nothing is looked up on the host.

use crate::error::{Error, invalid, unsupported};
use container::spec::{Mount, Origin, ReadOnlyDepth, VolumeMount};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use wire::host_config as wired;

/// Reads all mounts: binds first, then mounts, then tmpfs.
pub(crate) fn mounts(
    binds: &[String],
    mounts: &[wired::Mount],
    tmpfs: Option<&BTreeMap<String, String>>,
    volume_driver: &str,
) -> Result<Vec<Mount>, Error> {
    let mut all = Vec::new();
    for spec in binds {
        all.push(bind(spec)?);
    }
    for mount in mounts {
        all.push(long_form(mount)?);
    }
    for (target, options) in tmpfs.into_iter().flatten() {
        let target = absolute(target)
            .ok_or_else(|| invalid(format!("invalid mount path: '{target}' mount path must be absolute")))?;
        all.push(Mount::Tmpfs { target, options: options.clone(), from_tmpfs_flag: true });
    }
    for mount in &mut all {
        if let Mount::Volume(volume) = mount
            && volume.driver.is_empty()
        {
            volume_driver.clone_into(&mut volume.driver);
        }
    }
    Ok(all)
}

/// Reads `source:target[:mode]`.
///
/// # Source
/// moby `daemon/volume/mounts/linux_parser.go`, `ParseMountRaw`.
fn bind(spec: &str) -> Result<Mount, Error> {
    let parts: Vec<&str> = spec.split(':').collect();
    let (source, target, mode) = match parts[..] {
        [target] => ("", target, ""),
        [target, mode] if !target.is_empty() && read_mode(mode).is_ok() => ("", target, mode),
        [source, target] => (source, target, ""),
        [source, target, mode] => (source, target, mode),
        _ => return Err(invalid(format!("invalid volume specification: '{spec}'"))),
    };
    if spec.starts_with(':') || target.is_empty() {
        return Err(invalid(format!("invalid volume specification: '{spec}'")));
    }
    let kind = if source.starts_with('/') { "bind" } else { "volume" };
    let wrong = |what: &str| {
        invalid(format!(
            "invalid volume specification: '{spec}': invalid mount config for type \"{kind}\": {what}"
        ))
    };
    let target = absolute(target)
        .ok_or_else(|| wrong(&format!("invalid mount path: '{target}' mount path must be absolute")))?;
    if target == Path::new("/") {
        return Err(wrong("invalid specification: destination can't be '/'"));
    }
    let modes = read_mode(mode)?;
    let Some(source) = absolute(source) else {
        if !modes.propagation.is_empty() {
            return Err(wrong("field BindOptions must not be specified"));
        }
        return Ok(Mount::Volume(VolumeMount {
            name: source.to_owned(),
            is_anonymous: source.is_empty(),
            target,
            read_only: modes.read_only,
            no_copy: modes.no_copy,
            mode: mode.to_owned(),
            origin: Origin::Flag,
            ..VolumeMount::default()
        }));
    };
    if modes.no_copy {
        return Err(wrong("field VolumeOptions must not be specified"));
    }
    Ok(Mount::Bind {
        source,
        target,
        read_only: modes.read_only,
        propagation: modes.propagation,
        non_recursive: false,
        create_source: true,
        from_volume_flag: true,
        mode: mode.to_owned(),
        read_only_depth: ReadOnlyDepth::WherePossible,
        is_inherited: false,
    })
}

#[derive(Default)]
struct Modes {
    read_only: bool,
    no_copy: bool,
    propagation: String,
}

/// Reads `ro,z,rslave`; each kind of word may come once.
fn read_mode(mode: &str) -> Result<Modes, Error> {
    let mut modes = Modes::default();
    let mut seen = BTreeSet::new();
    for word in mode.split(',').filter(|_| !mode.is_empty()) {
        let kind = match word {
            "ro" | "rw" => "access",
            // Without SELinux the label words mean nothing, as with Docker.
            "z" | "Z" => "label",
            "consistent" | "cached" | "delegated" | "default" => "consistency",
            "nocopy" => "copy",
            _ if is_propagation(word) => "propagation",
            _ => return Err(invalid(format!("invalid mode: {mode}"))),
        };
        if !seen.insert(kind) {
            return Err(invalid(format!("invalid mode: {mode}")));
        }
        match kind {
            "access" => modes.read_only = word == "ro",
            "copy" => modes.no_copy = true,
            "propagation" => word.clone_into(&mut modes.propagation),
            _ => {}
        }
    }
    Ok(modes)
}

fn is_propagation(word: &str) -> bool {
    matches!(word, "private" | "rprivate" | "shared" | "rshared" | "slave" | "rslave")
}

fn long_form(wire: &wired::Mount) -> Result<Mount, Error> {
    let kind = wire.kind.as_str();
    let wrong = |what: &str| invalid(format!("invalid mount config for type \"{kind}\": {what}"));
    match kind {
        "bind" | "tmpfs" | "volume" => {}
        "image" | "cluster" | "npipe" => {
            return Err(unsupported(format!("HostConfig.Mounts (type {kind})")));
        }
        _ => return Err(wrong("mount type unknown")),
    }
    if wire.target.is_empty() {
        return Err(wrong("field Target must not be empty"));
    }
    let Some(target) = absolute(&wire.target) else {
        return Err(wrong(&format!("invalid mount path: '{}' mount path must be absolute", wire.target)));
    };
    if target == Path::new("/") {
        return Err(wrong("invalid specification: destination can't be '/'"));
    }
    let foreign = [
        (kind != "volume" && wire.volume_options.is_some(), "VolumeOptions"),
        (wire.image_options.is_some(), "ImageOptions"),
        (wire.cluster_options.is_some(), "ClusterOptions"),
        (kind != "bind" && wire.bind_options.is_some(), "BindOptions"),
        (kind != "tmpfs" && wire.tmpfs_options.is_some(), "TmpfsOptions"),
        (kind == "tmpfs" && !wire.source.is_empty(), "Source"),
    ];
    if let Some((_, field)) = foreign.iter().find(|(given, _)| *given) {
        return Err(wrong(&format!("field {field} must not be specified")));
    }
    if kind == "tmpfs" {
        return Ok(Mount::Tmpfs { target, options: tmpfs_options(wire)?, from_tmpfs_flag: false });
    }
    if kind == "volume" {
        return volume(wire, target);
    }
    if wire.source.is_empty() {
        return Err(wrong("field Source must not be empty"));
    }
    let Some(source) = absolute(&wire.source) else {
        return Err(wrong(&format!("invalid mount path: '{}' mount path must be absolute", wire.source)));
    };
    let options = wire.bind_options.clone().unwrap_or_default();
    if !options.propagation.is_empty() && !is_propagation(&options.propagation) {
        return Err(wrong(&format!("invalid propagation mode: {}", options.propagation)));
    }
    let read_only_depth = read_only_depth(wire.read_only, &options).map_err(wrong)?;
    Ok(Mount::Bind {
        source,
        target,
        read_only: wire.read_only,
        propagation: options.propagation,
        non_recursive: options.non_recursive,
        create_source: options.create_mountpoint,
        from_volume_flag: false,
        mode: String::new(),
        read_only_depth,
        is_inherited: false,
    })
}

fn read_only_depth(read_only: bool, options: &wired::BindOptions) -> Result<ReadOnlyDepth, &'static str> {
    match (options.read_only_non_recursive, options.read_only_force_recursive) {
        (false, false) => Ok(ReadOnlyDepth::WherePossible),
        (true, true) => Err("ReadOnlyNonRecursive and ReadOnlyForceRecursive exclude each other"),
        (true, false) if !read_only => Err("ReadOnlyNonRecursive needs ReadOnly"),
        (false, true) if !read_only => Err("ReadOnlyForceRecursive needs ReadOnly"),
        (false, true) if options.non_recursive => {
            Err("ReadOnlyForceRecursive and NonRecursive exclude each other")
        }
        (false, true) if options.propagation != "rprivate" => {
            Err("ReadOnlyForceRecursive needs the propagation rprivate")
        }
        (true, false) => Ok(ReadOnlyDepth::Single),
        (false, true) => Ok(ReadOnlyDepth::Forced),
    }
}

fn volume(wire: &wired::Mount, target: PathBuf) -> Result<Mount, Error> {
    let options = wire.volume_options.clone().unwrap_or_default();
    let wrong = |what: &str| invalid(format!("invalid mount config for type \"volume\": {what}"));
    if !options.subpath.is_empty() {
        if wire.source.is_empty() {
            return Err(wrong("must not set Subpath when using anonymous volumes"));
        }
        let is_local = Path::new(&options.subpath)
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_) | std::path::Component::CurDir));
        if !is_local {
            return Err(wrong("subpath must be a relative path within the volume"));
        }
    }
    let driver = options.driver_config.unwrap_or_default();
    Ok(Mount::Volume(VolumeMount {
        name: wire.source.clone(),
        is_anonymous: wire.source.is_empty(),
        target,
        read_only: wire.read_only,
        no_copy: options.no_copy,
        subpath: options.subpath,
        driver: driver.name,
        options: driver.options,
        labels: options.labels,
        mode: String::new(),
        origin: Origin::Long,
    }))
}

/// Returns mount(8) options for the options of the long form.
fn tmpfs_options(wire: &wired::Mount) -> Result<String, Error> {
    let options = wire.tmpfs_options.clone().unwrap_or_default();
    let mut words = Vec::new();
    if wire.read_only {
        words.push("ro".to_owned());
    }
    if options.size_bytes < 0 {
        return Err(invalid("invalid mount config for type \"tmpfs\": SizeBytes must not be negative"));
    }
    if options.size_bytes > 0 {
        words.push(format!("size={}", options.size_bytes));
    }
    if options.mode != 0 {
        words.push(format!("mode={:o}", options.mode));
    }
    for option in options.options.unwrap_or_default() {
        match &option[..] {
            [flag] => words.push(flag.clone()),
            [key, value] => words.push(format!("{key}={value}")),
            _ => return Err(invalid("invalid mount config for type \"tmpfs\": invalid option array length")),
        }
    }
    Ok(words.join(","))
}

/// Returns the path without `.`, `..`, and doubled or trailing slashes, as Go's `filepath.Clean` does; none if it is relative.
fn absolute(path: &str) -> Option<PathBuf> {
    if !path.starts_with('/') {
        return None;
    }
    let mut clean: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                clean.pop();
            }
            part => clean.push(part),
        }
    }
    Some(PathBuf::from(format!("/{}", clean.join("/"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_cleans_as_go_does() {
        for (path, expected) in
            [("/a//b/../c/", Some("/a/c")), ("/..", Some("/")), ("/./a", Some("/a")), ("a", None), ("", None)]
        {
            assert_eq!(absolute(path), expected.map(PathBuf::from), "{path}");
        }
    }

    #[test]
    fn mode_words_of_one_kind_exclude_each_other() {
        for bad in ["ro,rw", "z,Z", "rslave,rshared", "nocopy,nocopy", "ro,", "foo"] {
            assert!(read_mode(bad).is_err(), "{bad}");
        }
        assert!(
            read_mode("ro,Z,rslave,cached")
                .is_ok_and(|modes| modes.read_only && modes.propagation == "rslave")
        );
    }

    #[test]
    fn options_of_another_type_are_refused() {
        let mount = wired::Mount {
            kind: "bind".into(),
            source: "/a".into(),
            target: "/b".into(),
            tmpfs_options: Some(Default::default()),
            ..Default::default()
        };
        assert_eq!(
            long_form(&mount).unwrap_err().to_string(),
            "invalid mount config for type \"bind\": field TmpfsOptions must not be specified"
        );
    }
}
