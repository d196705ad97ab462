//! The built-in image's program: prints what is true from inside the container.

use crate::birth::{self, Birth};
use crate::facts;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::net::UdpSocket;
use std::process::{self, ExitCode};
use std::time::SystemTime;

/// Prints the facts.
pub(crate) fn run() -> ExitCode {
    let born_ns = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_nanos());
    let birth = fs::read_to_string(birth::PATH).ok().and_then(|record| birth::last(&record));
    let mut out = String::from("Hello from inside a container made by Naru.\n\nWhat is true in here:\n");
    let status = read("/proc/self/status");
    for (name, value) in [
        ("process", process_line(birth.as_ref())),
        ("born", born(birth.as_ref(), u64::try_from(born_ns).unwrap_or(0))),
        ("user", user(&status)),
        ("host name", read("/proc/sys/kernel/hostname")),
        ("root", root()),
        ("network", network()),
        ("capabilities", capabilities(&status)),
        ("seccomp", seccomp(&status)),
        ("memory limit", memory()),
        ("cgroup", cgroup()),
        ("namespaces", namespaces()),
        ("kernel", format!("{}, shared with the host", read("/proc/sys/kernel/osrelease"))),
    ] {
        let value = if value.is_empty() { "unknown: /proc does not tell" } else { &value };
        let _ = writeln!(out, "  {name:<13} {value}"); // Writing to a String cannot fail.
    }
    out.push_str("\nEvery step of this birth, with its time:  naru explain CONTAINER\n");
    out.push_str("Something larger:                         naru run -it busybox sh\n");
    match io::stdout().write_all(out.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE, // Nobody reads: there is no one to tell.
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim_end().to_owned()
}

fn process_line(birth: Option<&Birth>) -> String {
    let inside = process::id();
    match birth.and_then(|birth| birth.pid_outside) {
        Some(outside) => format!("{inside} in here, {outside} outside"),
        None => format!("{inside} in here; the outside number was not told to this container"),
    }
}

fn born(birth: Option<&Birth>, now_ns: u64) -> String {
    let Some(birth) = birth else { return "the birth record was not given to this container".into() };
    let mut text = format!("{} from the first step to this line", ms(now_ns.saturating_sub(birth.began_ns)));
    let parts: Vec<String> = birth.took_ns.iter().map(|(who, ns)| format!("{who} {}", ms(*ns))).collect();
    let _ = write!(text, " ({} steps; busy: {})", birth.steps, parts.join(", ")); // Cannot fail.
    text
}

fn ms(ns: u64) -> String {
    format!("{}.{} ms", ns / 1_000_000, ns / 100_000 % 10)
}

fn user(status: &str) -> String {
    let first = |key| facts::status(status, key).and_then(|ids| ids.split_whitespace().next());
    match (first("Uid"), first("Gid")) {
        (Some(uid), Some(gid)) => format!("uid {uid}, gid {gid}"),
        _ => String::new(),
    }
}

fn root() -> String {
    let mountinfo = read("/proc/self/mountinfo");
    let Some((kind, options)) = facts::root(&mountinfo) else { return String::new() };
    let access = if options.split(',').any(|option| option == "ro") { "read-only" } else { "writable" };
    let mut names: Vec<String> = fs::read_dir("/")
        .map(|entries| {
            entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
        })
        .unwrap_or_default();
    names.sort();
    format!("{kind}, {access}: {}", names.join(" "))
}

fn network() -> String {
    let names = facts::devices(&read("/proc/net/dev"));
    // Connecting a UDP socket sends nothing; it only asks the routing table. 192.0.2.1 is for documentation (RFC 5737).
    let address = UdpSocket::bind("0.0.0.0:0")
        .and_then(|socket| socket.connect("192.0.2.1:9").and_then(|()| socket.local_addr()));
    match address {
        Ok(address) => format!("{names}; outbound from {}", address.ip()),
        Err(_) => format!("{names}; no way out"),
    }
}

fn capabilities(status: &str) -> String {
    let Some(mask) = facts::status(status, "CapEff") else { return String::new() };
    let names = facts::capabilities(mask);
    match names.len() {
        0 => "none".into(),
        count => format!("{count}: {}", names.join(" ")),
    }
}

fn seccomp(status: &str) -> String {
    let Some(mode) = facts::status(status, "Seccomp") else { return String::new() };
    let mut text = facts::seccomp(mode, facts::status(status, "Seccomp_filters").unwrap_or("?"));
    if facts::status(status, "NoNewPrivs") == Some("1") {
        text.push_str("; no new privileges");
    }
    text
}

fn memory() -> String {
    ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        .iter()
        .find_map(|path| fs::read_to_string(path).ok())
        .map_or_else(|| "not visible in here".into(), |limit| facts::memory(&limit))
}

fn cgroup() -> String {
    let text = read("/proc/self/cgroup");
    let mut paths: Vec<&str> = text.lines().filter_map(|line| line.splitn(3, ':').nth(2)).collect();
    paths.sort_unstable();
    paths.dedup();
    paths.join(" ")
}

fn namespaces() -> String {
    let names = ["mnt", "pid", "net", "ipc", "uts", "cgroup", "user", "time"];
    let links = names.iter().filter_map(|name| fs::read_link(format!("/proc/self/ns/{name}")).ok());
    links.map(|link| link.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}
