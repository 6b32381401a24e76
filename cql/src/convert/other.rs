//! Statements that Keyspaces lacks.

use super::second_table::{index, view};
use super::types::alter_type;
use super::{Action, Converter};
use crate::judge::rule_for;
use crate::statement::{Other, OtherKind};

pub(super) fn other(converter: &mut Converter, other: &Other) {
    let words = other.kind.name();
    match other.kind {
        OtherKind::CreateIndex | OtherKind::CreateCustomIndex => index(converter, other),
        OtherKind::CreateMaterializedView => view(converter, other),
        OtherKind::AlterType if alter_type(converter, other) => {}
        // What these drop is not in the converted schema either.
        OtherKind::DropIndex
        | OtherKind::DropMaterializedView
        | OtherKind::AlterMaterializedView
        | OtherKind::DropTrigger
        | OtherKind::DropFunction
        | OtherKind::DropAggregate
        | OtherKind::DropRole
        | OtherKind::DropUser
        | OtherKind::Describe
        | OtherKind::Desc
        | OtherKind::List => {
            converter.tell(
                Action::LeftOut,
                other.span,
                words,
                "Keyspaces has no such statement.",
                Some("DG:cassandra-apis"),
            );
        }
        kind => match rule_for(kind) {
            Some(rule) => converter.tell_rule(Action::Decide, other.span, format!("{words} is left out"), rule),
            None => converter.tell(Action::LeftOut, other.span, words, "Keyspaces has no such statement.", None),
        },
    }
}
