//! Reads files of a container's root file system without mounting it: layer by layer, as overlayfs would show them.
//!
//! Every component is looked at by descriptor, links are followed by hand and never leave the root file system. What is read
//! is a regular file of limited size: an image may hold a fifo, a device or an endless file in that place (CVE-2024-9676,
//! CVE-2026-47262).

use crate::Error;
use crate::user::{self, Identity};
use snapshot::Rootfs;
use std::collections::{HashMap, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use sys::fs::{Kind, OFlags, Status};

/// Files larger than this are refused.
const MAX_BYTES: u64 = 4 << 20;

/// Symbolic links that are followed at most, as in the kernel.
const MAX_LINKS: usize = 40;

/// The attribute with which a directory hides those of the same path below it.
const OPAQUE: &str = "trusted.overlay.opaque";

/// The passwd and group files of images, kept because each start needs them.
#[derive(Debug, Default)]
pub(crate) struct UserFiles {
    images: Mutex<HashMap<Vec<PathBuf>, Arc<Files>>>,
}

#[derive(Debug)]
struct Files {
    passwd: String,
    group: String,
}

/// Images whose files are kept.
const KEPT_IMAGES: usize = 64;

impl UserFiles {
    /// Looks up a user in a container's own files.
    ///
    /// # Errors
    /// InvalidArgument if there is no such user or group.
    pub(crate) fn identity(&self, rootfs: &Rootfs, user: &str, groups: &[String]) -> Result<Identity, Error> {
        let files = self.files(rootfs)?;
        user::resolve(user, groups, &files.passwd, &files.group)
    }

    fn files(&self, rootfs: &Rootfs) -> Result<Arc<Files>, Error> {
        // As long as the container has no /etc of its own, its image's files are the container's.
        let lower = match rootfs {
            Rootfs::Overlay { lower, upper, .. } if upper.join("etc").symlink_metadata().is_err() => lower,
            Rootfs::Overlay { .. } | Rootfs::Directory { .. } => {
                return read_files(rootfs.parts()).map(Arc::new);
            }
        };
        if let Some(known) = self.kept().get(lower) {
            return Ok(Arc::clone(known));
        }
        let files = Arc::new(read_files(lower.iter().map(PathBuf::as_path))?);
        let mut kept = self.kept();
        if kept.len() >= KEPT_IMAGES {
            kept.clear();
        }
        kept.insert(lower.clone(), Arc::clone(&files));
        Ok(files)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, HashMap<Vec<PathBuf>, Arc<Files>>> {
        self.images.lock().unwrap_or_else(PoisonError::into_inner) // each change of the map is one call
    }
}

fn read_files<'a>(layers: impl Iterator<Item = &'a Path>) -> Result<Files, Error> {
    let mut roots = Vec::new();
    for layer in layers {
        roots.push(sys::fs::open_directory(layer)?);
    }
    let text = |path: &str| -> Result<String, Error> {
        let bytes = read(&roots, Path::new(path))?.unwrap_or_default();
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    Ok(Files { passwd: text("etc/passwd")?, group: text("etc/group")? })
}

/// Reads a regular file of the layers, given from the top one to the bottom one; none if there is none.
fn read(layers: &[OwnedFd], path: &Path) -> Result<Option<Vec<u8>>, Error> {
    let Some(file) = find(layers, path)? else { return Ok(None) };
    let mut bytes = Vec::new();
    let read = file.take(MAX_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(Error::file("read", path))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Error::invalid(format!(
            "/{} of the image is larger than {MAX_BYTES} bytes",
            path.display()
        )));
    }
    Ok(Some(bytes))
}

/// Opens a directory of a container's tree: its parts from the top one to the bottom one; none if there is no directory.
///
/// # Errors
/// Those of the disk.
pub(crate) fn directory(rootfs: &Rootfs, path: &Path) -> Result<Vec<OwnedFd>, Error> {
    let mut roots = Vec::new();
    for layer in rootfs.parts() {
        roots.push(sys::fs::open_directory(layer)?);
    }
    match walk(&roots, path)? {
        Some(Step::Directory(parts)) => Ok(parts),
        Some(Step::Nothing | Step::Link(_) | Step::File(_)) | None => Ok(Vec::new()),
    }
}

fn find(layers: &[OwnedFd], path: &Path) -> Result<Option<File>, Error> {
    match walk(layers, path)? {
        Some(Step::File(file)) => Ok(Some(file)),
        Some(Step::Nothing | Step::Link(_) | Step::Directory(_)) | None => Ok(None),
    }
}

/// Follows a path to a file or a directory; none if it leads nowhere.
fn walk(layers: &[OwnedFd], path: &Path) -> Result<Option<Step>, Error> {
    let mut todo = components(path);
    // The directory that we are in: one part in each layer that has it, from the top down.
    let mut stack: Vec<Vec<OwnedFd>> = vec![copies(layers)?];
    let mut links = 0;
    while let Some(name) = todo.pop_front() {
        if name == ".." {
            if stack.len() > 1 {
                stack.pop();
            }
            continue;
        }
        let here = stack.last().expect("the root is never popped");
        match step(here, &name)? {
            Step::Nothing => return Ok(None),
            Step::Directory(parts) => stack.push(parts),
            Step::Link(target) => {
                links += 1;
                if links > MAX_LINKS {
                    return Ok(None);
                }
                if target.is_absolute() {
                    stack.truncate(1);
                }
                for component in components(&target).into_iter().rev() {
                    todo.push_front(component);
                }
            }
            Step::File(file) => return Ok(todo.is_empty().then_some(Step::File(file))),
        }
    }
    Ok(stack.pop().map(Step::Directory))
}

fn components(path: &Path) -> VecDeque<OsString> {
    let names = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        Component::Prefix(_) | Component::RootDir | Component::CurDir => None,
    });
    names.collect()
}

