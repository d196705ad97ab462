//! Why a program cannot be executed, found out by a look at its file. In the child.

use super::shared::Reason;
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::{Errno, pread};
use std::ffi::CStr;
use std::os::fd::OwnedFd;

/// How much of a file's beginning is looked at: what the kernel looks at for `#!`.
const BEGINNING: usize = 256;

/// What the file says.
pub(super) struct Finding {
    pub(super) reason: Reason,
    note: [u8; BEGINNING],
    length: usize,
}

impl Finding {
    fn new(reason: Reason, note: &[u8]) -> Self {
        let mut this = Self { reason, note: [0; BEGINNING], length: note.len().min(BEGINNING) };
        for (place, byte) in this.note.iter_mut().zip(note) {
            *place = *byte;
        }
        this
    }

    /// Returns the interpreter, the loader or the machine's number.
    pub(super) fn note(&self) -> &[u8] {
        self.note.get(..self.length).unwrap_or_default()
    }
}

/// Looks at a file that execve refused with an error number.
pub(super) fn look(path: &CStr, errno: Errno) -> Option<Finding> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = openat(CWD, path, flags, Mode::empty()).ok()?;
    let mut room = [0u8; BEGINNING];
    let length = pread(&file, &mut room, 0).ok()?;
    let beginning = room.get(..length)?;
    if let Some(line) = beginning.strip_prefix(b"#!") {
        return script(line, errno);
    }
    if beginning.starts_with(b"\x7fELF") {
        return elf(&file, beginning, errno);
    }
    (errno == Errno::NOEXEC).then(|| Finding::new(Reason::NoFormat, b""))
}

fn script(line: &[u8], errno: Errno) -> Option<Finding> {
    let line = line.split(|byte| *byte == b'\n').next()?.trim_ascii_start();
    let end = line.iter().position(|byte| *byte == b' ' || *byte == b'\t').unwrap_or(line.len());
    let interpreter = line.get(..end)?;
    match (interpreter.strip_suffix(b"\r").or(line.strip_suffix(b"\r")), errno) {
        (Some(_), Errno::NOENT) if line.ends_with(b"\r") => {
            Some(Finding::new(Reason::CarriageReturn, interpreter.strip_suffix(b"\r").unwrap_or(interpreter)))
        }
        (_, Errno::NOENT) => Some(Finding::new(Reason::NoInterpreter, interpreter)),
        (_, Errno::ACCESS) => Some(Finding::new(Reason::InterpreterDenied, interpreter)),
        (_, Errno::NOEXEC) if interpreter.is_empty() => Some(Finding::new(Reason::NoFormat, b"")),
        _ => None,
    }
}

fn elf(file: &OwnedFd, header: &[u8], errno: Errno) -> Option<Finding> {
    let machine = u16_at(header, 18)?;
    if errno == Errno::NOEXEC {
        let mut digits = [0u8; 12];
        let digits = super::hook::decimal(machine.into(), &mut digits);
        return (machine != OWN_MACHINE).then(|| Finding::new(Reason::OtherMachine, digits));
    }
    if errno != Errno::NOENT {
        return None;
    }
    loader(file, header)
}

/// Returns the loader that a dynamic program names in its PT_INTERP header.
fn loader(file: &OwnedFd, header: &[u8]) -> Option<Finding> {
    let wide = *header.get(4)? == 2;
    let (offset, size, count) = match wide {
        true => (u64_at(header, 32)?, u16_at(header, 54)?, u16_at(header, 56)?),
        false => (u32_at(header, 28)?.into(), u16_at(header, 42)?, u16_at(header, 44)?),
    };
    for index in 0..u64::from(count.min(64)) {
        let mut entry = [0u8; 56];
        pread(file, &mut entry, offset.checked_add(index * u64::from(size))?).ok()?;
        if u32_at(&entry, 0)? != 3 {
            continue;
        }
        let at = if wide { u64_at(&entry, 8)? } else { u32_at(&entry, 4)?.into() };
        let mut room = [0u8; BEGINNING];
        pread(file, &mut room, at).ok()?;
        let path = room.split(|byte| *byte == 0).next()?;
        return Some(Finding::new(Reason::NoLoader, path));
    }
    None
}

#[cfg(target_arch = "x86_64")]
const OWN_MACHINE: u16 = 62;
#[cfg(target_arch = "aarch64")]
const OWN_MACHINE: u16 = 183;

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}
