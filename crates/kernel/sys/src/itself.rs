//! What a long-lived process does to itself.

use crate::{Call, Result, process};

/// Ignores a signal. Ignored signals stay ignored across execve: whoever starts programs resets them.
///
/// # Errors
/// EINVAL for SIGKILL, SIGSTOP, and numbers that are no signal.
///
/// # Source
/// man 2 signal
pub fn ignore_signal(signal: i32) -> Result<()> {
    // SAFETY: SIG_IGN is no function of ours, so nothing is called; the previous disposition is not used.
    let previous = unsafe { libc::signal(signal, libc::SIG_IGN) };
    let returned = if previous == libc::SIG_ERR { -1 } else { 0 };
    Call("signal").check(returned, || format!("{signal}, SIG_IGN")).map(drop)
}

/// Raises this process's limit of open files to the highest that it may have; returns what it was: soft, hard.
///
/// Whoever starts programs gives them the old one: many a program still believes that descriptors are below 1024.
///
/// # Errors
/// None that a process could meet.
///
/// # Source
/// man 2 getrlimit, RLIMIT_NOFILE
pub fn raise_open_files() -> Result<(u64, u64)> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let before = getrlimit(Resource::Nofile);
    let highest = Rlimit { current: before.maximum, maximum: before.maximum };
    Call("setrlimit")
        .result(setrlimit(Resource::Nofile, highest), || format!("RLIMIT_NOFILE, {:?}", before.maximum))?;
    Ok((before.current.unwrap_or(u64::MAX), before.maximum.unwrap_or(u64::MAX)))
}

/// Gives all memory back to the kernel that the process does not need while it waits: the free heap, the stack below the
/// caller, and its code, which the kernel maps again piece by piece as it is executed.
///
/// For the main thread of a process that did much once and now mostly sleeps. It costs some ten microseconds, and as many
/// page faults afterwards as pages are in use.
///
/// # Source
/// man 2 madvise, MADV_DONTNEED; man 3 malloc_trim
pub fn shrink() {
    process::trim_memory();
    release_stack();
    release_code();
}

const PAGE_BYTES: usize = 4096;

/// What is left alone below this frame: the frames of the calls here, and the red zone.
const STACK_IN_USE_BYTES: usize = 4 * PAGE_BYTES;

/// How far down it looks; the kernel keeps a gap of 1 MiB below the stack free of other mappings.
const STACK_SEARCH_BYTES: usize = 512 * 1024;

fn release_stack() {
    let here = 0_u8;
    let end = (&raw const here as usize - STACK_IN_USE_BYTES) & !(PAGE_BYTES - 1);
    let start = end - STACK_SEARCH_BYTES;
    // SAFETY: nothing lives below the stack pointer and the red zone under it; the margin is far larger than both. What
    // is not mapped in the range is passed over, and the range ends before any other mapping (stack_guard_gap). Pages that
    // were discarded read as zeroes when the stack grows into them again, and a grown stack is written before it is read.
    unsafe { libc::madvise(start as *mut libc::c_void, end - start, libc::MADV_DONTNEED) };
}

#[cfg(all(target_os = "linux", target_feature = "crt-static"))]
fn release_code() {
    unsafe extern "C" {
        /// The program's first byte in memory, and the first after its code: set by the linker.
        static __executable_start: u8;
        static etext: u8;
    }
    let start = &raw const __executable_start as usize;
    let end = &raw const etext as usize & !(PAGE_BYTES - 1);
    if start.is_multiple_of(PAGE_BYTES) && start < end {
        // SAFETY: a static program without text relocations: headers, constants and code are mapped from its file, were
        // never written, and are read from there again when they are needed.
        unsafe { libc::madvise(start as *mut libc::c_void, end - start, libc::MADV_DONTNEED) };
    }
}

/// With dynamic linking the pages before the code may hold relocated data.
#[cfg(not(all(target_os = "linux", target_feature = "crt-static")))]
fn release_code() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process_goes_on_after_shrinking() {
        let text = vec![String::from("kept"); 1000];
        for _ in 0..3 {
            shrink();
        }
        assert_eq!(text.iter().filter(|text| *text == "kept").count(), 1000);
    }

    #[test]
    fn signals_that_cannot_be_ignored_are_refused() {
        assert!(ignore_signal(libc::SIGKILL).expect_err("SIGKILL").is(crate::Errno::INVAL));
    }
}
