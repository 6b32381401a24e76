//! Instructions and allocations of one function in a process, counted by Callgrind.
//!
//! Allocations are the calls of `malloc`, `calloc`, `realloc` and their aligned variants that Callgrind saw. The process
//! itself contains no code that counts, so the counts do not include any.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

use crate::Result;

const ALLOCATES: [&str; 6] = ["malloc", "calloc", "realloc", "aligned_alloc", "memalign", "posix_memalign"];

pub(crate) struct Counts {
    pub(crate) instructions: u64,
    pub(crate) allocations: u64,
}

/// The function that is counted. The client has it, and no other function has this in its name.
const COUNTED: &str = "counted_by_callgrind";

/// Runs this program with these arguments and counts from the last entry of the counted function to the program's end. The
/// profile stays in `out`, for `callgrind_annotate`.
pub(crate) fn count(arguments: &[String], out: &Path) -> Result<Counts> {
    let ended = Command::new("valgrind")
        .arg("--tool=callgrind")
        // Not `--toggle-collect`, which includes the calls before and after the function.
        .arg(format!("--zero-before=*{COUNTED}*"))
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(std::env::current_exe()?)
        .args(arguments)
        .output()
        .map_err(|error| format!("valgrind, which counts the instructions, cannot be run: {error}"))?;
    if !ended.status.success() {
        return Err(format!("{arguments:?} under valgrind: {}", String::from_utf8_lossy(&ended.stderr)).into());
    }
    read(&std::fs::read_to_string(out)?)
}

/// Reads the format of callgrind's documentation, "Callgrind Format Specification".
fn read(profile: &str) -> Result<Counts> {
    if !profile.contains(COUNTED) {
        return Err(format!("callgrind did not see {COUNTED}").into());
    }
    // The profile has each name once, together with a number. Later lines have only the number.
    let mut names = HashMap::new();
    let mut called = None;
    let mut counts = Counts { instructions: 0, allocations: 0 };
    for line in profile.lines() {
        if let Some(total) = line.strip_prefix("totals: ") {
            counts.instructions = total.trim().parse()?;
        } else if let Some((what, name)) = line.split_once("fn=(") {
            let (number, name) = name.split_once(')').ok_or("a function without a name")?;
            if !name.is_empty() {
                names.insert(number, name.trim());
            }
            called = (what == "c").then(|| names.get(number).copied()).flatten();
        } else if let Some(calls) = line.strip_prefix("calls=")
            && called.is_some_and(|called| ALLOCATES.contains(&called))
        {
            counts.allocations += calls.split(' ').next().unwrap_or_default().parse::<u64>()?;
        }
    }
    Ok(counts)
}
