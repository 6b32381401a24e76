//! From one table to another of the same name.

use super::{Impossible, Left};
use crate::statement::{CqlType, Order};
use crate::table::{
    CapacityMode, CapacityScaling, Cdc, Column, Encryption, NewColumn, NewColumns, StreamTags, TableChange,
    TableDefinition, TableOptions, TableProperty, Tags, WarmThroughput, is_assigned_by_aws,
};
use crate::{QualifiedName, rules};

/// From one table to another of the same name; from [`TableDefinition::difference`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TableDifference {
    /// What is to be changed, in this order: what can be undone comes first.
    pub changes: Vec<TableChange>,
    /// What Keyspaces cannot do.
    pub impossible: Vec<Impossible>,
    /// What the other definition does not say, and stays.
    pub left: Vec<Left>,
}

impl TableDefinition {
    /// What makes `to` of this table, one change for each ALTER TABLE.
    ///
    /// Columns and key are those of `to`, whatever that takes. An option that `to` does not say is left as it is, and so are
    /// options that Keyspaces takes and ignores, since nothing shows what they are. Tags that are said are all tags there are
    /// to be, but for those that AWS itself sets (`aws:…`). Units that auto scaling moves by itself are no difference as long
    /// as they are within its bounds, and neither is a KMS key that is wanted by its alias where there is a key, since the
    /// service does not show what it was named by.
    ///
    /// ```
    /// use keyspaces_cql::{PointInTimeRecovery, TableDefinition};
    /// use keyspaces_cql::statement::NativeType;
    ///
    /// let table = || TableDefinition::builder("shop", "names").partition_key("id", NativeType::Int);
    /// let (there, to) = (table().build()?, table().with(PointInTimeRecovery::Enabled).build()?);
    /// let difference = there.difference(&to);
    /// let statements: Vec<_> = difference.changes.iter().map(|change| change.of(&there.table).to_string()).collect();
    /// assert_eq!(
    ///     statements,
    ///     ["ALTER TABLE shop.names WITH custom_properties = {'point_in_time_recovery': {'status': 'enabled'}}"]
    /// );
    /// assert_eq!(
    ///     difference.changes[0].marks(&there)[0].to_string(),
    ///     "costs money: what can be restored is stored beside the table (DG:PointInTimeRecovery)"
    /// );
    /// # Ok::<(), keyspaces_cql::TableError>(())
    /// ```
    #[must_use]
    pub fn difference(&self, to: &Self) -> TableDifference {
        let mut from =
            From { table: &self.table, first: Vec::new(), last: Vec::new(), found: TableDifference::default() };
        from.columns(self, to);
        from.options(&self.options, &to.options);
        let TableDifference { impossible, mut left, .. } = from.found;
        left.extend(unsaid(&self.table, &self.options, &to.options));
        let changes = from.first.into_iter().chain(from.last).collect();
        TableDifference { changes, impossible, left }
    }
}

struct From<'t> {
    table: &'t QualifiedName,
    /// What can be undone.
    first: Vec<TableChange>,
    last: Vec<TableChange>,
    found: TableDifference,
}

