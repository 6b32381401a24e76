//! The answers of the Query protocol.

/// An element of XML: a name with a text, or with elements.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Element {
    name: &'static str,
    content: Content,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Content {
    Text(String),
    Elements(Vec<Element>),
}

impl Element {
    pub(crate) fn text(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, content: Content::Text(text.into()) }
    }

    pub(crate) fn with(name: &'static str, elements: impl IntoIterator<Item = Self>) -> Self {
        Self { name, content: Content::Elements(elements.into_iter().collect()) }
    }

    pub(crate) fn write(&self, xml: &mut String) {
        let name = self.name;
        *xml += &format!("<{name}>");
        match &self.content {
            Content::Text(text) => *xml += &escaped(text),
            Content::Elements(elements) => elements.iter().for_each(|element| element.write(xml)),
        }
        *xml += &format!("</{name}>");
    }
}

/// A text escaped for XML, without the control characters that XML cannot have.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\t' | '\n' | '\r' => escaped.push(character),
            control if control.is_control() || matches!(control, '\u{FFFE}' | '\u{FFFF}') => escaped.push('\u{FFFD}'),
            character => escaped.push(character),
        }
    }
    escaped
}
