//! `create` and `run`: from a bundle to a process.

use super::{Call, Command, PRESERVE_FDS};
use crate::bundle::{self, Bundle};
use crate::flags::{Flag, Order, switch, text};
use crate::foreground::{self, Terminal};
use crate::global::Global;
use crate::store::{self, CONFIG, Place, Record, START};
use crate::{Error, console, hooks, pid_file, process};
use refs::Timestamp;
use runtime::{Created, Inputs, Keyring, Lifetime, Rootfs, Running};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

const BUNDLE: Flag = text(&["bundle", "b"], "DIR", "the bundle's directory (the current one)");
const CONFIG_FILE: Flag = text(&["config", "f"], "FILE", "the configuration (config.json of the bundle)");
const CONSOLE: Flag = text(&["console-socket"], "SOCKET", "send the terminal's master to this socket");
const PID_FILE: Flag = text(&["pid-file"], "FILE", "write the process id into this file");
const NO_PIVOT: Flag =
    switch(&["no-pivot"], "accepted; the root is always changed by pivot_root or what is as safe");
const NO_KEYRING: Flag = switch(&["no-new-keyring"], "keep the caller's session keyring");

pub(super) const CREATE: Command = Command {
    name: "create",
    arguments: "ID",
    help: "create a container; its process waits for start",
    flags: &[BUNDLE, CONFIG_FILE, CONSOLE, PID_FILE, NO_PIVOT, NO_KEYRING, PRESERVE_FDS],
    order: Order::Anywhere,
    failure_code: 1,
    run: create,
};

pub(super) const RUN: Command = Command {
    name: "run",
    arguments: "ID",
    help: "create a container, start it, wait for its end and delete it",
    flags: &[
        BUNDLE,
        CONFIG_FILE,
        CONSOLE,
        PID_FILE,
        NO_PIVOT,
        NO_KEYRING,
        PRESERVE_FDS,
        switch(&["detach", "d"], "do not wait for its end"),
        switch(&["keep"], "do not delete it after its end"),
        switch(&["no-subreaper"], "accepted; no process is adopted"),
    ],
    order: Order::Anywhere,
    failure_code: 1,
    run,
};

/// A container whose process stands at the barrier.
struct Born {
    record: Record,
    // In this order: the process has to be gone before its directory is removed.
    created: Created,
    terminal: Option<OwnedFd>,
    place: Place,
}

fn create(global: &Global, call: Call) -> Result<u8, Error> {
    let terminal = call.given.text("console-socket").is_some();
    let born = bear(global, call, Then::Waits, terminal)?;
    let Born { place, created, .. } = born;
    created.detach()?;
    place.keep();
    Ok(0)
}

fn run(global: &Global, call: Call) -> Result<u8, Error> {
    let (detach, keep) = (call.given.is_on("detach"), call.given.is_on("keep"));
    let has_socket = call.given.text("console-socket").is_some();
    if has_socket && !detach {
        return Err(Error::usage("cannot use console socket if naru-run will not detach or allocate tty"));
    }
    let pid_file = call.given.text("pid-file").map(str::to_owned);
    let signals = if detach { None } else { Some(foreground::collect()?) };
    let Born { record, place, created, terminal } = bear(global, call, Then::Runs, has_socket || !detach)?;
    // Before the program runs: it may ask for the terminal's size at once.
    let terminal = terminal.filter(|_| !detach && !has_socket).map(Terminal::new).transpose()?;
    let running = created.start(&mut |_| ()).map_err(Error::Process)?;
    let written = pid_file.map_or(Ok(()), |path| pid_file::write(Path::new(&path), running.pid));
    if let Err(error) = written.and_then(|()| hooks::after_start(&place, &record)) {
        process::end(&running);
        return Err(error);
    }
    place.keep();
    let Some(signals) = signals else { return Ok(0) };
    let Running { pidfd, .. } = running;
    let exit = foreground::follow(&pidfd, terminal, signals)?;
    if !keep {
        super::delete::remove(global, &record.id, super::delete::How::Stopped)?;
    }
    Ok(u8::try_from(exit.code).unwrap_or(u8::MAX))
}

/// What the process does at the barrier.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Waits,
    Runs,
}

/// Makes a container up to the barrier. On failure nothing is left behind.
fn bear(global: &Global, call: Call, then: Then, may_have_terminal: bool) -> Result<Born, Error> {
    let id = call.id()?.to_owned();
    store::check_id(&id)?;
    let Call { given, preserved } = call;
    let directory = Path::new(given.text("bundle").unwrap_or("."));
    let Bundle { path, mut spec, text, rootfs } =
        bundle::read(directory, given.text("config").map(Path::new))?;
    if global.systemd {
        return Err(Error::NotSupported("the systemd cgroup driver (--systemd-cgroup)"));
    }
    if sys::process::effective_uid() == 0 {
        bundle::choose_cgroup(&mut spec, &id);
    }
    bundle::permit_default_devices(&mut spec);
    let wants_terminal = spec.process.as_ref().is_some_and(|process| process.terminal);
    let socket = given.text("console-socket");
    if wants_terminal && !may_have_terminal {
        return Err(Error::usage(
            "cannot allocate tty if naru-run will detach without setting console socket",
        ));
    }
    if !wants_terminal && socket.is_some() {
        return Err(Error::usage("cannot use console socket if process.terminal is not set"));
    }
    if let Some(process) = &mut spec.process {
        process.env.extend(preserved.env);
    }

    // From here on what was made goes again when an error returns: the process first, the directory last.
    let place = global.store.reserve(&id)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let created = Timestamp(i64::try_from(now.as_nanos()).unwrap_or(i64::MAX)).rfc3339();
    let mut record = Record::new(&id, &spec, &path, &rootfs, created);
    process::refuse_taken_cgroup(&record)?;
    let inputs = Inputs {
        id: id.clone(),
        rootfs: Rootfs::Directory(rootfs),
        network_namespace: None,
        seccomp: None,
        lifetime: Lifetime::Own,
        preserved: preserved.fds,
        start: match then {
            Then::Waits => Some(runtime::listen(&place.path(START))?),
            Then::Runs => None,
        },
        keyring: if given.is_on("no-new-keyring") { Keyring::Callers } else { Keyring::New },
    };
    let plan = runtime::plan(&spec, &path, inputs)?;
    plan.warnings.iter().for_each(|warning| global.log.warn(warning));
    // Before there is a cgroup or a process: whoever finds this later knows what to remove.
    store::replace(&place.path(CONFIG), &text, 0o600)?;
    place.write(&record)?;
    let stdio = process::stdio(wants_terminal)?;
    let mut created =
        runtime::spawn(plan, stdio, &mut |step| debug(global, &step)).map_err(Error::Process)?;
    let terminal = created.take_terminal();
    if let (Some(socket), Some(master)) = (socket, &terminal) {
        console::send(Path::new(socket), master)?;
    }
    record.pid = created.pid();
    record.cgroup = created.cgroup().map(|cgroup| cgroup.path().to_owned()).unwrap_or_default();
    record.start_time = store::start_time(record.pid).unwrap_or(0);
    record.waiting = created.waiting().into();
    place.write(&record)?;
    if let (Then::Waits, Some(path)) = (then, given.text("pid-file")) {
        pid_file::write(Path::new(path), record.pid)?;
    }
    Ok(Born { record, created, terminal, place })
}

fn debug(global: &Global, step: &runtime::Step) {
    let runtime::Step { who, step, args, dur_ns, errno, .. } = step;
    global.log.debug(&format!("{}: {step} {args} ({dur_ns} ns, errno {errno})", who.name()));
}
