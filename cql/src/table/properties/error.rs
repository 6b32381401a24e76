//! The errors of options.

use std::error::Error;
use std::fmt;

use crate::{Rule, Span};

/// An option, or a value of an option, that Keyspaces refuses or is not known to accept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PropertyError {
    /// The faulty part of the text; empty if there is no text.
    pub span: Span,
    /// The problem.
    pub problem: PropertyProblem,
}

/// The problem of a [`PropertyError`].
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum PropertyProblem {
    /// This rule refuses the option.
    Refused(&'static Rule),
    /// It is not known whether Keyspaces has this option; the words fit after "it is not known whether Amazon Keyspaces
    /// has".
    Unknown(String),
}

impl PropertyError {
    pub(crate) fn refused(span: Span, rule: &'static Rule) -> Self {
        Self { span, problem: PropertyProblem::Refused(rule) }
    }

    pub(crate) fn unknown(span: Span, feature: String) -> Self {
        Self { span, problem: PropertyProblem::Unknown(feature) }
    }
}

impl fmt::Display for PropertyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.problem {
            PropertyProblem::Refused(rule) => rule.fmt(f),
            PropertyProblem::Unknown(feature) => write!(f, "it is not known whether Amazon Keyspaces has {feature}"),
        }
    }
}

impl Error for PropertyError {}
