//! From directories to an archive: a container's changes as a layer, or its whole tree.
//!
//! The order is that of the names, so that the same tree gives the same bytes. What is written while the walk goes on
//! is in the archive or not; no file is larger or smaller in it than its header says. Holes are written as zeros: sparse
//! entries are not understood by all who read layers (OCI image-spec v1.1 `layer.md`, "Sparse files").

use crate::Error;
use crate::place::{OPAQUE, is_whiteout};
use crate::tar::{Time, TypeFlag, Writer, WriterEntry};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use sys::Errno;
use sys::fs::{Kind, OFlags, Status};

/// A path that no system call takes any more.
const MAX_PATH_BYTES: usize = 4095;

/// Writes what an overlay's upper directory holds as a layer: deletions become `.wh.` entries.
///
/// # Errors
/// A tree that cannot be read, or holds what no layer can say; those of `out`.
///
/// # Source
/// OCI image-spec v1.1 `layer.md`, "Whiteouts"; `linux Documentation/filesystems/overlayfs.rst`.
pub fn write_changes<W: Write>(upper: &Path, out: W) -> Result<W, Error> {
    write(&[upper], Form::Layer, out)
}

/// Writes the whole tree that directories, given from the top down, make up by overlayfs' rules.
///
/// # Errors
/// A tree that cannot be read; those of `out`.
pub fn write_tree<W: Write>(parts: &[&Path], out: W) -> Result<W, Error> {
    write(parts, Form::Tree, out)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Whiteouts are entries.
    Layer,
    /// Whiteouts take effect.
    Tree,
}

fn write<W: Write>(parts: &[&Path], form: Form, out: W) -> Result<W, Error> {
    let roots = parts
        .iter()
        .map(|path| sys::fs::open_directory(path).map_err(Error::disk("open", *path)))
        .collect::<Result<Vec<_>, _>>()?;
    let mut packing =
        Packing { last: (0..roots.len()).map(|_| None).collect(), roots, form, names: HashMap::new() };
    let mut writer = Writer::new(out);
    // What is to be written next is the last.
    let mut pending = packing.children(&mut writer, Path::new(""), &(0..parts.len()).collect::<Vec<_>>())?;
    while let Some(Found { path, parts }) = pending.pop() {
        if packing.entry(&mut writer, &path, parts[0])? == Some(Kind::Directory) {
            pending.extend(packing.children(&mut writer, &path, &parts)?);
        }
    }
    writer.finish().map_err(output)
}

/// A name that is to be written.
struct Found {
    path: PathBuf,
    /// In which parts it is visible, the top one first; more than one only for directories.
    parts: Vec<usize>,
}

struct Packing {
    roots: Vec<OwnedFd>,
    form: Form,
    /// The directory of each part that was used last.
    last: Vec<Option<(PathBuf, OwnedFd)>>,
    /// The first names of files that have several.
    names: HashMap<(u64, u64), PathBuf>,
}

impl Packing {
    /// Lists what is in a directory, the first name last; writes the mark of an opaque one.
    fn children<W: Write>(
        &mut self,
        writer: &mut Writer<W>,
        path: &Path,
        parts: &[usize],
    ) -> Result<Vec<Found>, Error> {
        let mut found: BTreeMap<OsString, Name> = BTreeMap::new();
        for &part in parts {
            let Some(directory) = self.open(part, path)? else { continue };
            for entry in sys::fs::read_directory(directory).map_err(failed(path))? {
                let is_directory = entry.kind == Kind::Directory;
                // A layer has whiteouts; a tree has what they leave.
                let hides = self.form == Form::Tree
                    && entry.kind == Kind::CharacterDevice
                    && sys::fs::status_at(directory_of(&self.last, part), &entry.name)
                        .map_err(failed(path))?
                        .is_some_and(|status| is_whiteout(&status));
                found
                    .entry(entry.name.into_os_string())
                    .and_modify(|name| name.add(part, is_directory))
                    .or_insert_with(|| Name {
                        parts: if hides { Vec::new() } else { vec![part] },
                        open: is_directory,
                    });
            }
            if self.is_opaque(part, path)? {
                if self.form == Form::Layer && !path.as_os_str().is_empty() {
                    self.mark(writer, &path.join(".wh..wh..opq"))?;
                }
                break;
            }
        }
        let mut children = Vec::with_capacity(found.len());
        for (name, Name { parts, .. }) in found.into_iter().rev() {
            if parts.is_empty() {
                continue;
            }
            let path = path.join(name);
            if path.as_os_str().len() > MAX_PATH_BYTES {
                return Err(Error::Unfit { name: printable(&path), reason: "its path is too long" });
            }
            children.push(Found { path, parts });
        }
        Ok(children)
    }

