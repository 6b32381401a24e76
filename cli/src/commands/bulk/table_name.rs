use std::fmt;
use std::str::FromStr;

/// `keyspace.table`
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct TableName {
    pub(crate) keyspace: String,
    pub(crate) table: String,
}

impl FromStr for TableName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('.') {
            Some((keyspace, table)) if !keyspace.is_empty() && !table.is_empty() => {
                Ok(Self { keyspace: keyspace.to_owned(), table: table.to_owned() })
            }
            _ => Err("expected KEYSPACE.TABLE, such as shop.users".to_owned()),
        }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.keyspace, self.table)
    }
}
