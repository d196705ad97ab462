//! Who the process is, in the child.

use super::hook::decimal;
use super::run::{Done, Place};
use super::shared::{Fault, Named as _, Reason};
use super::{Filter, Groups, Keep, Scheduler};
use crate::ns::Types;
use crate::process::CpuSet;
use crate::raw;
use rustix::fs::{OFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::process::{Gid, Uid, fchdir};
use std::ffi::CStr;
use std::os::fd::{AsFd as _, FromRawFd as _, OwnedFd};

pub(super) fn write_all(file: &OwnedFd, bytes: &[u8]) -> Done {
    match rustix::io::write(file, bytes).call("write")? {
        length if length == bytes.len() => Ok(()),
        _ => Err(Errno::IO).call("write"),
    }
}

pub(super) fn oom_score_adj(value: i32, text: &CStr) -> Done {
    let file = raw::open_host(c"/proc/self/oom_score_adj", OFlags::RDWR).call("openat")?;
    let mut room = [0u8; 16];
    let length = rustix::io::read(&file, &mut room).call("read")?;
    let present = room.get(..length).unwrap_or_default();
    if parse(present) == Some(value) {
        return Ok(()); // To write even the present value may need CAP_SYS_RESOURCE.
    }
    write_all(&file, text.to_bytes())
}

fn parse(bytes: &[u8]) -> Option<i32> {
    std::str::from_utf8(bytes).ok()?.trim_ascii().parse().ok()
}

pub(super) fn time_offsets(text: &CStr) -> Done {
    raw::unshare(Types::TIME.0 as i32).call("unshare")?;
    let open = || raw::open_host(c"/proc/self/timens_offsets", OFlags::WRONLY);
    let file = match open() {
        // In a user namespace the files of a process that cannot be inspected are nobody's.
        Err(Errno::ACCESS) => {
            raw::prctl(libc::PR_SET_DUMPABLE, 1, 0).call("prctl")?;
            let file = open();
            raw::prctl(libc::PR_SET_DUMPABLE, 0, 0).call("prctl")?;
            file
        }
        file => file,
    };
    write_all(&file.call("openat")?, text.to_bytes())
}

pub(super) fn new_keyring() -> Done {
    let join_session_keyring = 1;
    // SAFETY: KEYCTL_JOIN_SESSION_KEYRING with a null name makes an anonymous keyring; no memory is touched.
    let returned = unsafe {
        libc::syscall(libc::SYS_keyctl, join_session_keyring, std::ptr::null::<libc::c_char>(), 0, 0, 0)
    };
    match raw::check(returned) {
        // No keyrings in this kernel, no room for one more, or the engine itself is confined: no reason to refuse.
        Ok(_) | Err(Errno::NOSYS | Errno::DQUOT | Errno::PERM) => Ok(()),
        Err(errno) => Err(errno).call("keyctl"),
    }
}

pub(super) fn loopback_up() -> Done {
    let socket = rustix::net::socket_with(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::DGRAM,
        rustix::net::SocketFlags::CLOEXEC,
        None,
    )
    .call("socket")?;
    // SAFETY: ifreq is plain old data: all-zero is valid.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l' as libc::c_char;
    request.ifr_name[1] = b'o' as libc::c_char;
    request.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short;
    // SAFETY: SIOCSIFFLAGS reads an ifreq from the live local; its name ends with NUL and its flags are set.
    let returned =
        unsafe { libc::ioctl(super::run::number(&socket), libc::SIOCSIFFLAGS, &raw const request) };
    raw::check(returned.into()).call("ioctl").map(drop)
}

pub(super) fn set_domainname(name: &CStr) -> Done {
    // SAFETY: setdomainname reads as many bytes as the text has.
    let returned = unsafe { libc::setdomainname(name.as_ptr(), name.to_bytes().len()) };
    raw::check(returned.into()).call("setdomainname").map(drop)
}

pub(super) fn personality(domain: u64) -> Done {
    // SAFETY: personality takes a number.
    raw::check(unsafe { libc::personality(domain) }.into()).call("personality").map(drop)
}

pub(super) fn schedule(scheduler: &Scheduler) -> Done {
    // SAFETY: sched_setattr reads a struct whose first field is its size, which is that of `Scheduler`.
    let returned = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, std::ptr::from_ref(scheduler), 0) };
    raw::check(returned).call("sched_setattr").map(drop)
}

pub(super) fn io_priority(priority: u32) -> Done {
    let process = 1;
    // SAFETY: ioprio_set takes numbers.
    raw::check(unsafe { libc::syscall(libc::SYS_ioprio_set, process, 0, priority) })
        .call("ioprio_set")
        .map(drop)
}

pub(super) fn affinity(cpus: &CpuSet) -> Done {
    // SAFETY: sched_setaffinity reads as many bytes as the live set has.
    let returned =
        unsafe { libc::syscall(libc::SYS_sched_setaffinity, 0, size_of_val(&cpus.0), cpus.0.as_ptr()) };
    raw::check(returned).call("sched_setaffinity").map(drop)
}

pub(super) fn memory_policy(mode: u32, nodes: &CpuSet) -> Done {
    // One more than there are bits, as the kernel counts; no nodes are said by null.
    let (mask, bits) = match nodes.is_empty() {
        true => (std::ptr::null(), 0),
        false => (nodes.0.as_ptr(), nodes.0.len() * 64 + 1),
    };
    // SAFETY: set_mempolicy reads as many bits as the live set has, or nothing through null.
    let returned = unsafe { libc::syscall(libc::SYS_set_mempolicy, mode, mask, bits) };
    raw::check(returned).call("set_mempolicy").map(drop)
}

