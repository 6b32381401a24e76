//! The schema as the service has it: what is created, changed or dropped becomes so after a while, and
//! `system_schema_mcs` says how far it is.
//!
//! All of it is kept in the Cassandra behind, so that a gateway that starts again over the same instance goes on where
//! the last one ended.

mod arn;
mod catalogue;
mod definition;
mod delays;
mod described;
mod mirror;
mod past;
mod plan;
mod possible;
mod quotas;
mod recovery;
mod refused;
mod regions;
mod restore;
mod store;
mod user_types;

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use keyspaces_cql::{CapacityMode, Encryption, TableOptions};
use tokio::sync::{Mutex, Notify};

use crate::clock::{Clock, millis};
use crate::protocol::metadata::{is_schema_change, restored};
use crate::protocol::{Frame, Refusal, error_code, leaves_open};
use crate::recovery::RowHistory;
use crate::topology::Topology;
use crate::upstream::{Failed, InternalConnection};

use crate::names::{Names, ObjectKind, SchemaObject, system_tables};
pub(crate) use arn::Resource;
pub(crate) use catalogue::{Entry, Features, Status};
use definition::schema_change;
pub(crate) use definition::{Change, Definition};
pub use delays::Ddl;
pub(crate) use delays::Delays;
pub(crate) use described::DescribedTable;
pub(crate) use refused::{Cause, Refused, being};

use catalogue::{Catalogue, Changing, Pending};
use mirror::Mirror;
use plan::There;
use store::Store;
pub(crate) use store::Unusable;
use user_types::Uses;

/// The schema of one instance.
#[derive(Debug)]
pub(crate) struct Schema {
    names: Arc<Names>,
    own: InternalConnection,
    history: Box<dyn RowHistory>,
    data_center: String,
    settings: Settings,
    clock: Now,
    catalogue: RwLock<Catalogue>,
    next_due: AtomicU64,
    /// Held while something is changed: one change at a time.
    turn: Mutex<()>,
    /// Told when a table begins to wait for its rows.
    rows_wanted: Notify,
    /// Whether no more rows are to be brought back.
    is_closing: AtomicBool,
    /// What `earliest_restorable_timestamp` was last seen to show, in milliseconds since 1970.
    earliest_shown: std::sync::Mutex<HashMap<SchemaObject, u64>>,
    /// What the system tables say of the nodes.
    topology: std::sync::Mutex<Topology>,
}

/// What is set for an instance.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) delays: Delays,
    /// The Region that it stands for.
    pub(crate) region: String,
    /// The keys that the service may not use.
    pub(crate) inaccessible_keys: BTreeSet<String>,
    /// How many bytes the history of a table may have.
    pub(crate) history_bytes: u64,
}

/// What time it is, in milliseconds since 1970.
#[derive(Clone)]
struct Now(Clock);

impl Schema {
    /// Makes what an instance needs in Cassandra where it is not there, and gives Cassandra's data center.
    pub(crate) async fn prepare(
        own: &InternalConnection,
        names: &Names,
        topology: &Topology,
    ) -> Result<String, Unusable> {
        Store { own, names }.prepare(topology).await
    }

    /// Finds what this instance has in Cassandra, which was [prepared](Self::prepare) for it.
    pub(crate) async fn open(
        own: InternalConnection,
        names: Arc<Names>,
        data_center: String,
        topology: &Topology,
        settings: Settings,
        clock: Clock,
        history: Box<dyn RowHistory>,
    ) -> Result<Self, Unusable> {
        let clock = Now(clock);
        let catalogue = Store { own: &own, names: &names }.load(clock.millis(), &settings.region).await?;
        let schema = Self {
            names,
            history,
            data_center,
            settings,
            clock,
            next_due: AtomicU64::new(catalogue.next_due().unwrap_or(u64::MAX)),
            catalogue: RwLock::new(catalogue),
            turn: Mutex::new(()),
            rows_wanted: Notify::new(),
            is_closing: AtomicBool::new(false),
            earliest_shown: std::sync::Mutex::default(),
            topology: std::sync::Mutex::new(topology.clone()),
            own,
        };
        schema.go_on_recording().await?;
        for keyspace in schema.keyspaces() {
            schema.show_uses(&keyspace).await?;
        }
        Ok(schema)
    }

    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    /// The data center of the Cassandra behind, which replication must name.
    pub(crate) fn data_center(&self) -> &str {
        &self.data_center
    }

