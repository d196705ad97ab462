//! Builds the four release binaries.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The four programs, in the order of their size.
pub(crate) const PROGRAMS: [&str; 4] = ["naru", "narud", "naru-run", "naru-init"];

/// Builds the release binaries and returns the folder that holds them.
pub(crate) fn release() -> Result<PathBuf, String> {
    let mut command = Command::new(env!("CARGO"));
    command.args(["build", "--release", "--quiet"]);
    for program in PROGRAMS {
        command.args(["--package", program]);
    }
    eprintln!("xtask: building the release binaries");
    let status = command.current_dir(root()).status().map_err(|error| error.to_string())?;
    if !status.success() {
        return Err("the build failed".into());
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    Ok(target.join(host_triple()?).join("release"))
}

/// Builds the release binaries and copies them, with the unit files, to `target/dist`.
pub(crate) fn dist() -> Result<(), String> {
    let bins = release()?;
    let dist = root().join("target/dist");
    std::fs::create_dir_all(&dist).map_err(|error| error.to_string())?;
    for program in PROGRAMS {
        let to = dist.join(program);
        let size = std::fs::copy(bins.join(program), &to).map_err(|error| error.to_string())?;
        println!("{:>9} bytes  {}", size, to.display());
    }
    for unit in ["naru.service", "naru.socket"] {
        let to = dist.join(unit);
        std::fs::copy(root().join("dist/systemd").join(unit), &to).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Returns the root of the checkout.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the root of the checkout")
}

fn host_triple() -> Result<String, String> {
    let output = Command::new("rustc").arg("-vV").output().map_err(|error| format!("rustc: {error}"))?;
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .find_map(|line| line.strip_prefix("host: ").map(str::to_owned))
        .ok_or_else(|| "rustc -vV names no host".to_owned())
}
