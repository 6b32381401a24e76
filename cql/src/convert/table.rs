//! Converts tables and their options, and merges later changes of the same text into them.

use super::types::convert_type;
use super::{Action, Converter, Key};
use crate::allowed::{CREATE_TABLE_OPTIONS, is_ignored};
use crate::statement::{
    AlterTable, AlterTableChange, ColumnDefinition, CreateTable, Term, TermKind, WithOption, option,
};
use crate::{ClientSideTimestamps, Name, Span, Statement, TableOptions, TableProperty, Ttl};

/// The features of a table that statements use, with the place of the first use.
#[derive(Default)]
pub(super) struct Used {
    ttl: Option<Span>,
    timestamps: Option<Span>,
}

pub(super) fn create_table(converter: &mut Converter, mut create: CreateTable) {
    let key = converter.key(&create.table);
    create.table = converter.qualified(&create.table);
    if let Some(span) = create.compact_storage.take() {
        let reason = "Keyspaces has its own storage format. A table with Thrift's dynamic columns needs a new model.";
        converter.report(Action::LeftOut, span, "COMPACT STORAGE", reason, Some("DG:cql.ddl.table"));
    }
    for column in &mut create.columns {
        convert_column(converter, column);
    }
    convert_options(converter, &mut create.options);
    converter.tables.insert(key, converter.statements.len());
    converter.statements.push(Statement::CreateTable(create));
}

fn convert_column(converter: &mut Converter, column: &mut ColumnDefinition) {
    let owner = format!("the column {}", column.name);
    convert_type(converter, &mut column.column_type, &owner);
}

/// Keeps the options that have an effect in Keyspaces.
fn convert_options(converter: &mut Converter, options: &mut Vec<WithOption>) {
    let ignored: Vec<_> = options.iter().filter(|option| is_left_out(option)).collect();
    if let (Some(first), Some(last)) = (ignored.first(), ignored.last()) {
        let names: Vec<_> = ignored.iter().map(|option| option.name.to_string()).collect();
        let reason = "The service manages how rows are stored, cached and repaired.";
        let span = first.span.to(last.span);
        converter.report(Action::LeftOut, span, names.join(", "), reason, Some("DG:functional-differences"));
    }
    for option in options.iter().filter(|option| !is_left_out(option)) {
        let is_enabled_stream = option.name.text == "cdc" && !has_no_effect(option);
        let is_unknown = !CREATE_TABLE_OPTIONS.contains(&option.name.text.as_str());
        let summary = option.name.to_string();
        if is_enabled_stream && !has_custom_properties(options) {
            let reason = "Keyspaces has its own CDC streams, with another API: turn one on with cdc = true and \
                          cdc_specification in custom_properties if you need it.";
            converter.report(Action::Decide, option.span, summary, reason, Some("DG:cdc_how-it-works"));
        } else if is_unknown {
            let reason = "Keyspaces has no such option of a table.";
            converter.report(Action::LeftOut, option.span, summary, reason, Some("DG:cql.ddl.table"));
        }
    }
    let has_custom_properties = has_custom_properties(options);
    options.retain(|option| {
        let kept = CREATE_TABLE_OPTIONS.contains(&option.name.text.as_str()) && !is_ignored(option);
        let is_cassandra_stream = option.name.text == "cdc" && !has_custom_properties;
        kept && !has_no_effect(option) && !is_cassandra_stream
    });
}

pub(super) fn alter_table(converter: &mut Converter, mut alter: AlterTable) {
    let index = converter.tables.get(&converter.key(&alter.table)).copied();
    alter.table = converter.qualified(&alter.table);
    let (span, table) = (alter.span, alter.table.to_string());
    if let AlterTableChange::AddWithoutParentheses(columns) = alter.change {
        alter.change = AlterTableChange::Add(columns);
    }
    match &mut alter.change {
        AlterTableChange::Add(columns) | AlterTableChange::AddWithoutParentheses(columns) => {
            columns.iter_mut().for_each(|column| convert_column(converter, column));
        }
        AlterTableChange::With(options) => convert_options(converter, options),
        _ => {}
    }
    let Some(create) = index.and_then(|index| converter.statements.get_mut(index)) else {
        return keep_alter(converter, alter);
    };
    let Statement::CreateTable(create) = create else { return };
    let summary = match alter.change {
        AlterTableChange::Add(columns) | AlterTableChange::AddWithoutParentheses(columns) => {
            create.columns.extend(columns);
            "columns are added"
        }
        AlterTableChange::With(options) => {
            for new in options {
                create.options.retain(|option| option.name.text != new.name.text);
                create.options.push(new);
            }
            "options are changed"
        }
        AlterTableChange::Drop(columns) => {
            create.columns.retain(|column| columns.iter().all(|dropped| dropped.text != column.name.text));
            "columns are dropped"
        }
        AlterTableChange::Rename(names) => {
            names.iter().for_each(|(from, to)| rename(create, from, to));
            "columns are renamed"
        }
        AlterTableChange::ColumnType(name, to) => {
            let column = create.columns.iter_mut().find(|column| column.name.text == name.text);
            column.into_iter().for_each(|column| column.column_type = to.clone());
            "the type of a column is changed"
        }
        AlterTableChange::DropCompactStorage(_) => return,
        AlterTableChange::AddTags(_)
        | AlterTableChange::DropTags(_)
        | AlterTableChange::AddStreamTags(_)
        | AlterTableChange::DropStreamTags(_) => return converter.statements.push(Statement::AlterTable(alter)),
    };
    let summary = format!("the ALTER TABLE of {table}: {summary} in its CREATE TABLE");
    let reason = "A table that is being created cannot be changed yet.";
    converter.report(Action::Replaced, span, summary, reason, Some("DG:cql.ddl.table"));
}

