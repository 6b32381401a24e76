//! Values, functions, types and relations.

use super::Judge;
use crate::allowed;
use crate::rules;
use crate::statement::{
    Access, Call, Comparand, ConstantKind, CqlType, CqlTypeKind, NativeType, Operator, Relation, Subject, Target, Term,
    TermKind,
};
use crate::tree::{Part, Tree};
use crate::{KnownColumn, Name};

impl Judge<'_> {
    /// Every value, function and type in it.
    pub(super) fn parts(&mut self, tree: &impl Tree) {
        tree.walk(&mut |part| match part {
            Part::Term(term) => self.term(term),
            Part::Type(cql_type) => self.cql_type(cql_type),
            Part::Relation(relation) => self.inequality(relation),
        });
    }

    fn term(&mut self, term: &Term) {
        match &term.kind {
            TermKind::Call(call) => self.call(call, term),
            TermKind::Arithmetic(_) | TermKind::Negative(_) => self.unknown(term.span, "arithmetic"),
            TermKind::Access(access) if matches!(**access, Access::Element { .. }) => {
                self.unknown(term.span, "an element of a column in a SELECT");
            }
            TermKind::Cast(_) if !self.in_selection => self.unknown(term.span, "CAST outside what a SELECT reads"),
            TermKind::Constant(constant) if constant.kind == ConstantKind::Duration => {
                self.unknown(term.span, "durations");
            }
            _ => {}
        }
    }

    fn call(&mut self, call: &Call, term: &Term) {
        let name = call.function.name.text.as_str();
        if let Some(keyspace) = &call.function.keyspace {
            if keyspace.text == "system" {
                self.unknown(term.span, format!("the function {}", call.function));
            } else {
                self.refuse(&rules::USER_DEFINED_FUNCTION, term.span);
            }
        } else if name == "count" && counts_rows(&call.arguments) {
            self.refuse(&rules::COUNT_ROWS, term.span);
        } else if AGGREGATES.contains(&name) {
            self.refuse(&rules::AGGREGATE, term.span);
        } else if allowed::function(&call.function).is_none() {
            self.unknown(term.span, format!("the function {name}"));
        } else if FROM_TIMES.contains(&name) && call.arguments.iter().any(|argument| self.is_bigint(argument)) {
            self.unknown(term.span, format!("the function {name} of a bigint"));
        }
    }

    /// Whether a value is known to be a `bigint`.
    fn is_bigint(&self, term: &Term) -> bool {
        match &term.kind {
            TermKind::Name(column) => self.known(column).is_some_and(|known| is_bigint(&known.column_type)),
            TermKind::Call(call) => GIVE_BIGINT.contains(&call.function.name.text.as_str()),
            TermKind::Cast(cast) => is_bigint(&cast.to),
            TermKind::TypeHint(hint) => is_bigint(&hint.hint),
            _ => false,
        }
    }

    fn cql_type(&mut self, cql_type: &CqlType) {
        match &cql_type.kind {
            CqlTypeKind::Native(native) if !allowed::native_type(*native) => {
                self.unknown(cql_type.span, format!("the type {}", native.name()));
            }
            CqlTypeKind::Vector(..) => self.unknown(cql_type.span, "the type vector"),
            CqlTypeKind::Custom(_) => self.unknown(cql_type.span, "types named by a Java class"),
            _ => {}
        }
    }

    /// `DG:functional-differences`: no inequality on a whole collection, user-defined type or tuple. The column tells which
    /// it is where it is known, else the value as far as it is a literal.
    fn inequality(&mut self, relation: &Relation) {
        let Subject::Single(Target::Column(column)) = &relation.subject else { return };
        let inequality = relation.operator.is_range() || relation.operator == Operator::NotEqual;
        let has_parts = match (self.known(column), &relation.comparand) {
            (Some(known), _) => known.has_parts(),
            (None, Comparand::Term(Term { kind, .. })) => {
                use TermKind::{List, Map, Set, Tuple, UserType};
                matches!(kind, List(_) | Set(_) | Map(_) | UserType(_) | Tuple(_))
            }
            (None, _) => false,
        };
        if inequality && has_parts {
            self.refuse(&rules::COLLECTION_INEQUALITY, relation.span);
        }
    }

    /// What is known of a column of the statement's table.
    pub(super) fn known(&self, column: &Name) -> Option<&KnownColumn> {
        self.table?.column(&column.text)
    }

    /// The relations of a WHERE, as far as they are the same for all statements.
    pub(super) fn where_clause(&mut self, relations: &[Relation]) {
        for relation in relations {
            match &relation.subject {
                Subject::Single(Target::Column(_)) => {}
                Subject::Single(_) => self.unknown(relation.span, "a field or an element of a column in a WHERE"),
                Subject::Tuple(_) => self.unknown(relation.span, "a relation of several columns"),
                Subject::Token(_) => {}
            }
            if !allowed::operator(relation.operator) {
                self.unknown(relation.operator_span, format!("the operator {}", relation.operator));
            }
        }
    }
}

/// `count(1)` is another way to write `count(*)`.
fn counts_rows(arguments: &[Term]) -> bool {
    match arguments {
        [Term { kind: TermKind::Star, .. }] => true,
        [Term { kind: TermKind::Constant(constant), .. }] => constant.kind == ConstantKind::Integer,
        _ => false,
    }
}

/// Functions of dates and times; those of the same names for a `bigint` came with Cassandra 4.1 (CASSANDRA-17029).
const FROM_TIMES: &[&str] = &["maxtimeuuid", "mintimeuuid", "todate", "totimestamp"];

const GIVE_BIGINT: &[&str] = &["blobasbigint", "tounixtimestamp", "unixtimestampof", "writetime"];

fn is_bigint(of: &CqlType) -> bool {
    of.kind == CqlTypeKind::Native(NativeType::Bigint)
}

const AGGREGATES: &[&str] = &["avg", "count", "max", "min", "sum"];
