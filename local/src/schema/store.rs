//! What an instance keeps in Cassandra beside its clients' data.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use keyspaces_cql::statement::{AlterTable, AlterTableChange, Constant, ConstantKind, Term, TermKind};
use keyspaces_cql::{
    Name, QualifiedName, ShownColumn, Span, Statement, TableDefinition, TableOptions, TableProperty, Ttl, parse,
};
use serde_json::{Value, json};

use super::catalogue::{Catalogue, Changing, Entry, Pending, RowsOf, Status};
use super::mirror::Mirror;
use super::past::Past;
use crate::names::{Names, ObjectKind, SchemaObject, TableId, quoted, system_tables};
use crate::topology::{self, Node, Topology};
use crate::upstream::{Failed, InternalConnection};

/// The inner keyspace of an instance.
#[derive(Debug)]
pub(super) struct Store<'a> {
    pub(super) own: &'a InternalConnection,
    pub(super) names: &'a Names,
}

/// Why a Cassandra cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    /// It refused, or was not there.
    #[error(transparent)]
    Failed(#[from] Failed),
    /// Its tokens are not those that clients would be told of.
    #[error("Cassandra runs with {found}, and the partitioner that was set needs {wanted}")]
    Partitioner { found: String, wanted: &'static str },
    /// What was written down of a thing is not what this program writes.
    #[error(
        "what Cassandra keeps of this instance cannot be read: {what} of {row}; start the version that wrote it, or \
         another instance"
    )]
    State { what: &'static str, row: String },
}

