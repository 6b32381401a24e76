//! Functions that have other names in Cassandra 5.0, and user-defined types in keyspaces with other names there.

use keyspaces_cql::statement::{Select, Selection, Term, TermKind};
use keyspaces_cql::{Effect, QualifiedName, Span, Statement};

use crate::names::quoted;

/// `dateOf` and `unixTimestampOf`, which Keyspaces has (DG:cql.functions), were removed in Cassandra 5.0
/// (CASSANDRA-18328).
const RENAMED: &[(&str, &str)] = &[("dateof", "totimestamp"), ("unixtimestampof", "tounixtimestamp")];

/// The edits that a statement needs for Cassandra 5.0. Result columns keep their names for the client. `keyspace` is
/// the keyspace of tables without one.
pub(crate) fn name_edits(statement: &Statement, keyspace: Option<&str>) -> Vec<(Span, String)> {
    let calls = statement.functions().into_iter().filter(|function| function.keyspace.is_none());
    let renamed = calls.filter_map(|function| {
        let new = renamed(function.name)?;
        let name = Span { start: function.span.start, end: function.span.start + function.name.len() };
        Some((name, new.to_owned()))
    });
    let mut edits: Vec<_> = renamed.collect();
    if let (false, Statement::Select(select)) = (edits.is_empty(), statement) {
        edits.extend(aliases(select));
    }
    if statement.effect() != Effect::Definition {
        edits.extend(types(statement, keyspace));
    }
    edits
}

/// Removes the keyspace from types in the keyspace of the statement's tables. Cassandra looks for them there, and
/// accepts no type of another keyspace.
fn types(statement: &Statement, keyspace: Option<&str>) -> Vec<(Span, String)> {
    let keyspace_of = |name: &QualifiedName| name.keyspace.as_ref().map(|keyspace| keyspace.text.clone());
    let tables = statement.tables();
    let is_keyspace_of_tables =
        |name: &String| tables.iter().all(|table| keyspace_of(table).as_deref().or(keyspace) == Some(name));
    let types =
        statement.user_types().into_iter().filter(|name| keyspace_of(name).as_ref().is_some_and(is_keyspace_of_tables));
    types.map(|name| (name.span(), quoted(&name.name.text))).collect()
}

/// Adds an alias to each column that calls one of the functions and has none.
fn aliases(select: &Select) -> Vec<(Span, String)> {
    let Selection::Selectors(selectors) = &select.selection else { return Vec::new() };
    let without = selectors.iter().filter(|selector| selector.alias.is_none() && calls_renamed(&selector.term));
    let alias = |term: &Term| {
        let end = Span { start: term.span.end, end: term.span.end };
        Some((end, format!(" AS \"{}\"", column_name(term)?)))
    };
    without.filter_map(|selector| alias(&selector.term)).collect()
}

fn calls_renamed(term: &Term) -> bool {
    match &term.kind {
        TermKind::Call(call) => renamed(&call.function.name.text).is_some() || call.arguments.iter().any(calls_renamed),
        TermKind::Cast(cast) => calls_renamed(&cast.term),
        _ => false,
    }
}

/// Cassandra's name of a result column that is made by functions.
fn column_name(term: &Term) -> Option<String> {
    match &term.kind {
        TermKind::Name(name) => Some(name.text.replace('"', "\"\"")),
        TermKind::Call(call) => {
            let arguments = call.arguments.iter().map(column_name).collect::<Option<Vec<_>>>()?;
            Some(format!("system.{}({})", call.function.name.text, arguments.join(", ")))
        }
        TermKind::Cast(cast) => Some(format!("cast({} as {})", column_name(&cast.term)?, cast.to)),
        _ => None,
    }
}

fn renamed(function: &str) -> Option<&'static str> {
    RENAMED.iter().find(|(old, _)| *old == function).map(|(_, new)| *new)
}
