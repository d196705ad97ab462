//! What the tests share: a place of their own, archives from a few words, trees as text.

use layer::tar::{Archive, Source, TypeFlag, Writer, WriterEntry};
use layer::{Applied, Error, Limits, apply};
use std::fmt::Write as _;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A directory with `root/`, into which is unpacked, and `outside/`, which must stay as it is. Removed at the end.
pub(crate) struct Place {
    pub(crate) base: PathBuf,
}

impl Place {
    pub(crate) fn new(name: &str) -> Self {
        let base = std::env::temp_dir().join(format!("naru-test-layer-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&base); // Left by an earlier run, if at all.
        std::fs::create_dir_all(base.join("root")).unwrap();
        std::fs::create_dir_all(base.join("outside/directory")).unwrap();
        std::fs::write(base.join("outside/secret"), "secret").unwrap();
        Self { base }
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.base.join("root")
    }

    /// What lies outside of the root, as text.
    pub(crate) fn outside(&self) -> String {
        tree(&self.base.join("outside"))
    }

    pub(crate) fn apply(&self, archive: &[u8]) -> Result<Applied, Error> {
        self.apply_limited(archive, &Limits { archive_bytes: 1 << 30, entries: 100_000 })
    }

    pub(crate) fn apply_limited(&self, archive: &[u8], limits: &Limits) -> Result<Applied, Error> {
        let root = sys::fs::open_directory(&self.root()).unwrap();
        let decoder = layer::Decoder::new(archive)?;
        apply(&mut Archive::new(Source::new(decoder, limits.archive_bytes), limits.entries), root.as_fd())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.base); // Best effort.
    }
}

pub(crate) fn archive(entries: &[WriterEntry<'_>]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for entry in entries {
        writer.entry(entry).unwrap();
    }
    writer.finish().unwrap()
}

pub(crate) fn file<'a>(name: &'a str, bytes: &'a str) -> WriterEntry<'a> {
    WriterEntry { bytes: bytes.as_bytes(), mode: 0o644, ..WriterEntry::new(name, TypeFlag::Regular) }
}

pub(crate) fn directory(name: &str) -> WriterEntry<'_> {
    WriterEntry::new(name, TypeFlag::Directory)
}

pub(crate) fn symlink<'a>(name: &'a str, target: &'a str) -> WriterEntry<'a> {
    WriterEntry { link: target.as_bytes(), ..WriterEntry::new(name, TypeFlag::SymbolicLink) }
}

pub(crate) fn hardlink<'a>(name: &'a str, target: &'a str) -> WriterEntry<'a> {
    WriterEntry { link: target.as_bytes(), ..WriterEntry::new(name, TypeFlag::HardLink) }
}

/// Lists a tree, one line per name, sorted: path, kind, mode, owner, and content or target.
pub(crate) fn tree(root: &Path) -> String {
    let mut lines = Vec::new();
    let mut pending = vec![root.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let metadata = path.symlink_metadata().unwrap();
            let kind = metadata.file_type();
            let mut line = path.strip_prefix(root).unwrap().display().to_string();
            let mode = metadata.permissions().mode() & 0o7777;
            if kind.is_symlink() {
                write!(line, " -> {}", std::fs::read_link(&path).unwrap().display()).unwrap();
            } else if kind.is_dir() {
                write!(line, "/ {mode:o}").unwrap();
                pending.push(path);
            } else if kind.is_char_device() || kind.is_block_device() {
                let letter = if kind.is_char_device() { 'c' } else { 'b' };
                let (major, minor) = (rdev_major(metadata.rdev()), rdev_minor(metadata.rdev()));
                write!(line, " {letter}{major}:{minor} {mode:o}").unwrap();
            } else if kind.is_fifo() {
                write!(line, " fifo {mode:o}").unwrap();
            } else {
                write!(line, " {mode:o} {:?}", String::from_utf8_lossy(&std::fs::read(&path).unwrap()))
                    .unwrap();
            }
            if (metadata.uid(), metadata.gid()) != (0, 0) {
                write!(line, " {}:{}", metadata.uid(), metadata.gid()).unwrap();
            }
            lines.push(line);
        }
    }
    lines.sort();
    lines.join("\n")
}

fn rdev_major(device: u64) -> u64 {
    (device >> 8) & 0xfff
}

fn rdev_minor(device: u64) -> u64 {
    (device & 0xff) | ((device >> 12) & 0xfff00)
}
