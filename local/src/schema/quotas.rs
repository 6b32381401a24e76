//! Quotas of user-defined types and of keys (DG:quotas).

use std::collections::BTreeSet;

use keyspaces_cql::{Encryption, TableOptions};

use super::catalogue::CatalogueEntry;
use super::definition_refusal::DefinitionRefusal;
use super::user_types::TypeUses;
use crate::names::{ObjectKind, SchemaObject};

/// In milliseconds.
pub(super) const HOUR: u64 = 3_600_000;
pub(super) const DAY: u64 = 24 * HOUR;

/// The maximum number of tables that name a type.
const MAX_REFERRING_TABLES: usize = 100;
/// The maximum number of types that name a type.
const MAX_PARENT_TYPES: usize = 10;
/// The maximum nesting depth of types. It is assumed that the innermost type counts.
const MAX_TYPE_LEVELS: usize = 8;
/// How often the key of a table may change in each 24 hours since its creation; further changes need six hours without
/// one.
const MAX_KEY_CHANGES_PER_DAY: usize = 4;

/// Checks how many tables and types use each of `types`, and how deeply types are nested.
pub(super) fn check_type_uses(
    object: &SchemaObject,
    types: &[SchemaObject],
    uses: &TypeUses,
) -> Result<(), DefinitionRefusal> {
    let named: BTreeSet<&SchemaObject> = types.iter().collect();
    if object.kind == ObjectKind::Type {
        let levels = 1 + named.iter().map(|named| uses.depth(&named.name)).max().unwrap_or_default();
        if levels > MAX_TYPE_LEVELS {
            return Err(DefinitionRefusal::quota(format!(
                "{MAX_TYPE_LEVELS} types may be nested in each other (DG:quotas)"
            )));
        }
    }
    for named in named {
        let (others, max, users) = match object.kind {
            ObjectKind::Type => {
                (uses.types_using(&named.name).filter(|name| *name != object.name).count(), MAX_PARENT_TYPES, "types")
            }
            _ => (
                uses.tables_using(&named.name).filter(|name| *name != object.name).count(),
                MAX_REFERRING_TABLES,
                "tables",
            ),
        };
        if others >= max {
            return Err(DefinitionRefusal::quota(format!("{max} {users} use {named} (DG:quotas)")));
        }
    }
    Ok(())
}

