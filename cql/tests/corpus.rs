//! Schemas like those of public projects, each in a `.cql` file of `corpus/`. The `.txt` file of the same name has the
//! findings of lint, the findings of the conversion, and the converted schema.

use std::fmt::Write;
use std::path::PathBuf;
use std::{fs, io};

use keyspaces_cql::convert::convert;
use keyspaces_cql::lint::{Severity, lint};

fn schemas() -> io::Result<Vec<PathBuf>> {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus");
    let mut files = fs::read_dir(corpus)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "cql"));
    files.sort();
    Ok(files)
}

#[test]
fn every_corpus_schema_gets_its_expected_findings() {
    let schemas = schemas().unwrap();
    assert!(schemas.len() >= 30, "only {} schemas", schemas.len());
    let mut wrong = String::new();
    for path in schemas {
        let text = fs::read_to_string(&path).unwrap();
        let mut actual = "# lint\n".to_owned();
        for finding in lint(&text) {
            writeln!(
                actual,
                "{}:{}: {}[{}]",
                finding.position.line, finding.position.column, finding.severity, finding.id
            )
            .unwrap();
        }
        let conversion = convert(&text);
        actual += "\n# convert\n";
        for finding in &conversion.findings {
            writeln!(actual, "{}:{}: {finding}", finding.position.line, finding.position.column).unwrap();
        }
        write!(actual, "\n# converted\n{conversion}").unwrap();
        let expected = fs::read_to_string(path.with_extension("txt")).unwrap_or_default();
        if actual != expected {
            writeln!(wrong, "=== {}\n{actual}", path.with_extension("txt").display()).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Converting a converted schema changes nothing, lint finds no error in it, and its text has the same definitions.
#[test]
fn converted_schema_is_valid_for_keyspaces() {
    for path in schemas().unwrap() {
        let converted = convert(&fs::read_to_string(&path).unwrap());
        let text = converted.to_string();
        let reconverted = convert(&text);
        assert_eq!(reconverted.to_string(), text, "{}", path.display());
        assert_eq!(reconverted.findings, [], "{}", path.display());
        let errors: Vec<_> =
            lint(&text).into_iter().filter(|it| it.severity == Severity::Error || it.id == "unknown").collect();
        assert_eq!(errors, [], "{}", path.display());
        assert_eq!(reconverted.definitions(), converted.definitions(), "{}", path.display());
    }
}
