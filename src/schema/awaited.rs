//! Awaits keyspaces, tables and types: reads from the system tables whether a definition has been carried out.

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
    /// Whether the object should exist; otherwise it should be gone.
    should_exist: bool,
    /// The changes that its description should show.
    changes: Vec<TableChange>,
    /// The Regions in which a keyspace should be ACTIVE.
    regions: BTreeSet<String>,
    last_status: Option<TableStatus>,
    /// Whether any read showed a status other than `InaccessibleEncryptionCredentials`.
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
    /// The object that a definition creates, changes or drops.
    pub(super) fn for_statement(statement: &Statement) -> Option<Self> {
        let keyspace = |name: &str, should_exist| Some(Self::new(ObjectKind::Keyspace, name, "", should_exist));
        let object = |kind, name: &QualifiedName, should_exist| {
            Some(Self::new(kind, &name.keyspace.as_ref()?.text, &name.name.text, should_exist))
        };
        match statement {
            Statement::CreateKeyspace(it) => keyspace(&it.keyspace.text, true),
            Statement::AlterKeyspace(it) => {
                keyspace(&it.keyspace.text, true).map(|awaited| Self { regions: regions(it), ..awaited })
            }
            Statement::DropKeyspace(it) => keyspace(&it.keyspace.text, false),
            Statement::CreateTable(it) => object(ObjectKind::Table, &it.table, true),
            Statement::AlterTable(it) => object(ObjectKind::Table, &it.table, true)
                .map(|awaited| Self { changes: TableChange::read(it).unwrap_or_default(), ..awaited }),
            Statement::RestoreTable(it) => object(ObjectKind::Table, &it.table, true),
            Statement::DropTable(it) => object(ObjectKind::Table, &it.table, false),
            Statement::CreateType(it) => object(ObjectKind::Type, &it.name, true),
            Statement::DropType(it) => object(ObjectKind::Type, &it.name, false),
            _ => None,
        }
    }

    pub(super) fn table(keyspace: &str, table: &str) -> Self {
        Self::new(ObjectKind::Table, keyspace, table, true)
    }

    fn new(kind: ObjectKind, keyspace: &str, name: &str, should_exist: bool) -> Self {
        Self {
            kind,
            keyspace: keyspace.to_owned(),
            name: name.to_owned(),
            should_exist,
            changes: Vec::new(),
            regions: BTreeSet::new(),
            last_status: None,
            had_key: false,
        }
    }

    pub(super) fn is_table(&self) -> bool {
        self.kind == ObjectKind::Table
    }

    /// Whether the last status of a table was ACTIVE. If the table is still awaited, its description does not show the
    /// change.
    pub(super) fn is_active_but_unchanged(&self) -> bool {
        self.is_table() && self.should_exist && self.last_status == Some(TableStatus::Active)
    }

    /// Compares the current read with the one before, and returns the progress.
    pub(super) fn update(&mut self, current: &SchemaStatus) -> AwaitedStatus {
        let key = (self.kind, self.keyspace.clone(), self.name.clone());
        let object = current.0.get(&key);
        let status = object.map(|object| object.status.clone());
        let before = std::mem::replace(&mut self.last_status, status.clone());
        self.had_key |= status.as_ref().is_some_and(|status| *status != TableStatus::InaccessibleEncryptionCredentials);
        let definition = object.and_then(|object| object.definition.as_ref());
        match (self.should_exist, status) {
            (false, None) => AwaitedStatus::Done,
            // The service may still report ACTIVE before it starts to add a Region.
            (true, Some(TableStatus::Active)) if !object.is_some_and(|it| self.regions.is_subset(&it.active_in)) => {
                AwaitedStatus::NotYet(None)
            }
            (true, Some(TableStatus::InaccessibleEncryptionCredentials))
                if !self.had_key && self.lacks_its_key(definition) =>
            {
                AwaitedStatus::NotYet(Some(TableStatus::InaccessibleEncryptionCredentials))
            }
            (true, Some(TableStatus::Active)) => {
                let shows_all = |definition| self.changes.iter().all(|change| shows(definition, change));
                if definition.is_none_or(shows_all) {
                    AwaitedStatus::Done
                } else {
                    AwaitedStatus::NotYet(Some(TableStatus::Active))
                }
            }
            (true, Some(TableStatus::InaccessibleEncryptionCredentials)) => AwaitedStatus::Failed(
                "the service has no access to its encryption key",
                Some(TableStatus::InaccessibleEncryptionCredentials),
            ),
            (true, None) if before.is_some() => {
                AwaitedStatus::Failed("it was being created, and no longer exists", None)
            }
            (true, Some(TableStatus::Deleting)) => {
                AwaitedStatus::Failed("it is being deleted", Some(TableStatus::Deleting))
            }
            (false, Some(TableStatus::Active)) if before == Some(TableStatus::Deleting) => {
                AwaitedStatus::Failed("it was being deleted, and exists again", Some(TableStatus::Active))
            }
            (_, status) => AwaitedStatus::NotYet(status),
        }
    }

    /// Whether a change requests another encryption key than the description shows.
    fn lacks_its_key(&self, definition: Option<&TableDefinition>) -> bool {
        let shown = definition.and_then(|definition| definition.options.encryption.as_ref());
        self.changes.iter().any(|change| match change {
            TableChange::Set(TableProperty::Encryption(requested)) => shown != Some(requested),
            _ => false,
        })
    }
}

