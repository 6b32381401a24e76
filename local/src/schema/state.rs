//! The entries of the schema as rows of the table that keeps them in Cassandra.

use std::sync::Arc;

use keyspaces_cql::statement::{AlterTable, AlterTableChange};
use keyspaces_cql::{Name, QualifiedName, Span, Statement, TableOptions, parse};
use serde_json::{Value, json};

use super::catalogue::{CatalogueEntry, ChangeInProgress, ObjectStatus, PendingDefinition, PointInTimeRows};
use super::error::SchemaError;
use crate::names::{ObjectKind, SchemaObject, TableId};

pub(super) fn row(object: &SchemaObject, entry: &CatalogueEntry) -> Value {
    let pending = entry.pending.as_deref();
    json!({
        "keyspace_name": object.keyspace,
        "kind": object.kind.as_str(),
        "name": object.name,
        "status": entry.status.as_str(),
        "due": entry.due,
        "options": options_text(&entry.options),
        "regions": entry.regions,
        "created": entry.created,
        "on_demand_since": entry.on_demand_since,
        "decreases": entry.capacity_decreases,
        "key_changes": entry.key_changes,
        "changing": entry.changing.as_ref().map(ChangeInProgress::text),
        "stream_since": entry.stream_since,
        "pending": pending.map(|pending| &pending.text),
        "rows_of": entry.awaited_rows.as_deref().map(|PointInTimeRows { source, moment }| {
            let TableId { table, created } = source;
            json!([table.keyspace, table.name, created, moment]).to_string()
        }),
        "before": pending.and_then(|pending| Some(row(object, pending.before.as_ref()?).to_string())),
    })
}

pub(super) fn entry(row: &Value) -> Result<(SchemaObject, CatalogueEntry), SchemaError> {
    let unreadable = |field| SchemaError::State { field, row: row.to_string() };
    let text = |field: &str| row.get(field)?.as_str();
    let required = |field| text(field).ok_or_else(|| unreadable(field));
    let object = SchemaObject {
        keyspace: required("keyspace_name")?.into(),
        kind: ObjectKind::parse(required("kind")?).ok_or_else(|| unreadable("kind"))?,
        name: required("name")?.into(),
    };
    let before = || -> Result<Option<CatalogueEntry>, SchemaError> {
        let Some(before) = text("before") else { return Ok(None) };
        let before = serde_json::from_str(before).map_err(|_| unreadable("before"))?;
        Ok(Some(entry(&before)?.1))
    };
    let pending = match text("pending") {
        Some(text) => Some(Arc::new(PendingDefinition { text: text.to_owned(), before: before()? })),
        None => None,
    };
    let awaited_rows = match text("rows_of") {
        Some(text) => {
            let (keyspace, table, created, moment): (String, String, u64, u64) =
                serde_json::from_str(text).map_err(|_| unreadable("rows_of"))?;
            Some(Arc::new(PointInTimeRows {
                source: TableId::new(SchemaObject::table(keyspace, table), created),
                moment,
            }))
        }
        None => None,
    };
    let known = CatalogueEntry {
        awaited_rows,
        status: ObjectStatus::parse(required("status")?).ok_or_else(|| unreadable("status"))?,
        due: row.get("due").and_then(Value::as_u64),
        options: Arc::new(options_of(text("options").unwrap_or_default()).ok_or_else(|| unreadable("options"))?),
        regions: texts(&row["regions"]),
        created: row["created"].as_u64().unwrap_or_default(),
        on_demand_since: row["on_demand_since"].as_u64(),
        capacity_decreases: times(&row["decreases"]),
        key_changes: times(&row["key_changes"]),
        changing: text("changing")
            .map(|text| ChangeInProgress::parse(text).ok_or_else(|| unreadable("changing")))
            .transpose()?,
        stream_since: row["stream_since"].as_u64(),
        pending,
    };
    Ok((object, known))
}

/// Options as CQL.
fn options_text(options: &TableOptions) -> String {
    let change = AlterTableChange::With(options.with_options());
    let table = QualifiedName { keyspace: None, name: Name::new("t") };
    AlterTable { span: Span::default(), if_exists: None, table, change }.to_string()
}

fn options_of(text: &str) -> Option<TableOptions> {
    // A text without options is not CQL.
    if text.is_empty() || text == options_text(&TableOptions::default()) {
        return Some(TableOptions::default());
    }
    let Ok(Statement::AlterTable(AlterTable { change: AlterTableChange::With(options), .. })) = parse(text) else {
        return None;
    };
    TableOptions::read(&options).ok()
}

fn times(value: &Value) -> Vec<u64> {
    value.as_array().into_iter().flatten().filter_map(Value::as_u64).collect()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|text| Some(text.as_str()?.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use keyspaces_cql::Ttl;

    use super::*;

    #[test]
    fn table_entries_round_trip() {
        let table = SchemaObject::table("ks", "restored");
        let before = CatalogueEntry { created: 3, regions: vec!["us-east-1".to_owned()], ..CatalogueEntry::default() };
        let pending = PendingDefinition { text: "CREATE TABLE t".to_owned(), before: Some(before) };
        let awaited_rows = PointInTimeRows { source: TableId::new(SchemaObject::table("ks", "A table"), 7), moment: 9 };
        let known = CatalogueEntry {
            status: ObjectStatus::Restoring,
            due: Some(11),
            options: Arc::new(TableOptions::default().and(Ttl::Enabled)),
            created: 8,
            on_demand_since: Some(8),
            capacity_decreases: vec![1, 2],
            pending: Some(Arc::new(pending)),
            awaited_rows: Some(Arc::new(awaited_rows)),
            ..CatalogueEntry::default()
        };
        assert_eq!(entry(&row(&table, &known)).unwrap(), (table, known));
    }
}
