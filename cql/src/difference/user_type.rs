//! Compares user-defined types.

use super::table::is_same_type;
use super::{Definitions, Difference, ImpossibleChange, Step, Unchanged, is_same_name};
use crate::statement::CqlType;
use crate::{QualifiedName, Statement, TableDefinition, TypeDefinition, rules};

/// Adds the steps that create types, each after the types that it uses.
pub(super) fn add_types(from: &Definitions, to: &Definitions, found: &mut Difference) {
    let mut made: Vec<&TypeDefinition> = Vec::new();
    let mut new = Vec::new();
    for desired in &to.types {
        match from.types.iter().find(|current| is_same_name(&current.name, &desired.name)) {
            None => new.push(desired),
            Some(current) if same_fields(current, desired) => {}
            Some(_) => found.impossible.push(ImpossibleChange {
                subject: format!("the type {}", desired.name),
                change: "changing its fields".to_owned(),
                advice: rules::ALTER_TYPE.advice,
                source: rules::ALTER_TYPE.source,
            }),
        }
    }
    while !new.is_empty() {
        let ready = |it: &&TypeDefinition| {
            used(it).iter().all(|used| new.iter().all(|other: &&TypeDefinition| !is_same_name(&other.name, used)))
        };
        let (now, later): (Vec<_>, Vec<_>) = new.iter().copied().partition(ready);
        if now.is_empty() {
            found.impossible.extend(later.iter().map(|it| ImpossibleChange {
                subject: format!("the type {}", it.name),
                change: "creating it, because its fields use it in a cycle".to_owned(),
                advice: "Break the cycle.",
                source: "DG:cql.ddl.type",
            }));
            break;
        }
        made.extend(now);
        new = later;
    }
    for it in made {
        super::check_keyspace(from, to, &it.name, "type", found);
        check_used_types(from, to, &format!("the type {}", it.name), used(it), found);
        found.steps.push(Step { statement: Statement::CreateType(it.create()), warnings: Vec::new() });
    }
    let others = from.types.iter().filter(|current| to.types.iter().all(|it| !is_same_name(&it.name, &current.name)));
    found.unchanged.extend(others.map(|current| Unchanged::Type(current.name.clone())));
}

pub(super) fn check_types(from: &Definitions, to: &Definitions, table: &TableDefinition, found: &mut Difference) {
    let used = table.columns.iter().flat_map(|column| in_keyspace_of(&table.table, &column.column_type));
    check_used_types(from, to, &format!("the table {}", table.table), used.collect(), found);
}

fn check_used_types(
    from: &Definitions,
    to: &Definitions,
    subject: &str,
    used: Vec<QualifiedName>,
    found: &mut Difference,
) {
    let is_missing =
        |name: &QualifiedName| from.types.iter().chain(&to.types).all(|current| !is_same_name(&current.name, name));
    let missing = used.into_iter().filter(is_missing);
    found.impossible.extend(missing.map(|name| ImpossibleChange {
        subject: subject.to_owned(),
        change: format!("using the type {name}, which neither exists nor is defined"),
        advice: "Add the CREATE TYPE.",
        source: "DG:cql.ddl.type",
    }));
}

fn used(it: &TypeDefinition) -> Vec<QualifiedName> {
    it.fields.iter().flat_map(|(_, field)| in_keyspace_of(&it.name, field)).collect()
}

/// The user-defined types within a type. A name without a keyspace is in the keyspace of `user`, the type or table that uses
/// it.
fn in_keyspace_of(user: &QualifiedName, cql_type: &CqlType) -> Vec<QualifiedName> {
    let used = cql_type.user_types().into_iter().map(|name| {
        let keyspace = name.keyspace.clone().or_else(|| user.keyspace.clone());
        QualifiedName { keyspace, name: name.name.clone() }
    });
    used.collect()
}

fn same_fields(one: &TypeDefinition, other: &TypeDefinition) -> bool {
    one.fields.len() == other.fields.len()
        && one
            .fields
            .iter()
            .zip(&other.fields)
            .all(|((name, one), (other_name, other))| name.text == other_name.text && is_same_type(one, other))
}
