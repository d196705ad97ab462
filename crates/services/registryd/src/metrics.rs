//! What the registry counts, in the text format of Prometheus.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

/// The counters. All only grow.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    pub(crate) requests: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) blob_bytes_sent: AtomicU64,
    pub(crate) blob_bytes_received: AtomicU64,
    pub(crate) blobs_pushed: AtomicU64,
    pub(crate) blobs_mounted: AtomicU64,
    pub(crate) manifests_pushed: AtomicU64,
    pub(crate) manifests_deleted: AtomicU64,
    pub(crate) collected_bytes: AtomicU64,
}

impl Metrics {
    pub(crate) fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }

    /// Returns all counters.
    ///
    /// # Source
    /// Prometheus, "Exposition formats", text format 0.0.4.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for (name, help, counter) in [
            ("naru_registry_requests_total", "Requests that came.", &self.requests),
            ("naru_registry_requests_refused_total", "Requests that were refused.", &self.refused),
            ("naru_registry_blob_sent_bytes_total", "Bytes of blobs that were sent.", &self.blob_bytes_sent),
            (
                "naru_registry_blob_received_bytes_total",
                "Bytes of uploads that came.",
                &self.blob_bytes_received,
            ),
            ("naru_registry_blobs_pushed_total", "Blobs that were pushed.", &self.blobs_pushed),
            (
                "naru_registry_blobs_mounted_total",
                "Blobs that were mounted from other repositories.",
                &self.blobs_mounted,
            ),
            ("naru_registry_manifests_pushed_total", "Manifests that were pushed.", &self.manifests_pushed),
            (
                "naru_registry_manifests_deleted_total",
                "Manifests and tags that were deleted.",
                &self.manifests_deleted,
            ),
            (
                "naru_registry_collected_bytes_total",
                "Bytes that the collection freed.",
                &self.collected_bytes,
            ),
        ] {
            let value = counter.load(Ordering::Relaxed);
            let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {value}\n"); // a String takes all
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_told_in_the_text_format() {
        let metrics = Metrics::default();
        Metrics::add(&metrics.requests, 3);
        let text = metrics.text();
        assert!(text.starts_with("# HELP naru_registry_requests_total Requests that came.\n# TYPE naru_registry_requests_total counter\nnaru_registry_requests_total 3\n"), "{text}");
    }
}
