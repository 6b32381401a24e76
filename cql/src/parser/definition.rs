//! CREATE, ALTER and DROP of keyspaces, tables and types; RESTORE TABLE; USE.

use super::term::Place;
use super::{Parsed, Parser};
use crate::lexer::TokenKind;
use crate::statement::{
    AlterKeyspace, AlterKeyspaceChange, AlterTable, AlterTableChange, ClusteringOrder, ColumnDefinition, CqlType,
    CqlTypeKind, CreateKeyspace, CreateTable, CreateType, DropKeyspace, DropTable, DropType, FieldDefinition,
    PrimaryKey, RestoreTable, Statement, Term, Use, WithOption,
};
use crate::{Name, Span};

const KEYSPACE: &[&str] = &["KEYSPACE", "SCHEMA"];
const TABLE: &[&str] = &["TABLE", "COLUMNFAMILY"];

impl Parser<'_> {
    /// A statement that begins with CREATE, ALTER, DROP, RESTORE or USE.
    pub(super) fn definition(&mut self) -> Parsed<Statement> {
        let start = self.span();
        if self.accept_word("USE").is_some() {
            let keyspace = self.name("a keyspace")?;
            return Ok(Statement::Use(Use { span: self.since(start), keyspace }));
        }
        if self.accept_word("RESTORE").is_some() {
            return self.restore_table(start).map(Statement::RestoreTable);
        }
        let create = self.accept_word("CREATE").is_some();
        let alter = !create && self.accept_word("ALTER").is_some();
        if !create && !alter {
            self.expect_word("DROP")?;
        }
        if self.accept_any(KEYSPACE) {
            match (create, alter) {
                (true, _) => self.create_keyspace(start).map(Statement::CreateKeyspace),
                (_, true) => self.alter_keyspace(start).map(Statement::AlterKeyspace),
                _ => {
                    let if_exists = self.accept_words(&["IF", "EXISTS"]);
                    let keyspace = self.name("a keyspace")?;
                    Ok(Statement::DropKeyspace(DropKeyspace { span: self.since(start), if_exists, keyspace }))
                }
            }
        } else if self.accept_any(TABLE) {
            match (create, alter) {
                (true, _) => self.create_table(start).map(Statement::CreateTable),
                (_, true) => self.alter_table(start).map(Statement::AlterTable),
                _ => {
                    let if_exists = self.accept_words(&["IF", "EXISTS"]);
                    let table = self.qualified_name("a table")?;
                    Ok(Statement::DropTable(DropTable { span: self.since(start), if_exists, table }))
                }
            }
        } else if !alter && self.accept_word("TYPE").is_some() {
            if create {
                return self.create_type(start).map(Statement::CreateType);
            }
            let if_exists = self.accept_words(&["IF", "EXISTS"]);
            let name = self.qualified_name("a type")?;
            self.check_type_name(&name)?;
            Ok(Statement::DropType(DropType { span: self.since(start), if_exists, name }))
        } else {
            Err(self.unexpected("KEYSPACE, TABLE or TYPE"))
        }
    }

    fn accept_any(&mut self, words: &[&str]) -> bool {
        words.iter().any(|word| self.accept_word(word).is_some())
    }

    fn create_keyspace(&mut self, start: Span) -> Parsed<CreateKeyspace> {
        let if_not_exists = self.accept_words(&["IF", "NOT", "EXISTS"]);
        let keyspace = self.name("a keyspace")?;
        let options = if self.accept_word("WITH").is_some() { self.with_options()? } else { Vec::new() };
        Ok(CreateKeyspace { span: self.since(start), if_not_exists, keyspace, options })
    }

    fn alter_keyspace(&mut self, start: Span) -> Parsed<AlterKeyspace> {
        let if_exists = self.accept_words(&["IF", "EXISTS"]);
        let keyspace = self.name("a keyspace")?;
        let change = if self.accept_words(&["ADD", "TAGS"]).is_some() {
            AlterKeyspaceChange::AddTags(self.option_value()?)
        } else if self.accept_words(&["DROP", "TAGS"]).is_some() {
            AlterKeyspaceChange::DropTags(self.option_value()?)
        } else {
            self.accept_word("WITH").ok_or_else(|| self.unexpected("WITH, ADD TAGS or DROP TAGS"))?;
            AlterKeyspaceChange::With(self.with_options()?)
        };
        Ok(AlterKeyspace { span: self.since(start), if_exists, keyspace, change })
    }

    fn with_options(&mut self) -> Parsed<Vec<WithOption>> {
        let mut options = Vec::new();
        self.options(|parser| {
            options.push(parser.with_option()?);
            Ok(())
        })?;
        Ok(options)
    }

    /// What stands after `WITH`: options with `AND` between.
    fn options(&mut self, mut option: impl FnMut(&mut Self) -> Parsed<()>) -> Parsed<()> {
        loop {
            if let Err(error) = option(self) {
                self.recover(error)?;
                self.skip_option();
            }
            if self.accept_word("AND").is_some() {
                continue;
            }
            if !self.recovers() || self.at_end_of_statement() {
                return Ok(());
            }
            let error = self.unexpected("AND, ';' or the end of the text");
            self.recover(error)?;
            if !self.begins_option() {
                self.skip_option();
                if self.accept_word("AND").is_none() {
                    return Ok(());
                }
            }
        }
    }

    fn with_option(&mut self) -> Parsed<WithOption> {
        let start = self.span();
        let name = self.name("an option")?;
        self.expect(TokenKind::Equal, "'='")?;
        let value = self.option_value()?;
        Ok(WithOption { name, value, span: self.since(start) })
    }

    fn option_value(&mut self) -> Parsed<Term> {
        self.term(Place::OptionValue)
    }

    fn create_table(&mut self, start: Span) -> Parsed<CreateTable> {
        let if_not_exists = self.accept_words(&["IF", "NOT", "EXISTS"]);
        let table = self.qualified_name("a table")?;
        let mut created = CreateTable {
            span: start,
            if_not_exists,
            table,
            columns: Vec::new(),
            primary_keys: Vec::new(),
            clustering_order: Vec::new(),
            compact_storage: None,
            options: Vec::new(),
        };
        self.expect(TokenKind::OpenParenthesis, "'('")?;
        self.columns_and_keys(&mut created)?;
        if self.accept_word("WITH").is_some() {
            self.table_options(&mut created)?;
        }
        created.span = self.since(start);
        Ok(created)
    }

    /// What stands between the parentheses, and the closing one.
    fn columns_and_keys(&mut self, created: &mut CreateTable) -> Parsed<()> {
        loop {
            let item = self.at;
            if let Err(error) = self.column_or_key(created) {
                self.recover(error)?;
                self.skip_item(item);
            } else if !matches!(self.kind(), TokenKind::Comma | TokenKind::CloseParenthesis) {
                let error = self.unexpected("',' or ')'");
                self.recover(error)?;
                if self.begins_column(0) {
                    continue;
                }
                self.skip_item(self.at);
            }
            let comma = self.accept_commas();
            let closed = self.accept(TokenKind::CloseParenthesis).is_some();
            if closed || !comma {
                return Ok(());
            }
        }
    }

    fn column_or_key(&mut self, created: &mut CreateTable) -> Parsed<()> {
        if self.are_words(&["PRIMARY", "KEY"]) {
            created.primary_keys.push(self.primary_key()?);
        } else {
            created.columns.push(self.column_definition()?);
        }
        Ok(())
    }

    fn column_definition(&mut self) -> Parsed<ColumnDefinition> {
        let name = self.name("a column or PRIMARY KEY")?;
        let mut column_type = self.cql_type()?;
        if let Some(frozen) = self.accept_word("FROZEN") {
            let span = column_type.span.to(frozen);
            column_type = CqlType { kind: CqlTypeKind::Frozen(Box::new(column_type)), span };
        }
        let is_static = self.accept_word("STATIC");
        let primary_key = self.accept_words(&["PRIMARY", "KEY"]);
        let span = self.since(name.span);
        Ok(ColumnDefinition { name, column_type, is_static, primary_key, span })
    }

    fn primary_key(&mut self) -> Parsed<PrimaryKey> {
        let start = self.expect_words(&["PRIMARY", "KEY"])?;
        self.expect(TokenKind::OpenParenthesis, "'('")?;
        let partition_key = if self.kind() == TokenKind::OpenParenthesis {
            self.parenthesised(|parser| parser.name("a column"))?
        } else {
            vec![self.name("a column")?]
        };
        let mut clustering_columns = Vec::new();
        while self.accept(TokenKind::Comma).is_some() {
            clustering_columns.push(self.name("a column")?);
        }
        self.expect(TokenKind::CloseParenthesis, "',' or ')'")?;
        Ok(PrimaryKey { partition_key, clustering_columns, span: self.since(start) })
    }

    fn table_options(&mut self, created: &mut CreateTable) -> Parsed<()> {
        self.options(|parser| {
            if parser.accept_words(&["CLUSTERING", "ORDER", "BY"]).is_some() {
                let order = parser.parenthesised(|parser| {
                    let column = parser.name("a column")?;
                    let order = parser.order();
                    Ok(ClusteringOrder { span: parser.since(column.span), column, order })
                })?;
                created.clustering_order.extend(order);
            } else if let Some(span) = parser.accept_words(&["COMPACT", "STORAGE"]) {
                created.compact_storage = Some(span);
            } else {
                created.options.push(parser.with_option()?);
            }
            Ok(())
        })
    }

    fn alter_table(&mut self, start: Span) -> Parsed<AlterTable> {
        let if_exists = self.accept_words(&["IF", "EXISTS"]);
        let table = self.qualified_name("a table")?;
        let change = self.alter_table_change()?;
        Ok(AlterTable { span: self.since(start), if_exists, table, change })
    }

    fn alter_table_change(&mut self) -> Parsed<AlterTableChange> {
        let are_tags = |word| self.is_word_at(1, word) && self.kind_at(2) == TokenKind::OpenBrace;
        let (tags, stream_tags) = (are_tags("TAGS"), are_tags("TAGS_FOR_CDC"));
        let start = self.span();
        if self.accept_word("ADD").is_some() {
            if tags || stream_tags {
                self.advance();
                let change = if tags { AlterTableChange::AddTags } else { AlterTableChange::AddStreamTags };
                return self.option_value().map(change);
            }
            if self.kind() == TokenKind::OpenParenthesis {
                return self.parenthesised(Self::column_definition).map(AlterTableChange::Add);
            }
            let columns = self.list_of(Self::column_definition)?;
            let several = columns.len() > 1;
            return Ok(if several { AlterTableChange::AddBare(columns) } else { AlterTableChange::Add(columns) });
        }
        if self.accept_word("DROP").is_some() {
            if tags || stream_tags {
                self.advance();
                let change = if tags { AlterTableChange::DropTags } else { AlterTableChange::DropStreamTags };
                return self.option_value().map(change);
            }
            if self.accept_words(&["COMPACT", "STORAGE"]).is_some() {
                return Ok(AlterTableChange::DropCompactStorage(self.since(start)));
            }
            let columns = if self.kind() == TokenKind::OpenParenthesis {
                self.parenthesised(|parser| parser.name("a column"))?
            } else {
                self.list_of(|parser| parser.name("a column"))?
            };
            // Which values go with the column makes no difference where no column can go.
            if self.accept_words(&["USING", "TIMESTAMP"]).is_some() {
                self.expect(TokenKind::Integer, "an integer")?;
            }
            return Ok(AlterTableChange::Drop(columns));
        }
        if self.accept_word("RENAME").is_some() {
            let mut names = vec![self.renaming()?];
            while self.accept_word("AND").is_some() {
                names.push(self.renaming()?);
            }
            return Ok(AlterTableChange::Rename(names));
        }
        if self.accept_word("ALTER").is_some() {
            let column = self.name("a column")?;
            self.expect_word("TYPE")?;
            return Ok(AlterTableChange::ColumnType(column, self.cql_type()?));
        }
        self.accept_word("WITH").ok_or_else(|| self.unexpected("ADD, DROP, RENAME, ALTER or WITH"))?;
        self.with_options().map(AlterTableChange::With)
    }

    fn renaming(&mut self) -> Parsed<(Name, Name)> {
        let from = self.name("a column")?;
        self.expect_word("TO")?;
        Ok((from, self.name("a column")?))
    }

    fn restore_table(&mut self, start: Span) -> Parsed<RestoreTable> {
        self.expect_word("TABLE")?;
        let table = self.qualified_name("a table")?;
        self.expect_words(&["FROM", "TABLE"])?;
        let source = self.qualified_name("a table")?;
        let options = if self.accept_word("WITH").is_some() { self.with_options()? } else { Vec::new() };
        Ok(RestoreTable { span: self.since(start), table, source, options })
    }

    fn create_type(&mut self, start: Span) -> Parsed<CreateType> {
        let if_not_exists = self.accept_words(&["IF", "NOT", "EXISTS"]);
        let type_name = self.qualified_name("a type")?;
        self.check_type_name(&type_name)?;
        self.expect(TokenKind::OpenParenthesis, "'('")?;
        let mut fields = Vec::new();
        loop {
            let name = self.name("the name of a field")?;
            fields.push(FieldDefinition { name, field_type: self.cql_type()? });
            let comma = self.accept_commas();
            if self.accept(TokenKind::CloseParenthesis).is_some() {
                return Ok(CreateType { span: self.since(start), if_not_exists, name: type_name, fields });
            }
            if !comma {
                return Err(self.unexpected("',' or ')'"));
            }
        }
    }

    /// Cassandra's grammar lets the places after the first column or field be empty: `(a int, , b int,)`.
    fn accept_commas(&mut self) -> bool {
        let before = self.at;
        while self.accept(TokenKind::Comma).is_some() {}
        self.at > before
    }
}
