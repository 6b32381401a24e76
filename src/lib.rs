#![doc = include_str!("../README.md")]

mod attempts;
mod auth;
#[cfg(feature = "bulk")]
pub mod bulk;
mod classify;
mod consistency;
mod endpoint;
mod error;
mod execute;
mod fan_out;
mod handshake;
mod limit;
pub mod migrate;
pub mod monitoring;
pub mod observe;
mod options;
mod pace;
mod region;
mod retry;
mod row;
mod scan;
pub mod schema;
mod session;
mod statement;
mod stream;
pub mod tables;
mod tls;

pub use consistency::ReadConsistency;
pub use endpoint::Endpoint;
pub use error::{Error, ErrorCategory, ErrorKind};
pub use fan_out::FanOut;
pub use limit::WhenFull;
pub use pace::TableLimit;
pub use row::{OwnedRow, Row};
pub use scan::{Scan, ScanProgress};
pub use session::{
    Builder, CredentialsHealth, Finding, Health, Peer, PeerHealth, PoolAdvice, ReadyWhen, Report, Session,
    TopologyHealth, Trouble,
};
pub use statement::{
    Conditional, ConditionalBatch, Increment, LoggedBatch, Outcome, Query, Select, Statement, Statements,
    UnloggedBatch, Write,
};
pub use stream::{Page, Pages, PagingState, Rows};

// The driver's derives, used with `#[scylla(crate = keyspaces)]`: a program then names no driver of its own.
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

/// Values of CQL types that have none in the standard library, and values of any type.
pub mod value {
    pub use crate::statement::NamedValues;
    pub use scylla::value::{
        Counter, CqlDate, CqlDecimal, CqlDuration, CqlTime, CqlTimestamp, CqlTimeuuid, CqlValue, CqlVarint, Emptiable,
        MaybeEmpty, MaybeUnset, Unset,
    };
}

#[doc(hidden)]
pub mod _macro_internal {
    pub use scylla::_macro_internal::*;
}
