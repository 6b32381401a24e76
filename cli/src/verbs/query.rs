//! One statement, and its rows.

mod rows;
mod value;

use clap::{Args, ValueEnum};
use keyspaces::{ReadyWhen, Row, Session};
use keyspaces_cql::Effect;

use self::rows::Writer;
use crate::failure::{Failure, Status};
use crate::settings::Settings;
use crate::{output, progress};

const EXAMPLE: &str = "\
Example:
  keyspaces query \"SELECT * FROM shop.users LIMIT 10\"
  keyspaces query --format jsonl \"SELECT * FROM shop.users\" | jq .name

A conditional write is refused, because its outcome would have to be looked at.";

/// Run one statement and print its rows
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Query {
    /// One statement of CQL
    statement: String,
    /// How to write the rows
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: Format,
    /// Stop after so many rows
    #[arg(long, value_name = "ROWS")]
    limit: Option<usize>,
    #[command(flatten)]
    place: Settings,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// Aligned columns
    Table,
    /// RFC 4180 with a header
    Csv,
    /// One JSON array
    Json,
    /// One JSON object in each line
    Jsonl,
}

impl Query {
    pub(crate) async fn run(self) -> Result<Status, Failure> {
        let statement = keyspaces_cql::parse(&self.statement)
            .map_err(|error| Failure::new(Status::Refused, format!("reading the statement failed: {error}")))?;
        let session = self.place.builder().await?.ready_when(ReadyWhen::OnePeer).connect().await?;
        match statement.effect() {
            Effect::Read => read(&session, &self.statement, self.format, self.limit).await?,
            Effect::Definition => progress::follow(session.define(&self.statement).progress()).await?,
            _ => session.execute(&self.statement, ()).await?,
        }
        Ok(Status::Done)
    }
}

/// The rows are written as they come, so that any number of them can be read.
async fn read(session: &Session, text: &str, format: Format, limit: Option<usize>) -> Result<(), Failure> {
    let mut rows = session.rows::<Row>(text, ());
    let mut writer = Writer::new(format);
    let mut count = 0;
    while limit.is_none_or(|limit| count < limit) {
        let Some(row) = rows.try_next().await? else { break };
        output::answer(writer.row(row))?;
        count += 1;
    }
    output::answer(writer.end())?;
    output::note(format_args!("{count} {}", if count == 1 { "row" } else { "rows" }));
    Ok(())
}
