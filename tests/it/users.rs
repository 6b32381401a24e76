//! The `users` table.

use std::num::NonZeroUsize;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use keyspaces::tables::{User, UserChange, Users};
use keyspaces::{Error, ErrorKind, Outcome, Session};
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::server::{keyspace, keyspace_name, local, session};

async fn users(session: &Session) -> Users {
    static CREATED: OnceCell<()> = OnceCell::const_new();
    let name = keyspace_name("users");
    CREATED
        .get_or_init(|| async {
            keyspace(session, &name).await;
            Users::create_table(session, &name).await.unwrap();
        })
        .await;
    Users::new(session, &name).await.unwrap()
}

fn ada() -> User {
    let created_at = "2026-11-22T10:00:00.123999Z".parse().unwrap();
    User::new(Uuid::new_v4(), "ada@example.com", "Ada Lovelace", created_at, "active")
}

fn not_applied<T: std::fmt::Debug>(outcome: Outcome<T>) -> T {
    match outcome {
        Outcome::NotApplied(there) => there,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_user_is_registered_once_and_read() {
    let users = users(&session().await).await;
    let ada = ada();
    assert_eq!(users.get(ada.user_id).await.unwrap(), None);
    assert!(users.register(&ada).await.unwrap().is_applied());
    assert_eq!(users.get(ada.user_id).await.unwrap(), Some(ada.clone()));
    let other = User { email: "other@example.com".into(), ..ada.clone() };
    assert_eq!(not_applied(users.register(&other).await.unwrap()), Some(ada.clone()));
    assert_eq!(users.get(ada.user_id).await.unwrap(), Some(ada.clone()));
    let same_address = User { user_id: Uuid::new_v4(), ..ada };
    assert!(users.register(&same_address).await.unwrap().is_applied(), "only the id is unique");
}

#[tokio::test]
async fn registration_time_is_truncated_to_milliseconds() {
    let users = users(&session().await).await;
    let fine: DateTime<Utc> = "2026-11-22T10:00:00.123999Z".parse().unwrap();
    let ada = User { created_at: fine, ..ada() };
    assert!(users.register(&ada).await.unwrap().is_applied());
    let read = users.get(ada.user_id).await.unwrap().unwrap();
    assert_eq!(read.created_at, "2026-11-22T10:00:00.123Z".parse::<DateTime<Utc>>().unwrap());
    assert_eq!(User::new(ada.user_id, &ada.email, &ada.name, fine, &ada.status), read);
}

#[tokio::test]
async fn user_update_changes_only_the_given_fields() {
    let users = users(&session().await).await;
    let mut ada = ada();
    assert!(users.register(&ada).await.unwrap().is_applied());
    for change in [
        UserChange { email: Some("countess@example.com".into()), ..UserChange::default() },
        UserChange { name: Some("Ada King".into()), ..UserChange::default() },
        UserChange { email: Some("ada@example.org".into()), name: Some("A. A. King".into()) },
    ] {
        assert!(users.update(ada.user_id, &change).await.unwrap().is_applied());
        ada.email = change.email.unwrap_or(ada.email);
        ada.name = change.name.unwrap_or(ada.name);
        assert_eq!(users.get(ada.user_id).await.unwrap(), Some(ada.clone()));
    }
}

#[tokio::test]
async fn update_of_missing_user_writes_nothing() {
    let users = users(&session().await).await;
    let nobody = Uuid::new_v4();
    for change in [
        UserChange { email: Some("nobody@example.com".into()), ..UserChange::default() },
        UserChange { name: Some("Nobody".into()), ..UserChange::default() },
        UserChange { email: Some("nobody@example.com".into()), name: Some("Nobody".into()) },
    ] {
        not_applied(users.update(nobody, &change).await.unwrap());
        assert_eq!(users.get(nobody).await.unwrap(), None);
    }
    assert_eq!(not_applied(users.set_status(nobody, "active", "suspended").await.unwrap()), None);
    assert_eq!(users.get(nobody).await.unwrap(), None);
}

#[tokio::test]
async fn set_status_requires_the_expected_status() {
    let users = users(&session().await).await;
    let ada = ada();
    assert!(users.register(&ada).await.unwrap().is_applied());
    assert!(users.set_status(ada.user_id, "active", "suspended").await.unwrap().is_applied());
    let there = not_applied(users.set_status(ada.user_id, "active", "deleted").await.unwrap());
    assert_eq!(there.as_deref(), Some("suspended"));
    assert_eq!(users.get(ada.user_id).await.unwrap().unwrap().status, "suspended");
}

#[tokio::test]
async fn concurrent_set_status_applies_exactly_once() {
    let session = session().await;
    let users = users(&session).await;
    let ada = ada();
    assert!(users.register(&ada).await.unwrap().is_applied());
    let names: Vec<String> = (0..10).map(|number| format!("claimed by {number}")).collect();
    let claims = names.iter().map(|name| users.set_status(ada.user_id, "active", name));
    let outcomes = futures::future::try_join_all(claims).await.unwrap();
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_applied()).count(), 1);
    let winner = outcomes.iter().position(Outcome::is_applied).unwrap();
    assert_eq!(users.get(ada.user_id).await.unwrap().unwrap().status, names[winner]);
}

