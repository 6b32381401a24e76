//! The tag that a caller gives a statement, in its trace.

use std::sync::{Arc, Mutex};

use ::tracing::field::{Field, Visit};
use ::tracing::span::{Attributes, Id};
use keyspaces::{Select, UnloggedBatch, Write};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::{Layer, Registry};

use crate::server::{session, table};

/// The spans of requests from this thread: the statement and its tag.
#[derive(Clone, Default)]
struct Requests(Arc<Mutex<Vec<TaggedRequest>>>);

/// A statement and its tag.
type TaggedRequest = (String, Option<String>);

#[derive(Default)]
struct Fields {
    statement: String,
    tag: Option<String>,
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "db.query.summary" => self.statement = value.to_owned(),
            "tag" => self.tag = Some(value.to_owned()),
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

impl Layer<Registry> for Requests {
    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, Registry>) {
        if attributes.metadata().name() == "request" {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            self.0.lock().unwrap().push((fields.statement, fields.tag));
        }
    }
}

#[tokio::test]
async fn request_trace_carries_the_statement_tag() {
    let session = session().await;
    let table = table(&session, "id int PRIMARY KEY").await;
    let store: Write<(i32,)> = session.prepare(&format!("INSERT INTO {table} (id) VALUES (?)")).await.unwrap();
    let read: Select<(i32,), (i32,)> = session.prepare(&format!("SELECT id FROM {table} WHERE id = ?")).await.unwrap();

    let requests = Requests::default();
    let _traced = ::tracing::subscriber::set_default(Registry::default().with(requests.clone()));
    store.with_tag("sign up").execute((1,)).await.unwrap();
    read.with_tag("profile").one((1,)).await.unwrap();
    read.one((1,)).await.unwrap();
    let mut batch = UnloggedBatch::new(&session).with_tag("both");
    batch.push(&store, (2,)).unwrap().execute().await.unwrap();

    let insert = format!("INSERT INTO {table}");
    let select = format!("SELECT FROM {table}");
    let expected = [
        (insert, Some("sign up".to_owned())),
        (select.clone(), Some("profile".to_owned())),
        (select, None),
        ("UNLOGGED BATCH".to_owned(), Some("both".to_owned())),
    ];
    assert_eq!(*requests.0.lock().unwrap(), expected);
}
