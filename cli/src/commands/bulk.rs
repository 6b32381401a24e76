//! Commands on whole tables.

mod copy;
mod count;
mod delete;
mod export;
mod format;
mod load;
mod options;
mod rate;
mod run;
mod table_name;

pub(super) use self::copy::Copy;
pub(super) use self::count::Count;
pub(super) use self::delete::Delete;
pub(super) use self::export::Export;
pub(super) use self::load::Load;
pub(super) use self::table_name::TableName;
