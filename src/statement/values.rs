/// The values of a statement that binds a `V`: a `V` or a reference to one.
///
/// ```no_run
/// # async fn run(store: keyspaces::Write<(i64, String)>) -> Result<(), keyspaces::Error> {
/// let row = (7, "Ada".to_owned());
/// store.execute(&row).await?;
/// store.execute(row).await?;
/// # Ok(()) }
/// ```
///
/// Each value must have exactly the type that the statement was prepared with:
///
/// ```compile_fail,E0277
/// # async fn run(store: keyspaces::Write<(i64, String)>) -> Result<(), keyspaces::Error> {
/// store.execute((7_i32, "Ada".to_owned())).await?;
/// # Ok(()) }
/// ```
#[diagnostic::on_unimplemented(
    message = "the statement binds `{V}`, found `{Self}`",
    label = "at least one of these values does not have the type that the statement binds",
    note = "pass values of these types, in this order, by value or by reference; no type is converted: `&String` is not `&str`, \
            and `i32` is not `i64`"
)]
pub trait Values<V> {
    #[doc(hidden)]
    fn values(&self) -> &V;
}

impl<V> Values<V> for V {
    #[inline]
    fn values(&self) -> &V {
        self
    }
}

impl<V> Values<V> for &V {
    #[inline]
    fn values(&self) -> &V {
        self
    }
}
