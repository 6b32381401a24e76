//! Decisions about the Amazon Keyspaces API where sources are silent or disagree. `local/DIFFERENCES.md` lists them too.

/// The default page size: the most that `maxResults` permits. No source names a default.
pub(super) const DEFAULT_PAGE: usize = 1000;

/// The warm throughput of a new on-demand table (DG:warm-throughput). That it is shown for the side that was not raised is
/// assumed: the model requires both sides.
pub(super) const WARM_READS: u32 = 12_000;
pub(super) const WARM_WRITES: u32 = 4_000;

/// An UpdateTable that adds columns is answered while GetTable still says ACTIVE, and shows the columns later: others saw
/// that of the service. Here the first part of that time, as a divisor of all of it, is said to be ACTIVE, and all of it is
/// without the columns.
pub(super) const ADDING_COLUMNS_READS_ACTIVE: u64 = 2;

/// "One setting per call" (API:UpdateTable). The service's message for no setting is not known.
pub(super) const NO_SETTING: &str = "keyspaces-local: UpdateTable names nothing that is to be changed (what the service \
                                     says here is not known)";
pub(super) const COLUMNS_AND_SETTING: &str = "keyspaces-local: UpdateTable changes one thing per call: addColumns goes \
                                              without others (API:UpdateTable; what the service says here is not known)";
