//! Archives with random damage: no panic, no hang, nothing outside.

use crate::common::{Place, archive, directory, file, hardlink, symlink};
use crate::file::Both;
use layer::Limits;
use layer::tar::{TypeFlag, WriterEntry};

/// A small generator (xorshift64*): the same numbers in every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// How often a test tries: more if NARU_TEST_RANDOM_ROUNDS says so.
    pub(crate) fn rounds(usual: usize) -> usize {
        std::env::var("NARU_TEST_RANDOM_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }
}

/// Puts the right checksum into every block that could be a header.
fn seal(archive: &mut [u8]) {
    for block in archive.chunks_exact_mut(512) {
        if &block[257..262] == b"ustar" {
            block[148..156].fill(b' ');
            let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
}

const WORDS: &[&[u8]] = &[
    b"..",
    b"/",
    b"../",
    b".wh.",
    b".wh..wh..opq",
    b"\0",
    b"\xff\xff",
    b"\x80",
    b"7777777",
    b"-1",
    b"S",
    b"x",
    b"L",
    b"1",
    b"2",
    b"5",
    b"path=../../outside/x",
    b"GNU.sparse.major=1",
    b"size=99999999999",
];

#[test]
fn damaged_archives_never_panic_and_never_leave_the_root() {
    let place = Place::new("random");
    let before = place.outside();
    let both = Both::new(&place);
    let xattrs: [(&[u8], &[u8]); 1] = [(b"user.a", b"1")];
    let long = "n".repeat(150);
    let whole = archive(&[
        directory("d"),
        WriterEntry { xattrs: &xattrs, ..file("d/f", "content") },
        directory("outside"),
        symlink("l", "../outside"),
        file(&long, "x"),
        hardlink("h", "d/f"),
        WriterEntry { device: (0, 0), ..WriterEntry::new("w", TypeFlag::CharDevice) },
        file("d/.wh..wh..opq", ""),
        file(".wh.gone", ""),
        file("l/secret", "changed"),
    ]);
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let rounds = Random::rounds(400);
    let (mut applied, mut refused) = (0, 0);
    for _ in 0..rounds {
        let mut bytes = whole.clone();
        for _ in 0..=random.below(4) {
            let word = WORDS[random.below(WORDS.len())];
            let at = random.below(bytes.len() - word.len());
            bytes[at..at + word.len()].copy_from_slice(word);
        }
        if random.below(8) == 0 {
            bytes.truncate(random.below(bytes.len()));
        }
        if random.below(10) > 0 {
            seal(&mut bytes);
        }
        let limits = Limits { archive_bytes: 1 << 20, entries: 50 };
        let as_file = both.compare(&bytes, &limits).is_ok();
        let result = place.apply_limited(&bytes, &limits);
        assert_eq!(as_file, result.is_ok());
        match result {
            Ok(_) => applied += 1,
            Err(_) => refused += 1,
        }
        assert_eq!(place.outside(), before);
        std::fs::remove_dir_all(place.root()).unwrap();
        std::fs::create_dir(place.root()).unwrap();
    }
    assert!(applied > 0 && refused > 0, "{applied} applied, {refused} refused");
}
