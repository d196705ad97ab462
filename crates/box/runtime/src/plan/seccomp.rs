//! The filter of system calls, from the specification to what the child installs.

use super::text::c_text;
use crate::Error;
use oci::runtime::Seccomp;
use sys::child::Filter;

/// The filter, planned.
#[derive(Debug, Default)]
pub(crate) struct Planned {
    pub(crate) filter: Filter,
    /// Who decides about notifications.
    pub(crate) agent: Option<Agent>,
}

/// Who decides about notifications.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Agent {
    pub(crate) socket: std::path::PathBuf,
    pub(crate) metadata: String,
}

/// The number of the event with which the parent gets the descriptor of notifications.
pub(crate) const LISTENER: u8 = 3;

/// The calls with which a child tells its parent that it has installed the filter: nobody could answer for them.
const OWN_CALLS: [&str; 2] = ["sendmsg", "read"];

/// Compiles a profile.
pub(crate) fn plan(profile: &Seccomp) -> Result<Planned, Error> {
    let wrong = |error: ::seccomp::Error| match error {
        ::seccomp::Error::NotImplemented(what) => Error::not_implemented("linux.seccomp", what),
        error => Error::invalid("linux.seccomp", error::chain(&error)),
    };
    let flags = ::seccomp::flags(&profile.flags).map_err(wrong)?;
    let domain = domain(profile);
    let program = ::seccomp::compile_for_agent(&domain, &[], sys::probe::kernel()).map_err(wrong)?;
    let notifies = ::seccomp::notifies(&domain);
    let agent = match (&profile.listener_path, notifies) {
        (Some(socket), true) => {
            c_text("linux.seccomp.listenerMetadata", &profile.listener_metadata)?;
            Some(Agent { socket: socket.clone(), metadata: profile.listener_metadata.clone() })
        }
        (None, true) => {
            return Err(Error::invalid(
                "linux.seccomp.listenerPath",
                "is missing, as SCMP_ACT_NOTIFY is used",
            ));
        }
        (_, false) if !profile.listener_metadata.is_empty() && profile.listener_path.is_none() => {
            return Err(Error::invalid("linux.seccomp.listenerMetadata", "needs linux.seccomp.listenerPath"));
        }
        (_, false) => None,
    };
    if agent.is_some()
        && let Some(call) = OWN_CALLS.iter().find(|call| ::seccomp::notifies_about(&domain, call))
    {
        let reason =
            format!("SCMP_ACT_NOTIFY cannot be used for {call}: the container's process needs it to start");
        return Err(Error::invalid("linux.seccomp", reason));
    }
    let listener = agent.is_some().then_some(LISTENER);
    Ok(Planned { filter: Filter { program, flags, listener }, agent })
}

/// Compiles a container's profile for a further process in it.
///
/// # Errors
/// As [`crate::plan`]; Unimplemented for one with notifications, since a further process has no agent.
pub fn exec_filter(profile: &Seccomp) -> Result<Filter, Error> {
    let Planned { filter, agent } = plan(profile)?;
    match agent {
        None => Ok(filter),
        Some(_) => Err(Error::not_implemented("linux.seccomp", "SCMP_ACT_NOTIFY for further processes")),
    }
}

/// Returns the profile in the compiler's form.
fn domain(profile: &Seccomp) -> ::seccomp::Profile {
    let argument = |arg: &oci::runtime::Arg| ::seccomp::Argument {
        index: arg.index,
        value: arg.value,
        value_two: arg.value_two,
        op: arg.op.name().into(),
    };
    let rule = |rule: &oci::runtime::Syscall| ::seccomp::Syscall {
        names: rule.names.clone(),
        action: rule.action.name().into(),
        errno_ret: rule.errno_ret,
        args: rule.args.iter().map(argument).collect(),
        ..seccomp::Syscall::default()
    };
    ::seccomp::Profile {
        default_action: profile.default_action.name().into(),
        default_errno_ret: profile.default_errno_ret,
        architectures: profile.architectures.clone(),
        syscalls: profile.syscalls.iter().map(rule).collect(),
        ..seccomp::Profile::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(json: &str) -> Result<Planned, String> {
        let profile: Seccomp = serde_json::from_str(json).expect("a profile");
        plan(&profile).map_err(|error| error.to_string())
    }

    #[test]
    fn flags_and_listener_go_to_the_filter() {
        let text = r#"{"defaultAction":"SCMP_ACT_ALLOW","flags":["SECCOMP_FILTER_FLAG_LOG","SECCOMP_FILTER_FLAG_TSYNC","SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"],
            "listenerPath":"/s","listenerMetadata":"m","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_NOTIFY"}]}"#;
        let planned = planned(text).expect("fine");
        assert_eq!((planned.filter.flags, planned.filter.listener), (2 | 32, Some(LISTENER)));
        assert_eq!(planned.agent, Some(Agent { socket: "/s".into(), metadata: "m".into() }));
    }

    #[test]
    fn wrong_profiles_are_refused_by_field() {
        let notify = r#"[{"names":["sendmsg"],"action":"SCMP_ACT_NOTIFY"}]"#;
        for (json, want) in [
            (
                format!(r#"{{"defaultAction":"SCMP_ACT_ALLOW","syscalls":{notify}}}"#),
                "linux.seccomp.listenerPath: is missing, as SCMP_ACT_NOTIFY is used",
            ),
            (
                format!(r#"{{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/s","syscalls":{notify}}}"#),
                "linux.seccomp: SCMP_ACT_NOTIFY cannot be used for sendmsg: the container's process needs it to start",
            ),
            (
                r#"{"defaultAction":"SCMP_ACT_ALLOW","listenerMetadata":"x"}"#.into(),
                "linux.seccomp.listenerMetadata: needs linux.seccomp.listenerPath",
            ),
            (
                r#"{"defaultAction":"SCMP_ACT_ALLOW","flags":["X"]}"#.into(),
                "linux.seccomp: seccomp profile: unknown flag \"X\"",
            ),
            (
                r#"{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_VAX"]}"#.into(),
                "linux.seccomp: seccomp profile: unknown architecture \"SCMP_ARCH_VAX\"",
            ),
        ] {
            assert_eq!(planned(&json).map(drop), Err(want.into()));
        }
    }
}
