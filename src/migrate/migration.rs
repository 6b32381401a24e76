//! The numbered CQL files of a migration.

use std::fmt;
use std::fs;
use std::io::Read;
use std::path::Path;

use keyspaces_cql::{Effect, Judgement, MAX_TEXT_BYTES, Span, Statement, judge, parse_script};
use sha2::{Digest, Sha256};

use crate::saturated::saturated;
use crate::statement::summary;
use crate::{Error, ErrorKind};

/// Numbered CQL files, in the order of their numbers. All files are read, parsed and checked before anything is sent.
///
/// A file name has a number and words that say what the file does: `0001_users.cql`, `0002_add_prices.cql`. Numbers begin at 1
/// and may have gaps; two files with the same number are refused. A file contains definitions and writes that Keyspaces
/// accepts, separated by `;`, without bind markers. Reads and USE are refused.
///
/// A table or type without a keyspace in its name belongs to the keyspace that is passed to
/// [`Session::migrate`](crate::Session::migrate), so the same files can be used in every environment and test.
#[derive(Clone, Debug)]
pub struct Migrations(Vec<Migration>);

/// One file of [`Migrations`].
#[derive(Clone, Debug)]
pub struct Migration {
    version: u64,
    file: String,
    checksum: String,
    steps: Vec<MigrationStep>,
}

/// One statement of a file.
#[derive(Clone)]
pub(super) struct MigrationStep {
    /// The text to send. `Migrations::in_keyspace` adds the keyspace to its names; the checksum stays that of the text
    /// in the file.
    pub(super) text: String,
    pub(super) tree: Statement,
    /// The checksum of all statements up to this one.
    checksum: String,
}

impl fmt::Debug for MigrationStep {
    /// Leaves out the values that the statement writes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&summary(&self.tree))
    }
}

impl Migrations {
    /// Reads the files of a folder whose names end in `.cql`, and ignores other files. Blocks while it reads.
    ///
    /// # Errors
    ///
    /// [`Configuration`](ErrorKind::Configuration) if the folder or a file cannot be read, if a name has no number, or if two
    /// files have the same number; [`Refused`](ErrorKind::Refused), with file, line and column, if a file is not CQL or has a
    /// statement that Keyspaces refuses.
    pub fn from_folder(folder: impl AsRef<Path>) -> Result<Self, Error> {
        let folder = folder.as_ref();
        let unreadable = |path: &Path, error: std::io::Error| {
            configuration(format!("{} cannot be read: {error}", path.display())).with_source(error)
        };
        let mut files = Vec::new();
        for entry in fs::read_dir(folder).map_err(|error| unreadable(folder, error))? {
            let path = entry.map_err(|error| unreadable(folder, error))?.path();
            if path.extension().is_none_or(|extension| extension != "cql") {
                continue;
            }
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let file = fs::File::open(&path).map_err(|error| unreadable(&path, error))?;
            let mut bytes = Vec::new();
            let limit = saturated::<u64>(MAX_TEXT_BYTES);
            file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| unreadable(&path, error))?;
            if bytes.len() > MAX_TEXT_BYTES {
                return Err(refused(&name, format!("the file is longer than {MAX_TEXT_BYTES} bytes")));
            }
            let text = String::from_utf8(bytes)
                .map_err(|error| unreadable(&path, std::io::Error::new(std::io::ErrorKind::InvalidData, error)))?;
            files.push((name, text));
        }
        Self::new(files)
    }

    /// Parses files that are compiled into the program, as pairs of name and text:
    ///
    /// ```
    /// # fn main() -> Result<(), keyspaces::Error> {
    /// use keyspaces::migrate::Migrations;
    ///
    /// // In a program, the text is include_str!("migrations/0001_names.cql").
    /// let migrations = Migrations::new([("0001_names.cql", "CREATE TABLE shop.names (id int PRIMARY KEY);")])?;
    /// assert_eq!(migrations.iter().count(), 1);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// The errors of [`from_folder`](Self::from_folder).
    pub fn new<N: Into<String>, T: AsRef<str>>(files: impl IntoIterator<Item = (N, T)>) -> Result<Self, Error> {
        let files = files.into_iter().map(|(name, text)| Migration::read(name.into(), text.as_ref()));
        let mut files = files.collect::<Result<Vec<_>, _>>()?;
        files.sort_by(|one, other| (one.version, &one.file).cmp(&(other.version, &other.file)));
        if let Some([one, other]) = files.array_windows().find(|[one, other]| one.version == other.version) {
            return Err(configuration(format!("{} and {} have the same number", one.file, other.file))
                .with_advice("Rename one of them with the next free number"));
        }
        Ok(Self(files))
    }

    /// The files, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Migration> {
        self.0.iter()
    }

    /// The same files, with `keyspace` in names that have none. The checksums stay those of the original files.
    pub(super) fn in_keyspace(&self, keyspace: &str) -> Self {
        let mut migrations = self.clone();
        for step in migrations.0.iter_mut().flat_map(|migration| &mut migration.steps) {
            // The spans of the tree refer to the file. Parsing the step's own text gives spans within that text.
            let complete = keyspaces_cql::parse(&step.text)
                .ok()
                .and_then(|tree| tree.qualify_names(&step.text, keyspace))
                .and_then(|text| keyspaces_cql::parse(&text).ok().map(|tree| (text, tree)));
            if let Some((text, tree)) = complete {
                (step.text, step.tree) = (text, tree);
            }
        }
        migrations
    }

    pub(super) fn find(&self, version: u64) -> Option<&Migration> {
        self.0.iter().find(|migration| migration.version == version)
    }
}

