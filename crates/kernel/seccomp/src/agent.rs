//! What a profile asks for besides its program: flags of the installation, and an agent that decides about calls.

use crate::{Error, Profile};

const NOTIFY: &str = "SCMP_ACT_NOTIFY";

/// All actions, under OCI's names.
pub const ACTIONS: [&str; 9] = [
    "SCMP_ACT_ALLOW",
    "SCMP_ACT_ERRNO",
    "SCMP_ACT_KILL",
    "SCMP_ACT_KILL_PROCESS",
    "SCMP_ACT_KILL_THREAD",
    "SCMP_ACT_LOG",
    NOTIFY,
    "SCMP_ACT_TRACE",
    "SCMP_ACT_TRAP",
];

/// All comparisons, under OCI's names.
pub const OPERATORS: [&str; 7] = [
    "SCMP_CMP_EQ",
    "SCMP_CMP_GE",
    "SCMP_CMP_GT",
    "SCMP_CMP_LE",
    "SCMP_CMP_LT",
    "SCMP_CMP_MASKED_EQ",
    "SCMP_CMP_NE",
];

/// All flags with their numbers.
///
/// # Source
/// Linux `include/uapi/linux/seccomp.h`; WAIT_KILLABLE_RECV since 5.19.
pub const FLAGS: [(&str, u32); 4] = [
    ("SECCOMP_FILTER_FLAG_LOG", 2),
    ("SECCOMP_FILTER_FLAG_SPEC_ALLOW", 4),
    // A container's filter is installed while there is one thread: nothing has to be synchronised, and together with a
    // listener the kernel would refuse it.
    ("SECCOMP_FILTER_FLAG_TSYNC", 0),
    ("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", 32),
];

/// Returns the number of a profile's flags, for seccomp(2).
///
/// # Errors
/// InvalidArgument for one that does not exist.
pub fn flags(names: &[String]) -> Result<u32, Error> {
    names.iter().try_fold(0, |flags, name| match FLAGS.iter().find(|(known, _)| known == name) {
        Some((_, flag)) => Ok(flags | flag),
        None => Err(Error::Invalid(format!("unknown flag {name:?}"))),
    })
}

/// As [`crate::compile`], for who installs the program with its [`flags`] and, if it [`notifies`], with a listener.
///
/// # Errors
/// InvalidArgument for a profile that contradicts itself.
pub fn compile_for_agent(
    profile: &Profile,
    capabilities: &[String],
    kernel: (u32, u32),
) -> Result<Vec<u8>, Error> {
    flags(&profile.flags)?;
    crate::build(profile, capabilities, kernel)
}

/// Returns whether a profile asks an agent about anything.
pub fn notifies(profile: &Profile) -> bool {
    profile.default_action == NOTIFY || profile.syscalls.iter().any(|rule| rule.action == NOTIFY)
}

/// Returns whether a profile may ask an agent about a system call.
pub fn notifies_about(profile: &Profile, call: &str) -> bool {
    let mut named = false;
    for rule in &profile.syscalls {
        if rule.name == call || rule.names.iter().any(|name| name == call) {
            if rule.action == NOTIFY {
                return true;
            }
            named = named || rule.args.is_empty();
        }
    }
    profile.default_action == NOTIFY && !named
}

/// Refuses what a program alone cannot do.
pub(crate) fn refuse(profile: &Profile) -> Result<(), Error> {
    if flags(&profile.flags)? != 0 {
        return Err(Error::NotImplemented(profile.flags.join(", ")));
    }
    if notifies(profile) {
        return Err(Error::NotImplemented(NOTIFY.into()));
    }
    if profile.listener_path.is_empty() { Ok(()) } else { Err(Error::NotImplemented("listenerPath".into())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(json: &str) -> Profile {
        Profile::parse(json).expect("valid")
    }

    #[test]
    fn compile_refuses_what_a_program_alone_cannot_do() {
        for (json, want) in [
            (r#"{"defaultAction":"SCMP_ACT_NOTIFY"}"#, "seccomp profile: SCMP_ACT_NOTIFY is not implemented"),
            (
                r#"{"defaultAction":"SCMP_ACT_LOG","flags":["SECCOMP_FILTER_FLAG_LOG"]}"#,
                "seccomp profile: SECCOMP_FILTER_FLAG_LOG is not implemented",
            ),
            (
                r#"{"defaultAction":"SCMP_ACT_LOG","flags":["SECCOMP_FILTER_FLAG_X"]}"#,
                "seccomp profile: unknown flag \"SECCOMP_FILTER_FLAG_X\"",
            ),
            (
                r#"{"defaultAction":"SCMP_ACT_LOG","listenerPath":"/s"}"#,
                "seccomp profile: listenerPath is not implemented",
            ),
        ] {
            let refused = crate::compile(&profile(json), &[], (5, 1)).map(drop).map_err(|e| e.to_string());
            assert_eq!(refused, Err(want.into()));
        }
        let tsync = r#"{"defaultAction":"SCMP_ACT_LOG","flags":["SECCOMP_FILTER_FLAG_TSYNC"]}"#;
        assert!(crate::compile(&profile(tsync), &[], (5, 1)).is_ok());
    }

    #[test]
    fn notifies_about_knows_rules_and_the_default() {
        let by_rule = profile(
            r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_NOTIFY"}]}"#,
        );
        assert!(notifies_about(&by_rule, "mkdir") && !notifies_about(&by_rule, "read"));
        let by_default = profile(
            r#"{"defaultAction":"SCMP_ACT_NOTIFY","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]}"#,
        );
        assert!(notifies_about(&by_default, "mkdir") && !notifies_about(&by_default, "read"));
        assert!(notifies(&by_default));
    }
}
