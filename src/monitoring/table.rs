use std::fmt;

use keyspaces_cql::{CapacityMode, TableDefinition};

use super::period::refused;
use crate::Error;

/// A table whose metrics are monitored, with the settings that decide which metrics it has.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Table {
    pub(super) keyspace: String,
    pub(super) name: String,
    pub(super) is_provisioned: bool,
    pub(super) receiving_regions: Vec<String>,
    pub(super) stream_labels: Vec<String>,
}

impl Table {
    /// Creates an on-demand table in one Region, without a change data capture stream.
    ///
    /// # Errors
    ///
    /// `Configuration`: the name of the keyspace or the table is invalid (1 to 48 letters, digits and underscores, not beginning
    /// with an underscore; `API:CreateTable`).
    pub fn new(keyspace: impl Into<String>, name: impl Into<String>) -> Result<Self, Error> {
        let (keyspace, name) = (keyspace.into(), name.into());
        for (kind, value) in [("the name of a keyspace", &keyspace), ("the name of a table", &name)] {
            let is_well_formed =
                value.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !value.starts_with('_');
            if !is_well_formed || value.is_empty() || value.len() > 48 {
                let problem =
                    "a name has 1 to 48 letters, digits and underscores, and does not begin with an underscore";
                return Err(refused(kind, value, problem, "Metrics are found under the exact name only"));
            }
        }
        let (receiving_regions, stream_labels) = (Vec::new(), Vec::new());
        Ok(Self { keyspace, name, is_provisioned: false, receiving_regions, stream_labels })
    }

    /// Creates a table from its definition, which says whether its capacity is provisioned.
    ///
    /// # Errors
    ///
    /// The errors of [`new`](Self::new), also if the definition names no keyspace.
    pub fn from_definition(definition: &TableDefinition) -> Result<Self, Error> {
        let keyspace = definition.table.keyspace.as_ref().map_or("", |keyspace| keyspace.text.as_str());
        let table = Self::new(keyspace, definition.table.name.text.as_str())?;
        let is_provisioned = matches!(definition.options.capacity_mode, Some(CapacityMode::Provisioned { .. }));
        Ok(if is_provisioned { table.provisioned() } else { table })
    }

    /// Marks the table as provisioned, which adds the metrics of provisioned capacity.
    #[must_use]
    pub fn provisioned(mut self) -> Self {
        self.is_provisioned = true;
        self
    }

    /// Adds another Region to which the table is replicated. CloudWatch has the replication metric in the Region that
    /// receives the writes first.
    #[must_use]
    pub fn replicated_to(mut self, region: impl Into<String>) -> Self {
        self.receiving_regions.push(region.into());
        self
    }

    /// Adds a change data capture stream by its label (`system_schema_mcs.streams`, or the end of the stream's ARN).
    #[must_use]
    pub fn with_stream(mut self, label: impl Into<String>) -> Self {
        self.stream_labels.push(label.into());
        self
    }

    /// The name of the keyspace.
    #[must_use]
    pub fn keyspace(&self) -> &str {
        &self.keyspace
    }

    /// The name of the table.
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
    fn monitored_table_is_built_from_its_definition() {
        let text = "CREATE TABLE shop.orders (id int PRIMARY KEY) WITH CUSTOM_PROPERTIES = {'capacity_mode': \
                    {'throughput_mode': 'PROVISIONED', 'read_capacity_units': 5, 'write_capacity_units': 5}}";
        let keyspaces_cql::Statement::CreateTable(create) = keyspaces_cql::parse(text).unwrap() else {
            panic!("another statement")
        };
        let table = Table::from_definition(&create.definition().unwrap()).unwrap();
        assert_eq!(table, Table::new("shop", "orders").unwrap().provisioned());
    }

    #[test]
    fn an_invalid_name_is_refused() {
        assert_eq!(
            Table::new("shop", "orders by day").unwrap_err().to_string(),
            "using \"orders by day\" as the name of a table failed: a name has 1 to 48 letters, digits and underscores, and \
             does not begin with an underscore. Metrics are found under the exact name only"
        );
        assert!(Table::new("", "orders").is_err());
        assert!(Table::new("_shop", "orders").is_err());
    }
}
