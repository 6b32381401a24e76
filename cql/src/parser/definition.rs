//! CREATE, ALTER and DROP of keyspaces, tables and types; RESTORE TABLE; USE.

use super::cql_type::{check_type_name, parse_cql_type};
use super::recovery::{at_end_of_statement, begins_column, begins_option, recover, recovers, skip_item, skip_option};
use super::select::parse_order;
use super::term::TermContext;
use super::term::parse_term;
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

/// Parses a statement that begins with CREATE, ALTER, DROP, RESTORE or USE.
pub(super) fn parse_definition(parser: &mut Parser<'_>) -> Parsed<Statement> {
    let start = parser.span();
    if parser.accept_word("USE").is_some() {
        let keyspace = parser.parse_name("a keyspace")?;
        return Ok(Statement::Use(Use { span: parser.span_from(start), keyspace }));
    }
    if parser.accept_word("RESTORE").is_some() {
        return parse_restore_table(parser, start).map(Statement::RestoreTable);
    }
    let create = parser.accept_word("CREATE").is_some();
    let alter = !create && parser.accept_word("ALTER").is_some();
    if !create && !alter {
        parser.expect_word("DROP")?;
    }
    if accept_any(parser, KEYSPACE) {
        match (create, alter) {
            (true, _) => parse_create_keyspace(parser, start).map(Statement::CreateKeyspace),
            (_, true) => parse_alter_keyspace(parser, start).map(Statement::AlterKeyspace),
            _ => {
                let if_exists = parser.accept_words(&["IF", "EXISTS"]);
                let keyspace = parser.parse_name("a keyspace")?;
                Ok(Statement::DropKeyspace(DropKeyspace { span: parser.span_from(start), if_exists, keyspace }))
            }
        }
    } else if accept_any(parser, TABLE) {
        match (create, alter) {
            (true, _) => parse_create_table(parser, start).map(Statement::CreateTable),
            (_, true) => parse_alter_table(parser, start).map(Statement::AlterTable),
            _ => {
                let if_exists = parser.accept_words(&["IF", "EXISTS"]);
                let table = parser.parse_qualified_name("a table")?;
                Ok(Statement::DropTable(DropTable { span: parser.span_from(start), if_exists, table }))
            }
        }
    } else if !alter && parser.accept_word("TYPE").is_some() {
        if create {
            return parse_create_type(parser, start).map(Statement::CreateType);
        }
        let if_exists = parser.accept_words(&["IF", "EXISTS"]);
        let name = parser.parse_qualified_name("a type")?;
        check_type_name(parser, &name)?;
        Ok(Statement::DropType(DropType { span: parser.span_from(start), if_exists, name }))
    } else {
        Err(parser.unexpected("KEYSPACE, TABLE or TYPE"))
    }
}

fn accept_any(parser: &mut Parser<'_>, words: &[&str]) -> bool {
    words.iter().any(|word| parser.accept_word(word).is_some())
}

fn parse_create_keyspace(parser: &mut Parser<'_>, start: Span) -> Parsed<CreateKeyspace> {
    let if_not_exists = parser.accept_words(&["IF", "NOT", "EXISTS"]);
    let keyspace = parser.parse_name("a keyspace")?;
    let options = if parser.accept_word("WITH").is_some() { parse_with_options(parser)? } else { Vec::new() };
    Ok(CreateKeyspace { span: parser.span_from(start), if_not_exists, keyspace, options })
}

fn parse_alter_keyspace(parser: &mut Parser<'_>, start: Span) -> Parsed<AlterKeyspace> {
    let if_exists = parser.accept_words(&["IF", "EXISTS"]);
    let keyspace = parser.parse_name("a keyspace")?;
    let change = if parser.accept_words(&["ADD", "TAGS"]).is_some() {
        AlterKeyspaceChange::AddTags(parse_option_value(parser)?)
    } else if parser.accept_words(&["DROP", "TAGS"]).is_some() {
        AlterKeyspaceChange::DropTags(parse_option_value(parser)?)
    } else {
        parser.accept_word("WITH").ok_or_else(|| parser.unexpected("WITH, ADD TAGS or DROP TAGS"))?;
        AlterKeyspaceChange::With(parse_with_options(parser)?)
    };
    Ok(AlterKeyspace { span: parser.span_from(start), if_exists, keyspace, change })
}

fn parse_with_options(parser: &mut Parser<'_>) -> Parsed<Vec<WithOption>> {
    let mut options = Vec::new();
    parse_option_list(parser, |parser| {
        options.push(parse_with_option(parser)?);
        Ok(())
    })?;
    Ok(options)
}

