//! The path of a statement: read, analysed, checked, admitted, run, accounted for, answered.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use bytes::{BufMut, Bytes, BytesMut};
use keyspaces_cql::{Effect, KnownTables, Statement as Tree, statement};
use tokio::time::Instant;

use super::Shared;
use super::account::{Remembered, Terms};
use super::analyse::{Action, Analysed, Checks, Rejected, Scope, analyse, judge_batch, parsed};
use super::limits::Piece;
use super::nondeterministic::evaluated;
use super::paging::Asked;
use super::prepared::Facts;
use crate::budget::Budget;
use crate::fault::{TIMED_OUT, error_body};
use crate::journal::Outcome;
use crate::names::{SchemaObject, system_tables};
use crate::protocol::request::{self, Batch, BatchKind, Batched, Execute, Query, Request, TextOrId};
use crate::protocol::{Consistency, Frame, Opcode, Refusal, Writer, error_code, error_of, metadata, not_emulated};
use crate::schema::unconfigured;
use crate::throttle::{Exceeded, Requests, Use};
use crate::upstream::{Channel, Failed, Layout, Upstream, lost};

/// A statement of one connection.
pub(super) struct Statement<'a> {
    pub(super) shared: &'a Arc<Shared>,
    pub(super) upstream: &'a Arc<Upstream>,
    /// The keyspace of the connection, set by `USE`.
    pub(super) keyspace: &'a Mutex<Option<String>>,
    /// The address that the client has connected to.
    pub(super) peer: SocketAddr,
    /// Whether a fault makes the page empty.
    pub(super) empty_page: bool,
    /// The requests that the connection may still make in this second.
    pub(super) requests: &'a Requests,
    /// The answers with rows that the connection may have in memory, each until it is written to the client.
    pub(super) answers: &'a Budget,
}

/// The frame for the client, and the outcome for the journal.
pub(super) type Answer = (Frame, Outcome);

