//! The page that parent and child share: what the child did, and what failed.
//!
//! ```text
//! Header { state, op, errno, reason, call, note, count }  Record  Record  …
//! ```
//! The child writes, the parent reads. Numbers are atomic because both may look at the same time.

use crate::error::last_errno;
use crate::{Call, Errno, Result};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU32, Ordering};

/// What the child has recorded about one op.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// The op's place in the list; the list's length for execve itself.
    pub op: usize,
    /// When it began: nanoseconds since 1970.
    pub start_ns: i64,
    /// How long it took in nanoseconds.
    pub duration_ns: u64,
    /// The error number, 0 for success.
    pub errno: i32,
}

/// What kind of failure it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Reason {
    /// A system call failed.
    Call = 0,
    /// No candidate in PATH can be executed.
    NotInPath,
    /// The program was found through a relative entry of PATH.
    Relative,
    /// The program cannot be looked at.
    Stat,
    /// The program is a directory.
    IsDirectory,
    /// The program may not be executed.
    Denied,
    /// execve failed.
    Execute,
    /// The working directory cannot be entered.
    WorkingDirectory,
    /// The working directory lies outside the root.
    Unreachable,
    /// A mount's target lies on procfs.
    OnProcfs,
    /// The host's /dev/null is something else.
    NoNullDevice,
    /// A device file's place is taken by something else.
    OtherDevice,
    /// No pseudo-terminal file system is mounted at /dev/pts.
    NoTerminals,
    /// The parent ended.
    Orphaned,
    /// A hook failed.
    HookFailed,
    /// A hook cannot be executed.
    HookExecute,
    /// A hook took too long.
    HookTimeout,
    /// What was to be mounted at /proc is not on procfs.
    NotProcfs,
    /// execve failed: the interpreter that a script names is not there.
    NoInterpreter,
    /// execve failed: the interpreter's name ends with a carriage return.
    CarriageReturn,
    /// execve failed: the interpreter that a script names cannot be executed.
    InterpreterDenied,
    /// execve failed: the loader that a program names is not there.
    NoLoader,
    /// execve failed: the program is for another machine, whose ELF number is the note.
    OtherMachine,
    /// execve failed: neither a program nor a script.
    NoFormat,
}

impl Reason {
    const ALL: [Self; 24] = [
        Self::Call,
        Self::NotInPath,
        Self::Relative,
        Self::Stat,
        Self::IsDirectory,
        Self::Denied,
        Self::Execute,
        Self::WorkingDirectory,
        Self::Unreachable,
        Self::OnProcfs,
        Self::NoNullDevice,
        Self::OtherDevice,
        Self::NoTerminals,
        Self::Orphaned,
        Self::HookFailed,
        Self::HookExecute,
        Self::HookTimeout,
        Self::NotProcfs,
        Self::NoInterpreter,
        Self::CarriageReturn,
        Self::InterpreterDenied,
        Self::NoLoader,
        Self::OtherMachine,
        Self::NoFormat,
    ];

    fn from_number(number: u32) -> Self {
        Self::ALL.into_iter().find(|reason| *reason as u32 == number).unwrap_or(Self::Call)
    }
}

/// Why the child gave up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fault {
    pub(super) reason: Reason,
    pub(super) call: &'static str,
    pub(super) errno: rustix::io::Errno,
}

