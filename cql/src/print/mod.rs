//! Prints the syntax tree. The printed text parses to the same tree.

mod definition;
mod modification;
mod relation;
mod select;
mod term;

use std::fmt::{self, Display, Formatter};

use crate::Statement;

impl Display for Statement {
    /// Writes one line with keywords in capitals, without a `;` at the end. A statement from [`parse`](crate::parse) parses to
    /// the same tree again, and so does any other tree that `parse` could return.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Select(it) => it.fmt(f),
            Self::Insert(it) => it.fmt(f),
            Self::Update(it) => it.fmt(f),
            Self::Delete(it) => it.fmt(f),
            Self::Batch(it) => it.fmt(f),
            Self::CreateKeyspace(it) => it.fmt(f),
            Self::AlterKeyspace(it) => it.fmt(f),
            Self::DropKeyspace(it) => it.fmt(f),
            Self::CreateTable(it) => it.fmt(f),
            Self::AlterTable(it) => it.fmt(f),
            Self::DropTable(it) => it.fmt(f),
            Self::RestoreTable(it) => it.fmt(f),
            Self::CreateType(it) => it.fmt(f),
            Self::DropType(it) => it.fmt(f),
            Self::Use(it) => it.fmt(f),
            Self::Unsupported(it) => f.write_str(&it.text),
        }
    }
}

/// Several values with a separator between them.
struct Joined<'t, T>(&'t [T], &'static str);

impl<T: Display> Display for Joined<'_, T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (place, part) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str(self.1)?;
            }
            part.fmt(f)?;
        }
        Ok(())
    }
}

fn commas<T: Display>(parts: &[T]) -> Joined<'_, T> {
    Joined(parts, ", ")
}

/// `text` if the option is `Some`.
fn if_some<T>(option: &Option<T>, text: &'static str) -> &'static str {
    if option.is_some() { text } else { "" }
}
