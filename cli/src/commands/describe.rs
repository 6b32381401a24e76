use clap::Args;
use keyspaces::Session;
use keyspaces_cql::Name;

use crate::connection;
use crate::failure::{Failure, Status};
use crate::output;
use crate::settings::Settings;

const EXAMPLE: &str = "\
Example:
  keyspaces describe shop          # the keyspace and its tables
  keyspaces describe shop.users    # one table, with its options and state";

/// Print the CREATE statements of a keyspace and its tables, or of one table
#[derive(Args, Debug)]
#[command(after_help = EXAMPLE)]
pub(crate) struct Describe {
    /// Keyspace, or table
    #[arg(value_name = "KEYSPACE[.TABLE]")]
    name: String,
    #[command(flatten)]
    pub(super) connection: Settings,
}

impl Describe {
    pub(crate) async fn run(self) -> Result<Status, Failure> {
        let session = connection::connect_to_one_peer(self.connection).await?;
        match self.name.split_once('.') {
            Some((keyspace, table)) => self::table(&session, keyspace, table).await,
            None => keyspace(&session, &self.name).await,
        }
    }
}

async fn keyspace(session: &Session, keyspace: &str) -> Result<Status, Failure> {
    let Some(definition) = session.schema().describe_keyspace(keyspace).await? else {
        return Err(Failure::new(Status::Refused, format!("the keyspace {} does not exist", Name::new(keyspace))));
    };
    output::print(format_args!("{definition};\n"))?;
    let names = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?";
    let mut names: Vec<(String,)> = session.rows(names, (keyspace.to_owned(),)).try_collect().await?;
    names.sort();
    for (name,) in names {
        table(session, keyspace, &name).await?;
    }
    Ok(Status::Success)
}

async fn table(session: &Session, keyspace: &str, table: &str) -> Result<Status, Failure> {
    let Some(description) = session.schema().describe_table(keyspace, table).await? else {
        let problem = format!("the table {}.{} does not exist", Name::new(keyspace), Name::new(table));
        return Err(Failure::new(Status::Refused, problem));
    };
    output::print(format_args!("{};\n", description.definition))?;
    if let Some(status) = description.status {
        output::note(format_args!("{}: {status}", description.definition.table));
    }
    Ok(Status::Success)
}