impl Store<'_> {
    /// Makes the inner keyspace and its tables where they are not, writes what `topology` says, and gives Cassandra's
    /// data center.
    pub(super) async fn prepare(&self, topology: &Topology) -> Result<String, Unusable> {
        let rows = self.own.select("SELECT JSON data_center, partitioner FROM system.local", &[]).await?;
        let text = |field: &str| rows.first().and_then(|row| row.get(field)?.as_str()).unwrap_or_default().to_owned();
        let (data_center, found) = (text("data_center"), text("partitioner"));
        let wanted = topology.partitioner.class_in_cassandra();
        if found != wanted {
            return Err(Unusable::Partitioner { found, wanted });
        }
        let inner = self.names.inner();
        let replication = one_copy(&data_center);
        self.own.run(&format!("CREATE KEYSPACE IF NOT EXISTS {inner} WITH replication = {replication}"), &[]).await?;
        for table in system_tables::ALL {
            let name = self.names.system_table(table);
            self.own.run(&format!("CREATE TABLE IF NOT EXISTS {name} ({})", table.columns), &[]).await?;
        }
        let state = self.state();
        let columns = "keyspace_name text, kind text, name text, status text, due bigint, options text, \
             regions frozen<list<text>>, created bigint, on_demand_since bigint, decreases frozen<list<bigint>>, \
             PRIMARY KEY (keyspace_name, kind, name)";
        self.own.run(&format!("CREATE TABLE IF NOT EXISTS {state} ({columns})"), &[]).await?;
        // Not among the columns above: the table may be of a version that did not have them.
        let later = "pending text, before text, key_changes frozen<list<bigint>>, changing text, stream_since bigint, \
                     rows_of text";
        self.own.run(&format!("ALTER TABLE {state} ADD IF NOT EXISTS ({later})"), &[]).await?;
        Past { own: self.own, names: self.names }.prepare().await?;
        self.write_topology(topology).await?;
        self.mirror(&topology.region).show_system().await?;
        Ok(data_center)
    }

    /// What was there when the last gateway over this instance ended. What Cassandra has and nobody wrote down, because
    /// somebody else made it, is there; what it has no more is gone; what that gateway left half done is finished. What is
    /// in a keyspace that is being dropped goes with it.
    pub(super) async fn load(&self, now: u64, region: &str) -> Result<Catalogue, Unusable> {
        let mirror = self.mirror(region);
        let mut catalogue = Catalogue::default();
        let mut saved = BTreeSet::new();
        let rows = self.own.select(&format!("SELECT JSON * FROM {}", self.state()), &[]).await?;
        let written: Vec<(SchemaObject, Entry)> = rows.iter().map(entry).collect::<Result<_, _>>()?;
        for (thing, _) in &written {
            // What Cassandra calls a long name tells the name only to who has asked for it once.
            self.names.keyspace(&thing.keyspace);
        }
        let mut finished = Vec::new();
        for (thing, entry) in written {
            let was_pending = entry.pending.is_some();
            let Some(entry) = self.finished(&thing, entry).await? else { continue };
            match (was_pending, thing.kind, entry.status) {
                (_, ObjectKind::Keyspace, _) => {}
                (_, _, Status::Deleting) => mirror.show_status(&thing, &entry).await?,
                (true, ..) => mirror.show(&thing, &entry).await?,
                (false, ..) => {}
            }
            finished.push((thing, entry));
        }
        let there = self.things_in_cassandra().await?;
        let dropped: BTreeMap<String, Option<u64>> = finished
            .iter()
            .filter(|(thing, entry)| thing.kind == ObjectKind::Keyspace && entry.status == Status::Deleting)
            .map(|(keyspace, entry)| (keyspace.keyspace.clone(), entry.due))
            .collect();
        for (thing, mut entry) in finished {
            if let Some(due) = dropped.get(&thing.keyspace).filter(|_| entry.status != Status::Deleting) {
                entry = Entry { status: Status::Deleting, due: *due, ..entry };
                mirror.show_status(&thing, &entry).await?;
                self.save(&thing, &entry).await?;
            }
            if entry.status == Status::Deleting || there.contains(&thing) {
                saved.insert(thing.clone());
                catalogue.set(thing, entry);
            } else {
                mirror.hide(&thing).await?;
                self.forget(&thing).await?;
            }
        }
        for thing in there {
            if !saved.contains(&thing) {
                let options = match thing.kind {
                    ObjectKind::Table => self.options_in_cassandra(&thing).await?,
                    ObjectKind::Keyspace | ObjectKind::Type => TableOptions::default(),
                };
                let active = Entry { options: Arc::new(options), created: now, ..Entry::default() };
                mirror.show(&thing, &active).await?;
                self.save(&thing, &active).await?;
                catalogue.set(thing, active);
            }
        }
        Ok(catalogue)
    }

    pub(super) async fn save(&self, thing: &SchemaObject, entry: &Entry) -> Result<(), Failed> {
        self.own.insert(&self.state(), &state_row(thing, entry)).await
    }

    /// What is known of a thing once nothing of it is pending any more, and writes it down; nothing if it never came to
    /// be.
    pub(super) async fn finished(&self, thing: &SchemaObject, entry: Entry) -> Result<Option<Entry>, Failed> {
        let Some(pending) = entry.pending.clone() else { return Ok(Some(entry)) };
        let is_done = self.is_done(thing, &entry).await?;
        let entry = if is_done { Some(Entry { pending: None, ..entry }) } else { pending.before.clone() };
        match &entry {
            Some(entry) => self.save(thing, entry).await?,
            None => self.forget(thing).await?,
        }
        Ok(entry)
    }

    /// Tells Cassandra once more what is pending, and says whether it is done. Cassandra refuses what it has done already,
    /// and what it cannot do: its schema tells these apart.
    pub(super) async fn is_done(&self, thing: &SchemaObject, entry: &Entry) -> Result<bool, Failed> {
        let Some(pending) = &entry.pending else { return Ok(true) };
        match self.own.run(&pending.text, &[]).await {
            Ok(()) => return Ok(true),
            Err(Failed::Refused { .. }) => {}
            Err(failed) => return Err(failed),
        }
        match entry.status {
            Status::Creating | Status::Restoring => Ok(self.things_in_cassandra().await?.contains(thing)),
            Status::Deleting => Ok(!self.things_in_cassandra().await?.contains(thing)),
            Status::Active | Status::Updating | Status::Inaccessible => self.has_columns(thing, &pending.text).await,
        }
    }

    /// Whether a table has the columns that an ALTER TABLE adds; false of every other statement.
    async fn has_columns(&self, table: &SchemaObject, alter: &str) -> Result<bool, Failed> {
        let Ok(Statement::AlterTable(AlterTable { change: AlterTableChange::Add(added), .. })) = parse(alter) else {
            return Ok(false);
        };
        let statement = "SELECT JSON column_name FROM system_schema.columns WHERE keyspace_name = ? AND table_name = ?";
        let rows = self.own.select(statement, &[&self.names.keyspace(&table.keyspace), &table.name]).await?;
        let has = |name: &Name| rows.iter().any(|row| row["column_name"] == name.text.as_str());
        Ok(added.iter().all(|column| has(&column.name)))
    }

    pub(super) async fn forget(&self, thing: &SchemaObject) -> Result<(), Failed> {
        let all = format!("DELETE FROM {} WHERE keyspace_name = ?", self.state());
        match thing.kind {
            ObjectKind::Keyspace => self.own.run(&all, &[&thing.keyspace]).await,
            kind => {
                let one = format!("{all} AND kind = ? AND name = ?");
                self.own.run(&one, &[&thing.keyspace, kind.word(), &thing.name]).await
            }
        }
    }

    /// A table with these options, if Cassandra has it.
    pub(super) async fn table(
        &self,
        table: &SchemaObject,
        options: &TableOptions,
    ) -> Result<Option<TableDefinition>, Failed> {
        let statement = "SELECT JSON column_name, type, kind, position, clustering_order FROM system_schema.columns WHERE \
                         keyspace_name = ? AND table_name = ?";
        let rows = self.own.select(statement, &[&self.names.keyspace(&table.keyspace), &table.name]).await?;
        definition_of(table, options, &rows, statement)
    }

    /// What Cassandra knows of a table's options: a default time to live turns TTL on (DG:TTL-how-to-create-table).
    async fn options_in_cassandra(&self, table: &SchemaObject) -> Result<TableOptions, Failed> {
        let statement =
            "SELECT JSON default_time_to_live FROM system_schema.tables WHERE keyspace_name = ? AND table_name = ?";
        let rows = self.own.select(statement, &[&self.names.keyspace(&table.keyspace), &table.name]).await?;
        let ttl = rows.iter().find_map(|row| u32::try_from(row["default_time_to_live"].as_u64()?).ok());
        let options = TableOptions::default();
        let seconds = ttl.filter(|seconds| *seconds > 0).map(TableProperty::DefaultTimeToLive);
        Ok(match seconds {
            Some(seconds) => options.and(seconds).and(Ttl::Enabled),
            None => options,
        })
    }

    fn mirror<'a>(&'a self, region: &'a str) -> Mirror<'a> {
        Mirror { own: self.own, names: self.names, region, history: None }
    }

    /// Drops the instance's keyspaces, the inner one last: as long as it is there, what is left can be found.
    pub(super) async fn drop_everything(&self) -> Result<(), Failed> {
        for keyspace in self.keyspaces_in_cassandra().await? {
            self.own.run(&format!("DROP KEYSPACE IF EXISTS {}", quoted(&keyspace)), &[]).await?;
        }
        self.own.run(&format!("DROP KEYSPACE IF EXISTS {}", self.names.inner()), &[]).await
    }

    pub(super) async fn write_topology(&self, topology: &Topology) -> Result<(), Failed> {
        let table = |name| system_tables::find("system", name).map(|table| self.names.system_table(table));
        let (Some(local), Some(peers)) = (table("local"), table("peers")) else { return Ok(()) };
        self.own.insert(&local, &local_row(topology)).await?;
        let now: Vec<Value> = topology.peers.iter().map(|peer| peer_row(topology, peer)).collect();
        for before in self.own.select(&format!("SELECT JSON peer FROM {peers}"), &[]).await? {
            if let Some(peer) = before["peer"].as_str().filter(|_| now.iter().all(|row| row["peer"] != before["peer"]))
            {
                self.own.run(&format!("DELETE FROM {peers} WHERE peer = '{peer}'"), &[]).await?;
            }
        }
        self.own.insert_all(&peers, now.into_iter()).await
    }

    async fn keyspaces_in_cassandra(&self) -> Result<Vec<String>, Failed> {
        let prefix = self.names.prefix();
        let rows = self.own.select("SELECT JSON keyspace_name FROM system_schema.keyspaces", &[]).await?;
        let names = rows.iter().filter_map(|row| row["keyspace_name"].as_str());
        Ok(names.filter(|name| name.starts_with(&prefix)).map(str::to_owned).collect())
    }

    async fn things_in_cassandra(&self) -> Result<BTreeSet<SchemaObject>, Failed> {
        let mut things = BTreeSet::new();
        for upstream in self.keyspaces_in_cassandra().await? {
            let keyspace = self.names.restored_keyspace(&upstream).into_owned();
            for (table, key, kind) in
                [("tables", "table_name", ObjectKind::Table), ("types", "type_name", ObjectKind::Type)]
            {
                let statement = format!("SELECT JSON {key} FROM system_schema.{table} WHERE keyspace_name = ?");
                for row in self.own.select(&statement, &[&upstream]).await? {
                    let name = row[key].as_str().unwrap_or_default().to_owned();
                    things.insert(SchemaObject { keyspace: keyspace.clone(), kind, name });
                }
            }
            things.insert(SchemaObject::keyspace(keyspace));
        }
        Ok(things)
    }

    fn state(&self) -> String {
        format!("{}.things", self.names.inner())
    }
}

