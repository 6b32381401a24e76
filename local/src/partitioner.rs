//! Parses and prints the names of partitioners.

use std::fmt;
use std::str::FromStr;

use crate::topology::Partitioner;

/// Prints the name of the class.
impl fmt::Display for Partitioner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.class())
    }
}

/// Parses the name of a class, with or without its package.
impl FromStr for Partitioner {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::Murmur3, Self::Random, Self::Default];
        let is = |partitioner: &Self| {
            let class = partitioner.class();
            class == text || class.rsplit('.').next() == Some(text)
        };
        all.into_iter().find(is).ok_or_else(|| {
            format!("{text:?} is not one of Murmur3Partitioner, RandomPartitioner and DefaultPartitioner")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_name_is_parsed_with_and_without_its_package() {
        for partitioner in [Partitioner::Murmur3, Partitioner::Random, Partitioner::Default] {
            let class = partitioner.to_string();
            assert_eq!(class.parse(), Ok(partitioner));
            assert_eq!(class.rsplit_once('.').unwrap().1.parse(), Ok(partitioner));
        }
        assert_eq!(
            "murmur".parse::<Partitioner>().unwrap_err(),
            "\"murmur\" is not one of Murmur3Partitioner, RandomPartitioner and DefaultPartitioner"
        );
    }
}
