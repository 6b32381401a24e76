use std::collections::BTreeSet;
use std::num::{NonZeroU16, NonZeroU32, NonZeroUsize};

use keyspaces::{ScanProgress, Select};

use super::filled;
use crate::server::session;

#[tokio::test]
async fn a_scan_yields_each_row_once_and_resumes_from_its_progress() {
    let session = session().await;
    let table = filled(&session, 0..300, 3).await;
    let text = format!("SELECT k, c FROM {table} WHERE token(k) > ? AND token(k) <= ?");
    let select: Select<(i64, i64), (i32, i32)> = session.prepare(&text).await.unwrap();
    let select = select.with_page_size(NonZeroU32::new(10).unwrap());
    let expected: BTreeSet<_> = (0..300).flat_map(|k| (0..3).map(move |c| (k, c))).collect();
    let mut scan = select.scan().unwrap().ranges(NonZeroU16::new(16).unwrap()).in_flight(NonZeroUsize::new(4).unwrap());
    let mut rows = Vec::new();
    let mut fraction = 0.0;
    for _ in 0..40 {
        rows.extend(scan.try_next().await.unwrap().unwrap());
        assert!(scan.progress().fraction() >= fraction);
        fraction = scan.progress().fraction();
    }
    let stored = scan.progress().to_string();
    drop(scan);
    assert!(0.0 < fraction && fraction < 1.0, "{fraction}");

    let session = crate::server::session().await;
    let again: Select<(i64, i64), (i32, i32)> = session.prepare(&text).await.unwrap();
    let mut rest = again.scan_from(&stored.parse::<ScanProgress>().unwrap()).unwrap();
    while let Some(page) = rest.try_next().await.unwrap() {
        rows.extend(page);
    }
    assert!(rest.progress().is_complete());
    assert_eq!(rows.len(), expected.len(), "no row is yielded twice");
    assert_eq!(rows.into_iter().collect::<BTreeSet<_>>(), expected);

    let other: Select<(i64, i64), (i32,)> = session.prepare(&text.replace("k, c", "k")).await.unwrap();
    assert_eq!(
        other.scan_from(&stored.parse().unwrap()).unwrap_err().to_string(),
        format!(
            "SELECT FROM {table} failed: the progress belongs to a scan of another statement. Use the statement that \
             it was made with, or start over"
        )
    );
    let by_key: Select<(i64, i64), (i32,)> =
        session.prepare(&format!("SELECT k FROM {table} WHERE token(k) >= ? AND token(k) <= ?")).await.unwrap();
    assert_eq!(
        by_key.scan().unwrap_err().to_string(),
        format!(
            "SELECT FROM {table} failed: a scan selects by token, but the statement does not. Write WHERE \
             token(partition key) > ? AND token(partition key) <= ?"
        )
    );
    let limited: Select<(i64, i64), (i32,)> =
        session.prepare(&format!("SELECT k FROM {table} WHERE token(k) > ? AND token(k) <= ? LIMIT 5")).await.unwrap();
    assert_eq!(
        limited.scan().unwrap_err().to_string(),
        format!(
            "SELECT FROM {table} failed: a scan reads all rows, but the statement has a LIMIT, which would apply to \
             each range separately. Remove the LIMIT, and stop reading when there are enough rows"
        )
    );
}
