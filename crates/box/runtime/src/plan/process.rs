//! The process: who it is, what it may do, and which program it runs.

use super::labels::{self, Label};
use super::text::{absolute, c_text};
use crate::Error;
use oci::runtime as spec;
use std::ffi::CString;
use sys::child::{Candidate, Exec, Filter, Keep, Op, Scheduler, Search};
use sys::cred::Capabilities;
use sys::process::{CpuSet, Limit, Limits};

/// A process, planned.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) cwd: CString,
    pub(crate) uid: u32,
    pub(crate) terminal: bool,
    /// Rows and columns; zeros for unknown.
    pub(crate) size: (u16, u16),
    /// The program as the user named it.
    pub(crate) program: String,
    pub(crate) exec: Exec,
    /// Whether HOME is missing and has to be looked up.
    pub(crate) needs_home: bool,
    pub(crate) oom_score_adj: Option<i32>,
    gid: u32,
    groups: Vec<u32>,
    umask: u32,
    limits: Vec<(Limit, Limits)>,
    capabilities: Option<Sets>,
    no_new_privileges: bool,
    scheduler: Option<Scheduler>,
    io_priority: Option<u32>,
    labels: Vec<Label>,
    /// CPUs of a further process: before it is in the cgroup, and after that.
    pub(crate) affinity: (Option<CpuSet>, Option<CpuSet>),
    /// Whether supplementary groups were asked for.
    pub(crate) asks_for_groups: bool,
}

#[derive(Debug, Clone, Copy)]
struct Sets {
    bounding: Capabilities,
    effective: Capabilities,
    permitted: Capabilities,
    inheritable: Capabilities,
    ambient: Capabilities,
}

/// Plans a process of a container: the first or a further one. `field` is where it stands in the specification.
pub(crate) fn plan(
    process: &spec::Process,
    field: &str,
    warnings: &mut Vec<String>,
) -> Result<Process, Error> {
    let Some(program) = process.args.first() else {
        return Err(Error::invalid(format!("{field}.args"), "is empty"));
    };
    if let Some(score) = process.oom_score_adj.filter(|score| !(-1000..=1000).contains(score)) {
        return Err(Error::invalid(
            format!("{field}.oomScoreAdj"),
            format!("{score} is not in -1000 to 1000"),
        ));
    }
    let env = environment(process, field)?;
    let args =
        process.args.iter().map(|arg| c_text(&format!("{field}.args"), arg)).collect::<Result<_, _>>()?;
    let (candidates, search) = candidates(program, &env, field)?;
    let size = process.console_size.unwrap_or_default();
    Ok(Process {
        cwd: absolute(&format!("{field}.cwd"), &process.cwd)?,
        uid: user_id(&format!("{field}.user.uid"), process.user.uid)?,
        gid: user_id(&format!("{field}.user.gid"), process.user.gid)?,
        groups: groups(&process.user),
        asks_for_groups: !process.user.additional_gids.is_empty(),
        labels: labels::plan(process, field)?,
        affinity: affinity(process, field)?,
        terminal: process.terminal,
        size: (size.height, size.width),
        program: program.clone(),
        needs_home: !env.iter().any(|(name, _)| name == "HOME"),
        exec: Exec { candidates, search, args, env: texts(&env, field)? },
        oom_score_adj: process.oom_score_adj,
        umask: process.user.umask.unwrap_or(0o022),
        limits: limits(process, field)?,
        capabilities: process
            .capabilities
            .as_ref()
            .map(|sets| capabilities(sets, field, warnings))
            .transpose()?,
        no_new_privileges: process.no_new_privileges,
        scheduler: process.scheduler.as_ref().map(|scheduler| schedule(scheduler, field)).transpose()?,
        io_priority: process.io_priority.as_ref().map(|priority| io_priority(priority, field)).transpose()?,
    })
}