/// Checks how often the key of a table was changed, and counts this change. A change to the service's own key is
/// possible at any time.
pub(super) fn check_key_change(
    entry: &mut CatalogueEntry,
    before: &TableOptions,
    now: u64,
) -> Result<(), DefinitionRefusal> {
    let key = |options: &TableOptions| options.encryption.clone().unwrap_or_default();
    let new_key = key(&entry.options);
    if new_key == key(before) {
        return Ok(());
    }
    let window = |at: u64| at.saturating_sub(entry.created) / DAY;
    let is_quiet = entry.key_changes.last().is_none_or(|last| now >= last + 6 * HOUR);
    entry.key_changes.retain(|at| window(*at) == window(now));
    if entry.key_changes.len() >= MAX_KEY_CHANGES_PER_DAY && !is_quiet && new_key != Encryption::AwsOwnedKey {
        return Err(DefinitionRefusal::quota(
            "the key of the table was changed four times in these 24 hours, and once in the last six (DG:quotas)",
        ));
    }
    entry.key_changes.push(now);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::user_types::tests::uses;
    use super::*;

    fn refused(result: Result<(), DefinitionRefusal>) -> String {
        result.unwrap_err().refusal.text
    }

    #[test]
    fn a_type_may_be_used_by_a_hundred_tables_and_ten_types() {
        let names: Vec<String> = (0..100).map(|number| format!("n{number}")).collect();
        let many: Vec<(&str, &[&str])> = names.iter().map(|name| (name.as_str(), &["frozen<y>"][..])).collect();
        let (y, new) = ([SchemaObject::user_type("ks", "y")], SchemaObject::table("ks", "new"));
        assert_eq!(check_type_uses(&new, &y, &uses(&many[..99], &[])), Ok(()));
        assert_eq!(
            refused(check_type_uses(&new, &y, &uses(&many, &[]))),
            "keyspaces-local: 100 tables use type ks.y (DG:quotas)"
        );
        // A table that names the type already may name it again.
        assert_eq!(check_type_uses(&SchemaObject::table("ks", "n7"), &y, &uses(&many, &[])), Ok(()));
        let new = SchemaObject::user_type("ks", "new");
        assert_eq!(check_type_uses(&new, &y, &uses(&many, &many[..9])), Ok(()));
        let parents = check_type_uses(&new, &y, &uses(&[], &many[..10]));
        assert_eq!(refused(parents), "keyspaces-local: 10 types use type ks.y (DG:quotas)");
    }

    #[test]
    fn eight_types_may_be_nested() {
        let chain = [("a", "int"), ("b", "frozen<a>"), ("c", "frozen<b>"), ("d", "frozen<c>")];
        let further = [("e", "frozen<d>"), ("f", "frozen<e>"), ("g", "frozen<f>"), ("h", "frozen<g>")];
        let all: Vec<_> = chain.iter().chain(&further).map(|(name, of)| (*name, std::slice::from_ref(of))).collect();
        let uses = uses(&[], &all);
        let new = SchemaObject::user_type("ks", "new");
        assert_eq!(check_type_uses(&new, &[SchemaObject::user_type("ks", "g")], &uses), Ok(()));
        assert_eq!(
            refused(check_type_uses(
                &new,
                &[SchemaObject::user_type("ks", "a"), SchemaObject::user_type("ks", "h")],
                &uses
            )),
            "keyspaces-local: 8 types may be nested in each other (DG:quotas)"
        );
        assert_eq!(
            check_type_uses(&SchemaObject::table("ks", "t"), &[SchemaObject::user_type("ks", "h")], &uses),
            Ok(())
        );
    }

    #[test]
    fn a_tables_key_changes_four_times_in_24_hours_and_again_after_six_hours() {
        let created = 10 * DAY + 5;
        let mut table = CatalogueEntry { created, ..CatalogueEntry::default() };
        let mut number = 0;
        let mut change = |table: &mut CatalogueEntry, to_own: bool, after: u64| {
            number += 1;
            let key =
                if to_own { Encryption::AwsOwnedKey } else { Encryption::CustomerManagedKey(format!("key {number}")) };
            let before = Arc::clone(&table.options);
            let mut changed = CatalogueEntry { options: Arc::new(TableOptions::default().and(key)), ..table.clone() };
            let taken = check_key_change(&mut changed, &before, created + after);
            if taken.is_ok() {
                *table = changed;
            }
            taken.map_err(|refused| refused.refusal.text)
        };
        let refused = Err(
            "keyspaces-local: the key of the table was changed four times in these 24 hours, and once in the last six \
                           (DG:quotas)"
                .to_owned(),
        );
        for hour in [0, 0, 1, 1] {
            assert_eq!(change(&mut table, false, hour * HOUR), Ok(()));
        }
        assert_eq!(change(&mut table, false, 7 * HOUR - 1), refused);
        assert_eq!(change(&mut table, false, 7 * HOUR), Ok(()));
        assert_eq!(change(&mut table, false, 8 * HOUR), refused);
        assert_eq!(change(&mut table, true, 8 * HOUR), Ok(()));
        // The same key is no change.
        assert_eq!(change(&mut table, true, 8 * HOUR), Ok(()));
        assert_eq!(change(&mut table, false, 14 * HOUR - 1), refused);
        assert_eq!(change(&mut table, false, DAY), Ok(()));
        assert_eq!(table.key_changes, [created + DAY]);
    }
}
