//! Statements that Keyspaces lacks.

use super::{Action, Converter};
use crate::judge::rule_for;
use crate::statement::{Other, OtherKind};

impl Converter {
    pub(super) fn other(&mut self, other: &Other) {
        let words = other.kind.name();
        match other.kind {
            OtherKind::CreateIndex | OtherKind::CreateCustomIndex => self.index(other),
            OtherKind::CreateMaterializedView => self.view(other),
            OtherKind::AlterType if self.alter_type(other) => {}
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
                self.tell(
                    Action::LeftOut,
                    other.span,
                    words,
                    "Keyspaces has no such statement.",
                    Some("DG:cassandra-apis"),
                );
            }
            kind => match rule_for(kind) {
                Some(rule) => self.tell_rule(Action::Decide, other.span, format!("{words} is left out"), rule),
                None => self.tell(Action::LeftOut, other.span, words, "Keyspaces has no such statement.", None),
            },
        }
    }
}
