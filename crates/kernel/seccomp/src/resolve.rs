//! A profile under given circumstances: which rules apply, and what each system call of each architecture gets.

use crate::Error;
use crate::arch::Arch;
use crate::condition::{Condition, Operator};
use crate::profile::{Filter, Profile, Syscall};
use std::collections::BTreeMap;

/// A return value of a seccomp program.
///
/// # Source
/// Linux `include/uapi/linux/seccomp.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Action(pub(crate) u32);

impl Action {
    pub(crate) const KILL_PROCESS: Self = Self(0x8000_0000);
    pub(crate) const KILL_THREAD: Self = Self(0);
    pub(crate) const TRAP: Self = Self(0x0003_0000);
    pub(crate) const LOG: Self = Self(0x7ffc_0000);
    pub(crate) const NOTIFY: Self = Self(0x7fc0_0000);
    pub(crate) const ALLOW: Self = Self(0x7fff_0000);
    pub(crate) const ENOSYS: Self = Self(0x0005_0000 | 38);

    const fn errno(errno: u32) -> Self {
        Self(0x0005_0000 | errno)
    }

    const fn trace(message: u32) -> Self {
        Self(0x7ff0_0000 | message)
    }

    /// Returns whether a program runs on after it.
    fn permits(self) -> bool {
        matches!(self.0 & 0xffff_0000, 0x7fff_0000 | 0x7ffc_0000 | 0x7ff0_0000 | 0x7fc0_0000)
    }

    fn parse(name: &str, errno: Option<u32>) -> Result<Self, Error> {
        const EPERM: u32 = 1;
        const MAX_ERRNO: u32 = 4095;
        if let Some(value) = errno.filter(|value| *value > MAX_ERRNO) {
            return Err(Error::Invalid(format!("errnoRet {value} is above {MAX_ERRNO}")));
        }
        let value = errno.unwrap_or(EPERM);
        match name {
            "SCMP_ACT_ALLOW" => Ok(Self::ALLOW),
            "SCMP_ACT_ERRNO" => Ok(Self::errno(value)),
            "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => Ok(Self::KILL_THREAD),
            "SCMP_ACT_KILL_PROCESS" => Ok(Self::KILL_PROCESS),
            "SCMP_ACT_LOG" => Ok(Self::LOG),
            "SCMP_ACT_TRACE" => Ok(Self::trace(value)),
            "SCMP_ACT_TRAP" => Ok(Self::TRAP),
            "SCMP_ACT_NOTIFY" => Ok(Self::NOTIFY),
            other => Err(Error::Invalid(format!("unknown action {other:?}"))),
        }
    }
}

/// What one system call gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Always the same.
    Always(Action),
    /// The first alternative whose conditions all hold, else the default action.
    If(Vec<(Vec<Condition>, Action)>),
}

/// What the system calls of one architecture get; those that are missing get the default action.
#[derive(Clone, Debug)]
pub(crate) struct ArchRules {
    pub(crate) arch: Arch,
    pub(crate) calls: BTreeMap<u32, Verdict>,
    /// Calls above this number get ENOSYS.
    pub(crate) last_known: Option<u32>,
}

/// A profile, resolved.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) default: Action,
    pub(crate) arches: Vec<ArchRules>,
}

/// Resolves a profile.
pub(crate) fn resolve(
    profile: &Profile,
    capabilities: &[String],
    kernel: (u32, u32),
    native: Arch,
) -> Result<Rules, Error> {
    let default = Action::parse(&profile.default_action, profile.default_errno_ret)?;
    let mut rules = Vec::new();
    for syscall in &profile.syscalls {
        if applies(syscall, capabilities, kernel, native)? {
            rules.push(Rule::parse(syscall)?);
        }
    }
    let arches = arches(profile, native)?;
    let arches = arches.into_iter().map(|arch| arch_rules(arch, default, &rules)).collect();
    Ok(Rules { default, arches })
}