impl Migration {
    /// The number of the file.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The name of its file.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The SHA-256 of the file in hexadecimal, with each `\r\n` replaced by `\n`, so that it is the same on every system.
    pub fn checksum(&self) -> &str {
        &self.checksum
    }

    /// The statements of the file.
    pub fn statements(&self) -> impl ExactSizeIterator<Item = &str> {
        self.steps.iter().map(|step| step.text.as_str())
    }

    /// The checksum of the first statements, up to this number; of all statements if the file has fewer.
    pub(super) fn checksum_of_first(&self, statements: usize) -> String {
        let last = statements.min(self.steps.len()).checked_sub(1).map(|last| &self.steps[last]);
        last.map_or_else(|| hex::encode(Sha256::digest("")), |last| last.checksum.clone())
    }

    pub(super) fn steps(&self) -> &[MigrationStep] {
        &self.steps
    }

    fn read(file: String, text: &str) -> Result<Self, Error> {
        let Some(version) = number(&file) else {
            return Err(configuration(format!("the name {file} is not a number from 1, an underscore and words"))
                .with_advice("Name it 0001_words.cql"));
        };
        let (mut steps, mut digest) = (Vec::new(), Sha256::new());
        for statement in parse_script(text) {
            let tree = statement.map_err(|error| refused(&file, error.to_string()))?;
            let at = |span: Span, problem: String| refused(&file, format!("{}: {problem}", span.position(text)));
            check(&tree).map_err(|(span, problem)| at(span, problem))?;
            let statement = text[tree.span().range()].to_owned();
            digest.update(statement.replace("\r\n", "\n").as_bytes());
            digest.update(b";\n");
            steps.push(MigrationStep { text: statement, tree, checksum: hex::encode(digest.clone().finalize()) });
        }
        let checksum = hex::encode(Sha256::digest(text.replace("\r\n", "\n").as_bytes()));
        Ok(Self { version, file, checksum, steps })
    }
}

/// Checks a statement of a file. The error has the position and the problem.
fn check(tree: &Statement) -> Result<(), (Span, String)> {
    match tree.effect() {
        Effect::Read => return Err((tree.span(), "a migration cannot contain a read".to_owned())),
        Effect::Use => {
            let problem = "a migration cannot contain USE: a name without a keyspace belongs to the keyspace that is \
                           passed to migrate()";
            return Err((tree.span(), problem.to_owned()));
        }
        _ => {}
    }
    if let Judgement::Refused(refusal) = judge(tree) {
        return Err((refusal.span, refusal.to_string()));
    }
    match tree.bind_markers().first() {
        Some(marker) => Err((marker.span, "a migration has no values for bind markers".to_owned())),
        None => Ok(()),
    }
}

/// `0012_add_prices.cql` has the number 12.
fn number(file: &str) -> Option<u64> {
    let (number, words) = file.strip_suffix(".cql")?.split_once('_')?;
    if words.is_empty() || !number.chars().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    // The column is a bigint, and row 0 is the lock.
    number.parse().ok().filter(|number| (1..=i64::MAX.unsigned_abs()).contains(number))
}

