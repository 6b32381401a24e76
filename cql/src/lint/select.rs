//! SELECT.

use super::{Linter, advice};
use crate::is_system_keyspace;
use crate::statement::{Operator, Select, Selection};

pub(super) fn select(linter: &mut Linter, select: &Select) {
    let keyspace = select.table.keyspace.as_ref().map(|keyspace| keyspace.text.as_str());
    if keyspace.or(linter.keyspace.as_deref()).is_some_and(is_system_keyspace) {
        return;
    }
    if let Some(span) = select.allow_filtering {
        linter.advise(&advice::ALLOW_FILTERING, span, "");
    } else if select.relations.is_empty() && select.limit.is_none() {
        linter.advise(&advice::FULL_SCAN, select.span, "");
    }
    if let Selection::All(span) = select.selection {
        linter.advise(&advice::SELECT_STAR, span, "");
    }
    for relation in select.relations.iter().filter(|relation| relation.operator == Operator::In) {
        linter.advise(&advice::IN_SELECT, relation.span, "");
    }
}
