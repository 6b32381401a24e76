//! Text with the source line and a caret, as rustc prints it.

use std::io::{self, Write};

use annotate_snippets::{AnnotationKind, Level as Title, Renderer, Snippet};

use super::{Finding, Level, Report};
use crate::input::Source;
use crate::output;

/// The maximum number of printed lines of a span; the others are left out.
const MAX_LINES: usize = 6;

pub(super) fn write(report: &Report<'_>, to: &mut impl Write) -> io::Result<()> {
    for (source, finding) in report.iter() {
        writeln!(to, "{}\n", render(source, finding))?;
    }
    match summary(report) {
        Some(summary) => writeln!(to, "{summary}"),
        None => Ok(()),
    }
}

fn render(source: &Source, finding: &Finding) -> String {
    let (lines, span) = window(&source.text, finding);
    let title = match finding.level {
        Level::Error => Title::ERROR,
        Level::Warning => Title::WARNING,
        Level::Note => Title::NOTE,
    };
    let snippet = Snippet::source(lines)
        .line_start(finding.position.line)
        .path(source.name.as_str())
        .annotation(AnnotationKind::Primary.span(span));
    let mut group = title.primary_title(finding.text.as_str()).id(finding.id.as_str()).element(snippet);
    if let Some(help) = &finding.help {
        group = group.element(Title::HELP.message(help.as_str()));
    }
    if let Some(source) = finding.source {
        group = group.element(Title::NOTE.message(source));
    }
    Renderer::styled().render(&[group])
}

/// The lines of the span, and the span within them. The renderer searches the whole text that it gets, so it gets few lines.
fn window<'t>(text: &'t str, finding: &Finding) -> (&'t str, std::ops::Range<usize>) {
    let begin = text[..finding.span.start].rfind('\n').map_or(0, |newline| newline + 1);
    let last = finding.span.end.max(finding.span.start);
    let end = text[last..].find('\n').map_or(text.len(), |newline| last + newline);
    let lines = &text[begin..end];
    let length = lines.match_indices('\n').nth(MAX_LINES - 1).map_or(lines.len(), |(newline, _)| newline);
    let start = finding.span.start - begin;
    (&lines[..length], start..(last - begin).min(length).max(start))
}

/// `2 errors, 1 warning`
fn summary(report: &Report<'_>) -> Option<String> {
    let counts = [Level::Error, Level::Warning, Level::Note].map(|level| {
        let count = report.iter().filter(|(_, finding)| finding.level == level).count();
        (count, level)
    });
    let counted = counts.iter().filter(|(count, _)| *count > 0);
    let words: Vec<String> = counted.map(|(count, level)| output::counted(*count, &level.to_string())).collect();
    (!words.is_empty()).then(|| words.join(", "))
}