fn arches(profile: &Profile, native: Arch) -> Result<Vec<Arch>, Error> {
    if !profile.architectures.is_empty() && !profile.arch_map.is_empty() {
        let text = "both 'architectures' and 'archMap' are specified in the seccomp profile, \
                    use either 'architectures' or 'archMap'";
        return Err(Error::Invalid(text.into()));
    }
    let mapped = profile.arch_map.iter().find(|entry| entry.architecture == native.name());
    let further = mapped.map_or(&profile.architectures, |entry| &entry.sub_architectures);
    let mut arches = vec![native];
    for name in further {
        if let Some(arch) = Arch::parse(name)?.filter(|arch| !arches.contains(arch)) {
            arches.push(arch);
        }
    }
    Ok(arches)
}

/// Returns whether the conditions of a rule hold.
fn applies(
    syscall: &Syscall,
    capabilities: &[String],
    kernel: (u32, u32),
    native: Arch,
) -> Result<bool, Error> {
    let has_arch = |filter: &Filter| filter.arches.iter().any(|name| name == native.go_name());
    let has_cap = |name: &String| capabilities.contains(name);
    let Syscall { includes, excludes, .. } = syscall;
    if has_arch(excludes) || excludes.caps.iter().any(has_cap) {
        return Ok(false);
    }
    if !excludes.min_kernel.is_empty() && kernel >= version(&excludes.min_kernel)? {
        return Ok(false);
    }
    if !includes.arches.is_empty() && !has_arch(includes) || !includes.caps.iter().all(has_cap) {
        return Ok(false);
    }
    Ok(includes.min_kernel.is_empty() || kernel >= version(&includes.min_kernel)?)
}

fn version(text: &str) -> Result<(u32, u32), Error> {
    let parse = || {
        let (major, minor) = text.split_once('.')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    };
    parse().ok_or_else(|| Error::Invalid(format!("minKernel {text:?} is not of the form 4.8")))
}

/// A rule whose conditions on the machine hold.
struct Rule<'a> {
    names: Vec<&'a str>,
    action: Action,
    /// Alternatives; none for a rule without conditions on arguments.
    alternatives: Vec<Vec<Condition>>,
}

impl<'a> Rule<'a> {
    fn parse(syscall: &'a Syscall) -> Result<Self, Error> {
        let mut names: Vec<&str> = syscall.names.iter().map(String::as_str).collect();
        if !syscall.name.is_empty() {
            if !names.is_empty() {
                let text = "both 'name' and 'names' are specified in the seccomp profile, use either 'name' or 'names'";
                return Err(Error::Invalid(text.into()));
            }
            names.push(&syscall.name);
        }
        let action = Action::parse(&syscall.action, syscall.errno_ret)?;
        let mut conditions = Vec::new();
        for argument in &syscall.args {
            let index = u8::try_from(argument.index).ok().filter(|index| *index < 6);
            let index =
                index.ok_or_else(|| Error::Invalid(format!("args: index {} is above 5", argument.index)))?;
            let operator = Operator::parse(&argument.op)?;
            conditions.push(Condition {
                index,
                operator,
                value: argument.value,
                value_two: argument.value_two,
            });
        }
        Ok(Self { names, action, alternatives: alternatives(conditions) })
    }
}

/// Several conditions on one argument have always been alternatives, not a conjunction; all then are.
fn alternatives(conditions: Vec<Condition>) -> Vec<Vec<Condition>> {
    let repeats = |a: &Condition| conditions.iter().filter(|b| b.index == a.index).count() > 1;
    if conditions.is_empty() {
        return Vec::new();
    }
    if conditions.iter().any(repeats) {
        return conditions.into_iter().map(|condition| vec![condition]).collect();
    }
    vec![conditions]
}

