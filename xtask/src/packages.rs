//! Debian packages that builds and tests need, installed by name.

use std::path::Path;
use std::process::Command;

/// What the tests need: (a program that proves it is there, the package).
const TEST_PACKAGES: &[(&str, &str)] = &[
    ("/bin/busybox", "busybox-static"),
    ("/usr/bin/docker-registry", "docker-registry"),
    ("/usr/bin/skopeo", "skopeo"),
    ("/usr/sbin/ip", "iproute2"),
    ("/usr/bin/nsenter", "util-linux"),
    ("/usr/bin/jq", "jq"),
    ("/usr/bin/openssl", "openssl"),
    ("/usr/bin/strace", "strace"),
    ("/usr/bin/sqlite3", "sqlite3"),
    ("/usr/bin/setfattr", "attr"),
    ("/usr/bin/script", "bsdutils"),
    ("/usr/bin/systemd-socket-activate", "systemd"),
    ("/usr/bin/pgrep", "procps"),
    ("/usr/bin/newuidmap", "uidmap"),
    ("/usr/bin/zstd", "zstd"),
    ("/usr/bin/bzip2", "bzip2"),
    ("/usr/bin/xz", "xz-utils"),
    ("/usr/lib/python3/dist-packages/docker", "python3-docker"),
    ("/usr/bin/docker-compose", "docker-compose"),
];

/// Installs a C compiler where there is none: SQLite, ring and zstd are C.
pub(crate) fn ensure_build_tools() -> Result<(), String> {
    if which("cc") && Path::new("/usr/include/stdio.h").exists() {
        return Ok(());
    }
    install(&["gcc", "libc6-dev"])
}

/// Installs what the tests need and is not there yet.
pub(crate) fn ensure_test_packages() -> Result<(), String> {
    ensure_build_tools()?;
    let missing: Vec<&str> = TEST_PACKAGES
        .iter()
        .filter(|(program, _)| !Path::new(program).exists())
        .map(|(_, package)| *package)
        .collect();
    if !missing.is_empty() {
        install(&missing)?;
    }
    if which("docker") {
        return Ok(());
    }
    // Newer releases have the client in a package of its own.
    install(&["docker-cli"]).or_else(|_| install(&["docker.io"]))
}

/// Whether this process may start the engine itself.
pub(crate) fn is_root() -> bool {
    std::fs::read_to_string("/proc/self/status")
        .is_ok_and(|status| status.lines().any(|line| line.starts_with("Uid:\t0\t")))
}

fn which(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

fn install(packages: &[&str]) -> Result<(), String> {
    eprintln!("xtask: installing {}", packages.join(" "));
    if !which("apt-get") {
        return Err(format!("apt-get is not there; install these yourself: {}", packages.join(" ")));
    }
    let script = format!(
        "export DEBIAN_FRONTEND=noninteractive; apt='apt-get -q -o DPkg::Lock::Timeout=300'; \
         $apt install -y --no-install-recommends {0} || \
         {{ $apt update && $apt install -y --no-install-recommends {0}; }}",
        packages.join(" ")
    );
    let mut command = if is_root() { Command::new("sh") } else { Command::new("sudo") };
    if !is_root() {
        command.arg("sh");
    }
    let output = command.args(["-c", &script]).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("cannot install {}:\n{}", packages.join(" "), String::from_utf8_lossy(&output.stderr)))
}
