//! Compares keyspaces.

use std::collections::BTreeSet;

use super::{Definitions, Difference, ImpossibleChange, Step, Unchanged};
use crate::statement::CreateKeyspace;
use crate::table::properties::differing;
use crate::table::{ClientSideTimestamps, Encryption};
use crate::{KeyspaceChange, KeyspaceDefinition, Replication, Span, Statement};

pub(super) fn find_keyspace<'d>(definitions: &'d Definitions, name: &str) -> Option<&'d KeyspaceDefinition> {
    definitions.keyspaces.iter().find(|keyspace| keyspace.name.text == name)
}

/// Adds the steps that create keyspaces and change tags. The tags of a desired definition replace all current tags. A
/// definition without tags leaves the current tags.
pub(super) fn add_keyspaces(from: &Definitions, to: &Definitions, found: &mut Difference) {
    for desired in &to.keyspaces {
        let Some(current) = find_keyspace(from, &desired.name.text) else {
            // A keyspace that is being created is not visible yet.
            let create = CreateKeyspace { if_not_exists: Some(Span::default()), ..desired.create() };
            found.steps.push(Step { statement: Statement::CreateKeyspace(create), warnings: desired.warnings() });
            continue;
        };
        if desired.tags.is_empty() {
            if !current.tags.is_empty() {
                found.unchanged.push(Unchanged::Tags { keyspace: current.name.clone(), tags: current.tags.clone() });
            }
            continue;
        }
        let (added, removed) = differing(&current.tags, &desired.tags);
        let changes = [(added, KeyspaceChange::AddTags as fn(_) -> _), (removed, KeyspaceChange::DropTags)];
        for (tags, change) in changes.into_iter().filter(|(tags, _)| !tags.is_empty()) {
            let change = change(tags);
            let statement = Statement::AlterKeyspace(current.alter(&change, ""));
            found.steps.push(Step { statement, warnings: change.warnings() });
        }
    }
}

/// Adds the steps that add Regions, one at a time, if all tables of the keyspace allow it.
pub(super) fn add_regions(from: &Definitions, to: &Definitions, home_region: &str, found: &mut Difference) {
    for desired in &to.keyspaces {
        let Some(current) = find_keyspace(from, &desired.name.text) else { continue };
        if current.replication == desired.replication {
            continue;
        }
        let regions = |definition: &KeyspaceDefinition| match &definition.replication {
            Replication::SingleRegion => BTreeSet::from([home_region.to_owned()]),
            Replication::MultiRegion(regions) => regions.clone(),
        };
        let (current_regions, desired_regions) = (regions(current), regions(desired));
        let removed: Vec<_> = current_regions.difference(&desired_regions).map(String::as_str).collect();
        let mut obstacles = Vec::new();
        if !removed.is_empty() {
            obstacles.push((
                format!("removing the Region {}", removed.join(" and ")),
                "Create another keyspace, and copy the rows to it.",
            ));
        }
        let added: Vec<_> = desired_regions.difference(&current_regions).collect();
        if !added.is_empty() {
            obstacles.extend(region_obstacles(from, to, &desired.name.text));
        }
        if !obstacles.is_empty() {
            found.impossible.extend(obstacles.into_iter().map(|(change, advice)| ImpossibleChange {
                subject: format!("the keyspace {}", desired.name),
                change,
                advice,
                source: "DG:keyspaces-multi-region-add-replica",
            }));
            continue;
        }
        let mut growing = current.clone();
        for region in added {
            let change = KeyspaceChange::AddRegion(region.clone());
            let statement = Statement::AlterKeyspace(growing.alter(&change, home_region));
            found.steps.push(Step { statement, warnings: change.warnings() });
            let mut regions = regions(&growing);
            regions.insert(region.clone());
            growing.replication = Replication::MultiRegion(regions);
        }
    }
}

/// The reasons why a keyspace cannot get another Region, each with advice.
fn region_obstacles(from: &Definitions, to: &Definitions, keyspace: &str) -> Vec<(String, &'static str)> {
    let is_in =
        |table: &&crate::TableDefinition| table.table.keyspace.as_ref().is_some_and(|name| name.text == keyspace);
    let mut obstacles = Vec::new();
    for table in from.tables.iter().filter(is_in) {
        let desired = to.tables.iter().find(|desired| super::is_same_name(&desired.table, &table.table));
        let timestamps = table.options.client_side_timestamps;
        let desired_timestamps = desired.and_then(|desired| desired.options.client_side_timestamps);
        if timestamps.or(desired_timestamps) != Some(ClientSideTimestamps::Enabled) {
            obstacles.push((
                format!("adding a Region while its table {} has no client-side timestamps", table.table.name),
                "Set 'client_side_timestamps': {'status': 'enabled'} for the table.",
            ));
        }
        let encryption = desired.and_then(|desired| desired.options.encryption.as_ref());
        if let Some(Encryption::CustomerManagedKey(_)) = encryption.or(table.options.encryption.as_ref()) {
            obstacles.push((
                format!("adding a Region while its table {} has a customer managed key", table.table.name),
                "Set 'encryption_specification': {'encryption_type': 'AWS_OWNED_KMS_KEY'} for the table.",
            ));
        }
    }
    obstacles
}
