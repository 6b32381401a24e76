//! The text of a statement, read once, and what is put in the place of parts of it.

use std::borrow::Cow;
use std::sync::Arc;

use keyspaces_cql::{Span, Statement, SyntaxError};

/// Reads a statement. This is the only place where a client's text is parsed; a test counts how often.
pub(super) fn parse(text: &str) -> Result<Statement, SyntaxError> {
    #[cfg(test)]
    counter::count(text);
    keyspaces_cql::parse(text)
}

/// A client's text, and what stands in the place of parts of it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Text {
    /// As the client sent it.
    pub(super) sent: Arc<str>,
    /// What Cassandra needs wherever a part of the text is used: its names of functions and types.
    pub(super) renames: Vec<(Span, String)>,
    /// What Cassandra needs beside that in the whole text: its names of tables.
    pub(super) tables: Vec<(Span, String)>,
}

impl Text {
    /// A part of the text for a request that the gateway puts together.
    pub(super) fn part(&self, span: Span) -> Cow<'_, str> {
        let part = &self.sent[span.range()];
        let within = |edited: &Span| edited.start >= span.start && edited.end <= span.end;
        let edits: Vec<_> = self
            .renames
            .iter()
            .filter(|(edited, _)| within(edited))
            .map(|(Span { start, end }, new)| (Span::new(start - span.start, end - span.start), new.clone()))
            .collect();
        if edits.is_empty() { part.into() } else { edited(part, &edits).into() }
    }

    /// The whole text for Cassandra.
    pub(super) fn for_cassandra(&self) -> String {
        self.with(&self.tables)
    }

    /// The whole text with these edits in the place of Cassandra's names of tables.
    pub(super) fn with(&self, edits: &[(Span, String)]) -> String {
        edited(&self.sent, &[&self.renames, edits].concat())
    }
}

/// A text with these in the place of what stands there.
fn edited(text: &str, edits: &[(Span, String)]) -> String {
    let mut edits: Vec<_> = edits.iter().collect();
    edits.sort_by_key(|(span, _)| *span);
    let mut edited = String::with_capacity(text.len() + 32 * edits.len());
    let mut at = 0;
    for (span, new) in edits {
        edited.push_str(&text[at..span.start]);
        edited.push_str(new);
        at = span.end;
    }
    edited.push_str(&text[at..]);
    edited
}

#[cfg(test)]
pub(crate) mod counter {
    use std::collections::HashMap;
    use std::sync::{Mutex, PoisonError};

    static PARSED: Mutex<Option<HashMap<String, usize>>> = Mutex::new(None);

    pub(super) fn count(text: &str) {
        let mut parsed = PARSED.lock().unwrap_or_else(PoisonError::into_inner);
        *parsed.get_or_insert_default().entry(text.to_owned()).or_default() += 1;
    }

    /// How often texts with this in them were parsed, by text.
    pub(crate) fn parsed(part: &str) -> Vec<(String, usize)> {
        let parsed = PARSED.lock().unwrap_or_else(PoisonError::into_inner);
        let of_part = parsed.iter().flatten().filter(|(text, _)| text.contains(part));
        of_part.map(|(text, times)| (text.clone(), *times)).collect()
    }
}
