//! Parses metric math.

use std::iter::Peekable;
use std::str::Chars;

use super::{Expression, Function};

/// The maximum nesting depth of brackets and signs.
const MAX_DEPTH: usize = 32;

/// Parses a whole text as one expression.
pub(super) fn parse(text: &str) -> Result<Expression, String> {
    let mut parser = Parser { characters: text.chars().peekable(), depth: 0 };
    let expression = parser.sum()?;
    match parser.next_character() {
        None => Ok(expression),
        Some(character) => Err(format!("{character:?} is not expected")),
    }
}

struct Parser<'a> {
    characters: Peekable<Chars<'a>>,
    depth: usize,
}

impl Parser<'_> {
    fn sum(&mut self) -> Result<Expression, String> {
        let mut left = self.product()?;
        while let Some(sign) = self.next_if_in("+-") {
            left = Expression::Infix(Box::new(left), sign, Box::new(self.product()?));
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<Expression, String> {
        let mut left = self.power()?;
        while let Some(sign) = self.next_if_in("*/") {
            left = Expression::Infix(Box::new(left), sign, Box::new(self.power()?));
        }
        Ok(left)
    }

    fn power(&mut self) -> Result<Expression, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(format!("it is nested deeper than {MAX_DEPTH} levels"));
        }
        let base = if self.next_if_in("-").is_some() {
            Expression::Negative(Box::new(self.power()?))
        } else {
            self.operand()?
        };
        let power = match self.next_if_in("^") {
            Some(sign) => Expression::Infix(Box::new(base), sign, Box::new(self.power()?)),
            None => base,
        };
        self.depth -= 1;
        Ok(power)
    }

    fn operand(&mut self) -> Result<Expression, String> {
        match self.next_character() {
            Some('(') => {
                let inner = self.sum()?;
                self.close(')')?;
                Ok(inner)
            }
            Some('[') => Ok(Expression::List(self.list(']')?)),
            Some(digit) if digit.is_ascii_digit() || digit == '.' => {
                let text = self.word(digit, |c| c.is_ascii_digit() || c == '.');
                text.parse().map(Expression::Number).map_err(|_| format!("{text} is not a number"))
            }
            Some(letter) if letter.is_ascii_alphabetic() => {
                let word = self.word(letter, |c| c.is_ascii_alphanumeric() || c == '_');
                self.id_or_call(word)
            }
            Some(sign) => Err(format!("{sign:?} is not expected")),
            None => Err("it ends where a metric or a number is expected".to_owned()),
        }
    }

    /// Parses an id, which begins in lower case, or a function, which is in capitals.
    fn id_or_call(&mut self, word: String) -> Result<Expression, String> {
        if word.starts_with(|first: char| first.is_ascii_lowercase()) {
            return Ok(Expression::Id(word));
        }
        if word == "REPEAT" {
            return Ok(Expression::Repeat);
        }
        let function = Function::from_name(&word).ok_or_else(|| {
            let word: String = word.chars().take(40).collect();
            format!("{word} is not an emulated function: AVG, FILL, MAX, METRICS, MIN, PERIOD and SUM are")
        })?;
        if self.next_if_in("(").is_none() {
            return Err(format!("{function} is followed by its arguments in brackets"));
        }
        Ok(Expression::Call(function, self.list(')')?))
    }

    fn list(&mut self, end: char) -> Result<Vec<Expression>, String> {
        let mut list = Vec::new();
        if self.peek() == Some(end) {
            self.characters.next();
            return Ok(list);
        }
        loop {
            list.push(self.sum()?);
            if self.next_if_in(",").is_none() {
                self.close(end)?;
                return Ok(list);
            }
        }
    }

    fn close(&mut self, end: char) -> Result<(), String> {
        match self.next_character() {
            Some(sign) if sign == end => Ok(()),
            _ => Err(format!("a {end:?} is missing")),
        }
    }

    fn word(&mut self, first: char, is_part: impl Fn(char) -> bool) -> String {
        let mut word = String::from(first);
        while let Some(part) = self.characters.next_if(|c| is_part(*c)) {
            word.push(part);
        }
        word
    }

    fn peek(&mut self) -> Option<char> {
        while self.characters.next_if(|c| c.is_ascii_whitespace()).is_some() {}
        self.characters.peek().copied()
    }

    fn next_character(&mut self) -> Option<char> {
        self.peek()?;
        self.characters.next()
    }

    fn next_if_in(&mut self, signs: &str) -> Option<char> {
        self.peek().filter(|sign| signs.contains(*sign))?;
        self.characters.next()
    }
}
