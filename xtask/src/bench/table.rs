//! Samples and tables.

use std::time::{Duration, Instant};

/// Durations of the same work.
pub(crate) struct Samples(Vec<Duration>);

impl Samples {
    /// Takes durations in any order.
    pub(crate) fn new(mut durations: Vec<Duration>) -> Self {
        durations.sort();
        Self(durations)
    }

    /// Returns the median in milliseconds.
    pub(crate) fn median_ms(&self) -> f64 {
        self.0.get(self.0.len() / 2).map_or(f64::NAN, |duration| duration.as_secs_f64() * 1e3)
    }

    /// Returns the minimum in milliseconds.
    pub(crate) fn min_ms(&self) -> f64 {
        self.0.first().map_or(f64::NAN, |duration| duration.as_secs_f64() * 1e3)
    }
}

/// Runs `work` and returns how long it took.
pub(crate) fn time(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

/// Prints one line: what, then `median [min]` for each engine, then the ratio to the first.
pub(crate) fn print_line(what: &str, columns: &[(&str, Samples)]) {
    let mut line = format!("{what:<28}");
    for (name, samples) in columns {
        line.push_str(&format!("  {name} {:>8.2} [{:>8.2}] ms", samples.median_ms(), samples.min_ms()));
    }
    if let Some((_, first)) = columns.first() {
        for (name, samples) in &columns[1..] {
            line.push_str(&format!("  {name}/naru {:.1}x", samples.median_ms() / first.median_ms()));
        }
    }
    println!("{line}");
}
