//! The findings of lint: `lint.cql` has the mistakes, and `lint.txt` the expected findings, by line and column.

use keyspaces_cql::lint::{Finding, Severity, advice, lint, lint_table};
use keyspaces_cql::statement::{CqlType, NativeType, SortOrder};
use keyspaces_cql::{TableDefinition, rules};

fn describe(finding: &Finding) -> String {
    format!("{}:{}: {finding}\n", finding.position.line, finding.position.column)
}

#[test]
fn linter_reports_every_mistake_of_a_file() {
    let findings = lint(include_str!("lint.cql"));
    let actual: String = findings.iter().map(describe).collect();
    assert_eq!(actual, include_str!("lint.txt"), "\n{actual}");
    assert!(findings.iter().filter(|finding| finding.severity == Severity::Error).count() >= 20);
}

#[test]
fn clean_schema_has_no_findings() {
    assert_eq!(lint(include_str!("clean.cql")), []);
}

#[test]
fn table_definition_is_linted_like_its_statement() {
    let table = TableDefinition::builder("shop", "sales")
        .partition_key("day", NativeType::Date)
        .clustering_column("at", NativeType::Timestamp, SortOrder::Ascending)
        .column("tags", CqlType::set(NativeType::Text));
    let table = table.build().unwrap();
    let findings = lint_table(&table);
    let ids: Vec<_> = findings.iter().map(|finding| finding.id).collect();
    assert_eq!(ids, ["collection-size", "hot-partition"]);
    assert_eq!(&table.to_string()[findings[0].span.range()], "tags set<text>");
}

#[test]
fn every_lint_advice_occurs_in_the_expected_output() {
    let expected = include_str!("lint.txt");
    for advice in advice::all() {
        assert!(expected.contains(&format!("warning[{}]", advice.id)), "{}", advice.id);
        assert_eq!(rules::with_id(advice.id), None);
    }
}

/// The findings in a text: the id of each and the part of the text.
fn findings(text: &str) -> Vec<String> {
    lint(text).iter().map(|finding| format!("{} `{}`", finding.id, &text[finding.span.range()])).collect()
}

#[test]
fn lint_does_not_report_parts_hidden_by_a_syntax_error_as_missing() {
    assert_eq!(findings("CREATE TABLE t (a int, b 5, PRIMARY KEY (a, b))"), ["syntax `5`"]);
    assert_eq!(findings("CREATE TABLE t (a int, PRIMARY KEY (a, 5))"), ["syntax `5`"]);
    assert_eq!(findings("CREATE TABLE t (a int PRIMARY KEY"), ["syntax ``"]);
    assert_eq!(findings("CREATE TABLE t (a int PRIMARY KEY WITH comment = 'x'"), ["syntax `WITH`"]);
}

#[test]
fn lint_recovers_at_the_next_column_option_or_statement() {
    assert_eq!(
        findings("CREATE TABLE t (a int, b map<text, >, c list<int, d blob, e int f set<int>, PRIMARY KEY (a))"),
        ["syntax `>`", "syntax `,`", "blob-size `d blob`", "syntax `f`", "collection-size `f set<int>`"]
    );
    assert_eq!(
        findings("CREATE TABLE t (a int PRIMARY KEY) WITH x AND caching = {'keys': 'ALL'} comment = 'c' AND y ="),
        ["syntax `AND`", "ignored-option `caching = {'keys': 'ALL'}`", "syntax `comment`", "syntax ``"]
    );
    assert_eq!(
        findings("CREATE TABLE t (a\nCREATE TABLE u (a boolean PRIMARY KEY)\nDROP INDEX i\nCREATE TABLE v (a 1);"),
        [
            "syntax `CREATE`",
            "hot-partition `a boolean PRIMARY KEY`",
            "syntax `DROP`",
            "index `DROP INDEX i`",
            "syntax `CREATE`",
            "syntax `1`",
        ]
    );
}

#[test]
fn time_in_the_key_or_a_ttl_bounds_a_partition() {
    let table = |key: &str, rest: &str| {
        findings(&format!("CREATE TABLE t (a uuid, b text, month text, at timeuuid, PRIMARY KEY ({key}, at)){rest}"))
    };
    assert_eq!(table("a", ""), ["unbounded-partition `PRIMARY KEY (a, at)`"]);
    assert_eq!(table("a", " WITH default_time_to_live = 0"), ["unbounded-partition `PRIMARY KEY (a, at)`"]);
    assert_eq!(table("a", " WITH default_time_to_live = 60"), [""; 0]);
    assert_eq!(table("(a, month)", ""), [""; 0]);
}

