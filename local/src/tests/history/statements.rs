use super::super::client::{ClientAnswer, RequestOptions, batch_body, opcode};
use super::RecoverableTable;
use crate::names::SchemaObject;

#[tokio::test]
async fn a_table_is_restored_after_each_kind_of_statement() {
    let columns = "p int, c int, s text STATIC, r text, q int, PRIMARY KEY (p, c)";
    let mut table = RecoverableTable::new(columns, "").await;
    table
        .assert_restores_after_each(&[
            "INSERT INTO ks.t (p, c, r) VALUES (1, 1, 'one')",
            "INSERT INTO ks.t (p, c, r, q, s) VALUES (1, 2, 'two', 2, 'static')",
            "INSERT INTO ks.t (p, c) VALUES (1, 3)",
            "UPDATE ks.t SET r = 'changed' WHERE p = 1 AND c = 1",
            "UPDATE ks.t SET q = 5, s = 'and static' WHERE c = 4 AND p = 1",
            "UPDATE ks.t SET q = null WHERE p = 1 AND c = 4",
            "UPDATE ks.t SET s = 'alone' WHERE p = 2",
            "INSERT INTO ks.t (p, s) VALUES (3, 'inserted alone')",
            "INSERT INTO ks.t JSON '{\"p\": 3, \"C\": 7, \"r\": \"it''s JSON\"}'",
            "DELETE r FROM ks.t WHERE p = 1 AND c = 1",
            "DELETE s FROM ks.t WHERE p = 2",
            "DELETE FROM ks.t WHERE p = 1 AND c = 2",
            "INSERT INTO ks.t (p, c, r) VALUES (1, 8, 'eight') IF NOT EXISTS",
            "INSERT INTO ks.t (p, c, r) VALUES (1, 8, 'not applied') IF NOT EXISTS",
            "UPDATE ks.t SET r = 'applied' WHERE p = 1 AND c = 8 IF r = 'eight'",
            "DELETE FROM ks.t WHERE p = 1 AND c = 8 IF EXISTS",
            "BEGIN UNLOGGED BATCH INSERT INTO ks.t (p, c, r) VALUES (4, 1, 'a'); UPDATE ks.t SET s = 'b' WHERE p = 4; \
             DELETE FROM ks.t WHERE p = 1 AND c = 1; APPLY BATCH",
            "BEGIN BATCH INSERT INTO ks.t (p, c, r) VALUES (4, 2, 'a'); INSERT INTO ks.t (p, c) VALUES (4, 3); APPLY BATCH",
            "DELETE FROM ks.t WHERE p = 4 AND c > 1",
            "INSERT INTO ks.t (p, c, r) VALUES (4, 2, 'again')",
            "DELETE FROM ks.t WHERE p = 4",
            "INSERT INTO ks.t (p, c, r) VALUES (4, 1, 'after all')",
        ])
        .await;
}

#[tokio::test]
async fn a_table_with_columns_of_any_type_is_restored() {
    let columns = "p int PRIMARY KEY, l list<int>, s set<text>, m map<text, int>, f frozen<list<int>>, u frozen<y>, \
                   t tuple<int, text>, b blob, i inet, d date, v varint, x decimal, w y";
    let mut table = RecoverableTable::new(columns, "").await;
    table
        .assert_restores_after_each(&[
            "INSERT INTO ks.t (p, l, s, m, f, u) VALUES (1, [1, 2], {'a'}, {'k': 1}, [3], {a: 1, b: 'x'})",
            "UPDATE ks.t SET l = l + [3], s = s + {'b'}, m['k'] = 2 WHERE p = 1",
            "UPDATE ks.t SET l = [0] + l, m = m - {'k'}, s = s - {'a', 'b'} WHERE p = 1",
            "UPDATE ks.t SET l[1] = 7 WHERE p = 1",
            "DELETE l[0], m['none'] FROM ks.t WHERE p = 1",
            "UPDATE ks.t SET l = null, m = {'z': 26}, t = (1, 'one') WHERE p = 1",
            "INSERT INTO ks.t (p, b, i, d, v, x) VALUES (2, 0xcafe, '127.0.0.1', '2026-11-24', 12345678901234567890, 1.50)",
            "INSERT INTO ks.t JSON '{\"p\": 3, \"l\": [5, 6], \"m\": {\"a\": 1}, \"u\": {\"a\": 2, \"b\": null}}'",
            "INSERT INTO ks.t JSON '{\"p\": 3, \"l\": [8]}' DEFAULT UNSET",
            "INSERT INTO ks.t JSON '{\"p\": 3}'",
            "DELETE FROM ks.t WHERE p = 3",
            "INSERT INTO ks.t (p, w) VALUES (4, {a: 1, b: 'x'})",
            "UPDATE ks.t SET w.b = 'field' WHERE p = 4",
        ])
        .await;
}

