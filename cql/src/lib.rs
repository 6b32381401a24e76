//! CQL as Amazon Keyspaces speaks it.
