//! Runs one statement and prints its rows.

mod rows;
mod units;
mod value;

use clap::{Args, ValueEnum};
use keyspaces::{Conditional, Increment, Outcome, Row, Select, Session};
use keyspaces_cql::{Effect, Statement};

use self::rows::RowWriter;
use self::units::{ReadUnits, units_text, written_units};
use crate::connection;
use crate::failure::{Failure, Status};
use crate::settings::Settings;
use crate::{output, progress};

const EXAMPLE: &str = "\
Example:
  keyspaces query \"SELECT * FROM shop.users LIMIT 10\"
  keyspaces query --format jsonl \"SELECT * FROM shop.users\" | jq .name

Rows go to standard output page by page. Their number and the capacity units, estimated as AWS
documents it from the sizes of the values, go to standard error.
Exit status: 0 if the statement succeeds, 1 if the condition of a conditional write is not met; the
existing row is printed then.";

/// Run one CQL statement and print its rows
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Query {
    /// CQL statement
    statement: String,
    /// Output format of the rows
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    format: RowFormat,
    /// Stop after this number of rows
    #[arg(long, value_name = "ROWS")]
    limit: Option<usize>,
    #[command(flatten)]
    pub(super) connection: Settings,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RowFormat {
    /// Table with aligned columns
    Table,
    /// CSV of RFC 4180 with a header row
    Csv,
    /// One JSON array
    Json,
    /// JSON Lines: one JSON object on each line
    Jsonl,
}

impl Query {
    pub(crate) async fn run(self) -> Result<Status, Failure> {
        let statement = keyspaces_cql::parse(&self.statement)
            .map_err(|error| Failure::new(Status::Refused, format!("parsing the statement failed: {error}")))?;
        let session = connection::connect_to_one_peer(self.connection).await?;
        let text = &self.statement;
        let mut status = Status::Success;
        match statement.effect() {
            Effect::Read => return run_select(&session, text, &statement, self.format, self.limit).await,
            Effect::Definition => {
                progress::show(session.define(text).progress()).await?;
                return Ok(Status::Success);
            }
            Effect::ConditionalWrite => status = run_conditional(&session, text, self.format).await?,
            Effect::Increment => session.prepare::<Increment<()>>(text).await?.execute(()).await?,
            Effect::Write | Effect::Use | Effect::Unsupported => session.execute(text, ()).await?,
        }
        if let Some(units) = written_units(&session, &statement).await {
            output::note(units_text(units, "write"));
        }
        Ok(status)
    }
}

/// Runs a conditional write. Prints the existing row if the condition is not met.
async fn run_conditional(session: &Session, text: &str, format: RowFormat) -> Result<Status, Failure> {
    match session.prepare::<Conditional<(), Row>>(text).await?.execute(()).await? {
        Outcome::Applied => Ok(Status::Success),
        Outcome::NotApplied(existing) => {
            let mut writer = RowWriter::new(format, Vec::new());
            if let Some(row) = existing {
                output::print(writer.row(row))?;
            }
            output::print(writer.finish())?;
            output::note("not applied: the condition is not met");
            Ok(Status::Negative)
        }
        Outcome::Unknown(error) => Err(error.into()),
    }
}

/// Prints the rows of each page before it reads the next one, so memory does not grow with the number of rows.
async fn run_select(
    session: &Session,
    text: &str,
    statement: &Statement,
    format: RowFormat,
    limit: Option<usize>,
) -> Result<Status, Failure> {
    let select = session.prepare::<Select<(), Row>>(text).await?;
    let mut pages = select.pages(());
    let mut writer = RowWriter::new(format, select.column_names());
    let mut units = ReadUnits::new(session, statement);
    let (mut count, max) = (0, limit.unwrap_or(usize::MAX));
    'pages: while count < max {
        let Some(page) = pages.try_next().await? else { break };
        units.add(&page.rows);
        for row in page.rows.into_iter().take(max - count) {
            count += 1;
            if !output::print_if_open(writer.row(row))? {
                break 'pages;
            }
        }
    }
    output::print(writer.finish())?;
    let rows = output::counted(count, "row");
    match units.total() {
        Some(units) => output::note(format_args!("{rows}, {}", units_text(units, "read"))),
        None => output::note(rows),
    }
    Ok(Status::Success)
}
