//! Second tables that replace indexes and materialized views. The application writes to both tables.

use super::{Action, ConversionFinding, Converter};
use crate::statement::{CqlType, CqlTypeKind, CreateTable, NativeType, UnsupportedStatement};
use crate::{Name, Position, QualifiedName, Rule, Statement, TableDefinition, parse, rules};

pub(super) fn convert_index(converter: &mut Converter, statement: &UnsupportedStatement) {
    let table = statement.tables.first().cloned();
    let column = indexed_column(&statement.text);
    let summary = match (&table, &column) {
        (Some(table), Some((None, column))) => format!("the index on {} ({column})", converter.qualified(table)),
        (Some(table), Some((Some(part), column))) => {
            format!("the index on {} ({part}({column}))", converter.qualified(table))
        }
        _ => "this index".to_owned(),
    };
    let replacement = table.zip(column).and_then(|(table, (part, column))| {
        Some(table_by_column(&find_table(converter, &table)?.definition().ok()?, part.as_deref(), &column)?.to_string())
    });
    report_second_table(converter, statement, summary, replacement, &rules::INDEX);
}

pub(super) fn convert_view(converter: &mut Converter, statement: &UnsupportedStatement) {
    let view = View::read(&statement.text);
    let summary = view
        .as_ref()
        .map_or_else(|| "this materialized view".to_owned(), |view| format!("the materialized view {}", view.name));
    let base = statement.tables.first().and_then(|table| find_table(converter, table)?.definition().ok());
    let replacement = view.zip(base).and_then(|(view, base)| Some(view.table(&base)?.to_string()));
    report_second_table(converter, statement, summary, replacement, &rules::MATERIALIZED_VIEW);
}

fn report_second_table(
    converter: &mut Converter,
    statement: &UnsupportedStatement,
    summary: String,
    replacement: Option<String>,
    rule: &'static Rule,
) {
    let reason = match replacement {
        Some(_) => {
            "Keyspaces lacks it: write the rows to a second table as well, in one batch with those of the first."
        }
        None => rule.advice,
    };
    converter.findings.push(ConversionFinding {
        action: Action::Decide,
        span: statement.span,
        position: Position::default(),
        summary: format!("{summary} is left out"),
        reason: reason.to_owned(),
        replacement,
        source: Some(rule.source),
    });
}

fn find_table<'c>(converter: &'c Converter, name: &QualifiedName) -> Option<&'c CreateTable> {
    match converter.statements.get(*converter.tables.get(&converter.key(name))?)? {
        Statement::CreateTable(create) => Some(create),
        _ => None,
    }
}

/// Reads the indexed part of a collection, if any, and the column from a text such as `( keys ( labels ) )`.
fn indexed_column(text: &str) -> Option<(Option<String>, String)> {
    let (_, after) = text.split_once(" ( ")?;
    let mut words = after.split(' ');
    let first = words.next()?;
    match words.next()? {
        "(" => Some((Some(first.to_ascii_lowercase()), unquote(words.next()?))),
        _ => Some((None, unquote(first))),
    }
}

fn unquote(word: &str) -> String {
    match word.strip_prefix('"').and_then(|word| word.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\"\"", "\""),
        None => word.to_ascii_lowercase(),
    }
}

/// The second table, keyed by the column and then by the key of the first table.
fn table_by_column(table: &TableDefinition, part: Option<&str>, column: &str) -> Option<TableDefinition> {
    let find = |name: &str| table.columns.iter().find(|column| column.name.text == name);
    let indexed = indexed_type(&find(column)?.column_type, part)?;
    let clustering = table.clustering_columns.iter().map(|by| &by.column);
    let keys = table.partition_key.iter().chain(clustering).filter(|key| key.text != column);
    let mut name = format!("{}_by_{column}", table.table.name.text);
    name.retain(|character| character.is_ascii_alphanumeric() || character == '_');
    name.truncate(rules::MAX_NAME_CHARACTERS);
    let keyspace = table.table.keyspace.as_ref().map_or_else(String::new, |keyspace| keyspace.text.clone());
    let mut second = TableDefinition::builder(keyspace, name).partition_key(column, indexed);
    for key in keys {
        second = second.clustering_column(key.text.as_str(), find(&key.text)?.column_type.clone(), Default::default());
    }
    second.build().ok()
}

