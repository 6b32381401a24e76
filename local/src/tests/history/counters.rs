use super::RecoverableTable;

#[tokio::test]
async fn counters_are_restored() {
    let mut table =
        RecoverableTable::new("p int, c int, s counter STATIC, n counter, m counter, PRIMARY KEY (p, c)", "").await;
    table
        .assert_restores_after_each(&[
            "UPDATE ks.t SET n = n + 5 WHERE p = 1 AND c = 1",
            "UPDATE ks.t SET n = n - 7, m = m + 1 WHERE p = 1 AND c = 1",
            "UPDATE ks.t SET m = m + 2 WHERE p = 1 AND c = 2",
            "UPDATE ks.t SET s = s + 3 WHERE p = 1",
            "BEGIN UNLOGGED BATCH UPDATE ks.t SET n = n + 1 WHERE p = 2 AND c = 1; UPDATE ks.t SET s = s + 1 WHERE p = 3; \
             APPLY BATCH",
            "DELETE m FROM ks.t WHERE p = 1 AND c = 1",
            "DELETE FROM ks.t WHERE p = 1 AND c = 2",
            "DELETE FROM ks.t WHERE p = 1",
        ])
        .await;
}
