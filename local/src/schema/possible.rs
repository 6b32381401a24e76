//! Whether a definition is possible in the current schema.

use super::catalogue::{Catalogue, CatalogueEntry, ChangeInProgress, ObjectStatus};
use super::refused::{Cause, Refused};
use super::{Change, Definition, plan};
use crate::names::{ObjectKind, SchemaObject, system_tables};
use crate::protocol::{Refusal, error_code};

/// Whether a definition is possible in the current schema; otherwise the service's refusal.
pub(super) fn check(catalogue: &Catalogue, definition: &Definition) -> Result<(), Refused> {
    let Definition { change, object, conditional, .. } = definition;
    if system_tables::is_system(&object.keyspace) {
        let text = format!("keyspaces-local: {} is the service's own and cannot be changed", object.keyspace);
        return Err(Refusal { code: error_code::UNAUTHORIZED, text }.into());
    }
    let entry = catalogue.get(object);
    let absent_is_fine = *conditional && *change != Change::Create && entry.is_none();
    if object.kind != ObjectKind::Keyspace && !absent_is_fine {
        let keyspace = SchemaObject::keyspace(&object.keyspace);
        let of = catalogue.get(&keyspace);
        match of.as_ref().map(|of| of.status) {
            Some(ObjectStatus::Active | ObjectStatus::Updating) => {}
            _ => return Err(Refused::not_found(&keyspace)),
        }
        // DG:keyspaces-multi-region-add-replica
        if of.is_some_and(|of| matches!(of.changing, Some(ChangeInProgress::Region(_)))) {
            return Err(Refused::busy(&keyspace, "updated"));
        }
    }
    if let Some(table) = entry.as_ref().filter(|table| table.status == ObjectStatus::Inaccessible)
        && *change == Change::Alter
        && !plan::gives_another_key(definition, table)
    {
        return Err(Refused::impossible(format!(
            "{object} is inaccessible: it takes another key, and DROP (API:GetTable)"
        )));
    }
    match (change, entry.map(|entry| entry.status)) {
        (_, Some(ObjectStatus::Deleting)) if !(*change == Change::Drop && *conditional) => {
            Err(Refused::busy(object, "deleted"))
        }
        (Change::Alter | Change::Drop, Some(ObjectStatus::Updating)) => Err(Refused::busy(object, "updated")),
        (Change::Alter | Change::Drop, None) if !absent_is_fine => Err(Refused::not_found(object)),
        // A keyspace is not shown before it is ready.
        (Change::Alter | Change::Drop, Some(ObjectStatus::Creating)) if object.kind == ObjectKind::Keyspace => {
            Err(Refused::not_found(object))
        }
        (Change::Alter | Change::Drop, Some(ObjectStatus::Creating)) => Err(Refused::creating(object)),
        (Change::Alter | Change::Drop, Some(ObjectStatus::Restoring)) => Err(Refused::busy(object, "restored")),
        (Change::Create | Change::Restore, None) => {
            // It would put an end to what that is restored from (DG:PointInTimeRecovery_HowItWorks).
            catalogue.restored_from(object).map_or(Ok(()), |restored| Err(Refused::busy(restored, "restored")))
        }
        (Change::Restore, Some(_)) => {
            let there = Refused::impossible(format!(
                "{object} is there: what is restored is a new table (DG:PointInTimeRecovery_HowItWorks; what the \
                 service says here is not known)"
            ));
            Err(Refused { cause: Cause::Exists, ..there })
        }
        _ => Ok(()),
    }?;
    // What is being made in a keyspace, or deleted, keeps it: tests of others against the service saw the second. That a
    // keyspace is deleted with its tables is all that API:DeleteKeyspace says.
    if object.kind == ObjectKind::Keyspace && *change == Change::Drop {
        let being = |of: &CatalogueEntry| match of.status {
            ObjectStatus::Creating => Some("created"),
            ObjectStatus::Restoring => Some("restored"),
            ObjectStatus::Deleting => Some("deleted"),
            ObjectStatus::Active | ObjectStatus::Updating | ObjectStatus::Inaccessible => None,
        };
        if let Some((within, being)) = catalogue.within(&object.keyspace).find_map(|(of, is)| Some((of, being(is)?))) {
            return Err(Refused::busy(within, being));
        }
    }
    Ok(())
}

/// Whether the types that a definition uses can be used.
pub(super) fn check_types(catalogue: &Catalogue, types: &[SchemaObject]) -> Result<(), Refused> {
    match types.iter().find(|used| catalogue.get(used).is_some_and(|entry| entry.status != ObjectStatus::Active)) {
        Some(used) => Err(Refused::busy(used, "created or deleted")),
        None => Ok(()),
    }
}