/// The table that the rows of a table of columns show, with these options; nothing if there are none.
pub(super) fn definition_of(
    table: &SchemaObject,
    options: &TableOptions,
    rows: &[Value],
    statement: &str,
) -> Result<Option<TableDefinition>, Failed> {
    if rows.is_empty() {
        return Ok(None);
    }
    let columns = rows.iter().map(|row| {
        let text = |column: &str| row[column].as_str().unwrap_or_default().to_owned();
        ShownColumn {
            name: text("column_name"),
            column_type: text("type"),
            kind: text("kind"),
            position: row["position"].as_i64().and_then(|position| position.try_into().ok()).unwrap_or(-1),
            clustering_order: text("clustering_order"),
        }
    });
    let name = QualifiedName::new(&table.keyspace, &table.name);
    let definition = TableDefinition::from_columns(name, columns);
    let definition = definition.map_err(|none| Failed::Unreadable(format!("{statement}: {none}")))?;
    Ok(Some(TableDefinition { options: options.clone(), ..definition }))
}

/// One copy, which is all that the Cassandra behind can have.
pub(super) fn one_copy(data_center: &str) -> Term {
    let constant = |kind, text: &str| {
        let kind = TermKind::Constant(Constant { kind, text: text.to_owned() });
        Term { kind, span: Span::default() }
    };
    let text = |text| constant(ConstantKind::String, text);
    let entries = vec![
        (text("class"), text("NetworkTopologyStrategy")),
        (text(data_center), constant(ConstantKind::Integer, "1")),
    ];
    Term { kind: TermKind::Map(entries), span: Span::default() }
}