#[test]
fn partition_key_of_only_low_cardinality_columns_is_hot() {
    let hot = |columns: &str, key: &str| {
        let text = format!("CREATE TABLE t ({columns}, PRIMARY KEY ({key})) WITH default_time_to_live = 60");
        !lint(&text).is_empty()
    };
    assert!(hot("a boolean", "a"));
    assert!(hot("a date, at timestamp", "a, at"));
    assert!(hot("order_status text, day int, at timestamp", "(order_status, day), at"));
    assert!(!hot("a date, shard int, at timestamp", "(a, shard), at"));
    assert!(!hot("customer text, at timestamp", "customer, at"));
    assert!(!hot("created_date timestamp", "created_date"));
    assert!(!hot("country text, name text", "country"));
}

#[test]
fn lint_reports_ttl_and_timestamps_disabled_by_a_table_in_the_text() {
    const TABLE: &str = "CREATE TABLE k.t (a int PRIMARY KEY, b int)";
    const TTL: &str = " WITH custom_properties = {'ttl': {'status': 'enabled'}}";
    const TIMESTAMPS: &str = " WITH custom_properties = {'client_side_timestamps': {'status': 'enabled'}}";
    const INSERT: &str = "INSERT INTO k.t (a) VALUES (1) USING TTL 5 AND TIMESTAMP 6";
    let off = |text: &str| {
        let reported = findings(text);
        (
            reported.contains(&"ttl-off `TTL 5`".to_owned()),
            reported.contains(&"timestamps-off `TIMESTAMP 6`".to_owned()),
        )
    };
    for (text, expected) in [
        (format!("{TABLE}; {INSERT}"), (true, true)),
        (format!("USE k; CREATE TABLE t (a int PRIMARY KEY); {INSERT}"), (true, true)),
        (format!("{TABLE}; UPDATE k.t USING TTL 5 SET b = 1 WHERE a = 1"), (true, false)),
        (format!("{TABLE}; DELETE FROM k.t USING TIMESTAMP 6 WHERE a = 1"), (false, true)),
        (format!("{TABLE}; BEGIN BATCH USING TIMESTAMP 6 {INSERT}; APPLY BATCH"), (true, true)),
        (format!("{TABLE}{TTL}; {INSERT}"), (false, true)),
        (format!("{TABLE} WITH default_time_to_live = 9; {INSERT}"), (false, true)),
        (format!("{TABLE}; ALTER TABLE k.t{TTL}; ALTER TABLE k.t{TIMESTAMPS}; {INSERT}"), (false, false)),
        // If the features of the table are not known, nothing is reported.
        (INSERT.to_owned(), (false, false)),
        (format!("CREATE TABLE t (a int PRIMARY KEY); {INSERT}"), (false, false)),
        (format!("CREATE TABLE k.t (a int PRIMARY KEY, b varchar(8)); {INSERT}"), (false, false)),
        (format!("{TABLE}; DROP TABLE k.t; {INSERT}"), (false, false)),
    ] {
        assert_eq!(off(&text), expected, "{text}");
    }
    // Tables in several Regions have client-side timestamps (DG:multiRegion-replication_how-it-works).
    let regions = "{'class': 'NetworkTopologyStrategy', 'us-east-1': '3', 'eu-west-1': '3'}";
    assert_eq!(off(&format!("CREATE KEYSPACE k WITH replication = {regions}; {TABLE}; {INSERT}")), (true, false));
    let add =
        format!("ALTER KEYSPACE k WITH replication = {regions} AND client_side_timestamps = {{'status': 'ENABLED'}}");
    assert_eq!(off(&format!("{TABLE}; {add}; {INSERT}")), (false, false));
}

#[test]
fn lint_applies_use_to_the_statements_after_it() {
    assert_eq!(findings("USE system; DROP TABLE local; SELECT * FROM local"), ["system-keyspace `local`"]);
    assert_eq!(findings("USE shop; DROP TABLE local"), [""; 0]);
}

