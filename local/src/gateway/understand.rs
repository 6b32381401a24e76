//! What a statement is, whether the service takes it, and its text with Cassandra's names.

use keyspaces_cql::statement::{
    AlterTableChange, Batch, CqlType, CqlTypeKind, Modification, TableOption, Using, WithOption,
};
use keyspaces_cql::{
    Context, Judgement, Name, QualifiedName, Span, Statement, SyntaxError, SyntaxProblem, Unknown, judge_in,
};

use super::error_code;
use crate::auth::Refusal;
use crate::schema::{Change, Definition, Features, Kind, Names, Thing, quoted, system_tables};

/// A statement that the service takes, as far as its text can tell.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Understood {
    pub(super) action: Action,
    /// The tables that it reads or writes, by the client's names.
    pub(super) tables: Vec<Thing>,
    /// What these tables need for it.
    pub(super) needs: Features,
    /// With Cassandra's names.
    pub(super) text: String,
}

/// What a statement does.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Action {
    Read,
    Write { conditional: bool },
    Define(Definition),
    Use(String),
}

/// Why a statement goes no further.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Not {
    /// Refused.
    Taken(Refusal),
    /// No CQL that is known here: Cassandra says whether it is any; this if it is.
    Known(Refusal),
}

/// Where names without a keyspace are, and what Cassandra calls them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) keyspace: Option<&'a str>,
    pub(super) names: &'a Names,
    pub(super) data_center: &'a str,
    /// Whether it is to be prepared.
    pub(super) prepared: bool,
}

/// Reads a statement.
pub(super) fn understand(text: &str, place: Place<'_>) -> Result<Understood, Not> {
    let statement = keyspaces_cql::parse(text).map_err(|error| unknown_syntax(&error))?;
    judged(&statement, text, place).map_err(Not::Taken)?;
    let mut reading = Reading { text, place, edits: Vec::new() };
    reading.statement(&statement).map_err(Not::Taken)
}

/// What the rules say of a batch that came in pieces. Each of its statements was understood by itself.
pub(super) fn judge_batch(kind: &str, texts: &[&str], place: Place<'_>) -> Result<(), Refusal> {
    let statements: String = texts.iter().map(|text| format!("{}; ", text.trim_end_matches(is_end))).collect();
    let text = format!("BEGIN {kind} BATCH {statements}APPLY BATCH");
    let statement = keyspaces_cql::parse(&text).map_err(|error| not_emulated(format!("this batch: {error}")))?;
    judged(&statement, &text, place)
}

fn is_end(c: char) -> bool {
    c == ';' || c.is_whitespace()
}

fn judged(statement: &Statement, text: &str, place: Place<'_>) -> Result<(), Refusal> {
    let mut context = Context::new();
    if let Some(keyspace) = place.keyspace {
        context = context.in_keyspace(keyspace);
    }
    if place.prepared {
        context = context.prepared();
    }
    match judge_in(statement, &context) {
        Judgement::Allowed => Ok(()),
        Judgement::Refused(refusal) => Err(Refusal {
            code: refusal.rule.error_code(),
            text: refusal.rule.text.map_or_else(|| format!("keyspaces-local: {refusal}"), str::to_owned),
        }),
        Judgement::Unknown(Unknown { span, what }) => Err(not_emulated(format!("{what} ({})", span.position(text)))),
    }
}

fn unknown_syntax(error: &SyntaxError) -> Not {
    let refusal = not_emulated(format!("this statement: {error}"));
    match error.problem {
        SyntaxProblem::Unexpected { .. } | SyntaxProblem::Unterminated(_) => Not::Known(refusal),
        // Cassandra is not asked to read what is beyond measure.
        _ => Not::Taken(refusal),
    }
}

pub(super) fn not_emulated(what: impl std::fmt::Display) -> Refusal {
    Refusal { code: error_code::INVALID, text: format!("keyspaces-local: not emulated: {what}") }
}

struct Reading<'a> {
    text: &'a str,
    place: Place<'a>,
    edits: Vec<(Span, String)>,
}

