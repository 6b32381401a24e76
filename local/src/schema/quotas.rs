//! Quotas of user-defined types and of keys (DG:quotas).

use std::collections::BTreeSet;

use keyspaces_cql::{Encryption, TableOptions};

use super::catalogue::CatalogueEntry;
use super::refused::Refused;
use super::user_types::TypeUses;
use crate::names::{ObjectKind, SchemaObject};

/// In milliseconds.
pub(super) const HOUR: u64 = 3_600_000;
pub(super) const DAY: u64 = 24 * HOUR;

/// How many tables may name a type.
const MAX_TABLES_OF_A_TYPE: usize = 100;
/// How many types may name a type.
const MAX_PARENT_TYPES: usize = 10;
/// How many types may be inside each other; that the innermost counts is assumed.
const MAX_TYPE_LEVELS: usize = 8;
/// How often a table may get another key in each 24 hours since it was created; beyond that, after six hours without.
const KEY_CHANGES_AT_ANY_TIME: usize = 4;

/// Holds what names `types` to how many may, and to how many are inside each other.
pub(super) fn of_types(object: &SchemaObject, types: &[SchemaObject], uses: &TypeUses) -> Result<(), Refused> {
    let named: BTreeSet<&SchemaObject> = types.iter().collect();
    if object.kind == ObjectKind::Type {
        let levels = 1 + named.iter().map(|named| uses.depth(&named.name)).max().unwrap_or_default();
        if levels > MAX_TYPE_LEVELS {
            return Err(Refused::quota(format!("{MAX_TYPE_LEVELS} types may be inside each other (DG:quotas)")));
        }
    }
    for named in named {
        let (others, most, what) = match object.kind {
            ObjectKind::Type => {
                (uses.types_with(&named.name).filter(|name| *name != object.name).count(), MAX_PARENT_TYPES, "types")
            }
            _ => (
                uses.tables_with(&named.name).filter(|name| *name != object.name).count(),
                MAX_TABLES_OF_A_TYPE,
                "tables",
            ),
        };
        if others >= most {
            return Err(Refused::quota(format!("{most} {what} use {named} (DG:quotas)")));
        }
    }
    Ok(())
}

/// Holds changes of a table's key to how often they may be, and counts this one. Back to a key of the service's own it goes
/// at any time.
pub(super) fn of_keys(entry: &mut CatalogueEntry, before: &TableOptions, now: u64) -> Result<(), Refused> {
    let key = |options: &TableOptions| options.encryption.clone().unwrap_or_default();
    let wanted = key(&entry.options);
    if wanted == key(before) {
        return Ok(());
    }
    let window = |at: u64| at.saturating_sub(entry.created) / DAY;
    let quiet = entry.key_changes.last().is_none_or(|last| now >= last + 6 * HOUR);
    entry.key_changes.retain(|at| window(*at) == window(now));
    if entry.key_changes.len() >= KEY_CHANGES_AT_ANY_TIME && !quiet && wanted != Encryption::AwsOwnedKey {
        return Err(Refused::quota(
            "the table got four other keys in these 24 hours, and one in the last six (DG:quotas)",
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

    fn refused(result: Result<(), Refused>) -> String {
        result.unwrap_err().refusal.text
    }

    #[test]
    fn a_type_is_named_by_a_hundred_tables_and_ten_types() {
        let names: Vec<String> = (0..100).map(|number| format!("n{number}")).collect();
        let many: Vec<(&str, &[&str])> = names.iter().map(|name| (name.as_str(), &["frozen<y>"][..])).collect();
        let (y, new) = ([SchemaObject::user_type("ks", "y")], SchemaObject::table("ks", "new"));
        assert_eq!(of_types(&new, &y, &uses(&many[..99], &[])), Ok(()));
        assert_eq!(
            refused(of_types(&new, &y, &uses(&many, &[]))),
            "keyspaces-local: 100 tables use type ks.y (DG:quotas)"
        );
        // One of them may name it once more.
        assert_eq!(of_types(&SchemaObject::table("ks", "n7"), &y, &uses(&many, &[])), Ok(()));
        let new = SchemaObject::user_type("ks", "new");
        assert_eq!(of_types(&new, &y, &uses(&many, &many[..9])), Ok(()));
        let parents = of_types(&new, &y, &uses(&[], &many[..10]));
        assert_eq!(refused(parents), "keyspaces-local: 10 types use type ks.y (DG:quotas)");
    }

    #[test]
    fn eight_types_are_inside_each_other() {
        let chain = [("a", "int"), ("b", "frozen<a>"), ("c", "frozen<b>"), ("d", "frozen<c>")];
        let further = [("e", "frozen<d>"), ("f", "frozen<e>"), ("g", "frozen<f>"), ("h", "frozen<g>")];
        let all: Vec<_> = chain.iter().chain(&further).map(|(name, of)| (*name, std::slice::from_ref(of))).collect();
        let uses = uses(&[], &all);
        let new = SchemaObject::user_type("ks", "new");
        assert_eq!(of_types(&new, &[SchemaObject::user_type("ks", "g")], &uses), Ok(()));
        assert_eq!(
            refused(of_types(&new, &[SchemaObject::user_type("ks", "a"), SchemaObject::user_type("ks", "h")], &uses)),
            "keyspaces-local: 8 types may be inside each other (DG:quotas)"
        );
        assert_eq!(of_types(&SchemaObject::table("ks", "t"), &[SchemaObject::user_type("ks", "h")], &uses), Ok(()));
    }

    #[test]
    fn a_table_gets_four_other_keys_in_24_hours_and_one_more_after_six_quiet_ones() {
        let created = 10 * DAY + 5;
        let mut table = CatalogueEntry { created, ..CatalogueEntry::default() };
        let mut number = 0;
        let mut change = |table: &mut CatalogueEntry, to_own: bool, after: u64| {
            number += 1;
            let key =
                if to_own { Encryption::AwsOwnedKey } else { Encryption::CustomerManagedKey(format!("key {number}")) };
            let before = Arc::clone(&table.options);
            let mut changed = CatalogueEntry { options: Arc::new(TableOptions::default().and(key)), ..table.clone() };
            let taken = of_keys(&mut changed, &before, created + after);
            if taken.is_ok() {
                *table = changed;
            }
            taken.map_err(|refused| refused.refusal.text)
        };
        let refused = Err("keyspaces-local: the table got four other keys in these 24 hours, and one in the last six \
                           (DG:quotas)"
            .to_owned());
        for hour in [0, 0, 1, 1] {
            assert_eq!(change(&mut table, false, hour * HOUR), Ok(()));
        }
        assert_eq!(change(&mut table, false, 7 * HOUR - 1), refused);
        assert_eq!(change(&mut table, false, 7 * HOUR), Ok(()));
        assert_eq!(change(&mut table, false, 8 * HOUR), refused);
        assert_eq!(change(&mut table, true, 8 * HOUR), Ok(()));
        // To what it has is no change.
        assert_eq!(change(&mut table, true, 8 * HOUR), Ok(()));
        assert_eq!(change(&mut table, false, 14 * HOUR - 1), refused);
        assert_eq!(change(&mut table, false, DAY), Ok(()));
        assert_eq!(table.key_changes, [created + DAY]);
    }
}
