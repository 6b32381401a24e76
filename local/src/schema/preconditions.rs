//! Checks whether a definition is possible in the current schema.

use super::catalogue::{Catalogue, CatalogueEntry, ChangeInProgress, ObjectStatus};
use super::definition_refusal::{DefinitionRefusal, RefusalCause};
use super::{Change, Definition, next_entry};
use crate::names::{ObjectKind, SchemaObject, system_tables};
use crate::protocol::{Refusal, error_code};

/// Whether a definition is possible in the current schema; otherwise the service's refusal.
pub(super) fn check(catalogue: &Catalogue, definition: &Definition) -> Result<(), DefinitionRefusal> {
    let Definition { change, object, conditional, .. } = definition;
    if system_tables::is_system(&object.keyspace) {
        let text = format!("keyspaces-local: {} is the service's own and cannot be changed", object.keyspace);
        return Err(Refusal { code: error_code::UNAUTHORIZED, text }.into());
    }
    let entry = catalogue.get(object);
    let absent_is_fine = *conditional && *change != Change::Create && entry.is_none();
    if object.kind != ObjectKind::Keyspace && !absent_is_fine {
        let keyspace = SchemaObject::keyspace(&object.keyspace);
        let keyspace_entry = catalogue.get(&keyspace);
        match keyspace_entry.as_ref().map(|entry| entry.status) {
            Some(ObjectStatus::Active | ObjectStatus::Updating) => {}
            _ => return Err(DefinitionRefusal::not_found(&keyspace)),
        }
        // DG:keyspaces-multi-region-add-replica
        if keyspace_entry.is_some_and(|entry| matches!(entry.changing, Some(ChangeInProgress::Region(_)))) {
            return Err(DefinitionRefusal::busy(&keyspace, "updated"));
        }
    }
    if let Some(table) = entry.as_ref().filter(|table| table.status == ObjectStatus::Inaccessible)
        && *change == Change::Alter
        && !next_entry::changes_key_only(definition, table)
    {
        return Err(DefinitionRefusal::impossible(format!(
            "{object} is inaccessible: only another key and DROP are accepted (API:GetTable)"
        )));
    }
    match (change, entry.map(|entry| entry.status)) {
        (_, Some(ObjectStatus::Deleting)) if !(*change == Change::Drop && *conditional) => {
            Err(DefinitionRefusal::busy(object, "deleted"))
        }
        (Change::Alter | Change::Drop, Some(ObjectStatus::Updating)) => Err(DefinitionRefusal::busy(object, "updated")),
        (Change::Alter | Change::Drop, None) if !absent_is_fine => Err(DefinitionRefusal::not_found(object)),
        // A keyspace is not shown before it is ready.
        (Change::Alter | Change::Drop, Some(ObjectStatus::Creating)) if object.kind == ObjectKind::Keyspace => {
            Err(DefinitionRefusal::not_found(object))
        }
        (Change::Alter | Change::Drop, Some(ObjectStatus::Creating)) => Err(DefinitionRefusal::creating(object)),
        (Change::Alter | Change::Drop, Some(ObjectStatus::Restoring)) => {
            Err(DefinitionRefusal::busy(object, "restored"))
        }
        (Change::Create | Change::Restore, None) => {
            // A new table would end the history that the other table is restored from
            // (DG:PointInTimeRecovery_HowItWorks).
            catalogue
                .restored_from(object)
                .map_or(Ok(()), |restored| Err(DefinitionRefusal::busy(restored, "restored")))
        }
        (Change::Restore, Some(_)) => {
            let refusal = DefinitionRefusal::impossible(format!(
                "{object} exists: a restore creates a new table (DG:PointInTimeRecovery_HowItWorks; the \
                 service's message is not known)"
            ));
            Err(DefinitionRefusal { cause: RefusalCause::Exists, ..refusal })
        }
        _ => Ok(()),
    }?;
    // An object that is being created, restored or deleted blocks the drop of its keyspace; for a deletion, others saw
    // this on the service. API:DeleteKeyspace says only that a keyspace is deleted with its tables.
    if object.kind == ObjectKind::Keyspace && *change == Change::Drop {
        let change_in_progress = |entry: &CatalogueEntry| match entry.status {
            ObjectStatus::Creating => Some("created"),
            ObjectStatus::Restoring => Some("restored"),
            ObjectStatus::Deleting => Some("deleted"),
            ObjectStatus::Active | ObjectStatus::Updating | ObjectStatus::Inaccessible => None,
        };
        let mut changing =
            catalogue.within(&object.keyspace).filter_map(|(member, entry)| Some((member, change_in_progress(entry)?)));
        if let Some((member, change)) = changing.next() {
            return Err(DefinitionRefusal::busy(member, change));
        }
    }
    Ok(())
}

/// Whether the types that a definition uses can be used.
pub(super) fn check_types(catalogue: &Catalogue, types: &[SchemaObject]) -> Result<(), DefinitionRefusal> {
    match types.iter().find(|used| catalogue.get(used).is_some_and(|entry| entry.status != ObjectStatus::Active)) {
        Some(used) => Err(DefinitionRefusal::busy(used, "created or deleted")),
        None => Ok(()),
    }
}
