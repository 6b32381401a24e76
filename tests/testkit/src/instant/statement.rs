//! Parses statements as far as the benches need it.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::columns;
use crate::frame::{Answer, Parameters, put_bytes, put_int, put_short, put_string};

const VOID: usize = 1;
const ROWS: usize = 2;
const PREPARED: usize = 4;

const GLOBAL_TABLE: usize = 0x01;
const HAS_MORE_PAGES: usize = 0x02;
const NO_METADATA: usize = 0x04;

/// A statement, with the parts of its answers that do not depend on bound values.
pub(super) struct Prepared {
    id: [u8; 16],
    description: Vec<u8>,
    keyspace: String,
    selection: Option<Selection>,
}

struct Selection {
    columns: usize,
    /// The table and each column with its type.
    specification: Vec<u8>,
    row: Vec<u8>,
    /// The number of rows and their bytes, for a table with constant contents.
    fixed_rows: Option<(usize, Vec<u8>)>,
}

impl Prepared {
    /// `None` for a statement, table or column that the stub does not know.
    pub(super) fn read(text: &str) -> Option<Self> {
        let words: Vec<&str> =
            text.split(|c: char| c.is_whitespace() || "(),;".contains(c)).filter(|word| !word.is_empty()).collect();
        let named = |word: &str| words.iter().position(|other| other.eq_ignore_ascii_case(word));
        let after = |word: &str| named(word).and_then(|at| words.get(at + 1));
        let (keyspace, table) = ["FROM", "INTO", "UPDATE"].into_iter().find_map(after)?.split_once('.')?;
        let key = columns::partition_key(table)?;

        let selection = match (words.first()?.eq_ignore_ascii_case("SELECT"), named("FROM")) {
            (true, Some(from)) => Some(Selection::new(keyspace, table, &words[1..from])?),
            _ => None,
        };
        let markers = markers(&words);
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let mut id = [0; 16];
        id[..8].copy_from_slice(&hasher.finish().to_be_bytes());
        let description = describe(&id, keyspace, table, &markers, key, selection.as_ref())?;
        Some(Self { id, description, keyspace: keyspace.to_owned(), selection })
    }

    pub(super) fn id(&self) -> &[u8] {
        &self.id
    }

    pub(super) fn is_over_system_table(&self) -> bool {
        self.keyspace.starts_with("system")
    }

    pub(super) fn description(&self) -> Answer {
        Answer::result(self.description.clone())
    }

    pub(super) fn result(&self, parameters: &Parameters<'_>) -> Answer {
        let mut body = Vec::new();
        let Some(selection) = &self.selection else {
            put_int(&mut body, VOID);
            return Answer::result(body);
        };
        let remaining = selection.fixed_rows.as_ref().map_or_else(|| remaining_rows(parameters), |(rows, _)| *rows);
        let rows = parameters.page_size.map_or(remaining, |size| remaining.min(size));
        let later = remaining - rows;

        body.reserve(selection.specification.len() + rows * selection.row.len() + 64);
        put_int(&mut body, ROWS);
        let metadata = if parameters.without_metadata { NO_METADATA } else { GLOBAL_TABLE };
        put_int(&mut body, if later > 0 { metadata | HAS_MORE_PAGES } else { metadata });
        put_int(&mut body, selection.columns);
        if later > 0 {
            put_bytes(&mut body, &(later as u64).to_be_bytes());
        }
        if !parameters.without_metadata {
            body.extend(&selection.specification);
        }
        put_int(&mut body, rows);
        if let Some((_, values)) = &selection.fixed_rows {
            body.extend(values);
            return Answer::result(body);
        }
        for _ in 0..rows {
            body.extend(&selection.row);
        }
        Answer::result(body)
    }
}

impl Selection {
    fn new(keyspace: &str, table: &str, columns: &[&str]) -> Option<Self> {
        let (mut specification, mut row) = (Vec::new(), Vec::new());
        put_string(&mut specification, keyspace);
        put_string(&mut specification, table);
        for column in columns {
            put_string(&mut specification, column);
            columns::put_type(&mut specification, column)?;
            columns::put_value(&mut row, column);
        }
        let fixed_rows = columns::fixed_rows(table, columns);
        Some(Self { columns: columns.len(), specification, row, fixed_rows })
    }
}

/// The number of rows that are left to send. The paging state holds it.
fn remaining_rows(parameters: &Parameters<'_>) -> usize {
    if let Some(state) = parameters.paging_state.and_then(|state| state.try_into().ok()) {
        return u64::from_be_bytes(state) as usize;
    }
    let first = parameters.first_value.and_then(|value| std::str::from_utf8(value).ok());
    first.and_then(|text| text.strip_suffix(" rows")?.parse().ok()).unwrap_or(1)
}

/// The column or option of each bind marker.
fn markers<'a>(words: &[&'a str]) -> Vec<&'a str> {
    let inserted = words.iter().position(|word| word.eq_ignore_ascii_case("VALUES"));
    let mut inserted_columns = words[..inserted.unwrap_or(0)].iter().skip(3);
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        // `a=?` is one word, `a = ?` is three.
        let Some(written_on) = word.strip_suffix('?') else { continue };
        let name = |word: &&'a str| word.trim_end_matches(['=', '<', '>']);
        let before =
            std::iter::once(&written_on).chain(words[..at].iter().rev()).map(name).find(|name| !name.is_empty());
        found.push(match before {
            Some(word) if word.eq_ignore_ascii_case("LIMIT") => "[limit]",
            Some(word) if word.eq_ignore_ascii_case("TTL") => "[ttl]",
            Some(word) if word.eq_ignore_ascii_case("TIMESTAMP") => "[timestamp]",
            Some(word) if inserted.is_none() => word,
            _ => inserted_columns.next().copied().unwrap_or_default(),
        });
    }
    found
}

fn describe(
    id: &[u8],
    keyspace: &str,
    table: &str,
    markers: &[&str],
    key: &[&str],
    selection: Option<&Selection>,
) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    put_int(&mut body, PREPARED);
    put_short(&mut body, id.len());
    body.extend(id);

    put_int(&mut body, GLOBAL_TABLE);
    put_int(&mut body, markers.len());
    let key: Option<Vec<usize>> = key.iter().map(|column| markers.iter().position(|marker| marker == column)).collect();
    let key = key.unwrap_or_default();
    put_int(&mut body, key.len());
    key.iter().for_each(|marker| put_short(&mut body, *marker));
    put_string(&mut body, keyspace);
    put_string(&mut body, table);
    for marker in markers {
        put_string(&mut body, marker);
        columns::put_type(&mut body, marker)?;
    }

    match selection {
        Some(selection) => {
            put_int(&mut body, GLOBAL_TABLE);
            put_int(&mut body, selection.columns);
            body.extend(&selection.specification);
        }
        None => {
            put_int(&mut body, NO_METADATA);
            put_int(&mut body, 0);
        }
    }
    Some(body)
}