impl From<'_> {
    fn impossible(&mut self, what: String, advice: &'static str, source: &'static str) {
        let subject = format!("the table {}", self.table);
        self.found.impossible.push(Impossible { subject, what, advice, source });
    }

    fn columns(&mut self, there: &TableDefinition, to: &TableDefinition) {
        if key(there) != key(to) {
            let what = format!("making its key {} of {}", key(to), key(there));
            self.impossible(what, "Create another table, and copy the rows to it.", "DG:cql.ddl.table");
        }
        let mut more = Vec::new();
        for column in &to.columns {
            match find(there, column) {
                Some(is) if !is.column_type.is_the_same_as(&column.column_type) => {
                    let (name, from, to) = (&column.name, &is.column_type, &column.column_type);
                    let what = format!("making {to} of the type {from} of its column {name}");
                    self.impossible(what, rules::ALTER_COLUMN_TYPE.advice, rules::ALTER_COLUMN_TYPE.source);
                }
                Some(is) if is.kind != column.kind && !is.kind.is_key() && !column.kind.is_key() => {
                    let word = if is.kind == crate::ColumnKind::Static { "regular" } else { "static" };
                    let what = format!("making its column {} {word}", column.name);
                    self.impossible(what, rules::ALTER_COLUMN_TYPE.advice, rules::ALTER_COLUMN_TYPE.source);
                }
                // Told with the key.
                None if column.kind.is_key() => {}
                None if column.kind == crate::ColumnKind::Static => {
                    let what = format!("adding its static column {}", column.name);
                    let advice = "Create another table with it, and copy the rows to it.";
                    self.impossible(what, advice, "not in the grammar of DG:cql.ddl.table");
                }
                None => more.push(NewColumn {
                    name: column.name.clone(),
                    column_type: column.column_type.clone(),
                    is_static: false,
                }),
                Some(_) => {}
            }
        }
        for column in there.columns.iter().filter(|column| !column.kind.is_key() && find(to, column).is_none()) {
            let what = format!("dropping its column {}", column.name);
            self.impossible(what, rules::DROP_COLUMN.advice, rules::DROP_COLUMN.source);
        }
        self.last.extend(NewColumns::new(more).map(TableChange::AddColumns));
    }

    fn options(&mut self, there: &TableOptions, to: &TableOptions) {
        // By name, so that an option that is not compared here does not compile.
        let TableOptions {
            capacity_mode,
            warm_throughput,
            point_in_time_recovery,
            encryption,
            client_side_timestamps,
            replica_capacity,
            cdc,
            stream_tags,
            auto_scaling,
            tags,
            comment,
            // In `time_to_live`.
            ttl: _,
            default_time_to_live: _,
            // Keyspaces ignores them.
            ignored: _,
        } = to;
        let is = there.capacity_mode.unwrap_or_default();
        let wanted = capacity_mode.map_or(is, |wanted| within_bounds(is, wanted, there, to));
        if wanted != is {
            self.first.push(set(wanted));
        }
        if let Some(wanted) = auto_scaling {
            let is = there.auto_scaling.clone().unwrap_or_default();
            let after = wanted.clone().over(Some(is.clone()));
            if after.in_effect() != is.in_effect() {
                self.first.push(set(after));
            }
        }
        if let Some(wanted) = replica_capacity {
            let is = there.replica_capacity.clone().unwrap_or_default();
            let mut after = is.clone();
            after.extend(wanted.clone());
            if after != is {
                self.first.push(TableChange::Set(TableProperty::ReplicaCapacity(after)));
            }
        }
        if let Some(wanted) = tags {
            self.tags(there.tags.as_ref().unwrap_or(&Tags::new()), wanted);
        }
        if let Some(wanted) = encryption {
            let is = there.encryption.clone().unwrap_or_default();
            if !wanted.may_be_shown_as(&is) {
                self.first.push(set(wanted.clone()));
            } else if let (Encryption::CustomerManagedKey(key), Encryption::CustomerManagedKey(alias)) = (is, wanted)
                && key != *alias
            {
                self.found.left.push(Left::Key { table: self.table.clone(), key, alias: alias.clone() });
            }
        }
        if let Some(wanted) = *point_in_time_recovery
            && wanted != there.point_in_time_recovery.unwrap_or_default()
        {
            let change = set(wanted);
            if wanted == crate::PointInTimeRecovery::Enabled { &mut self.first } else { &mut self.last }.push(change);
        }
        self.time_to_live(there, to);
        let stream = there.cdc.unwrap_or_default();
        match (stream, cdc.unwrap_or(stream)) {
            (is, wanted) if is == wanted => {}
            (Cdc::Off, wanted) => {
                self.first.push(set(wanted));
                let tags = match stream_tags {
                    Some(StreamTags::OfTable) => tags.clone().or_else(|| there.tags.clone()),
                    Some(StreamTags::Own(tags)) => Some(tags.clone()),
                    None => None,
                };
                self.first.extend(tags.filter(|tags| !tags.is_empty()).map(TableChange::AddStreamTags));
            }
            // A stream keeps its view type as long as it is on.
            (Cdc::On(_), Cdc::On(view)) => self.last.extend([set(Cdc::Off), set(Cdc::On(view))]),
            (Cdc::On(_), Cdc::Off) => self.last.push(set(Cdc::Off)),
        }
        self.warm_throughput(there.warm_throughput, *warm_throughput);
        if let (None, Some(wanted)) = (there.client_side_timestamps, *client_side_timestamps) {
            self.last.push(set(wanted));
        }
        if let Some(wanted) = comment
            && wanted != there.comment.as_deref().unwrap_or_default()
        {
            self.first.push(TableChange::Set(TableProperty::Comment(wanted.clone())));
        }
    }

    fn time_to_live(&mut self, there: &TableOptions, to: &TableOptions) {
        let seconds = there.default_time_to_live.unwrap_or_default();
        let wanted = to.default_time_to_live.unwrap_or(seconds);
        if wanted != seconds {
            let change = TableChange::Set(TableProperty::DefaultTimeToLive(wanted));
            if there.has_ttl() { &mut self.first } else { &mut self.last }.push(change);
        } else if let (false, Some(ttl)) = (there.has_ttl(), to.ttl) {
            self.last.push(set(ttl));
        }
    }

    fn warm_throughput(&mut self, there: Option<WarmThroughput>, to: Option<WarmThroughput>) {
        let Some(wanted) = to.map(|to| to.over(there)).filter(|wanted| Some(*wanted) != there) else { return };
        let is_lower = |is: Option<u32>, wanted: Option<u32>| is.zip(wanted).is_some_and(|(is, wanted)| wanted < is);
        match there {
            Some(is) if is_lower(is.read, wanted.read) || is_lower(is.write, wanted.write) => {
                let units =
                    |side: Option<u32>| side.map_or_else(|| "an unknown number of".to_owned(), |of| of.to_string());
                let what = format!(
                    "lowering its warm throughput from {} reads and {} writes a second to {} and {}",
                    units(is.read),
                    units(is.write),
                    units(wanted.read),
                    units(wanted.write)
                );
                self.impossible(what, "Ask for no less than there is.", "DG:warm-throughput");
            }
            _ => self.last.push(set(wanted)),
        }
    }

    fn tags(&mut self, there: &Tags, to: &Tags) {
        let (more, less) = differing(there, to);
        if !more.is_empty() {
            self.first.push(TableChange::AddTags(more));
        }
        if !less.is_empty() {
            self.first.push(TableChange::DropTags(less));
        }
    }
}