impl Statement<'_> {
    /// `frame` is the frame of the request: its stream and its share of memory are used for the answer.
    ///
    /// The parts are boxed, here and below. Otherwise each request that waits for its client to read would hold the space of
    /// the largest of all futures, some 80 kB.
    pub(super) async fn answer(&self, frame: Frame, request: Request) -> Answer {
        let stream = frame.stream;
        // A write that finds its table not recorded is in the baseline, which waits for this to end.
        let _in_progress = self.shared.history.write_in_progress();
        let answer = match request {
            Request::Query(query) => Box::pin(self.query(frame, query)).await,
            Request::Prepare(text) => Box::pin(self.prepare(frame, &text)).await,
            Request::Execute(execute) => Box::pin(self.execute(frame, &execute)).await,
            Request::Batch(batch) => Box::pin(self.batch(frame, batch)).await,
        };
        match answer {
            Ok(answer) => answer,
            Err(refusal) => refused(stream, self.explained(refusal).await),
        }
    }

    /// Says how Cassandra ended, if that is why the request failed.
    async fn explained(&self, refusal: Refusal) -> Refusal {
        if refusal.code != error_code::SERVER_ERROR || !self.upstream.is_closed() {
            return refusal;
        }
        match self.shared.fate.told().await {
            Some(end) => Refusal { text: format!("keyspaces-local: {end}"), ..refusal },
            None => refusal,
        }
    }

    async fn query(&self, frame: Frame, query: Query) -> Result<Answer, Refusal> {
        let (tree, analysed) = match Box::pin(self.analyse(frame.stream, &query.text, false)).await {
            Ok(analysed) => analysed,
            Err(Rejected::Refused(refusal)) => return Err(refusal),
            Err(Rejected::Unparsed(refusal)) => return self.probe(frame.stream, &query.text, refusal).await,
        };
        match &analysed.action {
            Action::Use(keyspace) => {
                self.settle().await?;
                self.shared.schema.check_keyspace(keyspace)?;
                *self.keyspace.lock().unwrap_or_else(PoisonError::into_inner) = Some(keyspace.clone());
                Ok((set_keyspace(frame.stream, keyspace), Outcome::Answered))
            }
            Action::Nothing => Ok((done(frame.stream), Outcome::Answered)),
            Action::Define(definition) => {
                let answer = self.shared.define((**definition).clone()).await?;
                Ok(came_of(Frame::new(frame.stream, answer.opcode, answer.body)))
            }
            Action::Read | Action::Write { .. } => {
                let facts = self.evaluated(facts(tree, analysed));
                let text = facts.text.for_cassandra();
                Box::pin(self.carry_out(frame, &facts, Asked::Query(&query, &text))).await
            }
        }
    }

    async fn prepare(&self, frame: Frame, text: &str) -> Result<Answer, Refusal> {
        let (tree, analysed) = match self.analyse(frame.stream, text, true).await {
            Ok(analysed) => analysed,
            Err(Rejected::Refused(refusal)) => return Err(refusal),
            Err(Rejected::Unparsed(refusal)) => return self.probe(frame.stream, text, refusal).await,
        };
        if !matches!(analysed.action, Action::Read | Action::Write { .. }) {
            return Err(not_emulated("this statement as a prepared one"));
        }
        let facts = facts(tree, analysed);
        self.check_tables(&facts).await?;
        let definitions = self.shared.layouts.definitions();
        let body = request::write_prepare(frame.stream, &facts.text.for_cassandra()).body;
        let (answer, outcome) = self.forward(frame.with_body(body)).await?;
        if let Some(id) = metadata::prepared_id(&answer) {
            self.shared.prepared.remember(id, facts, self.peer, definitions);
        }
        Ok((answer, outcome))
    }

    async fn execute(&self, frame: Frame, execute: &Execute) -> Result<Answer, Refusal> {
        let Some(facts) = self.shared.prepared.get(&execute.id) else {
            return Ok(unprepared(frame.stream, &execute.id));
        };
        if facts.reads && execute.parameters.skips_metadata() && self.has_other_columns(&execute.id, &facts) {
            return Ok(unprepared(frame.stream, &execute.id));
        }
        if self.must_evaluate(&facts) {
            let mut frame = frame;
            frame.opcode = Opcode::Query;
            let facts = self.evaluated((*facts).clone());
            let text = facts.text.for_cassandra();
            let query = Query { text: String::new(), parameters: execute.parameters.clone() };
            return Box::pin(self.carry_out(frame, &facts, Asked::Query(&query, &text))).await;
        }
        Box::pin(self.carry_out(frame, &facts, Asked::Execute(execute))).await
    }

    /// Whether a table of a prepared statement was altered since this peer last sent the columns of its rows. The nodes of
    /// a cluster each forget prepared statements when a table is altered. The one Cassandra behind does so once for all
    /// peers, so that a client of another peer that asks for rows without their columns would read them as the old columns.
    fn has_other_columns(&self, id: &[u8], facts: &Facts) -> bool {
        let layouts = &self.shared.layouts;
        let told = self.shared.prepared.told(id, self.peer);
        told.is_some_and(|told| facts.tables.iter().any(|table| layouts.has_changed_since(table, told)))
    }

    /// Carries out a statement that is not in a batch.
    async fn carry_out(&self, frame: Frame, facts: &Facts, asked: Asked<'_>) -> Result<Answer, Refusal> {
        let (stream, parameters) = (frame.stream, asked.parameters());
        let values = parameters.values();
        check_consistency(facts.reads, facts.conditional, parameters.consistency, parameters.serial_consistency)?;
        self.check_tables(facts).await?;
        let timestamp = self.frames_timestamp(parameters.timestamp, &[facts])?;
        let plan = self.plan(stream, facts).await?;
        let terms = Terms { logged: plan.is_logged_batch(), batch: false, consistency: parameters.consistency };
        let pieces = [Piece::new(facts, &values, &plan)];
        self.hold_to_limits(stream, &pieces, false).await?;
        let usage = self.usage(&pieces, terms);
        if let Err(throttled) = self.admit(stream, &usage) {
            return Ok(throttled);
        }
        let began = Instant::now();
        let result = if facts.reads {
            Box::pin(self.read(frame, facts, asked)).await
        } else {
            let written = Box::pin(self.write(frame.with_body(asked.body(timestamp)), &pieces)).await;
            written.map(|answer| (answer, 0))
        };
        self.account(&usage, &result, began.elapsed());
        result.map(|(answer, _)| answer)
    }

    async fn batch(&self, frame: Frame, mut batch: Batch) -> Result<Answer, Refusal> {
        let mut texts = Vec::with_capacity(batch.statements.len());
        let mut all = Vec::with_capacity(batch.statements.len());
        for batched in &mut batch.statements {
            let known = match &batched.statement {
                TextOrId::Id(id) => {
                    let Some(facts) = self.shared.prepared.get(id) else { return Ok(unprepared(frame.stream, id)) };
                    if !self.must_evaluate(&facts) {
                        texts.push(String::new());
                        all.push(facts);
                        continue;
                    }
                    (*facts).clone()
                }
                TextOrId::Text(text) => match self.analyse(frame.stream, text, false).await {
                    Ok((_, analysed)) if !matches!(analysed.action, Action::Write { .. }) => {
                        return Err(only_writes());
                    }
                    Ok((tree, analysed)) => facts(tree, analysed),
                    Err(Rejected::Refused(refusal)) => return Err(refusal),
                    Err(Rejected::Unparsed(refusal)) => return self.probe(frame.stream, text, refusal).await,
                },
            };
            let known = self.evaluated(known);
            texts.push(known.text.for_cassandra());
            // A prepared statement whose functions were evaluated here is sent as a text.
            batched.statement = TextOrId::Text(String::new());
            all.push(Arc::new(known));
        }
        if all.iter().any(|facts| facts.reads) {
            return Err(only_writes());
        }
        let kind = match batch.kind {
            BatchKind::Logged => statement::BatchKind::Logged,
            BatchKind::Unlogged => statement::BatchKind::Unlogged,
            BatchKind::Counter => statement::BatchKind::Counter,
        };
        let trees: Vec<&Tree> = all.iter().map(|facts| &*facts.tree).collect();
        let tables = self.known_tables(frame.stream, all.iter().flat_map(|facts| &facts.tables)).await?;
        self.in_scope(false, |scope| judge_batch(kind, &trees, scope, &tables))?;
        check_consistency(
            false,
            all.iter().any(|facts| facts.conditional),
            batch.consistency,
            batch.serial_consistency,
        )?;
        for facts in &all {
            self.check_tables(facts).await?;
        }
        let timestamp = self.frames_timestamp(batch.timestamp, &all)?;
        let values: Vec<_> = batch.statements.iter().map(Batched::values).collect();
        let mut plans = Vec::with_capacity(all.len());
        for facts in &all {
            plans.push(self.plan(frame.stream, facts).await?);
        }
        let pieces = all.iter().zip(&values).zip(&plans);
        let pieces: Vec<_> = pieces.map(|((facts, values), plan)| Piece::new(facts, values, plan)).collect();
        let logged = batch.kind == BatchKind::Logged;
        self.hold_to_limits(frame.stream, &pieces, logged).await?;
        let usage = self.usage(&pieces, Terms { logged, batch: true, consistency: batch.consistency });
        if let Err(throttled) = self.admit(frame.stream, &usage) {
            return Ok(throttled);
        }
        let began = Instant::now();
        let written = Box::pin(self.write(frame.with_body(batch.write(&texts, timestamp)), &pieces)).await;
        let result = written.map(|answer| (answer, 0));
        self.account(&usage, &result, began.elapsed());
        result.map(|(answer, _)| answer)
    }

    async fn analyse(&self, stream: i16, text: &str, prepared: bool) -> Result<(Tree, Analysed), Rejected> {
        let statement = parsed(text)?;
        let definition = statement.effect() == Effect::Definition;
        if definition && prepared {
            let table = self.in_scope(prepared, |scope| scope.defined_table(&statement));
            if let Some(table) = table {
                return Err(Rejected::Refused(unconfigured(&table)));
            }
        }
        if definition {
            // An object that exists stays as it is, whatever the rest of the statement says.
            let created = self.in_scope(prepared, |scope| scope.created_if_missing(&statement));
            if let Some(created) = created {
                self.settle().await.map_err(Rejected::Refused)?;
                if self.shared.schema.has(&created) {
                    return Ok((statement, Analysed::nothing_to_do()));
                }
            }
        }
        let named = match statement.effect() {
            Effect::Definition => Vec::new(),
            _ => self.in_scope(prepared, |scope| scope.tables(&statement)),
        };
        let tables = self.known_tables(stream, &named).await.map_err(Rejected::Refused)?;
        let analysed = self.in_scope(prepared, |scope| analyse(&statement, text, scope, &tables));
        Ok((statement, analysed.map_err(Rejected::Refused)?))
    }

    /// The columns of a table; none if Cassandra has no table of this name.
    pub(super) async fn layout(&self, stream: i16, table: &SchemaObject) -> Result<Arc<Layout>, Refusal> {
        let schema = &self.shared.schema;
        let default_ttl = || schema.options(table).and_then(|options| options.default_time_to_live);
        let expires = || default_ttl().is_some_and(|seconds| seconds > 0);
        let cassandra = Channel { upstream: self.upstream, stream };
        self.shared.layouts.find(cassandra, schema.names(), table, expires).await
    }

    /// The known tables among these, without system tables and those that do not exist.
    pub(super) async fn known_tables<'t>(
        &self,
        stream: i16,
        tables: impl IntoIterator<Item = &'t SchemaObject>,
    ) -> Result<KnownTables, Refusal> {
        let mut known = KnownTables::default();
        for table in tables.into_iter().collect::<HashSet<_>>() {
            if self.shared.schema.options(table).is_some() {
                let layout = self.layout(stream, table).await?;
                known.insert(Some(&table.keyspace), &table.name, Arc::clone(&layout.known));
            }
        }
        Ok(known)
    }

    fn in_scope<T>(&self, prepared: bool, judge: impl FnOnce(Scope<'_>) -> T) -> T {
        let keyspace = self.keyspace.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (names, data_center) = (self.shared.schema.names(), self.shared.schema.data_center());
        judge(Scope { keyspace: keyspace.as_deref(), names, data_center, prepared })
    }

    /// Whether its nondeterministic functions have to be evaluated here: for a recorded table it must be known which row is
    /// written.
    fn must_evaluate(&self, facts: &Facts) -> bool {
        let history = &self.shared.history;
        let is_nondeterministic = matches!(facts.checks, Checks::Write { nondeterministic: true, .. });
        is_nondeterministic && facts.tables.iter().any(|table| history.is_recorded(table))
    }

    /// Replaces the calls of nondeterministic functions with their values, if needed.
    fn evaluated(&self, mut facts: Facts) -> Facts {
        if self.must_evaluate(&facts) {
            facts.text.renames.extend(evaluated(&facts.tree, SystemTime::now()));
        }
        facts
    }

    async fn check_tables(&self, facts: &Facts) -> Result<(), Refusal> {
        self.settle().await?;
        if facts.tables.iter().any(system_tables::shows_recovery) {
            self.shared.schema.show_earliest().await.map_err(broken)?;
        }
        for (table, needs) in facts.tables.iter().zip(&facts.needs) {
            self.shared.schema.check_table(table, *needs)?;
        }
        Ok(())
    }

    async fn settle(&self) -> Result<(), Refusal> {
        self.shared.settle().await.map_err(broken)
    }

    /// Has Cassandra prepare a text that could not be parsed here: for a syntax error its own message is the answer.
    async fn probe(&self, stream: i16, text: &str, otherwise: Refusal) -> Result<Answer, Refusal> {
        let answer = self.upstream.call(request::write_prepare(stream, text)).await.map_err(|_| lost())?;
        match error_of(&answer) {
            Some((error_code::SYNTAX_ERROR, _)) => Ok(came_of(answer)),
            _ => Err(otherwise),
        }
    }

    pub(super) async fn forward(&self, request: Frame) -> Result<Answer, Refusal> {
        let answer = self.upstream.call(request).await.map_err(|_| lost())?;
        Ok(came_of(self.restored(answer)?))
    }
}

