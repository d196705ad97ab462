//! `exec`: a further process in a container.

use super::{Call, Command, PRESERVE_FDS};
use crate::bundle;
use crate::flags::{Given, Order, switch, text};
use crate::foreground::{self, Terminal};
use crate::global::Global;
use crate::store::{CONFIG, Container, Status};
use crate::{Error, console, pid_file, process};
use oci::runtime::{Process, Spec, User};
use runtime::{Lifetime, Options, Running, Target};
use std::os::fd::AsFd as _;
use std::path::Path;

pub(super) const EXEC: Command = Command {
    name: "exec",
    arguments: "ID [COMMAND [ARG…]]",
    help: "run a further process in a container",
    flags: &[
        text(
            &["process", "p"],
            "FILE",
            "the process as the configuration has it, instead of the flags below",
        ),
        text(&["cwd"], "DIR", "working directory"),
        text(&["env", "e"], "NAME=VALUE", "a variable; may be repeated"),
        switch(&["tty", "t"], "with a terminal"),
        text(&["user", "u"], "UID[:GID]", "user and group ids"),
        text(&["additional-gids", "g"], "GID", "a supplementary group; may be repeated"),
        text(&["cap", "c"], "CAP", "a further capability; may be repeated"),
        switch(&["no-new-privs"], "execve gives no privileges"),
        text(&["apparmor"], "PROFILE", "the AppArmor profile"),
        text(&["process-label"], "LABEL", "the SELinux label"),
        switch(&["detach", "d"], "do not wait for its end"),
        text(&["console-socket"], "SOCKET", "send the terminal's master to this socket"),
        text(&["pid-file"], "FILE", "write the process id into this file"),
        switch(&["ignore-paused"], "also in a paused container"),
        PRESERVE_FDS,
    ],
    order: Order::BeforeArguments,
    failure_code: 255,
    run: exec,
};

fn exec(global: &Global, call: Call) -> Result<u8, Error> {
    let Call { given, preserved } = call;
    let Some((id, args)) = given.args.split_first() else {
        return Err(Error::usage("container id is missing"));
    };
    let container = global.store.open_shared(id)?;
    match container.status() {
        Status::Stopped | Status::Creating => {
            return Err(Error::Status("cannot exec in a stopped container: container not running".into()));
        }
        Status::Paused if !given.is_on("ignore-paused") => {
            return Err(Error::Status(
                "cannot exec in a paused container (use --ignore-paused to override)".into(),
            ));
        }
        Status::Paused | Status::Created | Status::Running => {}
    }
    let spec = bundle::saved(&container.place.path(CONFIG))?;
    let wanted = wanted(&given, args, &spec)?;
    let (detach, socket) = (given.is_on("detach"), given.text("console-socket"));
    match (wanted.terminal, socket, detach) {
        (true, None, true) => {
            return Err(Error::usage(
                "cannot allocate tty if naru-run will detach without setting console socket",
            ));
        }
        (false, Some(_), _) => return Err(Error::usage("cannot use console socket if there is no terminal")),
        _ => {}
    }
    let signals = if detach { None } else { Some(foreground::collect()?) };
    let Container { place, record } = container;
    let Some(pidfd) = record.process() else { return Err(Error::NotRunning) };
    let cgroup = record.cgroup()?;
    let target = Target { pid: record.pid, pidfd: pidfd.as_fd(), cgroup: &cgroup };
    let stdio = process::stdio(wanted.terminal)?;
    let options = Options { lifetime: Lifetime::Own, preserved: preserved.fds };
    let profile = spec.linux.as_ref().and_then(|linux| linux.seccomp.as_ref());
    let filter = profile.map(runtime::exec_filter).transpose().map_err(Error::Process)?;
    let mut created =
        runtime::exec(&target, &wanted, filter, stdio, options, &mut |_| ()).map_err(Error::Process)?;
    let terminal = created.take_terminal();
    if let (Some(socket), Some(master)) = (socket, &terminal) {
        console::send(Path::new(socket), master)?;
    }
    // Before the program runs: it may ask for the terminal's size at once.
    let terminal = terminal.filter(|_| !detach && socket.is_none()).map(Terminal::new).transpose()?;
    let running = created.start(&mut |_| ()).map_err(Error::Process)?;
    drop(place);
    if let Some(path) = given.text("pid-file")
        && let Err(error) = pid_file::write(Path::new(path), running.pid)
    {
        process::end(&running);
        return Err(error);
    }
    let Some(signals) = signals else { return Ok(0) };
    let Running { pidfd, .. } = running;
    let exit = foreground::follow(&pidfd, terminal, signals)?;
    Ok(u8::try_from(exit.code).unwrap_or(u8::MAX))
}

