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
    Builder, CredentialsHealth, Finding, Health, Peer, PeerHealth, PoolAdvice, ReadyWhen, Report, Session,
    TopologyHealth, Trouble,
};
pub use statement::{
    Conditional, ConditionalBatch, Increment, LoggedBatch, Outcome, Query, Select, Statement, Statements,
    UnloggedBatch, Values, Write,
};
pub use stream::{Page, Pages, PagingState, RawPage, RawPages, Rows};

/// Makes a value of a newtype, or of an enum that is stored as text or as a number.
///
/// A newtype (a struct with one field that has no name) is bound and read as what it holds:
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
/// An enum says how it is stored. `text` stores the name of the variant, or what `rename` or `rename_all` make of it
/// (`lowercase`, `UPPERCASE`, `camelCase`, `snake_case`, `SCREAMING_SNAKE_CASE`, `kebab-case`). `tinyint`, `smallint`, `int` and
/// `bigint` store its number, which each variant has to say.
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
/// Both implement [`SerializeValue`](trait@SerializeValue) and [`DeserializeValue`](trait@DeserializeValue), and go wherever a
/// value goes: in tuples, rows, collections and user-defined types, as an `Option` where the column may be null. A text or a
/// number that is no variant is an error of kind [`Type`](ErrorKind::Type) when the row is read: `the column status of a row
/// cannot be read: "gone" is no Status, which is one of draft, in_review, live`. For values with parts of their own there is
/// [`value::Json`].
///
/// `#[value(crate = path)]` says where this crate is, if not at `::keyspaces`.
pub use keyspaces_macros::Value;

/// Makes a row type of a struct: rows are read into it, and its fields are bound by their names.
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
/// It stands for `#[derive(DeserializeRow, SerializeRow)] #[scylla(crate = ::keyspaces)]`, and names the column `type` where the
/// field is `r#type`. `#[keyspaces::row(read)]` derives [`DeserializeRow`](trait@DeserializeRow) alone,
/// `#[keyspaces::row(write)]` [`SerializeRow`](trait@SerializeRow). What the fields can say in `#[scylla(…)]` is in the docs of
/// these [two](derive@DeserializeRow) [derives](derive@SerializeRow). `crate = path` says where this crate is, if not at
/// `::keyspaces`.
pub use keyspaces_macros::row;

/// Makes a value of a struct whose fields are those of a user-defined type.
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
/// It stands for `#[derive(DeserializeValue, SerializeValue)] #[scylla(crate = ::keyspaces)]`, as [`row`](macro@row) does for
/// rows, and takes the same arguments.
pub use keyspaces_macros::user_type;

/// The driver's derive. [`row`](macro@row) and [`user_type`](macro@user_type) write it with all that it needs; by itself it needs
/// `#[scylla(crate = keyspaces)]` beside it, without which the compiler says that there is no `scylla`.
pub use scylla::{DeserializeRow, DeserializeValue, SerializeRow, SerializeValue};

// The traits that they derive, under the same names, for code that is generic in what it binds and reads.
pub use scylla::deserialize::row::DeserializeRow;
pub use scylla::deserialize::value::DeserializeValue;
pub use scylla::serialize::row::SerializeRow;
pub use scylla::serialize::value::SerializeValue;

/// All that is wrong with a text of CQL or a table before anything is sent: what Keyspaces refuses, AWS's advice on models, and
/// what a schema of Cassandra says that Keyspaces ignores or lacks.
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

/// A schema of Cassandra or ScyllaDB made into one of Keyspaces: what Keyspaces takes of it, and each thing that is left out,
/// replaced, added or to be decided.
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
