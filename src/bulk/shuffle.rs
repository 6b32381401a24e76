//! Rows in random order, so that a sorted input does not heat one partition after the other.

/// A bounded buffer that gives what is in it at random.
#[derive(Debug)]
pub(super) struct Shuffle<T> {
    items: Vec<T>,
    bytes: usize,
    most_items: usize,
}

/// Rows of 1 MB would fill the memory before they fill the buffer.
const MOST_BYTES: usize = 32 * 1024 * 1024;

impl<T> Shuffle<T> {
    pub(super) fn new(most_items: usize) -> Self {
        Self { items: Vec::new(), bytes: 0, most_items }
    }

    pub(super) fn is_full(&self) -> bool {
        self.items.len() >= self.most_items || self.bytes >= MOST_BYTES
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(super) fn push(&mut self, item: T, bytes: usize) {
        self.items.push(item);
        self.bytes += bytes;
    }

    /// Takes one at random, or that with the smallest `age` if `oldest` is asked for.
    pub(super) fn take(&mut self, oldest: bool, age: impl Fn(&T) -> u64, bytes: impl Fn(&T) -> usize) -> Option<T> {
        let index = match oldest {
            true => self.items.iter().enumerate().min_by_key(|(_, item)| age(item))?.0,
            false => fastrand::usize(..Some(self.items.len()).filter(|length| *length > 0)?),
        };
        let item = self.items.swap_remove(index);
        self.bytes = self.bytes.saturating_sub(bytes(&item));
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_comes_out_once_in_another_order_than_it_went_in() {
        let mut shuffle = Shuffle::new(1_000);
        (0..1_000_u64).for_each(|item| shuffle.push(item, 1));
        assert!(shuffle.is_full());
        assert_eq!(shuffle.take(true, |item| *item, |_| 1), Some(0));
        let mut out: Vec<_> = std::iter::from_fn(|| shuffle.take(false, |item| *item, |_| 1)).collect();
        assert!(!out.is_sorted());
        out.sort_unstable();
        assert_eq!(out, (1..1_000).collect::<Vec<_>>());
        assert!(shuffle.is_empty() && shuffle.bytes == 0);
    }

    #[test]
    fn large_items_fill_it_by_their_bytes() {
        let mut shuffle = Shuffle::new(1_000);
        (0..32_u64).for_each(|item| shuffle.push(item, 1 << 20));
        assert!(shuffle.is_full());
    }
}