/// The type that an index looks up: an element of a collection, else the type itself.
fn indexed_type(cql_type: &CqlType, part: Option<&str>) -> Option<CqlType> {
    match (&cql_type.kind, part) {
        (CqlTypeKind::Frozen(_), Some("full")) => Some(cql_type.canonical()),
        // An index on vectors searches by distance, which a key cannot do.
        (CqlTypeKind::Frozen(_), _) => None,
        (CqlTypeKind::Map(key, _), Some("keys")) => Some((**key).clone()),
        (CqlTypeKind::Map(key, value), Some("entries")) => Some(CqlType::tuple([(**key).clone(), (**value).clone()])),
        (CqlTypeKind::Map(_, part), _) | (CqlTypeKind::List(part) | CqlTypeKind::Set(part), _) => {
            Some((**part).clone())
        }
        (CqlTypeKind::Native(NativeType::Counter), _) => None,
        _ => Some(cql_type.canonical()),
    }
}

/// A materialized view, read from its text.
struct View {
    name: String,
    /// The selected columns; empty for all.
    columns: Vec<String>,
    /// `( ( a ) , b )`
    key: String,
    order: Option<String>,
}

impl View {
    fn read(text: &str) -> Option<Self> {
        let upper = text.to_ascii_uppercase();
        let between = |from: &str, to: &str| {
            let start = upper.find(from)? + from.len();
            Some(text[start..start + upper[start..].find(to)?].trim())
        };
        let name = strip_words("IF NOT EXISTS ", between("VIEW ", " AS ")?).replace(' ', "");
        let columns = between(" SELECT ", " FROM ")?.split(" , ").map(str::to_owned);
        let key = upper.rfind("PRIMARY KEY ").map(|at| at + "PRIMARY KEY ".len())?;
        let order = upper.find("ORDER BY ").map(|at| at + "ORDER BY ".len());
        Some(Self {
            name,
            columns: columns.filter(|column| column != "*").collect(),
            key: take_parenthesised(&text[key..])?.to_owned(),
            order: order.and_then(|at| take_parenthesised(&text[at..])).map(str::to_owned),
        })
    }

    fn table(&self, base: &TableDefinition) -> Option<CreateTable> {
        let is_key = |name: &Name| self.key.split(' ').any(|word| unquote(word) == name.text);
        let is_selected = |name: &Name| self.columns.iter().any(|column| unquote(column) == name.text);
        let columns = base
            .columns
            .iter()
            .filter(|column| self.columns.is_empty() || is_selected(&column.name) || is_key(&column.name));
        let columns: Vec<_> = columns.map(|column| format!("{} {}", column.name, column.column_type)).collect();
        let name = match &base.table.keyspace {
            Some(keyspace) if !self.name.contains('.') => format!("{keyspace}.{}", self.name),
            _ => self.name.clone(),
        };
        let order = self.order.as_ref().map(|order| format!(" WITH CLUSTERING ORDER BY {order}")).unwrap_or_default();
        let text = format!("CREATE TABLE {name} ({}, PRIMARY KEY {}){order}", columns.join(", "), self.key);
        match parse(&text) {
            Ok(Statement::CreateTable(create)) => Some(create.definition().ok()?.create()),
            _ => None,
        }
    }
}

/// Strips these words from the start of the text.
pub(super) fn strip_words<'t>(words: &str, text: &'t str) -> &'t str {
    let begins = text.get(..words.len()).is_some_and(|start| start.eq_ignore_ascii_case(words));
    if begins { &text[words.len()..] } else { text }
}

/// The text from its opening parenthesis to the matching closing one.
fn take_parenthesised(text: &str) -> Option<&str> {
    let mut open = 0_usize;
    for (at, character) in text.char_indices() {
        match character {
            '(' => open += 1,
            ')' if open == 1 => return Some(&text[..=at]),
            ')' => open = open.checked_sub(1)?,
            _ if open == 0 => return None,
            _ => {}
        }
    }
    None
}
