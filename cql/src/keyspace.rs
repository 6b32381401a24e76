//! The keyspace that a CREATE KEYSPACE makes, and the changes of an ALTER KEYSPACE.

use std::collections::BTreeSet;
use std::fmt;

use crate::statement::{
    AlterKeyspace, AlterKeyspaceChange, Constant, ConstantKind, CreateKeyspace, Term, TermKind, WithOption,
};
use crate::table::{PropertyError, Tags, or_first_error, read_tags, tags_option, tags_term};
use crate::{Name, Span, Warning, rules};

/// A keyspace.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyspaceDefinition {
    /// The name of the keyspace.
    pub name: Name,
    /// The Regions of the keyspace.
    pub replication: Replication,
    /// The tags of the keyspace.
    pub tags: Tags,
}

/// The Regions in which the rows of a keyspace are stored. Each Region always has three copies.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Replication {
    /// The Region of the session.
    #[default]
    SingleRegion,
    /// Several Regions; at least two.
    MultiRegion(BTreeSet<String>),
}

/// The change of one ALTER KEYSPACE.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum KeyspaceChange {
    /// Replicates the rows to one more Region, which takes long. This permanently turns on client-side timestamps in all
    /// tables of the keyspace (`DG:keyspaces-multi-region-add-replica`).
    AddRegion(String),
    /// Adds tags, or changes the values of existing tags.
    AddTags(Tags),
    /// Drops tags.
    DropTags(Tags),
}

impl KeyspaceChange {
    /// The costs and risks of the change.
    #[must_use]
    pub fn warnings(&self) -> Vec<&'static Warning> {
        crate::difference::warning::keyspace_change_warnings(self)
    }
}

impl KeyspaceDefinition {
    /// A keyspace in the Region of the session.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: Name::new(name), replication: Replication::SingleRegion, tags: Tags::new() }
    }

    /// Sets the Regions of the keyspace. Fewer than two are refused when the statement is sent (`DG:cql.ddl.keyspace`).
    #[must_use]
    pub fn in_regions<R: Into<String>>(self, regions: impl IntoIterator<Item = R>) -> Self {
        Self { replication: Replication::MultiRegion(regions.into_iter().map(Into::into).collect()), ..self }
    }

    /// Adds a tag.
    #[must_use]
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(key.into(), value.into());
        self
    }

    /// The CREATE KEYSPACE statement.
    #[must_use]
    pub fn create(&self) -> CreateKeyspace {
        let mut options = vec![with("replication", self.replication.term())];
        if !self.tags.is_empty() {
            options.extend(tags_option(&self.tags));
        }
        let keyspace = self.name.clone();
        CreateKeyspace { span: Span::default(), if_not_exists: None, keyspace, options }
    }

    /// The statement that makes a change to the keyspace. `home_region` is the Region of a single-Region keyspace.
    #[must_use]
    pub fn alter(&self, change: &KeyspaceChange, home_region: &str) -> AlterKeyspace {
        let change = match change {
            KeyspaceChange::AddRegion(region) => {
                let mut regions = match &self.replication {
                    Replication::SingleRegion => BTreeSet::from([home_region.to_owned()]),
                    Replication::MultiRegion(regions) => regions.clone(),
                };
                regions.insert(region.clone());
                return Replication::MultiRegion(regions).alter(&self.name, true);
            }
            KeyspaceChange::AddTags(tags) => AlterKeyspaceChange::AddTags(tags_term(tags)),
            KeyspaceChange::DropTags(tags) => AlterKeyspaceChange::DropTags(tags_term(tags)),
        };
        AlterKeyspace { span: Span::default(), if_exists: None, keyspace: self.name.clone(), change }
    }

    /// The costs and risks of creating the keyspace.
    #[must_use]
    pub fn warnings(&self) -> Vec<&'static Warning> {
        crate::difference::warning::keyspace_warnings(self)
    }
}

pub(crate) fn definition(create: &CreateKeyspace) -> Result<KeyspaceDefinition, PropertyError> {
    let replication = create.replication();
    let replication = replication.ok_or_else(|| PropertyError::refused(create.span, &rules::NO_REPLICATION))?;
    let tags = crate::statement::option(&create.options, "tags").map(|option| read_tags(&option.value)).transpose()?;
    Ok(KeyspaceDefinition {
        name: create.keyspace.canonical(),
        replication: Replication::read(&replication.value)?,
        tags: tags.unwrap_or_default(),
    })
}