/// Returns the process that is asked for: that of a file, or the container's with changes.
fn wanted(given: &Given, args: &[String], spec: &Spec) -> Result<Process, Error> {
    if let Some(path) = given.text("process") {
        let path = Path::new(path);
        let mut process: Process = bundle::parse(path, &bundle::bounded(path)?)?;
        process.terminal |= given.is_on("tty");
        return Ok(process);
    }
    if args.is_empty() {
        return Err(Error::usage("process args cannot be empty"));
    }
    let mut process = spec.process.clone().unwrap_or_default();
    process.args = args.to_vec();
    process.terminal = given.is_on("tty");
    process.console_size = None;
    process.env.extend(given.all("env").map(str::to_owned));
    if let Some(cwd) = given.text("cwd") {
        cwd.clone_into(&mut process.cwd);
    }
    if let Some(text) = given.text("user") {
        let (uid, gid) = user(text)?;
        process.user = User { uid, gid: gid.unwrap_or(process.user.gid), ..process.user };
    }
    for text in given.all("additional-gids") {
        process.user.additional_gids.push(number(text, "additional-gids")?);
    }
    if given.is_on("no-new-privs") {
        process.no_new_privileges = true;
    }
    for (flag, field) in
        [("apparmor", &mut process.apparmor_profile), ("process-label", &mut process.selinux_label)]
    {
        if let Some(label) = given.text(flag) {
            *field = Some(label.to_owned());
        }
    }
    let sets = process.capabilities.get_or_insert_default();
    for capability in given.all("cap") {
        // Not inheritable: that would be what CVE-2022-24769 was.
        for set in [&mut sets.bounding, &mut sets.effective, &mut sets.permitted] {
            if !set.iter().any(|known| known == capability) {
                set.push(capability.to_owned());
            }
        }
    }
    Ok(process)
}

/// Reads `UID[:GID]` to its last character: half of a wrong one would be somebody else (CVE-2026-30892).
fn user(text: &str) -> Result<(u32, Option<u32>), Error> {
    match text.split_once(':') {
        None => Ok((number(text, "user")?, None)),
        Some((uid, gid)) => Ok((number(uid, "user")?, Some(number(gid, "user")?))),
    }
}

fn number(text: &str, flag: &str) -> Result<u32, Error> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|number| digits && *number != u32::MAX);
    number.ok_or_else(|| Error::usage(format!("--{flag}: {text:?} is no id")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags;

    fn process(line: &str) -> Result<Process, Error> {
        let args: Vec<_> = line.split(' ').map(str::to_owned).collect();
        let given = flags::parse(EXEC.flags, EXEC.order, &args)?;
        let own = Process {
            env: vec!["A=1".into()],
            cwd: "/".into(),
            terminal: true,
            user: User { uid: 1, gid: 2, umask: None, additional_gids: vec![3] },
            ..Process::default()
        };
        let spec = Spec { process: Some(own), ..Spec::default() };
        wanted(&given, &given.args[1..], &spec)
    }

    #[test]
    fn flags_change_the_containers_process() {
        let process =
            process("-e B=2 -u 7:8 -g 9 --cwd /tmp -c CAP_KILL --no-new-privs id sh -t").expect("fine");
        assert_eq!((process.args.join(" "), process.env.join(" ")), ("sh -t".into(), "A=1 B=2".into()));
        assert_eq!(process.user, User { uid: 7, gid: 8, umask: None, additional_gids: vec![3, 9] });
        assert_eq!(
            (process.cwd.as_str(), process.terminal, process.no_new_privileges),
            ("/tmp", false, true)
        );
        let sets = process.capabilities.expect("some");
        assert_eq!(
            (sets.effective.join(" "), sets.inheritable.len(), sets.ambient.len()),
            ("CAP_KILL".into(), 0, 0)
        );
    }

    #[test]
    fn users_are_read_to_the_last_character() {
        for bad in ["1:", ":1", "1:2:3", "", "-1", "+1", "1 ", "4294967295", "root", "1:x"] {
            assert!(user(bad).is_err(), "{bad:?}");
        }
        assert_eq!(user("5").expect("fine"), (5, None));
    }
}