fn arch_rules(arch: Arch, default: Action, rules: &[Rule<'_>]) -> ArchRules {
    let mut calls: BTreeMap<u32, Verdict> = BTreeMap::new();
    let mut last = None;
    for rule in rules {
        for number in rule.names.iter().filter_map(|name| arch.number(name)) {
            last = last.max(Some(number));
            if rule.action != default {
                add(&mut calls, number, rule);
            }
        }
    }
    // A permissive default knows what to do with new calls, and one that says ENOSYS needs no help.
    let last_known = last.filter(|_| !default.permits() && default != Action::ENOSYS);
    ArchRules { arch, calls, last_known }
}

/// Adds a rule for one call. One without conditions beats all with conditions; of two without, the first stays.
fn add(calls: &mut BTreeMap<u32, Verdict>, number: u32, rule: &Rule<'_>) {
    if rule.alternatives.is_empty() {
        let verdict = calls.entry(number).or_insert(Verdict::Always(rule.action));
        if matches!(verdict, Verdict::If(_)) {
            *verdict = Verdict::Always(rule.action);
        }
        return;
    }
    match calls.entry(number).or_insert_with(|| Verdict::If(Vec::new())) {
        Verdict::Always(_) => {}
        Verdict::If(list) => {
            list.extend(rule.alternatives.iter().map(|conditions| (conditions.clone(), rule.action)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(json: &str, caps: &[&str], kernel: (u32, u32)) -> Result<Rules, Error> {
        let caps: Vec<String> = caps.iter().map(|&cap| cap.to_owned()).collect();
        resolve(&Profile::parse(json)?, &caps, kernel, Arch::X86_64)
    }

    fn verdict(rules: &Rules, name: &str) -> Option<Verdict> {
        let number = Arch::X86_64.number(name)?;
        rules.arches[0].calls.get(&number).cloned()
    }

    #[test]
    fn resolve_applies_conditions_of_rules() {
        let json = r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[
            {"names":["reboot"],"action":"SCMP_ACT_ALLOW","includes":{"caps":["CAP_SYS_BOOT"]}},
            {"names":["ptrace"],"action":"SCMP_ACT_ALLOW","includes":{"minKernel":"4.8"}},
            {"names":["clone3"],"action":"SCMP_ACT_ERRNO","errnoRet":38,"excludes":{"caps":["CAP_SYS_ADMIN"]}},
            {"names":["arch_prctl"],"action":"SCMP_ACT_ALLOW","includes":{"arches":["amd64","x32"]}},
            {"names":["acct"],"action":"SCMP_ACT_ALLOW","includes":{"arches":["arm64"]}}]}"#;
        let plain = resolved(json, &[], (4, 7)).expect("valid");
        let powerful = resolved(json, &["CAP_SYS_BOOT", "CAP_SYS_ADMIN"], (5, 1)).expect("valid");
        let allow = Some(Verdict::Always(Action::ALLOW));
        let cases = [
            ("reboot", None, allow.clone()),
            ("ptrace", None, allow.clone()),
            ("clone3", Some(Verdict::Always(Action::ENOSYS)), None),
            ("arch_prctl", allow.clone(), allow),
            ("acct", None, None),
        ];
        for (name, want_plain, want_powerful) in cases {
            assert_eq!(
                (verdict(&plain, name), verdict(&powerful, name)),
                (want_plain, want_powerful),
                "{name}"
            );
        }
    }

    #[test]
    fn rule_without_conditions_beats_one_with_them() {
        let json = r#"{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[
            {"names":["clone"],"action":"SCMP_ACT_TRAP","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]},
            {"names":["clone"],"action":"SCMP_ACT_ALLOW"},
            {"names":["clone"],"action":"SCMP_ACT_KILL"}]}"#;
        let rules = resolved(json, &[], (5, 1)).expect("valid");
        assert_eq!(verdict(&rules, "clone"), Some(Verdict::Always(Action::ALLOW)));
    }

    #[test]
    fn resolve_refuses_what_is_wrong_or_missing() {
        let cases = [
            (r#"{"defaultAction":"SCMP_ACT_X"}"#, "seccomp profile: unknown action \"SCMP_ACT_X\""),
            (
                r#"{"defaultAction":"SCMP_ACT_LOG","architectures":["SCMP_ARCH_PDP11"]}"#,
                "seccomp profile: unknown architecture \"SCMP_ARCH_PDP11\"",
            ),
            (
                r#"{"defaultAction":"SCMP_ACT_LOG","syscalls":[{"name":"a","names":["b"],"action":"SCMP_ACT_LOG"}]}"#,
                "seccomp profile: both 'name' and 'names' are specified in the seccomp profile, use either 'name' or 'names'",
            ),
            (
                r#"{"defaultAction":"SCMP_ACT_LOG","syscalls":[{"name":"a","action":"SCMP_ACT_LOG","args":[{"index":6,"op":"SCMP_CMP_EQ"}]}]}"#,
                "seccomp profile: args: index 6 is above 5",
            ),
        ];
        for (json, want) in cases {
            assert_eq!(resolved(json, &[], (5, 1)).expect_err(json).to_string(), want);
        }
    }
}
