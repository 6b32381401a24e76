//! Computes the entry of an object after a definition, or the service's refusal of the definition in the current
//! schema.

use std::sync::Arc;

use keyspaces_cql::statement::{self, AlterKeyspaceChange, CreateKeyspace};
use keyspaces_cql::{
    CapacityMode, CapacityScaling, Cdc, Encryption, Replication, Statement, StreamTags, TableChange, TableDefinition,
    TableOptions, TableProperty, Tags, rules,
};

use super::catalogue::{Catalogue, CatalogueEntry, ChangeInProgress, ObjectStatus};
use super::definition_refusal::DefinitionRefusal;
use super::quotas::{self, DAY, HOUR};
use super::restore::RestoredDefinition;
use super::user_types::TypeUses;
use super::{Change, Definition, regions};
use crate::names::{ObjectKind, SchemaObject};
use crate::protocol::{not_emulated, refused_by};

/// The maximum number of definitions in progress in an account and Region (DG:quotas).
const MAX_IN_PROGRESS: usize = 50;
/// The maximum number of concurrent restores in an account (DG:quotas).
const MAX_RESTORES: usize = 4;
/// The maximum number of keyspaces, of tables and of types of an account in a Region (DG:quotas).
const MAX_OBJECTS_OF_A_KIND: usize = 256;
/// The maximum read or write units of a table, and of all provisioned tables together (DG:quotas).
const MAX_TABLE_UNITS: u32 = 40_000;
const MAX_ACCOUNT_UNITS: u64 = 80_000;
/// How often capacity may be decreased in a day without waiting (DG:quotas); further decreases need an hour without
/// one.
const MAX_CAPACITY_DECREASES_PER_DAY: usize = 4;

/// The current state in Cassandra of the object of a definition.
#[derive(Debug, Default)]
pub(super) struct CurrentSchema {
    /// The table that is altered.
    pub(super) table: Option<TableDefinition>,
    /// The uses of types, if the definition names some.
    pub(super) uses: TypeUses,
    /// The table that is restored.
    pub(super) restored: Option<RestoredDefinition>,
}

