//! Tags of keyspaces, tables and streams.

use std::collections::BTreeMap;

use super::setting::Setting;
use super::{PropertyError, with};
use crate::statement::{Term, WithOption};
use crate::{Rule, rules};

/// Tags of a keyspace or a table: values by key.
pub type Tags = BTreeMap<String, String>;

/// Reads the tags to set on a keyspace, a table or a stream.
///
/// # Errors
///
/// There are more tags than a resource may have, Keyspaces does not accept a tag, or the value is not a map of text.
pub fn read_tags(value: &Term) -> Result<Tags, PropertyError> {
    tags_of(&Setting::from_term(value)?)
}

/// Reads the tags to drop; their values do not matter.
///
/// # Errors
///
/// There are more or longer tags than a statement may have, or the value is not a map of text.
pub fn read_dropped_tags(value: &Term) -> Result<Tags, PropertyError> {
    tags_in(&Setting::from_term(value)?, |_, _, _| Ok(()))
}

pub(super) fn tags_of(setting: &Setting) -> Result<Tags, PropertyError> {
    tags_in(setting, |place, key, value| {
        let is_allowed =
            |character: char| character.is_alphanumeric() || character.is_whitespace() || "+-=._:/".contains(character);
        if place >= rules::MAX_RESOURCE_TAGS {
            Err(&rules::TOO_MANY_TAGS)
        } else if key.is_empty() || value.is_empty() {
            Err(&rules::TAG_EMPTY)
        } else if !key.chars().chain(value.chars()).all(is_allowed) {
            Err(&rules::TAG_CHARACTERS)
        } else if is_assigned_by_aws(key) {
            Err(&rules::TAG_PREFIX)
        } else {
            Ok(())
        }
    })
}

/// Calls `check` with the place, the key and the value of each tag.
fn tags_in(
    setting: &Setting,
    check: impl Fn(usize, &str, &str) -> Result<(), &'static Rule>,
) -> Result<Tags, PropertyError> {
    let mut tags = Tags::new();
    for (place, (key, value)) in setting.entries("tags")?.iter().enumerate() {
        let (name, text) = (key.word("a tag")?, value.word("a tag")?);
        let is_too_long = name.chars().count() > rules::MAX_TAG_KEY_CHARACTERS
            || text.chars().count() > rules::MAX_TAG_VALUE_CHARACTERS;
        let refused = |rule| PropertyError::refused(key.span.to(value.span), rule);
        if is_too_long || place >= rules::MAX_STATEMENT_TAGS {
            return Err(refused(&rules::TAGS));
        }
        check(place, name, text).map_err(refused)?;
        tags.insert(name.to_owned(), text.to_owned());
    }
    Ok(tags)
}

/// `TAGS = {…}` without the tags that AWS assigns, which no statement may set; `None` if there are no other tags.
pub(crate) fn tags_option(tags: &Tags) -> Option<WithOption> {
    let own: Tags = tags.clone().into_iter().filter(|(key, _)| !is_assigned_by_aws(key)).collect();
    let are_all_assigned = own.is_empty() && !tags.is_empty();
    (!are_all_assigned).then(|| with("tags", &tags_setting(&own)))
}

/// Whether AWS assigned the tag: only AWS services may set keys that begin like this (`DG:TaggingRestrictions`).
pub(crate) fn is_assigned_by_aws(key: &str) -> bool {
    key.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:"))
}

/// The map of `TAGS`.
#[must_use]
pub(crate) fn tags_term(tags: &Tags) -> Term {
    tags_setting(tags).to_term()
}

pub(super) fn tags_setting(tags: &Tags) -> Setting {
    Setting::map(tags.iter().map(|(key, value)| (key.as_str(), Setting::text(value))))
}

/// The tags to add or change, and the tags to drop. Tags that AWS assigns stay.
pub(crate) fn differing(from: &Tags, to: &Tags) -> (Tags, Tags) {
    let only_in = |one: &Tags, is_same: &dyn Fn(&str, &str) -> bool| {
        let other = one.iter().filter(|(key, value)| !is_same(key, value));
        other.map(|(key, value)| (key.clone(), value.clone())).collect::<Tags>()
    };
    let more = only_in(to, &|key, value| from.get(key).is_some_and(|current| current == value));
    let less = only_in(from, &|key, _| to.contains_key(key) || is_assigned_by_aws(key));
    (more, less)
}
