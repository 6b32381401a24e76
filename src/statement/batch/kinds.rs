//! The names of batches in errors, spans and metrics.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use scylla::statement::batch::BatchType;

use crate::counted::Counted;
use crate::lock::locked;
use crate::observe::StatementMetrics;
use crate::statement::info::StatementInfo;

/// The kind of a batch. Batches of one kind share their name and their metrics.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct BatchKind {
    pub(super) is_logged: bool,
    pub(super) statements: usize,
    pub(super) is_idempotent: bool,
}

impl BatchKind {
    pub(super) fn attempted(self) -> String {
        let kind = if self.is_logged { "a logged batch" } else { "an unlogged batch" };
        format!("{kind} of {}", Counted(self.statements, "statement"))
    }
}

/// The kind of a batch, and the tag of its calls.
type Tagged = (BatchKind, Option<Arc<str>>);

/// The kinds of batches sent so far. They are cached, because building the name and looking up the metrics would
/// otherwise take a tenth of the time of a small batch. There are at most 200 logged and 200 unlogged kinds for each
/// tag.
#[derive(Default)]
pub(in crate::statement) struct BatchKinds {
    known: Mutex<BTreeMap<Tagged, (Arc<StatementInfo>, StatementMetrics)>>,
}

impl BatchKinds {
    pub(super) fn get(&self, kind: BatchKind, tag: Option<Arc<str>>) -> (Arc<StatementInfo>, StatementMetrics) {
        let mut known = locked(&self.known);
        let (info, metrics) = known.entry((kind, tag)).or_insert_with_key(|(kind, tag)| {
            let batch_type = if kind.is_logged { BatchType::Logged } else { BatchType::Unlogged };
            let info = StatementInfo::for_batch(batch_type, kind.attempted(), kind.is_idempotent);
            let metrics = StatementMetrics::for_statement(&info, tag.as_deref());
            (Arc::new(info), metrics)
        });
        (Arc::clone(info), metrics.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_of_the_same_shape_share_one_statement_info() {
        let kinds = BatchKinds::default();
        let kind = BatchKind { is_logged: false, statements: 2, is_idempotent: true };
        let info = |kind| kinds.get(kind, None).0;
        assert_eq!(info(kind).attempted, "an unlogged batch of 2 statements");
        assert_eq!((info(kind).operation(), info(kind).is_idempotent), ("BATCH", true));
        assert!(Arc::ptr_eq(&info(kind), &info(kind)));
        for other in [
            BatchKind { is_logged: true, ..kind },
            BatchKind { statements: 3, ..kind },
            BatchKind { is_idempotent: false, ..kind },
        ] {
            assert!(!Arc::ptr_eq(&info(kind), &info(other)));
            assert_eq!(info(other).attempted, other.attempted());
        }
        assert!(!Arc::ptr_eq(&info(kind), &kinds.get(kind, Some("import".into())).0));
    }
}
