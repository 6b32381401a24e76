//! The keyspaces, tables and types of an instance, with the status of each.

use std::collections::BTreeMap;
use std::sync::Arc;

use keyspaces_cql::{Cdc, PointInTimeRecovery, RestorePoint, TableOptions};

use crate::names::{ObjectKind, SchemaObject, TableId};
use crate::saturated::saturated;

/// The status of a [`SchemaObject`] (API:GetTable).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum ObjectStatus {
    Creating,
    #[default]
    Active,
    Updating,
    Deleting,
    /// A table that is being restored from another.
    Restoring,
    /// A table whose KMS key is inaccessible. It can be dropped, or given another key.
    Inaccessible,
}

/// The state of a [`SchemaObject`]. Times are in milliseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct CatalogueEntry {
    pub(crate) status: ObjectStatus,
    /// When the status ends by itself.
    pub(crate) due: Option<u64>,
    /// The change in progress, if the status alone does not tell which.
    pub(crate) changing: Option<ChangeInProgress>,
    /// The options of a table; of a keyspace, its tags.
    pub(crate) options: Arc<TableOptions>,
    /// The Regions of a keyspace that is in several.
    pub(crate) regions: Vec<String>,
    pub(crate) created: u64,
    /// When a table was switched to on-demand capacity.
    pub(crate) on_demand_since: Option<u64>,
    /// The times at which provisioned capacity was lowered in the last day.
    pub(crate) capacity_decreases: Vec<u64>,
    /// The times at which a table got another KMS key in the last day.
    pub(crate) key_changes: Vec<u64>,
    /// When the latest CDC stream of a table was turned on.
    pub(crate) stream_since: Option<u64>,
    /// A definition that Cassandra may not have executed.
    pub(crate) pending: Option<Arc<PendingDefinition>>,
    /// The rows that a table still waits for while it is being restored. Its status does not end before.
    pub(crate) awaited_rows: Option<Arc<PointInTimeRows>>,
}

/// The rows that a table had at a moment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct PointInTimeRows {
    pub(crate) source: TableId,
    /// In milliseconds since 1970.
    pub(crate) moment: u64,
}

/// A change in progress.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum ChangeInProgress {
    /// A keyspace gets this Region. Other definitions in the keyspace have to wait.
    Region(String),
    /// An inaccessible table gets another key, and cannot be used until it has it.
    Key,
    /// The CDC stream of a table is turned on or off.
    Stream,
    /// A table gets these columns.
    Columns(Vec<String>),
}

/// A definition that Cassandra may or may not have executed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PendingDefinition {
    /// With Cassandra's names.
    pub(crate) text: String,
    /// The entry of the object if Cassandra does not execute it.
    pub(crate) before: Option<CatalogueEntry>,
}

/// The features of the service that are turned on for each table.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Features {
    /// Rows may have a time to live.
    pub(crate) ttl: bool,
    /// Clients may give the timestamps of their writes.
    pub(crate) timestamps: bool,
}

/// All objects of an instance except those of the system keyspaces.
#[derive(Debug, Default)]
pub(crate) struct Catalogue(BTreeMap<SchemaObject, CatalogueEntry>);

impl Catalogue {
    pub(crate) fn get(&self, object: &SchemaObject) -> Option<CatalogueEntry> {
        self.0.get(object).cloned()
    }

    pub(crate) fn set(&mut self, object: SchemaObject, entry: CatalogueEntry) {
        self.0.insert(object, entry);
    }

    /// Removes an object; with a keyspace, everything in it.
    pub(crate) fn remove(&mut self, object: &SchemaObject) {
        match object.kind {
            ObjectKind::Keyspace => self.0.retain(|other, _| other.keyspace != object.keyspace),
            ObjectKind::Table | ObjectKind::Type => drop(self.0.remove(object)),
        }
    }