/// The entry of the object once the definition has begun; the caller sets `due`. `region` is the emulated Region.
pub(super) fn next_entry(
    catalogue: &Catalogue,
    definition: &Definition,
    current: CurrentSchema,
    now: u64,
    region: &str,
) -> Result<CatalogueEntry, DefinitionRefusal> {
    let Definition { change, object, statement, .. } = definition;
    if catalogue.definitions_in_progress() >= MAX_IN_PROGRESS {
        return Err(DefinitionRefusal::quota(format!("{MAX_IN_PROGRESS} definitions are in progress (DG:quotas)")));
    }
    let mut entry = catalogue.get(object).unwrap_or_default();
    let was_inaccessible = entry.status == ObjectStatus::Inaccessible;
    match change {
        Change::Create | Change::Restore => {
            if catalogue.all().filter(|(other, _)| other.kind == object.kind).count() >= MAX_OBJECTS_OF_A_KIND {
                return Err(DefinitionRefusal::quota(format!(
                    "{MAX_OBJECTS_OF_A_KIND} objects of the kind {} exist (DG:quotas)",
                    object.kind.as_str()
                )));
            }
            entry = CatalogueEntry { status: ObjectStatus::Creating, created: now, ..CatalogueEntry::default() };
        }
        Change::Alter => entry.status = ObjectStatus::Updating,
        Change::Drop => entry.status = ObjectStatus::Deleting,
    }
    quotas::check_type_uses(object, &definition.types, &current.uses)?;
    if let Some(RestoredDefinition { options, awaited_rows }) = current.restored {
        if catalogue.all().filter(|(_, other)| other.status == ObjectStatus::Restoring).count() >= MAX_RESTORES {
            return Err(DefinitionRefusal::quota(format!("{MAX_RESTORES} tables are being restored (DG:quotas)")));
        }
        // Later than the source, even where both have the same name.
        entry.created = now.max(awaited_rows.source.created + 1);
        entry.status = ObjectStatus::Restoring;
        (entry.options, entry.awaited_rows) = (options, Some(Arc::new(awaited_rows)));
        check_capacity(catalogue, definition, None, &mut entry, now)?;
    }
    match statement {
        Statement::CreateKeyspace(create) => create_keyspace(&mut entry, create, region)?,
        Statement::AlterKeyspace(alter) => match &alter.change {
            AlterKeyspaceChange::With(options) => add_region(catalogue, &mut entry, &object.keyspace, options, region)?,
            AlterKeyspaceChange::AddTags(term) => change_tags(&mut entry, |tags, change| tags.extend(change), term)?,
            AlterKeyspaceChange::DropTags(term) => {
                change_tags(&mut entry, |tags, change| tags.retain(|key, _| !change.contains_key(key)), term)?;
            }
        },
        Statement::CreateTable(create) => {
            let mut options = create.definition().map_err(DefinitionRefusal::from)?.options;
            options.ignored.clear();
            // Always on in a table of several Regions (DG:multiRegion-replication_how-it-works).
            if catalogue.is_in_several_regions(object) {
                options.client_side_timestamps = Some(keyspaces_cql::ClientSideTimestamps::Enabled);
            }
            entry.options = Arc::new(options);
            check_key(catalogue, object, &entry)?;
            update_stream(&mut entry, &TableOptions::default(), now);
            check_capacity(catalogue, definition, None, &mut entry, now)?;
        }
        Statement::AlterTable(alter) => {
            let Some(mut table) = current.table else { return Err(DefinitionRefusal::not_found(object)) };
            let ttl = |options: &TableOptions| (options.ttl, options.default_time_to_live.unwrap_or_default());
            let ttl_before = ttl(&table.options);
            for change in TableChange::read(alter).map_err(DefinitionRefusal::from)? {
                if let TableChange::AddColumns(columns) = &change {
                    let names = columns.as_slice().iter().map(|column| column.name.text.clone());
                    entry.changing = Some(ChangeInProgress::Columns(names.collect()));
                }
                table = table.changed(&change).map_err(DefinitionRefusal::from)?;
            }
            if ttl(&table.options) != ttl_before && catalogue.is_in_several_regions(object) {
                return Err(DefinitionRefusal::impossible(format!(
                    "TTL of {object} stays as it was created, since its keyspace is in several Regions \
                     (DG:multiRegion-replication_usage-notes)"
                )));
            }
            let before = Arc::clone(&entry.options);
            table.options.ignored.clear();
            entry.options = Arc::new(table.options);
            check_key(catalogue, object, &entry)?;
            update_stream(&mut entry, &before, now);
            if was_inaccessible {
                entry.changing = Some(ChangeInProgress::Key);
            }
            check_capacity(catalogue, definition, Some(&before), &mut entry, now)?;
            quotas::check_key_change(&mut entry, &before, now)?;
        }
        _ => {}
    }
    Ok(entry)
}

fn check_key(catalogue: &Catalogue, table: &SchemaObject, entry: &CatalogueEntry) -> Result<(), DefinitionRefusal> {
    if matches!(entry.options.encryption, Some(Encryption::CustomerManagedKey(_)))
        && catalogue.is_in_several_regions(table)
    {
        return Err(DefinitionRefusal::impossible(format!(
            "{table} accepts no customer managed key, since its keyspace is in several Regions \
             (DG:multiRegion-replication_usage-notes)"
        )));
    }
    Ok(())
}

