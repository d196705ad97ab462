//! The processes of a container, as `ps` prints them. No program is executed for it.

use crate::Error;
use crate::view::Top;
use std::collections::HashMap;
use std::fs;
use std::io;

/// Ticks per second in /proc: the same on all Linux machines that we run on.
const TICKS: u64 = 100;

/// A column.
#[derive(Debug, Clone, Copy)]
struct Column {
    /// As the user names it.
    name: &'static str,
    /// As it is headed.
    title: &'static str,
    value: fn(&Process, &Host) -> String,
}

/// The columns that are known.
const COLUMNS: [Column; 27] = [
    Column { name: "pid", title: "PID", value: |p, _| p.pid.to_string() },
    Column { name: "ppid", title: "PPID", value: |p, _| p.ppid.to_string() },
    Column { name: "pgid", title: "PGID", value: |p, _| p.pgid.to_string() },
    Column { name: "pgrp", title: "PGRP", value: |p, _| p.pgid.to_string() },
    Column { name: "sid", title: "SID", value: |p, _| p.sid.to_string() },
    Column { name: "user", title: "USER", value: |p, host| host.user(p.uid) },
    Column { name: "uname", title: "USER", value: |p, host| host.user(p.uid) },
    Column { name: "uid", title: "UID", value: |p, _| p.uid.to_string() },
    Column { name: "gid", title: "GID", value: |p, _| p.gid.to_string() },
    Column { name: "comm", title: "COMMAND", value: |p, _| p.comm.clone() },
    Column { name: "ucmd", title: "CMD", value: |p, _| p.comm.clone() },
    Column { name: "cmd", title: "CMD", value: |p, _| p.command() },
    Column { name: "args", title: "COMMAND", value: |p, _| p.command() },
    Column { name: "command", title: "COMMAND", value: |p, _| p.command() },
    Column { name: "stat", title: "STAT", value: |p, _| p.state.to_string() },
    Column { name: "state", title: "S", value: |p, _| p.state.to_string() },
    Column { name: "s", title: "S", value: |p, _| p.state.to_string() },
    Column { name: "tty", title: "TT", value: |p, _| p.tty() },
    Column { name: "time", title: "TIME", value: |p, _| p.time() },
    Column {
        name: "etime",
        title: "ELAPSED",
        value: |p, host| elapsed(host.uptime_s.saturating_sub(p.start_s())),
    },
    Column {
        name: "etimes",
        title: "ELAPSED",
        value: |p, host| host.uptime_s.saturating_sub(p.start_s()).to_string(),
    },
    Column { name: "rss", title: "RSS", value: |p, _| (p.rss_pages * 4).to_string() },
    Column { name: "vsz", title: "VSZ", value: |p, _| (p.vsz_bytes / 1024).to_string() },
    Column { name: "nice", title: "NI", value: |p, _| p.nice.to_string() },
    Column { name: "ni", title: "NI", value: |p, _| p.nice.to_string() },
    Column { name: "nlwp", title: "NLWP", value: |p, _| p.threads.to_string() },
    Column { name: "stime", title: "STIME", value: |p, host| host.clock(p.start_s()) },
];

/// Columns of `-f`, of nothing, and of `u`, which head some of the same values otherwise.
const FULL: [(&str, &str); 8] = [
    ("user", "UID"),
    ("pid", "PID"),
    ("ppid", "PPID"),
    ("", "C"),
    ("stime", "STIME"),
    ("tty", "TTY"),
    ("time", "TIME"),
    ("cmd", "CMD"),
];
const SHORT: [(&str, &str); 4] = [("pid", "PID"), ("tty", "TTY"), ("time", "TIME"), ("ucmd", "CMD")];
const BSD: [(&str, &str); 11] = [
    ("user", "USER"),
    ("pid", "PID"),
    ("", "%CPU"),
    ("%mem", "%MEM"),
    ("vsz", "VSZ"),
    ("rss", "RSS"),
    ("tty", "TTY"),
    ("stat", "STAT"),
    ("stime", "START"),
    ("time", "TIME"),
    ("args", "COMMAND"),
];

/// What is shown, by column name and heading. An empty name is the share of a processor.
type Layout = Vec<(String, String)>;

/// Returns the processes with these ids.
///
/// # Errors
/// Unimplemented for options of ps that are not known here; Internal if /proc cannot be read.
pub(crate) fn top(pids: &[u32], ps_args: &str) -> Result<Top, Error> {
    let layout = layout(ps_args)?;
    let host = Host::read()?;
    let mut processes = Vec::new();
    for &pid in pids {
        // A process that has ended meanwhile is not shown.
        if let Some(process) = Process::read(pid) {
            processes.push(layout.iter().map(|(name, _)| cell(name, &process, &host)).collect());
        }
    }
    Ok(Top { titles: layout.into_iter().map(|(_, title)| title).collect(), processes })
}

