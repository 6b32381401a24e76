//! A table whose columns have types of the program: a newtype, an enum, JSON, a decimal and a time. The mapping takes
//! ten lines; the rest would be the same with other types.

#![expect(clippy::print_stdout, reason = "a program that reports to people")]

use std::error::Error;

use bigdecimal::BigDecimal;
use keyspaces::value::Json;
use keyspaces::{Select, Session, Value, Write};
use keyspaces_local::Local;
use keyspaces_testing::LocalBuilder;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::macros::datetime;
use uuid::Uuid;

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Address {
    street: String,
    city: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Value)]
struct OrderId(Uuid);

#[derive(Clone, Copy, Debug, PartialEq, Value)]
#[value(text, rename_all = "snake_case")]
enum Status {
    Placed,
    OnItsWay,
}

#[keyspaces::row]
#[derive(Clone, Debug, PartialEq)]
struct Order {
    id: OrderId,
    status: Status,
    address: Json<Address>,
    total: BigDecimal,
    placed_at: OffsetDateTime,
}

async fn run(session: &Session) -> Result<(), Box<dyn Error>> {
    let columns = "id uuid PRIMARY KEY, status text, address text, total decimal, placed_at timestamp";
    session.define(&format!("CREATE TABLE IF NOT EXISTS lab.orders ({columns})")).await?;
    let store: Write<Order> = session
        .prepare("INSERT INTO lab.orders (id, status, address, total, placed_at) VALUES (?, ?, ?, ?, ?)")
        .await?;
    let by_id: Select<(OrderId,), Order> =
        session.prepare("SELECT id, status, address, total, placed_at FROM lab.orders WHERE id = ?").await?;
    let change: Write<(Status, OrderId)> = session.prepare("UPDATE lab.orders SET status = ? WHERE id = ?").await?;

    let order = Order {
        id: OrderId(Uuid::from_u128(7)),
        status: Status::Placed,
        address: Json(Address { street: "1 Long Road".to_owned(), city: "Dublin".to_owned() }),
        total: "19.90".parse()?,
        placed_at: datetime!(2026-11-26 13:30:54.123 UTC),
    };
    store.execute(&order).await?;
    assert_eq!(by_id.one((order.id,)).await?.as_ref(), Some(&order));
    change.execute((Status::OnItsWay, order.id)).await?;
    if let Some(Order { status, address: Json(address), total, placed_at, .. }) = by_id.one((order.id,)).await? {
        println!("{total} to {}, placed at {placed_at}: {status:?}", address.city);
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("Starting a local Keyspaces ...");
    let local = Local::builder().start().await?;
    let session = Session::builder().local(&local)?.connect().await?;
    session.define("CREATE KEYSPACE IF NOT EXISTS lab WITH REPLICATION = {'class': 'SingleRegionStrategy'}").await?;
    run(&session).await?;
    local.close().await?;
    Ok(())
}
