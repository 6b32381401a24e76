//! The names that a client's keyspaces and system tables have in the backing Cassandra.
//!
//! Every instance has its own prefix there, so that several can share one Cassandra, and none sees the keyspaces of
//! another or of Cassandra: the keyspace `app` is `kl0a1b2c3d_app`, and the table `system.local` is
//! `kl0a1b2c3d.system__local`, a table of the instance's inner keyspace.

mod object;
pub(crate) mod system_tables;
mod table_id;

use std::borrow::Cow;
use std::collections::HashMap;

use sha2::{Digest, Sha256};

pub(crate) use object::{ObjectKind, SchemaObject};
use system_tables::SystemTable;
pub(crate) use table_id::TableId;

use crate::lock::Mutex;
use crate::protocol::metadata::ClientNames;

/// Translates a client's names to Cassandra's, and back.
#[derive(Debug)]
pub(crate) struct Names {
    inner: String,
    /// Names that are too long to take the prefix, by the names that replace them.
    long: Mutex<HashMap<String, String>>,
}

/// The maximum length of a keyspace name, in Cassandra and on the service.
const MAX_NAME_BYTES: usize = 48;

impl Names {
    /// The names of the instance with this name.
    pub(crate) fn new(instance: &str) -> Self {
        Self { inner: format!("kl{}", &digest(instance)[..8]), long: Mutex::default() }
    }

    /// The keyspace in which the system tables are.
    pub(crate) fn inner(&self) -> &str {
        &self.inner
    }

    /// The beginning of the names of all keyspaces of this instance except the inner one.
    pub(crate) fn prefix(&self) -> String {
        format!("{}_", self.inner)
    }

    /// Cassandra's name of a client's keyspace.
    pub(crate) fn keyspace(&self, name: &str) -> String {
        let prefixed = format!("{}_{name}", self.inner);
        if prefixed.len() <= MAX_NAME_BYTES || name.len() > MAX_NAME_BYTES {
            return prefixed;
        }
        let short = format!("{}_{}", self.inner, &digest(name)[..24]);
        self.long.lock().insert(short.clone(), name.to_owned());
        short
    }

    /// The same, quoted for a statement.
    pub(crate) fn quoted_keyspace(&self, name: &str) -> String {
        quoted(&self.keyspace(name))
    }

    /// A client's table or type, for a statement.
    pub(crate) fn qualified(&self, object: &SchemaObject) -> String {
        format!("{}.{}", self.quoted_keyspace(&object.keyspace), quoted(&object.name))
    }

    /// A system table, for a statement.
    pub(crate) fn system_table(&self, table: &SystemTable) -> String {
        format!("{}.{}", self.inner, table.inner_name())
    }

    /// The client's name of a keyspace.
    pub(crate) fn client_keyspace<'a>(&self, upstream: &'a str) -> Cow<'a, str> {
        match upstream.strip_prefix(&self.inner).and_then(|rest| rest.strip_prefix('_')) {
            None => upstream.into(),
            Some(name) => {
                let long = self.long.lock();
                long.get(upstream).map_or(Cow::Borrowed(name), |long| Cow::Owned(long.clone()))
            }
        }
    }

    /// The client's names of a table's keyspace and of the table.
    pub(crate) fn client_table<'a>(&self, keyspace: &'a str, table: &'a str) -> (Cow<'a, str>, Cow<'a, str>) {
        match system_tables::split(table) {
            Some((system_keyspace, name)) if keyspace == self.inner => (system_keyspace.into(), name.into()),
            _ => (self.client_keyspace(keyspace), table.into()),
        }
    }

    /// A text of Cassandra's with its names replaced by the client's.
    pub(crate) fn client_text(&self, text: &str) -> String {
        let mut restored = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(&self.inner) {
            restored.push_str(&rest[..at]);
            rest = &rest[at..];
            let (name, after) = rest.split_at(word_length(rest));
            let table = after.strip_prefix('.').map_or("", |table| &table[..word_length(table)]);
            if name == self.inner && system_tables::split(table).is_some() {
                rest = &after[1..];
                continue;
            }
            restored.push_str(&self.client_keyspace(name));
            rest = after;
        }
        restored.push_str(rest);
        if restored.contains("__") { without_inner_tables(restored) } else { restored }
    }
}

impl ClientNames for Names {
    fn keyspace<'a>(&self, keyspace: &'a str) -> Cow<'a, str> {
        self.client_keyspace(keyspace)
    }

    fn table<'a>(&self, keyspace: &'a str, table: &'a str) -> (Cow<'a, str>, Cow<'a, str>) {
        self.client_table(keyspace, table)
    }

    fn text(&self, text: &str) -> String {
        self.client_text(text)
    }
}

/// Replaces `system__local` by `system.local`.
fn without_inner_tables(text: String) -> String {
    system_tables::ALL.iter().fold(text, |text, table| {
        let inner = table.inner_name();
        if text.contains(&inner) { text.replace(&inner, &format!("{}.{}", table.keyspace, table.name)) } else { text }
    })
}

/// A name in quotes.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The length of the word at the beginning.
fn word_length(text: &str) -> usize {
    text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len())
}

fn digest(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names() -> Names {
        Names { inner: "kl0a1b2c3d".into(), long: Mutex::default() }
    }

    #[test]
    fn a_keyspace_name_is_mapped_back() {
        let longest = "a".repeat(48);
        for name in ["app", "App", "a_b", &longest, &"b".repeat(37), &"c".repeat(38)] {
            let names = names();
            let upstream = names.keyspace(name);
            assert!(upstream.len() <= 48, "{upstream}");
            assert_eq!(names.client_keyspace(&upstream), *name);
            assert_eq!(
                names.client_text(&format!("Keyspace '{upstream}' is odd")),
                format!("Keyspace '{name}' is odd")
            );
        }
    }

    #[test]
    fn instance_prefixes_are_distinct_and_stable() {
        assert_eq!(Names::new("one").inner(), Names::new("one").inner());
        assert_ne!(Names::new("one").inner(), Names::new("two").inner());
    }

    #[test]
    fn a_system_table_name_is_mapped_back() {
        let names = names();
        for table in system_tables::ALL {
            let (keyspace, name) = (table.inner_name(), table.name);
            assert_eq!(names.client_table("kl0a1b2c3d", &keyspace), (table.keyspace.into(), name.into()));
        }
    }

    #[test]
    fn cassandra_messages_are_rewritten_with_client_names() {
        for (cassandras, clients) in [
            (
                "Undefined column name x in table kl0a1b2c3d.system__peers",
                "Undefined column name x in table system.peers",
            ),
            ("Undefined column name x in table kl0a1b2c3d_app.t", "Undefined column name x in table app.t"),
            ("Table 'kl0a1b2c3d_app.a__b' and kl0a1b2c3d_b", "Table 'app.a__b' and b"),
            ("table system_schema_mcs__tables is odd", "table system_schema_mcs.tables is odd"),
            ("nothing of ours", "nothing of ours"),
            ("kl0a1b2c3d", "kl0a1b2c3d"),
        ] {
            assert_eq!(names().client_text(cassandras), clients);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_mapped_back(before: String, after: String) {
            names().client_text(&format!("{before}kl0a1b2c3d{after}"));
        }
    }
}
