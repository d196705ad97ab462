//! Crash points: the engine ends itself, as if killed, right after a given action. For tests of recovery.
//!
//! `NARU_CRASH_AFTER=Persist` means the first time that `Persist` was carried out, `NARU_CRASH_AFTER=Persist:3` the third.
//! The names are those of [`crate::machine::Action`], and of the parts of `Launch`: `PrepareRootfs`, `AttachNetwork`,
//! `LaunchShim`, `Create`.

use std::sync::atomic::{AtomicU32, Ordering};

/// The variable that names the crash point.
pub const VARIABLE: &str = "NARU_CRASH_AFTER";

/// Ends the engine after a given action; mostly does nothing.
#[derive(Debug, Default)]
pub(crate) struct CrashPoint {
    name: Option<String>,
    remaining: AtomicU32,
}

impl CrashPoint {
    /// Reads the variable's value.
    pub(crate) fn parse(value: Option<&str>) -> Self {
        let Some(value) = value.filter(|value| !value.is_empty()) else { return Self::default() };
        let (name, count) = match value.split_once(':') {
            Some((name, count)) => (name, count.parse().unwrap_or(1)),
            None => (value, 1),
        };
        Self { name: Some(name.to_owned()), remaining: AtomicU32::new(count) }
    }

    /// Ends the engine if this is the crash point.
    pub(crate) fn after(&self, name: &str) {
        if self.is_reached(name) {
            std::process::abort();
        }
    }

    fn is_reached(&self, name: &str) -> bool {
        self.name.as_deref() == Some(name) && self.remaining.fetch_sub(1, Ordering::Relaxed) == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crash_point_is_reached_at_the_given_count_only() {
        let point = CrashPoint::parse(Some("Persist:2"));
        let reached = ["Launch", "Persist", "Persist", "Persist"].map(|name| point.is_reached(name));
        assert_eq!(reached, [false, false, true, false]);
        assert!(CrashPoint::parse(Some("Forget")).is_reached("Forget"));
        assert!(!CrashPoint::parse(None).is_reached("Persist"));
    }
}
