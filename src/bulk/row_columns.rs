//! Finds the columns of the rows of an input, from its header and the caller's settings.

use super::load::Verb;
use super::table::{Column, DescribedTable, Role};
use crate::{Error, ErrorKind};

/// The caller's settings for the columns.
pub(super) struct ColumnSettings<'s> {
    pub(super) columns: Option<&'s [String]>,
    pub(super) ttl: Option<&'s str>,
    pub(super) write_time: Option<&'s str>,
    pub(super) verb: Verb,
}

impl ColumnSettings<'_> {
    /// The columns of the rows, in order.
    pub(super) fn columns(
        &self,
        table: &DescribedTable,
        header: Option<&[String]>,
        attempted: &str,
    ) -> Result<Vec<Column>, Error> {
        let is_key = |column: &&Column| column.is_key() || self.verb == Verb::Load;
        let all = || table.columns.iter().filter(is_key).map(|column| column.name.clone()).collect();
        let using = [(self.ttl, Role::TimeToLive), (self.write_time, Role::WriteTime)];
        let using: Vec<_> = using.into_iter().filter_map(|(name, role)| Some((name?, role))).collect();
        let mut names: Vec<String> = header.or(self.columns).map_or_else(all, <[_]>::to_vec);
        if header.is_none() {
            let missing = using.iter().map(|(name, _)| *name).filter(|name| !names.iter().any(|known| known == name));
            let missing: Vec<_> = missing.map(str::to_owned).collect();
            names.extend(missing);
        }
        if let Some((name, _)) = using.iter().find(|(name, _)| !names.iter().any(|known| known == name)) {
            let problem = format!("the input has no column {name:?}; its columns are {}", names.join(", "));
            return Err(Error::new(ErrorKind::Value, attempted.to_owned(), problem));
        }
        let using_column = |name: &String| using.iter().find(|(using, _)| using == name);
        let stored: Vec<_> = names.iter().filter(|name| using_column(name).is_none()).cloned().collect();
        let mut stored = table.select(&stored, attempted)?;
        if let Some(key) = table.columns.iter().find(|key| key.is_key() && !stored.iter().any(|it| it.name == key.name))
        {
            let problem = format!("the input has no column {:?}, which is in the primary key", key.name);
            return Err(Error::new(ErrorKind::Value, attempted.to_owned(), problem)
                .with_advice(format!("Its columns are {}", names.join(", "))));
        }
        if let Some(other) = stored.iter().find(|column| !is_key(column)) {
            let problem = format!("the column {:?} is not in the primary key", other.name);
            return Err(Error::new(ErrorKind::Value, attempted.to_owned(), problem)
                .with_advice("Load a file that has only the keys of the rows to delete"));
        }
        let mut stored = stored.drain(..);
        let column = |name: &String| match using_column(name) {
            Some((name, role)) => Some(Column::using(name, *role)),
            None => stored.next(),
        };
        Ok(names.iter().filter_map(column).collect())
    }
}