/// Keeps an ALTER TABLE whose CREATE TABLE is not in the text.
fn keep_alter(converter: &mut Converter, alter: AlterTable) {
    if matches!(&alter.change, AlterTableChange::With(options) if options.is_empty()) {
        return;
    }
    converter.statements.push(Statement::AlterTable(alter));
}

pub(super) fn record_use(converter: &mut Converter, statement: &Statement) {
    let mut uses = Vec::new();
    match statement {
        Statement::Insert(insert) => uses.push((&insert.table, insert.using.as_ref())),
        Statement::Update(update) => uses.push((&update.table, update.using.as_ref())),
        Statement::Delete(delete) => uses.push((&delete.table, delete.using.as_ref())),
        Statement::Batch(batch) => {
            for modification in &batch.statements {
                uses.push((modification.table(), modification.using()));
                uses.push((modification.table(), batch.using.as_ref()));
            }
        }
        _ => {}
    }
    for (table, using) in uses.into_iter().filter_map(|(table, using)| Some((table, using?))) {
        let (key, span) = (converter.key(table), using.span);
        let used = converter.used.entry(key).or_default();
        used.ttl = used.ttl.or_else(|| using.ttl().map(|_| span));
        used.timestamps = used.timestamps.or_else(|| using.timestamp().map(|_| span));
    }
}

/// Turns on the features that the statements use, in the tables that the text creates.
pub(super) fn enable_used_features(converter: &mut Converter) {
    let tables: Vec<(Key, usize)> = converter.tables.clone().into_iter().collect();
    for (key, at) in tables {
        let used = converter.used.remove(&key).unwrap_or_default();
        let Some(Statement::CreateTable(create)) = converter.statements.get(at) else { continue };
        let options = TableOptions::examine(&create.options, &mut |_| {});
        let (mut after, table) = (options.clone(), create.table.to_string());
        let default_ttl = option(&create.options, "default_time_to_live").map(|option| option.span);
        if let (None, Some(span)) = (options.ttl, default_ttl.or(used.ttl)) {
            after = after.and(Ttl::Enabled);
            let summary = format!("ttl = enabled for the table {table}");
            let reason = "Rows expire only if Time to Live is on for the table. It cannot be turned off again.";
            converter.report(Action::Added, span, summary, reason, Some("DG:TTL-how-to-create-table"));
        }
        if let (None, Some(span)) = (options.client_side_timestamps, used.timestamps) {
            after = after.and(TableProperty::from(ClientSideTimestamps::Enabled));
            let summary = format!("client_side_timestamps = enabled for the table {table}");
            let reason = "USING TIMESTAMP needs client-side timestamps on the table. They cannot be turned off again.";
            converter.report(Action::Added, span, summary, reason, Some("DG:client-side-timestamps"));
        }
        if let Some(Statement::CreateTable(create)) = converter.statements.get_mut(at)
            && after != options
        {
            create.options = after.with_options();
        }
    }
}

/// Whether the option only concerns storage. Keyspaces also ignores ScyllaDB's `cdc`, but the option has another effect.
fn is_left_out(option: &WithOption) -> bool {
    is_ignored(option) && option.name.text != "cdc"
}

/// Whether an option sets the default: no comment, no stream, no time to live.
fn has_no_effect(option: &WithOption) -> bool {
    match option.name.text.as_str() {
        "comment" => is_constant(&option.value, ""),
        "cdc" => match &option.value.kind {
            TermKind::Map(entries) => {
                !entries.iter().any(|(key, value)| is_constant(key, "enabled") && is_constant(value, "true"))
            }
            _ => !is_constant(&option.value, "true"),
        },
        "default_time_to_live" => is_constant(&option.value, "0"),
        _ => false,
    }
}

fn is_constant(value: &Term, text: &str) -> bool {
    matches!(&value.kind, TermKind::Constant(constant) if constant.text.eq_ignore_ascii_case(text))
}

/// Whether the options are those of Keyspaces: Cassandra has no `custom_properties`.
fn has_custom_properties(options: &[WithOption]) -> bool {
    option(options, "custom_properties").is_some()
}

fn rename(create: &mut CreateTable, from: &Name, to: &Name) {
    let columns = create.columns.iter_mut().map(|column| &mut column.name);
    let keys = create.primary_keys.iter_mut();
    let keys = keys.flat_map(|key| key.partition_key.iter_mut().chain(&mut key.clustering_columns));
    let orders = create.clustering_order.iter_mut().map(|by| &mut by.column);
    columns.chain(keys).chain(orders).filter(|name| name.text == from.text).for_each(|name| *name = to.clone());
}
