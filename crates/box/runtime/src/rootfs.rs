//! The root file system as a detached mount.

use crate::Error;
use crate::error::While as _;
use crate::spawn::Caller;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use sys::child::Op;
use sys::mount::{
    Depth, MountAttr, SLAVE, fsconfig_create, fsconfig_string, fsmount, fsopen, mount_setattr, open_tree,
};
use sys::path::Root;

/// Where a container's root file system comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rootfs {
    /// A directory that is complete.
    Directory(PathBuf),
    /// An overlay.
    Overlay {
        /// The layers from the top one to the bottom one.
        lower: Vec<PathBuf>,
        /// Where changes go.
        upper: PathBuf,
        /// Overlay's own directory, on the file system of `upper`.
        work: PathBuf,
    },
}

/// What fails when the overlay cannot be mounted.
pub(crate) const MOUNT_OVERLAY: &str = "mount the overlay of the root file system";

/// The kernel's limit for a text in fsconfig, without the NUL.
const MAX_TEXT: usize = 255;

/// A root file system, opened as far as the caller can.
#[derive(Debug)]
pub(crate) enum Opened {
    /// A detached mount.
    Tree(OwnedFd),
    /// A directory that the container's process mounts itself.
    Path(PathBuf),
    /// A directory that is used as it is, in a mount namespace that is not new.
    Plain(PathBuf),
}

impl Opened {
    /// Returns the root as a place to look at files.
    pub(crate) fn look(&self) -> sys::Result<Root> {
        match self {
            Self::Tree(tree) => {
                let tree = std::os::fd::AsFd::as_fd(tree).try_clone_to_owned();
                tree.map(Root::from_fd).map_err(|_| sys::Error {
                    call: "fcntl",
                    args: "F_DUPFD_CLOEXEC".into(),
                    errno: sys::Errno::MFILE,
                })
            }
            Self::Path(path) | Self::Plain(path) => Root::open(path),
        }
    }

    /// Returns what the container's process does to enter it.
    pub(crate) fn into_op(self) -> Result<Op, Error> {
        let text = |path: &Path| crate::plan::path_text("root.path", path);
        Ok(match self {
            Self::Tree(tree) => Op::EnterRoot(tree),
            Self::Path(path) => Op::EnterPath(text(&path)?),
            Self::Plain(path) => Op::EnterDirectory(text(&path)?),
        })
    }
}

impl Rootfs {
    /// Opens it as far as the caller can.
    pub(crate) fn open(&self, caller: Caller, new_mount_namespace: bool) -> Result<Opened, Error> {
        match self {
            Self::Directory(path) if !new_mount_namespace => Ok(Opened::Plain(path.clone())),
            Self::Directory(path) if caller == Caller::Plain => {
                Root::open(path).to(&format!("open the root file system {}", path.display()))?;
                Ok(Opened::Path(path.clone()))
            }
            Self::Overlay { .. } if caller == Caller::Plain || !new_mount_namespace => Err(Error::invalid(
                "root.path",
                "an overlay needs a privileged caller and a new mount namespace",
            )),
            Self::Directory(_) | Self::Overlay { .. } => self.mount().map(Opened::Tree),
        }
    }

    /// Mounts it, nowhere yet.
    fn mount(&self) -> Result<OwnedFd, Error> {
        match self {
            Self::Directory(path) => {
                let what = format!("open the root file system {}", path.display());
                let tree = open_tree(path, Depth::Recursive).to(&what)?;
                // Where the host's mount is shared, so is its copy: mounts inside would appear outside, and the root
                // could not be left.
                let attr = MountAttr { propagation: SLAVE, ..MountAttr::default() };
                mount_setattr(&tree, Depth::Recursive, &attr).to(&what)?;
                Ok(tree)
            }
            Self::Overlay { lower, upper, work } => overlay(lower, upper, work),
        }
    }

    /// Returns what it is called in a birth record.
    pub(crate) fn label(&self) -> String {
        match self {
            Self::Directory(path) => path.display().to_string(),
            Self::Overlay { lower, upper, .. } => {
                format!("{} layers, upper {}", lower.len(), upper.display())
            }
        }
    }
}

fn overlay(lower: &[PathBuf], upper: &Path, work: &Path) -> Result<OwnedFd, Error> {
    let mut texts = Texts::default();
    let upper_text = texts.of(upper)?;
    let work_text = texts.of(work)?;
    let lower_texts = lower.iter().map(|layer| texts.of(layer)).collect::<Result<Vec<_>, _>>()?;
    let make = || {
        let context = fsopen("overlay")?;
        fsconfig_string(&context, "source", "overlay")?;
        if sys::probe::overlay_lowerdir_plus() {
            for text in &lower_texts {
                fsconfig_string(&context, "lowerdir+", text)?;
            }
        } else {
            fsconfig_string(&context, "lowerdir", &lower_texts.join(":"))?;
        }
        fsconfig_string(&context, "upperdir", &upper_text)?;
        fsconfig_string(&context, "workdir", &work_text)?;
        // Else a second mount of the same upper directory could be refused as busy.
        fsconfig_string(&context, "index", "off")?;
        // Layers may be file systems of their own: all files of the container show the same device and lasting numbers.
        fsconfig_string(&context, "xino", "on")?;
        fsconfig_create(&context)?;
        fsmount(&context, 0)
    };
    make().to(MOUNT_OVERLAY)
}

/// Paths as texts that fsconfig takes: where a path is too long, or older kernels want all layers in one short text,
/// through an open descriptor.
#[derive(Default)]
struct Texts {
    open: Vec<Root>,
}

impl Texts {
    fn of(&mut self, path: &Path) -> Result<String, Error> {
        let plain = path.to_str().filter(|text| {
            // Without lowerdir+ a colon separates layers and a backslash escapes.
            text.len() <= MAX_TEXT && sys::probe::overlay_lowerdir_plus() && !text.contains('\\')
        });
        if let Some(text) = plain {
            return Ok(text.to_owned());
        }
        let root = Root::open(path).to(&format!("open the layer {}", path.display()))?;
        let text = format!("/proc/self/fd/{}", std::os::fd::AsFd::as_fd(&root).as_raw_fd());
        self.open.push(root);
        Ok(text)
    }
}
