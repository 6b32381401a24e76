//! INSERT, UPDATE, DELETE and BATCH.

use super::{Parsed, Parser};
use crate::lexer::TokenKind;
use crate::statement::{
    Assignment, AssignmentOperation, Batch, BatchKind, Condition, Delete, Insert, InsertContent, JsonDefault,
    Modification, Target, Update, Using, UsingKind, UsingParameter,
};

impl Parser<'_> {
    pub(super) fn insert(&mut self) -> Parsed<Insert> {
        let start = self.expect_words(&["INSERT", "INTO"])?;
        let table = self.qualified_name("a table")?;
        let content = if self.accept_word("JSON").is_some() { self.json()? } else { self.names_and_values()? };
        let if_not_exists = self.accept_words(&["IF", "NOT", "EXISTS"]);
        let using = self.using()?;
        Ok(Insert { span: self.since(start), table, content, if_not_exists, using })
    }

    fn json(&mut self) -> Parsed<InsertContent> {
        let literal = matches!(self.kind(), TokenKind::String | TokenKind::DollarString);
        let marker = matches!(self.kind(), TokenKind::Question | TokenKind::Colon);
        if !literal && !marker {
            return Err(self.unexpected("a string or a bind marker"));
        }
        let json = self.value_without_operators()?;
        let default = if self.accept_words(&["DEFAULT", "NULL"]).is_some() {
            Some(JsonDefault::Null)
        } else {
            self.accept_words(&["DEFAULT", "UNSET"]).map(|_| JsonDefault::Unset)
        };
        Ok(InsertContent::Json { json, default })
    }

    fn names_and_values(&mut self) -> Parsed<InsertContent> {
        let columns = self.parenthesised(|parser| parser.name("a column"))?;
        self.expect_word("VALUES")?;
        let values = self.parenthesised(Self::value)?;
        Ok(InsertContent::Values { columns, values })
    }

    pub(super) fn update(&mut self) -> Parsed<Update> {
        let start = self.expect_word("UPDATE")?;
        let table = self.qualified_name("a table")?;
        let using = self.using()?;
        self.expect_word("SET")?;
        let assignments = self.list_of(Self::assignment)?;
        self.expect_word("WHERE")?;
        let relations = self.relations()?;
        let condition = self.condition()?;
        Ok(Update { span: self.since(start), table, using, assignments, relations, condition })
    }

    fn assignment(&mut self) -> Parsed<Assignment> {
        let start = self.span();
        let target = self.target("a column")?;
        let shorthand = match self.kind() {
            TokenKind::PlusEqual => Some(AssignmentOperation::Add),
            TokenKind::MinusEqual => Some(AssignmentOperation::Subtract),
            _ => None,
        };
        let whole_column = matches!(target, Target::Column(_));
        let (operation, value) = if let Some(operation) = shorthand.filter(|_| whole_column) {
            self.advance();
            (operation, self.value()?)
        } else {
            self.expect(TokenKind::Equal, "'='")?;
            if whole_column { self.new_value(&target)? } else { (AssignmentOperation::Set, self.value()?) }
        };
        let shorthand = shorthand.is_some();
        Ok(Assignment { target, operation, value, shorthand, span: self.since(start) })
    }

    /// `value`, `c + value`, `c - value` or `value + c` for the column `c`.
    fn new_value(&mut self, target: &Target) -> Parsed<(AssignmentOperation, crate::statement::Term)> {
        let arithmetic = matches!(self.kind_at(1), TokenKind::Plus | TokenKind::Minus);
        if self.is_name_at(0) && arithmetic {
            self.same_column(target)?;
            let minus = self.advance_if_minus();
            let value = self.value()?;
            return Ok((if minus { AssignmentOperation::Subtract } else { AssignmentOperation::Add }, value));
        }
        let value = self.value()?;
        if self.accept(TokenKind::Plus).is_some() {
            self.same_column(target)?;
            return Ok((AssignmentOperation::Prepend, value));
        }
        Ok((AssignmentOperation::Set, value))
    }

    fn advance_if_minus(&mut self) -> bool {
        let minus = self.kind() == TokenKind::Minus;
        self.advance();
        minus
    }

    fn same_column(&mut self, target: &Target) -> Parsed<()> {
        let before = self.at;
        if self.name("a column")?.text == target.column().text {
            return Ok(());
        }
        self.at = before;
        Err(self.unexpected(&format!("the column that is set, {}", target.column())))
    }

    pub(super) fn delete(&mut self) -> Parsed<Delete> {
        let start = self.expect_word("DELETE")?;
        let targets =
            if self.is_word("FROM") { Vec::new() } else { self.list_of(|parser| parser.target("a column or FROM"))? };
        self.expect_word("FROM")?;
        let table = self.qualified_name("a table")?;
        let using = self.using()?;
        self.expect_word("WHERE")?;
        let relations = self.relations()?;
        let condition = self.condition()?;
        Ok(Delete { span: self.since(start), targets, table, using, relations, condition })
    }

    fn condition(&mut self) -> Parsed<Option<Condition>> {
        let Some(start) = self.accept_word("IF") else { return Ok(None) };
        let exists = self.is_word("EXISTS")
            && matches!(self.kind_at(1), TokenKind::End | TokenKind::Semicolon | TokenKind::Word)
            && !["IN", "CONTAINS", "NOT", "LIKE", "BETWEEN", "IS"].iter().any(|word| self.is_word_at(1, word));
        if exists {
            self.advance();
            return Ok(Some(Condition::Exists(self.since(start))));
        }
        self.relations().map(|relations| Some(Condition::Holds(relations)))
    }

    fn using(&mut self) -> Parsed<Option<Using>> {
        let Some(start) = self.accept_word("USING") else { return Ok(None) };
        let mut parameters = vec![self.using_parameter()?];
        while self.accept_word("AND").is_some() {
            parameters.push(self.using_parameter()?);
        }
        Ok(Some(Using { parameters, span: self.since(start) }))
    }

    fn using_parameter(&mut self) -> Parsed<UsingParameter> {
        let start = self.span();
        let kind = if self.accept_word("TTL").is_some() {
            UsingKind::Ttl
        } else if self.accept_word("TIMESTAMP").is_some() {
            UsingKind::Timestamp
        } else {
            return Err(self.unexpected("TTL or TIMESTAMP"));
        };
        let value = self.integer()?;
        Ok(UsingParameter { kind, value, span: self.since(start) })
    }

    pub(super) fn batch(&mut self) -> Parsed<Batch> {
        let start = self.expect_word("BEGIN")?;
        let kind = if self.accept_word("UNLOGGED").is_some() {
            BatchKind::Unlogged
        } else if self.accept_word("COUNTER").is_some() {
            BatchKind::Counter
        } else {
            BatchKind::Logged
        };
        self.expect_word("BATCH")?;
        let using = self.using()?;
        let mut statements = Vec::new();
        while !self.is_word("APPLY") {
            statements.push(self.modification()?);
            self.accept(TokenKind::Semicolon);
        }
        self.expect_words(&["APPLY", "BATCH"])?;
        Ok(Batch { span: self.since(start), kind, using, statements })
    }

    fn modification(&mut self) -> Parsed<Modification> {
        if self.is_word("INSERT") {
            self.insert().map(Modification::Insert)
        } else if self.is_word("UPDATE") {
            self.update().map(Modification::Update)
        } else if self.is_word("DELETE") {
            self.delete().map(Modification::Delete)
        } else {
            Err(self.unexpected("INSERT, UPDATE, DELETE or APPLY BATCH"))
        }
    }
}
