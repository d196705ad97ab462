//! Mounts, devices, links, in the child.

use super::run::{Done, Place};
use super::shared::{Fault, Named as _, Reason};
use super::{AttachPath, Device, Leaf, Links, NewMount, Procfs, Target};
use crate::mount::{Depth, MountAttr, PRIVATE, Parameter, RDONLY};
use crate::path::{ensure_dir, ensure_file};
use crate::raw;
use rustix::fs::{
    AtFlags, CWD, FileType, FsWord, Mode, OFlags, ResolveFlags, chownat, fstat, fstatfs, makedev, mknodat,
    openat2, statat, symlinkat, unlinkat,
};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, FsPickFlags, MountAttrFlags, UnmountFlags, fsconfig_create,
    fsconfig_reconfigure, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, fspick, unmount,
};
use rustix::process::{Gid, Uid, fchdir, pivot_root};
use std::ffi::CStr;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

/// The magic number of procfs.
const PROC_SUPER_MAGIC: FsWord = 0x9fa0;

const DIRECTORY_MODE: Mode = Mode::from_raw_mode(0o755);

/// How a name is opened that may be a symbolic link and is meant itself.
const LAST: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

pub(super) fn propagate(propagation: u64) -> Done {
    let attr = MountAttr { propagation, ..MountAttr::default() };
    raw::mount_setattr(CWD, c"/", Depth::Recursive, &attr).call("mount_setattr")
}

pub(super) fn open_file_system(fs_type: &CStr) -> Result<OwnedFd, Fault> {
    fsopen(fs_type, FsOpenFlags::FSOPEN_CLOEXEC).call("fsopen")
}

pub(super) fn detached(context: &OwnedFd, attributes: u64) -> Result<OwnedFd, Fault> {
    let attributes = MountAttrFlags::from_bits_retain(attributes as u32);
    fsmount(context, FsMountFlags::FSMOUNT_CLOEXEC, attributes).call("fsmount")
}

fn configure(context: &OwnedFd, parameters: &[Parameter]) -> Done {
    for parameter in parameters {
        match &parameter.value {
            Some(value) => fsconfig_set_string(context, &*parameter.key, &**value),
            None => fsconfig_set_flag(context, &*parameter.key),
        }
        .call("fsconfig")?;
    }
    Ok(())
}

/// Opens below a directory without leaving its mount or following any link.
pub(super) fn open_strictly(
    directory: BorrowedFd<'_>,
    path: &CStr,
    flags: OFlags,
) -> rustix::io::Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH
        | ResolveFlags::NO_XDEV
        | ResolveFlags::NO_MAGICLINKS
        | ResolveFlags::NO_SYMLINKS;
    openat2(directory, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve)
}

/// Splits a path into the directory and the last name; the name lies at the end, so it keeps the NUL.
fn split(path: &CStr) -> (&[u8], &CStr) {
    let bytes = path.to_bytes_with_nul();
    let at = bytes.iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1);
    let (directory, name) = bytes.split_at(at);
    (directory, CStr::from_bytes_with_nul(name).unwrap_or(path))
}

