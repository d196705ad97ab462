//! The flags of `run` and `create`.

use super::check;
use crate::flags::{Flag, Missing, int};

/// The flags that both commands have, and those given.
macro_rules! with_common {
    ($($own:expr),* $(,)?) => {
        &[
            $($own,)*
            Flag::many("add-host", "list", "Add a custom host-to-IP mapping (host:ip)").check(check::extra_host),
            Flag::many("annotation", "map", "Add an annotation to the container (passed through to the OCI runtime)")
                .default("map[]"),
            Flag::many("attach", "list", "Attach to STDIN, STDOUT or STDERR").short('a').check(check::attach),
            Flag::one("blkio-weight", "uint16", "Block IO (relative weight), between 10 and 1000, or 0 to disable (default 0)")
                .check(check::weight),
            Flag::many("cap-add", "list", "Add Linux capabilities"),
            Flag::many("cap-drop", "list", "Drop Linux capabilities"),
            Flag::one("cgroup-parent", "string", "Optional parent cgroup for the container"),
            Flag::one("cgroupns", "string", "Cgroup namespace to use (host|private)"),
            Flag::one("cidfile", "string", "Write the container ID to the file"),
            Flag::one("cpu-period", "int", "Limit CPU CFS (Completely Fair Scheduler) period").check(int),
            Flag::one("cpu-quota", "int", "Limit CPU CFS (Completely Fair Scheduler) quota").check(int),
            Flag::one("cpu-shares", "int", "CPU shares (relative weight)").short('c').check(int),
            Flag::one("cpus", "decimal", "Number of CPUs").check(check::cpus),
            Flag::one("cpuset-cpus", "string", "CPUs in which to allow execution (0-3, 0,1)"),
            Flag::one("cpuset-mems", "string", "MEMs in which to allow execution (0-3, 0,1)"),
            Flag::many("device", "list", "Add a host device to the container"),
            Flag::many("device-cgroup-rule", "list", "Add a rule to the cgroup allowed devices list")
                .check(check::device_rule),
            Flag::many("dns", "list", "Set custom DNS servers").check(check::dns),
            Flag::many("dns-option", "list", "Set DNS options").also(&["dns-opt"]),
            Flag::many("dns-search", "list", "Set custom DNS search domains").check(check::dns_search),
            Flag::one("domainname", "string", "Container NIS domain name"),
            Flag::one("entrypoint", "string", "Overwrite the default ENTRYPOINT of the image"),
            Flag::many("env", "list", "Set environment variables").short('e').check(check::env),
            Flag::many("env-file", "list", "Read in a file of environment variables"),
            Flag::many("expose", "list", "Expose a port or a range of ports"),
            Flag::many("group-add", "list", "Add additional groups to join"),
            Flag::one("health-cmd", "string", "Command to run to check health"),
            Flag::one("health-http", "url", "Page to ask for to check health ([http://][address]:port[/path])"),
            Flag::one("health-interval", "duration", "Time between running the check (ms|s|m|h) (default 0s)")
                .check(check::duration),
            Flag::one("health-retries", "int", "Consecutive failures needed to report unhealthy").check(int),
            Flag::one("health-start-interval", "duration", "Time between running the check during the start period (ms|s|m|h) (default 0s)")
                .check(check::duration),
            Flag::one("health-start-period", "duration", "Start period for the container to initialize before starting health-retries countdown (ms|s|m|h) (default 0s)")
                .check(check::duration),
            Flag::one("health-timeout", "duration", "Maximum time to allow one check to run (ms|s|m|h) (default 0s)")
                .check(check::duration),
            Flag::one("hostname", "string", "Container host name").short('h'),
            Flag::switch("init", "Run an init inside the container that forwards signals and reaps processes"),
            Flag::switch("interactive", "Keep STDIN open even if not attached").short('i'),
            Flag::one("ipc", "string", "IPC mode to use"),
            Flag::many("label", "list", "Set meta data on a container").short('l').check(check::label),
            Flag::many("label-file", "list", "Read in a line delimited file of labels"),
            Flag::one("log-driver", "string", "Logging driver for the container"),
            Flag::many("log-opt", "list", "Log driver options"),
            Flag::one("memory", "bytes", "Memory limit").short('m').check(check::bytes),
            Flag::one("memory-reservation", "bytes", "Memory soft limit").check(check::bytes),
            Flag::one("memory-swap", "bytes", "Swap limit equal to memory plus swap: '-1' to enable unlimited swap")
                .check(check::swap),
            Flag::one("memory-swappiness", "int", "Tune container memory swappiness (0 to 100)")
                .default("-1")
                .check(int),
            Flag::many("mount", "mount", "Attach a filesystem mount to the container (types bind and tmpfs)")
                .check(check::mount),
            Flag::one("name", "string", "Assign a name to the container"),
            Flag::many("network", "network", "Connect a container to a network").also(&["net"]),
            Flag::many("network-alias", "list", "Add network-scoped alias for the container").also(&["net-alias"]),
            Flag::one("ip", "string", "IPv4 address (e.g., 172.30.100.104)"),
            Flag::one("ip6", "string", "IPv6 address (e.g., 2001:db8::33)"),
            Flag::many("link", "list", "Add link to another container"),
            Flag::many("link-local-ip", "list", "Container IPv4/IPv6 link-local addresses"),
            Flag::one("mac-address", "string", "Container MAC address (e.g., \"92:d0:c6:0a:29:33\")"),
            Flag::switch("no-healthcheck", "Disable any container-specified HEALTHCHECK"),
            Flag::switch("oom-kill-disable", "Disable OOM Killer"),
            Flag::one("oom-score-adj", "int", "Tune host's OOM preferences (-1000 to 1000)").check(int),
            Flag::one("pid", "string", "PID namespace to use"),
            Flag::one("pids-limit", "int", "Tune container pids limit (set -1 for unlimited)").check(int),
            Flag::one("platform", "string", "Set platform if server is multi-platform capable"),
            Flag::switch("privileged", "Give extended privileges to this container"),
            Flag::many("publish", "list", "Publish a container's port(s) to the host").short('p'),
            Flag::switch("publish-all", "Publish all exposed ports to random ports").short('P'),
            Flag::switch("quiet", "Suppress the pull output").short('q'),
            Flag::switch("read-only", "Mount the container's root filesystem as read only"),
            Flag::one("restart", "string", "Restart policy to apply when a container exits").default("no"),
            Flag::switch("rm", "Automatically remove the container when it exits"),
            Flag::many("security-opt", "list", "Security Options"),
            Flag::one("shm-size", "bytes", "Size of /dev/shm").check(check::bytes),
            Flag::one("stop-signal", "string", "Signal to stop the container"),
            Flag::one("stop-timeout", "int", "Timeout (in seconds) to stop a container").check(int),
            Flag::many("sysctl", "map", "Sysctl options").default("map[]").check(check::sysctl),
            Flag::many("tmpfs", "list", "Mount a tmpfs directory"),
            Flag::switch("tty", "Allocate a pseudo-TTY").short('t'),
            Flag::many("ulimit", "ulimit", "Ulimit options").default("[]").check(check::ulimit),
            Flag::one("user", "string", "Username or UID (format: <name|uid>[:<group|gid>])").short('u'),
            Flag::one("uts", "string", "UTS namespace to use"),
            Flag::many("volume", "list", "Bind mount a volume").short('v'),
            Flag::one("volume-driver", "string", "Optional volume driver for the container"),
            Flag::many("volumes-from", "list", "Mount volumes from the specified container(s)"),
            Flag::one("workdir", "string", "Working directory inside the container").short('w'),
        ]
    };
}

