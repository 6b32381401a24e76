//! The user-defined type that a CREATE TYPE makes.

use std::fmt;

use crate::statement::{CqlType, CreateType, FieldDefinition};
use crate::{Name, QualifiedName, Span};

/// A user-defined type. It cannot be changed, nor be dropped while a table or another type uses it (`DG:udts`).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TypeDefinition {
    /// The keyspace and the name of the type.
    pub name: QualifiedName,
    /// The fields of the type, in order.
    pub fields: Vec<(Name, CqlType)>,
}

impl TypeDefinition {
    /// A type with this name in this keyspace, without fields.
    #[must_use]
    pub fn new(keyspace: impl Into<String>, name: impl Into<String>) -> Self {
        let name = QualifiedName::new(keyspace, name);
        Self { name, fields: Vec::new() }
    }

    /// Adds a field.
    #[must_use]
    pub fn field(mut self, name: impl Into<String>, field_type: impl Into<CqlType>) -> Self {
        self.fields.push((Name::new(name), field_type.into().canonical()));
        self
    }

    /// The CREATE TYPE statement.
    #[must_use]
    pub fn create(&self) -> CreateType {
        let field = |(name, field_type): &(Name, CqlType)| FieldDefinition {
            name: name.clone(),
            field_type: field_type.clone(),
        };
        CreateType {
            span: Span::default(),
            if_not_exists: None,
            name: self.name.clone(),
            fields: self.fields.iter().map(field).collect(),
        }
    }
}

pub(crate) fn definition(create: &CreateType) -> TypeDefinition {
    let field = |field: &FieldDefinition| (field.name.canonical(), field.field_type.canonical());
    TypeDefinition { name: create.name.canonical(), fields: create.fields.iter().map(field).collect() }
}

impl fmt::Display for TypeDefinition {
    /// Writes the CREATE TYPE statement.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.create().fmt(f)
    }
}
