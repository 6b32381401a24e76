//! Splits text into tokens. Lexing never fails: invalid text becomes a token of an error kind, at which the parser fails.

use crate::saturated::saturated;
use crate::{MAX_TOKENS, Span};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum TokenKind {
    /// A keyword or a name without quotes.
    Word,
    QuotedName,
    String,
    DollarString,
    Integer,
    Float,
    Uuid,
    Blob,
    Duration,
    Question,
    Colon,
    Semicolon,
    Comma,
    Dot,
    OpenParenthesis,
    CloseParenthesis,
    OpenBracket,
    CloseBracket,
    OpenBrace,
    CloseBrace,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Plus,
    PlusEqual,
    Minus,
    MinusEqual,
    Star,
    Slash,
    Percent,
    End,
    EmptyName,
    Stray,
    UnterminatedString,
    UnterminatedName,
    UnterminatedComment,
    /// The rest of the text after [`MAX_TOKENS`] tokens.
    TooMany,
}

/// A token has only 12 bytes, because a text can have as many tokens as bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    start: u32,
    end: u32,
}

impl Token {
    pub(crate) fn span(self) -> Span {
        Span::new(self.start as usize, self.end as usize)
    }
}

/// All tokens of `text`. The last is [`TokenKind::End`]. `text` is at most [`crate::MAX_TEXT_BYTES`] long.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let mut lexer = Lexer { bytes: text.as_bytes(), text, at: 0 };
    let mut tokens = Vec::new();
    loop {
        let unterminated_comment = lexer.skip_blanks();
        let start = lexer.at;
        let kind = if unterminated_comment {
            lexer.at = text.len();
            TokenKind::UnterminatedComment
        } else if tokens.len() == MAX_TOKENS && start < text.len() {
            lexer.at = text.len();
            TokenKind::TooMany
        } else {
            lexer.token()
        };
        let at = |place: usize| saturated::<u32>(place);
        tokens.push(Token { kind, start: at(start), end: at(lexer.at) });
        if kind == TokenKind::End {
            return tokens;
        }
    }
}

