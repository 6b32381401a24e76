//! Which user-defined types the tables and the other types of a keyspace use.

use std::collections::{BTreeMap, BTreeSet};

use keyspaces_cql::statement::CqlType;
use serde_json::Value;

use crate::names::{Names, ObjectKind};
use crate::upstream::{InternalConnection, InternalRequestError};

/// The types that each table and type of a keyspace names in its columns or fields, without those inside them.
#[derive(Debug, Default)]
pub(super) struct TypeUses {
    tables: BTreeMap<String, BTreeSet<String>>,
    types: BTreeMap<String, BTreeSet<String>>,
}

impl TypeUses {
    /// Reads the columns and fields from Cassandra.
    pub(super) async fn read(
        connection: &InternalConnection,
        names: &Names,
        keyspace: &str,
    ) -> Result<Self, InternalRequestError> {
        let upstream = names.keyspace(keyspace);
        let columns = "SELECT JSON table_name, type FROM system_schema.columns WHERE keyspace_name = ?";
        let types = "SELECT JSON type_name, field_types FROM system_schema.types WHERE keyspace_name = ?";
        let mut uses = Self::default();
        for row in connection.select(columns, &[&upstream]).await? {
            uses.add(ObjectKind::Table, text(&row["table_name"]), [&row["type"]]);
        }
        for row in connection.select(types, &[&upstream]).await? {
            uses.add(ObjectKind::Type, text(&row["type_name"]), row["field_types"].as_array().into_iter().flatten());
        }
        Ok(uses)
    }

    fn add<'a>(&mut self, kind: ObjectKind, name: &str, types: impl IntoIterator<Item = &'a Value>) {
        let uses = if kind == ObjectKind::Table { &mut self.tables } else { &mut self.types };
        let used = uses.entry(name.to_owned()).or_default();
        for cql_type in types.into_iter().filter_map(|shown| text(shown).parse::<CqlType>().ok()) {
            used.extend(cql_type.user_types().into_iter().map(|name| name.name.text.clone()));
        }
    }

    /// The tables that name a type.
    pub(super) fn tables_using<'a>(&'a self, user_type: &'a str) -> impl Iterator<Item = &'a str> {
        users_of(&self.tables, user_type)
    }

    /// The types that name a type.
    pub(super) fn types_using<'a>(&'a self, user_type: &'a str) -> impl Iterator<Item = &'a str> {
        users_of(&self.types, user_type)
    }

    /// How deep types are nested in a type, itself included.
    pub(super) fn depth(&self, user_type: &str) -> usize {
        let inside = self.types.get(user_type).into_iter().flatten();
        1 + inside.map(|inside| self.depth(inside)).max().unwrap_or_default()
    }
}

fn users_of<'a>(uses: &'a BTreeMap<String, BTreeSet<String>>, user_type: &'a str) -> impl Iterator<Item = &'a str> {
    uses.iter().filter(move |(_, used)| used.contains(user_type)).map(|(name, _)| name.as_str())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Tables and types with the types of their columns and fields.
    pub(in crate::schema) fn uses(tables: &[(&str, &[&str])], types: &[(&str, &[&str])]) -> TypeUses {
        let mut uses = TypeUses::default();
        for (kind, objects) in [(ObjectKind::Table, tables), (ObjectKind::Type, types)] {
            for (name, named) in objects {
                uses.add(kind, name, &named.iter().map(|named| Value::from(*named)).collect::<Vec<_>>());
            }
        }
        uses
    }

    #[test]
    fn the_users_and_the_depth_of_a_type_are_known() {
        let uses = uses(
            &[("t", &["int", "map<text, frozen<outer>>", "frozen<\"Inner\">"]), ("u", &["frozen<tuple<int, outer>>"])],
            &[
                ("outer", &["list<frozen<middle>>", "frozen<\"Inner\">"]),
                ("middle", &["frozen<\"Inner\">"]),
                ("Inner", &["int"]),
            ],
        );
        assert_eq!(uses.tables_using("outer").collect::<Vec<_>>(), ["t", "u"]);
        assert_eq!(uses.types_using("Inner").collect::<Vec<_>>(), ["middle", "outer"]);
        assert_eq!(["Inner", "middle", "outer"].map(|of| uses.depth(of)), [1, 2, 3]);
    }
}
