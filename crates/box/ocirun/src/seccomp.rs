//! The configuration's system call filter as a program of the kernel.

use crate::Error;
use ::seccomp::{Argument, Profile, Syscall};
use oci::runtime as spec;

/// Compiles the filter; none if the configuration has none.
///
/// # Errors
/// InvalidArgument for one that contradicts itself, Unimplemented for what is not there.
pub(crate) fn compile(spec: &spec::Spec) -> Result<Option<Vec<u8>>, Error> {
    let Some(filter) = spec.linux.as_ref().and_then(|linux| linux.seccomp.as_ref()) else { return Ok(None) };
    // Conditions on capabilities and kernels are Docker's and were decided by whoever wrote the configuration.
    Ok(Some(::seccomp::compile(&profile(filter)?, &[], (0, 0))?))
}

/// The two types have the same form in JSON.
fn profile(filter: &spec::Seccomp) -> Result<Profile, Error> {
    Ok(Profile {
        default_action: name(filter.default_action)?,
        default_errno_ret: filter.default_errno_ret,
        architectures: filter.architectures.clone(),
        arch_map: Vec::new(),
        flags: filter.flags.clone(),
        listener_path: filter
            .listener_path
            .as_ref()
            .map(|path| path.display().to_string())
            .unwrap_or_default(),
        syscalls: filter.syscalls.iter().map(syscall).collect::<Result<_, Error>>()?,
    })
}

fn syscall(rule: &spec::Syscall) -> Result<Syscall, Error> {
    let args = rule.args.iter().map(|arg| {
        Ok(Argument { index: arg.index, value: arg.value, value_two: arg.value_two, op: name(arg.op)? })
    });
    Ok(Syscall {
        names: rule.names.clone(),
        action: name(rule.action)?,
        errno_ret: rule.errno_ret,
        args: args.collect::<Result<_, Error>>()?,
        ..Syscall::default()
    })
}

/// Returns the name that a value of the specification has in JSON.
fn name(value: impl serde::Serialize) -> Result<String, Error> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => Ok(name),
        _ => Err(Error::usage("linux.seccomp: a value without a name")),
    }
}
