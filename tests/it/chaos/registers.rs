//! Checks that the conditional writes to one row are linearizable.
//!
//! Each value is written by one operation only. The last value therefore shows which operations were applied, and in which
//! order: from each value, the chain leads back to the value that its operation expected. An operation that was not applied has
//! read a value of the chain. So each operation has a place in the chain, and an operation that ended before another began must
//! not have the later place.

use std::collections::HashMap;
use std::time::Duration;

use super::history::{CallResult, Swapped};

/// The violations in the operations on one row, whose final value is `last`.
pub(super) fn violations(operations: &[Swapped], last: Option<i64>) -> Vec<String> {
    match Chain::of(operations, last) {
        Ok(chain) => chain.violations(operations),
        Err(violation) => vec![violation],
    }
}

/// The place of each value. The first value has place 1; place 0 is the time when the row did not exist.
struct Chain(HashMap<i64, usize>);

impl Chain {
    fn of(operations: &[Swapped], last: Option<i64>) -> Result<Self, String> {
        let by_value: HashMap<i64, &Swapped> = operations.iter().map(|operation| (operation.new, operation)).collect();
        let mut backwards = Vec::new();
        let mut value = last;
        while let Some(there) = value {
            let Some(operation) = by_value.get(&there) else { return Err(format!("nobody wrote the value {there}")) };
            if backwards.len() > operations.len() {
                return Err(format!("the values go round in a circle at {there}"));
            }
            backwards.push(there);
            value = operation.expected;
        }
        Ok(Self(backwards.into_iter().rev().zip(1..).collect()))
    }

    fn place(&self, value: Option<i64>) -> Option<usize> {
        value.map_or(Some(0), |value| self.0.get(&value).copied())
    }

    fn violations(&self, operations: &[Swapped]) -> Vec<String> {
        let mut found = Vec::new();
        let mut placed: Vec<Placed<'_>> = Vec::new();
        for operation in operations {
            let applied = self.place(Some(operation.new));
            match (operation.result, applied) {
                (CallResult::Applied, None) => found.push(format!("acknowledged and not there: {operation:?}")),
                (CallResult::NotApplied(_) | CallResult::Failed, Some(_)) => {
                    found.push(format!("said not to be applied, and it was: {operation:?}"));
                }
                // It may have been applied at any time after its start.
                (CallResult::Unknown, Some(place)) => placed.push(Placed { operation, place: 2 * place, ended: None }),
                (CallResult::Applied, Some(place)) => {
                    placed.push(Placed { operation, place: 2 * place, ended: Some(operation.ended) });
                }
                (CallResult::NotApplied(there), None) if there == operation.expected => {
                    found.push(format!("not applied although the value was the expected one: {operation:?}"));
                }
                (CallResult::NotApplied(there), None) => match self.place(there) {
                    Some(place) => {
                        placed.push(Placed { operation, place: 2 * place + 1, ended: Some(operation.ended) });
                    }
                    None => found.push(format!("it saw a value that never was: {operation:?}")),
                },
                (CallResult::Unknown | CallResult::Failed, None) => {}
            }
        }
        found.extend(out_of_order(placed));
        found
    }
}

#[derive(Clone, Copy)]
struct Placed<'a> {
    operation: &'a Swapped,
    /// Even for a write; odd for an operation that read the value of the write before.
    place: usize,
    ended: Option<Duration>,
}

/// Finds operations that began after an operation with a later place had ended.
fn out_of_order(mut placed: Vec<Placed<'_>>) -> Vec<String> {
    let mut ended: Vec<_> = placed.iter().filter_map(|placed| Some((placed.ended?, *placed))).collect();
    ended.sort_by_key(|(at, _)| *at);
    placed.sort_by_key(|placed| placed.operation.invoked);
    let mut ended = ended.into_iter().peekable();
    let mut latest: Option<Placed<'_>> = None;
    let mut found = Vec::new();
    for one in placed {
        while let Some((_, before)) = ended.next_if(|(at, _)| *at < one.operation.invoked) {
            latest = latest.filter(|latest| latest.place >= before.place).or(Some(before));
        }
        if let Some(latest) = latest.filter(|latest| latest.place > one.place) {
            found.push(format!("{:?} is before {:?}, which had ended when it began", one.operation, latest.operation));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(expected: Option<i64>, new: i64, times: (u64, u64), result: CallResult<Option<i64>>) -> Swapped {
        let [invoked, ended] = [times.0, times.1].map(Duration::from_secs);
        Swapped { row: 0, expected, new, invoked, ended, result }
    }

    fn found(operations: &[Swapped], last: i64) -> String {
        violations(operations, Some(last)).join("; ")
    }

    #[test]
    fn serializable_operations_are_no_violation() {
        let operations = [
            operation(None, 1, (0, 1), CallResult::Applied),
            operation(None, 2, (0, 3), CallResult::NotApplied(Some(1))),
            operation(Some(1), 3, (1, 2), CallResult::Unknown),
            operation(Some(1), 4, (1, 2), CallResult::Unknown),
            operation(Some(3), 5, (5, 6), CallResult::Applied),
            operation(Some(5), 6, (5, 6), CallResult::Failed),
            operation(Some(1), 7, (3, 9), CallResult::NotApplied(Some(3))),
        ];
        assert_eq!(found(&operations, 5), "");
    }

    #[test]
    fn non_serializable_operations_are_reported() {
        let first = operation(None, 1, (0, 1), CallResult::Applied);
        for (operations, last, said) in [
            (vec![first], 2, "nobody wrote the value 2"),
            (vec![first, operation(Some(1), 2, (2, 3), CallResult::Applied)], 1, "acknowledged and not there"),
            (vec![first, operation(Some(1), 2, (2, 3), CallResult::Failed)], 2, "said not to be applied, and it was"),
            (vec![first, operation(Some(1), 2, (2, 3), CallResult::NotApplied(Some(1)))], 1, "was the expected one"),
            (vec![first, operation(Some(1), 2, (2, 3), CallResult::NotApplied(Some(9)))], 1, "a value that never was"),
            // Two operations expected the same value: a lost update.
            (
                vec![
                    first,
                    operation(Some(1), 2, (2, 3), CallResult::Applied),
                    operation(Some(1), 3, (2, 3), CallResult::Applied),
                ],
                3,
                "acknowledged and not there",
            ),
            // The operation read a value that was replaced before it began.
            (
                vec![
                    first,
                    operation(Some(1), 2, (2, 3), CallResult::Applied),
                    operation(None, 3, (4, 5), CallResult::NotApplied(Some(1))),
                ],
                2,
                "which had ended when it began",
            ),
            // The operation read a value that was written after it had ended.
            (
                vec![
                    first,
                    operation(None, 3, (2, 3), CallResult::NotApplied(Some(2))),
                    operation(Some(1), 2, (4, 5), CallResult::Unknown),
                ],
                2,
                "which had ended when it began",
            ),
        ] {
            let found = found(&operations, last);
            assert!(found.contains(said), "{found:?} and not {said:?}");
        }
    }
}
