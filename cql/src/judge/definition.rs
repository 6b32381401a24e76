//! Keyspaces, tables and types.

use super::term::check_parts;
use std::collections::HashSet;
use std::slice;

use super::Judge;
use crate::keyspace::Replication;
use crate::statement::{
    AlterKeyspace, AlterKeyspaceChange, AlterTable, AlterTableChange, ColumnDefinition, ConstantKind, CqlType,
    CqlTypeKind, CreateKeyspace, CreateTable, CreateType, NativeType, RestoreTable, TableOption, Term, TermKind,
    WithOption,
};
use crate::table::{
    PropertyError, PropertyProblem, TableError, TableOptions, TableProblem, read_dropped_tags, read_tags,
};
use crate::{Name, Span, allowed, rules};

pub(super) fn check_create_keyspace(judge: &mut Judge<'_>, create: &CreateKeyspace) {
    check_changed_keyspace(judge, &create.keyspace);
    if !create.keyspace.is_valid() {
        judge.refuse(&rules::KEYSPACE_NAME, create.keyspace.span);
    }
    if !create.options.iter().any(|option| option.name.text == "replication") {
        judge.refuse(&rules::NO_REPLICATION, create.span);
    }
    check_keyspace_options(judge, &create.options, allowed::CREATE_KEYSPACE_OPTIONS);
}

pub(super) fn check_alter_keyspace(judge: &mut Judge<'_>, alter: &AlterKeyspace) {
    check_changed_keyspace(judge, &alter.keyspace);
    check_if_exists(judge, alter.if_exists);
    match &alter.change {
        AlterKeyspaceChange::AddTags(tags) => check_property(judge, read_tags(tags)),
        AlterKeyspaceChange::DropTags(tags) => check_property(judge, read_dropped_tags(tags)),
        AlterKeyspaceChange::With(options) => check_keyspace_options(judge, options, allowed::ALTER_KEYSPACE_OPTIONS),
    }
}

pub(super) fn check_changed_keyspace(judge: &mut Judge<'_>, keyspace: &Name) {
    if super::is_system_keyspace(&keyspace.text) {
        judge.refuse(&rules::SYSTEM_KEYSPACE, keyspace.span);
    }
}

/// `ALTER … IF EXISTS` was added in Cassandra 4.1, and the guide's grammars do not have it.
fn check_if_exists(judge: &mut Judge<'_>, if_exists: Option<Span>) {
    if let Some(span) = if_exists {
        judge.unknown(span, "IF EXISTS in an ALTER");
    }
}

fn check_keyspace_options(judge: &mut Judge<'_>, options: &[WithOption], known: &[&str]) {
    for option in options {
        let name = option.name.text.as_str();
        match name {
            "durable_writes" if !is_true(&option.value) => judge.refuse(&rules::DURABLE_WRITES, option.span),
            _ if allowed::is_ignored_keyspace_option(option) => {}
            _ if !known.contains(&name) => judge.unknown(option.span, format!("the option {name} of a keyspace")),
            "replication" => {
                Replication::examine(&option.value, &mut |error| report_property_error(judge, error));
            }
            "tags" => check_property(judge, read_tags(&option.value)),
            _ => {}
        }
    }
}

pub(super) fn check_create_table(judge: &mut Judge<'_>, create: &CreateTable) {
    judge.check_changed(&create.table);
    check_parts(judge, &create.columns);
    if let Some(span) = create.compact_storage {
        judge.unknown(span, "COMPACT STORAGE");
    }
    crate::table::create::examine(create, &mut |TableError { span, problem }| {
        let span = if span == Span::default() { create.span } else { span };
        match problem {
            TableProblem::Refused(rule) => judge.refuse(rule, span),
            TableProblem::Unknown(feature) => judge.unknown(span, feature),
            _ => {}
        }
    });
}

pub(super) fn check_alter_table(judge: &mut Judge<'_>, alter: &AlterTable) {
    judge.check_changed(&alter.table);
    check_if_exists(judge, alter.if_exists);
    match &alter.change {
        AlterTableChange::Add(columns) => check_new_columns(judge, columns),
        AlterTableChange::AddWithoutParentheses(columns) => {
            judge.unknown(alter.span, "ALTER TABLE … ADD of several columns without parentheses around them");
            check_new_columns(judge, columns);
        }
        AlterTableChange::Drop(_) => judge.refuse(&rules::DROP_COLUMN, alter.span),
        AlterTableChange::Rename(_) => judge.refuse(&rules::RENAME_COLUMN, alter.span),
        AlterTableChange::ColumnType(..) => judge.refuse(&rules::ALTER_COLUMN_TYPE, alter.span),
        AlterTableChange::DropCompactStorage(span) => judge.unknown(*span, "COMPACT STORAGE"),
        AlterTableChange::AddTags(tags) | AlterTableChange::AddStreamTags(tags) => {
            check_property(judge, read_tags(tags))
        }
        AlterTableChange::DropTags(tags) | AlterTableChange::DropStreamTags(tags) => {
            check_property(judge, read_dropped_tags(tags));
        }
        AlterTableChange::With(options) => {
            for option in options {
                if let ("custom_properties", TermKind::Map(properties)) =
                    (option.name.text.as_str(), &option.value.kind)
                    && properties.len() > 1
                {
                    judge.refuse(&rules::SEVERAL_CUSTOM_PROPERTIES, option.span);
                }
            }
            check_table_options(judge, options, allowed::ALTER_TABLE_OPTIONS);
            check_option_combination(judge, options);
        }
    }
}