/// The Regions of an ALTER KEYSPACE that replicates to several Regions; otherwise none.
fn regions(alter: &AlterKeyspace) -> BTreeSet<String> {
    let AlterKeyspaceChange::With(options) = &alter.change else { return BTreeSet::new() };
    match option(options, "replication").map(|option| Replication::read(&option.value)) {
        Some(Ok(Replication::MultiRegion(regions))) => regions,
        _ => BTreeSet::new(),
    }
}

impl SchemaStatus {
    /// Reads the status of all awaited objects, with one query for each kind and keyspace.
    pub(super) async fn read(session: &Session, awaited: &[&Awaited]) -> Result<Self, Error> {
        let mut queries: Vec<(ObjectKind, &str)> =
            awaited.iter().map(|awaited| (awaited.kind, awaited.keyspace.as_str())).collect();
        queries.sort_unstable_by_key(|(kind, keyspace)| (*kind as u8, *keyspace));
        queries.dedup();
        let mut status = Self::default();
        for (kind, keyspace) in queries {
            match kind {
                // A keyspace in one Region has no status: it is ready when it has a row (DG:keyspaces-create).
                ObjectKind::Keyspace => {
                    const KEYSPACE: &str =
                        "SELECT keyspace_name FROM system_schema_mcs.keyspaces WHERE keyspace_name = ?";
                    const REGIONS: &str =
                        "SELECT region, status FROM system_multiregion_info.keyspaces WHERE keyspace_name = ?";
                    let row: Select<(&str,), (String,)> = session.prepare(KEYSPACE).await?;
                    if row.one((keyspace,)).await?.is_none() {
                        continue;
                    }
                    let regions: Select<(&str,), (String, Option<String>)> = session.prepare(REGIONS).await?;
                    let regions: Vec<_> = regions.rows((keyspace,)).try_collect().await?;
                    let regions =
                        regions.into_iter().filter_map(|(region, status)| Some((region, TableStatus::parse(&status?))));
                    let (active, others): (Vec<_>, Vec<_>) =
                        regions.partition(|(_, status)| *status == TableStatus::Active);
                    let first = others.into_iter().map(|(_, status)| status).min();
                    let object = SchemaObject {
                        status: first.unwrap_or(TableStatus::Active),
                        definition: None,
                        active_in: active.into_iter().map(|(region, _)| region).collect(),
                    };
                    status.0.insert((kind, keyspace.to_owned(), String::new()), object);
                }
                ObjectKind::Table | ObjectKind::Type => {
                    const TABLES: &str =
                        "SELECT table_name, status FROM system_schema_mcs.tables WHERE keyspace_name = ?";
                    const TYPES: &str = "SELECT type_name, status FROM system_schema_mcs.types WHERE keyspace_name = ?";
                    let text = if kind == ObjectKind::Table { TABLES } else { TYPES };
                    let all: Select<(&str,), (String, Option<String>)> = session.prepare(text).await?;
                    let mut rows = all.rows((keyspace,));
                    while let Some((name, object_status)) = rows.try_next().await? {
                        let object_status = TableStatus::parse(&object_status.unwrap_or_default());
                        let object =
                            SchemaObject { status: object_status, definition: None, active_in: BTreeSet::new() };
                        status.0.insert((kind, keyspace.to_owned(), name), object);
                    }
                }
            }
        }
        for Awaited { kind, keyspace, name, .. } in awaited.iter().filter(|awaited| !awaited.changes.is_empty()) {
            if let Some(object) = status.0.get_mut(&(*kind, keyspace.clone(), name.clone()))
                && matches!(object.status, TableStatus::Active | TableStatus::InaccessibleEncryptionCredentials)
            {
                let described = session.schema().describe_untagged(keyspace, name).await?;
                object.definition = described.map(|described| described.definition);
            }
        }
        Ok(status)
    }
}

