use scylla::deserialize::FrameSlice;
use scylla::deserialize::row::{ColumnIterator, DeserializeRow};
use scylla::frame::response::result::{ColumnSpec, TableSpec};
use scylla::serialize::row::{RowSerializationContext, SerializeRow};
use scylla::serialize::writers::RowWriter;

use super::*;

fn columns() -> [ColumnSpec<'static>; 2] {
    let column =
        |name, native| ColumnSpec::borrowed(name, ColumnType::Native(native), TableSpec::borrowed("shop", "names"));
    [column("id", NativeType::Int), column("name", NativeType::Text)]
}

fn bound(values: &impl SerializeRow) -> String {
    let error = values
        .serialize(&RowSerializationContext::from_specs(&columns()), &mut RowWriter::new(&mut Vec::new()))
        .expect_err("these values do not fit");
    explain_values(&error).into_owned()
}

fn checked<R: for<'a, 'b> DeserializeRow<'a, 'b>>() -> String {
    explain_columns(&R::type_check(&columns()).expect_err("this row type does not fit")).into_owned()
}

#[test]
fn value_mismatch_error_names_column_cql_type_and_rust_type() {
    assert_eq!(bound(&(7,)), "(i32,) has 1 value, the statement has 2 bind markers");
    assert_eq!(bound(&("7", "Ada")), "the bind marker for id is int, &str cannot be bound to it");
    assert_eq!(bound(&(7, Some(2.5_f64))), "the bind marker for name is text, Option<f64> cannot be bound to it");
    let by_name = std::collections::BTreeMap::from([("id", 7), ("size", 8)]);
    assert_eq!(bound(&by_name), "the statement has a bind marker for name, BTreeMap<&str, i32> has no value for it");
}

#[test]
fn row_type_mismatch_error_names_column_cql_type_and_rust_type() {
    assert_eq!(checked::<(i32,)>(), "(i32,) has 1 value, the rows have 2 columns");
    assert_eq!(checked::<(i64, String)>(), "the column id is int, it cannot be read as i64");
    assert_eq!(checked::<(i32, f64)>(), "the column name is text, it cannot be read as f64");
}

#[test]
fn unexpected_null_error_suggests_the_option_type() {
    let columns = columns();
    let row = [0, 0, 0, 4, 0, 0, 0, 7, 0xff, 0xff, 0xff, 0xff];
    let cells = ColumnIterator::new(&columns, FrameSlice::new_borrowed(&row));
    let error = <(i32, String)>::deserialize(cells).expect_err("the name is null");
    assert_eq!(
        explain_row(&error),
        "the column name (text) is null in a row, and String cannot hold null: read it as Option<String>"
    );
}

#[test]
fn rust_type_name_is_shown_without_paths() {
    assert_eq!(rust_type("core::option::Option<alloc::string::String>"), "Option<String>");
    assert_eq!(rust_type("(i32, &[shop::orders::Order])"), "(i32, &[Order])");
    assert_eq!(
        rust_type("scylla_cql_core::_macro_internal::ser::row::ByName<'_, shop::main::{{closure}}::Order>"),
        "Order"
    );
    assert_eq!(cql_type(&ColumnType::Tuple(vec![ColumnType::Native(NativeType::Int); 2])), "tuple<int, int>");
}