struct Lexer<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    /// Skips white space and comments. Returns `true` at an unterminated comment, which is not skipped.
    fn skip_blanks(&mut self) -> bool {
        loop {
            match (self.peek(0), self.peek(1)) {
                (b' ' | b'\t' | b'\n' | b'\r', _) => self.at += 1,
                (b'-', b'-') | (b'/', b'/') => {
                    let rest = &self.bytes[self.at..];
                    self.at += rest.iter().position(|b| matches!(b, b'\n' | b'\r')).unwrap_or(rest.len());
                }
                (b'/', b'*') => match self.text[self.at + 2..].find("*/") {
                    Some(length) => self.at += 2 + length + 2,
                    None => return true,
                },
                _ => return false,
            }
        }
    }

    fn token(&mut self) -> TokenKind {
        let first = self.peek(0);
        match first {
            b'0'..=b'9' => self.number(),
            b'a'..=b'z' | b'A'..=b'Z' => self.word(),
            b'\'' => self.delimited(b'\'', TokenKind::String, TokenKind::UnterminatedString),
            b'"' if self.peek(1) == b'"' && self.peek(2) != b'"' => self.take(2, TokenKind::EmptyName),
            b'"' => self.delimited(b'"', TokenKind::QuotedName, TokenKind::UnterminatedName),
            b'$' if self.peek(1) == b'$' => self.dollar_string(),
            _ => self.sign(first),
        }
    }

    fn take(&mut self, bytes: usize, kind: TokenKind) -> TokenKind {
        self.at += bytes;
        kind
    }

    fn sign(&mut self, first: u8) -> TokenKind {
        let followed_by_equal = self.peek(1) == b'=';
        match first {
            b'?' => self.take(1, TokenKind::Question),
            b':' => self.take(1, TokenKind::Colon),
            b';' => self.take(1, TokenKind::Semicolon),
            b',' => self.take(1, TokenKind::Comma),
            b'.' => self.take(1, TokenKind::Dot),
            b'(' => self.take(1, TokenKind::OpenParenthesis),
            b')' => self.take(1, TokenKind::CloseParenthesis),
            b'[' => self.take(1, TokenKind::OpenBracket),
            b']' => self.take(1, TokenKind::CloseBracket),
            b'{' => self.take(1, TokenKind::OpenBrace),
            b'}' => self.take(1, TokenKind::CloseBrace),
            b'=' => self.take(1, TokenKind::Equal),
            b'!' if followed_by_equal => self.take(2, TokenKind::NotEqual),
            b'<' if followed_by_equal => self.take(2, TokenKind::LessOrEqual),
            b'<' => self.take(1, TokenKind::Less),
            b'>' if followed_by_equal => self.take(2, TokenKind::GreaterOrEqual),
            b'>' => self.take(1, TokenKind::Greater),
            b'+' if followed_by_equal => self.take(2, TokenKind::PlusEqual),
            b'+' => self.take(1, TokenKind::Plus),
            b'-' if followed_by_equal => self.take(2, TokenKind::MinusEqual),
            b'-' => self.take(1, TokenKind::Minus),
            b'*' => self.take(1, TokenKind::Star),
            b'/' => self.take(1, TokenKind::Slash),
            b'%' => self.take(1, TokenKind::Percent),
            _ => match self.text[self.at..].chars().next() {
                Some(character) => self.take(character.len_utf8(), TokenKind::Stray),
                None => TokenKind::End,
            },
        }
    }

    /// A string or a quoted name; a doubled delimiter stands for itself.
    fn delimited(&mut self, delimiter: u8, kind: TokenKind, unterminated: TokenKind) -> TokenKind {
        let mut at = self.at + 1;
        loop {
            match self.bytes.get(at) {
                None => {
                    self.at = self.bytes.len();
                    return unterminated;
                }
                Some(byte) if *byte != delimiter => at += 1,
                Some(_) if self.bytes.get(at + 1) == Some(&delimiter) => at += 2,
                Some(_) => {
                    self.at = at + 1;
                    return kind;
                }
            }
        }
    }

    fn dollar_string(&mut self) -> TokenKind {
        if let Some(length) = self.text[self.at + 2..].find("$$") {
            self.take(2 + length + 2, TokenKind::DollarString)
        } else {
            self.at = self.bytes.len();
            TokenKind::UnterminatedString
        }
    }

    fn number(&mut self) -> TokenKind {
        if self.uuid() {
            return self.take(36, TokenKind::Uuid);
        }
        if self.peek(0) == b'0' && matches!(self.peek(1), b'x' | b'X') {
            let digits = self.count(2, |byte| byte.is_ascii_hexdigit());
            return self.take(2 + digits, TokenKind::Blob);
        }
        if let Some(length) = self.duration_with_units() {
            return self.take(length, TokenKind::Duration);
        }
        let mut length = self.count(0, |byte| byte.is_ascii_digit());
        let mut kind = TokenKind::Integer;
        if self.peek(length) == b'.' && self.peek(length + 1) != b'.' {
            kind = TokenKind::Float;
            length += 1 + self.count(length + 1, |byte| byte.is_ascii_digit());
        }
        if matches!(self.peek(length), b'e' | b'E') {
            let sign = usize::from(matches!(self.peek(length + 1), b'+' | b'-'));
            let digits = self.count(length + 1 + sign, |byte| byte.is_ascii_digit());
            if digits > 0 {
                kind = TokenKind::Float;
                length += 1 + sign + digits;
            }
        }
        self.take(length, kind)
    }

    fn word(&mut self) -> TokenKind {
        if self.uuid() {
            return self.take(36, TokenKind::Uuid);
        }
        let length = self.count(0, |byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if let Some(duration) = self.iso_duration(length) {
            return self.take(duration, TokenKind::Duration);
        }
        self.take(length, TokenKind::Word)
    }

    fn count(&self, from: usize, is: impl Fn(u8) -> bool) -> usize {
        let rest = self.bytes.get(self.at + from..).unwrap_or_default();
        rest.iter().position(|byte| !is(*byte)).unwrap_or(rest.len())
    }

    fn uuid(&self) -> bool {
        self.bytes.get(self.at..self.at + 36).is_some_and(|bytes| {
            bytes.iter().enumerate().all(|(place, byte)| match place {
                8 | 13 | 18 | 23 => *byte == b'-',
                _ => byte.is_ascii_hexdigit(),
            })
        })
    }

    /// The length of a duration in CQL's units, such as `12h30m`.
    fn duration_with_units(&self) -> Option<usize> {
        let mut length = 0;
        loop {
            let digits = self.count(length, |byte| byte.is_ascii_digit());
            if digits == 0 {
                break;
            }
            let unit = |ahead: usize| self.peek(length + digits + ahead).to_ascii_lowercase();
            length += digits
                + match (unit(0), unit(1), unit(2)) {
                    (0xc2, 0xb5, b's') => 3,
                    (b'm', b'o' | b's', _) | (b'u' | b'n', b's', _) => 2,
                    (b'y' | b'w' | b'd' | b'h' | b'm' | b's', _, _) => 1,
                    _ => return None,
                };
        }
        let goes_on = self.peek(length).is_ascii_alphanumeric() || self.peek(length) == b'_';
        (length > 0 && !goes_on).then_some(length)
    }

    /// The length of a duration such as `P1Y2M`, `P3W`, `PT5H` or `P0001-02-03T04:05:06`; `None` if the current word, which
    /// has `word` bytes, does not begin one.
    fn iso_duration(&self, word: usize) -> Option<usize> {
        if self.peek(0) != b'P' {
            return None;
        }
        let long = self.bytes.get(self.at..self.at + 20).is_some_and(|bytes| {
            bytes.iter().zip(b"P0000-00-00T00:00:00").all(|(byte, form)| match form {
                b'0' => byte.is_ascii_digit(),
                _ => byte == form,
            })
        });
        if long {
            return Some(20);
        }
        let mut designators = b"YMWD".as_slice();
        let mut at = 1;
        let mut parts = 0;
        while at < word {
            if self.peek(at) == b'T' && designators != b"HMS" {
                designators = b"HMS";
                at += 1;
            }
            let digits = self.count(at, |byte| byte.is_ascii_digit());
            let place = designators.iter().position(|designator| *designator == self.peek(at + digits))?;
            if digits == 0 {
                return None;
            }
            designators = if designators.ends_with(b"S") && place + 1 == designators.len() {
                b"".as_slice()
            } else {
                &designators[place + 1..]
            };
            at += digits + 1;
            parts += 1;
        }
        (parts > 0 && at == word).then_some(word)
    }
}
