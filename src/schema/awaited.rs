//! What the system tables show once a definition has been carried out.

use std::collections::{BTreeSet, HashMap};

use keyspaces_cql::statement::{AlterKeyspace, AlterKeyspaceChange, option};
use keyspaces_cql::{QualifiedName, Replication, Statement, TableChange, TableDefinition, TableProperty};

use super::TableStatus;
use crate::{Error, Select, Session};

/// A keyspace, table or type whose definition is awaited.
#[derive(Clone, Debug)]
pub(super) struct Awaited {
    kind: ObjectKind,
    keyspace: String,
    name: String,
    /// Whether it should exist or be gone.
    there: bool,
    /// The changes that its description should show.
    changes: Vec<TableChange>,
    /// The Regions in which a keyspace should be ACTIVE.
    regions: BTreeSet<String>,
    seen: Option<TableStatus>,
    /// Whether it was ever seen in a status other than the one for an inaccessible encryption key.
    had_key: bool,
}

#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum ObjectKind {
    Keyspace,
    Table,
    Type,
}

/// The progress of an awaited object.
pub(super) enum AwaitedStatus {
    Done,
    NotYet(Option<TableStatus>),
    /// The object will not reach the requested state.
    Failed(&'static str, Option<TableStatus>),
}

/// The objects found by one read of the system tables, by kind, keyspace and name.
#[derive(Default)]
pub(super) struct SchemaStatus(HashMap<(ObjectKind, String, String), SchemaObject>);

struct SchemaObject {
    status: TableStatus,
    /// The definition of a table that is being changed, read once it is ACTIVE or while its key is inaccessible.
    definition: Option<TableDefinition>,
    /// The Regions in which a keyspace is ACTIVE.
    active_in: BTreeSet<String>,
}

impl Awaited {
    pub(super) fn of(statement: &Statement) -> Option<Self> {
        let keyspace = |name: &str, there| Some(Self::new(ObjectKind::Keyspace, name, "", there));
        let within = |kind, name: &QualifiedName, there| {
            Some(Self::new(kind, &name.keyspace.as_ref()?.text, &name.name.text, there))
        };
        match statement {
            Statement::CreateKeyspace(it) => keyspace(&it.keyspace.text, true),
            Statement::AlterKeyspace(it) => {
                keyspace(&it.keyspace.text, true).map(|awaited| Self { regions: regions(it), ..awaited })
            }
            Statement::DropKeyspace(it) => keyspace(&it.keyspace.text, false),
            Statement::CreateTable(it) => within(ObjectKind::Table, &it.table, true),
            Statement::AlterTable(it) => within(ObjectKind::Table, &it.table, true)
                .map(|awaited| Self { changes: TableChange::read(it).unwrap_or_default(), ..awaited }),
            Statement::RestoreTable(it) => within(ObjectKind::Table, &it.table, true),
            Statement::DropTable(it) => within(ObjectKind::Table, &it.table, false),
            Statement::CreateType(it) => within(ObjectKind::Type, &it.name, true),
            Statement::DropType(it) => within(ObjectKind::Type, &it.name, false),
            _ => None,
        }
    }

    pub(super) fn table(keyspace: &str, table: &str) -> Self {
        Self::new(ObjectKind::Table, keyspace, table, true)
    }

    fn new(kind: ObjectKind, keyspace: &str, name: &str, there: bool) -> Self {
        Self {
            kind,
            keyspace: keyspace.to_owned(),
            name: name.to_owned(),
            there,
            changes: Vec::new(),
            regions: BTreeSet::new(),
            seen: None,
            had_key: false,
        }
    }

    pub(super) fn is_table(&self) -> bool {
        self.kind == ObjectKind::Table
    }

    /// Whether its status says that the change is done, but its description does not show it.
    pub(super) fn is_said_only(&self) -> bool {
        self.is_table() && self.there && self.seen == Some(TableStatus::Active)
    }

