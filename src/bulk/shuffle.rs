//! Shuffles rows, so that a sorted input does not concentrate its writes on one partition after the other.

/// A bounded buffer that returns its items in random order.
#[derive(Debug)]
pub(super) struct Shuffle<T> {
    items: Vec<(T, usize)>,
    bytes: usize,
    max_items: usize,
}

/// Limits the memory for large rows, which have up to 1 MB each.
const MAX_BYTES: usize = 32 * 1024 * 1024;

impl<T> Shuffle<T> {
    pub(super) fn new(max_items: usize) -> Self {
        Self { items: Vec::new(), bytes: 0, max_items }
    }

    pub(super) fn is_full(&self) -> bool {
        self.items.len() >= self.max_items || self.bytes >= MAX_BYTES
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(super) fn push(&mut self, item: T, bytes: usize) {
        self.items.push((item, bytes));
        self.bytes += bytes;
    }

    /// Removes a random item.
    pub(super) fn take(&mut self) -> Option<T> {
        if self.items.is_empty() {
            return None;
        }
        let (item, bytes) = self.items.swap_remove(fastrand::usize(..self.items.len()));
        self.bytes -= bytes;
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shuffle_yields_each_item_once_in_another_order() {
        let mut shuffle = Shuffle::new(1_000);
        (0..1_000_u64).for_each(|item| shuffle.push(item, 1));
        assert!(shuffle.is_full());
        let mut out: Vec<_> = std::iter::from_fn(|| shuffle.take()).collect();
        assert!(!out.is_sorted());
        out.sort_unstable();
        assert_eq!(out, (0..1_000).collect::<Vec<_>>());
        assert!(shuffle.is_empty() && shuffle.bytes == 0);
    }

    #[test]
    fn shuffle_is_full_by_bytes_with_large_items() {
        let mut shuffle = Shuffle::new(1_000);
        (0..32_u64).for_each(|item| shuffle.push(item, 1 << 20));
        assert!(shuffle.is_full());
    }
}