impl Reading<'_> {
    fn statement(&mut self, statement: &Statement) -> Result<Understood, Refusal> {
        match statement {
            Statement::Select(select) => {
                let table = self.table(&select.table)?;
                let timestamps = statement.functions().iter().any(|function| function.name == "writetime");
                Ok(self.understood(Action::Read, vec![table], Features { ttl: false, timestamps }))
            }
            Statement::Insert(insert) => {
                self.write(&[&insert.table], insert.if_not_exists.is_some(), insert.using.as_ref())
            }
            Statement::Update(update) => {
                self.write(&[&update.table], update.condition.is_some(), update.using.as_ref())
            }
            Statement::Delete(delete) => {
                self.write(&[&delete.table], delete.condition.is_some(), delete.using.as_ref())
            }
            Statement::Batch(batch) => self.batch(batch),
            Statement::Use(wanted) => {
                Ok(self.understood(Action::Use(wanted.keyspace.text.clone()), Vec::new(), Features::default()))
            }
            definition => {
                let definition = self.definition(definition)?;
                Ok(self.understood(Action::Define(definition), Vec::new(), Features::default()))
            }
        }
    }

    fn batch(&mut self, batch: &Batch) -> Result<Understood, Refusal> {
        let tables: Vec<_> = batch.statements.iter().map(Modification::table).collect();
        let conditional = batch.statements.iter().any(Modification::is_conditional);
        let mut understood = self.write(&tables, conditional, batch.using.as_ref())?;
        for using in batch.statements.iter().filter_map(Modification::using) {
            understood.needs = understood.needs.and(needed(using));
        }
        Ok(understood)
    }

    fn write(
        &mut self,
        tables: &[&QualifiedName],
        conditional: bool,
        using: Option<&Using>,
    ) -> Result<Understood, Refusal> {
        let tables = tables.iter().map(|table| self.table(table)).collect::<Result<Vec<_>, _>>()?;
        // The rules let through one change in a system keyspace: that of the partitioner.
        if tables.iter().any(|table| system_tables::is_system(&table.keyspace)) {
            return Err(not_emulated("another partitioner: it is chosen when the local service is started"));
        }
        let needs = using.map(needed).unwrap_or_default();
        Ok(self.understood(Action::Write { conditional }, tables, needs))
    }

    fn definition(&mut self, statement: &Statement) -> Result<Definition, Refusal> {
        let mut types = Vec::new();
        let (change, thing, conditional) = match statement {
            Statement::CreateKeyspace(create) => {
                for option in &create.options {
                    self.keyspace_option(option)?;
                }
                (Change::Create, self.keyspace(&create.keyspace), create.if_not_exists.is_some())
            }
            Statement::DropKeyspace(drop) => (Change::Drop, self.keyspace(&drop.keyspace), drop.if_exists.is_some()),
            Statement::CreateTable(create) => {
                self.table_options(&create.options)?;
                let table = self.table(&create.table)?;
                for column in &create.columns {
                    self.types(&column.column_type, &table.keyspace, &mut types);
                }
                (Change::Create, table, create.if_not_exists.is_some())
            }
            Statement::AlterTable(alter) => {
                let table = self.table(&alter.table)?;
                match &alter.change {
                    AlterTableChange::Add(columns) => {
                        for column in columns {
                            self.types(&column.column_type, &table.keyspace, &mut types);
                        }
                    }
                    AlterTableChange::With(options) => self.table_options(options)?,
                    AlterTableChange::AddTags(term) | AlterTableChange::DropTags(term) => {
                        return Err(self.not_emulated("tags", term.span));
                    }
                    _ => return Err(self.not_emulated("this change of a table", alter.span)),
                }
                (Change::Alter, table, alter.if_exists.is_some())
            }
            Statement::DropTable(drop) => (Change::Drop, self.table(&drop.table)?, drop.if_exists.is_some()),
            Statement::CreateType(create) => {
                let name = self.user_type(&create.name)?;
                for field in &create.fields {
                    self.types(&field.field_type, &name.keyspace, &mut types);
                }
                (Change::Create, name, create.if_not_exists.is_some())
            }
            Statement::DropType(drop) => (Change::Drop, self.user_type(&drop.name)?, drop.if_exists.is_some()),
            other => return Err(self.not_emulated("this statement", other.span())),
        };
        Ok(Definition { change, thing, conditional, types, text: self.edited() })
    }

    /// Strategies are the rules' business; here the only one that is let through is given Cassandra's words.
    fn keyspace_option(&mut self, option: &WithOption) -> Result<(), Refusal> {
        match option.name.text.as_str() {
            "replication" => {
                self.edits.push((option.value.span, crate::schema::replication(self.place.data_center)));
                Ok(())
            }
            "durable_writes" => Ok(()),
            other => Err(self.not_emulated(other, option.span)),
        }
    }

    fn table_options(&self, options: &[TableOption]) -> Result<(), Refusal> {
        const ONLY_THE_SERVICES: [&str; 4] = ["custom_properties", "autoscaling_settings", "tags", "cdc"];
        match options.iter().find(|option| ONLY_THE_SERVICES.contains(&option.name.text.as_str())) {
            Some(option) => Err(self.not_emulated(&option.name.text, option.span)),
            None => Ok(()),
        }
    }

    fn keyspace(&mut self, name: &Name) -> Thing {
        self.edits.push((name.span, self.place.names.quoted_keyspace(&name.text)));
        Thing::keyspace(&name.text)
    }

    fn table(&mut self, name: &QualifiedName) -> Result<Thing, Refusal> {
        let keyspace = self.keyspace_of(name)?;
        let table = Thing::table(keyspace, &name.name.text);
        let upstream = match system_tables::find(&table.keyspace, &table.name) {
            Some(system) => self.place.names.system_table(system),
            None => self.qualified(&table),
        };
        self.edits.push((name.span(), upstream));
        Ok(table)
    }

    fn user_type(&mut self, name: &QualifiedName) -> Result<Thing, Refusal> {
        let user_type = Thing::user_type(self.keyspace_of(name)?, &name.name.text);
        self.edits.push((name.span(), self.qualified(&user_type)));
        Ok(user_type)
    }

    fn qualified(&self, thing: &Thing) -> String {
        format!("{}.{}", self.place.names.quoted_keyspace(&thing.keyspace), quoted(&thing.name))
    }

    fn keyspace_of(&self, name: &QualifiedName) -> Result<String, Refusal> {
        let named = name.keyspace.as_ref().map(|keyspace| keyspace.text.as_str());
        named.or(self.place.keyspace).map(str::to_owned).ok_or_else(|| Refusal {
            code: error_code::INVALID,
            text: "No keyspace has been specified. USE a keyspace, or explicitly specify keyspace.tablename".into(),
        })
    }

    /// Finds the user-defined types in a type; those without a keyspace are in that of the table or type.
    fn types(&mut self, of: &CqlType, keyspace: &str, found: &mut Vec<Thing>) {
        match &of.kind {
            CqlTypeKind::UserDefined(name) => {
                let keyspace = name.keyspace.as_ref().map_or(keyspace, |keyspace| &keyspace.text);
                let user_type = Thing { keyspace: keyspace.to_owned(), kind: Kind::Type, name: name.name.text.clone() };
                if name.keyspace.is_some() {
                    self.edits.push((name.span(), self.qualified(&user_type)));
                }
                found.push(user_type);
            }
            CqlTypeKind::List(inner) | CqlTypeKind::Set(inner) | CqlTypeKind::Frozen(inner) => {
                self.types(inner, keyspace, found);
            }
            CqlTypeKind::Map(key, value) => {
                self.types(key, keyspace, found);
                self.types(value, keyspace, found);
            }
            CqlTypeKind::Tuple(parts) => parts.iter().for_each(|part| self.types(part, keyspace, found)),
            CqlTypeKind::Native(_) | CqlTypeKind::Vector(..) | CqlTypeKind::Custom(_) => {}
        }
    }

    fn not_emulated(&self, what: &str, span: Span) -> Refusal {
        not_emulated(format!("{what} ({})", span.position(self.text)))
    }

    fn understood(&self, action: Action, tables: Vec<Thing>, needs: Features) -> Understood {
        Understood { action, tables, needs, text: self.edited() }
    }

    /// The text with everything in its place.
    fn edited(&self) -> String {
        let mut edits: Vec<_> = self.edits.iter().collect();
        edits.sort_by_key(|(span, _)| *span);
        let mut edited = String::with_capacity(self.text.len() + 32 * edits.len());
        let mut at = 0;
        for (span, new) in edits {
            edited.push_str(&self.text[at..span.start]);
            edited.push_str(new);
            at = span.end;
        }
        edited.push_str(&self.text[at..]);
        edited
    }
}

fn needed(using: &Using) -> Features {
    Features { ttl: using.ttl().is_some(), timestamps: using.timestamp().is_some() }
}