#[tokio::test]
async fn rows_with_keys_of_every_type_are_restored() {
    let columns = "p text, \"Q q\" blob, c timestamp, d date, e decimal, f boolean, g inet, r int, \
                   PRIMARY KEY ((p, \"Q q\"), c, d, e, f, g)";
    let mut table = RecoverableTable::new(columns, "").await;
    table
        .assert_restores_after_each(&[
            "INSERT INTO ks.t (r, g, f, e, d, c, \"Q q\", p) VALUES \
             (1, '::1', true, 1.5, '2026-11-24', '2026-11-24T12:00:00Z', 0xff, 'it''s $$')",
            "UPDATE ks.t SET r = 2 WHERE p = $$it's $$ || '' AND \"Q q\" = 0xff AND c = 5 AND d = '2026-11-24' AND e = 2 \
             AND f = false AND g = '10.0.0.1'"
                .replace("$$it's $$ || ''", "'b'")
                .as_str(),
            "INSERT INTO ks.t JSON '{\"p\": \"b\", \"\\\"Q q\\\"\": \"0xff\", \"c\": \"2026-11-24 12:00:00.000Z\", \
             \"d\": \"2026-11-24\", \"e\": 2.25, \"f\": true, \"g\": \"::1\", \"R\": 3}'",
            "DELETE FROM ks.t WHERE p = 'b' AND \"Q q\" = 0xff AND c > '1970-01-02'",
        ])
        .await;
}

#[tokio::test]
async fn restores_work_with_values_bound_by_position_and_by_name() {
    let mut table = RecoverableTable::new("p int, c text, s int STATIC, r text, PRIMARY KEY (p, c)", "").await;
    let [one, two] = [1_i32.to_be_bytes(), 2_i32.to_be_bytes()];
    let mut snapshots = Vec::new();
    let insert = table.client.prepared("INSERT INTO ks.t (r, c, s, p) VALUES (?, ?, ?, ?)").await;
    let values: [&[u8]; 4] = [b"r", b"c", &one, &one];
    let done = table.client.execute(&insert, RequestOptions { values: &values, ..RequestOptions::default() }).await;
    assert_eq!(done, ClientAnswer::Void);
    snapshots.push(table.snapshot().await);
    let values: [&[u8]; 4] = [&two, b"c", b"named", &two];
    let with = RequestOptions { values: &values, names: &["p", "c", "r", "s"], ..RequestOptions::default() };
    assert_eq!(table.client.execute(&insert, with).await, ClientAnswer::Void);
    snapshots.push(table.snapshot().await);
    let values: [&[u8]; 3] = [b"d", &one, b"by name"];
    let with = RequestOptions { values: &values, names: &["clustering", "p", "what"], ..RequestOptions::default() };
    let update = "UPDATE ks.t SET r = :what WHERE p = ? AND c = :clustering";
    assert_eq!(table.client.query_with(update, with).await, ClientAnswer::Void);
    snapshots.push(table.snapshot().await);
    let json = table.client.prepared("INSERT INTO ks.t JSON ?").await;
    let values: [&[u8]; 1] = [b"{\"p\": 3, \"c\": \"json\", \"s\": 9}"];
    assert_eq!(
        table.client.execute(&json, RequestOptions { values: &values, ..RequestOptions::default() }).await,
        ClientAnswer::Void
    );
    snapshots.push(table.snapshot().await);
    let range = table.client.prepared("DELETE FROM ks.t WHERE p = ? AND c >= ? AND c < 'x'").await;
    let values: [&[u8]; 2] = [&one, b"d"];
    assert_eq!(
        table.client.execute(&range, RequestOptions { values: &values, ..RequestOptions::default() }).await,
        ClientAnswer::Void
    );
    snapshots.push(table.snapshot().await);
    let batch = "BEGIN UNLOGGED BATCH INSERT INTO ks.t (p, c, r) VALUES (?, ?, ?); UPDATE ks.t SET s = ? WHERE p = ?; \
                 DELETE FROM ks.t WHERE p = ? AND c = ?; APPLY BATCH";
    let values: [&[u8]; 7] = [&one, b"batch", b"b", &two, &one, &two, b"c"];
    assert_eq!(
        table.client.query_with(batch, RequestOptions { values: &values, ..RequestOptions::default() }).await,
        ClientAnswer::Void
    );
    snapshots.push(table.snapshot().await);
    table.assert_restores(&snapshots).await;
}

