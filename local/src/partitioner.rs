//! How rows are spread over tokens.

use std::fmt;
use std::str::FromStr;

/// How rows are spread over tokens, and so what `token()` gives. It is what `system.local` names
/// (`DG:working-with-partitioners`).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Partitioner {
    /// `org.apache.cassandra.dht.Murmur3Partitioner`, the service's default since November 2022.
    #[default]
    Murmur3,
    /// `org.apache.cassandra.dht.RandomPartitioner`.
    Random,
    /// `com.amazonaws.cassandra.DefaultPartitioner`, which older accounts have. Its tokens are `RandomPartitioner`'s,
    /// which is what the Cassandra behind runs.
    Default,
}

impl Partitioner {
    /// The name of its class, as `system.local` gives it to clients.
    pub fn class(self) -> &'static str {
        match self {
            Self::Murmur3 => "org.apache.cassandra.dht.Murmur3Partitioner",
            Self::Random => "org.apache.cassandra.dht.RandomPartitioner",
            Self::Default => "com.amazonaws.cassandra.DefaultPartitioner",
        }
    }

    /// The name of the class that gives the same tokens in Cassandra.
    pub(crate) fn cassandra_class(self) -> &'static str {
        match self {
            Self::Murmur3 | Self::Random => self.class(),
            Self::Default => Self::Random.class(),
        }
    }
}

/// The name of its class.
impl fmt::Display for Partitioner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.class())
    }
}

/// From a class's name, with or without its package.
impl FromStr for Partitioner {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = [Self::Murmur3, Self::Random, Self::Default];
        let is = |partitioner: &Self| {
            let class = partitioner.class();
            class == text || class.rsplit('.').next() == Some(text)
        };
        known
            .into_iter()
            .find(is)
            .ok_or_else(|| format!("{text:?} is none of Murmur3Partitioner, RandomPartitioner and DefaultPartitioner"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_with_and_without_its_package() {
        for partitioner in [Partitioner::Murmur3, Partitioner::Random, Partitioner::Default] {
            let class = partitioner.to_string();
            assert_eq!(class.parse(), Ok(partitioner));
            assert_eq!(class.rsplit_once('.').unwrap().1.parse(), Ok(partitioner));
        }
        assert_eq!(
            "murmur".parse::<Partitioner>().unwrap_err(),
            "\"murmur\" is none of Murmur3Partitioner, RandomPartitioner and DefaultPartitioner"
        );
        assert_eq!(Partitioner::Default.cassandra_class(), "org.apache.cassandra.dht.RandomPartitioner");
    }
}