fn state_row(thing: &SchemaObject, entry: &Entry) -> Value {
    let pending = entry.pending.as_deref();
    json!({
        "keyspace_name": thing.keyspace,
        "kind": thing.kind.word(),
        "name": thing.name,
        "status": entry.status.word(),
        "due": entry.due,
        "options": options_text(&entry.options),
        "regions": entry.regions,
        "created": entry.created,
        "on_demand_since": entry.on_demand_since,
        "decreases": entry.decreases,
        "key_changes": entry.key_changes,
        "changing": entry.changing.as_ref().map(Changing::text),
        "stream_since": entry.stream_since,
        "pending": pending.map(|pending| &pending.text),
        "rows_of": entry.rows_of.as_deref().map(|RowsOf { source, moment }| {
            let TableId { table, created } = source;
            json!([table.keyspace, table.name, created, moment]).to_string()
        }),
        "before": pending.and_then(|pending| Some(state_row(thing, pending.before.as_ref()?).to_string())),
    })
}

fn entry(row: &Value) -> Result<(SchemaObject, Entry), Unusable> {
    let unreadable = |what| Unusable::State { what, row: row.to_string() };
    let text = |field: &str| row.get(field)?.as_str();
    let needed = |field| text(field).ok_or_else(|| unreadable(field));
    let thing = SchemaObject {
        keyspace: needed("keyspace_name")?.into(),
        kind: ObjectKind::of(needed("kind")?).ok_or_else(|| unreadable("kind"))?,
        name: needed("name")?.into(),
    };
    let before = || -> Result<Option<Entry>, Unusable> {
        let Some(before) = text("before") else { return Ok(None) };
        let before = serde_json::from_str(before).map_err(|_| unreadable("before"))?;
        Ok(Some(entry(&before)?.1))
    };
    let pending = match text("pending") {
        Some(text) => Some(Arc::new(Pending { text: text.to_owned(), before: before()? })),
        None => None,
    };
    let rows_of = match text("rows_of") {
        Some(text) => {
            let (keyspace, table, created, moment): (String, String, u64, u64) =
                serde_json::from_str(text).map_err(|_| unreadable("rows_of"))?;
            Some(Arc::new(RowsOf { source: TableId::new(SchemaObject::table(keyspace, table), created), moment }))
        }
        None => None,
    };
    let known = Entry {
        rows_of,
        status: Status::of(needed("status")?).ok_or_else(|| unreadable("status"))?,
        due: row.get("due").and_then(Value::as_u64),
        options: Arc::new(options_of(text("options").unwrap_or_default()).ok_or_else(|| unreadable("options"))?),
        regions: texts(&row["regions"]),
        created: row["created"].as_u64().unwrap_or_default(),
        on_demand_since: row["on_demand_since"].as_u64(),
        decreases: times(&row["decreases"]),
        key_changes: times(&row["key_changes"]),
        changing: text("changing").map(|text| Changing::of(text).ok_or_else(|| unreadable("changing"))).transpose()?,
        stream_since: row["stream_since"].as_u64(),
        pending,
    };
    Ok((thing, known))
}

