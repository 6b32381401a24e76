//! One statement, and its rows.

mod rows;
mod units;
mod value;

use clap::{Args, ValueEnum};
use keyspaces::{Conditional, Increment, Outcome, Row, Select, Session};
use keyspaces_cql::{Effect, Statement};

use self::rows::Writer;
use self::units::{ReadUnits, in_words, written};
use crate::failure::{Failure, Status};
use crate::settings::Settings;
use crate::{output, progress};

const EXAMPLE: &str = "\
Example:
  keyspaces query \"SELECT * FROM shop.users LIMIT 10\"
  keyspaces query --format jsonl \"SELECT * FROM shop.users\" | jq .name

The rows go to standard output as they come, page by page. At the end their number and the capacity
units go to standard error; the units are AWS's estimate, from the sizes of the values.
Exit status: 0 if it is done, 1 if the condition of a conditional write does not hold: the row that
is there is the answer then.";

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
        let session = self.place.connect_to_one().await?;
        let text = &self.statement;
        let mut status = Status::Done;
        match statement.effect() {
            Effect::Read => return read(&session, text, &statement, self.format, self.limit).await,
            Effect::Definition => {
                progress::follow(session.define(text).progress()).await?;
                return Ok(Status::Done);
            }
            Effect::ConditionalWrite => status = conditional(&session, text, self.format).await?,
            Effect::Increment => session.prepare::<Increment<()>>(text).await?.execute(()).await?,
            Effect::Write | Effect::Use | Effect::Unsupported => session.execute(text, ()).await?,
        }
        if let Some(units) = written(&session, &statement).await {
            output::note(in_words(units, "write"));
        }
        Ok(status)
    }
}

/// Where the condition does not hold, the row that is there is the answer.
async fn conditional(session: &Session, text: &str, format: Format) -> Result<Status, Failure> {
    match session.prepare::<Conditional<(), Row>>(text).await?.execute(()).await? {
        Outcome::Applied => Ok(Status::Done),
        Outcome::NotApplied(there) => {
            let mut writer = Writer::new(format, Vec::new());
            if let Some(row) = there {
                output::answer(writer.row(row))?;
            }
            output::answer(writer.end())?;
            output::note("not applied: the condition does not hold");
            Ok(Status::No)
        }
        Outcome::Unknown(error) => Err(error.into()),
    }
}

/// The rows are written as they come, so that any number of them can be read.
async fn read(
    session: &Session,
    text: &str,
    statement: &Statement,
    format: Format,
    limit: Option<usize>,
) -> Result<Status, Failure> {
    let select = session.prepare::<Select<(), Row>>(text).await?;
    let mut pages = select.pages(());
    let mut writer = Writer::new(format, select.column_names());
    let mut units = ReadUnits::of(session, statement);
    let (mut count, most) = (0, limit.unwrap_or(usize::MAX));
    'pages: while count < most {
        let Some(page) = pages.try_next().await? else { break };
        units.add(&page.rows);
        for row in page.rows.into_iter().take(most - count) {
            count += 1;
            if !output::is_read(writer.row(row))? {
                break 'pages;
            }
        }
    }
    output::answer(writer.end())?;
    let rows = output::counted(count, "row");
    match units.total() {
        Some(units) => output::note(format_args!("{rows}, {}", in_words(units, "read"))),
        None => output::note(rows),
    }
    Ok(Status::Done)
}
