//! The rows of a read: page by page, as a stream of rows or of pages.

mod pages;
mod paging_state;
mod rows;

pub use self::pages::{Page, Pages};
pub(crate) use self::pages::Read;
pub(crate) use self::paging_state::Fingerprint;
pub use self::paging_state::PagingState;
pub use self::rows::Rows;