impl Process {
    /// Returns what is done to become this process, in two parts: before the barrier and after it.
    ///
    /// Without `no_new_privs` a filter can only be installed with CAP_SYS_ADMIN, so that the capabilities have to be
    /// set after it; else it comes last.
    ///
    /// A filter with a listener comes before the barrier: whoever waits there has handed it to its agent.
    pub(crate) fn ops(&self, seccomp: Option<Filter>, place: Place) -> (Vec<Op>, Vec<Op>) {
        let mut before = Vec::new();
        before.extend(self.scheduler.map(Op::Scheduler));
        before.extend(self.io_priority.map(Op::IoPriority));
        if place == Place::Plain {
            before.extend(self.limit_ops());
        }
        before.extend(self.labels.iter().map(Label::op));
        before.push(Op::ChangeDirectory(self.cwd.clone()));
        let keep = match &self.capabilities {
            Some(sets) => {
                before.push(Op::Bounding(sets.bounding));
                Keep::Permitted
            }
            None => Keep::Nothing,
        };
        let groups = (place != Place::FixedGroups).then(|| self.groups.clone());
        before.push(Op::Identity { uid: self.uid, gid: self.gid, groups, keep });
        let set = self.capabilities.map(|sets| Op::Capabilities {
            effective: sets.effective,
            permitted: sets.permitted,
            inheritable: sets.inheritable,
            ambient: sets.ambient,
        });
        let early = seccomp.as_ref().is_some_and(|filter| filter.listener.is_some());
        let mut after = Vec::new();
        if self.no_new_privileges {
            before.extend(set);
            before.push(Op::NoNewPrivileges);
            after.extend(seccomp.map(Op::Seccomp));
        } else {
            if set.is_some() && seccomp.is_some() {
                before.push(Op::RaiseCapabilities);
            }
            after.extend(seccomp.map(Op::Seccomp));
            after.extend(set);
        }
        let mut last = vec![Op::Umask(self.umask), Op::Find];
        if early {
            last.append(&mut after);
        }
        before.append(&mut last);
        (before, after)
    }

    /// Returns what sets the limits.
    pub(crate) fn limit_ops(&self) -> impl Iterator<Item = Op> {
        self.limits.iter().map(|(limit, limits)| Op::Limit(*limit, *limits))
    }

    /// Returns the limits.
    pub(crate) fn limits(&self) -> &[(Limit, Limits)] {
        &self.limits
    }
}

/// Where a process becomes what it is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the runtime's user namespace.
    Plain,
    /// In another user namespace: limits were set before, outside.
    UserNamespace,
    /// In another one, whose groups cannot be changed.
    FixedGroups,
}

fn affinity(process: &spec::Process, field: &str) -> Result<(Option<CpuSet>, Option<CpuSet>), Error> {
    let Some(affinity) = &process.exec_cpu_affinity else { return Ok((None, None)) };
    let read = |name: &str, list: &str| {
        if list.is_empty() {
            return Ok(None);
        }
        let wrong = || {
            Error::invalid(format!("{field}.execCPUAffinity.{name}"), format!("{list:?} is no list of CPUs"))
        };
        CpuSet::parse(list).map(Some).ok_or_else(wrong)
    };
    Ok((read("initial", &affinity.initial)?, read("final", &affinity.last)?))
}

/// -1 means "leave it" to the kernel, so it would be root.
fn user_id(field: &str, id: u32) -> Result<u32, Error> {
    if id == u32::MAX { Err(Error::invalid(field, "4294967295 is no id")) } else { Ok(id) }
}

/// Returns all supplementary groups, the primary one included, so that it also counts where groups are denied
/// (CVE-2022-36109).
fn groups(user: &spec::User) -> Vec<u32> {
    let mut groups = vec![user.gid];
    for gid in &user.additional_gids {
        if !groups.contains(gid) {
            groups.push(*gid);
        }
    }
    groups
}