    /// Updates the progress from what was seen now and before.
    pub(super) fn look(&mut self, seen: &SchemaStatus) -> AwaitedStatus {
        let key = (self.kind, self.keyspace.clone(), self.name.clone());
        let thing = seen.0.get(&key);
        let now = thing.map(|thing| thing.status.clone());
        let before = std::mem::replace(&mut self.seen, now.clone());
        self.had_key |= now.as_ref().is_some_and(|now| *now != TableStatus::InaccessibleEncryptionCredentials);
        let definition = thing.and_then(|thing| thing.definition.as_ref());
        match (self.there, now) {
            (false, None) => AwaitedStatus::Done,
            // The service may take a while to report that it has started.
            (true, Some(TableStatus::Active)) if !thing.is_some_and(|it| self.regions.is_subset(&it.active_in)) => {
                AwaitedStatus::NotYet(None)
            }
            (true, Some(TableStatus::InaccessibleEncryptionCredentials))
                if !self.had_key && self.lacks_its_key(definition) =>
            {
                AwaitedStatus::NotYet(Some(TableStatus::InaccessibleEncryptionCredentials))
            }
            (true, Some(TableStatus::Active)) => {
                let shown = |definition| self.changes.iter().all(|change| shows(definition, change));
                if definition.is_none_or(shown) {
                    AwaitedStatus::Done
                } else {
                    AwaitedStatus::NotYet(Some(TableStatus::Active))
                }
            }
            (true, Some(TableStatus::InaccessibleEncryptionCredentials)) => AwaitedStatus::Failed(
                "the service may not use its key",
                Some(TableStatus::InaccessibleEncryptionCredentials),
            ),
            (true, None) if before.is_some() => AwaitedStatus::Failed("it was being made, and is gone", None),
            (true, Some(TableStatus::Deleting)) => {
                AwaitedStatus::Failed("it is being deleted", Some(TableStatus::Deleting))
            }
            (false, Some(TableStatus::Active)) if before == Some(TableStatus::Deleting) => {
                AwaitedStatus::Failed("it was being deleted, and is there again", Some(TableStatus::Active))
            }
            (_, now) => AwaitedStatus::NotYet(now),
        }
    }

