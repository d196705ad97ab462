//! What end-to-end tests need: an engine of their own, with its own data root, socket, cgroup parent and network namespace,
//! and a registry with small images on that namespace's loopback.
//!
//! Everything that a [`TestEnv`] made is gone when it is dropped, also when the test failed. Development only.

#![forbid(unsafe_code)]

mod env;
mod fixtures;
pub mod golden;
mod http;
mod output;
mod processes;
mod terminal;

pub use env::{EnvOptions, TestEnv};
pub use fixtures::busybox_docker_archive;
pub use http::{Response, exchange};
pub use output::Ran;
pub use terminal::Terminal;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

static PROGRAMS: OnceLock<PathBuf> = OnceLock::new();

/// Fixes the folder of the programs under test.
pub fn use_programs(folder: &Path) {
    PROGRAMS.get_or_init(|| folder.to_owned());
}

/// Returns the folder of the programs under test: what [`use_programs`] fixed, else `NARU_BIN_DIR`, else the release
/// folder of the checkout.
///
/// # Panics
/// Says how to build them if they are not there.
pub fn programs() -> PathBuf {
    let folder = PROGRAMS
        .get_or_init(|| {
            std::env::var_os("NARU_BIN_DIR").map_or_else(
                || checkout().join(format!("target/{}-unknown-linux-gnu/release", std::env::consts::ARCH)),
                PathBuf::from,
            )
        })
        .clone();
    assert!(
        folder.join("narud").exists(),
        "no narud in {}: run the tests with `cargo xtask test`, or build with `cargo build --release`",
        folder.display()
    );
    folder
}

/// Returns the root of the checkout.
pub fn checkout() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().expect("testkit lies in the checkout").to_owned()
}

/// Waits until `condition` holds.
///
/// # Panics
/// When it does not within twenty seconds; `what` says what was waited for.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registry_serves_the_fixture_images_inside_the_namespace_only() {
        let env = TestEnv::with(EnvOptions { without_engine: true, ..EnvOptions::default() });
        let tags = ["wget", "-q", "-O", "-", "http://127.0.0.1:5000/v2/library/busybox/tags/list"];
        let ran = env.run_in_namespace("busybox", &tags).ok();
        assert_eq!(ran, r#"{"name":"library/busybox","tags":["latest"]}"#);
    }
}