/// Returns the environment; of several values for a name the last one counts, as in runc.
fn environment(process: &spec::Process, field: &str) -> Result<Vec<(String, String)>, Error> {
    let mut env: Vec<(String, String)> = Vec::with_capacity(process.env.len());
    for (index, entry) in process.env.iter().enumerate() {
        let field = format!("{field}.env[{index}]");
        let Some((name, value)) = entry.split_once('=') else {
            return Err(Error::invalid(field, format!("{entry:?} has no '='")));
        };
        if name.is_empty() {
            return Err(Error::invalid(field, "has no name"));
        }
        match env.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => value.clone_into(old),
            None => env.push((name.to_owned(), value.to_owned())),
        }
    }
    Ok(env)
}

fn texts(env: &[(String, String)], field: &str) -> Result<Vec<CString>, Error> {
    env.iter().map(|(name, value)| c_text(&format!("{field}.env"), &format!("{name}={value}"))).collect()
}

/// Returns where the program may be.
///
/// # Source
/// Go `os/exec` `LookPath`.
fn candidates(
    program: &str,
    env: &[(String, String)],
    field: &str,
) -> Result<(Vec<Candidate>, Search), Error> {
    let field = format!("{field}.args[0]");
    if program.contains('/') {
        let path = c_text(&field, program)?;
        return Ok((vec![Candidate { path, relative: false }], Search::Direct));
    }
    let path = env.iter().find(|(name, _)| name == "PATH").map_or("", |(_, value)| value);
    if path.is_empty() || program.is_empty() {
        return Ok((Vec::new(), Search::Path));
    }
    let candidate = |directory: &str| {
        let directory = if directory.is_empty() { "." } else { directory };
        let path = c_text(&field, &format!("{}/{program}", directory.trim_end_matches('/')))?;
        Ok(Candidate { path, relative: !directory.starts_with('/') })
    };
    Ok((path.split(':').map(candidate).collect::<Result<_, Error>>()?, Search::Path))
}

fn limits(process: &spec::Process, field: &str) -> Result<Vec<(Limit, Limits)>, Error> {
    let mut limits: Vec<(Limit, Limits)> = Vec::new();
    for (index, rlimit) in process.rlimits.iter().enumerate() {
        let field = format!("{field}.rlimits[{index}]");
        let Some(limit) = Limit::named(&rlimit.kind) else {
            return Err(Error::invalid(field, format!("{:?} is no resource", rlimit.kind)));
        };
        if limits.iter().any(|(known, _)| *known == limit) {
            return Err(Error::invalid(field, format!("a second limit for {}", rlimit.kind)));
        }
        if rlimit.soft > rlimit.hard {
            return Err(Error::invalid(field, format!("soft {} is above hard {}", rlimit.soft, rlimit.hard)));
        }
        limits.push((limit, Limits { soft: rlimit.soft, hard: rlimit.hard }));
    }
    Ok(limits)
}

fn capabilities(sets: &spec::Capabilities, field: &str, warnings: &mut Vec<String>) -> Result<Sets, Error> {
    let available = sys::cred::bounding()
        .map_err(|source| Error::Sys { what: "read the capabilities".into(), source })?;
    let mut missing = Capabilities::default();
    let mut read = |name: &str, names: &[String]| {
        let mut set = Capabilities::default();
        for (index, text) in names.iter().enumerate() {
            let field = || format!("{field}.capabilities.{name}[{index}]");
            let found = Capabilities::named(text)
                .ok_or_else(|| Error::invalid(field(), format!("{text:?} is no capability")))?;
            set = set.union(found);
        }
        missing = missing.union(set.without(available));
        Ok::<_, Error>(set.intersection(available))
    };
    let sets = Sets {
        bounding: read("bounding", &sets.bounding)?,
        effective: read("effective", &sets.effective)?,
        permitted: read("permitted", &sets.permitted)?,
        inheritable: read("inheritable", &sets.inheritable)?,
        ambient: read("ambient", &sets.ambient)?,
    };
    if !missing.is_empty() {
        // As runc: the engine itself runs with less than all of them, so nobody below it can have them.
        warnings.push(format!("capabilities that this machine does not grant are left out: {missing}"));
    }
    let kept = sets.permitted.intersection(sets.inheritable);
    if !kept.contains(sets.ambient) {
        let lacking = sets.ambient.without(kept);
        let reason = format!("{lacking} must be permitted and inheritable too");
        return Err(Error::invalid(format!("{field}.capabilities.ambient"), reason));
    }
    if !sets.permitted.contains(sets.effective) {
        let lacking = sets.effective.without(sets.permitted);
        let reason = format!("{lacking} must be permitted too");
        return Err(Error::invalid(format!("{field}.capabilities.effective"), reason));
    }
    Ok(sets)
}

