//! Compares the results that callers received with the journal and with the final contents of Cassandra.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use keyspaces::value::Counter;
use keyspaces::{Select, Session};
use keyspaces_local::Local;
use keyspaces_local::journal::{Kind as Request, Outcome, Received};

use super::faults::{FaultKind, StrikeCounts};
use super::history::{CallResult, History, Overwritten, Records, Tables, Written, value_of};
use super::registers;
use super::workload::{DIGITS, OVERWRITTEN, REGISTERS};
use crate::local::signed;

/// Finds violations, and returns a summary of the operations that it checked.
pub(super) async fn check(local: &Local, tables: &Tables, history: &History, strikes: &StrikeCounts) -> String {
    let received = local.journal().snapshot();
    let records = history.records();
    let last = FinalState::read(&signed(local).connect().await.expect("a session"), tables, &records).await;
    let found = [
        check_writes(&records.written, &last.rows),
        check_overwritten(&records.overwritten, &last.rows),
        check_increments(&records, &last.counters),
        check_registers(&records, &last.registers),
        check_streams(&records, &last.rows),
        check_journal(&records, tables, &received),
        check_fault_kinds(strikes),
    ];
    for violation in found.into_iter().flatten() {
        history.violation(violation);
    }
    summary(&records, &received, strikes)
}

/// The final contents of the tables.
struct FinalState {
    rows: BTreeMap<(i32, i32), i32>,
    counters: HashMap<i32, i64>,
    registers: HashMap<i32, i64>,
}

impl FinalState {
    async fn read(session: &Session, tables: &Tables, records: &Records) -> Self {
        let select = |columns: &str, table: String| format!("SELECT {columns} FROM {table} WHERE k = ?");
        let rows: Select<(i32,), (i32, i32)> = session.prepare(&select("c, v", tables.readings())).await.unwrap();
        let counter: Select<(i32,), (Counter,)> = session.prepare(&select("n", tables.counters())).await.unwrap();
        let register: Select<(i32,), (i64,)> = session.prepare(&select("v", tables.registers())).await.unwrap();
        let mut last = Self { rows: BTreeMap::new(), counters: HashMap::new(), registers: HashMap::new() };
        for k in records.written.iter().map(|written| written.k).chain(OVERWRITTEN).collect::<BTreeSet<_>>() {
            let partition: Vec<_> = rows.rows((k,)).try_collect().await.unwrap();
            last.rows.extend(partition.into_iter().map(|(c, v)| ((k, c), v)));
        }
        for row in records.counted.iter().map(|counted| counted.row).collect::<BTreeSet<_>>() {
            if let Some((Counter(n),)) = counter.one((row,)).await.unwrap() {
                last.counters.insert(row, n);
            }
        }
        for row in 0..REGISTERS {
            if let Some((value,)) = register.one((row,)).await.unwrap() {
                last.registers.insert(row, value);
            }
        }
        last
    }
}

fn check_writes(written: &[Written], rows: &BTreeMap<(i32, i32), i32>) -> Vec<String> {
    let mut found = Vec::new();
    for one @ Written { k, c, result } in written {
        match (result, rows.get(&(*k, *c))) {
            (CallResult::Applied, None) => found.push(format!("acknowledged and not there: {one:?}")),
            (CallResult::Failed, Some(_)) => found.push(format!("said not to be applied, and it was: {one:?}")),
            (_, Some(value)) if *value != value_of(*k, *c) => found.push(format!("another value, {value}: {one:?}")),
            _ => {}
        }
    }
    let known: BTreeSet<_> = written.iter().map(|written| (written.k, written.c)).collect();
    let strange = rows.keys().filter(|row| !known.contains(row) && !OVERWRITTEN.contains(&row.0));
    found.extend(strange.map(|row| format!("nobody wrote the row {row:?}")));
    found
}

fn check_overwritten(overwritten: &[Overwritten], rows: &BTreeMap<(i32, i32), i32>) -> Vec<String> {
    let mut found = Vec::new();
    for k in OVERWRITTEN {
        let of_row: Vec<_> = overwritten.iter().filter(|one| one.k == k).collect();
        let acknowledged = of_row.iter().filter(|one| one.result == CallResult::Applied).map(|one| one.v).max();
        let last = rows.get(&(k, 0)).copied();
        if last < acknowledged {
            found.push(format!("row {k} has {last:?}, and {acknowledged:?} was acknowledged"));
        }
        if let Some(one) = of_row.iter().find(|one| Some(one.v) == last && one.result == CallResult::Failed) {
            found.push(format!("said not to be applied, and it was: {one:?}"));
        }
    }
    found
}

fn check_increments(records: &Records, counters: &HashMap<i32, i64>) -> Vec<String> {
    let mut found = Vec::new();
    for counted in &records.counted {
        let times = counters.get(&counted.row).map_or(0, |n| n >> (3 * counted.digit) & 7);
        let is_right = match counted.result {
            CallResult::Applied => times == 1,
            CallResult::Unknown => times <= 1,
            CallResult::Failed | CallResult::NotApplied(()) => times == 0,
        };
        if !is_right {
            found.push(format!("applied {times} times: {counted:?}"));
        }
    }
    let beyond = counters.iter().filter(|(_, n)| **n >> (3 * DIGITS) != 0);
    found.extend(beyond.map(|(row, n)| format!("counter {row} is {n:#o}, which nobody counted to")));
    found
}

fn check_registers(records: &Records, registers: &HashMap<i32, i64>) -> Vec<String> {
    let of_row = |row| {
        let operations: Vec<_> = records.swapped.iter().filter(|swapped| swapped.row == row).copied().collect();
        registers::violations(&operations, registers.get(&row).copied())
    };
    (0..REGISTERS).flat_map(of_row).collect()
}

