//! The results of a read, fetched page by page: a stream of rows or of pages.

mod pages;
mod paging_state;
mod prefetch;
mod raw_pages;
mod rows;
mod sealed;

pub(crate) use self::pages::{DriverPage, Read, decode_all, decode_each, into_rows};
pub use self::pages::{Page, Pages};
pub use self::paging_state::PagingState;
pub(crate) use self::prefetch::{AbortOnDrop, Prefetch, time_to_retry};
pub use self::raw_pages::{RawPage, RawPages};
pub use self::rows::Rows;
pub(crate) use self::sealed::{Fingerprint, SealedBytes, TextHash};
