//! The floors of this crate, as ARCHITECTURE.md draws them: a module uses only modules on lower floors. Also checks the
//! length of the workspace's files.

use std::fs;
use std::path::{Path, PathBuf};

/// The modules of the crate, the lowest floor first.
const FLOORS: &[&[&str]] = &[
    &["saturated"],
    &["clock", "error", "lock", "random"],
    &["budget", "credentials", "protocol"],
    &["auth", "ca", "names", "topology", "wire"],
    &["partitioner", "upstream"],
    &["recovery", "statement"],
    &["cassandra", "credential_store", "fault", "history", "schema", "throttle"],
    &["journal", "metering", "truststore"],
    &["gateway"],
    &["control_plane"],
    &["controls"],
    &["fault_port", "program", "ready", "runtime"],
    &["local"],
    &["lib", "tests"],
];

/// The floor of a module. A name that `lib.rs` exports is on the floor of `lib.rs`.
fn floor(name: &str) -> Option<usize> {
    let is_module = name.starts_with(|first: char| first.is_ascii_lowercase());
    FLOORS.iter().position(|floor| floor.contains(&if is_module { name } else { "lib" }))
}

/// The modules of the crate, and the names that `lib.rs` exports, that a file uses. `depth` is the number of modules
/// that the file is nested in, including its own.
fn used(text: &str, depth: usize) -> Vec<String> {
    let mut names = Vec::new();
    let mut inline = 0;
    for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
        if !line.starts_with(' ') && line.ends_with("mod tests {") {
            inline = 1;
        }
        for (at, _) in line.match_indices("crate::") {
            if !line[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_') {
                names.extend(first_names(&line[at + "crate::".len()..]));
            }
        }
        for (at, _) in line.match_indices("super::").filter(|(at, _)| !line[..*at].ends_with("super::")) {
            let path = &line[at..];
            let rest = path.trim_start_matches("super::");
            let supers = (path.len() - rest.len()) / "super::".len();
            if supers == depth + inline {
                names.extend(first_names(rest));
            }
        }
    }
    names
}

/// `a` of `a::b`, `a` and `b` of `{a::c, b}`.
fn first_names(path: &str) -> Vec<String> {
    let name = |path: &str| path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    match path.strip_prefix('{').and_then(|list| list.split_once('}')) {
        Some((list, _)) => list.split(',').map(|path| name(path.trim())).collect(),
        None => vec![name(path)],
    }
}

/// The imports of a file that break the order of floors.
fn violations(file: &Path, text: &str) -> Vec<String> {
    let modules: Vec<_> = file.with_extension("").iter().map(|name| name.to_string_lossy().into_owned()).collect();
    let module = &modules[0];
    let depth = modules.len() - usize::from(modules.len() > 1 && modules[modules.len() - 1] == "mod");
    let Some(own_floor) = floor(module) else { return vec![format!("{} is on no floor", file.display())] };
    let upward = used(text, depth).into_iter().filter(|name| name != module).filter(|name| match floor(name) {
        Some(floor) => floor >= own_floor && own_floor + 1 != FLOORS.len(),
        None => true,
    });
    upward.map(|name| format!("{} uses {name}, which is not on a floor below", file.display())).collect()
}

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") && !path.ends_with("node_modules") {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn module_imports_only_go_downward() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    files(&source, &mut all);
    // The program is a separate crate; the last two files contain examples of violations.
    let others = ["main.rs", "arguments.rs", "floors.rs", "house.rs"];
    let violations: Vec<_> = all
        .iter()
        .filter(|path| !others.iter().any(|name| path.ends_with(name)))
        .flat_map(|path| violations(path.strip_prefix(&source).unwrap(), &fs::read_to_string(path).unwrap()))
        .collect();
    assert!(all.len() > 100 && violations.is_empty(), "{}", violations.join("\n"));
}

#[test]
fn no_file_of_the_workspace_is_longer_than_450_lines() {
    let all = workspace();
    let lines = |path: &PathBuf| fs::read_to_string(path).unwrap().lines().count();
    let long: Vec<_> = all.iter().map(|path| (path, lines(path))).filter(|(_, lines)| *lines > 450).collect();
    assert!(long.is_empty(), "they hold more than one concept each: {long:?}");
}

#[test]
fn no_doc_comment_begins_with_a_bare_of() {
    let mut found = Vec::new();
    for path in workspace() {
        for (number, line) in fs::read_to_string(&path).unwrap().lines().enumerate() {
            if ["/// Of ", "//! Of "].iter().any(|of| line.trim_start().starts_with(of)) {
                found.push(format!("{}:{}", path.display(), number + 1));
            }
        }
    }
    assert!(found.is_empty(), "name the thing that it is: {found:?}");
}

/// The source files of all crates, including tests and benches.
fn workspace() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut all = Vec::new();
    for directory in ["src", "cql", "local", "cli", "macros", "testing", "tests", "benches", "examples"] {
        files(&root.join(directory), &mut all);
    }
    assert!(all.len() > 500, "only {} files were found", all.len());
    all
}

#[test]
fn upward_or_sideways_import_is_detected() {
    for (file, text, names) in [
        ("protocol/frame.rs", "use crate::gateway::Gateway;", "gateway"),
        ("schema/mod.rs", "use crate::history::History;", "history"),
        ("names/mod.rs", "    let it = crate::schema::Schema::open();", "schema"),
        ("history/store.rs", "use super::super::gateway::Gateway;", "gateway"),
        ("clock.rs", "use super::protocol::Frame;", "protocol"),
        ("journal/mod.rs", "mod tests {\n    use super::super::local::Local;", "local"),
        ("upstream/mod.rs", "use crate::{error::Error, Local};", "Local"),
        ("gateway/mod.rs", "use crate::nowhere::Thing;", "nowhere"),
    ] {
        let expected = format!("{file} uses {names}, which is not on a floor below");
        assert_eq!(violations(Path::new(file), text), [expected]);
    }
    assert_eq!(violations(Path::new("attic.rs"), ""), ["attic.rs is on no floor"]);
    for (file, text) in [
        ("gateway/mod.rs", "use crate::schema::Schema;\n// use crate::local::Local;"),
        ("gateway/paging/filter.rs", "use super::super::dml::DmlStatement;"),
        ("history/store.rs", "mod tests {\n    use super::super::shared_connection::tests::forgetful;"),
    ] {
        assert_eq!(violations(Path::new(file), text), [] as [&str; 0]);
    }
}
