//! Spawning a program without copying the caller's memory.

use super::open;
use crate::{Call, Errno, Result};
use rustix::io::fcntl_dupfd_cloexec;
use std::ffi::CString;
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};
use std::ptr;

/// A program to spawn.
#[derive(Debug)]
pub struct Command<'a> {
    /// The executable file, for example a sealed memfd.
    pub program: BorrowedFd<'a>,
    /// The arguments, the zeroth included.
    pub args: &'a [CString],
    /// The whole environment, `NAME=value`.
    pub env: &'a [CString],
    /// Descriptors that the program gets, with the numbers that they have there. All others are closed as far as they
    /// are CLOEXEC; 0, 1 and 2 are inherited unless they are named here.
    pub fds: &'a [(BorrowedFd<'a>, i32)],
    /// Whether it leads a new session, away from the caller's terminal and process group.
    pub session: Session,
}

/// Whose session a spawned program is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Session {
    /// The caller's.
    Inherited,
    /// A new one that it leads.
    New,
}

/// A program that was spawned: a child of the caller that has to be reaped with [`super::wait`].
#[derive(Debug)]
pub struct Spawned {
    /// Its process id.
    pub pid: i32,
    /// Its pidfd.
    pub pidfd: OwnedFd,
}

/// Spawns a program from a descriptor.
///
/// Signal dispositions are the defaults and no signal is blocked in it. Uses vfork semantics: the cost does not depend
/// on the caller's size, and the calling thread waits until the program was executed.
///
/// # Errors
/// ENOEXEC, EACCES if the file cannot be executed; ENOENT without /proc; EAGAIN, ENOMEM at the limits.
pub fn spawn(command: &Command<'_>) -> Result<Spawned> {
    let lowest = command.fds.iter().map(|(_, target)| target + 1).max().unwrap_or(0).max(3);
    // Away from the numbers that are about to be taken.
    let program = duplicate(command.program, lowest)?;
    let mut fds = Vec::with_capacity(command.fds.len());
    for (fd, target) in command.fds {
        fds.push((duplicate(*fd, lowest)?, *target));
    }
    let path = format!("/proc/self/fd/{}", program.as_raw_fd());
    let args = || format!("{path:?}, {:?}", command.args);
    let c_path = CString::new(path.as_str()).expect("a path of digits has no NUL");

    let mut actions = Actions::new()?;
    for (fd, target) in &fds {
        actions.duplicate(fd.as_raw_fd(), *target)?;
    }
    let attributes = Attributes::new(command.session)?;
    let argv = pointers(command.args);
    let envp = pointers(command.env);
    let mut pid = 0;
    // SAFETY: the path and all arguments end with NUL, the arrays with null; the actions and attributes were
    // initialised; everything outlives the call, which returns after the execve or its failure.
    let number = unsafe {
        libc::posix_spawn(
            &raw mut pid,
            c_path.as_ptr(),
            &raw const actions.0,
            &raw const attributes.0,
            argv.as_ptr(),
            envp.as_ptr(),
        )
    };
    returned(number, args)?;
    // It is our child and not reaped, so the id is still its own.
    Ok(Spawned { pid, pidfd: open(pid)? })
}

/// Spawns a program by its path, with a standard input of its own, the caller's output and error streams, and no other
/// descriptor, whatever the caller has.
///
/// # Errors
/// ENOENT, EACCES, ENOEXEC if the file cannot be executed; EAGAIN, ENOMEM at the limits.
pub fn spawn_alone(
    path: &std::ffi::CStr,
    args: &[CString],
    env: &[CString],
    stdin: BorrowedFd<'_>,
) -> Result<Spawned> {
    let mut actions = Actions::new()?;
    actions.duplicate(stdin.as_raw_fd(), 0)?;
    actions.close_from(3)?;
    let attributes = Attributes::new(Session::Inherited)?;
    let (argv, envp) = (pointers(args), pointers(env));
    let mut pid = 0;
    // SAFETY: as in `spawn`.
    let number = unsafe {
        libc::posix_spawn(
            &raw mut pid,
            path.as_ptr(),
            &raw const actions.0,
            &raw const attributes.0,
            argv.as_ptr(),
            envp.as_ptr(),
        )
    };
    returned(number, || format!("{path:?}, {args:?}"))?;
    // It is our child and not reaped, so the id is still its own.
    Ok(Spawned { pid, pidfd: open(pid)? })
}

fn duplicate(fd: BorrowedFd<'_>, lowest: i32) -> Result<OwnedFd> {
    Call("fcntl")
        .result(fcntl_dupfd_cloexec(fd, lowest), || format!("{}, F_DUPFD_CLOEXEC, {lowest}", fd.as_raw_fd()))
}

/// Returns pointers to the texts, and a null at the end. They are valid as long as the texts are.
pub(crate) fn pointers(texts: &[CString]) -> Vec<*mut libc::c_char> {
    texts.iter().map(|text| text.as_ptr().cast_mut()).chain([ptr::null_mut()]).collect()
}

/// Takes what the posix_spawn family returns: the error number itself.
fn returned(number: libc::c_int, args: impl FnOnce() -> String) -> Result<()> {
    if number == 0 { Ok(()) } else { Err(Call("posix_spawn").failed(Errno::from_raw_os_error(number), args)) }
}

struct Actions(libc::posix_spawn_file_actions_t);