    /// What the system tables say of the nodes.
    pub(crate) fn topology(&self) -> Topology {
        self.topology.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes what the system tables say of the nodes.
    pub(crate) async fn show_topology(&self, topology: &Topology) -> Result<(), Failed> {
        let _turn = self.turn.lock().await;
        Store { own: &self.own, names: &self.names }.write_topology(topology).await?;
        *self.topology.lock().unwrap_or_else(PoisonError::into_inner) = topology.clone();
        Ok(())
    }

    /// Whether a thing is there, ready or not yet; what is being dropped is not.
    pub(crate) fn has(&self, thing: &SchemaObject) -> bool {
        self.entry(thing).is_some_and(|entry| entry.status != Status::Deleting)
    }

    /// Whether a keyspace can be used; otherwise the service's refusal.
    pub(crate) fn check_keyspace(&self, keyspace: &str) -> Result<(), Refusal> {
        let usable = system_tables::is_system(keyspace)
            || self.entry(&SchemaObject::keyspace(keyspace)).is_some_and(|entry| entry.is_usable());
        if usable { Ok(()) } else { Err(unconfigured(&SchemaObject::keyspace(keyspace))) }
    }

    /// Whether a table can be used, and has what the statement needs; otherwise the service's refusal.
    pub(crate) fn check_table(&self, table: &SchemaObject, needs: Features) -> Result<(), Refusal> {
        self.check_keyspace(&table.keyspace)?;
        let there = if system_tables::is_system(&table.keyspace) {
            system_tables::find(&table.keyspace, &table.name).map(|_| Features::default())
        } else {
            self.entry(table).filter(Entry::is_usable).map(|entry| entry.features())
        };
        let there = there.ok_or_else(|| unconfigured(table))?;
        if needs.ttl && !there.ttl {
            let rule = &keyspaces_cql::rules::TTL_OFF;
            return Err(Refusal { code: rule.error_code(), text: rule.text.unwrap_or(rule.refuses).into() });
        }
        if needs.timestamps && !there.timestamps {
            let text = format!(
                "keyspaces-local: client-side timestamps are not enabled for {table}: USING TIMESTAMP and WRITETIME \
                 need them (what the service says here is not known)"
            );
            return Err(Refusal { code: error_code::INVALID, text });
        }
        Ok(())
    }

    /// What is turned on for a table.
    pub(crate) fn features(&self, table: &SchemaObject) -> Features {
        self.entry(table).map(|entry| entry.features()).unwrap_or_default()
    }

    /// How much a table takes.
    pub(crate) fn capacity_mode(&self, table: &SchemaObject) -> CapacityMode {
        self.options(table).and_then(|options| options.capacity_mode).unwrap_or_default()
    }

    /// Brings up to date what is due. To be called before a statement looks at anything; it costs nothing where nothing
    /// is due. Gives whether a definition was finished with it that Cassandra was away for.
    pub(crate) async fn settle(&self) -> Result<bool, Failed> {
        if self.next_due.load(Ordering::Acquire) > self.clock.millis() {
            return Ok(false);
        }
        let _turn = self.turn.lock().await;
        self.settle_in_turn().await
    }

    /// The options of a table, if there is one.
    pub(crate) fn options(&self, table: &SchemaObject) -> Option<Arc<TableOptions>> {
        self.catalogue().get(table).map(|entry| entry.options)
    }

    /// Does what a definition says and gives Cassandra's answer, with the client's names.
    ///
    /// What is to become of it is written down first, with what Cassandra is to be told: a gateway that ends in between
    /// leaves what the next one finishes. Where Cassandra's answer is lost, it is told again.
    pub(crate) async fn define(&self, definition: &Definition) -> Result<Frame, Refused> {
        self.define_within(definition, self.settings.delays.of(definition.thing.kind, definition.change)).await
    }

    /// The same, and it is so at once.
    pub(crate) async fn define_at_once(&self, definition: &Definition) -> Result<Frame, Refused> {
        let answer = self.define_within(definition, 0).await?;
        self.settle().await?;
        Ok(answer)
    }

    async fn define_within(&self, definition: &Definition, delay_millis: u64) -> Result<Frame, Refused> {
        let _turn = self.turn.lock().await;
        self.settle_in_turn().await?;
        self.check(definition)?;
        let now = self.clock.millis();
        let restored = self.restored(definition, now).await?;
        let definition = restored.as_ref().map_or(definition, |(definition, _)| definition);
        self.check_types(&definition.types)?;
        let Definition { change, thing, conditional, text, .. } = definition;
        let before = self.entry(thing);
        let nothing_to_do = match change {
            // Cassandra says so: it exists already, or that is fine.
            Change::Create => before.is_some(),
            Change::Alter | Change::Drop => *conditional && before.is_none(),
            Change::Restore => false,
        };
        if nothing_to_do {
            return self.told(definition).await;
        }
        let mut there = self.there(definition, before.as_ref()).await?;
        there.restored = restored.as_ref().map(|(_, restored)| restored.clone());
        let mut after = self.catalogue().planned(definition, there, now, &self.settings.region)?;
        after.due = Some(now + delay_millis);
        after.pending = text.clone().map(|text| Arc::new(Pending { text, before: before.clone() }));
        let store = Store { own: &self.own, names: &self.names };
        store.save(thing, &after).await?;
        let answer = self.told(definition).await;
        let is_done = match &answer {
            Ok(answer) if !leaves_open(answer) => is_schema_change(answer),
            _ => match store.is_done(thing, &after).await {
                Ok(is_done) => is_done,
                // Told once more when it is due, or by the next gateway.
                Err(_) => {
                    self.set(thing, Some(after));
                    return answer;
                }
            },
        };
        if is_done {
            self.changed(definition, Entry { pending: None, ..after }, now).await?;
            return match answer {
                Ok(answer) if is_schema_change(&answer) => Ok(answer),
                _ => Ok(schema_change(*change, thing)),
            };
        }
        match before {
            Some(before) => store.save(thing, &before).await,
            None => store.forget(thing).await,
        }?;
        answer
    }

    /// What is there of what a definition is about.
    async fn there(&self, definition: &Definition, before: Option<&Entry>) -> Result<There, Failed> {
        let Definition { change, thing, types, .. } = definition;
        let mut there = There::default();
        if let (ObjectKind::Table, Change::Alter, Some(before)) = (thing.kind, change, before) {
            let store = Store { own: &self.own, names: &self.names };
            there.table = store.table(thing, &before.options).await?;
        }
        if !types.is_empty() {
            there.uses = Uses::read(&self.own, &self.names, &thing.keyspace).await?;
        }
        Ok(there)
    }

    /// Tells Cassandra its part of a definition; if there is none, the answer is that of one that changed something.
    async fn told(&self, definition: &Definition) -> Result<Frame, Refused> {
        let Definition { change, thing, text, .. } = definition;
        let Some(text) = text else { return Ok(schema_change(*change, thing)) };
        let answer = self.own.call(text, &[]).await.map_err(Failed::from)?;
        restored(answer, &*self.names).map_err(|error| Failed::Unreadable(error.to_string()).into())
    }

    /// Drops all that this instance has in Cassandra.
    pub(crate) async fn drop_everything(&self) -> Result<(), Failed> {
        let _turn = self.turn.lock().await;
        Store { own: &self.own, names: &self.names }.drop_everything().await
    }

    /// Shows that a change has begun.
    async fn changed(&self, definition: &Definition, after: Entry, now: u64) -> Result<(), Failed> {
        let Definition { change, thing, .. } = definition;
        let store = Store { own: &self.own, names: &self.names };
        let mut changes = vec![(thing.clone(), after.clone())];
        if thing.kind == ObjectKind::Keyspace && *change == Change::Drop {
            let catalogue = self.catalogue();
            changes.extend(catalogue.within(&thing.keyspace).map(|(within, before)| {
                (within.clone(), Entry { status: after.status, due: after.due, ..before.clone() })
            }));
        }
        let mirror = self.mirror();
        for (thing, entry) in changes {
            store.save(&thing, &entry).await?;
            match (thing.kind, change) {
                // A keyspace is shown when it is ready, and until it is gone (DG:keyspaces-create).
                (ObjectKind::Keyspace, Change::Create | Change::Drop) => {}
                (_, Change::Create | Change::Alter | Change::Restore) => mirror.show(&thing, &entry).await?,
                (_, Change::Drop) => mirror.show_status(&thing, &entry).await?,
            }
            if thing.kind == ObjectKind::Table {
                self.record(&thing, &entry, now).await?;
                mirror.add_to_history(&thing, &entry, *change, now).await?;
            }
            self.set(&thing, Some(entry));
        }
        self.rows_wanted.notify_one();
        // What is created or altered without naming a type changes nothing of what uses which.
        match change {
            Change::Create | Change::Alter
                if definition.types.is_empty() && definition.thing.kind != ObjectKind::Type =>
            {
                Ok(())
            }
            _ => self.show_uses(&definition.thing.keyspace).await,
        }
    }

    fn keyspaces(&self) -> Vec<String> {
        let catalogue = self.catalogue();
        let keyspaces = catalogue.all().filter(|(thing, _)| thing.kind == ObjectKind::Keyspace);
        keyspaces.map(|(thing, _)| thing.keyspace.clone()).collect()
    }

    /// Shows what uses which types, if a keyspace has any.
    async fn show_uses(&self, keyspace: &str) -> Result<(), Failed> {
        let types: Vec<String> = {
            let catalogue = self.catalogue();
            let within = catalogue.within(keyspace);
            let types = within.filter(|(thing, of)| thing.kind == ObjectKind::Type && of.status != Status::Deleting);
            types.map(|(thing, _)| thing.name.clone()).collect()
        };
        if types.is_empty() {
            return Ok(());
        }
        let uses = Uses::read(&self.own, &self.names, keyspace).await?;
        self.mirror().show_uses(keyspace, &types, &uses).await
    }

    async fn settle_in_turn(&self) -> Result<bool, Failed> {
        let now = self.clock.millis();
        let due = self.catalogue().due(now);
        let (store, mirror) = (Store { own: &self.own, names: &self.names }, self.mirror());
        let mut finished = BTreeSet::new();
        for (thing, entry) in due {
            let pending = entry.pending.clone();
            finished.extend(pending.as_ref().map(|_| thing.keyspace.clone()));
            let Some(entry) = store.finished(&thing, entry).await? else {
                self.set(&thing, None);
                continue;
            };
            if entry.rows_of.is_some() {
                mirror.show(&thing, &entry).await?;
                self.set(&thing, Some(entry));
                self.rows_wanted.notify_one();
                continue;
            }
            let is_late = pending.is_some_and(|pending| pending.before.as_ref() != Some(&entry));
            if thing.kind == ObjectKind::Table && (is_late || self.is_missing_in_history(&thing, &entry)) {
                self.record(&thing, &entry, now).await?;
                self.set(&thing, Some(entry.clone()));
            }
            if entry.status == Status::Deleting {
                mirror.hide(&thing).await?;
                store.forget(&thing).await?;
                self.set(&thing, None);
                continue;
            }
            if !self.can_be_restored(&thing, &entry) {
                continue;
            }
            let gets_a_region = matches!(entry.changing, Some(Changing::Region(_)));
            let settled = self.with_its_key(entry.settled());
            // All of it: a gateway may have ended after the definition and before it was shown.
            mirror.show(&thing, &settled).await?;
            if gets_a_region {
                let within: Vec<_> = {
                    let catalogue = self.catalogue();
                    let within = catalogue.within(&thing.keyspace);
                    within.map(|(within, entry)| (within.clone(), entry.clone())).collect()
                };
                for (within, entry) in within {
                    mirror.show(&within, &entry).await?;
                }
            }
            store.save(&thing, &settled).await?;
            self.set(&thing, Some(settled));
        }
        for keyspace in &finished {
            self.show_uses(keyspace).await?;
        }
        Ok(!finished.is_empty())
    }

    /// A table whose key the service may not use is inaccessible.
    fn with_its_key(&self, entry: Entry) -> Entry {
        match &entry.options.encryption {
            Some(Encryption::CustomerManagedKey(key)) if self.settings.inaccessible_keys.contains(key) => {
                Entry { status: Status::Inaccessible, ..entry }
            }
            _ => entry,
        }
    }

    fn mirror(&self) -> Mirror<'_> {
        let history = Some((&*self.history, self.clock.millis()));
        Mirror { own: &self.own, names: &self.names, region: &self.settings.region, history }
    }