fn copies(fds: &[OwnedFd]) -> Result<Vec<OwnedFd>, Error> {
    fds.iter().map(|fd| fd.try_clone().map_err(Error::file("duplicate the descriptor of", "layer"))).collect()
}

enum Step {
    Nothing,
    Directory(Vec<OwnedFd>),
    Link(PathBuf),
    File(File),
}

/// Goes one name further, as overlayfs merges the parts.
fn step(parts: &[OwnedFd], name: &OsStr) -> Result<Step, Error> {
    let name = Path::new(name);
    let mut merged = Vec::new();
    for part in parts {
        let Some(status) = sys::fs::status_at(part.as_fd(), name)? else { continue };
        if status.kind != Kind::Directory {
            // Below a directory everything else only ends the merge.
            return if merged.is_empty() { leaf(part, name, &status) } else { Ok(Step::Directory(merged)) };
        }
        let directory = match sys::fs::open_subdirectory_at(part.as_fd(), name) {
            Ok(directory) => directory,
            // A running container has changed it since.
            Err(_) => return Ok(Step::Nothing),
        };
        let opaque = sys::fs::get_xattr(&directory, OsStr::new(OPAQUE))?;
        merged.push(directory);
        if opaque.as_deref() == Some(b"y") {
            break;
        }
    }
    Ok(if merged.is_empty() { Step::Nothing } else { Step::Directory(merged) })
}