    /// Opens a directory of a part; none if it is not there any more.
    fn open(&mut self, part: usize, path: &Path) -> Result<Option<BorrowedFd<'_>>, Error> {
        if self.last[part].as_ref().is_none_or(|(last, _)| last != path) {
            let opened = if path.as_os_str().is_empty() {
                sys::fs::open_subdirectory_at(self.roots[part].as_fd(), Path::new("."))
            } else {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW;
                sys::fs::open_in_root(self.roots[part].as_fd(), path, flags)
            };
            self.last[part] = match opened {
                Err(error) if is_gone(&error) => return Ok(None),
                result => Some((path.to_owned(), result.map_err(failed(path))?)),
            };
        }
        Ok(self.last[part].as_ref().map(|(_, directory)| directory.as_fd()))
    }

    fn is_opaque(&mut self, part: usize, path: &Path) -> Result<bool, Error> {
        let Some(directory) = self.open(part, path)? else { return Ok(false) };
        match sys::fs::get_xattr(directory, OsStr::new(OPAQUE)) {
            // `x` marks whiteouts of another form, `y` an opaque directory.
            Ok(value) => Ok(value.is_some_and(|value| value == b"y")),
            Err(error) if error.is(Errno::OPNOTSUPP) => Ok(false),
            Err(error) => Err(failed(path)(error)),
        }
    }

    /// Writes one name; returns what it is, or nothing if it was left out.
    fn entry<W: Write>(
        &mut self,
        writer: &mut Writer<W>,
        path: &Path,
        part: usize,
    ) -> Result<Option<Kind>, Error> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(None) };
        let name = Path::new(name);
        let form = self.form;
        if self.open(part, parent)?.is_none() {
            return Ok(None);
        }
        let directory = directory_of(&self.last, part);
        let Some(status) = sys::fs::status_at(directory, name).map_err(failed(path))? else {
            return Ok(None);
        };
        if form == Form::Layer {
            if is_whiteout(&status) {
                let whiteout = [b".wh.", name.as_os_str().as_bytes()].concat();
                return self.mark(writer, &parent.join(OsString::from_vec(whiteout))).map(|()| None);
            }
            if name.as_os_str().as_bytes().starts_with(b".wh.") {
                return Err(Error::Unfit {
                    name: printable(path),
                    reason: "names that begin with .wh. mean deletions there",
                });
            }
        }
        let directory = directory_of(&self.last, part);
        let Some(kind) = flag(status.kind) else { return Ok(None) };
        let mut full_name = path.as_os_str().as_bytes().to_vec();
        if status.kind == Kind::Directory {
            full_name.push(b'/');
        }
        let entry = entry_of(&full_name, kind, &status);
        if let Some(first) = first_name(&mut self.names, path, &status) {
            let link = first.as_os_str().as_bytes();
            let entry = WriterEntry { kind: TypeFlag::HardLink, link, ..entry };
            return writer.entry(&entry).map_err(output).map(|()| Some(status.kind));
        }
        let xattrs = match xattrs(directory, name, form) {
            Ok(xattrs) => xattrs,
            Err(Unread::Gone) => return Ok(None),
            Err(Unread::Failed(error)) => return Err(failed(path)(error)),
            Err(Unread::Unfit(reason)) => return Err(Error::Unfit { name: printable(path), reason }),
        };
        let xattrs: Vec<(&[u8], &[u8])> =
            xattrs.iter().map(|(name, value)| (name.as_bytes(), &value[..])).collect();
        let entry = WriterEntry { xattrs: &xattrs, ..entry };
        content(writer, directory, path, &entry).map(|written| written.then_some(status.kind))
    }

    /// Writes an empty file that is only a mark.
    fn mark<W: Write>(&mut self, writer: &mut Writer<W>, path: &Path) -> Result<(), Error> {
        let name = path.as_os_str().as_bytes();
        let text = WriterEntry::new("", TypeFlag::Regular);
        writer.entry(&WriterEntry { name, mode: 0o600, ..text }).map_err(output)
    }
}

/// Returns the first name of a file that has several, if this is another one; else remembers this one.
fn first_name<'a>(
    names: &'a mut HashMap<(u64, u64), PathBuf>,
    path: &Path,
    status: &Status,
) -> Option<&'a Path> {
    if status.kind == Kind::Directory || status.links < 2 {
        return None;
    }
    match names.entry((status.device, status.inode)) {
        Entry::Occupied(first) => Some(first.into_mut()),
        Entry::Vacant(place) => {
            place.insert(path.to_owned());
            None
        }
    }
}