/// Whether the description of a table shows a change. Also `true` for a change that the service shows differently or
/// not at all, so that the change is not waited for.
fn shows(table: &TableDefinition, change: &TableChange) -> bool {
    match change {
        TableChange::AddColumns(columns) => {
            let has_column = |name: &str| table.columns.iter().any(|column| column.name.text == name);
            columns.as_slice().iter().all(|column| has_column(&column.name.text))
        }
        TableChange::Set(property) => property.is_satisfied_by(&table.options),
        // How the service shows tags is not known.
        TableChange::AddTags(_) | TableChange::DropTags(_) => true,
        TableChange::AddStreamTags(_) | TableChange::DropStreamTags(_) => true,
        // This version does not know the change, and does not wait for it.
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

    fn text(status: AwaitedStatus) -> &'static str {
        match status {
            AwaitedStatus::Done => "done",
            AwaitedStatus::NotYet(_) => "not yet",
            AwaitedStatus::Failed(problem, _) => problem,
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
    fn an_altered_table_is_awaited_until_it_shows_the_change() {
        let statement = keyspaces_cql::parse("ALTER TABLE ks.t ADD b int").unwrap();
        let mut awaited = Awaited::for_statement(&statement).unwrap();
        let mut update = |status, builder: TableBuilder| {
            let object =
                SchemaObject { status, definition: Some(builder.build().unwrap()), active_in: BTreeSet::new() };
            let seen = SchemaStatus(HashMap::from([((ObjectKind::Table, "ks".to_owned(), "t".to_owned()), object)]));
            match awaited.update(&seen) {
                AwaitedStatus::Done => "done",
                AwaitedStatus::NotYet(_) if awaited.is_active_but_unchanged() => "not shown",
                AwaitedStatus::NotYet(_) => "not yet",
                AwaitedStatus::Failed(why, _) => why,
            }
        };
        assert_eq!(update(TableStatus::Active, table()), "not shown");
        assert_eq!(update(TableStatus::Updating, table()), "not yet");
        assert_eq!(update(TableStatus::Active, table().column("c", NativeType::Int)), "not shown");
        assert_eq!(update(TableStatus::Active, table().column("b", NativeType::Varint)), "done");
    }

    #[test]
    fn key_change_of_inaccessible_table_is_awaited_to_its_outcome() {
        const INACCESSIBLE: TableStatus = TableStatus::InaccessibleEncryptionCredentials;
        let key = |name: &str| Encryption::CustomerManagedKey(format!("arn:aws:kms:us-east-1:1:{name}"));
        let updates = |requested: &str, seen: &[(TableStatus, &str)]| {
            let change = TableChange::Set(key(requested).into());
            let statement = Statement::AlterTable(change.alter(&QualifiedName::new("ks", "t")));
            let mut awaited = Awaited::for_statement(&statement).unwrap();
            let updates = seen.iter().map(|(status, shown_key)| {
                let definition = Some(table().with(key(shown_key)).build().unwrap());
                let object = SchemaObject { status: status.clone(), definition, active_in: BTreeSet::new() };
                text(awaited.update(&SchemaStatus(HashMap::from([(
                    (ObjectKind::Table, "ks".to_owned(), "t".to_owned()),
                    object,
                )]))))
            });
            updates.collect::<Vec<_>>()
        };
        let failed = "the service has no access to its encryption key";
        let old = (INACCESSIBLE, "key/1");
        let updating = (TableStatus::Updating, "key/1");
        let active = (TableStatus::Active, "key/2");
        for requested in ["key/2", "alias/a"] {
            let seen = [old.clone(), old.clone(), updating.clone(), active.clone()];
            assert_eq!(updates(requested, &seen), ["not yet", "not yet", "not yet", "done"], "{requested}");
            assert_eq!(
                updates(requested, &[old.clone(), updating.clone(), old.clone()]),
                ["not yet", "not yet", failed]
            );
        }
        assert_eq!(updates("key/2", &[old, (INACCESSIBLE, "key/2")]), ["not yet", failed]);
        let created = keyspaces_cql::parse("CREATE TABLE ks.t (a int PRIMARY KEY)").unwrap();
        let object = SchemaObject { status: INACCESSIBLE, definition: None, active_in: BTreeSet::new() };
        let seen = SchemaStatus(HashMap::from([((ObjectKind::Table, "ks".to_owned(), "t".to_owned()), object)]));
        assert_eq!(text(Awaited::for_statement(&created).unwrap().update(&seen)), failed);
    }

    #[test]
    fn adding_a_region_waits_until_the_keyspace_is_active_in_every_region() {
        let updates = |statement: &str, seen: &[(TableStatus, &[&str])]| {
            let mut awaited = Awaited::for_statement(&keyspaces_cql::parse(statement).unwrap()).unwrap();
            let updates = seen.iter().map(|(status, regions)| {
                let active_in = regions.iter().map(|region| (*region).to_owned()).collect();
                let object = SchemaObject { status: status.clone(), definition: None, active_in };
                text(awaited.update(&SchemaStatus(HashMap::from([(
                    (ObjectKind::Keyspace, "ks".to_owned(), String::new()),
                    object,
                )]))))
            });
            updates.collect::<Vec<_>>()
        };
        let seen: &[(_, &[_])] = &[
            (TableStatus::Active, &[]),
            (TableStatus::Active, &["us-east-1"]),
            (TableStatus::Creating, &["us-east-1"]),
            (TableStatus::Active, &["eu-west-1", "us-east-1"]),
        ];
        let add = "ALTER KEYSPACE ks WITH replication = {'class': 'NetworkTopologyStrategy', 'us-east-1': '3', 'eu-west-1': \
                   '3'} AND client_side_timestamps = {'status': 'ENABLED'}";
        assert_eq!(updates(add, seen), ["not yet", "not yet", "not yet", "done"]);
        assert_eq!(updates("ALTER KEYSPACE ks ADD TAGS {'a': 'b'}", &seen[..1]), ["done"]);
        let single = "CREATE KEYSPACE ks WITH replication = {'class': 'SingleRegionStrategy'}";
        assert_eq!(updates(single, &seen[..1]), ["done"]);
    }

    #[test]
    fn change_shown_differently_or_not_at_all_counts_as_complete() {
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
            let table = builder.build().unwrap();
            assert_eq!(shows(&table, &change), expected, "{change:?}\n{table}");
        }
    }
}
