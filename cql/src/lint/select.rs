//! SELECT.

use super::{Linter, advice};
use crate::is_system_keyspace;
use crate::statement::{Operator, Select, Selection};

impl Linter {
    pub(super) fn select(&mut self, select: &Select) {
        let keyspace = select.table.keyspace.as_ref().map(|keyspace| keyspace.text.as_str());
        if keyspace.or(self.keyspace.as_deref()).is_some_and(is_system_keyspace) {
            return;
        }
        if let Some(span) = select.allow_filtering {
            self.advise(&advice::ALLOW_FILTERING, span, "");
        } else if select.relations.is_empty() && select.limit.is_none() {
            self.advise(&advice::FULL_SCAN, select.span, "");
        }
        if let Selection::All(span) = select.selection {
            self.advise(&advice::SELECT_STAR, span, "");
        }
        for relation in select.relations.iter().filter(|relation| relation.operator == Operator::In) {
            self.advise(&advice::IN_SELECT, relation.span, "");
        }
    }
}