fn leaf(part: &OwnedFd, name: &Path, status: &Status) -> Result<Step, Error> {
    match status.kind {
        Kind::SymbolicLink => Ok(Step::Link(sys::fs::read_link_at(part.as_fd(), name)?)),
        Kind::Regular => {
            let opened =
                sys::fs::open_at(part.as_fd(), name, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY);
            let Ok(fd) = opened else { return Ok(Step::Nothing) };
            // What counts is what was opened, not what was there before.
            let is_file = sys::fs::status(&fd)?.kind == Kind::Regular;
            Ok(if is_file { Step::File(File::from(fd)) } else { Step::Nothing })
        }
        // A whiteout is a character device; nobody reads a user from any other device, fifo or socket.
        _ => Ok(Step::Nothing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    struct Layers(PathBuf);

    impl Layers {
        fn new(name: &str) -> Self {
            let path =
                std::env::temp_dir().join(format!("naru-test-root-files-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&path); // left by an earlier run that was killed
            for layer in ["upper", "top", "bottom"] {
                fs::create_dir_all(path.join(layer)).unwrap();
            }
            Self(path)
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.0.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        fn rootfs(&self) -> Rootfs {
            Rootfs::Overlay {
                lower: vec![self.0.join("top"), self.0.join("bottom")],
                upper: self.0.join("upper"),
                work: self.0.join("work"),
            }
        }

        fn read(&self, path: &str) -> Option<String> {
            let rootfs = self.rootfs();
            let roots: Vec<OwnedFd> =
                rootfs.parts().map(|layer| sys::fs::open_directory(layer).unwrap()).collect();
            read(&roots, Path::new(path)).unwrap().map(|bytes| String::from_utf8(bytes).unwrap())
        }
    }

    impl Drop for Layers {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn file_of_the_upper_layer_hides_those_below() {
        let layers = Layers::new("hides");
        layers.write("bottom/etc/passwd", "bottom");
        assert_eq!(layers.read("etc/passwd").as_deref(), Some("bottom"));
        layers.write("top/etc/passwd", "top");
        assert_eq!(layers.read("etc/passwd").as_deref(), Some("top"));
        layers.write("upper/etc/passwd", "upper");
        assert_eq!(layers.read("etc/passwd").as_deref(), Some("upper"));
        assert_eq!(layers.read("etc/group"), None);
        assert_eq!(layers.read("etc"), None);
    }

    #[test]
    fn links_are_followed_across_layers_and_never_out_of_the_root() {
        let layers = Layers::new("links");
        layers.write("bottom/nix/store/x/passwd", "nix");
        fs::create_dir_all(layers.0.join("top/etc")).unwrap();
        symlink("/nix/store/x/passwd", layers.0.join("top/etc/passwd")).unwrap();
        symlink("../../../../../nix/store/x/passwd", layers.0.join("top/etc/group")).unwrap();
        symlink("/etc/hostname", layers.0.join("top/etc/outside")).unwrap();
        symlink("loop", layers.0.join("top/etc/loop")).unwrap();
        assert_eq!(layers.read("etc/passwd").as_deref(), Some("nix"));
        assert_eq!(layers.read("etc/group").as_deref(), Some("nix"));
        assert_eq!(layers.read("etc/outside"), None, "the host's file is not the container's");
        assert_eq!(layers.read("etc/loop"), None);
    }

    #[test]
    fn whiteouts_and_opaque_directories_hide_what_is_below() {
        let layers = Layers::new("whiteouts");
        layers.write("bottom/etc/passwd", "bottom");
        layers.write("bottom/etc/group", "bottom");
        layers.write("top/etc/x", "");
        let top = sys::fs::open_directory(&layers.0.join("top/etc")).unwrap();
        let whiteout = sys::fs::Node::Character { major: 0, minor: 0 };
        sys::fs::make_node_at(top.as_fd(), Path::new("passwd"), whiteout, 0).unwrap();
        assert_eq!(layers.read("etc/passwd"), None);
        assert_eq!(layers.read("etc/group").as_deref(), Some("bottom"));
        sys::fs::set_xattr(&top, OsStr::new(OPAQUE), b"y").unwrap();
        assert_eq!(layers.read("etc/group"), None);
    }

    #[test]
    fn fifo_in_place_of_a_file_is_no_file() {
        let layers = Layers::new("fifo");
        layers.write("top/etc/x", "");
        let top = sys::fs::open_directory(&layers.0.join("top/etc")).unwrap();
        sys::fs::make_node_at(top.as_fd(), Path::new("passwd"), sys::fs::Node::Fifo, 0o644).unwrap();
        assert_eq!(layers.read("etc/passwd"), None);
    }

    #[test]
    fn identity_sees_users_that_the_container_added() {
        let layers = Layers::new("identity");
        layers.write("bottom/etc/passwd", "root:x:0:0::/root:/bin/sh\n");
        let files = UserFiles::default();
        assert_eq!(files.identity(&layers.rootfs(), "", &[]).unwrap().home, "/root");
        assert!(files.identity(&layers.rootfs(), "new", &[]).is_err());
        layers.write("upper/etc/passwd", "new:x:5:6::/new:/bin/sh\n");
        assert_eq!(files.identity(&layers.rootfs(), "new", &[]).unwrap().uid, 5);
    }
}
