//! bpf(2): the eBPF programs that decide about devices on cgroup v2.
//!
//! # Source
//! man 2 bpf; Linux `include/uapi/linux/bpf.h`; Documentation/bpf/standardization/instruction-set.rst. Programs of the
//! kind BPF_PROG_TYPE_CGROUP_DEVICE exist since Linux 4.15, BPF_F_REPLACE since 5.6.

use crate::{Call, Result};
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

/// One eBPF instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Instruction(u64);

/// The fields of an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fields {
    /// What is done.
    pub opcode: u8,
    /// The register that is changed or tested.
    pub destination: u8,
    /// The other register.
    pub source: u8,
    /// Of a jump, in instructions; of a load, in bytes.
    pub offset: i16,
    /// The constant.
    pub immediate: i32,
}

impl Instruction {
    const fn new(opcode: u8, destination: u8, source: u8, offset: i16, immediate: i32) -> Self {
        let registers = destination | (source << 4);
        Self(
            opcode as u64
                | (registers as u64) << 8
                | (offset as u16 as u64) << 16
                | (immediate as u32 as u64) << 32,
        )
    }

    /// `destination = *(u32 *)(source + offset)`.
    pub const fn load_u32(destination: u8, source: u8, offset: i16) -> Self {
        Self::new(0x61, destination, source, offset, 0)
    }

    /// `destination = source`.
    pub const fn move_register(destination: u8, source: u8) -> Self {
        Self::new(0xbf, destination, source, 0, 0)
    }

    /// `destination = value`.
    pub const fn move_value(destination: u8, value: i32) -> Self {
        Self::new(0xb7, destination, 0, 0, value)
    }

    /// `destination &= mask`.
    pub const fn and(destination: u8, mask: i32) -> Self {
        Self::new(0x57, destination, 0, 0, mask)
    }

    /// `destination >>= bits`.
    pub const fn shift_right(destination: u8, bits: i32) -> Self {
        Self::new(0x77, destination, 0, 0, bits)
    }

    /// Skips `skip` instructions if the register is equal to `value`.
    pub const fn jump_equal(register: u8, value: i32, skip: i16) -> Self {
        Self::new(0x15, register, 0, skip, value)
    }

    /// Skips `skip` instructions if the low half of the register is not equal to `value`.
    pub const fn jump_not_equal_u32(register: u8, value: u32, skip: i16) -> Self {
        Self::new(0x56, register, 0, skip, value as i32)
    }

    /// Skips `skip` instructions if the registers differ.
    pub const fn jump_registers_not_equal(a: u8, b: u8, skip: i16) -> Self {
        Self::new(0x5d, a, b, skip, 0)
    }

    /// Ends the program with `r0`.
    pub const fn exit() -> Self {
        Self::new(0x95, 0, 0, 0, 0)
    }

    /// Returns the instruction's fields.
    pub const fn decode(self) -> Fields {
        Fields {
            opcode: self.0 as u8,
            destination: (self.0 >> 8) as u8 & 15,
            source: (self.0 >> 12) as u8 & 15,
            offset: (self.0 >> 16) as i16,
            immediate: (self.0 >> 32) as i32,
        }
    }
}

const BPF_PROG_LOAD: libc::c_int = 5;
const BPF_PROG_ATTACH: libc::c_int = 8;
const BPF_PROG_GET_FD_BY_ID: libc::c_int = 13;
const BPF_PROG_QUERY: libc::c_int = 16;
const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const BPF_CGROUP_DEVICE: u32 = 6;
const BPF_F_ALLOW_MULTI: u32 = 2;
const BPF_F_REPLACE: u32 = 4;

#[repr(C)]
#[derive(Default)]
struct LoadAttr {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
}

#[repr(C)]
#[derive(Default)]
struct AttachAttr {
    target_fd: u32,
    attach_bpf_fd: u32,
    attach_type: u32,
    attach_flags: u32,
    replace_bpf_fd: u32,
}

#[repr(C)]
#[derive(Default)]
struct QueryAttr {
    target_fd: u32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    prog_ids: u64,
    prog_cnt: u32,
    padding: u32,
}

#[repr(C)]
#[derive(Default)]
struct IdAttr {
    prog_id: u32,
    next_id: u32,
    open_flags: u32,
}

