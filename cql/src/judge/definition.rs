//! Keyspaces, tables and types.

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

impl Judge<'_> {
    pub(super) fn create_keyspace(&mut self, create: &CreateKeyspace) {
        self.changed_keyspace(&create.keyspace);
        if !create.keyspace.is_possible() {
            self.refuse(&rules::KEYSPACE_NAME, create.keyspace.span);
        }
        if !create.options.iter().any(|option| option.name.text == "replication") {
            self.refuse(&rules::NO_REPLICATION, create.span);
        }
        self.keyspace_options(&create.options, allowed::CREATE_KEYSPACE_OPTIONS);
    }

    pub(super) fn alter_keyspace(&mut self, alter: &AlterKeyspace) {
        self.changed_keyspace(&alter.keyspace);
        self.if_exists_of_alter(alter.if_exists);
        match &alter.change {
            AlterKeyspaceChange::AddTags(tags) => self.property(read_tags(tags)),
            AlterKeyspaceChange::DropTags(tags) => self.property(read_dropped_tags(tags)),
            AlterKeyspaceChange::With(options) => self.keyspace_options(options, allowed::ALTER_KEYSPACE_OPTIONS),
        }
    }

    pub(super) fn changed_keyspace(&mut self, keyspace: &Name) {
        if super::is_system_keyspace(&keyspace.text) {
            self.refuse(&rules::SYSTEM_KEYSPACE, keyspace.span);
        }
    }

    /// `ALTER … IF EXISTS` came with Cassandra 4.1 and is in no grammar of the guide.
    fn if_exists_of_alter(&mut self, if_exists: Option<Span>) {
        if let Some(span) = if_exists {
            self.unknown(span, "IF EXISTS in an ALTER");
        }
    }

    fn keyspace_options(&mut self, options: &[WithOption], known: &[&str]) {
        for option in options {
            let name = option.name.text.as_str();
            match name {
                "durable_writes" if !is_true(&option.value) => self.refuse(&rules::DURABLE_WRITES, option.span),
                _ if allowed::is_ignored_of_a_keyspace(option) => {}
                _ if !known.contains(&name) => self.unknown(option.span, format!("the option {name} of a keyspace")),
                "replication" => {
                    Replication::examine(&option.value, &mut |error| self.property_error(error));
                }
                "tags" => self.property(read_tags(&option.value)),
                _ => {}
            }
        }
    }

    pub(super) fn create_table(&mut self, create: &CreateTable) {
        self.changed(&create.table);
        self.parts(&create.columns);
        if let Some(span) = create.compact_storage {
            self.unknown(span, "COMPACT STORAGE");
        }
        create.examine(&mut |TableError { span, problem }| {
            let span = if span == Span::default() { create.span } else { span };
            match problem {
                TableProblem::Refused(rule) => self.refuse(rule, span),
                TableProblem::Unknown(what) => self.unknown(span, what),
                _ => {}
            }
        });
    }

    pub(super) fn alter_table(&mut self, alter: &AlterTable) {
        self.changed(&alter.table);
        self.if_exists_of_alter(alter.if_exists);
        match &alter.change {
            AlterTableChange::Add(columns) => self.new_columns(columns),
            AlterTableChange::AddBare(columns) => {
                self.unknown(alter.span, "ALTER TABLE … ADD of several columns without parentheses around them");
                self.new_columns(columns);
            }
            AlterTableChange::Drop(_) => self.refuse(&rules::DROP_COLUMN, alter.span),
            AlterTableChange::Rename(_) => self.refuse(&rules::RENAME_COLUMN, alter.span),
            AlterTableChange::ColumnType(..) => self.refuse(&rules::ALTER_COLUMN_TYPE, alter.span),
            AlterTableChange::DropCompactStorage(span) => self.unknown(*span, "COMPACT STORAGE"),
            AlterTableChange::AddTags(tags) | AlterTableChange::AddStreamTags(tags) => self.property(read_tags(tags)),
            AlterTableChange::DropTags(tags) | AlterTableChange::DropStreamTags(tags) => {
                self.property(read_dropped_tags(tags));
            }
            AlterTableChange::With(options) => {
                for option in options {
                    if let ("custom_properties", TermKind::Map(properties)) =
                        (option.name.text.as_str(), &option.value.kind)
                        && properties.len() > 1
                    {
                        self.refuse(&rules::SEVERAL_CUSTOM_PROPERTIES, option.span);
                    }
                }
                self.table_options(options, allowed::ALTER_TABLE_OPTIONS);
                self.options_together(options);
            }
        }
    }

    /// A column that is added is its name and its type (`DG:cql.ddl.table`).
    fn new_columns(&mut self, columns: &[ColumnDefinition]) {
        for column in columns {
            self.parts(column);
            self.parts_inside(&column.column_type);
            if column.is_static.is_some() {
                self.unknown(column.span, "a static column that is added to a table");
            }
            if column.primary_key.is_some() {
                self.unknown(column.span, "a PRIMARY KEY that is added to a table");
            }
        }
    }

    /// "You can't combine more than one ALTER TABLE command" (`DG:cql.ddl.table`), but for the two that its examples show.
    fn options_together(&mut self, options: &[TableOption]) {
        let mut names: Vec<_> = options.iter().map(|option| option.name.text.as_str()).collect();
        names.sort_unstable();
        let shown = [["autoscaling_settings", "custom_properties"], ["cdc", "custom_properties"]];
        if let (Some(first), Some(last)) = (options.first(), options.last())
            && names.len() > 1
            && !shown.iter().any(|pair| names == pair)
        {
            self.unknown(first.span.to(last.span), "an ALTER TABLE of these options together");
        }
    }

    pub(super) fn restore_table(&mut self, restore: &RestoreTable) {
        self.changed(&restore.table);
        restore.examine(&mut |error| self.property_error(error));
    }

    fn table_options(&mut self, options: &[TableOption], known: &[&str]) {
        for option in options {
            let name = option.name.text.as_str();
            if !known.contains(&name) && !allowed::is_ignored(option) {
                self.unknown(option.span, format!("the option {name} of a table"));
            } else {
                TableOptions::examine(slice::from_ref(option), &mut |error| self.property_error(error));
            }
        }
    }

    /// What the model makes of a part.
    fn property<T>(&mut self, read: Result<T, PropertyError>) {
        if let Err(error) = read {
            self.property_error(error);
        }
    }

    fn property_error(&mut self, PropertyError { span, problem }: PropertyError) {
        match problem {
            PropertyProblem::Refused(rule) => self.refuse(rule, span),
            PropertyProblem::Unknown(what) => self.unknown(span, what),
        }
    }

    pub(super) fn create_type(&mut self, create: &CreateType) {
        self.changed(&create.name);
        if create.name.name.text.chars().count() > rules::MAX_NAME_CHARACTERS {
            self.refuse(&rules::TYPE_NAME, create.name.name.span);
        }
        for field in &create.fields {
            if field.name.text.chars().count() > rules::MAX_FIELD_NAME_CHARACTERS {
                self.refuse(&rules::FIELD_NAME, field.name.span);
            }
            if let CqlTypeKind::UserDefined(_) = field.field_type.kind {
                self.refuse(&rules::TYPE_NOT_FROZEN, field.field_type.span);
            }
            if field.field_type.kind == CqlTypeKind::Native(NativeType::Counter) {
                self.refuse(&rules::COUNTER_IN_TYPE, field.field_type.span);
            }
            self.parts_inside(&field.field_type);
        }
        let children = create.fields.iter().flat_map(|field| field.field_type.user_types());
        if children.map(|name| &name.name.text).collect::<HashSet<_>>().len() > rules::MAX_CHILD_TYPES {
            self.refuse(&rules::TOO_MANY_CHILD_TYPES, create.span);
        }
        if create.definition().to_string().len() > rules::MAX_TYPE_SCHEMA_BYTES {
            self.refuse(&rules::TYPE_SCHEMA_TOO_LARGE, create.span);
        }
        self.parts(&create.fields);
    }

    fn parts_inside(&mut self, cql_type: &CqlType) {
        if let Some(rule) = cql_type.counter_inside() {
            self.refuse(rule, cql_type.span);
        }
        if cql_type.frozen_levels() > rules::MAX_FROZEN_LEVELS {
            self.refuse(&rules::FROZEN_TOO_DEEP, cql_type.span);
        }
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
