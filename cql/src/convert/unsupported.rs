//! Converts statements that Keyspaces lacks.

use super::second_table::{convert_index, convert_view};
use super::types::convert_alter_type;
use super::{Action, Converter};
use crate::judge::rule_for;
use crate::statement::{UnsupportedKind, UnsupportedStatement};

pub(super) fn convert_unsupported(converter: &mut Converter, statement: &UnsupportedStatement) {
    let words = statement.kind.name();
    match statement.kind {
        UnsupportedKind::CreateIndex | UnsupportedKind::CreateCustomIndex => convert_index(converter, statement),
        UnsupportedKind::CreateMaterializedView => convert_view(converter, statement),
        UnsupportedKind::AlterType if convert_alter_type(converter, statement) => {}
        // The converted schema does not have the objects that these statements drop.
        UnsupportedKind::DropIndex
        | UnsupportedKind::DropMaterializedView
        | UnsupportedKind::AlterMaterializedView
        | UnsupportedKind::DropTrigger
        | UnsupportedKind::DropFunction
        | UnsupportedKind::DropAggregate
        | UnsupportedKind::DropRole
        | UnsupportedKind::DropUser
        | UnsupportedKind::Describe
        | UnsupportedKind::Desc
        | UnsupportedKind::List => {
            converter.report(
                Action::LeftOut,
                statement.span,
                words,
                "Keyspaces has no such statement.",
                Some("DG:cassandra-apis"),
            );
        }
        kind => match rule_for(kind) {
            Some(rule) => converter.report_rule(Action::Decide, statement.span, format!("{words} is left out"), rule),
            None => converter.report(Action::LeftOut, statement.span, words, "Keyspaces has no such statement.", None),
        },
    }
}