/// Loads a device program.
///
/// # Errors
/// EPERM without CAP_BPF (CAP_SYS_ADMIN before Linux 5.8), EINVAL if the verifier rejects it or the kernel lacks
/// CONFIG_CGROUP_BPF.
pub fn load_device_program(program: &[Instruction]) -> Result<OwnedFd> {
    let mut attr = LoadAttr {
        prog_type: BPF_PROG_TYPE_CGROUP_DEVICE,
        insn_cnt: program.len() as u32,
        insns: program.as_ptr() as u64,
        license: c"Apache-2.0".as_ptr() as u64,
        ..LoadAttr::default()
    };
    let args = || format!("BPF_PROG_LOAD, {{BPF_PROG_TYPE_CGROUP_DEVICE, {} instructions}}", program.len());
    // SAFETY: the attribute is BPF_PROG_LOAD's, and the program and the license outlive the call.
    let fd = unsafe { bpf(BPF_PROG_LOAD, &mut attr, args) }?;
    // SAFETY: the call returned a new descriptor (always CLOEXEC) that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Attaches a device program to a cgroup v2 directory, in place of the one that is there, atomically.
///
/// # Errors
/// EINVAL if `cgroup` is not a cgroup v2 directory, EPERM without the right to attach.
pub fn attach_device_program(cgroup: BorrowedFd<'_>, program: BorrowedFd<'_>) -> Result<()> {
    let present = attached(cgroup)?;
    let old = match present.as_slice() {
        [id] => Some(program_by_id(*id)?),
        _ => None,
    };
    let mut attr = AttachAttr {
        target_fd: cgroup.as_raw_fd() as u32,
        attach_bpf_fd: program.as_raw_fd() as u32,
        attach_type: BPF_CGROUP_DEVICE,
        attach_flags: BPF_F_ALLOW_MULTI | if old.is_some() { BPF_F_REPLACE } else { 0 },
        replace_bpf_fd: old.as_ref().map_or(0, |fd| fd.as_raw_fd() as u32),
    };
    let args = || format!("BPF_PROG_ATTACH, {{target_fd={}, BPF_CGROUP_DEVICE}}", cgroup.as_raw_fd());
    // SAFETY: the attribute is BPF_PROG_ATTACH's; it holds descriptors only, all open.
    unsafe { bpf(BPF_PROG_ATTACH, &mut attr, args) }.map(drop)
}

/// Returns the ids of the device programs that are attached to a cgroup itself, not to its parents.
fn attached(cgroup: BorrowedFd<'_>) -> Result<Vec<u32>> {
    let mut ids = vec![0u32; 64]; // The kernel attaches at most 64 to one cgroup.
    let mut attr = QueryAttr {
        target_fd: cgroup.as_raw_fd() as u32,
        attach_type: BPF_CGROUP_DEVICE,
        prog_ids: ids.as_mut_ptr() as u64,
        prog_cnt: ids.len() as u32,
        ..QueryAttr::default()
    };
    let args = || format!("BPF_PROG_QUERY, {{target_fd={}, BPF_CGROUP_DEVICE}}", cgroup.as_raw_fd());
    // SAFETY: the attribute is BPF_PROG_QUERY's, and `prog_ids` has room for `prog_cnt` numbers.
    unsafe { bpf(BPF_PROG_QUERY, &mut attr, args) }?;
    ids.truncate(attr.prog_cnt as usize); // The kernel wrote how many there are.
    Ok(ids)
}

fn program_by_id(id: u32) -> Result<OwnedFd> {
    let mut attr = IdAttr { prog_id: id, ..IdAttr::default() };
    // SAFETY: the attribute is BPF_PROG_GET_FD_BY_ID's.
    let fd = unsafe { bpf(BPF_PROG_GET_FD_BY_ID, &mut attr, || format!("BPF_PROG_GET_FD_BY_ID, {{{id}}}")) }?;
    // SAFETY: the call returned a new descriptor (always CLOEXEC) that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Calls bpf(2).
///
/// # Safety
/// `attr` must be the attribute of `command`, and every pointer in it must be valid for what the command does with it.
unsafe fn bpf<T>(command: libc::c_int, attr: &mut T, args: impl FnOnce() -> String) -> Result<i32> {
    // SAFETY: the kernel reads and writes at most `size_of::<T>()` bytes of the attribute, which is exclusively ours;
    // the rest is the caller's promise.
    let returned = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attr), size_of::<T>()) };
    Call("bpf").check(returned, args).map(|returned| returned as i32)
}
