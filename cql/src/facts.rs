//! What can be read off a statement.

use crate::statement::{
    BindMarker, Comparand, Condition, CqlType, CqlTypeKind, Modification, Operator, Relation, Subject, Target, Term,
    TermKind, Using,
};
use crate::tree::{Part, Tree};
use crate::{Name, QualifiedName, Span, Statement};

/// A function that a statement calls.
#[derive(Clone, Copy, Debug)]
pub struct Function<'t> {
    /// The keyspace before its name; only user-defined functions need one.
    pub keyspace: Option<&'t Name>,
    /// Its name: in lower case unless it was quoted. `token` of a relation and `cast` are functions too.
    pub name: &'t str,
    /// From its name to the closing parenthesis.
    pub span: Span,
}

/// One IN of a WHERE or an IF.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InWidth {
    /// How many values it lists; `None` for `IN ?`, where only the bound value tells.
    pub width: Option<usize>,
    /// The relation.
    pub span: Span,
}

impl Statement {
    /// The functions that it calls, in the order of the text, one that is called twice twice.
    #[must_use]
    pub fn functions(&self) -> Vec<Function<'_>> {
        let mut functions = Vec::new();
        self.walk(&mut |part| match part {
            Part::Term(Term { kind: TermKind::Call(call), span }) => functions.push(Function {
                keyspace: call.function.keyspace.as_ref(),
                name: &call.function.name.text,
                span: *span,
            }),
            Part::Term(Term { kind: TermKind::Cast(_), span }) => {
                functions.push(Function { keyspace: None, name: "cast", span: *span });
            }
            Part::Relation(Relation { subject: Subject::Token(_), span, .. }) => {
                functions.push(Function { keyspace: None, name: "token", span: *span });
            }
            _ => {}
        });
        functions
    }

    /// The names of the user-defined types in it, in the order of the text: of columns, fields, type hints and casts.
    #[must_use]
    pub fn user_types(&self) -> Vec<&QualifiedName> {
        let mut types = Vec::new();
        self.walk(&mut |part| {
            if let Part::Type(CqlType { kind: CqlTypeKind::UserDefined(name), .. }) = part {
                types.push(name);
            }
        });
        types
    }

    /// Its bind markers, in the order in which values are bound to them.
    #[must_use]
    pub fn bind_markers(&self) -> Vec<&BindMarker> {
        let mut markers = Vec::new();
        self.walk(&mut |part| {
            if let Part::Term(Term { kind: TermKind::Marker(marker), .. }) = part {
                markers.push(marker);
            }
        });
        markers
    }

    /// `USING …` of the statement itself; a batch's statements have their own.
    #[must_use]
    pub fn using(&self) -> Option<&Using> {
        match self {
            Self::Insert(insert) => insert.using.as_ref(),
            Self::Update(update) => update.using.as_ref(),
            Self::Delete(delete) => delete.using.as_ref(),
            Self::Batch(batch) => batch.using.as_ref(),
            _ => None,
        }
    }

    /// Each `USING …` in it, those of a batch's statements included.
    #[must_use]
    pub fn usings(&self) -> Vec<&Using> {
        self.using().into_iter().chain(self.modifications().iter().filter_map(Modification::using)).collect()
    }

    /// What has to hold after each `IF` in it, in the statements of a batch as well.
    #[must_use]
    pub fn conditions(&self) -> Vec<&Relation> {
        let own = match self {
            Self::Update(update) => update.condition.as_ref(),
            Self::Delete(delete) => delete.condition.as_ref(),
            _ => None,
        };
        let of_batch = self.modifications().iter().filter_map(|modification| match modification {
            Modification::Insert(_) => None,
            Modification::Update(update) => update.condition.as_ref(),
            Modification::Delete(delete) => delete.condition.as_ref(),
        });
        let all = own.into_iter().chain(of_batch).map(|condition| match condition {
            Condition::Exists(_) => &[][..],
            Condition::Holds(relations) => relations,
        });
        all.flatten().collect()
    }

    /// The statements of a batch.
    fn modifications(&self) -> &[Modification] {
        if let Self::Batch(batch) = self { &batch.statements } else { &[] }
    }

    /// Each IN with the number of its values. A SELECT's widths multiplied is the number of subqueries that Keyspaces makes
    /// of it (`DG:in.select`).
    #[must_use]
    pub fn in_widths(&self) -> Vec<InWidth> {
        let mut widths = Vec::new();
        self.walk(&mut |part| {
            if let Part::Relation(Relation { operator: Operator::In, comparand, span, .. }) = part {
                let width = if let Comparand::Values(values) = comparand { Some(values.len()) } else { None };
                widths.push(InWidth { width, span: *span });
            }
        });
        widths
    }

    /// The number after the LIMIT of a SELECT: an integer or a bind marker.
    #[must_use]
    pub fn limit(&self) -> Option<&Term> {
        match self {
            Self::Select(select) => select.limit.as_ref().map(|limit| &limit.rows),
            _ => None,
        }
    }
}

impl Relation {
    /// The columns that it is about, in the order of the text.
    pub fn columns(&self) -> impl Iterator<Item = &Name> {
        let (one, several): (_, &[Name]) = match &self.subject {
            Subject::Single(target) => (Some(target.column()), &[]),
            Subject::Tuple(columns) | Subject::Token(columns) => (None, columns),
        };
        one.into_iter().chain(several)
    }

    /// The column that it compares with one value for equality, and that value.
    #[must_use]
    pub fn equality(&self) -> Option<(&Name, &Term)> {
        match (&self.subject, self.operator, &self.comparand) {
            (Subject::Single(Target::Column(column)), Operator::Equal, Comparand::Term(term)) => Some((column, term)),
            _ => None,
        }
    }
}
