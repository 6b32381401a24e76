//! A strict local Amazon Keyspaces over a real Apache Cassandra.

mod cassandra;