fn configuration(problem: String) -> Error {
    Error::new(ErrorKind::Configuration, READING, problem)
}

fn refused(file: &str, problem: String) -> Error {
    Error::new(ErrorKind::Refused, READING, format!("{file}, {problem}"))
}

const READING: &str = "reading migrations";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(files: &[(&str, &str)]) -> Result<Migrations, String> {
        Migrations::new(files.iter().copied()).map_err(|error| error.to_string())
    }

    #[test]
    fn migration_files_are_ordered_by_number_not_by_name() {
        let files = read(&[("10_c.cql", ""), ("9_b.cql", "-- nothing"), ("0001_a.cql", "")]).expect("they can be read");
        let names: Vec<_> = files.iter().map(Migration::file).collect();
        assert_eq!(names, ["0001_a.cql", "9_b.cql", "10_c.cql"]);
    }

    #[test]
    fn migration_checksum_ignores_the_line_ending_style() {
        let checksum = |text| read(&[("1_a.cql", text)]).expect("it can be read").0[0].checksum.clone();
        let lines = checksum("DROP TABLE a.b;\nDROP TABLE a.c;\n");
        assert_eq!(lines, "95230bbe6f9a20060d43e22073972301a589fd88e5d023199767e8220b82410e");
        assert_eq!(checksum("DROP TABLE a.b;\r\nDROP TABLE a.c;\r\n"), lines);
        assert_ne!(checksum("DROP TABLE a.b; DROP TABLE a.c;\n"), lines);
    }

    #[test]
    fn migration_keyspace_qualifies_names_without_changing_checksums() {
        let text =
            "-- of the shop\nCREATE TABLE names (id int PRIMARY KEY);\nDROP TABLE other.names;\nDROP TYPE address;";
        let files = read(&[("1_a.cql", text)]).expect("it can be read");
        let complete = files.in_keyspace("Shop");
        let statements: Vec<_> = complete.0[0].statements().collect();
        assert_eq!(
            statements,
            [
                "CREATE TABLE \"Shop\".names (id int PRIMARY KEY)",
                "DROP TABLE other.names",
                "DROP TYPE \"Shop\".address"
            ]
        );
        assert_eq!(complete.0[0].checksum(), files.0[0].checksum());
        for count in 0..=3 {
            assert_eq!(complete.0[0].checksum_of_first(count), files.0[0].checksum_of_first(count));
        }
    }

    #[test]
    fn invalid_migration_file_is_refused_with_line_and_column() {
        let in_file = |text, problem: &str| (vec![("1_a.cql", text)], format!("1_a.cql, {problem}"));
        let no_name = |name: &str| {
            format!("the name {name} is not a number from 1, an underscore and words. Name it 0001_words.cql")
        };
        for (files, problem) in [
            (vec![("users.cql", "")], no_name("users.cql")),
            (vec![("0000_users.cql", "")], no_name("0000_users.cql")),
            (vec![("+1_users.cql", "")], no_name("+1_users.cql")),
            (vec![("9223372036854775808_users.cql", "")], no_name("9223372036854775808_users.cql")),
            (
                vec![("01_a.cql", ""), ("1_b.cql", ""), ("3_c.cql", "")],
                "01_a.cql and 1_b.cql have the same number. Rename one of them with the next free number".to_owned(),
            ),
            in_file(
                "CREATE TABLE a.b (id int PRIMARY KEY);\n\nDROP TABLE a.b;\n  CREATE TABLE a.c (id);",
                "line 4, column 23: expected a type, found ')'",
            ),
            in_file("SELECT * FROM a.b", "line 1, column 1: a migration cannot contain a read"),
            in_file(
                "USE a",
                "line 1, column 1: a migration cannot contain USE: a name without a keyspace belongs to the keyspace \
                 that is passed to migrate()",
            ),
            in_file("INSERT INTO a.b (id) VALUES (?)", "line 1, column 30: a migration has no values for bind markers"),
            in_file(
                "ALTER TABLE a.b DROP c",
                "line 1, column 1: Amazon Keyspaces refuses ALTER TABLE … DROP. Leave the column, and write nothing to it. \
                 (not in the grammar of DG:cql.ddl.table)",
            ),
        ] {
            assert_eq!(read(&files).unwrap_err(), format!("reading migrations failed: {problem}"));
        }
    }
}