/// The flags of `naru create`.
pub(crate) const CREATE: &[Flag] = with_common![
    Flag::one("pull", "string", "Pull image before creating (\"always\", \"missing\", \"never\")")
        .default("missing"),
];

/// The flags of `naru run`.
pub(crate) const RUN: &[Flag] = with_common![
    Flag::one("pull", "string", "Pull image before running (\"always\", \"missing\", \"never\")")
        .default("missing"),
    Flag::switch("detach", "Run container in background and print container ID").short('d'),
    Flag::one("detach-keys", "string", "Override the key sequence for detaching a container"),
    Flag::switch("sig-proxy", "Proxy received signals to the process").default("true"),
];

const RATES: &str = "limits per block device do not exist yet";
const REALTIME: &str = "real-time scheduling limits do not exist yet";
const WINDOWS: &str = "it is for Windows containers only";

/// Flags of Docker that are refused by name.
pub(crate) const MISSING: &[Missing] = &[
    Missing::new("blkio-weight-device", RATES),
    Missing::new("device-read-bps", RATES),
    Missing::new("device-read-iops", RATES),
    Missing::new("device-write-bps", RATES),
    Missing::new("device-write-iops", RATES),
    Missing::new("cpu-rt-period", REALTIME),
    Missing::new("cpu-rt-runtime", REALTIME),
    Missing::new("gpus", "GPUs cannot be passed on yet; --device passes single devices on"),
    Missing::new("runtime", "there is one OCI runtime, and it is built in"),
    Missing::new("userns", "user namespaces do not exist yet"),
    Missing::new("storage-opt", "the snapshot driver has no options"),
    Missing::new("use-api-socket", "it does not exist yet; -v mounts the socket"),
    Missing::new("disable-content-trust", "content trust does not exist, so there is nothing to disable"),
    Missing::new("kernel-memory", "the kernel does not have this limit any more"),
    Missing::new("cpu-count", WINDOWS),
    Missing::new("cpu-percent", WINDOWS),
    Missing::new("io-maxbandwidth", WINDOWS),
    Missing::new("io-maxiops", WINDOWS),
    Missing::new("isolation", WINDOWS),
];
