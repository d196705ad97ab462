//! `-v`, `--mount`, `--tmpfs`, `--device`.

use std::path::{Component, Path, PathBuf};

use crate::quote::quote;
use wire::host_config::{BindOptions, DeviceMapping, Mount, TmpfsOptions};
use wire::volume::{VolumeDriver, VolumeOptions};

use super::check::parse_bytes;

/// Reads a `-v` and returns it as the engine takes it: a bind, a named volume, or the path of an anonymous one.
///
/// # Source
/// docker/cli `internal/volumespec`.
pub(super) fn parse_volume(text: &str, directory: &Path) -> Result<String, String> {
    if text.is_empty() {
        return Err("invalid empty volume spec".to_owned());
    }
    let parts: Vec<&str> = text.split(':').collect();
    let invalid = |why: &str| Err(format!("invalid spec: {text}: {why}"));
    if parts.iter().any(|part| part.is_empty()) {
        return invalid("empty section between colons");
    }
    let (source, rest) = match parts[..] {
        [_] => return Ok(text.to_owned()),
        [source, ..] if parts.len() <= 3 => (source, &text[source.len()..]),
        _ => return invalid("too many colons"),
    };
    match source.as_bytes() {
        [b'/' | b'~', ..] => Ok(text.to_owned()),
        [b'.', ..] => Ok(format!("{}{rest}", absolute(source, directory).display())),
        // A volume: its name is the engine's to check.
        _ => Ok(text.to_owned()),
    }
}

/// Returns the path below the directory, without `.` and `..`.
fn absolute(path: &str, directory: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in directory.join(path).components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            Component::RootDir | Component::Prefix(_) | Component::Normal(_) => out.push(component),
        }
    }
    out
}

/// Reads a `--mount`.
///
/// # Source
/// docker/cli `opts.MountOpt`.
pub(super) fn parse_mount(text: &str, directory: &Path) -> Result<Mount, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("value is empty".to_owned());
    }
    let mut mount = Mount { kind: "volume".to_owned(), ..Mount::default() };
    for field in fields(text)? {
        let (key, value) = match field.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (field.as_str(), None),
        };
        check_spaces(key, value, &field)?;
        let key = key.to_ascii_lowercase();
        apply(&mut mount, &key, value, &field, directory)?;
    }
    check_mix(&mount)?;
    match mount.kind.as_str() {
        "bind" | "tmpfs" | "volume" => {}
        "image" | "cluster" | "npipe" => {
            return Err(format!(
                "mounts of type {} are not supported yet: use bind, volume or tmpfs",
                mount.kind
            ));
        }
        other => return Err(format!("invalid mount config for type {}: mount type unknown", quote(other))),
    }
    if mount.target.is_empty() {
        return Err("target is required".to_owned());
    }
    Ok(mount)
}

fn check_spaces(key: &str, value: Option<&str>, field: &str) -> Result<(), String> {
    if key.trim() != key {
        return Err(format!(
            "invalid option '{}' in '{field}': option should not have whitespace",
            key.trim()
        ));
    }
    match value {
        Some(value) if value.trim().is_empty() => Err(format!("invalid value for '{key}': value is empty")),
        Some(value) if value.trim() != value => {
            Err(format!("invalid value for '{key}' in '{field}': value should not have whitespace"))
        }
        Some(_) | None => Ok(()),
    }
}

fn apply(
    mount: &mut Mount,
    key: &str,
    value: Option<&str>,
    field: &str,
    directory: &Path,
) -> Result<(), String> {
    let switch = || match value {
        None | Some("1" | "true") => Ok(true),
        Some("0" | "false") => Ok(false),
        Some(other) => Err(format!(
            "invalid value for '{key}': invalid boolean value ({}): must be one of \"true\", \"1\", \"false\", or \"0\" (default \"true\")",
            quote(other)
        )),
    };
    match key {
        "readonly" | "ro" => {
            mount.read_only = switch()?;
            return Ok(());
        }
        "volume-nocopy" => {
            volume(mount).no_copy = switch()?;
            return Ok(());
        }
        "bind-nonrecursive" => {
            return Err("bind-nonrecursive is deprecated, use bind-recursive=disabled instead".to_owned());
        }
        _ => {}
    }
    let Some(value) = value else {
        return Err(format!("invalid field '{field}' must be a key=value pair"));
    };
    let bad = || Err(format!("invalid value for {key}: {value}"));
    match key {
        "type" => mount.kind = value.to_ascii_lowercase(),
        "source" | "src" => {
            mount.source = match value.starts_with('.') {
                true => absolute(value, directory).display().to_string(),
                false => value.to_owned(),
            };
        }
        "target" | "dst" | "destination" => mount.target = value.to_owned(),
        "consistency" => mount.consistency = value.to_ascii_lowercase(),
        "bind-propagation" => bind(mount).propagation = value.to_ascii_lowercase(),
        "bind-recursive" => match value {
            "enabled" => {}
            "disabled" => bind(mount).non_recursive = true,
            "writable" => bind(mount).read_only_non_recursive = true,
            "readonly" => bind(mount).read_only_force_recursive = true,
            _ => {
                return Err(format!(
                    "invalid value for {key}: {value} (must be \"enabled\", \"disabled\", \"writable\", or \"readonly\")"
                ));
            }
        },
        "tmpfs-size" => match parse_bytes(value) {
            Ok(size) => tmpfs(mount).size_bytes = size,
            Err(_) => return bad(),
        },
        "tmpfs-mode" => match u32::from_str_radix(value, 8) {
            Ok(mode) => tmpfs(mount).mode = mode,
            Err(_) => return bad(),
        },
        "volume-subpath" => value.clone_into(&mut volume(mount).subpath),
        "volume-driver" => value.clone_into(&mut driver(mount).name),
        "volume-label" => {
            volume(mount).labels.get_or_insert_default().extend([pair(value)]);
        }
        "volume-opt" => {
            driver(mount).options.get_or_insert_default().extend([pair(value)]);
        }
        _ if key.starts_with("image-") => {
            return Err(format!("'{key}' is not supported yet: use mounts of type bind, volume or tmpfs"));
        }
        _ => return Err(format!("unexpected key '{key}' in '{field}'")),
    }
    Ok(())
}

