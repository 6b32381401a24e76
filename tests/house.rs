//! What holds for the sources of the crates, which a reader relies on: where a type's methods are, what a type's name means, and
//! whose types the public API has.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The sources of each crate.
const CRATES: [&str; 6] = ["src", "cql/src", "local/src", "testing/src", "cli/src", "macros/src"];

/// The types in it are quoted input of macros.
const MACRO_INPUT: &str = "macros/src/tests.rs";

/// The folders that have the files of `ARCHITECTURE.md` and `CONTRIBUTING.md`.
const DOCUMENTED: [&str; 8] = ["src", "cql", "local", "testing", "macros", "cli", "examples", "tests"];

/// Types with an inherent `impl` in another file as well: the type, the file and why.
const METHODS_ELSEWHERE: [(&str, &str, &str); 1] =
    [("Session", "src/session/operations.rs", "what begins the work of other rooms; each method is one line")];

/// Names that several types of a crate have, and why that misleads nobody.
const SHARED_NAMES: [(&str, &str, &str); 3] = [
    ("src", "Inner", "what the handles of one type share; private to the file of the handle"),
    ("src", "StatementMetrics", "with the feature `metrics` and without it"),
    ("src", "RunningCall", "with the feature `metrics` and without it"),
];

#[test]
fn each_type_has_one_inherent_impl_in_its_own_file() {
    let (mut found, mut twice, mut blocks) = (BTreeSet::new(), Vec::new(), 0);
    for of in CRATES {
        let sources = sources(of);
        let mut declared = BTreeMap::<String, BTreeSet<&Path>>::new();
        for (path, text) in &sources {
            for name in declarations(text) {
                declared.entry(name).or_default().insert(path);
            }
        }
        for (path, text) in &sources {
            let mut headers = BTreeSet::new();
            for (name, header) in inherent_impls(text) {
                blocks += 1;
                if !declared.get(name).is_some_and(|files| files.contains(path.as_path())) {
                    found.insert((name.to_owned(), path.display().to_string()));
                }
                if !headers.insert(header) {
                    twice.push(format!("{header} in {}", path.display()));
                }
            }
        }
    }
    let allowed = METHODS_ELSEWHERE.iter().map(|(name, path, _)| ((*name).to_owned(), (*path).to_owned()));
    assert_eq!(found, allowed.collect(), "make them functions that take the type, or move them to its file");
    assert!(blocks > 500 && twice.is_empty(), "of {blocks} blocks, one is enough: {twice:?}");
}

#[test]
fn type_names_are_unique_within_a_crate() {
    let (mut found, mut names) = (BTreeSet::new(), 0);
    for of in CRATES {
        let mut count = BTreeMap::<String, usize>::new();
        for (_, text) in sources(of).into_iter().filter(|(path, _)| path != Path::new(MACRO_INPUT)) {
            for name in declarations(&text) {
                *count.entry(name).or_default() += 1;
            }
        }
        names += count.len();
        found.extend(count.into_iter().filter(|(_, count)| *count > 1).map(|(name, _)| (of.to_owned(), name)));
    }
    let allowed = SHARED_NAMES.iter().map(|(of, name, _)| ((*of).to_owned(), (*name).to_owned()));
    assert_eq!(found, allowed.collect(), "call each by the field's word for what it is");
    assert!(names > 900, "only {names} names were found");
}

#[test]
fn architecture_lists_all_foreign_types_of_the_public_api() {
    let architecture = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let section =
        architecture.split("## Foreign types in the public API").nth(1).unwrap().split("\n## ").next().unwrap();
    let listed: BTreeSet<_> =
        section.split('`').skip(1).step_by(2).filter(|name| name.contains("::")).map(str::to_owned).collect();
    let mut found = BTreeSet::new();
    for (_, text) in sources("src") {
        foreign_types(&text, &mut found);
    }
    let missing: Vec<_> = found.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&found).collect();
    assert!(missing.is_empty() && gone.is_empty(), "not listed: {missing:#?}\nlisted, and not there: {gone:#?}");
}

