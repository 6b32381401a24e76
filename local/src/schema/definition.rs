//! Statements that create, change or drop an object, and the text that Cassandra gets for them.

use crate::protocol::metadata::kind;
use crate::protocol::{Frame, Opcode, Writer};
use bytes::{BufMut, BytesMut};
use keyspaces_cql::statement::{
    AlterTableChange, ColumnDefinition, Constant, ConstantKind, CqlType, Term, TermKind, WithOption,
};
use keyspaces_cql::{Name, Portable, QualifiedName, Span, Statement};

use crate::names::{Names, ObjectKind, SchemaObject};
use crate::protocol::{Refusal, error_code, not_emulated};

/// A definition, with the text for Cassandra.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Definition {
    pub(crate) change: Change,
    pub(crate) object: SchemaObject,
    /// Whether it has `IF NOT EXISTS` or `IF EXISTS`.
    pub(crate) conditional: bool,
    /// The user-defined types that it names.
    pub(crate) types: Vec<SchemaObject>,
    /// The statement of the client.
    pub(crate) statement: Statement,
    /// The text for Cassandra, with its names and without options that only the service has; `None` if no other part is
    /// left.
    pub(crate) text: Option<String>,
    /// The table that a RESTORE TABLE restores.
    pub(crate) source: Option<SchemaObject>,
}

/// The effect on the object.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Change {
    Create,
    Alter,
    Drop,
    Restore,
}

impl Definition {
    /// Reads a statement that the rules allow, from a client's text or built from the model's values. Names without a
    /// keyspace are in `keyspace`.
    pub(crate) fn new(
        statement: &Statement,
        keyspace: Option<&str>,
        names: &Names,
        data_center: &str,
    ) -> Result<Self, Refusal> {
        let subject = DefinitionSubject::new(statement, keyspace)?;
        let text = part_for_cassandra(statement).map(|mut part| {
            rename(&mut part, &subject.object, names, data_center);
            part.to_string()
        });
        let DefinitionSubject { change, object, conditional, types, source } = subject;
        Ok(Self { change, object, conditional, types, statement: statement.clone(), text, source })
    }
}

/// The object of a definition, by the client's names.
struct DefinitionSubject {
    change: Change,
    object: SchemaObject,
    conditional: bool,
    types: Vec<SchemaObject>,
    source: Option<SchemaObject>,
}

impl DefinitionSubject {
    fn new(statement: &Statement, keyspace: Option<&str>) -> Result<Self, Refusal> {
        let object = |kind, name: &QualifiedName| {
            let named = name.keyspace.as_ref().map(|keyspace| keyspace.text.as_str());
            let keyspace = named.or(keyspace).ok_or_else(|| Refusal {
                code: error_code::INVALID,
                text: "No keyspace has been specified. USE a keyspace, or explicitly specify keyspace.tablename".into(),
            })?;
            Ok::<_, Refusal>(SchemaObject { keyspace: keyspace.to_owned(), kind, name: name.name.text.clone() })
        };
        let table = |name| object(ObjectKind::Table, name);
        let subject = |change, object, conditional: &Option<Span>| Self {
            change,
            object,
            conditional: conditional.is_some(),
            types: Vec::new(),
            source: None,
        };
        Ok(match statement {
            Statement::CreateKeyspace(create) => {
                subject(Change::Create, SchemaObject::keyspace(&create.keyspace.text), &create.if_not_exists)
            }
            Statement::AlterKeyspace(alter) => {
                subject(Change::Alter, SchemaObject::keyspace(&alter.keyspace.text), &alter.if_exists)
            }
            Statement::DropKeyspace(drop) => {
                subject(Change::Drop, SchemaObject::keyspace(&drop.keyspace.text), &drop.if_exists)
            }
            Statement::CreateTable(create) => {
                let subject = subject(Change::Create, table(&create.table)?, &create.if_not_exists);
                subject.with_types(create.columns.iter().map(|column| &column.column_type))
            }
            Statement::AlterTable(alter) => {
                let subject = subject(Change::Alter, table(&alter.table)?, &alter.if_exists);
                subject.with_types(added_columns(&alter.change).iter().map(|column| &column.column_type))
            }
            Statement::DropTable(drop) => subject(Change::Drop, table(&drop.table)?, &drop.if_exists),
            Statement::RestoreTable(restore) => {
                let subject = subject(Change::Restore, table(&restore.table)?, &None);
                Self { source: Some(table(&restore.source)?), ..subject }
            }
            Statement::CreateType(create) => {
                let subject = subject(Change::Create, object(ObjectKind::Type, &create.name)?, &create.if_not_exists);
                subject.with_types(create.fields.iter().map(|field| &field.field_type))
            }
            Statement::DropType(drop) => subject(Change::Drop, object(ObjectKind::Type, &drop.name)?, &drop.if_exists),
            _ => return Err(not_emulated("this statement")),
        })
    }

