//! The constraints of a service model: required members, lengths, ranges, patterns.
//!
//! They are checked before anything else, and one ValidationException names the violated constraints. Its text is that
//! of other AWS services (for instance DynamoDB). Whether Keyspaces uses it is not known.

use std::fmt::Display;
use std::ops::RangeInclusive;

use super::error::ApiError;

/// The constraints that an input violates.
#[derive(Debug, Default)]
pub(crate) struct Constraints(Vec<String>);

/// A member of the input, by its path in the model: `schemaDefinition.allColumns.1.member.name`.
#[derive(Debug)]
pub(crate) struct Member<'a, T: ?Sized> {
    violations: &'a mut Vec<String>,
    path: &'a str,
    value: Option<&'a T>,
}

impl Constraints {
    /// A member to check. All checks except [`required`](Member::required) pass if it is absent.
    pub(crate) fn member<'a, T: ?Sized>(&'a mut self, path: &'a str, value: Option<&'a T>) -> Member<'a, T> {
        Member { violations: &mut self.0, path, value }
    }

    /// # Errors
    ///
    /// A ValidationException, if any of the checks failed.
    pub(crate) fn check(self) -> Result<(), ApiError> {
        /// The maximum number of constraints in a message: each element of a list may violate several.
        const MAX_NAMED: usize = 20;
        let Self(violations) = self;
        let named = &violations[..violations.len().min(MAX_NAMED)];
        match violations.len() {
            0 => Ok(()),
            1 => Err(ApiError::validation(format!("1 validation error detected: {}", violations[0]))),
            number => Err(ApiError::validation(format!("{number} validation errors detected: {}", named.join("; ")))),
        }
    }
}

impl<T: ?Sized> Member<'_, T> {
    pub(crate) fn required(self) -> Self {
        if self.value.is_none() {
            let path = self.path;
            self.violations
                .push(format!("Value null at '{path}' failed to satisfy constraint: Member must not be null"));
        }
        self
    }

    fn refuse(&mut self, value: impl Display, constraint: impl Display) {
        /// The maximum number of characters of a value in a message: it may be as long as the body.
        const MAX_CHARACTERS: usize = 256;
        let value: String = value.to_string().chars().take(MAX_CHARACTERS).collect();
        let path = self.path;
        self.violations.push(format!("Value '{value}' at '{path}' failed to satisfy constraint: {constraint}"));
    }
}

impl Member<'_, str> {
    /// Checks the number of characters.
    pub(crate) fn length(mut self, length: RangeInclusive<usize>) -> Self {
        let Some(value) = self.value else { return self };
        match value.chars().count() {
            count if count < *length.start() => self.refuse(value, at_least("length", length.start())),
            count if count > *length.end() => self.refuse(value, at_most("length", length.end())),
            _ => {}
        }
        self
    }

    /// Checks that a text has the pattern. `pattern` is the pattern as the model writes it.
    pub(crate) fn pattern(mut self, pattern: &str, matches: impl FnOnce(&str) -> bool) -> Self {
        if let Some(value) = self.value.filter(|value| !matches(value)) {
            self.refuse(value, format!("Member must satisfy regular expression pattern: {pattern}"));
        }
        self
    }

    pub(crate) fn one_of(mut self, values: &[&str]) -> Self {
        if let Some(value) = self.value.filter(|value| !values.contains(value)) {
            self.refuse(value, format!("Member must satisfy enum value set: [{}]", values.join(", ")));
        }
        self
    }
}

impl<T: Copy + Display + PartialOrd> Member<'_, T> {
    pub(crate) fn range(mut self, range: RangeInclusive<T>) -> Self {
        let Some(value) = self.value.copied() else { return self };
        if value < *range.start() {
            self.refuse(value, at_least("value", range.start()));
        } else if value > *range.end() {
            self.refuse(value, at_most("value", range.end()));
        }
        self
    }
}

impl<T> Member<'_, [T]> {
    /// Checks the number of elements. The message does not repeat the elements.
    pub(crate) fn count(mut self, count: RangeInclusive<usize>) -> Self {
        let Some(value) = self.value else { return self };
        if value.len() < *count.start() {
            self.refuse("[]", at_least("length", count.start()));
        } else if value.len() > *count.end() {
            let size = format!("[{} elements]", value.len());
            self.refuse(size, at_most("length", count.end()));
        }
        self
    }
}

fn at_least(property: &str, least: impl Display) -> String {
    format!("Member must have {property} greater than or equal to {least}")
}

fn at_most(property: &str, most: impl Display) -> String {
    format!("Member must have {property} less than or equal to {most}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_names_every_broken_constraint() {
        let mut constraints = Constraints::default();
        constraints.member::<str>("keyspaceName", None).required().length(1..=48);
        constraints.member("tableName", Some("two words")).required().length(1..=48).pattern("[a-z]+", |_| false);
        constraints.member("typeName", Some("")).length(1..=48);
        constraints.member("nextToken", Some("abc")).length(1..=2).one_of(&["a", "b"]);
        constraints.member("maxResults", Some(&1001)).range(1..=1000);
        constraints.member("allColumns", Some(&[0_u8; 0][..])).count(1..=2);
        constraints.member("tags", Some(&[0_u8; 3][..])).count(1..=2);
        assert_eq!(
            constraints.check().unwrap_err().to_string(),
            "ValidationException: 8 validation errors detected: \
             Value null at 'keyspaceName' failed to satisfy constraint: Member must not be null; \
             Value 'two words' at 'tableName' failed to satisfy constraint: Member must satisfy regular expression pattern: \
             [a-z]+; \
             Value '' at 'typeName' failed to satisfy constraint: Member must have length greater than or equal to 1; \
             Value 'abc' at 'nextToken' failed to satisfy constraint: Member must have length less than or equal to 2; \
             Value 'abc' at 'nextToken' failed to satisfy constraint: Member must satisfy enum value set: [a, b]; \
             Value '1001' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 1000; \
             Value '[]' at 'allColumns' failed to satisfy constraint: Member must have length greater than or equal to 1; \
             Value '[3 elements]' at 'tags' failed to satisfy constraint: Member must have length less than or equal to 2"
        );
    }

    #[test]
    fn valid_input_passes() {
        let mut constraints = Constraints::default();
        constraints.member("keyspaceName", Some("shop")).required().length(1..=48).one_of(&["shop"]);
        constraints.member::<i32>("maxResults", None).range(1..=1000);
        assert_eq!(constraints.check(), Ok(()));
    }

    #[test]
    fn a_message_names_the_first_of_many_broken_constraints() {
        let mut constraints = Constraints::default();
        for number in 1..=1000 {
            constraints.member::<str>(&format!("tags.{number}.member.key"), None).required();
        }
        let message = constraints.check().unwrap_err().message;
        assert!(
            message.starts_with("1000 validation errors detected: Value null at 'tags.1.member.key' "),
            "{message}"
        );
        assert!(message.contains("'tags.20.member.key'") && !message.contains("'tags.21.member.key'"), "{message}");
    }

    #[test]
    fn long_value_is_truncated_in_the_validation_error() {
        let long = "x".repeat(100_000);
        let mut constraints = Constraints::default();
        constraints.member("keyspaceName", Some(long.as_str())).length(1..=48);
        assert!(constraints.check().unwrap_err().message.len() < 500);
    }
}
