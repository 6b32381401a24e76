//! Random values that cannot be guessed and do not collide.

use sha2::{Digest, Sha256};
use uuid::Uuid;

/// 32 lower-case hexadecimal digits, all of them random.
pub(crate) fn hex_32() -> String {
    hex::encode(&digest()[..16])
}

/// `length` (at most 32) random characters of an alphabet of at most 256.
pub(crate) fn text(alphabet: &[u8], length: usize) -> String {
    digest().iter().take(length).map(|byte| char::from(alphabet[usize::from(*byte) % alphabet.len()])).collect()
}

/// A random number of `range`.
pub(crate) fn number(range: std::ops::Range<u16>) -> u16 {
    let bytes = digest();
    range.start + u16::from_be_bytes([bytes[0], bytes[1]]) % (range.end - range.start)
}

/// SplitMix64's finalizer: neighbouring inputs have unrelated outputs.
pub(crate) const fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Two random UUIDs hold 244 random bits; hashing spreads them over every digit.
fn digest() -> [u8; 32] {
    Sha256::new().chain_update(Uuid::new_v4()).chain_update(Uuid::new_v4()).finalize().into()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    #[test]
    fn a_thousand_random_values_differ_and_have_the_right_form() {
        let all: HashSet<String> = (0..1000).map(|_| super::hex_32()).collect();
        assert_eq!(all.len(), 1000);
        assert!(all.iter().all(|one| one.len() == 32 && one.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))));
        assert!((0..1000).all(|_| (20_000..20_010).contains(&super::number(20_000..20_010))));
        assert_eq!(super::text(b"A", 16), "A".repeat(16));
    }
}
