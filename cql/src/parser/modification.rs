//! INSERT, UPDATE, DELETE and BATCH.

use super::relation::{parse_relations, parse_target};
use super::term::{parse_integer, parse_simple_value, parse_value};
use super::{Parsed, Parser};
use crate::lexer::TokenKind;
use crate::statement::{
    Assignment, AssignmentOperation, Batch, BatchKind, Condition, Delete, Insert, InsertContent, JsonDefault,
    Modification, Target, Update, Using, UsingKind, UsingParameter,
};

pub(super) fn parse_insert(parser: &mut Parser<'_>) -> Parsed<Insert> {
    let start = parser.expect_words(&["INSERT", "INTO"])?;
    let table = parser.parse_qualified_name("a table")?;
    let content =
        if parser.accept_word("JSON").is_some() { parse_json(parser)? } else { parse_names_and_values(parser)? };
    let if_not_exists = parser.accept_words(&["IF", "NOT", "EXISTS"]);
    let using = parse_using(parser)?;
    Ok(Insert { span: parser.span_from(start), table, content, if_not_exists, using })
}

fn parse_json(parser: &mut Parser<'_>) -> Parsed<InsertContent> {
    let literal = matches!(parser.kind(), TokenKind::String | TokenKind::DollarString);
    let marker = matches!(parser.kind(), TokenKind::Question | TokenKind::Colon);
    if !literal && !marker {
        return Err(parser.unexpected("a string or a bind marker"));
    }
    let json = parse_simple_value(parser)?;
    let default = if parser.accept_words(&["DEFAULT", "NULL"]).is_some() {
        Some(JsonDefault::Null)
    } else {
        parser.accept_words(&["DEFAULT", "UNSET"]).map(|_| JsonDefault::Unset)
    };
    Ok(InsertContent::Json { json, default })
}

fn parse_names_and_values(parser: &mut Parser<'_>) -> Parsed<InsertContent> {
    let columns = parser.parse_parenthesised(|parser| parser.parse_name("a column"))?;
    parser.expect_word("VALUES")?;
    let values = parser.parse_parenthesised(parse_value)?;
    Ok(InsertContent::Values { columns, values })
}

pub(super) fn parse_update(parser: &mut Parser<'_>) -> Parsed<Update> {
    let start = parser.expect_word("UPDATE")?;
    let table = parser.parse_qualified_name("a table")?;
    let using = parse_using(parser)?;
    parser.expect_word("SET")?;
    let assignments = parser.parse_list(parse_assignment)?;
    parser.expect_word("WHERE")?;
    let relations = parse_relations(parser)?;
    let condition = parse_condition(parser)?;
    Ok(Update { span: parser.span_from(start), table, using, assignments, relations, condition })
}

fn parse_assignment(parser: &mut Parser<'_>) -> Parsed<Assignment> {
    let start = parser.span();
    let target = parse_target(parser, "a column")?;
    let shorthand = match parser.kind() {
        TokenKind::PlusEqual => Some(AssignmentOperation::Add),
        TokenKind::MinusEqual => Some(AssignmentOperation::Subtract),
        _ => None,
    };
    let whole_column = matches!(target, Target::Column(_));
    let (operation, value) = if let Some(operation) = shorthand.filter(|_| whole_column) {
        parser.advance();
        (operation, parse_value(parser)?)
    } else {
        parser.expect(TokenKind::Equal, "'='")?;
        if whole_column {
            parse_assigned_value(parser, &target)?
        } else {
            (AssignmentOperation::Set, parse_value(parser)?)
        }
    };
    let shorthand = shorthand.is_some();
    Ok(Assignment { target, operation, value, shorthand, span: parser.span_from(start) })
}

/// Parses `value`, `c + value`, `c - value` or `value + c`, where `c` is the column of `target`.
fn parse_assigned_value(
    parser: &mut Parser<'_>,
    target: &Target,
) -> Parsed<(AssignmentOperation, crate::statement::Term)> {
    let arithmetic = matches!(parser.kind_at(1), TokenKind::Plus | TokenKind::Minus);
    if parser.is_name_at(0) && arithmetic {
        expect_same_column(parser, target)?;
        let minus = advance_if_minus(parser);
        let value = parse_value(parser)?;
        return Ok((if minus { AssignmentOperation::Subtract } else { AssignmentOperation::Add }, value));
    }
    let value = parse_value(parser)?;
    if parser.accept(TokenKind::Plus).is_some() {
        expect_same_column(parser, target)?;
        return Ok((AssignmentOperation::Prepend, value));
    }
    Ok((AssignmentOperation::Set, value))
}

