//! CRC-32C as EROFS uses it: without the inversion at the end.

/// The polynomial of Castagnoli, reflected.
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// Returns the checksum of the bytes. They are few: bit by bit will do.
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |mut crc, byte| {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (POLYNOMIAL & (crc & 1).wrapping_neg());
        }
        crc
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_of_the_digits_is_the_standard_one() {
        // The check value of CRC-32C, taken back by its final inversion.
        assert_eq!(!crc32c(b"123456789"), 0xe306_9283);
    }
}