/// In Keyspaces' grammar, an added column has only a name and a type (`DG:cql.ddl.table`).
fn check_new_columns(judge: &mut Judge<'_>, columns: &[ColumnDefinition]) {
    for column in columns {
        check_parts(judge, column);
        check_type_parts(judge, &column.column_type);
        if column.is_static.is_some() {
            judge.unknown(column.span, "a static column that is added to a table");
        }
        if column.primary_key.is_some() {
            judge.unknown(column.span, "a PRIMARY KEY that is added to a table");
        }
    }
}

/// "You can't combine more than one ALTER TABLE command" (`DG:cql.ddl.table`), except for the two combinations in its
/// examples.
fn check_option_combination(judge: &mut Judge<'_>, options: &[TableOption]) {
    let mut names: Vec<_> = options.iter().map(|option| option.name.text.as_str()).collect();
    names.sort_unstable();
    let documented = [["autoscaling_settings", "custom_properties"], ["cdc", "custom_properties"]];
    if let (Some(first), Some(last)) = (options.first(), options.last())
        && names.len() > 1
        && !documented.iter().any(|pair| names == pair)
    {
        judge.unknown(first.span.to(last.span), "an ALTER TABLE of these options together");
    }
}

pub(super) fn check_restore_table(judge: &mut Judge<'_>, restore: &RestoreTable) {
    judge.check_changed(&restore.table);
    crate::table::restore::examine(restore, &mut |error| report_property_error(judge, error));
}

fn check_table_options(judge: &mut Judge<'_>, options: &[TableOption], known: &[&str]) {
    for option in options {
        let name = option.name.text.as_str();
        if !known.contains(&name) && !allowed::is_ignored(option) {
            judge.unknown(option.span, format!("the option {name} of a table"));
        } else {
            TableOptions::examine(slice::from_ref(option), &mut |error| report_property_error(judge, error));
        }
    }
}

/// Reports the error of an option that could not be read.
fn check_property<T>(judge: &mut Judge<'_>, read: Result<T, PropertyError>) {
    if let Err(error) = read {
        report_property_error(judge, error);
    }
}

fn report_property_error(judge: &mut Judge<'_>, PropertyError { span, problem }: PropertyError) {
    match problem {
        PropertyProblem::Refused(rule) => judge.refuse(rule, span),
        PropertyProblem::Unknown(feature) => judge.unknown(span, feature),
    }
}

pub(super) fn check_create_type(judge: &mut Judge<'_>, create: &CreateType) {
    judge.check_changed(&create.name);
    if create.name.name.text.chars().count() > rules::MAX_NAME_CHARACTERS {
        judge.refuse(&rules::TYPE_NAME, create.name.name.span);
    }
    for field in &create.fields {
        if field.name.text.chars().count() > rules::MAX_FIELD_NAME_CHARACTERS {
            judge.refuse(&rules::FIELD_NAME, field.name.span);
        }
        if let CqlTypeKind::UserDefined(_) = field.field_type.kind {
            judge.refuse(&rules::TYPE_NOT_FROZEN, field.field_type.span);
        }
        if field.field_type.kind == CqlTypeKind::Native(NativeType::Counter) {
            judge.refuse(&rules::COUNTER_IN_TYPE, field.field_type.span);
        }
        check_type_parts(judge, &field.field_type);
    }
    let children = create.fields.iter().flat_map(|field| field.field_type.user_types());
    if children.map(|name| &name.name.text).collect::<HashSet<_>>().len() > rules::MAX_CHILD_TYPES {
        judge.refuse(&rules::TOO_MANY_CHILD_TYPES, create.span);
    }
    if create.definition().to_string().len() > rules::MAX_TYPE_SCHEMA_BYTES {
        judge.refuse(&rules::TYPE_SCHEMA_TOO_LARGE, create.span);
    }
    check_parts(judge, &create.fields);
}

fn check_type_parts(judge: &mut Judge<'_>, cql_type: &CqlType) {
    if let Some(rule) = cql_type.counter_inside() {
        judge.refuse(rule, cql_type.span);
    }
    if cql_type.frozen_levels() > rules::MAX_FROZEN_LEVELS {
        judge.refuse(&rules::FROZEN_TOO_DEEP, cql_type.span);
    }
}

fn is_true(value: &Term) -> bool {
    match &value.kind {
        TermKind::Constant(constant) => {
            let literal = matches!(constant.kind, ConstantKind::Boolean | ConstantKind::String);
            literal && constant.text.eq_ignore_ascii_case("true")
        }
        _ => false,
    }
}
