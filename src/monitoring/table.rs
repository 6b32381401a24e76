use std::fmt;

use keyspaces_cql::{CapacityMode, TableDefinition};

use super::period::refused;
use crate::Error;

/// A table whose metrics are watched or read, and what of its settings decides which metrics it has.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Table {
    pub(super) keyspace: String,
    pub(super) name: String,
    pub(super) is_provisioned: bool,
    pub(super) receiving_regions: Vec<String>,
    pub(super) stream_labels: Vec<String>,
}

impl Table {
    /// An on-demand table in one Region, without a change data capture stream.
    ///
    /// # Errors
    ///
    /// `Configuration`: a keyspace or a table cannot have this name (1 to 48 letters, digits and underscores, not beginning
    /// with an underscore; `API:CreateTable`).
    pub fn new(keyspace: impl Into<String>, name: impl Into<String>) -> Result<Self, Error> {
        let (keyspace, name) = (keyspace.into(), name.into());
        for (what, value) in [("the name of a keyspace", &keyspace), ("the name of a table", &name)] {
            let is_made_well = value.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !value.starts_with('_');
            if !is_made_well || value.is_empty() || value.len() > 48 {
                let problem = "names have 1 to 48 letters, digits and underscores, the first no underscore";
                return Err(refused(what, value, problem, "Metrics are found under the exact name only"));
            }
        }
        let (receiving_regions, stream_labels) = (Vec::new(), Vec::new());
        Ok(Self { keyspace, name, is_provisioned: false, receiving_regions, stream_labels })
    }

    /// The table of a definition, provisioned where the definition says so.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new); a definition that names no keyspace has none to watch.
    pub fn of(definition: &TableDefinition) -> Result<Self, Error> {
        let keyspace = definition.table.keyspace.as_ref().map_or("", |keyspace| keyspace.text.as_str());
        let table = Self::new(keyspace, definition.table.name.text.as_str())?;
        let is_provisioned = matches!(definition.options.capacity_mode, Some(CapacityMode::Provisioned { .. }));
        Ok(if is_provisioned { table.provisioned() } else { table })
    }

    /// With provisioned capacity, so that it has the metrics of that.
    #[must_use]
    pub fn provisioned(mut self) -> Self {
        self.is_provisioned = true;
        self
    }

    /// Replicated to this other Region. The metric of that is in the Region where the writes are sent.
    #[must_use]
    pub fn replicated_to(mut self, region: impl Into<String>) -> Self {
        self.receiving_regions.push(region.into());
        self
    }

    /// With a change data capture stream of this label (`system_schema_mcs.streams`, or the end of the stream's ARN).
    #[must_use]
    pub fn with_stream(mut self, label: impl Into<String>) -> Self {
        self.stream_labels.push(label.into());
        self
    }

    /// The name of its keyspace.
    #[must_use]
    pub fn keyspace(&self) -> &str {
        &self.keyspace
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.keyspace, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_taken_from_its_definition() {
        let text = "CREATE TABLE shop.orders (id int PRIMARY KEY) WITH CUSTOM_PROPERTIES = {'capacity_mode': \
                    {'throughput_mode': 'PROVISIONED', 'read_capacity_units': 5, 'write_capacity_units': 5}}";
        let keyspaces_cql::Statement::CreateTable(create) = keyspaces_cql::parse(text).unwrap() else {
            panic!("another statement")
        };
        let table = Table::of(&create.definition().unwrap()).unwrap();
        assert_eq!(table, Table::new("shop", "orders").unwrap().provisioned());
    }

    #[test]
    fn a_name_that_no_table_has_is_refused() {
        assert_eq!(
            Table::new("shop", "orders by day").unwrap_err().to_string(),
            "taking \"orders by day\" as the name of a table failed: names have 1 to 48 letters, digits and underscores, the \
             first no underscore. Metrics are found under the exact name only"
        );
        assert!(Table::new("", "orders").is_err());
        assert!(Table::new("_shop", "orders").is_err());
    }
}
