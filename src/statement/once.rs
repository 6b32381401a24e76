//! Statements for one use: not prepared, unless there are values to bind.

use keyspaces_cql::Effect;
use scylla::serialize::row::SerializeRow;
use scylla::statement::unprepared;

use super::{About, Cells, Core};
use crate::consistency::WRITE_CONSISTENCY;
use crate::execute::{self, Call, Request};
use crate::row::OwnedRow;
use crate::stream::{Fingerprint, Read, Rows, TextHash};
use crate::{Error, Session};

impl Session {
    /// Executes a write once: an INSERT, UPDATE or DELETE without a condition, with `()` for no values.
    ///
    /// Without values the text is sent as it is; with values it is prepared first, because only the server knows the types
    /// that they must have, and kept as by [`prepare`](Self::prepare). A statement that is executed often is better
    /// prepared.
    ///
    /// ```no_run
    /// # async fn run(session: keyspaces::Session) -> Result<(), keyspaces::Error> {
    /// session.execute("DELETE FROM shop.names WHERE id = ?", ("7",)).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// On a plain Cassandra it also takes what Keyspaces lacks, such as TRUNCATE.
    ///
    /// # Errors
    ///
    /// As [`prepare`](Self::prepare) of a [`Write`](crate::Write) and its [`execute`](crate::Write::execute). A conditional
    /// write is refused: its outcome must be looked at.
    pub async fn execute(&self, text: &str, values: impl SerializeRow) -> Result<(), Error> {
        if !values.is_empty() {
            let core = self.core(text, Effect::Write).await?;
            let mut request = core.bind(&values)?;
            return Core::expect_no_rows(&core.call.about, execute::write(&core.call, &mut request).await?);
        }
        let (about, text) = About::check(text, self, &[Effect::Write])?;
        let call = Call::new(self, about);
        let mut statement = unprepared::Statement::new(&*text);
        statement.set_consistency(WRITE_CONSISTENCY);
        let answer = execute::write(&call, &mut Request::Text(statement)).await?;
        Core::expect_no_rows(&call.about, answer)
    }

    /// The rows of a read that is made once, as rows of type `R` ([`Row`](crate::Row) if their columns are not known), with
    /// `()` for no values. See [`execute`](Self::execute) for when it is prepared.
    ///
    /// # Errors
    ///
    /// As items of the stream: those of [`prepare`](Self::prepare) of a [`Select`](crate::Select) and its
    /// [`rows`](crate::Select::rows).
    pub fn rows<R: OwnedRow>(&self, text: &str, values: impl SerializeRow + Send + 'static) -> Rows<R> {
        if values.is_empty() {
            return Rows::new(self.unprepared(text));
        }
        let (session, text) = (self.clone(), text.to_owned());
        Rows::later(async move {
            let core = session.core(&text, Effect::Read).await?;
            core.read(&values)
        })
    }

    fn unprepared(&self, text: &str) -> Result<Read, Error> {
        let (about, text) = About::check(text, self, &[Effect::Read])?;
        let mut statement = unprepared::Statement::new(&*text);
        statement.set_consistency(self.read_consistency().as_driver());
        statement.set_page_size(about.page_size(self.page_size()));
        let fingerprint = Fingerprint::new(TextHash::of(&text), Cells::of(&[], 0));
        Ok(Read { call: Call::new(self, about), request: Request::Text(statement), fingerprint })
    }
}
