//! One control group: its directories, who is in it.

use crate::{Cgroups, Error, Mode, file};
use oci::runtime::Resources;
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// One control group, in all hierarchies.
///
/// Dropping it does nothing; the group stays until [`remove`](Self::remove).
#[derive(Clone, Debug)]
pub struct Cgroup {
    pub(crate) path: String,
    pub(crate) mode: Mode,
    /// The v1 directories with their controllers.
    pub(crate) v1: Vec<(Vec<String>, PathBuf)>,
    /// The v2 directory; on a hybrid machine one without controllers.
    pub(crate) v2: Option<PathBuf>,
}

impl Cgroup {
    /// Creates the group, its missing parents too, and sets its limits. An existing group is taken over as it is.
    ///
    /// `path` is the OCI `cgroupsPath`: below the root of every hierarchy, with or without the leading slash.
    ///
    /// # Errors
    /// InvalidArgument for a limit that this machine has no controller for, or a path with `..`; Forbidden without the
    /// right to create it. On failure nothing that was created here stays.
    pub fn create(cgroups: &Cgroups, path: &str, resources: &Resources) -> Result<Self, Error> {
        let group = Self::open(cgroups, path)?;
        let done = group.make(cgroups).and_then(|()| group.apply_all(resources));
        match done {
            Ok(()) => Ok(group),
            Err(error) => {
                let _ = group.remove(); // The first error is the one to report.
                Err(error)
            }
        }
    }

    /// Returns the group at `path` without touching the file system.
    ///
    /// # Errors
    /// InvalidArgument for a path that is empty, has `..`, or names a systemd unit.
    pub fn open(cgroups: &Cgroups, path: &str) -> Result<Self, Error> {
        let path = normalize(path)?;
        let v1 = cgroups
            .v1
            .iter()
            .map(|hierarchy| (hierarchy.controllers.clone(), hierarchy.root.join(&path)))
            .collect();
        let v2 = cgroups.unified.as_ref().map(|root| root.join(&path));
        Ok(Self { path, mode: cgroups.mode, v1, v2 })
    }

    /// Returns the path below the roots, without a leading slash.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns whether the group exists in at least one hierarchy.
    pub fn exists(&self) -> bool {
        self.directories().any(Path::exists)
    }

    /// Moves a process into the group, in every hierarchy. 0 is the calling process.
    ///
    /// # Errors
    /// Internal if the process is gone or a controller refuses it.
    pub fn join(&self, pid: u32) -> Result<(), Error> {
        self.join_v1(pid)?;
        match &self.v2 {
            Some(directory) => file::write(&directory.join("cgroup.procs"), &pid.to_string()),
            None => Ok(()),
        }
    }

    /// Moves a process into the group in the v1 hierarchies only: for one that was cloned into
    /// [`v2_dir_fd`](Self::v2_dir_fd). Does nothing on pure v2.
    ///
    /// # Errors
    /// Internal if the process is gone or a controller refuses it.
    pub fn join_v1(&self, pid: u32) -> Result<(), Error> {
        let pid = pid.to_string();
        self.v1.iter().try_for_each(|(_, directory)| file::write(&directory.join("cgroup.procs"), &pid))
    }

    /// Opens the v2 directory for CLONE_INTO_CGROUP; none on pure v1.
    ///
    /// # Errors
    /// Internal if the directory does not exist.
    pub fn v2_dir_fd(&self) -> Result<Option<OwnedFd>, Error> {
        self.v2.as_ref().map(|directory| file::open(directory).map(OwnedFd::from)).transpose()
    }

    /// Opens the `cgroup.procs` files that a process has to be written into, in the order of the hierarchies, with the
    /// v2 one last. Lets a child that can no longer open them join by itself: `write(fd, "0")`.
    ///
    /// # Errors
    /// Internal if the group does not exist.
    pub fn procs_fds(&self) -> Result<Vec<OwnedFd>, Error> {
        let open = |directory: &Path| {
            let path = directory.join("cgroup.procs");
            File::options()
                .write(true)
                .open(&path)
                .map(OwnedFd::from)
                .map_err(|e| file::failed("open", &path, None, e))
        };
        self.directories().map(open).collect()
    }

