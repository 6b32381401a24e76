//! Names of keyspaces, tables, columns, types, fields and functions.

use std::fmt;

use crate::reserved::{is_reserved, is_reserved_for_types};
use crate::{Span, rules};

/// A name in CQL.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Name {
    /// The name, in lower case unless it was quoted. A doubled `"` of a quoted name is one `"` here.
    pub text: String,
    /// Whether the name stood in double quotes.
    pub quoted: bool,
    /// The place of the name, including quotes.
    pub span: Span,
}

impl Name {
    /// A name for a generated statement: quoted where CQL needs it, and with an empty span.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        let quoted = !is_plain(&text);
        Self { text, quoted, span: Span::default() }
    }

    /// The name without its place in the text, quoted only where necessary.
    pub(crate) fn canonical(&self) -> Self {
        Self::new(self.text.as_str())
    }

    /// Whether the name is valid for a keyspace or a table: `^[a-zA-Z0-9][a-zA-Z0-9_]{0,47}$` (`API:CreateTable`).
    pub(crate) fn is_valid(&self) -> bool {
        let letters = self.text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        letters && (1..=rules::MAX_NAME_CHARACTERS).contains(&self.text.len()) && !self.text.starts_with('_')
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.quoted { write!(f, "\"{}\"", self.text.replace('"', "\"\"")) } else { f.write_str(&self.text) }
    }
}

/// A name, with its keyspace or without.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct QualifiedName {
    /// The keyspace before the dot.
    pub keyspace: Option<Name>,
    /// The name itself.
    pub name: Name,
}

impl QualifiedName {
    /// A name for a generated statement.
    #[must_use]
    pub fn new(keyspace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { keyspace: Some(Name::new(keyspace)), name: Name::new(name) }
    }

    /// The span from the keyspace to the end of the name.
    #[must_use]
    pub fn span(&self) -> Span {
        self.keyspace.as_ref().map_or(self.name.span, |keyspace| keyspace.span.to(self.name.span))
    }

    /// The name without its place in the text, quoted only where necessary.
    pub(crate) fn canonical(&self) -> Self {
        Self { keyspace: self.keyspace.as_ref().map(Name::canonical), name: self.name.canonical() }
    }
}

/// The name of a user-defined type, for which more words are reserved.
pub(crate) struct TypeName<'n>(pub(crate) &'n QualifiedName);

impl fmt::Display for TypeName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let QualifiedName { keyspace, name } = self.0;
        if !name.quoted && is_reserved_for_types(&name.text) {
            keyspace.iter().try_for_each(|keyspace| write!(f, "{keyspace}."))?;
            return write!(f, "\"{}\"", name.text);
        }
        self.0.fmt(f)
    }
}

impl fmt::Display for QualifiedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(keyspace) = &self.keyspace {
            write!(f, "{keyspace}.")?;
        }
        write!(f, "{}", self.name)
    }
}

/// Whether a name keeps its meaning without quotes.
fn is_plain(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(|first| first.is_ascii_lowercase())
        && characters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !is_reserved(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_is_quoted_only_when_cql_requires_it() {
        for (text, printed) in [
            ("users", "users"),
            ("Users", "\"Users\""),
            ("two words", "\"two words\""),
            ("a\"b", "\"a\"\"b\""),
            ("select", "\"select\""),
            ("true", "\"true\""),
            ("default", "\"default\""),
            ("1st", "\"1st\""),
            ("key", "key"),
            ("", "\"\""),
        ] {
            assert_eq!(Name::new(text).to_string(), printed);
        }
    }
}
