//! The common part of all prepared statements, and binding, which checks values against the service's limits before
//! anything is sent.

use std::any::type_name;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::FutureExt;
use futures::future::BoxFuture;
use keyspaces_cql::{Effect, Rule, rules};
use scylla::deserialize::TypeCheckError;
use scylla::frame::response::result::ColumnSpec;
use scylla::response::query_result::QueryResult;
use scylla::serialize::row::SerializeRow;
use scylla::statement::prepared::PreparedStatement;

use super::markers::Markers;
use super::prepared_text::PreparedText;
use super::serialized::{self, BoundValues, SerializedView};
use super::{StatementInfo, mismatch, rule_problem_and_advice, value_types};
use crate::consistency::WRITE_CONSISTENCY;
use crate::execute::{Call, Request};
use crate::options::CallOptions;
use crate::saturated::saturated;
use crate::stream::{Fingerprint, Read, TextHash};
use crate::{Error, ErrorKind};

/// The common part of all prepared statements.
#[derive(Clone, Debug)]
pub struct UntypedStatement {
    pub(crate) call: Arc<Call>,
    pub(crate) prepared: PreparedStatement,
    pub(crate) text: TextHash,
    effect: Effect,
    markers: Arc<Markers>,
    /// Whether a bound value can break a rule other than a size limit.
    is_restricted: bool,
    /// The statement as the server prepared it; `prepared` is a copy with this statement's options.
    pub(super) prepared_text: Arc<PreparedText>,
}

impl UntypedStatement {
    pub(super) fn new(call: Arc<Call>, prepared_text: Arc<PreparedText>, effect: Effect) -> Result<Self, Error> {
        let prepared = prepared_text.statement.clone();
        call.info.check_counter_effect(effect, prepared.get_variable_col_specs().as_slice())?;
        let markers = prepared_text.markers(&call.info);
        let mut untyped = Self {
            // To a plain Cassandra, values that Keyspaces would refuse are sent, like texts that it would refuse.
            is_restricted: markers.need_value_checks() && !call.session.is_plain_cassandra(),
            text: TextHash::new(prepared.get_statement()),
            call,
            prepared,
            effect,
            markers,
            prepared_text,
        };
        untyped.apply_options();
        Ok(untyped)
    }

    pub(super) fn change_options(&mut self, change: impl FnOnce(&mut CallOptions)) {
        Arc::make_mut(&mut self.call).change_options(change);
        self.apply_options();
    }

    /// Sets the driver's options when this crate's options change, not with each call.
    fn apply_options(&mut self) {
        let Call { info, session, options, .. } = &*self.call;
        if !info.is_read() {
            return self.prepared.set_consistency(WRITE_CONSISTENCY);
        }
        let consistency = options.consistency.unwrap_or_else(|| session.read_consistency());
        self.prepared.set_consistency(consistency.as_driver());
        let page_size = options.page_size_for_driver().unwrap_or_else(|| info.page_size(session.page_size()));
        self.prepared.set_page_size(page_size);
    }