    /// Returns the processes of the group and of all groups below it.
    ///
    /// # Errors
    /// Internal if the group cannot be read. A group that does not exist has no processes.
    pub fn pids(&self) -> Result<Vec<u32>, Error> {
        let mut pids = Vec::new();
        let preferred = self.v2_or("pids").or_else(|| self.directories().next());
        if let Some(directory) = preferred {
            collect_pids(directory, &mut pids)?;
        }
        pids.sort_unstable();
        pids.dedup();
        Ok(pids)
    }

    /// Returns all directories: v1 ones first, then v2's.
    pub(crate) fn directories(&self) -> impl Iterator<Item = &Path> {
        self.v1.iter().map(|(_, directory)| directory.as_path()).chain(self.v2.as_deref())
    }

    /// Returns the v1 directory of a controller.
    pub(crate) fn controller(&self, name: &str) -> Option<&Path> {
        let found = self.v1.iter().find(|(controllers, _)| controllers.iter().any(|known| known == name));
        found.map(|(_, directory)| directory.as_path())
    }

    fn v2_or(&self, controller: &str) -> Option<&Path> {
        self.v2.as_deref().or_else(|| self.controller(controller))
    }

    /// Creates the directories.
    fn make(&self, cgroups: &Cgroups) -> Result<(), Error> {
        for (hierarchy, (controllers, directory)) in cgroups.v1.iter().zip(&self.v1) {
            let cpuset = controllers.iter().any(|name| name == "cpuset");
            make_v1(&hierarchy.root, directory, cpuset)?;
        }
        match (&cgroups.unified, &self.v2) {
            (Some(root), Some(directory)) => make_v2(root, directory, &cgroups.controllers),
            _ => Ok(()),
        }
    }
}

/// Checks an OCI `cgroupsPath` and returns it without leading slashes.
fn normalize(path: &str) -> Result<String, Error> {
    let refuse = |reason| Err(Error::Path { path: path.to_owned(), reason });
    if path.matches(':').count() == 2 {
        return refuse("names a systemd unit; the systemd cgroup driver is not implemented");
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.is_empty() {
        return refuse("is the root cgroup");
    }
    if parts.contains(&"..") {
        return refuse("leads outside its hierarchy");
    }
    if parts.iter().any(|part| part.contains('\n') || part.contains('\0')) {
        return refuse("has a control character");
    }
    Ok(parts.join("/"))
}

fn make_directory(directory: &Path) -> Result<(), Error> {
    match fs::create_dir(directory) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(file::failed("create", directory, None, error)),
    }
}

/// Returns the directories from the first one below `root` down to `directory`.
fn chain<'a>(root: &Path, directory: &'a Path) -> Vec<&'a Path> {
    let mut chain: Vec<_> = directory.ancestors().take_while(|ancestor| *ancestor != root).collect();
    chain.reverse();
    chain
}

fn make_v1(root: &Path, directory: &Path, cpuset: bool) -> Result<(), Error> {
    match fs::create_dir(directory) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            chain(root, directory).into_iter().try_for_each(make_directory)?;
        }
        Err(error) => return Err(file::failed("create", directory, None, error)),
    }
    if cpuset {
        // A new v1 cpuset is empty, and nobody can join an empty one.
        for level in chain(root, directory) {
            inherit_cpuset(level, "cpuset.cpus")?;
            inherit_cpuset(level, "cpuset.mems")?;
        }
    }
    Ok(())
}

fn inherit_cpuset(directory: &Path, name: &str) -> Result<(), Error> {
    let path = directory.join(name);
    if !file::read(&path)?.is_empty() {
        return Ok(());
    }
    let parent = directory.parent().unwrap_or(directory).join(name);
    file::write(&path, &file::read(&parent)?)
}

