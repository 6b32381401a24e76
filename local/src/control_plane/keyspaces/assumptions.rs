//! Assumptions about the Amazon Keyspaces API where sources are silent or disagree. `local/DIFFERENCES.md` lists them
//! too.

/// The default page size, which is the maximum of `maxResults`. No source names a default.
pub(super) const DEFAULT_PAGE_SIZE: usize = 1000;

/// The warm throughput of a new on-demand table (DG:warm-throughput). It is assumed that it is shown for the direction
/// (read or write) that was not raised, because the model requires both.
pub(super) const DEFAULT_WARM_READ_UNITS: u32 = 12_000;
pub(super) const DEFAULT_WARM_WRITE_UNITS: u32 = 4_000;

/// After an UpdateTable that adds columns, GetTable still shows ACTIVE for a while, and shows the columns later: others
/// observed this on the service. Here GetTable shows ACTIVE for the first part of the delay, which is the delay divided
/// by this number, and shows the columns after the whole delay.
pub(super) const ACTIVE_DELAY_DIVISOR: u64 = 2;

/// "One setting per call" (API:UpdateTable). The service's message for no setting is not known.
pub(super) const NO_SETTING_MESSAGE: &str = "keyspaces-local: UpdateTable names no setting to change (the service's \
                                     message is not known)";
pub(super) const COLUMNS_AND_SETTING_MESSAGE: &str = "keyspaces-local: UpdateTable changes one setting per call: addColumns goes \
                                              without others (API:UpdateTable; the service's message is not known)";