/// Installs a filter; returns the descriptor of its notifications if it has them.
pub(super) fn seccomp(filter: &Filter) -> Result<Option<OwnedFd>, Fault> {
    let Filter { program: filter, flags, listener } = filter;
    let flags = flags | if listener.is_some() { libc::SECCOMP_FILTER_FLAG_NEW_LISTENER as u32 } else { 0 };
    let instructions = filter.len() / size_of::<libc::sock_filter>();
    let program = libc::sock_fprog {
        len: u16::try_from(instructions).map_err(|_| Errno::INVAL).call("seccomp")?,
        filter: filter.as_ptr().cast_mut().cast(),
    };
    // SAFETY: the kernel reads `len` instructions through the pointer; the bytes have room for them (any alignment will
    // do for a copy from user space), and both outlive the call.
    let returned =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program) };
    let fd = raw::check(returned).call("seccomp")?;
    // SAFETY: with the flag NEW_LISTENER the call returned a new descriptor that nobody else owns.
    Ok(listener.map(|_| unsafe { OwnedFd::from_raw_fd(fd as i32) }))
}

impl<'a> Place<'a> {
    pub(super) fn change_directory(&mut self, path: &'a CStr) -> Done {
        match self.enter(path) {
            // Perhaps the user may what root may not (NFS).
            Err(Fault { errno: Errno::ACCESS | Errno::PERM, reason: Reason::WorkingDirectory, .. }) => {
                self.later = Some(path);
                Ok(())
            }
            done => done,
        }
    }

    fn enter(&self, path: &CStr) -> Done {
        let fault = |call| move |errno| Fault { reason: Reason::WorkingDirectory, call, errno };
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        // No magic links: /proc/self/fd/7 may lead to the host (CVE-2024-21626).
        let place =
            raw::open_in_root(self.root()?, path, flags, ResolveFlags::empty()).map_err(fault("openat2"))?;
        fchdir(&place).map_err(fault("fchdir"))?;
        inside()
    }

    pub(super) fn identity(&mut self, uid: u32, gid: u32, groups: Option<&[u32]>, keep: Keep) -> Done {
        if keep == Keep::Permitted {
            raw::prctl(libc::PR_SET_KEEPCAPS, 1, 0).call("prctl")?;
        }
        groups.map_or(Ok(()), set_groups)?;
        let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
        rustix::thread::set_thread_res_gid(gid, gid, gid).call("setresgid")?;
        rustix::thread::set_thread_res_uid(uid, uid, uid).call("setresuid")?;
        match self.later.take() {
            Some(path) => self.enter(path),
            None => Ok(()),
        }
    }
}

/// Becomes the root of a user namespace. That no id of it is mapped is nothing to fail for.
pub(super) fn become_root(uid: u32, gid: u32, groups: Groups) -> Done {
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    rustix::thread::set_thread_res_gid(gid, gid, gid).call("setresgid")?;
    if groups == Groups::Free {
        set_groups(&[])?;
    }
    rustix::thread::set_thread_res_uid(uid, uid, uid).call("setresuid")
}

impl Place<'_> {
    /// Writes to a file of the process's own `attr` directory, through a procfs of its own (CVE-2019-19921).
    pub(super) fn label(&mut self, files: &[std::ffi::CString; 2], value: &CStr) -> Done {
        let pid = rustix::process::getpid().as_raw_nonzero().get().unsigned_abs();
        let mut digits = [0u8; 12];
        let digits = decimal(pid, &mut digits);
        let mut room = [0u8; 16];
        room.get_mut(..digits.len()).unwrap_or_default().copy_from_slice(digits);
        let directory = CStr::from_bytes_until_nul(&room).map_err(|_| Errno::INVAL).call("openat2")?;
        let procfs = self.own_procfs()?;
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let own = super::mounts::open_strictly(procfs, directory, flags).call("openat2")?;
        let [first, second] = files;
        let open = |file: &CStr| super::mounts::open_strictly(own.as_fd(), file, OFlags::WRONLY);
        let file = match open(first) {
            Err(Errno::NOENT) => open(second),
            file => file,
        };
        write_all(&file.call("openat2")?, value.to_bytes())
    }
}

fn set_groups(groups: &[u32]) -> Done {
    // SAFETY: setgroups reads `len` ids (u32) through the pointer. The raw call: libc's would change all threads.
    let returned = unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) };
    raw::check(returned).call("setgroups").map(drop)
}

/// Makes sure that the working directory lies below the process's root.
fn inside() -> Done {
    let mut room = [0u8; libc::PATH_MAX as usize];
    // SAFETY: getcwd writes at most the given number of bytes into the live local.
    let returned = unsafe { libc::syscall(libc::SYS_getcwd, room.as_mut_ptr(), room.len()) };
    let unreachable = |errno| Fault { reason: Reason::Unreachable, call: "getcwd", errno };
    match raw::check(returned) {
        Err(Errno::NOSYS) => return Err(Errno::NOSYS).call("getcwd"), // Then nothing is known about it.
        other => other.map_err(unreachable)?,
    };
    if room[0] == b'/' { Ok(()) } else { Err(unreachable(Errno::NOENT)) }
}
