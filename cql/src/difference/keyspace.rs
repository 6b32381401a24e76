//! Compares keyspaces.

use std::collections::BTreeSet;

use super::{Definitions, Difference, Impossible, Left, Step};
use crate::statement::CreateKeyspace;
use crate::table::properties::differing;
use crate::table::{ClientSideTimestamps, Encryption};
use crate::{KeyspaceChange, KeyspaceDefinition, Replication, Span, Statement};

pub(super) fn keyspace_of<'d>(definitions: &'d Definitions, name: &str) -> Option<&'d KeyspaceDefinition> {
    definitions.keyspaces.iter().find(|keyspace| keyspace.name.text == name)
}

/// Adds the steps that create keyspaces and change tags. Tags of a wanted definition replace all others; without tags it
/// leaves them.
pub(super) fn add_keyspaces(from: &Definitions, to: &Definitions, found: &mut Difference) {
    for wanted in &to.keyspaces {
        let Some(there) = keyspace_of(from, &wanted.name.text) else {
            // One that is being created cannot be seen yet.
            let create = CreateKeyspace { if_not_exists: Some(Span::default()), ..wanted.create() };
            found.steps.push(Step { statement: Statement::CreateKeyspace(create), marks: wanted.marks() });
            continue;
        };
        if wanted.tags.is_empty() {
            if !there.tags.is_empty() {
                found.left.push(Left::Tags { keyspace: there.name.clone(), tags: there.tags.clone() });
            }
            continue;
        }
        let (more, less) = differing(&there.tags, &wanted.tags);
        let changes = [(more, KeyspaceChange::AddTags as fn(_) -> _), (less, KeyspaceChange::DropTags)];
        for (tags, change) in changes.into_iter().filter(|(tags, _)| !tags.is_empty()) {
            let change = change(tags);
            let statement = Statement::AlterKeyspace(there.alter(&change, ""));
            found.steps.push(Step { statement, marks: change.marks() });
        }
    }
}

/// Adds the steps that add Regions, one at a time, where all tables of the keyspace allow it.
pub(super) fn add_regions(from: &Definitions, to: &Definitions, home: &str, found: &mut Difference) {
    for wanted in &to.keyspaces {
        let Some(there) = keyspace_of(from, &wanted.name.text) else { continue };
        if there.replication == wanted.replication {
            continue;
        }
        let regions = |of: &KeyspaceDefinition| match &of.replication {
            Replication::SingleRegion => BTreeSet::from([home.to_owned()]),
            Replication::MultiRegion(regions) => regions.clone(),
        };
        let (is, wants) = (regions(there), regions(wanted));
        let less: Vec<_> = is.difference(&wants).map(String::as_str).collect();
        let mut hindered = Vec::new();
        if !less.is_empty() {
            hindered.push((
                format!("taking the Region {} away", less.join(" and ")),
                "Create another keyspace, and copy the rows to it.",
            ));
        }
        let more: Vec<_> = wants.difference(&is).collect();
        if !more.is_empty() {
            hindered.extend(hindering(from, to, &wanted.name.text));
        }
        if !hindered.is_empty() {
            found.impossible.extend(hindered.into_iter().map(|(what, advice)| Impossible {
                subject: format!("the keyspace {}", wanted.name),
                what,
                advice,
                source: "DG:keyspaces-multi-region-add-replica",
            }));
            continue;
        }
        let mut so_far = there.clone();
        for region in more {
            let change = KeyspaceChange::AddRegion(region.clone());
            let statement = Statement::AlterKeyspace(so_far.alter(&change, home));
            found.steps.push(Step { statement, marks: change.marks() });
            let mut regions = regions(&so_far);
            regions.insert(region.clone());
            so_far.replication = Replication::MultiRegion(regions);
        }
    }
}

/// The reasons why a keyspace cannot get another Region, each with advice.
fn hindering(from: &Definitions, to: &Definitions, keyspace: &str) -> Vec<(String, &'static str)> {
    let is_in = |table: &&crate::TableDefinition| table.table.keyspace.as_ref().is_some_and(|of| of.text == keyspace);
    let mut hindering = Vec::new();
    for table in from.tables.iter().filter(is_in) {
        let wanted = to.tables.iter().find(|wanted| super::is_same(&wanted.table, &table.table));
        let timestamps = table.options.client_side_timestamps;
        let wanted_timestamps = wanted.and_then(|wanted| wanted.options.client_side_timestamps);
        if timestamps.or(wanted_timestamps) != Some(ClientSideTimestamps::Enabled) {
            hindering.push((
                format!("adding a Region while its table {} has no client-side timestamps", table.table.name),
                "Say 'client_side_timestamps': {'status': 'enabled'} for the table.",
            ));
        }
        let encryption = wanted.and_then(|wanted| wanted.options.encryption.as_ref());
        if let Some(Encryption::CustomerManagedKey(_)) = encryption.or(table.options.encryption.as_ref()) {
            hindering.push((
                format!("adding a Region while its table {} has a customer managed key", table.table.name),
                "Say 'encryption_specification': {'encryption_type': 'AWS_OWNED_KMS_KEY'} for the table.",
            ));
        }
    }
    hindering
}