    fn catalogue(&self) -> RwLockReadGuard<'_, Catalogue> {
        self.catalogue.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn entry(&self, thing: &SchemaObject) -> Option<Entry> {
        self.catalogue().get(thing)
    }

    fn set(&self, thing: &SchemaObject, entry: Option<Entry>) {
        let mut catalogue = self.catalogue.write().unwrap_or_else(PoisonError::into_inner);
        match entry {
            Some(entry) => catalogue.set(thing.clone(), entry),
            None => catalogue.remove(thing),
        }
        self.next_due.store(catalogue.next_due().unwrap_or(u64::MAX), Ordering::Release);
    }
}

impl Now {
    fn millis(&self) -> u64 {
        millis((self.0)())
    }
}

impl std::fmt::Debug for Now {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Now({})", self.millis())
    }
}

/// The service's refusal of what is not there, or not yet (DG:troubleshooting.cql). Its text for a type is Cassandra's.
pub(crate) fn unconfigured(thing: &SchemaObject) -> Refusal {
    let text = match thing.kind {
        ObjectKind::Keyspace => format!("unconfigured keyspace {}", thing.keyspace),
        ObjectKind::Table => format!("unconfigured table {}.{}", thing.keyspace, thing.name),
        ObjectKind::Type => format!("Type '{}.{}' doesn't exist", thing.keyspace, thing.name),
    };
    Refusal { code: error_code::INVALID, text }
}