/// Turns results of system calls into those of ops.
pub(super) trait Named<T> {
    fn call(self, name: &'static str) -> std::result::Result<T, Fault>;
}

impl<T> Named<T> for rustix::io::Result<T> {
    fn call(self, name: &'static str) -> std::result::Result<T, Fault> {
        self.map_err(|errno| Fault { reason: Reason::Call, call: name, errno })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Preparing,
    Failed,
    Executing,
}

const CALL_BYTES: usize = 24;
const NOTE_BYTES: usize = 256;

#[repr(C)]
struct Header {
    state: AtomicU32,
    op: AtomicU32,
    errno: AtomicU32,
    reason: AtomicU32,
    count: AtomicU32,
    note_length: AtomicU32,
    hook_errno: AtomicU32,
    /// Keeps the size a multiple of 8.
    _unused: AtomicU32,
    call: [AtomicU8; CALL_BYTES],
    note: [AtomicU8; NOTE_BYTES],
}

#[repr(C)]
struct Slot {
    start: AtomicI64,
    end: AtomicI64,
    op: AtomicU32,
    errno: AtomicU32,
}

/// The mapping. A forked child sees the same memory.
#[derive(Debug)]
pub(super) struct Shared {
    address: *mut libc::c_void,
    size: usize,
    slots: usize,
    /// The memory file behind it, if others are to map it too.
    file: Option<OwnedFd>,
}

// SAFETY: the mapping belongs to this value alone, lives as long as it, and all access goes through atomics.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    pub(super) fn new(slots: usize) -> Result<Self> {
        Self::map(size_of::<Header>() + slots * size_of::<Slot>(), slots, None)
    }

    /// Makes one in a memory file, so that a process that comes later can map it.
    pub(super) fn in_file(slots: usize) -> Result<Self> {
        let size = size_of::<Header>() + slots * size_of::<Slot>();
        let flags = rustix::fs::MemfdFlags::CLOEXEC;
        let made = rustix::fs::memfd_create("naru-birth", flags);
        let file = Call("memfd_create").result(made, || "\"naru-birth\", MFD_CLOEXEC".into())?;
        // Never number 0 to 2, which the child replaces.
        let raised = rustix::io::fcntl_dupfd_cloexec(&file, 3);
        let file = Call("fcntl").result(raised, || "F_DUPFD_CLOEXEC, 3".into())?;
        Call("ftruncate").result(rustix::fs::ftruncate(&file, size as u64), || size.to_string())?;
        Self::map(size, slots, Some(file))
    }

    /// Maps the one that a child has made in a file.
    pub(super) fn of_file(file: OwnedFd) -> Result<Self> {
        let stat = Call("fstat").result(rustix::fs::fstat(&file), || format!("{file:?}"))?;
        let size = usize::try_from(stat.st_size).unwrap_or(0);
        if size < size_of::<Header>() {
            return Err(Call("mmap").failed(Errno::INVAL, || format!("{file:?}, {size} bytes")));
        }
        Self::map(size, (size - size_of::<Header>()) / size_of::<Slot>(), Some(file))
    }

    /// Returns the memory file behind it.
    pub(super) fn file(&self) -> Option<&OwnedFd> {
        self.file.as_ref()
    }

    fn map(size: usize, slots: usize, file: Option<OwnedFd>) -> Result<Self> {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let (flags, fd) = match &file {
            Some(file) => (libc::MAP_SHARED, file.as_raw_fd()),
            None => (libc::MAP_SHARED | libc::MAP_ANONYMOUS, -1),
        };
        // SAFETY: a new mapping at an address of the kernel's choice; it disturbs nothing.
        let address = unsafe { libc::mmap(std::ptr::null_mut(), size, access, flags, fd, 0) };
        if address == libc::MAP_FAILED {
            return Err(Call("mmap").failed(last_errno(), || format!("NULL, {size}, MAP_SHARED, {fd}")));
        }
        Ok(Self { address, size, slots, file })
    }

    fn header(&self) -> &Header {
        // SAFETY: the mapping is at least as large as a Header, page-aligned, zeroed (valid for atomics), and lives as
        // long as `self`.
        unsafe { &*self.address.cast::<Header>() }
    }

    fn slot(&self, index: usize) -> Option<&Slot> {
        if index >= self.slots {
            return None;
        }
        // SAFETY: the mapping has room for `slots` Slots behind the Header, whose size is a multiple of 8, so that they
        // are aligned; zeroes are valid for atomics; it lives as long as `self`.
        Some(unsafe { &*self.address.byte_add(size_of::<Header>()).cast::<Slot>().add(index) })
    }