/// Tags that are to be more or to have other values, and those that are to be less. AWS's own stay.
pub(super) fn differing(there: &Tags, to: &Tags) -> (Tags, Tags) {
    let only_in = |one: &Tags, is_same: &dyn Fn(&str, &str) -> bool| {
        let other = one.iter().filter(|(key, value)| !is_same(key, value));
        other.map(|(key, value)| (key.clone(), value.clone())).collect::<Tags>()
    };
    let more = only_in(to, &|key, value| there.get(key).is_some_and(|is| is == value));
    let less = only_in(there, &|key, _| to.contains_key(key) || is_assigned_by_aws(key));
    (more, less)
}

/// What is said, with the units as they are where auto scaling moves them between bounds that hold before and after.
fn within_bounds(is: CapacityMode, wanted: CapacityMode, there: &TableOptions, to: &TableOptions) -> CapacityMode {
    let (CapacityMode::Provisioned { read, write }, CapacityMode::Provisioned { read: reads, write: writes }) =
        (is, wanted)
    else {
        return wanted;
    };
    let before = there.auto_scaling.clone().unwrap_or_default();
    let after = to.auto_scaling.clone().unwrap_or_default().over(Some(before.clone()));
    let moved = |is: u32, wanted: u32, before, after| match (before, after) {
        (Some(CapacityScaling::Target(_)), Some(CapacityScaling::Target(bounds)))
            if (bounds.minimum..=bounds.maximum).contains(&is) =>
        {
            is
        }
        _ => wanted,
    };
    CapacityMode::Provisioned {
        read: moved(read, reads, before.read, after.read),
        write: moved(write, writes, before.write, after.write),
    }
}

/// The options that are not as they would be if nobody had said anything, and that `to` does not say.
fn unsaid(table: &QualifiedName, there: &TableOptions, to: &TableOptions) -> Vec<Left> {
    let said = to.properties();
    let stays = there.properties().into_iter().filter(|property| {
        let is_default = property.is_default(to);
        let kind = std::mem::discriminant(property);
        !is_default && said.iter().all(|said| std::mem::discriminant(said) != kind)
    });
    stays.map(|property| Left::Option { table: table.clone(), property }).collect()
}

fn set(property: impl Into<TableProperty>) -> TableChange {
    TableChange::Set(property.into())
}

fn find<'t>(table: &'t TableDefinition, column: &Column) -> Option<&'t Column> {
    table.columns.iter().find(|there| there.name.text == column.name.text)
}

/// `((device, day), at DESC)`
fn key(table: &TableDefinition) -> String {
    let partition = table.partition_key.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let clustering = table.clustering_columns.iter().map(|by| match by.order {
        Order::Ascending => format!(", {}", by.column),
        Order::Descending => format!(", {} DESC", by.column),
    });
    format!("(({partition}){})", clustering.collect::<String>())
}

impl TableDifference {
    /// The same in a keyspace of several Regions.
    pub(super) fn in_several_regions(mut self, table: &QualifiedName) -> Self {
        let is_ttl = |change: &TableChange| {
            matches!(change, TableChange::Set(TableProperty::Ttl(_) | TableProperty::DefaultTimeToLive(_)))
        };
        let (ttl, others): (Vec<_>, Vec<_>) = self.changes.into_iter().partition(is_ttl);
        self.changes = others;
        self.impossible.extend(ttl.into_iter().map(|change| Impossible {
            subject: format!("the table {table}"),
            what: match change {
                TableChange::Set(TableProperty::DefaultTimeToLive(seconds)) => {
                    format!("making its default_time_to_live {seconds} in a keyspace of several Regions")
                }
                _ => "turning TTL on in a keyspace of several Regions".to_owned(),
            },
            advice: "Create another table with it, and copy the rows to it.",
            source: "DG:multiRegion-replication_usage-notes",
        }));
        self
    }
}

impl CqlType {
    /// Whether it means the same type in the same keyspace, whose name may be said or not.
    pub(super) fn is_the_same_as(&self, other: &Self) -> bool {
        self.bare().in_its_keyspace() == other.bare().in_its_keyspace()
    }
}