    /// The tables and types of a keyspace.
    pub(crate) fn within<'a>(
        &'a self,
        keyspace: &'a str,
    ) -> impl Iterator<Item = (&'a SchemaObject, &'a CatalogueEntry)> {
        let objects = self.0.iter().filter(move |(object, _)| object.keyspace == keyspace);
        objects.filter(|(object, _)| object.kind != ObjectKind::Keyspace)
    }

    /// A table that waits for the rows of a table of this name.
    pub(crate) fn restored_from(&self, source: &SchemaObject) -> Option<&SchemaObject> {
        let is_restored =
            |entry: &CatalogueEntry| entry.awaited_rows.as_ref().is_some_and(|rows| rows.source.table == *source);
        self.0.iter().find(|(_, entry)| is_restored(entry)).map(|(table, _)| table)
    }

    /// All objects.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&SchemaObject, &CatalogueEntry)> {
        self.0.iter()
    }

    /// The objects whose status has ended at `now`, in the order in which they ended.
    pub(crate) fn due(&self, now: u64) -> Vec<(SchemaObject, CatalogueEntry)> {
        let due = |entry: &CatalogueEntry| entry.ends_at().filter(|due| *due <= now);
        let mut objects: Vec<_> = self.0.iter().filter(|(_, entry)| due(entry).is_some()).collect();
        objects.sort_by_key(|(_, entry)| entry.due);
        objects.into_iter().map(|(object, entry)| (object.clone(), entry.clone())).collect()
    }

    /// Whether the keyspace of a table is in several Regions.
    pub(super) fn is_in_several_regions(&self, table: &SchemaObject) -> bool {
        self.get(&SchemaObject::keyspace(&table.keyspace)).is_some_and(|keyspace| !keyspace.regions.is_empty())
    }

    /// The number of definitions in progress. A dropped keyspace counts once, with everything in it.
    pub(super) fn definitions_in_progress(&self) -> usize {
        let goes_with_its_keyspace = |object: &SchemaObject| {
            let keyspace = SchemaObject::keyspace(&object.keyspace);
            object.kind != ObjectKind::Keyspace
                && self.get(&keyspace).is_some_and(|keyspace| keyspace.status == ObjectStatus::Deleting)
        };
        self.all().filter(|(object, entry)| entry.due.is_some() && !goes_with_its_keyspace(object)).count()
    }

    /// When the next status ends.
    pub(crate) fn next_due(&self) -> Option<u64> {
        self.0.values().filter_map(CatalogueEntry::ends_at).min()
    }
}

impl Features {
    /// The features that at least one of them has.
    pub(crate) const fn union(self, other: Self) -> Self {
        Self { ttl: self.ttl || other.ttl, timestamps: self.timestamps || other.timestamps }
    }
}

impl CatalogueEntry {
    /// The entry once its status has ended.
    pub(crate) fn completed(self) -> Self {
        Self { status: ObjectStatus::Active, due: None, changing: None, ..self }
    }

    /// When its status ends, or its pending definition is sent again; `None` while it waits for rows.
    pub(crate) fn ends_at(&self) -> Option<u64> {
        self.due.filter(|_| self.awaited_rows.is_none() || self.pending.is_some())
    }

    /// The enabled features of a table.
    pub(crate) fn features(&self) -> Features {
        let TableOptions { ttl, client_side_timestamps, .. } = &*self.options;
        Features { ttl: ttl.is_some(), timestamps: client_side_timestamps.is_some() }
    }

    /// Whether statements can use it.
    pub(crate) fn is_usable(&self) -> bool {
        matches!(self.status, ObjectStatus::Active | ObjectStatus::Updating)
            && self.changing != Some(ChangeInProgress::Key)
    }

    /// Whether point-in-time recovery is enabled for it.
    pub(super) fn is_recoverable(&self) -> bool {
        self.options.point_in_time_recovery == Some(PointInTimeRecovery::Enabled)
    }

    /// Its identity among the tables that had or will have its name.
    pub(crate) fn table_id(&self, table: &SchemaObject) -> TableId {
        TableId::new(table.clone(), self.created)
    }

    /// The columns that are being added.
    pub(crate) fn added_columns(&self) -> &[String] {
        match &self.changing {
            Some(ChangeInProgress::Columns(names)) => names,
            _ => &[],
        }
    }

    /// The Region that a keyspace is getting.
    pub(crate) fn added_region(&self) -> Option<&str> {
        match &self.changing {
            Some(ChangeInProgress::Region(region)) => Some(region),
            _ => None,
        }
    }

    /// The status of a table's CDC stream: `ENABLED`, `ENABLING` or `DISABLING`; `None` for a disabled one
    /// (DG:keyspaces-delete-cdc).
    pub(crate) fn stream_status(&self) -> Option<&'static str> {
        let is_on = matches!(self.options.cdc, Some(Cdc::On(_)));
        match (is_on, self.changing == Some(ChangeInProgress::Stream)) {
            (true, true) => Some("ENABLING"),
            (true, false) => Some("ENABLED"),
            (false, true) => Some("DISABLING"),
            (false, false) => None,
        }
    }
}

impl ChangeInProgress {
    /// The text that is stored.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Region(region) => format!("region {region}"),
            Self::Key => "key".to_owned(),
            Self::Stream => "stream".to_owned(),
            Self::Columns(names) => format!("columns {}", serde_json::json!(names)),
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text.split_once(' ') {
            Some(("region", region)) => Some(Self::Region(region.to_owned())),
            Some(("columns", names)) => serde_json::from_str(names).ok().map(Self::Columns),
            None if text == "key" => Some(Self::Key),
            None if text == "stream" => Some(Self::Stream),
            _ => None,
        }
    }
}

