//! Writes the recommended alarms and a dashboard of a table as documents for other tools:
//!
//! ```text
//! cargo run --example alarms -- --keyspace my_application --table events --topic arn:aws:sns:us-east-1:111122223333:alerts
//! aws cloudwatch put-metric-alarm --cli-input-json file://target/alarms/throttled-requests.json
//! aws cloudformation deploy --template-file target/alarms/alarms.template.json --stack-name events-alarms
//! terraform -chdir=target/alarms plan      # reads alarms.tf.json
//! ```

#![allow(clippy::print_stdout, reason = "it is a program")]

use std::error::Error;
use std::path::PathBuf;
use std::{fs, io};

use clap::Parser;
use keyspaces::monitoring::{
    Alarm, Dashboard, Table, Topic, cloudformation, put_metric_alarm_input, recommended, terraform,
};

#[derive(Parser)]
struct Arguments {
    /// The table's keyspace.
    #[arg(long, default_value = "my_application")]
    keyspace: String,
    /// The table.
    #[arg(long, default_value = "events")]
    table: String,
    /// The table has provisioned capacity.
    #[arg(long)]
    provisioned: bool,
    /// A Region that the table is replicated to; may be given several times.
    #[arg(long)]
    replicated_to: Vec<String>,
    /// The label of a change data capture stream of the table; may be given several times.
    #[arg(long)]
    stream: Vec<String>,
    /// The SNS topic to notify.
    #[arg(long)]
    topic: Option<String>,
    /// The Region that the dashboard shows.
    #[arg(long, default_value = "us-east-1")]
    region: String,
    /// The folder for the files.
    #[arg(long, default_value = "target/alarms")]
    into: PathBuf,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let mut table = Table::new(&arguments.keyspace, &arguments.table)?;
    if arguments.provisioned {
        table = table.provisioned();
    }
    table = arguments.replicated_to.iter().fold(table, Table::replicated_to);
    table = arguments.stream.iter().fold(table, Table::with_stream);

    let mut alarms = recommended(&table);
    if let Some(topic) = &arguments.topic {
        let topic = Topic::new(topic)?;
        alarms = alarms.into_iter().map(|alarm| alarm.with_alarm_action(&topic)).collect::<Result<_, _>>()?;
    }
    let dashboard = Dashboard::for_table(&table, &arguments.region)?;

    fs::create_dir_all(&arguments.into)?;
    let write = |name: String, document: String| -> io::Result<()> {
        let path = arguments.into.join(name);
        fs::write(&path, document)?;
        println!("{}", path.display());
        Ok(())
    };
    for alarm in &alarms {
        write(format!("{}.json", file_name(alarm, &table)), put_metric_alarm_input(alarm))?;
    }
    write("alarms.template.json".to_owned(), cloudformation(&alarms, [&dashboard]))?;
    write("alarms.tf.json".to_owned(), terraform(&alarms, [&dashboard]))?;
    write("dashboard.json".to_owned(), dashboard.body())?;

    println!();
    for alarm in &alarms {
        println!("{}\n    {}", alarm.name(), alarm.description());
    }
    Ok(())
}

/// `throttled-requests` for `my_application.events throttled requests`.
fn file_name(alarm: &Alarm, table: &Table) -> String {
    let name = alarm.name().trim_start_matches(&table.to_string()).trim();
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}