    /// Appends a record. For the child.
    pub(super) fn record(&self, op: usize, start: i64, end: i64, errno: i32) {
        let count = self.header().count.load(Ordering::Relaxed);
        let Some(slot) = self.slot(count as usize) else { return };
        slot.start.store(start, Ordering::Relaxed);
        slot.end.store(end, Ordering::Relaxed);
        slot.op.store(op as u32, Ordering::Relaxed);
        slot.errno.store(errno as u32, Ordering::Relaxed);
        self.header().count.store(count + 1, Ordering::Release);
    }

    /// Returns the records from a number on. For the parent.
    pub(super) fn records(&self, from: usize) -> Vec<Record> {
        let count = self.header().count.load(Ordering::Acquire) as usize;
        let read = |index| {
            let slot = self.slot(index)?;
            let (start, end) = (slot.start.load(Ordering::Relaxed), slot.end.load(Ordering::Relaxed));
            Some(Record {
                op: slot.op.load(Ordering::Relaxed) as usize,
                start_ns: start,
                duration_ns: end.saturating_sub(start).max(0) as u64,
                errno: slot.errno.load(Ordering::Relaxed) as i32,
            })
        };
        (from..count).filter_map(read).collect()
    }

    /// Keeps a text that explains the failure that comes. For the child.
    pub(super) fn note(&self, text: &[u8]) {
        let header = self.header();
        let length = text.len().min(NOTE_BYTES);
        for (room, byte) in header.note.iter().zip(text) {
            room.store(*byte, Ordering::Relaxed);
        }
        header.note_length.store(length as u32, Ordering::Relaxed);
    }

    /// Says why a hook cannot be executed. For the hook's process.
    pub(super) fn hook_errno(&self, errno: rustix::io::Errno) {
        self.header().hook_errno.store(errno.raw_os_error() as u32, Ordering::Release);
    }

    /// Returns why a hook could not be executed.
    pub(super) fn taken_hook_errno(&self) -> Option<rustix::io::Errno> {
        match self.header().hook_errno.swap(0, Ordering::Acquire) {
            0 => None,
            number => Some(rustix::io::Errno::from_raw_os_error(number as i32)),
        }
    }

    pub(super) fn fail(&self, op: usize, fault: Fault) {
        let header = self.header();
        header.op.store(op as u32, Ordering::Relaxed);
        header.errno.store(fault.errno.raw_os_error() as u32, Ordering::Relaxed);
        header.reason.store(fault.reason as u32, Ordering::Relaxed);
        for (room, byte) in header.call.iter().zip(fault.call.bytes()) {
            room.store(byte, Ordering::Relaxed);
        }
        header.state.store(1, Ordering::Release);
    }

    /// Says more about a failure that was told already. For the child.
    pub(super) fn refine(&self, finding: &super::diagnose::Finding) {
        self.note(finding.note());
        self.header().reason.store(finding.reason as u32, Ordering::Release);
    }

    pub(super) fn executing(&self) {
        self.header().state.store(2, Ordering::Release);
    }

    pub(super) fn state(&self) -> State {
        match self.header().state.load(Ordering::Acquire) {
            0 => State::Preparing,
            1 => State::Failed,
            _ => State::Executing,
        }
    }

    /// Returns what failed: op, error number, reason, call, note. For the parent.
    pub(super) fn failure(&self) -> (usize, i32, Reason, String, String) {
        let header = self.header();
        let text = |bytes: &[AtomicU8]| {
            let bytes: Vec<u8> = bytes.iter().map(|byte| byte.load(Ordering::Relaxed)).collect();
            String::from_utf8_lossy(&bytes).trim_matches(['\0', '\n', ' ']).to_owned()
        };
        let length = header.note_length.load(Ordering::Relaxed) as usize;
        (
            header.op.load(Ordering::Relaxed) as usize,
            header.errno.load(Ordering::Relaxed) as i32,
            Reason::from_number(header.reason.load(Ordering::Relaxed)),
            text(&header.call),
            text(header.note.get(..length).unwrap_or_default()),
        )
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `new` with this size, and no reference into it outlives `self`.
        let _ = unsafe { libc::munmap(self.address, self.size) }; // It cannot fail for a mapping of ours.
    }
}