/// Parses the options after `WITH`, separated by `AND`.
fn parse_option_list(parser: &mut Parser<'_>, mut option: impl FnMut(&mut Parser<'_>) -> Parsed<()>) -> Parsed<()> {
    loop {
        if let Err(error) = option(parser) {
            recover(parser, error)?;
            skip_option(parser);
        }
        if parser.accept_word("AND").is_some() {
            continue;
        }
        if !recovers(parser) || at_end_of_statement(parser) {
            return Ok(());
        }
        let error = parser.unexpected("AND, ';' or the end of the text");
        recover(parser, error)?;
        if !begins_option(parser) {
            skip_option(parser);
            if parser.accept_word("AND").is_none() {
                return Ok(());
            }
        }
    }
}

fn parse_with_option(parser: &mut Parser<'_>) -> Parsed<WithOption> {
    let start = parser.span();
    let name = parser.parse_name("an option")?;
    parser.expect(TokenKind::Equal, "'='")?;
    let value = parse_option_value(parser)?;
    Ok(WithOption { name, value, span: parser.span_from(start) })
}

fn parse_option_value(parser: &mut Parser<'_>) -> Parsed<Term> {
    parse_term(parser, TermContext::OptionValue)
}

fn parse_create_table(parser: &mut Parser<'_>, start: Span) -> Parsed<CreateTable> {
    let if_not_exists = parser.accept_words(&["IF", "NOT", "EXISTS"]);
    let table = parser.parse_qualified_name("a table")?;
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
    parser.expect(TokenKind::OpenParenthesis, "'('")?;
    parse_columns_and_keys(parser, &mut created)?;
    if parser.accept_word("WITH").is_some() {
        parse_table_options(parser, &mut created)?;
    }
    created.span = parser.span_from(start);
    Ok(created)
}

/// Parses the columns and keys of a CREATE TABLE, and the closing parenthesis.
fn parse_columns_and_keys(parser: &mut Parser<'_>, created: &mut CreateTable) -> Parsed<()> {
    loop {
        let item = parser.at;
        if let Err(error) = parse_column_or_key(parser, created) {
            recover(parser, error)?;
            skip_item(parser, item);
        } else if !matches!(parser.kind(), TokenKind::Comma | TokenKind::CloseParenthesis) {
            let error = parser.unexpected("',' or ')'");
            recover(parser, error)?;
            if begins_column(parser, 0) {
                continue;
            }
            skip_item(parser, parser.at);
        }
        let comma = accept_commas(parser);
        let closed = parser.accept(TokenKind::CloseParenthesis).is_some();
        if closed || !comma {
            return Ok(());
        }
    }
}

fn parse_column_or_key(parser: &mut Parser<'_>, created: &mut CreateTable) -> Parsed<()> {
    if parser.are_words(&["PRIMARY", "KEY"]) {
        created.primary_keys.push(parse_primary_key(parser)?);
    } else {
        created.columns.push(parse_column_definition(parser)?);
    }
    Ok(())
}

fn parse_column_definition(parser: &mut Parser<'_>) -> Parsed<ColumnDefinition> {
    let name = parser.parse_name("a column or PRIMARY KEY")?;
    let mut column_type = parse_cql_type(parser)?;
    if let Some(frozen) = parser.accept_word("FROZEN") {
        let span = column_type.span.to(frozen);
        column_type = CqlType { kind: CqlTypeKind::Frozen(Box::new(column_type)), span };
    }
    let is_static = parser.accept_word("STATIC");
    let primary_key = parser.accept_words(&["PRIMARY", "KEY"]);
    let span = parser.span_from(name.span);
    Ok(ColumnDefinition { name, column_type, is_static, primary_key, span })
}

fn parse_primary_key(parser: &mut Parser<'_>) -> Parsed<PrimaryKey> {
    let start = parser.expect_words(&["PRIMARY", "KEY"])?;
    parser.expect(TokenKind::OpenParenthesis, "'('")?;
    let partition_key = if parser.kind() == TokenKind::OpenParenthesis {
        parser.parse_parenthesised(|parser| parser.parse_name("a column"))?
    } else {
        vec![parser.parse_name("a column")?]
    };
    let mut clustering_columns = Vec::new();
    while parser.accept(TokenKind::Comma).is_some() {
        clustering_columns.push(parser.parse_name("a column")?);
    }
    parser.expect(TokenKind::CloseParenthesis, "',' or ')'")?;
    Ok(PrimaryKey { partition_key, clustering_columns, span: parser.span_from(start) })
}

fn parse_table_options(parser: &mut Parser<'_>, created: &mut CreateTable) -> Parsed<()> {
    parse_option_list(parser, |parser| {
        if parser.accept_words(&["CLUSTERING", "ORDER", "BY"]).is_some() {
            let order = parser.parse_parenthesised(|parser| {
                let column = parser.parse_name("a column")?;
                let order = parse_order(parser);
                Ok(ClusteringOrder { span: parser.span_from(column.span), column, order })
            })?;
            created.clustering_order.extend(order);
        } else if let Some(span) = parser.accept_words(&["COMPACT", "STORAGE"]) {
            created.compact_storage = Some(span);
        } else {
            created.options.push(parse_with_option(parser)?);
        }
        Ok(())
    })
}