impl Place<'_> {
    pub(super) fn enter_root(&mut self, tree: &OwnedFd) -> Done {
        // Over the present root: needs no directory anywhere. Path resolution begins below it as before, so that the
        // host's paths stay usable until the pivot.
        let flags = rustix::mount::MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        rustix::mount::move_mount(tree, c"", CWD, c"/", flags).call("move_mount")?;
        self.root = Some(rustix::io::fcntl_dupfd_cloexec(tree, 3).call("fcntl")?);
        Ok(())
    }

    pub(super) fn enter_path(&mut self, path: &CStr) -> Done {
        let tree = raw::open_tree(path, Depth::Recursive, Links::Followed).call("open_tree")?;
        let attr = MountAttr { propagation: PRIVATE, ..MountAttr::default() };
        raw::mount_setattr(tree.as_fd(), c"", Depth::Recursive, &attr).call("mount_setattr")?;
        self.enter_root(&tree)
    }

    pub(super) fn enter_directory(&mut self, path: &CStr) -> Done {
        self.root = Some(raw::open_host(path, OFlags::PATH | OFlags::DIRECTORY).call("openat")?);
        Ok(())
    }

    pub(super) fn change_root(&mut self) -> Done {
        fchdir(self.root()?).call("fchdir")?;
        rustix::process::chroot(c".").call("chroot")
    }

    pub(super) fn use_root(&mut self) -> Done {
        self.root = Some(raw::open_host(c"/", OFlags::PATH | OFlags::DIRECTORY).call("openat")?);
        Ok(())
    }

    pub(super) fn mount(&mut self, new: &NewMount) -> Done {
        let context = open_file_system(&new.fs_type)?;
        let made =
            configure(&context, &new.parameters).and_then(|()| fsconfig_create(&context).call("fsconfig"));
        if made.is_err() {
            self.explain(&context);
        }
        made?;
        let mount = detached(&context, new.attributes)?;
        if new.propagation != 0 {
            let attr = MountAttr { propagation: new.propagation, ..MountAttr::default() };
            raw::mount_setattr(mount.as_fd(), c"", Depth::Single, &attr).call("mount_setattr")?;
        }
        self.attach(mount.as_fd(), &new.target)?;
        if new.fs_type.as_c_str() == c"devpts" {
            self.terminals = Some(mount);
        }
        Ok(())
    }

    pub(super) fn remount(
        &mut self,
        path: &CStr,
        attr: &MountAttr,
        depth: Depth,
        parameters: &[Parameter],
    ) -> Done {
        let place =
            raw::open_in_root(self.root()?, path, OFlags::PATH, ResolveFlags::empty()).call("openat2")?;
        if !parameters.is_empty() {
            let flags = FsPickFlags::FSPICK_CLOEXEC | FsPickFlags::FSPICK_EMPTY_PATH;
            let context = fspick(&place, c"", flags).call("fspick")?;
            let done = configure(&context, parameters)
                .and_then(|()| fsconfig_reconfigure(&context).call("fsconfig"));
            if done.is_err() {
                self.explain(&context);
            }
            done?;
        }
        raw::mount_setattr(place.as_fd(), c"", depth, attr).call("mount_setattr")
    }

    pub(super) fn attach_path(&self, bind: &AttachPath) -> Done {
        let tree = raw::open_tree(&bind.source, bind.depth, bind.links).call("open_tree")?;
        for (depth, attr) in &bind.attributes {
            raw::mount_setattr(tree.as_fd(), c"", *depth, attr).call("mount_setattr")?;
        }
        if bind.target.path.as_c_str() == c"/proc" && !is_procfs(tree.as_fd())? {
            return Err(Fault { reason: Reason::NotProcfs, call: "fstatfs", errno: Errno::PERM });
        }
        let leaf = if is_directory(&tree)? { Leaf::Directory } else { Leaf::File };
        self.attach_as(tree.as_fd(), &bind.target, leaf)
    }

    /// Keeps the kernel's explanation of a refused file system.
    fn explain(&self, context: &OwnedFd) {
        let mut text = [0u8; 256];
        if let Ok(length) = rustix::io::read(context, &mut text) {
            self.task.shared.note(text.get(..length).unwrap_or_default());
        }
    }

    pub(super) fn attach(&self, mount: BorrowedFd<'_>, target: &Target) -> Done {
        self.attach_as(mount, target, target.leaf)
    }

    fn attach_as(&self, mount: BorrowedFd<'_>, target: &Target, leaf: Leaf) -> Done {
        let place = self.target(target, leaf)?;
        if target.procfs == Procfs::Refused && is_procfs(place.as_fd())? {
            return Err(Fault { reason: Reason::OnProcfs, call: "move_mount", errno: Errno::PERM });
        }
        if leaf == Leaf::File && is_directory(&place)? {
            return Err(Errno::NOTDIR).call("move_mount"); // The kernel would say EINVAL.
        }
        raw::move_mount(mount, place.as_fd()).call("move_mount")
    }

    fn target(&self, target: &Target, leaf: Leaf) -> Result<OwnedFd, Fault> {
        let root = self.root()?;
        let path = target.path.to_bytes();
        if target.links == Links::NotLast {
            return self.last_not_followed(&target.path, leaf);
        }
        let place = match leaf {
            Leaf::Directory if target.links == Links::Followed => ensure_dir(root, path, DIRECTORY_MODE),
            Leaf::File => ensure_file(root, path, Mode::from_raw_mode(0o755)),
            Leaf::Directory => {
                let open = || {
                    let flags = OFlags::PATH | OFlags::DIRECTORY;
                    raw::open_in_root(root, &target.path, flags, ResolveFlags::NO_SYMLINKS)
                };
                match open() {
                    Err(Errno::NOENT) => ensure_dir(root, path, DIRECTORY_MODE).and_then(|_| open()),
                    result => result,
                }
            }
        };
        place.call("openat2")
    }

    /// Opens a mount's place without following a link that stands there; makes it if it is missing.
    fn last_not_followed(&self, path: &CStr, leaf: Leaf) -> Result<OwnedFd, Fault> {
        let (directory, name) = split(path);
        let parent = ensure_dir(self.root()?, directory, DIRECTORY_MODE).call("openat2")?;
        let open = || open_strictly(parent.as_fd(), name, OFlags::PATH | OFlags::NOFOLLOW);
        match openat2(&parent, name, LAST, Mode::empty(), ResolveFlags::BENEATH) {
            Err(Errno::NOENT) => {}
            place => return place.call("openat2"),
        }
        match leaf {
            Leaf::Directory => rustix::fs::mkdirat(&parent, name, DIRECTORY_MODE).call("mkdirat")?,
            Leaf::File => {
                let flags =
                    OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::WRONLY | OFlags::CLOEXEC;
                rustix::fs::openat(&parent, name, flags, DIRECTORY_MODE).call("openat").map(drop)?;
            }
        }
        open().call("openat2")
    }

    pub(super) fn directory(&self, path: &CStr) -> Done {
        ensure_dir(self.root()?, path.to_bytes(), DIRECTORY_MODE).call("mkdirat").map(drop)
    }

    pub(super) fn device(&self, device: &Device) -> Done {
        let (directory, name) = split(&device.path);
        let parent = ensure_dir(self.root()?, directory, DIRECTORY_MODE).call("openat2")?;
        let kind = FileType::from_raw_mode(device.mode);
        match mknodat(&parent, name, kind, Mode::from_raw_mode(device.mode & 0o7777), device.number) {
            Ok(()) => {}
            Err(Errno::EXIST) => return same_device(&parent, name, device),
            Err(errno) => return Err(errno).call("mknodat"),
        }
        if (device.uid, device.gid) == (0, 0) {
            return Ok(());
        }
        let (uid, gid) = (Uid::from_raw(device.uid), Gid::from_raw(device.gid));
        chownat(&parent, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW).call("fchownat")
    }

    pub(super) fn symlink(&self, target: &CStr, path: &CStr) -> Done {
        let (directory, name) = split(path);
        let parent = ensure_dir(self.root()?, directory, DIRECTORY_MODE).call("openat2")?;
        match symlinkat(target, &parent, name) {
            Err(Errno::EXIST) => {}
            other => return other.call("symlinkat"),
        }
        let stat = statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW).call("newfstatat")?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Symlink | FileType::Directory => Ok(()),
            _ => {
                unlinkat(&parent, name, AtFlags::empty()).call("unlinkat")?;
                symlinkat(target, &parent, name).call("symlinkat")
            }
        }
    }

    pub(super) fn read_only(&self, path: &CStr) -> Done {
        let Some(place) = self.optional(path)? else { return Ok(()) };
        let tree = raw::clone_tree(place.as_fd(), Depth::Recursive).call("open_tree")?;
        let attr = MountAttr { set: RDONLY, propagation: PRIVATE, ..MountAttr::default() };
        raw::mount_setattr(tree.as_fd(), c"", Depth::Recursive, &attr).call("mount_setattr")?;
        raw::move_mount(tree.as_fd(), place.as_fd()).call("move_mount")
    }

    pub(super) fn mask(&mut self, path: &CStr) -> Done {
        let Some(place) = self.optional(path)? else { return Ok(()) };
        if !is_directory(&place)? {
            let tree = raw::clone_tree(self.null_device()?, Depth::Single).call("open_tree")?;
            let attr = MountAttr { propagation: PRIVATE, ..MountAttr::default() };
            raw::mount_setattr(tree.as_fd(), c"", Depth::Single, &attr).call("mount_setattr")?;
            return raw::move_mount(tree.as_fd(), place.as_fd()).call("move_mount");
        }
        if let Some(empty) = &self.empty {
            // All masked directories are one: a superblock of its own for each would be slow to end.
            let tree = raw::clone_tree(empty.as_fd(), Depth::Single).call("open_tree")?;
            return raw::move_mount(tree.as_fd(), place.as_fd()).call("move_mount");
        }
        let context = open_file_system(c"tmpfs")?;
        fsconfig_set_string(&context, c"nr_inodes", c"2").call("fsconfig")?;
        fsconfig_set_string(&context, c"mode", c"755").call("fsconfig")?;
        fsconfig_create(&context).call("fsconfig")?;
        let mount = detached(&context, RDONLY)?;
        raw::move_mount(mount.as_fd(), place.as_fd()).call("move_mount")?;
        self.empty = Some(mount);
        Ok(())
    }

    /// Returns the host's /dev/null, after a look at what it is (CVE-2025-31133).
    fn null_device(&mut self) -> Result<BorrowedFd<'_>, Fault> {
        if self.null.is_none() {
            let null = raw::open_host(c"/dev/null", OFlags::PATH | OFlags::NOFOLLOW).call("openat")?;
            let stat = fstat(&null).call("fstat")?;
            let device = FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice;
            if !device || stat.st_rdev != makedev(1, 3) {
                return Err(Fault { reason: Reason::NoNullDevice, call: "fstat", errno: Errno::NODEV });
            }
            self.null = Some(null);
        }
        self.null.as_ref().map(OwnedFd::as_fd).ok_or(Errno::BADF).call("openat")
    }

    /// Opens a path that may be missing.
    fn optional(&self, path: &CStr) -> Result<Option<OwnedFd>, Fault> {
        match raw::open_in_root(self.root()?, path, OFlags::PATH, ResolveFlags::empty()) {
            Ok(place) => Ok(Some(place)),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(errno) => Err(errno).call("openat2"),
        }
    }

    pub(super) fn attributes(&self, path: &CStr, attr: &MountAttr, depth: Depth) -> Done {
        let place =
            raw::open_in_root(self.root()?, path, OFlags::PATH, ResolveFlags::empty()).call("openat2")?;
        raw::mount_setattr(place.as_fd(), c"", depth, attr).call("mount_setattr")
    }

    pub(super) fn pivot(&mut self) -> Done {
        let old = raw::open_host(c"/", OFlags::PATH | OFlags::DIRECTORY).call("openat")?;
        fchdir(self.root()?).call("fchdir")?;
        // The old root ends up over the new one, from where it is detached at once.
        pivot_root(c".", c".").call("pivot_root")?;
        fchdir(&old).call("fchdir")?;
        unmount(c".", UnmountFlags::DETACH).call("umount2")?;
        drop(old);
        (self.null, self.empty) = (None, None);
        self.root = Some(raw::open_host(c"/", OFlags::PATH | OFlags::DIRECTORY).call("openat")?);
        fchdir(self.root()?).call("fchdir")
    }
}

fn is_directory(place: &OwnedFd) -> Result<bool, Fault> {
    let stat = fstat(place).call("fstat")?;
    Ok(FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
}

fn is_procfs(place: BorrowedFd<'_>) -> Result<bool, Fault> {
    Ok(fstatfs(place).call("fstatfs")?.f_type == PROC_SUPER_MAGIC)
}

fn same_device(parent: &OwnedFd, name: &CStr, device: &Device) -> Done {
    let stat = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW).call("newfstatat")?;
    let kind = FileType::from_raw_mode(stat.st_mode) == FileType::from_raw_mode(device.mode);
    if kind && stat.st_rdev == device.number {
        return Ok(());
    }
    Err(Fault { reason: Reason::OtherDevice, call: "mknodat", errno: Errno::EXIST })
}
