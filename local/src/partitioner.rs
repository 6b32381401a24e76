//! Partitioners as a person writes them.

use std::fmt;
use std::str::FromStr;

use crate::topology::Partitioner;

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
    }
}