fn check_streams(records: &Records, rows: &BTreeMap<(i32, i32), i32>) -> Vec<String> {
    let mut found = Vec::new();
    for streamed in &records.streamed {
        let k = streamed.k;
        for pair in streamed.rows.windows(2).filter(|pair| pair[0].0 >= pair[1].0) {
            found.push(format!("a stream of partition {k} gave row {} after row {}", pair[1].0, pair[0].0));
        }
        let given: BTreeSet<_> = streamed.rows.iter().map(|(c, _)| *c).collect();
        let missing: Vec<_> = streamed.before.difference(&given).collect();
        if !missing.is_empty() {
            found.push(format!("a stream of partition {k} left out {missing:?}, going on {} times", streamed.resumes));
        }
        for (c, v) in streamed.rows.iter().filter(|(c, v)| rows.get(&(k, *c)) != Some(v)) {
            found.push(format!("a stream of partition {k} gave row {c} with {v}, which is not there in the end"));
        }
    }
    found
}

/// Compares the requests that the service received for each kind of statement with the calls.
fn check_journal(records: &Records, tables: &Tables, received: &[Received]) -> Vec<String> {
    let of = |table: String, words: &'static str| {
        received.iter().filter(move |received| {
            let text = received.statement.as_deref().unwrap_or_default();
            received.kind == Request::Execute && text.starts_with(words) && text.contains(&table)
        })
    };
    let writes: Vec<_> = of(tables.readings(), "INSERT").collect();
    let increments: Vec<_> = of(tables.counters(), "UPDATE").collect();
    let conditions: Vec<_> = of(tables.registers(), "UPDATE").chain(of(tables.registers(), "INSERT")).collect();
    let acknowledged = |flags: &mut dyn Iterator<Item = bool>| flags.filter(|flag| *flag).count();
    let calls = [
        (
            "writes",
            &writes,
            None,
            acknowledged(&mut records.written.iter().map(|one| one.result == CallResult::Applied))
                + acknowledged(&mut records.overwritten.iter().map(|one| one.result == CallResult::Applied)),
        ),
        (
            "increments",
            &increments,
            Some(records.counted.len()),
            acknowledged(&mut records.counted.iter().map(|one| one.result == CallResult::Applied)),
        ),
        (
            "conditional writes",
            &conditions,
            Some(records.swapped.len()),
            acknowledged(
                &mut records
                    .swapped
                    .iter()
                    .map(|one| matches!(one.result, CallResult::Applied | CallResult::NotApplied(_))),
            ),
        ),
    ];
    let mut found = Vec::new();
    for (what, received, most, acknowledged) in calls {
        let carried_out = received.iter().filter(|received| may_be_carried_out(received)).count();
        if most.is_some_and(|most| carried_out > most) {
            found.push(format!("{carried_out} {what} were perhaps carried out, of {} calls", most.unwrap_or_default()));
        }
        let answered = received
            .iter()
            .filter(|received| received.outcome == Some(Outcome::Forwarded) && received.reached_client());
        let answered = answered.count();
        if acknowledged > answered {
            found.push(format!("{acknowledged} {what} were said to be carried out, and {answered} were answered"));
        }
    }
    found
}

/// Whether Cassandra may have executed the request.
fn may_be_carried_out(received: &Received) -> bool {
    const UNSURE: [i32; 2] = [0x1100, 0x1500];
    match &received.outcome {
        None | Some(Outcome::Forwarded) => true,
        Some(Outcome::Failed { code, .. }) => UNSURE.contains(code),
        Some(_) => false,
    }
}

/// A run with few kinds of faults proves little, so it is a violation.
fn check_fault_kinds(strikes: &StrikeCounts) -> Vec<String> {
    let kinds = strikes.iter().filter(|(_, strikes)| **strikes > 0).count();
    let mut found = Vec::new();
    if kinds < 14 {
        found.push(format!("only {kinds} kinds of faults happened: {strikes:?}"));
    }
    found
}

fn summary(records: &Records, received: &[Received], strikes: &StrikeCounts) -> String {
    let kinds = strikes.iter().filter(|(_, strikes)| **strikes > 0).count();
    let throttled = received.iter().filter(|it| matches!(it.outcome, Some(Outcome::Throttled { .. }))).count();
    let unknown = |flags: &mut dyn Iterator<Item = bool>| flags.filter(|flag| *flag).count();
    let slow = strikes.get(&FaultKind::SlowPeer).copied().unwrap_or_default();
    format!(
        "{} writes ({} unknown), {} over another ({} unknown), {} increments ({} unknown), {} conditional writes ({} applied, {} unknown), {} streams \
         ({} times going on), {kinds} kinds of faults ({} strikes, {slow} slow), {throttled} throttled, the longest call {:.1?}",
        records.written.len(),
        unknown(&mut records.written.iter().map(|one| one.result == CallResult::Unknown)),
        records.overwritten.len(),
        unknown(&mut records.overwritten.iter().map(|one| one.result == CallResult::Unknown)),
        records.counted.len(),
        unknown(&mut records.counted.iter().map(|one| one.result == CallResult::Unknown)),
        records.swapped.len(),
        unknown(&mut records.swapped.iter().map(|one| one.result == CallResult::Applied)),
        unknown(&mut records.swapped.iter().map(|one| one.result == CallResult::Unknown)),
        records.streamed.len(),
        records.streamed.iter().map(|one| one.resumes).sum::<u32>(),
        strikes.values().sum::<u64>(),
        records.longest,
    )
}
