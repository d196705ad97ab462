//! What the machine offers: which hierarchies are mounted where.

use crate::{Error, file};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

const ROOT: &str = "/sys/fs/cgroup";

/// Directories that need no look inside to know that they are v1 hierarchies.
const V1_NAMES: [&str; 15] = [
    "blkio",
    "cpu",
    "cpuacct",
    "cpuset",
    "debug",
    "devices",
    "freezer",
    "hugetlb",
    "memory",
    "net_cls",
    "net_prio",
    "perf_event",
    "pids",
    "rdma",
    "systemd",
];

/// The layout of the mounted hierarchies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// v1 hierarchies only.
    V1,
    /// v1 controllers beside a v2 tree without controllers.
    Hybrid,
    /// One v2 tree.
    V2,
}

/// One mounted v1 hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hierarchy {
    /// The mount point.
    pub(crate) root: PathBuf,
    /// Its controllers, or the name of a named hierarchy.
    pub(crate) controllers: Vec<String>,
}

/// The mounted hierarchies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cgroups {
    pub(crate) mode: Mode,
    pub(crate) v1: Vec<Hierarchy>,
    pub(crate) unified: Option<PathBuf>,
    /// The controllers of the v2 tree.
    pub(crate) controllers: Vec<String>,
}

impl Cgroups {
    /// Finds the hierarchies below `/sys/fs/cgroup`.
    ///
    /// Looks at directories, not at the mount table, whose size must not matter. Costs some tens of microseconds.
    ///
    /// # Errors
    /// Unavailable if nothing is mounted there.
    pub fn detect() -> Result<Self, Error> {
        Self::detect_at(Path::new(ROOT))
    }

    /// Like [`detect`](Self::detect), for hierarchies mounted below another directory.
    ///
    /// # Errors
    /// Unavailable if nothing is mounted there.
    pub fn detect_at(root: &Path) -> Result<Self, Error> {
        // Only cgroup2 has this file, and it has it in every directory.
        if let Some(text) = file::read_optional(&root.join("cgroup.controllers"))? {
            let controllers = words(&text);
            return Ok(Self { mode: Mode::V2, v1: Vec::new(), unified: Some(root.into()), controllers });
        }
        let mut v1: Vec<(u64, Hierarchy)> = Vec::new();
        let mut unified = None;
        let names = names(root)?;
        let outside = fs::metadata(root).map_err(|source| file::failed("read", root, None, source))?.dev();
        for name in names {
            let directory = root.join(&name);
            let Ok(found) = fs::metadata(&directory) else { continue };
            if found.dev() == outside {
                continue; // Nothing is mounted there.
            }
            if !name.split(',').all(|part| V1_NAMES.contains(&part))
                && directory.join("cgroup.controllers").exists()
            {
                unified = Some(directory);
            } else {
                add(&mut v1, found.dev(), directory, &name);
            }
        }
        let v1: Vec<_> = v1.into_iter().map(|(_, hierarchy)| hierarchy).collect();
        let mode = match (v1.is_empty(), &unified) {
            (true, _) => return Err(Error::NotMounted(root.into())),
            (false, None) => Mode::V1,
            (false, Some(_)) => Mode::Hybrid,
        };
        // The v2 tree of a hybrid machine may have leftover controllers (hugetlb, misc); they stay unused, for enabling
        // them would forbid processes in inner groups.
        Ok(Self { mode, v1, unified, controllers: Vec::new() })
    }

    /// Returns the layout.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Returns what Docker's API calls the cgroup version: `1` or `2`.
    pub fn version(&self) -> &'static str {
        match self.mode {
            Mode::V1 | Mode::Hybrid => "1",
            Mode::V2 => "2",
        }
    }

    /// Returns the names of all controllers, v1 and v2, sorted.
    pub fn controllers(&self) -> Vec<String> {
        let v1 = self.v1.iter().flat_map(|hierarchy| &hierarchy.controllers);
        v1.chain(&self.controllers).cloned().collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Returns the v1 mount points with their controllers (or the name of a named hierarchy).
    pub fn v1_mounts(&self) -> impl Iterator<Item = (&Path, &[String])> {
        self.v1.iter().map(|hierarchy| (hierarchy.root.as_path(), hierarchy.controllers.as_slice()))
    }

    /// Returns the mount point of the v2 tree.
    pub fn unified_mount(&self) -> Option<&Path> {
        self.unified.as_deref()
    }

    pub(crate) fn v1_root(&self, controller: &str) -> Option<&Path> {
        let found =
            self.v1.iter().find(|hierarchy| hierarchy.controllers.iter().any(|name| name == controller));
        found.map(|hierarchy| hierarchy.root.as_path())
    }
}

/// Adds a directory; several names of one file system (`cpu`, `cpuacct` and `cpu,cpuacct`) become one hierarchy.
fn add(v1: &mut Vec<(u64, Hierarchy)>, device: u64, root: PathBuf, name: &str) {
    let controllers: Vec<String> = name.split(',').map(str::to_owned).collect();
    match v1.iter_mut().find(|(known, _)| *known == device) {
        Some((_, hierarchy)) => {
            for controller in controllers {
                if !hierarchy.controllers.contains(&controller) {
                    hierarchy.controllers.push(controller);
                }
            }
        }
        None => v1.push((device, Hierarchy { root, controllers })),
    }
}

fn names(root: &Path) -> Result<BTreeSet<String>, Error> {
    let entries = match fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::NotMounted(root.into()));
        }
        Err(error) => return Err(file::failed("read", root, None, error)),
    };
    Ok(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detect_without_mounts_names_the_directory() {
        let error = Cgroups::detect_at(Path::new("/proc/self/fdinfo/none")).expect_err("nothing is there");
        assert_eq!(error.to_string(), "no cgroup hierarchy is mounted at /proc/self/fdinfo/none");
    }

    #[test]
    fn add_merges_names_of_one_file_system() {
        let mut v1 = Vec::new();
        add(&mut v1, 7, "/c/cpu".into(), "cpu");
        add(&mut v1, 7, "/c/cpu,cpuacct".into(), "cpu,cpuacct");
        add(&mut v1, 8, "/c/pids".into(), "pids");
        let controllers: Vec<_> = v1.iter().map(|(_, found)| found.controllers.join("+")).collect();
        assert_eq!(controllers, ["cpu+cpuacct", "pids"]);
    }
}