fn advance_if_minus(parser: &mut Parser<'_>) -> bool {
    let minus = parser.kind() == TokenKind::Minus;
    parser.advance();
    minus
}

fn expect_same_column(parser: &mut Parser<'_>, target: &Target) -> Parsed<()> {
    let before = parser.at;
    if parser.parse_name("a column")?.text == target.column().text {
        return Ok(());
    }
    parser.at = before;
    Err(parser.unexpected(&format!("the column that is set, {}", target.column())))
}

pub(super) fn parse_delete(parser: &mut Parser<'_>) -> Parsed<Delete> {
    let start = parser.expect_word("DELETE")?;
    let targets = if parser.is_word("FROM") {
        Vec::new()
    } else {
        parser.parse_list(|parser| parse_target(parser, "a column or FROM"))?
    };
    parser.expect_word("FROM")?;
    let table = parser.parse_qualified_name("a table")?;
    let using = parse_using(parser)?;
    parser.expect_word("WHERE")?;
    let relations = parse_relations(parser)?;
    let condition = parse_condition(parser)?;
    Ok(Delete { span: parser.span_from(start), targets, table, using, relations, condition })
}

fn parse_condition(parser: &mut Parser<'_>) -> Parsed<Option<Condition>> {
    let Some(start) = parser.accept_word("IF") else { return Ok(None) };
    let exists = parser.is_word("EXISTS")
        && matches!(parser.kind_at(1), TokenKind::End | TokenKind::Semicolon | TokenKind::Word)
        && !["IN", "CONTAINS", "NOT", "LIKE", "BETWEEN", "IS"].iter().any(|word| parser.is_word_at(1, word));
    if exists {
        parser.advance();
        return Ok(Some(Condition::Exists(parser.span_from(start))));
    }
    parse_relations(parser).map(|relations| Some(Condition::Holds(relations)))
}

fn parse_using(parser: &mut Parser<'_>) -> Parsed<Option<Using>> {
    let Some(start) = parser.accept_word("USING") else { return Ok(None) };
    let mut parameters = vec![parse_using_parameter(parser)?];
    while parser.accept_word("AND").is_some() {
        parameters.push(parse_using_parameter(parser)?);
    }
    Ok(Some(Using { parameters, span: parser.span_from(start) }))
}

fn parse_using_parameter(parser: &mut Parser<'_>) -> Parsed<UsingParameter> {
    let start = parser.span();
    let kind = if parser.accept_word("TTL").is_some() {
        UsingKind::Ttl
    } else if parser.accept_word("TIMESTAMP").is_some() {
        UsingKind::Timestamp
    } else {
        return Err(parser.unexpected("TTL or TIMESTAMP"));
    };
    let value = parse_integer(parser)?;
    Ok(UsingParameter { kind, value, span: parser.span_from(start) })
}

pub(super) fn parse_batch(parser: &mut Parser<'_>) -> Parsed<Batch> {
    let start = parser.expect_word("BEGIN")?;
    let kind = if parser.accept_word("UNLOGGED").is_some() {
        BatchKind::Unlogged
    } else if parser.accept_word("COUNTER").is_some() {
        BatchKind::Counter
    } else {
        BatchKind::Logged
    };
    parser.expect_word("BATCH")?;
    let using = parse_using(parser)?;
    let mut statements = Vec::new();
    while !parser.is_word("APPLY") {
        statements.push(parse_modification(parser)?);
        parser.accept(TokenKind::Semicolon);
    }
    parser.expect_words(&["APPLY", "BATCH"])?;
    Ok(Batch { span: parser.span_from(start), kind, using, statements })
}

fn parse_modification(parser: &mut Parser<'_>) -> Parsed<Modification> {
    if parser.is_word("INSERT") {
        parse_insert(parser).map(Modification::Insert)
    } else if parser.is_word("UPDATE") {
        parse_update(parser).map(Modification::Update)
    } else if parser.is_word("DELETE") {
        parse_delete(parser).map(Modification::Delete)
    } else {
        Err(parser.unexpected("INSERT, UPDATE, DELETE or APPLY BATCH"))
    }
}