impl Replication {
    /// Reads the value of `replication`.
    ///
    /// # Errors
    ///
    /// A rule refuses the value, or it is not known whether Keyspaces has its replication class.
    pub fn read(value: &Term) -> Result<Self, PropertyError> {
        or_first_error(|report| Self::examine(value, report))
    }

    /// Reads the value of `replication` as far as possible, and reports every error to `report`.
    pub(crate) fn examine(value: &Term, report: &mut dyn FnMut(PropertyError)) -> Self {
        let unknown = |feature: &str| PropertyError::unknown(value.span, feature.to_owned());
        let TermKind::Map(entries) = &value.kind else {
            report(unknown("a replication that is not a map"));
            return Self::default();
        };
        let (mut class, mut regions) = (None, BTreeSet::new());
        let mut other_factor = None;
        for (key, entry) in entries {
            let (Some(name), Some(word)) = (text(key), text(entry)) else {
                report(unknown("a replication that is not a map of text"));
                continue;
            };
            if name == "class" {
                class = Some(word.rsplit('.').next().unwrap_or(word));
                continue;
            }
            if word != "3" {
                other_factor = other_factor.or_else(|| Some(key.span.to(entry.span)));
            }
            if !regions.insert(name.to_owned()) {
                report(PropertyError::refused(key.span, &rules::DUPLICATE_REGION));
            }
        }
        // Only one of these errors is reported: a corrected factor would be refused again where SingleRegionStrategy is
        // required.
        match (class, other_factor) {
            (Some("SingleRegionStrategy"), _) if regions.is_empty() => return Self::SingleRegion,
            (Some("SimpleStrategy"), None) if regions.iter().eq(["replication_factor"]) => return Self::SingleRegion,
            (Some("NetworkTopologyStrategy"), _) if regions.len() < 2 => {
                report(PropertyError::refused(value.span, &rules::TOO_FEW_REGIONS));
            }
            (Some("NetworkTopologyStrategy"), Some(span)) => {
                report(PropertyError::refused(span, &rules::REPLICATION_FACTOR));
            }
            (Some("NetworkTopologyStrategy"), None) => {}
            _ => report(unknown(OTHER_REPLICATION)),
        }
        Self::MultiRegion(regions)
    }

    /// The statement that sets this replication for a keyspace, and turns on client-side timestamps in its tables if
    /// `client_side_timestamps` is true. The statement names all Regions, including the existing ones
    /// (`DG:keyspaces-multi-region-add-replica`).
    #[must_use]
    pub fn alter(&self, keyspace: &Name, client_side_timestamps: bool) -> AlterKeyspace {
        let mut options = vec![with("replication", self.term())];
        if client_side_timestamps {
            let status = TermKind::Map(vec![(string("status"), string("ENABLED"))]);
            options.push(with("client_side_timestamps", Term { kind: status, span: Span::default() }));
        }
        let change = AlterKeyspaceChange::With(options);
        AlterKeyspace { span: Span::default(), if_exists: None, keyspace: keyspace.clone(), change }
    }

    fn term(&self) -> Term {
        let mut entries = Vec::new();
        match self {
            Self::SingleRegion => entries.push((string("class"), string("SingleRegionStrategy"))),
            Self::MultiRegion(regions) => {
                entries.push((string("class"), string("NetworkTopologyStrategy")));
                entries.extend(regions.iter().map(|region| (string(region), string("3"))));
            }
        }
        Term { kind: TermKind::Map(entries), span: Span::default() }
    }
}

impl fmt::Display for KeyspaceDefinition {
    /// Writes the CREATE KEYSPACE statement.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.create().fmt(f)
    }
}

const OTHER_REPLICATION: &str = "this replication (the guide names {'class': 'SingleRegionStrategy'} without other \
                                 entries, and NetworkTopologyStrategy with two Regions or more)";

fn with(name: &str, value: Term) -> WithOption {
    WithOption { name: Name::new(name), value, span: Span::default() }
}

fn string(text: &str) -> Term {
    let constant = Constant { kind: ConstantKind::String, text: text.to_owned() };
    Term { kind: TermKind::Constant(constant), span: Span::default() }
}

fn text(term: &Term) -> Option<&str> {
    match &term.kind {
        TermKind::Constant(constant) if matches!(constant.kind, ConstantKind::String | ConstantKind::Integer) => {
            Some(&constant.text)
        }
        _ => None,
    }
}
