//! How clients use a table of 200 write units a second if callers do not wait for each other.
//!
//! `cargo bench --bench overload` starts a local Keyspaces and prints a line for each scenario and client. In each scenario
//! calls arrive at random, by a seed, for 60 s, then three a second for 20 s, each with a deadline of 4 s; the table's bucket
//! is empty. The whole bench takes some 35 minutes. Words after `--` select scenarios and clients (`ours`, `driver`, `helper`);
//! `--seconds` and `--seed` change the numbers. At the end it prints the values of this crate that are not within their bounds.
#![expect(clippy::print_stdout, reason = "the lines printed are what the bench is for")]

#[path = "overload/client.rs"]
mod client;
#[path = "overload/figures.rs"]
mod figures;
#[path = "overload/load.rs"]
mod load;
#[path = "overload/scenario.rs"]
mod scenario;

use std::time::Duration;

use clap::Parser;
use keyspaces_local::Local;
use keyspaces_testing::LocalBuilder;

use crate::client::{Client, Policy};
use crate::figures::Figures;
use crate::scenario::Scenario;

/// Any error ends the bench.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

pub(crate) const KEYSPACE: &str = "bench";
pub(crate) const DEADLINE: Duration = Duration::from_secs(4);

#[derive(Parser)]
struct Arguments {
    /// Only scenarios and clients with one of these words in their names.
    words: Vec<String>,
    /// How long each scenario lasts, before the light load.
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Passed by Cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Arguments {
    /// A word selects names of one kind only, scenarios or clients. Without a word for a kind, all of that kind are chosen.
    fn chooses(&self, name: &str, all: &[String]) -> bool {
        let is_about = |word: &&String| all.iter().any(|known| known.contains(word.as_str()));
        let mut words = self.words.iter().filter(is_about).peekable();
        words.peek().is_none() || words.any(|word| name.contains(word.as_str()))
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let local = Local::builder().start().await?;
    let session = keyspaces::Session::builder().local(&local)?.connect().await?;
    session
        .define(&format!(
            "CREATE KEYSPACE IF NOT EXISTS {KEYSPACE} WITH REPLICATION = {{'class': 'SingleRegionStrategy'}}"
        ))
        .await?;
    println!("seed {}; {}", arguments.seed, Figures::HEADER);
    let scenarios = Scenario::all(arguments.seconds);
    let names: Vec<String> = scenarios.iter().map(|scenario| scenario.name.clone()).collect();
    let policies: Vec<String> = Policy::ALL.iter().map(|policy| policy.name().to_owned()).collect();
    let mut over = Vec::new();
    for (number, scenario) in scenarios.iter().enumerate().filter(|(_, one)| arguments.chooses(&one.name, &names)) {
        for policy in Policy::ALL.into_iter().filter(|policy| arguments.chooses(policy.name(), &policies)) {
            let table = format!("t{number}_{}_{}", policy as usize, std::process::id());
            session.define(&scenario::definition(&table)).await?;
            let other = format!("{table}_other");
            session.define(&scenario::definition(&other)).await?;
            // Each client has a new session, so that it does not know the rate that an earlier one found.
            let own = keyspaces::Session::builder().local(&local)?.connect().await?;
            let client = Client::new(policy, &own, &table).await?;
            let neighbour = Client::new(policy, &own, &other).await?;
            let results = load::run(&local, scenario, &table, client, neighbour, arguments.seed).await?;
            let figures = Figures::of(scenario, results, &load::written(&session, &table).await?);
            println!("{}, {}: {figures}", scenario.name, policy.name());
            if policy == Policy::Ours {
                over.extend(figures.over(scenario).into_iter().map(|bound| format!("{}: {bound}", scenario.name)));
            }
        }
    }
    match over.is_empty() {
        true => println!("all within bounds"),
        false => println!("not within bounds:\n{}", over.join("\n")),
    }
    Ok(())
}