fn schedule(scheduler: &spec::Scheduler, field: &str) -> Result<Scheduler, Error> {
    let field = format!("{field}.scheduler");
    let policy = match scheduler.policy.as_str() {
        "SCHED_OTHER" => 0,
        "SCHED_FIFO" => 1,
        "SCHED_RR" => 2,
        "SCHED_BATCH" => 3,
        "SCHED_ISO" => 4,
        "SCHED_IDLE" => 5,
        "SCHED_DEADLINE" => 6,
        other => return Err(Error::invalid(format!("{field}.policy"), format!("{other:?} is no policy"))),
    };
    let mut flags = 0;
    for flag in &scheduler.flags {
        flags |= match flag.as_str() {
            "SCHED_FLAG_RESET_ON_FORK" => 0x01,
            "SCHED_FLAG_RECLAIM" => 0x02,
            "SCHED_FLAG_DL_OVERRUN" => 0x04,
            "SCHED_FLAG_KEEP_POLICY" => 0x08,
            "SCHED_FLAG_KEEP_PARAMS" => 0x10,
            "SCHED_FLAG_UTIL_CLAMP_MIN" => 0x20,
            "SCHED_FLAG_UTIL_CLAMP_MAX" => 0x40,
            other => return Err(Error::invalid(format!("{field}.flags"), format!("{other:?} is no flag"))),
        };
    }
    let priority = u32::try_from(scheduler.priority).map_err(|_| {
        Error::invalid(format!("{field}.priority"), format!("{} is negative", scheduler.priority))
    })?;
    Ok(Scheduler {
        size: 48,
        policy,
        flags,
        nice: scheduler.nice,
        priority,
        runtime: scheduler.runtime,
        deadline: scheduler.deadline,
        period: scheduler.period,
    })
}

