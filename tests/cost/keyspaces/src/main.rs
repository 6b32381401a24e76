//! Writes a row and reads it, with `keyspaces`.

use std::env;
use std::error::Error;

use keyspaces::{Select, Session, Write};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (access_key, secret_key) = (env::var("AWS_ACCESS_KEY_ID")?, env::var("AWS_SECRET_ACCESS_KEY")?);
    let session = Session::builder()
        .region(env::var("AWS_REGION")?)
        .static_credentials(&access_key, &secret_key, None)
        .connect()
        .await?;
    let write: Write<(i32, &str)> = session.prepare("INSERT INTO shop.products (id, name) VALUES (?, ?)").await?;
    write.execute((1, "Tea")).await?;
    let read: Select<(i32,), (String,)> = session.prepare("SELECT name FROM shop.products WHERE id = ?").await?;
    println!("{:?}", read.one((1,)).await?);
    Ok(())
}
