//! Why a child gave up, in words for the user.

use super::Names;
use crate::error::{Cause, Error};
use sys::Errno;
use sys::child::{Failure, Reason};

fn hook(path: String, reason: String) -> Error {
    Error::Hook { kind: "container", path, reason }
}

/// Turns the child's failure into an error with Docker's text where scripts match on it.
pub(crate) fn explain(failure: Failure, names: &Names) -> Error {
    let Failure { reason, step, args, source } = failure;
    let program = names.program.clone();
    let errno = source.errno;
    let execute = |cause| Error::Execute { program: program.clone(), errno, cause: Some(cause) };
    let refused = |reason| Error::Unsafe { step: step.clone(), args: args.clone(), reason };
    match reason {
        Reason::NotInPath => Error::NotInPath(program),
        Reason::Relative => Error::Relative(program),
        Reason::Stat => Error::Stat { program, errno },
        Reason::IsDirectory | Reason::Denied => Error::NotExecutable { program, errno },
        Reason::Execute => Error::Execute { program, errno, cause: None },
        Reason::NoInterpreter => execute(Cause::NoInterpreter(source.args)),
        Reason::CarriageReturn => execute(Cause::CarriageReturn(source.args)),
        Reason::InterpreterDenied => execute(Cause::InterpreterDenied(source.args)),
        Reason::NoLoader => execute(Cause::NoLoader(source.args)),
        Reason::OtherMachine => execute(Cause::OtherMachine(source.args.parse().unwrap_or(0))),
        Reason::NoFormat => execute(Cause::NoFormat),
        Reason::WorkingDirectory => {
            Error::WorkingDirectory { path: names.cwd.to_string_lossy().into_owned(), errno }
        }
        Reason::Unreachable => Error::Breakout,
        Reason::OnProcfs => refused("its place lies inside /proc"),
        Reason::NoNullDevice => refused("the host's /dev/null is not the null device"),
        Reason::OtherDevice => refused("something else is at its place"),
        Reason::NoTerminals => refused("no devpts is mounted at /dev/pts"),
        Reason::NotProcfs => refused("it is not on procfs"),
        Reason::HookFailed => hook(args, source.args),
        Reason::HookExecute => hook(args, sys::describe(errno)),
        Reason::HookTimeout => hook(args, "took longer than its timeout".into()),
        Reason::Call if errno == Errno::NOTDIR && step == "bind mount" => Error::MountType { target: args },
        Reason::Call | Reason::Orphaned => Error::Init { step, args, source },
    }
}
