//! The documentation of every public future says whether it may be dropped. A server drops the futures of a handler when its
//! client disconnects.

use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The documentation above the line with this index.
fn documentation(lines: &[&str], index: usize) -> String {
    let above = lines[..index].iter().rev().map(|line| line.trim_start());
    above.take_while(|line| line.starts_with("///") || line.starts_with("#[")).collect::<Vec<_>>().join(" ")
}

#[test]
fn every_public_future_documents_its_cancel_safety() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let (mut futures, mut undocumented) = (0, Vec::new());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let awaited: Vec<String> = lines
            .iter()
            .filter_map(|line| line.starts_with("impl").then(|| line.split_once(" IntoFuture for ")).flatten())
            .map(|(_, name)| format!("pub struct {}", name.trim_end_matches(" {").split('<').next().unwrap()))
            .collect();
        for (index, line) in lines.iter().enumerate() {
            let is_awaited = awaited.iter().any(|name| line.starts_with(name.as_str()));
            if line.trim_start().starts_with("pub async fn ") || is_awaited {
                futures += 1;
                if !documentation(&lines, index).to_lowercase().contains("drop") {
                    undocumented.push(format!("{}:{}", file.display(), index + 1));
                }
            }
        }
    }
    assert!(futures > 50, "{futures}");
    assert!(undocumented.is_empty(), "{undocumented:#?}");
}
