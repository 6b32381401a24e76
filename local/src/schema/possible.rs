//! Whether a definition is possible as things are.

use super::catalogue::{Changing, Entry, Status};
use super::refused::{Cause, Refused};
use super::{Change, Definition, Schema, plan};
use crate::names::{ObjectKind, SchemaObject, system_tables};
use crate::protocol::{Refusal, error_code};

impl Schema {
    /// Whether a definition is possible as things are; otherwise the service's refusal.
    pub(super) fn check(&self, definition: &Definition) -> Result<(), Refused> {
        let Definition { change, thing, conditional, .. } = definition;
        if system_tables::is_system(&thing.keyspace) {
            let text = format!("keyspaces-local: {} is the service's own and cannot be changed", thing.keyspace);
            return Err(Refusal { code: error_code::UNAUTHORIZED, text }.into());
        }
        let entry = self.entry(thing);
        let absent_is_fine = *conditional && *change != Change::Create && entry.is_none();
        if thing.kind != ObjectKind::Keyspace && !absent_is_fine {
            let keyspace = SchemaObject::keyspace(&thing.keyspace);
            let of = self.entry(&keyspace);
            match of.as_ref().map(|of| of.status) {
                Some(Status::Active | Status::Updating) => {}
                _ => return Err(Refused::not_there(&keyspace)),
            }
            // DG:keyspaces-multi-region-add-replica
            if of.is_some_and(|of| matches!(of.changing, Some(Changing::Region(_)))) {
                return Err(Refused::busy(&keyspace, "updated"));
            }
        }
        if let Some(table) = entry.as_ref().filter(|table| table.status == Status::Inaccessible)
            && *change == Change::Alter
            && !plan::gives_another_key(definition, table)
        {
            return Err(Refused::impossible(format!(
                "{thing} is inaccessible: it takes another key, and DROP (API:GetTable)"
            )));
        }
        match (change, entry.map(|entry| entry.status)) {
            (_, Some(Status::Deleting)) if !(*change == Change::Drop && *conditional) => {
                Err(Refused::busy(thing, "deleted"))
            }
            (Change::Alter | Change::Drop, Some(Status::Updating)) => Err(Refused::busy(thing, "updated")),
            (Change::Alter | Change::Drop, None) if !absent_is_fine => Err(Refused::not_there(thing)),
            // A keyspace is not shown before it is ready.
            (Change::Alter | Change::Drop, Some(Status::Creating)) if thing.kind == ObjectKind::Keyspace => {
                Err(Refused::not_there(thing))
            }
            (Change::Alter | Change::Drop, Some(Status::Creating)) => Err(Refused::creating(thing)),
            (Change::Alter | Change::Drop, Some(Status::Restoring)) => Err(Refused::busy(thing, "restored")),
            (Change::Create | Change::Restore, None) => {
                // It would put an end to what that is restored from (DG:PointInTimeRecovery_HowItWorks).
                self.catalogue()
                    .restored_from(thing)
                    .map_or(Ok(()), |restored| Err(Refused::busy(restored, "restored")))
            }
            (Change::Restore, Some(_)) => {
                let there = Refused::impossible(format!(
                    "{thing} is there: what is restored is a new table (DG:PointInTimeRecovery_HowItWorks; what the \
                     service says here is not known)"
                ));
                Err(Refused { cause: Cause::There, ..there })
            }
            _ => Ok(()),
        }?;
        // What is being made in a keyspace, or deleted, keeps it: tests of others against the service saw the second. That a
        // keyspace is deleted with its tables is all that API:DeleteKeyspace says.
        if thing.kind == ObjectKind::Keyspace && *change == Change::Drop {
            let catalogue = self.catalogue();
            let being = |of: &Entry| match of.status {
                Status::Creating => Some("created"),
                Status::Restoring => Some("restored"),
                Status::Deleting => Some("deleted"),
                Status::Active | Status::Updating | Status::Inaccessible => None,
            };
            if let Some((within, being)) = catalogue.within(&thing.keyspace).find_map(|(of, is)| Some((of, being(is)?)))
            {
                return Err(Refused::busy(within, being));
            }
        }
        Ok(())
    }

    /// Whether the types that a definition uses are there.
    pub(super) fn check_types(&self, types: &[SchemaObject]) -> Result<(), Refused> {
        match types.iter().find(|used| self.entry(used).is_some_and(|entry| entry.status != Status::Active)) {
            Some(used) => Err(Refused::busy(used, "created or deleted")),
            None => Ok(()),
        }
    }
}
