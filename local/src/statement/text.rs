//! The text of a statement, parsed once, and the edits that Cassandra needs.

use std::borrow::Cow;
use std::sync::Arc;

use keyspaces_cql::{Span, Statement, SyntaxError};

/// Reads a statement. This is the only place where a client's text is parsed; a test counts how often.
pub(crate) fn parse(text: &str) -> Result<Statement, SyntaxError> {
    #[cfg(test)]
    counter::count(text);
    keyspaces_cql::parse(text)
}

/// A client's text, and its edits for Cassandra.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct StatementText {
    /// The text that the client sent.
    pub(crate) sent: Arc<str>,
    /// Edits that every part of the text needs: Cassandra's names of functions and types, and values of functions.
    pub(crate) edits: Vec<(Span, String)>,
    /// Edits that only the whole text needs: Cassandra's names of tables.
    pub(crate) table_edits: Vec<(Span, String)>,
}

impl StatementText {
    /// A part of the text, for an internal request.
    pub(crate) fn part(&self, span: Span) -> Cow<'_, str> {
        let part = &self.sent[span.range()];
        let within = |edited: &Span| edited.start >= span.start && edited.end <= span.end;
        let edits: Vec<_> = self
            .edits
            .iter()
            .filter(|(edited, _)| within(edited))
            .map(|(Span { start, end }, new)| (Span::new(start - span.start, end - span.start), new.clone()))
            .collect();
        if edits.is_empty() { part.into() } else { edited(part, &edits).into() }
    }

    /// The whole text for Cassandra.
    pub(crate) fn for_cassandra(&self) -> String {
        self.with(&self.table_edits)
    }

    /// The whole text with these edits in place of Cassandra's names of tables.
    pub(crate) fn with(&self, edits: &[(Span, String)]) -> String {
        edited(&self.sent, &[&self.edits, edits].concat())
    }
}

/// The text with these edits applied.
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

    use crate::lock::Mutex;

    static PARSED: Mutex<Option<HashMap<String, usize>>> = Mutex::new(None);

    pub(crate) fn count(text: &str) {
        let mut parsed = PARSED.lock();
        *parsed.get_or_insert_default().entry(text.to_owned()).or_default() += 1;
    }

    /// How often each text that contains `part` was parsed.
    pub(crate) fn parsed(part: &str) -> Vec<(String, usize)> {
        let parsed = PARSED.lock();
        let matching = parsed.iter().flatten().filter(|(text, _)| text.contains(part));
        matching.map(|(text, times)| (text.clone(), *times)).collect()
    }
}