fn parse_alter_table(parser: &mut Parser<'_>, start: Span) -> Parsed<AlterTable> {
    let if_exists = parser.accept_words(&["IF", "EXISTS"]);
    let table = parser.parse_qualified_name("a table")?;
    let change = parse_alter_table_change(parser)?;
    Ok(AlterTable { span: parser.span_from(start), if_exists, table, change })
}

fn parse_alter_table_change(parser: &mut Parser<'_>) -> Parsed<AlterTableChange> {
    let are_tags = |word| parser.is_word_at(1, word) && parser.kind_at(2) == TokenKind::OpenBrace;
    let (tags, stream_tags) = (are_tags("TAGS"), are_tags("TAGS_FOR_CDC"));
    let start = parser.span();
    if parser.accept_word("ADD").is_some() {
        if tags || stream_tags {
            parser.advance();
            let change = if tags { AlterTableChange::AddTags } else { AlterTableChange::AddStreamTags };
            return parse_option_value(parser).map(change);
        }
        if parser.kind() == TokenKind::OpenParenthesis {
            return parser.parse_parenthesised(parse_column_definition).map(AlterTableChange::Add);
        }
        let columns = parser.parse_list(parse_column_definition)?;
        let several = columns.len() > 1;
        return Ok(if several {
            AlterTableChange::AddWithoutParentheses(columns)
        } else {
            AlterTableChange::Add(columns)
        });
    }
    if parser.accept_word("DROP").is_some() {
        if tags || stream_tags {
            parser.advance();
            let change = if tags { AlterTableChange::DropTags } else { AlterTableChange::DropStreamTags };
            return parse_option_value(parser).map(change);
        }
        if parser.accept_words(&["COMPACT", "STORAGE"]).is_some() {
            return Ok(AlterTableChange::DropCompactStorage(parser.span_from(start)));
        }
        let columns = if parser.kind() == TokenKind::OpenParenthesis {
            parser.parse_parenthesised(|parser| parser.parse_name("a column"))?
        } else {
            parser.parse_list(|parser| parser.parse_name("a column"))?
        };
        // The timestamp is discarded: Keyspaces refuses every DROP of a column.
        if parser.accept_words(&["USING", "TIMESTAMP"]).is_some() {
            parser.expect(TokenKind::Integer, "an integer")?;
        }
        return Ok(AlterTableChange::Drop(columns));
    }
    if parser.accept_word("RENAME").is_some() {
        let mut names = vec![parse_renaming(parser)?];
        while parser.accept_word("AND").is_some() {
            names.push(parse_renaming(parser)?);
        }
        return Ok(AlterTableChange::Rename(names));
    }
    if parser.accept_word("ALTER").is_some() {
        let column = parser.parse_name("a column")?;
        parser.expect_word("TYPE")?;
        return Ok(AlterTableChange::ColumnType(column, parse_cql_type(parser)?));
    }
    parser.accept_word("WITH").ok_or_else(|| parser.unexpected("ADD, DROP, RENAME, ALTER or WITH"))?;
    parse_with_options(parser).map(AlterTableChange::With)
}

fn parse_renaming(parser: &mut Parser<'_>) -> Parsed<(Name, Name)> {
    let from = parser.parse_name("a column")?;
    parser.expect_word("TO")?;
    Ok((from, parser.parse_name("a column")?))
}

fn parse_restore_table(parser: &mut Parser<'_>, start: Span) -> Parsed<RestoreTable> {
    parser.expect_word("TABLE")?;
    let table = parser.parse_qualified_name("a table")?;
    parser.expect_words(&["FROM", "TABLE"])?;
    let source = parser.parse_qualified_name("a table")?;
    let options = if parser.accept_word("WITH").is_some() { parse_with_options(parser)? } else { Vec::new() };
    Ok(RestoreTable { span: parser.span_from(start), table, source, options })
}

fn parse_create_type(parser: &mut Parser<'_>, start: Span) -> Parsed<CreateType> {
    let if_not_exists = parser.accept_words(&["IF", "NOT", "EXISTS"]);
    let type_name = parser.parse_qualified_name("a type")?;
    check_type_name(parser, &type_name)?;
    parser.expect(TokenKind::OpenParenthesis, "'('")?;
    let mut fields = Vec::new();
    loop {
        let name = parser.parse_name("the name of a field")?;
        fields.push(FieldDefinition { name, field_type: parse_cql_type(parser)? });
        let comma = accept_commas(parser);
        if parser.accept(TokenKind::CloseParenthesis).is_some() {
            return Ok(CreateType { span: parser.span_from(start), if_not_exists, name: type_name, fields });
        }
        if !comma {
            return Err(parser.unexpected("',' or ')'"));
        }
    }
}

/// Skips commas: Cassandra's grammar allows empty places after the first column or field, as in `(a int, , b int,)`.
fn accept_commas(parser: &mut Parser<'_>) -> bool {
    let before = parser.at;
    while parser.accept(TokenKind::Comma).is_some() {}
    parser.at > before
}