fn io_priority(priority: &spec::IoPriority, field: &str) -> Result<u32, Error> {
    let field = format!("{field}.ioPriority");
    let class = match priority.class.as_str() {
        "IOPRIO_CLASS_RT" => 1,
        "IOPRIO_CLASS_BE" => 2,
        "IOPRIO_CLASS_IDLE" => 3,
        other => return Err(Error::invalid(format!("{field}.class"), format!("{other:?} is no class"))),
    };
    match u32::try_from(priority.priority) {
        Ok(level @ 0..=7) => Ok(class << 13 | level),
        _ => Err(Error::invalid(
            format!("{field}.priority"),
            format!("{} is not in 0 to 7", priority.priority),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(edit: impl FnOnce(&mut spec::Process)) -> Result<Process, Error> {
        let mut process = spec::Process {
            args: vec!["sh".into()],
            env: vec!["PATH=/bin:usr::/sbin/".into(), "A=1".into(), "A=2".into()],
            cwd: "/".into(),
            ..spec::Process::default()
        };
        edit(&mut process);
        plan(&process, "process", &mut Vec::new())
    }

    #[test]
    fn candidates_follow_path_in_order_and_know_relative_entries() {
        let plan = process(|_| ()).expect("fine");
        let paths: Vec<_> =
            plan.exec.candidates.iter().map(|c| (c.path.to_str().expect("text"), c.relative)).collect();
        assert_eq!(paths, [("/bin/sh", false), ("usr/sh", true), ("./sh", true), ("/sbin/sh", false)]);
        let named = process(|process| process.args[0] = "./sh".into()).expect("fine");
        assert_eq!((named.exec.search, named.exec.candidates.len()), (Search::Direct, 1));
    }

    #[test]
    fn last_value_of_a_variable_counts_at_the_first_ones_place() {
        let plan = process(|_| ()).expect("fine");
        assert_eq!(plan.exec.env, [CString::from(c"PATH=/bin:usr::/sbin/"), CString::from(c"A=2")]);
        assert!(plan.needs_home);
    }

    #[test]
    fn primary_group_is_among_the_supplementary_ones() {
        let plan = process(|process| {
            process.user = spec::User { uid: 5, gid: 7, umask: None, additional_gids: vec![9, 7, 9] };
        });
        assert_eq!(plan.expect("fine").groups, [7, 9]);
    }

    #[test]
    fn wrong_fields_are_refused_by_path() {
        type Edit = fn(&mut spec::Process);
        let cases: [(Edit, &str); 9] = [
            (|p| p.args.clear(), "process.args: is empty"),
            (|p| p.cwd = "a".into(), "process.cwd: \"a\" is not absolute"),
            (|p| p.env.push("X".into()), "process.env[3]: \"X\" has no '='"),
            (|p| p.user.uid = u32::MAX, "process.user.uid: 4294967295 is no id"),
            (
                |p| {
                    p.exec_cpu_affinity = Some(spec::CpuAffinity { initial: "x".into(), last: String::new() })
                },
                "process.execCPUAffinity.initial: \"x\" is no list of CPUs",
            ),
            (|p| p.oom_score_adj = Some(1001), "process.oomScoreAdj: 1001 is not in -1000 to 1000"),
            (
                |p| p.rlimits = vec![spec::Rlimit { kind: "RLIMIT_X".into(), soft: 0, hard: 0 }],
                "process.rlimits[0]: \"RLIMIT_X\" is no resource",
            ),
            (
                |p| {
                    p.capabilities =
                        Some(spec::Capabilities { bounding: vec!["CHOWN".into()], ..Default::default() })
                },
                "process.capabilities.bounding[0]: \"CHOWN\" is no capability",
            ),
            (
                |p| {
                    p.capabilities =
                        Some(spec::Capabilities { ambient: vec!["CAP_CHOWN".into()], ..Default::default() })
                },
                "process.capabilities.ambient: CHOWN must be permitted and inheritable too",
            ),
        ];
        for (edit, want) in cases {
            assert_eq!(process(edit).map(drop).map_err(|e| e.to_string()), Err(want.into()));
        }
    }

    #[test]
    fn filter_comes_before_the_capabilities_unless_no_new_privs_is_set() {
        let name = |op: &Op| match op {
            Op::Seccomp(_) => "filter",
            Op::Capabilities { .. } => "capabilities",
            Op::NoNewPrivileges => "no_new_privs",
            Op::RaiseCapabilities => "raise",
            _ => "",
        };
        let names = |ops: &[Op]| ops.iter().map(name).filter(|n| !n.is_empty()).collect::<Vec<_>>();
        let sets = Some(spec::Capabilities::default());
        let plain = process(|process| process.capabilities.clone_from(&sets)).expect("fine");
        let (before, after) = plain.ops(Some(Filter::default()), Place::Plain);
        assert_eq!((names(&before), names(&after)), (vec!["raise"], vec!["filter", "capabilities"]));
        let strict = process(|process| {
            process.capabilities.clone_from(&sets);
            process.no_new_privileges = true;
        });
        let (before, after) = strict.expect("fine").ops(Some(Filter::default()), Place::Plain);
        assert_eq!((names(&before), names(&after)), (vec!["capabilities", "no_new_privs"], vec!["filter"]));
    }
}
