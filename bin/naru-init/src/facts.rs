//! Facts that a process can read about itself. Parsing is pure; reading is in `hello`.

/// The capabilities by number.
///
/// # Source
/// man 7 capabilities; include/uapi/linux/capability.h
const CAPABILITIES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// Returns the value of one line of `/proc/self/status`.
pub(crate) fn status<'a>(status: &'a str, key: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).map(str::trim)
}

/// Returns the names in a capability mask as `/proc/self/status` shows it.
pub(crate) fn capabilities(mask: &str) -> Vec<&'static str> {
    let mask = u64::from_str_radix(mask, 16).unwrap_or(0);
    (0..).zip(CAPABILITIES).filter(|(bit, _)| mask >> bit & 1 == 1).map(|(_, name)| name).collect()
}

/// Returns file system type and options of the root, from `/proc/self/mountinfo`.
///
/// # Source
/// man 5 proc_pid_mountinfo
pub(crate) fn root(mountinfo: &str) -> Option<(&str, &str)> {
    mountinfo.lines().rev().find_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        let mut fields = place.split(' ').skip(4);
        (fields.next()? == "/").then_some(())?;
        Some((kind.split(' ').next()?, fields.next()?))
    })
}

/// Returns the names in `/proc/net/dev`, sorted.
pub(crate) fn devices(table: &str) -> String {
    let mut names: Vec<&str> =
        table.lines().filter_map(|line| Some(line.split_once(':')?.0.trim())).collect();
    names.sort_unstable();
    names.join(" ")
}

/// Returns what the value of `Seccomp` in `/proc/self/status` means.
pub(crate) fn seccomp(mode: &str, filters: &str) -> String {
    match mode {
        "0" => "none: every system call is permitted".into(),
        "1" => "strict".into(),
        "2" => format!("filter ({filters} loaded)"),
        other => format!("mode {other}"),
    }
}

/// Returns a number of bytes as people say it; `max` and v1's largest number mean no limit.
pub(crate) fn memory(limit: &str) -> String {
    match limit.trim().parse::<u64>() {
        Ok(bytes) if bytes < 1 << 62 => match bytes {
            0x4000_0000.. => format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30)),
            _ => format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
        },
        _ => "not limited".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_of_dockers_default_are_fourteen() {
        assert_eq!(
            capabilities("00000000a80425fb").join(" "),
            "CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_RAW SYS_CHROOT MKNOD \
             AUDIT_WRITE SETFCAP"
        );
        assert_eq!(capabilities("0"), Vec::<&str>::new());
    }

    #[test]
    fn root_is_the_topmost_mount_at_slash() {
        let mountinfo = "1 0 8:1 / / rw - ext4 /dev/root rw\n\
                         9 1 0:5 / /proc rw - proc proc rw\n\
                         8 1 0:4 / / ro,relatime shared:1 - overlay overlay rw,lowerdir=/l";
        assert_eq!(root(mountinfo), Some(("overlay", "ro,relatime")));
    }

    #[test]
    fn devices_are_listed_by_name() {
        let table = "Inter-|   Receive\n face |bytes    packets\n    lo:       0       0\n  eth0: 916 8";
        assert_eq!(devices(table), "eth0 lo");
    }

    #[test]
    fn status_lines_are_found_by_their_whole_key() {
        let text = "Seccomp:\t2\nSeccomp_filters:\t1\n";
        assert_eq!((status(text, "Seccomp"), status(text, "Seccomp_filters")), (Some("2"), Some("1")));
        assert_eq!(status(text, "Sec"), None);
    }

    #[test]
    fn memory_limits_are_readable() {
        let cases =
            [("max\n", "not limited"), ("9223372036854771712", "not limited"), ("67108864", "64.0 MiB")];
        for (limit, expected) in cases {
            assert_eq!(memory(limit), expected);
        }
    }
}