fn facts(tree: Tree, analysed: Analysed) -> Facts {
    let Analysed { action, tables, needs, checks, text } = analysed;
    Facts {
        text,
        tree: Arc::new(tree),
        tables,
        reads: action == Action::Read,
        conditional: action == Action::Write { conditional: true },
        needs,
        checks,
        plan: Remembered::default(),
    }
}

/// Serial consistency is checked for conditional writes only. With other statements it is ignored, as the protocol's
/// specification says.
fn check_consistency(
    reads: bool,
    conditional: bool,
    consistency: Consistency,
    serial: Option<Consistency>,
) -> Result<(), Refusal> {
    let refuse = |text: String| Refusal { code: error_code::INVALID, text };
    consistency.check(reads).map_err(refuse)?;
    match serial.filter(|serial| conditional && !serial.is_serial()) {
        Some(serial) => Err(refuse(format!(
            "keyspaces-local: the serial consistency of a conditional write is SERIAL or LOCAL_SERIAL, not {serial}"
        ))),
        None => Ok(()),
    }
}

/// Cassandra's own words.
fn only_writes() -> Refusal {
    Refusal {
        code: error_code::INVALID,
        text: "Invalid statement in batch: only UPDATE, INSERT and DELETE statements are allowed.".into(),
    }
}

