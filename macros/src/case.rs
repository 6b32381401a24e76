//! Names of variants in another case. The cases have the names that serde uses.

use syn::{Error, LitStr};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Case {
    Lower,
    Upper,
    Camel,
    Snake,
    ScreamingSnake,
    Kebab,
}

const CASES: [(&str, Case); 6] = [
    ("lowercase", Case::Lower),
    ("UPPERCASE", Case::Upper),
    ("camelCase", Case::Camel),
    ("snake_case", Case::Snake),
    ("SCREAMING_SNAKE_CASE", Case::ScreamingSnake),
    ("kebab-case", Case::Kebab),
];

impl Case {
    pub(crate) fn read(name: &LitStr) -> syn::Result<Self> {
        let known = CASES.iter().find(|(known, _)| *known == name.value());
        known.map(|(_, case)| *case).ok_or_else(|| {
            let names: Vec<_> = CASES.iter().map(|(name, _)| *name).collect();
            Error::new(name.span(), format!("expected one of {}", names.join(", ")))
        })
    }

    /// The name of a variant, which is in `PascalCase`, in this case.
    pub(crate) fn apply(self, variant: &str) -> String {
        match self {
            Self::Lower => variant.to_lowercase(),
            Self::Upper => variant.to_uppercase(),
            Self::Camel => {
                let mut letters = variant.chars();
                letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
            }
            Self::Snake => words(variant, '_').to_lowercase(),
            Self::ScreamingSnake => words(variant, '_').to_uppercase(),
            Self::Kebab => words(variant, '-').to_lowercase(),
        }
    }
}

/// Inserts a separator before each capital letter except the first letter.
fn words(variant: &str, sign: char) -> String {
    let mut words = String::with_capacity(variant.len() + 4);
    for (index, letter) in variant.chars().enumerate() {
        if index > 0 && letter.is_uppercase() {
            words.push(sign);
        }
        words.push(letter);
    }
    words
}
