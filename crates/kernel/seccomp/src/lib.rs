//! Seccomp profiles: from JSON (Docker's form and OCI's, which is a part of it) to the program that the kernel runs.
//!
//! ```text
//! Profile  --resolve(capabilities, kernel, architecture)-->  Rules per architecture  --assemble-->  [sock_filter]
//! ```
//! Installing the program is the runtime's work.

#![forbid(unsafe_code)]

mod profile;

mod agent;

mod default;

mod resolve;

mod assemble;

mod condition;

mod arch;

mod table;

mod error;

pub use agent::{ACTIONS, FLAGS, OPERATORS, compile_for_agent, flags, notifies, notifies_about};
pub use arch::NAMES as ARCHITECTURES;
pub use default::default_profile;
pub use error::Error;
pub use profile::{ArchMap, Argument, Filter, Profile, Syscall};

/// Compiles a profile for this machine's architecture into an array of `struct sock_filter`.
///
/// `capabilities` is the bounding set (`CAP_CHOWN`, …), `kernel` the version's first two numbers: both switch rules on
/// and off.
///
/// The program answers ENOSYS, not the default action, for system calls that are newer than all that the profile names,
/// so that programs fall back to older calls (as runc does), and kills a process that uses an architecture that the
/// profile does not name.
///
/// # Errors
/// InvalidArgument for a profile that contradicts itself; Unimplemented for SCMP_ACT_NOTIFY and for flags other than
/// SECCOMP_FILTER_FLAG_TSYNC, which need more than a program ([`compile_for_agent`]).
pub fn compile(profile: &Profile, capabilities: &[String], kernel: (u32, u32)) -> Result<Vec<u8>, Error> {
    agent::refuse(profile)?;
    build(profile, capabilities, kernel)
}

fn build(profile: &Profile, capabilities: &[String], kernel: (u32, u32)) -> Result<Vec<u8>, Error> {
    let rules = resolve::resolve(profile, capabilities, kernel, arch::native()?)?;
    let program = assemble::assemble(&rules)?;
    Ok(program.iter().flat_map(|instruction| instruction.to_bytes()).collect())
}