fn cell(name: &str, process: &Process, host: &Host) -> String {
    match name {
        "" => process.share(host).to_string(),
        "%mem" => format!("{:.1}", percent(process.rss_pages * 4, host.memory_kib)),
        name => COLUMNS
            .iter()
            .find(|column| column.name == name)
            .map(|column| (column.value)(process, host))
            .unwrap_or_default(),
    }
}

/// Reads options of ps: `-ef`, `aux`, `-o pid,comm`, `-eo pid,args`, `o pid=ID`.
fn layout(ps_args: &str) -> Result<Layout, Error> {
    let fixed = |columns: &[(&str, &str)]| {
        columns.iter().map(|(name, title)| ((*name).to_owned(), (*title).to_owned())).collect()
    };
    let unknown = || {
        Error::unimplemented(format!(
            "top does not understand the ps options {ps_args:?}: use -ef, aux, or -o with {}",
            COLUMNS.map(|column| column.name).join(",")
        ))
    };
    let mut words = ps_args.split_whitespace();
    let mut layout: Option<Layout> = None;
    while let Some(word) = words.next() {
        let flags = word.strip_prefix('-').unwrap_or(word);
        // Which processes are shown is decided by the container: -e, -A, a and x change nothing.
        let wanted = flags.trim_start_matches(['e', 'A', 'a', 'x']);
        match wanted {
            "" => {}
            "f" => layout = Some(fixed(&FULL)),
            "u" | "ux" => layout = Some(fixed(&BSD)),
            _ => {
                let Some(rest) = wanted.strip_prefix('o') else { return Err(unknown()) };
                let list = if rest.is_empty() { words.next().ok_or_else(unknown)? } else { rest };
                let columns = list.split(',').map(|item| custom(item).ok_or_else(unknown));
                layout.get_or_insert_default().extend(columns.collect::<Result<Layout, Error>>()?);
            }
        }
    }
    Ok(layout.unwrap_or_else(|| fixed(&SHORT)))
}

fn custom(item: &str) -> Option<(String, String)> {
    let (name, title) = match item.split_once('=') {
        Some((name, title)) => (name, Some(title)),
        None => (item, None),
    };
    let column = COLUMNS.iter().find(|column| column.name == name)?;
    Some((name.to_owned(), title.unwrap_or(column.title).to_owned()))
}

/// What the values of all processes are computed from.
#[derive(Debug)]
struct Host {
    users: HashMap<u32, String>,
    uptime_s: u64,
    booted_at_s: u64,
    memory_kib: u64,
}

impl Host {
    fn read() -> Result<Self, Error> {
        let read = |path: &str| fs::read_to_string(path).map_err(Error::file("read", path));
        let uptime = read("/proc/uptime")?;
        let uptime_s = uptime.split('.').next().and_then(|text| text.parse().ok()).unwrap_or(0);
        let memory = read("/proc/meminfo")?;
        let memory_kib = memory.split_whitespace().nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
        let now_s = u64::try_from(crate::context::now() / 1_000_000_000).unwrap_or(0);
        let passwd = match fs::read_to_string("/etc/passwd") {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(Error::file("read", "/etc/passwd")(error)),
        };
        let user = |line: &str| {
            let mut fields = line.split(':');
            let name = fields.next()?.to_owned();
            Some((fields.nth(1)?.parse().ok()?, name))
        };
        let mut users = HashMap::new();
        for (uid, name) in passwd.lines().filter_map(user) {
            users.entry(uid).or_insert(name);
        }
        Ok(Self { users, uptime_s, booted_at_s: now_s.saturating_sub(uptime_s), memory_kib })
    }

    fn user(&self, uid: u32) -> String {
        self.users.get(&uid).cloned().unwrap_or_else(|| uid.to_string())
    }

    /// Returns a time of day, given in seconds since the machine started.
    fn clock(&self, start_s: u64) -> String {
        let seconds = self.booted_at_s + start_s;
        format!("{:02}:{:02}", seconds / 3600 % 24, seconds / 60 % 60)
    }
}

/// A process, as /proc describes it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Process {
    pid: u32,
    comm: String,
    state: char,
    ppid: u32,
    pgid: u32,
    sid: u32,
    tty: u32,
    ticks: u64,
    nice: i64,
    threads: u64,
    start_ticks: u64,
    vsz_bytes: u64,
    rss_pages: u64,
    uid: u32,
    gid: u32,
    args: Vec<String>,
}

