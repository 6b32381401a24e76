//! Checks that the modules of a folder do not import each other in a circle. `tests/house.rs` of the workspace checks
//! that each type name has one meaning in all crates, and that methods are next to their type.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The source files below a folder with their texts, by their paths from `src`.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.append(&mut files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(source()).unwrap().to_string_lossy().into_owned();
            found.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
    found
}

/// The modules of a folder, each with those of the same folder that it uses. A name that the folder's `mod.rs` exports
/// from one of its modules counts as that module.
fn imports(folder: &str, files: &BTreeMap<String, String>) -> BTreeMap<String, BTreeSet<String>> {
    let code = |text: &str| {
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
    };
    let prefix = format!("{folder}/");
    let (mut exports, mut modules) = (BTreeMap::new(), BTreeMap::<String, Vec<(usize, String)>>::new());
    for (file, text) in files.iter().filter(|(file, _)| !file.ends_with("tests.rs")) {
        if *file == format!("{folder}.rs") || *file == format!("{prefix}mod.rs") {
            let code = code(text);
            for path in code.split("use ").skip(1).filter_map(|path| path.split_once("::")) {
                exports.extend(first_names(path.1).into_iter().map(|name| (name, path.0.to_owned())));
            }
        } else if let Some(path) = file.strip_prefix(&prefix) {
            let parts: Vec<_> = path.trim_end_matches(".rs").split('/').filter(|part| *part != "mod").collect();
            modules.entry(parts[0].to_owned()).or_default().push((parts.len(), code(text)));
        }
    }
    let mut imports = BTreeMap::new();
    for (module, files) in &modules {
        let mut used = BTreeSet::new();
        for (depth, code) in files {
            for start in ["super::".repeat(*depth), format!("crate::{}::", folder.replace('/', "::"))] {
                let places = code.match_indices(&start).filter(|(at, _)| !code[..*at].ends_with("super::"));
                used.extend(places.flat_map(|(at, _)| first_names(&code[at + start.len()..])));
            }
        }
        let resolved = used.into_iter().map(|name| exports.get(&name).cloned().unwrap_or(name));
        imports.insert(module.clone(), resolved.filter(|name| name != module && modules.contains_key(name)).collect());
    }
    imports
}

/// `a` of `a::b`, `a` and `b` of `{a::c, b}`.
fn first_names(path: &str) -> Vec<String> {
    let name = |path: &str| path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    match path.strip_prefix('{').and_then(|list| list.split_once("};")) {
        // The names of an inner list are returned as separate names, which is harmless: no module has such a name.
        Some((list, _)) => list.split([',', '{']).map(|path| name(path.trim())).collect(),
        None => vec![name(path)],
    }
}

/// The modules that import each other in a circle.
fn circle(imports: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<String> {
    let mut left = imports.clone();
    // A module that uses no remaining module, or that no remaining module uses, is not in a circle.
    loop {
        let used: BTreeSet<_> = left.values().flatten().cloned().collect();
        let before = left.len();
        let names: BTreeSet<_> = left.keys().cloned().collect();
        left.retain(|module, uses| used.contains(module) && uses.iter().any(|name| names.contains(name)));
        if left.len() == before {
            return left.into_keys().collect();
        }
        let names: BTreeSet<_> = left.keys().cloned().collect();
        left.values_mut().for_each(|uses| uses.retain(|name| names.contains(name)));
    }
}

#[test]
fn sibling_modules_have_no_import_cycles() {
    let files = files(&source());
    let folders: BTreeSet<_> = files.keys().filter_map(|file| Some(file.rsplit_once('/')?.0)).collect();
    let folders = folders.into_iter().filter(|folder| !folder.starts_with("tests"));
    let (mut circles, mut all) = (Vec::new(), 0);
    for folder in folders {
        let imports = imports(folder, &files);
        all += imports.values().map(BTreeSet::len).sum::<usize>();
        let circle = circle(&imports);
        if !circle.is_empty() {
            circles.push(format!("in {folder}: {circle:?}"));
        }
    }
    assert!(all > 150 && circles.is_empty(), "of {all} imports, {}", circles.join("; "));
}

#[test]
fn import_cycle_is_detected() {
    let files = |files: &[(&str, &str)]| -> BTreeMap<String, String> {
        files.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect()
    };
    let circle_of = |all: &[(&str, &str)]| circle(&imports("room", &files(all))).into_iter().collect::<Vec<_>>();
    let plain =
        [("room/mod.rs", ""), ("room/a.rs", "use super::b::B;"), ("room/b.rs", "use super::c::C;"), ("room/c.rs", "")];
    assert_eq!(circle_of(&plain), [] as [&str; 0]);
    for third in ["use super::a::A;", "use crate::room::a::A;", "use super::{\n    a::A,\n};", "use super::Exported;"] {
        let with = [plain[1], plain[2], ("room/mod.rs", "pub(crate) use a::Exported;"), ("room/c.rs", third)];
        assert_eq!(circle_of(&with), ["a", "b", "c"], "{third}");
    }
    let inner = [plain[1], plain[2], ("room/c/mod.rs", ""), ("room/c/d.rs", "use super::super::a::A;")];
    assert_eq!(circle_of(&inner), ["a", "b", "c"]);
}
