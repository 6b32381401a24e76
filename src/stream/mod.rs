//! The results of a read, fetched page by page: a stream of rows or of pages.

mod ahead;
mod pages;
mod paging_state;
mod raw_pages;
mod rows;
mod sealed;

pub(crate) use self::ahead::{Ahead, PageAhead, time_to_ask_again};
pub(crate) use self::pages::{Arrived, Read, decode, decoded, rows_of};
pub use self::pages::{Page, Pages};
pub use self::paging_state::PagingState;
pub use self::raw_pages::{RawPage, RawPages};
pub use self::rows::Rows;
pub(crate) use self::sealed::{Fingerprint, SealedBytes, TextHash};