/// Checks provisioned capacity against the quotas, and how often it may be changed.
fn check_capacity(
    catalogue: &Catalogue,
    definition: &Definition,
    before: Option<&TableOptions>,
    entry: &mut CatalogueEntry,
    now: u64,
) -> Result<(), DefinitionRefusal> {
    let max = max_units(&entry.options);
    if max > MAX_TABLE_UNITS && before.is_none_or(|before| max_units(before) < max) {
        return Err(DefinitionRefusal::quota(format!(
            "a table may have {MAX_TABLE_UNITS} units of reads and of writes (DG:quotas)"
        )));
    }
    let mode = entry.options.capacity_mode.unwrap_or_default();
    let mode_before = before.map(|before| before.capacity_mode.unwrap_or_default());
    if mode_before == Some(mode) {
        return Ok(());
    }
    match mode {
        CapacityMode::OnDemand => {
            if let (Some(since), Some(_)) = (entry.on_demand_since, mode_before)
                && now < since + DAY
            {
                return Err(DefinitionRefusal::impossible(
                    "the table was switched to on-demand capacity less than 24 hours ago \
                                 (DG:ReadWriteCapacityMode.SwitchReadWriteCapacityMode)",
                ));
            }
            entry.on_demand_since = Some(now);
        }
        CapacityMode::Provisioned { read, write } => {
            let others =
                catalogue.all().filter(|(object, _)| **object != definition.object && object.kind == ObjectKind::Table);
            let sum = others.fold((u64::from(read), u64::from(write)), |(reads, writes), (_, other)| {
                match other.options.capacity_mode {
                    Some(CapacityMode::Provisioned { read, write }) => {
                        (reads + u64::from(read), writes + u64::from(write))
                    }
                    _ => (reads, writes),
                }
            });
            if sum.0.max(sum.1) > MAX_ACCOUNT_UNITS {
                return Err(DefinitionRefusal::quota(format!(
                    "all tables together may have {MAX_ACCOUNT_UNITS} units of reads and of writes (DG:quotas)"
                )));
            }
            if let Some(CapacityMode::Provisioned { read: reads, write: writes }) = mode_before
                && (read < reads || write < writes)
            {
                entry.capacity_decreases.retain(|at| at / DAY == now / DAY);
                let is_quiet = entry.capacity_decreases.last().is_none_or(|last| now >= last + HOUR);
                if entry.capacity_decreases.len() >= MAX_CAPACITY_DECREASES_PER_DAY && !is_quiet {
                    return Err(DefinitionRefusal::quota(
                        "capacity was decreased four times today, and once in this hour (DG:quotas)",
                    ));
                }
                entry.capacity_decreases.push(now);
            }
        }
    }
    Ok(())
}

/// Adds a Region, if all tables are ready for it (DG:keyspaces-multi-region-add-replica).
fn add_region(
    catalogue: &Catalogue,
    entry: &mut CatalogueEntry,
    keyspace: &str,
    options: &[statement::WithOption],
    home: &str,
) -> Result<(), DefinitionRefusal> {
    let Some(replication) = statement::option(options, "replication") else { return Ok(()) };
    let Replication::MultiRegion(regions) = Replication::read(&replication.value).map_err(DefinitionRefusal::from)?
    else {
        return Err(not_emulated("changing to a single Region").into());
    };
    regions::check(&regions, home)?;
    let added: Vec<_> = regions.iter().filter(|region| !entry.regions.contains(region)).collect();
    if entry.regions.iter().any(|region| !regions.contains(region)) {
        return Err(not_emulated("removing a Region").into());
    }
    // The entry of a keyspace in a single Region does not name this Region, which is one of the two that the definition
    // names.
    if added.len() != if entry.regions.is_empty() { 2 } else { 1 } {
        return Err(DefinitionRefusal::impossible(
            "an ALTER KEYSPACE has to name all current Regions and one more (DG:keyspaces-multi-region-add-replica)",
        ));
    }
    for (table, entry) in catalogue.within(keyspace) {
        if entry.due.is_some() {
            return Err(DefinitionRefusal::busy(table, "changed"));
        }
        if let Some(Encryption::CustomerManagedKey(_)) = entry.options.encryption {
            return Err(DefinitionRefusal::impossible(format!(
                "{table} has a customer managed key (DG:keyspaces-multi-region-add-replica)"
            )));
        }
        if table.kind == ObjectKind::Table && !entry.features().timestamps {
            return Err(DefinitionRefusal::impossible(format!(
                "{table} has no client-side timestamps (DG:keyspaces-multi-region-add-replica)"
            )));
        }
    }
    entry.changing = added.into_iter().find(|region| *region != home).cloned().map(ChangeInProgress::Region);
    entry.regions = regions.into_iter().collect();
    Ok(())
}