    /// Whether the requested encryption key differs from the one shown.
    fn lacks_its_key(&self, definition: Option<&TableDefinition>) -> bool {
        let shown = definition.and_then(|definition| definition.options.encryption.as_ref());
        self.changes.iter().any(|change| match change {
            TableChange::Set(TableProperty::Encryption(asked)) => shown != Some(asked),
            _ => false,
        })
    }
}

/// The Regions that an ALTER KEYSPACE names, if there are several; the service shows them one by one.
fn regions(alter: &AlterKeyspace) -> BTreeSet<String> {
    let AlterKeyspaceChange::With(options) = &alter.change else { return BTreeSet::new() };
    match option(options, "replication").map(|option| Replication::read(&option.value)) {
        Some(Ok(Replication::MultiRegion(regions))) => regions,
        _ => BTreeSet::new(),
    }
}

impl SchemaStatus {
    /// Reads the status of all awaited objects, with one query for each kind and keyspace.
    pub(super) async fn ask(session: &Session, awaited: &[&Awaited]) -> Result<Self, Error> {
        let mut questions: Vec<(ObjectKind, &str)> = awaited.iter().map(|of| (of.kind, of.keyspace.as_str())).collect();
        questions.sort_unstable_by_key(|(kind, keyspace)| (*kind as u8, *keyspace));
        questions.dedup();
        let mut seen = Self::default();
        for (kind, keyspace) in questions {
            match kind {
                // A keyspace in one Region has no status: it is ready when it has a row (DG:keyspaces-create).
                ObjectKind::Keyspace => {
                    const THERE: &str = "SELECT keyspace_name FROM system_schema_mcs.keyspaces WHERE keyspace_name = ?";
                    const REGIONS: &str =
                        "SELECT region, status FROM system_multiregion_info.keyspaces WHERE keyspace_name = ?";
                    let there: Select<(&str,), (String,)> = session.prepare(THERE).await?;
                    if there.one((keyspace,)).await?.is_none() {
                        continue;
                    }
                    let regions: Select<(&str,), (String, Option<String>)> = session.prepare(REGIONS).await?;
                    let regions: Vec<_> = regions.rows((keyspace,)).try_collect().await?;
                    let regions =
                        regions.into_iter().filter_map(|(region, status)| Some((region, TableStatus::of(&status?))));
                    let (active, others): (Vec<_>, Vec<_>) =
                        regions.partition(|(_, status)| *status == TableStatus::Active);
                    let first = others.into_iter().map(|(_, status)| status).min();
                    let thing = SchemaObject {
                        status: first.unwrap_or(TableStatus::Active),
                        definition: None,
                        active_in: active.into_iter().map(|(region, _)| region).collect(),
                    };
                    seen.0.insert((kind, keyspace.to_owned(), String::new()), thing);
                }
                ObjectKind::Table | ObjectKind::Type => {
                    const TABLES: &str =
                        "SELECT table_name, status FROM system_schema_mcs.tables WHERE keyspace_name = ?";
                    const TYPES: &str = "SELECT type_name, status FROM system_schema_mcs.types WHERE keyspace_name = ?";
                    let text = if kind == ObjectKind::Table { TABLES } else { TYPES };
                    let all: Select<(&str,), (String, Option<String>)> = session.prepare(text).await?;
                    let mut rows = all.rows((keyspace,));
                    while let Some((name, status)) = rows.try_next().await? {
                        let status = TableStatus::of(&status.unwrap_or_default());
                        let thing = SchemaObject { status, definition: None, active_in: BTreeSet::new() };
                        seen.0.insert((kind, keyspace.to_owned(), name), thing);
                    }
                }
            }
        }
        for Awaited { kind, keyspace, name, .. } in awaited.iter().filter(|awaited| !awaited.changes.is_empty()) {
            if let Some(thing) = seen.0.get_mut(&(*kind, keyspace.clone(), name.clone()))
                && matches!(thing.status, TableStatus::Active | TableStatus::InaccessibleEncryptionCredentials)
            {
                let described = session.schema().describe_untagged(keyspace, name).await?;
                thing.definition = described.map(|described| described.definition);
            }
        }
        Ok(seen)
    }
}

/// Whether a table shows a change, as far as the service is known to show it. A change that the service shows differently,
/// or not at all, is not waited for.
fn shows(table: &TableDefinition, change: &TableChange) -> bool {
    match change {
        TableChange::AddColumns(columns) => {
            let is_there = |name: &str| table.columns.iter().any(|column| column.name.text == name);
            columns.as_slice().iter().all(|column| is_there(&column.name.text))
        }
        TableChange::Set(property) => property.is_satisfied_by(&table.options),
        // How the service shows tags is not known.
        TableChange::AddTags(_) | TableChange::DropTags(_) => true,
        TableChange::AddStreamTags(_) | TableChange::DropStreamTags(_) => true,
        // A change that this version does not know is not waited for.
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use keyspaces_cql::statement::NativeType;
    use keyspaces_cql::{
        AutoScaling, CapacityMode, CapacityScaling, Cdc, CdcView, Encryption, NewColumn, NewColumns,
        PointInTimeRecovery, TableBuilder, TargetTracking, Ttl, WarmThroughput,
    };

    use super::*;

    fn table() -> TableBuilder {
        TableDefinition::builder("ks", "t").partition_key("a", NativeType::Int)
    }

    fn told(look: AwaitedStatus) -> &'static str {
        match look {
            AwaitedStatus::Done => "done",
            AwaitedStatus::NotYet(_) => "not yet",
            AwaitedStatus::Failed(why, _) => why,
        }
    }

    fn add(names: [&str; 2]) -> TableChange {
        let columns = names.map(|name| NewColumn {
            name: keyspaces_cql::Name::new(name),
            column_type: NativeType::Int.into(),
            is_static: false,
        });
        TableChange::AddColumns(NewColumns::new(columns).unwrap())
    }

    #[test]
    fn an_altered_table_is_awaited_until_it_shows_what_was_asked_for() {
        let statement = keyspaces_cql::parse("ALTER TABLE ks.t ADD b int").unwrap();
        let mut awaited = Awaited::of(&statement).unwrap();
        let mut look = |status, builder: TableBuilder| {
            let thing = SchemaObject { status, definition: Some(builder.build().unwrap()), active_in: BTreeSet::new() };
            let seen = SchemaStatus(HashMap::from([((ObjectKind::Table, "ks".to_owned(), "t".to_owned()), thing)]));
            match awaited.look(&seen) {
                AwaitedStatus::Done => "done",
                AwaitedStatus::NotYet(_) if awaited.is_said_only() => "not shown",
                AwaitedStatus::NotYet(_) => "not yet",
                AwaitedStatus::Failed(why, _) => why,
            }
        };
        assert_eq!(look(TableStatus::Active, table()), "not shown");
        assert_eq!(look(TableStatus::Updating, table()), "not yet");
        assert_eq!(look(TableStatus::Active, table().column("c", NativeType::Int)), "not shown");
        assert_eq!(look(TableStatus::Active, table().column("b", NativeType::Varint)), "done");
    }

    #[test]
    fn a_table_whose_key_may_not_be_used_is_awaited_until_the_other_key_is_seen_to_be_tried() {
        const INACCESSIBLE: TableStatus = TableStatus::InaccessibleEncryptionCredentials;
        let key = |name: &str| Encryption::CustomerManagedKey(format!("arn:aws:kms:us-east-1:1:{name}"));
        let looks = |asked: &str, seen: &[(TableStatus, &str)]| {
            let change = TableChange::Set(key(asked).into());
            let statement = Statement::AlterTable(change.of(&QualifiedName::new("ks", "t")));
            let mut awaited = Awaited::of(&statement).unwrap();
            let looks = seen.iter().map(|(status, there)| {
                let definition = Some(table().with(key(there)).build().unwrap());
                let thing = SchemaObject { status: status.clone(), definition, active_in: BTreeSet::new() };
                told(awaited.look(&SchemaStatus(HashMap::from([(
                    (ObjectKind::Table, "ks".to_owned(), "t".to_owned()),
                    thing,
                )]))))
            });
            looks.collect::<Vec<_>>()
        };
        let failed = "the service may not use its key";
        let old = (INACCESSIBLE, "key/1");
        let updating = (TableStatus::Updating, "key/1");
        let active = (TableStatus::Active, "key/2");
        for asked in ["key/2", "alias/a"] {
            let seen = [old.clone(), old.clone(), updating.clone(), active.clone()];
            assert_eq!(looks(asked, &seen), ["not yet", "not yet", "not yet", "done"], "{asked}");
            assert_eq!(looks(asked, &[old.clone(), updating.clone(), old.clone()]), ["not yet", "not yet", failed]);
        }
        assert_eq!(looks("key/2", &[old, (INACCESSIBLE, "key/2")]), ["not yet", failed]);
        let created = keyspaces_cql::parse("CREATE TABLE ks.t (a int PRIMARY KEY)").unwrap();
        let thing = SchemaObject { status: INACCESSIBLE, definition: None, active_in: BTreeSet::new() };
        let seen = SchemaStatus(HashMap::from([((ObjectKind::Table, "ks".to_owned(), "t".to_owned()), thing)]));
        assert_eq!(told(Awaited::of(&created).unwrap().look(&seen)), failed);
    }

    #[test]
    fn a_keyspace_that_gets_a_region_is_awaited_until_it_is_active_in_all() {
        let looks = |statement: &str, seen: &[(TableStatus, &[&str])]| {
            let mut awaited = Awaited::of(&keyspaces_cql::parse(statement).unwrap()).unwrap();
            let looks = seen.iter().map(|(status, regions)| {
                let active_in = regions.iter().map(|region| (*region).to_owned()).collect();
                let thing = SchemaObject { status: status.clone(), definition: None, active_in };
                told(awaited.look(&SchemaStatus(HashMap::from([(
                    (ObjectKind::Keyspace, "ks".to_owned(), String::new()),
                    thing,
                )]))))
            });
            looks.collect::<Vec<_>>()
        };
        let seen: &[(_, &[_])] = &[
            (TableStatus::Active, &[]),
            (TableStatus::Active, &["us-east-1"]),
            (TableStatus::Creating, &["us-east-1"]),
            (TableStatus::Active, &["eu-west-1", "us-east-1"]),
        ];
        let add = "ALTER KEYSPACE ks WITH replication = {'class': 'NetworkTopologyStrategy', 'us-east-1': '3', 'eu-west-1': \
                   '3'} AND client_side_timestamps = {'status': 'ENABLED'}";
        assert_eq!(looks(add, seen), ["not yet", "not yet", "not yet", "done"]);
        assert_eq!(looks("ALTER KEYSPACE ks ADD TAGS {'a': 'b'}", &seen[..1]), ["done"]);
        let single = "CREATE KEYSPACE ks WITH replication = {'class': 'SingleRegionStrategy'}";
        assert_eq!(looks(single, &seen[..1]), ["done"]);
    }

    #[test]
    fn what_is_shown_otherwise_for_a_reason_or_not_at_all_is_taken_for_shown() {
        let provisioned = |read| CapacityMode::Provisioned { read, write: 1 };
        let writes = |write| CapacityMode::Provisioned { read: 1, write };
        let key = |arn: &str| Encryption::CustomerManagedKey(arn.to_owned());
        let scaling = |part| AutoScaling { read: Some(part), ..Default::default() };
        let target = scaling(CapacityScaling::Target(TargetTracking::between(1, 9)));
        let disabled = scaling(CapacityScaling::Disabled);
        let (one, other) = ("arn:aws:kms:us-east-1:1:key/1", "arn:aws:kms:us-east-1:1:key/2");
        let set = |property: TableProperty| TableChange::Set(property);
        let cases = [
            (add(["b", "c"]), table().column("b", NativeType::Int), false),
            (set(provisioned(2).into()), table(), true),
            (set(provisioned(2).into()), table().with(provisioned(2)), true),
            (set(provisioned(2).into()), table().with(provisioned(1)), false),
            (set(provisioned(2).into()), table().with(provisioned(1)).with(target.clone()), true),
            (set(provisioned(2).into()), table().with(provisioned(1)).with(disabled), false),
            (set(writes(2).into()), table().with(provisioned(1)).with(target.clone()), false),
            (set(provisioned(2).into()), table().with(CapacityMode::OnDemand).with(target), false),
            (set(CapacityMode::OnDemand.into()), table().with(provisioned(2)), false),
            (set(PointInTimeRecovery::Enabled.into()), table(), true),
            (set(PointInTimeRecovery::Enabled.into()), table().with(PointInTimeRecovery::Disabled), false),
            (set(PointInTimeRecovery::Disabled.into()), table().with(PointInTimeRecovery::Enabled), false),
            (set(key(one).into()), table().with(key(one)), true),
            (set(key(one).into()), table().with(key(other)), false),
            (set(key("arn:aws:kms:us-east-1:1:alias/a").into()), table().with(key(other)), true),
            (set(key(one).into()), table().with(Encryption::AwsOwnedKey), false),
            (set(Cdc::On(CdcView::KeysOnly).into()), table(), false),
            (set(Cdc::On(CdcView::KeysOnly).into()), table().with(Cdc::On(CdcView::default())), true),
            (set(Cdc::Off.into()), table().with(Cdc::On(CdcView::default())), false),
            (set(Cdc::Off.into()), table(), true),
            (set(TableProperty::DefaultTimeToLive(5)), table(), false),
            (set(TableProperty::DefaultTimeToLive(5)), table().default_time_to_live(5), true),
            (set(TableProperty::DefaultTimeToLive(0)), table().default_time_to_live(5), false),
            (set(WarmThroughput::new(5, 5).into()), table().with(WarmThroughput::new(6, 5)), true),
            (set(WarmThroughput::new(5, 5).into()), table().with(WarmThroughput::new(4, 5)), false),
            (set(Ttl::Enabled.into()), table(), true),
        ];
        for (change, builder, expected) in cases {
            let there = builder.build().unwrap();
            assert_eq!(shows(&there, &change), expected, "{change:?}\n{there}");
        }
    }
}
