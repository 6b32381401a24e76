use keyspaces::ErrorKind;

use super::{migrations, recorded, with_short_lease};
use crate::local::without_ddl_delay;

const NAMES: &str = "CREATE TABLE shop.names (id int PRIMARY KEY);";

#[tokio::test]
async fn migrations_that_contradict_applied_ones_are_refused_unsent() {
    let (local, session) = without_ddl_delay().await;
    let files = migrations(&[("0001_names.cql", NAMES), ("0003_more.cql", "ALTER TABLE shop.names ADD note text;")]);
    with_short_lease(&session, &files).await.unwrap();
    let at = session.rows::<(chrono::DateTime<chrono::Utc>,)>(
        "SELECT applied_at FROM shop.schema_migrations WHERE version = 1",
        (),
    );
    let at = at.try_collect::<Vec<_>>().await.unwrap()[0].0.format("%Y-%m-%dT%H:%M:%SZ");
    let more = ("0003_more.cql", "ALTER TABLE shop.names ADD note text;");
    for (files, expected) in [
        (
            migrations(&[("0001_names.cql", "CREATE TABLE shop.names (id text PRIMARY KEY);"), more]),
            "migrating failed: 0001_names.cql has changed since it was applied: its checksum was \
             ffccd729e6723fdc08a378319dd3cf63c5912a3191d673723e0aa4ab4861003a and is \
             caee7866a361a6882cfcf6ca9dfc72dc329f136a4231565fbb18c8546ef4d99c. Restore the file as it was, and make the \
             change in a new file"
                .to_owned(),
        ),
        (
            migrations(&[more]),
            format!(
                "migrating failed: 0001_names.cql, which was applied at {at}, is missing. Restore the file as it was"
            ),
        ),
        (
            migrations(&[("0001_names.cql", NAMES), ("0002_late.cql", "DROP TABLE shop.names;"), more]),
            "migrating failed: 0002_late.cql has a lower number than 0003_more.cql, which was applied before. Rename it \
             with a higher number than all applied files"
                .to_owned(),
        ),
    ] {
        local.journal().clear();
        let error = with_short_lease(&session, &files).await.unwrap_err();
        assert_eq!((error.kind(), error.to_string()), (ErrorKind::Refused, expected.clone()));
        assert_eq!(with_short_lease(&session, &files).dry_run().await.unwrap_err().to_string(), expected);
        let sent = [local.journal().containing("ALTER TABLE shop"), local.journal().containing("DROP TABLE")].concat();
        assert!(sent.is_empty(), "{sent:?}");
    }
    // The lock was released each time.
    assert!(session.migrate("shop", &files).await.unwrap().is_empty());
}

#[tokio::test]
async fn migration_stops_at_a_refused_statement_that_may_then_be_corrected() {
    let (local, session) = without_ddl_delay().await;
    let with = |rest: &str| format!("{NAMES} INSERT INTO shop.names (id) VALUES (1); {rest}");
    let wrong = with("INSERT INTO shop.names (id, nosuch) VALUES (2, 3); DROP TABLE shop.names;");
    let files = migrations(&[("1_names.cql", &wrong)]);
    let error = with_short_lease(&session, &files).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    let text = error.to_string();
    assert!(text.starts_with("migrating: 1_names.cql, statement 3: INSERT INTO shop.names failed: "), "{text}");
    assert!(text.contains("nosuch"), "{text}");
    assert!(recorded(&session).await.is_empty());
    assert_eq!(
        with_short_lease(&session, &files).dry_run().await.unwrap().to_string(),
        "1_names.cql, with 2 of 4 statements already carried out
  3. INSERT INTO shop.names (id, nosuch) VALUES (2, 3)
  4. DROP TABLE shop.names"
    );
    let changed = migrations(&[("1_names.cql", "CREATE TABLE shop.names (id text PRIMARY KEY);")]);
    assert_eq!(
        with_short_lease(&session, &changed).await.unwrap_err().to_string(),
        "migrating failed: 1_names.cql is partly applied, and its first 2 statements have changed since. Restore these \
         statements; only the ones after them may change"
    );
    let gone = migrations(&[("2_other.cql", "DROP TABLE shop.names;")]);
    assert_eq!(
        with_short_lease(&session, &gone).await.unwrap_err().to_string(),
        "migrating failed: file 1 is partly applied, and is not the first of the remaining files. Restore the file as it was"
    );
    let corrected = migrations(&[("1_names.cql", &with("INSERT INTO shop.names (id) VALUES (2);"))]);
    local.journal().clear();
    assert_eq!(with_short_lease(&session, &corrected).await.unwrap(), ["1_names.cql"]);
    assert_eq!(local.journal().containing("INSERT INTO shop.names (id) VALUES (1)").len(), 0);
}

#[tokio::test]
async fn unapplied_migration_file_may_be_withdrawn() {
    let (_local, session) = without_ddl_delay().await;
    let names = ("1_names.cql", NAMES);
    let wrong = migrations(&[names, ("5_wrong.cql", "INSERT INTO shop.nowhere (id) VALUES (1);")]);
    let error = with_short_lease(&session, &wrong).await.unwrap_err();
    assert!(error.to_string().starts_with("migrating: 5_wrong.cql, statement 1: INSERT INTO shop.nowhere"), "{error}");
    let instead = migrations(&[names, ("4_right.cql", "INSERT INTO shop.names (id) VALUES (1);")]);
    assert_eq!(with_short_lease(&session, &instead).await.unwrap(), ["4_right.cql"]);
}

#[tokio::test]
async fn definition_that_failed_after_acceptance_is_not_treated_as_unsent() {
    const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/unusable";
    let local = keyspaces_local::Local::builder().ddl_delay(std::time::Duration::ZERO).inaccessible_key(KEY);
    let local = local.start().await.unwrap();
    let session = crate::local::signed(&local).connect().await.unwrap();
    let create = format!(
        "CREATE TABLE shop.names (id int PRIMARY KEY) WITH custom_properties = {{'encryption_specification': \
         {{'encryption_type': 'CUSTOMER_MANAGED_KMS_KEY', 'kms_key_identifier': '{KEY}'}}}};"
    );
    let files = migrations(&[("1_names.cql", &create)]);
    let error = with_short_lease(&session, &files).await.unwrap_err();
    assert!(error.to_string().contains("the service has no access to its encryption key"), "{error}");
    let own = keyspaces::schema::Encryption::AwsOwnedKey;
    session.schema().alter_table("shop", "names", &[keyspaces::schema::TableChange::Set(own.into())]).await.unwrap();
    let error = with_short_lease(&session, &files).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unknown);
    assert_eq!(
        error.to_string(),
        "migrating: 1_names.cql, statement 1: CREATE TABLE shop.names failed: an interrupted program was about to send this \
         statement, and its outcome is unknown: the table shop.names exists, but differs from its definition. Find out \
         whether it was applied, and migrate again with resolve_unknown(1, 1, true) or false"
    );
    assert_eq!(with_short_lease(&session, &files).resolve_unknown(1, 1, true).await.unwrap(), ["1_names.cql"]);
    local.close().await.unwrap();
}