    /// Prepares the statement again after values did not fit it, because another program may have changed the table. Fails
    /// with `error` if the columns have not changed.
    pub(super) fn prepare_again(&self, error: Error) -> BoxFuture<'_, Result<Self, Error>> {
        async move {
            if error.kind() != ErrorKind::Type || self.prepared_text.is_outdated() {
                return Err(error);
            }
            let session = &self.call.session;
            match session.statements().prepare_again(session, self.prepared_text.text(), &self.call.info).await {
                Ok(prepared_text) if !prepared_text.has_same_columns(&self.prepared_text.statement) => {
                    Self::new(Arc::clone(&self.call), prepared_text, self.effect)
                }
                Ok(_) | Err(_) => Err(error),
            }
        }
        .boxed()
    }

    /// The error for a row type that does not fit the columns of the rows.
    pub(super) fn row_type_error(&self, error: TypeCheckError) -> Error {
        Error::new(ErrorKind::Type, self.preparing(), mismatch::explain_columns(&error))
            .with_advice_if(mismatch::advice_on_columns(&error))
            .with_source(error)
    }

    /// Checks that a write without a condition has no rows in its answer. Rows mean that the statement has a condition
    /// that the parser did not recognize, and its outcome would be ignored.
    pub(super) fn expect_no_rows(info: &StatementInfo, answer: QueryResult) -> Result<(), Error> {
        if !answer.is_rows() {
            return Ok(());
        }
        let problem = "the answer has rows, like the answer to a conditional write";
        Err(Error::new(ErrorKind::Server, info.attempted.clone(), problem)
            .with_advice("Prepare it as a Conditional, and check the outcome"))
    }

    #[inline]
    pub(crate) fn bind(&self, values: &impl SerializeRow) -> Result<Request, Error> {
        self.bind_serialized(&self.serialize(values)?)
    }

    /// Refuses a type if its name shows that its values can never be bound.
    pub(super) fn check_value_type<V>(&self) -> Result<(), Error> {
        self.check_value_type_name(type_name::<V>())
    }

    fn check_value_type_name(&self, type_name: &str) -> Result<(), Error> {
        let markers = self.prepared.get_variable_col_specs();
        let optional = self.markers.optional();
        match value_types::mismatch(type_name, markers.as_slice(), &optional, self.call.info.tree()) {
            None => Ok(()),
            Some(wrong) => {
                let attempted = self.preparing();
                Err(Error::new(ErrorKind::Type, attempted, wrong.problem).with_advice_if(wrong.advice))
            }
        }
    }

    /// Checks that values like these fit the statement, for a type whose name does not show it.
    pub(crate) fn check_sample(&self, values: &impl SerializeRow) -> Result<(), Error> {
        let columns = self.prepared.get_variable_col_specs();
        serialized::append(columns.as_slice(), values, &mut Vec::new())
            .map_err(|error| self.binding_error(self.preparing(), error))?;
        Ok(())
    }

    /// Binds values and returns the read, ready to be sent.
    #[inline]
    pub(super) fn read(&self, values: &impl SerializeRow) -> Result<Read, Error> {
        let values = self.serialize(values)?;
        let request = self.bind_serialized(&values)?;
        let fingerprint = Fingerprint::new(self.text, values.view());
        Ok(Read { call: Arc::clone(&self.call), request, fingerprint })
    }

    fn bind_serialized(&self, values: &BoundValues) -> Result<Request, Error> {
        let mut bound =
            self.prepared.clone().bind(values).map_err(|error| self.binding_error(self.attempted(), error))?;
        let view = values.view();
        if let Some(rows) = self.limit(view) {
            bound.set_page_size(rows);
        }
        Ok(Request::Prepared(bound, view.as_bytes().len()))
    }

    /// Serializes the values of a row that is sent later, each prefixed with its length.
    #[cfg(feature = "bulk")]
    pub(crate) fn serialize_row(&self, values: &impl SerializeRow) -> Result<Vec<u8>, Error> {
        let mut row = Vec::new();
        self.append_values(values, &mut row)?;
        Ok(row)
    }

    fn serialize(&self, values: &impl SerializeRow) -> Result<BoundValues, Error> {
        BoundValues::serialize_with(|buffer| self.append_values(values, buffer))
    }

    /// Appends the values in the wire format, checks them, and returns their number. After an error, `buffer` may
    /// contain some of them.
    pub(super) fn append_values(&self, values: &impl SerializeRow, buffer: &mut Vec<u8>) -> Result<usize, Error> {
        if self.prepared_text.is_outdated() {
            return Err(self.outdated_error());
        }
        let columns = self.prepared.get_variable_col_specs();
        let options = &self.call.options;
        let start = buffer.len();
        let count = if options.ttl.is_none() && options.timestamp.is_none() {
            serialized::append(columns.as_slice(), values, buffer)
                .map_err(|error| self.binding_error(self.attempted(), error))?
        } else {
            self.append_with_using_values(values, buffer)?
        };
        self.check_values(SerializedView::new(buffer.get(start..).unwrap_or_default(), count))?;
        Ok(count)
    }

    /// Appends the values together with those of `USING`. It takes a trait object, so that this rare path is not compiled
    /// for each type.
    fn append_with_using_values(&self, values: &dyn SerializeRow, buffer: &mut Vec<u8>) -> Result<usize, Error> {
        let using_values = self.using_values()?;
        let columns: Vec<ColumnSpec<'_>> = (self.prepared.get_variable_col_specs().iter().enumerate())
            .filter(|(index, _)| using_values.iter().all(|(at, _)| at != index))
            .map(|(_, column)| column.clone())
            .collect();
        let mut given = Vec::new();
        let count = serialized::append(&columns, values, &mut given)
            .map_err(|error| self.binding_error(self.attempted(), error))?;
        SerializedView::new(&given, count).append_with(&using_values, buffer);
        Ok(count + using_values.len())
    }

    /// The values of `USING`, each with the index of its bind marker, in the order of the markers.
    fn using_values(&self) -> Result<Vec<(usize, Vec<u8>)>, Error> {
        let markers = &self.markers;
        let missing = |what: &str| {
            Error::new(
                ErrorKind::Type,
                self.call.info.attempted.clone(),
                format!("a {what} is set, but the statement has no bind marker for it"),
            )
            .with_advice(format!("Write USING {what} ? in the statement"))
        };
        let mut using_values = Vec::with_capacity(2);
        if let Some(ttl) = self.call.options.ttl {
            let seconds = saturated::<i32>(whole_seconds(ttl));
            // Each statement in the text of a batch may have a TTL.
            using_values.extend(markers.ttl.iter().map(|index| (*index, seconds.to_be_bytes().to_vec())));
            if markers.ttl.is_empty() {
                return Err(missing("TTL"));
            }
        }
        if let Some(timestamp) = self.call.options.timestamp {
            using_values.extend(markers.timestamp.iter().map(|index| (*index, timestamp.to_be_bytes().to_vec())));
            if markers.timestamp.is_empty() {
                return Err(missing("TIMESTAMP"));
            }
        }
        using_values.sort_by_key(|(index, _)| *index);
        Ok(using_values)
    }

    fn check_values(&self, view: SerializedView<'_>) -> Result<(), Error> {
        let columns = self.prepared.get_variable_col_specs();
        if view.count() != columns.len() {
            let problem =
                format!("{} values were given, the statement has {} bind markers", view.count(), columns.len());
            return Err(Error::new(ErrorKind::Type, self.call.info.attempted.clone(), problem));
        }
        if view.as_bytes().len() > rules::MAX_PARTITION_KEY_BYTES {
            let key: usize =
                self.markers.partition_key.iter().filter_map(|index| view.value(*index)).map(<[u8]>::len).sum();
            if key > rules::MAX_PARTITION_KEY_BYTES {
                let given = format!("this one has {key} bytes");
                return Err(self.refused(ErrorKind::TooLarge, &rules::PARTITION_KEY_TOO_LARGE, &given));
            }
        }
        if view.as_bytes().len() > rules::MAX_ROW_BYTES && self.call.info.writes_values() {
            let row = view.min_size(columns.as_slice());
            if row > rules::MAX_ROW_BYTES {
                let given = format!("this one has at least {row} bytes");
                return Err(self.refused(ErrorKind::TooLarge, &rules::ROW_TOO_LARGE, &given));
            }
        }
        if self.is_restricted { self.check_rules(view, SystemTime::now()) } else { Ok(()) }
    }

    /// Checks the rules other than size limits that a value can break.
    fn check_rules(&self, view: SerializedView<'_>, now: SystemTime) -> Result<(), Error> {
        let refused = |rule, given: String| Err(self.refused(ErrorKind::Value, rule, &given));
        let number = |index: &usize| number(view.value(*index)?);
        for ttl in self.markers.ttl.iter().filter_map(number) {
            match u64::try_from(ttl) {
                Ok(seconds) if seconds <= rules::MAX_TTL_SECONDS => {}
                Ok(seconds) => return refused(&rules::TTL_TOO_LONG, format!("{seconds} seconds were given")),
                Err(_) => {
                    let problem = format!("a TTL of {ttl} seconds was given, but the minimum is 0, which means none");
                    return Err(Error::new(ErrorKind::Value, self.call.info.attempted.clone(), problem));
                }
            }
        }
        let mut timestamps = self.markers.timestamp.iter().filter_map(number);
        if let Some(timestamp) = timestamps.find(|timestamp| !rules::takes_timestamp(*timestamp, now)) {
            return refused(&rules::TIMESTAMP_OUTSIDE_WINDOW, format!("{timestamp} µs since 1970 were given"));
        }
        if let Some((index, digits)) = self.markers.too_many_digits(view) {
            let column = self.prepared.get_variable_col_specs().get_by_index(index).map(ColumnSpec::name);
            let given = format!("{digits} digits were given for {}", column.unwrap_or_default());
            return refused(&rules::TOO_MANY_DIGITS, given);
        }
        let subqueries = self.markers.subqueries(view);
        if subqueries > rules::MAX_IN_SUBQUERIES {
            return refused(&rules::IN_SUBQUERY_LIMIT, format!("these multiply to {subqueries}"));
        }
        Ok(())
    }

    /// The error for a value that breaks a rule, with the rule's text and the given value.
    fn refused(&self, kind: ErrorKind, rule: &Rule, given: &str) -> Error {
        let (problem, advice) = rule_problem_and_advice(rule);
        Error::new(kind, self.call.info.attempted.clone(), format!("{problem}, and {given}")).with_advice(advice)
    }

    /// The page size for a bound LIMIT; `None` if there is none, if the options set a page size, or if rows are
    /// filtered out.
    fn limit(&self, view: SerializedView<'_>) -> Option<i32> {
        let rows = number(view.value(self.markers.limit?)?)?;
        let page = i64::from(self.prepared.get_page_size());
        i32::try_from(rows.clamp(1, page))
            .ok()
            .filter(|_| self.call.options.page_size.is_none() && !self.call.info.filters_rows())
    }

    fn outdated_error(&self) -> Error {
        let problem = "the table was dropped and created again with other columns since this statement was prepared";
        Error::new(ErrorKind::Type, self.call.info.attempted.clone(), problem)
            .with_advice("Prepare it again, with the types that the table has now")
    }

    fn attempted(&self) -> String {
        self.call.info.attempted.clone()
    }

    fn preparing(&self) -> String {
        format!("preparing {}", self.call.info.attempted)
    }

    fn binding_error(&self, attempted: String, error: scylla::serialize::SerializationError) -> Error {
        Error::new(ErrorKind::Type, attempted, mismatch::explain_values(&error))
            .with_advice_if(mismatch::advice_on_values(&error, self.call.info.tree()))
            .with_source(error)
    }
}

/// Rounds up to seconds, because a TTL of 0 means none: a row meant to live for half a second would live for ever.
fn whole_seconds(ttl: Duration) -> u64 {
    ttl.as_secs().saturating_add(u64::from(ttl.subsec_nanos() > 0))
}

fn number(bytes: &[u8]) -> Option<i64> {
    match bytes.len() {
        4 => bytes.try_into().ok().map(i32::from_be_bytes).map(i64::from),
        8 => bytes.try_into().ok().map(i64::from_be_bytes),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ttl_is_rounded_up_to_whole_seconds() {
        for (given, seconds) in [(0, 0), (1, 1), (999, 1), (1_000, 1), (1_001, 2), (60_000, 60)] {
            assert_eq!(whole_seconds(Duration::from_millis(given)), seconds, "{given} ms");
        }
        assert_eq!(whole_seconds(Duration::from_nanos(1)), 1);
        assert_eq!(whole_seconds(Duration::MAX), u64::MAX);
    }
}