    /// Adds the user-defined types in these types. A type without a keyspace is in the keyspace of the table or type
    /// that names it.
    fn with_types<'t>(mut self, types: impl Iterator<Item = &'t CqlType>) -> Self {
        let keyspace = &self.object.keyspace;
        let used = types.flat_map(CqlType::user_types).map(|name| {
            let keyspace = name.keyspace.as_ref().map_or(keyspace, |keyspace| &keyspace.text);
            SchemaObject::user_type(keyspace, &name.name.text)
        });
        self.types = used.collect();
        self
    }
}

fn added_columns(change: &AlterTableChange) -> &[ColumnDefinition] {
    match change {
        AlterTableChange::Add(columns) | AlterTableChange::AddWithoutParentheses(columns) => columns,
        _ => &[],
    }
}

/// The part of a definition for Cassandra: without options that only the service has, without those that the service
/// ignores, whose values Cassandra may refuse, and with the order of each clustering column, which Cassandra requires.
fn part_for_cassandra(statement: &Statement) -> Option<Statement> {
    let mut part = statement.without_ignored_options()?;
    if let Statement::CreateTable(create) = &mut part
        && let (false, Ok(table)) = (create.clustering_order.is_empty(), create.definition())
        && create.clustering_order.iter().map(|by| by.order).ne(table.clustering_columns.iter().map(|by| by.order))
    {
        create.clustering_order = table.clustering_columns;
    }
    match part.portable() {
        Portable::All => Some(part),
        Portable::Part(part) => Some(*part),
        Portable::Nothing => None,
    }
}

/// Replaces the names of the object and the types with Cassandra's, and the replication of a keyspace with one copy.
fn rename(part: &mut Statement, object: &SchemaObject, names: &Names, data_center: &str) {
    let types = |types: &mut dyn Iterator<Item = &mut CqlType>| {
        for name in types.flat_map(CqlType::user_types_mut) {
            if let Some(keyspace) = &mut name.keyspace {
                *keyspace = verbatim(names.keyspace(&keyspace.text));
                name.name.quoted = true;
            }
        }
    };
    let column_types = |columns: &mut [ColumnDefinition]| {
        types(&mut columns.iter_mut().map(|column| &mut column.column_type));
    };
    let keyspace = verbatim(names.keyspace(&object.keyspace));
    let qualified = |name: &mut QualifiedName| {
        *name = QualifiedName { keyspace: Some(keyspace.clone()), name: verbatim(&object.name) };
    };
    match part {
        Statement::CreateKeyspace(create) => {
            for WithOption { name, value, .. } in &mut create.options {
                // The rules have checked the strategy.
                if name.text == "replication" {
                    *value = one_copy(data_center);
                }
            }
            create.keyspace = keyspace;
        }
        Statement::DropKeyspace(drop) => drop.keyspace = keyspace,
        Statement::CreateTable(create) => {
            qualified(&mut create.table);
            column_types(&mut create.columns);
        }
        Statement::AlterTable(alter) => {
            qualified(&mut alter.table);
            if let AlterTableChange::Add(columns) | AlterTableChange::AddWithoutParentheses(columns) = &mut alter.change
            {
                column_types(columns);
            }
        }
        Statement::DropTable(drop) => qualified(&mut drop.table),
        Statement::CreateType(create) => {
            qualified(&mut create.name);
            types(&mut create.fields.iter_mut().map(|field| &mut field.field_type));
        }
        Statement::DropType(drop) => qualified(&mut drop.name),
        // Other statements have no part for Cassandra.
        _ => {}
    }
}

/// A name in quotes.
fn verbatim(text: impl Into<String>) -> Name {
    Name { quoted: true, ..Name::new(text) }
}

/// Replication with one copy, since the backing Cassandra is a single node.
pub(super) fn one_copy(data_center: &str) -> Term {
    let constant = |kind, text: &str| {
        let kind = TermKind::Constant(Constant { kind, text: text.to_owned() });
        Term { kind, span: Span::default() }
    };
    let text = |text| constant(ConstantKind::String, text);
    let entries = vec![
        (text("class"), text("NetworkTopologyStrategy")),
        (text(data_center), constant(ConstantKind::Integer, "1")),
    ];
    Term { kind: TermKind::Map(entries), span: Span::default() }
}

/// Cassandra's answer to a definition that has changed an object.
pub(crate) fn schema_change(change: Change, object: &SchemaObject) -> Frame {
    let mut body = BytesMut::new();
    body.put_i32(kind::SCHEMA_CHANGE);
    body.string(match change {
        Change::Create | Change::Restore => "CREATED",
        Change::Alter => "UPDATED",
        Change::Drop => "DROPPED",
    });
    match object.kind {
        ObjectKind::Keyspace => body.string("KEYSPACE"),
        ObjectKind::Table => body.string("TABLE"),
        ObjectKind::Type => body.string("TYPE"),
    }
    body.string(&object.keyspace);
    if object.kind != ObjectKind::Keyspace {
        body.string(&object.name);
    }
    Frame::new(0, Opcode::Result, body.freeze())
}