impl Process {
    fn read(pid: u32) -> Option<Self> {
        let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
        let mut process = parse_stat(&String::from_utf8_lossy(&stat))?;
        let status = fs::read(format!("/proc/{pid}/status")).ok()?;
        let status = String::from_utf8_lossy(&status);
        let id = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key))?;
            line.split_whitespace().nth(1)?.parse().ok() // the effective one
        };
        process.uid = id("Uid:")?;
        process.gid = id("Gid:")?;
        let args = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let args = String::from_utf8_lossy(&args);
        process.args = args.split_terminator('\0').map(str::to_owned).collect();
        Some(process)
    }

    fn command(&self) -> String {
        if self.args.is_empty() { format!("[{}]", self.comm) } else { self.args.join(" ") }
    }

    fn start_s(&self) -> u64 {
        self.start_ticks / TICKS
    }

    fn time(&self) -> String {
        let seconds = self.ticks / TICKS;
        format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
    }

    /// The share of a processor since the start, in percent.
    fn share(&self, host: &Host) -> u64 {
        let lived = host.uptime_s.saturating_sub(self.start_s());
        (self.ticks * 100 / TICKS).checked_div(lived).unwrap_or(0)
    }

    /// # Source
    /// man 5 proc_pid_stat `tty_nr`; Documentation/admin-guide/devices.txt.
    fn tty(&self) -> String {
        let major = (self.tty >> 8) & 0xfff;
        let minor = (self.tty & 0xff) | ((self.tty >> 12) & 0xfff00);
        match major {
            0 => "?".to_owned(),
            136..=143 => format!("pts/{}", (major - 136) * 256 + minor),
            4 if minor < 64 => format!("tty{minor}"),
            4 => format!("ttyS{}", minor - 64),
            _ => format!("{major}:{minor}"),
        }
    }
}

/// Reads /proc/PID/stat. The name stands in brackets and may hold anything.
fn parse_stat(text: &str) -> Option<Process> {
    let (pid, rest) = text.split_once(" (")?;
    let (comm, rest) = rest.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    // The first one here is field 3 of the manual page.
    let field = |number: usize| fields.get(number - 3).copied();
    let number = |index: usize| field(index)?.parse::<u64>().ok();
    let id = |index: usize| field(index)?.parse::<i64>().ok().map(|value| u32::try_from(value).unwrap_or(0));
    Some(Process {
        pid: pid.parse().ok()?,
        comm: comm.to_owned(),
        state: field(3)?.chars().next()?,
        ppid: id(4)?,
        pgid: id(5)?,
        sid: id(6)?,
        tty: id(7)?,
        ticks: number(14)? + number(15)?,
        nice: field(19)?.parse().ok()?,
        threads: number(20)?,
        start_ticks: number(22)?,
        vsz_bytes: number(23)?,
        rss_pages: number(24)?,
        ..Process::default()
    })
}

fn elapsed(seconds: u64) -> String {
    let (days, hours, minutes, seconds) =
        (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes:02}:{seconds:02}"),
        (0, _) => format!("{hours:02}:{minutes:02}:{seconds:02}"),
        _ => format!("{days}-{hours:02}:{minutes:02}:{seconds:02}"),
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
    let (part, whole) = (part as f64, whole as f64);
    if whole > 0.0 { part * 100.0 / whole } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn titles(ps_args: &str) -> Vec<String> {
        layout(ps_args).unwrap().into_iter().map(|(_, title)| title).collect()
    }

    #[test]
    fn options_of_ps_choose_the_columns() {
        assert_eq!(titles("-ef"), ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]);
        assert_eq!(titles(""), ["PID", "TTY", "TIME", "CMD"]);
        assert_eq!(titles("aux")[..4], ["USER", "PID", "%CPU", "%MEM"]);
        assert_eq!(titles("-o pid,comm"), ["PID", "COMMAND"]);
        assert_eq!(titles("-eo pid,args=WHAT"), ["PID", "WHAT"]);
        assert_eq!(titles("-opid -o ppid"), ["PID", "PPID"]);
    }

    #[test]
    fn unknown_options_are_named() {
        for text in ["-o nope", "--forest", "-o"] {
            let message = layout(text).unwrap_err().to_string();
            assert!(message.contains(&format!("{text:?}")), "{message}");
        }
    }

    #[test]
    fn stat_is_read_even_with_a_strange_name() {
        let text = "42 (a) b (c)) S 1 42 42 34816 42 4194560 100 0 0 0 150 50 0 0 20 -5 3 0 12345 8192000 500 18446744073709551615";
        let expected = Process {
            pid: 42,
            comm: "a) b (c)".into(),
            state: 'S',
            ppid: 1,
            pgid: 42,
            sid: 42,
            tty: 34816,
            ticks: 200,
            nice: -5,
            threads: 3,
            start_ticks: 12345,
            vsz_bytes: 8_192_000,
            rss_pages: 500,
            ..Process::default()
        };
        let process = parse_stat(text).unwrap();
        assert_eq!(process, expected);
        assert_eq!((process.tty(), process.time()), ("pts/0".to_owned(), "00:00:02".to_owned()));
    }

    #[test]
    fn own_process_is_shown() {
        let top = top(&[std::process::id(), 0], "-o pid,uid,args").unwrap();
        assert_eq!(top.processes.len(), 1, "an id that stands for no process is left out");
        assert_eq!(top.processes[0][0], std::process::id().to_string());
    }
}
