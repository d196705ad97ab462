//! Hooks that run in the container's namespaces: a process of the child's own, between clone and execve.

use super::Hook;
use super::run::{Done, Place, end, number};
use super::shared::{Fault, Named as _, Reason};
use super::spawn::close_all_but;
use crate::error::last_errno;
use crate::raw;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, SeekFrom};
use rustix::io::Errno;
use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};
use std::os::fd::{AsFd as _, FromRawFd as _, OwnedFd, RawFd};

impl Place<'_> {
    /// Runs a hook to its end, with the state on its standard input.
    pub(super) fn hook(&mut self, hook: &Hook) -> Done {
        let pointers = self.task.hooks.get(self.next_hook).ok_or(Errno::BADF).call("execve")?;
        self.next_hook += 1;
        rustix::fs::seek(&hook.state, SeekFrom::Start(0)).call("lseek")?;
        let (pid, pidfd) = fork()?;
        if pid == 0 {
            let errno = self.become_hook(hook, pointers);
            self.task.shared.hook_errno(errno);
            end();
        }
        let Some(pidfd) = pidfd else { return Err(Errno::BADF).call("clone3") };
        let in_time = self.wait_for(&pidfd, hook.timeout_s)?;
        let status = loop {
            match waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED) {
                Err(Errno::INTR) => {}
                other => break other.call("waitid")?,
            }
        };
        let failed = |reason, errno| Err(Fault { reason, call: "execve", errno });
        if !in_time {
            return failed(Reason::HookTimeout, Errno::TIME);
        }
        if let Some(errno) = self.task.shared.taken_hook_errno() {
            return failed(Reason::HookExecute, errno);
        }
        match status.and_then(|status| status.exit_status()) {
            Some(0) => Ok(()),
            Some(code) => {
                self.note("exit status ", code);
                failed(Reason::HookFailed, Errno::IO)
            }
            None => {
                let signal = status.and_then(|status| status.terminating_signal());
                self.note("killed by signal ", signal.unwrap_or_default());
                failed(Reason::HookFailed, Errno::IO)
            }
        }
    }

    /// Returns false if the time was up; the hook is killed then.
    fn wait_for(&self, pidfd: &OwnedFd, timeout_s: Option<u32>) -> Result<bool, Fault> {
        let limit =
            timeout_s.map(|seconds| rustix::event::Timespec { tv_sec: i64::from(seconds), tv_nsec: 0 });
        loop {
            match poll(&mut [PollFd::new(pidfd, PollFlags::IN)], limit.as_ref()) {
                Err(Errno::INTR) => {}
                Ok(0) => {
                    let _ = pidfd_send_signal(pidfd, Signal::KILL); // It may have ended just now.
                    return Ok(false);
                }
                other => return other.call("poll").map(|_| true),
            }
        }
    }

    /// Executes the hook's program; returns why it could not.
    fn become_hook(&self, hook: &Hook, (argv, envp): &super::run::Pointers) -> Errno {
        // SAFETY: dup2 of an open descriptor over this process's own standard input, which nothing here owns.
        if let Err(errno) = raw::check(unsafe { libc::dup2(number(&hook.state), 0) }.into()) {
            return errno;
        }
        if let Err(errno) = close_all_but(&[]) {
            return errno;
        }
        rustix::process::umask(Mode::from_raw_mode(0o022));
        // SAFETY: path, arguments and environment end with NUL, their arrays with null; all live in the program, of
        // which this process has its own copy.
        unsafe { libc::execve(hook.path.as_ptr(), argv.as_ptr().cast(), envp.as_ptr().cast()) };
        last_errno()
    }

    /// Keeps a text and a number as the failure's explanation.
    fn note(&self, text: &str, number: i32) {
        let mut room = [0u8; 64];
        let mut digits = [0u8; 12];
        let digits = decimal(number.unsigned_abs(), &mut digits);
        let length = text.len() + digits.len();
        let Some(place) = room.get_mut(..length) else { return };
        let (front, back) = place.split_at_mut(text.len());
        front.copy_from_slice(text.as_bytes());
        back.copy_from_slice(digits);
        self.task.shared.note(place);
    }
}

/// Returns a number's digits, written into a buffer.
pub(super) fn decimal(mut number: u32, room: &mut [u8; 12]) -> &[u8] {
    let mut at = room.len();
    loop {
        at -= 1;
        if let Some(digit) = room.get_mut(at) {
            *digit = b'0' + (number % 10) as u8;
        }
        number /= 10;
        if number == 0 {
            return room.get(at..).unwrap_or_default();
        }
    }
}

/// Forks; returns zero in the new process, and in the old one its pidfd too.
fn fork() -> Result<(i32, Option<OwnedFd>), Fault> {
    let mut pidfd: RawFd = -1;
    // SAFETY: clone_args is a struct of numbers: all-zero is valid.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = libc::CLONE_PIDFD as u64;
    args.pidfd = &raw mut pidfd as u64;
    args.exit_signal = libc::SIGCHLD as u64;
    // SAFETY: without CLONE_VM and with stack 0 this is fork. This process has one thread; the new one executes a
    // program or ends, without allocating, locking or unwinding. `args` and `pidfd` are live locals.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<libc::clone_args>()) };
    let pid = raw::check(pid).call("clone3")? as i32;
    if pid == 0 {
        return Ok((0, None));
    }
    // SAFETY: clone3 succeeded with CLONE_PIDFD, so it wrote a new descriptor that nobody else owns.
    Ok((pid, Some(unsafe { OwnedFd::from_raw_fd(pidfd) })))
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn decimal_writes_all_digits() {
        for (number, want) in [(0, "0"), (7, "7"), (130, "130"), (u32::MAX, "4294967295")] {
            assert_eq!(decimal(number, &mut [0; 12]), want.as_bytes());
        }
    }
}
