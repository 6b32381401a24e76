//! The codes of ERROR frames.

pub(crate) const SERVER_ERROR: i32 = 0x0000;
pub(crate) const PROTOCOL_ERROR: i32 = 0x000A;
pub(crate) const UNAVAILABLE: i32 = 0x1000;
pub(crate) const WRITE_TIMEOUT: i32 = 0x1100;
pub(crate) const READ_TIMEOUT: i32 = 0x1200;
pub(crate) const READ_FAILURE: i32 = 0x1300;
pub(crate) const FUNCTION_FAILURE: i32 = 0x1400;
pub(crate) const WRITE_FAILURE: i32 = 0x1500;
pub(crate) const SYNTAX_ERROR: i32 = 0x2000;
pub(crate) const UNAUTHORIZED: i32 = 0x2100;
pub(crate) const INVALID: i32 = 0x2200;
pub(crate) const ALREADY_EXISTS: i32 = 0x2400;
pub(crate) const UNPREPARED: i32 = 0x2500;
