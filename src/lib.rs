#![doc = include_str!("../README.md")]

mod attempts;
mod auth;
#[cfg(feature = "bulk")]
pub mod bulk;
mod classify;
pub mod codec;
mod consistency;
mod counted;
mod endpoint;
mod error;
mod execute;
mod fan_out;
mod handshake;
mod lock;
pub mod migrate;
pub mod monitoring;
pub mod observe;
mod options;
mod peer_limiter;
mod rate_limiter;
mod region;
mod retry;
mod row;
mod saturated;
mod scan;
pub mod schema;
#[cfg(feature = "serde-1")]
pub mod serde;
mod session;
mod statement;
mod stream;
pub mod tables;
mod tls;
pub mod value;

pub use consistency::ReadConsistency;
pub use endpoint::Endpoint;
pub use error::{Error, ErrorCategory, ErrorKind};
pub use fan_out::FanOut;
pub use peer_limiter::WhenFull;
pub use rate_limiter::TableLimit;
pub use row::{OwnedRow, Row};
pub use scan::{Scan, ScanProgress};
pub use session::{
    Check, CredentialsHealth, Diagnosis, Health, HealthProblem, Peer, PeerHealth, PoolAdvice, ReadyWhen, Session,
    SessionBuilder, TopologyHealth,
};
pub use statement::{
    Conditional, ConditionalBatch, Increment, LoggedBatch, Outcome, Query, Select, Statement, Statements,
    UnloggedBatch, Values, Write,
};
pub use stream::{Page, Pages, PagingState, RawPage, RawPages, Rows};

/// Derives a value type from a newtype, or from an enum that is stored as text or as a number.
///
/// A newtype (a struct with one unnamed field) is bound and read like its field:
///
/// ```
/// use keyspaces::Value;
/// use uuid::Uuid;
///
/// #[derive(Clone, Copy, Debug, PartialEq, Value)]
/// struct UserId(Uuid);
///
/// #[derive(Value)]
/// struct Name<'a>(&'a str);
/// ```
///
/// An enum has to declare how it is stored. `text` stores the name of the variant, which `rename` and `rename_all`
/// change (`lowercase`, `UPPERCASE`, `camelCase`, `snake_case`, `SCREAMING_SNAKE_CASE`, `kebab-case`). `tinyint`,
/// `smallint`, `int` and `bigint` store the number that the variant has to declare.
///
/// ```
/// use keyspaces::Value;
///
/// #[derive(Clone, Copy, Debug, PartialEq, Value)]
/// #[value(text, rename_all = "snake_case")]
/// enum Status {
///     Draft,
///     InReview,
///     #[value(rename = "live")]
///     Published,
/// }
///
/// #[derive(Clone, Copy, Debug, PartialEq, Value)]
/// #[value(int)]
/// enum Priority {
///     Low = 10,
///     High = 20,
/// }
/// ```
///
/// The derive implements [`SerializeValue`](trait@SerializeValue) and [`DeserializeValue`](trait@DeserializeValue), so
/// the type can be used like any value: in tuples, rows, collections and user-defined types, and as an `Option` where
/// the column may be null. A text or a number that is not a variant is an error of kind [`Type`](ErrorKind::Type) when
/// the row is read: `the column status of a row cannot be read: "gone" is not a Status, which is one of draft,
/// in_review, live`. For structured values, use [`value::Json`].
///
/// `#[value(crate = path)]` gives the path of this crate, if it is not `::keyspaces`.
pub use keyspaces_macros::Value;

/// Derives a row type from a struct: rows are read into it, and its fields are bound by their names.
///
/// ```
/// use keyspaces::{Select, Write};
///
/// #[keyspaces::row]
/// #[derive(Debug, PartialEq)]
/// struct Event {
///     id: i64,
///     /// The column `type`.
///     r#type: String,
///     #[scylla(rename = "txt")]
///     text: Option<String>,
/// }
///
/// # async fn run(session: keyspaces::Session) -> Result<(), keyspaces::Error> {
/// let store: Write<Event> = session.prepare("INSERT INTO shop.events (id, type, txt) VALUES (?, ?, ?)").await?;
/// let by_id: Select<(i64,), Event> = session.prepare("SELECT id, type, txt FROM shop.events WHERE id = ?").await?;
/// # drop((store, by_id));
/// # Ok(()) }
/// ```
///
/// It expands to `#[derive(DeserializeRow, SerializeRow)] #[scylla(crate = ::keyspaces)]`, and maps a field `r#type` to the column
/// `type`. `#[keyspaces::row(read)]` derives [`DeserializeRow`](trait@DeserializeRow) alone,
/// `#[keyspaces::row(write)]` [`SerializeRow`](trait@SerializeRow). The docs of the two derives,
/// [`DeserializeRow`](derive@DeserializeRow) and [`SerializeRow`](derive@SerializeRow), list the attributes `#[scylla(…)]` of
/// fields. `crate = path` gives the path of this crate, if it is not `::keyspaces`.
pub use keyspaces_macros::row;

/// Derives a value type from a struct, for a user-defined type with the same fields.
///
/// ```
/// #[keyspaces::user_type]
/// #[derive(Clone, Debug, PartialEq)]
/// struct Address {
///     street: String,
///     floor: Option<i32>,
/// }
/// ```
///
/// It expands to `#[derive(DeserializeValue, SerializeValue)] #[scylla(crate = ::keyspaces)]`, like [`row`](macro@row) for rows,
/// and accepts the same arguments.
pub use keyspaces_macros::user_type;

/// The driver's derive. [`row`](macro@row) and [`user_type`](macro@user_type) add it with the attributes that it needs.
/// Without them it needs `#[scylla(crate = keyspaces)]`; otherwise, the compiler reports that there is no crate
/// `scylla`.
pub use scylla::{DeserializeRow, DeserializeValue, SerializeRow, SerializeValue};

// The traits of these derives, under the same names, for generic code.
pub use scylla::deserialize::row::DeserializeRow;
pub use scylla::deserialize::value::DeserializeValue;
pub use scylla::serialize::row::SerializeRow;
pub use scylla::serialize::value::SerializeValue;

/// Checks CQL texts and tables before anything is sent: what Keyspaces refuses, what AWS recommends for data models,
/// and which parts of a Cassandra schema Keyspaces ignores or does not support.
///
/// ```
/// let findings = keyspaces::lint::lint("CREATE INDEX ON shop.sales (price);");
/// assert_eq!(findings[0].id, "index");
/// assert_eq!(findings[0].position.line, 1);
/// ```
pub mod lint {
    pub use keyspaces_cql::lint::{Finding, Severity, advice, lint, lint_table};
    pub use keyspaces_cql::{Position, Span};
}

/// Converts a schema of Cassandra or ScyllaDB into one that Keyspaces accepts, and reports everything that it leaves
/// out, replaces or adds, and everything that needs a decision.
///
/// ```
/// let conversion = keyspaces::convert::convert("CREATE TABLE shop.sales (id uuid PRIMARY KEY) WITH gc_grace_seconds = 3600;");
/// assert_eq!(conversion.to_string(), "CREATE TABLE shop.sales (id uuid PRIMARY KEY);\n");
/// assert_eq!(conversion.findings[0].action, keyspaces::convert::Action::LeftOut);
/// ```
pub mod convert {
    pub use keyspaces_cql::convert::{Action, Conversion, ConversionFinding, convert};
}

#[doc(hidden)]
pub mod _macro_internal {
    pub use scylla::_macro_internal::*;

    pub use crate::value::derived::{bind_as, check_as, read_as, unknown_variant};
}
