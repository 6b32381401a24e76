//! SELECT.

use std::fmt::{self, Display, Formatter};

use super::{Joined, commas, if_some};
use crate::statement::{Ordering, Select, Selection, Selector, SortOrder};

impl Display for Select {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "SELECT {}{}", if_some(&self.json, "JSON "), if_some(&self.distinct, "DISTINCT "))?;
        match &self.selection {
            Selection::All(_) => f.write_str("*")?,
            Selection::Selectors(selectors) => commas(selectors).fmt(f)?,
        }
        write!(f, " FROM {}", self.table)?;
        if !self.relations.is_empty() {
            write!(f, " WHERE {}", Joined(&self.relations, " AND "))?;
        }
        if !self.group_by.is_empty() {
            write!(f, " GROUP BY {}", commas(&self.group_by))?;
        }
        if !self.order_by.is_empty() {
            write!(f, " ORDER BY {}", commas(&self.order_by))?;
        }
        if let Some(limit) = &self.per_partition_limit {
            write!(f, " PER PARTITION LIMIT {}", limit.rows)?;
        }
        if let Some(limit) = &self.limit {
            write!(f, " LIMIT {}", limit.rows)?;
        }
        f.write_str(if_some(&self.allow_filtering, " ALLOW FILTERING"))
    }
}

impl Display for Selector {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.term.fmt(f)?;
        self.alias.iter().try_for_each(|alias| write!(f, " AS {alias}"))
    }
}

impl Display for Ordering {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.target, self.order)
    }
}

impl Display for SortOrder {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ascending => "ASC",
            Self::Descending => "DESC",
        })
    }
}
