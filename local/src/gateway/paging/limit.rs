//! The LIMIT of a SELECT that is read in several pages.

use keyspaces_cql::Statement as Tree;

use crate::saturated::saturated;
use crate::statement::BoundMarkers;

/// How many rows a SELECT returns at most.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Limit {
    Unlimited,
    /// At least 1.
    Rows(u32),
    /// A value that Cassandra refuses.
    Invalid,
}

impl Limit {
    pub(super) fn new(tree: &Tree, bound: &BoundMarkers<'_>) -> Self {
        /// Cassandra's name for the marker in `LIMIT ?`.
        const MARKER: &str = "[limit]";
        let Tree::Select(select) = tree else { return Self::Unlimited };
        let Some(limit) = &select.limit else { return Self::Unlimited };
        match bound.int(&limit.rows, MARKER).map(u32::try_from) {
            Some(Ok(rows)) if rows > 0 => Self::Rows(rows),
            None if bound.is_unset(&limit.rows, MARKER) => Self::Unlimited,
            _ => Self::Invalid,
        }
    }

    /// The page size with which Cassandra continues at a paging state: it ignores the paging state of a SELECT whose
    /// LIMIT fits into one page, and starts again from the first row.
    ///
    /// A SELECT with `LIMIT 1` has no second page, except for a client that lowers the LIMIT between two pages.
    pub(super) fn later_page_size(self, page_size: usize) -> usize {
        match self {
            Self::Rows(rows) => page_size.min(saturated::<usize>(rows - 1)).max(1),
            Self::Unlimited | Self::Invalid => page_size,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Values;

    fn limit(text: &str, values: &[u8]) -> Limit {
        let tree = keyspaces_cql::parse(text).unwrap();
        Limit::new(&tree, &BoundMarkers::new(&tree, &Values::read(values, false)))
    }

    #[test]
    fn the_limit_is_literal_or_bound() {
        assert_eq!(limit("SELECT * FROM t", &[]), Limit::Unlimited);
        assert_eq!(limit("SELECT * FROM t LIMIT 7", &[]), Limit::Rows(7));
        let bound = |value: [u8; 8]| limit("SELECT * FROM t LIMIT ?", &[&[0, 1], &value[..]].concat());
        assert_eq!(bound([0, 0, 0, 4, 0, 0, 0, 9]), Limit::Rows(9));
        for refused in [[0, 0, 0, 4, 0, 0, 0, 0], [0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff]] {
            assert_eq!(bound(refused), Limit::Invalid);
        }
        assert_eq!(limit("SELECT * FROM t LIMIT ?", &[0, 1, 0xff, 0xff, 0xff, 0xff]), Limit::Invalid, "null");
        assert_eq!(limit("SELECT * FROM t LIMIT ?", &[0, 1, 0xff, 0xff, 0xff, 0xfe]), Limit::Unlimited, "unset");
    }

    #[test]
    fn a_later_page_is_smaller_than_the_limit() {
        assert_eq!([3, 9, 10, 11].map(|page_size| Limit::Rows(10).later_page_size(page_size)), [3, 9, 9, 9]);
        assert_eq!((Limit::Rows(1).later_page_size(5), Limit::Unlimited.later_page_size(5)), (1, 5));
    }
}