fn bind(mount: &mut Mount) -> &mut BindOptions {
    mount.bind_options.get_or_insert_with(BindOptions::default)
}

fn volume(mount: &mut Mount) -> &mut VolumeOptions {
    mount.volume_options.get_or_insert_default()
}

fn driver(mount: &mut Mount) -> &mut VolumeDriver {
    volume(mount).driver_config.get_or_insert_default()
}

fn pair(text: &str) -> (String, String) {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    (key.to_owned(), value.to_owned())
}

fn tmpfs(mount: &mut Mount) -> &mut TmpfsOptions {
    mount.tmpfs_options.get_or_insert_with(TmpfsOptions::default)
}

fn check_mix(mount: &Mount) -> Result<(), String> {
    let kind = &mount.kind;
    if mount.tmpfs_options.is_some() && kind != "tmpfs" {
        return Err(format!("cannot mix 'tmpfs-*' options with mount type '{kind}'"));
    }
    if mount.volume_options.is_some() && kind != "volume" {
        return Err(format!("cannot mix 'volume-*' options with mount type '{kind}'"));
    }
    let Some(options) = &mount.bind_options else { return Ok(()) };
    if kind != "bind" {
        return Err(format!("cannot mix 'bind-*' options with mount type '{kind}'"));
    }
    let needs = |what: &str, other: &str| {
        Err(format!("option 'bind-recursive={what}' requires '{other}' to be specified in conjunction"))
    };
    if options.read_only_non_recursive && !mount.read_only {
        return needs("writable", "readonly");
    }
    if options.read_only_force_recursive && !mount.read_only {
        return needs("readonly", "readonly");
    }
    if options.read_only_force_recursive && options.propagation != "rprivate" {
        return needs("readonly", "bind-propagation=rprivate");
    }
    Ok(())
}

/// Splits a line of comma-separated values; a field may stand in double quotes.
fn fields(line: &str) -> Result<Vec<String>, String> {
    let mut out = Vec::new();
    let mut chars = line.chars().peekable();
    loop {
        let mut field = String::new();
        if chars.peek() == Some(&'"') {
            chars.next();
            loop {
                match chars.next() {
                    Some('"') if chars.peek() == Some(&'"') => {
                        chars.next();
                        field.push('"');
                    }
                    Some('"') => break,
                    Some(c) => field.push(c),
                    None => return Err("extraneous or missing \" in quoted-field".to_owned()),
                }
            }
            if !matches!(chars.peek(), None | Some(',')) {
                return Err("extraneous or missing \" in quoted-field".to_owned());
            }
        } else {
            while let Some(c) = chars.next_if(|c| *c != ',') {
                if c == '"' {
                    return Err("bare \" in non-quoted-field".to_owned());
                }
                field.push(c);
            }
        }
        out.push(field);
        if chars.next().is_none() {
            return Ok(out);
        }
    }
}

