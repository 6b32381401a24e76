//! The life cycle of a function on AWS Lambda: it connects with the first invocation, and is frozen between invocations.
//!
//! `cargo run --example lambda` starts a local Keyspaces and runs three invocations, with the time of each. It shows only the life
//! cycle: in a real function, pass `handle` to `lambda_runtime::service_fn`.
//!
//! - The session is a static, not a local of the handler, so all invocations of an instance share the connections.
//! - With `ReadyWhen::OnePeer`, the first invocation waits for one peer. The others are connected while it works.
//! - `prepare_all` prepares all statements in the time of one.
//! - One connection for each peer is enough, because an instance runs one invocation at a time.
//! - An instance is frozen for minutes after its answer, and the load balancer or the service may close its connections
//!   meanwhile. The first call afterwards reconnects: it takes longer, but does not fail. (The test
//!   `frozen::first_call_succeeds_after_the_process_was_suspended` freezes a program for 20 s with SIGSTOP.)
//! - Nothing is closed, because an instance ends without notice.

#![expect(clippy::print_stdout, reason = "a program that reports to people")]

use std::error::Error;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use keyspaces::{ReadyWhen, Select, Session, SessionBuilder, Write};
use keyspaces_local::Local;
use keyspaces_testing::LocalBuilder;
use tokio::sync::OnceCell;

struct Function {
    store: Write<(i32, &'static str)>,
    name: Select<(i32,), (String,)>,
}

static FUNCTION: OnceCell<Function> = OnceCell::const_new();

/// The cold start. In a function: `Session::builder().region(…)`.
async fn start(builder: SessionBuilder) -> Result<Function, keyspaces::Error> {
    let began = Instant::now();
    let session = builder
        .keyspace("functions")
        .connections_per_host(NonZeroUsize::MIN)
        .ready_when(ReadyWhen::OnePeer)
        // Shorter than the function's own timeout, so that the answer says what is wrong.
        .call_timeout(Duration::from_secs(5))
        .connect()
        .await?;
    let connected = began.elapsed();
    let (store, name) = session
        .prepare_all(["INSERT INTO names (id, name) VALUES (?, ?)", "SELECT name FROM names WHERE id = ?"])
        .await?;
    println!("cold start: connected after {connected:?}, prepared after {:?}", began.elapsed());
    Ok(Function { store, name })
}

/// One invocation.
async fn handle(builder: SessionBuilder, id: i32) -> Result<Option<String>, keyspaces::Error> {
    // If this fails, the next invocation tries again.
    let function = FUNCTION.get_or_try_init(|| start(builder)).await?;
    function.store.execute((id, "Ada")).await?;
    Ok(function.name.one((id,)).await?.map(|(name,)| name))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("Starting a local Keyspaces ...");
    let local = Local::builder().start().await?;
    let session = Session::builder().local(&local)?.keyspace("functions").connect().await?;
    session.define("CREATE KEYSPACE functions WITH REPLICATION = {'class': 'SingleRegionStrategy'}").await?;
    session.define("CREATE TABLE names (id int PRIMARY KEY, name text)").await?;
    for invocation in 1..=3 {
        let began = Instant::now();
        let name = handle(Session::builder().local(&local)?, invocation).await?;
        println!("invocation {invocation}: {name:?} after {:?}", began.elapsed());
        if invocation == 2 {
            local.close_connections().await?;
            println!("all connections were closed, as they may be while an instance is frozen");
        }
    }
    local.close().await?;
    Ok(())
}
