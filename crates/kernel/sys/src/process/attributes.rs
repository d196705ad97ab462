//! Attributes of the calling process.

use super::Signal;
use crate::{Call, Result, raw};
use std::ffi::CString;

/// Sets the name that `ps -o comm` shows; only the first 15 bytes count.
///
/// # Errors
/// None that is known.
pub fn set_name(name: &str) -> Result<()> {
    let bytes: Vec<u8> = name.bytes().take_while(|byte| *byte != 0).take(15).collect();
    let text = CString::new(bytes).expect("bytes before the first NUL have none");
    // SAFETY: PR_SET_NAME reads at most 16 bytes of a string that ends with NUL.
    let returned = unsafe { libc::prctl(libc::PR_SET_NAME, text.as_ptr()) };
    Call("prctl").check(returned, || format!("PR_SET_NAME, {name:?}")).map(drop)
}

/// Makes orphaned descendants become children of the calling process.
///
/// # Errors
/// None that is known.
pub fn become_subreaper() -> Result<()> {
    let done = raw::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0);
    Call("prctl").result(done, || "PR_SET_CHILD_SUBREAPER, 1".into()).map(drop)
}

/// Has the calling process killed when the thread that made it ends.
///
/// # Errors
/// None that is known.
pub fn die_with_parent(signal: Signal) -> Result<()> {
    let done = raw::prctl(libc::PR_SET_PDEATHSIG, signal.number() as usize, 0);
    Call("prctl").result(done, || format!("PR_SET_PDEATHSIG, {}", signal.number())).map(drop)
}

/// Keeps processes of the same user from tracing this one and from reading its /proc files; no core dumps either.
///
/// # Errors
/// None that is known.
pub fn refuse_inspection() -> Result<()> {
    Call("prctl").result(raw::prctl(libc::PR_SET_DUMPABLE, 0, 0), || "PR_SET_DUMPABLE, 0".into()).map(drop)
}

/// Starts a new session without a terminal.
///
/// # Errors
/// EPERM if the process leads a process group.
pub fn new_session() -> Result<()> {
    Call("setsid").result(rustix::process::setsid(), String::new).map(drop)
}

/// Returns the effective user id.
pub fn effective_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Returns the effective group id.
pub fn effective_gid() -> u32 {
    rustix::process::getegid().as_raw()
}

/// Gives unused heap back to the kernel.
pub fn trim_memory() {
    // SAFETY: malloc_trim(3) releases free memory at the top of the heap and is thread-safe.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}

/// A resource that can be limited.
///
/// # Source
/// man 2 getrlimit
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Limit(pub(crate) u32);

impl Limit {
    /// All of them with their names.
    pub const ALL: [(&'static str, Self); 16] = [
        ("RLIMIT_AS", Self(libc::RLIMIT_AS)),
        ("RLIMIT_CORE", Self(libc::RLIMIT_CORE)),
        ("RLIMIT_CPU", Self(libc::RLIMIT_CPU)),
        ("RLIMIT_DATA", Self(libc::RLIMIT_DATA)),
        ("RLIMIT_FSIZE", Self(libc::RLIMIT_FSIZE)),
        ("RLIMIT_LOCKS", Self(libc::RLIMIT_LOCKS)),
        ("RLIMIT_MEMLOCK", Self(libc::RLIMIT_MEMLOCK)),
        ("RLIMIT_MSGQUEUE", Self(libc::RLIMIT_MSGQUEUE)),
        ("RLIMIT_NICE", Self(libc::RLIMIT_NICE)),
        ("RLIMIT_NOFILE", Self(libc::RLIMIT_NOFILE)),
        ("RLIMIT_NPROC", Self(libc::RLIMIT_NPROC)),
        ("RLIMIT_RSS", Self(libc::RLIMIT_RSS)),
        ("RLIMIT_RTPRIO", Self(libc::RLIMIT_RTPRIO)),
        ("RLIMIT_RTTIME", Self(libc::RLIMIT_RTTIME)),
        ("RLIMIT_SIGPENDING", Self(libc::RLIMIT_SIGPENDING)),
        ("RLIMIT_STACK", Self(libc::RLIMIT_STACK)),
    ];

    /// Returns the resource of a name (`RLIMIT_NOFILE`).
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, limit)| *limit)
    }

    /// Returns the name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, limit)| *limit == self).map_or("RLIMIT_?", |(name, _)| name)
    }
}

/// The limits of a resource; `u64::MAX` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// What holds now.
    pub soft: u64,
    /// Up to where the process may raise it.
    pub hard: u64,
}

/// Returns the calling process's limits of a resource.
///
/// # Errors
/// None that is known.
pub fn limits(limit: Limit) -> Result<Limits> {
    let mut present = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: prlimit(2) writes one struct to the live local; the new limit is null.
    let returned = unsafe { libc::prlimit64(0, limit.0, std::ptr::null(), &raw mut present) };
    Call("prlimit").check(returned, || format!("0, {}", limit.name()))?;
    Ok(Limits { soft: present.rlim_cur, hard: present.rlim_max })
}

/// Sets the calling process's limits of a resource.
///
/// # Errors
/// EPERM to raise the hard limit without CAP_SYS_RESOURCE; EINVAL if soft is above hard.
pub fn set_limits(limit: Limit, limits: Limits) -> Result<()> {
    Call("prlimit").result(set_limits_raw(limit, limits), || format!("0, {}, {limits:?}", limit.name()))
}

/// Sets another process's limits of a resource.
///
/// # Errors
/// EPERM to raise the hard limit without CAP_SYS_RESOURCE, or for somebody else's process; EINVAL if soft is above hard.
pub fn set_limits_of(pid: i32, limit: Limit, limits: Limits) -> Result<()> {
    let new = libc::rlimit64 { rlim_cur: limits.soft, rlim_max: limits.hard };
    // SAFETY: prlimit(2) reads one struct from the live local; the old limit is null.
    let returned = unsafe { libc::prlimit64(pid, limit.0, &raw const new, std::ptr::null_mut()) };
    Call("prlimit").check(returned, || format!("{pid}, {}, {limits:?}", limit.name())).map(drop)
}

/// Installs a filter of system calls, an array of `struct sock_filter`, for the calling thread and all that it makes.
///
/// # Errors
/// EACCES without CAP_SYS_ADMIN and without no_new_privs; EINVAL for what is no filter.
pub fn install_filter(program: &[u8]) -> Result<()> {
    let filter = crate::child::Filter { program: program.to_vec(), ..crate::child::Filter::default() };
    let done = crate::child::install(&filter);
    Call("seccomp").result(done, || format!("SET_MODE_FILTER, {} instructions", program.len() / 8))
}

/// The same without allocation.
pub(crate) fn set_limits_raw(limit: Limit, limits: Limits) -> rustix::io::Result<()> {
    let new = libc::rlimit64 { rlim_cur: limits.soft, rlim_max: limits.hard };
    // SAFETY: prlimit(2) reads one struct from the live local; the old limit is null.
    let returned = unsafe { libc::prlimit64(0, limit.0, &raw const new, std::ptr::null_mut()) };
    raw::check(returned.into()).map(drop)
}