#[tokio::test]
async fn a_row_whose_key_is_the_result_of_a_function_is_restored() {
    let mut table = RecoverableTable::new("p uuid, c timeuuid, d date, r timestamp, PRIMARY KEY (p, c, d)", "").await;
    let text = "INSERT INTO t (p, c, d, r) VALUES (uuid(), now(), currentDate(), toTimestamp(now()))";
    let mut snapshots = Vec::new();
    assert!(matches!(table.client.query("USE ks").await, ClientAnswer::Keyspace(_)));
    table.run(text).await;
    snapshots.push(table.snapshot().await);
    let id = table.client.prepared(text).await;
    assert_eq!(table.client.execute(&id, RequestOptions::default()).await, ClientAnswer::Void);
    snapshots.push(table.snapshot().await);
    let body =
        batch_body(1, &[Ok(text), Err(&id), Ok("INSERT INTO t (p, c, d) VALUES (uuid(), now(), '1970-01-01')")], 6);
    assert_eq!(ClientAnswer::read(&table.client.call(opcode::BATCH, &body).await), ClientAnswer::Void);
    snapshots.push(table.snapshot().await);
    assert_eq!(snapshots.iter().map(|(_, rows)| rows.values.len()).collect::<Vec<_>>(), [1, 2, 5]);
    table.assert_restores(&snapshots).await;
}

#[tokio::test]
async fn results_of_functions_are_accepted_by_functions_and_columns_of_a_compatible_type() {
    let columns = "p uuid, c bigint, d date, e time, t timestamp, u timeuuid, n bigint, PRIMARY KEY (p, c, d, e, t, u)";
    let mut table = RecoverableTable::new(columns, "").await;
    let insert = |p, n| {
        format!(
            "INSERT INTO ks.t (p, c, d, e, t, u, n) VALUES ({p}, toUnixTimestamp(currentTimestamp()), \
             toDate(currentTimestamp()), currentTime(), toTimestamp(currentDate()), minTimeuuid(currentTimestamp()), {n})"
        )
    };
    let all = [
        insert("now()", "toUnixTimestamp(now())"),
        insert("uuid()", "toUnixTimestamp(currentDate())"),
        insert("currentTimeUUID()", "toUnixTimestamp(currentTimeUUID())"),
        "UPDATE ks.t SET n = 7 WHERE p = now() AND c = toUnixTimestamp(currentTimestamp()) AND d = currentDate() AND e = \
         currentTime() AND t = currentTimestamp() AND u = now()"
            .to_owned(),
    ];
    table.assert_restores_after_each(&all.each_ref().map(|text| &**text)).await;
}

#[tokio::test]
async fn a_row_whose_key_is_the_current_time_makes_the_table_be_read_again() {
    let mut table = RecoverableTable::new("p text, at timestamp, r text, PRIMARY KEY (p, at)", "").await;
    for written in [
        "INSERT INTO ks.t (p, at, r) VALUES ('now', 'Now', 'a')",
        "INSERT INTO ks.t JSON '{\"p\": \"b\", \"at\": \"now\", \"r\": \"b\"}'",
        "UPDATE ks.t SET r = 'c' WHERE p = 'c' AND at = 'now'",
        "DELETE FROM ks.t WHERE p = 'now' AND at < 'now'",
    ] {
        let before = table.rows("t").await;
        table.run(written).await;
        let all = table.rows("t").await;
        assert_ne!(all, before, "{written}");
        // The baseline is taken after the answer.
        let read = async {
            while table.restored_rows(super::now()).await != all {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(60), read).await.expect(written);
    }
}

#[tokio::test]
async fn refused_write_is_not_recorded_in_history() {
    let mut table = RecoverableTable::new("p int PRIMARY KEY, r text", "").await;
    table.run("INSERT INTO ks.t (p, r) VALUES (1, 'there')").await;
    let before = table.snapshot().await;
    for refused in ["INSERT INTO ks.t (p, r) VALUES (1, 7)", "UPDATE ks.t SET r = 'x' WHERE r = 'y'"] {
        assert!(matches!(table.client.query(refused).await, ClientAnswer::Refused(..)), "{refused}");
    }
    assert_eq!(table.restored_rows(super::now()).await, before.1);
}

#[tokio::test]
async fn table_without_point_in_time_recovery_has_no_history() {
    let mut table = RecoverableTable::new("p int PRIMARY KEY", "").await;
    table.client.table("ks", "other", "(p int PRIMARY KEY)").await;
    table.run("INSERT INTO ks.other (p) VALUES (1)").await;
    let is_recorded = |name| table.history().is_recorded(&SchemaObject::table("ks", name));
    assert_eq!((is_recorded("t"), is_recorded("other")), (true, false));
}
