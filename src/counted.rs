//! Prints counts with their nouns.

use std::fmt;

/// A count and its noun in the singular; prints `1 row`, `2 rows`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted<N>(pub(crate) N, pub(crate) &'static str);

impl<N: Copy + fmt::Display + From<u8> + PartialEq> fmt::Display for Counted<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(count, noun) = self;
        write!(f, "{count} {noun}{}", if *count == N::from(1) { "" } else { "s" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn count_of_one_is_printed_in_the_singular() {
        let printed = [0_u64, 1, 2].map(|count| Counted(count, "row").to_string());
        assert_eq!(printed, ["0 rows", "1 row", "2 rows"]);
        assert_eq!([1.0, 1.5].map(|count| Counted(count, "unit").to_string()), ["1 unit", "1.5 units"]);
    }
}