pub(super) fn refused(stream: i16, Refusal { code, text }: Refusal) -> Answer {
    (Frame::error(stream, code, &text), Outcome::Refused { code, text: text.into() })
}

/// The answer to a throttled request, which is all that the service says of it (DG:troubleshooting.serverless).
pub(super) fn throttled(stream: i16, side: Use, exceeded: Exceeded) -> Answer {
    let code = match side {
        Use::Read => error_code::READ_TIMEOUT,
        Use::Write => error_code::WRITE_TIMEOUT,
    };
    let frame = Frame::new(stream, Opcode::Error, error_body(code, TIMED_OUT));
    (frame, Outcome::Throttled { code, exceeded })
}

fn unprepared(stream: i16, id: &Bytes) -> Answer {
    let text = format!(
        "Prepared query with ID {} not found (either the query was not prepared on this host (maybe the host has been restarted?) or you have prepared too many queries and it has been evicted from the internal cache)",
        hex::encode(id)
    );
    let mut body = BytesMut::new();
    body.put_i32(error_code::UNPREPARED);
    body.string(&text);
    body.short_bytes(id);
    let outcome = Outcome::Refused { code: error_code::UNPREPARED, text: text.into() };
    (Frame::new(stream, Opcode::Error, body.freeze()), outcome)
}

fn set_keyspace(stream: i16, keyspace: &str) -> Frame {
    const SET_KEYSPACE: i32 = 3;
    let mut body = BytesMut::new();
    body.put_i32(SET_KEYSPACE);
    body.string(keyspace);
    Frame::new(stream, Opcode::Result, body.freeze())
}

/// A result of kind VOID.
fn done(stream: i16) -> Frame {
    const VOID: i32 = 1;
    Frame::new(stream, Opcode::Result, Bytes::copy_from_slice(&VOID.to_be_bytes()))
}

/// An answer of Cassandra with its outcome.
pub(super) fn came_of(answer: Frame) -> Answer {
    let outcome = match error_of(&answer) {
        Some((code, text)) => Outcome::Failed { code, text: text.into() },
        None => Outcome::Forwarded,
    };
    (answer, outcome)
}

fn broken(failed: Failed) -> Refusal {
    Refusal { code: error_code::SERVER_ERROR, text: format!("keyspaces-local: {failed}") }
}