/// Creates the group and enables all controllers down to it.
///
/// A group whose parent already passes them on costs one mkdir and one read.
fn make_v2(root: &Path, directory: &Path, controllers: &[String]) -> Result<(), Error> {
    match fs::create_dir(directory) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            chain(root, directory).into_iter().try_for_each(make_directory)?;
        }
        Err(error) => return Err(file::failed("create", directory, None, error)),
    }
    if controllers.is_empty() {
        return Ok(());
    }
    let present = file::read(&directory.join("cgroup.controllers"))?;
    if controllers.iter().all(|wanted| present.split(' ').any(|name| name == wanted)) {
        return Ok(());
    }
    let mut ancestors = vec![root];
    ancestors.extend(chain(root, directory));
    ancestors.pop(); // Not in the group itself: its processes would be in the way.
    ancestors.into_iter().try_for_each(|level| enable(level, controllers))
}

fn enable(directory: &Path, controllers: &[String]) -> Result<(), Error> {
    let path = directory.join("cgroup.subtree_control");
    let enabled = file::read(&path)?;
    let missing: Vec<_> =
        controllers.iter().filter(|name| !enabled.split(' ').any(|known| known == *name)).collect();
    for name in missing {
        // One by one: a controller that cannot be enabled here (cpu with real-time processes) must not
        // keep the others away. Whether it is needed shows when its files are written.
        match file::write_raw(&path, &format!("+{name}")) {
            Err(error) if matches!(error.raw_os_error(), Some(EBUSY | EOPNOTSUPP)) => {
                return Err(Error::Busy(directory.into()));
            }
            Err(error) if matches!(error.raw_os_error(), Some(EINVAL | ENOENT)) => {}
            Err(error) => return Err(file::failed("write", &path, Some(name), error)),
            Ok(()) => {}
        }
    }
    Ok(())
}

const ENOENT: i32 = 2;
const EBUSY: i32 = 16;
const EINVAL: i32 = 22;

fn collect_pids(directory: &Path, pids: &mut Vec<u32>) -> Result<(), Error> {
    match file::read_optional(&directory.join("cgroup.procs")) {
        Ok(Some(text)) => pids.extend(text.lines().filter_map(|line| line.parse::<u32>().ok())),
        Ok(None) => return Ok(()),
        // A threaded v2 group cannot be read (EOPNOTSUPP); its processes show in the domain above it.
        Err(Error::File { source, .. }) if source.raw_os_error() == Some(EOPNOTSUPP) => {}
        Err(error) => return Err(error),
    }
    children(directory).iter().try_for_each(|child| collect_pids(child, pids))
}

const EOPNOTSUPP: i32 = 95;

/// Returns the groups directly below a directory.
pub(crate) fn children(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let is_directory = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    entries.flatten().filter(is_directory).map(|entry| entry.path()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalize_accepts_paths_and_refuses_escapes() {
        for (path, want) in
            [("/naru/a", Ok("naru/a")), ("naru//a/.", Ok("naru/a")), ("/", Err("is the root cgroup"))]
        {
            match (normalize(path), want) {
                (Ok(got), Ok(want)) => assert_eq!(got, want),
                (Err(Error::Path { reason, .. }), Err(want)) => assert_eq!(reason, want),
                (got, want) => panic!("{path}: {got:?}, want {want:?}"),
            }
        }
        for path in ["../a", "/naru/../../a", "naru/..", "system.slice:naru:abc", "a\nb", ""] {
            assert!(matches!(normalize(path), Err(Error::Path { .. })), "{path:?}");
        }
    }

    #[test]
    fn chain_lists_levels_below_the_root() {
        let levels = chain(Path::new("/c"), Path::new("/c/naru/x"));
        assert_eq!(levels, [Path::new("/c/naru"), Path::new("/c/naru/x")]);
    }
}