impl Actions {
    fn new() -> Result<Self> {
        let mut actions = std::mem::MaybeUninit::uninit();
        // SAFETY: the function initialises what the pointer points to.
        returned(unsafe { libc::posix_spawn_file_actions_init(actions.as_mut_ptr()) }, || {
            "file_actions_init".into()
        })?;
        // SAFETY: it returned success, so the struct is initialised.
        Ok(Self(unsafe { actions.assume_init() }))
    }

    fn duplicate(&mut self, fd: i32, target: i32) -> Result<()> {
        // SAFETY: the struct is initialised; the function copies the numbers.
        let number = unsafe { libc::posix_spawn_file_actions_adddup2(&raw mut self.0, fd, target) };
        returned(number, || format!("adddup2, {fd}, {target}"))
    }
}

impl Actions {
    fn close_from(&mut self, first: i32) -> Result<()> {
        // SAFETY: the struct is initialised; the function copies the number (glibc 2.34).
        let number = unsafe { libc::posix_spawn_file_actions_addclosefrom_np(&raw mut self.0, first) };
        returned(number, || format!("addclosefrom_np, {first}"))
    }
}

impl Drop for Actions {
    fn drop(&mut self) {
        // SAFETY: the struct is initialised and is not used afterwards.
        unsafe { libc::posix_spawn_file_actions_destroy(&raw mut self.0) };
    }
}

struct Attributes(libc::posix_spawnattr_t);

impl Attributes {
    fn new(session: Session) -> Result<Self> {
        let mut attributes = std::mem::MaybeUninit::uninit();
        // SAFETY: the function initialises what the pointer points to.
        returned(unsafe { libc::posix_spawnattr_init(attributes.as_mut_ptr()) }, || "attr_init".into())?;
        // SAFETY: it returned success, so the struct is initialised.
        let mut this = Self(unsafe { attributes.assume_init() });
        let mut flags = libc::POSIX_SPAWN_SETSIGDEF | libc::POSIX_SPAWN_SETSIGMASK;
        if session == Session::New {
            flags |= i32::from(libc::POSIX_SPAWN_SETSID);
        }
        // SAFETY: an all-zero sigset_t is valid; the functions fill it and copy it into the initialised struct.
        let number = unsafe {
            let mut all: libc::sigset_t = std::mem::zeroed();
            let mut none: libc::sigset_t = std::mem::zeroed();
            libc::sigfillset(&raw mut all);
            libc::sigemptyset(&raw mut none);
            libc::posix_spawnattr_setsigdefault(&raw mut this.0, &raw const all);
            libc::posix_spawnattr_setsigmask(&raw mut this.0, &raw const none);
            libc::posix_spawnattr_setflags(&raw mut this.0, flags as libc::c_short)
        };
        returned(number, || format!("attr_setflags, {flags:#x}"))?;
        Ok(this)
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: the struct is initialised and is not used afterwards.
        unsafe { libc::posix_spawnattr_destroy(&raw mut self.0) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::{Exit, Signal, send, try_wait, wait};
    use std::fs::File;
    use std::io::Read as _;
    use std::os::fd::AsFd as _;

    fn c(texts: &[&str]) -> Vec<CString> {
        texts.iter().map(|text| CString::new(*text).expect("no NUL")).collect()
    }

    #[test]
    fn spawn_passes_arguments_environment_and_descriptors() {
        let program = File::open("/bin/busybox").expect("busybox is installed");
        let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).expect("pipe");
        let script = format!(
            "exec >&200; echo $A $0 $1; test -e /proc/$$/fd/{} && exit 4; exit 3",
            writer.as_raw_fd()
        );
        let command = Command {
            program: program.as_fd(),
            args: &c(&["busybox", "sh", "-c", &script, "x", "y"]),
            env: &c(&["A=b"]),
            fds: &[(writer.as_fd(), 200)],
            session: Session::New,
        };
        let child = spawn(&command).expect("busybox can be executed");
        drop(writer);
        let mut text = String::new();
        File::from(reader).read_to_string(&mut text).expect("text");
        assert_eq!(wait(&child.pidfd), Ok(Exit { code: 3, signal: None }));
        assert_eq!(text, "b x y\n");
    }

    #[test]
    fn wait_reports_the_signal_of_a_killed_child() {
        let program = File::open("/bin/busybox").expect("busybox is installed");
        let command = Command {
            program: program.as_fd(),
            args: &c(&["sleep", "100"]),
            env: &[],
            fds: &[],
            session: Session::Inherited,
        };
        let child = spawn(&command).expect("busybox can be executed");
        assert_eq!(try_wait(&child.pidfd), Ok(None));
        send(&child.pidfd, Signal::KILL).expect("it lives");
        assert_eq!(wait(&child.pidfd), Ok(Exit { code: 137, signal: Some(9) }));
        assert_eq!(send(&child.pidfd, Signal::KILL).map_err(|e| e.errno), Err(Errno::SRCH));
    }

    #[test]
    fn spawn_of_a_file_that_is_no_program_fails() {
        let program = File::open("/etc/passwd").expect("exists");
        let command = Command {
            program: program.as_fd(),
            args: &c(&["x"]),
            env: &[],
            fds: &[],
            session: Session::Inherited,
        };
        assert_eq!(spawn(&command).map(|s| s.pid).map_err(|e| e.errno), Err(Errno::ACCESS));
    }
}
