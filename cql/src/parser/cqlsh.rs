//! Input that cqlsh reads and no server does: cqlsh's own commands, and the byte order mark that editors write.

use super::Parser;
use crate::SyntaxProblem;
use crate::lexer::TokenKind;

/// cqlsh's commands, each with its replacement. `DESCRIBE` is missing: since Cassandra 4 it is a statement as well.
const COMMANDS: &[(&str, &str)] = &[
    ("CAPTURE", "write the rows to a file in the program"),
    ("CLEAR", "leave it out"),
    ("CLS", "leave it out"),
    ("CONSISTENCY", "set the consistency in the program that sends the statements"),
    ("COPY", "write the rows with INSERT statements"),
    ("EXIT", "leave it out"),
    ("EXPAND", "leave it out"),
    ("HELP", "leave it out"),
    ("HISTORY", "leave it out"),
    ("LOGIN", "give the credentials to the program that connects"),
    ("PAGING", "set the page size in the program that sends the statements"),
    ("QUIT", "leave it out"),
    ("SERIAL", "leave it out: Keyspaces has one serial consistency for writes"),
    ("SHOW", "read system.local"),
    ("SOURCE", "put the statements of that file in its place"),
    ("TRACING", "leave it out"),
];

/// The problem at the current position, if a text or statement begins with a cqlsh command or a byte order mark.
pub(super) fn cqlsh_problem(parser: &Parser<'_>) -> Option<SyntaxProblem> {
    let slice = parser.slice(parser.span());
    match parser.kind() {
        TokenKind::Stray if slice == "\u{feff}" => Some(SyntaxProblem::ByteOrderMark),
        TokenKind::Word => {
            let command = COMMANDS.iter().find(|(command, _)| command.eq_ignore_ascii_case(slice));
            command.map(|&(command, replacement)| SyntaxProblem::CqlshCommand { command, replacement })
        }
        _ => None,
    }
}