/// Sets the change of a CDC stream that is turned on or off.
fn update_stream(entry: &mut CatalogueEntry, before: &TableOptions, now: u64) {
    let is_on = |options: &TableOptions| matches!(options.cdc, Some(Cdc::On(_)));
    if is_on(&entry.options) != is_on(before) {
        entry.changing = Some(ChangeInProgress::Stream);
        entry.stream_since = if is_on(&entry.options) { Some(now) } else { entry.stream_since };
        if entry.options.stream_tags == Some(StreamTags::SameAsTable) {
            let tags = entry.options.tags.clone().unwrap_or_default();
            entry.options = Arc::new((*entry.options).clone().and(StreamTags::Own(tags)));
        }
    }
}

/// The maximum units that a table may get in any Region: provisioned, by auto scaling, or as warm throughput.
fn max_units(options: &TableOptions) -> u32 {
    let provisioned = match options.capacity_mode {
        Some(CapacityMode::Provisioned { read, write }) => read.max(write),
        _ => 0,
    };
    let replicas = options.replica_capacity.iter().flat_map(|replicas| replicas.values().copied());
    let scaling = options.auto_scaling.iter().flat_map(|scaling| {
        let bounds = scaling.read.iter().chain(&scaling.write).chain(scaling.replicas.values());
        bounds.map(|bound| match bound {
            CapacityScaling::Target(target) => target.maximum,
            CapacityScaling::Disabled => 0,
        })
    });
    let warm = options.warm_throughput.iter().flat_map(|warm| [warm.read, warm.write]).flatten();
    replicas.chain(scaling).chain(warm).fold(provisioned, u32::max)
}

/// Whether a definition only gives a table another key.
pub(super) fn changes_key_only(definition: &Definition, table: &CatalogueEntry) -> bool {
    let Statement::AlterTable(alter) = &definition.statement else { return false };
    let is_another = |change: &TableChange| {
        let TableChange::Set(TableProperty::Encryption(key)) = change else { return false };
        table.options.encryption.as_ref() != Some(key)
    };
    TableChange::read(alter).is_ok_and(|changes| changes.iter().all(is_another))
}

fn create_keyspace(entry: &mut CatalogueEntry, create: &CreateKeyspace, home: &str) -> Result<(), DefinitionRefusal> {
    let definition = create.definition().map_err(DefinitionRefusal::from)?;
    if let Replication::MultiRegion(regions) = definition.replication {
        regions::check(&regions, home)?;
        entry.regions = regions.into_iter().collect();
    }
    if !definition.tags.is_empty() {
        entry.options = Arc::new(TableOptions::default().and(TableProperty::Tags(definition.tags)));
    }
    Ok(())
}

fn change_tags(
    entry: &mut CatalogueEntry,
    change: impl FnOnce(&mut Tags, Tags),
    term: &statement::Term,
) -> Result<(), DefinitionRefusal> {
    let mut options = (*entry.options).clone();
    change(
        options.tags.get_or_insert_default(),
        keyspaces_cql::read_dropped_tags(term).map_err(DefinitionRefusal::from)?,
    );
    if options.tags.as_ref().is_some_and(|tags| tags.len() > rules::MAX_RESOURCE_TAGS) {
        return Err(refused_by(&rules::TOO_MANY_TAGS).into());
    }
    entry.options = Arc::new(options);
    Ok(())
}