/// Writes an entry with what belongs to it; tells whether it was still there.
fn content<W: Write>(
    writer: &mut Writer<W>,
    directory: BorrowedFd<'_>,
    path: &Path,
    entry: &WriterEntry<'_>,
) -> Result<bool, Error> {
    let name = Path::new(path.file_name().unwrap_or_default());
    match entry.kind {
        TypeFlag::SymbolicLink => {
            let target = match sys::fs::read_link_at(directory, name) {
                Err(error) if is_gone(&error) || error.is(Errno::INVAL) => return Ok(false),
                result => result.map_err(failed(path))?,
            };
            let link = target.as_os_str().as_bytes();
            writer.entry(&WriterEntry { link, ..entry.clone() }).map_err(output)?;
        }
        TypeFlag::Regular => {
            // Should it be a pipe by now, opening must not wait for a writer.
            let file = match sys::fs::open_at(directory, name, OFlags::RDONLY | OFlags::NONBLOCK) {
                Err(error) if is_gone(&error) => return Ok(false),
                result => result.map_err(failed(path))?,
            };
            let now = sys::fs::status(&file).map_err(failed(path))?;
            if now.kind != Kind::Regular {
                return Ok(false);
            }
            writer.file(entry, now.size_bytes, &mut File::from(file)).map_err(output)?;
        }
        _ => writer.entry(entry).map_err(output)?,
    }
    Ok(true)
}

/// A name on the way through the parts.
struct Name {
    parts: Vec<usize>,
    /// Whether directories of lower parts merge with it.
    open: bool,
}

impl Name {
    fn add(&mut self, part: usize, is_directory: bool) {
        if self.open && is_directory {
            self.parts.push(part);
        } else {
            self.open = false;
        }
    }
}

fn directory_of(last: &[Option<(PathBuf, OwnedFd)>], part: usize) -> BorrowedFd<'_> {
    last[part].as_ref().map(|(_, directory)| directory.as_fd()).expect("the caller has opened it")
}

fn entry_of<'a>(name: &'a [u8], kind: TypeFlag, status: &Status) -> WriterEntry<'a> {
    WriterEntry {
        name,
        kind,
        link: &[],
        mode: status.mode,
        uid: status.uid.into(),
        gid: status.gid.into(),
        mtime: Time { seconds: status.modified.seconds, nanoseconds: status.modified.nanoseconds },
        device: status.node,
        xattrs: &[],
        bytes: &[],
    }
}

/// Sockets are left out, as tar has no word for them.
fn flag(kind: Kind) -> Option<TypeFlag> {
    match kind {
        Kind::Regular => Some(TypeFlag::Regular),
        Kind::Directory => Some(TypeFlag::Directory),
        Kind::SymbolicLink => Some(TypeFlag::SymbolicLink),
        Kind::CharacterDevice => Some(TypeFlag::CharDevice),
        Kind::BlockDevice => Some(TypeFlag::BlockDevice),
        Kind::Fifo => Some(TypeFlag::Fifo),
        Kind::Socket | Kind::Unknown => None,
    }
}

enum Unread {
    Gone,
    Failed(sys::Error),
    Unfit(&'static str),
}

/// Reads the attributes that travel: not overlayfs' own, nor those that only mean something on this host.
fn xattrs(directory: BorrowedFd<'_>, name: &Path, form: Form) -> Result<Vec<(OsString, Vec<u8>)>, Unread> {
    let sorted = |error: sys::Error| if is_gone(&error) { Unread::Gone } else { Unread::Failed(error) };
    let mut names = sys::fs::list_xattrs_at(directory, name).map_err(sorted)?;
    names.sort();
    let mut found = Vec::new();
    for attribute in names {
        let bytes = attribute.as_bytes();
        if form == Form::Layer && matches!(bytes, b"trusted.overlay.redirect" | b"trusted.overlay.metacopy") {
            return Err(Unread::Unfit(
                "overlayfs keeps part of it in another layer (redirect_dir or metacopy)",
            ));
        }
        let travels = bytes == b"security.capability"
            || bytes.starts_with(b"system.posix_acl_")
            || (bytes.starts_with(b"user.") && !bytes.starts_with(b"user.overlay."))
            || (bytes.starts_with(b"trusted.") && !bytes.starts_with(b"trusted.overlay."));
        if travels && let Some(value) = sys::fs::get_xattr_at(directory, name, &attribute).map_err(sorted)? {
            found.push((attribute, value));
        }
    }
    Ok(found)
}

fn is_gone(error: &sys::Error) -> bool {
    error.is(Errno::NOENT) || error.is(Errno::NOTDIR) || error.is(Errno::LOOP) || error.is(Errno::NXIO)
}

fn failed(path: &Path) -> impl Fn(sys::Error) -> Error {
    let name = printable(path);
    move |source| Error::Tree { name: name.clone(), source }
}

fn output(source: std::io::Error) -> Error {
    Error::Output { source }
}

fn printable(path: &Path) -> String {
    format!("/{}", path.display()).chars().take(256).collect()
}