#[tokio::test]
async fn get_many_returns_users_with_their_ids_in_request_order() {
    let users = users(&session().await).await;
    let now = DateTime::<Utc>::from(SystemTime::now());
    let mut asked = Vec::new();
    for number in 0..30_u64 {
        let user = User { created_at: now + Duration::from_secs(number), ..ada() };
        if number % 3 != 0 {
            assert!(users.register(&user).await.unwrap().is_applied());
        }
        asked.push(user);
    }
    let found: Vec<_> = users
        .get_many(asked.iter().map(|user| user.user_id).collect::<Vec<_>>())
        .in_flight(NonZeroUsize::new(4).unwrap())
        .into_try_stream()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(found.len(), asked.len());
    for (number, ((id,), user)) in found.into_iter().enumerate() {
        assert_eq!(id, asked[number].user_id);
        assert_eq!(user.is_some(), number % 3 != 0);
    }
}

#[tokio::test]
async fn deleting_a_user_is_idempotent() {
    let users = users(&session().await).await;
    let ada = ada();
    assert!(users.register(&ada).await.unwrap().is_applied());
    users.delete(ada.user_id).await.unwrap();
    assert_eq!(users.get(ada.user_id).await.unwrap(), None);
    users.delete(ada.user_id).await.unwrap();
}

#[tokio::test]
async fn invalid_email_address_is_refused_and_not_shown() {
    let users = users(&session().await).await;
    fn refused<T>(result: Result<T, Error>, verb: &str, email: &str) {
        let error = result.err().unwrap_or_else(|| panic!("{email:?} is not refused"));
        assert_eq!(error.kind(), ErrorKind::Value);
        assert_eq!(
            error.to_string(),
            format!(
                "{verb} {}.users failed: the e-mail address is invalid. It needs text on both sides of an @, and no white \
                 space",
                keyspace_name("users")
            )
        );
    }
    let ada = ada();
    for email in ["", "ada", "@", "@example.com", "ada@", "ada @example.com", "ada@example.com\n", "Ada Lovelace"] {
        refused(users.register(&User { email: email.into(), ..ada.clone() }).await, "INSERT INTO", email);
        let change = UserChange { email: Some(email.into()), ..UserChange::default() };
        refused(users.update(ada.user_id, &change).await, "UPDATE", email);
    }
    for email in ["a@b", "\"a@b\"@c", "ада@пример.рф", "ada+keyspaces@mail.example.com"] {
        let user = User { user_id: Uuid::new_v4(), email: email.into(), ..ada.clone() };
        assert!(users.register(&user).await.unwrap().is_applied(), "{email}");
    }
}

#[tokio::test]
async fn empty_user_change_is_refused() {
    let users = users(&session().await).await;
    let error = users.update(Uuid::new_v4(), &UserChange::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Value);
    assert_eq!(
        error.to_string(),
        format!(
            "UPDATE {}.users failed: the change has no field. Set the e-mail address, the name or both; for the status, use \
             set_status()",
            keyspace_name("users")
        )
    );
}

#[tokio::test]
async fn null_written_by_another_client_error_names_the_column() {
    let session = session().await;
    let users = users(&session).await;
    let id = Uuid::new_v4();
    let table = format!("{}.users", keyspace_name("users"));
    session.execute(&format!("INSERT INTO {table} (user_id, email) VALUES (?, 'a@b')"), (id,)).await.unwrap();
    let error = users.get(id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Type);
    assert_eq!(
        error.to_string(),
        format!(
            "SELECT FROM {table} failed: the column name (text) is null in a row, and String cannot hold null: read it as \
             Option<String>. A partition of which only static columns are written gives one row, in which every other column \
             but the partition key is null"
        )
    );
    assert_eq!(not_applied(users.set_status(id, "active", "suspended").await.unwrap()), None);
}

#[tokio::test]
async fn missing_users_table_is_named_in_the_error() {
    let session = session().await;
    let error = Users::new(&session, "It_nowhere").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotReady);
    assert!(error.to_string().contains("\"It_nowhere\".users failed: refused by the server"), "{error}");
}

#[tokio::test]
async fn users_options_apply_to_every_statement() {
    // A plain Cassandra may answer within the millisecond that the shortest deadline lasts.
    if local().await.is_none() {
        return;
    }
    let users = users(&session().await).await;
    let too_short = users.with_deadline(Duration::from_nanos(1));
    let ada = ada();
    let change = |email: Option<&str>, name: Option<&str>| UserChange {
        email: email.map(str::to_owned),
        name: name.map(str::to_owned),
    };
    assert!(too_short.get(ada.user_id).await.unwrap_err().is_timeout());
    assert!(too_short.delete(ada.user_id).await.unwrap_err().is_timeout());
    assert!(matches!(too_short.register(&ada).await, Ok(Outcome::Unknown(why)) if why.reason() == ErrorKind::Timeout));
    for change in [change(Some("a@b"), Some("A")), change(Some("a@b"), None), change(None, Some("A"))] {
        assert!(matches!(too_short.update(ada.user_id, &change).await, Ok(Outcome::Unknown(_))));
    }
    assert!(matches!(too_short.set_status(ada.user_id, "active", "gone").await, Ok(Outcome::Unknown(_))));
    users.get(ada.user_id).await.unwrap();
}
