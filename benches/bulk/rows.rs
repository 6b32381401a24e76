//! Lines of ten columns, which are the same each time, and the table for them.

use std::io::{BufWriter, Write};

use crate::Result;

pub(crate) const COLUMNS: &str = "id,day,sold,shop,item,amount,price,weight,paid,note";

/// The bytes of a line, on average.
pub(crate) const BYTES: u64 = 141;

pub(crate) fn definition(table: &str) -> String {
    format!(
        "CREATE TABLE {table} (id uuid PRIMARY KEY, day date, sold timestamp, shop text, item text, amount int, price decimal, \
         weight double, paid boolean, note text)"
    )
}

/// Writes the header line and this number of rows.
pub(crate) fn write(rows: u64, to: &mut impl Write) -> Result<()> {
    let mut to = BufWriter::with_capacity(256 * 1024, to);
    writeln!(to, "{COLUMNS}")?;
    for row in 0..rows {
        let random = row.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let id = uuid::Uuid::from_u64_pair(random, row);
        let (day, hour, cents) = (1 + random % 28, random % 24, random % 100);
        writeln!(
            to,
            "{id},2026-01-{day:02},2026-01-{day:02} {hour:02}:30:54+0000,shop-{:04},\"item {}, blue\",{},{}.{cents:02},{}.5,{},a \
             note of some words",
            random % 1_000,
            random % 100_000,
            random % 20,
            random % 500,
            random % 30,
            random % 2 == 0,
        )?;
    }
    Ok(to.flush()?)
}
