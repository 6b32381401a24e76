//! Spans and positions in a text.

use std::fmt;
use std::ops::Range;

/// A part of a text, as byte offsets.
///
/// Both offsets are at character boundaries, so `&text[span.range()]` does not panic for the text that was parsed.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Span {
    /// The offset of the first byte.
    pub start: usize,
    /// The offset after the last byte.
    pub end: usize,
}

impl Span {
    /// The span from `start` up to, but not including, `end`.
    #[must_use]
    pub fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// The range for slicing the text.
    #[must_use]
    pub fn range(self) -> Range<usize> {
        self.start..self.end
    }

    /// The smallest span that contains both.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// Line and column of the start of the span in `text`. Takes time linear in the offset of the span.
    #[must_use]
    pub fn position(self, text: &str) -> Position {
        Position::default().after(text.get(..self.start).unwrap_or(text))
    }
}

/// A place in a text, as editors show it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Position {
    /// The line, counted from 1.
    pub line: usize,
    /// The column, counted from 1, in characters.
    pub column: usize,
}

impl Default for Position {
    /// The beginning of a text.
    fn default() -> Self {
        Self { line: 1, column: 1 }
    }
}

impl Position {
    /// The position after `passed`, a text that begins at this position.
    pub(crate) fn after(self, passed: &str) -> Self {
        let last = passed.rsplit('\n').next().unwrap_or_default().chars().count();
        match passed.matches('\n').count() {
            0 => Self { line: self.line, column: self.column + last },
            lines => Self { line: self.line + lines, column: last + 1 },
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_counts_lines_and_characters_from_one() {
        let text = "SELECT 'ä'\n  FROM t";
        assert_eq!(Span::new(0, 6).position(text), Position { line: 1, column: 1 });
        assert_eq!(Span::new(11, 12).position(text), Position { line: 1, column: 11 });
        assert_eq!(Span::new(14, 18).position(text), Position { line: 2, column: 3 });
        assert_eq!(Span::new(99, 100).position(text), Position { line: 2, column: 9 });
    }
}