/// Reads a `--device`: `path[:path in the container][:rwm]`.
pub(super) fn parse_device(text: &str) -> Result<DeviceMapping, String> {
    let parts: Vec<&str> = text.split(':').collect();
    let is_mode = |text: &str| {
        let mut seen = Vec::new();
        !text.is_empty()
            && text.bytes().all(|byte| {
                let new = b"rwm".contains(&byte) && !seen.contains(&byte);
                seen.push(byte);
                new
            })
    };
    let (source, target, mode) = match parts[..] {
        ["", ..] => return Err(format!("bad format for path: {text}")),
        [path] => (path, path, "rwm"),
        [path, mode] if is_mode(mode) => (path, path, mode),
        [source, target] => (source, target, "rwm"),
        [source, target, mode] if is_mode(mode) => (source, target, mode),
        [_, _, mode] => return Err(format!("bad mode specified: {mode}")),
        _ => return Err(format!("bad format for path: {text}")),
    };
    if !target.starts_with('/') {
        return Err(format!("{target} is not an absolute path"));
    }
    Ok(DeviceMapping {
        path_on_host: source.to_owned(),
        path_in_container: target.to_owned(),
        cgroup_permissions: mode.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "/home/u/p";

    #[test]
    fn binds_become_absolute() {
        let cases = [
            ("/a:/b", "/a:/b"),
            ("/a:/b:ro,z", "/a:/b:ro,z"),
            (".:/b", "/home/u/p:/b"),
            ("./x/../y:/b:ro", "/home/u/p/y:/b:ro"),
            ("../../..:/b", "/:/b"),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_volume(text, Path::new(HERE)), Ok(expected.to_owned()));
        }
    }

    #[test]
    fn volumes_pass_and_broken_ones_are_refused() {
        for text in ["name:/data", "/data", "name:/data:ro,nocopy"] {
            assert_eq!(parse_volume(text, Path::new(HERE)), Ok(text.to_owned()));
        }
        let cases = [
            (":::", "invalid spec: :::: empty section between colons"),
            ("/a:/b:ro:x", "invalid spec: /a:/b:ro:x: too many colons"),
        ];
        for (text, why) in cases {
            assert_eq!(parse_volume(text, Path::new(HERE)), Err(why.to_owned()));
        }
    }

    #[test]
    fn mounts_are_read_field_by_field() {
        let bind = Mount {
            kind: "bind".into(),
            source: "/home/u/p/x,y".into(),
            target: "/b".into(),
            read_only: true,
            bind_options: Some(BindOptions { propagation: "rslave".into(), ..BindOptions::default() }),
            ..Mount::default()
        };
        let text = "type=bind,\"src=./x,y\",dst=/b,readonly,bind-propagation=rslave";
        assert_eq!(parse_mount(text, Path::new(HERE)), Ok(bind));
        let volume = Mount {
            kind: "volume".into(),
            source: "v1".into(),
            target: "/b".into(),
            volume_options: Some(VolumeOptions {
                no_copy: true,
                labels: Some([("a".to_owned(), "b=c".to_owned())].into()),
                subpath: "x".into(),
                driver_config: Some(VolumeDriver { name: "local".into(), options: None }),
            }),
            ..Mount::default()
        };
        let text = "src=v1,dst=/b,volume-nocopy,volume-label=a=b=c,volume-subpath=x,volume-driver=local";
        assert_eq!(parse_mount(text, Path::new(HERE)), Ok(volume));
        let tmpfs = Mount {
            kind: "tmpfs".into(),
            target: "/t".into(),
            tmpfs_options: Some(TmpfsOptions { size_bytes: 1 << 20, mode: 0o700, ..TmpfsOptions::default() }),
            ..Mount::default()
        };
        let text = "type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=700";
        assert_eq!(parse_mount(text, Path::new(HERE)), Ok(tmpfs));
    }

    #[test]
    fn bad_mounts_are_refused() {
        let cases = [
            ("x", "invalid field 'x' must be a key=value pair"),
            ("type=bind,src=/x", "target is required"),
            ("type=bind,src=/a,dst=/b,foo=1", "unexpected key 'foo' in 'foo=1'"),
            (
                "type=bind,dst=/b,ro=maybe",
                "invalid value for 'ro': invalid boolean value (\"maybe\"): must be one of \"true\", \"1\", \"false\", or \"0\" (default \"true\")",
            ),
            ("type=bind,dst=/b,tmpfs-size=1m", "cannot mix 'tmpfs-*' options with mount type 'bind'"),
            (
                "type=tmpfs,dst=/b,bind-propagation=shared",
                "cannot mix 'bind-*' options with mount type 'tmpfs'",
            ),
            (
                "type=image,src=v,dst=/b",
                "mounts of type image are not supported yet: use bind, volume or tmpfs",
            ),
            ("type=bind,src=/a,dst=/b,volume-nocopy", "cannot mix 'volume-*' options with mount type 'bind'"),
            ("type=foo,dst=/b", "invalid mount config for type \"foo\": mount type unknown"),
            ("type=bind,src=,dst=/b", "invalid value for 'src': value is empty"),
        ];
        for (text, why) in cases {
            assert_eq!(parse_mount(text, Path::new(HERE)), Err(why.to_owned()), "{text}");
        }
    }

    #[test]
    fn devices_have_three_forms() {
        let device = |source: &str, target: &str, mode: &str| {
            Ok(DeviceMapping {
                path_on_host: source.into(),
                path_in_container: target.into(),
                cgroup_permissions: mode.into(),
            })
        };
        assert_eq!(parse_device("/dev/a"), device("/dev/a", "/dev/a", "rwm"));
        assert_eq!(parse_device("/dev/a:r"), device("/dev/a", "/dev/a", "r"));
        assert_eq!(parse_device("/dev/a:/dev/b"), device("/dev/a", "/dev/b", "rwm"));
        assert_eq!(parse_device("/dev/a:/dev/b:rw"), device("/dev/a", "/dev/b", "rw"));
        assert_eq!(parse_device("x"), Err("x is not an absolute path".to_owned()));
        assert_eq!(parse_device("/a:/b:zz"), Err("bad mode specified: zz".to_owned()));
        assert_eq!(parse_device("/a:/b:rr"), Err("bad mode specified: rr".to_owned()));
    }
}