/// Published schemas, the output of `DESCRIBE` and AWS's samples are valid: no part of them is refused or unknown.
#[test]
fn linter_reports_no_errors_for_valid_schemas() {
    for (text, expected) in [
        (
            "CREATE TABLE ks.spans (service text, bucket int, took bigint, id blob, PRIMARY KEY ((service, bucket), took, id)) \
             WITH CLUSTERING ORDER BY (took DESC)",
            &[][..],
        ),
        ("CREATE TYPE ks.checksum (\n    version int,\n    flavor  int,\n    value   blob,\n);", &[]),
        (
            "CREATE TABLE ks.of_keyspaces (id text, at timeuuid, event text, PRIMARY KEY (id, at)) WITH CLUSTERING ORDER BY (at \
             ASC) AND bloom_filter_fp_chance = 0.01 AND caching = {'class': 'com.amazonaws.cassandra.DefaultCaching'} AND \
             comment = '' AND compaction = {'class': 'com.amazonaws.cassandra.DefaultCompaction'} AND compression = {'class': \
             'com.amazonaws.cassandra.DefaultCompression'} AND crc_check_chance = 1.0 AND dclocal_read_repair_chance = 0.0 \
             AND default_time_to_live = 3024000 AND gc_grace_seconds = 7776000 AND max_index_interval = 2048 AND \
             memtable_flush_period_in_ms = 3600000 AND min_index_interval = 128 AND read_repair_chance = 0.0 AND \
             speculative_retry = '99PERCENTILE'",
            &["ignored-option"],
        ),
        (
            "CREATE TABLE ks.of_4 (id text, at timeuuid, PRIMARY KEY (id, at)) WITH additional_write_policy = '99p' AND cdc = \
             false AND default_time_to_live = 60 AND extensions = {} AND memtable = 'default' AND read_repair = 'BLOCKING'",
            &["ignored-option"],
        ),
        (
            "CREATE TABLE ks.of_scylla (root text, k text, PRIMARY KEY (root, k)) WITH caching = {'enabled': 'true'} AND cdc = \
             {'enabled': 'false'} AND tombstone_gc = {'mode': 'timeout'}",
            &["ignored-option"],
        ),
        (
            "CREATE TYPE ks.addr (number text, street text, city text); CREATE TABLE ks.homes (id int PRIMARY KEY, address \
             frozen<addr>); SELECT address.city FROM ks.homes WHERE id = 1; ALTER TABLE ks.homes ADD TAGS_FOR_CDC {'a': 'b'}",
            &[],
        ),
    ] {
        let ids: Vec<_> = lint(text).iter().map(|finding| finding.id).collect();
        assert_eq!(ids, expected, "{text}");
        if !text.contains("INSERT") && !text.contains("SELECT") {
            keyspaces_cql::Definitions::parse(text).unwrap();
        }
    }
}

#[test]
fn lint_uses_column_types_of_tables_in_the_same_script() {
    let table = "CREATE TABLE ks.t (id int PRIMARY KEY, l list<int>, f frozen<list<int>>, v int) \
                 WITH custom_properties = {'client_side_timestamps': {'status': 'enabled'}};";
    let findings = |statement: &str| {
        let reported = findings(&format!("{table} {statement}"));
        let advice = ["collection-size", "allow-filtering", "in-select", "select-star"];
        reported.into_iter().filter(|it| !advice.iter().any(|id| it.starts_with(id))).collect::<Vec<_>>()
    };
    assert_eq!(
        findings("SELECT writetime(l), ttl(l) FROM ks.t WHERE id = 1"),
        ["cell-metadata `writetime(l)`", "cell-metadata `ttl(l)`"]
    );
    assert_eq!(findings("SELECT writetime(f), ttl(v) FROM ks.t WHERE id = 1"), [""; 0]);
    assert_eq!(findings("SELECT * FROM ks.t WHERE v IN (1, 2) ALLOW FILTERING"), ["in-outside-key `v IN (1, 2)`"]);
    assert_eq!(findings("SELECT * FROM ks.t WHERE f > ? ALLOW FILTERING"), ["collection-inequality `f > ?`"]);
    assert_eq!(
        findings("ALTER TABLE ks.t ADD u frozen<tuple<int>>; UPDATE ks.t SET v = 1 WHERE id = 1 IF u > ?"),
        ["collection-inequality `u > ?`"]
    );
    assert_eq!(findings("DROP TABLE ks.t; SELECT writetime(l) FROM ks.t WHERE id = 1"), [""; 0]);
}
