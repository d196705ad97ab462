//! How much of a layer is taken.

/// The bounds beyond which a layer is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of the uncompressed archive.
    pub archive_bytes: u64,
    /// The most entries.
    pub entries: u64,
}

impl Default for Limits {
    /// 1 TiB and four million entries: above any image that was made in earnest, below what fills a machine's memory.
    fn default() -> Self {
        Self { archive_bytes: 1 << 40, entries: 4_000_000 }
    }
}
