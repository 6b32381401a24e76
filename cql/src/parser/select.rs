//! SELECT.

use super::term::Place;
use super::{Parsed, Parser};
use crate::lexer::TokenKind;
use crate::statement::{Limit, Order, Ordering, Select, Selection, Selector};

impl Parser<'_> {
    pub(super) fn select(&mut self) -> Parsed<Select> {
        let start = self.expect_word("SELECT")?;
        let json = if self.begins_selection("JSON") { self.accept_word("JSON") } else { None };
        let distinct = if self.begins_selection("DISTINCT") { self.accept_word("DISTINCT") } else { None };
        let selection = if self.kind() == TokenKind::Star {
            Selection::All(self.advance())
        } else {
            Selection::Selectors(self.list_of(Self::selector)?)
        };
        self.expect_word("FROM")?;
        let table = self.qualified_name("a table")?;
        let relations = if self.accept_word("WHERE").is_some() { self.relations()? } else { Vec::new() };
        let group_by = if self.accept_words(&["GROUP", "BY"]).is_some() {
            self.list_of(|parser| parser.term(Place::Selector))?
        } else {
            Vec::new()
        };
        let order_by =
            if self.accept_words(&["ORDER", "BY"]).is_some() { self.list_of(Self::ordering)? } else { Vec::new() };
        let per_partition_limit = self.limit(&["PER", "PARTITION", "LIMIT"])?;
        let limit = self.limit(&["LIMIT"])?;
        let allow_filtering = self.accept_words(&["ALLOW", "FILTERING"]);
        let span = self.since(start);
        Ok(Select {
            span,
            json,
            distinct,
            selection,
            table,
            relations,
            group_by,
            order_by,
            per_partition_limit,
            limit,
            allow_filtering,
        })
    }

    /// Whether `word` stands here as a keyword and not as a column of that name.
    fn begins_selection(&self, word: &str) -> bool {
        let follows = match self.kind_at(1) {
            TokenKind::Word => !self.is_word_at(1, "FROM") && !self.is_word_at(1, "AS"),
            TokenKind::QuotedName | TokenKind::Star | TokenKind::OpenBrace => true,
            TokenKind::String
            | TokenKind::DollarString
            | TokenKind::Integer
            | TokenKind::Float
            | TokenKind::Uuid
            | TokenKind::Blob
            | TokenKind::Duration
            | TokenKind::Question
            | TokenKind::Colon => true,
            _ => false,
        };
        self.is_word(word) && follows
    }

    fn selector(&mut self) -> Parsed<Selector> {
        let term = self.term(Place::Selector)?;
        let alias = if self.accept_word("AS").is_some() { Some(self.name("an alias")?) } else { None };
        Ok(Selector { term, alias })
    }

    fn ordering(&mut self) -> Parsed<Ordering> {
        let start = self.span();
        let target = self.target("a column")?;
        let order = self.order();
        Ok(Ordering { target, order, span: self.since(start) })
    }

    pub(super) fn order(&mut self) -> Order {
        if self.accept_word("DESC").is_some() {
            return Order::Descending;
        }
        self.accept_word("ASC");
        Order::Ascending
    }

    fn limit(&mut self, words: &[&str]) -> Parsed<Option<Limit>> {
        let Some(start) = self.accept_words(words) else { return Ok(None) };
        let rows = self.integer()?;
        Ok(Some(Limit { rows, span: self.since(start) }))
    }
}