#[test]
fn files_named_in_the_documents_exist() {
    let files: Vec<_> = DOCUMENTED.iter().flat_map(|folder| sources(folder)).map(|(path, _)| path).collect();
    let (mut missing, mut named) = (BTreeSet::new(), 0);
    for document in ["ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let text = fs::read_to_string(root().join(document)).unwrap();
        for name in text.split(|c: char| !(c.is_alphanumeric() || "_/.-".contains(c))) {
            if name.ends_with(".rs") {
                named += 1;
                if !files.iter().any(|path| path.ends_with(name)) {
                    missing.insert(format!("{document}: {name}"));
                }
            }
        }
    }
    assert!(missing.is_empty() && named > 100, "of {named} file names, these exist nowhere: {missing:#?}");
}

#[test]
fn house_rule_checks_find_violations() {
    let text = "use chrono::{DateTime, Utc as Zone};\nuse crate::Own;\npub fn at(of: DateTime<Zone>, own: Own) {\n    let naive: chrono::NaiveDate;\n}\n\
                pub(crate) fn other(it: uuid::Uuid) {}\nimpl<T> Two<T> {\n}\nimpl fmt::Debug for Two<u8> {\n}\nenum Two<T> {\n}\n";
    assert_eq!(inherent_impls(text), [("Two", "impl<T> Two<T>")]);
    assert_eq!(declarations(text), ["Two"]);
    let mut found = BTreeSet::new();
    foreign_types(text, &mut found);
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["chrono::DateTime", "chrono::Utc"]);
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files of a crate below the root, with their texts.
#[expect(clippy::unwrap_used, reason = "a source that cannot be read fails the test that asks for it")]
fn sources(of: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut directories = vec![root().join(of)];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push((path.strip_prefix(root()).unwrap().to_owned(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(!found.is_empty(), "{of} has no sources");
    found
}

/// The names of the structs, enums, unions, traits and type aliases that a text declares at its top level or in a module of it.
fn declarations(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in text.lines() {
        let indented = line.starts_with(' ');
        let item = line.trim_start();
        let item = item.strip_prefix("pub ").or_else(|| after_restricted(item)).unwrap_or(item);
        let Some((keyword, rest)) = item.split_once(' ') else { continue };
        // An associated type is indented, and so is a type of a macro's.
        if matches!(keyword, "struct" | "enum" | "union" | "trait") || (keyword == "type" && !indented) {
            let name = name_at(rest);
            if name.starts_with(|first: char| first.is_ascii_uppercase()) {
                found.push(name.to_owned());
            }
        }
    }
    found
}

/// What follows `pub(…) `.
fn after_restricted(item: &str) -> Option<&str> {
    item.strip_prefix("pub(")?.split_once(") ").map(|(_, item)| item)
}

fn name_at(text: &str) -> &str {
    let end = text.find(|character: char| !character.is_alphanumeric() && character != '_').unwrap_or(text.len());
    &text[..end]
}

/// The types that a text has inherent `impl` blocks of, each with the block's header.
fn inherent_impls(text: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("\nimpl").chain(text.starts_with("impl").then_some((0, ""))) {
        let header = text[at..].trim_start().split(" {").next().unwrap_or_default();
        let mut rest = &header["impl".len()..];
        if rest.starts_with('<') {
            rest = after_angles(rest);
        }
        let rest = rest.trim_start();
        let name = name_at(rest);
        let after = &rest[name.len()..];
        let after = if after.starts_with('<') { after_angles(after) } else { after };
        if !after.starts_with("::") && !after.trim_start().starts_with("for ") && !name.is_empty() {
            found.push((name, header));
        }
    }
    found
}

/// What follows the `<…>` that a text begins with.
fn after_angles(text: &str) -> &str {
    let mut depth = 0_usize;
    let mut before = ' ';
    for (at, character) in text.char_indices() {
        match character {
            '<' => depth += 1,
            '>' if before != '-' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[at + 1..];
        }
        before = character;
    }
    ""
}

/// The types of other crates that the public signatures of a text name, by their crates: `chrono::DateTime`. The lints of the
/// workspace hold that what is `pub` can be reached.
fn foreign_types(text: &str, found: &mut BTreeSet<String>) {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let code: String =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).flat_map(|line| [line, "\n"]).collect();
    let mut imported = BTreeMap::new();
    for (at, _) in code
        .match_indices("use ")
        .filter(|(at, _)| at.checked_sub(1).is_none_or(|before| code.as_bytes()[before] == b'\n'))
    {
        let tree = code[at + "use ".len()..].split(';').next().unwrap_or_default();
        imports(&tree.split_whitespace().collect::<Vec<_>>().join(" "), "", &mut imported);
    }
    for signature in signatures(&code) {
        let mut rest = signature;
        while let Some(at) = rest.find(|character: char| character.is_alphabetic()) {
            let end = rest[at..]
                .find(|character: char| !character.is_alphanumeric() && !"_:".contains(character))
                .map_or(rest.len(), |end| at + end);
            let path = rest[at..end].trim_end_matches(':');
            rest = &rest[end..];
            let (first, name) =
                (path.split("::").next().unwrap_or_default(), path.rsplit("::").next().unwrap_or_default());
            if !name.starts_with(|first: char| first.is_ascii_uppercase()) {
                continue;
            }
            if let Some(of) = imported.get(first) {
                let of: &String = of;
                let own = if first == name {
                    of.clone()
                } else {
                    format!("{}::{name}", of.split("::").next().unwrap_or_default())
                };
                found.insert(own);
            } else if FOREIGN.contains(&first) && first != name {
                found.insert(format!("{first}::{name}"));
            }
        }
    }
}

/// The crates that the library depends on, but for its own.
const FOREIGN: [&str; 14] = [
    "aws_credential_types",
    "aws_sdk_cloudwatch",
    "bigdecimal",
    "chrono",
    "futures",
    "num_bigint",
    "rustls",
    "scylla",
    "secrecy",
    "serde",
    "serde_json",
    "time",
    "tokio",
    "uuid",
];

/// Puts the names that a tree of imports makes known, with their crates, into `imported`.
fn imports(tree: &str, of: &str, imported: &mut BTreeMap<String, String>) {
    let tree = tree.trim();
    match tree.split_once('{') {
        Some((path, list)) if path.ends_with("::") || path.is_empty() => {
            let of = if of.is_empty() { path.split("::").next().unwrap_or_default() } else { of };
            let list = list.strip_suffix('}').unwrap_or(list);
            let (mut depth, mut from) = (0, 0);
            for (at, character) in list.char_indices().chain([(list.len(), ',')]) {
                match character {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        imports(&list[from..at.max(from)], of, imported);
                        from = (at + 1).min(list.len());
                    }
                    _ => {}
                }
            }
        }
        _ => {
            let (path, alias) = tree.split_once(" as ").unwrap_or((tree, ""));
            let of = if of.is_empty() { path.split("::").next().unwrap_or_default() } else { of };
            let name = path.rsplit("::").next().unwrap_or_default();
            if FOREIGN.contains(&of) && name.starts_with(|first: char| first.is_ascii_uppercase()) {
                let known = if alias.is_empty() { name } else { alias };
                imported.insert(known.to_owned(), format!("{of}::{name}"));
            }
        }
    }
}

/// What is public of a text's items: from `pub` to the body of a function, to the end of a field, an alias or a re-export; and
/// the traits that its public types have.
fn signatures(code: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("pub ") {
        let line_start = code[..at].rfind('\n').map_or(0, |before| before + 1);
        if !code[line_start..at].trim().is_empty() {
            continue;
        }
        let item = &code[at + "pub ".len()..];
        let is_field = !["fn ", "async ", "const ", "struct ", "enum ", "trait ", "type ", "use ", "static ", "mod "]
            .iter()
            .any(|keyword| item.starts_with(keyword));
        let end = if is_field { item.find(",\n") } else { item.find(" {\n").into_iter().chain(item.find(";\n")).min() };
        found.push(&item[..end.unwrap_or(item.len())]);
    }
    for (at, _) in code.match_indices("\nimpl") {
        let header = code[at + 1..].split(" {\n").next().unwrap_or_default();
        let Some((_, of)) = header.split_once(" for ") else { continue };
        let is_public = ["struct", "enum"].iter().any(|kind| {
            let declared = format!("\npub {kind} {}", name_at(of));
            code.match_indices(&declared)
                .any(|(at, _)| !code[at + declared.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_'))
        });
        if is_public {
            found.push(header);
        }
    }
    found
}