impl ObjectStatus {
    /// The word in `system_schema_mcs`.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "CREATING",
            Self::Active => "ACTIVE",
            Self::Updating => "UPDATING",
            Self::Deleting => "DELETING",
            Self::Restoring => "RESTORING",
            Self::Inaccessible => "INACCESSIBLE_ENCRYPTION_CREDENTIALS",
        }
    }

    pub(crate) const ALL: [Self; 6] =
        [Self::Creating, Self::Active, Self::Updating, Self::Deleting, Self::Restoring, Self::Inaccessible];

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// A moment in milliseconds since 1970, as a RESTORE TABLE names it.
pub(super) fn restore_point(millis: u64) -> RestorePoint {
    RestorePoint::from_unix_millis(saturated::<i64>(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn creating(due: u64) -> CatalogueEntry {
        CatalogueEntry { status: ObjectStatus::Creating, due: Some(due), ..CatalogueEntry::default() }
    }

    #[test]
    fn changes_are_due_in_the_order_of_their_times() {
        let mut catalogue = Catalogue::default();
        catalogue.set(SchemaObject::table("a", "late"), creating(20));
        catalogue.set(SchemaObject::table("a", "soon"), creating(10));
        catalogue.set(SchemaObject::table("b", "active"), CatalogueEntry::default());
        assert_eq!(catalogue.next_due(), Some(10));
        assert_eq!(catalogue.due(9), []);
        let due: Vec<_> = catalogue.due(20).into_iter().map(|(object, _)| object.to_string()).collect();
        assert_eq!(due, ["table a.soon", "table a.late"]);
    }

    #[test]
    fn a_table_that_waits_for_its_rows_is_not_due() {
        let mut catalogue = Catalogue::default();
        let awaited_rows = PointInTimeRows { source: TableId::new(SchemaObject::table("a", "t"), 1), moment: 5 };
        let restoring = CatalogueEntry {
            status: ObjectStatus::Restoring,
            awaited_rows: Some(Arc::new(awaited_rows)),
            ..creating(10)
        };
        catalogue.set(SchemaObject::table("a", "restored"), restoring.clone());
        assert_eq!((catalogue.next_due(), catalogue.due(20)), (None, Vec::new()));
        assert_eq!(
            catalogue.restored_from(&SchemaObject::table("a", "t")),
            Some(&SchemaObject::table("a", "restored"))
        );
        assert_eq!(catalogue.restored_from(&SchemaObject::table("a", "restored")), None);
        let restored = CatalogueEntry { awaited_rows: None, ..restoring };
        catalogue.set(SchemaObject::table("a", "restored"), restored.clone());
        assert_eq!(catalogue.restored_from(&SchemaObject::table("a", "t")), None);
        assert_eq!(catalogue.due(20), [(SchemaObject::table("a", "restored"), restored)]);
    }

    #[test]
    fn dropping_a_keyspace_drops_its_objects() {
        let mut catalogue = Catalogue::default();
        for object in [
            SchemaObject::keyspace("a"),
            SchemaObject::table("a", "t"),
            SchemaObject::user_type("a", "y"),
            SchemaObject::table("b", "t"),
        ] {
            catalogue.set(object, CatalogueEntry::default());
        }
        assert_eq!(catalogue.within("a").count(), 2);
        catalogue.remove(&SchemaObject::keyspace("a"));
        assert_eq!(catalogue.get(&SchemaObject::table("a", "t")), None);
        assert!(catalogue.get(&SchemaObject::table("b", "t")).is_some());
    }

    #[test]
    fn words_round_trip() {
        for status in ObjectStatus::ALL {
            assert_eq!(ObjectStatus::parse(status.as_str()), Some(status));
        }
        for kind in [ObjectKind::Keyspace, ObjectKind::Table, ObjectKind::Type] {
            assert_eq!(ObjectKind::parse(kind.as_str()), Some(kind));
        }
        let columns = ChangeInProgress::Columns(vec!["a".into(), "two words, \"quoted\"".into()]);
        for changing in
            [ChangeInProgress::Region("eu-west-1".into()), ChangeInProgress::Key, ChangeInProgress::Stream, columns]
        {
            assert_eq!(ChangeInProgress::parse(&changing.text()), Some(changing));
        }
    }

    #[test]
    fn a_keyspace_dropped_with_its_tables_counts_as_one_definition_in_progress() {
        let mut catalogue = Catalogue::default();
        let in_progress = |status| CatalogueEntry { status, due: Some(1), ..CatalogueEntry::default() };
        catalogue.set(SchemaObject::keyspace("dropped"), in_progress(ObjectStatus::Deleting));
        catalogue.set(SchemaObject::keyspace("kept"), CatalogueEntry::default());
        for number in 0..60 {
            catalogue.set(SchemaObject::table("dropped", format!("t{number}")), in_progress(ObjectStatus::Deleting));
        }
        assert_eq!(catalogue.definitions_in_progress(), 1);
        catalogue.set(SchemaObject::table("kept", "t"), in_progress(ObjectStatus::Deleting));
        assert_eq!(catalogue.definitions_in_progress(), 2);
    }
}
