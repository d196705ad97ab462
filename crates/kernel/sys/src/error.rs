//! The error of a system call, with the call and its arguments.

use std::fmt;

pub use rustix::io::Errno;

/// What a wrapper returns.
pub type Result<T> = std::result::Result<T, Error>;

/// A system call that failed; prints like strace.
///
/// ```text
/// openat2(5, "etc/passwd", {O_RDONLY, RESOLVE_IN_ROOT}) = ENOENT (No such file or directory)
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// The call's name.
    pub call: &'static str,
    /// Its arguments as text.
    pub args: String,
    /// The error number.
    pub errno: Errno,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { call, args, errno } = self;
        write!(f, "{call}({args}) = {} ({})", errno_name(*errno), describe(*errno))
    }
}

impl std::error::Error for Error {}

impl Error {
    /// Returns whether the error number is this one.
    pub fn is(&self, errno: Errno) -> bool {
        self.errno == errno
    }
}

impl From<Error> for std::io::Error {
    fn from(error: Error) -> Self {
        Self::new(std::io::Error::from(error.errno).kind(), error)
    }
}

/// The name of a system call; turns results into [`Result`]s. The arguments are formatted only on failure.
#[derive(Debug, Clone, Copy)]
pub struct Call(pub &'static str);

impl Call {
    /// Takes a return value of libc or of a raw system call: -1 is a failure, whose number is in `errno`.
    pub fn check<T: Into<i64> + Copy>(self, returned: T, args: impl FnOnce() -> String) -> Result<T> {
        if returned.into() == -1 { Err(self.failed(last_errno(), args)) } else { Ok(returned) }
    }

    /// Takes a result of rustix.
    pub fn result<T>(self, result: rustix::io::Result<T>, args: impl FnOnce() -> String) -> Result<T> {
        result.map_err(|errno| self.failed(errno, args))
    }

    /// Calls again as long as the call is interrupted.
    pub fn retry<T>(
        self,
        mut call: impl FnMut() -> rustix::io::Result<T>,
        args: impl FnOnce() -> String,
    ) -> Result<T> {
        loop {
            match call() {
                Err(Errno::INTR) => {}
                result => return self.result(result, args),
            }
        }
    }

    /// Returns the error for a number.
    pub fn failed(self, errno: Errno, args: impl FnOnce() -> String) -> Error {
        Error { call: self.0, args: args(), errno }
    }
}

/// Returns the number of the last failed libc call of this thread.
pub(crate) fn last_errno() -> Errno {
    let number = std::io::Error::last_os_error().raw_os_error();
    Errno::from_raw_os_error(number.expect("last_os_error always has a number"))
}

/// Returns the kernel's text for an error number, without the number: `No such file or directory`.
pub fn describe(errno: Errno) -> String {
    let mut text = std::io::Error::from(errno).to_string();
    if let Some(at) = text.rfind(" (os error") {
        text.truncate(at);
    }
    text
}

/// Returns the symbolic name of an error number, or `errno N` for rare ones.
pub fn errno_name(errno: Errno) -> String {
    let number = errno.raw_os_error();
    match NAMES.iter().find(|(known, _)| *known == number) {
        Some((_, name)) => (*name).to_owned(),
        None => format!("errno {number}"),
    }
}

macro_rules! names {
    ($($name:ident)*) => { &[$((libc::$name, stringify!($name))),*] };
}

const NAMES: &[(i32, &str)] = names! {
    EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT ENOTBLK EBUSY EEXIST EXDEV
    ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM ERANGE EDEADLK
    ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY ELOOP ENODATA ETIME ENOLINK EPROTO EBADMSG EOVERFLOW EUSERS ENOTSOCK
    EDESTADDRREQ EMSGSIZE EPROTOTYPE ENOPROTOOPT EPROTONOSUPPORT EOPNOTSUPP EAFNOSUPPORT EADDRINUSE EADDRNOTAVAIL
    ENETDOWN ENETUNREACH ECONNABORTED ECONNRESET ENOBUFS EISCONN ENOTCONN ETIMEDOUT ECONNREFUSED EHOSTUNREACH EALREADY
    EINPROGRESS ESTALE EUCLEAN EDQUOT ENOMEDIUM EMEDIUMTYPE ECANCELED ENOKEY EKEYREJECTED
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_prints_like_strace() {
        let error = Call("openat2").failed(Errno::NOENT, || r#"5, "x", 0"#.into());
        assert_eq!(error.to_string(), r#"openat2(5, "x", 0) = ENOENT (No such file or directory)"#);
        let rare = Call("f").failed(Errno::from_raw_os_error(999), String::new);
        assert_eq!(rare.to_string(), "f() = errno 999 (Unknown error 999)");
    }

    #[test]
    fn check_reads_errno_of_a_failed_call() {
        // SAFETY: close of a number that is no descriptor changes nothing.
        let returned = unsafe { libc::close(-1) };
        let error = Call("close").check(returned, || "-1".into()).expect_err("-1 is no descriptor");
        assert_eq!(error, Error { call: "close", args: "-1".into(), errno: Errno::BADF });
    }
}
