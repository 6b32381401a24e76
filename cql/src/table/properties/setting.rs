//! The value of an option: nested maps in CQL, text in the system tables.

use std::collections::BTreeMap;

use super::PropertyError;
use crate::Span;
use crate::statement::{Constant, ConstantKind, Term, TermKind};

/// A word, or a map of settings by name, with its place in the text for errors.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Setting {
    pub(super) kind: SettingKind,
    pub(super) span: Span,
    /// Whether the service showed the value; it may show more than it accepts.
    ignores_unknown: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum SettingKind {
    Text(String),
    /// A number or a boolean, which CQL writes without quotes.
    Unquoted(String),
    Map(Vec<(Setting, Setting)>),
}

impl Setting {
    fn new(kind: SettingKind, span: Span) -> Self {
        Self { kind, span, ignores_unknown: false }
    }

    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::new(SettingKind::Text(text.into()), Span::default())
    }

    pub(super) fn unquoted(value: impl ToString) -> Self {
        Self::new(SettingKind::Unquoted(value.to_string()), Span::default())
    }

    pub(super) fn map<K: Into<String>>(entries: impl IntoIterator<Item = (K, Self)>) -> Self {
        let entries = entries.into_iter().map(|(key, value)| (Self::text(key), value)).collect();
        Self::new(SettingKind::Map(entries), Span::default())
    }

    /// The value as the system tables show it: all inner values are text (`DG:view-warm-throughput`).
    pub(super) fn from_system_table(entries: &BTreeMap<String, String>) -> Self {
        Self::map(entries.iter().map(|(key, value)| (key.as_str(), Self::text(value)))).ignoring_unknown()
    }

    /// Marks the value as shown by the service, so that unknown names are ignored.
    pub(super) fn ignoring_unknown(mut self) -> Self {
        self.ignores_unknown = true;
        if let SettingKind::Map(entries) = self.kind {
            self.kind =
                SettingKind::Map(entries.into_iter().map(|(key, value)| (key, value.ignoring_unknown())).collect());
        }
        self
    }

    /// The entries with text for every value. Inner maps are written as CQL.
    pub(super) fn to_system_table(&self) -> BTreeMap<String, String> {
        let SettingKind::Map(entries) = &self.kind else { return BTreeMap::new() };
        let text = |value: &Self| match &value.kind {
            SettingKind::Text(text) | SettingKind::Unquoted(text) => text.clone(),
            SettingKind::Map(_) => value.to_term().to_string(),
        };
        entries.iter().map(|(key, value)| (text(key), text(value))).collect()
    }

    pub(super) fn from_term(term: &Term) -> Result<Self, PropertyError> {
        let kind = match &term.kind {
            TermKind::Constant(constant) if constant.kind == ConstantKind::String => {
                SettingKind::Text(constant.text.clone())
            }
            TermKind::Constant(constant) => SettingKind::Unquoted(constant.text.clone()),
            TermKind::Map(entries) => {
                let entries = entries.iter().map(|(key, value)| Ok((Self::from_term(key)?, Self::from_term(value)?)));
                SettingKind::Map(entries.collect::<Result<_, PropertyError>>()?)
            }
            // The parser reads an empty map as an empty set.
            TermKind::Set(elements) if elements.is_empty() => SettingKind::Map(Vec::new()),
            _ => return Err(PropertyError::unknown(term.span, format!("the value {term} of an option"))),
        };
        Ok(Self::new(kind, term.span))
    }

    pub(super) fn to_term(&self) -> Term {
        let constant = |kind, text: &str| TermKind::Constant(Constant { kind, text: text.to_owned() });
        let kind = match &self.kind {
            SettingKind::Text(text) => constant(ConstantKind::String, text),
            SettingKind::Unquoted(text) if ["true", "false"].contains(&text.as_str()) => {
                constant(ConstantKind::Boolean, text)
            }
            SettingKind::Unquoted(text) if text.contains('.') => constant(ConstantKind::Float, text),
            SettingKind::Unquoted(text) => constant(ConstantKind::Integer, text),
            SettingKind::Map(entries) if entries.is_empty() => TermKind::Set(Vec::new()),
            SettingKind::Map(entries) => {
                TermKind::Map(entries.iter().map(|(key, value)| (key.to_term(), value.to_term())).collect())
            }
        };
        Term { kind, span: Span::default() }
    }

    /// The value as a word, quoted or not.
    pub(super) fn word(&self, option: &str) -> Result<&str, PropertyError> {
        match &self.kind {
            SettingKind::Text(text) | SettingKind::Unquoted(text) => Ok(text),
            SettingKind::Map(_) => Err(PropertyError::unknown(self.span, format!("a map for {option}"))),
        }
    }

    pub(super) fn entries(&self, option: &str) -> Result<&[(Self, Self)], PropertyError> {
        match &self.kind {
            SettingKind::Map(entries) => Ok(entries),
            _ => Err(PropertyError::unknown(self.span, format!("{option} that is not a map"))),
        }
    }

    /// The entries by their names in lower case, because the guide itself writes them in both cases. A duplicate name, or a
    /// name that is not in `known`, is an error, unless the service showed the value.
    pub(super) fn fields<'s>(&'s self, option: &str, known: &[&str]) -> Result<Fields<'s>, PropertyError> {
        let mut fields = BTreeMap::new();
        for (key, value) in self.entries(option)? {
            let name = key.word(option)?.to_ascii_lowercase();
            if !known.contains(&name.as_str()) {
                if self.ignores_unknown {
                    continue;
                }
                return Err(PropertyError::unknown(key.span, format!("{name} in {option}")));
            }
            if fields.insert(name.clone(), value).is_some() {
                return Err(PropertyError::unknown(key.span, format!("{name} twice in {option}")));
            }
        }
        Ok(Fields { span: self.span, fields })
    }

    pub(super) fn units(&self, option: &str) -> Result<u64, PropertyError> {
        let word = self.word(option)?;
        word.parse().map_err(|_| PropertyError::unknown(self.span, format!("{word} for {option}")))
    }

    pub(super) fn is_true(&self, option: &str) -> Result<bool, PropertyError> {
        match self.word(option)?.to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            other => Err(PropertyError::unknown(self.span, format!("{other} for {option}"))),
        }
    }
}

/// The entries of a map, by their known names.
pub(super) struct Fields<'s> {
    pub(super) span: Span,
    fields: BTreeMap<String, &'s Setting>,
}

impl<'s> Fields<'s> {
    pub(super) fn get(&self, name: &str) -> Option<&'s Setting> {
        self.fields.get(name).copied()
    }

    pub(super) fn required(&self, name: &str, option: &str) -> Result<&'s Setting, PropertyError> {
        self.get(name).ok_or_else(|| PropertyError::unknown(self.span, format!("{option} without {name}")))
    }
}
