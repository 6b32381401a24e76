//! Whether a definition is possible as things are.

use super::catalogue::{Changing, Entry, Kind, Status, Thing};
use super::{Change, Definition, Schema, busy, plan, system_tables, unconfigured};
use crate::auth::Refusal;
use crate::gateway::error_code;

impl Schema {
    /// Whether a definition is possible as things are; otherwise the service's refusal.
    pub(super) fn check(&self, definition: &Definition) -> Result<(), Refusal> {
        let Definition { change, thing, conditional, .. } = definition;
        if system_tables::is_system(&thing.keyspace) {
            return Err(Refusal {
                code: error_code::UNAUTHORIZED,
                text: format!("keyspaces-local: {} is the service's own and cannot be changed", thing.keyspace),
            });
        }
        let entry = self.entry(thing);
        let absent_is_fine = *conditional && *change != Change::Create && entry.is_none();
        if thing.kind != Kind::Keyspace && !absent_is_fine {
            self.check_keyspace(&thing.keyspace)?;
            let keyspace = Thing::keyspace(&thing.keyspace);
            let of = self.entry(&keyspace);
            // DG:keyspaces-multi-region-add-replica
            if of.is_some_and(|of| matches!(of.changing, Some(Changing::Region(_)))) {
                return Err(busy(&keyspace, "updated"));
            }
        }
        if let Some(table) = entry.as_ref().filter(|table| table.status == Status::Inaccessible)
            && *change == Change::Alter
            && !plan::gives_another_key(definition, table)
        {
            let text =
                format!("keyspaces-local: {thing} is inaccessible: it takes another key, and DROP (API:GetTable)");
            return Err(Refusal { code: error_code::INVALID, text });
        }
        match (change, entry.map(|entry| entry.status)) {
            (_, Some(Status::Deleting)) if !(*change == Change::Drop && *conditional) => Err(busy(thing, "deleted")),
            (Change::Alter | Change::Drop, Some(Status::Updating)) => Err(busy(thing, "updated")),
            (Change::Alter | Change::Drop, None) if !absent_is_fine => Err(unconfigured(thing)),
            (Change::Alter | Change::Drop, Some(Status::Creating)) => Err(unconfigured(thing)),
            (Change::Alter | Change::Drop, Some(Status::Restoring)) => Err(busy(thing, "restored")),
            (Change::Create, None) => {
                // It would put an end to what that is restored from (DG:PointInTimeRecovery_HowItWorks).
                self.catalogue().restored_from(thing).map_or(Ok(()), |restored| Err(busy(restored, "restored")))
            }
            (Change::Restore, Some(_)) => {
                let text = format!(
                    "keyspaces-local: {thing} is there: what is restored is a new table \
                     (DG:PointInTimeRecovery_HowItWorks; what the service says here is not known)"
                );
                Err(Refusal { code: error_code::INVALID, text })
            }
            _ => Ok(()),
        }?;
        // What is being made in a keyspace keeps it (API:DeleteKeyspace says only that it is deleted with its tables).
        if thing.kind == Kind::Keyspace && *change == Change::Drop {
            let catalogue = self.catalogue();
            let being_made = |of: &Entry| matches!(of.status, Status::Creating | Status::Restoring);
            if let Some((within, of)) = catalogue.within(&thing.keyspace).find(|(_, of)| being_made(of)) {
                return Err(busy(within, if of.status == Status::Creating { "created" } else { "restored" }));
            }
        }
        Ok(())
    }

    /// Whether the types that a definition uses are there.
    pub(super) fn check_types(&self, types: &[Thing]) -> Result<(), Refusal> {
        match types.iter().find(|used| self.entry(used).is_some_and(|entry| entry.status != Status::Active)) {
            Some(used) => Err(busy(used, "created or deleted")),
            None => Ok(()),
        }
    }
}