/// Options in the words of CQL.
fn options_text(options: &TableOptions) -> String {
    let change = AlterTableChange::With(options.with_options());
    let table = QualifiedName { keyspace: None, name: Name::new("t") };
    AlterTable { span: Span::default(), if_exists: None, table, change }.to_string()
}

fn options_of(text: &str) -> Option<TableOptions> {
    // What says none at all is no CQL.
    if text.is_empty() || text == options_text(&TableOptions::default()) {
        return Some(TableOptions::default());
    }
    let Ok(Statement::AlterTable(AlterTable { change: AlterTableChange::With(options), .. })) = parse(text) else {
        return None;
    };
    TableOptions::read(&options).ok()
}

fn times(value: &Value) -> Vec<u64> {
    value.as_array().into_iter().flatten().filter_map(Value::as_u64).collect()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(|text| Some(text.as_str()?.to_owned())).collect()
}

fn local_row(topology: &Topology) -> Value {
    let Node { address, host_id, token } = &topology.local;
    json!({
        "key": "local",
        "bootstrapped": "COMPLETED",
        "broadcast_address": address,
        "cluster_name": "Amazon Keyspaces",
        "cql_version": topology::CQL_VERSION,
        "data_center": topology.region,
        "gossip_generation": 1,
        "host_id": host_id.to_string(),
        "listen_address": address,
        "native_protocol_version": "4",
        "partitioner": topology.partitioner.class(),
        "rack": topology.region,
        "release_version": topology::RELEASE,
        "rpc_address": address,
        "schema_version": topology.schema_version.to_string(),
        "thrift_version": "20.1.0",
        "tokens": [token],
    })
}

fn peer_row(topology: &Topology, Node { address, host_id, token }: &Node) -> Value {
    json!({
        "peer": address,
        "data_center": topology.region,
        "host_id": host_id.to_string(),
        "preferred_ip": null,
        "rack": topology.region,
        "release_version": topology::RELEASE,
        "rpc_address": address,
        "schema_version": topology.schema_version.to_string(),
        "tokens": [token],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_down_of_a_table_is_read_back() {
        let table = SchemaObject::table("ks", "restored");
        let before = Entry { created: 3, regions: vec!["us-east-1".to_owned()], ..Entry::default() };
        let pending = Pending { text: "CREATE TABLE t".to_owned(), before: Some(before) };
        let rows_of = RowsOf { source: TableId::new(SchemaObject::table("ks", "A table"), 7), moment: 9 };
        let known = Entry {
            status: Status::Restoring,
            due: Some(11),
            options: Arc::new(TableOptions::default().and(Ttl::Enabled)),
            created: 8,
            on_demand_since: Some(8),
            decreases: vec![1, 2],
            pending: Some(Arc::new(pending)),
            rows_of: Some(Arc::new(rows_of)),
            ..Entry::default()
        };
        assert_eq!(entry(&state_row(&table, &known)).unwrap(), (table, known));
    }
}
