//! Relations of WHERE and conditions of IF.

use super::{Parsed, Parser};
use crate::lexer::TokenKind;
use crate::statement::{Comparand, Operator, Relation, Subject, Target};

impl Parser<'_> {
    /// `relation AND relation …`
    pub(super) fn relations(&mut self) -> Parsed<Vec<Relation>> {
        let mut relations = vec![self.relation()?];
        while self.accept_word("AND").is_some() {
            relations.push(self.relation()?);
        }
        Ok(relations)
    }

    fn relation(&mut self) -> Parsed<Relation> {
        if self.kind() == TokenKind::OpenParenthesis && !self.is_tuple_of_names() {
            return self.deeper(|parser| {
                parser.advance();
                let relation = parser.relation()?;
                parser.expect(TokenKind::CloseParenthesis, "')'")?;
                Ok(relation)
            });
        }
        let start = self.span();
        let subject = self.subject()?;
        let operator_start = self.span();
        let operator = self.operator()?;
        let operator_span = self.since(operator_start);
        let comparand = self.comparand(operator)?;
        Ok(Relation { subject, operator, operator_span, comparand, span: self.since(start) })
    }

    fn is_tuple_of_names(&self) -> bool {
        self.is_name_at(1) && matches!(self.kind_at(2), TokenKind::Comma | TokenKind::CloseParenthesis)
    }

    fn subject(&mut self) -> Parsed<Subject> {
        if self.kind() == TokenKind::OpenParenthesis {
            return self.parenthesised(|parser| parser.name("a column")).map(Subject::Tuple);
        }
        if self.is_word("TOKEN") && self.kind_at(1) == TokenKind::OpenParenthesis {
            self.advance();
            return self.parenthesised(|parser| parser.name("a column")).map(Subject::Token);
        }
        self.target("a column").map(Subject::Single)
    }

    /// A column, an element or a field of one.
    pub(super) fn target(&mut self, what: &str) -> Parsed<Target> {
        let column = self.name(what)?;
        if self.accept(TokenKind::OpenBracket).is_some() {
            let key = self.value()?;
            self.expect(TokenKind::CloseBracket, "']'")?;
            return Ok(Target::Element { column, key });
        }
        if self.accept(TokenKind::Dot).is_some() {
            return Ok(Target::Field { column, field: self.name("the name of a field")? });
        }
        Ok(Target::Column(column))
    }

    fn operator(&mut self) -> Parsed<Operator> {
        let sign = match self.kind() {
            TokenKind::Equal => Some(Operator::Equal),
            TokenKind::NotEqual => Some(Operator::NotEqual),
            TokenKind::Less => Some(Operator::Less),
            TokenKind::LessOrEqual => Some(Operator::LessOrEqual),
            TokenKind::Greater => Some(Operator::Greater),
            TokenKind::GreaterOrEqual => Some(Operator::GreaterOrEqual),
            _ => None,
        };
        if let Some(operator) = sign {
            self.advance();
            return Ok(operator);
        }
        for (words, operator) in WORDS {
            // `CONTAINS key.f()` calls a function of the keyspace `key`.
            let names_keyspace = words.ends_with(&["KEY"]) && self.kind_at(words.len()) == TokenKind::Dot;
            if !names_keyspace && self.accept_words(words).is_some() {
                return Ok(*operator);
            }
        }
        Err(self.unexpected("an operator"))
    }

    fn comparand(&mut self, operator: Operator) -> Parsed<Comparand> {
        match operator {
            Operator::In | Operator::NotIn => self.in_values(),
            Operator::Between => {
                let from = self.value()?;
                self.expect_word("AND")?;
                Ok(Comparand::Range(Box::new((from, self.value()?))))
            }
            Operator::IsNotNull => Ok(Comparand::Nothing),
            _ => self.value().map(Comparand::Term),
        }
    }

    fn in_values(&mut self) -> Parsed<Comparand> {
        if self.kind() != TokenKind::OpenParenthesis {
            return self.marker().map(Comparand::Term);
        }
        if self.kind_at(1) == TokenKind::CloseParenthesis {
            self.advance();
            self.advance();
            return Ok(Comparand::Values(Vec::new()));
        }
        self.parenthesised(Self::value).map(Comparand::Values)
    }
}

/// Longer before shorter.
const WORDS: &[(&[&str], Operator)] = &[
    (&["IN"], Operator::In),
    (&["NOT", "IN"], Operator::NotIn),
    (&["CONTAINS", "KEY"], Operator::ContainsKey),
    (&["CONTAINS"], Operator::Contains),
    (&["NOT", "CONTAINS", "KEY"], Operator::NotContainsKey),
    (&["NOT", "CONTAINS"], Operator::NotContains),
    (&["LIKE"], Operator::Like),
    (&["BETWEEN"], Operator::Between),
    (&["IS", "NOT", "NULL"], Operator::IsNotNull),
];
